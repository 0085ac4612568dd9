"""An opening that is given up leads no further: nothing filled ends flat, what is filled ends hedged."""

from decimal import Decimal

from hedgerow.domain.commands import CancelOrder
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.instrument import Market
from hedgerow.domain.position import Reason
from support.hedging_harness import Scene, closing, leading
from support.toy_venue import new_job

OPEN = ExecutionKind.OPEN
MAKER = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(1000))


def test_given_up_before_its_preparations_nothing_is_sent() -> None:
    scene = Scene(new_job(OPEN))
    scene.give_up = Reason.USER
    scene.after(0)
    assert scene.command is None
    assert (scene.job.state, scene.job.given_up) == (ExecutionState.FLAT, Reason.USER)


def test_given_up_between_two_preparations_ends_flat() -> None:
    scene = Scene(new_job(OPEN)).after(0)
    scene.give_up = Reason.SHUTDOWN
    scene.prepared()
    assert scene.command is None
    assert (scene.job.state, scene.job.given_up) == (ExecutionState.FLAT, Reason.SHUTDOWN)


def test_given_up_between_two_slices_what_is_filled_is_hedged() -> None:
    scene = leading()
    scene.fills()
    scene.give_up = Reason.USER
    assert scene.order.market is Market.PERP, "the slice that was filled is followed"
    scene.fills()
    assert scene.command is None
    assert (scene.job.state, scene.job.given_up) == (ExecutionState.HEDGED, Reason.USER)
    assert 0 < scene.job.spot.filled < scene.job.plan.spot_quantity


def test_given_up_while_a_slice_rests_it_is_cancelled_and_nothing_is_taken() -> None:
    scene = Scene(new_job(OPEN, limits=MAKER)).after(0).prepared().prepared()
    assert scene.job.state is ExecutionState.RESTING
    scene.give_up, scene.hurried = Reason.USER, True
    scene.after(1)
    assert isinstance(scene.command, CancelOrder)
    scene.fills("0").after(0)
    assert scene.command is None
    assert (scene.job.state, scene.job.given_up) == (ExecutionState.FLAT, Reason.USER)
    assert scene.job.detail == ""


def test_a_closing_is_never_given_up() -> None:
    scene = closing()
    scene.give_up = Reason.USER
    scene.fills().fills()
    assert scene.job.given_up is None
    assert scene.order.market is Market.SPOT, "it sells the next slice"
