"""Market streams send as often as the documents say, also where nothing happens; books live within the minute."""

from collections import Counter
from typing import Any

import pytest

from hedgerow.domain.instrument import Market
from support.wire import WireClient, make_wired, messages
from support.worlds import Listing, ScriptedMarketData


def counted(client: WireClient, name: str, market: Market = Market.PERP, seconds: int = 10) -> int:
    session = client.stream(f"/ws/{name}", market=market)
    client.advance_time(0)
    messages(session)
    for _ in range(seconds * 20):
        client.advance_time(0.05)
    return len(messages(session))


@pytest.mark.parametrize(
    ("name", "market", "expected"),
    [
        ("aaausdt@kline_1m", Market.PERP, 40),
        ("aaausdt@kline_1m", Market.SPOT, 5),
        ("aaausdt@ticker", Market.PERP, 20),
        ("aaausdt@ticker", Market.SPOT, 10),
        ("aaausdt@miniTicker", Market.PERP, 20),
        ("!ticker@arr", Market.PERP, 10),
        ("!miniTicker@arr", Market.SPOT, 10),
        ("aaausdt@markPrice@1s", Market.PERP, 10),
        ("!markPrice@arr", Market.PERP, 3),
        ("aaausdt@aggTrade", Market.PERP, 10),
        ("aaausdt@trade", Market.SPOT, 10),
    ],
)
def test_a_quiet_market_is_reported_at_the_documented_speed(name: str, market: Market, expected: int) -> None:
    assert abs(counted(make_wired(), name, market) - expected) <= 1


@pytest.mark.parametrize("name", ["bookTicker", "depth20@100ms", "depth@100ms", "depth@0ms", "depth5"])
@pytest.mark.parametrize("market", list(Market))
def test_a_restless_book_moves_within_the_minute(market: Market, name: str) -> None:
    assert 8 <= counted(make_wired(restless=True), f"aaausdt@{name}", market) <= 10


@pytest.mark.parametrize("name", ["bookTicker", "depth20@100ms", "depth@0ms"])
def test_a_book_that_is_not_restless_is_quiet_between_steps(name: str) -> None:
    assert counted(make_wired(), f"aaausdt@{name}") == 0


def test_every_symbol_has_a_restless_book() -> None:
    client = make_wired(ScriptedMarketData([Listing("AAAUSDT"), Listing("BBBUSDT", spot=7)]), restless=True)
    session = client.stream("/ws/!bookTicker")
    client.advance_time(0)
    messages(session)
    for _ in range(5):
        client.advance_time(1)
    found = Counter(event["s"] for event in messages(session))
    assert found == {"AAAUSDT": 5, "BBBUSDT": 5}


def test_an_order_meets_the_book_that_is_shown() -> None:
    client = make_wired(restless=True)
    client.advance_time(3.5)
    shown = client.public("/fapi/v3/ticker/bookTicker", symbol="AAAUSDT").json
    filled = client.order(quantity="1").json
    assert filled["avgPrice"].rstrip("0") == shown["bidPrice"].rstrip("0")
    seen = {client.public("/fapi/v3/depth", symbol="AAAUSDT").json["bids"][0][1] for _ in range(3)}
    assert len(seen) == 1


def test_books_that_are_stopped_do_not_move() -> None:
    client = make_wired(restless=True)
    client.admin("POST", "stop-books", seconds=60)

    def book() -> Any:
        return client.public("/fapi/v3/depth", symbol="AAAUSDT").json["bids"]

    before = book()
    client.advance_time(30)
    assert book() == before
    client.advance_time(31)
    assert book() != before
