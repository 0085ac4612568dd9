"""The owner asks during trades: a bot that obeys passes the judge, one that does not is caught."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play, play_whole
from hedgerow.domain.events import RequestHandled
from hedgerow.domain.operator_requests import Claim, RequestOutcome
from hedgerow.engine.execution.executor import Executor
from hedgerow.engine.operator import Service
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.faults.owner import OwnersMailbox
from hedgerow.simulation.generators.scenarios import draw_plan
from hedgerow.simulation.scenario import RunPlan


def plan(seed: int = 3) -> RunPlan:
    """Return a run without faults, in which the owner asks during every job."""
    drawn = draw_plan(seed, 4.0, faults=False)
    return replace(drawn, interference=1.0, resume_after_hours=1.0)


def test_requests_during_trades_are_obeyed_refused_or_expired() -> None:
    result, log, _ = play_whole(plan())
    assert result.violation is None
    outcomes = {event.outcome for event in log if isinstance(event, RequestHandled)}
    assert {RequestOutcome.DONE, RequestOutcome.REFUSED} <= outcomes


def test_some_seeds_draw_an_owner_who_interferes() -> None:
    shares = [draw_plan(seed, 2.0).interference for seed in range(40)]
    assert 0.0 in shares
    assert max(shares) > 0


def test_a_bot_that_leads_on_after_a_halt_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Executor, "_why_give_up", lambda _: None)
    assert Invariant.HALT in {_rule(plan(seed)) for seed in (3, 4, 5)}


def test_a_bot_that_begins_requests_after_their_time_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def claimed(self: OwnersMailbox, request_id: str) -> Claim:
        clock = self._clock
        late = replace(self._waiting[request_id], valid_until=clock.now() + timedelta(seconds=1))
        expired = self._waiting[request_id].valid_until <= clock.now()
        self._waiting[request_id] = late
        return Claim.TAKEN if expired else true(self, request_id)

    true = OwnersMailbox.claim
    monkeypatch.setattr(OwnersMailbox, "claim", claimed)
    assert Invariant.REQUESTS in {_rule(plan(seed)) for seed in range(3, 9)}


def test_a_bot_that_answers_nothing_during_a_trade_and_after_it_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unheard(*_: object) -> None:
        return

    for name in ("answer_mail", "answer_in_trade", "answer_at_the_end"):
        monkeypatch.setattr(Service, name, unheard)
    assert _rule(plan()) is Invariant.REQUESTS


def _rule(run: RunPlan) -> Invariant | None:
    violation = play(run).violation
    return violation.rule if violation else None
