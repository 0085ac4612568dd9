"""Openings on pairs whose perpetual is the harder leg: it goes first, and the coins follow."""

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest, RejectKind, TimeInForce
from hedgerow.strategy.hedging.quality import quality_of
from support.hedging_harness import HedgingHarness, following, leading, reject_forever
from support.toy_venue import new_job, toy_pair

LEADING, FOLLOWING, UNWINDING = ExecutionState.LEADING, ExecutionState.FOLLOWING, ExecutionState.UNWINDING
NAKED, HEDGED, FLAT = ExecutionState.NAKED, ExecutionState.HEDGED, ExecutionState.FLAT
PERP = Market.PERP


def terms(order: OrderRequest) -> tuple[Market, Side, Decimal, bool]:
    return order.market, order.side, order.quantity, order.reduce_only


def shorted(**plan: Any) -> HedgingHarness:
    """Return an opening whose first slice of the short filled: its first coins are being bought."""
    return following(lead=PERP, **plan)


def test_the_short_goes_first_and_the_coins_follow_gross_of_their_fee() -> None:
    harness = leading(lead=PERP)
    assert harness.job.state is LEADING
    assert terms(harness.order) == (PERP, Side.SELL, Decimal("4.00"), False)
    harness.fills()
    assert harness.job.state is FOLLOWING
    assert terms(harness.order) == (Market.SPOT, Side.BUY, Decimal("4.002"), False)
    assert harness.job.exposure == -4


def test_the_whole_plan_is_brought_about_to_the_lot() -> None:
    harness = shorted()
    for _ in range(5):
        harness.fills()
    assert harness.job.state is HEDGED
    assert (harness.job.perp.filled, harness.job.spot.filled) == (Decimal("10.00"), Decimal("10.005"))
    assert 0 <= harness.job.exposure < harness.job.pair.spot.lot
    assert quality_of(harness.job, harness.now).fill_ratio == 1


def test_a_part_of_the_slice_is_followed_before_the_next_one_is_led() -> None:
    harness = leading(lead=PERP).fills("1.5")
    assert terms(harness.order) == (Market.SPOT, Side.BUY, Decimal("1.501"), False)
    harness.fills()
    assert terms(harness.order) == (PERP, Side.SELL, Decimal("4.00"), False)


def test_a_part_too_small_for_an_order_of_spot_waits_for_the_next_slice() -> None:
    harness = leading(lead=PERP).fills("0.04")
    assert harness.order.market is PERP, "4 USDT of coins are less than spot takes"
    harness.fills("2")
    assert terms(harness.order) == (Market.SPOT, Side.BUY, Decimal("2.041"), False)


@pytest.mark.parametrize(
    "kind", [RejectKind.FILTER, RejectKind.PERMISSION, RejectKind.OTHER, RejectKind.REDUCE_ONLY, RejectKind.MARGIN]
)
def test_coins_that_are_refused_for_good_have_the_short_bought_back_at_once(kind: RejectKind) -> None:
    harness = shorted()
    harness.idle = Decimal(5000)
    harness.rejects(kind)
    assert harness.job.state is UNWINDING
    assert terms(harness.order) == (PERP, Side.BUY, Decimal("4.00"), True)
    assert harness.order.client_id == "h1-p-2"
    assert harness.fills().job.state is FLAT
    assert harness.job.unwound == 4
    assert harness.job.net_perp == harness.job.exposure == 0


def test_what_the_coins_cover_stays_a_hedge_and_the_rest_of_the_short_is_bought_back() -> None:
    harness = shorted().fills("1.234").rejects(RejectKind.FILTER)
    assert terms(harness.order) == (PERP, Side.BUY, Decimal("2.76"), True)
    assert harness.fills().job.state is HEDGED
    assert harness.job.net_perp == Decimal("1.24")
    assert -harness.job.pair.perp.lot < harness.job.exposure <= 0
    assert quality_of(harness.job, harness.now).fill_ratio == Decimal("0.1240")


def test_coins_too_few_to_be_sold_again_carry_no_short() -> None:
    harness = shorted().fills("0.04").rejects(RejectKind.FILTER)
    assert terms(harness.order) == (PERP, Side.BUY, Decimal("4.00"), True)
    assert harness.fills().job.state is FLAT
    assert harness.job.exposure == Decimal("0.04") * (1 - harness.job.pair.spot.fees.taker), "kept as dust"


def test_the_rest_of_a_short_is_bought_back_whatever_it_is_worth() -> None:
    harness = shorted().fills("3.99").rejects(RejectKind.FILTER)
    assert harness.order.quantity * harness.order.price < harness.job.pair.perp.min_notional
    assert terms(harness.order) == (PERP, Side.BUY, Decimal("0.01"), True)


