"""Instruments with the venue's filters, and the pair of spot and perpetual that a hedge trades."""

from decimal import Decimal
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from hedgerow.domain.money import ONE, ZERO, ceil_to_step, common_step, floor_to_step, is_on_grid

__all__ = ["BasisPair", "FeeRates", "Instrument", "Market", "Side", "TradingStatus", "Violation"]


class Market(StrEnum):
    """Which of the venue's markets; spot and perpetual share symbol strings, so every key carries it."""

    SPOT = "spot"
    PERP = "perp"


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class TradingStatus(StrEnum):
    """State of a market; only ``TRADING`` may be opened."""

    TRADING = "TRADING"
    PENDING = "PENDING_TRADING"
    SETTLING = "SETTLING"
    CLOSED = "CLOSE"
    UNLISTED = "UNLISTED"
    """Missing from the venue's list, which does not say why."""


class Violation(StrEnum):
    """Which filter an order would violate."""

    QUANTITY_STEP = "quantity is off the lot step"
    QUANTITY_TOO_SMALL = "quantity is below the minimum"
    QUANTITY_TOO_LARGE = "quantity is above the maximum"
    PRICE_TICK = "price is off the tick"
    PRICE_NOT_POSITIVE = "price is not positive"
    NOTIONAL_TOO_SMALL = "notional is below the minimum"


class FeeRates(Struct, frozen=True, kw_only=True):
    """Commission as a fraction of notional (0.0004 = 4 bp); positive = cost."""

    maker: Decimal
    taker: Decimal


class Instrument(Struct, frozen=True, kw_only=True):
    """One spot or perpetual market: its grids, minimums and fees."""

    market: Market
    symbol: str
    base: str
    quote: str
    tick: Decimal
    """Price step in quote units."""
    lot: Decimal
    """Quantity step in base units."""
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    """Smallest price x quantity in quote units; a reduce-only perpetual order is exempt."""
    fees: FeeRates
    status: TradingStatus = TradingStatus.TRADING
    price_down: Decimal = ZERO
    """Price band: a sell may not be priced below mark x this; 0 switches the rule off."""
    price_up: Decimal = ZERO
    """Price band: a buy may not be priced above mark x this; 0 switches the rule off."""
    fee_in_quote: bool | UnsetType = UNSET
    """True where the fee of a spot buy is taken in quote units; otherwise it is taken from the coins received, and the
    field is not written."""

    def __post_init__(self) -> None:
        for name in ("tick", "lot", "max_quantity"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{self.market} {self.symbol}: {name} must be positive")
        if self.min_quantity < 0 or self.min_notional < 0:
            raise ValueError(f"{self.market} {self.symbol}: minimums must not be negative")

    def floor_quantity(self, quantity: Decimal) -> Decimal:
        """Return the largest quantity on the lot grid that is not above ``quantity``."""
        return floor_to_step(quantity, self.lot)

    def ceil_quantity(self, quantity: Decimal) -> Decimal:
        """Return the smallest quantity on the lot grid that is not below ``quantity``."""
        return ceil_to_step(quantity, self.lot)

    def round_price(self, price: Decimal, side: Side) -> Decimal:
        """Return ``price`` on the tick grid, never more aggressive than asked (buys down, sells up)."""
        return floor_to_step(price, self.tick) if side is Side.BUY else ceil_to_step(price, self.tick)

    def accepts(self, *, quantity: Decimal, price: Decimal, reduce_only: bool = False) -> Violation | None:
        """Return the filter that an order of ``quantity`` at ``price`` would violate, or None."""
        if quantity <= 0 or quantity < self.min_quantity:
            return Violation.QUANTITY_TOO_SMALL
        if quantity > self.max_quantity:
            return Violation.QUANTITY_TOO_LARGE
        if not is_on_grid(quantity, self.lot):
            return Violation.QUANTITY_STEP
        if price <= 0:
            return Violation.PRICE_NOT_POSITIVE
        if not is_on_grid(price, self.tick):
            return Violation.PRICE_TICK
        if quantity * price < self.min_notional and not reduce_only:
            return Violation.NOTIONAL_TOO_SMALL
        return None


class BasisPair(Struct, frozen=True, kw_only=True):
    """Spot and perpetual of one underlying under one symbol."""

    spot: Instrument
    perp: Instrument

    def __post_init__(self) -> None:
        if self.spot.market is not Market.SPOT or self.perp.market is not Market.PERP:
            raise ValueError(f"{self.symbol}: a basis pair is one spot and one perpetual market")
        if self.spot.symbol != self.perp.symbol or self.spot.base != self.perp.base:
            raise ValueError(f"{self.spot.symbol} and {self.perp.symbol} are not one underlying")

    @property
    def symbol(self) -> str:
        """The symbol both markets share."""
        return self.perp.symbol

    @property
    def base(self) -> str:
        """The coin."""
        return self.perp.base

    @property
    def lot_step(self) -> Decimal:
        """Least quantity step that lies on both grids."""
        return common_step(self.spot.lot, self.perp.lot)

    @property
    def min_notional(self) -> Decimal:
        """The larger of both legs' minimum notional, in quote units."""
        return max(self.spot.min_notional, self.perp.min_notional)

    @property
    def tradable(self) -> bool:
        """Whether both markets are open for trading."""
        return self.spot.status is TradingStatus.TRADING and self.perp.status is TradingStatus.TRADING

    def gross_spot_for(self, net_quantity: Decimal) -> Decimal:
        """Return the spot quantity to buy so that at least ``net_quantity`` is left after a fee in coin."""
        return self.spot.ceil_quantity(net_quantity / (ONE - self.coin_fee_rate))

    @property
    def coin_fee_rate(self) -> Decimal:
        """Part of the coins bought that the venue keeps as its taker fee; 0 where it takes fees in quote units."""
        return ZERO if self.spot.fee_in_quote else self.spot.fees.taker

    def instrument(self, market: Market) -> Instrument:
        """Return the pair's instrument on ``market``."""
        return self.spot if market is Market.SPOT else self.perp
