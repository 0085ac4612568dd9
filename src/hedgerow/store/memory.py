"""The event log in memory, for replay and tests."""

from collections.abc import Sequence

from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger

__all__ = ["MemoryStore"]


class MemoryStore:
    """A ``Store`` that forgets everything with the process; it may be given the events of an earlier life."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self._events: list[Event] = list(events)
        self._snapshot = Ledger()

    async def load(self) -> Ledger:
        """Return the fold of every event appended so far; the next load goes on from there."""
        self._snapshot = fold(self._events[self._snapshot.events :], self._snapshot)
        return self._snapshot

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append events; there is no power cut they could survive."""
        del durable
        self._events.extend(events)

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return the events after the first ``after`` ones, oldest first."""
        return tuple(self._events[after:])

    async def snapshot(self, ledger: Ledger) -> None:
        """Start later loads from ``ledger``.

        Raises:
            StoreError: the ledger holds more events than the log.
        """
        if ledger.events > len(self._events):
            raise StoreError(f"a snapshot of {ledger.events} events does not fit a log of {len(self._events)}")
        self._snapshot = ledger

    async def close(self) -> None:
        """Do nothing; the events stay readable."""
