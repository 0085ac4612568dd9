"""Cycles per second of the demo at 20 and 50 pairs, and where the time goes.

Usage: python benchmarks/demo_cycles.py [--days N] [--pairs 20,50] [--profile]
Each run is the whole demo (embedded exchange, SQLite log, state file) without words. The ratio between the two sizes
is the figure to keep: machines differ.
"""

import argparse
import cProfile
import io
import pstats
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from hedgerow.app.commands.demo import DemoPlan, demo_market_data, play_demo
from hedgerow.config import Home
from hedgerow.config.home import HomeMode

START = datetime(2025, 1, 1, tzinfo=UTC)


def run(pairs: int, days: float, profiler: cProfile.Profile | None) -> tuple[int, float]:
    """Play one demo; returns its cycles and its processor seconds."""
    with tempfile.TemporaryDirectory() as folder:
        market_data = demo_market_data(None, seed=1, pairs=pairs, start=START, days=days)
        plan = DemoPlan(market_data=market_data, days=days, seed=1, home=Home(folder=Path(folder), mode=HomeMode.DEMO))
        began = time.process_time()
        if profiler:
            profiler.enable()
        report = play_demo(plan, ())
        if profiler:
            profiler.disable()
        return report.cycles, time.process_time() - began


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--pairs", default="20,50")
    parser.add_argument("--profile", action="store_true", help="print where the time of the last size goes")
    arguments = parser.parse_args()
    sizes = [int(word) for word in arguments.pairs.split(",")]
    rates: list[float] = []
    profiler = cProfile.Profile() if arguments.profile else None
    for size in sizes:
        cycles, seconds = run(size, arguments.days, profiler if size == sizes[-1] else None)
        rates.append(cycles / seconds)
        print(f"{size:3} pairs: {cycles} cycles in {seconds:6.2f} s of processor, {rates[-1]:7.0f} cycles/s")
    if len(rates) > 1:
        print(f"ratio {sizes[0]} / {sizes[-1]} pairs: {rates[0] / rates[-1]:.2f}")
    if profiler:
        out = io.StringIO()
        pstats.Stats(profiler, stream=out).sort_stats("tottime").print_stats(25)
        print(out.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
