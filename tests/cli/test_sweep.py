"""``hedgerow sweep`` and ``hedgerow walkforward``: rows, killed and resumed, and one line for what is refused."""

import json
import os
import re
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from hedgerow.app.commands import search
from hedgerow.backtest.figures import DEFINITIONS
from support.archives import hours, prints, write_archive
from support.backtest_markets import FIRST, Coin, write_market
from support.command_runner import Shell

pytest.importorskip("arch")
pytestmark = pytest.mark.slow
DAYS = 30
END = f"{FIRST + timedelta(days=DAYS):%Y-%m-%d}"
WINDOW = ("--start", f"{FIRST:%Y-%m-%d}", "--end", END, "--cost-bps", "4", "--set", "min_funding_apr=5")
GRID = ("--grid", "funding_ma_periods=1,3", "--grid", "max_position_age_hours=12,24,500")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_market(tmp_path_factory.mktemp("market"), 7, [Coin(level=5e-4), Coin(level=4e-4)], days=DAYS)


def document_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    del found["time"]
    return found


def test_every_set_is_a_row_with_the_keys_of_a_backtest(market: Path, tmp_path: Path, shell: Shell) -> None:
    result, single = tmp_path / "sweep.json", tmp_path / "single.json"
    options = ("--data", str(market), *WINDOW)
    unused = ("--grid", "min_volume_usd=1,2")
    done = shell("sweep", *options, *GRID, *unused, "--json", str(result))
    assert done.code == 0, done.err
    found = document_of(result)
    assert len(found["rows"]) == found["played"] == 12
    assert found["dead_parameters"] == ["funding_rate_strategy.min_volume_usd"]
    assert all(DEFINITIONS.keys() <= row.keys() for row in found["rows"])
    last = found["rows"][-1]
    assert last["parameters"] == {
        "funding_rate_strategy.funding_ma_periods": 3,
        "position_management.max_position_age_hours": 500,
        "funding_rate_strategy.min_volume_usd": 2,
    }
    changes = [word for key, value in last["parameters"].items() for word in ("--set", f"{key}={value}")]
    assert shell("backtest", *options, *changes, "--json", str(single)).code == 0
    alone = json.loads(single.read_text())
    for key in DEFINITIONS.keys() | {"entries", "decisions_sha256", "exits"}:
        assert last[key] == (alone[key] if isinstance(alone[key], str | dict) else pytest.approx(alone[key])), key
    best = max(row["net_apr_on_capital"] for row in found["rows"])
    assert found["best"]["figures"]["net_apr_on_capital"] == best
    assert found["spread"]["median"] <= best
    assert "on the very history it was chosen on" in done.out
    assert "12 of 12 sets" in done.err


def test_a_second_run_plays_nothing_again(market: Path, tmp_path: Path, shell: Shell) -> None:
    result = tmp_path / "sweep.json"
    options = ("sweep", "--data", str(market), *WINDOW, *GRID, "--json", str(result))
    assert shell(*options).code == 0
    first = document_of(result)
    again = shell(*options)
    assert again.code == 0
    assert document_of(result) == first
    assert "6 of 6 sets were played before" in again.err
    assert "100.0%" not in again.err
    other = shell(*options, "--grid", "min_volume_usd=1,2")
    assert other.code == 2
    assert "holds results of another search (different: grid); delete it or name another file" in other.err


