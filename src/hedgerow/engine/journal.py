"""The one door to the log: what is recorded here is appended, folded, and told to the listeners, in that order."""

from collections.abc import Sequence
from contextlib import suppress

from hedgerow.domain.errors import InvariantBroken, LogUnavailable
from hedgerow.domain.events import CommandIssued, Event
from hedgerow.domain.folding import apply
from hedgerow.domain.ledger import Ledger
from hedgerow.engine.moments import Listener, Moment, Recorded
from hedgerow.ports import Store

__all__ = ["Journal"]

EVENTS_PER_SNAPSHOT = 1000


class Journal:
    """Ledger and log of one bot, kept in step."""

    def __init__(self, store: Store, listeners: Sequence[Listener] = ()) -> None:
        self._store = store
        self._listeners = tuple(listeners)
        self._ledger: Ledger | None = None
        self._snapshot_at = 0

    @property
    def ledger(self) -> Ledger:
        """The fold of everything recorded so far."""
        if self._ledger is None:
            raise InvariantBroken("the journal was used before it was opened")
        return self._ledger

    async def open(self) -> Ledger:
        """Load the log.

        Raises:
            StoreError: the log is corrupt or newer than this version.
        """
        self._ledger = await self._store.load()
        self._snapshot_at = self._ledger.events
        return self._ledger

    async def record(self, *events: Event) -> Ledger:
        """Append events as one transaction, then fold them; an intent is on the disk before this returns."""
        durable = any(isinstance(event, CommandIssued) for event in events)
        await self._store.append(events, durable=durable)
        # All of them are folded before anybody hears of the first: a listener that fails cannot part ledger and log.
        told: list[Recorded] = []
        for event in events:
            before = self.ledger
            self._ledger = after = apply(before, event)
            if self._listeners:
                told.append(Recorded(event=event, before=before, after=after))
        for moment in told:
            self.say(moment)
        if self.ledger.events - self._snapshot_at >= EVENTS_PER_SNAPSHOT:
            await self._snapshot(self.ledger)
        return self.ledger

    async def events(self) -> tuple[Event, ...]:
        """Return the whole log, oldest first: for questions that are rarely asked.

        Raises:
            StoreError: an event cannot be read.
        """
        return await self._store.events()

    async def _snapshot(self, ledger: Ledger) -> None:
        """Keep a snapshot; one that cannot be written now is left for the next time: the events have it all."""
        self._snapshot_at = ledger.events
        with suppress(LogUnavailable):
            await self._store.snapshot(ledger)

    @property
    def heard(self) -> bool:
        """Whether anybody listens; moments that are dear to build are built only then."""
        return bool(self._listeners)

    def say(self, moment: Moment) -> None:
        """Tell the listeners."""
        for listener in self._listeners:
            listener.hear(moment)

    async def close(self) -> None:
        """Keep a snapshot and release the log; may be called twice."""
        if self._ledger is not None and self._ledger.events > self._snapshot_at:
            await self._snapshot(self._ledger)
        await self._store.close()
