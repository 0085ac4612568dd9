"""The account as the venue shows it at one time: balances of both wallets, positions, account modes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct, field

from hedgerow.domain.money import ZERO

__all__ = [
    "AccountView",
    "Balance",
    "MarginTier",
    "MarginType",
    "OpenOrder",
    "PerpPosition",
    "PerpWallet",
    "tier_of",
]

QUOTE_ASSET = "USDT"


class MarginType(StrEnum):
    """Margin mode of a perpetual position."""

    CROSSED = "CROSSED"
    ISOLATED = "ISOLATED"


class Balance(Struct, frozen=True, kw_only=True):
    """One asset of the spot wallet."""

    asset: str
    free: Decimal
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Free plus locked in open orders."""
        return self.free + self.locked


class PerpWallet(Struct, frozen=True, kw_only=True):
    """The USDT side of the perpetual wallet."""

    balance: Decimal
    """Wallet balance: deposits, realised PnL, funding and fees; without unrealised PnL."""
    unrealized_pnl: Decimal = ZERO
    available: Decimal
    """Free for new positions."""
    transferable: Decimal
    """Largest amount that may leave for the spot wallet (``maxWithdrawAmount``)."""

    @property
    def margin_balance(self) -> Decimal:
        """Wallet balance plus unrealised PnL."""
        return self.balance + self.unrealized_pnl


class MarginTier(Struct, frozen=True, kw_only=True):
    """Maintenance margin of a position of at least ``floor``: notional x ``rate`` - ``cumulative``.

    The deduction makes the margin grow without a jump where a tier begins.
    """

    floor: Decimal
    """Smallest notional at the mark, quote units."""
    rate: Decimal
    """Fraction of the notional."""
    cumulative: Decimal = ZERO
    """Quote units."""


def tier_of(tiers: Sequence[MarginTier], notional: Decimal) -> MarginTier:
    """Return the tier of a notional; ``tiers`` are at least one, smallest first, the first one from zero on."""
    if len(tiers) == 1:
        return tiers[0]
    return next(tier for tier in reversed(tiers) if tier.floor <= notional)


class PerpPosition(Struct, frozen=True, kw_only=True):
    """A perpetual position in one-way mode; a flat symbol may appear with quantity 0."""

    symbol: str
    quantity: Decimal
    """Base units, negative = short."""
    entry_price: Decimal
    mark_price: Decimal
    unrealized_pnl: Decimal = ZERO
    leverage: int
    margin_type: MarginType = MarginType.CROSSED
    liquidation_price: Decimal | None = None
    """None where the venue gives none (flat, or out of reach)."""
    maintenance: Decimal | None = None
    """Maintenance margin at the mark by the venue's brackets, quote units; None where the endpoint does not show it."""
    tiers: tuple[MarginTier, ...] = ()
    """The venue's tiers of this perpetual, smallest first; empty where they are not known."""
    adl_quantile: int | None = None


class OpenOrder(Struct, frozen=True, kw_only=True):
    """An order resting on the venue, ours or not."""

    symbol: str
    client_id: str
    order_id: int


class AccountView(Struct, frozen=True, kw_only=True):
    """One consistent read of the account."""

    at: datetime
    spot: Mapping[str, Balance]
    """By asset; an asset with nothing may be absent."""
    perp: PerpWallet
    positions: Mapping[str, PerpPosition] = field(default_factory=dict[str, PerpPosition])
    """By symbol; a flat symbol may be absent or have quantity 0."""
    perp_assets: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Wallet balances of the perpetual wallet's other assets, fees may be paid from them; USDT is in ``perp``."""
    one_way: bool = True
    single_asset: bool = True
    clock_skew_seconds: float = 0.0
    """By how much the venue's clock is ahead of ours."""
    unreadable_positions: frozenset[str] = frozenset()
    """Perpetual symbols whose position is unknown: the row is unreadable, or missing though earlier replies list it."""
    unreadable_balances: frozenset[str] = frozenset()
    """Spot assets whose balance is not known, for the same causes."""
    sided_positions: frozenset[str] = frozenset()
    """Perpetual symbols that are held in hedge mode: the exchange refuses every order of one-way mode for them."""
    doubts: tuple[str, ...] = ()
    """What of the reply contradicts itself, one sentence each; empty when it agrees."""

    @property
    def spot_usdt(self) -> Decimal:
        """Free USDT of the spot wallet."""
        balance = self.spot.get(QUOTE_ASSET)
        return balance.free if balance else ZERO

    def coin(self, asset: str) -> Balance:
        """Return the spot balance of ``asset``, zero where the venue lists none."""
        return self.spot.get(asset) or Balance(asset=asset, free=ZERO)

    def short(self, symbol: str) -> Decimal:
        """Return the short's size in base units, positive; zero when flat or long."""
        position = self.positions.get(symbol)
        return -position.quantity if position is not None and position.quantity < 0 else ZERO

    def position_quantity(self, symbol: str) -> Decimal:
        """Return the signed perpetual quantity; zero when flat."""
        position = self.positions.get(symbol)
        return position.quantity if position else ZERO
