"""A bot's time series in one small SQLite file of its own, which may be deleted without harm.

It is not synced: what a power cut takes was only shown. A file that is damaged is set aside, and a new one begun.
Points older than 30 days are thinned to one an hour; a year takes less than 10 MB.
"""

import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from hedgerow.domain.errors import StoreError
from hedgerow.domain.records.time_series import (
    DecisionCount,
    MarkKind,
    PairCost,
    PairRate,
    PaymentMade,
    SeriesBatch,
    SeriesPoint,
)

__all__ = ["SqliteTimeSeries", "TimeSeriesReader"]

APPLICATION_ID: Final = 0x48_44_54_53
"""``HDTS``: marks a SQLite file as a time series of Hedgerow."""
VERSION: Final = 1
LOCKED_SECONDS: Final = 0.2
"""How long a write waits for a reader; it is tried again with the next one."""
READ_SECONDS: Final = 1.0
FULL_DAYS: Final = 30
"""For so long every point is kept."""
DECISIONS_KEPT: Final = 20_000
CACHE_KIB: Final = 256
HOUR: Final = 3600
DECIMALS: Final = 8
SCHEMA: Final = f"""
CREATE TABLE points (
    at INTEGER PRIMARY KEY, kind TEXT NOT NULL, covered REAL NOT NULL, equity REAL, net REAL, funding REAL NOT NULL,
    fees REAL NOT NULL, basis REAL, notional REAL NOT NULL, symbols TEXT NOT NULL
);
CREATE TABLE decisions (
    number INTEGER PRIMARY KEY, at INTEGER NOT NULL, until INTEGER NOT NULL, action TEXT NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL, symbol TEXT NOT NULL, count INTEGER NOT NULL
);
CREATE INDEX decisions_of ON decisions (symbol, number);
CREATE TABLE payments (tran_id TEXT PRIMARY KEY, at INTEGER NOT NULL, symbol TEXT NOT NULL, amount TEXT NOT NULL);
CREATE TABLE pairs (number INTEGER PRIMARY KEY, symbol TEXT NOT NULL UNIQUE, cost REAL);
CREATE TABLE rates (
    at INTEGER NOT NULL, pair INTEGER NOT NULL, rate REAL NOT NULL, hours INTEGER NOT NULL, PRIMARY KEY (at, pair)
) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""


class _Reading:
    """What reading a time series is."""

    _path: Path
    _connection: sqlite3.Connection

    def points(self, since: datetime, until: datetime | None = None) -> tuple[SeriesPoint, ...]:
        """Return the points after ``since``, up to and including ``until``, oldest first."""
        last = 2**62 if until is None else _stamp(until)
        rows = self._rows("SELECT * FROM points WHERE at > ? AND at <= ? ORDER BY at", (_stamp(since), last))
        return tuple(map(_point, rows))

    def first_points(self, count: int) -> tuple[SeriesPoint, ...]:
        """Return the oldest points at which a hedge was held, oldest first."""
        rows = self._rows("SELECT * FROM points WHERE notional > 0 ORDER BY at LIMIT ?", (count,))
        return tuple(map(_point, rows))

    def decisions(self, count: int) -> tuple[DecisionCount, ...]:
        """Return the newest decisions, newest first."""
        rows = self._rows(
            "SELECT at, until, action, reason, detail, symbol, count FROM decisions ORDER BY number DESC LIMIT ?",
            (count,),
        )
        return tuple(
            DecisionCount(
                at=_time(at),
                until=_time(until),
                action=action,
                reason=reason,
                detail=detail,
                symbol=symbol,
                count=often,
            )
            for at, until, action, reason, detail, symbol, often in rows
        )

    def payments(self, count: int) -> tuple[PaymentMade, ...]:
        """Return the newest funding payments, newest first."""
        rows = self._rows(
            "SELECT at, symbol, amount, tran_id FROM payments ORDER BY at DESC, tran_id DESC LIMIT ?", (count,)
        )
        return tuple(
            PaymentMade(at=_time(at), symbol=symbol, amount=Decimal(amount), tran_id=int(tran_id))
            for at, symbol, amount, tran_id in rows
        )

    def rates(self, since: datetime, symbols: Sequence[str] | None = None) -> tuple[PairRate, ...]:
        """Return the settled rates after ``since``, oldest first."""
        rows = self._rows(
            "SELECT symbol, at, rate, hours FROM rates JOIN pairs ON pairs.number = rates.pair WHERE at > ?"
            " ORDER BY at, symbol",
            (_stamp(since),),
        )
        return tuple(
            PairRate(symbol=symbol, at=_time(at), rate=rate, interval_hours=hours)
            for symbol, at, rate, hours in rows
            if symbols is None or symbol in symbols
        )

    def costs(self) -> tuple[PairCost, ...]:
        """Return what trading each pair costs."""
        rows = self._rows("SELECT symbol, cost FROM pairs WHERE cost IS NOT NULL ORDER BY symbol", ())
        return tuple(PairCost(symbol=symbol, fraction=_amount(cost)) for symbol, cost in rows)

    def close(self) -> None:
        """Release the file; may be called twice."""
        self._connection.close()

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[Any]:
        with self._guarded("read"):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _guarded(self, verb: str) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, ArithmeticError) as error:
            raise StoreError(f"cannot {verb} the time series {self._path}: {error}") from error


class TimeSeriesReader(_Reading):
    """Reads the time series of a bot that may be running; writes nothing.

    Raises:
        StoreError: there is none, it cannot be read, or a newer version wrote it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._guarded("open"):
            address = f"file:{quote(str(path))}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True, timeout=READ_SECONDS, check_same_thread=False)
        try:
            with self._guarded("open"):
                self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        found = [
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        ]
        if found != [APPLICATION_ID, VERSION]:
            raise StoreError(f"{self._path} is no time series of this version")

    def add(self, batch: SeriesBatch) -> None:
        """Refuse: it is opened for reading.

        Raises:
            StoreError: always.
        """
        raise StoreError(f"{self._path} is opened for reading; {len(batch.points)} points are not added")


