from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import RejectKind
from hedgerow.strategy.hedging.quality import quality_of
from support.hedging_harness import Scene, closing, reject_forever
from support.toy_venue import new_job

CLOSE, TRIM = ExecutionKind.CLOSE, ExecutionKind.TRIM
LEADING, FOLLOWING, NAKED = ExecutionState.LEADING, ExecutionState.FOLLOWING, ExecutionState.NAKED
HEDGED, FLAT, REPAIRING = ExecutionState.HEDGED, ExecutionState.FLAT, ExecutionState.REPAIRING


# --- closing ---------------------------------------------------------------------------------------------------------


def test_a_closing_mirrors_an_opening_and_buys_back_exactly_the_short() -> None:
    scene = closing()
    orders = [scene.order]
    while not scene.job.state.ended:
        scene.fills()
        orders += [scene.order] if scene.command else []
    assert scene.job.state is FLAT
    assert {(o.market, o.side, o.reduce_only) for o in orders} == {
        (Market.SPOT, Side.SELL, False),
        (Market.PERP, Side.BUY, True),
    }
    assert (scene.job.spot.filled, scene.job.perp.filled) == (Decimal("10.000"), Decimal(10))


def test_a_closing_into_a_thin_spot_book_ends_as_a_smaller_hedge() -> None:
    scene = closing().fills("2.5").fills()
    reject_forever(scene, None, 60)
    assert scene.job.state is HEDGED
    assert (scene.job.spot.filled, scene.job.perp.filled) == (Decimal("2.5"), Decimal("2.50"))


def test_a_safety_exit_is_more_patient_than_others() -> None:
    scene = Scene(new_job(CLOSE, spot="10", urgent=True)).after(0)
    reject_forever(scene, None, 100)
    assert scene.job.state is LEADING
    reject_forever(scene, None, 30)
    assert scene.job.state is HEDGED


def test_coins_without_a_short_are_sold_at_once_however_little_the_book_shows() -> None:
    scene = Scene(new_job(CLOSE, spot="10", perp="0", slice_notional="400", urgent=True))
    scene.spot_bids = (("99.99", "2"),)
    assert scene.after(0).order.quantity == 10, "to wait for depth would leave them unhedged for longer"
    assert scene.fills("2").order.quantity == 8


def test_coins_beyond_what_is_left_of_the_short_go_at_once_and_the_rest_in_slices() -> None:
    scene = closing(perp="7", slice_notional="100", urgent=True)
    assert scene.order.quantity == 3
    scene.fills()
    assert (scene.order.market, scene.order.quantity) == (Market.SPOT, Decimal("1.000"))
    scene.fills()
    assert (scene.order.market, scene.order.quantity) == (Market.PERP, Decimal("1.00"))


def test_coins_without_a_short_are_sold_for_less_the_longer_it_takes_though_some_of_them_are() -> None:
    scene = Scene(new_job(CLOSE, spot="10", perp="0", urgent=True)).after(0)
    prices = [scene.order.price]
    for _ in range(3):
        scene.fills("1")
        scene.now += timedelta(seconds=31)
        scene.fills("1")
        prices.append(scene.order.price)
    assert prices == [Decimal(price) for price in ("99.90", "99.40", "98.80", "98.00")], "10, 60, 120, 200 bp"


def test_coins_left_below_the_minimum_do_not_keep_the_short_open() -> None:
    scene = closing(spot="4.04", perp="4.00", slice_notional="2000").fills("4")
    assert scene.order.quantity == Decimal("4.00")
    assert scene.fills().job.state is FLAT


def test_a_short_that_is_already_gone_ends_the_closing() -> None:
    scene = closing().fills()
    scene.short_gone = True
    assert scene.rejects(RejectKind.REDUCE_ONLY).job.state is HEDGED
    assert scene.job.detail == "the exchange closed the short itself"


def test_a_refusal_that_says_nothing_is_to_reduce_does_not_end_a_closing_whose_short_is_there() -> None:
    scene = closing().fills().rejects(RejectKind.REDUCE_ONLY)
    assert (scene.job.state, scene.taken.pause_seconds) == (REPAIRING, 0.5)
    assert (scene.after(1).order.market, scene.order.quantity) == (Market.PERP, Decimal("4.00"))
    reject_forever(scene, RejectKind.REDUCE_ONLY, 30.5)
    assert scene.job.state is NAKED
    scene.after(60).rejects(RejectKind.REDUCE_ONLY)
    assert scene.job.state is NAKED
    scene.after(60)
    scene.short_gone = True
    assert scene.rejects(RejectKind.REDUCE_ONLY).job.state is HEDGED


