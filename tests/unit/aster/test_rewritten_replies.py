"""Every field of every reply with every mutation: a reading is right, missing or refused; nothing else is raised."""

import json
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.account import AccountView
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import MarketView
from hedgerow.emulator.wire.rest.mutations import Mutation, Rewrite
from hedgerow.emulator.wire.rest.rewriting import rewrite_body, rewrites_of
from hedgerow.ports import HttpResponse
from support.account_harness import AccountHarness
from support.scripted_aster import NOW, SYMBOL, futures_symbol, millis, perp_account, spot_symbol

pytestmark = pytest.mark.slow

OTHER = "BBBUSDT"
HELD = {"positionAmt": "-2", "entryPrice": "100", "unrealizedProfit": "-2", "maintMargin": "1", "leverage": "1"}
HUGE = {Mutation.PADDED, Mutation.GZIP_BOMB}
"""What only a socket can tell apart from the reply."""
VALUES = {Mutation.NEGATIVE, Mutation.ZERO, Mutation.HUGE, Mutation.RETYPED, Mutation.EXTRA, Mutation.OTHER}
"""These may leave a number that could be true: only a second source can tell."""


def premium(symbol: str) -> dict[str, Any]:
    row = {"symbol": symbol, "markPrice": "101", "indexPrice": "99.9", "lastFundingRate": "0.0002"}
    return {**row, "nextFundingTime": millis(NOW)}


def book(symbol: str) -> dict[str, Any]:
    return {"symbol": symbol, "bidPrice": "99.99", "bidQty": "5", "askPrice": "100.01", "askQty": "6"}


ACCOUNT: dict[str, Any] = {
    "GET /fapi/v3/accountWithJoinMargin": perp_account(HELD, {"symbol": OTHER}, totalMaintMargin="1"),
    "GET /api/v3/account": {
        "balances": [
            {"asset": "USDT", "free": "900", "locked": "1"},
            {"asset": "AAA", "free": "2", "locked": "0"},
        ]
    },
    "GET /fapi/v3/positionSide/dual": {"dualSidePosition": False},
    "GET /fapi/v3/multiAssetsMargin": {"multiAssetsMargin": False},
    "GET /fapi/v3/time": {"serverTime": millis(NOW)},
}
MARKET: dict[str, Any] = {
    "GET /fapi/v3/exchangeInfo": {"rateLimits": [], "symbols": [futures_symbol(), futures_symbol(OTHER)]},
    "GET /api/v3/exchangeInfo": {"rateLimits": [], "symbols": [spot_symbol(), spot_symbol(OTHER)]},
    "GET /fapi/v3/premiumIndex": [premium(SYMBOL), premium(OTHER)],
    "GET /fapi/v3/ticker/bookTicker": [book(SYMBOL), book(OTHER)],
    "GET /api/v3/ticker/bookTicker": [book(SYMBOL), book(OTHER)],
    "GET /fapi/v3/fundingInfo": [{"symbol": SYMBOL, "fundingIntervalHours": 8}],
    "GET /fapi/v3/ticker/24hr": [{"symbol": SYMBOL, "quoteVolume": "50000000"}],
    "GET /fapi/v3/fundingRate": [{"symbol": SYMBOL, "fundingTime": millis(NOW), "fundingRate": "0.0003"}],
}


def harness_with(replies: dict[str, Any], route: str, rewrite: Rewrite) -> AccountHarness:
    """Return a scene that was read once as it is, and whose next reading is rewritten."""
    harness = AccountHarness()
    for name, reply in {**ACCOUNT, **MARKET}.items():
        harness.aster.on(name, reply)
    harness.aster.on("GET /api/v3/transactionHistory", [])
    harness.run(harness.venue.market(1))
    harness.run(harness.venue.account())
    harness.clock.advance_time(1000)
    body = rewrite_body(json.dumps(replies[route]).encode(), rewrite)
    harness.aster.on(route, HttpResponse(status=200, body=body))
    return harness


def read(harness: AccountHarness, reading: Callable[[AccountHarness], Coroutine[Any, Any, Any]]) -> Any:
    """Return what is read, or None for a refusal in one line."""
    try:
        return harness.run(reading(harness))
    except VenueError as refused:
        text = str(refused)
    assert "\n" not in text
    return None


def cases(replies: dict[str, Any]) -> list[tuple[str, Rewrite]]:
    found = [(route, each) for route, reply in replies.items() for each in rewrites_of(reply, (SYMBOL, "AAA", "USDT"))]
    return [(route, each) for route, each in found if each.mutation not in HUGE]


def check_account(view: AccountView, rewrite: Rewrite) -> None:
    """Nothing that is held became flat, gone or another size without being marked."""
    if rewrite.mutation in VALUES:
        return
    if SYMBOL not in view.unreadable_positions:
        held = view.positions[SYMBOL]
        assert (held.quantity, held.entry_price, held.leverage) == (Decimal(-2), Decimal(100), 1)
    if "AAA" not in view.unreadable_balances:
        assert view.coin("AAA").total == 2
    assert (view.spot_usdt, view.perp.balance) == (Decimal(900), Decimal("1000.5"))
    assert view.one_way
    assert view.single_asset


def check_market(view: MarketView, rewrite: Rewrite) -> None:
    """Every price of the other pair is as it was, and nothing of the changed one became zero or closed."""
    pair, mark = view.pair(SYMBOL), view.mark(SYMBOL)
    assert pair is not None
    assert pair.tradable or rewrite.mutation is Mutation.OTHER
    if rewrite.mutation not in VALUES:
        assert mark is None or (mark.mark, mark.index) == (Decimal(101), Decimal("99.9"))
    assert mark is None or (mark.mark > 0 and mark.index > 0)
    for market in Market:
        quote = view.quote(market, SYMBOL)
        assert quote is None or quote.bid is None or quote.bid > 0


@pytest.mark.parametrize("route", sorted(ACCOUNT))
def test_no_rewritten_account_shows_a_held_position_or_balance_as_gone(route: str) -> None:
    for name, rewrite in cases({route: ACCOUNT[route]}):
        view = read(harness_with(ACCOUNT, name, rewrite), lambda harness: harness.venue.account())
        if view is not None:
            check_account(view, rewrite)


@pytest.mark.parametrize("route", sorted(MARKET))
def test_no_rewritten_market_closes_a_pair_or_shows_a_price_of_zero(route: str) -> None:
    for name, rewrite in cases({route: MARKET[route]}):
        view = read(harness_with(MARKET, name, rewrite), lambda harness: harness.venue.market(1))
        if view is not None:
            check_market(view, rewrite)