def test_a_replay_makes_the_decisions_of_the_kernel_for_every_set(market: Path, tmp_path: Path, shell: Shell) -> None:
    hashes: list[list[str]] = []
    for via in ("kernel", "replay"):
        result = tmp_path / f"{via}.json"
        window = ("--start", f"{FIRST:%Y-%m-%d}", "--end", f"{FIRST + timedelta(days=4):%Y-%m-%d}", "--cost-bps", "4")
        done = shell("sweep", "--data", str(market), *window, *GRID[:2], "--via", via, "--json", str(result))
        assert done.code == 0, done.err
        hashes.append([row["decisions_sha256"] for row in document_of(result)["rows"]])
    assert hashes[0] == hashes[1]


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def waits(condition: Any, seconds: float = 60.0) -> bool:
    pause = Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return True
        pause.wait(0.02)
    return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_sweep_that_is_killed_in_the_middle_goes_on_and_ends_with_the_same_bytes(
    market: Path, tmp_path: Path, shell: Shell
) -> None:
    ages = ",".join(str(age) for age in range(10, 210))
    grid = ("--grid", f"max_position_age_hours={ages}", "--grid", "fee_coverage_multiplier=0.5,1,1.5,2,3,4,5,6")
    options = ("sweep", "--data", str(market), *WINDOW, *grid, "--grid", "funding_ma_periods=1,2,3,4")
    whole, cut = tmp_path / "whole.json", tmp_path / "cut.json"
    kept = tmp_path / "cut.json.results"
    command = [sys.executable, "-m", "hedgerow", *options, "--workers", "2", "--json", str(cut)]
    for _ in range(2):
        size = kept.stat().st_size if kept.exists() else 0
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        try:
            assert waits(lambda size=size: kept.exists() and kept.stat().st_size > max(size, 70_000))
            workers = children_of(process.pid)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert workers
        assert waits(lambda workers=workers: not any(alive(pid) for pid in workers)), "workers outlive their parent"
    assert not cut.exists()
    assert shell(*options, "--json", str(cut)).code == 0
    assert shell(*options, "--json", str(whole)).code == 0
    assert kept.read_bytes() == (tmp_path / "whole.json.results").read_bytes()
    assert document_of(cut) == document_of(whole)
    assert len(document_of(whole)["rows"]) == 6400


