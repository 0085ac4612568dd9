"""Keeps ``hedgerow.outlook.json`` beside the heartbeat: what the running bot sees, after every check and trade."""

from pathlib import Path

import msgspec

from hedgerow.clock import SystemClock
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder
from hedgerow.engine.moments import Moment
from hedgerow.ports import Clock
from hedgerow.store.files import replace_file

__all__ = ["OutlookFile", "read_outlook"]

_WRITER = msgspec.json.Encoder()
_READER = msgspec.json.Decoder(Outlook)


class OutlookFile:
    """A listener that replaces the file as a whole, not synced; one that cannot be written leaves the old one.

    Readers see by its times how old it is, and the log wins over it.
    """

    def __init__(self, path: Path, builder: OutlookBuilder, clock: Clock | None = None) -> None:
        """``clock`` is real time unless a test owns the time."""
        self._path = path
        self._builder = builder
        self._clock = clock or SystemClock()

    def hear(self, moment: Moment) -> None:
        """Take note, and write what is worth writing."""
        outlook = self._builder.hear(moment, self._clock.now())
        if outlook is None:
            return
        try:
            replace_file(self._path, _WRITER.encode(outlook), durable=False)
        except OSError:
            return


def read_outlook(path: Path) -> Outlook | None:
    """Return the newest outlook; None when there is no file, or none of this version."""
    try:
        return _READER.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError, ArithmeticError, ValueError):
        return None
