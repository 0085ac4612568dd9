"""Reads that end together, and background work that goes on."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import pytest

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import NotSent
from hedgerow.tasks import all_of, describe, supervise


def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 5, tzinfo=UTC))


def test_results_come_in_the_order_asked() -> None:
    time = clock()

    async def after(seconds: float, value: int) -> int:
        await time.sleep(seconds)
        return value

    async def main() -> tuple[int, int, int]:
        return await all_of(after(3, 1), after(1, 2), after(2, 3))

    assert run_virtual(time, main()) == (1, 2, 3)
    assert time.monotonic() == 3


def test_a_read_that_fails_ends_the_others_and_is_raised_itself() -> None:
    time = clock()
    ended: list[str] = []

    async def slow() -> None:
        try:
            await time.sleep(100)
        except asyncio.CancelledError:
            ended.append("slow")
            raise

    async def failing() -> None:
        await time.sleep(1)
        raise NotSent("down")

    async def main() -> None:
        await all_of(slow(), failing())

    with pytest.raises(NotSent, match="down"):
        run_virtual(time, main())
    assert ended == ["slow"]
    assert time.monotonic() == 1


class Work:
    """Fails as it was asked to, then runs on."""

    def __init__(self, time: VirtualClock, *failures: Exception | None) -> None:
        self.time = time
        self.failures = list(failures)
        self.starts: list[float] = []
        self.reports: list[str] = []

    async def __call__(self) -> None:
        self.starts.append(self.time.monotonic())
        if not self.failures:
            await self.time.sleep(1e6)
        failure = self.failures.pop(0)
        if failure is not None:
            raise failure

    def supervised(self) -> Coroutine[Any, Any, None]:
        async def main() -> None:
            running = asyncio.create_task(
                supervise(self, name="listening", clock=self.time, report=self.reports.append)
            )
            await self.time.sleep(1000)
            assert not running.done()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

        return main()


def test_work_that_raises_anything_is_reported_once_and_started_again_ever_later() -> None:
    time = clock()
    work = Work(time, *[UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")] * 5)
    run_virtual(time, work.supervised())
    assert work.starts == [0, 1, 3, 7, 15, 31]
    (line,) = work.reports
    assert line.startswith("listening failed and is started again: UnicodeDecodeError: ")


def test_each_other_failure_is_reported_and_so_is_work_that_ends() -> None:
    time = clock()
    group = ExceptionGroup("several", [ExceptionGroup("inner", [KeyError("x")]), ValueError("y")])
    work = Work(time, NotSent("down"), NotSent("down"), group, None)
    run_virtual(time, work.supervised())
    assert work.reports == [
        "listening failed and is started again: down",
        "listening failed and is started again: KeyError: 'x'",
        "listening failed and is started again: it ended by itself",
    ]


def test_a_failure_after_healthy_work_is_reported_again_and_starts_soon() -> None:
    time = clock()
    starts: list[float] = []
    reports: list[str] = []

    async def work() -> None:
        starts.append(time.monotonic())
        await time.sleep(400 if len(starts) > 2 else 0)
        raise NotSent("down")

    async def main() -> None:
        running = asyncio.create_task(supervise(work, name="it", clock=time, report=reports.append))
        await time.sleep(500)
        running.cancel()

    run_virtual(time, main())
    assert starts == [0, 1, 3, 404]
    assert len(reports) == 2


def test_an_error_without_a_text_is_named_by_its_kind() -> None:
    assert describe(RecursionError()) == "RecursionError"
    assert describe(ValueError("two\nlines")) == "ValueError: two lines"
