"""Orders and fills as the venue reports them."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO, is_positive

__all__ = [
    "Fill",
    "ForcedTrade",
    "Order",
    "OrderRequest",
    "OrderStatus",
    "RejectKind",
    "TimeInForce",
]


class ForcedTrade(StrEnum):
    """Why the venue traded for the account; the value is its name in sentences."""

    LIQUIDATION = "liquidation"
    AUTO_DELEVERAGING = "auto-deleveraging"
    SETTLEMENT = "settlement of the symbol"
    """The symbol is taken down; its positions are closed at the last mark."""


class TimeInForce(StrEnum):
    """How long an order lives."""

    IOC = "IOC"
    GTX = "GTX"
    """Post-only: expires instead of taking."""
    GTC = "GTC"


class OrderStatus(StrEnum):
    """The venue's order states."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def done(self) -> bool:
        """Whether the order can no longer fill."""
        return self not in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}


class RejectKind(StrEnum):
    """Why the venue refused an order, by what it asks of us."""

    PRICE = "price"
    """Outside the price band: a wider or nearer cap may pass."""
    MARGIN = "margin"
    """Balance or margin insufficient: transfer idle USDT once, else unwind."""
    FILTER = "filter"
    """Off a filter: retrying cannot help."""
    PERMISSION = "permission"
    """Not allowed (agent, mode, market closed): retrying cannot help."""
    REDUCE_ONLY = "reduce_only"
    """Nothing to reduce: the leg is already gone."""
    OTHER = "other"
    """Any other refusal: retrying cannot be shown to help."""


class OrderRequest(Struct, frozen=True, kw_only=True):
    """A limit order we intend to send; there are no uncapped market orders here."""

    client_id: str
    """At most as long as ``VenueRules.max_client_id_length``."""
    market: Market
    symbol: str
    side: Side
    quantity: Decimal
    """Base units."""
    price: Decimal
    """Limit in quote units: the worst price accepted."""
    time_in_force: TimeInForce = TimeInForce.IOC
    reduce_only: bool = False

    def __post_init__(self) -> None:
        if not self.client_id:
            raise ValueError("a client id is not empty")
        if not (is_positive(self.quantity) and is_positive(self.price)):
            raise ValueError(f"{self.client_id}: quantity and price must be positive")


class Order(Struct, frozen=True, kw_only=True):
    """An order as the venue knows it."""

    request: OrderRequest
    order_id: int
    status: OrderStatus
    filled_quantity: Decimal = ZERO
    """Cumulative base units."""
    filled_notional: Decimal = ZERO
    """Cumulative quote units."""
    updated_at: datetime


class Fill(Struct, frozen=True, kw_only=True):
    """One trade of ours, from the venue's trade report."""

    market: Market
    symbol: str
    trade_id: int
    order_id: int
    client_id: str = ""
    """Empty where the venue's report does not carry it."""
    side: Side
    quantity: Decimal
    """Base units, positive."""
    price: Decimal
    fee: Decimal
    """Positive = cost, in units of ``fee_asset``."""
    fee_asset: str
    realized_pnl: Decimal = ZERO
    """Perpetual only, in quote units, before fees."""
    maker: bool = False
    at: datetime
    forced_trade: ForcedTrade | UnsetType = UNSET
    """Set by the venue's adapter where the venue traded for the account; not written otherwise."""

    @property
    def notional(self) -> Decimal:
        """Price x quantity in quote units."""
        return self.price * self.quantity

    @property
    def key(self) -> str:
        """What a trade is booked under, once: trade ids are unique per market and symbol."""
        return f"{self.market}:{self.symbol}:{self.trade_id}"

    @property
    def forced(self) -> bool:
        """Whether the venue traded for the account: liquidation, ADL, or settlement of a symbol that is taken down."""
        return self.forced_trade is not UNSET

    @property
    def forced_name(self) -> str:
        """Name of a forced trade; empty for every other trade."""
        return "" if self.forced_trade is UNSET else self.forced_trade.value

    def net_base(self, base: str) -> Decimal:
        """Signed change of the ``base`` holding: a fee taken in coin reduces what is held."""
        fee_in_coin = self.fee if self.fee_asset == base else ZERO
        return self.side.sign * self.quantity - fee_in_coin

    def fee_in_quote(self, base: str, quote: str, *, asset_price: Decimal | None = None) -> Decimal:
        """Return the fee in quote units: in coin at the trade's price, in a third asset at ``asset_price``.

        Raises:
            ValueError: the fee was taken in a third asset and its price is not given.
        """
        if self.fee_asset == quote:
            return self.fee
        if self.fee_asset == base:
            return self.fee * self.price
        if asset_price is None:
            raise ValueError(f"trade {self.trade_id}: no price for a fee in {self.fee_asset}")
        return self.fee * asset_price
