"""The store and the venue of a bot, with the witness looking on."""

from collections.abc import Sequence

from hedgerow.domain.commands import Command
from hedgerow.domain.events import Event
from hedgerow.domain.ledger import Ledger
from hedgerow.ports import Store
from hedgerow.simulation.doors import ToldVenue
from hedgerow.simulation.witness import Witness

__all__ = ["WatchedStore", "WatchedVenue"]


class WatchedStore:
    """A store that tells the witness what is in it, once it is."""

    def __init__(self, inner: Store, witness: Witness) -> None:
        self._inner = inner
        self._witness = witness

    async def load(self) -> Ledger:
        """Load the log, and let it be compared with what was written."""
        ledger = await self._inner.load()
        self._witness.loaded(await self._inner.events(after=self._witness.ledger.events), ledger)
        return ledger

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append, then tell."""
        await self._inner.append(events, durable=durable)
        self._witness.appended(events, durable=durable)

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return events."""
        return await self._inner.events(after=after)

    async def snapshot(self, ledger: Ledger) -> None:
        """Keep a snapshot."""
        await self._inner.snapshot(ledger)

    async def close(self) -> None:
        """Release the log."""
        await self._inner.close()


class WatchedVenue:
    """A venue that shows the witness every command before it is carried out."""

    def __init__(self, inner: ToldVenue, witness: Witness) -> None:
        self._inner = inner
        self._witness = witness
        self.market, self.account, self.depth = inner.market, inner.account, inner.depth
        self.position, self.open_orders = inner.position, inner.open_orders
        self.resolve, self.fills = inner.resolve, inner.fills
        self.funding_payments, self.statement, self.reserve = inner.funding_payments, inner.statement, inner.reserve
        self.pair, self.blocked_seconds = inner.pair, inner.blocked_seconds
        self.subscribe, self.follow, self.watch = inner.subscribe, inner.follow, inner.watch

    @property
    def name(self) -> str:
        """Name for people."""
        return self._inner.name

    @property
    def telling(self) -> bool:
        """Whether all that happens is told."""
        return self._inner.telling

    async def submit(self, command: Command) -> tuple[Event, ...]:
        """Show the command, then carry it out."""
        self._witness.sending(command)
        return await self._inner.submit(command)
