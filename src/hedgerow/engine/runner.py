"""Runs a bot: start, cycles until stopped, orderly end. Holds the only broad ``except`` of the engine."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

from msgspec import Struct

from hedgerow.domain import events as ev
from hedgerow.domain.errors import InvariantBroken, StoreError
from hedgerow.domain.execution import ExecutionState, HedgeExecution
from hedgerow.engine.backoff import backoff_seconds
from hedgerow.engine.cycle import Cycle
from hedgerow.engine.guard import Guard
from hedgerow.engine.in_force import PolicyInForce
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import CycleFailed, NothingRead, SettingsInForce, Stopped, StoppedByUser
from hedgerow.engine.operator import Service
from hedgerow.engine.startup import Startup
from hedgerow.ports import Clock, StateKeeper

__all__ = ["RunOptions", "Runner", "StopSignal"]

FIRST_BACKOFF_SECONDS = 5.0
LAST_BACKOFF_SECONDS = 300.0
LAST_BACKOFF_HELD_SECONDS = 60.0
"""While a hedge is held: an exchange that is down is asked again soon."""
NAKED_PAUSE_SECONDS = 5.0
LAST_NAKED_PAUSE_SECONDS = 60.0
LISTING_PAUSE_SECONDS = 60.0
"""After a cycle in which a held pair was said to have stopped trading, and that was not proven."""
ACCOUNT_PAUSE_SECONDS = 10.0
"""While the account may be of before the bot's newest trade, so that nothing is opened."""
FILLS_PAUSE_SECONDS = 20.0
"""While own orders may have filled further than the log has it: their trades are asked for again."""


class RunOptions(Struct, frozen=True, kw_only=True):
    """How long to run."""

    once: bool = False
    """One cycle, then exit."""
    close_on_exit: bool = False
    """Close the position before exiting; otherwise it is kept and taken up again at the next start."""
    interval_seconds: float = 300.0
    mail_seconds: float = 1.0
    """How often a waiting bot reads requests."""
    poll_seconds: float = 0.0
    """How often the guard polls the account while a hedge is held and no notifications come; 0 = never."""


class StopSignal:
    """Set by SIGINT, SIGTERM, SIGHUP, or the end of a simulation; everything that waits, waits on it too."""

    def __init__(self) -> None:
        self._signalled = False
        """Whether something happened since the last wait."""
        self._waiters: list[asyncio.Future[None]] = []
        self._stopped = False
        self._woken = False

    def __call__(self) -> bool:
        """Return whether a stop was asked for."""
        return self._stopped

    def set(self) -> None:
        """Ask for a stop."""
        self._stopped = True
        self.nudge()

    def wake(self) -> None:
        """End the present wait, or the next one if nothing waits now: something happened that cannot wait."""
        self._woken = True
        self.nudge()

    def nudge(self) -> None:
        """Let the waiting runner check what is due; unlike ``wake`` this is no reason to begin a cycle."""
        self._signalled = True
        for waiter in self._waiters:
            _end(waiter)

    async def wait(self, clock: Clock, seconds: float) -> bool:
        """Wait for ``seconds`` or until something wakes it, whichever comes first; returns whether woken or stopped.

        What happens at the very end of the time ends the next wait.
        """
        if not self._signalled and await self._is_over(clock, seconds):
            return False
        if self._stopped:
            return True
        self._signalled = False
        woken, self._woken = self._woken, False
        return woken

    async def _is_over(self, clock: Clock, seconds: float) -> bool:
        """Wait for a signal, at most so long; returns whether the time is over.

        A timer and a future: a context of asyncio's own, which every check would enter, costs three times as much.
        """
        waiter, over = asyncio.get_running_loop().create_future(), False

        def end() -> None:
            nonlocal over
            over = True
            _end(waiter)

        timer = clock.call_later(seconds, end)
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
            timer.cancel()
        return over


def _soonest(pause: float | None, *pauses: float) -> float:
    return min(inf if pause is None else pause, *pauses)


