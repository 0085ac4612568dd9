"""``hedgerow record`` against an Aster over sockets: restarts, cuts, midnight, clocks, and a folder without room."""

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from hedgerow.clock import SystemClock
from hedgerow.testing import LocalAster, local_aster
from support.command_runner import COMMAND, Shell, process

START = datetime(2025, 1, 1, 12, tzinfo=UTC)
TODAY, TOMORROW = "2025-01-01", "2025-01-02"
"""The exchange's time stands still until a test moves it: readings before that have one time."""
ASKED = ("record", "--data", "recorded", "--symbols", "BTCUSDT,ETHUSDT", "--every", "1")


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAster]:
    with local_aster(start=START, speed=0) as served:
        for name, value in served.environment.items():
            if name.startswith("HEDGEROW_"):
                monkeypatch.setenv(name, value)
        yield served


@pytest.fixture
def kept(place: Path) -> Path:
    return place / "recorded"


def rows(folder: Path, kind: str, day: str = TODAY) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parquet.read_table(folder / kind / f"{day}.parquet").to_pylist()
    return found


def lines(folder: Path, day: str = TODAY) -> int:
    path = folder / "books" / f"{day}.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def is_finished(folder: Path) -> bool:
    """Return whether the first day is a file and has no journal any more."""
    day = folder / "books" / TODAY
    return day.with_suffix(".parquet").exists() and not day.with_suffix(".jsonl").exists()


def wait_until(is_so: Callable[[], bool]) -> None:
    clock = SystemClock()

    async def main() -> None:
        async with clock.timeout(60):
            while not is_so():
                await clock.sleep(0.02)

    asyncio.run(main())


