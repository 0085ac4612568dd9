"""Streams: fresh only while heard and verified, else REST; reconnected, rotated, renewed and watched."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

import pytest

from hedgerow.aster.account_cache import AccountNews, NewsKind
from hedgerow.aster.streams import AsterStreams
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import PlaceOrder, SetLeverage
from hedgerow.domain.events import OrderEnded
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest
from support.scripted_aster import HTML_500, NOW, SYMBOL, ScriptedAster, make_venue, millis, order_row
from support.scripted_streams import MemoryConnection, MemoryStreams

Result = TypeVar("Result")
SPOT, PERP = Market.SPOT, Market.PERP
FUTURES, SPOT_BOOKS, FUTURES_USER, SPOT_USER = (
    "fstream.asterdex.com/stream",
    "sstream.asterdex.com/stream",
    "/ws/fkey",
    "/ws/skey",
)
BULK = {"GET /fapi/v3/premiumIndex", "GET /fapi/v3/ticker/bookTicker", "GET /api/v3/ticker/bookTicker"}
HOLDINGS = {"GET /api/v3/account", "GET /fapi/v3/positionRisk"}


class Scene:
    def __init__(self) -> None:
        self.clock = VirtualClock(NOW)
        self.aster = ScriptedAster()
        self.aster.on("POST /fapi/v3/listenKey", {"listenKey": "fkey"})
        self.aster.on("POST /api/v3/listenKey", {"listenKey": "skey"})
        self.aster.on("PUT /fapi/v3/listenKey", {})
        self.aster.on("PUT /api/v3/listenKey", {})
        self.venue = make_venue(self.aster, self.clock)
        self.wire = MemoryStreams()
        self.streams = AsterStreams(self.venue, transport=self.wire, clock=self.clock, random=Random(1))
        self.news: list[AccountNews] = []
        self.venue.account_cache.subscribe(self.news.append)

    def play(self, story: Callable[["Scene"], Coroutine[Any, Any, Result]]) -> Result:
        async def main() -> Result:
            async with self.listening():
                return await story(self)

        return run_virtual(self.clock, main())

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(self.streams.run())
        await self.clock.sleep(0.1)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def mark(self, price: str = "101") -> None:
        row = {"e": "markPriceUpdate", "E": 1, "s": SYMBOL, "p": price, "i": "100.5", "r": "0.0005", "T": millis(NOW)}
        self.wire.newest(FUTURES).tell({"stream": "!markPrice@arr@1s", "data": [row]})

    def book(self, market: Market, bid: str = "100.99", update: int = 1) -> None:
        row = {"e": "bookTicker", "u": update, "E": 1, "T": 1, "s": SYMBOL, "b": bid, "B": "1", "a": "101.01", "A": "2"}
        self.wire.newest(FUTURES if market is PERP else SPOT_BOOKS).tell({"stream": "!bookTicker", "data": row})

    async def beat(self) -> None:
        """Let every bulk stream send once."""
        self.mark()
        self.book(PERP)
        self.book(SPOT)
        await self.clock.sleep(0.5)

    async def fresh(self) -> None:
        """Bring the market cache to where REST is not needed any more."""
        await self.beat()
        await self.venue.market(3)
        await self.beat()
        self.aster.forget()


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- market ----------------------------------------------------------------------------------------------------------


def test_a_verified_market_is_read_without_any_request(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.fresh()
        view = await scene.venue.market(3)
        assert scene.aster.routes == []
        mark, predicted, quote = view.mark(SYMBOL), view.predicted(SYMBOL), view.quote(SPOT, SYMBOL)
        assert mark is not None
        assert predicted is not None
        assert quote is not None
        assert (mark.mark, predicted.rate, quote.bid) == (Decimal(101), Decimal("0.0005"), Decimal("100.99"))

    scene.play(story)


def test_what_was_heard_is_not_believed_before_rest_agreed(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.beat()
        await scene.venue.market(3)
        assert set(scene.aster.routes) >= BULK

    scene.play(story)


def test_a_silent_heartbeat_makes_marks_and_books_stale(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.fresh()
        await scene.clock.sleep(4)
        scene.book(SPOT)
        scene.book(PERP)
        await scene.clock.sleep(0.1)
        await scene.venue.market(3)
        assert set(scene.aster.routes) == BULK - {"GET /api/v3/ticker/bookTicker"}

    scene.play(story)


def test_a_quiet_book_is_fresh_as_long_as_its_market_is_heard(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.fresh()
        for _ in range(10):
            scene.mark()
            await scene.clock.sleep(0.9)
        await scene.venue.market(3)
        assert scene.aster.routes == []

    scene.play(story)


def test_the_market_is_verified_again_after_five_minutes(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.fresh()
        for _ in range(700):
            await scene.beat()
        scene.aster.forget()
        await scene.venue.market(3)
        assert set(scene.aster.routes) == BULK

    scene.play(story)


def test_after_a_new_connection_rest_must_agree_again(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.fresh()
        scene.wire.newest(FUTURES).cut()
        await scene.clock.sleep(1.5)
        assert len([c for c in scene.wire.connections if FUTURES in c.url]) == 2
        await scene.beat()
        await scene.venue.market(3)
        assert set(scene.aster.routes) == BULK - {"GET /api/v3/ticker/bookTicker"}

    scene.play(story)


def test_an_answer_of_rest_does_not_replace_what_was_heard_meanwhile(scene: Scene) -> None:
    cache = scene.venue.market_cache

    async def story(scene: Scene) -> None:
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


def test_an_older_update_of_a_book_is_ignored(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
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
    scene: Scene, names: tuple[str, str]
) -> None:
    async def story(scene: Scene) -> None:
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


def test_watched_symbols_are_asked_for_again_by_a_new_connection(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.streams.watch([SYMBOL])
        scene.wire.newest(FUTURES).cut()
        await scene.clock.sleep(1.5)
        assert scene.wire.newest(FUTURES).url.endswith("!markPrice@arr@1s/!bookTicker/aaausdt@depth20@100ms")

    scene.play(story)


def test_a_stream_that_never_sends_ends_its_connection(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        first = scene.wire.newest(FUTURES)
        for _ in range(150):
            scene.mark()
            await scene.clock.sleep(0.5)
            if scene.wire.newest(FUTURES) is not first:
                break
        assert 60 < scene.clock.monotonic() < 63

    scene.play(story)


def test_a_connection_without_any_message_is_ended(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.clock.sleep(63)
        assert len([c for c in scene.wire.connections if SPOT_BOOKS in c.url]) == 2

    scene.play(story)


def test_connections_are_tried_again_ever_more_slowly(scene: Scene) -> None:
    scene.wire.refuse = 10**6

    async def story(scene: Scene) -> None:
        await scene.clock.sleep(60)
        early = scene.wire.attempts
        await scene.clock.sleep(600)
        assert early <= 4 * 8
        assert scene.wire.attempts - early <= 4 * 22

    scene.play(story)


def test_messages_that_cannot_be_read_are_skipped(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.fresh()
        connection = scene.wire.newest(FUTURES)
        for message in ("not json", {"result": None, "id": 1}, {"stream": "!bookTicker", "data": {"s": 1}}):
            connection.tell(message)
        await scene.beat()
        await scene.venue.market(3)
        assert scene.aster.routes == []

    scene.play(story)


# --- account ---------------------------------------------------------------------------------------------------------


async def quiet_account(scene: Scene) -> None:
    position = {"symbol": SYMBOL, "positionAmt": "-2", "entryPrice": "100", "markPrice": "100", "leverage": "1"}
    scene.aster.on("GET /fapi/v3/positionRisk", [{**position, "unRealizedProfit": "0"}])
    await scene.venue.account()
    scene.aster.forget()
    await scene.clock.sleep(1)


def test_a_quiet_account_takes_one_request_and_is_valued_at_the_newest_mark(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.fresh()
        await quiet_account(scene)
        await scene.beat()
        view = await scene.venue.account()
        assert scene.aster.routes == ["GET /fapi/v3/balance"]
        held = view.positions[SYMBOL]
        assert (held.quantity, held.mark_price, held.unrealized_pnl) == (Decimal(-2), Decimal(101), Decimal(-2))

    scene.play(story)


@pytest.mark.parametrize(
    ("key", "event"),
    [
        (FUTURES_USER, {"e": "ACCOUNT_UPDATE", "E": 1, "a": {"m": "ORDER", "B": [], "P": []}}),
        (FUTURES_USER, {"e": "ORDER_TRADE_UPDATE", "o": {"s": SYMBOL, "c": "x", "X": "NEW", "i": 1}}),
        (SPOT_USER, {"e": "outboundAccountPosition", "E": 1, "T": 1, "B": [{"a": "USDT", "f": "1", "l": "0"}]}),
        (SPOT_USER, {"e": "executionReport", "s": SYMBOL, "c": "x", "X": "FILLED", "i": 2}),
        (SPOT_USER, {"e": "executionReport", "s": SYMBOL, "i": {}}),
        (FUTURES_USER, "not json"),
    ],
)
def test_any_change_makes_the_account_be_read_anew(scene: Scene, key: str, event: Any) -> None:
    async def story(scene: Scene) -> None:
        await quiet_account(scene)
        scene.wire.newest(key).tell(event)
        await scene.clock.sleep(0.1)
        await scene.venue.account()
        assert set(scene.aster.routes) >= HOLDINGS

    scene.play(story)


def test_funding_changes_only_the_wallet_which_is_always_read(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await quiet_account(scene)
        scene.wire.newest(FUTURES_USER).tell({"e": "ACCOUNT_UPDATE", "a": {"m": "FUNDING_FEE", "B": []}})
        scene.wire.newest(FUTURES_USER).tell({"e": "announcement", "zh": {}})
        await scene.clock.sleep(0.1)
        await scene.venue.account()
        assert scene.aster.routes == ["GET /fapi/v3/balance"]
        assert scene.news[-1].kind is NewsKind.FUNDING

    scene.play(story)


def test_a_command_of_our_own_makes_the_account_be_read_anew(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await quiet_account(scene)
        scene.aster.on("POST /fapi/v3/leverage", HTML_500)
        await scene.venue.submit(SetLeverage(symbol=SYMBOL, leverage=1))
        await scene.clock.sleep(0.1)
        await scene.venue.account()
        assert set(scene.aster.routes) >= HOLDINGS

    scene.play(story)


def test_while_a_user_stream_is_down_the_account_is_read_by_rest(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await quiet_account(scene)
        scene.wire.refuse = 10**6
        scene.wire.newest(SPOT_USER).cut()
        await scene.clock.sleep(0.1)
        for _ in range(2):
            scene.aster.forget()
            await scene.venue.account()
            assert set(scene.aster.routes) >= HOLDINGS
        assert scene.news[-1].kind is NewsKind.LOST

    scene.play(story)


def test_the_account_is_verified_again_after_a_minute(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await quiet_account(scene)
        await scene.clock.sleep(61)
        await scene.venue.account()
        assert set(scene.aster.routes) >= HOLDINGS

    scene.play(story)


def test_a_change_of_configuration_makes_the_modes_be_read_anew(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await quiet_account(scene)
        scene.wire.newest(FUTURES_USER).tell({"e": "ACCOUNT_CONFIG_UPDATE", "ai": {"j": True}})
        await scene.clock.sleep(0.1)
        scene.aster.on("GET /fapi/v3/multiAssetsMargin", {"multiAssetsMargin": True})
        assert not (await scene.venue.account()).single_asset

    scene.play(story)


@pytest.mark.parametrize("client_id", ["autoclose-1750000000", "adl_autoclose"])
def test_a_trade_that_the_venue_forced_is_news_at_once(scene: Scene, client_id: str) -> None:
    async def story(scene: Scene) -> None:
        report = {"s": SYMBOL, "c": client_id, "S": "BUY", "X": "FILLED", "i": 5, "z": "1", "ap": "100", "T": 1}
        scene.wire.newest(FUTURES_USER).tell({"e": "ORDER_TRADE_UPDATE", "E": 1, "o": report})
        await scene.clock.sleep(0)
        await scene.clock.sleep(0.01)
        assert (scene.news[-1].kind, scene.news[-1].symbol) == (NewsKind.FORCED, SYMBOL)

    scene.play(story)


def test_the_report_of_a_spot_order_spares_the_question(scene: Scene) -> None:
    request = OrderRequest(
        client_id="h-s-1", market=SPOT, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1), price=Decimal(100)
    )
    scene.aster.on("POST /api/v3/order", order_row("h-s-1", status="NEW"))

    async def story(scene: Scene) -> None:
        sending = asyncio.create_task(scene.venue.submit(PlaceOrder(hedge_id="h", order=request)))
        await scene.clock.sleep(0.02)
        report = {"e": "executionReport", "s": SYMBOL, "c": "h-s-1", "S": "BUY", "i": 17338441758, "T": millis(NOW)}
        user = scene.wire.newest(SPOT_USER)
        user.tell({**report, "X": "PARTIALLY_FILLED", "z": "0.4", "Z": "40", "ap": "100"})
        user.tell({**report, "X": "EXPIRED", "z": "0.9", "Z": "90", "ap": "100", "P": "0", "O": 1, "Q": "0"})
        _, end = await sending
        assert isinstance(end, OrderEnded)
        assert (end.filled_quantity, end.filled_notional) == (Decimal("0.9"), Decimal(90))
        assert "GET /api/v3/order" not in scene.aster.routes
        assert scene.clock.monotonic() < 0.15

    scene.play(story)


def test_listen_keys_are_renewed_every_25_to_30_minutes(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.clock.sleep(3 * 3600)
        sent = scene.aster.sent("PUT /fapi/v3/listenKey")
        assert 6 <= len(sent) <= 7
        assert {params["listenKey"] for params in sent} == {"fkey"}

    scene.play(story)


def reopened(scene: Scene) -> tuple[MemoryConnection, MemoryConnection]:
    first, second = (c for c in scene.wire.connections if FUTURES_USER in c.url)
    return first, second


def test_an_expired_listen_key_is_replaced_on_a_new_connection(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.aster.on("POST /fapi/v3/listenKey", {"listenKey": "fkey2"})
        scene.wire.newest(FUTURES_USER).tell({"e": "listenKeyExpired", "E": 1})
        await scene.clock.sleep(1.5)
        assert reopened(scene)[1].url.endswith("/ws/fkey2")

    scene.play(story)


def test_a_listen_key_that_cannot_be_renewed_is_replaced(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        scene.aster.on("PUT /fapi/v3/listenKey", HTML_500)
        await scene.clock.sleep(31 * 60)
        assert len(reopened(scene)) == 2

    scene.play(story)


def test_user_streams_are_rotated_before_the_venue_cuts_them(scene: Scene) -> None:
    async def story(scene: Scene) -> None:
        await scene.clock.sleep(23 * 3600 - 10)
        assert len([c for c in scene.wire.connections if FUTURES_USER in c.url]) == 1
        await scene.clock.sleep(20)
        assert len(reopened(scene)) == 2
        assert scene.news[-1].kind is NewsKind.CONNECTED

    scene.play(story)
