"""Maker style: the leading slice rests at the touch, and is out of the book before anything else is sent."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import ArmDeadMan, CancelOrder, PlaceOrder
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderStatus, RejectKind, TimeInForce
from hedgerow.strategy.hedging.maker import cancel, rest
from support.hedging_harness import Scene
from support.toy_venue import NOON, new_job, toy_pair

OPEN, CLOSE = ExecutionKind.OPEN, ExecutionKind.CLOSE
RESTING, CANCELLING, LEADING = ExecutionState.RESTING, ExecutionState.CANCELLING, ExecutionState.LEADING
FOLLOWING, RESOLVING = ExecutionState.FOLLOWING, ExecutionState.RESOLVING
MAKER = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(1000))
GTX, IOC = TimeInForce.GTX, TimeInForce.IOC


def resting(kind: ExecutionKind = OPEN, limits: ExecutionLimits = MAKER, **plan: Any) -> Scene:
    """Return a job whose first slice was sent to rest."""
    scene = Scene(new_job(kind, limits=limits, **plan)).after(0)
    return scene.prepared().prepared() if kind is OPEN else scene


def progressed(scene: Scene, quantity: str) -> Scene:
    assert scene.job.working
    order = scene.job.working.order
    return scene.receive(
        ev.OrderProgressed(
            at=scene.now,
            client_id=order.client_id,
            order_id=7,
            filled_quantity=Decimal(quantity),
            filled_notional=Decimal(quantity) * order.price,
        )
    )


def cancelled(scene: Scene, filled: str = "0") -> Scene:
    assert scene.job.working
    order = scene.job.working.order
    return scene.receive(
        ev.OrderEnded(
            at=scene.now,
            client_id=order.client_id,
            order_id=7,
            status=OrderStatus.CANCELED,
            filled_quantity=Decimal(filled),
            filled_notional=Decimal(filled) * order.price,
        )
    )


def is_cancelling(scene: Scene) -> bool:
    return scene.job.state is CANCELLING and isinstance(scene.command, CancelOrder)


def test_the_leading_slice_rests_post_only_at_the_touch_of_its_own_side() -> None:
    scene = resting()
    order = scene.order
    assert scene.job.state is RESTING
    assert (order.market, order.side, order.price, order.time_in_force) == (
        Market.SPOT,
        Side.BUY,
        Decimal("99.99"),
        GTX,
    )
    assert cast("PlaceOrder", scene.command).fee_rate == 0, "a resting order pays the maker's fee"
    scene.after(0)
    assert scene.command is None
    assert scene.taken.watch == order


def test_a_closing_rests_on_the_other_side_and_buys_back_reduce_only() -> None:
    scene = resting(CLOSE, spot="10")
    assert (scene.order.side, scene.order.price, scene.order.time_in_force) == (Side.SELL, Decimal("100.01"), GTX)
    scene.fills()
    assert (scene.order.market, scene.order.side, scene.order.reduce_only) == (Market.PERP, Side.BUY, True)
    assert scene.order.time_in_force is IOC


def test_a_fill_is_hedged_only_when_the_rest_of_the_order_is_out_of_the_book() -> None:
    scene = progressed(resting(), "1.5")
    assert is_cancelling(scene)
    assert scene.job.spot.filled == 0, "what has filled is not final yet"
    cancelled(scene, "1.7")
    assert scene.job.state is FOLLOWING
    assert (scene.order.market, scene.order.quantity, scene.order.time_in_force) == (Market.PERP, Decimal("1.70"), IOC)


def test_a_fill_too_small_to_be_naked_leaves_the_order_where_it_is() -> None:
    scene = progressed(resting(), "0.04")
    assert scene.job.state is RESTING
    assert scene.job.working_filled == Decimal("0.04")
    assert scene.job.naked_since is None


def test_what_a_resting_order_has_filled_counts_as_naked_from_when_it_is_known() -> None:
    scene = progressed(resting(), "1.5")
    assert scene.job.naked_since == scene.now
    assert scene.job.worst_naked_notional == pytest.approx(Decimal(150), abs=Decimal(1))


def test_the_order_follows_the_touch_under_a_new_id() -> None:
    scene = resting()
    scene.spot_bids = (("100.00", "40"),)
    assert is_cancelling(scene.after(1))
    cancelled(scene)
    assert scene.job.state is LEADING
    assert scene.command is None
    scene.after(0)
    assert (scene.order.client_id, scene.order.price, scene.order.time_in_force) == ("h1-s-2", Decimal("100.00"), GTX)


def test_after_the_time_out_the_slice_is_taken_and_the_next_one_rests_again() -> None:
    scene = resting()
    assert scene.after(45).job.state is RESTING
    assert is_cancelling(scene.after(1))
    cancelled(scene).after(0)
    assert (scene.order.time_in_force, scene.order.price) == (IOC, Decimal("100.11"))
    scene.fills().fills()
    assert (scene.order.market, scene.order.time_in_force) == (Market.SPOT, GTX)


def test_pegging_anew_does_not_put_the_time_out_back() -> None:
    scene = resting()
    for touch in ("100.00", "99.99", "100.00", "99.99", "100.00"):
        scene.spot_bids = ((touch, "40"),)
        cancelled(scene.after(10)).after(0)
    assert scene.order.time_in_force is IOC


def test_a_partial_fill_does_not_put_the_time_out_back_and_a_whole_one_does() -> None:
    scene = resting().after(30)
    cancelled(progressed(scene, "1"), "1").fills()
    assert scene.order.time_in_force is GTX
    assert is_cancelling(scene.after(16))
    whole = resting().after(30).fills().fills()
    assert whole.after(16).job.state is RESTING


def test_nothing_rests_into_a_settlement() -> None:
    scene = resting(at=datetime(2026, 1, 5, 15, 58, 30, tzinfo=NOON.tzinfo))
    assert is_cancelling(scene.after(31))
    cancelled(scene).after(0)
    assert scene.command is None
    pause = scene.taken.pause_seconds
    assert scene.now + timedelta(seconds=pause) == datetime(2026, 1, 5, 16, 1, tzinfo=NOON.tzinfo)
    assert scene.after(pause).order.time_in_force is GTX


@pytest.mark.parametrize("side", ["spot_bids", "spot_asks", "perp_bids", "perp_asks"])
def test_an_order_does_not_rest_on_a_book_that_cannot_be_read(side: str) -> None:
    scene = resting()
    setattr(scene, side, ())
    assert is_cancelling(scene.after(1))
    assert cancelled(scene).after(0).command is None


def test_a_bot_that_is_to_stop_lets_nothing_rest() -> None:
    scene = resting()
    scene.hurried = True
    assert is_cancelling(scene.after(1))
    assert cancelled(scene).after(0).order.time_in_force is IOC


def test_safety_exits_take() -> None:
    assert resting(CLOSE, spot="10", urgent=True).order.time_in_force is IOC


def test_coins_that_are_naked_and_too_few_to_be_hedged_are_grown_by_taking() -> None:
    scene = resting(pair=toy_pair(perp_minimum="20"))
    assert is_cancelling(progressed(scene, "0.15"))
    cancelled(scene, "0.15")
    assert (scene.order.market, scene.order.time_in_force) == (Market.SPOT, IOC)


@pytest.mark.parametrize("kind", [RejectKind.PRICE, RejectKind.OTHER, RejectKind.FILTER])
def test_a_slice_that_may_not_rest_is_taken(kind: RejectKind) -> None:
    scene = resting().rejects(kind)
    assert scene.job.state is LEADING
    assert scene.after(0.5).order.time_in_force is IOC


def test_a_post_only_order_that_would_have_taken_is_placed_anew() -> None:
    scene = resting().fills("0")
    assert (scene.job.state, scene.command) == (LEADING, None)
    assert scene.taken.pause_seconds > 0
    assert (scene.after(0.5).order.client_id, scene.order.time_in_force) == ("h1-s-2", GTX)


# --- the dead man's switch -------------------------------------------------------------------------------------------


def test_the_switch_is_set_before_anything_rests_and_every_thirty_seconds() -> None:
    scene = resting()
    assert scene.armed == [NOON]
    for _ in range(4):
        scene.after(10)
    assert scene.armed == [NOON, NOON + timedelta(seconds=30)]
    assert scene.job.state is RESTING


def test_a_switch_that_cannot_be_set_stops_nothing() -> None:
    scene = Scene(new_job(OPEN, limits=MAKER)).after(0).prepared()
    scene.job = replace(scene.job, pending=(), state=LEADING, dead_man_at=NOON)
    refused = ev.CommandRefused(
        at=NOON, command=ArmDeadMan(symbol="ABCUSDT", seconds=120), code=-1007, detail="no answer"
    )
    assert scene.receive(refused).order.time_in_force is GTX
    assert scene.receive(refused).taken.watch is not None


def test_a_closing_sets_no_switch_for_it_would_cancel_what_others_have_on_the_symbol() -> None:
    assert resting(CLOSE, spot="10").after(40).armed == []


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_what_rests_is_capped_by_what_it_may_lose_while_nobody_is_there() -> None:
    capped = replace(MAKER, max_resting_loss_usd=Decimal(75))
    scene = resting(limits=capped)
    assert scene.order.quantity * scene.order.price <= 150
    assert scene.order.quantity == Decimal("1.333"), "a slice of 400 in three equal parts"


def test_where_nothing_may_rest_everything_is_taken() -> None:
    scene = resting(limits=replace(MAKER, max_resting_loss_usd=Decimal(2)))
    assert scene.order.time_in_force is IOC


@pytest.mark.parametrize("style", ExecutionStyle)
def test_no_order_is_worth_more_than_the_largest_allowed(style: ExecutionStyle) -> None:
    scene = resting(limits=replace(MAKER, style=style, max_order_usd=Decimal(150)))
    orders = [scene.order]
    while not scene.job.state.ended:
        scene.fills()
        orders += [scene.order] if scene.command else []
    assert max(order.quantity * max(order.price, Decimal("99.99")) for order in orders) <= 150
    assert scene.job.perp.filled == 10
    assert len({order.client_id for order in orders}) == len(orders) == scene.job.orders


def test_the_smallest_order_of_the_venue_may_always_be_sent() -> None:
    scene = resting(CLOSE, spot="10", limits=ExecutionLimits(max_order_usd=Decimal(1)))
    assert scene.order.quantity == Decimal("0.051")


def test_the_smaller_fee_of_resting_leaves_no_coins_over() -> None:
    scene = resting()
    while not scene.job.state.ended:
        scene.fills()
    assert scene.job.spot.maker_filled == scene.job.spot.filled < Decimal("10.005")
    assert 0 <= scene.job.exposure <= scene.job.pair.spot.lot


# --- answers that do not come ----------------------------------------------------------------------------------------


def test_a_placement_without_an_answer_is_resolved_and_then_cancelled() -> None:
    scene = resting().unknown()
    assert scene.job.state is RESOLVING
    assert progressed(scene, "0").job.state is CANCELLING
    assert isinstance(scene.command, CancelOrder)


def test_a_cancellation_without_an_answer_is_resolved() -> None:
    scene = resting()
    scene.spot_bids = (("100.00", "40"),)
    scene.after(1).unknown()
    assert scene.job.state is RESOLVING
    cancelled(scene, "2")
    assert (scene.job.state, scene.order.quantity) == (FOLLOWING, Decimal("2.00"))


def test_a_refused_cancellation_asks_what_became_of_the_order() -> None:
    scene = resting()
    scene.spot_bids = (("100.00", "40"),)
    command = scene.after(1).command
    assert isinstance(command, CancelOrder)
    scene.receive(ev.CommandRefused(at=scene.now, command=command, code=-2011, detail="Unknown order sent."))
    assert scene.job.state is RESOLVING
    assert scene.taken.pause_seconds > 0, "not in a tight loop"
    assert scene.after(0.2).taken.resolve is not None
    scene.fills()
    assert scene.job.state is FOLLOWING


def test_a_cancellation_that_is_not_final_is_asked_for_again() -> None:
    scene = resting()
    scene.spot_bids = (("100.00", "40"),)
    progressed(scene.after(1), "0")
    assert scene.job.state is CANCELLING
    assert scene.taken.pause_seconds > 0
    assert is_cancelling(scene.after(0.2))


def test_while_its_outcome_is_unknown_the_whole_order_counts_as_naked() -> None:
    scene = resting().unknown().after(0.5)
    assert scene.job.worst_naked_notional > 390


def test_without_an_order_or_a_touch_the_machine_says_that_a_rule_of_its_own_is_broken() -> None:
    job = new_job(OPEN, limits=MAKER)
    with pytest.raises(InvariantBroken, match="nothing rests"):
        cancel(job)
    scene = Scene(job)
    scene.spot_bids = ()
    with pytest.raises(InvariantBroken, match="no touch"):
        rest(job, scene.around, Decimal(1))
