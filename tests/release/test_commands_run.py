"""Every command that a page names is run by a test: here, smaller or on a paper bot, or where a table says.

A new command in a page fails this until it is in a table.
"""

import re
import shlex
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from hedgerow.app.companion.parts import TEST_TEXT
from hedgerow.config import Home, HomeMode
from hedgerow.store.sqlite_reader import SqliteReader
from support.backtest_markets import Coin, write_market
from support.command_runner import EAGER, Shell, ended_once_it_answers, write_config
from support.documented import OPTION, ROOT, documented
from support.telegram_server import GROUP, TOKEN, TelegramServer

pytestmark = pytest.mark.slow

BOT, SMALL = "--paper --home my-bot", "--days 0.05 --pairs 4 --report small.html"
HISTORY = f"{SMALL} --start 2025-01-01"
"""A demo that ends at once; the made history begins on that day."""
QUICK = "--runs 1 --days 0.02 --workers 1"

SET_UP: Final[Mapping[str, str]] = {
    "init --home my-bot": "",
    "init --home rehearsal --yes": "",
    "init --home DIR": "--yes",
    "init": "--home fresh",
    "init --preset NAME": "--home named",
    "init --preset cautious": "--home careful",
    "init --preset patient": "--home calm",
    "config": "",
    "config --home my-bot": "",
    "config --json -": "",
    "config --preset NAME": "",
    "config --schema": "",
    "metrics grafana": "",
    "metrics grafana --output hedgerow.json": "",
    "metrics rules": "",
    "metrics rules --output hedgerow.rules.yml": "",
    "dashboard token": "--home my-bot",
    "dashboard token --home DIR": "",
    "dashboard token --read-only": "--home my-bot",
    "dashboard link": "--home my-bot",
}
"""What is run here, in this order: the command of a page, and what is appended to it. Later options win."""
ON_A_PAPER_BOT: Final[Mapping[str, str]] = {
    "run --paper --home FOLDER": "--once",
    "run --paper": "--home my-bot --once",
    "run --paper --speed 60": "--home my-bot --once",
    "run --log-format json": f"{BOT} --once",
    "status --paper --home my-bot": "",
    "status": BOT,
    "status --json": f"- {BOT}",
    "status --home /var/lib/hedgerow/main": "--paper",
    "status --home /var/lib/hedgerow/eth": "--paper",
    "scan --paper --home my-bot": "",
    "books --paper --home my-bot": "",
    "books": BOT,
    "books --csv": f"lines {BOT}",
    "books --since 2026-01-01 --csv books/": BOT,
    "backup": f"one.db {BOT}",
    "backup FILE": BOT,
    "backup FILE --home ...": "--paper",
    "backup /backups/hedgerow-2026-11-29.db --home /var/lib/hedgerow/main": "--paper",
    "halt --paper --home my-bot": "",
    "resume --paper --home my-bot": "",
    "halt": BOT,
    "resume": BOT,
    "reconcile": BOT,
    "close SYMBOL": f"{BOT} --yes",
}
ONCE_IT_IS_CLOSED: Final[Mapping[str, str]] = {
    "close --paper --home my-bot": "--yes",
    "close": f"{BOT} --yes",
    "adopt SYMBOL": BOT,
    "adopt": f"SYMBOL {BOT}",
}
"""They answer that there is nothing to close or to adopt, with exit code 1."""
DEMOS: Final[Mapping[str, str]] = {
    "demo": SMALL,
    "demo --days 2": SMALL,
    "demo --home DIR": SMALL,
    "demo --preset patient": SMALL,
    "demo --preset NAME": SMALL,
    "demo --preset ...": SMALL,
    **{f"demo --seed {seed} --preset ...": SMALL for seed in range(2, 6)},
    "demo --data DIR": HISTORY,
    "demo --data market-data --start 2025-06-10": HISTORY,
    **{
        f"demo --data DIR --start {start} --days 120 --preset ...": HISTORY
        for start in ("2020-09-01", "2021-09-01", "2022-09-01", "2023-09-01", "2024-09-01", "2025-03-02")
    },
    "data": "",
    "data list": "--data DIR",
    "data check": "--data DIR",
    "simulate": QUICK,
    "simulate --runs 100": QUICK,
    "simulate --hedges 5 --runs 200 --days 3": QUICK,
    "simulate --runs 2000 --days 14 --first-seed 0 --json simulation.json": QUICK,
    "simulate --runs 2000 --days 14 --first-seed 0 --hedges 5 --json several.json": QUICK,
    "simulate --hedges 5 --seed 3 --days 3": "--days 0.02",
    "simulate --seed N --days D": "",
    "simulate --transport wire --runs 100": QUICK,
    "simulate --transport wire --runs 150 --days 0.06": QUICK,
}
SERVED: Final[Mapping[str, str]] = {
    "dashboard": "--home my-bot",
    "dashboard --read-only": "--home my-bot",
    "dashboard --home DIR --allow-host bot.example.com": "",
    "dashboard --home DIR --allow-host MACHINE.TAILNET.ts.net": "",
    "emulator": "--pairs 2",
    "emulator --pairs 6": "",
    "emulator --data": "market --start 2025-01-01",
    "emulator --start 2026-01-05 --speed 0 --state week.db": "--pairs 2",
    "emulator --state": "week.db",
    "emulator --state FILE": "--pairs 2",
}
"""They serve until they are ended."""
SENT: Final[Mapping[str, str]] = {"doctor --test-alerts": "--home my-bot", "notify --test": "--home my-bot"}
"""They send a message to Telegram, which is a server of this test."""
HERE: Final = {**SET_UP, **ON_A_PAPER_BOT, **ONCE_IT_IS_CLOSED, **DEMOS, **SERVED, **SENT}

