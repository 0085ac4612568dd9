"""An Aster that answers what a test wrote down: a ``ports.Transport`` in memory, with replies in the real shapes."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import msgspec

from hedgerow.aster import AsterClient, AsterVenue, Credentials
from hedgerow.clock import VirtualClock
from hedgerow.ports import HttpRequest, HttpResponse

__all__ = [
    "HANG",
    "HTML_500",
    "KEY",
    "NOW",
    "SIGNER",
    "SYMBOL",
    "USER",
    "ScriptedAster",
    "error",
    "futures_symbol",
    "make_client",
    "make_venue",
    "millis",
    "order_row",
    "perp_account",
    "reply",
    "spot_symbol",
]

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SYMBOL = "AAAUSDT"
HANG = "never answers"
KEY = "0x" + "1".zfill(64)
USER = "0x1111111111111111111111111111111111111111"
SIGNER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"

Answer: TypeAlias = "HttpResponse | Exception | Callable[[dict[str, str]], Any] | list[Any] | dict[str, Any] | str"


def reply(value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """Return a JSON answer."""
    return HttpResponse(status=status, headers=headers or {}, body=msgspec.json.encode(value))


def error(code: int, message: str = "refused", *, status: int = 400, **headers: str) -> HttpResponse:
    """Return an error answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply({"code": code, "msg": message}, status=status, headers=named)


HTML_500 = HttpResponse(status=500, headers={"content-type": "text/html"}, body=b"<html><body>error</body></html>")


def millis(at: datetime) -> int:
    """Return a time as the venue writes it."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


class ScriptedAster:
    """Answers by method and path; every answer of a route but its last is given once.

    A callable answers by the parameters of the request; ``HANG`` never answers.
    """

    def __init__(self) -> None:
        self.requests: list[HttpRequest] = []
        self._routes: dict[str, deque[Answer]] = {}
        self.clock: VirtualClock | None = None
        for route, answer in _quiet_market().items():
            self.on(route, answer)

    def on(self, route: str, *answers: Answer) -> None:
        """Answer a route, written as ``GET /fapi/v3/time``."""
        self._routes[route] = deque(answers)

    def sent(self, route: str) -> list[dict[str, str]]:
        """Return the parameters of every request on a route."""
        return [_params(request) for request in self.requests if _route(request) == route]

    @property
    def routes(self) -> list[str]:
        """What was asked, in order."""
        return [_route(request) for request in self.requests]

    def forget(self) -> None:
        """Forget the requests so far."""
        self.requests.clear()

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        self.requests.append(request)
        answers = self._routes.get(_route(request))
        if answers is None:
            raise AssertionError(f"no answer is written for {_route(request)}")
        answer = answers[0] if len(answers) == 1 else answers.popleft()
        if answer is HANG:
            await asyncio.Event().wait()
        if callable(answer):
            answer = answer(_params(request))
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, HttpResponse) else reply(answer)


def make_client(aster: ScriptedAster, clock: VirtualClock | None = None, **arguments: Any) -> AsterClient:
    """Return a client in front of the script."""
    credentials = Credentials(user=USER, signer=SIGNER, private_key=KEY)
    return AsterClient(
        transport=aster,
        clock=clock or VirtualClock(NOW),
        random=Random(1),
        **{"credentials": credentials, **arguments},
    )


def make_venue(aster: ScriptedAster, clock: VirtualClock, **arguments: Any) -> AsterVenue:
    """Return a venue in front of the script."""
    return AsterVenue(make_client(aster, clock), clock, **arguments)


def order_row(client_id: str = "o-1", *, status: str = "FILLED", quantity: str = "1", **changes: Any) -> dict[str, Any]:
    """Return an order reply; a filled one is filled at 100."""
    executed = quantity if status == "FILLED" else "0"
    row = {
        "orderId": 17338441758,
        "symbol": SYMBOL,
        "status": status,
        "clientOrderId": client_id,
        "price": "100",
        "avgPrice": "100.00" if executed != "0" else "0",
        "origQty": quantity,
        "executedQty": executed,
        "cumQty": executed,
        "cumQuote": str(Decimal(executed) * 100),
        "timeInForce": "IOC",
        "type": "LIMIT",
        "side": "BUY",
        "updateTime": millis(NOW),
    }
    return {**row, **changes}


def futures_symbol(symbol: str = SYMBOL, **changes: Any) -> dict[str, Any]:
    """Return a symbol of the futures ``exchangeInfo``."""
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "200000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.01", "maxQty": "1000", "minQty": "0.01"},
        {"filterType": "MIN_NOTIONAL", "notional": "5"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95", "multiplierDecimal": "4"},
    ]
    base = symbol.removesuffix("USDT")
    row = {"symbol": symbol, "status": "TRADING", "baseAsset": base, "quoteAsset": "USDT", "filters": filters}
    return {**row, "contractType": "PERPETUAL", "newField": {"unknown": 1}, **changes}


def spot_symbol(symbol: str = SYMBOL, **changes: Any) -> dict[str, Any]:
    """Return a symbol of the spot ``exchangeInfo``."""
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "200000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "maxQty": "1000", "minQty": "0.001"},
        {"filterType": "NOTIONAL", "minNotional": "5", "avgPriceMins": 5, "applyMinToMarket": True},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "5", "multiplierDown": "0.2", "multiplierDecimal": "1"},
    ]
    base = symbol.removesuffix("USDT")
    row = {"symbol": symbol, "status": "TRADING", "baseAsset": base, "quoteAsset": "USDT", "filters": filters}
    return {**row, **changes}


def perp_account(*positions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a reply of ``accountWithJoinMargin``; each position says what differs from a flat one."""
    asset = {
        "asset": "USDT",
        "walletBalance": "1000.5",
        "crossUnPnl": "-1.2",
        "availableBalance": "800",
        "maxWithdrawAmount": "790",
    }
    flat = {"entryPrice": "0.0", "unrealizedProfit": "0.00000000", "maintMargin": "0", "leverage": "5"}
    side = {"symbol": SYMBOL, "positionAmt": "0.000", "isolated": False, "positionSide": "BOTH", "notional": "0"}
    rows = [{**flat, **side, **position} for position in positions]
    other = {**asset, "asset": "BTC", "walletBalance": "0.5", "crossUnPnl": "0"}
    return {"feeTier": 0, "totalMaintMargin": "0", "assets": [other, asset], "positions": rows, **changes}