def ended(running: "subprocess.Popen[str]", sign: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
    running.send_signal(sign)
    out, err = running.communicate(timeout=60)
    assert "Traceback" not in err
    return running.returncode, out, err


def test_a_reading_has_premium_index_and_both_books_at_one_time(aster: LocalAster, shell: Shell, kept: Path) -> None:
    said = shell(*ASKED, "--rounds", "2", "--depth", "5")
    assert said.code == 0, said.err
    assert "recorded: 2 readings kept" in said.out
    books = rows(kept, "books")
    assert {(row["market"], row["symbol"]) for row in books} == {
        (market, symbol) for market in ("spot", "perp") for symbol in ("BTCUSDT", "ETHUSDT")
    }
    for row in books:
        assert len(row["bid_prices"]) == len(row["ask_quantities"]) == 5
        assert row["bid_prices"] == sorted(row["bid_prices"], reverse=True)
        assert row["bid_prices"][0] < row["ask_prices"][0]
        assert 0 <= row["book_time"] - row["time"] < 5_000
    premiums = rows(kept, "premium_index")
    assert {row["time"] for row in premiums} == {row["time"] for row in books}
    price = float(aster.price("BTCUSDT"))
    assert all(row["mark_price"] == pytest.approx(price, rel=0.02) for row in premiums if row["symbol"] == "BTCUSDT")
    assert {row["next_funding_time"] % 3_600_000 for row in premiums} == {0}
    assert list(kept.rglob("*.jsonl")) == []


def test_a_killed_recording_keeps_what_it_read_and_goes_on(aster: LocalAster, place: Path, kept: Path) -> None:
    running = process(COMMAND, *ASKED, home=place)
    wait_until(lambda: lines(kept) >= 8)
    running.kill()
    running.communicate(timeout=60)
    journal = kept / "books" / f"{TODAY}.jsonl"
    os.truncate(journal, journal.stat().st_size - 7)
    whole = lines(kept)

    aster.advance(minutes=1)
    running = process(COMMAND, *ASKED, home=place)
    wait_until(lambda: lines(kept) >= whole + 8)
    code, out, err = ended(running, signal.SIGTERM)
    assert (code, err.count("\n")) == (0, 1), err
    assert "readings kept" in out
    times = [row["time"] for row in rows(kept, "books")]
    assert times == sorted(times)
    assert [times.count(each) for each in sorted(set(times))] == [4, 4]


def test_a_day_that_is_over_becomes_a_file_while_the_recording_runs(aster: LocalAster, place: Path, kept: Path) -> None:
    running = process(COMMAND, *ASKED, home=place)
    wait_until(lambda: lines(kept) >= 4)
    aster.advance(hours=13)
    wait_until(lambda: is_finished(kept))
    wait_until(lambda: lines(kept, TOMORROW) >= 4)
    assert {row["time"] // 86_400_000 for row in rows(kept, "books")} == {20_089}
    assert ended(running)[0] == 0
    assert {row["time"] // 86_400_000 for row in rows(kept, "books", TOMORROW)} == {20_090}


def test_a_clock_of_the_exchange_that_is_set_back_loses_nothing(aster: LocalAster, place: Path, kept: Path) -> None:
    aster.advance(hours=13)
    running = process(COMMAND, *ASKED, home=place)
    wait_until(lambda: lines(kept, TOMORROW) >= 4)
    aster.skew_clock(-7200)
    wait_until(lambda: lines(kept) >= 4)
    aster.skew_clock(0)
    wait_until(lambda: is_finished(kept))
    assert ended(running)[0] == 0
    assert len(rows(kept, "books", TOMORROW)) == len(rows(kept, "books")) == 4


def test_a_folder_without_room_is_one_line_and_the_recording_goes_on_after_it(
    aster: LocalAster, place: Path, kept: Path
) -> None:
    running = process(COMMAND, *ASKED, home=place)
    wait_until(lambda: lines(kept) >= 4)
    (kept / "books").rename(kept / "moved")
    (kept / "books").write_text("in the way")
    said = ErrorLines(running)
    said.wait_for("readings are lost until that is over")
    waited = len(aster.requests("premiumIndex"))
    wait_until(lambda: len(aster.requests("premiumIndex")) >= waited + 3)
    (kept / "books").unlink()
    (kept / "moved").rename(kept / "books")
    said.wait_for("recording again; ")
    assert said.end() == 0
    assert sum("lost until" in line for line in said.lines) == 1


def test_an_exchange_that_does_not_answer_is_said_once_and_asked_again(
    aster: LocalAster, place: Path, kept: Path
) -> None:
    running = process(COMMAND, *ASKED, home=place)
    wait_until(lambda: lines(kept) >= 4)
    aster.inject("503_before", times=0)
    said = ErrorLines(running)
    said.wait_for("the exchange cannot be read: ")
    waited = len(aster.requests("time"))
    wait_until(lambda: len(aster.requests("time")) >= waited + 6)
    aster.clear_faults()
    said.wait_for("the exchange can be read again; ")
    assert said.end() == 0
    assert sum("cannot be read" in line for line in said.lines) == 1


def test_a_second_signal_ends_a_reading_that_hangs(aster: LocalAster, place: Path, kept: Path) -> None:
    running = process(COMMAND, *ASKED, home=place)
    wait_until(lambda: lines(kept) >= 4)
    aster.inject("silent_before", path="depth", times=0)
    waited = len(aster.requests("depth"))
    wait_until(lambda: len(aster.requests("depth")) > waited)
    running.send_signal(signal.SIGINT)
    code, _, err = ended(running, signal.SIGTERM)
    assert (code, err.splitlines()[-1]) == (1, "hedgerow: interrupted")
    assert len(rows(kept, "books")) == 4


def test_a_book_that_cannot_be_read_does_not_stop_the_others(aster: LocalAster, shell: Shell, kept: Path) -> None:
    aster.inject(
        "reject", path="/api/v3/depth", contains="symbol=ETHUSDT", times=0, code=-1121, message="Invalid symbol."
    )
    said = shell(*ASKED, "--rounds", "3")
    assert said.code == 0
    assert said.err.count("1 of 4 books cannot be read: ETHUSDT spot: ") == 1
    read = {(row["market"], row["symbol"]) for row in rows(kept, "books")}
    assert read == {("perp", "ETHUSDT"), ("perp", "BTCUSDT"), ("spot", "BTCUSDT")}


class ErrorLines:
    """What a process says on standard error, read in a thread of its own."""

    def __init__(self, running: "subprocess.Popen[str]") -> None:
        self.lines: list[str] = []
        self._running = running
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._running.stderr is not None
        self.lines.extend(self._running.stderr)

    def end(self) -> int:
        """Stop the process; return its exit code."""
        with self._running:
            self._running.send_signal(signal.SIGINT)
            self._thread.join(60)
            return self._running.wait(60)

    def wait_for(self, text: str) -> None:
        wait_until(lambda: any(text in line for line in self.lines))


@pytest.mark.usefixtures("aster")
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--every", "0.5"), "--every 0.5: allowed is a number from 1 to 86400"),
        (("--every", "nan"), "--every nan: allowed is a number from 1 to 86400"),
        (("--depth", "7"), "--depth 7: allowed are 5, 10, 20, 50, 100, 500, 1000"),
        (("--rounds", "-1"), "--rounds -1: allowed is 0 or a positive number"),
        (("--symbols", "NOSUCHUSDT"), "--symbols NOSUCHUSDT: the exchange lists no such perpetual"),
        (("--data", "/proc/books"), "--data /proc/books cannot be written: No such file or directory"),
        (("--depth", "1000"), "--every 1: 4 books of 1000 levels need at least 3 s within the exchange's limits"),
    ],
)
def test_what_cannot_be_recorded_is_refused(shell: Shell, words: tuple[str, ...], text: str) -> None:
    assert text in shell.refused(*ASKED, *words)
