"""Market streams: fresh only while received and verified, else REST; reconnected, rotated and watched."""

from decimal import Decimal

import pytest

from hedgerow.domain.instrument import Market
from support.scripted_aster import SYMBOL
from support.stream_harness import BULK, FUTURES, SPOT_BOOKS, StreamHarness

SPOT, PERP = Market.SPOT, Market.PERP


@pytest.fixture
def harness() -> StreamHarness:
    return StreamHarness()


def test_a_verified_market_is_read_without_any_request(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        view = await harness.venue.market(3)
        assert harness.aster.routes == []
        mark, predicted, quote = view.mark(SYMBOL), view.predicted(SYMBOL), view.quote(SPOT, SYMBOL)
        assert mark is not None
        assert predicted is not None
        assert quote is not None
        assert (mark.mark, predicted.rate, quote.bid) == (Decimal(101), Decimal("0.0005"), Decimal("100.99"))

    harness.play(script)


def test_what_was_received_is_not_believed_before_rest_agreed(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.beat()
        await harness.venue.market(3)
        assert set(harness.aster.routes) >= BULK

    harness.play(script)


def test_a_silent_heartbeat_makes_marks_and_books_stale(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        await harness.clock.sleep(4)
        harness.book(SPOT)
        harness.book(PERP)
        await harness.clock.sleep(0.1)
        await harness.venue.market(3)
        assert set(harness.aster.routes) == BULK - {"GET /api/v3/ticker/bookTicker"}

    harness.play(script)


def test_a_quiet_book_is_fresh_as_long_as_its_market_is_received(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        for _ in range(10):
            harness.mark()
            await harness.clock.sleep(0.9)
        await harness.venue.market(3)
        assert harness.aster.routes == []

    harness.play(script)


def test_the_market_is_verified_again_after_five_minutes(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        for _ in range(700):
            await harness.beat()
        harness.aster.forget()
        await harness.venue.market(3)
        assert set(harness.aster.routes) == BULK

    harness.play(script)


def test_after_a_new_connection_rest_must_agree_again(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        harness.wire.newest(FUTURES).cut()
        await harness.clock.sleep(1.5)
        assert len([c for c in harness.wire.connections if FUTURES in c.url]) == 2
        await harness.beat()
        await harness.venue.market(3)
        assert set(harness.aster.routes) == BULK - {"GET /api/v3/ticker/bookTicker"}

    harness.play(script)


def test_an_answer_of_rest_does_not_replace_what_was_received_meanwhile(harness: StreamHarness) -> None:
    cache = harness.venue.market_cache

    async def script(harness: StreamHarness) -> None:
        asked = harness.clock.now()
        await harness.clock.sleep(0.1)
        harness.book(SPOT, "105")
        await harness.clock.sleep(0.1)
        rows = await harness.venue.client.book_tickers(SPOT)
        cache.verify_books(SPOT, {row.symbol: row for row in rows}, asked)
        books = cache.books(SPOT, harness.clock.now())
        assert books is not None
        assert books[SYMBOL].bid_price == 105

    harness.play(script)


def test_an_older_update_of_a_book_is_ignored(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        harness.book(SPOT, "103", update=9)
        harness.book(SPOT, "102", update=8)
        await harness.clock.sleep(0.1)
        quote = (await harness.venue.market(3)).quote(SPOT, SYMBOL)
        assert quote is not None
        assert quote.bid == 103

    harness.play(script)


@pytest.mark.parametrize("names", [("b", "a"), ("bids", "asks")])
def test_depth_of_watched_symbols_comes_in_lower_case_and_ages_within_a_second(
    harness: StreamHarness, names: tuple[str, str]
) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.streams.watch([SYMBOL])
        spot = harness.wire.newest(SPOT_BOOKS)
        assert spot.sent == [{"method": "SUBSCRIBE", "params": ["aaausdt@depth20@100ms"], "id": 1}]
        data = {"e": "depthUpdate", names[0]: [["99", "1"]], names[1]: [["101", "2"]]}
        spot.push({"stream": "aaausdt@depth20@100ms", "data": data})
        await harness.clock.sleep(0.5)
        depth = await harness.venue.depth(SPOT, SYMBOL)
        assert (depth.bids[0].price, depth.asks[0].quantity) == (Decimal(99), Decimal(2))
        assert "GET /api/v3/depth" not in harness.aster.routes
        await harness.clock.sleep(1)
        await harness.venue.depth(SPOT, SYMBOL)
        assert "GET /api/v3/depth" in harness.aster.routes
        await harness.streams.watch([])
        assert spot.sent[-1]["method"] == "UNSUBSCRIBE"

    harness.play(script)


def test_watched_symbols_are_asked_for_again_by_a_new_connection(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.streams.watch([SYMBOL])
        harness.wire.newest(FUTURES).cut()
        await harness.clock.sleep(1.5)
        assert harness.wire.newest(FUTURES).url.endswith("!markPrice@arr@1s/!bookTicker/aaausdt@depth20@100ms")

    harness.play(script)


def test_a_stream_that_never_sends_ends_its_connection(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        first = harness.wire.newest(FUTURES)
        for _ in range(150):
            harness.mark()
            await harness.clock.sleep(0.5)
            if harness.wire.newest(FUTURES) is not first:
                break
        assert 60 < harness.clock.monotonic() < 63

    harness.play(script)


def test_a_connection_without_any_message_is_ended(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.clock.sleep(63)
        assert len([c for c in harness.wire.connections if SPOT_BOOKS in c.url]) == 2

    harness.play(script)


def test_connections_are_tried_again_ever_more_slowly(harness: StreamHarness) -> None:
    harness.wire.refuse = 10**6

    async def script(harness: StreamHarness) -> None:
        await harness.clock.sleep(60)
        early = harness.wire.attempts
        await harness.clock.sleep(600)
        assert early <= 4 * 8
        assert harness.wire.attempts - early <= 4 * 22

    harness.play(script)


def test_messages_that_cannot_be_read_are_skipped(harness: StreamHarness) -> None:
    async def script(harness: StreamHarness) -> None:
        await harness.fresh()
        connection = harness.wire.newest(FUTURES)
        for message in ("not json", {"result": None, "id": 1}, {"stream": "!bookTicker", "data": {"s": 1}}):
            connection.push(message)
        await harness.beat()
        await harness.venue.market(3)
        assert harness.aster.routes == []

    harness.play(script)
