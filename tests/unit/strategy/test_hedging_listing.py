"""The two-leg machine on a listing that changes, with hosts that refuse everything, and after repeated refusals."""

from decimal import Decimal
from itertools import pairwise

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import MarginType, PerpPosition
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import ExecutionKind, ExecutionState, Preparation
from hedgerow.domain.instrument import BasisPair, Instrument, Market, Side, TradingStatus
from hedgerow.domain.order import OrderRequest, RejectKind
from hedgerow.strategy.decisions.entry import settings_in_place
from hedgerow.strategy.hedging.orders import with_fill
from support.hedging_harness import HedgingHarness, closing, following, leading, reject_forever
from support.toy_venue import new_job, toy_pair

CLOSE, OPEN = ExecutionKind.CLOSE, ExecutionKind.OPEN
LEADING, FOLLOWING, REPAIRING = ExecutionState.LEADING, ExecutionState.FOLLOWING, ExecutionState.REPAIRING
UNWINDING, NAKED = ExecutionState.UNWINDING, ExecutionState.NAKED
HEDGED, FLAT = ExecutionState.HEDGED, ExecutionState.FLAT


def changed(pair: BasisPair, market: Market, **filters: object) -> BasisPair:
    leg: Instrument = replace(pair.instrument(market), **filters)
    return replace(pair, spot=leg) if market is Market.SPOT else replace(pair, perp=leg)


def carried_out(harness: HedgingHarness) -> list[OrderRequest]:
    """Let every order fill until the job ends; returns them."""
    orders = []
    while not harness.job.state.ended:
        if harness.job.working:
            orders.append(harness.job.working.order)
            harness.fills()
        else:
            harness.after(0.5)
    return orders


# --- listings that change --------------------------------------------------------------------------------------------


def test_a_first_slice_that_the_new_filters_refuse_is_sent_again_on_them_at_once() -> None:
    harness = leading()
    harness.pair = changed(harness.job.pair, Market.SPOT, tick=Decimal("0.5"), lot=Decimal("0.5"))
    harness.rejects(RejectKind.FILTER)
    assert (harness.job.state, harness.taken.pause_seconds, harness.job.refusals) == (LEADING, 0.0, 0)
    assert harness.after(0).order.quantity % Decimal("0.5") == 0


def test_a_first_slice_that_unchanged_filters_refuse_ends_the_opening() -> None:
    assert leading().rejects(RejectKind.FILTER).job.state is FLAT


def test_a_second_leg_that_the_new_filters_refuse_is_sent_again_on_them_at_once() -> None:
    harness = following()
    harness.pair = changed(harness.job.pair, Market.PERP, lot=Decimal("0.1"))
    harness.rejects(RejectKind.FILTER)
    assert (harness.job.state, harness.taken.pause_seconds) == (REPAIRING, 0.0)
    assert harness.after(0).order.quantity == Decimal("3.9")


def test_a_reversal_that_the_new_filters_refuse_is_sent_again_on_them_at_once() -> None:
    harness = following().rejects(RejectKind.PERMISSION)
    assert harness.job.state is UNWINDING
    harness.pair = changed(harness.job.pair, Market.SPOT, lot=Decimal("0.1"))
    harness.rejects(RejectKind.FILTER)
    assert (harness.job.state, harness.taken.pause_seconds) == (UNWINDING, 0.0)
    assert harness.after(0).order.quantity == Decimal("3.9")


def test_a_naked_leg_that_the_new_filters_refuse_is_sent_again_on_them_at_once() -> None:
    harness = closing().fills().rejects(RejectKind.PERMISSION)
    assert harness.job.state is NAKED
    harness.after(5)
    harness.pair = changed(harness.job.pair, Market.PERP, tick=Decimal("0.5"))
    harness.rejects(RejectKind.FILTER)
    assert harness.order.price % Decimal("0.5") == 0


def test_a_listing_of_something_else_is_not_taken_over() -> None:
    harness = leading()
    other = toy_pair()
    harness.pair = BasisPair(spot=replace(other.spot, symbol="XYZUSDT"), perp=replace(other.perp, symbol="XYZUSDT"))
    assert harness.fills("1").job.pair.symbol == "ABCUSDT"


