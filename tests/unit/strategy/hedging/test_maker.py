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
from support.hedging_harness import HedgingHarness
from support.toy_venue import NOON, new_job, toy_pair

OPEN, CLOSE = ExecutionKind.OPEN, ExecutionKind.CLOSE
RESTING, CANCELLING, LEADING = ExecutionState.RESTING, ExecutionState.CANCELLING, ExecutionState.LEADING
FOLLOWING, RESOLVING = ExecutionState.FOLLOWING, ExecutionState.RESOLVING
MAKER = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(1000))
GTX, IOC = TimeInForce.GTX, TimeInForce.IOC


def resting(kind: ExecutionKind = OPEN, limits: ExecutionLimits = MAKER, **plan: Any) -> HedgingHarness:
    """Return a job whose first slice was sent to rest."""
    harness = HedgingHarness(new_job(kind, limits=limits, **plan)).after(0)
    return harness.prepared().prepared() if kind is OPEN else harness


def progressed(harness: HedgingHarness, quantity: str) -> HedgingHarness:
    assert harness.job.working
    order = harness.job.working.order
    return harness.receive(
        ev.OrderProgressed(
            at=harness.now,
            client_id=order.client_id,
            order_id=7,
            filled_quantity=Decimal(quantity),
            filled_notional=Decimal(quantity) * order.price,
        )
    )


def cancelled(harness: HedgingHarness, filled: str = "0") -> HedgingHarness:
    assert harness.job.working
    order = harness.job.working.order
    return harness.receive(
        ev.OrderEnded(
            at=harness.now,
            client_id=order.client_id,
            order_id=7,
            status=OrderStatus.CANCELED,
            filled_quantity=Decimal(filled),
            filled_notional=Decimal(filled) * order.price,
        )
    )


def is_cancelling(harness: HedgingHarness) -> bool:
    return harness.job.state is CANCELLING and isinstance(harness.command, CancelOrder)


def test_the_leading_slice_rests_post_only_at_the_touch_of_its_own_side() -> None:
    harness = resting()
    order = harness.order
    assert harness.job.state is RESTING
    assert (order.market, order.side, order.price, order.time_in_force) == (
        Market.SPOT,
        Side.BUY,
        Decimal("99.99"),
        GTX,
    )
    assert cast("PlaceOrder", harness.command).fee_rate == 0, "a resting order pays the maker's fee"
    harness.after(0)
    assert harness.command is None
    assert harness.taken.watch == order


def test_a_closing_rests_on_the_other_side_and_buys_back_reduce_only() -> None:
    harness = resting(CLOSE, spot="10")
    assert (harness.order.side, harness.order.price, harness.order.time_in_force) == (Side.SELL, Decimal("100.01"), GTX)
    harness.fills()
    assert (harness.order.market, harness.order.side, harness.order.reduce_only) == (Market.PERP, Side.BUY, True)
    assert harness.order.time_in_force is IOC


def test_a_fill_is_hedged_only_when_the_rest_of_the_order_is_out_of_the_book() -> None:
    harness = progressed(resting(), "1.5")
    assert is_cancelling(harness)
    assert harness.job.spot.filled == 0, "what has filled is not final yet"
    cancelled(harness, "1.7")
    assert harness.job.state is FOLLOWING
    assert (harness.order.market, harness.order.quantity, harness.order.time_in_force) == (
        Market.PERP,
        Decimal("1.70"),
        IOC,
    )


def test_a_fill_too_small_to_be_naked_leaves_the_order_where_it_is() -> None:
    harness = progressed(resting(), "0.04")
    assert harness.job.state is RESTING
    assert harness.job.working_filled == Decimal("0.04")
    assert harness.job.naked_since is None


def test_what_a_resting_order_has_filled_counts_as_naked_from_when_it_is_known() -> None:
    harness = progressed(resting(), "1.5")
    assert harness.job.naked_since == harness.now
    assert harness.job.worst_naked_notional == pytest.approx(Decimal(150), abs=Decimal(1))


def test_the_order_follows_the_touch_under_a_new_id() -> None:
    harness = resting()
    harness.spot_bids = (("100.00", "40"),)
    assert is_cancelling(harness.after(1))
    cancelled(harness)
    assert harness.job.state is LEADING
    assert harness.command is None
    harness.after(0)
    assert (harness.order.client_id, harness.order.price, harness.order.time_in_force) == (
        "h1-s-2",
        Decimal("100.00"),
        GTX,
    )


def test_after_the_time_out_the_slice_is_taken_and_the_next_one_rests_again() -> None:
    harness = resting()
    assert harness.after(45).job.state is RESTING
    assert is_cancelling(harness.after(1))
    cancelled(harness).after(0)
    assert (harness.order.time_in_force, harness.order.price) == (IOC, Decimal("100.11"))
    harness.fills().fills()
    assert (harness.order.market, harness.order.time_in_force) == (Market.SPOT, GTX)


