"""``hedgerow status`` on a real terminal, in every state: five lines that fit, figures whole, halts in full."""

import asyncio
import os
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from socket import gethostname

import msgspec
import pytest
from msgspec.structs import replace

from hedgerow.app.heartbeat import Beat
from hedgerow.clock import SystemClock
from hedgerow.config.home import Home, HomeMode
from hedgerow.dashboard.outlook import Outlook, held_outlook
from hedgerow.domain import events as ev
from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Side
from hedgerow.domain.run_identity import EMULATED_ACCOUNT, GENERATED_MARKET, RunIdentity, RunMode
from hedgerow.store.sqlite import SqliteStore
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.ledger_builder import LedgerBuilder
from support.terminal import Terminal, TerminalOutput, on_terminal
from support.views import account, listing, market_of, short_of

WIDTHS = pytest.mark.parametrize("columns", [80, 120])
DETAIL = (
    "lost $61.20 of $50.00 since 00:00 UTC, and the reason goes on for longer than two lines of eighty columns: " * 2
)
POLICY = VolumeFarming(StrategyParameters())


class HomeHarness:
    """A home as a bot leaves it or has it: log, heartbeat and outlook; the bot's clock stands where the log ends."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder=folder, mode=HomeMode.PAPER)
        self.builder = LedgerBuilder()
        self.changes: dict[str, object] = {}

    def hedged(self) -> "HomeHarness":
        self.builder.open_hedge().paid("1.25", 1).wait(hours=9)
        return self

    def leave(self, *, alive: bool = True, beat: bool = True, pid: int | None = None) -> None:
        """Write everything; ``alive`` = the process of the test stands for the bot's."""
        now, pid = SystemClock().now(), pid or os.getpid()

        async def write() -> None:
            store = SqliteStore(self.home.events)
            await store.append(self.builder.events, durable=True)
            await store.close()

        asyncio.run(write())
        self.home.outlook.write_bytes(msgspec.json.encode(self._outlook(pid)))
        if beat:
            self.home.heartbeat.write_bytes(msgspec.json.encode(Beat(pid=pid, number=1, host=gethostname())))
            at = (now + timedelta(seconds=12) if alive else now - timedelta(minutes=3)).timestamp()
            os.utime(self.home.heartbeat, (at, at))

    def _outlook(self, pid: int) -> Outlook:
        at, ledger = self.builder.now, self.builder.ledger
        coins = ledger.largest.spot_quantity if ledger.largest else Decimal(0)
        seen = Observation(
            at=at,
            market=market_of(listing(pair=self.builder.pair, spot=("100.9", "101.1"), perp=("100.9", "101.1")), at=at),
            account=account(short_of("ABCUSDT", "10"), coins={"ABC": str(coins)}),
        )
        outlook = Outlook(
            at=at,
            written_at=SystemClock().now(),
            pid=pid,
            started_at=at - timedelta(days=2),
            identity=RunIdentity(
                mode=RunMode.PAPER,
                network=GENERATED_MARKET,
                account=EMULATED_ACCOUNT,
                home="/old",
                config_file=None,
                version="0.0.9",
                capital_fraction=Decimal("0.95"),
                max_capital_usd=None,
            ),
            checked_at=at - timedelta(seconds=12),
            read_at=at,
            next_check_at=at + timedelta(seconds=288),
            held=held_outlook(ledger, seen, POLICY) if coins else None,
        )
        return replace(outlook, **self.changes)

    def show(self, columns: int, *words: str) -> TerminalOutput:
        return on_terminal(
            "status", "--paper", "--home", str(self.home.folder), *words, home=self.home.folder, columns=columns
        )


def labels(shown: TerminalOutput) -> list[str]:
    return [line[:10].strip() for line in shown.lines if line[:10].strip()]


FIVE = ["Position", "Result", "Bot", "Next", "To do"]


def fits(shown: TerminalOutput, code: int, *, lines: int | None = 5) -> None:
    assert shown.too_long == []
    assert shown.code == code, shown.text
    if lines is not None:
        assert len([line for line in shown.lines if line]) == lines, shown.text


