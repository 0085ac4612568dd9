"""Clocks: the system clock, a virtual clock that jumps (``run_virtual``), and one that follows an emulator's.

``FollowedClock`` jumps in step with a clock outside of this process.
"""

import asyncio
import selectors
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from heapq import heappop
from typing import Any, TypeVar

__all__ = ["ANSWER_SECONDS", "FollowedClock", "SystemClock", "VirtualClock", "run_on", "run_virtual"]

Result = TypeVar("Result")
TICK_SECONDS = 1e-6
LOOPS_OWN, UNHEARD = 1, 50
"""How many descriptors an event loop opens for itself, and how many turns they alone need not be polled."""
LONGEST_JUMP_SECONDS = 86_400.0
"""The longest wait of asyncio's own turn."""
ASYNCIO: Any = asyncio.SelectorEventLoop
ANSWER_SECONDS, AGAIN_SECONDS = 30.0, 0.2
"""Real seconds: how long an answer from outside holds the time up, and the pause before a lost clock is asked again."""


class SystemClock:
    """The wall clock."""

    def now(self) -> datetime:
        """Return the present time, aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds``."""
        await asyncio.sleep(max(0.0, seconds))

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context that raises ``TimeoutError`` in its body after ``seconds``."""
        return asyncio.timeout(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call ``callback`` after ``seconds``, unless the timer is cancelled before."""
        return asyncio.get_running_loop().call_later(seconds, callback)


class VirtualClock:
    """A clock that jumps to the next deadline as soon as every task waits.

    It owns the time of the event loop that ``run_virtual`` creates, so that every wait of asyncio follows it.
    ``speed`` limits it to that many virtual seconds per real second; None = as fast as the machine allows.
    """

    def __init__(self, start: datetime, *, speed: float | None = None) -> None:
        if start.tzinfo is None:
            raise ValueError("a virtual clock starts at an aware time")
        self._start = start
        self._elapsed = 0.0
        self._speed = speed
        self._returned = (0.0, start)
        """The time returned last: most readers ask while it does not advance."""

    def now(self) -> datetime:
        """Return the present virtual time, to the microsecond."""
        if self._returned[0] != self._elapsed:
            self._returned = (self._elapsed, self._start + timedelta(seconds=self._elapsed))
        return self._returned[1]

    def monotonic(self) -> float:
        """Return virtual seconds since the start."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of virtual time."""
        await asyncio.sleep(max(0.0, seconds))

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context that raises ``TimeoutError`` in its body after ``seconds`` of virtual time."""
        return asyncio.timeout(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Call ``callback`` after ``seconds`` of virtual time, unless the timer is cancelled before."""
        return asyncio.get_running_loop().call_later(seconds, callback)

    @property
    def speed(self) -> float | None:
        """Virtual seconds per real second; None = as fast as the machine allows."""
        return self._speed

    @property
    def patience_seconds(self) -> float:
        """Real seconds to wait for sockets before the time jumps."""
        return 0.0

    def advance_time(self, seconds: float) -> None:
        """Jump by ``seconds``; called by the event loop when every task waits."""
        self._elapsed += seconds


