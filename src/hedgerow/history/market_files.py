"""Writes market history: the two files that the demo and the backtest read, merged from what a download has read.

What was read waits in small Parquet files in ``.download`` until the whole is merged, so that an interrupted download
goes on where it ended. Which windows the two files hold of each series is kept in their own metadata. The bytes of
both depend on what they hold and on nothing else: rows are sorted by exchange, symbol and time, a row group per symbol.
"""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from hedgerow.domain.errors import HistoryError
from hedgerow.history.arrow import load_arrow, put_in_place, read_whole, write_whole
from hedgerow.history.parquet import FUNDING_FILE, PRICES_FILE
from hedgerow.history.quality import HOUR_MS, INTERVALS, JITTER_MS

__all__ = ["MarketFiles", "Part", "SeriesName", "Span", "settled_intervals"]

PARTS: Final = ".download"
COVERAGE, SOURCE = b"hedgerow.coverage", b"hedgerow.source"
"""Keys of a file's metadata: the windows of each series, and the address that they were read from."""
PART_NAME = re.compile(r"(?P<symbol>.+)\.(?P<series>[a-z]+)\.(?P<from_ms>\d+)-(?P<until_ms>\d+)\.parquet")
KEYS: Final = ("exchange", "symbol")


class SeriesName(StrEnum):
    """What is downloaded of a symbol."""

    FUNDING = "funding"
    SPOT = "spot"
    PERP = "perp"
    MARK = "mark"
    INDEX = "index"


PRICE_SERIES: Final = (SeriesName.SPOT, SeriesName.PERP, SeriesName.MARK, SeriesName.INDEX)
TURNOVERS: Final = {SeriesName.SPOT: "spot_quote_volume", SeriesName.PERP: "perp_quote_volume"}
CLOSES: Final = {series: f"{series}_close" for series in PRICE_SERIES}
PRICE_COLUMNS: Final = (*KEYS, "open_time", *CLOSES.values(), *TURNOVERS.values())
FUNDING_COLUMNS: Final = (*KEYS, "funding_time", "rate", "interval_hours", "mark_price")
COLUMNS: Final = {PRICES_FILE: PRICE_COLUMNS, FUNDING_FILE: FUNDING_COLUMNS}
FILE_OF: Final = {series: FUNDING_FILE if series is SeriesName.FUNDING else PRICES_FILE for series in SeriesName}
TIMES: Final = frozenset({"open_time", "funding_time"})
Columns = dict[str, list[Any]]
Coverage = dict[str, dict[str, list[list[int]]]]
"""By symbol and series: the windows."""


class Span(Struct, frozen=True, kw_only=True, order=True):
    """A window in milliseconds since the epoch, the end excluded."""

    from_ms: int
    until_ms: int


class Part(Struct, frozen=True, kw_only=True):
    """What was read of one series in one window."""

    symbol: str
    series: SeriesName
    span: Span
    times_ms: Sequence[int]
    values: Sequence[float]
    """Closes in quote units, or rates as fractions per interval."""
    turnovers: Sequence[float] = ()
    """Quote units; empty for a series that is not made of trades."""

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.symbol}.{self.series}.{self.span.from_ms}-{self.span.until_ms}.parquet"


