"""Causes outside the bot that keep the legs of a hedge apart."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus
from hedgerow.domain.market import Depth
from hedgerow.ports import MarketPrices

__all__ = ["AWAY", "Cause", "CauseSpan", "explained_until", "obstacles", "ways"]


AWAY = Decimal("0.02")
"""Fraction by which a book's touch may differ from the market's price before it is one not to trade on."""


class Cause(StrEnum):
    """Why legs differ, or stay so."""

    CLOSED = "market closed"
    EMPTY = "book empty"
    THIN = "book too thin"
    MISLEADING = "book crossed, wide or away from the market"
    REFUSED = "requests refused, lost or unanswered"
    OUTAGE = "venue out of order"
    STALE = "venue shows what is no longer so"
    FALSE = "venue shows what is not so"
    PRICES = "prices jumped"
    RELABELLED = "perpetual became that of another coin"
    TAKEN = "the owner or the venue traded"
    BUSY = "another hedge was traded"
    DEAD = "no bot alive"


class CauseSpan(Struct, frozen=True, kw_only=True):
    """A cause that is active from ``begin`` until ``end``."""

    begin: datetime
    end: datetime
    cause: Cause
    explains: bool = True
    """Whether it keeps legs apart; rows that are listed late only keep the books from being complete."""


def ways(job: HedgeExecution | None, excess: Decimal) -> tuple[tuple[Market, Side], ...]:
    """Return the orders that could bring the legs together; ``excess`` is by how many coins spot exceeds the short.

    An opening may complete itself or go back; whatever closes only reduces.
    """
    opening = job is not None and job.kind is ExecutionKind.OPEN
    if excess > 0:
        return ((Market.SPOT, Side.SELL), *(((Market.PERP, Side.SELL),) if opening else ()))
    return ((Market.PERP, Side.BUY), *(((Market.SPOT, Side.BUY),) if opening else ()))


def obstacles(
    pair: BasisPair,
    depths: Mapping[Market, Depth],
    prices: MarketPrices | None,
    routes: Iterable[tuple[Market, Side]],
    *,
    quantity: Decimal,
    cap_bps: Decimal,
) -> frozenset[Cause]:
    """Return what keeps all ``routes`` from trading ``quantity`` base units within the widest cap; empty = nothing."""
    found: set[Cause] = set()
    for market, side in routes:
        price = None if prices is None else prices.spot if market is Market.SPOT else prices.perp
        cause = _obstacle(pair, depths[market], side, price) or (
            Cause.THIN if depths[market].quantity_within(side, cap_bps) < quantity else None
        )
        if cause is None:
            return frozenset()
        found.add(cause)
    return frozenset(found)


def _obstacle(pair: BasisPair, depth: Depth, side: Side, price: Decimal | None) -> Cause | None:
    """Return what keeps an order from being sent at all; ``price`` is the market's, whatever the book shows."""
    status = pair.instrument(depth.market).status
    reducing = depth.market is Market.PERP and side is Side.BUY
    if status is not TradingStatus.TRADING and not (status is TradingStatus.SETTLING and reducing):
        return Cause.CLOSED
    touch, other = depth.touch(side), depth.touch(side.opposite)
    if touch is None:
        return Cause.EMPTY
    crossed = other is not None and (touch - other) * side.sign < 0
    away = price is not None and abs(touch / price - 1) > AWAY
    return Cause.MISLEADING if crossed or away else None


def explained_until(spans: Iterable[CauseSpan], since: datetime, now: datetime) -> Iterator[tuple[datetime, Cause]]:
    """Yield, of every span that was active after ``since``, its cause and until when it was active, at most now."""
    for span in spans:
        if span.explains and span.begin <= now and span.end > since:
            yield min(now, span.end), span.cause