def _quiet_market() -> dict[str, Answer]:
    ticker = {"symbol": SYMBOL, "bidPrice": "99.99", "bidQty": "5", "askPrice": "100.01", "askQty": "6"}
    premium = {
        "symbol": SYMBOL,
        "markPrice": "100.00000000",
        "indexPrice": "99.9",
        "lastFundingRate": "0.00020000",
        "nextFundingTime": millis(NOW + timedelta(hours=4)),
    }
    rates = [
        {"symbol": SYMBOL, "fundingTime": millis(NOW - timedelta(hours=8 * age + 4)) + 7, "fundingRate": "0.0003"}
        for age in reversed(range(3))
    ]
    commission = {"symbol": SYMBOL, "makerCommissionRate": "0.000080", "takerCommissionRate": "0.000320"}
    book = {"lastUpdateId": 1, "E": 1, "T": 1, "bids": [["99.99", "5"]], "asks": [["100.01", "6"]]}
    return {
        "GET /fapi/v3/time": lambda _: {"serverTime": millis(NOW)},
        "GET /fapi/v3/exchangeInfo": {"rateLimits": [], "symbols": [futures_symbol()]},
        "GET /api/v3/exchangeInfo": {"rateLimits": [], "symbols": [spot_symbol()]},
        "GET /fapi/v3/premiumIndex": [premium],
        "GET /fapi/v3/ticker/bookTicker": [ticker],
        "GET /api/v3/ticker/bookTicker": [ticker],
        "GET /fapi/v3/fundingInfo": [{"symbol": SYMBOL, "fundingIntervalHours": 8, "fundingFeeCap": 0.03}],
        "GET /fapi/v3/ticker/24hr": [{"symbol": SYMBOL, "quoteVolume": "50000000"}],
        "GET /fapi/v3/fundingRate": rates,
        "GET /fapi/v3/commissionRate": commission,
        "GET /api/v3/commissionRate": commission,
        "GET /fapi/v3/depth": book,
        "GET /api/v3/depth": book,
        "GET /api/v3/account": {"updateTime": 1, "balances": [{"asset": "USDT", "free": "900", "locked": "1"}]},
        "GET /fapi/v3/accountWithJoinMargin": perp_account(),
        "GET /fapi/v3/balance": [{"asset": "USDT", "balance": "1000.5"}],
        "GET /fapi/v3/positionRisk": [],
        "GET /fapi/v3/positionSide/dual": {"dualSidePosition": False},
        "GET /fapi/v3/multiAssetsMargin": {"multiAssetsMargin": False},
    }


def _route(request: HttpRequest) -> str:
    return f"{request.method} {urlsplit(request.url).path}"


def _params(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
