from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import (
    SetMarginType,
    TransferDirection,
    TransferFunds,
)
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus, RejectKind
from hedgerow.domain.position import Reason
from support.hedging_harness import BIDS, HedgingHarness, closing, following, leading, reject_forever
from support.toy_venue import NOON, new_job, restarted

OPEN = ExecutionKind.OPEN
LEADING, FOLLOWING, REPAIRING = ExecutionState.LEADING, ExecutionState.FOLLOWING, ExecutionState.REPAIRING
UNWINDING, NAKED, RESOLVING = ExecutionState.UNWINDING, ExecutionState.NAKED, ExecutionState.RESOLVING
HEDGED, FLAT = ExecutionState.HEDGED, ExecutionState.FLAT


# --- the second leg fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [RejectKind.FILTER, RejectKind.PERMISSION, RejectKind.OTHER, RejectKind.REDUCE_ONLY, RejectKind.MARGIN]
)
def test_a_second_leg_that_is_refused_for_good_is_unwound_at_once(kind: RejectKind) -> None:
    harness = following().rejects(kind)
    assert harness.job.state is UNWINDING
    assert harness.job.detail == f"no: {kind.value}"
    assert (harness.order.market, harness.order.side, harness.order.quantity) == (
        Market.SPOT,
        Side.SELL,
        Decimal("3.997"),
    )
    assert harness.fills().job.state is FLAT
    assert harness.job.unwound == Decimal("3.997")


def test_a_margin_refusal_moves_idle_money_once_and_tries_again() -> None:
    harness = following()
    harness.idle = Decimal(5000)
    harness.rejects(RejectKind.MARGIN)
    assert harness.job.state is REPAIRING
    assert harness.command == TransferFunds(
        transfer_id="h1-m1", amount=Decimal("406.94"), direction=TransferDirection.SPOT_TO_PERP
    )
    harness.transferred()
    assert (harness.order.market, harness.order.client_id) == (Market.PERP, "h1-p-2")
    harness.rejects(RejectKind.MARGIN)
    assert harness.job.state is UNWINDING


def test_a_margin_transfer_is_at_most_what_lies_idle() -> None:
    harness = following()
    harness.idle = Decimal(3)
    harness.rejects(RejectKind.MARGIN)
    assert isinstance(harness.command, TransferFunds)
    assert harness.command.amount == 3


def test_a_margin_transfer_of_unknown_outcome_is_repeated_under_its_own_id_until_time_is_up() -> None:
    harness = following()
    harness.idle = Decimal(500)
    first = harness.rejects(RejectKind.MARGIN).command
    assert isinstance(first, TransferFunds)
    harness.receive(ev.TransferOutcomeUnknown(at=harness.now, transfer_id=first.transfer_id, detail="timeout"))
    assert harness.job.state is REPAIRING
    assert harness.after(0.5).command == first
    assert HedgingHarness(restarted(harness.job)).after(1).command == first, "also after a restart"
    harness.now += timedelta(seconds=31)
    assert harness.after(0).job.state is UNWINDING


def test_a_margin_transfer_that_is_refused_leads_back() -> None:
    harness = following()
    harness.idle = Decimal(500)
    harness.rejects(RejectKind.MARGIN).refused()
    assert harness.job.state is UNWINDING
    assert harness.job.detail == "not allowed"


def test_the_second_legs_cap_widens_after_two_and_after_five_seconds() -> None:
    harness = following()
    prices = [harness.order.price]
    for pause in (1, 1.5, 3):
        harness.rejects(RejectKind.PRICE).after(pause)
        assert harness.job.state is REPAIRING
        prices.append(harness.order.price)
    assert prices == [Decimal("99.90"), Decimal("99.90"), Decimal("99.85"), Decimal("99.70")]


def test_a_follow_that_stays_partial_for_thirty_seconds_leaves_a_smaller_hedge() -> None:
    harness = following().fills("1.50")
    assert harness.order.quantity == Decimal("2.49")
    reject_forever(harness, None, 31)
    assert harness.job.state is UNWINDING
    assert harness.order.quantity == Decimal("2.497")
    harness.fills()
    assert harness.job.state is HEDGED
    assert harness.job.perp.filled == Decimal("1.50")
    assert abs(harness.job.exposure) < Decimal("0.001")
    assert harness.job.worst_naked_seconds > 30
    assert harness.job.naked_alarmed


