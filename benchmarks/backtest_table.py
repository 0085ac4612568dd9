"""The figures of docs/results.md, "Backtests": the guide, its variants, hold and the bound on real history.

Usage: python benchmarks/backtest_table.py [--data DIR] [--cost-bps N ...]
DIR holds market history (default: HEDGEROW_DATA, else ../shared/data); without it nothing is played and the reason is
printed. Percent a year on notional. Exits with 1 when a figure is further from the expected one than its tolerance.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from hedgerow.backtest.study import Study, StudyPlan
from hedgerow.history.parquet import PRICES_FILE
from hedgerow.strategy.parameters import SamePair, StrategyParameters

COSTS = (20, 16, 11, 4)
TWO = ("BTCUSDT", "ETHUSDT")
LONGEST_AGE, LARGEST_MULTIPLIER = 87_600.0, 1000.0
"""The settings' largest values: an age limit that no window reaches, and fees that are hardly ever covered so often."""
EXPECTED: Mapping[str, Sequence[float]] = {
    "BTC+ETH: the guide": (-7.38, -3.83, 0.49, 6.12),
    "BTC+ETH: same_pair roll": (-5.67, -1.67, 3.59, 9.94),
    "BTC+ETH: without the age rule": (4.45, 4.98, 5.23, 6.82),
    "BTC+ETH: without age and fee rules": (13.19, 13.41, 13.68, 14.07),
    "BTC+ETH: hold BTC": (13.42, 13.43, 13.44, 13.45),
    "BTC+ETH: bound": (17.03, 17.09, 17.21, 17.63),
    "all symbols: the guide": (-7.1, -3.0, 1.9, 8.8),
    "all symbols: bound": (21.5, 21.8, 22.2, 23.6),
    "Aster BTC+ETH: the guide": (-6.7, -3.1, 1.1, 6.6),
    "Aster BTC+ETH: hold BTC": (14.2, 14.2, 14.3, 14.3),
    "Aster BTC+ETH: bound": (19.7, 19.8, 20.0, 20.3),
}
ENTRIES: Mapping[str, Sequence[int]] = {
    "BTC+ETH: the guide": (522, 528, 555, 757),
    "BTC+ETH: same_pair roll": (475, 455, 400, 231),
}
TOLERANCE, WIDE_TOLERANCE = 0.05, 0.3
Figure = tuple[str, float, float]
"""Name, percent a year, openings in the window (of the bound: a year)."""


def variants() -> Iterator[tuple[str, StrategyParameters]]:
    """Yield the guide's rules and what they are compared with."""
    guide = StrategyParameters()
    position = guide.position_management
    old = replace(position, max_position_age_hours=LONGEST_AGE)
    patient = replace(old, fee_coverage_multiplier=LARGEST_MULTIPLIER)
    yield "the guide", guide
    yield "same_pair roll", replace(guide, position_management=replace(position, same_pair=SamePair.ROLL))
    yield "without the age rule", replace(guide, position_management=old)
    yield "without age and fee rules", replace(guide, position_management=patient)


def of_window(name: str, study: Study, *, whole: bool) -> Iterator[Figure]:
    """Yield the figures of one window; ``whole`` with all variants."""
    for variant, parameters in variants():
        if whole or variant == "the guide":
            found = study.run(parameters).figures
            yield f"{name}: {variant}", 100 * found.net_apr_on_notional, found.entries
    if whole or name.startswith("Aster"):
        hold = study.hold_trade
        yield f"{name}: hold BTC", 100 * (hold.rates - hold.cost) / study.grid.years if hold else 0.0, 1
    bound, years = study.bounds[0], study.grid.years
    yield f"{name}: bound", 100 * bound.value / years, bound.entries / years


def studies(data: Path, cost_bps: int) -> Iterator[tuple[str, Study]]:
    """Yield the windows of the table."""
    long, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)
    plan = StudyPlan(data=data, start=long, end=end, exchange="binance", symbols=TWO, cost_bps=Decimal(cost_bps))
    yield "BTC+ETH", Study.load(plan)
    yield "all symbols", Study.load(replace(plan, symbols=None))
    aster = replace(plan, start=datetime(2024, 6, 1, tzinfo=UTC), exchange="aster")
    yield "Aster BTC+ETH", Study.load(aster)


def tolerance_of(name: str) -> float:
    """Return how far a figure may be from the expected one, points."""
    return TOLERANCE if name.startswith("BTC+ETH") else WIDE_TOLERANCE


def main() -> int:
    """Play, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("HEDGEROW_DATA") or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--cost-bps", type=int, nargs="+", default=list(COSTS), choices=COSTS)
    arguments = parser.parse_args()
    data = Path(arguments.data)
    if not (data / PRICES_FILE).is_file():
        print(f"not played: no market history at {data}")
        return 0
    wrong = 0
    for cost in arguments.cost_bps:
        print(f"{cost} bp a round trip{'':<26} % a year  openings  expected")
        for window, study in studies(data, cost):
            for name, value, entries in of_window(window, study, whole=window == "BTC+ETH"):
                expected = EXPECTED[name][COSTS.index(cost)]
                off = abs(value - expected) > tolerance_of(name)
                counted = name in ENTRIES and entries != ENTRIES[name][COSTS.index(cost)]
                wrong += off or counted
                print(f"  {name:<38} {value:10.2f} {entries:9.4g} {expected:9.2f}{'  <--' if off or counted else ''}")
    print(f"{wrong} figures differ" if wrong else "all figures as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