@WIDTHS
def test_hedged_says_by_how_much_and_what_closing_makes(tmp_path: Path, columns: int) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.leave()
    shown = harness.show(columns)
    fits(shown, 0)
    assert labels(shown) == FIVE
    assert "Hedged on ABCUSDT, legs differ by -0.040 % (-$0.40)" in shown.text
    assert " if closed now (" in shown.text
    assert "since the start" in shown.text
    assert re.search(rf"PAPER \(pid {os.getpid()}\): checked 1\d s ago, next in 4 min", shown.text)
    assert "+$0.20 at " in shown.text
    assert "exit: " in shown.text


def test_a_command_that_status_of_a_paper_bot_names_does_not_mean_the_live_bot_of_the_same_home(tmp_path: Path) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.leave()
    assert "Nothing; `hedgerow close --paper` leaves the position." in harness.show(80).flat_text
    harness.builder.record(ev.Halted(at=harness.builder.now, reason=HaltReason.USER, detail="lunch"))
    harness.leave()
    words = harness.show(80).flat_text
    assert "ended by `hedgerow resume --paper`" in words
    assert "`hedgerow resume --paper` allows openings again" in words


@WIDTHS
def test_flat_says_what_it_waits_for(tmp_path: Path, columns: int) -> None:
    harness = HomeHarness(tmp_path)
    harness.builder.record(ev.CycleCompleted(at=harness.builder.now, number=1))
    harness.changes = {"reason": "BTCUSDT: APR 3.31% below 15.00%"}
    harness.leave()
    shown = harness.show(columns)
    fits(shown, 0)
    assert "Flat, waiting for a pair" in shown.text
    assert "BTCUSDT: APR 3.31% below 15.00%" in shown.flat_text


@WIDTHS
def test_a_trade_in_flight_has_a_line_of_its_own(tmp_path: Path, columns: int) -> None:
    harness = HomeHarness(tmp_path)
    harness.builder.begin().trade("s-1", Side.BUY, 4, 100)
    harness.leave()
    shown = harness.show(columns)
    fits(shown, 0, lines=None)
    assert labels(shown) == ["Position", "In flight", *FIVE[1:]]
    assert "Opening ABCUSDT" in shown.text
    assert "spot 0 of 10" in shown.flat_text


@WIDTHS
def test_closing_names_its_reason(tmp_path: Path, columns: int) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.builder.begin(ExecutionKind.CLOSE)
    harness.leave()
    shown = harness.show(columns)
    fits(shown, 0, lines=None)
    assert "Closing ABCUSDT: " in shown.text
    assert "if closed now" not in shown.text, "figures of before the trade contradict it"
    assert "exit: " not in shown.text


@WIDTHS
@pytest.mark.parametrize(("seconds", "title", "code"), [(2, "Half open on ABCUSDT", 0), (400, "Naked on ABCUSDT", 1)])
def test_legs_that_differ_say_since_when_and_how_much(
    tmp_path: Path, columns: int, seconds: int, title: str, code: int
) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.builder.begin(ExecutionKind.CLOSE)
    job = harness.builder.ledger.execution
    assert job is not None
    limits = replace(
        job.limits, max_naked_seconds=300
    )  # the command has its own clock, and a busy machine starts it late
    naked = replace(job, state=ExecutionState.REPAIRING, naked_since=harness.builder.now, limits=limits)
    harness.builder.record(ev.ExecutionStepped(at=harness.builder.now, execution=naked)).wait(seconds=seconds - 1)
    harness.leave()
    shown = harness.show(columns)
    fits(shown, code, lines=None)
    assert title in shown.text
    assert "without a" in shown.text


@WIDTHS
@pytest.mark.parametrize("held", [True, False])
def test_a_halt_is_shown_in_full_with_its_remedy(tmp_path: Path, columns: int, *, held: bool) -> None:
    harness = HomeHarness(tmp_path)
    if held:
        harness.hedged()
    harness.builder.record(ev.Halted(at=harness.builder.now, reason=HaltReason.DAILY_LOSS, detail=DETAIL))
    harness.leave()
    shown = harness.show(columns)
    fits(shown, 3, lines=None)
    assert " ".join(DETAIL.split()) in shown.flat_text
    assert "the daily loss limit was reached: " in shown.flat_text
    assert "ended by `hedgerow resume --paper`" in shown.flat_text
    assert ("stays hedged" if held else "nothing is held") in shown.flat_text


