"""One stream kept open for days."""

import asyncio
from datetime import UTC, datetime
from decimal import InvalidOperation
from itertools import pairwise
from random import Random

import pytest

from hedgerow.aster.http.reconnecting_stream import ReconnectingStream, StreamHandler
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import VenueError
from support.scripted_streams import MemoryStreams

HOUR = 3600.0
CUT_BY_THE_VENUE = 24 * HOUR


class FailingHandler(StreamHandler):
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def address(self) -> str:
        return "wss://stream"

    def on_message(self, message: str | bytes) -> None:
        if message and self.failures:
            raise self.failures.pop(0)


def test_a_stream_is_opened_anew_before_the_venue_cuts_it_after_a_day() -> None:
    clock, wire = VirtualClock(datetime(2026, 1, 5, tzinfo=UTC)), MemoryStreams()
    opened: list[float] = []
    reports: list[str] = []
    link = ReconnectingStream(
        transport=wire,
        clock=clock,
        random=Random(1),
        listener=FailingHandler(),
        silence_seconds=HOUR,
        report=reports.append,
    )

    async def days(count: int) -> None:
        running = asyncio.ensure_future(link.run())
        for _ in range(count * 48):
            await clock.sleep(HOUR / 2)
            opened.extend([clock.monotonic()] * (len(wire.connections) - len(opened)))
            wire.connections[-1].push("something")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(clock, days(3))
    spans = [later - earlier for earlier, later in pairwise(opened)]
    assert len(spans) == 3
    assert all(seconds < CUT_BY_THE_VENUE for seconds in spans)
    assert reports == []


def reports_of(*failures: Exception, seconds: float = 300.0) -> tuple[list[str], MemoryStreams]:
    """Return what is reported of a stream whose messages make its listener fail, and its connections."""
    clock, wire = VirtualClock(datetime(2026, 1, 5, tzinfo=UTC)), MemoryStreams()
    reports: list[str] = []
    link = ReconnectingStream(
        transport=wire,
        clock=clock,
        random=Random(1),
        listener=FailingHandler(*failures),
        name="a stream",
        report=reports.append,
    )

    async def main() -> None:
        running = asyncio.ensure_future(link.run())
        for _ in range(int(seconds)):
            await clock.sleep(1)
            wire.connections[-1].push("something")
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    run_virtual(clock, main())
    return reports, wire


@pytest.mark.parametrize("failure", [ValueError("oops"), InvalidOperation(), KeyError("x"), RecursionError()])
def test_a_mistake_in_a_listener_is_reported_once_and_the_stream_goes_on(failure: Exception) -> None:
    reports, wire = reports_of(failure)
    (line,) = reports
    assert type(failure).__name__ in line
    assert len(wire.connections) == 2


def test_the_same_mistake_again_and_again_is_one_line_and_ever_fewer_connections() -> None:
    reports, wire = reports_of(*[ValueError("oops")] * 100)
    assert len(reports) == 1
    assert len(wire.connections) < 15


def test_a_stream_that_is_cut_now_and_then_is_not_reported() -> None:
    assert reports_of(VenueError("cut"), VenueError("cut"))[0] == []


def test_a_stream_that_keeps_failing_is_reported_once() -> None:
    assert reports_of(*[VenueError("no data")] * 5)[0] == [
        "a stream fails: no data; it is opened again, and requests are sent instead until then"
    ]
