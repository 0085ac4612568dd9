"""What closing a hedge costs by books that were read for the question."""

from datetime import datetime

from msgspec import Struct

from hedgerow.strategy.hedge_result import HedgeResult
from hedgerow.strategy.next_payment import NextPayment

__all__ = ["ClosingPrice", "ClosingPrices"]


class ClosingPrice(Struct, frozen=True, kw_only=True):
    """What closing a hedge costs and leaves by the books as they were read for the question."""

    hedge_id: str
    symbol: str
    at: datetime
    """Of the older one of the two books."""
    result: HedgeResult
    next_payment: NextPayment | None = None
    """Missed if it is closed before."""


class ClosingPrices(Struct, frozen=True, kw_only=True):
    """The same of every hedge whose books could be read."""

    prices: tuple[ClosingPrice, ...]