def test_a_refused_sale_of_coins_says_nothing_of_the_short() -> None:
    scene = closing(spot="10", perp="8", slice_notional="2000").fills().fills()
    sold = scene.job.spot.filled
    job = replace(scene.job, state=NAKED, lead_done=True, perp=replace(scene.job.perp, filled=sold + 1), working=None)
    scene.job = job
    assert scene.after(0).order.market is Market.SPOT
    scene.rejects(RejectKind.REDUCE_ONLY)
    assert scene.job.state is NAKED, "coins without a short are still there"
    scene.after(60)
    assert scene.order.market is Market.SPOT


def test_coins_whose_short_this_job_bought_back_to_the_last_are_sold_though_none_is_left() -> None:
    scene = closing(slice_notional="2000").fills("4")
    scene.job = replace(scene.job, state=NAKED, lead_done=True, perp=replace(scene.job.perp, filled=Decimal(10)))
    scene.job = replace(scene.job, working=None)
    scene.short_gone = True
    assert (scene.after(0).order.market, scene.order.quantity) == (Market.SPOT, Decimal(6))
    assert scene.fills().job.state is FLAT


def test_a_short_that_cannot_be_bought_back_is_naked_and_tried_until_it_is() -> None:
    scene = closing().fills()
    reject_forever(scene, None, 30.5)
    assert scene.job.state is NAKED
    assert scene.job.naked_alarmed
    scene.after(5)
    assert (scene.order.market, scene.order.reduce_only) == (Market.PERP, True)
    scene.fills("1")
    assert scene.order.quantity == Decimal("3.00")
    scene.fills()
    assert scene.job.state is HEDGED
    assert scene.job.exposure < Decimal("0.01")


def test_a_naked_closing_ends_once_the_venue_has_settled_the_short_itself() -> None:
    scene = closing().fills()
    reject_forever(scene, None, 30.5)
    assert scene.job.state is NAKED
    scene.short_gone = True
    assert (scene.after(5).job.state, scene.command) == (HEDGED, None)
    assert scene.job.detail == "the exchange closed the short itself"


def test_a_hedge_without_coins_is_closed_by_buying_back_the_short() -> None:
    scene = closing(spot="0")
    assert (scene.job.state, scene.order.market, scene.order.quantity) == (FOLLOWING, Market.PERP, Decimal(10))
    assert scene.fills().job.state is FLAT


def test_a_hedge_without_a_short_is_closed_by_selling_the_coins_whatever_the_perpetuals_book() -> None:
    scene = Scene(new_job(CLOSE, spot="10", perp="0"))
    scene.perp_bids = scene.perp_asks = ()
    scene.after(0)
    while not scene.job.state.ended:
        assert scene.order.market is Market.SPOT
        scene.fills()
    assert scene.job.state is FLAT
    assert scene.job.naked_since is None


def test_legs_that_differed_before_the_closing_are_no_alarm_of_its_own() -> None:
    scene = closing(spot="12", perp="8", slice_notional="300")
    while not scene.job.state.ended:
        scene.now += timedelta(seconds=10 if scene.order.market is Market.SPOT else 1)
        scene.fills()
    assert scene.job.state is FLAT
    assert (scene.job.spot.filled, scene.job.perp.filled) == (Decimal(12), Decimal(8))
    assert not scene.job.naked_alarmed


def test_a_short_beyond_the_coins_is_bought_back_before_any_coins_are_sold() -> None:
    """As after a closing that one refusal of a reduce-only order ended between its legs."""
    scene = closing(spot="6", perp="8", slice_notional="200")
    assert (scene.order.market, scene.order.quantity) == (Market.PERP, Decimal(2))
    scene.fills()
    assert (scene.order.market, scene.order.quantity) == (Market.SPOT, Decimal(2))
    while not scene.job.state.ended:
        scene.fills()
    assert scene.job.state is FLAT
    assert (scene.job.spot.filled, scene.job.perp.filled) == (Decimal(6), Decimal(8))


def test_coins_sold_after_a_short_too_many_was_bought_back_are_naked_until_their_part_of_the_short_is_too() -> None:
    scene = closing(spot="6", perp="8", slice_notional="200")
    scene.fills().fills()
    assert (scene.order.market, scene.order.quantity) == (Market.PERP, Decimal(2))
    assert scene.job.naked_since is not None
    scene.now += timedelta(seconds=7)
    scene.fills()
    assert scene.job.worst_naked_seconds >= 7
    assert scene.job.worst_naked_notional > 190


