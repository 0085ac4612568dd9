"""A bot crashes while a trade is set aside for another hedge in a drawn run; what comes back breaks nothing."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play_whole
from hedgerow.domain import events as ev
from hedgerow.domain.events import Event
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.simulation.generators.scenarios import draw_plan
from hedgerow.simulation.scenario import Crash, RunPlan

DAYS = 1.0
KINDS = {
    (ExecutionKind.OPEN, ExecutionState.LEADING, "maker"): 340040,
    (ExecutionKind.OPEN, ExecutionState.LEADING, "taker"): 340041,
    (ExecutionKind.CLOSE, ExecutionState.LEADING, "maker"): 340029,
    (ExecutionKind.CLOSE, ExecutionState.NAKED, "taker"): 340093,
}
"""A seed whose run sets aside a trade of each kind, in each state and style."""
SAMPLE = 3
"""At how many points of each kind it crashes here; ``benchmarks/crash_points.py --suspended`` takes them all."""
DOWN_SECONDS = 5.0


class Aside:
    """A drawn run, and the trade of it that is set aside first."""

    def __init__(self, seed: int) -> None:
        self.plan: RunPlan = draw_plan(seed, DAYS, hedges=5)
        result, self.log, _ = play_whole(self.plan)
        assert result.violation is None
        ledger, self.job = Ledger(), None
        for event in self.log:
            if isinstance(event, ev.ExecutionSuspended) and self.job is None:
                self.job = ledger.execution
            ledger = apply(ledger, event)
        assert self.job is not None, f"seed {seed} sets no trade aside"
        own = [number for number, event in enumerate(self.log) if self._is_of_job(event)]
        self.begun, self.ended = self.log[own[0]].at, own[-1]

    def _is_of_job(self, event: Event) -> bool:
        about = event.execution.hedge_id if isinstance(event, ev.ExecutionStarted) else getattr(event, "hedge_id", "")
        assert self.job is not None
        return about == self.job.hedge_id and event.at >= self.job.started_at - timedelta(seconds=1)

    def crashed(self, points: int) -> tuple[str, bool]:
        """Return what is broken after a crash so many points after the beginning, and whether the job had ended."""
        crash = Crash(at=self.begun - timedelta(seconds=1), points=points, trading=True, down_seconds=DOWN_SECONDS)
        plan = replace(self.plan, drawn_faults=(*self.plan.drawn_faults, crash))
        result, log, _ = play_whole(plan)
        wrong = f"{points}: {result.violation.rule}: {result.violation.text}" if result.violation else ""
        return wrong, log[: self.ended + 1] == self.log[: self.ended + 1]


def campaign(seed: int, every: int = 1) -> tuple[int, list[str]]:
    """Crash at every ``every``-th point of the trade that is set aside; returns how many, and what was broken."""
    aside, wrong, count = Aside(seed), list[str](), 0
    while True:
        found, ended = aside.crashed(count * every)
        if ended and count:
            return count, wrong
        count += 1
        wrong += [found] if found else []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_bot_that_dies_while_a_drawn_trade_is_set_aside_breaks_nothing(
    kind: tuple[ExecutionKind, ExecutionState, str],
) -> None:
    aside = Aside(KINDS[kind])
    assert aside.job is not None
    assert (aside.job.kind, aside.job.limits.style.value) == (kind[0], kind[2])
    for number in range(SAMPLE):
        wrong, _ = aside.crashed(12 + 23 * number)
        assert wrong == ""
