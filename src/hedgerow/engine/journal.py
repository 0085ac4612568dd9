"""The journal: an event is appended to the log, folded into the ledger, and passed to the observers, in this order."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from hedgerow.domain.errors import LogUnavailable, StoreError
from hedgerow.domain.events import CommandIssued, Event
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine.notices import Notice, Observer, ObserverFailed, Recorded
from hedgerow.ports import Store

__all__ = ["Journal"]

EVENTS_PER_SNAPSHOT = 1000
_TOGETHER = "the logs of two bots were put together: start with one of them, what only the other held is adopted"


class Journal:
    """Ledger and log of one bot, kept in step."""

    ledger: Ledger
    """The fold of everything recorded so far; not there before ``open`` has read it."""

    def __init__(self, store: Store, observers: Sequence[Observer] = ()) -> None:
        self._store = store
        self._observers = tuple(observers)
        self.has_observers = bool(self._observers)
        """Whether there are observers; notices that every check would build are built only then.

        Whoever built the bot may set it to False: its observers then hear of failures and warnings alone.
        """
        self._failures = [0] * len(self._observers)
        """How often each observer failed."""
        self._snapshot_at = 0

    @property
    def known(self) -> Ledger:
        """The ledger, or what is known before the log was read: nothing."""
        return self.ledger if self._is_open else Ledger()

    @property
    def _is_open(self) -> bool:
        return hasattr(self, "ledger")

    async def open(self) -> Ledger:
        """Load the log.

        Raises:
            StoreError: the log is corrupt or newer than this version, or put together from the logs of two bots.
        """
        ledger = await self._store.load()
        _refuse_two_of_one_pair(ledger)
        _refuse_displaced_trades(ledger)
        self.ledger = ledger
        self._snapshot_at = ledger.events
        return ledger

    async def record(self, *events: Event) -> Ledger:
        """Append events as one transaction, then fold them; an intent is on the disk before this returns."""
        durable = any(isinstance(event, CommandIssued) for event in events)
        await self._store.append(events, durable=durable)
        # All of them are folded before the first is reported: an observer that fails cannot part ledger and log.
        recorded: list[Recorded] = []
        for event in events:
            before = self.ledger
            self.ledger = after = apply(before, event)
            if self.has_observers:
                recorded.append(Recorded(event=event, before=before, after=after))
        for notice in recorded:
            self.say(notice)
        if self.ledger.events - self._snapshot_at >= EVENTS_PER_SNAPSHOT:
            await self._snapshot(self.ledger)
        return self.ledger

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return the log without its ``after`` oldest events, oldest first: for questions that are rarely asked.

        Raises:
            StoreError: an event cannot be read.
        """
        return await self._store.events(after=after)

    async def _snapshot(self, ledger: Ledger) -> None:
        """Keep a snapshot; one that cannot be written now is left for the next time: the events have it all."""
        self._snapshot_at = ledger.events
        with suppress(LogUnavailable):
            await self._store.snapshot(ledger)

    @property
    def listener_failures(self) -> Mapping[str, int]:
        """How often observers failed, by the name of their class; those that never did are not named."""
        found: dict[str, int] = {}
        for observer, failures in zip(self._observers, self._failures, strict=True):
            if failures:
                found[_name(observer)] = found.get(_name(observer), 0) + failures
        return found

    def say(self, notice: Notice) -> None:
        """Pass a notice to every observer; one that fails keeps nothing from the others, and never interrupts a trade.

        The first failure of an observer is reported as well, once; later ones are counted.
        """
        failed: list[ObserverFailed] = []
        for number, observer in enumerate(self._observers):
            try:
                observer.on_notice(notice)
            except Exception as error:  # noqa: BLE001 - whatever a view of the bot does wrong, the bot goes on
                self._failures[number] += 1
                if self._failures[number] == 1:
                    failed.append(_failure(observer, error, notice))
        for failure in failed:
            self.say(failure)

    async def close(self) -> None:
        """Keep a snapshot and release the log, also where none can be kept; may be called twice."""
        try:
            if self._is_open and self.ledger.events > self._snapshot_at:
                await self._snapshot(self.ledger)
        finally:
            await self._store.close()


def _refuse_two_of_one_pair(ledger: Ledger) -> None:
    """Refuse a log that no bot has written: each would sell the coins of the other's position.

    Raises:
        StoreError: two hedges of one pair are held.
    """
    ids: dict[str, str] = {}
    for hedge in ledger.hedges.values():
        other = ids.setdefault(hedge.symbol, hedge.hedge_id)
        if other != hedge.hedge_id:
            raise StoreError(f"the log holds two positions of {hedge.symbol} ({other}, {hedge.hedge_id}); {_TOGETHER}")


def _refuse_displaced_trades(ledger: Ledger) -> None:
    """Refuse a log in which a trade was at work when another one began: what became of its orders is not known.

    Raises:
        StoreError: the hedge of such a trade is held.
    """
    for hedge_id in ledger.displaced:
        hedge = ledger.hedges.get(hedge_id)
        if hedge is not None:
            what = f"the trade of {hedge.symbol} ({hedge_id}) was at work in the log when another one began"
            raise StoreError(f"{what}; {_TOGETHER}")


def _failure(observer: Observer, error: Exception, notice: Notice) -> ObserverFailed:
    at = notice.event.at if isinstance(notice, Recorded) else notice.at
    return ObserverFailed(at=at, observer=_name(observer), error=f"{type(error).__name__}: {error}")


def _name(observer: Observer) -> str:
    return type(observer).__name__
