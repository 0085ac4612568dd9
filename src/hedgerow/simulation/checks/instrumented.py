"""Store and venue of a bot, instrumented for the monitor."""

from collections.abc import Sequence

from hedgerow.domain.commands import Command
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.ports import NotificationSource, Store
from hedgerow.proxies import VenueProxy
from hedgerow.simulation.checks.monitor import Monitor
from hedgerow.simulation.harness import NotifyingVenue

__all__ = ["InstrumentedStore", "InstrumentedVenue"]


class InstrumentedStore:
    """A store that reports to the monitor what is in it, once it is."""

    def __init__(self, inner: Store, monitor: Monitor) -> None:
        self._inner = inner
        self._monitor = monitor

    async def load(self) -> Ledger:
        """Load the log, and let it be compared with what was written."""
        ledger = await self._inner.load()
        self._monitor.loaded(ledger)
        return ledger

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append, then report."""
        await self._inner.append(events, durable=durable)
        self._monitor.appended(events, durable=durable)

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return events."""
        return await self._inner.events(after=after)

    async def snapshot(self, ledger: Ledger) -> None:
        """Keep a snapshot."""
        await self._inner.snapshot(ledger)

    async def close(self) -> None:
        """Release the log."""
        await self._inner.close()


class InstrumentedVenue(VenueProxy):
    """A venue that shows the witness every command before it is carried out."""

    def __init__(self, inner: NotifyingVenue, monitor: Monitor) -> None:
        super().__init__(inner)
        self._monitor = monitor
        self._source: NotificationSource = inner
        self.subscribe, self.follow = inner.subscribe, inner.follow

    @property
    def streaming(self) -> bool:
        """Whether all that happens is reported."""
        return self._source.streaming

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Show the command, then carry it out."""
        self._monitor.sending(command)
        return await self._inner.submit(command)
