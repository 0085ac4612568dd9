"""Tiny market archives that a test writes itself, in the layout ``hedgerow.history`` reads."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

START = datetime(2025, 3, 1, tzinfo=UTC)
PRICE_COLUMNS = ("exchange", "symbol", "open_time", "spot_close", "perp_close", "mark_close")
FUNDING_COLUMNS = ("exchange", "symbol", "funding_time", "rate", "interval_hours", "mark_price")
TYPES = {
    "exchange": pa.string(),
    "symbol": pa.string(),
    "open_time": pa.int64(),
    "funding_time": pa.int64(),
}

Row = tuple[Any, ...]


def millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def hours(count: int, *, symbol: str = "BTCUSDT", venue: str = "binance", first: datetime = START) -> list[Row]:
    """Hourly rows: the n-th spot close is 1000 + n, the perpetual 2 bp above it, the mark 1 bp."""
    rows: list[Row] = []
    for n in range(count):
        spot = 1000.0 + n
        opened = millis(first + timedelta(hours=n))
        rows.append((venue, symbol, opened, spot, round(spot * 1.0002, 6), round(spot * 1.0001, 6)))
    return rows


def prints(
    count: int,
    *,
    symbol: str = "BTCUSDT",
    venue: str = "binance",
    first: datetime = START,
    interval: int = 8,
    jitter_ms: int = 0,
) -> list[Row]:
    """Settlements: the n-th rate is (n + 1) x 1e-6."""
    rows: list[Row] = []
    for n in range(count):
        at = millis(first + timedelta(hours=n * interval)) + jitter_ms
        rows.append((venue, symbol, at, (n + 1) / 1_000_000, float(interval), None))
    return rows


def write_archive(directory: Path, prices: Iterable[Row], funding: Iterable[Row]) -> Path:
    write_rows(directory / "prices_hourly.parquet", PRICE_COLUMNS, list(prices))
    write_rows(directory / "funding.parquet", FUNDING_COLUMNS, list(funding))
    return directory


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    data = {
        name: pa.array([row[index] for row in rows], TYPES.get(name, pa.float64()))
        for index, name in enumerate(columns)
    }
    parquet.write_table(pa.table(data), path)
