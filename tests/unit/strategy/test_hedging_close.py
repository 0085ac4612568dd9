from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import RejectKind
from hedgerow.domain.position import Reason
from hedgerow.strategy.hedging.quality import quality_of
from support.hedging_harness import HedgingHarness, closing, reject_forever
from support.toy_venue import new_job

CLOSE, TRIM = ExecutionKind.CLOSE, ExecutionKind.TRIM
LEADING, FOLLOWING, NAKED = ExecutionState.LEADING, ExecutionState.FOLLOWING, ExecutionState.NAKED
HEDGED, FLAT, REPAIRING = ExecutionState.HEDGED, ExecutionState.FLAT, ExecutionState.REPAIRING


# --- closing ---------------------------------------------------------------------------------------------------------


def test_a_closing_mirrors_an_opening_and_buys_back_exactly_the_short() -> None:
    harness = closing()
    orders = [harness.order]
    while not harness.job.state.ended:
        harness.fills()
        orders += [harness.order] if harness.command else []
    assert harness.job.state is FLAT
    assert {(o.market, o.side, o.reduce_only) for o in orders} == {
        (Market.SPOT, Side.SELL, False),
        (Market.PERP, Side.BUY, True),
    }
    assert (harness.job.spot.filled, harness.job.perp.filled) == (Decimal("10.000"), Decimal(10))


def test_a_closing_into_a_thin_spot_book_ends_as_a_smaller_hedge() -> None:
    harness = closing().fills("2.5").fills()
    reject_forever(harness, None, 60)
    assert harness.job.state is HEDGED
    assert (harness.job.spot.filled, harness.job.perp.filled) == (Decimal("2.5"), Decimal("2.50"))


def test_a_safety_exit_is_more_patient_than_others() -> None:
    harness = HedgingHarness(new_job(CLOSE, spot="10", urgent=True)).after(0)
    reject_forever(harness, None, 100)
    assert harness.job.state is LEADING
    reject_forever(harness, None, 30)
    assert harness.job.state is HEDGED


def test_coins_without_a_short_are_sold_at_once_however_little_the_book_shows() -> None:
    harness = HedgingHarness(new_job(CLOSE, spot="10", perp="0", slice_notional="400", urgent=True))
    harness.spot_bids = (("99.99", "2"),)
    assert harness.after(0).order.quantity == 10, "to wait for depth would leave them unhedged for longer"
    assert harness.fills("2").order.quantity == 8


def test_coins_beyond_what_is_left_of_the_short_go_at_once_and_the_rest_in_slices() -> None:
    harness = closing(perp="7", slice_notional="100", urgent=True)
    assert harness.order.quantity == 3
    harness.fills()
    assert (harness.order.market, harness.order.quantity) == (Market.SPOT, Decimal("1.000"))
    harness.fills()
    assert (harness.order.market, harness.order.quantity) == (Market.PERP, Decimal("1.00"))


def test_coins_without_a_short_are_sold_for_less_the_longer_it_takes_though_some_of_them_are() -> None:
    harness = HedgingHarness(new_job(CLOSE, spot="10", perp="0", urgent=True)).after(0)
    prices = [harness.order.price]
    for _ in range(3):
        harness.fills("1")
        harness.now += timedelta(seconds=31)
        harness.fills("1")
        prices.append(harness.order.price)
    assert prices == [Decimal(price) for price in ("99.90", "99.40", "98.80", "98.00")], "10, 60, 120, 200 bp"


def test_coins_left_below_the_minimum_do_not_keep_the_short_open() -> None:
    harness = closing(spot="4.04", perp="4.00", slice_notional="2000").fills("4")
    assert harness.order.quantity == Decimal("4.00")
    assert harness.fills().job.state is FLAT


def test_a_short_that_is_already_gone_ends_the_closing() -> None:
    harness = closing().fills()
    harness.short_gone = True
    assert harness.rejects(RejectKind.REDUCE_ONLY).job.state is HEDGED
    assert harness.job.detail == "the exchange closed the short itself"


