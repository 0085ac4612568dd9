"""Recordings: what was read of a market as it went by, one Parquet file for each day.

Readings of a day wait as lines of JSON in a journal, written and synced at each reading; a journal becomes a Parquet
file, or a part of one, when its day is over or the recording ends. A journal that a crash or a full disk cut in the
middle of a line loses this line and no other. The day of a reading is that of its own time: where a clock is set back,
readings go to the day they belong to, and a day that is finished already is written again with them.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from hedgerow.domain.errors import HistoryError
from hedgerow.history.arrow import load_arrow, read_whole, write_whole

__all__ = ["RECORDINGS", "BookReading", "DailyFiles", "PremiumReading", "RecordedDays", "day_of", "recorded_days"]

DAY_MS: Final = 86_400_000
CHUNK: Final = 5_000
"""Lines of a journal that are converted at once."""


class PremiumReading(Struct, frozen=True, kw_only=True):
    """Mark, index and running funding estimate of one perpetual."""

    time: int
    """When it was read, by the venue's clock: milliseconds since the epoch, UTC."""
    symbol: str
    mark_price: float
    """Quote units."""
    index_price: float | None
    """Quote units."""
    funding_rate: float | None
    """Estimate for the next settlement: fraction of notional per interval, positive = longs pay shorts."""
    next_funding_time: int | None
    """Milliseconds since the epoch, UTC."""


class BookReading(Struct, frozen=True, kw_only=True):
    """The visible order book of one instrument, best level first."""

    time: int
    """When the reading began, by the venue's clock: milliseconds since the epoch, UTC; the same for all its books."""
    book_time: int | None
    """When the book was so, by the venue's clock; null where it does not say."""
    market: str
    """``spot`` or ``perp``."""
    symbol: str
    bid_prices: tuple[float, ...]
    """Quote units."""
    bid_quantities: tuple[float, ...]
    """Base units."""
    ask_prices: tuple[float, ...]
    ask_quantities: tuple[float, ...]


Reading = TypeVar("Reading", bound=PremiumReading | BookReading)
KINDS: Final[dict[str, type[PremiumReading] | type[BookReading]]] = {
    "premium_index": PremiumReading,
    "books": BookReading,
}
RECORDINGS: Final = tuple(KINDS)
"""Folders of recordings, by what they hold."""
KEYS: Final[dict[Any, tuple[str, ...]]] = {
    PremiumReading: ("time", "symbol"),
    BookReading: ("time", "market", "symbol"),
}


