from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import (
    SetLeverage,
    SetMarginType,
    TransferDirection,
    TransferFunds,
)
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, Preparation
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import RejectKind
from hedgerow.strategy.hedging import machine as hedging
from support.hedging_harness import ASKS, BIDS, HedgingHarness, following, leading, reject_forever
from support.toy_venue import NOON, new_job, toy_pair

OPEN, CLOSE, TRIM = ExecutionKind.OPEN, ExecutionKind.CLOSE, ExecutionKind.TRIM
LEADING, UNWINDING, PREPARING = ExecutionState.LEADING, ExecutionState.UNWINDING, ExecutionState.PREPARING
HEDGED, FLAT = ExecutionState.HEDGED, ExecutionState.FLAT


# --- preparing -------------------------------------------------------------------------------------------------------


def test_margin_type_leverage_and_transfer_come_before_the_first_order() -> None:
    transfer = TransferFunds(transfer_id="h1-t", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)
    harness = HedgingHarness(new_job(OPEN, transfer=transfer)).after(0)
    assert harness.job.state is PREPARING
    assert harness.command == SetMarginType(symbol="ABCUSDT")
    assert harness.prepared().command == SetLeverage(symbol="ABCUSDT", leverage=1)
    assert harness.prepared().command == transfer
    harness.transferred()
    assert harness.job.state is LEADING
    assert harness.order.market is Market.SPOT


def test_a_refused_preparation_ends_flat_with_the_venues_words() -> None:
    harness = HedgingHarness(new_job(OPEN)).after(0).refused()
    assert harness.job.state is FLAT
    assert harness.job.detail == "not allowed"
    assert harness.command is None


def test_a_leverage_that_is_not_the_planned_one_ends_flat() -> None:
    harness = HedgingHarness(new_job(OPEN)).after(0).prepared()
    harness.receive(ev.LeverageSet(at=harness.now, symbol="ABCUSDT", leverage=20))
    assert harness.job.state is FLAT
    assert harness.job.detail == "the leverage is 20x, not 1x"


def test_a_transfer_of_unknown_outcome_is_sent_again_under_its_own_id() -> None:
    transfer = TransferFunds(transfer_id="h1-t", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)
    harness = HedgingHarness(new_job(OPEN, transfer=transfer)).after(0).prepared().prepared()
    harness.receive(ev.TransferOutcomeUnknown(at=harness.now, transfer_id="h1-t", detail="timeout"))
    assert harness.command is None
    assert harness.taken.pause_seconds > 0
    assert harness.after(1).command == transfer


def test_preparations_that_are_never_answered_end_flat() -> None:
    harness = HedgingHarness(new_job(OPEN)).after(0).after(61)
    assert harness.job.state is FLAT
    assert "not answered in time" in harness.job.detail


def test_a_transfer_that_was_never_planned_is_our_fault() -> None:
    job = replace(new_job(OPEN), pending=(Preparation.TRANSFER,))
    with pytest.raises(InvariantBroken, match="none was planned"):
        HedgingHarness(job).after(0)


@pytest.mark.parametrize(
    ("kind", "spot", "perp"),
    [(OPEN, "1", "0"), (OPEN, "0", "1"), (OPEN, "0", "0"), (CLOSE, "0", "0"), (TRIM, "1", "1"), (TRIM, "0", "0")],
)
def test_a_plan_that_does_not_fit_its_kind_is_refused(kind: ExecutionKind, spot: str, perp: str) -> None:
    with pytest.raises(ValueError, match="cannot trade"):
        new_job(kind, spot=spot, perp=perp)


# --- opening ---------------------------------------------------------------------------------------------------------


def test_an_opening_leads_in_slices_and_follows_each_until_the_plan_is_reached() -> None:
    harness = leading()
    orders = [harness.order]
    while not harness.job.state.ended:
        harness.fills()
        orders += [harness.order] if harness.command else []
    assert harness.job.state is HEDGED
    assert [(o.market.value, o.side.value, str(o.quantity)) for o in orders] == [
        ("spot", "BUY", "3.999"),
        ("perp", "SELL", "3.99"),
        ("spot", "BUY", "3.999"),
        ("perp", "SELL", "4.00"),
        ("spot", "BUY", "2.007"),
        ("perp", "SELL", "2.01"),
    ]
    assert [o.client_id for o in orders] == ["h1-s-1", "h1-p-1", "h1-s-2", "h1-p-2", "h1-s-3", "h1-p-3"]
    assert harness.job.perp.filled == 10
    assert 0 <= harness.job.exposure < Decimal("0.005")