def test_pegging_anew_does_not_put_the_time_out_back() -> None:
    harness = resting()
    for touch in ("100.00", "99.99", "100.00", "99.99", "100.00"):
        harness.spot_bids = ((touch, "40"),)
        cancelled(harness.after(10)).after(0)
    assert harness.order.time_in_force is IOC


def test_a_partial_fill_does_not_put_the_time_out_back_and_a_whole_one_does() -> None:
    harness = resting().after(30)
    cancelled(progressed(harness, "1"), "1").fills()
    assert harness.order.time_in_force is GTX
    assert is_cancelling(harness.after(16))
    whole = resting().after(30).fills().fills()
    assert whole.after(16).job.state is RESTING


def test_nothing_rests_into_a_settlement() -> None:
    harness = resting(at=datetime(2026, 1, 5, 15, 58, 30, tzinfo=NOON.tzinfo))
    assert is_cancelling(harness.after(31))
    cancelled(harness).after(0)
    assert harness.command is None
    pause = harness.taken.pause_seconds
    assert harness.now + timedelta(seconds=pause) == datetime(2026, 1, 5, 16, 1, tzinfo=NOON.tzinfo)
    assert harness.after(pause).order.time_in_force is GTX


@pytest.mark.parametrize("side", ["spot_bids", "spot_asks", "perp_bids", "perp_asks"])
def test_an_order_does_not_rest_on_a_book_that_cannot_be_read(side: str) -> None:
    harness = resting()
    setattr(harness, side, ())
    assert is_cancelling(harness.after(1))
    assert cancelled(harness).after(0).command is None


def test_an_opening_lets_nothing_rest_in_a_wick_that_the_perpetual_does_not_follow() -> None:
    harness = resting()
    harness.spot_bids, harness.spot_asks = (("119.99", "40"),), (("120.01", "40"),)
    assert is_cancelling(harness.after(1))
    cancelled(harness)
    harness.after(1)
    assert (harness.job.state, harness.command) == (LEADING, None)
    assert harness.after(31).job.state is ExecutionState.FLAT


def test_a_bot_that_is_to_stop_lets_nothing_rest() -> None:
    harness = resting()
    harness.hurried = True
    assert is_cancelling(harness.after(1))
    assert cancelled(harness).after(0).order.time_in_force is IOC


def test_safety_exits_take() -> None:
    assert resting(CLOSE, spot="10", urgent=True).order.time_in_force is IOC


def test_coins_that_are_naked_and_too_few_to_be_hedged_are_grown_by_taking() -> None:
    harness = resting(pair=toy_pair(perp_minimum="20"))
    assert is_cancelling(progressed(harness, "0.15"))
    cancelled(harness, "0.15")
    assert (harness.order.market, harness.order.time_in_force) == (Market.SPOT, IOC)


@pytest.mark.parametrize("kind", [RejectKind.PRICE, RejectKind.OTHER, RejectKind.FILTER])
def test_a_slice_that_may_not_rest_is_taken(kind: RejectKind) -> None:
    harness = resting().rejects(kind)
    assert harness.job.state is LEADING
    assert harness.after(0.5).order.time_in_force is IOC


def test_a_post_only_order_that_would_have_taken_is_placed_anew() -> None:
    harness = resting().fills("0")
    assert (harness.job.state, harness.command) == (LEADING, None)
    assert harness.taken.pause_seconds > 0
    assert (harness.after(0.5).order.client_id, harness.order.time_in_force) == ("h1-s-2", GTX)


# --- the dead man's switch -------------------------------------------------------------------------------------------


def test_the_switch_is_set_before_anything_rests_and_every_thirty_seconds() -> None:
    harness = resting()
    assert harness.armed == [NOON]
    for _ in range(4):
        harness.after(10)
    assert harness.armed == [NOON, NOON + timedelta(seconds=30)]
    assert harness.job.state is RESTING


def test_a_switch_that_cannot_be_set_stops_nothing() -> None:
    harness = HedgingHarness(new_job(OPEN, limits=MAKER)).after(0).prepared()
    harness.job = replace(harness.job, pending=(), state=LEADING, dead_man_at=NOON)
    refused = ev.CommandRefused(
        at=NOON, command=ArmDeadMan(symbol="ABCUSDT", seconds=120), code=-1007, detail="no answer"
    )
    assert harness.receive(refused).order.time_in_force is GTX
    assert harness.receive(refused).taken.watch is not None


