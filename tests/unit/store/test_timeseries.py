"""A time series keeps what screens show of the past, stays small, and no state of its file does harm."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

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
from hedgerow.store.timeseries import SqliteTimeSeries, TimeSeriesReader

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTES = timedelta(minutes=5)


def point(at: datetime, notional: int = 500) -> SeriesPoint:
    return SeriesPoint(
        at=at,
        kind=MarkKind.HEDGED,
        covered_seconds=300.0,
        equity=Decimal("1000.123456"),
        net=Decimal("1.23456"),
        funding=Decimal("2.3456"),
        fees=Decimal("0.987654"),
        basis=None,
        notional=Decimal(notional),
        symbols="AAAUSDT",
    )


def decision(at: datetime, reason: str = "position healthy", symbol: str = "AAAUSDT") -> DecisionCount:
    return DecisionCount(at=at, until=at, action="hold", reason=reason, detail=f"{at:%H:%M}", symbol=symbol)


RATES = tuple(
    PairRate(symbol=symbol, at=START + timedelta(hours=8 * number), rate=0.0001 * number, interval_hours=8)
    for number in range(3)
    for symbol in ("AAAUSDT", "BBBUSDT")
)
PAYMENT = PaymentMade(at=START, symbol="AAAUSDT", amount=Decimal("1.23456789012"), tran_id=2**64 - 7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hedgerow.series.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteTimeSeries]:
    with closing(SqliteTimeSeries(path)) as opened:
        yield opened


def test_what_was_added_is_read_again_by_another_process(path: Path, store: SqliteTimeSeries) -> None:
    points = tuple(point(START + MINUTES * number, notional=500 * (number > 0)) for number in range(4))
    cost = PairCost(symbol="AAAUSDT", fraction=Decimal("0.003"))
    store.add(SeriesBatch(points=points, payments=(PAYMENT,), rates=RATES, costs=(cost,)))
    reader = TimeSeriesReader(path)
    assert reader.points(START - MINUTES) == points
    assert reader.points(START, START + MINUTES) == points[1:2]
    assert reader.first_points(1) == points[1:2]
    assert reader.payments(5) == (PAYMENT,)
    assert reader.rates(START, ["BBBUSDT"]) == tuple(r for r in RATES if r.symbol == "BBBUSDT" and r.at > START)
    assert set(reader.rates(START - MINUTES)) == set(RATES)
    assert reader.costs() == (cost,)
    store.add(SeriesBatch(points=points, payments=(PAYMENT,), rates=RATES))
    assert (reader.points(START - MINUTES), reader.payments(5)) == (points, (PAYMENT,))
    with pytest.raises(StoreError, match="opened for reading"):
        reader.add(SeriesBatch())
    reader.close()
    store.close()


def test_the_same_decision_about_a_pair_is_one_row(store: SqliteTimeSeries) -> None:
    for number in range(735):
        store.add(SeriesBatch(decisions=(decision(START + MINUTES * number), decision(START, symbol="BBBUSDT"))))
    store.add(SeriesBatch(decisions=(decision(START + timedelta(days=9), reason="openings are halted"),)))
    newest, *others = store.decisions(10)
    assert newest.reason == "openings are halted"
    assert {(each.symbol, each.count) for each in others} == {("AAAUSDT", 735), ("BBBUSDT", 735)}
    healthy = next(each for each in others if each.symbol == "AAAUSDT")
    assert (healthy.at, healthy.until) == (START, START + MINUTES * 734)
    assert healthy.detail == f"{healthy.until:%H:%M}"


@pytest.mark.slow
def test_a_year_of_checks_takes_less_than_ten_megabytes(path: Path, store: SqliteTimeSeries) -> None:
    pairs = [f"P{number:02}USDT" for number in range(24)]
    for week in range(52):
        at = START + timedelta(weeks=week)
        payments = tuple(
            PaymentMade(
                at=at + timedelta(hours=4 * number),
                symbol=pairs[number % 24],
                amount=Decimal("1.23456789"),
                tran_id=week * 100 + number,
            )
            for number in range(42)
        )
        rates = tuple(
            PairRate(symbol=pair, at=at + timedelta(hours=4 * number), rate=0.000123456, interval_hours=4)
            for number in range(42)
            for pair in pairs
        )
        points = tuple(point(at + MINUTES * number) for number in range(7 * 288))
        decisions = tuple(decision(at + MINUTES * number, reason=f"reason {number % 2}") for number in range(150))
        store.add(SeriesBatch(points=points, decisions=decisions, payments=payments, rates=rates))
    assert len(store.points(START - MINUTES)) == pytest.approx(335 * 24 + 30 * 288, abs=2000)
    store.close()
    assert path.stat().st_size < 10_000_000


def test_a_locked_file_fails_soon_and_is_written_later(path: Path, store: SqliteTimeSeries) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            store.add(SeriesBatch(points=(point(START),)))
        with pytest.raises(StoreError, match="locked"):
            SqliteTimeSeries(path)
    store.add(SeriesBatch(points=(point(START),)))
    assert len(store.points(START - MINUTES)) == 1


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path: Path) -> None:
    path.write_bytes(b"no database at all, and longer than a header of SQLite needs to be to be looked at" * 20)
    with closing(SqliteTimeSeries(path)) as store:
        store.add(SeriesBatch(points=(point(START),)))
        assert len(store.points(START - MINUTES)) == 1
    assert path.with_name("hedgerow.series.db.damaged").read_bytes().startswith(b"no database")


def test_a_file_that_is_damaged_while_it_is_open_is_set_aside(path: Path, store: SqliteTimeSeries) -> None:
    store.add(SeriesBatch(points=tuple(point(START + MINUTES * number) for number in range(500))))
    path.write_bytes(b"\0" * 40_000)
    with pytest.raises(StoreError, match="set aside"):
        store.add(SeriesBatch(points=(point(START),)))
    store.add(SeriesBatch(points=(point(START),)))
    assert len(store.points(START - MINUTES)) == 1


def test_a_full_disk_is_an_error_and_nothing_is_set_aside(path: Path, store: SqliteTimeSeries) -> None:
    connection: sqlite3.Connection = vars(store)["_connection"]
    connection.execute("PRAGMA max_page_count = 9")
    with pytest.raises(StoreError, match="full"):
        store.add(SeriesBatch(points=tuple(point(START + MINUTES * number) for number in range(3000))))
    assert store.points(START - MINUTES) == ()
    assert not path.with_name("hedgerow.series.db.damaged").exists()


def test_a_file_of_something_else_is_not_read(path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        TimeSeriesReader(path)
    assert not path.exists()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY)")
    with pytest.raises(StoreError, match="no time series of this version"):
        TimeSeriesReader(path)


def test_a_series_of_another_version_is_set_aside(path: Path) -> None:
    SqliteTimeSeries(path).close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("PRAGMA user_version = 99")
    SqliteTimeSeries(path).close()
    assert path.with_name("hedgerow.series.db.damaged").exists()


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        SqliteTimeSeries(tmp_path)