def test_legs_that_differed_before_and_cannot_be_evened_in_time_are_said_to_differ() -> None:
    scene = closing(spot="6", perp="10")
    reject_forever(scene, None, 4)
    assert not scene.job.naked_alarmed
    reject_forever(scene, None, 4)
    assert scene.job.state is not NAKED
    assert scene.job.naked_alarmed
    assert scene.job.worst_naked_seconds == 0  # it is not the job's own doing


# --- trimming --------------------------------------------------------------------------------------------------------


def test_a_trim_sells_the_coins_too_many() -> None:
    scene = Scene(new_job(TRIM, spot="0.5", perp="0")).after(0)
    assert (scene.order.market, scene.order.side, scene.order.quantity) == (Market.SPOT, Side.SELL, Decimal("0.5"))
    assert scene.fills("0.2").order.quantity == Decimal("0.3")
    assert scene.fills().job.state is HEDGED


def test_a_trim_buys_back_the_short_too_many_even_below_the_minimum_notional() -> None:
    scene = Scene(new_job(TRIM, spot="0", perp="0.02")).after(0)
    assert (scene.order.market, scene.order.reduce_only) == (Market.PERP, True)
    assert scene.fills().job.state is HEDGED


def test_a_trim_too_small_to_sell_is_left_alone() -> None:
    assert Scene(new_job(TRIM, spot="0.04", perp="0")).after(0).job.state is HEDGED


def test_a_trim_that_finds_nothing_is_left_to_the_next_cycle() -> None:
    scene = Scene(new_job(TRIM, spot="0.5", perp="0")).after(0)
    reject_forever(scene, None, 40)
    assert scene.job.state is HEDGED


def test_a_trim_waits_for_readable_books() -> None:
    scene = Scene(new_job(TRIM, spot="0.5", perp="0"))
    scene.age = 10
    assert scene.after(0).taken.pause_seconds == 1


def test_a_trim_that_is_refused_ends_without_moving_money() -> None:
    scene = Scene(new_job(TRIM, spot="0.5", perp="0")).after(0)
    scene.idle = Decimal(1000)
    assert scene.rejects(RejectKind.MARGIN).job.state is HEDGED
    assert scene.command is None


# --- reducing --------------------------------------------------------------------------------------------------------


def test_a_reduction_closes_its_part_of_both_legs_and_ends_hedged() -> None:
    scene = Scene(new_job(ExecutionKind.REDUCE, spot="4", perp="4", urgent=True)).after(0)
    orders = [scene.order]
    while not scene.job.state.ended:
        scene.fills()
        orders += [scene.order] if scene.command else []
    assert scene.job.state is HEDGED
    assert (scene.job.spot.filled, scene.job.perp.filled) == (Decimal(4), Decimal(4))
    assert all(order.reduce_only for order in orders if order.market is Market.PERP)


def test_a_reduction_whose_short_cannot_be_bought_back_is_naked_and_loud() -> None:
    scene = Scene(new_job(ExecutionKind.REDUCE, spot="4", perp="4", urgent=True)).after(0).fills()
    reject_forever(scene, None, 31)
    assert scene.job.state is NAKED
    assert scene.job.naked_alarmed


@pytest.mark.parametrize(("floor", "sold"), [("95", True), (None, False), ("99.995", False)])
def test_coins_whose_short_is_gone_are_sold_to_bids_alone_above_a_floor_that_other_prices_support(
    floor: str | None,
    *,
    sold: bool,
) -> None:
    job = new_job(ExecutionKind.CLOSE, spot="10", perp="0", urgent=True)
    bounded = replace(job.plan, spot_floor=None if floor is None else Decimal(floor))
    scene = Scene(replace(job, plan=bounded))
    scene.spot_asks = ()
    assert (scene.after(1).command is not None) is sold


def lacking_short(floor: str | None = "95") -> Scene:
    """Return a closing of ten coins against a short of seven, before its first step."""
    job = new_job(CLOSE, spot="10", perp="7", slice_notional="100", urgent=True)
    return Scene(replace(job, plan=replace(job.plan, spot_floor=None if floor is None else Decimal(floor))))