@WIDTHS
def test_a_blind_bot_says_since_when_and_why(tmp_path: Path, columns: int) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.changes = {"blind_since": harness.builder.now - timedelta(seconds=255), "unread": ("account: HTTP 500",)}
    harness.leave()
    shown = harness.show(columns)
    fits(shown, 1, lines=None)
    assert re.search(r"Exchange not read for 4 min \d+ s; ABCUSDT legs differ by ", re.sub(r"\s+", " ", shown.text))
    assert "as of " in shown.text


@WIDTHS
def test_a_bot_that_has_not_checked_yet_is_starting(tmp_path: Path, columns: int) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.changes = {"checked_at": None}
    harness.leave()
    shown = harness.show(columns)
    fits(shown, 0)
    assert "Starting" in shown.text


@WIDTHS
def test_a_bot_that_stopped_in_order_is_not_a_dead_one(tmp_path: Path, columns: int) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.changes = {"stopped_at": harness.builder.now}
    harness.leave(beat=False)
    shown = harness.show(columns)
    fits(shown, 1)
    assert "Stopped; ABCUSDT is held unwatched" in shown.text


def test_a_stopped_bot_that_holds_nothing_has_no_unknown_next_step(tmp_path: Path) -> None:
    harness = HomeHarness(tmp_path)
    harness.builder.record(ev.CycleCompleted(at=harness.builder.now, number=1))
    harness.changes = {"stopped_at": harness.builder.now}
    harness.leave(beat=False)
    shown = harness.show(80)
    assert "Next      nothing, as no bot runs" in shown.text
    assert "not known" not in shown.text


@WIDTHS
@pytest.mark.parametrize(
    ("pid", "title"), [(2**22 - 3, "Bot crashed: process 4194301 is gone"), (None, "does not answer")]
)
def test_a_bot_that_was_killed_or_hangs_is_down(tmp_path: Path, columns: int, pid: int | None, title: str) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.leave(alive=False, pid=pid)
    shown = harness.show(columns)
    fits(shown, 1, lines=None)
    assert title in shown.text
    assert "as of " in shown.text


@WIDTHS
def test_a_home_without_a_log_says_so(tmp_path: Path, columns: int) -> None:
    shown = on_terminal("status", "--home", str(tmp_path), home=tmp_path, columns=columns)
    assert shown.code == 1
    assert "the bot has not run here yet" in shown.flat_text


def test_dust_of_one_coin_is_not_a_count_that_reads_as_a_quantity(tmp_path: Path) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.builder.close_hedge().dust("0.003", "0.3")
    harness.leave()
    assert "0.003 ABC, $0.30 when kept" in harness.show(80).text


def test_dust_of_many_coins_is_one_line(tmp_path: Path) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.builder.close_hedge().dust("0.003", "0.3")
    for asset in ("FORM", "SOON", "AVL"):
        lot = replace(harness.builder.ledger.dust["ABC"], asset=asset, cost=Decimal("1.20"))
        harness.builder.record(ev.DustKept(at=harness.builder.now, lot=lot))
    harness.leave()
    shown = harness.show(80)
    fits(shown, 0, lines=6)
    assert labels(shown)[-1] == "Dust"
    assert "4 different coins, $3.90 when kept" in shown.text


def test_watch_draws_in_place_and_ctrl_c_ends_it_well(tmp_path: Path) -> None:
    harness = HomeHarness(tmp_path).hedged()
    harness.leave()
    with Terminal("status", "--paper", "--home", str(tmp_path), "--watch", home=tmp_path) as terminal:
        terminal.wait_for("Ctrl-C ends")
        first = terminal.screen.text
        harness.home.heartbeat.unlink()
        terminal.wait_for("held unwatched")
        terminal.wait_until(lambda screen: "Ctrl-C ends" in screen.text.partition("held unwatched")[2])
        shown = terminal.screen.text
        terminal.interrupt()
        assert terminal.end(10).code == 0
    assert "Hedged on ABCUSDT" in first
    assert "Hedged on ABCUSDT" not in shown, "it is drawn over"
    assert shown.count("Result") == 1
