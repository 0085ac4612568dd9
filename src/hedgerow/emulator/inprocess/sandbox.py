"""Another venue's market, traded on an emulated account: real books and rates, no order ever leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from hedgerow.domain.commands import Command
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.notifications import News, NewsKind
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.markets.live_feed import MirrorTape
from hedgerow.ports import AccountRecord, Clock, NewsSource, Tape, Venue
from hedgerow.proxies import VenueProxy
from hedgerow.subscribers import Subscribers

__all__ = ["MirroredVenue"]

Answer = TypeVar("Answer")

OF_THE_MARKET = {NewsKind.MARK, NewsKind.INTERVAL, NewsKind.STATUS, NewsKind.CONNECTED, NewsKind.LOST}
"""News of the other venue that concern an emulated account too."""


class MirroredVenue(VenueProxy):
    """Market and books of ``market``, read as they are; everything else from an emulated account on them.

    ``opening`` makes the world at the first reading, from its tape: new, or as it was kept.
    """

    def __init__(
        self,
        market: Venue,
        clock: Clock,
        opening: Callable[[Tape], Awaitable[World]],
        *,
        on_change: Callable[[World], None] | None = None,
        news: NewsSource | None = None,
        name: str = "dry run",
    ) -> None:
        """``news`` is what the other venue tells of its market by itself."""
        super().__init__(market)
        self._market = market
        self._clock = clock
        self._opening = opening
        self._on_change = on_change
        self._name = name
        self._news = news
        self._subscribers: Subscribers[News] = Subscribers()
        self._reading = asyncio.Lock()
        if news is not None:
            news.subscribe(self._market_told)
        self._tape: MirrorTape | None = None
        self._account: EmulatedVenue | None = None

    async def _call(self, what: str, call: Callable[[Venue], Awaitable[Answer]]) -> Answer:
        """Ask the emulated account, at the prices of a reading under way."""
        del what
        return await call(await self._emulated())

    @property
    def name(self) -> str:
        """Display name."""
        return self._name

    @property
    def telling(self) -> bool:
        """Whether the other venue tells its market; the emulated account always tells."""
        return self._news is not None and self._news.telling

    def subscribe(self, listener: Callable[[News], None]) -> Callable[[], None]:
        """Call ``listener`` with news of the other venue's market and of the emulated account."""
        return self._subscribers.add(listener)

    def follow(self, symbol: str | None) -> None:
        """Tell of this symbol; None = of none."""
        if self._news is not None:
            self._news.follow(symbol)
        if self._account is not None:
            self._account.follow(symbol)

    def _market_told(self, news: News) -> None:
        if news.kind in OF_THE_MARKET:
            self._subscribers.tell(news)

    async def market(self, periods: int) -> MarketView:
        """Read the whole market of the other venue."""
        async with self._reading:
            return await self._read(periods)

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read the visible book of one instrument of the other venue."""
        depth = await self._market.depth(market, symbol)
        if self._tape is not None:
            self._tape.take_depth(depth)
        return depth

    async def pair(self, symbol: str, *, fresh: bool = False) -> BasisPair:
        """Read a pair as the other venue lists it; ``fresh`` reads its market again, so that the account has it too."""
        pair = await self._market.pair(symbol, fresh=fresh)
        if fresh:
            await self.market(1)
        return pair

    def blocked_seconds(self, market: Market) -> float:
        """Return how long the other venue refuses requests: without its books nothing can be traded here."""
        return self._market.blocked_seconds(market)

    def reserve(self, command: Command) -> None:
        """Reserve nothing: no command is signed here."""

    async def record(self, since: datetime) -> AccountRecord:
        """Read everything that was written down about the emulated account."""
        return await (await self._emulated()).record(since)

    async def _emulated(self) -> EmulatedVenue:
        """Return the account, opened by a reading of the market if there was none yet."""
        async with self._reading:
            if self._account is None:
                await self._read(1)
        if self._account is None:
            raise LookupError("a reading of the market opens the account")
        return self._account

    async def _read(self, periods: int) -> MarketView:
        view = await self._market.market(periods)
        tape = self._tape
        if tape is None or self._account is None:
            tape = MirrorTape(view)
            world = await self._opening(tape)
            self._tape = tape
            self._account = EmulatedVenue(world, self._clock, on_change=self._on_change, name=self._name)
            self._account.subscribe(self._subscribers.tell)
            return view
        listed = tape.pairs
        tape.take(view)
        if tape.pairs is not listed and tuple(tape.pairs) != tuple(listed):
            # The emulated exchange lists what its tape lists at its opening: a change of the list opens it anew.
            self._account.world = World.load(tape, self._account.world.dump())
        return view
