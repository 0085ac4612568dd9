"""Power cuts: the process of the bot dies before or after any append to its log, or around any call of the venue.

Nothing graceful happens then: the exception passes every handler of the bot, and store and venue are dead to the old
life, so that nobody hears its last words.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.ports import Store, Venue
from hedgerow.proxies import VenueProxy

__all__ = ["CrashingStore", "CrashingVenue", "Plug", "PowerCut"]

Answer = TypeVar("Answer")


class PowerCut(BaseException):
    """The process is gone; nothing in the bot may catch this."""


class Plug:
    """Counts the moments at which the power may fail; fails at the one numbered ``at``, from 0, and stays dead."""

    def __init__(self, at: int | None = None) -> None:
        self._at = at
        self.passed: list[str] = []
        self.dead = False
        self.pulled: Callable[[], None] = lambda: None
        """Called when the power fails, wherever in the process that was noticed."""

    def fail_after(self, moments: int) -> None:
        """Let the power fail once so many further moments have passed."""
        self._at = len(self.passed) + moments

    def moment(self, what: str) -> None:
        """Pass a moment, or die in it.

        Raises:
            PowerCut: the power fails now, or has failed before.
        """
        if not self.dead:
            self.dead = self._at == len(self.passed)
            self.passed.append(what)
            if self.dead:
                self.pulled()
        if self.dead:
            raise PowerCut(what)


class CrashingStore:
    """A store whose power fails before an append reaches it, or after it was committed."""

    def __init__(self, inner: Store, plug: Plug) -> None:
        self._inner = inner
        self._plug = plug

    async def load(self) -> Ledger:
        """Load the log; the power holds."""
        return await self._inner.load()

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append, unless the power fails before; it may fail after as well."""
        what = f"append {'+'.join(type(event).__name__ for event in events)}"
        self._plug.moment(f"before {what}")
        await self._inner.append(events, durable=durable)
        self._plug.moment(f"after {what}")

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return events; the power holds."""
        return await self._inner.events(after=after)

    async def snapshot(self, ledger: Ledger) -> None:
        """Keep a snapshot, unless the power fails before."""
        self._plug.moment("before snapshot")
        await self._inner.snapshot(ledger)

    async def close(self) -> None:
        """Release the log, unless the power failed.

        Raises:
            PowerCut: it has.
        """
        if self._plug.dead:
            raise PowerCut("close")
        await self._inner.close()


class CrashingVenue(VenueProxy):
    """A venue whose power fails before a call leaves, or after it was carried out and before its answer is heard."""

    def __init__(self, inner: Venue, plug: Plug) -> None:
        super().__init__(inner)
        self._plug = plug

    async def _call(self, what: str, call: Callable[[Venue], Awaitable[Answer]]) -> Answer:
        self._plug.moment(f"before {what}")
        answer = await call(self._inner)
        self._plug.moment(f"after {what}")
        return answer
