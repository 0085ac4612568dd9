"""What closing every hedge would cost and leave: by books read for the question, or else as they were last read."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.dashboard.view import HedgeView
from hedgerow.domain.money import sum_or_none
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.strategy.next_payment import earliest_of

__all__ = ["ClosingAll", "closing_all"]


class ClosingAll(Struct, frozen=True, kw_only=True):
    """Sums over the live hedges; None where one of them is not known."""

    exit_cost: Decimal | None
    net_if_closed: Decimal | None
    next_payment: Decimal | None
    """Sum of what is due at the earliest next settlement."""
    read_at: datetime | None
    """Of the oldest book that was read for the question; None = none was."""
    not_read: tuple[HedgeView, ...]
    """Hedges whose books were not read for it: they are as they were last read."""


def closing_all(hedges: Sequence[HedgeView], prices: Sequence[ClosingPrice]) -> ClosingAll:
    """Return the sums; ``prices`` are by books that were read for the question, of some hedges or of all."""
    priced = {price.hedge_id: price for price in prices}
    fresh = [(hedge, priced.get(hedge.hedge_id)) for hedge in hedges]
    results = [price.result if price else hedge.result for hedge, price in fresh]
    _, due = earliest_of(price.next_payment if price else hedge.funding.next for hedge, price in fresh)
    return ClosingAll(
        exit_cost=sum_or_none(result.exit_cost if result else None for result in results),
        net_if_closed=sum_or_none(result.net_if_closed if result else None for result in results),
        next_payment=due,
        read_at=min((price.at for _, price in fresh if price), default=None),
        not_read=tuple(hedge for hedge, price in fresh if price is None),
    )
