"""A coin is redenominated while a job is at work: nothing is sent for quantities in old coins at prices of new ones."""

from decimal import Decimal

import pytest

from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.denomination import job_in_new_units
from hedgerow.domain.order import RejectKind
from hedgerow.strategy.hedging.machine import OTHER_UNITS_DETAIL
from support.hedging_harness import Scene, closing, following, leading
from support.toy_venue import new_job

THOUSAND = Decimal(1000)


def repriced(scene: Scene, factor: str = "1000") -> Scene:
    def times(levels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((str(Decimal(price) * Decimal(factor)), quantity) for price, quantity in levels)

    scene.spot_bids, scene.spot_asks = times(scene.spot_bids), times(scene.spot_asks)
    scene.perp_bids, scene.perp_asks = times(scene.perp_bids), times(scene.perp_asks)
    return scene


@pytest.mark.parametrize("factor", ["1000", "5.1", "0.19", "0.001"])
def test_a_short_in_old_coins_is_not_ordered_at_prices_of_new_ones(factor: str) -> None:
    scene = repriced(leading(), factor).fills()
    assert (scene.job.state, scene.command) == (ExecutionState.NAKED, None)
    assert scene.job.detail == OTHER_UNITS_DETAIL
    assert scene.job.naked_alarmed
    for _ in range(100):
        assert scene.after(60).command is None
    assert scene.job.state is ExecutionState.NAKED


@pytest.mark.parametrize("factor", ["4.9", "0.21"])
def test_a_coin_that_moves_less_than_fivefold_is_still_traded(factor: str) -> None:
    assert repriced(leading(), factor).fills().order.market is Market.PERP


def test_coins_are_not_sold_at_prices_of_new_ones_while_they_are_taken_back() -> None:
    scene = following().rejects(RejectKind.FILTER)
    assert scene.job.state is ExecutionState.UNWINDING
    repriced(scene).fills("0").after(1)
    assert (scene.job.state, scene.command) == (ExecutionState.NAKED, None)


def test_a_naked_leg_waits_and_goes_on_at_prices_of_its_own_units() -> None:
    scene = repriced(leading()).fills()
    repriced(scene, "0.001").after(5)
    assert scene.order.quantity <= scene.job.spot.filled
    assert scene.job.detail == ""


def test_a_job_in_new_coins_trades_what_is_there() -> None:
    scene = repriced(leading()).fills()
    held = scene.job.net_spot
    scene.job = job_in_new_units(scene.job, THOUSAND)
    scene.after(5)
    assert 0 < scene.order.quantity <= held / THOUSAND
    assert scene.job.detail == ""


def test_an_opening_that_bought_nothing_ends_flat() -> None:
    scene = repriced(leading()).fills("0").after(1)
    assert (scene.job.state, scene.job.detail) == (ExecutionState.FLAT, OTHER_UNITS_DETAIL)


def test_legs_that_match_end_as_a_hedge_that_the_next_check_counts_anew() -> None:
    scene = repriced(following()).fills()
    assert scene.command is None
    assert scene.job.state is ExecutionState.HEDGED


def test_a_closing_that_sold_nothing_is_left_to_the_next_check() -> None:
    scene = repriced(closing(urgent=True)).fills("0").after(1)
    assert (scene.job.state, scene.command) == (ExecutionState.HEDGED, None)


def test_a_closing_with_coins_sold_does_not_buy_old_quantities_back() -> None:
    scene = repriced(closing()).fills()
    assert (scene.job.state, scene.command) == (ExecutionState.NAKED, None)
    assert scene.after(30).command is None


def test_a_book_first_seen_in_new_units_is_held_against_the_other_leg() -> None:
    scene = Scene(new_job(ExecutionKind.CLOSE, spot="10"))
    scene.perp_bids = scene.perp_asks = ()
    scene.after(0)
    scene.perp_bids, scene.perp_asks = (("99990", "40"),), (("100010", "40"),)
    scene.after(1)
    assert (scene.command, scene.job.perp_arrival) == (None, None)
    assert scene.job.spot_arrival == 100
