"""Orders and commands in few words."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import count

from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import Event, OrderEnded
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest, TimeInForce
from support.worlds import SYMBOL

__all__ = ["ended", "order", "place"]

_numbers = count(1)


def order(
    market: Market,
    side: Side,
    quantity: str,
    price: str,
    *,
    client_id: str | None = None,
    time_in_force: TimeInForce = TimeInForce.IOC,
    reduce_only: bool = False,
    symbol: str = SYMBOL,
) -> OrderRequest:
    """Return an order; without ``client_id`` under one of its own."""
    return OrderRequest(
        client_id=client_id or f"test-{next(_numbers)}",
        market=market,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        time_in_force=time_in_force,
        reduce_only=reduce_only,
    )


def place(request: OrderRequest, *, hedge_id: str = "hedge") -> PlaceOrder:
    """Return the command that sends an order."""
    return PlaceOrder(hedge_id=hedge_id, order=request)


def ended(events: Sequence[Event]) -> OrderEnded:
    """Return the one event that ends an order."""
    (found,) = [event for event in events if isinstance(event, OrderEnded)]
    return found
