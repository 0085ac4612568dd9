"""The event log of one bot among those of many in a PostgreSQL database.

One bot writes an account's log at a time, by two means: an advisory lock, which refuses a second bot as long as the
first one's session lives, and a fence, a number that each bot raises when it opens the log and that every append
checks: a bot that was cut off and replaced cannot append any more (docs/fleet.md).

An append may be repeated: after a connection is lost, the highest number in the log says whether it was written.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from socket import gethostname
from typing import Final, cast

from msgspec import Struct
from psycopg import errors

from hedgerow.domain.errors import AccountBusy, DamagedLog, LogUnavailable, NewerLog, StoreError
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.ports import Clock
from hedgerow.store.codec import FORMAT_VERSION, encode_event, encode_ledger, event_kind, ledger_version
from hedgerow.store.patience import LOG_PATIENCE_SECONDS, Patience
from hedgerow.store.postgres.connection import ANSWER_SECONDS, Connection, DatabaseAway
from hedgerow.store.postgres.migrations import upgrade, usable
from hedgerow.store.rows import decoded, refuse_a_gap_at_the_start, snapshot_of
from hedgerow.store.sqlite import SqliteStore

__all__ = ["BotRow", "PostgresReader", "PostgresStore", "bots_in", "raise_fence"]

ROWS_PER_READ: Final = 5000
"""Events of one answer: a log of years does not fit into memory."""
COPY_SECONDS: Final = 3600.0
"""How long the copying of a log may take."""

APPEND: Final = """
    WITH fence AS (SELECT FROM hedgerow.bots WHERE account = %(account)s AND epoch = %(epoch)s FOR SHARE)
    INSERT INTO hedgerow.events (account, seq, kind, payload)
    SELECT %(account)s, row.seq, row.kind, row.payload
    FROM fence, unnest(%(seqs)s::bigint[], %(kinds)s::text[], %(payloads)s::bytea[]) AS row (seq, kind, payload)
"""
SNAPSHOT: Final = """
    WITH fence AS (SELECT FROM hedgerow.bots WHERE account = %(account)s AND epoch = %(epoch)s FOR SHARE)
    INSERT INTO hedgerow.snapshots (account, seq, version, payload)
    SELECT %(account)s, %(seq)s, %(version)s, %(payload)s FROM fence
    ON CONFLICT (account) DO UPDATE
    SET seq = excluded.seq, version = excluded.version, payload = excluded.payload
"""
TAKE_OVER: Final = """
    INSERT INTO hedgerow.bots (account, name, mode, shown_account, epoch, format, host, pid, opened_at)
    VALUES (%(account)s, %(name)s, %(mode)s, %(shown)s, 1, %(format)s, %(host)s, %(pid)s, clock_timestamp())
    ON CONFLICT (account) DO UPDATE
    SET name = excluded.name, mode = excluded.mode, shown_account = excluded.shown_account,
        epoch = hedgerow.bots.epoch + 1, format = excluded.format,
        host = excluded.host, pid = excluded.pid, opened_at = excluded.opened_at
    RETURNING epoch
