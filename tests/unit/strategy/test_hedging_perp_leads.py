"""Openings on pairs whose perpetual is the harder leg: it goes first, and the coins follow."""

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest, RejectKind, TimeInForce
from hedgerow.strategy.hedging.quality import quality_of
from support.hedging_harness import Scene, following, leading, reject_forever
from support.toy_venue import new_job, toy_pair

LEADING, FOLLOWING, UNWINDING = ExecutionState.LEADING, ExecutionState.FOLLOWING, ExecutionState.UNWINDING
NAKED, HEDGED, FLAT = ExecutionState.NAKED, ExecutionState.HEDGED, ExecutionState.FLAT
PERP = Market.PERP


def terms(order: OrderRequest) -> tuple[Market, Side, Decimal, bool]:
    return order.market, order.side, order.quantity, order.reduce_only


def shorted(**plan: Any) -> Scene:
    """Return an opening whose first slice of the short filled: its first coins are being bought."""
    return following(lead=PERP, **plan)


def test_the_short_goes_first_and_the_coins_follow_gross_of_their_fee() -> None:
    scene = leading(lead=PERP)
    assert scene.job.state is LEADING
    assert terms(scene.order) == (PERP, Side.SELL, Decimal("4.00"), False)
    scene.fills()
    assert scene.job.state is FOLLOWING
    assert terms(scene.order) == (Market.SPOT, Side.BUY, Decimal("4.002"), False)
    assert scene.job.exposure == -4


def test_the_whole_plan_is_brought_about_to_the_lot() -> None:
    scene = shorted()
    for _ in range(5):
        scene.fills()
    assert scene.job.state is HEDGED
    assert (scene.job.perp.filled, scene.job.spot.filled) == (Decimal("10.00"), Decimal("10.005"))
    assert 0 <= scene.job.exposure < scene.job.pair.spot.lot
    assert quality_of(scene.job, scene.now).fill_ratio == 1


def test_a_part_of_the_slice_is_followed_before_the_next_one_is_led() -> None:
    scene = leading(lead=PERP).fills("1.5")
    assert terms(scene.order) == (Market.SPOT, Side.BUY, Decimal("1.501"), False)
    scene.fills()
    assert terms(scene.order) == (PERP, Side.SELL, Decimal("4.00"), False)


def test_a_part_too_small_for_an_order_of_spot_waits_for_the_next_slice() -> None:
    scene = leading(lead=PERP).fills("0.04")
    assert scene.order.market is PERP, "4 USDT of coins are less than spot takes"
    scene.fills("2")
    assert terms(scene.order) == (Market.SPOT, Side.BUY, Decimal("2.041"), False)


@pytest.mark.parametrize(
    "kind", [RejectKind.FILTER, RejectKind.PERMISSION, RejectKind.OTHER, RejectKind.REDUCE_ONLY, RejectKind.MARGIN]
)
def test_coins_that_are_refused_for_good_have_the_short_bought_back_at_once(kind: RejectKind) -> None:
    scene = shorted()
    scene.idle = Decimal(5000)
    scene.rejects(kind)
    assert scene.job.state is UNWINDING
    assert terms(scene.order) == (PERP, Side.BUY, Decimal("4.00"), True)
    assert scene.order.client_id == "h1-p-2"
    assert scene.fills().job.state is FLAT
    assert scene.job.unwound == 4
    assert scene.job.net_perp == scene.job.exposure == 0


def test_what_the_coins_cover_stays_a_hedge_and_the_rest_of_the_short_is_bought_back() -> None:
    scene = shorted().fills("1.234").rejects(RejectKind.FILTER)
    assert terms(scene.order) == (PERP, Side.BUY, Decimal("2.76"), True)
    assert scene.fills().job.state is HEDGED
    assert scene.job.net_perp == Decimal("1.24")
    assert -scene.job.pair.perp.lot < scene.job.exposure <= 0
    assert quality_of(scene.job, scene.now).fill_ratio == Decimal("0.1240")


def test_coins_too_few_to_be_sold_again_carry_no_short() -> None:
    scene = shorted().fills("0.04").rejects(RejectKind.FILTER)
    assert terms(scene.order) == (PERP, Side.BUY, Decimal("4.00"), True)
    assert scene.fills().job.state is FLAT
    assert scene.job.exposure == Decimal("0.04") * (1 - scene.job.pair.spot.fees.taker), "kept as dust"


def test_the_rest_of_a_short_is_bought_back_whatever_it_is_worth() -> None:
    scene = shorted().fills("3.99").rejects(RejectKind.FILTER)
    assert scene.order.quantity * scene.order.price < scene.job.pair.perp.min_notional
    assert terms(scene.order) == (PERP, Side.BUY, Decimal("0.01"), True)


