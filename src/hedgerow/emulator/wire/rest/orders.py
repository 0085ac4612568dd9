"""Order routes of both markets (docs/aster-api.md 5.2 and 6.2)."""

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
from hedgerow.emulator.wire.protocol.history_window import HistoryWindow, window_of
from hedgerow.emulator.wire.protocol.order_records import CONDITIONAL, ExchangeOrder
from hedgerow.emulator.wire.protocol.order_rows import order_row
from hedgerow.emulator.wire.protocol.params import Params
from hedgerow.emulator.wire.rest.call import RestCall, Route, Security
from hedgerow.emulator.wire.rest.order_requests import check_order, read_order

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


def place(call: RestCall) -> dict[str, Any]:
    """POST order."""
    return _place(call, call.params)


def try_order(call: RestCall) -> dict[str, Any]:
    """POST order/test: checks and places nothing."""
    exchange_order = read_order(call, call.params)
    check_order(call, exchange_order, call.params)
    if exchange_order.kind not in CONDITIONAL:
        rehearse(call.exchange_account, exchange_order)
    return {}


def look_up(call: RestCall) -> dict[str, Any]:
    """GET order."""
    exchange_order = _named(call, call.params)
    gone = (
        exchange_order is not None
        and exchange_order.status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}
        and not exchange_order.executed
    )
    if (
        exchange_order is None
        or (gone and call.now - exchange_order.updated_at > KEPT)
        or _hidden(call, exchange_order)
    ):
        raise unknown_order()
    return _row(call, exchange_order, looked_up=True)


def look_up_open(call: RestCall) -> dict[str, Any]:
    """GET openOrder."""
    exchange_order = _named(call, call.params)
    if exchange_order is None or not exchange_order.open or _hidden(call, exchange_order):
        raise unknown_order()
    return _row(call, exchange_order, looked_up=True)


def cancel_one(call: RestCall) -> dict[str, Any]:
    """DELETE order."""
    return _row(call, cancel(call.exchange_account, _named(call, call.params)))


def modify(call: RestCall) -> dict[str, Any]:
    """PUT order: quantity and price, both."""
    return _modify(call, call.params)


def open_orders(call: RestCall) -> list[dict[str, Any]]:
    """GET openOrders."""
    symbol = call.symbol() if call.params.has("symbol") else None
    found = call.exchange_account.exchange_orders.open(call.market, symbol)
    return [_row(call, exchange_order, looked_up=True) for exchange_order in found if not _hidden(call, exchange_order)]


def all_orders(call: RestCall) -> list[dict[str, Any]]:
    """GET allOrders."""
    symbol = call.symbol() if call.params.has("symbol") else None
    limit = call.params.whole("limit", 500, least=1, most=1000)
    since_id, window = _order_window(call)
    found = [
        exchange_order
        for exchange_order in call.exchange_account.exchange_orders.since(
            call.market, symbol, window.earliest, order_id=since_id
        )
        if exchange_order.order_id >= since_id and window.holds(exchange_order.created_at)
    ]
    chosen = found[:limit] if since_id or call.params.has("startTime") else found[-limit:]
    return [_row(call, exchange_order, looked_up=True) for exchange_order in chosen]


def cancel_all(call: RestCall) -> dict[str, Any]:
    """DELETE allOpenOrders.

    The futures documents print the code as a string; clients checked against the venue take nothing but a number.
    """
    symbol = call.symbol()
    wanted = _wanted(call.params, "orderIdList", "origClientOrderIdList")
    for exchange_order in call.exchange_account.exchange_orders.open(call.market, symbol):
        if not wanted or str(exchange_order.order_id) in wanted or exchange_order.client_id in wanted:
            cancel(call.exchange_account, exchange_order)
    return {"code": 200, "msg": ALL_CANCELLED}


def place_batch(call: RestCall) -> list[dict[str, Any]]:
    """POST batchOrders: each an order or its refusal."""
    return [_tried(call, each, _place) for each in _batch(call)]


def modify_batch(call: RestCall) -> list[dict[str, Any]]:
    """PUT batchOrders."""
    return [_tried(call, each, _modify) for each in _batch(call)]


def cancel_batch(call: RestCall) -> list[dict[str, Any]]:
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


