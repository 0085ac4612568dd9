"""A coin is redenominated while a job is at work: nothing is sent for quantities in old coins at prices of new ones."""

from decimal import Decimal

import pytest

from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.denomination import job_in_new_units
from hedgerow.domain.order import RejectKind
from hedgerow.strategy.hedging.machine import OTHER_UNITS_DETAIL
from support.hedging_harness import HedgingHarness, closing, following, leading
from support.toy_venue import new_job

THOUSAND = Decimal(1000)


def repriced(harness: HedgingHarness, factor: str = "1000") -> HedgingHarness:
    def times(levels: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((str(Decimal(price) * Decimal(factor)), quantity) for price, quantity in levels)

    harness.spot_bids, harness.spot_asks = times(harness.spot_bids), times(harness.spot_asks)
    harness.perp_bids, harness.perp_asks = times(harness.perp_bids), times(harness.perp_asks)
    return harness


@pytest.mark.parametrize("factor", ["1000", "5.1", "0.19", "0.001"])
def test_a_short_in_old_coins_is_not_ordered_at_prices_of_new_ones(factor: str) -> None:
    harness = repriced(leading(), factor).fills()
    assert (harness.job.state, harness.command) == (ExecutionState.NAKED, None)
    assert harness.job.detail == OTHER_UNITS_DETAIL
    assert harness.job.naked_alarmed
    for _ in range(100):
        assert harness.after(60).command is None
    assert harness.job.state is ExecutionState.NAKED


@pytest.mark.parametrize("factor", ["4.9", "0.21"])
def test_a_coin_that_moves_less_than_fivefold_is_still_traded(factor: str) -> None:
    assert repriced(leading(), factor).fills().order.market is Market.PERP


def test_coins_are_not_sold_at_prices_of_new_ones_while_they_are_taken_back() -> None:
    harness = following().rejects(RejectKind.FILTER)
    assert harness.job.state is ExecutionState.UNWINDING
    repriced(harness).fills("0").after(1)
    assert (harness.job.state, harness.command) == (ExecutionState.NAKED, None)


def test_a_naked_leg_waits_and_goes_on_at_prices_of_its_own_units() -> None:
    harness = repriced(leading()).fills()
    repriced(harness, "0.001").after(5)
    assert harness.order.quantity <= harness.job.spot.filled
    assert harness.job.detail == ""


def test_a_job_in_new_coins_trades_what_is_there() -> None:
    harness = repriced(leading()).fills()
    held = harness.job.net_spot
    harness.job = job_in_new_units(harness.job, THOUSAND)
    harness.after(5)
    assert 0 < harness.order.quantity <= held / THOUSAND
    assert harness.job.detail == ""


def test_an_opening_that_bought_nothing_ends_flat() -> None:
    harness = repriced(leading()).fills("0").after(1)
    assert (harness.job.state, harness.job.detail) == (ExecutionState.FLAT, OTHER_UNITS_DETAIL)


def test_legs_that_match_end_as_a_hedge_that_the_next_check_counts_anew() -> None:
    harness = repriced(following()).fills()
    assert harness.command is None
    assert harness.job.state is ExecutionState.HEDGED


def test_a_closing_that_sold_nothing_is_left_to_the_next_check() -> None:
    harness = repriced(closing(urgent=True)).fills("0").after(1)
    assert (harness.job.state, harness.command) == (ExecutionState.HEDGED, None)


def test_a_closing_with_coins_sold_does_not_buy_old_quantities_back() -> None:
    harness = repriced(closing()).fills()
    assert (harness.job.state, harness.command) == (ExecutionState.NAKED, None)
    assert harness.after(30).command is None


def test_a_book_first_seen_in_new_units_is_held_against_the_other_leg() -> None:
    harness = HedgingHarness(new_job(ExecutionKind.CLOSE, spot="10"))
    harness.perp_bids = harness.perp_asks = ()
    harness.after(0)
    harness.perp_bids, harness.perp_asks = (("99990", "40"),), (("100010", "40"),)
    harness.after(1)
    assert (harness.command, harness.job.perp_arrival) == (None, None)
    assert harness.job.spot_arrival == 100


def test_a_hedge_whose_legs_had_two_prices_before_can_be_closed() -> None:
    harness = HedgingHarness(new_job(ExecutionKind.CLOSE, spot="10", urgent=True))
    harness.perp_bids, harness.perp_asks = (("5.00", "40"),), (("5.01", "40"),)
    assert harness.after(0).order.market is Market.SPOT
    assert harness.fills().order.market is Market.PERP
    while harness.job.state is not ExecutionState.FLAT:
        harness.fills()
    assert (harness.job.spot.filled, harness.job.perp.filled, harness.job.detail) == (Decimal(10), Decimal(10), "")


def test_a_hedge_whose_legs_had_two_prices_before_is_not_closed_at_prices_of_other_units_later() -> None:
    harness = HedgingHarness(new_job(ExecutionKind.CLOSE, spot="10"))
    harness.perp_bids, harness.perp_asks = (("5.00", "40"),), (("5.01", "40"),)
    repriced(harness.after(0)).fills()
    assert (harness.job.state, harness.command) == (ExecutionState.NAKED, None)


def test_a_hedge_whose_perpetual_was_another_coins_when_its_closing_began_is_closed_once_it_is_its_own_again() -> None:
    harness = HedgingHarness(new_job(ExecutionKind.CLOSE, spot="10"))
    own = harness.perp_bids, harness.perp_asks
    harness.perp_bids, harness.perp_asks = (("5.00", "40"),), (("5.01", "40"),)
    harness.after(0)
    harness.perp_bids, harness.perp_asks = own
    assert (harness.fills().order.market, harness.job.detail) == (Market.PERP, "")


@pytest.mark.parametrize("price", ["5", "600"])
def test_a_short_whose_coins_others_sold_is_bought_back_whatever_the_coin_costs(price: str) -> None:
    harness = HedgingHarness(new_job(ExecutionKind.TRIM, spot="0", perp="4", urgent=True))
    harness.perp_bids = harness.perp_asks = ()
    assert harness.after(0).command is None
    harness.perp_bids, harness.perp_asks = ((price, "40"),), ((price, "40"),)
    order = harness.after(1).order
    assert (order.market, order.side, order.quantity) == (Market.PERP, Side.BUY, Decimal(4))


def test_a_leg_traded_alone_is_not_ordered_at_prices_of_new_coins() -> None:
    harness = HedgingHarness(new_job(ExecutionKind.TRIM, spot="0", perp="4", urgent=True)).after(0)
    assert repriced(harness.fills("0")).after(1).command is None


def test_an_opening_of_legs_with_two_prices_sends_no_order() -> None:
    harness = HedgingHarness(new_job(spot="10"))
    harness.perp_bids, harness.perp_asks = (("5.00", "40"),), (("5.01", "40"),)
    harness.after(0).prepared().prepared()
    assert (harness.job.state, harness.command) == (ExecutionState.FLAT, None)
    assert harness.job.detail == OTHER_UNITS_DETAIL
