"""Processor time of a check that holds, at 45 pairs, over real sockets, with and without streams.

    python benchmarks/check_cpu.py [--checks N]

The exchange is a process of its own; what is counted is the bot's process alone, from the beginning of a check to its
end: requests, decoding, reconciliation, decision, words, log and state file. With streams, what they bring between two
checks is shown as well, for each second.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from _processes import COMMAND, exchange_variables, started, wait_for
from _report import Budgets
from hedgerow.app.session import open_session, read_settings
from hedgerow.app.venues.environment import read_environment
from hedgerow.app.venues.live import live_venue_access
from hedgerow.config import Home, HomeMode
from hedgerow.engine.notices import CycleBegan, CycleEnded, Notice
from hedgerow.engine.runner import RunOptions

PAIRS = 45
BUDGET_MS = 10.0
INTERVAL_SECONDS = 2.0
SETTLING_CHECKS = 3
NOWHERE = "ws://127.0.0.1:9"


class Stopwatch:
    """Takes the processor time of each check and of each pause."""

    def __init__(self) -> None:
        self.checks: list[float] = []
        self.pauses: list[float] = []
        self.held = False
        self._since = time.process_time()

    def on_notice(self, notice: Notice) -> None:
        """Stop the time at both ends of a check."""
        if isinstance(notice, CycleBegan | CycleEnded):
            now = time.process_time()
            (self.pauses if isinstance(notice, CycleBegan) else self.checks).append(now - self._since)
            self._since = now
        if isinstance(notice, CycleEnded):
            self.held = notice.ledger.largest is not None


async def watch(variables: dict[str, str], checks: int) -> Stopwatch:
    """Let a live bot make so many checks that hold."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder=Path(folder), mode=HomeMode.LIVE)
        access = live_venue_access(home, read_environment(home.secrets, variables))
        options = RunOptions(interval_seconds=INTERVAL_SECONDS)
        with open_session(home, read_settings(home, None), access) as session:
            async with session.awake([watch], options, stay=True) as bot:
                running = asyncio.ensure_future(bot.runner.run())
                await asyncio.wait({running}, timeout=INTERVAL_SECONDS * (checks + SETTLING_CHECKS) + 10)
                bot.stop.set()
                await running
    return watch


def show(budgets: Budgets, title: str, watch: Stopwatch) -> None:
    """Print what a bot took; the best is what the machine leaves when nothing else runs."""
    checks = [1e3 * seconds for seconds in watch.checks[SETTLING_CHECKS:]]
    pauses = [1e3 * seconds / INTERVAL_SECONDS for seconds in watch.pauses[SETTLING_CHECKS + 1 :]]
    budgets.title(f"{title} ({len(checks)} checks, {'holding' if watch.held else 'flat'})")
    middle = statistics.median(checks)
    figure = f"{middle:.1f}, at best {min(checks):.1f} ms"
    budgets.line("processor time of a check", figure, budget=f"<= {BUDGET_MS:g} ms", holds=middle <= BUDGET_MS)
    budgets.line("of a second between checks", f"{statistics.median(pauses):.1f} ms")


def main() -> int:
    """Print the figures; fails when the budget does not hold."""
    parser = argparse.ArgumentParser(description="Processor time of a check.")
    parser.add_argument("--checks", type=int, default=8)
    parser.add_argument("--port", type=int, default=18_910, help="first of two free ports of this machine")
    asked = parser.parse_args()
    budgets = Budgets()
    with started(COMMAND, "emulator", "--port", str(asked.port), "--pairs", str(PAIRS)) as exchange:
        assert exchange.stdout is not None  # noqa: S101 - asked for
        wait_for(exchange.stdout, "Spot")
        variables = exchange_variables(asked.port)
        silent = {name: NOWHERE if name.endswith("_WS") else value for name, value in variables.items()}
        show(budgets, "without streams", asyncio.run(watch(silent, asked.checks)))
        show(budgets, "with streams", asyncio.run(watch(variables, asked.checks)))
    return 0 if budgets.held else 1


if __name__ == "__main__":
    sys.exit(main())
