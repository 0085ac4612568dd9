"""An opening that is given up leads no further: nothing filled ends flat, what is filled ends hedged."""

from decimal import Decimal

from hedgerow.domain.commands import CancelOrder
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.instrument import Market
from hedgerow.domain.position import Reason
from support.hedging_harness import HedgingHarness, closing, leading
from support.toy_venue import new_job

OPEN = ExecutionKind.OPEN
MAKER = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(1000))


def test_given_up_before_its_preparations_nothing_is_sent() -> None:
    harness = HedgingHarness(new_job(OPEN))
    harness.give_up = Reason.USER
    harness.after(0)
    assert harness.command is None
    assert (harness.job.state, harness.job.given_up) == (ExecutionState.FLAT, Reason.USER)


def test_given_up_between_two_preparations_ends_flat() -> None:
    harness = HedgingHarness(new_job(OPEN)).after(0)
    harness.give_up = Reason.SHUTDOWN
    harness.prepared()
    assert harness.command is None
    assert (harness.job.state, harness.job.given_up) == (ExecutionState.FLAT, Reason.SHUTDOWN)


def test_given_up_between_two_slices_what_is_filled_is_hedged() -> None:
    harness = leading()
    harness.fills()
    harness.give_up = Reason.USER
    assert harness.order.market is Market.PERP, "the slice that was filled is followed"
    harness.fills()
    assert harness.command is None
    assert (harness.job.state, harness.job.given_up) == (ExecutionState.HEDGED, Reason.USER)
    assert 0 < harness.job.spot.filled < harness.job.plan.spot_quantity


def test_given_up_while_a_slice_rests_it_is_cancelled_and_nothing_is_taken() -> None:
    harness = HedgingHarness(new_job(OPEN, limits=MAKER)).after(0).prepared().prepared()
    assert harness.job.state is ExecutionState.RESTING
    harness.give_up, harness.hurried = Reason.USER, True
    harness.after(1)
    assert isinstance(harness.command, CancelOrder)
    harness.fills("0").after(0)
    assert harness.command is None
    assert (harness.job.state, harness.job.given_up) == (ExecutionState.FLAT, Reason.USER)
    assert harness.job.detail == ""


def test_a_closing_is_never_given_up() -> None:
    harness = closing()
    harness.give_up = Reason.USER
    harness.fills().fills()
    assert harness.job.given_up is None
    assert harness.order.market is Market.SPOT, "it sells the next slice"
