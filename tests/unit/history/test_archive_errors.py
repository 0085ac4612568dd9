"""Every way an archive can be unusable is one clear line."""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from hedgerow.domain.errors import HistoryError
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.history.checks import check_folder
from support.archives import FUNDING_COLUMNS, START, hours, prints, write_archive, write_rows


def refusal(directory: Path, *, days: float = 2, after_days: float = 0) -> str:
    with pytest.raises(HistoryError) as caught:
        ArchiveMarketData.load(directory, start=START + timedelta(days=after_days), days=days)
    text = str(caught.value)
    assert "\n" not in text
    return text


def refusal_of_check(directory: Path) -> str:
    with pytest.raises(HistoryError) as caught:
        check_folder(directory)
    return str(caught.value)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'}: no such directory")


@pytest.mark.parametrize("name", ["funding.parquet", "prices_hourly.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    (tmp_path / name).unlink()
    assert refusal(tmp_path).startswith(f"{tmp_path / name}: no such file")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a table at all" * 10])
def test_a_file_that_is_no_parquet_is_named(tmp_path: Path, content: bytes) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    (tmp_path / "funding.parquet").write_bytes(content)
    assert refusal(tmp_path).startswith(f"{tmp_path / 'funding.parquet'}: not a readable Parquet file")


def test_a_damaged_body_is_named(tmp_path: Path) -> None:
    path = write_archive(tmp_path, hours(2000), prints(7)) / "prices_hourly.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 2000 + whole[2004:])
    assert refusal(tmp_path).startswith(f"{path}: cannot be read")


def test_a_missing_column_is_named_with_what_is_needed(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    rows = [(*row[:4], *row[5:]) for row in prints(7)]
    write_rows(tmp_path / "funding.parquet", [c for c in FUNDING_COLUMNS if c != "interval_hours"], rows)
    text = refusal(tmp_path)
    assert "column 'interval_hours' is missing" in text
    assert "exchange, symbol, funding_time, rate, interval_hours" in text


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("open_time", "an integer, milliseconds since 1970-01-01 UTC", pa.array([1.5])),
        ("symbol", "text", pa.array([7])),
        ("perp_close", "a number", pa.array(["12"])),
    ],
)
def test_a_column_of_the_wrong_kind_is_named(tmp_path: Path, name: str, kind: str, values: pa.Array) -> None:
    path = write_archive(tmp_path, hours(1), prints(7)) / "prices_hourly.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.set_column(table.column_names.index(name), name, values), path)
    assert refusal(tmp_path) == f"{path}: column {name!r} must be {kind}, not {values.type}"


@pytest.mark.parametrize(
    ("look", "line"),
    [
        (refusal, "column 'open_time' holds {first} (it looks like microseconds); allowed are milliseconds"),
        (
            refusal_of_check,
            "no rows; 48 left out whose open_time is no time, the first {first} of BTCUSDT (it looks like microsec",
        ),
    ],
)
def test_stamps_of_another_unit_are_named(tmp_path: Path, look: Callable[[Path], str], line: str) -> None:
    path = write_archive(tmp_path, hours(48), prints(7)) / "prices_hourly.parquet"
    table = parquet.read_table(path)
    micros = pa.array([1000 * stamp for stamp in table.column("open_time").to_pylist()])
    parquet.write_table(table.set_column(table.column_names.index("open_time"), "open_time", micros), path)
    assert look(tmp_path).startswith(f"{path}: {line.format(first=micros[0])}")


def test_whole_numbers_are_read_as_numbers(tmp_path: Path) -> None:
    path = write_archive(tmp_path, hours(48), prints(7)) / "funding.parquet"
    floating = ArchiveMarketData.load(tmp_path, start=START, days=2)
    table = parquet.read_table(path)
    whole = table.column("interval_hours").cast("int64")
    parquet.write_table(table.set_column(table.column_names.index("interval_hours"), "interval_hours", whole), path)
    read = ArchiveMarketData.load(tmp_path, start=START, days=2)
    (symbol,) = (pair.symbol for pair in read.pairs)
    assert read.newest_settled(symbol, read.end, 100) == floating.newest_settled(symbol, floating.end, 100) != ()


def test_a_window_outside_the_data_names_the_range_that_exists(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    for after_days in (-400.0, 2.0, 400.0):
        assert "there are prices from 2025-03-01 01:00 to 2025-03-03 00:00" in refusal(tmp_path, after_days=after_days)


def test_an_empty_archive_says_that_there_is_nothing(tmp_path: Path) -> None:
    write_archive(tmp_path, [], [])
    assert refusal(tmp_path).endswith("the file holds no prices at all")


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 1e12])
def test_days_out_of_range_are_refused(tmp_path: Path, days: float) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    assert refusal(tmp_path, days=days).startswith("days must be above 0 and at most 36525")


def test_a_start_without_a_zone_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    with pytest.raises(HistoryError, match="needs a time zone"):
        ArchiveMarketData.load(tmp_path, start=START.replace(tzinfo=None), days=1)


def test_a_window_past_the_calendar_is_refused(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    with pytest.raises(HistoryError, match="past the end of the calendar"):
        ArchiveMarketData.load(tmp_path, start=START.replace(year=9999), days=400)


def test_no_usable_pair_says_why_for_each(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(48), prints(7, symbol="OTHERUSDT"))
    text = refusal(tmp_path)
    assert "no pair is left: " in text
    assert "BTCUSDT: no funding in the window" in text
    assert "OTHERUSDT: no spot and perpetual prices in the window" in text


def test_without_pyarrow_the_extra_to_install_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install '.[research]'" in refusal(tmp_path)


def test_a_broken_capture_is_named(tmp_path: Path) -> None:
    write_archive(tmp_path, hours(48), prints(7))
    (tmp_path / "aster").mkdir()
    capture = tmp_path / "aster" / "spot_exchangeInfo_2026-01.json.gz"
    capture.write_bytes(b"no gzip")
    assert refusal(tmp_path).startswith(f"{capture}: not a readable exchangeInfo capture")


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    path = write_archive(tmp_path, hours(48), prints(7)) / "prices_hourly.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.append_column("symbol", table.column("symbol")), path)
    for look in (refusal, refusal_of_check):
        assert look(tmp_path) == f"{path}: column 'symbol' is there 2 times; allowed is one"


def test_a_whole_number_beyond_what_a_float_holds_exactly_is_no_price(tmp_path: Path) -> None:
    path = write_archive(tmp_path, hours(48), prints(7)) / "prices_hourly.parquet"
    table = parquet.read_table(path)
    huge = pa.array([2**63 + 5] * 48, pa.uint64())
    parquet.write_table(table.set_column(table.column_names.index("perp_close"), "perp_close", huge), path)
    assert "48 perp_close left out that are no price" in refusal(tmp_path)