def test_a_refusal_that_says_nothing_is_to_reduce_does_not_end_a_closing_whose_short_is_there() -> None:
    harness = closing().fills().rejects(RejectKind.REDUCE_ONLY)
    assert (harness.job.state, harness.taken.pause_seconds) == (REPAIRING, 0.5)
    assert (harness.after(1).order.market, harness.order.quantity) == (Market.PERP, Decimal("4.00"))
    reject_forever(harness, RejectKind.REDUCE_ONLY, 30.5)
    assert harness.job.state is NAKED
    harness.after(60).rejects(RejectKind.REDUCE_ONLY)
    assert harness.job.state is NAKED
    harness.after(60)
    harness.short_gone = True
    assert harness.rejects(RejectKind.REDUCE_ONLY).job.state is HEDGED


def test_a_refused_sale_of_coins_says_nothing_of_the_short() -> None:
    harness = closing(spot="10", perp="8", slice_notional="2000").fills().fills()
    sold = harness.job.spot.filled
    job = replace(
        harness.job, state=NAKED, lead_done=True, perp=replace(harness.job.perp, filled=sold + 1), working=None
    )
    harness.job = job
    assert harness.after(0).order.market is Market.SPOT
    harness.rejects(RejectKind.REDUCE_ONLY)
    assert harness.job.state is NAKED, "coins without a short are still there"
    harness.after(60)
    assert harness.order.market is Market.SPOT


def test_coins_whose_short_this_job_bought_back_to_the_last_are_sold_though_none_is_left() -> None:
    harness = closing(slice_notional="2000").fills("4")
    harness.job = replace(harness.job, state=NAKED, lead_done=True, perp=replace(harness.job.perp, filled=Decimal(10)))
    harness.job = replace(harness.job, working=None)
    harness.short_gone = True
    assert (harness.after(0).order.market, harness.order.quantity) == (Market.SPOT, Decimal(6))
    assert harness.fills().job.state is FLAT


@pytest.mark.parametrize(("reject", "ends"), [(RejectKind.MARGIN, True), (RejectKind.OTHER, False), (None, False)])
def test_coins_that_others_took_from_a_naked_closing_end_it_once_their_sale_is_refused(
    reject: RejectKind | None, *, ends: bool
) -> None:
    harness = closing(slice_notional="2000").fills("4")
    harness.job = replace(harness.job, state=NAKED, lead_done=True, perp=replace(harness.job.perp, filled=Decimal(10)))
    harness.job = replace(harness.job, working=None)
    assert (harness.after(0).order.market, harness.order.quantity) == (Market.SPOT, Decimal(6))
    harness.rejects(RejectKind.MARGIN)
    assert harness.job.state is NAKED, "that there are too few is a claim until the account shows it"
    harness.after(60).coins_taken = True
    harness.rejects(reject)
    assert harness.job.state is (HEDGED if ends else NAKED)
    assert not ends or harness.job.detail == "the account does not have the coins that were left to sell"


def test_a_short_that_cannot_be_bought_back_is_naked_and_tried_until_it_is() -> None:
    harness = closing().fills()
    reject_forever(harness, None, 30.5)
    assert harness.job.state is NAKED
    assert harness.job.naked_alarmed
    harness.after(5)
    assert (harness.order.market, harness.order.reduce_only) == (Market.PERP, True)
    harness.fills("1")
    assert harness.order.quantity == Decimal("3.00")
    harness.fills()
    assert harness.job.state is HEDGED
    assert harness.job.exposure < Decimal("0.01")


def test_a_naked_closing_ends_once_the_venue_has_settled_the_short_itself() -> None:
    harness = closing().fills()
    reject_forever(harness, None, 30.5)
    assert harness.job.state is NAKED
    harness.short_gone = True
    assert (harness.after(5).job.state, harness.command) == (HEDGED, None)
    assert harness.job.detail == "the exchange closed the short itself"


def test_a_hedge_without_coins_is_closed_by_buying_back_the_short() -> None:
    harness = closing(spot="0")
    assert (harness.job.state, harness.order.market, harness.order.quantity) == (FOLLOWING, Market.PERP, Decimal(10))
    assert harness.fills().job.state is FLAT


