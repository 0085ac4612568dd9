"""Keeps ``hedgerow.outlook.json``: what the running bot has read, written at a change, at most once a second."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct, structs

from hedgerow.app.heartbeat import Publish, unpublished
from hedgerow.clock import SystemClock
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder
from hedgerow.engine.notices import Notice, Started, Stopped
from hedgerow.ports import Clock
from hedgerow.small_files import read_small_file
from hedgerow.store.files import replace_file

__all__ = ["OutlookFile", "outlook_of", "read_outlook"]

_WRITER = msgspec.json.Encoder()
_READER = msgspec.json.Decoder(Outlook)
LARGEST_BYTES = 1_048_576
LARGEST_NUMBER = 1e18
"""No price, quantity, amount, ratio or count of a bot comes near it; a Decimal's exponent stays within its digits."""
LARGEST_ID = 2**63
"""Ids of payments use all the digits of a signed 64-bit number."""
SMALLEST_EXPONENT = -200
YEARS = range(1900, 9000)
LARGEST_LEAD = timedelta(days=36_525)
"""How far a bot's clock, which may be a simulated one, can be from the machine's."""


class OutlookFile:
    """An observer that replaces the file as a whole, not synced; when that fails the old file stays.

    Readers see by its times how old it is, and the log wins over it.
    """

    def __init__(
        self, path: Path, builder: OutlookBuilder, clock: Clock | None = None, publish: Publish = unpublished
    ) -> None:
        """``clock`` is real time unless a test owns the time; ``publish`` gets each outlook as well."""
        self._publish = publish
        self._path = path
        self._builder = builder
        self._clock = clock or SystemClock()
        self._unwritten: Outlook | None = None
        self.wake: Callable[[], None] | None = None
        """Asks another thread to call ``flush``; without one the file is written at once, after checks and trades."""

    def latest(self) -> Outlook | None:
        """Return the outlook as it is now; None before the start."""
        return self._builder.latest

    def on_notice(self, notice: Notice) -> None:
        """Apply one notice; have the file written where the outlook has changed."""
        before = self._builder.latest
        outlook = self._builder.on_notice(notice, self._clock.now())
        if self.wake is not None and not isinstance(notice, Started | Stopped):
            if self._builder.latest is not before:
                self._unwritten = self._builder.latest
                self.wake()
        elif outlook is not None:
            self._unwritten = None
            self._write(outlook)

    def flush(self) -> None:
        """Write the newest outlook, if it is not written yet."""
        outlook, self._unwritten = self._unwritten, None
        if outlook is not None:
            self._write(outlook)

    def _write(self, outlook: Outlook) -> None:
        content = _WRITER.encode(outlook)
        self._publish(content)
        try:
            replace_file(self._path, content, durable=False)
        except OSError:
            return


def read_outlook(path: Path) -> Outlook | None:
    """Return the newest outlook; None when there is no file, none of this version, or one that no bot has written."""
    try:
        content = read_small_file(path, largest=LARGEST_BYTES)
    except OSError:
        return None
    return outlook_of(content)


def outlook_of(content: bytes) -> Outlook | None:
    """Return the outlook that was written as ``content``; None when it is none of this version, or no bot wrote it."""
    try:
        outlook = _READER.decode(content)
    except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError):
        return None
    return outlook if _is_sane(outlook) and abs(outlook.at - outlook.written_at) < LARGEST_LEAD else None


def _is_sane(value: object) -> bool:
    """Whether every number within ``value`` is finite and of a possible size, and every time has a zone."""
    match value:
        case Struct():
            return all(_is_sane(part) for part in structs.astuple(value))
        case tuple():
            return all(_is_sane(part) for part in cast("tuple[object, ...]", value))
        case dict():
            return all(_is_sane(part) for part in cast("dict[str, object]", value).values())
        case Decimal():
            exponent = value.as_tuple().exponent
            return isinstance(exponent, int) and exponent >= SMALLEST_EXPONENT and abs(value) <= LARGEST_NUMBER
        case int():
            return abs(value) < LARGEST_ID
        case float():
            return isfinite(value) and abs(value) <= LARGEST_NUMBER
        case datetime():
            return value.tzinfo is not None and value.year in YEARS
        case _:
            return True
