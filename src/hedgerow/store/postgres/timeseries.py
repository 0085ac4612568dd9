"""The time series of one bot in the database: what screens show of the past; it may be deleted without harm."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

import msgspec
import psycopg

from hedgerow.domain.records.time_series import (
    DecisionCount,
    PairCost,
    PairRate,
    PaymentMade,
    SeriesBatch,
    SeriesPoint,
)
from hedgerow.store.postgres.connection import Connection, Row

__all__ = ["PostgresTimeSeries"]

FULL_DAYS: Final = 30
"""For so long every point is kept; older ones are thinned to one an hour."""
DECISIONS_KEPT: Final = 20_000
_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")
_POINTS: Final = msgspec.json.Decoder(SeriesPoint)


class PostgresTimeSeries:
    """A ``TimeSeriesStore``; a reader has no fence, and adds nothing.

    Times are kept to the second, as in the file of a home.
    """

    def __init__(self, connection: Connection, account: str, *, epoch: int | None = None) -> None:
        """``epoch`` is the fence of the bot that adds; the connection belongs to the time series."""
        self._connection = connection
        self._account = account
        self._epoch = epoch
        self._thinned: datetime | None = None

    def add(self, batch: SeriesBatch) -> None:
        """Add a batch as one transaction; the newest point decides what is old. A bot that was replaced adds nothing.

        Raises:
            StoreError: it could not be written now.
        """
        with self._connection.transaction() as raw:
            held = raw.execute(
                "SELECT FROM hedgerow.bots WHERE account = %s AND epoch = %s", (self._account, self._epoch)
            )
            if held.rowcount:
                self._insert(raw, batch)

    def points(self, since: datetime, until: datetime | None = None) -> tuple[SeriesPoint, ...]:
        """Return the points after ``since``, up to and including ``until``, oldest first."""
        rows = self._rows(
            "SELECT payload FROM hedgerow.series_points WHERE account = %s AND at > %s"
            " AND at <= coalesce(%s::timestamptz, 'infinity') ORDER BY at",
            _second(since),
            None if until is None else _second(until),
        )
        return tuple(_POINTS.decode(row[0]) for row in rows)

    def first_points(self, count: int) -> tuple[SeriesPoint, ...]:
        """Return the oldest points at which a hedge was held, oldest first."""
        rows = self._rows(
            "SELECT payload FROM hedgerow.series_points WHERE account = %s AND held ORDER BY at LIMIT %s", count
        )
        return tuple(_POINTS.decode(row[0]) for row in rows)

    def decisions(self, count: int) -> tuple[DecisionCount, ...]:
        """Return the newest decisions, newest first."""
        rows = self._rows(
            "SELECT at, until, action, reason, detail, symbol, count FROM hedgerow.series_decisions"
            " WHERE account = %s ORDER BY number DESC LIMIT %s",
            count,
        )
        return tuple(
            DecisionCount(
                at=row[0], until=row[1], action=row[2], reason=row[3], detail=row[4], symbol=row[5], count=row[6]
            )
            for row in rows
        )

    def payments(self, count: int) -> tuple[PaymentMade, ...]:
        """Return the newest funding payments, newest first."""
        rows = self._rows(
            "SELECT at, symbol, amount, tran_id FROM hedgerow.series_payments WHERE account = %s"
            " ORDER BY at DESC, tran_id DESC LIMIT %s",
            count,
        )
        return tuple(PaymentMade(at=row[0], symbol=row[1], amount=row[2], tran_id=row[3]) for row in rows)

    def rates(self, since: datetime, symbols: Sequence[str] | None = None) -> tuple[PairRate, ...]:
        """Return the settled rates after ``since``, oldest first; ``symbols`` None = of every pair."""
        rows = self._rows(
            "SELECT symbol, at, rate, hours FROM hedgerow.series_rates WHERE account = %s AND at > %s"
            " AND (%s::text[] IS NULL OR symbol = ANY(%s::text[])) ORDER BY at, symbol",
            _second(since),
            *[None if symbols is None else list(symbols)] * 2,
        )
        return tuple(PairRate(symbol=row[0], at=row[1], rate=row[2], interval_hours=row[3]) for row in rows)

    def costs(self) -> tuple[PairCost, ...]:
        """Return what trading each pair costs."""
        rows = self._rows("SELECT symbol, fraction FROM hedgerow.series_costs WHERE account = %s ORDER BY symbol")
        return tuple(PairCost(symbol=row[0], fraction=row[1]) for row in rows)

    def close(self) -> None:
        """Close the connection; may be called twice."""
        self._connection.close()

    def _rows(self, query: LiteralString, *values: Any) -> list[Row]:
        return self._connection.rows(query, (self._account, *values))

    def _insert(self, raw: psycopg.Connection[Row], batch: SeriesBatch) -> None:
        account = self._account
        cursor = raw.cursor()
        cursor.executemany(
            "INSERT INTO hedgerow.series_points VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (account, at) DO UPDATE SET held = excluded.held, payload = excluded.payload",
            [(account, _second(each.at), each.notional > 0, _encoded(each)) for each in batch.points],
        )
        cursor.executemany(
            "INSERT INTO hedgerow.series_payments VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(account, each.tran_id, _second(each.at), each.symbol, each.amount) for each in batch.payments],
        )
        cursor.executemany(
            "INSERT INTO hedgerow.series_rates VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [(account, _second(each.at), each.symbol, each.rate, each.interval_hours) for each in batch.rates],
        )
        cursor.executemany(
            "INSERT INTO hedgerow.series_costs VALUES (%s, %s, %s)"
            " ON CONFLICT (account, symbol) DO UPDATE SET fraction = excluded.fraction",
            [(account, each.symbol, each.fraction) for each in batch.costs],
        )
        for made in batch.decisions:
            self._count(raw, made)
        if batch.points:
            self._thin(raw, batch.points[-1].at)

    def _count(self, raw: psycopg.Connection[Row], made: DecisionCount) -> None:
        last = raw.execute(
            "SELECT number, action, reason FROM hedgerow.series_decisions WHERE account = %s AND symbol = %s"
            " ORDER BY number DESC LIMIT 1",
            (self._account, made.symbol),
        ).fetchone()
        if last is not None and last[1:] == (made.action, made.reason):
            raw.execute(
                "UPDATE hedgerow.series_decisions SET until = %s, detail = %s, count = count + %s"
                " WHERE account = %s AND number = %s",
                (_second(made.until), made.detail, made.count, self._account, last[0]),
            )
            return
        raw.execute(
            "INSERT INTO hedgerow.series_decisions (account, at, until, action, reason, detail, symbol, count)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(self._account, _second(made.at), _second(made.until), made.action),
                *(made.reason, made.detail, made.symbol, made.count),
            ),
        )

    def _thin(self, raw: psycopg.Connection[Row], now: datetime) -> None:
        """Keep one point an hour of what is old, once a day."""
        if self._thinned is not None and abs(now - self._thinned) < timedelta(days=1):
            return
        self._thinned = now
        old = (now - timedelta(days=FULL_DAYS)).replace(minute=0, second=0, microsecond=0)
        raw.execute(
            "DELETE FROM hedgerow.series_points WHERE account = %(account)s AND at < %(old)s AND at NOT IN"
            " (SELECT max(at) FROM hedgerow.series_points WHERE account = %(account)s AND at < %(old)s"
            " GROUP BY date_trunc('hour', at))",
            {"account": self._account, "old": old},
        )
        raw.execute(
            "DELETE FROM hedgerow.series_decisions WHERE account = %(account)s AND number <="
            " (SELECT number FROM hedgerow.series_decisions WHERE account = %(account)s"
            " ORDER BY number DESC OFFSET %(kept)s LIMIT 1)",
            {"account": self._account, "kept": DECISIONS_KEPT},
        )


def _encoded(point: SeriesPoint) -> bytes:
    return _ENCODER.encode(msgspec.structs.replace(point, at=_second(point.at)))


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
