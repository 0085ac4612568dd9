"""With one slot a bot writes the same log as before it could hold several hedges: old logs are its own."""

import pytest

from hedgerow.app.simulation.run import play
from hedgerow.simulation.generators.scenarios import draw_plan


@pytest.mark.parametrize("seed", [5, 8, 16])
def test_a_run_with_one_slot_never_holds_two_hedges(seed: int) -> None:
    result = play(draw_plan(seed, 3.0))
    assert result.violation is None
    assert 0 <= result.opened - result.closed <= 1