def test_a_follow_without_books_waits_and_then_leads_back() -> None:
    harness = leading()
    harness.age = 61
    harness.fills()
    assert harness.job.state is FOLLOWING
    assert harness.taken.pause_seconds == 1
    harness.after(31)
    assert harness.job.state is UNWINDING
    harness.age = 0
    assert harness.after(1).order.side is Side.SELL


# --- unwinding and naked ---------------------------------------------------------------------------------------------


def stranded() -> HedgingHarness:
    """Return an opening that has bought and can neither hedge nor sell: the bids are gone."""
    harness = following()
    harness.spot_bids = harness.perp_bids = ()
    return harness.rejects(RejectKind.FILTER)


def test_unwinding_without_bids_becomes_naked_alarms_and_ends_when_bids_return() -> None:
    harness = stranded()
    assert harness.job.state is UNWINDING
    harness.after(20)
    assert harness.job.state is UNWINDING
    harness.after(11)
    assert harness.job.state is NAKED
    assert harness.job.naked_alarmed
    assert harness.taken.pause_seconds == 5
    harness.after(5)
    assert (harness.job.state, harness.command) == (NAKED, None)
    harness.spot_bids, harness.spot_asks = BIDS, ()
    assert harness.after(5).order.side is Side.SELL, "asks are not needed to sell"
    assert harness.fills().job.state is FLAT
    assert harness.job.worst_naked_seconds == pytest.approx(41)
    assert harness.job.worst_naked_notional == pytest.approx(Decimal(400), rel=Decimal("0.01"))


def test_a_naked_leg_is_tried_with_caps_that_widen_to_the_maximum_and_never_beyond() -> None:
    harness = stranded().after(31)
    harness.spot_bids = BIDS
    prices = []
    for pause in (5, 30, 60, 60_000):
        prices.append(harness.after(pause).order.price)
        harness.rejects(RejectKind.PRICE)
        assert harness.job.state is NAKED
        assert harness.taken.pause_seconds == 5
    assert prices == [Decimal("99.40"), Decimal("98.80"), Decimal("98.00"), Decimal("98.00")]


def test_an_opening_that_is_naked_is_completed_when_only_the_other_leg_can_be_traded() -> None:
    harness = stranded().after(31)
    harness.perp_bids = BIDS
    assert (harness.after(5).order.market, harness.order.side, harness.order.quantity) == (
        Market.PERP,
        Side.SELL,
        Decimal("3.99"),
    )
    assert harness.rejects(RejectKind.MARGIN).job.state is NAKED
    assert harness.after(5).order.market is Market.PERP, "there are still no bids for the coins"
    assert harness.fills("1.50").order.quantity == Decimal("2.49")
    assert harness.fills().job.state is HEDGED
    assert harness.job.unwound == 0


def test_an_opening_that_is_naked_tries_both_legs_by_turns_when_both_can_be_traded() -> None:
    harness = stranded().after(31)
    harness.spot_bids = harness.perp_bids = BIDS
    tried = []
    for _ in range(4):
        tried.append(harness.after(5).order.market)
        assert harness.rejects(RejectKind.FILTER).job.state is NAKED
    assert tried == [Market.PERP, Market.SPOT] * 2
    assert harness.after(5).fills("1").order.market is Market.SPOT
    harness.fills()
    assert (harness.job.state, harness.job.perp.filled) == (HEDGED, Decimal(1))
    assert abs(harness.job.exposure) < Decimal("0.001")


def test_an_unwinding_that_fills_in_parts_goes_on_until_the_rest_is_dust() -> None:
    harness = following().rejects(RejectKind.FILTER)
    assert harness.fills("0").taken.pause_seconds == 0.5
    harness.after(0.5)
    assert harness.fills("3").order.quantity == Decimal("0.997")
    assert harness.rejects(RejectKind.PRICE).job.state is UNWINDING
    harness.after(0.5).fills("0.96")
    assert harness.job.state is FLAT
    assert harness.job.exposure < Decimal("0.05"), "less than the minimum notional stays as dust"


def test_what_cannot_be_sold_at_the_widest_cap_is_still_offered_at_a_price_that_the_filter_accepts() -> None:
    harness = following().rejects(RejectKind.FILTER)
    harness.fills("3.946")
    # 0.051 coins are 5.1 USDT at the bid, and 4.9 at the widest cap.
    harness = HedgingHarness(
        replace(harness.job, state=NAKED, working=None, stage_since=harness.now - timedelta(seconds=500))
    ).after(0)
    assert harness.order.quantity == Decimal("0.051")
    assert harness.order.price == Decimal("98.04")
    assert harness.job.pair.spot.accepts(quantity=harness.order.quantity, price=harness.order.price) is None


