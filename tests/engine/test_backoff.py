"""Cycles that fail for days: the pauses stay bounded, and a success ends them."""

from hedgerow.engine.notices import CycleBegan, CycleFailed, Notice
from support.bot_harness import BotHarness


class FailingCycles:
    """Lets every cycle fail but those with these numbers."""

    def __init__(self, harness: BotHarness, *good: int) -> None:
        self.venue = harness.venue
        self.good = good
        self.cycles = 0

    def on_notice(self, notice: Notice) -> None:
        if isinstance(notice, CycleBegan):
            self.cycles += 1
            if self.cycles not in self.good:
                self.venue.bug = RuntimeError("a bug of ours")


def test_a_success_ends_the_back_off_of_earlier_failures() -> None:
    harness = BotHarness()
    harness.run(0.5, observers=[FailingCycles(harness, 4)])
    pauses = [failed.retry_seconds for failed in harness.notices_of(CycleFailed)]
    assert pauses[:6] == [5, 10, 20, 5, 10, 20]


def test_four_days_of_failed_cycles_do_not_end_the_bot() -> None:
    harness = BotHarness()
    harness.run(90, observers=[FailingCycles(harness)])
    pauses = [failed.retry_seconds for failed in harness.notices_of(CycleFailed)]
    assert len(pauses) > 1024
    assert set(pauses[7:]) == {300}