class MarketFiles:
    """The history of one exchange in one folder, and what was read for it and is not merged yet.

    ``source`` is the address of the exchange: data of two networks are never mixed in one folder.
    """

    def __init__(self, folder: Path, *, exchange: str, source: str) -> None:
        """Find out what is there.

        Raises:
            HistoryError: pyarrow is missing, a file is not whole, or it holds data of another address.
        """
        load_arrow()
        self.folder = folder
        self._exchange = exchange
        self._source = source
        self._coverage = {name: self._covered(folder / name) for name in COLUMNS}

    @property
    def parts(self) -> tuple[Path, ...]:
        """Files of what was read and is not merged yet, by name."""
        return tuple(sorted(path for path in (self.folder / PARTS).glob("*.parquet") if PART_NAME.fullmatch(path.name)))

    def missing(self, symbol: str, series: SeriesName, wanted: Span) -> tuple[Span, ...]:
        """Return the windows to read, so that what is there and what is wanted become one without a hole."""
        known = self._known(symbol, series)
        edges = sorted(
            {wanted.from_ms, wanted.until_ms, *(ms for span in known for ms in (span.from_ms, span.until_ms))}
        )
        pieces = (Span(from_ms=first, until_ms=last) for first, last in pairwise(edges))
        gaps = [piece for piece in pieces if not any(_holds(span, piece) for span in known)]
        return tuple(_joined(gaps))

    def add(self, part: Part) -> None:
        """Keep what was read.

        Raises:
            OSError: it cannot be written.
        """
        arrow, _ = load_arrow()
        folder = self.folder / PARTS
        folder.mkdir(exist_ok=True)
        (folder / "source").write_text(self._source, encoding="utf-8")
        turnovers: Sequence[float | None] = part.turnovers or [None] * len(part.values)
        table = arrow.table(
            {
                "time": arrow.array(part.times_ms, arrow.int64()),
                "value": arrow.array(part.values, arrow.float64()),
                "turnover": arrow.array(turnovers, arrow.float64()),
            }
        )
        write_whole(folder / part.name, table)

    def merge(self, intervals: Mapping[str, int]) -> None:
        """Merge what was read into the two files; those are replaced whole, or stay as they are.

        ``intervals`` are the present funding intervals in hours, for rates beside which no other one shows it.

        Raises:
            HistoryError: a file cannot be read.
            OSError: a file cannot be written.
        """
        for name in COLUMNS:
            parts = [path for path in self.parts if FILE_OF[_named(path).series] == name]
            if parts or not (self.folder / name).exists():
                self._merge_file(name, parts, intervals)
        shutil.rmtree(self.folder / PARTS, ignore_errors=True)

    def _known(self, symbol: str, series: SeriesName) -> list[Span]:
        """Return the windows that were read of a series, merged or not."""
        merged = self._coverage[FILE_OF[series]].get(symbol, {}).get(series, [])
        named = [_named(path) for path in self.parts]
        waiting = [each.span for each in named if (each.symbol, each.series) == (symbol, series)]
        return [*(Span(from_ms=first, until_ms=last) for first, last in merged), *waiting]

    def _covered(self, path: Path) -> Coverage:
        """Return the windows of each series that a file holds; none where it was not written here."""
        _, parquet = load_arrow()
        waiting = self.folder / PARTS / "source"
        if waiting.exists():
            self._refuse_other(waiting.read_text(encoding="utf-8"))
        if not path.exists():
            return {}
        try:
            schema = parquet.read_schema(path)
        except (OSError, ValueError) as error:
            raise HistoryError(f"{path}: not a readable Parquet file ({' '.join(str(error).split())})") from error
        lost = sorted(set(schema.names) - set(COLUMNS[path.name]))
        if lost:
            raise HistoryError(f"{path}: has the column {lost[0]!r}, which a download would lose: use another folder")
        metadata: Mapping[bytes, bytes] = schema.metadata or {}
        if SOURCE in metadata:
            self._refuse_other(metadata[SOURCE].decode())
        elif any(exchange == self._exchange for exchange, _ in _groups(path)):
            raise HistoryError(
                f"{path}: has rows of {self._exchange} and does not say where they were read: use another folder"
            )
        covered: Coverage = json.loads(metadata.get(COVERAGE, b"{}"))
        return covered

    def _refuse_other(self, source: str) -> None:
        if source != self._source:
            raise HistoryError(f"{self.folder}: holds data of {source}: use another folder for {self._source}")

    def _merge_file(self, name: str, parts: Sequence[Path], intervals: Mapping[str, int]) -> None:
        arrow, parquet = load_arrow()
        path = self.folder / name
        coverage = self._coverage[name]
        by_symbol: dict[str, list[Path]] = {}
        for part in parts:
            named = _named(part)
            by_symbol.setdefault(named.symbol, []).append(part)
            series = coverage.setdefault(named.symbol, {})
            spans = [Span(from_ms=first, until_ms=last) for first, last in series.get(named.series, [])]
            series[named.series] = [[each.from_ms, each.until_ms] for each in _joined([*spans, named.span])]
        there = _groups(path)
        described = {COVERAGE: json.dumps(coverage, sort_keys=True).encode(), SOURCE: self._source.encode()}
        schema = arrow.schema([(column, _type_of(column)) for column in COLUMNS[name]], metadata=described)
        draft = path.with_name(f".{name}.tmp")
        with parquet.ParquetWriter(draft, schema) as writer:
            for exchange, symbol in sorted({*there, *((self._exchange, each) for each in by_symbol)}):
                kept = _rows(path, exchange, symbol) if (exchange, symbol) in there else {}
                if exchange == self._exchange and symbol in by_symbol:
                    merge = _merged_funding if name == FUNDING_FILE else _merged_prices
                    kept = merge(kept, by_symbol[symbol], intervals.get(symbol))
                columns = _completed(kept, COLUMNS[name], exchange, symbol)
                writer.write_table(arrow.table(columns, schema=schema))
        put_in_place(draft, path)


class _PartName(Struct, frozen=True, kw_only=True):
    """What the name of a part says."""

    symbol: str
    series: SeriesName
    span: Span