# --- unknown outcomes ------------------------------------------------------------------------------------------------


def test_an_unknown_outcome_is_looked_up_until_known_and_nothing_is_sent_meanwhile() -> None:
    harness = leading()
    sent = harness.order
    harness.unknown()
    assert harness.job.state is RESOLVING
    assert (harness.command, harness.taken.resolve) == (None, sent)
    harness.unknown()
    assert harness.taken.resolve is None
    assert harness.taken.pause_seconds > 0
    assert harness.after(0.2).taken.resolve == sent
    harness.fills("2")
    assert harness.job.state is FOLLOWING
    assert harness.order.quantity == Decimal("1.99")


def test_an_acknowledgement_alone_is_resolved() -> None:
    harness = leading()
    harness.receive(ev.OrderAccepted(at=harness.now, client_id=harness.order.client_id, order_id=3))
    assert harness.job.state is RESOLVING
    harness.receive(
        ev.OrderProgressed(at=harness.now, client_id="h1-s-1", order_id=3, filled_quantity=ZERO, filled_notional=ZERO)
    )
    assert harness.taken.pause_seconds > 0


def test_an_order_that_never_arrived_is_followed_by_a_new_one_under_a_new_id() -> None:
    harness = leading().unknown().fills("0")
    assert harness.job.state is LEADING
    assert harness.after(0.5).order.client_id == "h1-s-2"


def test_a_look_up_that_finds_a_refusal_goes_on_as_after_a_refusal() -> None:
    harness = following().unknown().rejects(RejectKind.FILTER)
    assert harness.job.state is UNWINDING


def test_time_that_passes_over_an_order_at_work_asks_for_its_outcome() -> None:
    harness = leading()
    sent = harness.order
    assert harness.after(1).taken.resolve == sent


def test_a_restart_resolves_the_order_that_was_at_work() -> None:
    harness = HedgingHarness(restarted(following().job)).unknown()
    assert harness.job.state is RESOLVING
    assert harness.fills().job.state is LEADING


def test_an_event_about_an_order_that_is_not_at_work_is_refused() -> None:
    harness = leading()
    late = ev.OrderEnded(at=NOON, client_id="h1-s-0", order_id=1, status=OrderStatus.FILLED, filled_quantity=Decimal(4))
    with pytest.raises(InvariantBroken, match="h1-s-0 is not at work"):
        harness.receive(late)


def test_resolving_without_an_order_is_our_fault() -> None:
    with pytest.raises(InvariantBroken, match="nothing to resolve"):
        HedgingHarness(replace(leading().job, state=RESOLVING, working=None)).after(0)


def test_a_signal_without_a_cell_is_our_fault_and_an_ended_job_has_none() -> None:
    ended = HedgingHarness(new_job(OPEN)).after(0).refused()
    with pytest.raises(InvariantBroken, match="'time passed' cannot happen while FLAT"):
        ended.after(1)


def test_a_cell_that_leads_where_it_may_not_is_our_fault() -> None:
    job = replace(new_job(OPEN), perp=replace(new_job(OPEN).perp, filled=Decimal(1)))
    refused = ev.CommandRefused(at=NOON, command=SetMarginType(symbol="ABCUSDT"), code=-1, detail="")
    with pytest.raises(InvariantBroken, match="PREPARING may not become HEDGED"):
        HedgingHarness(job).receive(refused)


def test_an_opening_that_others_take_apart_leads_no_further_slice() -> None:
    harness = following()
    harness.leg_taken = True
    harness.fills()
    assert (harness.job.state, harness.command) == (HEDGED, None)
    assert harness.job.detail == "a part of it was traded by others"
    assert harness.job.perp.filled < harness.job.plan.perp_quantity


def test_a_closing_that_others_take_part_in_goes_on() -> None:
    harness = closing().fills()
    harness.leg_taken = True
    assert harness.fills().order.market is Market.SPOT


def test_an_opening_that_is_given_up_leads_no_further_slice() -> None:
    harness = following()
    harness.give_up = Reason.USER
    harness.fills()
    assert (harness.job.state, harness.job.given_up, harness.command) == (HEDGED, Reason.USER, None)


def test_an_opening_that_is_given_up_before_its_first_order_ends_flat() -> None:
    harness = HedgingHarness(new_job(OPEN)).after(0)
    harness.give_up = Reason.SHUTDOWN
    assert harness.prepared().job.state is FLAT
    assert harness.command is None
