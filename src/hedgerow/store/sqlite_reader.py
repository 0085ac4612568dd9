"""Reads the event log of one bot without writing anything: neither to the file nor beside it, also while a bot writes.

Works on a read-only file system. A log in write-ahead mode keeps its newest events in a ``-wal`` file and what readers
and writers share in a ``-shm`` file (sqlite.org/wal.html): where both are there the log is opened as it is; without a
``-wal`` file all of it is in the main file; and a ``-wal`` file without the other, as in a copy, is read in a copy.
"""

import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import quote

from hedgerow.domain.errors import DamagedLog, LogUnavailable, NewerLog, StoreError
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.store.codec import FORMAT_VERSION
from hedgerow.store.rows import decoded, refuse_a_gap_at_the_start, snapshot_of

__all__ = ["APPLICATION_ID", "LockedError", "SqliteLog", "SqliteReader"]

APPLICATION_ID: Final = 0x48_44_47_57
"""``HDGW``: marks a SQLite file as a Hedgerow event log (bytes 68 to 71 of the file)."""
OPEN_TIMEOUT_SECONDS: Final = 10.0
"""How long the opening of the log waits for another process that holds the file."""
BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
"""What SQLite says of pages that are not as it wrote them, of a file that is no database, and of a missing table."""
WITHOUT_ROOM: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
"""What SQLite says, besides ``SQLITE_FULL``, where it cannot make the files that it needs beside the log."""
LEAST_ROOM_BYTES: Final = 65_536
PRIMARY_CODE: Final = 0xFF
"""Masks the primary result code out of an extended one (sqlite.org/rescode.html)."""


