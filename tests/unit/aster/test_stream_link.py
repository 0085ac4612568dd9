"""One stream kept open for days."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise
from random import Random

from hedgerow.aster.stream_link import Listener, StreamLink
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import VenueError
from support.scripted_streams import MemoryStreams

HOUR = 3600.0
CUT_BY_THE_VENUE = 24 * HOUR


class Place(Listener):
    async def address(self) -> str:
        return "wss://stream"


def test_a_stream_is_opened_anew_before_the_venue_cuts_it_after_a_day() -> None:
    clock, wire = VirtualClock(datetime(2026, 1, 5, tzinfo=UTC)), MemoryStreams()
    opened: list[float] = []
    troubles: list[VenueError] = []
    link = StreamLink(
        transport=wire,
        clock=clock,
        random=Random(1),
        listener=Place(),
        silence_seconds=HOUR,
        on_trouble=troubles.append,
    )

    async def days(count: int) -> None:
        running = asyncio.ensure_future(link.run())
        for _ in range(count * 48):
            await clock.sleep(HOUR / 2)
            opened.extend([clock.monotonic()] * (len(wire.connections) - len(opened)))
            wire.connections[-1].tell("something")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(clock, days(3))
    lives = [later - earlier for earlier, later in pairwise(opened)]
    assert len(lives) == 3
    assert all(life < CUT_BY_THE_VENUE for life in lives)
    assert troubles == []