"""

StoredRow = tuple[int, str, bytes]


class BotRow(Struct, frozen=True, kw_only=True):
    """Which bot of a database it is."""

    account: str
    """Hash of the account: what the rows of its log are filed under."""
    name: str
    """Display name."""
    mode: str
    """LIVE, DRY RUN, PAPER."""
    shown_account: str = ""
    """The account, shortened."""


class _PostgresLog:
    """What reading a log is, whether or not the same connection may write."""

    def __init__(self, connection: Connection, bot: BotRow) -> None:
        self._connection = connection
        self._bot = bot
        self._count = 0

    @property
    def _log(self) -> str:
        return f"{self._connection.shown}, log of {self._bot.name}"

    def _loaded(self) -> Ledger:
        ledger = self._newest_snapshot()
        return fold(self._read(after=ledger.events), ledger)

    def _newest_snapshot(self) -> Ledger:
        self._count = self._counted()
        row = self._connection.row(
            "SELECT seq, version, payload FROM hedgerow.snapshots WHERE account = %s", (self._bot.account,)
        )
        return snapshot_of(cast("StoredRow | None", row), count=self._count)

    def _read(self, *, after: int, at_once: int = ROWS_PER_READ) -> Iterator[Event]:
        return decoded(self._rows(after=after, at_once=at_once), after=after, log=self._log)

    def _rows(self, *, after: int, at_once: int = ROWS_PER_READ) -> Iterator[StoredRow]:
        """Yield the rows after a place, so many in one answer: what is in the log never changes."""
        while True:
            rows = self._connection.rows(
                "SELECT seq, kind, payload FROM hedgerow.events WHERE account = %s AND seq > %s ORDER BY seq LIMIT %s",
                (self._bot.account, after, at_once),
            )
            yield from cast("list[StoredRow]", rows)
            if len(rows) < at_once:
                return
            after = rows[-1][0]

    def _counted(self) -> int:
        ((first, last),) = self._connection.rows(
            "SELECT min(seq), max(seq) FROM hedgerow.events WHERE account = %s", (self._bot.account,)
        )
        refuse_a_gap_at_the_start(first, log=self._log)
        return int(last or 0)

    def _refuse_newer(self, form: int) -> None:
        if form > FORMAT_VERSION:
            raise NewerLog(f"{self._log}: written by a newer Hedgerow: its format is {form}, ours is {FORMAT_VERSION}")

    @property
    def count(self) -> int:
        """How many events there are, as last read."""
        return self._count

    def release(self) -> None:
        """Close the connection, outside of an event loop too; may be called twice."""
        self._connection.close()

    async def close(self) -> None:
        """Close the connection; may be called twice."""
        self.release()


class PostgresReader(_PostgresLog):
    """The log of one bot opened for reading; takes no lock.

    Raises:
        DatabaseAway: the database does not answer.
        StoreError: the schema or the log is of another version.
    """

    def __init__(self, connection: Connection, bot: BotRow) -> None:
        super().__init__(connection, bot)
        form = None
        try:
            if usable(connection):
                form = connection.row("SELECT format FROM hedgerow.bots WHERE account = %s", (bot.account,))
            self._refuse_newer(form[0] if form else 0)
        except BaseException:
            self.release()
            raise
        self.exists = form is not None
        """Whether the bot has ever opened its log."""

    async def load(self) -> Ledger:
        """Return the fold of every event appended so far.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        return self.fold()

    def fold(self) -> Ledger:
        """Return the same outside of an event loop."""
        return self._loaded() if self.exists else Ledger()

    def read(self, *, after: int) -> Iterator[Event]:
        """Yield the events after the first ``after`` ones, oldest first, outside of an event loop too."""
        return self._read(after=after) if self.exists else iter(())

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return the events after the first ``after`` ones, oldest first.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        return tuple(self.read(after=after))

    def stream(self) -> Iterator[Event]:
        """Yield every event, oldest first.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        return self.read(after=0)

    def part(self, *, after: int, limit: int) -> tuple[Event, ...]:
        """Return at most ``limit`` events after the first ``after`` ones, oldest first.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        self._count = self._counted() if self.exists else 0
        found = self._read(after=after, at_once=min(limit, ROWS_PER_READ)) if self.exists else iter(())
        return tuple(islice(found, limit))

    def load_at(self, events: int) -> Ledger:
        """Return the fold of the first ``events`` events.

        Raises:
            StoreError: an event is missing or cannot be read.
        """
        newest = self._newest_snapshot() if self.exists else Ledger()
        ledger = newest if newest.events <= events else Ledger()
        return fold(islice(self.read(after=ledger.events), events - ledger.events), ledger)

    def rows(self) -> Iterator[StoredRow]:
        """Yield every event as it is written: number, kind, payload."""
        if self.exists:
            yield from self._rows(after=0)

    def copy_to(self, target: Path) -> int:
        """Copy everything appended so far to a file, also while a bot writes; returns the number of events.

        Raises:
            LogUnavailable: the file cannot be written.
            StoreError: the log cannot be read.
        """
        store = SqliteStore(target)
        try:
            return store.fill(self.rows())
        finally:
            store.release()


