"""How long and by how much legs differ over all simulated trades: with and without faults, style by style.

`python benchmarks/exposure.py` plays the seeds of `--runs` under each of the conditions and prints a Markdown table; it
ends with exit code 1 when a run broke an invariant. `--faults none` or `drawn` plays one of the conditions alone.
"""

import argparse
from itertools import product

from hedgerow.app.simulation.run import play_seeds
from hedgerow.simulation.checks.exposure import Distribution, distributions, exposure_table
from hedgerow.simulation.generators.execution_style import Style

CONDITIONS = {"none": ("no faults", False), "drawn": ("faults", True)}


def main() -> int:
    """Play every condition and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="seeds of each condition")
    parser.add_argument("--days", type=float, default=14.0, help="days of each run")
    parser.add_argument("--first-seed", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--faults", choices=CONDITIONS, action="append", help="one of the conditions, not both")
    given = parser.parse_args()
    seeds = range(given.first_seed, given.first_seed + given.runs)
    rows: list[tuple[str, Distribution]] = []
    failed: list[int] = []
    for style, condition in product((Style.TAKER, Style.MAKER), given.faults or CONDITIONS):
        name, faults = CONDITIONS[condition]
        results = list(play_seeds(seeds, given.days, workers=given.workers, style=style, faults=faults))
        failed += [result.seed for result in results if result.violation]
        rows += [(name, row) for row in distributions([trade for result in results for trade in result.trades])]
    print("\n".join(exposure_table(rows)))
    print(f"{len(failed)} violations{f', seeds {failed[:10]}' if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