def _end(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Runner:
    """Runs one bot from start to stop."""

    def __init__(  # noqa: PLR0913 - the parts of a run, each named
        self,
        *,
        clock: Clock,
        journal: Journal,
        startup: Startup,
        cycle: Cycle,
        service: Service,
        guard: Guard,
        in_force: PolicyInForce,
        stop: StopSignal,
        options: RunOptions,
        state: StateKeeper | None = None,
    ) -> None:
        self._state = state
        self._clock = clock
        self._journal = journal
        self._startup = startup
        self._cycle = cycle
        self._service = service
        self._guard = guard
        self._in_force = in_force
        self._stop = stop
        self._options = options
        self._interval_seconds = options.interval_seconds
        self._cycles = 0
        self._failures = 0

    async def run(self) -> None:
        """Start, cycle until stopped, and end with the position kept or closed as asked.

        Raises:
            StoreError: the log cannot be read or written; nothing more is traded.
        """
        try:
            await self._guarded(self._startup.run)
            self._guard.listen()
            await self._cycle_until_stopped()
        finally:
            self._guard.leave()
            await self._journal.close()

    async def _cycle_until_stopped(self) -> None:
        next_at = self._clock.monotonic()
        while not self._stop():
            pause = await self._guarded_cycle()
            if self._options.once:
                await self._guarded(self._service.answer_mail)
                break
            next_at += self._interval_seconds
            due = max(0.0, next_at - self._clock.monotonic())
            woken = await self._rest(due if pause is None else pause)
            now = self._clock.monotonic()
            # A cycle out of turn restarts the rhythm: many of them must not put the next one hours away.
            next_at = now if woken or pause is not None else max(next_at, now - self._interval_seconds)
        await self._end()

    async def _rest(self, seconds: float) -> bool:
        """Wait for the next cycle, on guard and answering requests; returns whether something ended the wait early."""
        until = self._clock.monotonic() + seconds
        self._guard.begin()
        while not self._stop() and (left := until - self._clock.monotonic()) > 0:
            if self._service.reachable:
                await self._guarded(self._service.answer_mail)
                until = min(until, self._clock.monotonic() + self._naked_rest())
                left = min(until - self._clock.monotonic(), self._options.mail_seconds)
            if self._service.take_resumed():
                return True
            if self._guard.look_due():
                await self._guarded(self._guard.look)
            if self._guard.take():
                return True
            if await self._stop.wait(self._clock, min(left, self._guard.due_seconds())):
                return True
        return False

    async def _guarded_cycle(self) -> float | None:
        """Run one cycle; returns a pause other than the usual one, or None."""
        self._cycles += 1
        self._renew_settings()
        pause = await self._guarded(lambda: self._cycle.run(self._cycles))
        if pause is not None:
            return pause
        naked = self._until_naked_try()
        if self._cycle.read_nothing:
            return self._after_nothing_read(naked)
        self._failures = 0
        if self._cycle.fills_in_doubt:
            naked = _soonest(naked, FILLS_PAUSE_SECONDS, self._interval_seconds)
        if self._cycle.account_lags:
            naked = _soonest(naked, ACCOUNT_PAUSE_SECONDS, self._interval_seconds)
        if self._cycle.listing_in_doubt:
            naked = _soonest(naked, LISTING_PAUSE_SECONDS, self._interval_seconds)
        return naked

    def _renew_settings(self) -> None:
        """Let the check begin with the settings that were changed since the last one."""
        before = self._in_force.policy
        if not self._in_force.renew():
            return
        policy = self._in_force.policy
        after = policy.parameters.position_management.loop_interval_seconds
        if after != before.parameters.position_management.loop_interval_seconds:
            self._interval_seconds = after
        self._journal.say(SettingsInForce(at=self._clock.now(), policy=policy))

    def _after_nothing_read(self, naked: float | None) -> float:
        pause = min(self._next_pause(), self._interval_seconds, LAST_BACKOFF_SECONDS if naked is None else naked)
        if not self._options.once:
            self._journal.say(NothingRead(at=self._clock.now(), retry_seconds=pause))
        return pause

    def _naked_rest(self) -> float:
        """Return how long a rest may go on: a request may have left a leg naked; without one, for ever."""
        pause = self._until_naked_try()
        return inf if pause is None else pause

    def _until_naked_try(self) -> float | None:
        """Return the pause before the next try of a naked leg; None without one."""
        jobs = self._journal.ledger.jobs
        if not jobs:
            return None
        return min((self._naked_pause(job) for job in jobs if job.state is ExecutionState.NAKED), default=None)

    def _naked_pause(self, job: HedgeExecution) -> float:
        """Return the pause before a naked leg is traded again: its next order is due then, or its listing is read."""
        due = (job.retry_at - self._clock.now()).total_seconds() if job.retry_at else 0.0
        return min(max(due, NAKED_PAUSE_SECONDS), LAST_NAKED_PAUSE_SECONDS)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> float | None:
        """Do a piece of work; returns how long to back off when it failed.

        Raises:
            StoreError: the log cannot be read or written.
        """
        try:
            await work()
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - any error of a cycle: record, alarm, back off, do not trade
            return await self._failed(error)
        return None

    async def _failed(self, error: Exception) -> float:
        pause, now = self._next_pause(), self._clock.now()
        if isinstance(error, InvariantBroken) and self._journal.ledger.standing_halt is None:
            await self._journal.record(ev.Halted(at=now, reason=ev.HaltReason.INVARIANT, detail=str(error)))
        text = f"{type(error).__name__}: {error}"
        self._journal.say(CycleFailed(at=now, error=text, retry_seconds=pause))
        return pause

    def _next_pause(self) -> float:
        """Count one more failure in a row, and return how long to wait after it."""
        self._failures += 1
        longest = LAST_BACKOFF_SECONDS if not self._journal.ledger.hedges else LAST_BACKOFF_HELD_SECONDS
        return backoff_seconds(FIRST_BACKOFF_SECONDS, longest, self._failures)

    async def _end(self) -> None:
        asked = self._service.close_on_exit
        close = self._options.close_on_exit if asked is None else asked
        closing = close and bool(self._journal.ledger.hedges)
        if self._stop():
            self._journal.say(StoppedByUser(at=self._clock.now(), closing=closing))
            await self._guarded(self._service.answer_at_the_end)
        if closing and self._journal.ledger.hedges:
            await self._guarded(self._cycle.close_for_exit)
        elif self._journal.ledger.jobs:
            # A cycle that failed left it behind; the exit is no reason to leave it there.
            await self._guarded(self._cycle.finish_what_is_in_flight)
        read = self._cycle.last_account() is not None if self._cycles else self._startup.account_read
        now, ledger = self._clock.now(), self._journal.ledger
        unsaved = self._state.save(ledger, now) if self._state is not None else None
        self._journal.say(
            Stopped(
                at=now,
                ledger=ledger,
                cycles=self._cycles,
                unsaved=unsaved or "",
                account_read=read,
                listener_failures=self._journal.listener_failures,
                foreign=self._cycle.foreign_seen(),
            )
        )