@pytest.mark.parametrize("ceiling", [None, Decimal(99)], ids=["one-sided", "too expensive"])
def test_coins_beyond_the_short_are_sold_though_the_perpetuals_book_cannot_be_traded_on(
    ceiling: Decimal | None,
) -> None:
    scene = lacking_short()
    if ceiling is None:
        scene.perp_asks = ()
    scene.job = replace(scene.job, plan=replace(scene.job.plan, perp_ceiling=ceiling))
    assert (scene.after(1).order.market, scene.order.side, scene.order.quantity) == (Market.SPOT, Side.SELL, Decimal(3))
    assert scene.fills().command is None, "the rest has a short that cannot be bought back now"
    scene.after(121)
    assert (scene.job.state, scene.job.spot.filled, scene.job.perp.filled) == (HEDGED, Decimal(3), ZERO)


@pytest.mark.parametrize(("floor", "sold"), [("95", True), (None, False), ("99.995", False)])
def test_coins_beyond_the_short_are_not_sold_by_the_spot_book_alone(floor: str | None, *, sold: bool) -> None:
    scene = lacking_short(floor)
    scene.perp_bids = scene.perp_asks = ()
    assert (scene.after(1).command is not None) is sold


def test_coins_beyond_the_short_do_not_wait_for_the_perpetuals_host() -> None:
    scene = lacking_short()
    scene.perp_blocked, scene.spot_blocked = 600, 5
    assert scene.after(1).command is None
    scene.job = lacking_short().job
    scene.spot_blocked = 0
    assert scene.after(1).order.quantity == 3
    scene.fills()
    assert (scene.job.state, scene.job.spot.filled) == (HEDGED, Decimal(3))


def test_coins_that_exceed_the_short_by_less_than_an_order_wait_for_the_perpetuals_book() -> None:
    job = new_job(CLOSE, spot="10", perp="9.96", urgent=True)
    scene = Scene(replace(job, plan=replace(job.plan, spot_floor=Decimal(95))))
    scene.perp_asks = ()
    assert scene.after(1).command is None


# --- a perpetual that closes -----------------------------------------------------------------------------------------


def shut(scene: Scene, *, perp: TradingStatus = TradingStatus.CLOSED, spot: TradingStatus | None = None) -> Scene:
    """Let the listing show other states of the markets."""
    pair = scene.job.pair
    spots = replace(pair.spot, status=spot) if spot else pair.spot
    scene.pair = replace(pair, spot=spots, perp=replace(pair.perp, status=perp))
    return scene


@pytest.mark.parametrize("status", [TradingStatus.CLOSED, TradingStatus.PENDING])
def test_coins_whose_short_cannot_be_bought_back_in_a_closed_market_are_bought_again(status: TradingStatus) -> None:
    scene = shut(closing().fills(), perp=status).rejects(RejectKind.PERMISSION)
    assert scene.job.state is NAKED
    scene.after(5)
    assert (scene.order.market, scene.order.side, scene.order.quantity) == (Market.SPOT, Side.BUY, Decimal("4.002"))
    assert not scene.order.reduce_only
    scene.fills("1")
    assert scene.order.quantity == Decimal("3.002")
    scene.fills()
    assert (scene.job.state, scene.job.perp.filled) == (HEDGED, ZERO)
    assert 0 <= -scene.job.net_spot < scene.job.pair.spot.lot, "as many coins as before, net of the fee in coin"
    quality = quality_of(scene.job, scene.now)
    assert (quality.spot.filled, quality.fill_ratio) == (Decimal("8.002"), ZERO)


def test_a_market_that_opens_again_lets_the_closing_buy_the_rest_of_the_short_back() -> None:
    scene = shut(closing().fills()).rejects(RejectKind.PERMISSION).after(5).fills("1")
    shut(scene, perp=TradingStatus.TRADING).rejects(RejectKind.PRICE).after(60)
    assert (scene.order.market, scene.order.quantity) == (Market.PERP, Decimal("3.00"))
    assert scene.fills().job.state is HEDGED
    assert scene.job.pair.lot_step > abs(scene.job.exposure)


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
    scene = shut(closing().fills(), perp=perp, spot=spot).rejects(RejectKind.PERMISSION).after(5)
    assert (scene.order.market, scene.order.side) == (Market.PERP, Side.BUY)


def test_coins_that_were_too_many_at_first_are_not_bought_again() -> None:
    scene = closing(spot="14", perp="8").fills().fills()
    assert (scene.job.spot.filled, scene.order.market) == (Decimal(10), Market.PERP)
    shut(scene).rejects(RejectKind.PERMISSION).after(5)
    assert scene.order.quantity == Decimal("4.002")
    assert scene.fills().job.state is HEDGED