def test_prices_are_capped_ten_basis_points_from_the_touch_and_never_rounded_beyond() -> None:
    harness = leading()
    assert (harness.order.side, harness.order.price) == (Side.BUY, Decimal("100.11"))
    assert (harness.fills().order.side, harness.order.price) == (Side.SELL, Decimal("99.90"))


def test_a_slice_takes_at_most_its_share_of_what_both_books_show() -> None:
    harness = HedgingHarness(new_job(OPEN, slice_notional="5000"))
    harness.perp_bids = (("99.99", "5"), ("90", "1000"))
    harness.after(0).prepared().prepared()
    assert harness.order.quantity == Decimal("0.999")  # a fifth of five coins; what lies beyond the cap does not count


def test_a_remainder_below_the_smallest_slice_is_shared_by_the_last_two() -> None:
    harness = leading(spot="4.05", perp="4.04")
    assert harness.order.quantity == Decimal("2.025"), "no slice is larger than planned"


def test_a_remainder_that_could_not_be_followed_is_taken_with_the_last_slice() -> None:
    assert leading(spot="0.145", perp="0.14", slice_notional="10").order.quantity == Decimal("0.145")


def test_a_short_with_a_coarse_lot_follows_every_slice_to_its_last_lot() -> None:
    pair = toy_pair(spot_lot="0.00001", perp_lot="0.1")
    harness = (
        HedgingHarness(new_job(OPEN, pair=pair, spot="2.00081", perp="2", slice_notional="25"))
        .after(0)
        .prepared()
        .prepared()
    )
    while not harness.job.state.ended:
        harness.fills() if harness.job.working else harness.after(1)
    assert harness.job.state is HEDGED
    assert harness.job.perp.filled == 2
    assert harness.job.worst_naked_notional <= Decimal("25.1")


def test_a_client_id_goes_on_from_the_attempts_the_hedge_has_used() -> None:
    harness = HedgingHarness(new_job(CLOSE, spot="10", spot_attempts=4, perp_attempts=7)).after(0)
    assert harness.order.client_id == "h1-s-5"
    assert harness.fills().order.client_id == "h1-p-8"


def test_an_order_is_never_larger_than_the_instrument_allows() -> None:
    harness = HedgingHarness(new_job(OPEN, pair=toy_pair(max_quantity="1.5"))).after(0).prepared().prepared()
    assert harness.order.quantity == Decimal("1.5")


def test_a_first_slice_too_small_to_be_hedged_is_grown_before_it_is_followed() -> None:
    harness = leading().fills("0.02")
    assert harness.job.state is LEADING
    assert harness.order.client_id == "h1-s-2"


def test_a_plan_too_small_to_trade_ends_flat() -> None:
    harness = leading(spot="0.04", perp="0.03")
    assert harness.job.state is FLAT


def test_a_lead_that_finds_nothing_for_thirty_seconds_ends_flat_without_having_paid_more() -> None:
    harness = leading()
    reject_forever(harness, None, 60)
    assert harness.job.state is FLAT
    assert harness.job.detail == "the leading leg found no liquidity in time"
    assert (harness.now - NOON).total_seconds() == pytest.approx(31, abs=2)


def test_a_waiting_lead_never_widens_its_cap_but_a_safety_exit_does() -> None:
    harness = leading()
    harness.fills("0").after(10)
    assert harness.order.price == Decimal("100.11")
    urgent = HedgingHarness(new_job(CLOSE, spot="10", urgent=True)).after(0)
    assert urgent.order.price == Decimal("99.90")
    assert urgent.fills("0").after(3).order.price == Decimal("99.85")
    assert urgent.fills("0").after(3).order.price == Decimal("99.70")
    assert urgent.fills("0").after(54).order.price == Decimal("98.80")
    assert urgent.fills("0").after(50).order.price == Decimal("98.00")


def test_a_lead_outside_the_price_band_is_tried_again() -> None:
    harness = leading().rejects(RejectKind.PRICE)
    assert harness.job.state is LEADING
    assert harness.after(0.5).order.client_id == "h1-s-2"


