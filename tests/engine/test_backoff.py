"""Cycles that fail for days: the pauses stay bounded, and a success ends them."""

from hedgerow.engine.notices import CycleBegan, CycleFailed, Moment
from support.bot_harness import Farm


class FailingCycles:
    """Lets every cycle fail but those with these numbers."""

    def __init__(self, farm: Farm, *good: int) -> None:
        self.venue = farm.venue
        self.good = good
        self.cycles = 0

    def hear(self, moment: Moment) -> None:
        if isinstance(moment, CycleBegan):
            self.cycles += 1
            if self.cycles not in self.good:
                self.venue.bug = RuntimeError("a bug of ours")


def test_a_success_ends_the_back_off_of_earlier_failures() -> None:
    farm = Farm()
    farm.run(0.5, listeners=[FailingCycles(farm, 4)])
    pauses = [failed.retry_seconds for failed in farm.heard(CycleFailed)]
    assert pauses[:6] == [5, 10, 20, 5, 10, 20]


def test_four_days_of_failed_cycles_do_not_end_the_bot() -> None:
    farm = Farm()
    farm.run(90, listeners=[FailingCycles(farm)])
    pauses = [failed.retry_seconds for failed in farm.heard(CycleFailed)]
    assert len(pauses) > 1024
    assert set(pauses[7:]) == {300}