class DailyFiles(Generic[Reading]):
    """The recordings of one kind in one folder."""

    def __init__(self, folder: Path, kind: type[Reading]) -> None:
        self._kind = kind
        self._folder = folder / next(name for name, each in KINDS.items() if each is kind)
        self._encoder = msgspec.json.Encoder()

    @property
    def waiting(self) -> tuple[str, ...]:
        """Days whose journals are not part of a Parquet file yet, e.g. ``2026-11-29``."""
        return tuple(sorted(path.stem for path in self._folder.glob("*.jsonl")))

    def append(self, readings: Iterable[Reading]) -> None:
        """Write readings so that they survive a power cut.

        Raises:
            OSError: they cannot be written; the journals stay readable.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lines: dict[str, list[bytes]] = {}
        for reading in readings:
            lines.setdefault(day_of(reading.time), []).append(self._encoder.encode(reading) + b"\n")
        for day, content in lines.items():
            _append(self._folder / f"{day}.jsonl", b"".join(content))

    def finish(self, day: str) -> tuple[str, ...]:
        """Turn the journal of a day into a Parquet file, or into a part of the one that is there.

        Returns one line for each thing that was wrong with them.

        Raises:
            OSError: the file cannot be written; the journal stays.
        """
        journal, path = self._folder / f"{day}.jsonl", self._folder / f"{day}.parquet"
        notes: list[str] = []
        tables = [self._kept(path, notes), *self._tables(journal, notes)]
        found = load_arrow()[0].concat_tables([table for table in tables if table is not None])
        write_whole(path, _in_order(found, KEYS[self._kind]))
        journal.unlink()
        return tuple(notes)

    def _kept(self, path: Path, notes: list[str]) -> Any:
        """Return what the Parquet file of a day holds already; one that cannot be read is set aside."""
        if not path.exists():
            return None
        try:
            return read_whole(path, schema=_schema(self._kind))
        except HistoryError as error:
            aside = path.with_name(f"{path.name}.damaged")
            path.replace(aside)
            notes.append(f"{error}; it is {aside.name} now")
            return None

    def _tables(self, journal: Path, notes: list[str]) -> Iterator[Any]:
        arrow, _ = load_arrow()
        schema, decoder = _schema(self._kind), msgspec.json.Decoder(self._kind)
        chunk: list[Reading] = []
        unreadable = 0
        with journal.open("rb") as file:
            for line in file:
                try:
                    chunk.append(decoder.decode(line))
                except (msgspec.MsgspecError, ValueError):
                    unreadable += 1
                if len(chunk) >= CHUNK:
                    yield _table(arrow, chunk, schema)
                    chunk = []
        yield _table(arrow, chunk, schema)
        if unreadable:
            notes.append(f"{journal}: {unreadable} unfinished line{'' if unreadable == 1 else 's'} left out")


class RecordedDays(Struct, frozen=True, kw_only=True):
    """The finished days of one kind of recording."""

    kind: str
    first_day: str
    last_day: str
    days: int
    rows: int


def recorded_days(folder: Path) -> tuple[RecordedDays, ...]:
    """Return what recordings a folder holds, by kind; a file that is not whole counts as a day without rows."""
    found: list[RecordedDays] = []
    for kind in RECORDINGS:
        paths = sorted((folder / kind).glob("*.parquet"))
        if paths:
            rows = sum(_row_count(path) for path in paths)
            found.append(
                RecordedDays(kind=kind, first_day=paths[0].stem, last_day=paths[-1].stem, days=len(paths), rows=rows)
            )
    return tuple(found)


def day_of(time_ms: int) -> str:
    """Return the day that a time is in, UTC."""
    return datetime.fromtimestamp(time_ms // DAY_MS * (DAY_MS // 1000), UTC).strftime("%Y-%m-%d")


def _append(path: Path, content: bytes) -> None:
    """Append whole lines; what an earlier attempt left of an unfinished one is cut off."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        end = _end_of_lines(handle)
        os.ftruncate(handle, end)
        os.lseek(handle, end, os.SEEK_SET)
        try:
            _write_all(handle, content)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, end)
            raise
    finally:
        os.close(handle)


def _end_of_lines(handle: int) -> int:
    """Return the length of a file up to and with its last line break."""
    end = os.lseek(handle, 0, os.SEEK_END)
    while end:
        begin = max(0, end - 65_536)
        found = os.pread(handle, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _write_all(handle: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _row_count(path: Path) -> int:
    _, parquet = load_arrow()
    try:
        return int(parquet.read_metadata(path).num_rows)
    except (OSError, ValueError):
        return 0


def _schema(kind: type[Reading]) -> Any:
    arrow, _ = load_arrow()
    types: dict[Any, Any] = {int: arrow.int64(), str: arrow.string(), float: arrow.float64()}
    types |= {int | None: arrow.int64(), float | None: arrow.float64()}
    types |= {tuple[float, ...]: arrow.list_(arrow.float64())}
    return arrow.schema([(field.name, types[field.type]) for field in msgspec.structs.fields(kind)])


def _table(arrow: Any, readings: Sequence[Reading], schema: Any) -> Any:
    return arrow.table({name: [getattr(row, name) for row in readings] for name in schema.names}, schema=schema)


def _in_order(table: Any, keys: Sequence[str]) -> Any:
    """Return rows in the order of their keys, each key once: of two readings with one key the first counts."""
    arrow, _ = load_arrow()
    rows = list(zip(*(table.column(name).to_pylist() for name in keys), strict=True))
    order = sorted(range(len(rows)), key=rows.__getitem__)
    kept = [index for place, index in enumerate(order) if not place or rows[index] != rows[order[place - 1]]]
    return table.take(arrow.array(kept, arrow.int64())).combine_chunks()