CLI, PROCESSES, POSTGRES = "tests/cli", "tests/processes", "tests/postgres"
LIVE = f"{CLI}/test_live.py::test_a_live_bot_opens_and_a_later_one_holds"
DRY = f"{CLI}/test_live.py::test_a_dry_run_needs_no_key_reads_live_and_sends_nothing"
LOCKSTEP = f"{CLI}/test_live.py::test_two_processes_trade_a_simulated_day_in_lockstep"
HOSTED = (
    f"{PROCESSES}/test_dashboard.py::"
    "test_a_running_bot_is_shown_and_halted_from_the_dashboard_and_outlived_by_a_companion"
)
WITH_ALERTS = (
    f"{PROCESSES}/test_dashboard.py::"
    "test_telegram_commands_a_running_bot_through_the_companion_in_the_dashboard_each_once"
)
DEMO_SERVED = (
    f"{PROCESSES}/test_dashboard.py::test_the_demo_is_served_while_it_runs_and_after_it_until_it_is_interrupted"
)
SCRAPED = f"{PROCESSES}/test_prometheus.py::test_prometheus_scrapes_the_demo_and_every_panel_has_data"
COMPANION = f"{PROCESSES}/test_notify.py::test_a_companion_that_is_killed_while_telegram_fails_tells_everything_once"
BACKTEST = f"{CLI}/test_backtest.py::test_the_figures_of_a_backtest_come_as_json_with_its_decisions"
CARRY = f"{CLI}/test_backtest.py::test_carry_is_played_by_the_engine_with_settings_of_its_own"
REPLAY = f"{CLI}/test_backtest.py::test_a_replay_makes_the_decisions_of_the_kernel"
BOUND = f"{CLI}/test_backtest.py::test_two_hedges_earn_no_more_each_than_one"
SWEEP = f"{CLI}/test_sweep.py::test_the_report_of_a_sweep_shows_every_pair_of_settings"
WALK = f"{CLI}/test_sweep.py::test_settings_are_judged_where_they_were_not_chosen"
DOWNLOAD = f"{CLI}/test_data.py::test_a_downloaded_folder_is_played_by_the_demo"
RECORD = f"{CLI}/test_record.py::test_a_reading_has_premium_index_and_both_books_at_one_time"
WATCHDOG = f"{CLI}/test_watchdog.py::test_a_bot_that_ended_tidily_needs_no_watchdog"
DATABASE = f"{POSTGRES}/test_commands.py::test_every_command_works_on_a_bot_in_a_database"
DOCTOR = f"{CLI}/test_doctor.py::test_it_speaks_to_people_too"
COMPANIONS = f"{POSTGRES}/test_alerts.py::test_the_companions_of_a_database_are_served_and_send_a_test_message"
MOVED = f"{POSTGRES}/test_commands.py::test_a_running_bot_is_seen_asked_and_fenced_from_another_machine"
FIRST_HOUR = "scripts/first_hour.py::before_real_money"
BOTS = "dashboard --store URL"
GIVEN = (
    "--data DIR --start 2020-01-01 --end 2025-07-01 --symbols BTCUSDT,ETHUSDT --exchange binance --cost-bps",
    "--data DIR --start 2020-01-01 --end 2025-07-01 --exchange binance --symbols BTCUSDT,ETHUSDT --cost-bps",
)
SETS = "--set same_pair=roll --set max_position_age_hours=336"
AGES, FEES = "--grid max_position_age_hours=24,72,168,336,2000", "--grid fee_coverage_multiplier=0.5,1.5,3,5"
MILLION = (
    "--json million.json --grid fee_coverage_multiplier=$MULTIPLIERS"
    " --grid funding_ma_periods=3,5,8,10,13,16,20,24,30,40 --grid better_opportunity_apr_points=$POINTS"
    " --grid max_position_age_hours=$AGES --grid better_opportunity_min_hours=$HOURS"
)