class SqliteTimeSeries(_Reading):
    """A ``TimeSeriesStore`` in one file, created when missing; what cannot be used is set aside, not repaired.

    Raises:
        StoreError: the file cannot be opened now: another process holds it, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thinned: datetime | None = None
        self._open()

    def add(self, batch: SeriesBatch) -> None:
        """Add a batch as one transaction; the newest point decides what is old.

        Raises:
            StoreError: it could not be written now; a damaged file was set aside, and the next one goes to a new one.
        """
        try:
            with self._connection:
                self._insert(batch)
        except sqlite3.OperationalError as error:
            raise StoreError(f"cannot write the time series {self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            self._set_aside()
            raise StoreError(f"the time series {self._path} is damaged and was set aside: {error}") from error

    def _open(self) -> None:
        for attempt in range(2):
            try:
                self._connection = self._connect()
            except sqlite3.OperationalError as error:
                raise StoreError(f"cannot open the time series {self._path}: {error}") from error
            except sqlite3.DatabaseError as error:
                if attempt:
                    raise StoreError(f"cannot open the time series {self._path}: {error}") from error
                self._rename()
            else:
                return

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=LOCKED_SECONDS, check_same_thread=False)
        try:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute("PRAGMA synchronous = OFF")
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and not _is_ours(connection):
                raise sqlite3.DatabaseError("it is no time series of this version")  # noqa: TRY301 - one way to be useless
            if not tables:
                connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _set_aside(self) -> None:
        self._connection.close()
        self._rename()
        with suppress(StoreError):
            self._open()

    def _rename(self) -> None:
        with suppress(OSError):
            self._path.replace(self._path.with_name(f"{self._path.name}.damaged"))

    def _insert(self, batch: SeriesBatch) -> None:
        run = self._connection.executemany
        run("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_row, batch.points))
        run(
            "INSERT OR IGNORE INTO payments VALUES (?, ?, ?, ?)",
            [(str(each.tran_id), _stamp(each.at), each.symbol, str(each.amount)) for each in batch.payments],
        )
        symbols = {each.symbol for each in batch.rates} | {each.symbol for each in batch.costs}
        run("INSERT OR IGNORE INTO pairs (symbol) VALUES (?)", [(symbol,) for symbol in sorted(symbols)])
        run("UPDATE pairs SET cost = ? WHERE symbol = ?", [(float(each.fraction), each.symbol) for each in batch.costs])
        run(
            "INSERT OR IGNORE INTO rates SELECT ?, number, ?, ? FROM pairs WHERE symbol = ?",
            [(_stamp(each.at), each.rate, each.interval_hours, each.symbol) for each in batch.rates],
        )
        for made in batch.decisions:
            self._count(made)
        if batch.points:
            self._thin(batch.points[-1].at)

    def _count(self, made: DecisionCount) -> None:
        last = self._connection.execute(
            "SELECT number, action, reason FROM decisions WHERE symbol = ? ORDER BY number DESC LIMIT 1", (made.symbol,)
        ).fetchone()
        if last is not None and last[1:] == (made.action, made.reason):
            self._connection.execute(
                "UPDATE decisions SET until = ?, detail = ?, count = count + ? WHERE number = ?",
                (_stamp(made.until), made.detail, made.count, last[0]),
            )
            return
        values = (_stamp(made.at), _stamp(made.until), made.action, made.reason, made.detail, made.symbol, made.count)
        self._connection.execute(
            "INSERT INTO decisions (at, until, action, reason, detail, symbol, count) VALUES (?, ?, ?, ?, ?, ?, ?)",
            values,
        )

    def _thin(self, now: datetime) -> None:
        """Keep one point an hour of what is old, once a day."""
        if self._thinned is not None and abs(now - self._thinned) < timedelta(days=1):
            return
        self._thinned = now
        old = _stamp(now - timedelta(days=FULL_DAYS)) // HOUR * HOUR
        run = self._connection.execute
        run(
            f"DELETE FROM points WHERE at < ? AND at NOT IN"  # noqa: S608 - a constant
            f" (SELECT max(at) FROM points WHERE at < ? GROUP BY at / {HOUR})",
            (old, old),
        )
        run("DELETE FROM decisions WHERE number <= (SELECT max(number) FROM decisions) - ?", (DECISIONS_KEPT,))


def _is_ours(connection: sqlite3.Connection) -> bool:
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return found == [APPLICATION_ID, VERSION]


def _row(point: SeriesPoint) -> tuple[Any, ...]:
    money = (point.equity, point.net, point.funding, point.fees, point.basis, point.notional)
    amounts = (None if value is None else float(value) for value in money)
    return (_stamp(point.at), point.kind.value, point.covered_seconds, *amounts, point.symbols)


def _point(row: Iterable[Any]) -> SeriesPoint:
    at, kind, covered, equity, net, funding, fees, basis, notional, symbols = row
    return SeriesPoint(
        at=_time(at),
        kind=MarkKind(kind),
        covered_seconds=covered,
        equity=None if equity is None else _amount(equity),
        net=None if net is None else _amount(net),
        funding=_amount(funding),
        fees=_amount(fees),
        basis=None if basis is None else _amount(basis),
        notional=_amount(notional),
        symbols=symbols,
    )


def _amount(value: float) -> Decimal:
    return round(Decimal(repr(value)), DECIMALS)


def _stamp(at: datetime) -> int:
    return int(at.timestamp())


def _time(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)