class SqliteLog:
    """What reading an event log is, whether or not the same connection may write."""

    _path: Path
    _connection: sqlite3.Connection
    _count: int

    async def load(self) -> Ledger:
        """Return the fold of every event appended so far, from the newest snapshot that can be trusted.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        with self._guarded("read"):
            self._count = self._counted()
            ledger = self._newest_snapshot()
            return fold(self._read(after=ledger.events), ledger)

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return the events after the first ``after`` ones, oldest first.

        Raises:
            StoreError: an event cannot be read.
        """
        with self._guarded("read"):
            return tuple(self._read(after=after))

    @property
    def count(self) -> int:
        """How many events there are, as last read."""
        return self._count

    def rows(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield every event as it is written: number, kind, payload.

        Raises:
            StoreError: the file cannot be read.
        """
        with self._guarded("read"):
            yield from self._connection.execute("SELECT seq, kind, payload FROM events ORDER BY seq")

    def stream(self) -> Iterator[Event]:
        """Yield every event, oldest first; they are decoded one by one, as a log of years does not fit into memory.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        with self._guarded("read"):
            yield from self._read(after=0)

    async def close(self) -> None:
        """Release the file; may be called twice."""
        self.release()

    def release(self) -> None:
        """Release the file, outside of an event loop too; may be called twice."""
        self._connection.close()

    def _is_empty(self) -> bool:
        """Return whether the file holds nothing yet.

        Raises:
            StoreError: it is something else than an event log, or was written by a newer version.
        """
        application, version = self._pragma("application_id"), self._pragma("user_version")
        tables = self._one("SELECT count(*) FROM sqlite_master")
        if not tables and not application and not version:
            return True
        if application != APPLICATION_ID:
            raise StoreError(f"{self._path} is a database of something else, not a Hedgerow event log")
        if version > FORMAT_VERSION:
            raise NewerLog(
                f"{self._path} was written by a newer Hedgerow: its format is {version}, ours is {FORMAT_VERSION}"
            )
        return False

    def _newest_snapshot(self) -> Ledger:
        row = self._connection.execute("SELECT seq, version, payload FROM snapshot").fetchone()
        return snapshot_of(row, count=self._count)

    def _read(self, *, after: int) -> Iterator[Event]:
        """Yield the events after a place; their numbers must follow one another."""
        rows = self._connection.execute("SELECT seq, kind, payload FROM events WHERE seq > ? ORDER BY seq", (after,))
        return decoded(rows, after=after, log=str(self._path))

    def _counted(self) -> int:
        """Return how many events there are, from their first and last number: counting them reads the whole file.

        That the numbers between them follow one another is seen when they are read
        (docs/decisions/0016-a-snapshot-vouches-for-the-events-below-it.md).
        """
        first = self._connection.execute("SELECT min(seq) FROM events").fetchone()[0]
        last = self._connection.execute("SELECT max(seq) FROM events").fetchone()[0]
        refuse_a_gap_at_the_start(first, log=str(self._path))
        return int(last or 0)

    def _pragma(self, name: str) -> int:
        return self._one(f"PRAGMA {name}")

    def _one(self, query: str) -> int:
        return int(self._connection.execute(query).fetchone()[0])

    @contextmanager
    def _guarded(self, doing: str) -> Generator[None]:
        """Turn what SQLite and the file system say into one line that names the file."""
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise StoreError(f"{self._path}: another process wrote to this event log; stop one of the two") from error
        except (sqlite3.Error, OSError) as error:
            text = f"cannot {doing} the event log {self._path}: {error}"
            if _lacks_room(error, self._path.parent):
                raise LogUnavailable(f"{text}; no space is left on its disk: free some and try again") from error
            raise _failure(error, doing)(text) from error


class SqliteReader(SqliteLog):
    """An event log opened for reading; a file that holds nothing yet is an empty log.

    Raises:
        StoreError: the file cannot be opened, is damaged, is something else, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy: TemporaryDirectory[str] | None = None
        with self._guarded("open"):
            self._connection = self._opened()
        try:
            with self._guarded("open"):
                self._empty = self._is_empty()
                self._count = 0 if self._empty else self._counted()
        except StoreError:
            self.release()
            raise

    async def load(self) -> Ledger:
        """Return the fold of every event appended so far.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        return Ledger() if self._empty else await super().load()

    @property
    def count(self) -> int:
        """How many events the log held when it was opened."""
        return self._count

    def part(self, *, after: int, limit: int) -> tuple[Event, ...]:
        """Return at most ``limit`` events after the first ``after`` ones, oldest first.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        with self._guarded("read"):
            return tuple(islice(self._read(after=after), limit))

    def load_at(self, events: int) -> Ledger:
        """Return the fold of the first ``events`` events.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        if self._empty:
            return Ledger()
        with self._guarded("read"):
            newest = self._newest_snapshot()
            ledger = newest if newest.events <= events else Ledger()
            return fold(islice(self._read(after=ledger.events), events - ledger.events), ledger)

    def copy_to(self, target: Path) -> int:
        """Copy everything appended so far to a new file, also while a bot writes; returns the number of events.

        Raises:
            DamagedLog: the log is not whole.
            LogUnavailable: the copy cannot be written.
        """
        with self._guarded("copy"):
            copy = sqlite3.connect(target, isolation_level=None)
            try:
                self._connection.backup(copy)
                if copy.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                    raise DamagedLog(f"{self._path}: pages of it are damaged")
                copy.execute("PRAGMA journal_mode = DELETE")  # all of it in one file
                return 0 if self._empty else int(copy.execute("SELECT max(seq) FROM events").fetchone()[0] or 0)
            finally:
                copy.close()

    def _read(self, *, after: int) -> Iterator[Event]:
        return iter(()) if self._empty else super()._read(after=after)

    def rows(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield every event as it is written: number, kind, payload.

        Raises:
            StoreError: the file cannot be read.
        """
        return iter(()) if self._empty else super().rows()

    def release(self) -> None:
        """Release the file, outside of an event loop too; may be called twice."""
        super().release()
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def _opened(self) -> sqlite3.Connection:
        newest, shared = (self._path.with_name(f"{self._path.name}{end}") for end in ("-wal", "-shm"))
        if not newest.exists() or not newest.stat().st_size:
            return self._connected(self._path, "mode=ro&immutable=1")
        if shared.exists():
            return self._connected(self._path, "mode=ro")
        self._copy = TemporaryDirectory(prefix="hedgerow-")
        copy = Path(self._copy.name) / self._path.name
        for file in (self._path, newest):
            shutil.copyfile(file, copy.with_name(file.name))
        return self._connected(copy, "mode=rw")

    def _connected(self, path: Path, how: str) -> sqlite3.Connection:
        address = f"file:{quote(str(path.absolute()))}?{how}"
        connection = sqlite3.connect(address, uri=True, timeout=OPEN_TIMEOUT_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection


class LockedError(LogUnavailable):
    """Another process holds the file now."""


def _lacks_room(error: Exception, folder: Path) -> bool:
    """Whether a failure of input or output is that of a disk without room: SQLite needs some even to open a log."""
    if getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE not in WITHOUT_ROOM:
        return False
    with suppress(OSError):
        return shutil.disk_usage(folder).free < LEAST_ROOM_BYTES
    return False


def _failure(error: Exception, doing: str) -> type[StoreError]:
    """Return what a failure of SQLite or the file system means for the log."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & PRIMARY_CODE in BUSY:
        return LockedError
    if code is not None and code & PRIMARY_CODE in DAMAGED and doing != "write":
        return DamagedLog
    return LogUnavailable if doing in {"write", "copy"} else StoreError