@pytest.mark.parametrize("kind", [RejectKind.MARGIN, RejectKind.FILTER, RejectKind.PERMISSION, RejectKind.OTHER])
def test_a_first_slice_that_is_refused_ends_flat(kind: RejectKind) -> None:
    harness = leading().rejects(kind)
    assert harness.job.state is FLAT
    assert harness.job.detail == f"no: {kind.value}"


def test_a_later_slice_that_is_refused_leaves_a_smaller_hedge() -> None:
    harness = following().fills().rejects(RejectKind.FILTER)
    assert harness.job.state is HEDGED
    assert harness.job.perp.filled == Decimal("3.99")


@pytest.mark.parametrize("fault", ["no perp bids", "no perp asks", "no spot bids", "no spot asks", "stale"])
def test_nothing_is_led_unless_both_books_are_fresh_and_two_sided(fault: str) -> None:
    harness = HedgingHarness(new_job(OPEN)).after(0).prepared()
    if fault == "stale":
        harness.age = 4
    else:
        setattr(harness, fault.removeprefix("no ").replace(" ", "_"), ())
    harness.prepared()
    assert harness.command is None
    assert harness.taken.pause_seconds == 1
    assert harness.after(31).job.state is FLAT
    assert harness.job.detail == "no readable two-sided books in time"


def test_legs_that_differ_for_seconds_are_matched_on_a_book_that_no_newer_one_replaces() -> None:
    harness = HedgingHarness(new_job(OPEN)).after(0).prepared().prepared()
    harness.age = 10
    harness.fills()
    assert harness.command is None
    assert harness.after(3).order.market is Market.PERP
    older = HedgingHarness(new_job(OPEN)).after(0).prepared().prepared()
    older.age = 61
    assert older.fills().after(3).command is None


# --- books that move apart ------------------------------------------------------------------------------------------


def shifted(levels: tuple[tuple[str, str], ...], factor: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(Decimal(price) * Decimal(factor)), quantity) for price, quantity in levels)


def priced(harness: HedgingHarness, *, spot: str = "1", perp: str = "1") -> HedgingHarness:
    """Multiply all prices of each book by a factor."""
    harness.spot_bids, harness.spot_asks = shifted(BIDS, spot), shifted(ASKS, spot)
    harness.perp_bids, harness.perp_asks = shifted(BIDS, perp), shifted(ASKS, perp)
    return harness


@pytest.mark.parametrize(("spot", "perp"), [("1.2", "1"), ("1.03", "1"), ("1", "0.97"), ("1", "0.8")])
def test_an_opening_buys_no_coins_in_a_wick_that_the_perpetual_does_not_follow(spot: str, perp: str) -> None:
    harness = priced(following(), spot=spot, perp=perp).fills()
    assert (harness.job.state, harness.command, harness.taken.pause_seconds) == (LEADING, None, 1)
    assert priced(harness).after(5).order.market is Market.SPOT


def test_an_opening_whose_books_stay_apart_is_left_with_what_is_hedged() -> None:
    harness = priced(following(), spot="1.2").fills().after(31)
    assert (harness.job.state, harness.job.detail) == (HEDGED, "the prices of its books have moved apart")
    assert harness.job.perp.filled == Decimal("3.99")


@pytest.mark.parametrize(("spot", "perp"), [("1", "0.97"), ("1", "0.8"), ("1.2", "1")])
def test_coins_are_not_hedged_in_a_wick_of_one_book_but_once_it_is_over_or_sold_again(spot: str, perp: str) -> None:
    harness = priced(leading(), spot=spot, perp=perp).fills()
    assert (harness.job.state, harness.command, harness.taken.pause_seconds) == (ExecutionState.FOLLOWING, None, 1)
    back = priced(harness).after(1).order
    assert (back.market, back.side) == (Market.PERP, Side.SELL)
    harness = priced(leading(), spot=spot, perp=perp).fills().after(ExecutionLimits().flatten_after_seconds + 1)
    assert (harness.order.market, harness.order.side) == (Market.SPOT, Side.SELL)


def test_a_naked_opening_that_cannot_be_taken_back_takes_the_prices_that_there_are() -> None:
    harness = priced(leading(), perp="0.8").fills()
    harness.job, harness.spot_bids = replace(harness.job, state=ExecutionState.NAKED, lead_done=True), ()
    assert harness.after(1).order.market is Market.PERP


