"""Whether a market takes orders: what the listing says of it, and what an own order has shown.

The listing is one source, and a field of it can be wrong for hours. An order that can only reduce a leg asks the
exchange itself: refused it costs nothing, and filled it proves that the market takes orders.
"""

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from hedgerow.domain.instrument import BasisPair, Market, TradingStatus
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition, OrderRecord

__all__ = ["may_ask", "takes_reducing_orders", "took_an_order"]

PROVEN_FOR: Final = timedelta(minutes=5)
"""An order that filled so lately shows that its market takes orders."""
FIRST_PAUSE: Final = timedelta(minutes=1)
"""So long after a refused order the next one may ask; after each further one twice as long."""
LONGEST_PAUSE: Final = timedelta(hours=1)
MOST_DOUBLINGS: Final = 6


def takes_reducing_orders(pair: BasisPair, market: Market) -> bool:
    """Return whether one market of a pair takes orders that reduce a position, as the listing says."""
    status = pair.instrument(market).status
    return status is TradingStatus.TRADING or status is TradingStatus.SETTLING


def took_an_order(hedge: HedgedPosition, market: Market, at: datetime) -> bool:
    """Return whether an order that reduced one leg of a hedge has filled lately; a forced one shows nothing."""
    return any(
        record.filled_quantity > 0 and not record.forced and at - record.issued_at <= PROVEN_FOR
        for record in _reducing(hedge, market)[-1:]
    )


def may_ask(hedge: HedgedPosition, market: Market, view: MarketView, at: datetime) -> bool:
    """Return whether an order may ask now: both books have two sides, and the last one was not refused too lately."""
    quotes = [view.quote(each, hedge.symbol) for each in Market]
    if not all(quote is not None and quote.two_sided for quote in quotes):
        return False
    refused = list(takewhile(lambda record: record.filled_quantity <= 0, reversed(_reducing(hedge, market))))
    if not refused:
        return True
    pause = FIRST_PAUSE * (1 << min(len(refused) - 1, MOST_DOUBLINGS))
    return at - refused[0].issued_at >= min(pause, LONGEST_PAUSE)


def _reducing(hedge: HedgedPosition, market: Market) -> list[OrderRecord]:
    """Return the orders that reduced one leg of a hedge, or were to, oldest first."""
    return [record for record in hedge.orders if record.request.market is market and not record.opens]
