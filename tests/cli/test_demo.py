"""``hedgerow demo``: the same seed, the same log; every figure in its form; real history where there is any."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support.archives import START, hours, prints, write_archive
from support.command_runner import Shell, write_config
from support.real_history import REAL_HISTORY

SHORT = ("--days", 2, "--pairs", 8)
MONEY = (
    "funding_received",
    "fees_paid",
    "net_profit",
    "equity_start",
    "equity_end",
    "books_difference",
    "max_naked_usd",
)
COUNTS = ("cycles", "positions_opened", "positions_closed")
DECIMAL = re.compile(r"-?\d+(\.\d+)?")


def checked(document: dict[str, object]) -> dict[str, object]:
    """Return a result of which every figure has its form."""
    for key in MONEY:
        assert DECIMAL.fullmatch(str(document[key]))
        assert isinstance(document[key], str)
    for key in COUNTS:
        assert isinstance(document[key], int)
    for key in ("max_naked_seconds", "elapsed_seconds"):
        assert isinstance(document[key], float)
    assert re.fullmatch(r"[0-9a-f]{64}", str(document["events_sha256"]))
    assert document["books_difference"] == "0"
    return document


@pytest.fixture
def result(shell: Shell) -> dict[str, object]:
    said = shell("demo", *SHORT, "--seed", 5, "--speed", "max", "--json", "-")
    assert said.code == 0
    return checked(said.document)


def test_standard_output_holds_json_only_and_the_progress_goes_elsewhere(shell: Shell, place: Path) -> None:
    said = shell("demo", *SHORT, "--json", "-")
    document = checked(said.document)
    assert document["cycles"] == 576
    lines = said.err.splitlines()
    assert len(lines) >= 10
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d \( *\d+%\) cycles \d+, equity \$", line) for line in lines)
    assert (place / "demo-report.html").exists()


def test_the_same_seed_gives_the_same_log_and_another_one_another(shell: Shell, result: dict[str, object]) -> None:
    again = shell("demo", *SHORT, "--seed", 5, "--home", "kept", "--json", "-").document
    other = shell("demo", *SHORT, "--seed", 6, "--json", "-").document
    for document in (result, again, other):
        for key in ("elapsed_seconds", "time", "home"):
            del document[key]
    assert again == result
    assert other["events_sha256"] != result["events_sha256"]


def test_the_console_reports_what_happened_and_the_log_file_everything(shell: Shell, place: Path) -> None:
    said = shell("demo", *SHORT, "--home", "kept", "--report", "r.html", "--json", "r.json")
    assert said.code == 0
    document = checked(json.loads((place / "r.json").read_text(encoding="utf-8")))
    log = (place / "kept" / "volume_farming-demo.log").read_text(encoding="utf-8")
    assert log.count("CYCLE #") == document["cycles"]
    assert 2 < said.out.count("CYCLE #") < 40, "quiet checks are not for the console"
    for line in (
        "Successfully adopted existing position",
        "The demo kills the bot here",
        "Resuming from the log",
        "SHUTDOWN",
        "Report: r.html",
    ):
        assert said.out.count(line) == 1
    assert said.out.count("Position opened successfully!") == log.count("Position opened successfully!")
    assert f"Events sha256 {document['events_sha256']}" in said.out
    assert str(document["events_sha256"]) in (place / "r.html").read_text(encoding="utf-8")
    assert max(map(len, said.out.splitlines())) > 80, "lines for programs are not wrapped"


def test_every_check_is_reported_when_that_is_asked(shell: Shell) -> None:
    said = shell("demo", "--days", 0.5, "--pairs", 4, "--every-check")
    assert said.out.count("CYCLE #") == 144


def test_a_kept_home_is_played_anew_and_nothing_else_in_it_is_touched(shell: Shell, place: Path) -> None:
    home = place / "kept"
    home.mkdir()
    mine = {name: home / name for name in ("hedgerow.db", "volume_farming.log", "volume_farming_state.json")}
    for path in mine.values():
        path.write_text("mine", encoding="utf-8")
    first, second = (
        shell("demo", "--days", 0.2, "--pairs", 4, "--home", home, "--json", "-").document for _ in range(2)
    )
    assert first["events_sha256"] == second["events_sha256"]
    assert all(path.read_text(encoding="utf-8") == "mine" for path in mine.values())


def test_the_demo_obeys_a_configuration(shell: Shell, place: Path) -> None:
    config = write_config(place / "c.json", {"position_management": {"loop_interval_seconds": 3600}})
    document = shell("demo", *SHORT, "--config", config, "--json", "-").document
    assert 47 <= document["cycles"] <= 49


@pytest.mark.parametrize(
    "words",
    [
        ("--days", 0.0001, "--pairs", 4),
        ("--days", 0.2, "--pairs", 1),
        ("--days", 0.2, "--pairs", 4, "--usdt", 100),
        ("--days", 0.2, "--pairs", 4, "--usdt", 1_000_000_000),
        ("--days", 0.2, "--pairs", 4, "--seed", -1, "--start", "2024-02-29T13:30:00+02:00"),
        ("--days", 0.01, "--pairs", 4, "--speed", 10_000),
    ],
    ids=["short", "one pair", "poor", "rich", "odd", "paced"],
)
def test_the_ends_of_every_range_work(words: tuple[object, ...], shell: Shell) -> None:
    said = shell("demo", *words, "--json", "-")
    assert said.code == 0
    checked(said.document)


# --- history ---------------------------------------------------------------------------------------------------------


def archive(folder: Path) -> Path:
    """Two days of one pair, and three weeks of its funding before."""
    first = START - timedelta(days=21)
    folder.mkdir()
    return write_archive(folder, hours(48), prints(69, first=first))


def test_history_from_files_is_played_and_its_end_is_announced(shell: Shell, place: Path) -> None:
    data = archive(place / "data")
    said = shell("demo", "--data", data, "--start", f"{START:%Y-%m-%d}", "--days", 10)
    assert said.code == 0
    assert "the data reach only part of the window asked for" in said.out
    assert "Discovered existing position: BTCUSDT" in said.out
    ended = re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d to (\d{4}-\d\d-\d\d)", said.out, re.MULTILINE)
    assert ended is not None
    assert datetime.fromisoformat(ended[1]).date() <= (START + timedelta(days=2)).date()


@pytest.mark.parametrize(
    ("start", "said"),
    [("2031-01-01", "no prices from"), (f"{START + timedelta(hours=44):%Y-%m-%dT%H:%M}", "too soon after --start")],
    ids=["empty", "nearly empty"],
)
def test_an_empty_window_is_refused(start: str, said: str, shell: Shell, place: Path) -> None:
    data = archive(place / "data")
    assert said in shell.refused("demo", "--data", data, "--start", start)
    assert not (place / "demo-report.html").exists()


def test_an_empty_folder_of_history_is_refused(shell: Shell, place: Path) -> None:
    (place / "data").mkdir()
    assert "prices_hourly.parquet: no such file" in shell.refused("demo", "--data", "data")


def test_days_of_history_are_played(shell: Shell, place: Path, history: Path) -> None:
    days, opened = (4, 2) if history == REAL_HISTORY else (2, 1)
    said = shell("demo", "--data", history, "--start", "2024-11-01", "--days", days, "--json", "days.json")
    assert said.code == 0
    document = checked(json.loads((place / "days.json").read_text(encoding="utf-8")))
    assert document["cycles"] == days * 288
    assert int(str(document["positions_opened"])) >= opened
    assert "skipped: no spot and perpetual prices in the window" in said.out