class FollowedClock(VirtualClock):
    """A clock that jumps only together with another one, outside of this process.

    ``lead`` asks that clock to pass so many seconds and returns its time then; None = it cannot be asked now, and the
    time stands still until it can. ``answer_seconds`` of real time an answer from outside holds the time up; after
    them it passes, and time-outs come due.
    """

    def __init__(
        self,
        start: datetime,
        lead: Callable[[float], datetime | None],
        *,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        super().__init__(start)
        self._lead = lead
        self._answer_seconds = answer_seconds
        self._awaited = 0
        self._lost = False

    @contextmanager
    def awaiting(self) -> Generator[None]:
        """Let the time stand still while an answer from outside is on its way."""
        self._awaited += 1
        try:
            yield
        finally:
            self._awaited -= 1

    @property
    def patience_seconds(self) -> float:
        """Real seconds to wait for sockets before the time jumps."""
        if self._awaited:
            return self._answer_seconds
        return AGAIN_SECONDS if self._lost else 0.0

    def advance_time(self, seconds: float) -> None:
        """Let the other clock jump, and follow it to where it went."""
        # It counts microseconds: less than one would leave it where it is, and be asked for again and again.
        reached = self._lead(max(seconds, TICK_SECONDS))
        self._lost = reached is None
        if reached is not None:
            self._elapsed = max(self._elapsed, (reached - self._start).total_seconds())


class _JumpingSelector(selectors.BaseSelector):
    """Polls real sockets; when nothing is ready the clock jumps, at most as fast as its speed allows."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._real = selectors.DefaultSelector()
        self._registered = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._registered += 1
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        self._registered -= 1
        return self._real.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        speed = self._clock.speed
        if timeout is None or speed is None:
            ready = self._real.select(self._clock.patience_seconds if timeout else timeout)
            if not ready and timeout:
                self._clock.advance_time(timeout)
            return ready
        began = time.monotonic()
        ready = self._real.select(max(0.0, timeout) / speed)
        # Woken early by a socket or a signal: only the part of the wait that really passed counts.
        self._clock.advance_time(min(timeout, (time.monotonic() - began) * speed) if ready else max(0.0, timeout))
        return ready

    @property
    def alone(self) -> bool:
        """Whether nothing is open but the pipe on which signals and threads wake the loop."""
        return self._registered <= LOOPS_OWN

    def get_map(self) -> Any:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class _VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is a virtual clock, built on what asyncio documents: a selector and ``time()``."""

    def __init__(self, clock: VirtualClock) -> None:
        self._virtual_clock = clock
        self._jumping = _JumpingSelector(clock)
        super().__init__(self._jumping)
        # A timer is due once it is within this of the time; after half a year of virtual seconds the default
        # of 1 ns is below the resolution of a float, and a timer that is due exactly now would never fire.
        self._clock_resolution = TICK_SECONDS

    def time(self) -> float:
        return self._virtual_clock.monotonic()


class _FastVirtualLoop(_VirtualLoop):
    """The same loop with a turn of its own, which polls no sockets while none is open.

    It reads attributes of asyncio that are not documented; ``_is_fast_loop_usable`` checks that they are there.
    """

    # asyncio's own, which its types leave out.
    _ready: deque[Any]
    _scheduled: list[Any]
    _timer_cancelled_count: int
    _stopping: bool

    def __init__(self, clock: VirtualClock) -> None:
        self._unheard = 0
        super().__init__(clock)

    def _run_once(self) -> None:
        """Take a turn: what is ready, or the next timers. Where no socket can speak, that needs none of the rest."""
        ready, timers, clock = self._ready, self._scheduled, self._virtual_clock
        self._unheard += 1
        alone = self._jumping.alone and self._unheard < UNHEARD and self._timer_cancelled_count < UNHEARD
        while alone and timers and timers[0]._cancelled:
            self._timer_cancelled_count -= 1
            heappop(timers)._scheduled = False
        if self._stopping or not alone or not (ready or self._jumped()):
            self._unheard = 0
            ASYNCIO._run_once(self)  # the whole turn, which polls
            return
        due = clock.monotonic() + self._clock_resolution
        while timers and timers[0]._when < due:
            timer = heappop(timers)
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _jumped(self) -> bool:
        """Let the time jump to the next timer; returns whether that can be done without waiting for anything real."""
        clock, timers = self._virtual_clock, self._scheduled
        if not timers or clock.speed is not None or clock.patience_seconds:
            return False
        seconds = timers[0]._when - clock.monotonic()
        if seconds > LONGEST_JUMP_SECONDS:
            return False
        if seconds > 0:
            clock.advance_time(seconds)
        return True


LOOP_ATTRIBUTES = ("_ready", "_scheduled", "_timer_cancelled_count", "_stopping", "_run_once", "_clock_resolution")
TIMER_ATTRIBUTES = ("_scheduled", "_cancelled", "_when", "_run")


@cache
def _is_fast_loop_usable() -> bool:
    """Return whether this Python's event loop has the attributes that ``_FastVirtualLoop`` reads."""
    loop = _VirtualLoop(VirtualClock(datetime.fromtimestamp(0, UTC)))
    try:
        timer = loop.call_later(1.0, _nothing)
        return all(hasattr(loop, name) for name in LOOP_ATTRIBUTES) and all(
            hasattr(timer, name) for name in TIMER_ATTRIBUTES
        )
    finally:
        loop.close()


def _nothing() -> None:
    """Do nothing."""


def run_on(clock: object, main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run what ``main`` returns on a clock: a virtual one's own event loop, or asyncio's for the wall clock."""
    return run_virtual(clock, main()) if isinstance(clock, VirtualClock) else asyncio.run(main())


def run_virtual(clock: VirtualClock, main: Coroutine[Any, Any, Result], *, fast: bool = True) -> Result:
    """Run ``main`` on an event loop whose time is ``clock``.

    A program that waits for nothing but a real socket or signal stands still with its clock, as it should. ``fast``
    allows the loop that reads undocumented attributes of asyncio, where this Python has them; both give the same order.
    """
    loop = _FastVirtualLoop if fast and _is_fast_loop_usable() else _VirtualLoop
    with asyncio.Runner(loop_factory=lambda: loop(clock)) as runner:
        return runner.run(main)
