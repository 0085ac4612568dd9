"""``hedgerow run`` on a wired exchange over sockets: live, dry run and lockstep, as a user starts them."""

import asyncio
import json
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event

import pytest

from hedgerow.app.commands.emulator_server import WiredAccount
from hedgerow.app.session import read_ledger
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.wire.rest.faults import RequestFault
from support.command_runner import COMMAND, EAGER, Shell, process, write_config
from support.local_aster import KEY, SIGNER, USER, LocalAster, key_of, local_aster

PATIENCE = 60.0
"""Real seconds; a machine may be slow, and nothing here measures how slow."""
CONFIG = {
    "funding_rate_strategy": {**EAGER["funding_rate_strategy"], "funding_ma_periods": 1},
    "position_management": {
        "fee_coverage_multiplier": 1000,
        "max_position_age_hours": 1000,
        "loop_interval_seconds": 1,
        "better_opportunity_apr_points": 10000,
    },
    "execution": {"settlement_guard_seconds": 0},
}
START = "2026-01-05T01:00:00+00:00"


def lead(aster: LocalAster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aster.variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def aster(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[LocalAster]:
    write_config(place / "config_volume_farming_strategy.json", CONFIG)
    with local_aster() as exchange:
        lead(exchange, monkeypatch)
        yield exchange


@pytest.fixture
def still_aster(monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[LocalAster]:
    """Yield an exchange whose time advances only when it is asked to."""
    write_config(place / "config_volume_farming_strategy.json", CONFIG)
    with local_aster(speed=0, start=datetime.fromisoformat(START)) as exchange:
        lead(exchange, monkeypatch)
        yield exchange


def ledger_of(place: Path, mode: HomeMode = HomeMode.LIVE) -> Ledger:
    ledger = asyncio.run(read_ledger(Home(folder=place, mode=mode)))
    assert ledger is not None
    return ledger


def check_sound(aster: LocalAster, place: Path) -> Ledger:
    """Check that the log agrees with the exchange to the last digit."""
    ledger = ledger_of(place)
    assert ledger.execution is None
    assert books_difference(ledger.books, aster.world.account()) == {}
    if ledger.largest is not None:
        assert aster.world.account().short(ledger.largest.symbol) == ledger.largest.short
    return ledger


@contextmanager
def running(place: Path, *words: str) -> "Iterator[subprocess.Popen[str]]":
    bot = process(COMMAND, "run", *words, home=place)
    try:
        yield bot
    finally:
        bot.kill()
        bot.communicate()


def count(log: Path, kind: str) -> int:
    """Return how many events of a kind a log has; 0 while there is no log."""
    try:
        with closing(sqlite3.connect(f"file:{log}?mode=ro", uri=True)) as events:
            return int(events.execute("SELECT count(*) FROM events WHERE kind = ?", (kind,)).fetchone()[0])
    except sqlite3.Error:
        return 0


def until(what: Callable[[], bool], bot: "subprocess.Popen[str]") -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + PATIENCE
    while not what():
        assert bot.poll() is None, f"the bot ended: {bot.communicate()[1]}"
        assert clock.monotonic() < deadline, "it never came to that"
        Event().wait(0.02)


def end(bot: "subprocess.Popen[str]") -> tuple[int, str]:
    """Send SIGTERM; returns the exit code, and everything that was said."""
    bot.send_signal(signal.SIGTERM)
    said = bot.communicate(timeout=PATIENCE)
    return bot.returncode, "".join(said)


def test_without_credentials_one_line_says_how_to_get_them(shell: Shell, place: Path) -> None:
    line = shell.refused("run")
    assert "www.asterdex.com/en/api-wallet" in line
    assert "API_USER, API_SIGNER and API_PRIVATE_KEY" in line
    assert "hedgerow demo" in line
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("words", [["reconcile"], ["halt"], ["resume"], ["adopt", "BTCUSDT"], ["run"]])
def test_a_home_with_only_a_paper_log_says_so(words: list[str], shell: Shell) -> None:
    assert shell("run", "--paper", "--once", "--speed", "max").code == 0
    assert "--paper" in shell.refused(*words)
    assert "(a paper bot: --paper has run here)" in shell("status").out


def test_a_live_bot_opens_and_a_later_one_holds(aster: LocalAster, shell: Shell, place: Path) -> None:
    said = shell("run", "--once")
    assert (said.code, said.err) == (0, "")
    opened = check_sound(aster, place)
    assert opened.largest is not None
    said = shell("run", "--once")
    assert f"Position {opened.largest.symbol} confirmed on exchange" in said.out
    held = check_sound(aster, place)
    assert held.largest is not None
    assert held.largest.hedge_id == opened.largest.hedge_id
    assert (held.totals.cycles, held.totals.opened) == (2, 1)
    said = shell("close", "--yes")
    assert said.out.startswith(f"Closed {opened.largest.symbol}: net $")
    assert check_sound(aster, place).foremost is None


def test_a_bot_with_legacy_keys_opens_holds_and_closes_also_after_a_lost_answer(
    aster: LocalAster, shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_USER", "API_SIGNER", "API_PRIVATE_KEY"):
        monkeypatch.delenv(name)
    account = WiredAccount(user=USER, signer=SIGNER)
    monkeypatch.setenv("APIV1_PUBLIC_KEY", account.api_key)
    monkeypatch.setenv("APIV1_PRIVATE_KEY", account.api_secret)
    aster.venue.faults.requests.append(RequestFault(fault=FaultKind.CUT_AFTER, path="/fapi/v1/order", method="POST"))
    said = shell("run", "--once")
    assert (said.code, said.err) == (0, "")
    opened = check_sound(aster, place)
    assert opened.largest is not None
    assert shell("doctor").code == 0
    assert f"Position {opened.largest.symbol} confirmed on exchange" in shell("run", "--once").out
    assert shell("close", "--yes").out.startswith(f"Closed {opened.largest.symbol}: net $")
    assert check_sound(aster, place).foremost is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_closing_that_receives_a_stop_signal_ends_flat_first(
    number: signal.Signals, aster: LocalAster, shell: Shell, place: Path
) -> None:
    assert shell("run", "--once").code == 0
    assert check_sound(aster, place).largest is not None
    slow = RequestFault(fault=FaultKind.SLOW, path="/fapi/v3/order", method="POST", seconds=2, times=1)
    aster.venue.faults.requests.append(slow)
    log = place / "hedgerow.db"
    before = count(log, "order_ended")
    command = process(COMMAND, "close", "--yes", home=place)
    until(lambda: count(log, "order_ended") > before, command)
    command.send_signal(number)
    out, err = command.communicate(timeout=PATIENCE)
    assert command.returncode == 0
    assert err.startswith("Stopping: the closing of ")
    assert err.endswith(" is finished first (again = stop at once)\n")
    assert out.startswith("Closed ")
    assert check_sound(aster, place).foremost is None


def test_a_stop_signal_ends_a_command_that_only_reads(aster: LocalAster, place: Path) -> None:
    aster.venue.faults.requests.append(
        RequestFault(fault=FaultKind.SILENT_BEFORE, path="accountWithJoinMargin", times=0)
    )
    command = process(COMMAND, "halt", home=place)
    until(lambda: aster.venue.faults.faulted > 0, command)
    command.send_signal(signal.SIGTERM)
    _, err = command.communicate(timeout=PATIENCE)
    assert (command.returncode, err) == (1, "hedgerow: interrupted\n")


def test_sigterm_a_restart_and_a_second_bot(aster: LocalAster, shell: Shell, place: Path) -> None:
    log = place / "hedgerow.db"
    with running(place) as bot:
        until(lambda: count(log, "cycle_completed") > 2, bot)
        assert f"process {bot.pid} already trades this account" in shell.refused("run", "--defaults", "--home", "other")
        assert shell("halt").code == 0
        assert shell("resume").code == 0
        code, first = end(bot)
        assert code == 0, first
    before = check_sound(aster, place)
    assert before.largest is not None
    with running(place) as bot:
        until(lambda: count(log, "cycle_completed") > before.totals.cycles, bot)
        code, second = end(bot)
        assert code == 0, second
    after = check_sound(aster, place)
    assert after.largest is not None
    assert (after.largest.hedge_id, after.totals.opened) == (before.largest.hedge_id, 1)
    assert "Traceback" not in first + second
    check_no_secret(place, first + second)


def check_no_secret(place: Path, said: str) -> None:
    secret = KEY.lower()
    assert secret not in said.lower()
    files = [path for path in place.rglob("*") if path.is_file()]
    assert any(path.suffix == ".log" for path in files)
    for path in files:
        content = path.read_bytes()
        assert secret.encode() not in content.lower(), path
        assert bytes.fromhex(secret) not in content, path


def test_a_bot_killed_while_it_opens_comes_back_hedged_or_flat(
    still_aster: LocalAster, shell: Shell, place: Path
) -> None:
    # In lockstep: an order that may never have left is certain only after the nonce window, a real minute otherwise.
    with running(place, "--venue-clock") as bot:
        until(lambda: count(place / "hedgerow.db", "command_issued") >= 4, bot)
        bot.kill()
        bot.wait(timeout=PATIENCE)
    assert shell("run", "--once", "--venue-clock").code == 0
    ledger = check_sound(still_aster, place)
    assert ledger.foremost is None or ledger.largest is not None


def test_commands_that_trade_beside_an_exchange_whose_time_stands_still_follow_its_clock(
    still_aster: LocalAster, shell: Shell, place: Path
) -> None:
    assert shell("run", "--once", "--venue-clock").code == 0
    hedge = check_sound(still_aster, place).largest
    assert hedge is not None
    assert shell("reconcile").code == 0
    assert shell("halt").code == 0
    assert shell("resume").code == 0
    done = shell("close", hedge.symbol, "--yes")
    assert done.code == 0, done.err
    assert f"Closed {hedge.symbol}" in done.out
    ledger = check_sound(still_aster, place)
    assert ledger.hedges == {}
    assert ledger.closed[-1].closed_at.date() == datetime.fromisoformat(START).date()


def test_the_credentials_may_stand_in_the_home_folder(
    aster: LocalAster, shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = place / ".env"
    file.write_text("".join(f'export {name}="{value}"  # mine\n' for name, value in aster.variables.items()))
    file.chmod(0o644)
    for name in aster.variables:
        monkeypatch.delenv(name)
    said = shell("run", "--once")
    assert said.code == 0
    assert ".env holds credentials and can be read by others: chmod 600" in said.out
    assert check_sound(aster, place).largest is not None
    file.unlink()
    check_no_secret(place, said.out + said.err)


def test_a_key_that_does_not_suffice_stops_the_bot_before_it_trades(aster: LocalAster, shell: Shell) -> None:
    aster.permit(can_spot_trade=False)
    assert f"agent {SIGNER.lower()} may not trade spot" in shell.refused("run", "--once")
    aster.permit(expires_at=aster.in_days(-1))
    assert "not approved, or expired" in shell.refused("run", "--once")
    assert aster.world.dump().journal.fills == ()


@pytest.mark.usefixtures("aster")
def test_a_key_that_nobody_approved_or_that_is_another_agents(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    key, signer = key_of(9)
    monkeypatch.setenv("API_PRIVATE_KEY", key)
    assert "API_SIGNER does not belong to API_PRIVATE_KEY" in shell.refused("run", "--once")
    monkeypatch.setenv("API_SIGNER", signer)
    assert f"the exchange has no agent {signer}" in shell.refused("run", "--once")


def test_rights_that_are_too_wide_are_warned_about_and_wrong_modes_keep_it_flat(
    aster: LocalAster, shell: Shell, place: Path
) -> None:
    aster.permit(can_withdraw=True)
    aster.world.set_modes(one_way=False)
    said = shell("run", "--once")
    assert said.code == 0
    assert "may withdraw" in said.out
    assert "hedge mode" in said.out
    assert check_sound(aster, place).totals.opened == 0


def test_a_clock_twenty_seconds_off_is_corrected_and_trades(aster: LocalAster, shell: Shell, place: Path) -> None:
    aster.venue.faults.skew_seconds = 20
    assert shell("run", "--once").code == 0
    assert check_sound(aster, place).largest is not None


def test_a_single_check_on_an_exchange_that_is_down_fails_and_opens_nothing(
    aster: LocalAster, shell: Shell, place: Path
) -> None:
    aster.stop()
    said = shell("run", "--once")
    assert said.code == 1
    assert "could not be read" in said.out
    assert ledger_of(place).totals.opened == 0


def test_a_nonce_that_is_refused_at_the_start_is_no_wrong_key(aster: LocalAster, shell: Shell) -> None:
    aster.fail("/fapi/v3/agent", "nonce_expired")
    said = shell("run", "--once")
    assert said.code == 0
    assert "key: its rights could not be read" in said.out


# --- dry run ---------------------------------------------------------------------------------------------------------


def test_a_dry_run_needs_no_key_reads_live_and_sends_nothing(
    aster: LocalAster, shell: Shell, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_USER", "API_SIGNER", "API_PRIVATE_KEY"):
        monkeypatch.delenv(name)
    assert shell("run", "--dry-run", "--once", "--usdt", "400").code == 0
    first = ledger_of(place, HomeMode.DRY_RUN)
    assert first.largest is not None
    assert first.largest.entry_notional < 200
    assert shell("run", "--dry-run", "--once").code == 0
    second = ledger_of(place, HomeMode.DRY_RUN)
    assert second.largest is not None
    assert second.largest.hedge_id == first.largest.hedge_id
    assert aster.world.dump().journal.fills == ()
    assert not (place / "hedgerow.db").exists()
    assert shell("close", "--dry-run", "--yes").code == 0
    assert ledger_of(place, HomeMode.DRY_RUN).foremost is None


def test_a_dry_run_with_a_key_begins_with_the_live_balances(aster: LocalAster, shell: Shell, place: Path) -> None:
    assert shell("run", "--dry-run", "--once").code == 0
    hedge = ledger_of(place, HomeMode.DRY_RUN).largest
    assert hedge is not None
    assert 400 < hedge.entry_notional < 500
    assert aster.world.dump().journal.fills == ()


def test_a_scan_of_the_live_market_needs_no_key(
    aster: LocalAster, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_USER", "API_SIGNER", "API_PRIVATE_KEY"):
        monkeypatch.delenv(name)
    rows = shell("scan", "--json", "-").document
    assert {row["symbol"] for row in rows} == {pair.symbol for pair in aster.venue.exchange.market.pairs}


# --- lockstep --------------------------------------------------------------------------------------------------------


def test_two_processes_trade_a_simulated_day_in_lockstep(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = {**CONFIG, "position_management": {"loop_interval_seconds": 1800, "better_opportunity_apr_points": 10}}
    write_config(place / "config_volume_farming_strategy.json", days)
    words = ("--port", "0", "--seed", "3", "--pairs", "6", "--start", START, "--speed", "0", "--state", "exchange.db")
    emulator = process(COMMAND, "emulator", *words, home=place)
    try:
        for name, value in variables_of(emulator).items():
            monkeypatch.setenv(name, value)
        with running(place, "--venue-clock") as bot:
            until(lambda: count(place / "hedgerow.db", "cycle_completed") >= 48, bot)
            code, said = end(bot)
            assert code == 0, said
    finally:
        emulator.terminate()
        emulator.communicate(timeout=PATIENCE)
    ledger = ledger_of(place)
    assert ledger.totals.opened >= 1
    assert ledger.started_at is not None
    assert ledger.started_at.isoformat() == START
    assert len(ledger.funding_seen) > 0
    assert ledger.max_naked_seconds < 0.1, "counted from the fill to the order that follows it"
    state = json.loads((place / "volume_farming_state.json").read_text())
    assert state["last_updated"].startswith("2026-01-06")


def variables_of(emulator: "subprocess.Popen[str]") -> dict[str, str]:
    """Return what leads a bot to an emulator, from what the emulator says."""
    assert emulator.stdout is not None
    ports = [int(emulator.stdout.readline().rsplit(":", 1)[1]) for _ in range(2)]
    found = {"API_USER": USER, "API_SIGNER": key_of(1)[1], "API_PRIVATE_KEY": key_of(1)[0]}
    for market, port in zip(("FUTURES", "SPOT"), ports, strict=True):
        found[f"HEDGEROW_{market}_REST"] = f"http://127.0.0.1:{port}"
        found |= {f"HEDGEROW_{market}_{kind}_WS": f"ws://127.0.0.1:{port}" for kind in ("MARKET", "USER")}
    return found


@pytest.mark.usefixtures("aster")
def test_a_clock_to_follow_must_be_an_emulators(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEDGEROW_FUTURES_REST", "http://127.0.0.1:1")
    assert "is no emulator that can be reached" in shell.refused("run", "--venue-clock", "--once")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--paper", "--dry-run"], "--paper and --dry-run are different bots"),
        (["--speed", "2"], "--speed belongs to --paper"),
        (["--dry-run", "--seed", "2"], "--seed belongs to --paper"),
        (["--usdt", "500"], "--usdt belongs to --paper or --dry-run"),
        (["--paper", "--venue-clock"], "--venue-clock follows hedgerow emulator"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_fit_together_are_refused(words: list[str], said: str, shell: Shell) -> None:
    assert said in shell.refused("run", *words)
