"""How fast parameter sets and the bound are: the guide's rules on real history, beside a plain compiled loop.

Usage: python benchmarks/backtest_speed.py [--data DIR] [--sets N]
DIR holds market history (default: HEDGEROW_DATA, else ../shared/data); without it nothing is measured and the reason is
printed. Seconds are those of the processor, of one core; compilation is not counted. The plain loop visits every check
of five minutes with the same rules, and must give the same trades bit for bit.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice, product
from pathlib import Path

import numpy as np

from hedgerow.backtest.bound import bound_of
from hedgerow.backtest.chain import Chain
from hedgerow.backtest.kernel import Rules, market_of, play, rules_of, scratch, signals_of, walk
from hedgerow.backtest.study import Study, StudyPlan
from hedgerow.backtest.tables import build_tables
from hedgerow.history.parquet import PRICES_FILE
from hedgerow.strategy.parameters import StrategyParameters

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC)
PERIODS = (3, 5, 8, 10, 13, 16, 20, 24, 30, 40)
MULTIPLIERS = (1.0, 1.25, 1.5, 2.0, 3.0)
AGES = (12.0, 24.0, 48.0, 72.0, 168.0)
LEAST_APRS = (0.05, 0.10, 0.15, 0.25)
GAINS = tuple(0.05 + 0.01 * number for number in range(40))
"""Of these there are 1,000 sets for each gain, and 40,000 in all."""
LOOP_SETS = 3


def sets_of(count: int) -> list[Rules]:
    """Return so many parameter sets; those that share a gain and a moving average follow one another."""
    base = rules_of(StrategyParameters())._replace(gain=0.10)

    def every() -> Iterator[Rules]:
        for gain in (0.10, *GAINS):
            for periods, apr, age, multiplier in product(PERIODS, LEAST_APRS, AGES, MULTIPLIERS):
                yield base._replace(gain=gain, periods=periods, min_apr=apr, max_age=age, multiplier=multiplier)

    return list(islice(every(), count))


def measure(study: Study, count: int) -> bool:
    """Measure one window; tells whether all results were equal."""
    tables, sets = study.tables, sets_of(count)
    market = study.market
    Chain(market).play(sets[0])  # compiles
    play(market, sets[0])
    began = time.process_time()
    chain = Chain(market_of(tables, study.plan.notional))
    results = [outcome.net for outcome in chain.outcomes(sets)]
    chained = (time.process_time() - began) / count
    began = time.process_time()
    again_results = [outcome.net for outcome in chain.outcomes(sets)]
    again = (time.process_time() - began) / count
    looked_at = range(0, count, -(-count // LOOP_SETS))
    equal, looped = plain_loop(study, sets, [chain.play(sets[index]) for index in looked_at])
    equal = equal and results == again_results
    print(f"{len(study.symbols)} symbols, {study.grid.steps:,} checks, {count:,} sets")
    print(f"  a plain loop over all checks       {looped * 1e6:10.1f} us a set")
    print(f"  chained, tables and memory included{chained * 1e6:10.1f} us a set, {looped / chained:6.0f} times faster")
    print(f"  chained, trades remembered         {again * 1e6:10.1f} us a set, {looped / again:6.0f} times faster")
    print(f"  trades {'equal bit for bit' if equal else 'DIFFER'}")
    bound(study)
    return equal


def plain_loop(study: Study, sets: list[Rules], expected: list[object]) -> tuple[bool, float]:
    """Play some of the sets check by check; returns whether the trades are the expected ones, and seconds a set."""
    whole = build_tables(study.market_data, study.grid, study.tables.books, every_check=True)
    market = market_of(whole, study.plan.notional)
    equal, spent = True, 0.0
    for rules, wanted in zip(sets[:: -(-len(sets) // LOOP_SETS)], expected, strict=True):
        signals = signals_of(market, rules)
        room = np.zeros((200_000, 8), dtype=np.int64), np.zeros((200_000, 8)), np.zeros((400_000, 4), dtype=np.int64)
        walk(market, rules, signals, scratch(), *room)
        began = time.process_time()
        trades, lines = walk(market, rules, signals, scratch(), *room)
        spent += time.process_time() - began
        got = room[0][:trades], room[1][:trades], room[2][:lines]
        equal = equal and all(np.array_equal(mine, its) for mine, its in zip(got, wanted, strict=True))  # type: ignore[call-overload]
    return equal, spent / len(expected)


def bound(study: Study) -> None:
    """Measure the bound."""
    chances = study.opportunities
    bound_of(chances)
    times = []
    for _ in range(20):
        began = time.process_time()
        bound_of(chances)
        times.append(time.process_time() - began)
    rate = chances.reward.size / min(times) / 1e9
    count = chances.reward.shape[0]
    print(f"  bound of {count:,} settlements: {min(times) * 1e6:.0f} us, {rate:.2f} G symbol-steps a second")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("HEDGEROW_DATA") or Path(__file__).parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--sets", type=int, default=1000)
    arguments = parser.parse_args()
    data = Path(arguments.data)
    if not (data / PRICES_FILE).is_file():
        print(f"not measured: no market history at {data}")
        return 0
    plan = StudyPlan(
        data=data, start=START, end=END, exchange="binance", cost_bps=Decimal(20), most_periods=max(PERIODS)
    )
    two = StudyPlan(
        data=data,
        start=START,
        end=END,
        exchange="binance",
        symbols=("BTCUSDT", "ETHUSDT"),
        cost_bps=Decimal(20),
        most_periods=max(PERIODS),
    )
    equal = [measure(Study.load(each), arguments.sets) for each in (two, plan)]
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
