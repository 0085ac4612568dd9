"""The heartbeat of a running bot: a small file that changes while the event loop runs."""

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname
from typing import TypeAlias

import msgspec
from msgspec import Struct

from hedgerow.clock import SystemClock
from hedgerow.dashboard.bot_state import Process, ProcessState
from hedgerow.domain.operator_requests import Answer, Claim, OperatorRequest
from hedgerow.engine.notices import Notice, Stopped
from hedgerow.ports import Clock, Mailbox, Timer
from hedgerow.small_files import read_small_file

__all__ = [
    "SILENT_SECONDS",
    "Beat",
    "BeatingClock",
    "BeatingMailbox",
    "Heartbeat",
    "Publish",
    "beat_of",
    "process_of",
    "process_of_beat",
    "read_beat",
    "unpublished",
]

BEAT_SECONDS = 1.0
"""The file changes at most this often, real time."""
LONGEST_SLEEP_SECONDS = 2.0
"""A bot that waits on purpose, for a settlement to pass for example, beats at least so often."""

LARGEST_BYTES = 4_096
SILENT_SECONDS = 15.0
"""A process that has not beaten for so long does not answer: several times the longest pause between two beats."""


Publish: TypeAlias = Callable[[bytes | None], None]
"""Takes the newest value of something that a bot shows; None removes it. Never waits."""


def unpublished(payload: bytes | None) -> None:
    """Publish nothing but the file."""


class Beat(Struct, frozen=True, kw_only=True):
    """Content of the file; a watcher checks whether it changes, so that no two clocks need to agree."""

    pid: int
    number: int
    """Counts up while the process runs."""
    host: str = ""
    """Name of the machine or container; the process number is valid only there."""


class Heartbeat:
    """Beats at every notice, and whenever the mailbox or the clock is used; a bot that hangs is silent.

    The file is removed at a regular end with nothing in flight; after any other end it stays as it is.
    """

    def __init__(self, path: Path, clock: Clock | None = None, publish: Publish = unpublished) -> None:
        """``clock`` is real time unless a test owns the time; the bot's own may be a simulated one.

        ``publish`` gets each beat as well, and None at the regular end.
        """
        self._path = path
        self._clock = clock or SystemClock()
        self._publish = publish
        self._next_at = 0.0
        self._number = 0
        self._ended = False

    def on_notice(self, notice: Notice) -> None:
        """Beat; remove the file when a bot stops that left nothing half done."""
        if isinstance(notice, Stopped) and notice.ledger.shown_job is None:
            self._ended = True
            self._path.unlink(missing_ok=True)
            self._publish(None)
        else:
            self.beat()

    def beat(self) -> None:
        """Change the file, if it is due; a file that cannot be written makes the watchdog alarm."""
        if self._ended or self._clock.monotonic() < self._next_at:
            return
        self._next_at = self._clock.monotonic() + BEAT_SECONDS
        self._number += 1
        draft = self._path.with_name(f".{self._path.name}.tmp")
        content = msgspec.json.encode(Beat(pid=os.getpid(), number=self._number, host=gethostname()))
        self._publish(content)
        try:
            draft.write_bytes(content)
            draft.replace(self._path)
        except OSError:
            return


class BeatingMailbox:
    """A mailbox of which every read is a beat: a waiting bot reads it once a second."""

    def __init__(self, inner: Mailbox, heart: Heartbeat) -> None:
        self._inner = inner
        self._heart = heart

    def take(self) -> tuple[OperatorRequest, ...]:
        """Return the requests that are not begun or answered yet."""
        self._heart.beat()
        return self._inner.take()

    def claim(self, request_id: str) -> Claim:
        """Make a request this process's to carry out."""
        return self._inner.claim(request_id)

    def abandoned(self) -> tuple[OperatorRequest, ...]:
        """Return the requests that an earlier process claimed and never answered."""
        return self._inner.abandoned()

    def answer(self, request_id: str, answer: Answer) -> None:
        """Store how a request ended."""
        self._inner.answer(request_id, answer)


class BeatingClock:
    """The bot's clock: every use of it is a beat, and a long wait is several."""

    def __init__(self, inner: Clock, heart: Heartbeat) -> None:
        self._inner = inner
        self._heart = heart

    def now(self) -> datetime:
        """Return the present time."""
        self._heart.beat()
        return self._inner.now()

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return self._inner.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait, and beat while waiting."""
        until = self._inner.monotonic() + seconds
        while True:
            self._heart.beat()
            left = until - self._inner.monotonic()
            await self._inner.sleep(min(left, LONGEST_SLEEP_SECONDS))
            if left <= LONGEST_SLEEP_SECONDS:
                return

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context that raises ``TimeoutError`` in its body after ``seconds``."""
        return self._inner.timeout(seconds)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` after ``seconds``, unless the timer is cancelled before."""
        return self._inner.call_later(seconds, callback)


def read_beat(path: Path) -> Beat | None:
    """Return the newest beat; None when there is no file, or none that can be read."""
    try:
        return beat_of(read_small_file(path, largest=LARGEST_BYTES))
    except (OSError, ValueError):
        return None


def beat_of(content: bytes) -> Beat | None:
    """Return the beat that was written as ``content``; None when it cannot be read."""
    try:
        return msgspec.json.decode(content, type=Beat)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def process_of(path: Path, now: datetime, *, ran: bool) -> Process:
    """Return the state of the process by its heartbeat file at ``now``, real time; ``ran`` = a bot has run here before.

    The number of a process is asked for only on its own machine; elsewhere the age of the file decides. A file of the
    future is as silent as an old one: it was last written before the clock was put back.
    """
    try:
        last_beat = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return Process(state=ProcessState.STOPPED if ran else ProcessState.NEVER)
    return process_of_beat(read_beat(path), last_beat, now)


def process_of_beat(beat: Beat | None, last_beat: datetime, now: datetime) -> Process:
    """Return the state of the process whose newest beat came at ``last_beat``; None = it cannot be read."""
    pid = beat.pid if beat else None
    if beat is not None and beat.host == gethostname() and not _exists(beat.pid):
        return Process(state=ProcessState.GONE, pid=pid, last_beat=last_beat)
    silent = abs((now - last_beat).total_seconds()) > SILENT_SECONDS
    return Process(state=ProcessState.SILENT if silent else ProcessState.RUNNING, pid=pid, last_beat=last_beat)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's, or not a number of a process
        return True
    return True
