"""The event log of one bot in one SQLite file: append-only, one transaction per append, snapshots beside it.

Write-ahead journal; a durable append is synced to disk before it returns (``synchronous=FULL``), any other one survives
the death of the process and is synced with the next durable one. The calls block the event loop for the length of
a write on purpose: an intent must be on disk before anything else happens, and a worker thread would run on a time of
its own under a virtual clock. A file that another process holds is waited for without blocking.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.durability import sync_folder
from hedgerow.ports import Clock
from hedgerow.store.codec import FORMAT_VERSION, encode_event, encode_ledger, event_kind, ledger_version
from hedgerow.store.patience import LOG_PATIENCE_SECONDS, Patience
from hedgerow.store.sqlite_reader import APPLICATION_ID, OPEN_TIMEOUT_SECONDS, LockedError, SqliteLog

__all__ = ["SqliteStore"]

BLOCKING_TIMEOUT_MS: Final = 2000
"""How long a read or a write without a clock to wait on blocks before it fails."""
SCHEMA: Final = (
    "CREATE TABLE events (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL)",
    "CREATE TABLE snapshot (seq INTEGER NOT NULL, version TEXT NOT NULL, payload BLOB NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {FORMAT_VERSION}",
)


class SqliteStore(SqliteLog):
    """A ``Store`` in one SQLite file, created with its folder when missing; one process may write to it at a time.

    ``clock`` is what a write waits on while another process holds the file; everything else of the bot goes on
    meanwhile. Without a clock the attempt blocks, and fails after two seconds.

    Raises:
        StoreError: the file cannot be opened, is damaged, is something else, or was written by a newer version.
    """

    def __init__(
        self, path: Path, clock: Clock | None = None, *, lock_patience_seconds: float = LOG_PATIENCE_SECONDS
    ) -> None:
        self._path = path
        self._clock = clock
        self._patience = Patience(
            clock,
            lock_patience_seconds,
            again=LockedError,
            text=f"Another program holds {path}: nothing is sent until it can be written; close that program",
        )
        self._writing = asyncio.Lock()
        self._durable = True
        with self._guarded("open"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=OPEN_TIMEOUT_SECONDS, isolation_level=None)
        try:
            with self._guarded("open"):
                self._prepare()
                self._count = self._counted()
        except BaseException:
            self.release()
            raise

    def report_to(self, report: Callable[[str], None]) -> None:
        """Report by ``report``, once for each wait, that a write waits for another process."""
        self._patience.report_to(report)

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append events as one transaction; ``durable`` returns only once they would survive a power cut.

        Raises:
            LogUnavailable: another process holds the file for too long, or the disk is full.
            StoreError: another process wrote to the log, or an event cannot be written.
        """
        async with self._writing:
            first = self._count + 1
            rows = [(seq, event_kind(event), encode_event(event)) for seq, event in enumerate(events, first)]
            if not rows:
                return
            await self._patience.attempt(lambda: self._insert(rows, durable=durable))
            self._count += len(rows)

    def _insert(self, rows: Sequence[tuple[int, str, bytes]], *, durable: bool) -> None:
        with self._guarded("write"):
            self._sync(full=durable)
            with self._transaction():
                self._connection.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)

    async def snapshot(self, ledger: Ledger) -> None:
        """Keep the fold of everything appended so far; only the newest one is kept.

        Raises:
            LogUnavailable: another process holds the file now; a snapshot is not waited for.
            StoreError: the ledger holds more events than the log.
        """
        if ledger.events > self._count:
            raise StoreError(f"{self._path}: a snapshot of {ledger.events} events does not fit a log of {self._count}")
        row = (ledger.events, ledger_version(), encode_ledger(ledger))
        with self._guarded("write"):
            self._sync(full=False)
            with self._transaction():
                self._connection.execute("DELETE FROM snapshot")
                self._connection.execute("INSERT INTO snapshot VALUES (?, ?, ?)", row)

    def fill(self, rows: Iterable[tuple[int, str, bytes]]) -> int:
        """Write a whole log as one transaction, read it back, and return the number of events.

        Raises:
            LogUnavailable: the file cannot be written.
            StoreError: there are events already, or what was read back differs.
        """
        if self._count:
            raise StoreError(f"{self._path}: has {self._count:,} events already; a log is copied to an empty one only")
        written = sha256()

        def each() -> Iterator[tuple[int, str, bytes]]:
            for row in rows:
                written.update(repr(row).encode())
                yield row

        with self._guarded("write"), self._transaction():
            self._connection.executemany("INSERT INTO events VALUES (?, ?, ?)", each())
            read = sha256()
            for row in self.rows():
                read.update(repr(row).encode())
            if read.digest() != written.digest():
                raise StoreError(f"{self._path}: what was read back is not what was written; nothing is kept of it")
            self._count = self._counted()
        return self._count

    def _prepare(self) -> None:
        """Check whose file it is and how old, and create what a new one needs."""
        if self._is_empty():
            self._create()
        (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(
                f"{self._path}: the file system has no write-ahead journal for SQLite (mode {mode!r});"
                " keep the home folder on a local disk"
            )
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(f"PRAGMA busy_timeout = {0 if self._clock else BLOCKING_TIMEOUT_MS}")

    def _create(self) -> None:
        with self._transaction():
            for statement in SCHEMA:
                self._connection.execute(statement)
        sync_folder(self._path.parent)

    def _sync(self, *, full: bool) -> None:
        if full != self._durable:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._durable = full

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite ends it by itself when the disk is full
                self._connection.execute("ROLLBACK")
            raise
