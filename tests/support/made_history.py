"""Market history like the archive of real data, made from a seed.

It has what real files have: stamps some milliseconds late, a settlement that is missing, an interval that changes, a
hole of more than two weeks, pairs that are listed late and one whose prices end, days on which everything falls,
funding of two exchanges, and the filters of one day, which do not suit the prices of another year. Columns:
docs/data.md; filters: docs/aster-api.md 7.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray
from pyarrow import parquet

from support.archives import FUNDING_COLUMNS, PRICE_COLUMNS, millis

__all__ = ["make_history"]

HOUR_MS = 3_600_000
LAST = datetime(2025, 7, 2, tzinfo=UTC)
ASTER_SINCE = datetime(2024, 6, 1, tzinfo=UTC)
INTEREST, DAMPER = 1e-4, 5e-4
"""Of the formula of a rate (docs/aster-api.md 11)."""
MISSING_HOURS = 399
"""Closes that are missing in a row in the pair with a hole."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class MadePair(Struct, frozen=True, kw_only=True):
    """A pair, and what is awkward about it."""

    symbol: str
    prices: tuple[float, float]
    """At the beginning and at the end; in between they wander."""
    listed: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    ends: datetime = LAST
    """The end of its prices; its funding goes on."""
    hole: datetime | None = None
    """The first of ``MISSING_HOURS`` without a close."""
    four_hours_since: datetime | None = None
    """When it began to pay every four hours."""
    on_aster: bool = False
    """Whether there is funding of Aster, too; one settlement of it is missing."""


PAIRS = (
    MadePair(symbol="ADAUSDT", prices=(0.033, 0.045), ends=datetime(2020, 3, 10, tzinfo=UTC)),
    MadePair(symbol="BTCUSDT", prices=(7_000.0, 105_000.0), on_aster=True),
    MadePair(
        symbol="ENAUSDT",
        prices=(1.1, 0.3),
        listed=datetime(2024, 4, 2, tzinfo=UTC),
        four_hours_since=datetime(2024, 7, 20, tzinfo=UTC),
    ),
    MadePair(symbol="ETHUSDT", prices=(130.0, 2_500.0), on_aster=True),
    MadePair(
        symbol="LINKUSDT",
        prices=(14.0, 11.0),
        listed=datetime(2024, 2, 1, tzinfo=UTC),
        ends=datetime(2024, 11, 2, 9, tzinfo=UTC),
    ),
    MadePair(symbol="SOLUSDT", prices=(100.0, 150.0), listed=datetime(2024, 1, 3, tzinfo=UTC), on_aster=True),
    MadePair(
        symbol="TRXUSDT",
        prices=(0.12, 0.27),
        listed=datetime(2024, 3, 1, tzinfo=UTC),
        hole=datetime(2025, 4, 14, 9, tzinfo=UTC),
    ),
    MadePair(symbol="XRPUSDT", prices=(0.19, 2.2)),
)
CRASHES: Mapping[str, Sequence[float]] = {
    "2020-03-12": (
        1,
        0.97,
        0.96,
        0.97,
        0.94,
        0.91,
        0.92,
        0.9,
        0.83,
        0.75,
        0.78,
        0.76,
        0.72,
        0.74,
        0.62,
        0.5,
        0.55,
        0.63,
    ),
    "2021-05-19": (
        1,
        0.98,
        0.95,
        0.96,
        0.93,
        0.9,
        0.86,
        0.88,
        0.79,
        0.72,
        0.65,
        0.71,
        0.8,
        0.84,
        0.78,
        0.82,
        0.85,
        0.83,
    ),
}
"""Days on which all prices fall: hour by hour the fraction that is left of those before. They come back in a week."""


def make_history(folder: Path) -> Path:
    """Write both files and the captured filters into a folder; takes half a second."""
    random = np.random.default_rng(7)
    prices = {pair.symbol: _closes(pair, random) for pair in PAIRS}
    funding = [rows for pair in PAIRS for rows in _funding(pair, prices[pair.symbol], random)]
    kept = [_kept(pair, prices[pair.symbol]) for pair in PAIRS]
    _write(folder / "prices_hourly.parquet", PRICE_COLUMNS, kept)
    _write(folder / "funding.parquet", FUNDING_COLUMNS, funding)
    _write_filters(folder / "aster")
    return folder