def test_a_hedge_without_a_short_is_closed_by_selling_the_coins_whatever_the_perpetuals_book() -> None:
    harness = HedgingHarness(new_job(CLOSE, spot="10", perp="0"))
    harness.perp_bids = harness.perp_asks = ()
    harness.after(0)
    while not harness.job.state.ended:
        assert harness.order.market is Market.SPOT
        harness.fills()
    assert harness.job.state is FLAT
    assert harness.job.naked_since is None


def test_legs_that_differed_before_the_closing_are_no_alarm_of_its_own() -> None:
    harness = closing(spot="12", perp="8", slice_notional="300")
    while not harness.job.state.ended:
        harness.now += timedelta(seconds=10 if harness.order.market is Market.SPOT else 1)
        harness.fills()
    assert harness.job.state is FLAT
    assert (harness.job.spot.filled, harness.job.perp.filled) == (Decimal(12), Decimal(8))
    assert not harness.job.naked_alarmed


def test_a_short_beyond_the_coins_is_bought_back_before_any_coins_are_sold() -> None:
    """As after a closing that one refusal of a reduce-only order ended between its legs."""
    harness = closing(spot="6", perp="8", slice_notional="200")
    assert (harness.order.market, harness.order.quantity) == (Market.PERP, Decimal(2))
    harness.fills()
    assert (harness.order.market, harness.order.quantity) == (Market.SPOT, Decimal(2))
    while not harness.job.state.ended:
        harness.fills()
    assert harness.job.state is FLAT
    assert (harness.job.spot.filled, harness.job.perp.filled) == (Decimal(6), Decimal(8))


def test_coins_sold_after_a_short_too_many_was_bought_back_are_naked_until_their_part_of_the_short_is_too() -> None:
    harness = closing(spot="6", perp="8", slice_notional="200")
    harness.fills().fills()
    assert (harness.order.market, harness.order.quantity) == (Market.PERP, Decimal(2))
    assert harness.job.naked_since is not None
    harness.now += timedelta(seconds=7)
    harness.fills()
    assert harness.job.worst_naked_seconds >= 7
    assert harness.job.worst_naked_notional > 190


def test_legs_that_differed_before_and_cannot_be_evened_in_time_are_said_to_differ() -> None:
    harness = closing(spot="6", perp="10")
    reject_forever(harness, None, 4)
    assert not harness.job.naked_alarmed
    reject_forever(harness, None, 4)
    assert harness.job.state is not NAKED
    assert harness.job.naked_alarmed
    assert harness.job.worst_naked_seconds == 0  # it is not the job's own doing


# --- trimming --------------------------------------------------------------------------------------------------------


def test_a_trim_sells_the_coins_too_many() -> None:
    harness = HedgingHarness(new_job(TRIM, spot="0.5", perp="0")).after(0)
    assert (harness.order.market, harness.order.side, harness.order.quantity) == (
        Market.SPOT,
        Side.SELL,
        Decimal("0.5"),
    )
    assert harness.fills("0.2").order.quantity == Decimal("0.3")
    assert harness.fills().job.state is HEDGED


def test_a_trim_buys_back_the_short_too_many_even_below_the_minimum_notional() -> None:
    harness = HedgingHarness(new_job(TRIM, spot="0", perp="0.02")).after(0)
    assert (harness.order.market, harness.order.reduce_only) == (Market.PERP, True)
    assert harness.fills().job.state is HEDGED


def test_a_trim_too_small_to_sell_is_left_alone() -> None:
    assert HedgingHarness(new_job(TRIM, spot="0.04", perp="0")).after(0).job.state is HEDGED


def test_a_trim_that_finds_nothing_is_left_to_the_next_cycle() -> None:
    harness = HedgingHarness(new_job(TRIM, spot="0.5", perp="0")).after(0)
    reject_forever(harness, None, 40)
    assert harness.job.state is HEDGED


def test_a_trim_waits_for_readable_books() -> None:
    harness = HedgingHarness(new_job(TRIM, spot="0.5", perp="0"))
    harness.age = 10
    assert harness.after(0).taken.pause_seconds == 1


def test_a_trim_that_is_refused_ends_without_moving_money() -> None:
    harness = HedgingHarness(new_job(TRIM, spot="0.5", perp="0")).after(0)
    harness.idle = Decimal(1000)
    assert harness.rejects(RejectKind.MARGIN).job.state is HEDGED
    assert harness.command is None


