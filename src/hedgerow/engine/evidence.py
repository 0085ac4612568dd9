"""What became of an order: asked by its id, and where that cannot be answered, read from the account's trades."""

from datetime import datetime

from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import Event, OrderEnded, OrderOutcomeUnknown
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus
from hedgerow.domain.position import OrderRecord
from hedgerow.ports import Clock, Venue

__all__ = ["look_up"]


async def look_up(venue: Venue, clock: Clock, request: OrderRequest, record: OrderRecord | None) -> tuple[Event, ...]:
    """Return what is known of an order now; ``record`` is what the log knows of it.

    Trades prove one thing only: that the whole order was filled. Fewer of them, or none, leave it unknown.
    """
    found = await venue.resolve(request)
    if record is None or not any(isinstance(event, OrderOutcomeUnknown) for event in found):
        return found
    try:
        trades = await venue.fills(request.market, request.symbol, record.issued_at)
    except VenueError:
        return found
    own = [fill for fill in trades if _belongs(fill, record)]
    whole = sum((fill.quantity for fill in own), ZERO) == request.quantity
    return (_filled(own, request, clock.now()),) if whole else found


def _belongs(fill: Fill, record: OrderRecord) -> bool:
    """Tell whether a trade is of this order; reports carry the venue's number, and not all of them our id."""
    return fill.client_id == record.request.client_id or fill.order_id == record.order_id


def _filled(trades: list[Fill], request: OrderRequest, at: datetime) -> OrderEnded:
    return OrderEnded(
        at=at,
        client_id=request.client_id,
        order_id=trades[0].order_id,
        status=OrderStatus.FILLED,
        filled_quantity=request.quantity,
        filled_notional=sum((trade.notional for trade in trades), ZERO),
    )
