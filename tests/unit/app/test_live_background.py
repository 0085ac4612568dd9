"""What runs behind a live session: it is reported when it fails, started again, and ended with the session."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import Any

import pytest

from hedgerow.app.venues.live import LiveExchange
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.ports import HttpRequest, HttpResponse, StreamConnection
from support.scripted_aster import HTML_500, NOW, SYMBOL, ScriptedAster, make_client, millis
from support.scripted_streams import MemoryStreams
from support.stream_harness import FUTURES


class Sockets:
    """Requests and streams in memory; ``breaks`` makes the next requests raise what no transport should."""

    def __init__(self) -> None:
        self.aster = ScriptedAster()
        self.streams = MemoryStreams()
        self.breaks = 0
        self.closed = False
        for market in ("fapi", "api"):
            self.aster.on(f"POST /{market}/v3/listenKey", {"listenKey": market})

    async def send(self, request: HttpRequest) -> HttpResponse:
        if self.breaks > 0:
            self.breaks -= 1
            raise KeyError("a mistake")
        return await self.aster.send(request)

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        return self.streams.connect(url)

    async def close(self) -> None:
        self.closed = True


class Session:
    """A live exchange with its background work."""

    def __init__(self) -> None:
        self.clock = VirtualClock(NOW)
        self.sockets = Sockets()
        self.live = LiveExchange(self.sockets, make_client(self.sockets.aster, self.clock), self.clock, Random(1))
        self.live.client.rest._transport = self.sockets
        self.lines: list[str] = []
        self.live.report_to(self.lines.append)

    def run(self, script: Callable[["Session"], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with self.live.connected(stay=True):
                await self.clock.sleep(0.1)
                await script(self)
            assert self.sockets.closed
            assert len(asyncio.all_tasks()) == 1, "nothing is left running"

        run_virtual(self.clock, main())

    def mark(self, price: str) -> None:
        row = {"s": SYMBOL, "p": price, "i": "100", "r": "0.0001", "T": millis(NOW)}
        self.sockets.streams.newest(FUTURES).push({"stream": "!markPrice@arr@1s", "data": [row]})


@pytest.fixture
def session() -> Session:
    return Session()


def test_timers_that_fail_with_a_mistake_are_reported_once_and_go_on(session: Session) -> None:
    async def script(session: Session) -> None:
        await session.live.venue.market(1)
        session.sockets.breaks = 1
        await session.clock.sleep(700)
        session.sockets.aster.forget()
        await session.clock.sleep(700)
        assert "GET /fapi/v3/exchangeInfo" in session.sockets.aster.routes, "still renewed ahead of its time"

    session.run(script)
    (line,) = [line for line in session.lines if "renewing" in line]
    assert line == "renewing what is read on timers failed and is started again: KeyError: 'a mistake'"


def test_a_mark_that_is_no_number_does_not_end_the_streams(session: Session) -> None:
    received: list[float] = []

    async def script(session: Session) -> None:
        session.live.venue.follow(SYMBOL)
        session.live.venue.subscribe(lambda news: received.append(session.clock.monotonic()) if news.mark else None)
        for price in ("100", "NaN", "Infinity", "1e400", "101"):
            await session.clock.sleep(1)
            session.mark(price)
        await session.clock.sleep(0.1)
        assert session.live.venue.market_cache.beats(session.clock.now())

    session.run(script)
    assert len(received) == 2
    assert session.lines == [f"the mark price of {SYMBOL} on the stream cannot be read"]


def test_a_mistake_while_a_stream_is_opened_is_reported_and_the_stream_opened_later(session: Session) -> None:
    async def script(session: Session) -> None:
        session.sockets.aster.on("GET /api/v3/account", HTML_500)
        connection = session.sockets.streams.newest("/ws/api")
        session.sockets.breaks = 1
        connection.cut()
        await session.clock.sleep(20)
        assert session.sockets.streams.newest("/ws/api") is not connection

    session.run(script)
    (line,) = session.lines
    assert line.startswith("the spot account stream fails: KeyError: 'a mistake'")
