"""Routes a REST request to its handler and returns the reply (docs/aster-api.md 3 to 6 and 9)."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from hedgerow.domain.errors import Rejected
from hedgerow.domain.instrument import Market
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.protocol.errors import BAD_REQUEST, NOT_FOUND, WireError, nonce_expired, refusal_of
from hedgerow.emulator.wire.protocol.number_format import to_ms
from hedgerow.emulator.wire.protocol.params import Params, parse_form
from hedgerow.emulator.wire.protocol.rate_limits import banned, too_many_orders
from hedgerow.emulator.wire.rest import history as histories
from hedgerow.emulator.wire.rest import klines as chart
from hedgerow.emulator.wire.rest import market_data as public
from hedgerow.emulator.wire.rest import orders, perp_account, perp_settings
from hedgerow.emulator.wire.rest import transfers as services
from hedgerow.emulator.wire.rest.authentication import admit
from hedgerow.emulator.wire.rest.call import RestCall, Route, Security, WireRequest
from hedgerow.emulator.wire.rest.failures import error_response, json_response, refusal_response, web_page
from hedgerow.emulator.wire.rest.faults import RequestFault, RequestFaults, WireFaults
from hedgerow.emulator.wire.rest.rewriting import rewrite_response, without_newest
from hedgerow.ports import HttpResponse

__all__ = ["RestReply", "RestRouter", "routes"]

PATH = re.compile(r"/(fapi|api)/v([1-4])/(\w+(?:/\w+){0,2})")
MARKETS = {"fapi": Market.PERP, "api": Market.SPOT}
OK, FORBIDDEN, UNSUPPORTED_TYPE, SERVER_ERROR, UNAVAILABLE = 200, 403, 415, 500, 503
WRITES = {"POST", "PUT", "DELETE"}
FORM_TYPES = {"application/x-www-form-urlencoded", "application/json"}
"""Content types of writes that live clients send (docs/aster-api.md section 15); some send none. Clients of old keys
declare JSON and put parameters into the query; a body of JSON is not read."""
FIRST_REDIRECT, LAST_REDIRECT = 300, 399
EXECUTED = {
    FaultKind.UNAVAILABLE_AFTER,
    FaultKind.SILENT_AFTER,
    FaultKind.CUT_AFTER,
    FaultKind.NULL_FUNDING,
    FaultKind.REJECT_AFTER,
    FaultKind.PAGE_AFTER,
}
"""Faults that leave the request itself alone."""
PAGES = {FaultKind.PAGE_BEFORE, FaultKind.PAGE_AFTER}
REFUSALS = {FaultKind.REJECT, FaultKind.REJECT_AFTER}
FIRST_BAN_SECONDS = 120.0
UNKNOWN_STATUS = {"code": -1000, "msg": "Service unavailable; the execution status is unknown."}
UNTOUCHED = RequestFaults()
Table = dict[tuple[Market, str, str], Route]


class RestReply(Struct, frozen=True, kw_only=True):
    """What comes back: a response, or nothing at all; ``seconds`` later."""

    response: HttpResponse | None
    seconds: float = 0.0
    cut: bool = False
    """Whether the connection is dropped, rather than left without an answer."""


def routes() -> Table:
    """Return every endpoint by market, method and name."""
    table: Table = {}
    for module in (public, chart, orders, perp_account, perp_settings, histories, services):
        for owner, found in module.ROUTES.items():
            for market in Market if owner is None else (owner,):
                table |= {(market, route.method, route.name): route for route in found}
    return table


class RestRouter:
    """Answers requests at the exchange's present time."""

    def __init__(self, exchange: Exchange, faults: WireFaults | None = None) -> None:
        self.exchange = exchange
        self.faults = faults or WireFaults()
        self._table = routes()

    def handle(self, request: WireRequest) -> RestReply:
        """Answer one request; a fault that is set may strike it."""
        self.exchange.advance(self.exchange.now)
        request_faults = self.faults.on_request(request, self.exchange.now)
        if request_faults is None:
            return RestReply(response=self._answer(request))
        if request_faults.fault is None:
            answer = RestReply(response=self._answer(request, request_faults), seconds=request_faults.seconds)
        else:
            answer = self._faulted(request, request_faults, request_faults.fault)
        return self._changed(answer, request_faults.changes)

    def _faulted(self, request: WireRequest, request_faults: RequestFaults, fault: RequestFault) -> RestReply:
        if fault.fault is FaultKind.LATE:
            self.exchange.later(fault.seconds, lambda: self._answer(request, request_faults))
            return RestReply(response=None)
        executed = self._answer(request, request_faults) if fault.fault in EXECUTED else None
        match fault.fault:
            case FaultKind.SILENT_BEFORE | FaultKind.SILENT_AFTER:
                return RestReply(response=None)
            case FaultKind.CUT_BEFORE | FaultKind.CUT_AFTER:
                return RestReply(response=None, cut=True)
            case FaultKind.NULL_FUNDING if executed is not None:
                return RestReply(response=_without_funding(executed), seconds=request_faults.seconds)
            case _:
                return RestReply(response=_broken(fault, self.exchange.now), seconds=request_faults.seconds)

    def _changed(self, answer: RestReply, changes: Iterable[RequestFault]) -> RestReply:
        """Return an answer with its body rewritten."""
        response = answer.response
        if response is None:
            return answer
        for change in changes:
            if change.fault is FaultKind.LATE_ROWS:
                newest = to_ms(self.exchange.now - timedelta(seconds=change.seconds))
                body = without_newest(response.body, newest, change.symbol)
                response = msgspec.structs.replace(response, body=body)
            else:
                response = rewrite_response(response, change.rewrite)
        return msgspec.structs.replace(answer, response=response)

    def _answer(self, request: WireRequest, request_faults: RequestFaults = UNTOUCHED) -> HttpResponse:
        if request.method in WRITES and not _is_form(request):
            return web_page(UNSUPPORTED_TYPE)
        headers: dict[str, str] = {}
        try:
            content = self._execute(request, headers, request_faults)
        except WireError as error:
            response = refusal_response(error, headers)
        except Rejected as error:
            response = refusal_response(refusal_of(error), headers)
        else:
            response = json_response(OK, content, headers)
        self.exchange.settle()
        return response

    def _execute(self, request: WireRequest, headers: dict[str, str], request_faults: RequestFaults) -> Any:
        """Admit and carry out one request; what it learns for the reply's headers is left in ``headers``."""
        if not _legible(request):
            raise WireError(-1100, "Illegal characters found in a parameter.")
        market, route = self._route(request)
        limits, now = self.exchange.limits[market], self.exchange.now
        try:
            # A query value wins over the same name in the body (docs/aster-api.md 3).
            params = Params(parse_form(request.body) | parse_form(request.query))
            limits.weigh(request.ip, route.weight_of(params), now)
        finally:
            headers["x-mbx-used-weight-1m"] = str(limits.used(request.ip, now))
        call = RestCall(
            exchange=self.exchange, market=market, params=params, request=request, fill_share=request_faults.fill_share
        )
        if route.security is Security.NONE:
            content = route.handler(call)
            return self._skewed(content) if route.name == "time" else content
        burns = not (request_faults.idle_noop and route.name == "noop")
        exchange_account, signer = admit(self.exchange, route, market, request, params, burns_nonce=burns)
        if route.orders:
            limits.count_order(exchange_account.user, now, _orders_in(params, route))
        content = route.handler(msgspec.structs.replace(call, caller=exchange_account, signer=signer))
        if route.orders:
            headers |= limits.order_headers(exchange_account.user, now)
        return content

    def _route(self, request: WireRequest) -> tuple[Market, Route]:
        found = PATH.fullmatch(request.path)
        market = MARKETS[found[1]] if found else Market.PERP
        route = self._table.get((market, request.method, found[3])) if found else None
        if found is None or route is None or int(found[2]) not in route.versions:
            raise WireError(
                -1020, f"This operation is not supported: {request.method} {request.path}", status=NOT_FOUND
            )
        return market, route

    def _skewed(self, content: dict[str, int]) -> dict[str, int]:
        return {name: value + int(self.faults.skew_seconds * 1000) for name, value in content.items()}