def _closes(pair: MadePair, random: np.random.Generator) -> pa.Table:
    """Return a close for every hour from the listing on."""
    opened = np.arange(millis(pair.listed) - HOUR_MS, millis(LAST), HOUR_MS, dtype=np.int64)
    count = len(opened)
    share = np.linspace(0.0, 1.0, count)
    wandering = np.cumsum(random.normal(0.0, 0.004, count))
    first, last = np.log(pair.prices)
    spot = np.exp(first + share * (last - first) + wandering - share * wandering[-1])
    for day, left in CRASHES.items():
        begin = int((millis(datetime.fromisoformat(day).replace(tzinfo=UTC)) - opened[0]) // HOUR_MS)
        if 0 < begin < count:
            path = np.concatenate([np.array(left), np.linspace(left[-1], 1.0, 150)])
            spot[begin : begin + len(path)] *= path[: count - begin]
    slow = np.convolve(random.normal(0.0, 1.0, count + 23), np.ones(24) / 24, mode="valid")
    premium = 2e-4 + 1e-3 * slow + random.normal(0.0, 1e-4, count)
    perp = spot * (1 + premium)
    return _table(
        PRICE_COLUMNS, ["binance", pair.symbol, opened, _rounded(spot), _rounded(perp), _rounded((spot + perp) / 2)]
    )


def _kept(pair: MadePair, closes: pa.Table) -> pa.Table:
    """Return the closes without the hole, and none after the end."""
    opened = closes["open_time"].to_numpy()
    kept = opened < millis(pair.ends)
    if pair.hole is not None:
        begin = millis(pair.hole)
        kept &= (opened < begin) | (opened >= begin + MISSING_HOURS * HOUR_MS)
    return closes.filter(pa.array(kept))


def _funding(pair: MadePair, closes: pa.Table, random: np.random.Generator) -> list[pa.Table]:
    """Return the settled rates of each exchange that has some of the pair."""
    premium = closes["perp_close"].to_numpy() / closes["spot_close"].to_numpy() - 1
    known = closes["open_time"].to_numpy() + HOUR_MS
    changes = LAST if pair.four_hours_since is None else pair.four_hours_since
    eight = _settled(premium, known[known < millis(changes)], 8, random)
    four = _settled(premium[known >= millis(changes)], known[known >= millis(changes)], 4, random)
    stamps, rates, hours = (np.concatenate([a, b]) for a, b in zip(eight, four, strict=True))
    found = [_table(FUNDING_COLUMNS, ["binance", pair.symbol, stamps, rates, hours, None])]
    if pair.on_aster:
        own = stamps >= millis(ASTER_SINCE)
        own[np.flatnonzero(own)[200]] = False
        other = _rounded(rates[own] + random.normal(0.0, 2e-5, int(own.sum())))
        found.append(_table(FUNDING_COLUMNS, ["aster", pair.symbol, stamps[own], other, hours[own], None]))
    return found


def _settled(
    premium: Floats, known: Integers, hours: int, random: np.random.Generator
) -> tuple[Integers, Floats, Floats]:
    """Return stamps, rates and intervals of the settlements among these hours; a rate follows from the mean premium."""
    at = np.flatnonzero(known // HOUR_MS % hours == 0)
    at = at[at >= hours]
    total = np.concatenate([[0.0], np.cumsum(premium[: len(known)])])
    mean = (total[at + 1] - total[at + 1 - hours]) / hours
    rates = (mean + np.clip(INTEREST - mean, -DAMPER, DAMPER)) * hours / 8
    late = random.integers(1, 20, len(at))
    return known[at] + late, _rounded(rates), np.full(len(at), float(hours))


def _rounded(values: Floats) -> Floats:
    return np.round(values, 8)


def _table(columns: Sequence[str], values: Sequence[Any]) -> pa.Table:
    count = max(len(value) for value in values if isinstance(value, np.ndarray))
    arrays = [
        pa.nulls(count, pa.float64())
        if value is None
        else pa.array([value] * count if isinstance(value, str) else value)
        for value in values
    ]
    return pa.table(dict(zip(columns, arrays, strict=True)))


def _write(path: Path, columns: Sequence[str], tables: Sequence[pa.Table]) -> None:
    """Write one row group for each table."""
    with parquet.ParquetWriter(path, tables[0].select(list(columns)).schema) as writer:
        for table in tables:
            writer.write_table(table)


def _write_filters(folder: Path) -> None:
    """Write what ``exchangeInfo`` of both markets listed on one day: grids differ between them, and some are odd."""
    folder.mkdir()
    perps = {
        "ADAUSDT": ("0.0001", "1"),
        "BTCUSDT": ("0.1", "0.001"),
        "ETHUSDT": ("0.01", "0.001"),
        "TRXUSDT": ("0.00001", "5"),
    }
    spots = {"ADAUSDT": ("0.0001", "0.1"), "BTCUSDT": ("0.01", "0.00001"), "ETHUSDT": ("0.01", "0.0001")}
    for name, listed in (("futures", perps), ("spot", spots)):
        rows = [_listed(symbol, *grid) for symbol, grid in listed.items()]
        reply = {
            "timezone": "UTC",
            "serverTime": millis(LAST),
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": rows,
        }
        (folder / f"{name}_exchangeInfo_2025-07.json.gz").write_bytes(gzip.compress(json.dumps(reply).encode()))


def _listed(symbol: str, tick: str, lot: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": "USDT",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "stepSize": lot, "minQty": lot, "maxQty": "1000000"},
            {"filterType": "MARKET_LOT_SIZE", "stepSize": lot, "minQty": lot, "maxQty": "100000"},
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.0500", "multiplierDown": "0.9500"},
        ],
    }