def settled_intervals(times_ms: Sequence[int], present: int | None) -> list[int]:
    """Return the funding interval in hours of each settlement: the time since the one before it.

    A time that is longer than the interval before counts only where the next one confirms it, or where it is the
    ``present`` interval and nothing follows: else a settlement is missing in between.
    """
    gaps = [_hours(b - a) for a, b in pairwise(times_ms)]
    found: list[int] = []
    for index in range(len(times_ms)):
        after = gaps[index] if index < len(gaps) else present
        if index == 0:
            found.append(after if gaps and after in INTERVALS else present or INTERVALS[-1])
            continue
        gap = gaps[index - 1]
        is_interval = gap in INTERVALS and (gap <= found[-1] or gap == after)
        found.append(gap if is_interval else found[-1])
    return found


def _hours(milliseconds: int) -> int:
    """Return a time between two settlements in hours; 0 where it is no whole number of them."""
    hours = round(milliseconds / HOUR_MS)
    return hours if abs(milliseconds - hours * HOUR_MS) <= JITTER_MS else 0


def _holds(outer: Span, inner: Span) -> bool:
    return outer.from_ms <= inner.from_ms and inner.until_ms <= outer.until_ms


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return windows in order, those that touch or overlap as one."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.from_ms <= joined[-1].until_ms:
            last = joined.pop()
            span = Span(from_ms=last.from_ms, until_ms=max(last.until_ms, span.until_ms))  # noqa: PLW2901 - the union
        joined.append(span)
    return joined


def _named(path: Path) -> _PartName:
    found = PART_NAME.fullmatch(path.name)
    if found is None:
        raise HistoryError(f"{path}: no part of a download")
    span = Span(from_ms=int(found["from_ms"]), until_ms=int(found["until_ms"]))
    return _PartName(symbol=found["symbol"], series=SeriesName(found["series"]), span=span)


def _type_of(column: str) -> Any:
    arrow, _ = load_arrow()
    if column in KEYS:
        return arrow.string()
    return arrow.int64() if column in TIMES else arrow.float64()


def _groups(path: Path) -> set[tuple[str, str]]:
    if not path.exists():
        return set()
    pairs = read_whole(path, columns=list(KEYS)).group_by(list(KEYS)).aggregate([]).to_pylist()
    return {(pair["exchange"], pair["symbol"]) for pair in pairs}


def _rows(path: Path, exchange: str, symbol: str) -> Columns:
    """Return the rows of one symbol as they stand in a file."""
    table = read_whole(path, filters=[("exchange", "=", exchange), ("symbol", "=", symbol)])
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _merged_prices(kept: Columns, parts: Sequence[Path], present: int | None) -> Columns:
    del present
    known: dict[int, dict[str, float | None]] = {}
    for index, at in enumerate(kept.get("open_time", [])):
        known[at] = {name: kept[name][index] for name in kept if name not in {*KEYS, "open_time"}}
    for path in parts:
        series, table = _named(path).series, read_whole(path)
        for at, value, turnover in _part_rows(table):
            row = known.setdefault(at, {})
            row[CLOSES[series]] = value
            if series in TURNOVERS:
                row[TURNOVERS[series]] = turnover
    times = sorted(known)
    names = (*CLOSES.values(), *TURNOVERS.values())
    return {"open_time": list(times), **{name: [known[at].get(name) for at in times] for name in names}}


def _merged_funding(kept: Columns, parts: Sequence[Path], present: int | None) -> Columns:
    known = dict(zip(kept.get("funding_time", []), kept.get("rate", []), strict=True))
    marks = dict(zip(kept.get("funding_time", []), kept.get("mark_price", []), strict=False))
    for path in parts:
        known |= {at: rate for at, rate, _ in _part_rows(read_whole(path))}
    times = sorted(known)
    return {
        "funding_time": list(times),
        "rate": [known[at] for at in times],
        "interval_hours": [float(hours) for hours in settled_intervals(times, present)],
        "mark_price": [marks.get(at) for at in times],
    }


def _part_rows(table: Any) -> Iterator[tuple[int, float, float | None]]:
    return zip(*(table.column(name).to_pylist() for name in ("time", "value", "turnover")), strict=True)


def _completed(columns: Columns, names: Sequence[str], exchange: str, symbol: str) -> Columns:
    """Return every column of a file; those that its rows do not have are unknown."""
    count = max((len(values) for values in columns.values()), default=0)
    keys = {"exchange": [exchange] * count, "symbol": [symbol] * count}
    return {name: keys[name] if name in keys else columns.get(name, [None] * count) for name in names}
