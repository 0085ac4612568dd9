"""What may be naked while nobody knows what became of an order."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import ExecutionKind, ExecutionPlan, ExecutionState, HedgeExecution, LegProgress
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest
from hedgerow.strategy.hedging.orders import Surroundings, at_risk, fresh_touch, surplus, tracked, unhedged
from support.toy_venue import depth_of, new_job, toy_pair
from support.views import NOW

FREE = replace(toy_pair().spot, fees=replace(toy_pair().spot.fees, taker=Decimal(0)))


def job(market: Market, side: Side, *, coins: int, short: int, state: ExecutionState) -> HedgeExecution:
    """Return an opening whose order of four coins is at work."""
    request = OrderRequest(
        client_id="h1-x-1", market=market, symbol="ABCUSDT", side=side, quantity=Decimal(4), price=Decimal(100)
    )
    return replace(
        new_job(pair=replace(toy_pair(), spot=FREE)),
        state=state,
        spot=LegProgress(filled=Decimal(coins)),
        perp=LegProgress(filled=Decimal(short)),
        working=PlaceOrder(hedge_id="h1", order=request),
    )


@pytest.mark.parametrize(
    ("market", "side", "coins", "short", "risk"),
    [
        (Market.SPOT, Side.BUY, 0, 0, 4),
        (Market.SPOT, Side.BUY, 4, 4, 4),
        (Market.PERP, Side.SELL, 4, 0, 4),
        (Market.PERP, Side.SELL, 1, 0, 3),
        (Market.SPOT, Side.SELL, 4, 0, 4),
        (Market.SPOT, Side.SELL, 4, 4, 4),
    ],
)
def test_an_order_without_an_outcome_counts_as_filled_where_that_is_worse(
    market: Market, side: Side, coins: int, short: int, risk: int
) -> None:
    assert at_risk(job(market, side, coins=coins, short=short, state=ExecutionState.RESOLVING)) == risk


@pytest.mark.parametrize("state", [ExecutionState.LEADING, ExecutionState.FOLLOWING])
def test_an_order_that_is_only_at_work_counts_when_it_has_ended(state: ExecutionState) -> None:
    assert at_risk(job(Market.SPOT, Side.BUY, coins=4, short=4, state=state)) == 0


def test_a_job_with_nothing_at_work_risks_what_is_naked() -> None:
    idle = replace(job(Market.SPOT, Side.BUY, coins=4, short=1, state=ExecutionState.RESOLVING), working=None)
    assert at_risk(idle) == 3


# --- since when ------------------------------------------------------------------------------------------------------

LONG_AGO = NOW - timedelta(seconds=60)


def seen(job: HedgeExecution, *, at: datetime = NOW, happened_at: datetime | None = None) -> HedgeExecution:
    book = depth_of(Market.SPOT, [(Decimal(100), Decimal(9))], [(Decimal(101), Decimal(9))], at)
    return tracked(job, Surroundings(at=at, spot=book, happened_at=happened_at))


def lone_job(kind: ExecutionKind, *, spot: int, perp: int, naked_since: datetime | None) -> HedgeExecution:
    """Return a job of one leg; the other one was lost before it."""
    plan = ExecutionPlan(spot_quantity=Decimal(spot), perp_quantity=Decimal(perp), slice_notional=Decimal(50))
    state = ExecutionState.LEADING if spot else ExecutionState.FOLLOWING
    return replace(new_job(), kind=kind, plan=plan, state=state, naked_since=naked_since)


def test_a_leg_is_naked_from_its_fill_on_and_no_longer_than_until_the_other_one_filled() -> None:
    idle = replace(job(Market.SPOT, Side.BUY, coins=4, short=0, state=ExecutionState.FOLLOWING), working=None)
    naked = seen(idle, happened_at=LONG_AGO)
    assert (naked.naked_since, naked.worst_naked_seconds, naked.naked_alarmed) == (LONG_AGO, 60.0, True)
    hedged = seen(replace(naked, perp=LegProgress(filled=Decimal(4))), happened_at=LONG_AGO + timedelta(seconds=2))
    assert (hedged.naked_since, hedged.naked_seconds) == (None, 2.0)
    assert seen(idle).naked_since == NOW
    assert seen(idle, happened_at=NOW + timedelta(hours=1)).worst_naked_seconds == 0


def test_what_was_naked_while_nobody_looked_is_worth_at_least_what_was_paid_for_it() -> None:
    idle = replace(job(Market.SPOT, Side.BUY, coins=4, short=0, state=ExecutionState.FOLLOWING), working=None)
    dear = replace(idle, spot=replace(idle.spot, notional=Decimal(800)))
    assert seen(dear, happened_at=NOW - timedelta(hours=1)).worst_naked_notional > 790
    assert seen(dear, happened_at=NOW - timedelta(seconds=1)).worst_naked_notional < 410
    unknown = job(Market.SPOT, Side.BUY, coins=0, short=0, state=ExecutionState.RESOLVING)
    assert seen(unknown, happened_at=NOW - timedelta(hours=1)).worst_naked_notional > 0, "nothing was paid yet"


def test_a_lone_leg_of_which_nothing_filled_yet_is_measured_though_nobody_looked_for_a_while() -> None:
    lone = lone_job(ExecutionKind.CLOSE, spot=4, perp=0, naked_since=LONG_AGO)
    assert seen(lone, happened_at=LONG_AGO).worst_naked_notional > 0


@pytest.mark.parametrize(("spot", "perp"), [(4, 0), (0, 4)])
@pytest.mark.parametrize("kind", [ExecutionKind.CLOSE, ExecutionKind.TRIM])
def test_what_is_left_of_a_leg_is_naked_since_the_other_one_was_lost(kind: ExecutionKind, spot: int, perp: int) -> None:
    naked = seen(lone_job(kind, spot=spot, perp=perp, naked_since=LONG_AGO))
    assert (naked.worst_naked_seconds, naked.worst_naked_notional > 0, naked.naked_alarmed) == (60.0, True, True)
    done = {"spot": LegProgress(filled=Decimal(spot)), "perp": LegProgress(filled=Decimal(perp))}
    over = seen(replace(naked, **done))
    assert (over.naked_since, over.naked_seconds, surplus(over)) == (None, 60.0, Decimal(0))


def test_a_lone_leg_of_which_nobody_knows_when_the_other_was_lost_is_not_counted() -> None:
    unknown = lone_job(ExecutionKind.CLOSE, spot=4, perp=0, naked_since=None)
    assert seen(unknown).worst_naked_seconds == 0


# --- what an alarm says ----------------------------------------------------------------------------------------------


def in_alarm(before: HedgeExecution, after: HedgeExecution | None = None, *, books: bool = True) -> tuple[object, ...]:
    """Return quantity, the part in doubt, and the price."""
    book = depth_of(Market.SPOT, [(Decimal(100), Decimal(9))], [(Decimal(101), Decimal(9))], NOW)
    found = unhedged(before, after or before, Surroundings(at=NOW, spot=book if books else None))
    return found.quantity, found.in_doubt, found.price


def test_an_alarm_tells_what_is_unhedged_from_what_an_order_in_doubt_may_leave_so() -> None:
    idle = replace(job(Market.SPOT, Side.BUY, coins=4, short=0, state=ExecutionState.FOLLOWING), working=None)
    assert in_alarm(idle) == (4, 0, 101)
    assert in_alarm(job(Market.SPOT, Side.BUY, coins=0, short=0, state=ExecutionState.RESOLVING)) == (4, 4, 101)
    assert in_alarm(job(Market.PERP, Side.SELL, coins=1, short=0, state=ExecutionState.RESOLVING)) == (3, 2, 101)
    crumbs = replace(idle, spot=LegProgress(filled=Decimal("4.001")), perp=LegProgress(filled=Decimal(4)))
    unknown = job(Market.PERP, Side.SELL, coins=0, short=0, state=ExecutionState.RESOLVING)
    assert in_alarm(replace(unknown, spot=crumbs.spot, perp=crumbs.perp))[1] == Decimal("3.999"), "crumbs are no leg"


def test_an_alarm_about_what_has_just_been_hedged_tells_what_it_was() -> None:
    naked = replace(job(Market.SPOT, Side.BUY, coins=4, short=0, state=ExecutionState.FOLLOWING), working=None)
    assert in_alarm(naked, replace(naked, perp=LegProgress(filled=Decimal(4)))) == (4, 0, 101)


def test_an_alarm_about_a_closing_tells_what_others_took_as_well() -> None:
    assert in_alarm(lone_job(ExecutionKind.CLOSE, spot=0, perp=4, naked_since=LONG_AGO))[:2] == (4, 0)
    uneven = lone_job(ExecutionKind.CLOSE, spot=1, perp=4, naked_since=None)
    assert in_alarm(uneven)[:2] == (3, 0)
    assert in_alarm(uneven, books=False) == (3, 0, None)


def test_a_book_from_the_future_is_not_fresh() -> None:
    for seconds, fresh in ((0.0, True), (0.9, True), (2.0, False), (-1.0, True), (-60.0, False)):
        book = depth_of(
            Market.SPOT, [(Decimal(100), Decimal(9))], [(Decimal(101), Decimal(9))], NOW + timedelta(seconds=seconds)
        )
        touch = fresh_touch(new_job(), Surroundings(at=NOW, spot=book), Market.SPOT, Side.BUY)
        assert (touch is not None) is fresh


@pytest.mark.parametrize(
    ("state", "perp", "age", "seconds", "fresh"),
    [
        (ExecutionState.FOLLOWING, 4, 60, 3, True),
        (ExecutionState.FOLLOWING, 4, 61, 3, False),
        (ExecutionState.FOLLOWING, 4, 10, 2, False),
        (ExecutionState.FOLLOWING, 4, 10, None, False),
        (ExecutionState.LEADING, 4, 10, 3, False),
        (ExecutionState.LEADING, 0, 10, 3, True),
    ],
)
def test_an_old_book_matches_legs_that_differ_and_leads_no_slice_of_both(
    state: ExecutionState, perp: int, age: int, seconds: int | None, *, fresh: bool
) -> None:
    since = None if seconds is None else NOW - timedelta(seconds=seconds)
    plan = ExecutionPlan(spot_quantity=Decimal(4), perp_quantity=Decimal(perp), slice_notional=Decimal(500))
    held = replace(new_job(), kind=ExecutionKind.CLOSE, plan=plan, state=state, naked_since=since)
    book = depth_of(
        Market.SPOT, [(Decimal(100), Decimal(9))], [(Decimal(101), Decimal(9))], NOW - timedelta(seconds=age)
    )
    touch = fresh_touch(held, Surroundings(at=NOW, spot=book), Market.SPOT, Side.SELL)
    assert (touch is not None) is fresh
