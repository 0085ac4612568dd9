"""How fast the commands start, and what the bot takes of the memory.

    python benchmarks/startup.py [--runs N]

Whole processes, on the clock of the wall: the seconds are this machine's and of what else runs on it, so that each
is shown beside the start of a bare interpreter and, where they are installed, the imports of other libraries. The bot
runs live against ``hedgerow emulator`` on the same machine.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from _processes import (
    COMMAND,
    PATIENCE_SECONDS,
    exchange_variables,
    processor_seconds,
    resident_megabytes,
    started,
    wait_for,
)
from _report import Budgets

ROOT = Path(__file__).parents[1]
CCXT = ROOT / ".conformance" / "ccxt" / "bin" / "python"
SETTLING_SECONDS = 5.0
"""Once the first check began: long enough for it to end and the streams to fill their caches."""
PAIRS = 45


class Start(Struct, frozen=True, kw_only=True):
    """How long one start took."""

    wall: float
    processor: float
    """Seconds of processor; what else runs on the machine changes them little."""


def ran(*command: str) -> Start:
    """Run a program to its end."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE_SECONDS)  # noqa: S603 - our own
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Start(wall=wall, processor=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def so_far(program: "subprocess.Popen[str]", began: float) -> Start:
    """Return how long a running program took up to now."""
    return Start(wall=time.perf_counter() - began, processor=processor_seconds(program))


def bot_start(port: int) -> tuple[Start, float]:
    """Return how long a bot took to its first check on a flat account, and how much memory it has then."""
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        with started(COMMAND, "run", "--defaults", "--home", home, variables=exchange_variables(port)) as bot:
            assert bot.stdout is not None  # noqa: S101 - asked for
            wait_for(bot.stdout, "CYCLE #1")
            start = so_far(bot, began)
            time.sleep(SETTLING_SECONDS)
            return start, resident_megabytes(bot)


def emulator_start(asked_port: int, then: Callable[[], None]) -> Start:
    """Start the emulator, do something while it runs, and return how long it took until it answered."""
    began = time.perf_counter()
    with started(COMMAND, "emulator", "--port", str(asked_port), "--pairs", str(PAIRS)) as exchange:
        assert exchange.stdout is not None  # noqa: S101 - asked for
        wait_for(exchange.stdout, "Spot")
        start = so_far(exchange, began)
        then()
    return start


class Table:
    """Prints starts beside that of a bare interpreter."""

    def __init__(self, budgets: Budgets, bare: list[Start]) -> None:
        self._budgets = budgets
        self._bare = min(start.processor for start in bare)
        self.line("python -c pass", bare)

    def line(self, what: str, starts: list[Start], budget: float | None = None) -> None:
        """Print the best and the middle; a budget that only a busy machine breaks fails nothing."""
        wall, processor = min(s.wall for s in starts), min(s.processor for s in starts)
        middle = statistics.median(s.wall for s in starts)
        figure = f"{wall:.2f} (median {middle:.2f}) s, processor {processor:.2f} s = x{processor / self._bare:.0f}"
        holds = None if budget is None or wall > budget >= processor else wall <= budget
        busy = budget is not None and holds is None
        self._budgets.line(what, figure, budget="" if budget is None else f"<= {budget:g} s", holds=holds)
        if busy:
            print("      the machine is busy: the processor seconds would fit, the wall's did not")


def others() -> dict[str, tuple[str, ...]]:
    """Return what other libraries' imports are run by, where they are installed."""
    found: dict[str, tuple[str, ...]] = {
        name: (sys.executable, "-c", f"import {name}") for name in ("aiohttp", "eth_account")
    }
    if CCXT.exists():
        found["ccxt.async_support"] = (str(CCXT), "-c", "import ccxt.async_support")
    return found


def main() -> int:
    """Print the figures; fails when a budget does not hold."""
    parser = argparse.ArgumentParser(description="Time to start, and memory.")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--port", type=int, default=18_900, help="first of two free ports of this machine")
    asked = parser.parse_args()
    budgets, runs = Budgets(), int(asked.runs)
    budgets.title(f"{runs} runs each; the best, the median, and processor time against a bare interpreter's")
    table = Table(budgets, [ran(sys.executable, "-c", "pass") for _ in range(runs)])
    for name, command in others().items():
        table.line(f"import {name}", [ran(*command) for _ in range(min(runs, 2))])
    if not CCXT.exists():
        budgets.line("import ccxt.async_support", "not installed: scripts/conformance.sh does it")
    table.line("hedgerow --help", [ran(COMMAND, "--help") for _ in range(runs)], 0.3)
    bots: list[tuple[Start, float]] = []
    # An exchange each: a bot that found what the one before it had opened would first adopt it.
    ups = [emulator_start(asked.port, lambda: bots.append(bot_start(asked.port))) for _ in range(runs)]
    table.line(f"hedgerow emulator --pairs {PAIRS}, until it answers", ups, 2.0)
    table.line(f"hedgerow run, until its first check ({PAIRS} pairs)", [start for start, _ in bots], 1.5)
    budgets.most("hedgerow run, most memory resident", round(max(memory for _, memory in bots)), 60, " MB")
    return 0 if budgets.held else 1


if __name__ == "__main__":
    sys.exit(main())