@pytest.mark.parametrize(("spot", "perp"), [("1.01", "1"), ("1.2", "1.2"), ("0.8", "0.8"), ("0.9", "1"), ("1", "1.1")])
def test_an_opening_goes_on_while_its_books_move_together_or_for_the_better(spot: str, perp: str) -> None:
    assert priced(following(), spot=spot, perp=perp).fills().order.market is Market.SPOT


def test_an_opening_of_an_older_log_goes_on_without_the_prices_that_it_was_planned_at() -> None:
    harness = following()
    harness.job = replace(harness.job, plan=replace(harness.job.plan, entry_discount=None))
    assert priced(harness, spot="1.2").fills().order.market is Market.SPOT


# --- settlement ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "pause"), [(-59, 119), (-1, 61), (0, 60), (59, 1)])
def test_no_slice_is_led_within_a_minute_of_a_settlement(seconds: int, pause: int) -> None:
    at = datetime(2026, 1, 5, 16, tzinfo=UTC) + timedelta(seconds=seconds)
    harness = HedgingHarness(new_job(CLOSE, spot="10", at=at)).after(0)
    assert harness.command is None
    assert harness.taken.pause_seconds == min(pause, 10), "others may trade its legs meanwhile"
    assert harness.after(pause).order.market is Market.SPOT, "waiting for a settlement uses up no patience"


@pytest.mark.parametrize("seconds", [-60, 60])
def test_a_minute_away_from_a_settlement_is_enough(seconds: int) -> None:
    at = datetime(2026, 1, 5, 16, tzinfo=UTC) + timedelta(seconds=seconds)
    assert HedgingHarness(new_job(CLOSE, spot="10", at=at)).after(0).order.market is Market.SPOT


def test_the_guard_follows_the_symbols_own_interval() -> None:
    at = datetime(2026, 1, 5, 13, tzinfo=UTC)
    assert HedgingHarness(new_job(CLOSE, spot="10", at=at, interval_hours=1)).after(0).command is None
    assert HedgingHarness(new_job(CLOSE, spot="10", at=at, interval_hours=8)).after(0).command is not None


def test_safety_exits_and_a_guard_of_zero_do_not_wait_for_a_settlement() -> None:
    at = datetime(2026, 1, 5, 16, tzinfo=UTC)
    assert HedgingHarness(new_job(CLOSE, spot="10", at=at, urgent=True)).after(0).command is not None
    unguarded = ExecutionLimits(settlement_guard_seconds=0)
    assert HedgingHarness(new_job(CLOSE, spot="10", at=at, limits=unguarded)).after(0).command is not None


def test_a_closing_whose_leg_others_took_does_not_wait_for_a_settlement() -> None:
    at = datetime(2026, 1, 5, 16, tzinfo=UTC)
    harness = HedgingHarness(new_job(CLOSE, spot="10", at=at)).after(0)
    harness.leg_taken = True
    assert harness.after(10).job.state is HEDGED
    assert harness.job.detail == "a settlement is too close"


def test_a_fill_is_followed_in_the_middle_of_a_settlement() -> None:
    harness = leading()
    harness.now = datetime(2026, 1, 5, 16, tzinfo=UTC)
    harness.fills()
    assert harness.order.market is Market.PERP


def test_coins_that_cannot_be_hedged_before_a_settlement_are_sold_rather_than_held_naked() -> None:
    pair = toy_pair(spot_minimum="5", perp_minimum="20")
    harness = HedgingHarness(new_job(OPEN, pair=pair)).after(0).prepared().prepared()
    harness.now = datetime(2026, 1, 5, 15, 59, 30, tzinfo=UTC)
    harness.fills("0.15")  # 15 USDT: more than the spot minimum, less than the perpetual's
    assert harness.job.state is UNWINDING
    assert harness.job.detail == "a settlement is too close"
    assert (harness.order.market, harness.order.side) == (Market.SPOT, Side.SELL)
    assert harness.fills().job.state is FLAT


# --- the table -------------------------------------------------------------------------------------------------------


def test_the_table_can_be_read_by_people() -> None:
    rows = hedging.table()
    assert ("LEADING", "order outcome unknown", "resolve", "RESOLVING") in rows
    assert all(all(row) for row in rows)
    assert len(rows) == sum(len(row) for row in hedging.TRANSITIONS.values())