class PostgresStore(_PostgresLog):
    """A ``Store`` in a database that many bots share; sole writer of its account's log.

    ``clock`` is what an append waits on while the database does not answer: everything else of the bot goes on
    between the attempts, of which each blocks for some seconds at most. Without a clock there is one attempt.

    Raises:
        AccountBusy: another bot trades this account.
        DatabaseAway: the database does not answer.
        StoreError: the schema or the log is of another version.
    """

    def __init__(
        self,
        address: str,
        shown: str,
        bot: BotRow,
        clock: Clock | None = None,
        *,
        patience_seconds: float = LOG_PATIENCE_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._session = f"hedgerow {os.getpid()} {secrets.token_hex(8)}"
        connection = Connection(address, shown, name=self._session, writes=True, answer_seconds=answer_seconds)
        super().__init__(connection, bot)
        self._patience = Patience(
            clock,
            patience_seconds,
            again=DatabaseAway,
            text=f"{shown} does not answer or takes no writes: nothing is sent until it does",
        )
        self._writing = asyncio.Lock()
        self._doubtful = False
        """Whether an append may have been written whose answer did not come."""
        try:
            self._epoch = self._take_over()
            self._count = self._counted()
        except BaseException:
            self.release()
            raise

    @property
    def epoch(self) -> int:
        """The number of the fence that this writer raised."""
        return self._epoch

    def report_to(self, report: Callable[[str], None]) -> None:
        """Report by ``report``, once for each wait, that the database is waited for."""
        self._patience.report_to(report)

    async def load(self) -> Ledger:
        """Return the fold of every event appended so far.

        Raises:
            DatabaseAway: the database does not answer for too long.
            StoreError: an event is missing or cannot be read.
        """
        async with self._writing:
            return await self._patience.attempt(self._load_once)

    def _load_once(self) -> Ledger:
        self._ready()
        ledger = self._loaded()
        self._doubtful = False
        return ledger

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return the events after the first ``after`` ones, oldest first.

        Raises:
            DatabaseAway: the database does not answer for too long.
            StoreError: an event cannot be read.
        """
        async with self._writing:
            return await self._patience.attempt(lambda: self._events_once(after))

    def _events_once(self, after: int) -> tuple[Event, ...]:
        self._ready()
        return tuple(self._read(after=after))

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        """Append events as one transaction; all of them are on the server's disk when this returns.

        Raises:
            DatabaseAway: the database does not answer, or takes no writes, for too long.
            StoreError: another bot has taken over, the database has lost events, or an event cannot be written.
        """
        del durable  # a server that is killed loses what it has not synced, and the bot lives on
        async with self._writing:
            first = self._count + 1
            rows = [(seq, event_kind(event), encode_event(event)) for seq, event in enumerate(events, first)]
            if not rows:
                return
            await self._patience.attempt(lambda: self._append_once(rows))
            self._count += len(rows)

    def _append_once(self, rows: Sequence[StoredRow]) -> None:
        self._ready()
        if self._doubtful and self._was_written(rows):
            return
        self._doubtful = True
        seqs, kinds, payloads = zip(*rows, strict=True)
        terms = {"seqs": list(seqs), "kinds": list(kinds), "payloads": list(payloads)}
        try:
            written = self._connection.write(APPEND, {"account": self._bot.account, "epoch": self._epoch, **terms})
        except errors.UniqueViolation:
            # An attempt that was given up here may still have been at work there.
            if not self._was_written(rows):
                raise DatabaseAway(f"{self._log}: an append is at work there") from None
            return
        self._doubtful = False
        if written != len(rows):
            self._refuse_stale_epoch()

    def _was_written(self, rows: Sequence[StoredRow]) -> bool:
        """Return whether an append whose answer did not come was written.

        Raises:
            StoreError: the log ends elsewhere than both answers allow.
        """
        before = rows[0][0] - 1
        last = self._counted()
        stored = list(self._rows(after=before))
        self._doubtful = False
        if last < before:
            raise DamagedLog(
                f"{self._log}: the database has lost events {last + 1} to {before}, which it had confirmed: it was"
                " restored, or failed over to a copy that was behind; nothing is traded on such a log"
            )
        if stored and stored != [tuple(row) for row in rows]:
            raise StoreError(f"{self._log}: another process wrote to this event log; stop one of the two")
        return bool(stored)

    async def snapshot(self, ledger: Ledger) -> None:
        """Keep the fold of everything appended so far; only the newest one is kept.

        Raises:
            DatabaseAway: the database does not answer now; a snapshot is not waited for.
            StoreError: the ledger holds more events than the log, or another bot has taken over.
        """
        if ledger.events > self._count:
            raise StoreError(f"{self._log}: a snapshot of {ledger.events} events does not fit a log of {self._count}")
        self._ready()
        terms = {"seq": ledger.events, "version": ledger_version(), "payload": encode_ledger(ledger)}
        written = self._connection.write(SNAPSHOT, {"account": self._bot.account, "epoch": self._epoch, **terms})
        if not written:
            self._refuse_stale_epoch()

    def fill(self, rows: Iterable[StoredRow]) -> int:
        """Write a whole log as one transaction, read it back, and return the number of events.

        Raises:
            StoreError: there are events already, or what was read back differs.
        """
        if self._count:
            raise StoreError(f"{self._log}: has {self._count:,} events already; a log is copied to an empty one only")
        written, read = sha256(), sha256()
        with self._connection.transaction(seconds=COPY_SECONDS) as raw:
            if (
                raw.execute(
                    "SELECT FROM hedgerow.bots WHERE account = %s AND epoch = %s FOR SHARE",
                    (self._bot.account, self._epoch),
                ).rowcount
                != 1
            ):
                self._refuse_stale_epoch()
            copying = "COPY hedgerow.events (account, seq, kind, payload) FROM STDIN"
            with raw.cursor() as cursor, cursor.copy(copying) as copy:
                for row in rows:
                    written.update(repr(row).encode())
                    copy.write_row((self._bot.account, *row))
            for row in self._rows(after=0):
                read.update(repr(row).encode())
            if written.digest() != read.digest():
                raise StoreError(f"{self._log}: what was read back is not what was written; nothing is kept of it")
        self._count = self._counted()
        return self._count

    # --- the sole writer ---------------------------------------------------------------------------------------------

    def _take_over(self) -> int:
        """Become the sole writer, and return the number of the fence."""
        connection = self._connection
        connection.open()
        if not usable(connection):
            self._set_up()
        self._lock()
        form = connection.row("SELECT format FROM hedgerow.bots WHERE account = %s", (self._bot.account,))
        self._refuse_newer(form[0] if form else 0)
        bot = self._bot
        facts = {"account": bot.account, "name": bot.name, "mode": bot.mode, "shown": bot.shown_account}
        here = {"format": FORMAT_VERSION, "host": gethostname(), "pid": os.getpid()}
        ((epoch,),) = connection.rows(TAKE_OVER, {**facts, **here})
        return int(epoch)

    def _set_up(self) -> None:
        """Create the tables of an empty database.

        Raises:
            StoreError: the role may not.
        """
        try:
            upgrade(self._connection)
        except LogUnavailable:
            raise
        except StoreError as error:
            raise StoreError(
                f"{error}; the tables are set up by hedgerow store upgrade with a role that may create them"
                " (docs/fleet.md)"
            ) from None

    def _ready(self) -> None:
        """Have an open connection that holds the lock; after one was lost, see whether this is still the sole writer.

        Raises:
            DatabaseAway: the database does not answer, or the lost session still holds the lock there.
            StoreError: another bot has taken over.
        """
        connection = self._connection
        if connection.is_open:
            return
        connection.open()
        try:
            usable(connection)
            self._refuse_stale_epoch()
            # The session that was lost may live on at the server, and hold the lock.
            connection.rows(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
                " WHERE application_name = %s AND pid <> pg_backend_pid()",
                (self._session,),
            )
            try:
                self._lock()
            except AccountBusy as busy:
                raise DatabaseAway(f"{self._log}: {busy}") from None
        except BaseException:
            connection.close()
            raise
        self._doubtful = True

    def _lock(self) -> None:
        ((taken,),) = self._connection.rows("SELECT pg_try_advisory_lock(%s)", (_lock_key(self._bot.account),))
        if not taken:
            found = self._connection.row("SELECT pid, host FROM hedgerow.bots WHERE account = %s", (self._bot.account,))
            holder = f"process {found[0]} on {found[1]}" if found else "another process"
            raise AccountBusy(
                f"{holder} already trades this account: stop it first, or use another account ({self._log})"
            )

    def _refuse_stale_epoch(self) -> None:
        """Refuse to go on where the fence was raised."""
        found = self._connection.row(
            "SELECT epoch, pid, host FROM hedgerow.bots WHERE account = %s", (self._bot.account,)
        )
        if found is None or found[0] != self._epoch:
            self._connection.close()  # and with it the lock
            by = f" (process {found[1]} on {found[2]})" if found else ""
            raise StoreError(
                f"{self._log}: another bot has taken over this account{by}; this one sends nothing more and ends"
            )


def raise_fence(connection: Connection, account: str) -> None:
    """Raise an account's fence and end the session that holds its lock: that bot sends nothing more, and ends.

    Raises:
        StoreError: the database has no such bot, or cannot be written.
    """
    if not connection.write("UPDATE hedgerow.bots SET epoch = epoch + 1 WHERE account = %s", (account,)):
        raise StoreError(f"{connection.shown}: no bot of this account has run there")
    key = _lock_key(account) % 2**64
    with suppress(StoreError):  # of another role: that bot ends at its next append, and its lock with it
        connection.rows(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = %s AND objid = %s",
            (key >> 32, key % 2**32),
        )


def bots_in(connection: Connection) -> tuple[BotRow, ...]:
    """Return the bots of a database, by name.

    Raises:
        StoreError: the database cannot be read, or is of another version.
    """
    if not usable(connection):
        return ()
    rows = connection.rows("SELECT account, name, mode, shown_account FROM hedgerow.bots ORDER BY name, mode, account")
    return tuple(BotRow(account=row[0], name=row[1], mode=row[2], shown_account=row[3]) for row in rows)


def _lock_key(account: str) -> int:
    """Return the number of an account's advisory lock: 64 bits, signed."""
    return int.from_bytes(sha256(f"hedgerow {account}".encode()).digest()[:8], "big", signed=True)
