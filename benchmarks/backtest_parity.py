"""The engine and the compiled rules over many windows: the same decisions at the same checks.

Usage: python benchmarks/backtest_parity.py [--generated N] [--real N] [--data DIR]
Three quarters of the windows are generated markets (gaps, ties, prices that end, pairs of 4 and 8 hours), the rest ten
days of real history each, where DIR holds some (default: HEDGEROW_DATA, else ../shared/data). Parameters are drawn,
both values of same_pair among them. Prints every difference and exits with 1 when there is one. Takes minutes.
"""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hedgerow.history.parquet import PRICES_FILE
from support.backtest_windows import Compared, differences, generated_window, real_window


def windows(generated: int, real: int, data: Path) -> Iterator[Compared]:
    """Play the windows."""
    for seed in range(generated):
        with tempfile.TemporaryDirectory() as folder:
            yield generated_window(seed, Path(folder))
    for seed in range(real):
        yield real_window(seed, data)


def main() -> int:
    """Play, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("HEDGEROW_DATA") or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--generated", type=int, default=150)
    parser.add_argument("--real", type=int, default=50)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    data = Path(arguments.data)
    real = arguments.real if (data / PRICES_FILE).is_file() else 0
    if real < arguments.real:
        print(f"no real windows: no market history at {data}")
    played = decisions = wrong = 0
    for window in windows(arguments.generated, real, data):
        found = differences(window)
        played, decisions, wrong = played + 1, decisions + len(window.compiled.decisions), wrong + bool(found)
        for line in found[:3]:
            print(line, flush=True)
    print(f"{played} windows, {decisions} decisions, {wrong} windows differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
