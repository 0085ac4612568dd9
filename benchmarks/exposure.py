"""How long and by how much legs differ over all simulated trades: with and without faults, style by style.

`python benchmarks/exposure.py` plays the seeds of `--runs` under each of the conditions and prints a Markdown table; it
ends with exit code 1 when a run broke an invariant. A style that this version does not know is left out.
"""

import argparse
from collections.abc import Iterator

from hedgerow.app.simulate import play_seeds
from hedgerow.domain.errors import ConfigError
from hedgerow.simulation.draws import draw_plan
from hedgerow.simulation.exposure import Distribution, distributions, exposure_table
from hedgerow.simulation.style import Style


def styles() -> Iterator[Style]:
    """Yield every style that this version knows."""
    for style in (Style.TAKER, Style.MAKER):
        try:
            draw_plan(0, 1.0, style=style)
        except ConfigError:
            continue
        yield style


def main() -> int:
    """Play every condition and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="seeds of each condition")
    parser.add_argument("--days", type=float, default=14.0, help="days of each run")
    parser.add_argument("--first-seed", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    given = parser.parse_args()
    seeds = range(given.first_seed, given.first_seed + given.runs)
    rows: list[tuple[str, Distribution]] = []
    failed: list[int] = []
    for style in styles():
        for name, faults in (("no faults", False), ("faults", True)):
            results = list(play_seeds(seeds, given.days, workers=given.workers, style=style, faults=faults))
            failed += [result.seed for result in results if result.violation]
            rows += [(name, row) for row in distributions([trade for result in results for trade in result.trades])]
    print("\n".join(exposure_table(rows)))
    print(f"{len(failed)} violations{f', seeds {failed[:10]}' if failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