def test_a_rest_below_the_smallest_order_is_left() -> None:
    harness = shorted(pair=toy_pair(perp_lot="0.5")).fills("3.9").rejects(RejectKind.FILTER)
    assert harness.job.state is HEDGED
    assert harness.job.net_perp == 4


def test_a_short_that_can_be_neither_covered_nor_bought_back_is_naked_and_tried_both_ways() -> None:
    harness = shorted()
    reject_forever(harness, RejectKind.PRICE, 70)
    assert harness.job.state is NAKED
    assert harness.job.naked_alarmed
    asked: set[tuple[Market, Side]] = set()
    for _ in range(6):
        if harness.job.working:
            asked.add((harness.job.working.order.market, harness.job.working.order.side))
            harness.rejects(RejectKind.PRICE)
        harness.after(5)
    if harness.job.working:
        harness.rejects(RejectKind.PRICE)
    assert asked == {(Market.SPOT, Side.BUY), (PERP, Side.BUY)}
    harness.perp_asks = ()
    while harness.command is None:
        harness.after(5)
    assert terms(harness.order)[:2] == (Market.SPOT, Side.BUY)
    assert harness.fills().job.state is HEDGED


@pytest.mark.parametrize("state", [UNWINDING, NAKED])
def test_a_short_that_others_closed_is_not_bought_back_without_end(state: ExecutionState) -> None:
    harness = shorted().rejects(RejectKind.FILTER)
    assert harness.job.state is UNWINDING
    if state is NAKED:
        reject_forever(harness, RejectKind.PRICE, 70)
        while not (harness.job.working and harness.job.working.order.market is PERP):
            harness.rejects(RejectKind.PRICE) if harness.job.working else harness.after(5)
    assert harness.job.state is state
    harness.rejects(RejectKind.REDUCE_ONLY)
    assert harness.job.state is state, "a claim, as long as the account shows the short"
    while not (harness.job.working and harness.job.working.order.market is PERP):
        harness.rejects(RejectKind.PRICE) if harness.job.working else harness.after(5)
    harness.short_gone = True
    assert harness.rejects(RejectKind.REDUCE_ONLY).job.state is HEDGED, "what is left is the check's that follows"


def test_a_lot_that_cannot_be_bought_back_is_no_naked_leg() -> None:
    harness = shorted().fills("3.99").rejects(RejectKind.FILTER)
    assert harness.order.quantity == Decimal("0.01")
    reject_forever(harness, RejectKind.PERMISSION, 35)
    assert harness.job.state is HEDGED
    assert not harness.job.naked_alarmed


def test_a_short_too_small_to_be_covered_is_bought_back_and_never_counts_as_opened() -> None:
    harness = leading(lead=PERP).fills("0.04")
    reject_forever(harness, None, 100)
    assert (harness.job.state, harness.job.spot.filled, harness.job.naked_alarmed) == (NAKED, ZERO, True)
    while not harness.job.working:
        harness.after(5)
    assert terms(harness.order) == (PERP, Side.BUY, Decimal("0.04"), True)
    assert harness.fills().job.state is FLAT
    assert (harness.job.net_spot, harness.job.net_perp) == (ZERO, ZERO)


def test_the_cost_of_what_was_bought_back_belongs_to_the_perpetual() -> None:
    harness = shorted().rejects(RejectKind.FILTER)
    harness.fills()
    quality = quality_of(harness.job, harness.now)
    assert (quality.spot.filled, quality.perp.filled) == (ZERO, Decimal(8))
    assert quality.fill_ratio == 0
    assert quality.perp.shortfall == harness.job.unwound_notional - harness.job.perp.notional


def test_a_slice_rests_post_only_in_the_book_of_the_perpetual() -> None:
    limits = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(1000))
    harness = HedgingHarness(new_job(ExecutionKind.OPEN, limits=limits, lead=PERP)).after(0).prepared().prepared()
    assert harness.job.state is ExecutionState.RESTING
    assert terms(harness.order) == (PERP, Side.SELL, Decimal("4.00"), False)
    assert (harness.order.price, harness.order.time_in_force) == (Decimal("100.01"), TimeInForce.GTX)
    assert harness.armed, "the dead man's switch would cancel it"
    harness.fills()
    assert terms(harness.order)[:2] == (Market.SPOT, Side.BUY)
    assert harness.order.time_in_force is TimeInForce.IOC
    assert (harness.job.perp.maker_filled, harness.job.spot.maker_filled) == (Decimal(4), ZERO)


def test_a_closing_sells_the_coins_first_whichever_leg_led_the_opening() -> None:
    assert new_job(ExecutionKind.CLOSE).lead is Market.SPOT
