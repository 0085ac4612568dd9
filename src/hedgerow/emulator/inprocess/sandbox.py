"""Paper trading on another venue's market: its real books and rates, an emulated account, no order leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from hedgerow.domain.commands import Command
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.venue import RULES, EmulatedVenue
from hedgerow.emulator.markets.live_feed import LiveMarketData
from hedgerow.ports import AccountHistory, Clock, MarketData, NotificationSource, Venue, VenueRules
from hedgerow.proxies import VenueProxy
from hedgerow.subscribers import Subscribers

__all__ = ["SandboxVenue"]

Answer = TypeVar("Answer")

OF_THE_MARKET = {
    NotificationKind.MARK,
    NotificationKind.INTERVAL,
    NotificationKind.STATUS,
    NotificationKind.CONNECTED,
    NotificationKind.LOST,
}
"""Notifications of the other venue that concern an emulated account too."""


class SandboxVenue(VenueProxy):
    """Market and books of ``market``, read as they are; everything else from an emulated account on them.

    ``opening`` makes the world at the first reading, from its tape: new, or as it was kept.
    """

    def __init__(
        self,
        market: Venue,
        clock: Clock,
        opening: Callable[[MarketData], Awaitable[World]],
        *,
        on_change: Callable[[World], None] | None = None,
        notifications: NotificationSource | None = None,
        name: str = "dry run",
    ) -> None:
        """``notifications`` is what the other venue reports of its market by itself."""
        super().__init__(market)
        self._clock = clock
        self._opening = opening
        self._on_change = on_change
        self._name = name
        self._notifications = notifications
        self._subscribers: Subscribers[Notification] = Subscribers()
        self._reading = asyncio.Lock()
        if notifications is not None:
            notifications.subscribe(self._on_market_notification)
        self._market_data: LiveMarketData | None = None
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
    def rules(self) -> VenueRules:
        """What the emulated account accepts."""
        return RULES

    @property
    def streaming(self) -> bool:
        """Whether the other venue reports its market; the emulated account always reports."""
        return self._notifications is not None and self._notifications.streaming

    def subscribe(self, listener: Callable[[Notification], None]) -> Callable[[], None]:
        """Call ``listener`` with notifications of the other venue's market and of the emulated account."""
        return self._subscribers.add(listener)

    def follow(self, *symbols: str) -> None:
        """Report these symbols."""
        if self._notifications is not None:
            self._notifications.follow(*symbols)
        if self._account is not None:
            self._account.follow(*symbols)

    def _on_market_notification(self, notifications: Notification) -> None:
        if notifications.kind in OF_THE_MARKET:
            self._subscribers.publish(notifications)

    async def market(self, periods: int) -> MarketView:
        """Read the whole market of the other venue."""
        async with self._reading:
            return await self._read(periods)

    async def depth(self, market: Market, symbol: str) -> Depth:
        """Read the visible book of one instrument of the other venue."""
        depth = await self._inner.depth(market, symbol)
        if self._market_data is not None:
            self._market_data.take_depth(depth)
        return depth

    async def open_interest(self, symbol: str) -> Decimal:
        """Read the open interest of the other venue."""
        return await self._inner.open_interest(symbol)

    async def pair(self, symbol: str, *, fresh: bool = False) -> BasisPair:
        """Read a pair as the other venue lists it; ``fresh`` reads its market again, so that the account has it too."""
        pair = await self._inner.pair(symbol, fresh=fresh)
        if fresh:
            await self.market(1)
        return pair

    def reserve(self, command: Command) -> None:
        """Reserve nothing: no command is signed here."""

    async def record(self, since: datetime) -> AccountHistory:
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
        view = await self._inner.market(periods)
        market_data = self._market_data
        if market_data is None or self._account is None:
            market_data = LiveMarketData(view)
            world = await self._opening(market_data)
            self._market_data = market_data
            self._account = EmulatedVenue(world, self._clock, on_change=self._on_change, name=self._name)
            self._account.subscribe(self._subscribers.publish)
            return view
        listed = market_data.pairs
        market_data.take(view)
        if market_data.pairs is not listed and tuple(market_data.pairs) != tuple(listed):
            # The emulated exchange lists what its tape lists at its opening: a change of the list opens it again.
            self._account.world = World.load(market_data, self._account.world.dump())
        return view
