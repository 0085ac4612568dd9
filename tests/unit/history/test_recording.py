"""Daily files of recordings: nothing that was kept is lost by a cut, a full disk, or a clock that is set back."""

import os
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from hedgerow.history import recording
from hedgerow.history.recording import BookReading, DailyFiles, PremiumReading, recorded_days
from support.archives import START, millis

DAY = 86_400_000
BEGIN = millis(START)
TODAY, TOMORROW = "2025-03-01", "2025-03-02"


def premium(at: int, price: float = 100.0, symbol: str = "BTCUSDT") -> PremiumReading:
    return PremiumReading(
        time=BEGIN + at, symbol=symbol, mark_price=price, index_price=None, funding_rate=0.0001, next_funding_time=None
    )


def book(at: int, market: str = "spot") -> BookReading:
    return BookReading(
        time=BEGIN + at,
        book_time=BEGIN + at - 5,
        market=market,
        symbol="BTCUSDT",
        bid_prices=(99.5, 99.0),
        bid_quantities=(1.0, 2.0),
        ask_prices=(100.5,),
        ask_quantities=(3.0,),
    )


def premiums(folder: Path) -> DailyFiles[PremiumReading]:
    return DailyFiles(folder, PremiumReading)


def rows(folder: Path, day: str = TODAY, kind: str = "premium_index") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(folder / kind / f"{day}.parquet").to_pylist()
    return found


def times(folder: Path, day: str = TODAY) -> list[int]:
    return [row["time"] - BEGIN for row in rows(folder, day)]


def journal(folder: Path, day: str = TODAY) -> Path:
    return folder / "premium_index" / f"{day}.jsonl"


def test_readings_of_a_day_become_its_file(tmp_path: Path) -> None:
    files = DailyFiles(tmp_path, BookReading)
    files.append([book(0), book(0, "perp")])
    files.append([book(60_000)])
    assert list(files.waiting) == [TODAY]
    assert files.finish(TODAY) == ()
    assert list(files.waiting) == []
    found = rows(tmp_path, kind="books")
    assert [(row["time"] - BEGIN, row["market"]) for row in found] == [(0, "perp"), (0, "spot"), (60_000, "spot")]
    assert found[0]["bid_prices"] == [99.5, 99.0]
    assert found[0]["ask_quantities"] == [3.0]
    assert [(each.kind, each.days, each.rows) for each in recorded_days(tmp_path)] == [("books", 1, 3)]


@pytest.mark.parametrize("left", range(1, 40))
def test_a_journal_that_was_cut_loses_its_last_reading_and_no_other(tmp_path: Path, left: int) -> None:
    files = premiums(tmp_path)
    files.append([premium(0), premium(1)])
    whole = journal(tmp_path).stat().st_size
    files.append([premium(2)])
    os.truncate(journal(tmp_path), whole + left)
    files = premiums(tmp_path)
    files.append([premium(3)])
    assert files.finish(TODAY) == ()
    assert times(tmp_path) == [0, 1, 3]


def test_a_cut_line_of_a_day_that_is_over_is_left_out_and_said(tmp_path: Path) -> None:
    premiums(tmp_path).append([premium(0)])
    with journal(tmp_path).open("ab") as file:
        file.write(b'{"time":17408')
    (note,) = premiums(tmp_path).finish(TODAY)
    assert note.endswith(f"{TODAY}.jsonl: 1 unfinished line left out")
    assert times(tmp_path) == [0]


def test_a_second_recording_of_a_day_is_added_to_its_file(tmp_path: Path) -> None:
    for at in (0, 1):
        files = premiums(tmp_path)
        files.append([premium(at)])
        files.finish(TODAY)
    assert times(tmp_path) == [0, 1]


def test_a_crash_between_file_and_journal_counts_no_reading_twice(tmp_path: Path) -> None:
    files = premiums(tmp_path)
    files.append([premium(0), premium(1)])
    kept = journal(tmp_path).read_bytes()
    files.finish(TODAY)
    journal(tmp_path).write_bytes(kept)
    premiums(tmp_path).finish(TODAY)
    assert times(tmp_path) == [0, 1]


def test_a_file_that_was_cut_is_set_aside_and_said(tmp_path: Path) -> None:
    files = premiums(tmp_path)
    files.append([premium(0)])
    files.finish(TODAY)
    path = tmp_path / "premium_index" / f"{TODAY}.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    files.append([premium(1)])
    (note,) = files.finish(TODAY)
    assert "not a readable Parquet file" in note
    assert note.endswith(f"it is {TODAY}.parquet.damaged now")
    assert times(tmp_path) == [1]


def test_readings_of_a_clock_that_was_set_back_go_to_their_day(tmp_path: Path) -> None:
    files = premiums(tmp_path)
    files.append([premium(DAY - 1)])
    files.append([premium(DAY + 5)])
    files.finish(TODAY)
    files.append([premium(DAY - 2), premium(DAY + 4)])
    assert files.waiting == (TODAY, TOMORROW)
    for day in files.waiting:
        files.finish(day)
    assert times(tmp_path) == [DAY - 2, DAY - 1]
    assert times(tmp_path, TOMORROW) == [DAY + 4, DAY + 5]


def test_of_two_readings_of_one_time_the_first_counts(tmp_path: Path) -> None:
    files = premiums(tmp_path)
    files.append([premium(0, 100.0), premium(0, 7.0, "ETHUSDT")])
    files.append([premium(0, 200.0)])
    files.finish(TODAY)
    assert [(row["symbol"], row["mark_price"]) for row in rows(tmp_path)] == [("BTCUSDT", 100.0), ("ETHUSDT", 7.0)]


def test_a_write_that_a_full_disk_cuts_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = premiums(tmp_path)
    files.append([premium(0)])
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, content: real(handle, content[:10]) and _full())
        with pytest.raises(OSError, match="No space left"):
            files.append([premium(1)])
    files.append([premium(2)])
    assert files.finish(TODAY) == ()
    assert times(tmp_path) == [0, 2]


def _full() -> int:
    raise OSError(28, "No space left on device")


def test_more_lines_than_are_converted_at_once_keep_their_order(tmp_path: Path) -> None:
    files = premiums(tmp_path)
    files.append(premium(at) for at in range(recording.CHUNK * 2 + 7))
    files.finish(TODAY)
    assert times(tmp_path) == list(range(recording.CHUNK * 2 + 7))
