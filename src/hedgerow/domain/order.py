"""Orders and fills as the venue reports them."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO, is_positive

__all__ = [
    "FORCED_CLIENT_IDS",
    "Fill",
    "Order",
    "OrderRequest",
    "OrderStatus",
    "RejectKind",
    "TimeInForce",
    "forced_name",
]

FORCED_CLIENT_IDS: Final = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
"""How the ids of the venue's own orders begin: liquidation, ADL, settlement (docs/aster-api.md 10.2)."""
FORCED_NAMES: Final = dict(
    zip(FORCED_CLIENT_IDS, ("liquidation", "auto-deleveraging", "settlement of the symbol"), strict=True)
)
"""What such an order is, in words."""
MAX_CLIENT_ID = 36
"""Longest client order id the venue accepts (-4015 above it)."""


def forced_name(client_id: str) -> str:
    """Return what an order of the venue's own is, in words; empty for every other order."""
    return next((name for prefix, name in FORCED_NAMES.items() if client_id.startswith(prefix)), "")


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
        if not 0 < len(self.client_id) <= MAX_CLIENT_ID:
            raise ValueError(f"a client id has 1 to {MAX_CLIENT_ID} characters: {self.client_id!r}")
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
        """Whether the venue traded for us: a liquidation, an ADL, or the settlement of a symbol that is taken down."""
        return self.client_id.startswith(FORCED_CLIENT_IDS)

    @property
    def forced_name(self) -> str:
        """What the venue traded for us for, in words; empty for a trade that it did not force."""
        return forced_name(self.client_id)

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