def test_ctrl_c_says_what_is_kept(market: Path, tmp_path: Path) -> None:
    """There are many sets, so that a slow machine cannot end the sweep before it is interrupted."""
    ages = ",".join(str(age) for age in range(10, 210))
    first = ("--grid", f"max_position_age_hours={ages}", "--grid", "fee_coverage_multiplier=0.5,1,1.5,2,3,4,5,6")
    grid = (*first, "--grid", "funding_ma_periods=1,2,3,4,5,6,7,8", "--grid", "exit_funding_apr=1,2,3,4,5,6,7,8")
    kept, result = tmp_path / "cut.json.results", tmp_path / "cut.json"
    command = [sys.executable, "-m", "hedgerow", "sweep", "--data", str(market), *WINDOW, *grid, "--json", str(result)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own command
    assert waits(lambda: kept.exists() and kept.stat().st_size > 70_000)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f" of 102,400 sets are kept in {kept}; the same command goes on from there" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("played_before", [False, True])
def test_ctrl_c_after_the_last_set_says_what_is_kept(
    market: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch, *, played_before: bool
) -> None:
    result = tmp_path / "sweep.json"
    options = ("sweep", "--data", str(market), *WINDOW, *GRID, "--json", str(result))
    if played_before:
        assert shell(*options).code == 0
        result.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(search.Search, "judgement", interrupted)
        cut = shell(*options)
    assert cut.code == 1
    assert cut.err.endswith(
        f"interrupted; 6 of 6 sets are kept in {result}.results; the same command goes on from there\n"
    )
    assert not result.exists()
    assert shell(*options).code == 0
    assert len(document_of(result)["rows"]) == 6


def interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ((), "--grid is missing"),
        (("--grid", "fundin_ma_periods=1,2"), "unknown key fundin_ma_periods; the nearest known one"),
        (("--grid", "funding_ma_periods"), "--grid funding_ma_periods: allowed is KEY=V1,V2,..."),
        (("--grid", "funding_ma_periods=1,,2"), "allowed is KEY=V1,V2,... with a value between the commas"),
        (("--grid", "funding_ma_periods="), "allowed is KEY=V1,V2,..."),
        (("--grid", "funding_ma_periods=1,-2"), "funding_rate_strategy.funding_ma_periods is -2; allowed"),
        (("--grid", "funding_ma_periods=1,1"), "a value is named twice"),
        ((*GRID, "--grid", "funding_ma_periods=7"), "funding_ma_periods is given twice"),
        ((*GRID, "--set", "funding_ma_periods=7"), "funding_ma_periods: --set gives it as well"),
        (("--grid", "policy=a,b"), "--grid policy: it is the same for every set; --policy names it"),
        (("--grid", "settlement_guard_seconds=30,60"), "the same for every set; --set names it"),
        (("--grid", "after_emergency=halt,rest"), "after_emergency rest: the compiled rules do not follow it"),
        (("--grid", "emergency_stop_loss_pct=-10,-0.05"), "emergency_stop_loss_pct is -0.05, in percent"),
        (
            tuple(
                word
                for key in ("max_position_age_hours", "better_opportunity_apr_points", "better_opportunity_min_hours")
                for word in ("--grid", f"{key}={','.join(str(n) for n in range(1, 301))}")
            ),
            "--grid: 27,000,000 sets; allowed are 10,000,000: name fewer values, or --trials N draws N of them",
        ),
        ((*GRID, "--policy", "hold"), "--policy hold: it has no settings to search"),
        ((*GRID, "--policy", "hedgerow.strategy.policies.VolumeFarming"), "compiled are volume_farming and hold"),
        ((*GRID, "--workers", "0"), "--workers 0: allowed are 1 to 256"),
        ((*GRID, "--trials", "0"), "--trials 0: allowed are 1 to 100,000"),
        ((*GRID, "--by", "luck"), "--by luck: allowed are net_apr_on_capital"),
        ((*GRID, "--results", "/nowhere/at/all"), "--results /nowhere/at/all cannot be written"),
        ((*GRID, "--end", "2024-12-01"), "--end 2024-12-01 00:00: must be after --start"),
        ((*GRID, "--ray", "127.0.0.1:9"), "--ray 127.0.0.1:9: no cluster answers there"),
        ((*GRID, "--ray", "nowhere"), "--ray nowhere: allowed are local, auto, HOST:PORT and ray://HOST:PORT"),
    ],
)
def test_what_cannot_be_searched_is_refused_in_one_line(
    market: Path, options: tuple[str, ...], line: str, shell: Shell
) -> None:
    done = shell("sweep", "--data", str(market), *WINDOW, *options)
    assert done.code == 2
    assert line in done.err
    assert "Traceback" not in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "options", "line"),
    [
        ("optuna", ("--trials", "3"), "--trials needs optuna, which is not installed: pip install '.[trials]'"),
        ("ray", ("--ray", "local"), "--ray needs ray, which is not installed: pip install '.[ray]'"),
        ("arch", (), "a search needs arch, which is not installed: pip install '.[research]'"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    market: Path, module: str, options: tuple[str, ...], line: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("optuna", "ray", "arch"):
        if name != module:
            monkeypatch.setitem(sys.modules, name, pytest)  # found, whether installed or not
    monkeypatch.setitem(sys.modules, module, None)
    done = shell("sweep", "--data", str(market), *WINDOW, *GRID, *options)
    assert done.code == 2
    assert line in done.err
    assert len(done.err.strip().splitlines()) == 1


FOLDS = ("--train", "10", "--test", "6", "--embargo", "1")


def test_settings_are_judged_where_they_were_not_chosen(market: Path, tmp_path: Path, shell: Shell) -> None:
    result = tmp_path / "walk.json"
    page = tmp_path / "walk.html"
    options = ("--symbols", "AUSDT,BUSDT", "--exchange", "binance", "--json", str(result), "--report", str(page))
    done = shell("walkforward", "--data", str(market), *WINDOW, *GRID, *FOLDS, *options)
    assert done.code == 0, done.err
    found, text = document_of(result), page.read_text()
    assert len(found["folds"]) == 3
    for fold in found["folds"]:
        assert fold["parameters"].keys() == found["grid"].keys()
        assert fold["test"] <= fold["bound"]
    tests = [fold["test"] for fold in found["folds"]]
    assert min(tests) <= found["mean"]["test"] <= max(tests)
    assert "All tests together" in done.out
    for part in ("All tests together", "Earned in the tests", "<svg", *(f"{100 * test:+.2f} %" for test in tests)):
        assert part in text
    assert not re.search(r"<script|<link|<img|<iframe|src=|href=", text)


def test_what_comes_after_a_choice_does_not_change_it(tmp_path: Path, shell: Shell) -> None:
    chosen: list[list[Any]] = []
    for name, turn in (("calm", None), ("turned", (15 * 24, -0.002))):
        folder = tmp_path / name
        folder.mkdir()
        write_market(folder, 5, [Coin(level=5e-4, turn=turn), Coin(level=4e-4, turn=turn)], days=DAYS)
        result = tmp_path / f"{name}.json"
        done = shell("walkforward", "--data", str(folder), *WINDOW, *GRID, *FOLDS, "--json", str(result))
        assert done.code == 0, done.err
        folds = document_of(result)["folds"]
        chosen.append([(fold["parameters"], fold["train"]) for fold in folds])
        assert len(folds) == 3
    assert chosen[0][0] == chosen[1][0]
    assert chosen[0][2] != chosen[1][2]


def test_ctrl_c_after_the_last_fold_says_what_is_kept(
    market: Path, tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = tmp_path / "walk.json"
    monkeypatch.setattr(search, "walked", interrupted)
    cut = shell("walkforward", "--data", str(market), *WINDOW, *GRID, *FOLDS, "--json", str(result))
    assert cut.code == 1
    last = cut.err.splitlines()[-1]
    assert re.fullmatch(
        rf"hedgerow: interrupted; 6 of 6 sets of fold (\d) of \1 are kept in {result}.results.\1; "
        "the same command goes on from there",
        last,
    ), last


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--train", "25", "--test", "10"), "the window of 30 days holds 0 of the folds of --train 25"),
        (("--train", "0"), "--train 0: allowed are 1 to"),
        (("--embargo", "-1"), "--embargo -1: allowed are 0 to"),
    ],
)
def test_folds_that_do_not_fit_are_refused(market: Path, options: tuple[str, ...], line: str, shell: Shell) -> None:
    done = shell("walkforward", "--data", str(market), *WINDOW, *GRID, *options)
    assert done.code == 2
    assert line in done.err


def test_the_report_of_a_sweep_shows_every_pair_of_settings(market: Path, tmp_path: Path, shell: Shell) -> None:
    page, single = tmp_path / "sweep.html", tmp_path / "single.html"
    options = ("--data", str(market), *WINDOW, "--symbols", "AUSDT,BUSDT", "--exchange", "binance")
    assert shell("sweep", *options, *GRID, "--report", str(page)).code == 0
    text = page.read_text()
    assert "funding_ma_periods (rows) and max_position_age_hours (columns)" in text
    assert "Best set" in text
    assert "Rates shuffled" in text
    assert (tmp_path / "sweep.html.results").exists()
    result = tmp_path / "single.json"
    assert shell("backtest", *options, "--report", str(single), "--json", str(result)).code == 0
    found = json.loads(result.read_text())
    assert len(found["daily"]) == DAYS + 1
    assert sum(each["rate"] for each in found["payments"]) == pytest.approx(sum(t["rates"] for t in found["trades"]))
    assert "Earned on capital" in single.read_text()


def test_a_market_without_trades_is_judged_too(tmp_path: Path, shell: Shell) -> None:
    write_archive(tmp_path, *flat())
    options = ("--data", str(tmp_path), "--start", "2025-03-01", "--end", "2025-03-03")
    done = shell("sweep", *options, *GRID, "--json", "-")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert {row["entries"] for row in found["rows"]} == {0}
    assert found["distinct"] == 1
    assert found["best"]["deflated_sharpe"] is None
    assert found["best"]["stress"]["best_symbol"] is None


def flat() -> tuple[list[Any], list[Any]]:
    return hours(60), [(*row[:3], -1e-4, *row[4:]) for row in prints(7)]
