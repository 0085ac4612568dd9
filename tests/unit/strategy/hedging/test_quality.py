"""How well a job was carried out, from its own counters."""

from decimal import Decimal

import pytest

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, ExecutionStyle
from hedgerow.domain.execution_quality import LegQuality
from hedgerow.domain.instrument import Side
from hedgerow.domain.order import OrderStatus
from hedgerow.strategy.hedging.quality import quality_of
from support.hedging_harness import HedgingHarness, closing, following, leading, reject_forever
from support.toy_venue import new_job

MAKER = ExecutionLimits(style=ExecutionStyle.MAKER, max_resting_loss_usd=Decimal(1000))


def whole(harness: HedgingHarness) -> HedgingHarness:
    while not harness.job.state.ended:
        harness.now = harness.around.at
        harness.fills()
    return harness


def test_shortfall_is_what_was_paid_beyond_the_arrival_price_on_each_leg() -> None:
    harness = whole(leading())
    quality = quality_of(harness.job, harness.now)
    # The scene fills at the limit: 11 cents above the middle for the coins, 10 below for the short.
    assert quality.spot.arrival == quality.perp.arrival == 100
    assert quality.spot.shortfall == Decimal("10.005") * Decimal("0.11")
    assert quality.spot.shortfall_bps == pytest.approx(Decimal(11))
    assert quality.perp.shortfall == 10 * Decimal("0.10")
    assert quality.fill_ratio == 1
    assert quality.orders == 6
    assert quality.maker_share == 0


def test_a_fill_without_a_reported_price_counts_at_the_arrival_price() -> None:
    harness = leading()
    assert harness.job.working
    order = harness.job.working.order
    filled = order.quantity
    harness.receive(
        ev.OrderEnded(
            at=harness.now, client_id=order.client_id, order_id=7, status=OrderStatus.FILLED, filled_quantity=filled
        )
    )
    assert harness.job.spot.average_price == harness.job.spot_arrival == 100
    shortfall = quality_of(whole(harness).job, harness.now).spot.shortfall
    assert shortfall is not None
    assert shortfall < Decimal("10.005") * Decimal("0.11")


def test_resting_earns_the_spread_and_is_counted() -> None:
    harness = HedgingHarness(new_job(ExecutionKind.OPEN, limits=MAKER)).after(0).prepared().prepared()
    quality = quality_of(whole(harness).job, harness.now)
    assert quality.spot.shortfall_bps == pytest.approx(Decimal(-1))
    assert quality.maker_share == pytest.approx(Decimal("0.5"), abs=Decimal("0.001"))


def test_a_closing_counts_the_other_way_round() -> None:
    harness = whole(closing())
    quality = quality_of(harness.job, harness.now)
    assert quality.spot.shortfall_bps == pytest.approx(Decimal(10))
    assert quality.perp.shortfall_bps == pytest.approx(Decimal(11))


def test_time_to_hedge_is_the_worst_stretch_and_their_sum() -> None:
    harness = following().after(0)
    for seconds in (2, 1):
        harness.now = harness.now.replace(second=harness.now.second + seconds)
        harness.fills()
        harness.fills()
    quality = quality_of(harness.job, harness.now)
    assert quality.worst_naked_seconds == 2
    assert quality.naked_seconds == 3
    assert quality.largest_exposure > 390


def test_a_leg_that_is_still_open_counts_until_the_end() -> None:
    harness = following().after(0)
    later = harness.now.replace(second=harness.now.second + 7)
    quality = quality_of(harness.job, later)
    assert quality.worst_naked_seconds == quality.naked_seconds == 7


def test_what_was_unwound_is_part_of_the_cost_of_the_spot_leg() -> None:
    harness = following()
    reject_forever(harness, None, 31)
    while not harness.job.state.ended:
        harness.fills()
    quality = quality_of(harness.job, harness.now)
    assert harness.job.state is ExecutionState.FLAT
    assert quality.spot.filled > Decimal("7.9")
    assert quality.spot.shortfall is not None
    assert quality.spot.shortfall > 0
    assert quality.fill_ratio == 0


def test_a_leg_whose_book_was_never_seen_has_no_shortfall() -> None:
    leg = LegQuality.of(None, (Side.BUY, Decimal(1), Decimal(100)))
    assert leg.filled == 1
    assert leg.shortfall is leg.shortfall_bps is None
    assert LegQuality.of(Decimal(100)).shortfall_bps is None


@pytest.mark.parametrize(("spot", "perp"), [("10", "0"), ("0", "10")])
def test_a_closing_of_one_leg_is_measured_on_that_leg(spot: str, perp: str) -> None:
    harness = closing(spot=spot, perp=perp)
    quality = quality_of(whole(harness).job, harness.now)
    assert quality.fill_ratio == 1
    assert quality.largest_exposure == 0
