"""Messages of streams that cannot be read: they hide only what they are about, are reported once, and end no stream."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hedgerow.domain.instrument import Market
from hedgerow.domain.notifications import Notification, NotificationKind
from support.scripted_aster import NOW, SYMBOL, millis
from support.stream_harness import BULK, FUTURES, FUTURES_USER, SPOT_BOOKS, StreamHarness

SPOT, PERP = Market.SPOT, Market.PERP
GARBAGE: list[Any] = [
    b'{"stream":"a\xff\xfe"}',
    b"\xff\xfe",
    "[" * 10_000,
    "",
    "null",
    "[]",
    '{"stream":5,"data":1}',
    "<html>",
    '{"stream":"!markPrice@arr@1s","data":{}}',
    '{"stream":"!markPrice@arr@1s","data":[{"s":"\\ud800"}]}',
    '{"stream":"!bookTicker","data":{"s":"AAAUSDT","b":"NaN"}}',
]


@pytest.fixture
def harness() -> StreamHarness:
    return StreamHarness()


def reported(harness: StreamHarness) -> list[str]:
    lines: list[str] = []
    harness.venue.report.show = lines.append
    return lines


def push(harness: StreamHarness, part: str, message: Any) -> None:
    connection = harness.wire.newest(part)
    connection._inbox.put_nowait(message if isinstance(message, str | bytes) else msgspec.json.encode(message))


def marks(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"stream": "!markPrice@arr@1s", "data": list(rows)}


def mark(symbol: str = SYMBOL, **changes: Any) -> dict[str, Any]:
    row = {"e": "markPriceUpdate", "s": symbol, "p": "101", "i": "100.5", "r": "0.0005", "T": millis(NOW)}
    return {**row, **changes}


@pytest.mark.parametrize(
    "changes",
    [{"r": "", "T": 0}, {"i": ""}, {"r": "NaN"}, {"T": millis(NOW) * 1000}, {"r": None, "i": None, "T": None}],
)
def test_a_mark_row_without_rate_index_or_time_keeps_its_stream_alive(
    harness: StreamHarness, changes: dict[str, Any]
) -> None:
    lines = reported(harness)

    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        for _ in range(40):
            push(harness, FUTURES, marks(mark("CYSUSDT", **changes), mark()))
            harness.book(PERP)
            harness.book(SPOT)
            await harness.clock.sleep(0.5)
        await harness.venue.market(3)
        assert not set(harness.aster.routes) & BULK
        assert len([c for c in harness.wire.connections if FUTURES in c.url]) == 1

    harness.play(script)
    assert lines == []


@pytest.mark.parametrize("value", [None, "", "NaN", "Infinity", "1e400", "-1", {}])
def test_a_mark_row_without_a_price_hides_only_itself_and_is_reported_once(harness: StreamHarness, value: Any) -> None:
    lines = reported(harness)

    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        for _ in range(40):
            push(harness, FUTURES, marks(mark("CYSUSDT", p=value), mark(p="102")))
            harness.book(PERP)
            harness.book(SPOT)
            await harness.clock.sleep(0.5)
        view = await harness.venue.market(3)
        assert not set(harness.aster.routes) & BULK
        seen = view.mark(SYMBOL)
        assert seen is not None
        assert seen.mark == 102
        assert len([c for c in harness.wire.connections if FUTURES in c.url]) == 1

    harness.play(script)
    assert lines == ["the mark price of CYSUSDT on the stream cannot be read"]


def test_a_mark_that_became_unreadable_is_not_the_old_one(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        harness.aster.on("GET /fapi/v3/premiumIndex", [{**premium(), "markPrice": "103"}])
        push(harness, FUTURES, marks(mark(p=""), mark("BBBUSDT")))
        await harness.clock.sleep(0.1)
        seen = (await harness.venue.market(3)).mark(SYMBOL)
        assert seen is not None
        assert seen.mark == 103, "asked by REST"

    harness.play(script)


def premium() -> dict[str, Any]:
    return {
        "symbol": SYMBOL,
        "markPrice": "100",
        "indexPrice": "99.9",
        "lastFundingRate": "0.0002",
        "nextFundingTime": millis(NOW),
    }


@pytest.mark.parametrize("value", [None, "", "NaN", "Infinity", "1e400", "-1", {}])
def test_a_book_that_became_unreadable_is_not_the_old_one(harness: StreamHarness, value: Any) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        row = {"symbol": SYMBOL, "bidPrice": "98", "bidQty": "5", "askPrice": "100.01", "askQty": "6"}
        harness.aster.on("GET /api/v3/ticker/bookTicker", [row])
        data = {"u": 2, "s": SYMBOL, "b": value, "B": "1", "a": "101.01", "A": "2"}
        push(harness, SPOT_BOOKS, {"stream": "!bookTicker", "data": data})
        await harness.clock.sleep(0.1)
        quote = (await harness.venue.market(3)).quote(SPOT, SYMBOL)
        assert quote is not None
        assert quote.bid == 98, "asked by REST"

    harness.play(script)


def test_levels_that_became_unreadable_are_not_the_old_ones(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.streams.watch([SYMBOL])
        name = "aaausdt@depth20@100ms"
        push(harness, SPOT_BOOKS, {"stream": name, "data": {"b": [["99", "1"]], "a": [["101", "2"]]}})
        push(harness, SPOT_BOOKS, {"stream": name, "data": {"b": [["99", "1"]]}})
        await harness.clock.sleep(0.1)
        await harness.venue.depth(SPOT, SYMBOL)
        assert "GET /api/v3/depth" in harness.aster.routes

    harness.play(script)


@pytest.mark.parametrize("message", GARBAGE)
@pytest.mark.parametrize("part", [FUTURES, SPOT_BOOKS, FUTURES_USER])
def test_garbage_ends_no_stream_and_is_reported_once(harness: StreamHarness, part: str, message: Any) -> None:
    lines = reported(harness)

    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        for _ in range(20):
            push(harness, part, message)
            await harness.beat()
        assert len([c for c in harness.wire.connections if part in c.url]) == 1
        assert harness.venue.streaming

    harness.play(script)
    assert len(lines) <= 1
    assert not any("\n" in line for line in lines)


def failing(notifications: Notification) -> None:
    raise ZeroDivisionError(f"of {notifications.kind}")


SUBSCRIPTIONS: list[Callable[[StreamHarness], Any]] = [
    lambda harness: harness.venue.subscribe(failing),
    lambda harness: harness.venue.account_cache.subscribe(failing),
    lambda harness: harness.venue.market_cache.subscribe(failing, failing),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("number", range(len(SUBSCRIPTIONS)))
def test_a_listener_that_raises_stops_neither_streams_nor_other_listeners(harness: StreamHarness, number: int) -> None:
    lines = reported(harness)
    received: list[NotificationKind] = []

    async def script(harness: StreamHarness) -> None:
        SUBSCRIPTIONS[number](harness)
        harness.venue.subscribe(lambda notifications: received.append(notifications.kind))
        harness.venue.follow(SYMBOL)
        for _ in range(10):
            harness.mark()
            push(harness, FUTURES_USER, {"e": "ACCOUNT_UPDATE", "a": {"m": "ORDER"}})
            await harness.beat()
        harness.wire.newest(FUTURES).cut()
        await harness.clock.sleep(2)
        assert harness.venue.streaming or len(harness.wire.connections) > 4

    harness.play(script)
    assert {NotificationKind.MARK, NotificationKind.BALANCE, NotificationKind.LOST} <= set(received)
    assert 1 <= len(lines) <= 5
    assert all("a listener of the exchange's notifications failed" in line for line in lines)


@pytest.mark.parametrize("field", ["X", "i", "z"])
def test_a_forced_trade_whose_report_is_incomplete_is_still_news(harness: StreamHarness, field: str) -> None:
    async def script(harness: StreamHarness) -> None:
        report = {"s": SYMBOL, "c": "autoclose-1", "S": "BUY", "X": "FILLED", "i": 5, "z": "1", "ap": "100", "T": 1}
        del report[field]
        push(harness, FUTURES_USER, {"e": "ORDER_TRADE_UPDATE", "o": report})
        await harness.clock.sleep(0.1)
        assert (harness.notifications[-1].kind, harness.notifications[-1].symbol) == (NotificationKind.FORCED, SYMBOL)
        assert await harness.venue.account_cache.report("autoclose-1", 0.1, final=lambda _: True) is None

    harness.play(script)


def test_a_change_of_modes_that_cannot_be_read_makes_the_modes_be_read(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.venue.account()
        harness.aster.on("GET /fapi/v3/multiAssetsMargin", {"multiAssetsMargin": True})
        push(harness, FUTURES_USER, {"e": "ACCOUNT_CONFIG_UPDATE", "ac": {"s": 5}})
        await harness.clock.sleep(0.1)
        assert not (await harness.venue.account()).single_asset

    harness.play(script)
