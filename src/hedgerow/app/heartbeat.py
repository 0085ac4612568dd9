"""A running bot's sign of life: a small file that changes as long as its loop goes round."""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from hedgerow.clock import SystemClock
from hedgerow.domain.requests import Answer, Request
from hedgerow.engine.moments import Moment, Stopped
from hedgerow.ports import Mailbox

__all__ = ["Beat", "BeatingMailbox", "Heartbeat", "read_beat"]

BEAT_SECONDS = 1.0
"""The file changes no oftener than that, real time."""


class Beat(Struct, frozen=True, kw_only=True):
    """What the file says; whoever watches looks whether it changes, so that no two clocks need to agree."""

    pid: int
    number: int
    """Counts up over the life of the process."""


class Heartbeat:
    """Beats whenever something is said or the mail is looked at: by the bot's own loop; one that hangs is silent.

    The file is removed at a tidy end with nothing in flight; after any other end it stays as it is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clock = SystemClock()
        self._next_at = 0.0
        self._number = 0
        self._ended = False

    def hear(self, moment: Moment) -> None:
        """Beat; end at the last words of a bot that left nothing half done."""
        if isinstance(moment, Stopped) and moment.ledger.execution is None:
            self._ended = True
            self._path.unlink(missing_ok=True)
        else:
            self.beat()

    def beat(self) -> None:
        """Change the file, if it is time again; a file that cannot be written leaves the watchdog to its alarm."""
        if self._ended or self._clock.monotonic() < self._next_at:
            return
        self._next_at = self._clock.monotonic() + BEAT_SECONDS
        self._number += 1
        draft = self._path.with_name(f".{self._path.name}.tmp")
        try:
            draft.write_bytes(msgspec.json.encode(Beat(pid=os.getpid(), number=self._number)))
            draft.replace(self._path)
        except OSError:
            return


class BeatingMailbox:
    """A mailbox whose every look is a beat: a waiting bot looks once a second."""

    def __init__(self, inner: Mailbox, heart: Heartbeat) -> None:
        self._inner = inner
        self._heart = heart

    def take(self) -> tuple[tuple[str, Request], ...]:
        """Return the requests that were not answered yet."""
        self._heart.beat()
        return self._inner.take()

    def answer(self, request_id: str, answer: Answer) -> None:
        """Say how a request ended."""
        self._inner.answer(request_id, answer)


def read_beat(path: Path) -> Beat | None:
    """Return the newest beat; None when there is no file, or none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Beat)
    except (OSError, msgspec.DecodeError):
        return None
