"""A live venue with its streams, in front of a script: what a test tells it is all that ever comes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random
from typing import Any, TypeVar

from hedgerow.aster.streams import AsterStreams
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.instrument import Market
from hedgerow.domain.notifications import Notification
from support.scripted_aster import NOW, SYMBOL, ScriptedAster, make_venue, millis
from support.scripted_streams import MemoryStreams

__all__ = ["BULK", "FUTURES", "FUTURES_USER", "HOLDINGS", "PERP_ACCOUNT", "SPOT_BOOKS", "SPOT_USER", "StreamHarness"]

Result = TypeVar("Result")
PERP, SPOT = Market.PERP, Market.SPOT
FUTURES, SPOT_BOOKS, FUTURES_USER, SPOT_USER = (
    "fstream.asterdex.com/stream",
    "sstream.asterdex.com/stream",
    "/ws/fkey",
    "/ws/skey",
)
BULK = {"GET /fapi/v3/premiumIndex", "GET /fapi/v3/ticker/bookTicker", "GET /api/v3/ticker/bookTicker"}
HOLDINGS, PERP_ACCOUNT = {"GET /api/v3/account"}, "GET /fapi/v3/accountWithJoinMargin"


class StreamHarness:
    """A venue whose streams run while a script is played."""

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
        self.notifications: list[Notification] = []
        self.venue.account_cache.subscribe(self.notifications.append)

    def play(self, script: Callable[["StreamHarness"], Coroutine[Any, Any, Result]]) -> Result:
        """Play a script while the streams run."""

        async def main() -> Result:
            async with self.listening():
                return await script(self)

        return run_virtual(self.clock, main())

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None, None]:
        """Run the streams."""
        task = asyncio.create_task(self.streams.run())
        await self.clock.sleep(0.1)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def mark(self, price: str = "101") -> None:
        """Let the mark price stream send once."""
        row = {"e": "markPriceUpdate", "E": 1, "s": SYMBOL, "p": price, "i": "100.5", "r": "0.0005", "T": millis(NOW)}
        self.wire.newest(FUTURES).push({"stream": "!markPrice@arr@1s", "data": [row]})

    def book(self, market: Market, bid: str = "100.99", update: int = 1) -> None:
        """Let a book stream send once."""
        row = {"e": "bookTicker", "u": update, "E": 1, "T": 1, "s": SYMBOL, "b": bid, "B": "1", "a": "101.01", "A": "2"}
        self.wire.newest(FUTURES if market is PERP else SPOT_BOOKS).push({"stream": "!bookTicker", "data": row})

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
