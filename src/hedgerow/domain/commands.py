"""Commands to a venue: everything that changes something there."""

from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest

__all__ = [
    "ArmDeadMan",
    "CancelOrder",
    "Command",
    "PlaceOrder",
    "SetLeverage",
    "SetMarginType",
    "TransferDirection",
    "TransferFunds",
]


class TransferDirection(StrEnum):
    """Which wallet USDT moves to; the value is the word of the log line."""

    SPOT_TO_PERP = "SPOT_TO_PERP"
    PERP_TO_SPOT = "PERP_TO_SPOT"


class PlaceOrder(Struct, frozen=True, kw_only=True, tag="place_order"):
    """Send an order that belongs to a hedge."""

    hedge_id: str
    order: OrderRequest
    fee_rate: Decimal = ZERO
    """Commission expected, as a fraction; used until the real fee is booked."""
    fee_in_quote: bool | UnsetType = UNSET
    """True where the fee of a spot buy is expected in quote units instead of in coin; not written otherwise."""


class CancelOrder(Struct, frozen=True, kw_only=True, tag="cancel_order"):
    """Cancel an order of ours by client id."""

    market: Market
    symbol: str
    client_id: str


class TransferFunds(Struct, frozen=True, kw_only=True, tag="transfer_funds"):
    """Move USDT between the wallets; the venue executes one id once, so that a repeat is idempotent."""

    transfer_id: str
    amount: Decimal
    direction: TransferDirection
    asset: str = QUOTE_ASSET

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise ValueError(f"{self.transfer_id}: a transfer moves a positive amount, not {self.amount}")


class SetLeverage(Struct, frozen=True, kw_only=True, tag="set_leverage"):
    """Set the leverage of a perpetual symbol."""

    symbol: str
    leverage: int


class SetMarginType(Struct, frozen=True, kw_only=True, tag="set_margin_type"):
    """Switch a perpetual symbol to CROSSED margin; "no need to change" counts as success."""

    symbol: str


class ArmDeadMan(Struct, frozen=True, kw_only=True, tag="arm_dead_man"):
    """Let the venue cancel every perpetual order of a symbol unless asked again in time; spot has no such switch."""

    symbol: str
    seconds: int
    """From now; 0 stops the switch."""


Command: TypeAlias = PlaceOrder | CancelOrder | TransferFunds | SetLeverage | SetMarginType | ArmDeadMan