def test_a_closing_sets_no_switch_for_it_would_cancel_what_others_have_on_the_symbol() -> None:
    assert resting(CLOSE, spot="10").after(40).armed == []


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_what_rests_is_capped_by_what_it_may_lose_while_nobody_is_there() -> None:
    capped = replace(MAKER, max_resting_loss_usd=Decimal(75))
    harness = resting(limits=capped)
    assert harness.order.quantity * harness.order.price <= 150
    assert harness.order.quantity == Decimal("1.333"), "a slice of 400 in three equal parts"


def test_where_nothing_may_rest_everything_is_taken() -> None:
    harness = resting(limits=replace(MAKER, max_resting_loss_usd=Decimal(2)))
    assert harness.order.time_in_force is IOC


@pytest.mark.parametrize("style", ExecutionStyle)
def test_no_order_is_worth_more_than_the_largest_allowed(style: ExecutionStyle) -> None:
    harness = resting(limits=replace(MAKER, style=style, max_order_usd=Decimal(150)))
    orders = [harness.order]
    while not harness.job.state.ended:
        harness.fills()
        orders += [harness.order] if harness.command else []
    assert max(order.quantity * max(order.price, Decimal("99.99")) for order in orders) <= 150
    assert harness.job.perp.filled == 10
    assert len({order.client_id for order in orders}) == len(orders) == harness.job.orders


def test_the_smallest_order_of_the_venue_may_always_be_sent() -> None:
    harness = resting(CLOSE, spot="10", limits=ExecutionLimits(max_order_usd=Decimal(1)))
    assert harness.order.quantity == Decimal("0.051")


def test_the_smaller_fee_of_resting_leaves_no_coins_over() -> None:
    harness = resting()
    while not harness.job.state.ended:
        harness.fills()
    assert harness.job.spot.maker_filled == harness.job.spot.filled < Decimal("10.005")
    assert 0 <= harness.job.exposure <= harness.job.pair.spot.lot


# --- answers that do not come ----------------------------------------------------------------------------------------


def test_a_placement_without_an_answer_is_resolved_and_then_cancelled() -> None:
    harness = resting().unknown()
    assert harness.job.state is RESOLVING
    assert progressed(harness, "0").job.state is CANCELLING
    assert isinstance(harness.command, CancelOrder)


def test_a_cancellation_without_an_answer_is_resolved() -> None:
    harness = resting()
    harness.spot_bids = (("100.00", "40"),)
    harness.after(1).unknown()
    assert harness.job.state is RESOLVING
    cancelled(harness, "2")
    assert (harness.job.state, harness.order.quantity) == (FOLLOWING, Decimal("2.00"))


def test_a_refused_cancellation_asks_what_became_of_the_order() -> None:
    harness = resting()
    harness.spot_bids = (("100.00", "40"),)
    command = harness.after(1).command
    assert isinstance(command, CancelOrder)
    harness.receive(ev.CommandRefused(at=harness.now, command=command, code=-2011, detail="Unknown order sent."))
    assert harness.job.state is RESOLVING
    assert harness.taken.pause_seconds > 0, "not in a tight loop"
    assert harness.after(0.2).taken.resolve is not None
    harness.fills()
    assert harness.job.state is FOLLOWING


def test_a_cancellation_that_is_not_final_is_asked_for_again() -> None:
    harness = resting()
    harness.spot_bids = (("100.00", "40"),)
    progressed(harness.after(1), "0")
    assert harness.job.state is CANCELLING
    assert harness.taken.pause_seconds > 0
    assert is_cancelling(harness.after(0.2))


def test_while_its_outcome_is_unknown_the_whole_order_counts_as_naked() -> None:
    harness = resting().unknown().after(0.5)
    assert harness.job.worst_naked_notional > 390


def test_without_an_order_or_a_touch_the_machine_says_that_a_rule_of_its_own_is_broken() -> None:
    job = new_job(OPEN, limits=MAKER)
    with pytest.raises(InvariantBroken, match="nothing rests"):
        cancel(job)
    harness = HedgingHarness(job)
    harness.spot_bids = ()
    with pytest.raises(InvariantBroken, match="no touch"):
        rest(job, harness.around, Decimal(1))


def test_a_slice_is_not_left_to_rest_and_none_is_begun_while_another_hedge_cannot_wait() -> None:
    harness = resting()
    harness.yields = True
    assert is_cancelling(harness.after(1))
    cancelled(harness)
    harness.after(1)
    assert (harness.job.state, harness.command, harness.taken.pause_seconds) == (LEADING, None, 0)
    harness.yields = False
    assert harness.after(1).order.time_in_force is GTX


def test_what_a_slice_filled_is_hedged_before_the_job_gives_way() -> None:
    harness = resting()
    harness.yields = True
    harness.after(1)
    cancelled(harness, "1")
    assert (harness.job.state, harness.order.market) == (FOLLOWING, Market.PERP)
    harness.fills(str(harness.order.quantity))
    assert (harness.job.state, harness.command) == (LEADING, None)