ELSEWHERE: Final[Mapping[str, str]] = {
    "run": f"{CLI}/test_live.py::test_sigterm_a_restart_and_a_second_bot",
    "run --once": LIVE,
    "run --once --home rehearsal": FIRST_HOUR,
    "run --home my-bot": f"{CLI}/test_live.py::test_sigterm_a_restart_and_a_second_bot",
    "run --home /var/lib/hedgerow/eth": MOVED,
    "run --dry-run": DRY,
    "run --dry-run --home my-bot": FIRST_HOUR,
    "run --venue-clock": LOCKSTEP,
    "run --dashboard": HOSTED,
    "run --paper --dashboard": HOSTED,
    "run --paper --dashboard --home my-bot": "scripts/first_hour.py::paper_hour",
    "close --home rehearsal --yes": FIRST_HOUR,
    "scan": f"{CLI}/test_live.py::test_a_scan_of_the_live_market_needs_no_key",
    "status --watch": "tests/terminal/test_status.py::test_watch_draws_in_place_and_ctrl_c_ends_it_well",
    "top": "tests/terminal/test_top.py::test_on_a_terminal_it_shows_a_running_bot_and_closes_the_hedge_that_is_shown",
    "dashboard --home DIR": HOSTED,
    "dashboard --home DIR --notify": WITH_ALERTS,
    "dashboard --notify --home DIR": WITH_ALERTS,
    "notify": COMPANION,
    "notify --home DIR": COMPANION,
    "demo --serve": DEMO_SERVED,
    "demo --serve --speed 3600": SCRAPED,
    "doctor": DOCTOR,
    "doctor --home my-bot": FIRST_HOUR,
    "doctor --home rehearsal": FIRST_HOUR,
    "watchdog": WATCHDOG,
    "watchdog --after 60": WATCHDOG,
    "data download": DOWNLOAD,
    "data download --data market-data --symbols BTCUSDT,ETHUSDT --start 2025-06-01": DOWNLOAD,
    "record": RECORD,
    "record --data market-data --every 60 --depth 20": RECORD,
    "backtest": BACKTEST,
    f"backtest {GIVEN[0]} 20": BACKTEST,
    f"backtest ... {SETS} --decisions decisions.jsonl --json result.json": BACKTEST,
    "backtest ... --report backtest.html": SWEEP,
    "backtest ... --via replay": REPLAY,
    "backtest --policy carry": CARRY,
    "backtest ... --policy carry": CARRY,
    f"backtest --policy carry --cycle 3600 {GIVEN[0]} 20": CARRY,
    "bound": BOUND,
    "bound --data DIR --start 2020-01-01 --end 2025-07-01 --exchange binance --cost-bps 20 --hedges 3": BOUND,
    "sweep": SWEEP,
    f"sweep {GIVEN[0]} 11 {AGES} {FEES} --workers 2 --json sweep.json --report sweep.html": SWEEP,
    f"sweep {GIVEN[1]} 11 {MILLION}": SWEEP,
    "walkforward": WALK,
    "walkforward ... --report walk.html": WALK,
    "walkforward --data DIR --start 2020-01-01 --end 2025-07-01 ... --grid ... --train 365 --test 90 --embargo 7": WALK,
    f"walkforward {GIVEN[1]} 11 --test 180 {AGES} {FEES} --grid funding_ma_periods=3,10,30": WALK,
    "store upgrade": f"{POSTGRES}/test_commands.py::test_the_tables_are_set_up_and_upgraded_by_a_command",
    "store copy": f"{POSTGRES}/test_commands.py::test_a_log_is_copied_back_to_a_file_and_goes_on_there",
    "store copy /var/lib/hedgerow/eth/hedgerow.db $HEDGEROW_DATABASE --home /var/lib/hedgerow/eth": (
        f"{POSTGRES}/test_commands.py::test_a_log_left_behind_in_the_home_is_copied_first"
    ),
    "store copy $HEDGEROW_DATABASE /var/lib/hedgerow/eth/hedgerow.db --home /var/lib/hedgerow/eth": (
        f"{POSTGRES}/test_commands.py::test_a_log_is_copied_back_to_a_file_and_goes_on_there"
    ),
    "store fence": MOVED,
    "halt --store ...": DATABASE,
    BOTS: COMPANIONS,
    f"{BOTS} --notify --home DIR": COMPANIONS,
    "notify --store URL": COMPANIONS,
    "--version": f"{CLI}/test_paper_home.py::test_the_version_is_one_line",
    "--help": f"{CLI}/test_paper_home.py::test_without_a_word_the_commands_are_listed",
    "COMMAND --help": f"{CLI}/test_paper_home.py::test_every_option_has_its_help",
    "metrics": f"{CLI}/test_data.py::test_a_group_alone_shows_its_commands_and_an_unknown_one_is_refused",
    "store": f"{CLI}/test_data.py::test_a_group_alone_shows_its_commands_and_an_unknown_one_is_refused",
}
"""The test, or the step of the first hour that CI does, that runs a command, with other values of its options."""
NOT_RUN: Final[Mapping[str, str]] = {
    "--install-completion": "changes the start files of the user's shell",
}
"""And why."""
OF_EVERY_COMMAND: Final = {"--home", "--version", "--help"}


