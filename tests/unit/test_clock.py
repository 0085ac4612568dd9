import asyncio
import signal
from datetime import UTC, datetime, timedelta

import pytest

from hedgerow.clock import SystemClock, VirtualClock, run_virtual

START = datetime(2025, 1, 1, tzinfo=UTC)


def test_a_month_of_waits_passes_at_once_and_to_the_microsecond() -> None:
    clock = VirtualClock(START)

    async def month() -> int:
        for _ in range(12 * 24 * 30):
            await clock.sleep(300)
        return 1

    assert run_virtual(clock, month()) == 1
    assert clock.now() == START + timedelta(days=30)


def test_time_jumps_only_when_every_task_waits() -> None:
    clock = VirtualClock(START)
    seen: list[tuple[str, float]] = []

    async def ticker(name: str, every: float, times: int) -> None:
        for _ in range(times):
            await clock.sleep(every)
            seen.append((name, clock.monotonic()))

    async def main() -> None:
        await asyncio.gather(ticker("a", 2, 3), ticker("b", 5, 1))

    run_virtual(clock, main())
    assert seen == [("a", 2), ("a", 4), ("b", 5), ("a", 6)]


def test_a_timeout_follows_virtual_time() -> None:
    clock = VirtualClock(START)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with clock.timeout(5):
                await clock.sleep(100)

    run_virtual(clock, main())
    assert clock.now() == START + timedelta(seconds=5)


def test_tiny_waits_end() -> None:
    clock = VirtualClock(START)

    async def main() -> None:
        for _ in range(1000):
            await clock.sleep(1e-7)
        await clock.sleep(-1)

    run_virtual(clock, main())
    assert clock.monotonic() < 1


def test_timers_still_fire_after_years() -> None:
    clock = VirtualClock(START)

    async def main() -> None:
        await clock.sleep(2.0**28)
        for _ in range(10):
            await clock.sleep(300)

    run_virtual(clock, main())
    assert clock.now() == START + timedelta(seconds=2**28 + 3000)


def test_a_limited_speed_still_advances_and_receives_signals() -> None:
    clock = VirtualClock(START, speed=1_000_000)

    async def main() -> bool:
        received = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, received.set)
        await clock.sleep(3600)
        signal.raise_signal(signal.SIGUSR1)
        async with clock.timeout(10_000_000):
            await received.wait()
        return received.is_set()

    assert run_virtual(clock, main())
    assert timedelta(hours=1) <= clock.now() - START < timedelta(days=1)


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2025, 1, 1))  # noqa: DTZ001 - the mistake under test


def test_the_system_clock_is_aware_and_never_runs_backwards() -> None:
    clock = SystemClock()

    async def main() -> None:
        before = clock.monotonic()
        await clock.sleep(0)
        async with clock.timeout(5):
            pass
        assert clock.monotonic() >= before

    asyncio.run(main())
    assert clock.now().tzinfo is UTC


def order_of_events(*, fast: bool) -> list[tuple[str, float]]:
    """Play timers, callbacks and waits that are cancelled; return what ran, with its time."""
    clock = VirtualClock(START)
    seen: list[tuple[str, float]] = []

    async def ticker(name: str, every: float, times: int) -> None:
        for _ in range(times):
            await clock.sleep(every)
            seen.append((name, clock.monotonic()))

    async def main() -> None:
        tasks = [asyncio.create_task(ticker(name, every, 40)) for name, every in (("a", 1), ("b", 1), ("c", 2.5))]
        for index in range(200):
            cancelled = asyncio.create_task(clock.sleep(1000 + index))
            await clock.sleep(0.1)
            cancelled.cancel()
            asyncio.get_running_loop().call_soon(seen.append, ("soon", clock.monotonic()))
        await asyncio.gather(*tasks)
        await clock.sleep(86_400 * 300)
        seen.append(("end", clock.monotonic()))

    run_virtual(clock, main(), fast=fast)
    return seen


def test_a_python_whose_loop_has_other_attributes_runs_everything_in_the_same_order() -> None:
    portable = order_of_events(fast=False)
    assert len(portable) == 321
    assert portable == order_of_events(fast=True)


def test_the_fast_loop_is_used_where_its_attributes_are_there() -> None:
    loops: list[str] = []

    async def main() -> None:
        loops.append(type(asyncio.get_running_loop()).__name__)

    run_virtual(VirtualClock(START), main())
    run_virtual(VirtualClock(START), main(), fast=False)
    assert loops == ["_FastVirtualLoop", "_VirtualLoop"]