def countdown(call: RestCall) -> dict[str, Any]:
    """POST countdownCancelAll: a dead man's switch per symbol; zero stops it."""
    symbol, wait = call.symbol(), call.params.whole("countdownTime", most=10**10)
    call.exchange_account.countdowns.pop(symbol, None)
    if wait:
        call.exchange_account.countdowns[symbol] = call.now + timedelta(milliseconds=wait)
    call.exchange_account.changed()
    return {"symbol": symbol, "countdownTime": str(wait)}


def _place(call: RestCall, params: Params) -> dict[str, Any]:
    exchange_order = read_order(call, params)
    response = params.choice("newOrderRespType", ("ACK", "RESULT"), default="ACK", code=-1136)
    check_order(call, exchange_order, params)
    if exchange_order.kind in CONDITIONAL:
        if already_triggered(call.exchange_account, exchange_order):
            raise WireError(-2021, "Order would immediately trigger.")
        return _row(call, arm(call.exchange_account, exchange_order))
    if call.market is Market.SPOT:
        return _row(
            call,
            queue(call.exchange_account, exchange_order, timedelta(seconds=call.exchange.rules.spot_delay_seconds)),
        )
    done = enter(call.exchange_account, exchange_order)
    return _row(call, done if response == "RESULT" else replace(exchange_order, quantity=done.quantity))


def _modify(call: RestCall, params: Params) -> dict[str, Any]:
    exchange_order = _named(call, params)
    if exchange_order is None:
        raise unknown_order()
    if params.has("side"):
        params.choice("side", (exchange_order.side.value,), code=-1117)
    return _row(call, amend(call.exchange_account, exchange_order, params.number("quantity"), params.number("price")))


def _cancel(call: RestCall, params: Params) -> dict[str, Any]:
    row = _row(call, cancel(call.exchange_account, _named(call, params)))
    chain = row.get("cancelChainData")
    # In batch replies the venue puts this object into a string.
    return row | ({"cancelChainData": f'{{"hash":"{chain["hash"]}"}}'} if chain else {})


def _tried(call: RestCall, params: Params, act: Any) -> dict[str, Any]:
    """Return the reply to one of several, or its refusal."""
    try:
        row: dict[str, Any] = act(call, params)
    except WireError as error:
        return {"code": error.code, "msg": error.message}
    except Rejected as error:
        refusal = refusal_of(error)
        return {"code": refusal.code, "msg": refusal.message}
    return row


def _batch(call: RestCall) -> list[Params]:
    """Return the orders of a batch as parameters of their own."""
    rows = call.params.items("batchOrders")
    if not 0 < len(rows) <= MAX_BATCH:
        raise WireError(-4082, "Invalid number of batch place orders.")
    if not all(isinstance(row, dict) for row in rows):
        raise missing("batchOrders")
    return [Params({str(k): _as_text(v) for k, v in row.items() if v is not None}) for row in rows]


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _named(call: RestCall, params: Params) -> ExchangeOrder | None:
    """Return the order that a request names, if the account has it on this market and symbol."""
    symbol = call.exchange.market.instrument(call.market, params.text("symbol")).symbol
    if params.has("orderId"):
        exchange_order = call.exchange_account.exchange_orders.get(params.whole("orderId"))
        return (
            exchange_order
            if exchange_order and (exchange_order.market, exchange_order.symbol) == (call.market, symbol)
            else None
        )
    if not params.has("origClientOrderId"):
        raise WireError(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return call.exchange_account.exchange_orders.find(call.market, symbol, params.text("origClientOrderId"))


def _hidden(call: RestCall, exchange_order: ExchangeOrder) -> bool:
    """Return whether a look-up does not see a new order yet."""
    hidden = call.exchange.rules.hide_orders_seconds
    return bool(hidden) and call.now - exchange_order.created_at < timedelta(seconds=hidden)


def _row(call: RestCall, exchange_order: ExchangeOrder, *, looked_up: bool = False) -> dict[str, Any]:
    return order_row(
        call.exchange.market.instrument(exchange_order.market, exchange_order.symbol),
        exchange_order,
        looked_up=looked_up,
    )


def _wanted(params: Params, *names: str) -> set[str]:
    return {str(item) for name in names if params.has(name) for item in params.items(name)}


def _order_window(call: RestCall) -> tuple[int, HistoryWindow]:
    since_id = call.params.whole("orderId", 0)
    if since_id and (call.params.has("startTime") or call.params.has("endTime")):
        raise malformed("orderId", "it cannot be combined with startTime or endTime")
    return since_id, HistoryWindow.always() if since_id else window_of(call.params, call.now)


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