def test_every_command_of_a_page_is_in_one_table_that_says_where_it_is_run() -> None:
    known = [*HERE, *ELSEWHERE, *NOT_RUN]
    assert len(known) == len(set(known)), "a command is in two tables"
    assert {name: pages for name, pages in documented().items() if name not in known} == {}
    assert sorted(set(known) - set(documented())) == [], "no page names it any more"


@pytest.mark.parametrize("node", sorted(set(ELSEWHERE.values())))
def test_the_place_that_runs_a_command_is_there_and_gives_its_options(node: str) -> None:
    path, _, name = node.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)
    commands = [words for words, place in ELSEWHERE.items() if place == node]
    options = {option for words in commands for option in OPTION.findall(words)} - OF_EVERY_COMMAND
    assert {option for option in options if option not in text} == set()


# --- run here --------------------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "locks"))
    monkeypatch.setenv("HEDGEROW_FUTURES_REST", "http://127.0.0.1:9")  # no command here may find the real exchange
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def words_of(command: str, appended: str, symbol: str) -> list[str]:
    """Return a command of a page with something in place of what it leaves open, and what is appended."""
    given = {"DIR": "my-bot", "FOLDER": "my-bot", "NAME": "patient", "SYMBOL": symbol, "N": "3", "D": "0.02"}
    words: list[str] = []
    for word in shlex.split(f"{command} {appended}"):
        last = words[-1] if words else ""
        if last == "--data":
            words.append("market")
        elif word == "...":
            words.append("my-bot" if last == "--home" else "patient")
        elif word == "FILE" or word.startswith("/backups/"):
            words.append(f"{len(list(Path().iterdir()))}.db")
        else:
            words.append("my-bot" if word.startswith("/var/lib/hedgerow/") else given.get(word, word))
    return words