def _broken(fault: RequestFault, now: datetime) -> HttpResponse:
    """Return the failure that a fault declares."""
    headers = _retry_after(fault)
    if fault.fault is FaultKind.HTML_500:
        return web_page(SERVER_ERROR, headers)
    if fault.fault in PAGES:
        return _page(fault, headers)
    if fault.fault in {FaultKind.UNAVAILABLE_BEFORE, FaultKind.UNAVAILABLE_AFTER}:
        return json_response(UNAVAILABLE, UNKNOWN_STATUS, headers)
    if fault.fault in REFUSALS:
        status = fault.status or BAD_REQUEST
        return error_response(
            fault.error_shape, fault.code, fault.message, status=status, at_ms=to_ms(now), headers=headers
        )
    refused = refusal_response(_declared(fault, now), {})
    return msgspec.structs.replace(refused, headers={**refused.headers, **headers})


def _page(fault: RequestFault, headers: dict[str, str]) -> HttpResponse:
    status = fault.status or FORBIDDEN
    redirect = {"location": fault.location} if FIRST_REDIRECT <= status <= LAST_REDIRECT else {}
    return web_page(status, headers | redirect)


def _retry_after(fault: RequestFault) -> dict[str, str]:
    return {} if fault.retry_after_seconds is None else {"retry-after": f"{fault.retry_after_seconds:g}"}


def _is_form(request: WireRequest) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return not kind or kind in FORM_TYPES


def _legible(request: WireRequest) -> bool:
    """Return whether a request is text: bytes that are none arrive as halves of surrogate pairs."""
    try:
        f"{request.method}{request.path}{request.query}{request.body}".encode()
    except UnicodeEncodeError:
        return False
    return True


def _orders_in(params: Params, route: Route) -> int:
    """Return for how many orders a call counts: a batch for those in it."""
    return min(route.orders, max(1, params.text("batchOrders", "").count('"symbol"')))


def _declared(fault: RequestFault, now: datetime) -> WireError:
    left = fault.seconds or FIRST_BAN_SECONDS if fault.until is None else (fault.until - now).total_seconds()
    kinds: dict[FaultKind, Callable[[], WireError]] = {
        FaultKind.NONCE_EXPIRED: nonce_expired,
        FaultKind.RATE_LIMITED: lambda: WireError(-1003, "Too many requests.", status=429, retry_after_seconds=60),
        FaultKind.ORDER_LIMIT: lambda: too_many_orders("300 orders per 10 SECOND"),
        FaultKind.BANNED: lambda: banned(now + timedelta(seconds=left), now),
    }
    return kinds[fault.fault]()


def _without_funding(response: HttpResponse) -> HttpResponse:
    unknown = {"fundingIntervalHours": None, "fundingFeeCap": None, "fundingFeeFloor": None}
    if response.status != OK:
        return response
    rows = [row | unknown for row in msgspec.json.decode(response.body, type=list[dict[str, Any]])]
    return HttpResponse(status=response.status, headers=response.headers, body=msgspec.json.encode(rows))