def test_a_change_of_fees_alone_is_no_new_grid() -> None:
    harness = leading()
    fees = replace(harness.job.pair.spot.fees, taker=Decimal("0.01"))
    harness.pair = changed(harness.job.pair, Market.SPOT, fees=fees)
    assert harness.rejects(RejectKind.FILTER).job.state is FLAT
    assert harness.job.pair.spot.fees.taker == Decimal("0.01")


def test_coins_bought_before_a_change_of_fees_keep_the_fee_they_were_bought_at() -> None:
    harness = leading()
    before = harness.fills("1").job.net_spot
    harness.pair = changed(
        harness.job.pair, Market.SPOT, fees=replace(harness.job.pair.spot.fees, taker=Decimal("0.01"))
    )
    assert harness.rejects(RejectKind.PRICE).job.net_spot == before == Decimal("0.9996")


def test_a_job_of_an_older_log_counts_its_fees_by_the_rates() -> None:
    job = replace(following().job, coin_fee=None)
    assert job.net_spot == following().job.net_spot
    order = OrderRequest(
        client_id="x", market=Market.SPOT, symbol="ABCUSDT", side=Side.BUY, quantity=Decimal(1), price=Decimal(1)
    )
    assert with_fill(job, PlaceOrder(hedge_id="h", order=order), Decimal(1)).coin_fee is None


def test_the_last_of_a_short_is_rounded_up_when_nobody_elses_is_part_of_it() -> None:
    coarse = changed(toy_pair(), Market.PERP, lot=Decimal("0.3"), min_quantity=Decimal("0.3"))
    for whole, bought, end in ((True, Decimal("10.2"), FLAT), (False, Decimal("9.9"), HEDGED)):
        harness = closing(whole_short=whole)
        harness.pair = coarse
        ordered = sum(order.quantity for order in carried_out(harness) if order.market is Market.PERP)
        assert (ordered, harness.job.state) == (bought, end)


def test_a_short_below_the_new_minimum_is_bought_back_by_an_order_of_the_minimum() -> None:
    harness = closing(spot="0.6", perp="0.6", whole_short=True)
    harness.pair = changed(harness.job.pair, Market.PERP, min_quantity=Decimal(2), lot=Decimal("0.5"))
    assert harness.fills().order.quantity == 2


def test_coins_that_can_no_longer_be_sold_keep_their_part_of_the_short() -> None:
    harness = closing(spot="10", perp="10", slice_notional="500")
    sold = harness.order.quantity
    harness.pair = changed(harness.job.pair, Market.SPOT, min_notional=Decimal(9000))
    assert harness.fills().order.quantity == sold
    assert harness.fills().job.state is HEDGED


def test_a_short_sold_first_is_bought_back_whole_when_no_coins_stand_against_it() -> None:
    harness = HedgingHarness(new_job(OPEN, lead=Market.PERP)).after(0).prepared().prepared().fills()
    short = harness.job.perp.filled
    harness.pair = changed(harness.job.pair, Market.PERP, lot=Decimal("0.7"))
    harness.rejects(RejectKind.PERMISSION)
    assert (harness.job.state, harness.order.side) == (UNWINDING, Side.BUY)
    assert short <= harness.order.quantity < short + Decimal("0.7")


@pytest.mark.parametrize(("market", "down", "up"), [(Market.SPOT, "0.9995", "1.0005"), (Market.PERP, "0", "0")])
def test_an_order_stays_inside_the_price_band(market: Market, down: str, up: str) -> None:
    pair = changed(toy_pair(), market, price_down=Decimal(down), price_up=Decimal(up))
    harness = HedgingHarness(new_job(OPEN, pair=pair)).after(0).prepared().prepared()
    assert harness.order.price == Decimal("100.04" if market is Market.SPOT else "100.11")
    selling = HedgingHarness(new_job(CLOSE, pair=pair, spot="10")).after(0)
    assert selling.order.price == Decimal("99.96" if market is Market.SPOT else "99.90")


def test_a_band_around_a_book_of_one_side_stands_around_its_touch() -> None:
    pair = changed(toy_pair(), Market.PERP, price_up=Decimal("1.0005"))
    harness = HedgingHarness(new_job(CLOSE, pair=pair, spot="10")).after(0)
    harness.perp_bids = ()
    assert harness.fills().order.price == Decimal("100.05")


# --- hosts that refuse everything ------------------------------------------------------------------------------------


def test_a_second_leg_whose_host_is_blocked_for_longer_than_there_is_time_is_unwound_at_once() -> None:
    harness = following().rejects(None, retry_after_seconds=60)
    assert harness.job.state is UNWINDING
    assert (harness.order.market, harness.order.side) == (Market.SPOT, Side.SELL)


