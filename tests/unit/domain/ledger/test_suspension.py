"""Jobs that wait and are set aside: one is at work at most, none is lost, and doubtful orders still count."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import ExecutionStarted, ExecutionSuspended, ExecutionTakenUp, HedgeLost, HedgeRedenominated
from hedgerow.domain.execution import DoubtfulOrder, ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.suspension import may_be_suspended, set_aside
from hedgerow.domain.position import Reason
from support.toy_venue import new_job
from support.views import NOW, hedge, pair_of, several_of

FIRST = hedge("10")
SECOND = hedge("5", hedge_id="h2", pair=pair_of("BBBUSDT"))
BOTH = several_of(FIRST, SECOND)
RECORD = FIRST.orders[0]
ORDER = PlaceOrder(hedge_id="h1", order=RECORD.request, fee_rate=Decimal(0))
JOB = replace(
    new_job(ExecutionKind.CLOSE, pair=FIRST.pair), state=ExecutionState.NAKED, started_at=NOW - timedelta(days=999)
)
AT_WORK = replace(BOTH, execution=JOB, orders={"x": RECORD})
SUSPENDED, TAKEN_UP = ExecutionSuspended(at=NOW, hedge_id="h1", detail="why"), ExecutionTakenUp(at=NOW, hedge_id="h1")


def test_a_job_that_is_set_aside_is_at_work_again_with_its_orders() -> None:
    aside = apply(AT_WORK, SUSPENDED)
    assert (aside.execution, dict(aside.orders), dict(aside.suspended)) == (None, {}, {"h1": JOB})
    assert aside.jobs == (JOB,)
    assert aside.shown_job == JOB
    assert aside.job_of(FIRST.symbol) == JOB
    assert aside.job_of("CCCUSDT") is None
    assert aside.judged_hedges == (SECOND,)
    assert aside.open_hedges == (FIRST, SECOND)
    back = apply(aside, TAKEN_UP)
    own = {r.request.client_id for r in FIRST.orders if r.request.client_id.startswith("h1")}
    assert (back.execution, dict(back.suspended), set(back.orders)) == (JOB, {}, own)


def test_only_the_job_at_work_is_set_aside_and_only_one_that_waits_is_taken_up() -> None:
    assert set_aside(BOTH) == BOTH
    assert apply(AT_WORK, replace(SUSPENDED, hedge_id="h2")).execution == JOB
    aside = apply(AT_WORK, SUSPENDED)
    assert apply(aside, replace(TAKEN_UP, hedge_id="h2")).suspended == aside.suspended
    busy = replace(aside, execution=replace(JOB, hedge_id="h2", pair=SECOND.pair))
    assert apply(busy, TAKEN_UP).suspended == aside.suspended
    assert dict(apply(replace(aside, hedges={}), TAKEN_UP).suspended) == {"h1": JOB}


def test_the_naked_one_of_several_jobs_is_shown() -> None:
    other = replace(JOB, hedge_id="h2", pair=SECOND.pair, state=ExecutionState.FOLLOWING)
    ledger = replace(apply(AT_WORK, SUSPENDED), execution=other)
    assert ledger.jobs == (other, JOB)
    assert ledger.shown_job == JOB
    assert replace(ledger, suspended={}).shown_job == other


def test_orders_that_may_still_land_count_while_their_job_is_set_aside() -> None:
    doubt = DoubtfulOrder(command=ORDER, until=NOW)
    ledger = apply(replace(AT_WORK, execution=replace(JOB, doubtful=(doubt,))), SUSPENDED)
    assert ledger.doubtful_orders == (RECORD.request.client_id,)
    unknown = replace(JOB, state=ExecutionState.RESOLVING, working=ORDER)
    assert apply(replace(AT_WORK, execution=unknown), SUSPENDED).doubtful_orders == (RECORD.request.client_id,)


def test_a_hedge_that_is_opened_by_a_job_set_aside_is_not_open_yet() -> None:
    ledger = set_aside(replace(BOTH, execution=replace(JOB, kind=ExecutionKind.OPEN)))
    assert ledger.opening == FIRST
    assert ledger.open_hedges == (SECOND,)


def test_a_hedge_that_ends_takes_its_job_with_it() -> None:
    other = replace(JOB, hedge_id="h2", pair=SECOND.pair)
    ledger = replace(apply(AT_WORK, SUSPENDED), execution=other)
    after = apply(ledger, HedgeLost(at=NOW, hedge_id="h1", reason=Reason.CLOSED_EXTERNALLY))
    assert (after.execution, dict(after.suspended), list(after.hedges)) == (other, {}, ["h2"])


def test_a_job_that_is_set_aside_counts_in_the_new_coins_too() -> None:
    aside = apply(AT_WORK, SUSPENDED)
    after = apply(aside, HedgeRedenominated(at=NOW, hedge_id="h1", factor=Decimal(10)))
    assert after.suspended["h1"].plan.perp_quantity == JOB.plan.perp_quantity / 10
    other = apply(aside, HedgeRedenominated(at=NOW, hedge_id="h2", factor=Decimal(10)))
    assert other.suspended == aside.suspended


@pytest.mark.parametrize(
    ("job", "may"),
    [
        (JOB, True),
        (replace(JOB, working=ORDER), False),
        (replace(JOB, state=ExecutionState.RESOLVING, working=ORDER), True),
        (replace(JOB, state=ExecutionState.IN_DOUBT), True),
        (replace(JOB, state=ExecutionState.RESTING, working=ORDER), False),
        (replace(JOB, state=ExecutionState.LEADING), True),
        (replace(JOB, state=ExecutionState.LEADING, working=ORDER), False),
        (replace(JOB, state=ExecutionState.FOLLOWING), False),
    ],
)
def test_no_job_with_an_order_that_is_known_to_rest_is_set_aside(job: HedgeExecution, may: bool) -> None:  # noqa: FBT001 - a parameter
    assert may_be_suspended(job) is may


def test_an_opening_that_is_taken_up_again_leads_no_further() -> None:
    leading = replace(JOB, kind=ExecutionKind.OPEN, state=ExecutionState.LEADING)
    back = apply(apply(replace(AT_WORK, execution=leading), SUSPENDED), TAKEN_UP).execution
    assert back is not None
    assert (back.lead_done, back.given_up) == (True, Reason.OTHER_HEDGE)


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, state=ExecutionState.LEADING),
        replace(JOB, kind=ExecutionKind.OPEN),
        replace(JOB, kind=ExecutionKind.OPEN, state=ExecutionState.LEADING, lead_done=True),
    ],
)
def test_any_other_job_goes_on_where_it_was(job: HedgeExecution) -> None:
    assert apply(apply(replace(AT_WORK, execution=job), SUSPENDED), TAKEN_UP).execution == job


def test_a_job_that_begins_while_another_one_is_at_work_displaces_it() -> None:
    other = ExecutionStarted(at=NOW, execution=replace(JOB, hedge_id="h2", pair=SECOND.pair))
    assert apply(BOTH, other).displaced == ()
    assert apply(apply(AT_WORK, SUSPENDED), other).displaced == ()
    assert apply(AT_WORK, ExecutionStarted(at=NOW, execution=JOB)).displaced == ()
    after = apply(AT_WORK, other)
    assert after.displaced == ("h1",)
    assert after.jobs == (other.execution,)
