"""A clock that passes only together with one outside of the process."""

import asyncio
import socket
import threading
from datetime import UTC, datetime, timedelta

from hedgerow.clock import FollowedClock, SystemClock, run_virtual

START = datetime(2026, 1, 5, tzinfo=UTC)


class LeadingClock:
    """The clock that is followed."""

    def __init__(self) -> None:
        self.now = START
        self.asked: list[float] = []
        self.silent = 0
        self.ahead = timedelta(0)

    def lead(self, seconds: float) -> datetime | None:
        self.asked.append(seconds)
        if self.silent:
            self.silent -= 1
            return None
        self.now += timedelta(seconds=seconds) + self.ahead
        return self.now


def test_each_wait_asks_the_other_clock_to_pass_first() -> None:
    outside = LeadingClock()
    clock = FollowedClock(START, outside.lead)

    async def main() -> None:
        await clock.sleep(300)
        assert clock.now() == outside.now == START + timedelta(seconds=300)
        await asyncio.gather(clock.sleep(10), clock.sleep(60))
        assert clock.now() == outside.now == START + timedelta(seconds=360)

    run_virtual(clock, main())
    assert [round(seconds) for seconds in outside.asked] == [300, 10, 50]


def test_it_follows_to_where_the_other_clock_really_went() -> None:
    outside = LeadingClock()
    outside.ahead = timedelta(seconds=5)
    clock = FollowedClock(START, outside.lead)

    async def main() -> None:
        await clock.sleep(10)

    run_virtual(clock, main())
    assert clock.now() == outside.now == START + timedelta(seconds=15)


def test_a_wait_of_less_than_a_microsecond_passes_too() -> None:
    outside = LeadingClock()
    clock = FollowedClock(START, outside.lead)

    async def main() -> None:
        until = clock.monotonic() + 300.0000003
        while (left := until - clock.monotonic()) > 0:
            await clock.sleep(left)

    run_virtual(clock, main())
    assert len(outside.asked) == 2
    assert clock.now() == outside.now == START + timedelta(seconds=300, microseconds=1)


def test_while_the_other_clock_cannot_be_asked_the_time_stands_still() -> None:
    outside = LeadingClock()
    outside.silent = 2
    clock = FollowedClock(START, outside.lead)

    async def main() -> None:
        await clock.sleep(10)

    run_virtual(clock, main())
    assert clock.now() == START + timedelta(seconds=10)
    assert len(outside.asked) == 3


def test_while_an_answer_is_on_its_way_no_timeout_fires() -> None:
    outside = LeadingClock()
    clock = FollowedClock(START, outside.lead)
    ours, theirs = socket.socketpair()

    def answer() -> None:
        threading.Event().wait(0.2)
        theirs.sendall(b"x")

    async def main() -> bytes:
        reader, writer = await asyncio.open_connection(sock=ours)
        began = SystemClock().monotonic()
        threading.Thread(target=answer).start()
        with clock.awaiting():
            async with clock.timeout(0.001):
                found = await reader.read(1)
        assert SystemClock().monotonic() - began >= 0.1
        assert outside.asked == []
        writer.close()
        await writer.wait_closed()
        return found

    assert run_virtual(clock, main()) == b"x"
    theirs.close()
