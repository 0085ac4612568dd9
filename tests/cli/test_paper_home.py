"""The life of a paper home, command by command, in one process."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from hedgerow.cli.main import COMMANDS, GROUPS
from hedgerow.clock import SystemClock
from hedgerow.dashboard.outlook import Outlook
from support.command_runner import EAGER, CommandResult, Shell, write_config

CONFIG = "config_volume_farming_strategy.json"
PARTS = (
    *("data download", "data list", "data check", "metrics rules", "metrics grafana"),
    *("store upgrade", "store copy", "store fence"),
)
"""The commands of the groups."""
NOTHING_FITS = {"funding_rate_strategy": {"min_volume_usd": 1_000_000_000_000}}
DECIMAL = re.compile(r"-?\d+(\.\d+)?")


@pytest.fixture
def held(shell: Shell, place: Path) -> str:
    """Let the bot of this folder hold something; returns the symbol."""
    write_config(place / CONFIG, EAGER)
    assert shell("run", "--paper", "--once").code == 0
    symbol = status(shell)["position"]["symbol"]
    assert isinstance(symbol, str)
    return symbol


def status(shell: Shell, *words: str) -> dict[str, dict[str, object]]:
    document: dict[str, dict[str, object]] = shell("status", "--paper", "--json", "-", *words).document
    return document


def warnings(said: CommandResult, place: Path) -> list[str]:
    log = (place / "volume_farming-paper.log").read_text(encoding="utf-8")
    assert "Traceback" not in said.err + said.out + log
    return re.findall(r" - (?:WARNING|ERROR|CRITICAL) - (.*)", log)


def test_commands_go_on_at_the_time_that_a_faster_paper_bot_reached(held: str, shell: Shell, place: Path) -> None:
    path = place / "hedgerow-paper.outlook.json"
    seen = msgspec.json.decode(path.read_bytes(), type=Outlook)
    later = seen.at + timedelta(days=2)
    path.write_bytes(msgspec.json.encode(replace(seen, at=later)))
    assert shell("halt", "--paper").code == 0
    assert datetime.fromisoformat(str(status(shell)["halt"]["since"])) >= later
    assert shell("close", held, "--paper", "--yes").code == 0
    (hedge,) = shell("books", "--paper", "--json", "-").document["hedges"]
    assert datetime.fromisoformat(hedge["ended_at"]) >= later


@pytest.mark.usefixtures("held")
def test_the_time_of_a_paper_bot_does_not_go_back_to_the_last_trade_when_it_starts_again(
    shell: Shell, place: Path
) -> None:
    path = place / "hedgerow-paper.outlook.json"
    seen = msgspec.json.decode(path.read_bytes(), type=Outlook)
    later = seen.at + timedelta(hours=1)
    path.write_bytes(msgspec.json.encode(replace(seen, at=later)))
    assert shell("run", "--paper", "--once", "--speed", "60").code == 0
    assert msgspec.json.decode(path.read_bytes(), type=Outlook).at >= later
    checked = msgspec.json.decode(path.read_bytes(), type=Outlook).checked_at
    assert checked is not None
    assert checked >= later


def test_a_fresh_log_beside_a_paper_exchange_that_stood_still_sees_no_other_bot(
    held: str, shell: Shell, place: Path
) -> None:
    for path in place.glob("hedgerow-paper.db*"):
        path.unlink()
    said = shell("run", "--paper", "--once", "--speed", "60")
    assert said.code == 0, said.out
    assert f"Discovered existing position: {held}" in said.out
    assert "OPENINGS HALTED" not in said.out


# --- help ------------------------------------------------------------------------------------------------------------


def test_without_a_word_the_commands_are_listed(shell: Shell) -> None:
    said = shell()
    assert said.code == 0
    assert said == shell("--help")
    for name, summary in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(summary)}$", said.out, re.MULTILINE), "cut short, or not there"


def test_the_version_is_one_line(shell: Shell) -> None:
    assert re.fullmatch(r"hedgerow \d+\.\d+\.\d+\n", shell("--version").out)


@pytest.mark.parametrize("name", [*sorted(COMMANDS.keys() - GROUPS), *PARTS])
def test_every_option_has_its_help(name: str, shell: Shell) -> None:
    said = shell(*name.split(), "--help")
    assert said.code == 0
    options = said.out.split("Options:\n", 1)[1]
    entries = re.split(r"\n  (?=-)", "\n" + options)[1:]
    assert len(entries) >= 2
    for entry in entries:
        flag, _, text = re.sub(r"\s*\n\s+", "  ", entry.strip()).partition("  ")
        assert re.search(r"[a-z]{3}", text.replace("[default: ", "")), f"{flag} says nothing of itself"


# --- one life --------------------------------------------------------------------------------------------------------


def test_before_the_first_run_nothing_is_held_and_nothing_is_made(shell: Shell, place: Path) -> None:
    assert "has not run here yet" in shell("status", "--paper").out
    assert status(shell)["position"] is None
    assert shell("status", "--paper").code == 1
    assert str(status(shell)["process"]) == "never started"
    assert shell("close", "--paper", "--yes") == CommandResult(1, "", "No position is held.\n")
    assert list(place.iterdir()) == []


def test_init_writes_what_run_then_reads(shell: Shell, place: Path) -> None:
    said = shell("init", "--home", "new home")
    assert said.code == 0
    assert said.out.startswith("Wrote new home/config_volume_farming_strategy.json: preset guide, the guide's defaults")
    written = json.loads((place / "new home" / CONFIG).read_text(encoding="utf-8"))
    assert written["funding_rate_strategy"] == {"min_funding_apr": 15, "use_funding_ma": True, "funding_ma_periods": 10}
    assert "not found" not in shell("config", "--home", "new home").out


def test_one_check_opens_a_hedge_and_leaves_all_its_files(held: str, shell: Shell, place: Path) -> None:
    names = {path.name for path in place.iterdir()}
    assert {
        "hedgerow-paper.db",
        "hedgerow-paper.exchange",
        "volume_farming-paper.log",
        "volume_farming_state-paper.json",
    } <= names
    assert not {"hedgerow.db", "volume_farming.log", "volume_farming_state.json"} & names, "those are the live bot's"
    state = json.loads((place / "volume_farming_state-paper.json").read_text(encoding="utf-8"))
    assert state["current_position"]["symbol"] == held
    assert shell("reconcile", "--paper").code == 0
    log = (place / "volume_farming-paper.log").read_text(encoding="utf-8")
    assert f"Position {held} confirmed on exchange" in log


def test_status_gives_money_as_decimal_strings_and_ratios_as_fractions(held: str, shell: Shell) -> None:
    document = status(shell)
    position = document["position"]
    assert position["symbol"] == held
    for key in ("spot_quantity", "perp_quantity", "entry_notional", "funding_received", "fees_paid"):
        value = position[key]
        assert isinstance(value, str)
        assert DECIMAL.fullmatch(value)
    assert isinstance(position["entry_apr"], float)
    assert isinstance(document["max_naked_seconds"], float)
    assert datetime.fromisoformat(str(position["opened_at"])).tzinfo is not None
    text = shell("status", "--paper").out
    assert re.search(rf"^Position +Stopped; {held} is held unwatched, legs differ by [+-]0\.\d{{3}} % ", text)


def test_scan_lists_every_pair_with_the_filter_that_refuses_it(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, NOTHING_FITS)
    said = shell("scan", "--paper", "--json", "scan.json")
    rows = json.loads((place / "scan.json").read_text(encoding="utf-8"))
    assert len(rows) == 20
    lines = [line for line in said.out.splitlines() if "USDT" in line]
    assert [line.split()[0] for line in lines] == [row["symbol"] for row in rows]
    assert all("24 h volume" in line for line in lines), "a verdict was cut or wrapped"
    assert all(not row["eligible"] and row["refusals"] for row in rows)
    assert all(abs(row["funding_apr"]) < 20 and DECIMAL.fullmatch(row["volume_usd"]) for row in rows)
    again = shell("scan", "--paper", "--json", "-").document
    assert {row["symbol"] for row in again} == {row["symbol"] for row in rows}
    assert not (place / "hedgerow-paper.db").exists(), "a look leaves nothing behind"


def test_a_scan_can_use_another_average(shell: Shell) -> None:
    usual, short = (shell("scan", "--paper", "--json", "-", "--ma-periods", n).document for n in (10, 1))
    assert {row["stdev"] for row in short} == {0}
    assert {row["stdev"] for row in usual} != {0}


def test_config_shows_what_the_file_says_and_gives_it_back_as_a_file(shell: Shell, place: Path) -> None:
    write_config(place / "mine.json", {"position_management": {"max_position_age_hours": 720}})
    said = shell("config", "--config", "mine.json")
    assert re.search(r"max_position_age_hours +720 +24 +a number above 0", said.out)
    whole = shell("config", "--config", "mine.json", "--json", "-").document
    write_config(place / "whole.json", whole)
    assert shell("config", "--config", "whole.json").out == said.out
    assert "running on the guide's defaults" in shell("config").out


def test_a_halt_is_shown_survives_and_is_lifted(held: str, shell: Shell) -> None:
    assert shell("halt", "--paper", "--reason", "lunch").code == 0
    said = shell("status", "--paper")
    assert said.code == 3
    assert "asked by the user: lunch" in said.out
    halt = status(shell)["halt"]
    assert datetime.fromisoformat(str(halt.pop("since"))) <= SystemClock().now()
    assert {key: halt[key] for key in ("reason", "detail")} == {"reason": "asked by the user", "detail": "lunch"}
    assert (halt["lifts_itself"], halt["remedy"]) == (False, "ended by `hedgerow resume`")
    assert "asked by the user: lunch (since 20" in shell("status", "--paper").out
    assert shell("run", "--paper", "--once").code == 3
    assert shell("reconcile", "--paper").code == 3
    alone = f"No bot is running: nothing watches {held} until one is started.\n"
    assert shell("resume", "--paper") == CommandResult(0, f"Openings are allowed again. {alone}", "")
    assert shell("resume", "--paper") == CommandResult(0, f"Openings were not halted. {alone}", "")
    assert status(shell)["position"]["symbol"] == held
    assert shell("status", "--paper").code == 1, "no bot runs"


def test_close_asks_first_and_leaves_openings_halted(held: str, shell: Shell) -> None:
    assert shell.refused("close", "--paper") == "no terminal to ask on: --yes closes without asking"
    other = shell("close", "XYZUSDT", "--paper", "--yes")
    assert other == CommandResult(1, "", f"XYZUSDT is not held; {held} is.\n")
    said = shell("close", held.lower(), "--paper", "--yes")
    assert said.code == 0
    assert said.out.startswith(f"Closed {held}: net $")
    assert status(shell)["position"] is None
    assert shell("status", "--paper").code == 3


def test_adopt_says_why_it_cannot(held: str, shell: Shell) -> None:
    assert shell("adopt", "btcusdt", "--paper") == CommandResult(
        1, "", f"BTCUSDT cannot be adopted while {held} is held.\n"
    )


def test_adopt_says_of_a_pair_that_is_held_that_it_is(held: str, shell: Shell) -> None:
    text = f"{held} is held already: what else the account holds of it stays yours.\n"
    assert shell("adopt", held, "--paper") == CommandResult(1, "", text)


def test_a_position_is_closed_on_exit_when_that_is_asked(held: str, shell: Shell) -> None:
    said = shell("run", "--paper", "--once", "--close-on-exit")
    assert said.code == 0
    assert f"Closing position on {held}..." in said.out
    assert status(shell)["position"] is None


def test_a_new_account_gets_its_balance_once(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, NOTHING_FITS)
    said = shell("run", "--paper", "--once", "--usdt", "321.5", "--seed", "7")
    assert "Spot USDT: $160.75" in said.out
    again = shell("run", "--paper", "--once", "--usdt", "999")
    assert again.code == 0
    assert "Spot USDT: $160.75" in again.out
    assert again.err == "hedgerow: hedgerow-paper.exchange exists: its account is used, --usdt ignored\n"


def test_a_change_of_the_file_while_no_bot_runs_is_logged_at_the_next_start(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, NOTHING_FITS)
    assert "Settings changed" not in shell("run", "--paper", "--once").out
    assert "Settings changed" not in shell("run", "--paper", "--once").out
    write_config(place / CONFIG, {**NOTHING_FITS, "capital_management": {"max_capital_usd": 77}})
    assert shell("halt", "--paper").code == 0
    for expected in (1, 0):
        said = shell("run", "--paper", "--once")
        assert said.out.count("Settings changed since the last run, in force from this start on") == expected
        assert said.out.count("capital_management.max_capital_usd: none becomes 77") == expected


# --- answered in one line and survived ------------------------------------------------------------------------------


def test_no_pair_tradable_is_survived_in_one_line(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, NOTHING_FITS)
    said = shell("run", "--paper", "--once")
    assert said.code == 0
    assert said.out.count("No pair passes every entry filter") == 1
    assert warnings(said, place) == []


def test_a_balance_below_the_minimum_is_survived_in_one_line(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, EAGER)
    said = shell("run", "--paper", "--once", "--usdt", "49")
    assert said.code == 0
    (line,) = warnings(said, place)
    assert "too little capital" in line
    assert status(shell)["position"] is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cycle_count": "many"}', "\x00\x01"])
def test_a_corrupt_state_file_is_set_aside_in_one_line(content: str, held: str, shell: Shell, place: Path) -> None:
    state = place / "volume_farming_state-paper.json"
    state.write_text(content, encoding="utf-8")
    said = shell("run", "--paper", "--once")
    assert said.code == 0
    (line,) = warnings(said, place)
    assert line.startswith("volume_farming_state-paper.json is corrupt (")
    (aside,) = place.glob("volume_farming_state-paper*corrupt*")
    assert aside.name in line
    assert aside.read_text(encoding="utf-8") == content
    assert json.loads(state.read_text(encoding="utf-8"))["current_position"]["symbol"] == held


def test_a_state_file_with_null_dates_is_survived(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, NOTHING_FITS)
    old = {
        "current_position": None,
        "position_opened_at": None,
        "total_funding_received": 0.0,
        "entry_fees_paid": 0.0,
        "cycle_count": 47,
        "total_profit_loss": 15.67,
        "total_positions_opened": 8,
        "total_positions_closed": 7,
        "last_updated": None,
    }
    write_config(place / "volume_farming_state-paper.json", old)
    said = shell("run", "--paper", "--once")
    assert said.code == 0
    assert warnings(said, place) == []
    assert "State file imported: 47 cycles, 8 positions opened, 7 closed, cumulative P/L $15.67" in said.out
    state = json.loads((place / "volume_farming_state-paper.json").read_text(encoding="utf-8"))
    assert (state["cycle_count"], state["total_profit_loss"]) == (48, 15.67)


def test_advice_about_a_setting_is_given_once_and_obeyed(shell: Shell, place: Path) -> None:
    write_config(place / CONFIG, {**NOTHING_FITS, "position_management": {"loop_interval_seconds": 5}})
    said = shell("run", "--paper", "--once", "--ma-periods", "60")
    assert said.code == 0
    first, second = warnings(said, place)
    assert first.startswith("funding_ma_periods is 60: above 50")
    assert second == "loop_interval_seconds is 5: 60 or more is recommended"
    assert "Funding Rate Mode: Moving Average (60 periods)" in said.out
