"""Crashes of the bot: before or after any append to its log, or around any call of the venue.

Nothing graceful happens then: the exception passes every handler of the bot, and store and venue are dead to the old
session, so that nothing it does afterwards has an effect.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.ports import Store, Venue
from hedgerow.proxies import VenueProxy

__all__ = ["CrashPoint", "CrashingStore", "CrashingVenue", "SimulatedCrash"]

Answer = TypeVar("Answer")


class SimulatedCrash(BaseException):
    """The process is gone; nothing in the bot may catch this."""


class CrashPoint:
    """Counts the points at which the process may crash; crashes at the one numbered ``at``, from 0, and stays dead."""

    def __init__(self, at: int | None = None) -> None:
        self._at = at
        self.passed: list[str] = []
        self.dead = False
        self.pulled: Callable[[], None] = lambda: None
        """Called at the crash, in whichever task it happens."""

    def fail_after(self, points: int) -> None:
        """Crash once so many further points were passed."""
        self._at = len(self.passed) + points

    def pass_point(self, what: str) -> None:
        """Pass a point, or crash at it.

        Raises:
            SimulatedCrash: the process crashes now, or has crashed before.
        """
        if not self.dead:
            self.dead = self._at == len(self.passed)
            self.passed.append(what)
            if self.dead:
                self.pulled()
        if self.dead:
            raise SimulatedCrash(what)


class CrashingStore:
    """A store whose process crashes before an append reaches it, or after it was committed."""

    def __init__(self, inner: Store, crash_point: CrashPoint) -> None:
        self._inner = inner
        self._crash_point = crash_point

    async def load(self) -> Ledger:
        """Load the log; no crash."""
        return await self._inner.load()

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append, unless the process crashes before; it may crash after as well."""
        what = f"append {'+'.join(type(event).__name__ for event in events)}"
        self._crash_point.pass_point(f"before {what}")
        await self._inner.append(events, durable=durable)
        self._crash_point.pass_point(f"after {what}")

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return events; no crash."""
        return await self._inner.events(after=after)

    async def snapshot(self, ledger: Ledger) -> None:
        """Keep a snapshot, unless the process crashes before."""
        self._crash_point.pass_point("before snapshot")
        await self._inner.snapshot(ledger)

    async def close(self) -> None:
        """Release the log, unless the process crashed.

        Raises:
            SimulatedCrash: it has.
        """
        if self._crash_point.dead:
            raise SimulatedCrash("close")
        await self._inner.close()


class CrashingVenue(VenueProxy):
    """A venue whose process crashes before a call leaves, or after it was carried out and before its answer arrives."""

    def __init__(self, inner: Venue, crash_point: CrashPoint) -> None:
        super().__init__(inner)
        self._crash_point = crash_point

    async def _call(self, what: str, call: Callable[[Venue], Awaitable[Answer]]) -> Answer:
        self._crash_point.pass_point(f"before {what}")
        answer = await call(self._inner)
        self._crash_point.pass_point(f"after {what}")
        return answer
