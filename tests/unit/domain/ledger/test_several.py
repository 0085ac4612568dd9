"""Events of one hedge leave the others of a ledger as they are."""

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.events import (
    ExecutionStepped,
    ExitDeferralEnded,
    ExitDeferred,
    FundingReceived,
    HedgeLost,
    HedgeRedenominated,
    OrderEnded,
)
from hedgerow.domain.execution import ExecutionChange, ExecutionKind, ExecutionState
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.order import OrderStatus
from hedgerow.domain.position import Reason
from support.toy_venue import new_job
from support.views import NOW, hedge, opening_of, pair_of, several_of

FIRST = hedge("10")
SECOND = hedge("5", hedge_id="h2", pair=pair_of("BBBUSDT"))
BOTH = several_of(FIRST, SECOND)


def test_a_late_report_reaches_the_hedge_that_has_the_order() -> None:
    (record, *_) = SECOND.orders
    renamed = replace(record, request=replace(record.request, client_id="h2-s-1"), hedge_id="h2", order_id=None)
    ledger = several_of(FIRST, replace(SECOND, orders=(renamed, *SECOND.orders[1:])))
    ended = OrderEnded(
        at=NOW,
        client_id="h2-s-1",
        order_id=77,
        status=OrderStatus.FILLED,
        filled_quantity=record.filled_quantity,
        filled_notional=record.filled_notional,
    )
    after = apply(ledger, ended)
    assert after.hedges["h1"] == FIRST
    assert after.hedges["h2"].orders[0].order_id == 77


def test_hedges_of_one_instant_are_listed_in_the_order_in_which_the_log_has_them() -> None:
    renamed = replace(FIRST, hedge_id="h9"), replace(SECOND, hedge_id="h1")
    assert several_of(*renamed).open_hedges == renamed
    assert several_of(*reversed(renamed)).open_hedges == renamed[::-1]
    older = replace(SECOND, opened_at=FIRST.opened_at - timedelta(seconds=1))
    assert several_of(FIRST, older).open_hedges == (older, FIRST)


def test_one_lost_while_another_is_traded_leaves_the_job_alone() -> None:
    job = replace(new_job(ExecutionKind.CLOSE, pair=SECOND.pair), hedge_id="h2")
    lost = HedgeLost(at=NOW, hedge_id="h1", reason=Reason.CLOSED_EXTERNALLY)
    after = apply(replace(BOTH, execution=job), lost)
    assert (after.execution, list(after.hedges)) == (job, ["h2"])


def test_a_step_of_another_job_changes_nothing() -> None:
    job = replace(new_job(ExecutionKind.CLOSE, pair=SECOND.pair), hedge_id="h2")
    ledger = replace(BOTH, execution=job)
    step = ExecutionStepped(at=NOW, hedge_id="h1", change=ExecutionChange(state=ExecutionState.NAKED))
    assert apply(ledger, step).execution == job
    assert apply(ledger, replace(step, hedge_id="h2")).execution == replace(job, state=ExecutionState.NAKED)


def test_new_units_of_one_coin_leave_the_job_of_another_in_its_own() -> None:
    ten = HedgeRedenominated(at=NOW, hedge_id="h1", factor=Decimal(10))
    job = replace(new_job(ExecutionKind.CLOSE, pair=SECOND.pair), hedge_id="h2")
    other = apply(replace(BOTH, execution=job), ten)
    assert (other.execution, other.hedges["h2"]) == (job, SECOND)
    assert other.hedges["h1"].short == FIRST.short / 10
    own = apply(replace(BOTH, execution=replace(job, hedge_id="h1", pair=FIRST.pair)), ten)
    assert own.execution is not None
    assert own.execution.plan.perp_quantity == job.plan.perp_quantity / 10


def test_payments_of_one_stamp_go_to_the_hedge_of_their_symbol() -> None:
    ledger = BOTH
    for number, (symbol, amount) in enumerate((("BBBUSDT", "2"), ("AAAUSDT", "3")), 1):
        payment = FundingPayment(symbol=symbol, amount=Decimal(amount), at=NOW, tran_id=number)
        ledger = apply(ledger, FundingReceived(at=NOW, payment=payment))
    assert ledger.hedges["h1"].funding_received == FIRST.funding_received + 3
    assert ledger.hedges["h2"].funding_received == SECOND.funding_received + 2


def test_closings_wait_by_hedge() -> None:
    wait = ExitDeferred(at=NOW, hedge_id="h1", reason=Reason.MAX_AGE, detail="wide", until=NOW)
    both = apply(apply(BOTH, wait), replace(wait, hedge_id="h2"))
    assert set(both.deferrals) == {"h1", "h2"}
    assert set(apply(both, ExitDeferralEnded(at=NOW, hedge_id="h1")).deferrals) == {"h2"}


def test_what_is_being_opened_is_held_but_not_open() -> None:
    ledger = opening_of(SECOND)
    assert ledger.opening == SECOND
    assert ledger.open_hedges == ()
    assert (ledger.largest, ledger.foremost) == (None, SECOND)
    assert ledger.held("BBBUSDT") == SECOND
    assert ledger.open_hedge_of("BBBUSDT") is None
    assert BOTH.open_hedge_of("BBBUSDT") == SECOND
    assert ledger.open_hedge("h2") is None
    assert ledger.live_hedges == (SECOND,)
    assert BOTH.largest == FIRST
    assert BOTH.owned("BBB") == SECOND.spot_quantity
