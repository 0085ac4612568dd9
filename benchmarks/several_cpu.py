"""Processor time of a quiet check by how many hedges are held: its ratio to one hedge, in one run.

    python benchmarks/several_cpu.py [--minutes N]

The exchange is in the same process, so that the ratio is what counts and not the milliseconds: it grows at most in step
with the hedges.
"""

import argparse
import asyncio
import statistics
import time

from _wired import Wiring
from hedgerow.clock import run_virtual
from hedgerow.engine.notices import CycleBegan, CycleEnded, Notice
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters

SLOTS = (1, 2, 3, 5)


class Stopwatch:
    """Takes the processor time of each check in which nothing is logged but its end."""

    def __init__(self) -> None:
        self.quiet: dict[int, list[float]] = {}
        self._began, self._hedges, self._events = 0.0, 0, 0

    def on_notice(self, notice: Notice) -> None:
        """Stop the time at both ends of a check."""
        if isinstance(notice, CycleBegan):
            self._began = time.process_time()
        elif isinstance(notice, CycleEnded):
            spent, ledger = time.process_time() - self._began, notice.ledger
            if ledger.events == self._events + 1:
                self.quiet.setdefault(len(ledger.open_hedges), []).append(spent)
            self._events = ledger.events


def measured(slots: int, minutes: float) -> float:
    """Return the median processor time of a quiet check with so many hedges, seconds.

    Raises:
        RuntimeError: the market has not as many pairs that may be opened.
    """
    parameters = StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(min_funding_apr=0.1),
        position_management=PositionManagement(
            fee_coverage_multiplier=1000,
            max_position_age_hours=87_600,
            better_opportunity_apr=90.0,
            max_positions=slots,
        ),
    )
    watch, wiring = Stopwatch(), Wiring(pairs=20, parameters=parameters)

    async def main() -> None:
        async with wiring.session((watch,)) as bot:
            running = asyncio.ensure_future(bot.runner.run())
            await asyncio.wait({running}, timeout=minutes * 60)
            bot.stop.set()
            await running

    wiring.way.streams = False
    run_virtual(wiring.clock, main())
    if slots not in watch.quiet:
        raise RuntimeError(f"no quiet check with {slots} hedges: {sorted(watch.quiet)} were seen")
    return statistics.median(watch.quiet[slots])


def main() -> None:
    """Print one line for each number of hedges."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=300.0, help="of virtual time, a check every five")
    minutes = parser.parse_args().minutes
    one = measured(1, minutes)
    for slots in SLOTS:
        spent = one if slots == 1 else measured(slots, minutes)
        print(f"{slots} hedges: {spent * 1000:6.2f} ms a quiet check, {spent / one:4.2f} times that of one")


if __name__ == "__main__":
    main()
