"""The REST door: a request in, an answer out (API reference, sections 3 to 6 and 9)."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from hedgerow.domain.errors import Rejected
from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire import chart, histories, orders, perp_account, perp_settings, public, services
from hedgerow.emulator.wire.call import Call, Route, Security, WireRequest
from hedgerow.emulator.wire.errors import NOT_FOUND, WireError, nonce_expired, refusal_of
from hedgerow.emulator.wire.exchange import Exchange
from hedgerow.emulator.wire.faults import RequestFault, Strike, WireFault, WireFaults
from hedgerow.emulator.wire.gate import admit
from hedgerow.emulator.wire.limits import banned, too_many_orders
from hedgerow.emulator.wire.params import Params, parse_form
from hedgerow.ports import HttpResponse

__all__ = ["Answer", "RestDoor", "routes"]

PATH = re.compile(r"/(fapi|api)/v([1-4])/(\w+(?:/\w+){0,2})")
MARKETS = {"fapi": Market.PERP, "api": Market.SPOT}
OK, SERVER_ERROR, UNAVAILABLE = 200, 500, 503
HTML = b"<html><head><title>500 Internal Server Error</title></head><body><h1>500</h1></body></html>"
EXECUTED = {WireFault.UNAVAILABLE_AFTER, WireFault.SILENT_AFTER, WireFault.CUT_AFTER, WireFault.NULL_FUNDING}
"""Faults that leave the request itself alone."""
FIRST_BAN_SECONDS = 120.0
Table = dict[tuple[Market, str, str], Route]


class Answer(Struct, frozen=True, kw_only=True):
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


class RestDoor:
    """Answers requests at the exchange's present time."""

    def __init__(self, exchange: Exchange, faults: WireFaults | None = None) -> None:
        self.exchange = exchange
        self.faults = faults or WireFaults()
        self._table = routes()

    def handle(self, request: WireRequest) -> Answer:
        """Answer one request; a fault that is set may strike it."""
        self.exchange.advance(self.exchange.now)
        strike = self.faults.on_request(request, self.exchange.now)
        if strike is None or strike.fault is None:
            share, seconds = (strike.fill_share, strike.seconds) if strike else (None, 0.0)
            return Answer(response=self._answer(request, share), seconds=seconds)
        return self._struck(request, strike, strike.fault)

    def _struck(self, request: WireRequest, strike: Strike, fault: RequestFault) -> Answer:
        if fault.fault is WireFault.LATE:
            self.exchange.later(fault.seconds, lambda: self._answer(request, strike.fill_share))
            return Answer(response=None)
        executed = self._answer(request, strike.fill_share) if fault.fault in EXECUTED else None
        match fault.fault:
            case WireFault.SILENT_BEFORE | WireFault.SILENT_AFTER:
                return Answer(response=None)
            case WireFault.CUT_BEFORE | WireFault.CUT_AFTER:
                return Answer(response=None, cut=True)
            case WireFault.NULL_FUNDING if executed is not None:
                return Answer(response=_without_funding(executed), seconds=strike.seconds)
            case _:
                return Answer(response=_broken(fault, self.exchange.now), seconds=strike.seconds)

    def _answer(self, request: WireRequest, fill_share: Decimal | None = None) -> HttpResponse:
        headers: dict[str, str] = {}
        try:
            content = self._execute(request, headers, fill_share)
        except WireError as error:
            response = _refused(error, headers)
        except Rejected as error:
            response = _refused(refusal_of(error), headers)
        else:
            response = _json(OK, content, headers)
        self.exchange.settle()
        return response

    def _execute(self, request: WireRequest, headers: dict[str, str], fill_share: Decimal | None) -> Any:
        """Admit and carry out one request; what it learns for the reply's headers is left in ``headers``."""
        if not _legible(request):
            raise WireError(-1100, "Illegal characters found in a parameter.")
        market, route = self._route(request)
        limits, now = self.exchange.limits[market], self.exchange.now
        try:
            # A query value wins over the same name in the body (API reference, section 3).
            params = Params(parse_form(request.body) | parse_form(request.query))
            limits.weigh(request.ip, route.weight_of(params), now)
        finally:
            headers["x-mbx-used-weight-1m"] = str(limits.used(request.ip, now))
        call = Call(exchange=self.exchange, market=market, params=params, request=request, fill_share=fill_share)
        if route.security is Security.NONE:
            content = route.handler(call)
            return self._skewed(content) if route.name == "time" else content
        member, signer = admit(self.exchange, route, market, request, params)
        if route.orders:
            limits.count_order(member.user, now, _orders_in(params, route))
        content = route.handler(msgspec.structs.replace(call, caller=member, signer=signer))
        if route.orders:
            headers |= limits.order_headers(member.user, now)
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
    if fault.fault is WireFault.HTML_500:
        return HttpResponse(status=SERVER_ERROR, headers={"content-type": "text/html"}, body=HTML)
    if fault.fault in {WireFault.UNAVAILABLE_BEFORE, WireFault.UNAVAILABLE_AFTER}:
        return _unavailable()
    return _refused(_declared(fault, now), {})


def _legible(request: WireRequest) -> bool:
    """Tell whether a request is text: bytes that are none arrive as halves of surrogate pairs."""
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
    kinds: dict[WireFault, Callable[[], WireError]] = {
        WireFault.NONCE_EXPIRED: nonce_expired,
        WireFault.RATE_LIMITED: lambda: WireError(-1003, "Too many requests.", status=429, retry_after_seconds=60),
        WireFault.ORDER_LIMIT: lambda: too_many_orders("300 orders per 10 SECOND"),
        WireFault.BANNED: lambda: banned(now + timedelta(seconds=left), now),
    }
    return kinds.get(fault.fault, lambda: WireError(fault.code, fault.message))()


def _unavailable() -> HttpResponse:
    return _json(UNAVAILABLE, {"code": -1000, "msg": "Service unavailable; the execution status is unknown."}, {})


def _without_funding(response: HttpResponse) -> HttpResponse:
    unknown = {"fundingIntervalHours": None, "fundingFeeCap": None, "fundingFeeFloor": None}
    if response.status != OK:
        return response
    rows = [row | unknown for row in msgspec.json.decode(response.body, type=list[dict[str, Any]])]
    return HttpResponse(status=response.status, headers=response.headers, body=msgspec.json.encode(rows))


def _refused(error: WireError, headers: dict[str, str]) -> HttpResponse:
    if error.retry_after_seconds is not None:
        headers = headers | {"retry-after": str(error.retry_after_seconds)}
    return _json(error.status, {"code": error.code, "msg": error.message}, headers)


def _json(status: int, content: Any, headers: dict[str, str]) -> HttpResponse:
    whole = {"content-type": "application/json", **headers}
    return HttpResponse(status=status, headers=whole, body=msgspec.json.encode(content))
