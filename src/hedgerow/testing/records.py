"""What a test sees of a local Aster: balances, orders and requests, as plain values."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.account import AccountView
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.wire.protocol.errors import WireError
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder
from hedgerow.emulator.wire.protocol.params import parse_form
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.router import RestReply

__all__ = ["Balances", "SeenOrder", "SeenRequest", "balances_of", "order_of", "request_of"]


class Balances(Struct, frozen=True, kw_only=True):
    """Both wallets of an account."""

    spot: Mapping[str, Decimal]
    """Free and locked units by asset; an asset with nothing is absent."""
    perp: Decimal
    """USDT of the perpetual wallet, without unrealised profit."""
    margin: Decimal
    """The same with it."""

    @property
    def usdt(self) -> Decimal:
        """USDT of both wallets, without unrealised profit."""
        return self.spot.get("USDT", Decimal(0)) + self.perp


class SeenOrder(Struct, frozen=True, kw_only=True):
    """One order as the exchange keeps it."""

    order_id: int
    client_id: str
    market: Market
    symbol: str
    side: Side
    kind: str
    """``LIMIT``, ``MARKET``, ``STOP_MARKET`` and so on, as sent."""
    time_in_force: str
    quantity: Decimal
    price: Decimal
    """Zero for a market order."""
    status: OrderStatus
    executed: Decimal
    average_price: Decimal
    """Zero while nothing is executed."""
    reduce_only: bool
    is_open: bool
    created_at: datetime


class SeenRequest(Struct, frozen=True, kw_only=True):
    """One REST request as it arrived, and how it was answered."""

    at: datetime
    method: str
    path: str
    parameters: Mapping[str, str]
    """Query and body; empty when they could not be read."""
    status: int | None
    """None = it got no answer."""


def balances_of(view: AccountView) -> Balances:
    """Return the wallets of an account."""
    spot = {asset: balance.total for asset, balance in view.spot.items() if balance.total}
    return Balances(spot=spot, perp=view.perp.balance, margin=view.perp.margin_balance)


def order_of(exchange_order: ExchangeOrder) -> SeenOrder:
    """Return an order."""
    return SeenOrder(
        order_id=exchange_order.order_id,
        client_id=exchange_order.client_id,
        market=exchange_order.market,
        symbol=exchange_order.symbol,
        side=exchange_order.side,
        kind=exchange_order.original_kind,
        time_in_force=exchange_order.time_in_force,
        quantity=exchange_order.quantity,
        price=exchange_order.price,
        status=exchange_order.status,
        executed=exchange_order.executed,
        average_price=exchange_order.average,
        reduce_only=exchange_order.reduce_only,
        is_open=exchange_order.open,
        created_at=exchange_order.created_at,
    )


def request_of(request: WireRequest, answer: RestReply, at: datetime) -> SeenRequest:
    """Return a request."""
    try:
        parameters = parse_form(request.body) | parse_form(request.query)
    except WireError:
        parameters = {}
    status = None if answer.response is None else answer.response.status
    return SeenRequest(at=at, method=request.method, path=request.path, parameters=parameters, status=status)
