"""Another process holds the event log: it is waited for, the guard watches on, and at last the bot ends with code 1.

The other process is a real one; the bot waits for it on a clock of its own, and never longer than it may.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pytest

from hedgerow.clock import SystemClock
from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.errors import LogUnavailable
from hedgerow.domain.events import CommandIssued, Event, HedgeOpened
from hedgerow.domain.position import Reason
from hedgerow.ports import Clock
from hedgerow.store.sqlite import SqliteStore
from support.bot_harness import BotHarness
from support.command_runner import Shell
from support.worlds import SYMBOL

PATIENCE_SECONDS = 60.0
HOLD = """
import sqlite3, sys
log = sqlite3.connect(sys.argv[1], isolation_level=None)
log.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


class Holder:
    """Another process, which holds a log from ``hold`` to ``release``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._process: subprocess.Popen[str] | None = None

    def hold(self) -> None:
        if self._process is not None:
            return
        words = [sys.executable, "-c", HOLD, str(self._path)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own words
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def release(self) -> None:
        if self._process is not None:
            self._process.communicate()
            self._process = None


class HeldAtAnOrder(SqliteStore):
    """A log that the other process takes once an intent of the ``nth`` order is in it."""

    def __init__(
        self, path: Path, clock: Clock | None, patience: float, hold: Callable[[], None], *, nth: int = 1
    ) -> None:
        super().__init__(path, clock, lock_patience_seconds=patience)
        self._hold, self._left = hold, nth

    async def append(self, events: Sequence[Event], *, durable: bool) -> None:
        await super().append(events, durable=durable)
        orders = [e for e in events if isinstance(e, CommandIssued) and isinstance(e.command, PlaceOrder)]
        self._left -= len(orders)
        if orders and self._left == 0:
            self._hold()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def holder(log: Path) -> Holder:
    return Holder(log)


def harness_on(log: Path, *, notifications: bool = False) -> BotHarness:
    def opened() -> SqliteStore:
        return SqliteStore(log, harness.clock, lock_patience_seconds=PATIENCE_SECONDS)

    harness = BotHarness(poll_seconds=30, notifications=notifications, open_store=opened)
    return harness


def test_a_log_held_for_too_long_while_a_position_is_held_ends_the_bot_and_the_guard_watched_until_then(
    log: Path, holder: Holder
) -> None:
    harness = harness_on(log)
    harness.run(0.5)
    harness.check_whole()
    seen: list[datetime] = []

    def noted(view: AccountView) -> AccountView:
        seen.append(view.at)
        return view

    harness.venue.rewritten = noted
    began = harness.clock.monotonic()
    with pytest.raises(LogUnavailable, match="locked"):
        harness.run(1, at={0.02: lambda _: holder.hold()})
    ended = harness.clock.monotonic() - began
    interval = harness.parameters.position_management.loop_interval_seconds
    assert interval + PATIENCE_SECONDS <= ended < interval + PATIENCE_SECONDS + 10
    assert len([at for at in seen if 90 <= (at - seen[0]).total_seconds() <= interval]) >= 6
    holder.release()
    harness.run(0.2)
    harness.check_whole()


@pytest.mark.parametrize("nth", [1, 2], ids=["the leading leg", "the following leg"])
def test_a_log_held_for_too_long_in_mid_trade_ends_the_bot_and_the_next_one_finishes_the_trade(
    log: Path, holder: Holder, nth: int
) -> None:
    harness = BotHarness(open_store=lambda: HeldAtAnOrder(log, harness.clock, PATIENCE_SECONDS, holder.hold, nth=nth))
    began = harness.clock.monotonic()
    with pytest.raises(LogUnavailable, match="locked"):
        harness.run(1)
    assert PATIENCE_SECONDS <= harness.clock.monotonic() - began < PATIENCE_SECONDS + 10
    assert len(harness.venue.orders) == nth, "nothing is sent that cannot be logged"
    holder.release()
    again = BotHarness(world=harness.world, open_store=lambda: SqliteStore(log, again.clock))
    again.run(0.2)
    again.check_whole()
    assert len(again.logged(HedgeOpened)) == 1


def test_what_the_guard_receives_while_the_log_is_held_is_acted_on_once_it_is_released(
    log: Path, holder: Holder
) -> None:
    harness = harness_on(log, notifications=True)
    harness.run(0.5)
    interval = harness.parameters.position_management.loop_interval_seconds
    script = {
        (interval - 10) / 3600: lambda _: holder.hold(),
        (interval + 10) / 3600: lambda f: f.world.deleverage(SYMBOL, f.hedge.short),
        (interval + 30) / 3600: lambda _: holder.release(),
    }
    began = harness.world.now
    harness.run(0.2, at=script)
    assert harness.reasons == [Reason.LIQUIDATED]
    released = (harness.ledger.closed[-1].closed_at - began).total_seconds() - interval - 30
    assert 0 <= released < 30
    harness.check_flat()


def test_the_command_ends_with_code_1_and_one_line_that_names_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "locks"))
    holders: list[Holder] = []

    def opened(path: Path, _clock: Clock) -> SqliteStore:
        store = SqliteStore(path, SystemClock(), lock_patience_seconds=0.0)
        holders.append(Holder(path))
        holders[0].hold()
        return store

    monkeypatch.setattr("hedgerow.app.storage.select.SqliteStore", opened)
    said = Shell(capsys)("run", "--home", tmp_path, "--paper", "--once")
    holders[0].release()
    assert said.code == 1
    (line,) = said.err.splitlines()
    assert line.startswith("hedgerow: ")
    assert "locked" in line
    assert str(tmp_path) in line