def carried_out(shell: Shell, table: Mapping[str, str], *codes: int, symbol: str = "BTCUSDT") -> None:
    """Run every command of a table; each ends with one of these exit codes."""
    for command, appended in table.items():
        words = words_of(command, appended, symbol)
        done = shell(*words)
        assert done.code in codes, (words, done)
        assert done.out or "--output" in words or "--csv" in words, words


def test_commands_that_set_up_a_home_do(shell: Shell, place: Path) -> None:
    carried_out(shell, SET_UP, 0)
    assert (place / "my-bot" / "config_volume_farming_strategy.json").exists()


def test_commands_about_a_bot_do_on_paper_what_the_pages_say(shell: Shell, place: Path) -> None:
    (place / "my-bot").mkdir()
    write_config(place / "my-bot" / "config_volume_farming_strategy.json", EAGER)
    assert shell("run", "--paper", "--once", "--home", "my-bot").code == 0
    symbol = str(shell("status", "--paper", "--home", "my-bot", "--json", "-").document["position"]["symbol"])
    # A one-shot run is over, so that status ends with 1: no bot runs.
    carried_out(shell, ON_A_PAPER_BOT, 0, 1, symbol=symbol)
    for command, appended in ONCE_IT_IS_CLOSED.items():
        done = shell(*words_of(command, appended, "BTCUSDT"))
        assert done.code == 1
        assert "No position is held" in done.err or "no short with coins" in done.err, done
    reader = SqliteReader(Home(folder=place / "my-bot", mode=HomeMode.PAPER).events)
    kinds = [kind for _, kind, _ in reader.rows()]
    reader.release()
    assert kinds.count("hedge_opened") == kinds.count("hedge_closed") == 1


def test_commands_that_play_a_market_play_a_small_one(shell: Shell, place: Path) -> None:
    (place / "market").mkdir()
    write_market(place / "market", 7, [Coin(level=5e-4), Coin(level=4e-4)], days=3)
    carried_out(shell, DEMOS, 0)


def test_commands_that_serve_a_screen_serve_it_until_they_are_ended(shell: Shell, place: Path) -> None:
    (place / "my-bot").mkdir()
    (place / "market").mkdir()
    write_market(place / "market", 7, [Coin(level=5e-4), Coin(level=4e-4)], days=3)
    for command, appended in SERVED.items():
        port = free_port()
        with ended_once_it_answers(port):
            done = shell(*words_of(command, f"{appended} --port {port}", ""))
        assert done.code == 0, done
        assert f"http://127.0.0.1:{port}" in done.out + done.err, done


def free_port() -> int:
    """Return a port that is free now, and the one after it is, too."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free, suppress(OSError, OverflowError):
            port: int = free.getsockname()[1]
            socket.create_server(("127.0.0.1", port + 1)).close()
            return port


def test_commands_that_send_a_test_message_send_it(shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "my-bot").mkdir()
    with TelegramServer() as server:
        for name, value in (("TOKEN", TOKEN), ("CHATS", str(GROUP)), ("API", server.address)):
            monkeypatch.setenv(f"HEDGEROW_TELEGRAM_{name}", value)
        # The doctor ends with 1: the exchange does not answer here.
        carried_out(shell, SENT, 0, 1)
    assert server.texts == [(GROUP, TEST_TEXT)] * len(SENT)
