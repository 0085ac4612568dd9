"""Venue time and nonces: microseconds that never repeat across threads, processes and restarts."""

import errno
import fcntl
import os
import select
import threading
from datetime import datetime, timedelta
from pathlib import Path

from hedgerow.domain.errors import ConfigError, NotSent
from hedgerow.domain.funding import EPOCH
from hedgerow.ports import Clock

__all__ = ["NonceSource", "VenueTime"]

MICROSECOND, MILLISECOND = timedelta(microseconds=1), timedelta(milliseconds=1)
LOCK_ATTEMPTS, LOCK_PAUSE_SECONDS = 50, 0.001
"""A lock is held for some microseconds; a process that was stopped while it held one must not stop this one too, whose
event loop stands still while it waits: at most 50 ms."""
FURTHEST_AHEAD = 60_000_000
"""A kept nonce further ahead than the venue's window (docs/aster-api.md 2) came of a wrong clock, and was refused."""


class VenueTime:
    """The clock as the venue sees it: ours plus the offset measured against ``/time``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.offset = timedelta(0)
        """Venue's time minus ours."""

    def now(self) -> datetime:
        """Return the venue's present time as far as it is known."""
        return self._clock.now() + self.offset

    def micros(self) -> int:
        """Return the venue's time in microseconds."""
        return (self.now() - EPOCH) // MICROSECOND

    def millis(self) -> int:
        """Return the venue's time in milliseconds."""
        return (self.now() - EPOCH) // MILLISECOND

    def measure(self, server: datetime, *, sent: datetime, received: datetime) -> timedelta:
        """Take the offset from one reading of the venue's time, made halfway between sending and receiving."""
        self.offset = server - (sent + (received - sent) / 2)
        return self.offset


class NonceSource:
    """Gives each nonce once: ``max(now, last + 1)`` in microseconds.

    With ``path`` the last nonce is kept there under a lock, so that processes that sign with one key never give the
    same one.

    Raises:
        ConfigError: the file cannot be used.
    """

    def __init__(self, time: VenueTime, path: Path | None = None) -> None:
        self._time = time
        self._path = path
        self._last = 0
        self._lock = threading.Lock()
        if path is not None:
            try:
                os.close(_opened(path))
            except OSError as error:
                raise ConfigError(f"nonces cannot be kept: {path}: {error.strerror or error}") from error

    def next(self) -> int:
        """Return a new nonce.

        Raises:
            NotSent: the file cannot be used any more, or another process does not release it.
        """
        with self._lock:
            self._last = self._after(self._last) if self._path is None else self._kept(self._path)
            return self._last

    def _after(self, last: int) -> int:
        now = self._time.micros()
        return now if last > now + FURTHEST_AHEAD else max(now, last + 1)

    def _kept(self, path: Path) -> int:
        try:
            return self._exchanged(path)
        except OSError as error:
            raise NotSent(f"not sent: nonces cannot be kept: {path}: {error.strerror or error}") from error

    def _exchanged(self, path: Path) -> int:
        handle = _opened(path)
        try:
            _lock(handle)
            text = os.pread(handle, 32, 0).strip()
            nonce = self._after(max(int(text) if text.isdigit() else 0, self._last))
            os.pwrite(handle, b"%d\n" % nonce, 0)
        finally:
            os.close(handle)
        return nonce


def _lock(handle: int) -> None:
    """Lock an open file.

    Raises:
        OSError: another process holds it all the time.
    """
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            select.select((), (), (), LOCK_PAUSE_SECONDS)
        else:
            return
    raise TimeoutError(errno.EAGAIN, "another process holds it")


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
