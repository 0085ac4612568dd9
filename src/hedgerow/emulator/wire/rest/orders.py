"""Order endpoints of both markets (docs/aster-api.md 5.2 and 6.2)."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from hedgerow.domain.errors import Rejected
from hedgerow.domain.instrument import Market
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator.wire.exchange.conditional_orders import already_triggered
from hedgerow.emulator.wire.exchange.order_lifecycle import amend, arm, cancel, enter, queue, rehearse
from hedgerow.emulator.wire.protocol.errors import WireError, malformed, missing, refusal_of, unknown_order
from hedgerow.emulator.wire.protocol.history_window import Window, window_of
from hedgerow.emulator.wire.protocol.order_records import CONDITIONAL, Ticket
from hedgerow.emulator.wire.protocol.order_rows import order_row
from hedgerow.emulator.wire.protocol.params import Params
from hedgerow.emulator.wire.rest.call import Call, Route, Security
from hedgerow.emulator.wire.rest.order_requests import check_ticket, read_order

__all__ = [
    "ROUTES",
    "all_orders",
    "cancel_all",
    "cancel_batch",
    "cancel_one",
    "countdown",
    "look_up",
    "look_up_open",
    "modify",
    "modify_batch",
    "open_orders",
    "place",
    "place_batch",
    "try_order",
]

MAX_BATCH, MAX_CANCELS = 5, 10
KEPT = timedelta(days=7)
"""Cancelled or expired orders without a trade vanish after this time."""
ALL_CANCELLED = "The operation of cancel all open order is done."


def place(call: Call) -> dict[str, Any]:
    """POST order."""
    return _place(call, call.params)


def try_order(call: Call) -> dict[str, Any]:
    """POST order/test: checks and places nothing."""
    ticket = read_order(call, call.params)
    check_ticket(call, ticket, call.params)
    if ticket.kind not in CONDITIONAL:
        rehearse(call.member, ticket)
    return {}


def look_up(call: Call) -> dict[str, Any]:
    """GET order."""
    ticket = _named(call, call.params)
    gone = ticket is not None and ticket.status in {OrderStatus.CANCELED, OrderStatus.EXPIRED} and not ticket.executed
    if ticket is None or (gone and call.now - ticket.updated_at > KEPT) or _hidden(call, ticket):
        raise unknown_order()
    return _row(call, ticket, looked_up=True)


def look_up_open(call: Call) -> dict[str, Any]:
    """GET openOrder."""
    ticket = _named(call, call.params)
    if ticket is None or not ticket.open or _hidden(call, ticket):
        raise unknown_order()
    return _row(call, ticket, looked_up=True)


def cancel_one(call: Call) -> dict[str, Any]:
    """DELETE order."""
    return _row(call, cancel(call.member, _named(call, call.params)))


def modify(call: Call) -> dict[str, Any]:
    """PUT order: quantity and price, both."""
    return _modify(call, call.params)


def open_orders(call: Call) -> list[dict[str, Any]]:
    """GET openOrders."""
    symbol = call.symbol() if call.params.has("symbol") else None
    found = call.member.tickets.open(call.market, symbol)
    return [_row(call, ticket, looked_up=True) for ticket in found if not _hidden(call, ticket)]


def all_orders(call: Call) -> list[dict[str, Any]]:
    """GET allOrders."""
    symbol = call.symbol() if call.params.has("symbol") else None
    limit = call.params.whole("limit", 500, least=1, most=1000)
    since_id, window = _order_window(call)
    found = [
        ticket
        for ticket in call.member.tickets.since(call.market, symbol, window.earliest, order_id=since_id)
        if ticket.order_id >= since_id and window.holds(ticket.created_at)
    ]
    chosen = found[:limit] if since_id or call.params.has("startTime") else found[-limit:]
    return [_row(call, ticket, looked_up=True) for ticket in chosen]


def cancel_all(call: Call) -> dict[str, Any]:
    """DELETE allOpenOrders.

    The futures documents print the code as a string; clients checked against the venue take nothing but a number.
    """
    symbol = call.symbol()
    wanted = _wanted(call.params, "orderIdList", "origClientOrderIdList")
    for ticket in call.member.tickets.open(call.market, symbol):
        if not wanted or str(ticket.order_id) in wanted or ticket.client_id in wanted:
            cancel(call.member, ticket)
    return {"code": 200, "msg": ALL_CANCELLED}


def place_batch(call: Call) -> list[dict[str, Any]]:
    """POST batchOrders: each an order or its refusal."""
    return [_tried(call, each, _place) for each in _batch(call)]


def modify_batch(call: Call) -> list[dict[str, Any]]:
    """PUT batchOrders."""
    return [_tried(call, each, _modify) for each in _batch(call)]


def cancel_batch(call: Call) -> list[dict[str, Any]]:
    """DELETE batchOrders."""
    symbol = call.symbol()
    ids = call.params.items("orderIdList") if call.params.has("orderIdList") else []
    names = call.params.items("origClientOrderIdList") if call.params.has("origClientOrderIdList") else []
    if not ids and not names:
        raise missing("orderIdList")
    if len(ids) + len(names) > MAX_CANCELS:
        raise WireError(-4082, "Invalid number of batch place orders.")
    forms = [Params({"symbol": symbol, "orderId": str(each)}) for each in ids]
    forms += [Params({"symbol": symbol, "origClientOrderId": str(each)}) for each in names]
    return [_tried(call, form, _cancel) for form in forms]


def countdown(call: Call) -> dict[str, Any]:
    """POST countdownCancelAll: a dead man's switch per symbol; zero stops it."""
    symbol, wait = call.symbol(), call.params.whole("countdownTime", most=10**10)
    call.member.countdowns.pop(symbol, None)
    if wait:
        call.member.countdowns[symbol] = call.now + timedelta(milliseconds=wait)
    call.member.changed()
    return {"symbol": symbol, "countdownTime": str(wait)}