def test_a_first_leg_is_not_followed_into_a_host_that_is_blocked_for_long() -> None:
    harness = leading()
    harness.perp_blocked = 31
    assert harness.fills().job.state is UNWINDING


def test_a_host_that_is_blocked_for_a_while_is_waited_for_without_sending() -> None:
    harness = following()
    harness.perp_blocked = 8
    harness.rejects(None, retry_after_seconds=8)
    assert (harness.job.state, harness.command) == (REPAIRING, None)
    harness.after(1)
    assert (harness.command, harness.taken.pause_seconds) == (None, 5)
    harness.perp_blocked = 0
    assert harness.after(7).order.market is Market.PERP


def test_no_slice_begins_while_a_host_is_blocked() -> None:
    harness = leading().fills("0")
    harness.perp_blocked = 7
    assert (harness.after(1).command, harness.taken.pause_seconds) == (None, 5)
    harness.perp_blocked, harness.spot_blocked = 0, 2
    assert (harness.after(1).command, harness.taken.pause_seconds) == (None, 2)
    harness.spot_blocked = 90
    assert harness.after(1).job.state is FLAT
    assert harness.job.detail == "the exchange refuses orders for 90 s"


def test_a_closing_of_coins_alone_does_not_wait_for_the_perpetuals_host() -> None:
    harness = HedgingHarness(new_job(CLOSE, spot="10", perp="0"))
    harness.perp_blocked = 60
    assert harness.after(0).order.market is Market.SPOT


def test_a_refusal_of_the_spot_host_says_nothing_of_the_perpetuals() -> None:
    harness = leading().rejects(None, retry_after_seconds=10)
    assert (harness.job.state, harness.command) == (LEADING, None)
    assert harness.after(11).order.market is Market.SPOT


# --- refusals in a row -----------------------------------------------------------------------------------------------


def test_orders_that_fill_nothing_are_tried_with_growing_pauses_and_a_fill_ends_that() -> None:
    harness = closing(urgent=True)
    pauses = []
    for _ in range(6):
        pauses.append(harness.rejects(RejectKind.PRICE).taken.pause_seconds)
        harness.after(0.1)
    assert pauses == [0.5, 1, 2, 4, 5, 5]
    assert harness.fills("1").job.refusals == 0


@pytest.mark.parametrize(("kind", "slowest"), [(RejectKind.PRICE, 30), (RejectKind.PERMISSION, 60)])
def test_a_naked_leg_is_tried_promptly_at_first_and_each_minute_at_least_however_it_is_refused(
    kind: RejectKind, slowest: float
) -> None:
    harness = closing().fills().rejects(RejectKind.PERMISSION)
    assert harness.job.state is NAKED
    sent = []
    for _ in range(4000):
        harness.after(1)
        if harness.job.working:
            sent.append(harness.now)
            harness.rejects(kind)
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(sent)]
    assert gaps[:3] == [5, 5, 5]
    assert gaps[-1] == slowest
    assert gaps == sorted(gaps)


def test_a_naked_leg_is_tried_at_once_when_its_market_opens_again() -> None:
    harness = closing().fills()
    harness.pair = changed(harness.job.pair, Market.PERP, status=TradingStatus.CLOSED)
    reject_forever(harness, RejectKind.PERMISSION, 600)
    assert harness.job.retry_at is not None
    assert harness.after(1).command is None
    harness.pair = changed(harness.job.pair, Market.PERP, status=TradingStatus.TRADING)
    assert harness.after(1).order.market is Market.PERP


# --- settings of the account -----------------------------------------------------------------------------------------


def test_settings_that_the_account_shows_to_be_right_are_not_asked_for() -> None:
    right = PerpPosition(
        symbol="ABCUSDT", quantity=Decimal(0), entry_price=Decimal(0), mark_price=Decimal(1), leverage=1
    )
    wrong = replace(right, leverage=20, margin_type=MarginType.ISOLATED)
    assert settings_in_place(right, 1) == {Preparation.MARGIN_TYPE, Preparation.LEVERAGE}
    assert settings_in_place(wrong, 1) == settings_in_place(None, 1) == frozenset()
    assert settings_in_place(replace(right, leverage=20), 1) == {Preparation.MARGIN_TYPE}
