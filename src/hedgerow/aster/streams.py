"""Both kinds of streams of one venue: market data and account."""

import asyncio
from collections.abc import Iterable
from random import Random

from hedgerow.aster.account.user_streams import UserStreams
from hedgerow.aster.market.streams import MarketStreams
from hedgerow.aster.venue import AsterVenue
from hedgerow.ports import Clock, StreamTransport

__all__ = ["AsterStreams"]


class AsterStreams:
    """Keeps the caches of an ``AsterVenue`` fresh while ``run`` is awaited; the venue falls back to REST by itself."""

    def __init__(self, venue: AsterVenue, *, transport: StreamTransport, clock: Clock, random: Random) -> None:
        client = venue.client
        self._market = MarketStreams(
            transport=transport,
            clock=clock,
            random=random,
            hosts=client.hosts,
            cache=venue.market_cache,
            report=venue.report,
        )
        self._user = UserStreams(
            client=client,
            transport=transport,
            clock=clock,
            random=random,
            cache=venue.account_cache,
            report=venue.report,
        )
        self._has_account = client.signer is not None

    @property
    def open_streams(self) -> tuple[bool, ...]:
        """Whether each stream has a connection now; those of the account only where there is one."""
        return (*self._market.open_streams, *(self._user.open_streams if self._has_account else ()))

    async def run(self) -> None:
        """Listen until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._market.run())
            if self._has_account:
                group.create_task(self._user.run())

    async def watch(self, symbols: Iterable[str]) -> None:
        """Follow the depth of exactly these symbols (held and candidates) from now on."""
        await self._market.watch(symbols)
