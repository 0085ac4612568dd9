"""JSON of events and of the ledger: exact (decimals are strings with their exponents) and deterministic.

The same events give the same bytes, so that two logs can be compared by their SHA-256. An event that could not be
read back is refused before it is written.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from math import isfinite
from typing import Any, Final, cast

import msgspec

from hedgerow.domain.errors import DamagedLog, StoreError
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.store.old_events import migrated

__all__ = [
    "FORMAT_VERSION",
    "decode_event",
    "decode_ledger",
    "encode_event",
    "encode_ledger",
    "event_kind",
    "events_sha256",
    "ledger_version",
]

FORMAT_VERSION: Final = 1
"""Version of the events' JSON and of the tables that hold it; a log with a higher one is refused."""
FOLD_VERSION: Final = 3
"""To be raised when folding the same events gives another ledger: older snapshots are then rebuilt."""

_ENCODER: Final = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_EVENTS: Final = msgspec.json.Decoder[Any](Event)
_LEDGERS: Final = msgspec.json.Decoder(Ledger)
_UNREADABLE: Final = (msgspec.MsgspecError, ArithmeticError, ValueError, TypeError, RecursionError)


def encode_event(event: Event) -> bytes:
    """Return one line of JSON, without its line end.

    Raises:
        StoreError: the event holds what could not be read back (NaN, infinity, a time without a zone).
    """
    kind = event_kind(event)
    flaw = _flaw(event)
    if flaw:
        raise StoreError(f"an event {kind!r} cannot be written: {flaw}")
    try:
        return _ENCODER.encode(event)
    except (*_UNREADABLE, NotImplementedError) as error:
        raise StoreError(f"an event {kind!r} cannot be written: {error}") from error


def decode_event(line: bytes, *, row: str = "an event") -> Event:
    """Return the event that ``line`` holds; ``row`` names it in the error.

    Raises:
        DamagedLog: the line is no event.
    """
    try:
        event: Event = _EVENTS.decode(line)
    except _UNREADABLE as error:
        raise DamagedLog(f"{row} cannot be read: {_one_line(error)}") from error
    flaw = _flaw(event)
    if flaw:
        raise DamagedLog(f"{row} cannot be read: {flaw}")
    return migrated(event)


def event_kind(event: Event) -> str:
    """Return the tag under which an event is written, e.g. ``order_ended``."""
    return str(event.__struct_config__.tag)


def events_sha256(events: Iterable[Event]) -> str:
    """Return the SHA-256, in hexadecimal, of the events written one per line."""
    digest = sha256()
    for event in events:
        digest.update(encode_event(event) + b"\n")
    return digest.hexdigest()


def encode_ledger(ledger: Ledger) -> bytes:
    """Return a ledger as JSON, for a snapshot.

    Raises:
        StoreError: the ledger holds what could not be read back.
    """
    try:
        return _ENCODER.encode(ledger)
    except (*_UNREADABLE, NotImplementedError) as error:
        raise StoreError(f"the ledger cannot be written: {error}") from error


def decode_ledger(payload: bytes) -> Ledger | None:
    """Return the ledger of a snapshot, or None when it cannot be read: it can always be folded again."""
    try:
        return _LEDGERS.decode(payload)
    except _UNREADABLE:
        return None


def ledger_version() -> str:
    """Return what a snapshot must have been written under to be trusted.

    It covers the shape of every value inside a ledger: a field that is new would otherwise be read as its default.
    """
    shape = msgspec.json.schema(Ledger)
    return f"{FOLD_VERSION}-{sha256(_ENCODER.encode(shape)).hexdigest()[:16]}"


def _flaw(value: Any) -> str | None:
    """Say what in ``value`` would not survive being written and read, or return None."""
    if isinstance(value, Decimal):
        return None if value.is_finite() else f"{value} is no amount"
    if isinstance(value, float):
        return None if isfinite(value) else f"{value} is no number"
    if isinstance(value, datetime):
        return None if value.tzinfo is not None else f"{value.isoformat()} has no time zone"
    return next((flaw for flaw in map(_flaw, _parts(value)) if flaw), None)


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, msgspec.Struct):
        return [getattr(value, name) for name in value.__struct_fields__]
    return cast("Iterable[object]", value) if isinstance(value, tuple) else ()


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__
