"""Market and account are read at once, and no tasks are made for reads that never wait."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.latency import LatencyModel
from hedgerow.engine.observation import observe
from hedgerow.strategy.observation import Observation
from support.worlds import START, make_venue

LATENCY = LatencyModel(median_seconds=1.0)


def observed(venue: EmulatedVenue, clock: VirtualClock) -> tuple[Observation, int]:
    """Return a reading, and how many tasks it took."""

    async def reading() -> tuple[Observation, int]:
        loop, made = asyncio.get_running_loop(), 0

        def counted(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
            nonlocal made
            made += 1
            return asyncio.Task(coroutine, loop=loop)

        loop.set_task_factory(counted)  # type: ignore[arg-type]  # its type has the options of later versions, too
        return await observe(venue, clock, 1), made

    return run_virtual(clock, reading())


def test_reads_that_wait_wait_together() -> None:
    clock, drawn = VirtualClock(START), Random(3)
    venue = make_venue(clock=clock, latency=LATENCY, random=Random(3))
    observation, tasks = observed(venue, clock)
    assert observation.complete
    assert tasks == 2
    assert clock.monotonic() == max(LATENCY.draw(drawn), LATENCY.draw(drawn))


def test_reads_that_never_wait_need_no_tasks_and_show_the_same() -> None:
    clock = VirtualClock(START)
    observation, tasks = observed(make_venue(clock=clock), clock)
    waited, _ = observed(make_venue(latency=LATENCY, random=Random(3)), VirtualClock(START))
    assert tasks == 0
    assert observation.complete
    assert waited.account is not None
    assert observation.account is not None
    assert observation.account.spot == waited.account.spot
