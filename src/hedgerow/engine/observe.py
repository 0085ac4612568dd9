"""The one read of a cycle: market and account together. A part that cannot be read is missing, never zero or flat."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import Depth
from hedgerow.ports import Clock, Venue
from hedgerow.strategy.observation import Observation

__all__ = ["observe", "read_books"]

Read = TypeVar("Read")


async def observe(venue: Venue, clock: Clock, periods: int) -> Observation:
    """Read market and account at once."""
    market, account = await asyncio.gather(_readable(venue.market(periods)), _readable(venue.account()))
    unread = tuple(
        f"{name}: {part}" for name, part in (("market", market), ("account", account)) if isinstance(part, VenueError)
    )
    return Observation(
        at=clock.now(),
        market=None if isinstance(market, VenueError) else market,
        account=None if isinstance(account, VenueError) else account,
        unread=unread,
    )


async def read_books(venue: Venue, symbol: str) -> tuple[Depth | None, Depth | None]:
    """Read both legs' books at once: spot, perpetual; None where one is unreadable."""
    spot, perp = await asyncio.gather(
        _readable(venue.depth(Market.SPOT, symbol)), _readable(venue.depth(Market.PERP, symbol))
    )
    return (None if isinstance(spot, VenueError) else spot, None if isinstance(perp, VenueError) else perp)


async def _readable(read: Coroutine[Any, Any, Read]) -> Read | VenueError:
    try:
        return await read
    except VenueError as unreadable:
        return unreadable
