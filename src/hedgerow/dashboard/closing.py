"""What every screen shows before it asks a bot to close: by books that the bot read for the question, or as last read.

Which of the two it is stands beside the figures, with its time: figures of an earlier reading are never shown as those
of now.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.dashboard import formats
from hedgerow.dashboard.view import HedgeView
from hedgerow.domain.money import sum_or_none
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.strategy.hedge_result import HedgeResult
from hedgerow.strategy.next_payment import NextPayment, earliest_of

__all__ = ["ClosingAll", "ClosingOne", "books_of_all", "books_of_one", "closing_all", "closing_one"]


class ClosingOne(Struct, frozen=True, kw_only=True):
    """What closing one hedge would cost and leave."""

    hedge: HedgeView
    result: HedgeResult | None
    """None = not known."""
    next_payment: NextPayment | None
    """Missed if it is closed before."""
    read_at: datetime | None
    """Of the older book that was read for the question; None = none was, the figures are those of the last reading."""


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


def closing_one(hedge: HedgeView, price: ClosingPrice | None) -> ClosingOne:
    """Return the figures of one hedge; a price of another hedge, which the pair may have by now, is not used."""
    if price is None or price.hedge_id != hedge.hedge_id:
        return ClosingOne(hedge=hedge, result=hedge.result, next_payment=hedge.funding.next, read_at=None)
    return ClosingOne(hedge=hedge, result=price.result, next_payment=price.next_payment, read_at=price.at)


def closing_all(hedges: Sequence[HedgeView], prices: Sequence[ClosingPrice]) -> ClosingAll:
    """Return the sums; ``prices`` are by books that were read for the question, of some hedges or of all."""
    priced = {price.hedge_id: price for price in prices}
    found = [closing_one(hedge, priced.get(hedge.hedge_id)) for hedge in hedges]
    _, due = earliest_of(each.next_payment for each in found)
    return ClosingAll(
        exit_cost=sum_or_none(each.result.exit_cost if each.result else None for each in found),
        net_if_closed=sum_or_none(each.result.net_if_closed if each.result else None for each in found),
        next_payment=due,
        read_at=min((each.read_at for each in found if each.read_at), default=None),
        not_read=tuple(each.hedge for each in found if each.read_at is None),
    )


def books_of_one(closing: ClosingOne, now: datetime) -> str:
    """Return by which books the figures of one hedge are."""
    if closing.read_at is None:
        return f"The bot did not read the books for this: they are as it read them {_last_read(closing.hedge, now)}."
    return f"By the books as the bot read them for this question, at {formats.clock_time(closing.read_at, now)}."


def books_of_all(sums: ClosingAll, now: datetime) -> str:
    """Return by which books the sums are."""
    old = ", ".join(f"{hedge.symbol} {_last_read(hedge, now)}" for hedge in sums.not_read)
    if sums.read_at is None:
        return f"The bot did not read the books for this: they are as it read them: {old}."
    others = f"; not those of {old}" if old else ""
    at = formats.clock_time(sums.read_at, now)
    return f"By the books as the bot read them for this question, at {at}{others}."


def _last_read(hedge: HedgeView, now: datetime) -> str:
    return f"{formats.ago(hedge.read_at, now)}, as of {formats.clock_time(hedge.read_at, now)}"
