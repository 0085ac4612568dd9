"""Years of checks every five minutes through the engine with declared books, and whether memory grows with the window.

Usage: python benchmarks/replay_years.py [--data DIR] [--end DATE ...]
DIR holds market history (default: HEDGEROW_DATA, else ../shared/data); without it nothing is measured and the reason is
printed. BTC and ETH, funding of Binance, from 2020-01-01 to each DATE, each window in a process of its own. Seconds are
those of the processor; loading the history is not counted. Memory is what is resident at most while it plays, less what
was resident before: trades, decisions and payments of what was played are in it, the history is not.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hedgerow.backtest.replay import replay, replay_parameters
from hedgerow.backtest.study import Study, StudyPlan
from hedgerow.history.parquet import PRICES_FILE
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.backtest_windows import built

START = datetime(2020, 1, 1, tzinfo=UTC)
ENDS = ("2021-01-01", "2025-07-01")


def resident_mib() -> float:
    """Return what is resident of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def play(data: Path, end: datetime) -> None:
    """Play a window and print a line."""
    plan = StudyPlan(data=data, start=START, end=end, exchange="binance", symbols=("BTCUSDT", "ETHUSDT"))
    study = Study.load(plan)
    _ = study.hold(), study.bounds, study.tables
    policy = VolumeFarming(replay_parameters(study, StrategyParameters()))
    before = resident_mib()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the most that is resident is counted from now on
    began = time.process_time()
    result = replay(study, policy, built)
    seconds = time.process_time() - began
    most = next(
        int(line.split()[1]) / 1024
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        if line.startswith("VmHWM")
    )
    print(
        f"to {end:%Y-%m-%d}: {study.grid.steps:9,} checks, {len(result.trades):4} trades, {seconds:6.1f} s, "
        f"{seconds / study.grid.steps * 1e6:5.0f} us a check, {most - before:6.1f} MiB more than before"
    )


def main() -> int:
    """Play each window in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("HEDGEROW_DATA") or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--end", nargs="+", default=ENDS)
    arguments = parser.parse_args()
    if not (Path(arguments.data) / PRICES_FILE).is_file():
        print(f"not measured: no market history at {arguments.data}")
        return 0
    if len(arguments.end) == 1:
        play(Path(arguments.data), datetime.fromisoformat(arguments.end[0]).replace(tzinfo=UTC))
        return 0
    for end in arguments.end:
        command = (sys.executable, __file__, "--data", str(arguments.data), "--end", end)
        subprocess.run(command, check=True)  # noqa: S603 - this script
    return 0


if __name__ == "__main__":
    sys.exit(main())
