"""Market streams: fresh only while heard and verified, else REST; reconnected, rotated and watched."""

from decimal import Decimal

import pytest

from hedgerow.domain.instrument import Market
from support.scripted_aster import SYMBOL
from support.stream_harness import BULK, FUTURES, SPOT_BOOKS, StreamHarness

SPOT, PERP = Market.SPOT, Market.PERP


@pytest.fixture
def scene() -> StreamHarness:
    return StreamHarness()


def test_a_verified_market_is_read_without_any_request(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.fresh()
        view = await scene.venue.market(3)
        assert scene.aster.routes == []
        mark, predicted, quote = view.mark(SYMBOL), view.predicted(SYMBOL), view.quote(SPOT, SYMBOL)
        assert mark is not None
        assert predicted is not None
        assert quote is not None
        assert (mark.mark, predicted.rate, quote.bid) == (Decimal(101), Decimal("0.0005"), Decimal("100.99"))

    scene.play(story)


def test_what_was_heard_is_not_believed_before_rest_agreed(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.beat()
        await scene.venue.market(3)
        assert set(scene.aster.routes) >= BULK

    scene.play(story)


def test_a_silent_heartbeat_makes_marks_and_books_stale(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.fresh()
        await scene.clock.sleep(4)
        scene.book(SPOT)
        scene.book(PERP)
        await scene.clock.sleep(0.1)
        await scene.venue.market(3)
        assert set(scene.aster.routes) == BULK - {"GET /api/v3/ticker/bookTicker"}

    scene.play(story)


def test_a_quiet_book_is_fresh_as_long_as_its_market_is_heard(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.fresh()
        for _ in range(10):
            scene.mark()
            await scene.clock.sleep(0.9)
        await scene.venue.market(3)
        assert scene.aster.routes == []

    scene.play(story)


def test_the_market_is_verified_again_after_five_minutes(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.fresh()
        for _ in range(700):
            await scene.beat()
        scene.aster.forget()
        await scene.venue.market(3)
        assert set(scene.aster.routes) == BULK

    scene.play(story)


def test_after_a_new_connection_rest_must_agree_again(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.fresh()
        scene.wire.newest(FUTURES).cut()
        await scene.clock.sleep(1.5)
        assert len([c for c in scene.wire.connections if FUTURES in c.url]) == 2
        await scene.beat()
        await scene.venue.market(3)
        assert set(scene.aster.routes) == BULK - {"GET /api/v3/ticker/bookTicker"}

    scene.play(story)


def test_an_answer_of_rest_does_not_replace_what_was_heard_meanwhile(scene: StreamHarness) -> None:
    cache = scene.venue.market_cache

    async def story(scene: StreamHarness) -> None:
        asked = scene.clock.now()
        await scene.clock.sleep(0.1)
        scene.book(SPOT, "105")
        await scene.clock.sleep(0.1)
        rows = await scene.venue.client.book_tickers(SPOT)
        cache.verify_books(SPOT, {row.symbol: row for row in rows}, asked)
        books = cache.books(SPOT, scene.clock.now())
        assert books is not None
        assert books[SYMBOL].bid_price == 105

    scene.play(story)


def test_an_older_update_of_a_book_is_ignored(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.fresh()
        scene.book(SPOT, "103", update=9)
        scene.book(SPOT, "102", update=8)
        await scene.clock.sleep(0.1)
        quote = (await scene.venue.market(3)).quote(SPOT, SYMBOL)
        assert quote is not None
        assert quote.bid == 103

    scene.play(story)


@pytest.mark.parametrize("names", [("b", "a"), ("bids", "asks")])
def test_depth_of_watched_symbols_comes_in_lower_case_and_ages_within_a_second(
    scene: StreamHarness, names: tuple[str, str]
) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.streams.watch([SYMBOL])
        spot = scene.wire.newest(SPOT_BOOKS)
        assert spot.sent == [{"method": "SUBSCRIBE", "params": ["aaausdt@depth20@100ms"], "id": 1}]
        data = {"e": "depthUpdate", names[0]: [["99", "1"]], names[1]: [["101", "2"]]}
        spot.tell({"stream": "aaausdt@depth20@100ms", "data": data})
        await scene.clock.sleep(0.5)
        depth = await scene.venue.depth(SPOT, SYMBOL)
        assert (depth.bids[0].price, depth.asks[0].quantity) == (Decimal(99), Decimal(2))
        assert "GET /api/v3/depth" not in scene.aster.routes
        await scene.clock.sleep(1)
        await scene.venue.depth(SPOT, SYMBOL)
        assert "GET /api/v3/depth" in scene.aster.routes
        await scene.streams.watch([])
        assert spot.sent[-1]["method"] == "UNSUBSCRIBE"

    scene.play(story)


def test_watched_symbols_are_asked_for_again_by_a_new_connection(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.streams.watch([SYMBOL])
        scene.wire.newest(FUTURES).cut()
        await scene.clock.sleep(1.5)
        assert scene.wire.newest(FUTURES).url.endswith("!markPrice@arr@1s/!bookTicker/aaausdt@depth20@100ms")

    scene.play(story)


def test_a_stream_that_never_sends_ends_its_connection(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        first = scene.wire.newest(FUTURES)
        for _ in range(150):
            scene.mark()
            await scene.clock.sleep(0.5)
            if scene.wire.newest(FUTURES) is not first:
                break
        assert 60 < scene.clock.monotonic() < 63

    scene.play(story)


def test_a_connection_without_any_message_is_ended(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.clock.sleep(63)
        assert len([c for c in scene.wire.connections if SPOT_BOOKS in c.url]) == 2

    scene.play(story)


def test_connections_are_tried_again_ever_more_slowly(scene: StreamHarness) -> None:
    scene.wire.refuse = 10**6

    async def story(scene: StreamHarness) -> None:
        await scene.clock.sleep(60)
        early = scene.wire.attempts
        await scene.clock.sleep(600)
        assert early <= 4 * 8
        assert scene.wire.attempts - early <= 4 * 22

    scene.play(story)


def test_messages_that_cannot_be_read_are_skipped(scene: StreamHarness) -> None:
    async def story(scene: StreamHarness) -> None:
        await scene.fresh()
        connection = scene.wire.newest(FUTURES)
        for message in ("not json", {"result": None, "id": 1}, {"stream": "!bookTicker", "data": {"s": 1}}):
            connection.tell(message)
        await scene.beat()
        await scene.venue.market(3)
        assert scene.aster.routes == []

    scene.play(story)