# --- reducing --------------------------------------------------------------------------------------------------------


def test_a_reduction_closes_its_part_of_both_legs_and_ends_hedged() -> None:
    harness = HedgingHarness(new_job(ExecutionKind.REDUCE, spot="4", perp="4", urgent=True)).after(0)
    orders = [harness.order]
    while not harness.job.state.ended:
        harness.fills()
        orders += [harness.order] if harness.command else []
    assert harness.job.state is HEDGED
    assert (harness.job.spot.filled, harness.job.perp.filled) == (Decimal(4), Decimal(4))
    assert all(order.reduce_only for order in orders if order.market is Market.PERP)


def test_a_reduction_whose_short_cannot_be_bought_back_is_naked_and_loud() -> None:
    harness = HedgingHarness(new_job(ExecutionKind.REDUCE, spot="4", perp="4", urgent=True)).after(0).fills()
    reject_forever(harness, None, 31)
    assert harness.job.state is NAKED
    assert harness.job.naked_alarmed


@pytest.mark.parametrize(("floor", "sold"), [("95", True), (None, False), ("99.995", False)])
def test_coins_whose_short_is_gone_are_sold_to_bids_alone_above_a_floor_that_other_prices_support(
    floor: str | None,
    *,
    sold: bool,
) -> None:
    job = new_job(ExecutionKind.CLOSE, spot="10", perp="0", urgent=True)
    bounded = replace(job.plan, spot_floor=None if floor is None else Decimal(floor))
    harness = HedgingHarness(replace(job, plan=bounded))
    harness.spot_asks = ()
    assert (harness.after(1).command is not None) is sold


def lacking_short(floor: str | None = "95") -> HedgingHarness:
    """Return a closing of ten coins against a short of seven, before its first step."""
    job = new_job(CLOSE, spot="10", perp="7", slice_notional="100", urgent=True)
    return HedgingHarness(replace(job, plan=replace(job.plan, spot_floor=None if floor is None else Decimal(floor))))


@pytest.mark.parametrize("ceiling", [None, Decimal(99)], ids=["one-sided", "too expensive"])
def test_coins_beyond_the_short_are_sold_though_the_perpetuals_book_cannot_be_traded_on(
    ceiling: Decimal | None,
) -> None:
    harness = lacking_short()
    if ceiling is None:
        harness.perp_asks = ()
    harness.job = replace(harness.job, plan=replace(harness.job.plan, perp_ceiling=ceiling))
    assert (harness.after(1).order.market, harness.order.side, harness.order.quantity) == (
        Market.SPOT,
        Side.SELL,
        Decimal(3),
    )
    assert harness.fills().command is None, "the rest has a short that cannot be bought back now"
    harness.after(121)
    assert (harness.job.state, harness.job.spot.filled, harness.job.perp.filled) == (HEDGED, Decimal(3), ZERO)


@pytest.mark.parametrize(("floor", "sold"), [("95", True), (None, False), ("99.995", False)])
def test_coins_beyond_the_short_are_not_sold_by_the_spot_book_alone(floor: str | None, *, sold: bool) -> None:
    harness = lacking_short(floor)
    harness.perp_bids = harness.perp_asks = ()
    assert (harness.after(1).command is not None) is sold


def test_a_person_who_closes_gets_coins_without_a_short_sold_to_the_bids_that_there_are() -> None:
    beyond = lacking_short(None)
    beyond.perp_bids = beyond.perp_asks = ()
    alone = HedgingHarness(new_job(CLOSE, spot="10", perp="0", urgent=True))
    alone.spot_asks = ()
    for harness, quantity in ((beyond, 3), (alone, 10)):
        assert harness.after(1).command is None
        harness.job = replace(harness.job, reason=Reason.USER)
        assert harness.after(1).order.quantity == quantity


def test_coins_beyond_the_short_do_not_wait_for_the_perpetuals_host() -> None:
    harness = lacking_short()
    harness.perp_blocked, harness.spot_blocked = 600, 5
    assert harness.after(1).command is None
    harness.job = lacking_short().job
    harness.spot_blocked = 0
    assert harness.after(1).order.quantity == 3
    harness.fills()
    assert (harness.job.state, harness.job.spot.filled) == (HEDGED, Decimal(3))