def test_a_rest_below_the_smallest_order_is_left() -> None:
    scene = shorted(pair=toy_pair(perp_lot="0.5")).fills("3.9").rejects(RejectKind.FILTER)
    assert scene.job.state is HEDGED
    assert scene.job.net_perp == 4


def test_a_short_that_can_be_neither_covered_nor_bought_back_is_naked_and_tried_both_ways() -> None:
    scene = shorted()
    reject_forever(scene, RejectKind.PRICE, 70)
    assert scene.job.state is NAKED
    assert scene.job.naked_alarmed
    asked: set[tuple[Market, Side]] = set()
    for _ in range(6):
        if scene.job.working:
            asked.add((scene.job.working.order.market, scene.job.working.order.side))
            scene.rejects(RejectKind.PRICE)
        scene.after(5)
    if scene.job.working:
        scene.rejects(RejectKind.PRICE)
    assert asked == {(Market.SPOT, Side.BUY), (PERP, Side.BUY)}
    scene.perp_asks = ()
    while scene.command is None:
        scene.after(5)
    assert terms(scene.order)[:2] == (Market.SPOT, Side.BUY)
    assert scene.fills().job.state is HEDGED


@pytest.mark.parametrize("state", [UNWINDING, NAKED])
def test_a_short_that_others_closed_is_not_bought_back_without_end(state: ExecutionState) -> None:
    scene = shorted().rejects(RejectKind.FILTER)
    assert scene.job.state is UNWINDING
    if state is NAKED:
        reject_forever(scene, RejectKind.PRICE, 70)
        while not (scene.job.working and scene.job.working.order.market is PERP):
            scene.rejects(RejectKind.PRICE) if scene.job.working else scene.after(5)
    assert scene.job.state is state
    scene.rejects(RejectKind.REDUCE_ONLY)
    assert scene.job.state is state, "a claim, as long as the account shows the short"
    while not (scene.job.working and scene.job.working.order.market is PERP):
        scene.rejects(RejectKind.PRICE) if scene.job.working else scene.after(5)
    scene.short_gone = True
    assert scene.rejects(RejectKind.REDUCE_ONLY).job.state is HEDGED, "what is left is the check's that follows"


def test_a_lot_that_cannot_be_bought_back_is_no_naked_leg() -> None:
    scene = shorted().fills("3.99").rejects(RejectKind.FILTER)
    assert scene.order.quantity == Decimal("0.01")
    reject_forever(scene, RejectKind.PERMISSION, 35)
    assert scene.job.state is HEDGED
    assert not scene.job.naked_alarmed


def test_a_short_too_small_to_be_covered_is_bought_back_and_never_counts_as_opened() -> None:
    scene = leading(lead=PERP).fills("0.04")
    reject_forever(scene, None, 100)
    assert (scene.job.state, scene.job.spot.filled, scene.job.naked_alarmed) == (NAKED, ZERO, True)
    while not scene.job.working:
        scene.after(5)
    assert terms(scene.order) == (PERP, Side.BUY, Decimal("0.04"), True)
    assert scene.fills().job.state is FLAT
    assert (scene.job.net_spot, scene.job.net_perp) == (ZERO, ZERO)


def test_the_cost_of_what_was_bought_back_belongs_to_the_perpetual() -> None:
    scene = shorted().rejects(RejectKind.FILTER)
    scene.fills()
    quality = quality_of(scene.job, scene.now)
    assert (quality.spot.filled, quality.perp.filled) == (ZERO, Decimal(8))
    assert quality.fill_ratio == 0
    assert quality.perp.shortfall == scene.job.unwound_notional - scene.job.perp.notional


def test_a_slice_rests_post_only_in_the_book_of_the_perpetual() -> None:
    limits = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(1000))
    scene = Scene(new_job(ExecutionKind.OPEN, limits=limits, lead=PERP)).after(0).prepared().prepared()
    assert scene.job.state is ExecutionState.RESTING
    assert terms(scene.order) == (PERP, Side.SELL, Decimal("4.00"), False)
    assert (scene.order.price, scene.order.time_in_force) == (Decimal("100.01"), TimeInForce.GTX)
    assert scene.armed, "the dead man's switch would cancel it"
    scene.fills()
    assert terms(scene.order)[:2] == (Market.SPOT, Side.BUY)
    assert scene.order.time_in_force is TimeInForce.IOC
    assert (scene.job.perp.maker_filled, scene.job.spot.maker_filled) == (Decimal(4), ZERO)


def test_a_closing_sells_the_coins_first_whichever_leg_led_the_opening() -> None:
    assert new_job(ExecutionKind.CLOSE).lead is Market.SPOT
