"""What a venue reports by itself between two readings: a reason to read again, never a reason to trade.

A notification may be lost, repeated, or late: after one of a liquidation the account is read before anything is sold.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.domain.instrument import Market
from hedgerow.domain.order import ForcedTrade

__all__ = ["Notification", "NotificationKind"]


class NotificationKind(StrEnum):
    """What happened."""

    ORDER = "order"
    """An order of the account changed, ours or not."""
    FORCED = "forced"
    """The venue traded for the account: a liquidation or an ADL. One leg is smaller, or gone."""
    BALANCE = "balance"
    """A wallet changed: a trade, a transfer, a deposit."""
    FUNDING = "funding"
    MARGIN_CALL = "margin call"
    LEVERAGE = "leverage"
    """A symbol's leverage changed."""
    MODES = "modes"
    """The account's position or asset mode changed."""
    MARK = "mark"
    """The mark price of the followed symbol."""
    INTERVAL = "interval"
    """The followed symbol settles in another rhythm than before."""
    STATUS = "status"
    """The followed symbol stopped trading, or trades again."""
    CONNECTED = "connected"
    """A stream is open (again); what happened before it was not reported."""
    LOST = "lost"
    """A stream ended or fell silent."""


class Notification(Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    at: datetime
    kind: NotificationKind
    market: Market = Market.PERP
    symbol: str = ""
    """Empty where the account as a whole is meant."""
    client_id: str = ""
    """Of an order."""
    mark: Decimal | None = None
    """Of ``MARK``: quote units."""
    forced_trade: ForcedTrade | None = None
    """Of ``FORCED``: what the venue did; None where it does not say."""
    detail: str = ""
    """One sentence without a full stop; empty = nothing beyond the kind."""