def test_coins_that_exceed_the_short_by_less_than_an_order_wait_for_the_perpetuals_book() -> None:
    job = new_job(CLOSE, spot="10", perp="9.96", urgent=True)
    harness = HedgingHarness(replace(job, plan=replace(job.plan, spot_floor=Decimal(95))))
    harness.perp_asks = ()
    assert harness.after(1).command is None


# --- a perpetual that closes -----------------------------------------------------------------------------------------


def shut(
    harness: HedgingHarness, *, perp: TradingStatus = TradingStatus.CLOSED, spot: TradingStatus | None = None
) -> HedgingHarness:
    """Let the listing show other states of the markets."""
    pair = harness.job.pair
    spots = replace(pair.spot, status=spot) if spot else pair.spot
    harness.pair = replace(pair, spot=spots, perp=replace(pair.perp, status=perp))
    return harness


@pytest.mark.parametrize("status", [TradingStatus.CLOSED, TradingStatus.PENDING])
def test_coins_whose_short_cannot_be_bought_back_in_a_closed_market_are_bought_again(status: TradingStatus) -> None:
    harness = shut(closing().fills(), perp=status).rejects(RejectKind.PERMISSION)
    assert harness.job.state is NAKED
    harness.after(5)
    assert (harness.order.market, harness.order.side, harness.order.quantity) == (
        Market.SPOT,
        Side.BUY,
        Decimal("4.002"),
    )
    assert not harness.order.reduce_only
    harness.fills("1")
    assert harness.order.quantity == Decimal("3.002")
    harness.fills()
    assert (harness.job.state, harness.job.perp.filled) == (HEDGED, ZERO)
    assert 0 <= -harness.job.net_spot < harness.job.pair.spot.lot, "as many coins as before, net of the fee in coin"
    quality = quality_of(harness.job, harness.now)
    assert (quality.spot.filled, quality.fill_ratio) == (Decimal("8.002"), ZERO)


def test_a_market_that_opens_again_lets_the_closing_buy_the_rest_of_the_short_back() -> None:
    harness = shut(closing().fills()).rejects(RejectKind.PERMISSION).after(5).fills("1")
    shut(harness, perp=TradingStatus.TRADING).rejects(RejectKind.PRICE).after(60)
    assert (harness.order.market, harness.order.quantity) == (Market.PERP, Decimal("3.00"))
    assert harness.fills().job.state is HEDGED
    assert harness.job.pair.lot_step > abs(harness.job.exposure)


@pytest.mark.parametrize(
    ("perp", "spot"),
    [
        (TradingStatus.SETTLING, None),
        (TradingStatus.UNLISTED, None),
        (TradingStatus.CLOSED, TradingStatus.CLOSED),
    ],
)
def test_coins_are_not_bought_again_where_the_short_is_settled_or_neither_market_takes_orders(
    perp: TradingStatus, spot: TradingStatus | None
) -> None:
    harness = shut(closing().fills(), perp=perp, spot=spot).rejects(RejectKind.PERMISSION).after(5)
    assert (harness.order.market, harness.order.side) == (Market.PERP, Side.BUY)


def test_coins_that_were_too_many_at_first_are_not_bought_again() -> None:
    harness = closing(spot="14", perp="8").fills().fills()
    assert (harness.job.spot.filled, harness.order.market) == (Decimal(10), Market.PERP)
    shut(harness).rejects(RejectKind.PERMISSION).after(5)
    assert harness.order.quantity == Decimal("4.002")
    assert harness.fills().job.state is HEDGED


@pytest.mark.parametrize(("taken", "ended"), [(False, False), (True, True)])
def test_an_exit_beyond_its_bounds_does_not_wait_for_them_once_others_took_its_short(
    *, taken: bool, ended: bool
) -> None:
    job = new_job(ExecutionKind.CLOSE, spot="10", perp="10", urgent=True)
    harness = HedgingHarness(replace(job, plan=replace(job.plan, perp_ceiling=Decimal(50))))
    harness.leg_taken = taken
    harness.after(11)
    assert (harness.command, harness.job.state.ended) == (None, ended)
