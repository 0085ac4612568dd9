"""Reads the archive's Parquet files: only the rows of a window, checked and grouped by series.

A row without an exchange, a symbol or a time belongs to no series: ``unplaced_rows`` counts them.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from hedgerow.domain.errors import HistoryError

__all__ = [
    "EARLIEST_MS",
    "FUNDING_FILE",
    "LATEST_MS",
    "PRICES_FILE",
    "Layout",
    "ParquetRows",
    "TimeRange",
    "UnplacedRows",
    "read_rows",
    "symbols_of",
    "time_range",
    "unplaced_rows",
    "unplaced_rows_in",
]

FUNDING_FILE = "funding.parquet"
PRICES_FILE = "prices_hourly.parquet"
KEYS = ("exchange", "symbol")
LONGEST_NAME = 40
NAME = rf"^[^\s\pC]{{1,{LONGEST_NAME}}}$"
"""Of an exchange or a symbol: in any script, without blanks and control characters."""
EARLIEST_MS, LATEST_MS = 946_684_800_000, 4_102_444_799_999
"""First and last millisecond of the years 2000 to 2099: stamps in another unit lie outside."""


class Layout(Struct, frozen=True, kw_only=True):
    """Columns that a file must have beside ``exchange`` and ``symbol``."""

    time: str
    """Integer milliseconds since the epoch, UTC."""
    numbers: tuple[str, ...]
    """Columns of numbers, whole or floating."""


FUNDING_LAYOUT = Layout(time="funding_time", numbers=("rate", "interval_hours"))
PRICES_LAYOUT = Layout(time="open_time", numbers=("spot_close", "perp_close", "mark_close"))
LAYOUTS = {FUNDING_FILE: FUNDING_LAYOUT, PRICES_FILE: PRICES_LAYOUT}


class TimeRange(Struct, frozen=True, kw_only=True):
    """First and last time in a file, in milliseconds since the epoch."""

    first_ms: int
    last_ms: int


class ParquetRows(Struct, frozen=True, kw_only=True):
    """The rows of one series, oldest first."""

    times_ms: Sequence[int]
    numbers: Mapping[str, Sequence[float | None]]


class UnplacedRows(Struct, frozen=True, kw_only=True):
    """Rows of a file that belong to no series, for one reason."""

    file: str
    rows: int
    reason: str
    """Goes on after "rows left out"; names what is wrong and what is allowed."""

    def __str__(self) -> str:
        return f"{self.file}: {self.rows:,} row{'' if self.rows == 1 else 's'} left out {self.reason}"


def read_rows(
    path: Path, *, first_ms: int = EARLIEST_MS, last_ms: int = LATEST_MS
) -> Mapping[str, Mapping[str, ParquetRows]]:
    """Return the rows with a time in ``[first_ms, last_ms]``, by symbol and then by exchange.

    Raises:
        HistoryError: the file is missing, unreadable or has other columns.
    """
    layout = _checked_layout(path)
    columns = [*KEYS, layout.time, *layout.numbers]
    first, last = max(first_ms, EARLIEST_MS), min(last_ms, LATEST_MS)
    table = _read(path, columns=columns, filters=[(layout.time, ">=", first), (layout.time, "<=", last)])
    found: dict[str, dict[str, ParquetRows]] = {}
    for exchange, symbol in _series_in(table):
        found.setdefault(symbol, {})[exchange] = _rows_of(table, exchange, symbol, layout)
    return found


def symbols_of(path: Path) -> tuple[str, ...]:
    """Return every symbol of a file, sorted.

    Raises:
        HistoryError: the file is missing, unreadable or has other columns.
    """
    _checked_layout(path)
    column = _read(path, columns=["symbol"]).column("symbol").unique().cast("string")
    return tuple(sorted(column.filter(_are_names(column)).to_pylist()))


def time_range(path: Path) -> TimeRange | None:
    """Return the first and last time of a file; None for a file without rows.

    Raises:
        HistoryError: the file is missing, unreadable, has other columns, or no row has a time that can be one.
    """
    layout = _checked_layout(path)
    times = _read(path, columns=[layout.time]).column(layout.time).drop_null().sort()
    if not len(times):
        return None
    compute = _pyarrow("compute")
    possible = times.filter(_is_possible(times))
    if not len(possible):
        first = times[0].as_py()
        raise HistoryError(f"{path}: column {layout.time!r} holds {first}{_unit_of(first)}; {_allowed_times()}")
    found = compute.min_max(possible).as_py()
    return TimeRange(first_ms=found["min"], last_ms=found["max"])


def unplaced_rows(path: Path) -> tuple[UnplacedRows, ...]:
    """Return which rows of a file belong to no series, and why.

    Raises:
        HistoryError: the file is missing, unreadable or has other columns.
    """
    layout = _checked_layout(path)
    table = _read(path, columns=[*KEYS, layout.time])
    return tuple(_unplaced(path.name, table, layout))


def unplaced_rows_in(folder: Path) -> tuple[UnplacedRows, ...]:
    """Return which rows of both files belong to no series, and why; errors as of ``unplaced_rows``."""
    return tuple(each for name in (PRICES_FILE, FUNDING_FILE) for each in unplaced_rows(folder / name))


def _unplaced(file: str, table: Any, layout: Layout) -> Iterator[UnplacedRows]:
    compute = _pyarrow("compute")
    for name in KEYS:
        column = table.column(name).cast("string")
        given = column.filter(compute.not_equal(column, ""))
        if len(given) < len(column):
            yield UnplacedRows(file=file, rows=len(column) - len(given), reason=f"without {name}")
        odd = len(given) - len(given.filter(_are_names(given)))
        if odd:
            reason = f"whose {name} is no name; allowed are 1 to {LONGEST_NAME} characters without blanks"
            yield UnplacedRows(file=file, rows=odd, reason=reason)
    times = table.column(layout.time)
    if times.null_count:
        yield UnplacedRows(file=file, rows=times.null_count, reason=f"without {layout.time}")
    beyond = table.filter(compute.invert(_is_possible(times)))
    if len(beyond):
        first, symbol = beyond.column(layout.time)[0].as_py(), str(beyond.column("symbol")[0].as_py())[:LONGEST_NAME]
        reason = f"whose {layout.time} is no time, the first {first} of {symbol}{_unit_of(first)}; {_allowed_times()}"
        yield UnplacedRows(file=file, rows=len(beyond), reason=reason)


def _are_names(column: Any) -> Any:
    """Return which texts can name an exchange or a symbol; null where there is none."""
    return _pyarrow("compute").match_substring_regex(column, NAME)


def _is_possible(times: Any) -> Any:
    """Return which stamps can be times; null where there is none."""
    compute = _pyarrow("compute")
    return compute.and_(compute.greater_equal(times, EARLIEST_MS), compute.less_equal(times, LATEST_MS))


def _allowed_times() -> str:
    return "allowed are milliseconds since 1970-01-01 UTC, of the years 2000 to 2099"


def _unit_of(stamp: int) -> str:
    """Return in which other unit a stamp would be a time, in words that follow it; nothing where in none."""
    for unit, shown in (("seconds", stamp * 1_000), ("microseconds", stamp // 1_000), ("nanoseconds", stamp // 10**6)):
        if EARLIEST_MS <= shown <= LATEST_MS:
            return f" (it looks like {unit})"
    return ""


def _series_in(table: Any) -> list[tuple[str, str]]:
    groups = table.select(list(KEYS)).group_by(list(KEYS)).aggregate([])
    named = _pyarrow("compute").and_(*(_are_names(groups.column(name).cast("string")) for name in KEYS))
    return sorted((g["exchange"], g["symbol"]) for g in groups.filter(named).to_pylist())


def _rows_of(table: Any, exchange: str, symbol: str, layout: Layout) -> ParquetRows:
    field = _pyarrow("compute").field
    mine = table.filter((field("exchange") == exchange) & (field("symbol") == symbol)).sort_by(layout.time)
    return ParquetRows(
        times_ms=mine.column(layout.time).to_pylist(),
        numbers={name: mine.column(name).cast("float64", safe=False).to_pylist() for name in layout.numbers},
    )


def _checked_layout(path: Path) -> Layout:
    """Return the layout the file must have, after making sure that it has it."""
    layout = LAYOUTS[path.name]
    reader = _pyarrow("parquet")
    if path.is_dir():
        raise HistoryError(f"{path}: a directory, not a file; market history is {FUNDING_FILE} and {PRICES_FILE}")
    if not path.is_file():
        raise HistoryError(f"{path}: no such file; market history is {FUNDING_FILE} and {PRICES_FILE} in one directory")
    try:
        schema = reader.read_schema(path)
    except (OSError, ValueError) as error:
        raise HistoryError(f"{path}: not a readable Parquet file ({_one_line(error)})") from error
    kinds = dict.fromkeys(KEYS, "text") | {layout.time: "integer"} | dict.fromkeys(layout.numbers, "a number")
    for name, kind in kinds.items():
        if name not in schema.names:
            raise HistoryError(f"{path}: column {name!r} is missing; needed are {', '.join(kinds)}")
        if schema.names.count(name) > 1:
            raise HistoryError(f"{path}: column {name!r} is there {schema.names.count(name)} times; allowed is one")
        if not _is(kind, schema.field(name).type):
            wanted = "an integer, milliseconds since 1970-01-01 UTC" if kind == "integer" else kind
            raise HistoryError(f"{path}: column {name!r} must be {wanted}, not {schema.field(name).type}")
    return layout


def _is(kind: str, arrow_type: Any) -> bool:
    types = _pyarrow("types")
    if kind == "text":
        plain_type = arrow_type.value_type if types.is_dictionary(arrow_type) else arrow_type
        return bool(types.is_string(plain_type) or types.is_large_string(plain_type))
    if kind == "integer":
        return bool(types.is_integer(arrow_type))
    return bool(types.is_floating(arrow_type) or types.is_integer(arrow_type) or types.is_null(arrow_type))


def _read(path: Path, **options: Any) -> Any:
    try:
        return _pyarrow("parquet").read_table(path, **options)
    except (OSError, ValueError) as error:
        raise HistoryError(f"{path}: cannot be read ({_one_line(error)})") from error


def _pyarrow(part: str) -> Any:
    """Return ``pyarrow.<part>``.

    Raises:
        HistoryError: pyarrow is not installed.
    """
    try:
        from pyarrow import compute, parquet, types  # noqa: PLC0415 - heavy, only commands that read history need it
    except ImportError as error:
        raise HistoryError(
            "reading market history needs pyarrow, which is not installed: pip install '.[research]' in the checkout"
        ) from error
    return cast("Any", {"compute": compute, "parquet": parquet, "types": types}[part])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
