"""What the rows of an event log mean, whichever database holds them."""

from collections.abc import Iterable, Iterator

from hedgerow.domain.errors import DamagedLog
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.store.codec import decode_event, decode_ledger, event_kind, ledger_version

__all__ = ["decoded", "refuse_a_gap_at_the_start", "snapshot_of"]


def decoded(rows: Iterable[tuple[int, str, bytes]], *, after: int, log: str) -> Iterator[Event]:
    """Yield the events of rows (number, kind, payload), whose numbers must follow one another from ``after``.

    ``log`` names the log in errors.

    Raises:
        DamagedLog: an event is missing or cannot be read.
    """
    for expected, (seq, kind, payload) in enumerate(rows, after + 1):
        if seq != expected:
            raise DamagedLog(f"{log}: events are missing: number {seq} follows {expected - 1}")
        event = decode_event(payload, row=f"{log}: event {seq}")
        if event_kind(event) != kind:
            raise DamagedLog(f"{log}: event {seq} cannot be read: filed as {kind!r}, holds {event_kind(event)!r}")
        yield event


def snapshot_of(row: tuple[int, str, bytes] | None, *, count: int) -> Ledger:
    """Return the ledger of a snapshot's row (events, version, payload) of a log of ``count`` events.

    One that cannot be trusted is as good as none: the fold of nothing.
    """
    if row is None or row[1] != ledger_version():
        return Ledger()
    ledger = decode_ledger(row[2])
    usable = ledger is not None and ledger.events == row[0] <= count
    return ledger if ledger is not None and usable else Ledger()


def refuse_a_gap_at_the_start(first: int | None, *, log: str) -> None:
    """Refuse a log whose first event is not number 1.

    Raises:
        DamagedLog: it is not.
    """
    if first not in {None, 1}:
        raise DamagedLog(f"{log}: events are missing: the first is number {first}")
