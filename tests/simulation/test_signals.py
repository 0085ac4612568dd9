"""A bot as a process: stopped, killed and asked while it runs; started again, it goes on from its log."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import pytest

from hedgerow.app.session import read_ledger
from hedgerow.app.venues.paper import PaperExchange, PaperTerms
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger

PATIENCE = 60.0
"""Real seconds; a machine may be slow, and nothing here measures how slow."""
CONFIG = {
    "funding_rate_strategy": {
        "min_funding_apr": 0,
        "funding_ma_periods": 1,
        "min_volume_usd": 0,
        "max_spread_bps": 200,
        "max_entry_discount_bps": 200,
    },
    "position_management": {"fee_coverage_multiplier": 1000, "max_position_age_hours": 1000},
    "execution": {"settlement_guard_seconds": 0},
}


class Bot:
    """A home, and the processes that work in it."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder=folder / "home", mode=HomeMode.PAPER)
        self.home.prepare()
        self.home.config.write_text(json.dumps(CONFIG))
        self._environment = {**os.environ, "XDG_STATE_HOME": str(folder / "state"), "COLUMNS": "200"}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "hedgerow", *arguments, "--paper", "--home", str(self.home.folder)]
        return subprocess.Popen(  # noqa: S603 - our own program
            command, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def once(self, *arguments: str) -> tuple[int, str, str]:
        """Run one command to its end: exit code, output, errors."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=PATIENCE)
        return process.returncode, output, errors

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run the bot; whatever happens, it is gone afterwards."""
        process = self.start("run", *arguments)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def count(self, kind: str) -> int:
        """Return how many events of a kind the log has; 0 while there is no log."""
        try:
            with closing(sqlite3.connect(f"file:{self.home.events}?mode=ro", uri=True)) as log:
                return int(log.execute("SELECT count(*) FROM events WHERE kind = ?", (kind,)).fetchone()[0])
        except sqlite3.Error:
            return 0

    @property
    def ledger(self) -> Ledger:
        ledger = asyncio.run(read_ledger(self.home))
        assert ledger is not None
        return ledger

    def assert_sound(self) -> None:
        """Check that nothing is in flight, and that the books agree with the exchange's file."""
        world = PaperExchange(self.home.exchange, PaperTerms(), SystemClock().now).world
        ledger = self.ledger
        assert ledger.execution is None
        assert books_difference(ledger.books, world.account()) == {}
        if ledger.largest is not None:
            assert world.account().short(ledger.largest.symbol) == ledger.largest.short

    @property
    def state(self) -> dict[str, object]:
        content: dict[str, object] = json.loads(self.home.state.read_text())
        return content


@pytest.fixture
def bot(tmp_path: Path) -> Bot:
    return Bot(tmp_path)


def until(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    clock = SystemClock()
    deadline = clock.monotonic() + PATIENCE
    while not what():
        assert process.poll() is None, f"the bot ended: {process.communicate()[1]}"
        assert clock.monotonic() < deadline, "it never came to that"
        Event().wait(0.01)


def end(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=PATIENCE)


def test_sigterm_between_two_cycles_ends_the_bot_tidily_and_a_restart_goes_on(bot: Bot) -> None:
    with bot.running("--speed", "1") as process:
        until(lambda: bot.count("cycle_completed") > 0, process)
        assert end(process) == 0
    bot.assert_sound()
    before = bot.ledger
    assert before.largest is not None
    assert bot.state["total_positions_opened"] == 1
    position = bot.state["current_position"]
    assert isinstance(position, dict)
    assert position["symbol"] == before.largest.symbol
    assert bot.once("run", "--once")[0] == 0
    bot.assert_sound()
    after = bot.ledger
    assert after.largest is not None
    assert (after.largest.hedge_id, after.totals.opened) == (before.largest.hedge_id, 1)
    assert after.totals.cycles == before.totals.cycles + 1
    assert f"Position {before.largest.symbol} confirmed on exchange" in bot.home.log.read_text()


def test_sigterm_during_an_opening_lets_it_end_hedged_or_flat(bot: Bot) -> None:
    with bot.running("--speed", "1") as process:
        until(lambda: bot.count("execution_started") > 0, process)
        assert end(process) == 0
    bot.assert_sound()
    assert bot.once("run", "--once")[0] == 0
    bot.assert_sound()
    assert bot.ledger.totals.opened == 1


@pytest.mark.parametrize("commands", [1, 4, 9])
def test_a_bot_killed_during_an_opening_comes_back_hedged_or_flat(bot: Bot, commands: int) -> None:
    with bot.running("--speed", "1") as process:
        until(lambda: bot.count("command_issued") >= commands, process)
        process.kill()
        process.wait(timeout=PATIENCE)
    assert bot.once("run", "--once")[0] == 0
    bot.assert_sound()
    ledger = bot.ledger
    assert ledger.foremost is None or ledger.largest is not None


def test_a_second_bot_of_the_same_home_is_refused_in_one_line(bot: Bot) -> None:
    with bot.running("--speed", "1") as process:
        until(lambda: bot.count("cycle_completed") > 0, process)
        code, _, errors = bot.once("run", "--once")
        assert code == 2
        assert len(errors.strip().splitlines()) == 1
        assert f"process {process.pid} already trades this account" in errors
        assert end(process) == 0


def test_close_reaches_the_running_bot_and_the_bot_runs_on(bot: Bot) -> None:
    with bot.running("--speed", "1") as process:
        until(lambda: bot.count("hedge_opened") > 0, process)
        code, output, errors = bot.once("close", "--yes")
        assert (code, errors) == (0, "")
        assert "Closed " in output
        assert process.poll() is None
        assert end(process) == 3, "openings are halted, and the exit code says so"
    bot.assert_sound()
    assert bot.ledger.foremost is None
    assert bot.state["current_position"] is None
    assert bot.state["total_positions_closed"] == 1
