"""Files of a download: what is missing, what is merged, and what is never lost."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from hedgerow.domain.errors import HistoryError
from hedgerow.history.market_files import MarketFiles, Part, SeriesName, Span, settled_intervals
from hedgerow.history.parquet import FUNDING_FILE, PRICES_FILE
from support.archives import START, hours, millis, prints, write_archive
from support.drawing import examples

HOUR = 3_600_000
BEGIN = millis(START)
SYMBOL = "BTCUSDT"


def span(first: int, last: int) -> Span:
    return Span(from_ms=BEGIN + first * HOUR, until_ms=BEGIN + last * HOUR)


def part(series: SeriesName, first: int, last: int, value: float = 1000.0, *, symbol: str = SYMBOL) -> Part:
    times = tuple(BEGIN + hour * HOUR for hour in range(first, last))
    turnovers = tuple(5.0 for _ in times) if series in {SeriesName.SPOT, SeriesName.PERP} else ()
    values = tuple(value + hour for hour in range(first, last))
    return Part(
        symbol=symbol, series=series, span=span(first, last), times_ms=times, values=values, turnovers=turnovers
    )


def rates(first: int, last: int, step: int = 8) -> Part:
    stamps = range(first, last, step)
    times, values = tuple(BEGIN + hour * HOUR for hour in stamps), tuple(hour / 1e6 for hour in stamps)
    return Part(symbol=SYMBOL, series=SeriesName.FUNDING, span=span(first, last), times_ms=times, values=values)


def opened(folder: Path) -> MarketFiles:
    return MarketFiles(folder, exchange="aster", source="here")


def rows(folder: Path, name: str = PRICES_FILE) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(folder / name).to_pylist()
    return found


def filled(folder: Path, *parts: Part) -> MarketFiles:
    files = opened(folder)
    for each in parts:
        files.add(each)
    files.merge({SYMBOL: 8})
    return opened(folder)


def test_what_is_missing_joins_what_is_there_and_what_is_wanted(tmp_path: Path) -> None:
    files = filled(tmp_path, part(SeriesName.PERP, 10, 20))
    assert files.missing(SYMBOL, SeriesName.PERP, span(10, 20)) == ()
    assert files.missing(SYMBOL, SeriesName.PERP, span(12, 15)) == ()
    assert files.missing(SYMBOL, SeriesName.PERP, span(5, 30)) == (span(5, 10), span(20, 30))
    assert files.missing(SYMBOL, SeriesName.PERP, span(40, 50)) == (span(20, 50),)
    assert files.missing(SYMBOL, SeriesName.SPOT, span(12, 15)) == (span(12, 15),)
    assert files.missing("ETHUSDT", SeriesName.PERP, span(12, 15)) == (span(12, 15),)


def test_a_window_without_rows_is_not_read_again(tmp_path: Path) -> None:
    empty = Part(symbol=SYMBOL, series=SeriesName.PERP, span=span(0, 10), times_ms=(), values=())
    assert filled(tmp_path, empty).missing(SYMBOL, SeriesName.PERP, span(0, 10)) == ()


def test_what_waits_to_be_merged_is_not_missing(tmp_path: Path) -> None:
    files = opened(tmp_path)
    files.add(part(SeriesName.PERP, 0, 10))
    assert opened(tmp_path).missing(SYMBOL, SeriesName.PERP, span(0, 12)) == (span(10, 12),)


@settings(max_examples=examples(12))
@given(cuts=st.lists(st.integers(1, 39), max_size=4, unique=True), order=st.randoms(use_true_random=False))
def test_the_bytes_do_not_depend_on_how_the_window_was_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], order: Any
) -> None:
    edges = [0, *sorted(cuts), 40]
    pieces = [
        make(first, last)
        for first, last in pairwise(edges)
        for make in (rates, lambda a, b: part(SeriesName.SPOT, a, b), lambda a, b: part(SeriesName.MARK, a, b))
    ]
    order.shuffle(pieces)
    # A rate belongs to the piece that its stamp lies in.
    kept = [_on_grid(piece) for piece in pieces]
    cut, whole = tmp_path_factory.mktemp("cut"), tmp_path_factory.mktemp("whole")
    files = opened(cut)
    for number, piece in enumerate(kept):
        files.add(piece)
        if number % 3 == 2:
            files.merge({SYMBOL: 8})
            files = opened(cut)
    files.merge({SYMBOL: 8})
    filled(whole, rates(0, 40), part(SeriesName.SPOT, 0, 40), part(SeriesName.MARK, 0, 40))
    for name in (PRICES_FILE, FUNDING_FILE):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def _on_grid(piece: Part) -> Part:
    if piece.series is not SeriesName.FUNDING:
        return piece
    first, last = ((ms - BEGIN) // HOUR for ms in (piece.span.from_ms, piece.span.until_ms))
    aligned = rates(first + -first % 8, last)
    return Part(
        symbol=SYMBOL,
        series=SeriesName.FUNDING,
        span=piece.span,
        times_ms=aligned.times_ms,
        values=aligned.values,
    )


def test_series_of_one_hour_become_one_row(tmp_path: Path) -> None:
    filled(
        tmp_path, part(SeriesName.SPOT, 0, 2, 100), part(SeriesName.PERP, 1, 3, 200), part(SeriesName.INDEX, 1, 2, 300)
    )
    found = rows(tmp_path)
    assert [(row["spot_close"], row["perp_close"], row["index_close"]) for row in found] == [
        (100, None, None),
        (101, 201, 301),
        (None, 202, None),
    ]
    assert [row["spot_quote_volume"] for row in found] == [5, 5, None]


def test_rows_of_other_exchanges_stay_as_they_are(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(5), prints(2))
    before = rows(tmp_path)
    filled(tmp_path, part(SeriesName.PERP, 0, 3), rates(0, 8))
    kept = [{key: row[key] for key in before[0]} for row in rows(tmp_path) if row["exchange"] == "binance"]
    assert kept == before
    assert len(rows(tmp_path)) == 5 + 3
    assert len(rows(tmp_path, FUNDING_FILE)) == 2 + 1


def test_rows_of_the_same_exchange_from_an_unknown_place_are_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(5), prints(2, venue="aster"))
    with pytest.raises(HistoryError, match="has rows of aster and does not say where they were read"):
        opened(tmp_path)


def test_a_column_that_would_be_lost_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(5), prints(2))
    table = parquet.read_table(tmp_path / PRICES_FILE)
    parquet.write_table(table.append_column("remark", pa.array(["mine"] * 5)), tmp_path / PRICES_FILE)
    with pytest.raises(HistoryError, match="has the column 'remark', which a download would lose: use another folder"):
        opened(tmp_path)


@pytest.mark.parametrize("name", [PRICES_FILE, FUNDING_FILE])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, name: str) -> None:
    filled(tmp_path, part(SeriesName.PERP, 0, 100), rates(0, 100))
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(HistoryError, match="not a readable Parquet file"):
        opened(tmp_path)


def test_parts_of_another_network_are_refused(tmp_path: Path) -> None:
    opened(tmp_path).add(part(SeriesName.PERP, 0, 3))
    with pytest.raises(HistoryError, match="holds data of here: use another folder for there"):
        MarketFiles(tmp_path, exchange="aster", source="there")


@pytest.mark.parametrize(
    ("stamps", "present", "expected"),
    [
        ((), 8, []),
        ((0,), 4, [4]),
        ((0,), None, [8]),
        ((0, 8, 16), 8, [8, 8, 8]),
        ((0, 8, 12, 16), 4, [8, 8, 4, 4]),
        ((0, 4, 12, 20), 8, [4, 4, 8, 8]),
        ((0, 4, 12, 16, 20), 4, [4, 4, 4, 4, 4]),
        ((0, 4, 12), 8, [4, 4, 8]),
        ((0, 4, 12), 4, [4, 4, 4]),
        ((0, 8, 408, 416), 8, [8, 8, 8, 8]),
        ((0, 1, 2, 10), 1, [1, 1, 1, 1]),
    ],
)
def test_a_missing_settlement_is_not_taken_for_a_longer_interval(
    stamps: tuple[int, ...], present: int | None, expected: list[int]
) -> None:
    jittered = [BEGIN + hour * HOUR + 11 * (index % 3) for index, hour in enumerate(stamps)]
    assert settled_intervals(jittered, present) == expected
