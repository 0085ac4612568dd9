"""Ten years at the guide's rate: how long a start takes, what a check costs, how much memory and disk there is to it.

    python benchmarks/long_life.py [--years N]

A log of a trade a day, twenty orders each, and a check every five minutes is written through the real store; then a
bot starts on it. The same bot on an empty log of the same balances gives the ratio of a check; both in one run.
"""

import argparse
import asyncio
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from _report import Budgets
from _years import DAY, write_years
from hedgerow.app.bot import build_bot
from hedgerow.aster.account.own_activity import OwnActivity
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.events import Wallet
from hedgerow.domain.ledger.state import Ledger
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.engine.notices import CycleBegan, CycleEnded, Notice
from hedgerow.engine.runner import RunOptions
from hedgerow.store.sqlite import SqliteStore
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy

START = datetime(2016, 1, 5, tzinfo=UTC)
PAIRS = 20
CHECK_HOURS = 8.0
START_BUDGET_SECONDS, RATIO_BUDGET = 2.0, 1.5
SNAPSHOT_BUDGET_BYTES, MEMORY_BUDGET_MIB = 500_000, 80


class Stopwatch:
    """Takes the processor time of each check."""

    def __init__(self) -> None:
        self.checks: list[float] = []
        self._since = 0.0

    def on_notice(self, notice: Notice) -> None:
        """Stop the time at both ends of a check."""
        if isinstance(notice, CycleBegan):
            self._since = time.process_time()
        elif isinstance(notice, CycleEnded):
            self.checks.append(time.process_time() - self._since)


def market_data_at(end: datetime) -> GeneratedMarketData:
    """Return the market of the days after the log's end."""
    return GeneratedMarketData(seed=1, start=end, pairs=PAIRS)


async def load(path: Path) -> tuple[Ledger, int]:
    """Do what a start reads of the log: the ledger, and the newest events to tell the bot's own orders by."""
    store = SqliteStore(path)
    ledger = await store.load()
    newest = await store.events(after=ledger.recent_from)
    OwnActivity().remember(newest, ledger.kept_orders)
    await store.close()
    return ledger, len(newest)


def child(path: Path) -> None:
    """Load the log in a process of its own; prints seconds, events read and KiB of memory at most."""
    began = time.perf_counter()
    _, read = asyncio.run(load(path))
    seconds = time.perf_counter() - began
    print(seconds, read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def checks(path: Path, end: datetime, spot: Decimal, perp: Decimal) -> list[float]:
    """Run a bot on a log for some hours after its end; returns the processor seconds of each check."""
    clock, watch = VirtualClock(end), Stopwatch()
    world = World(market_data_at(end), start=end, spot={"USDT": spot}, perp=perp)

    async def hours() -> None:
        bot = build_bot(
            venue=EmulatedVenue(world, clock),
            store=SqliteStore(path),
            clock=clock,
            policy=load_policy(StrategyParameters().policy, StrategyParameters()),
            randomness=Random(1),
            options=RunOptions(),
            observers=(watch,),
        )
        running = asyncio.ensure_future(bot.runner.run())
        await clock.sleep(CHECK_HOURS * 3600)
        bot.stop.set()
        await running

    run_virtual(clock, hours())
    return watch.checks[2:]


def snapshot_bytes(path: Path) -> int:
    """Return the size of the newest snapshot."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT length(payload) FROM snapshot").fetchone()[0])
    finally:
        connection.close()


def measure(budgets: Budgets, folder: Path, years: float) -> None:
    """Write the log and print the figures."""
    path, days = folder / "years.db", int(365 * years)
    end = START + days * DAY
    pairs = market_data_at(end).pairs
    began = time.perf_counter()
    ledger = asyncio.run(write_years(SqliteStore(path), pairs, START, days))
    budgets.title(f"{years:g} years: {ledger.totals.closed:,} hedges, {ledger.totals.cycles:,} checks")
    budgets.line("events in the log", f"{ledger.events:,}; {path.stat().st_size / 1e6:,.0f} MB on disk")
    budgets.line("written, folded and synced", f"{1e6 * (time.perf_counter() - began) / ledger.events:.0f} us an event")
    size = snapshot_bytes(path)
    budgets.line("snapshot", f"{size / 1000:,.0f} kB", budget="<= 500 kB", holds=size <= SNAPSHOT_BUDGET_BYTES)
    seen = f"{len(ledger.trades_seen)} trades, {len(ledger.funding_seen)} payments, {len(ledger.rows_seen)} other rows"
    budgets.line("booked rows remembered", seen)
    words = [sys.executable, __file__, "--child", str(path)]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()  # noqa: S603 - ourselves
    seconds, read, memory = float(printed[0]), int(printed[1]), int(printed[2]) / 1024
    budgets.line(
        "a start reads the log in",
        f"{seconds:.2f} s ({read:,} events)",
        budget="<= 2 s",
        holds=seconds <= START_BUDGET_SECONDS,
    )
    budgets.line("memory resident after it", f"{memory:.0f} MiB", budget="<= 80 MiB", holds=memory <= MEMORY_BUDGET_MIB)
    spot, perp = (ledger.books.line(wallet, "USDT").balance for wallet in Wallet)
    old = statistics.median(checks(path, end, spot, perp))
    new = statistics.median(checks(folder / "new.db", end, spot, perp))
    ratio = old / new
    figure = f"{1000 * old:.2f} ms, {1000 * new:.2f} ms on an empty log: {ratio:.2f} times"
    budgets.line("a check", figure, budget=f"<= {RATIO_BUDGET:g} times", holds=ratio <= RATIO_BUDGET)


def main() -> int:
    """Print the figures; fails when a budget does not hold."""
    parser = argparse.ArgumentParser(description="Ten years of a log.")
    parser.add_argument("--years", type=float, default=10.0)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child)
        return 0
    budgets = Budgets()
    with tempfile.TemporaryDirectory() as folder:
        measure(budgets, Path(folder), asked.years)
    return 0 if budgets.held else 1


if __name__ == "__main__":
    sys.exit(main())