def _place(call: Call, params: Params) -> dict[str, Any]:
    ticket = read_order(call, params)
    response = params.choice("newOrderRespType", ("ACK", "RESULT"), default="ACK", code=-1136)
    check_ticket(call, ticket, params)
    if ticket.kind in CONDITIONAL:
        if already_triggered(call.member, ticket):
            raise WireError(-2021, "Order would immediately trigger.")
        return _row(call, arm(call.member, ticket))
    if call.market is Market.SPOT:
        return _row(call, queue(call.member, ticket, timedelta(seconds=call.exchange.rules.spot_delay_seconds)))
    done = enter(call.member, ticket)
    return _row(call, done if response == "RESULT" else replace(ticket, quantity=done.quantity))


def _modify(call: Call, params: Params) -> dict[str, Any]:
    ticket = _named(call, params)
    if ticket is None:
        raise unknown_order()
    if params.has("side"):
        params.choice("side", (ticket.side.value,), code=-1117)
    return _row(call, amend(call.member, ticket, params.number("quantity"), params.number("price")))


def _cancel(call: Call, params: Params) -> dict[str, Any]:
    row = _row(call, cancel(call.member, _named(call, params)))
    chain = row.get("cancelChainData")
    # In batch replies the venue puts this object into a string.
    return row | ({"cancelChainData": f'{{"hash":"{chain["hash"]}"}}'} if chain else {})


def _tried(call: Call, params: Params, act: Any) -> dict[str, Any]:
    """Return the reply to one of several, or its refusal."""
    try:
        row: dict[str, Any] = act(call, params)
    except WireError as error:
        return {"code": error.code, "msg": error.message}
    except Rejected as error:
        refusal = refusal_of(error)
        return {"code": refusal.code, "msg": refusal.message}
    return row


def _batch(call: Call) -> list[Params]:
    """Return the orders of a batch as parameters of their own."""
    rows = call.params.items("batchOrders")
    if not 0 < len(rows) <= MAX_BATCH:
        raise WireError(-4082, "Invalid number of batch place orders.")
    if not all(isinstance(row, dict) for row in rows):
        raise missing("batchOrders")
    return [Params({str(k): _as_text(v) for k, v in row.items() if v is not None}) for row in rows]


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(call: Call, params: Params) -> Ticket | None:
    """Return the order that a request names, if the account has it on this market and symbol."""
    symbol = call.exchange.market.instrument(call.market, params.text("symbol")).symbol
    if params.has("orderId"):
        ticket = call.member.tickets.get(params.whole("orderId"))
        return ticket if ticket and (ticket.market, ticket.symbol) == (call.market, symbol) else None
    if not params.has("origClientOrderId"):
        raise WireError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return call.member.tickets.find(call.market, symbol, params.text("origClientOrderId"))


def _hidden(call: Call, ticket: Ticket) -> bool:
    """Tell whether a look-up does not see a new order yet."""
    hidden = call.exchange.rules.hide_orders_seconds
    return bool(hidden) and call.now - ticket.created_at < timedelta(seconds=hidden)


def _row(call: Call, ticket: Ticket, *, looked_up: bool = False) -> dict[str, Any]:
    return order_row(call.exchange.market.instrument(ticket.market, ticket.symbol), ticket, looked_up=looked_up)


def _wanted(params: Params, *names: str) -> set[str]:
    return {str(item) for name in names if params.has(name) for item in params.items(name)}


def _order_window(call: Call) -> tuple[int, Window]:
    since_id = call.params.whole("orderId", 0)
    if since_id and (call.params.has("startTime") or call.params.has("endTime")):
        raise malformed("orderId", "it cannot be combined with startTime or endTime")
    return since_id, Window.always() if since_id else window_of(call.params, call.now)


def _forty_for_all(params: Params) -> int:
    return 1 if params.has("symbol") else 40


def _routes(trade: Iterable[Route]) -> tuple[Route, ...]:
    return tuple(replace(route, security=Security.TRADE) for route in trade)


ROUTES = {
    Market.PERP: _routes(
        (
            Route(method="PUT", name="order", handler=modify, orders=1, versions=(3,)),
            Route(method="PUT", name="batchOrders", handler=modify_batch, weight=5, orders=5, versions=(3,)),
            Route(method="POST", name="countdownCancelAll", handler=countdown, weight=10),
            Route(method="DELETE", name="guardedCancelOrder", handler=cancel_one, versions=(3,), guarded=True),
            Route(method="DELETE", name="guardedBatchOrders", handler=cancel_batch, versions=(3,), guarded=True),
        )
    ),
    None: (
        *_routes(
            (
                Route(method="POST", name="order", handler=place, orders=1),
                Route(method="POST", name="order/test", handler=try_order),
                Route(method="DELETE", name="order", handler=cancel_one),
                Route(method="DELETE", name="allOpenOrders", handler=cancel_all),
                Route(method="POST", name="batchOrders", handler=place_batch, weight=5, orders=5),
                Route(method="DELETE", name="batchOrders", handler=cancel_batch),
            )
        ),
        Route(method="GET", name="order", handler=look_up, security=Security.DATA),
        Route(method="GET", name="openOrder", handler=look_up_open, security=Security.DATA),
        Route(method="GET", name="openOrders", handler=open_orders, weight=_forty_for_all, security=Security.DATA),
        Route(method="GET", name="allOrders", handler=all_orders, weight=5, security=Security.DATA),
    ),
}
"""By market; None = both."""
