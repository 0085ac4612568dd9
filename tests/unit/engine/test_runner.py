"""Pauses after failed cycles."""

import pytest

from hedgerow.engine.notices import CycleBegan, CycleFailed, Moment
from support.bot_harness import Farm


class FailIn:
    """Let the cycles with these numbers fail."""

    def __init__(self, farm: Farm, *numbers: int) -> None:
        self.venue = farm.venue
        self.numbers = numbers

    def hear(self, moment: Moment) -> None:
        if isinstance(moment, CycleBegan) and moment.number in self.numbers:
            self.venue.bug = RuntimeError("a bug of ours")


@pytest.mark.parametrize(
    ("failing", "pauses"),
    [((2, 3, 4), [5.0, 10.0, 20.0]), ((2, 3, 5), [5.0, 10.0, 5.0])],
    ids=["in a row", "with a good one between"],
)
def test_a_cycle_that_succeeds_ends_the_back_off(failing: tuple[int, ...], pauses: list[float]) -> None:
    farm = Farm()
    farm.run(0.7, listeners=[FailIn(farm, *failing)])
    assert [failed.retry_seconds for failed in farm.heard(CycleFailed)] == pauses
