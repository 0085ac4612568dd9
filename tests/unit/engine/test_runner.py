"""Pauses after failed cycles."""

import pytest

from hedgerow.engine.notices import CycleBegan, CycleFailed, Notice
from support.bot_harness import BotHarness


class FailIn:
    """Let the cycles with these numbers fail."""

    def __init__(self, harness: BotHarness, *numbers: int) -> None:
        self.venue = harness.venue
        self.numbers = numbers

    def on_notice(self, notice: Notice) -> None:
        if isinstance(notice, CycleBegan) and notice.number in self.numbers:
            self.venue.bug = RuntimeError("a bug of ours")


@pytest.mark.parametrize(
    ("failing", "pauses"),
    [((2, 3, 4), [5.0, 10.0, 20.0]), ((2, 3, 5), [5.0, 10.0, 5.0])],
    ids=["in a row", "with a good one between"],
)
def test_a_cycle_that_succeeds_ends_the_back_off(failing: tuple[int, ...], pauses: list[float]) -> None:
    harness = BotHarness()
    harness.run(0.7, observers=[FailIn(harness, *failing)])
    assert [failed.retry_seconds for failed in harness.notices_of(CycleFailed)] == pauses
