from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import CancelOrder, SetLeverage, TransferDirection, TransferFunds
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import (
    DoubtfulOrder,
    ExecutionKind,
    ExecutionLimits,
    ExecutionState,
    ExecutionStyle,
    HedgeExecution,
    Preparation,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus, RejectKind, TimeInForce
from hedgerow.strategy.hedging import machine as hedging
from hedgerow.strategy.hedging.machine import TRANSITIONS, Happening, Signal, Surroundings
from hedgerow.strategy.hedging.orders import ordered, place
from support.drawing import examples
from support.toy_venue import NOON, ToyVenue, depth_of, new_job, restarted, toy_pair
from support.toy_walk import walk

PAIRS = {
    "fine spot": toy_pair(),
    "coarse perpetual": toy_pair(spot_lot="0.1", perp_lot="10", tick="0.0001"),
    "coarse spot": toy_pair(spot_lot="10", perp_lot="0.1", tick="0.0001"),
    "large perpetual minimum": toy_pair(spot_minimum="5", perp_minimum="20"),
    "small orders only": toy_pair(spot_minimum="10", max_quantity="3"),
    "lots without a common factor": toy_pair(spot_lot="0.3", perp_lot="0.2"),
    "no fee": toy_pair(fee="0"),
    "fee in quote": toy_pair(fee_in_quote=True),
}
PRICES = {"coarse perpetual": Decimal(1), "coarse spot": Decimal(1)}
WORK = (
    "open",
    "open, perpetual first",
    "close",
    "close spot",
    "close perp",
    "trim spot",
    "trim perp",
    "close unequal",
    "close surplus",
)
TIMES = (0, 4 * 3600 - 200, 4 * 3600 - 50, 4 * 3600 + 10)
"""Seconds after noon: far from the settlement at 16:00, shortly before, inside the guard on either side."""


def planned(work: str, name: str, notional: int, **options: bool | int | str) -> tuple[HedgeExecution, Decimal]:
    """Return the job and the price of the coin."""
    pair, price = PAIRS[name], PRICES.get(name, Decimal(100))
    short = max(pair.perp.floor_quantity(notional / price), pair.perp.lot)
    gross = pair.gross_spot_for(short)
    coins = gross * (1 - pair.spot.fees.taker)
    quantities = {
        "open": (gross, short),
        "open, perpetual first": (gross, short),
        "close": (coins, short),
        "close spot": (coins, ZERO),
        "close perp": (ZERO, short),
        "close unequal": (coins, short + 3 * pair.perp.lot),
        "close surplus": (coins, pair.perp.floor_quantity(short * Decimal("0.6"))),
        "trim spot": (gross, ZERO),
        "trim perp": (ZERO, short),
    }
    spot, perp = quantities[work]
    job = new_job(
        ExecutionKind(work.replace(",", " ").split(maxsplit=1)[0]),
        pair=pair,
        spot=spot,
        perp=perp,
        lead=Market.PERP if work.endswith("perpetual first") else Market.SPOT,
        slice_notional=str(options.get("slice_notional", "200")),
        urgent=bool(options.get("urgent")),
        at=NOON + timedelta(seconds=int(options.get("second", 0))),
        limits=ExecutionLimits(
            settlement_guard_seconds=float(options.get("guard", 60)),
            style=ExecutionStyle(str(options.get("style", "taker"))),
            max_resting_loss_usd=Decimal(str(options.get("resting_loss", "1000"))),
        ),
    )
    return job, price


@settings(max_examples=examples(400), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(
    work="close",
    name="fine spot",
    notional=30,
    slice_notional="20",
    urgent=True,
    second=0,
    guard=0,
    chaos=1.0,
    crash=0.0,
    healthy_after=200,
    style="maker",
    resting_loss="4",
    seed=6181827,
)
@given(
    work=st.sampled_from(WORK),
    name=st.sampled_from(sorted(PAIRS)),
    notional=st.sampled_from([30, 100, 1000, 3000]),
    slice_notional=st.sampled_from(["20", "200", "5000"]),
    urgent=st.booleans(),
    second=st.sampled_from(TIMES),
    guard=st.sampled_from([0, 60]),
    chaos=st.sampled_from([0.0, 0.1, 0.4, 0.8, 1.0]),
    crash=st.sampled_from([0.0, 0.1]),
    healthy_after=st.sampled_from([30, 200]),
    style=st.sampled_from(sorted(ExecutionStyle)),
    resting_loss=st.sampled_from(["4", "60", "1000"]),
    seed=st.integers(0, 2**32),
)
def test_whatever_a_venue_does_a_job_ends_balanced_once_the_venue_is_healthy(
    work: str,
    name: str,
    notional: int,
    *,
    chaos: float,
    crash: float,
    healthy_after: int,
    seed: int,
    **options: bool | int | str,
) -> None:
    job, price = planned(work, name, notional, **options)
    venue = ToyVenue(job, random=Random(seed), chaos=chaos, price=price)
    ended = walk(job, venue, crash=crash, healthy_after=healthy_after)
    note(f"{ended.state.value} after {len(venue.orders)} orders")


@settings(max_examples=examples(60), deadline=None)
@given(
    work=st.sampled_from(["open", "open, perpetual first", "close"]),
    name=st.sampled_from(sorted(PAIRS)),
    second=st.sampled_from(TIMES),
    crash=st.sampled_from([0.0, 0.2]),
    style=st.sampled_from(sorted(ExecutionStyle)),
    seed=st.integers(0, 2**32),
)
def test_a_healthy_venue_brings_a_job_to_exactly_its_plan_even_if_the_process_dies(
    work: str, name: str, second: int, crash: float, style: str, seed: int
) -> None:
    job, price = planned(work, name, 1000, second=second, style=style)
    venue = ToyVenue(job, random=Random(seed), chaos=0.0, price=price)
    ended = walk(job, venue, crash=crash, downtimes=(0.5,))
    # What rests may fill up to a rest, and by a part, that are too small for orders of their own.
    smallest = job.pair.min_notional / venue.price if style == ExecutionStyle.MAKER else ZERO
    short_of = 2 * (smallest and max(smallest, job.pair.perp.lot) + job.pair.perp.lot)
    if job.kind is ExecutionKind.OPEN:
        assert 0 <= job.plan.perp_quantity - venue.short <= short_of
        assert ended.state is ExecutionState.HEDGED
        # A short that led is bought back to its lot, so that the coins may lack less than one.
        lacking = job.pair.perp.lot if short_of and job.lead is Market.PERP else ZERO
        assert -lacking <= venue.coins - venue.short < job.pair.spot.lot + short_of
    else:
        assert venue.perp_traded == job.plan.perp_quantity
        assert ended.state is ExecutionState.FLAT
        assert venue.coins < job.pair.spot.lot + smallest


@settings(max_examples=examples(40), deadline=None)
@given(seed=st.integers(0, 2**32), taken_after=st.integers(0, 12), chaos=st.sampled_from([0.0, 0.3]))
def test_a_short_that_is_taken_away_while_closing_does_not_trap_the_job(
    seed: int, taken_after: int, chaos: float
) -> None:
    job, price = planned("close", "fine spot", 3000)
    venue = ToyVenue(job, random=Random(seed), chaos=chaos, price=price)
    venue.taken_after = taken_after
    ended = walk(job, venue)
    assert ended.state.ended


@settings(max_examples=examples(60), deadline=None)
@example(seed=1892211, name="fine spot", closed_after=3, chaos=0.3, work="open, perpetual first")
@example(seed=208, name="fee in quote", closed_after=5, chaos=0.3, work="open")
@example(seed=3796492459, name="lots without a common factor", closed_after=0, chaos=0.3, work="close")
@example(seed=391031635, name="large perpetual minimum", closed_after=3, chaos=0.3, work="close")
@example(seed=2701926032, name="coarse spot", closed_after=2, chaos=0.3, work="open, perpetual first")
@example(seed=1323065427, name="fine spot", closed_after=8, chaos=0.3, work="open, perpetual first")
@given(
    seed=st.integers(0, 2**32),
    name=st.sampled_from(sorted(PAIRS)),
    closed_after=st.integers(0, 12),
    chaos=st.sampled_from([0.0, 0.3]),
    work=st.sampled_from(["open", "open, perpetual first", "close", "close unequal", "close surplus"]),
)
def test_a_perpetual_that_closes_for_good_leaves_no_leg_without_the_other(
    seed: int, name: str, closed_after: int, chaos: float, work: str
) -> None:
    job, price = planned(work, name, 3000)
    venue = ToyVenue(job, random=Random(seed), chaos=chaos, price=price)
    venue.closed_after = closed_after
    ended = walk(job, venue)
    assert ended.state.ended


# --- the table itself ------------------------------------------------------------------------------------------------

EVENTS: dict[str, Happening] = {
    "tick": None,
    "prepared": ev.LeverageSet(at=NOON, symbol="ABCUSDT", leverage=1),
    "dead man": ev.DeadManArmed(at=NOON, symbol="ABCUSDT", seconds=120),
    "margin type": ev.MarginTypeSet(at=NOON, symbol="ABCUSDT"),
    "transferred": ev.FundsTransferred(
        at=NOON, transfer_id="t", amount=Decimal(1), direction=TransferDirection.SPOT_TO_PERP
    ),
    "transfer unknown": ev.TransferOutcomeUnknown(at=NOON, transfer_id="t", detail=""),
    "cancel refused": ev.CommandRefused(
        at=NOON, command=CancelOrder(market=Market.PERP, symbol="ABCUSDT", client_id="h1-p-1"), code=-2011, detail=""
    ),
    "refused": ev.CommandRefused(at=NOON, command=SetLeverage(symbol="ABCUSDT", leverage=1), code=-1, detail="no"),
    "accepted": ev.OrderAccepted(at=NOON, client_id="h1-p-1", order_id=1),
    "progressed": ev.OrderProgressed(
        at=NOON, client_id="h1-p-1", order_id=1, filled_quantity=Decimal(1), filled_notional=Decimal(100)
    ),
    "unknown": ev.OrderOutcomeUnknown(at=NOON, client_id="h1-p-1", detail=""),
    "doubtful": ev.OrderOutcomeUnknown(
        at=NOON, client_id="h1-p-1", detail="", may_land_until=NOON + timedelta(seconds=65)
    ),
    "filled": ev.OrderEnded(
        at=NOON,
        client_id="h1-p-1",
        order_id=1,
        status=OrderStatus.FILLED,
        filled_quantity=Decimal(2),
        filled_notional=Decimal(200),
    ),
    "partial": ev.OrderEnded(
        at=NOON,
        client_id="h1-p-1",
        order_id=1,
        status=OrderStatus.EXPIRED,
        filled_quantity=Decimal(1),
        filled_notional=Decimal(100),
    ),
    "nothing": ev.OrderEnded(at=NOON, client_id="h1-p-1", order_id=1, status=OrderStatus.EXPIRED),
    "rejected": ev.OrderEnded(
        at=NOON, client_id="h1-p-1", order_id=None, status=OrderStatus.REJECTED, reject=RejectKind.FILTER
    ),
}
BOOKS = Surroundings(
    at=NOON,
    spot=depth_of(Market.SPOT, [("99.99", "40")], [("100.01", "40")]),
    perp=depth_of(Market.PERP, [("99.99", "40")], [("100.01", "40")]),
)
TRANSFER = TransferFunds(transfer_id="t", amount=Decimal(1), direction=TransferDirection.SPOT_TO_PERP)


def standing_in(state: ExecutionState, kind: ExecutionKind, event: Happening) -> HedgeExecution:
    """Return a job in ``state`` with four coins led, two followed, and an order at work if the event is about one."""
    if state in {ExecutionState.PREPARING, ExecutionState.UNWINDING}:
        kind = ExecutionKind.OPEN  # nothing else is prepared or unwound
    plans = {ExecutionKind.TRIM: ("0", "10")}
    spot, perp = plans.get(kind, ("10.005", "10"))
    job = new_job(kind, spot=spot, perp=perp, transfer=TRANSFER if kind is ExecutionKind.OPEN else None)
    led = replace(job.spot, filled=Decimal(4), notional=Decimal(400))
    followed = replace(job.perp, filled=Decimal(2), notional=Decimal(200))
    if state in {ExecutionState.RESTING, ExecutionState.CANCELLING}:
        resting = ordered(job, Market.PERP, Side.SELL, Decimal(2), Decimal(100), time_in_force=TimeInForce.GTX)
        return replace(resting.job, state=state)
    if state is ExecutionState.PREPARING:
        return replace(job, state=state, pending=(Preparation.LEVERAGE,))
    gave_up = state in {ExecutionState.UNWINDING, ExecutionState.NAKED}
    job = replace(job, state=state, spot=led, perp=followed, lead_done=gave_up)
    about_an_order = isinstance(event, ev.OrderAccepted | ev.OrderProgressed | ev.OrderOutcomeUnknown | ev.OrderEnded)
    if state is ExecutionState.IN_DOUBT:
        sent = place(job, BOOKS, Market.PERP, Decimal(2)).job.working
        assert sent
        return replace(job, resume=ExecutionState.FOLLOWING, doubtful=(DoubtfulOrder(command=sent, until=NOON),))
    if about_an_order or state is ExecutionState.RESOLVING:
        job = replace(job, working=place(job, BOOKS, Market.PERP, Decimal(2)).job.working)
    if state is ExecutionState.RESOLVING:
        return replace(job, resume=ExecutionState.FOLLOWING)
    return job


@pytest.mark.parametrize("kind", ExecutionKind)
@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("state", ExecutionState)
def test_a_signal_is_in_the_table_or_refused(state: ExecutionState, name: str, kind: ExecutionKind) -> None:
    event = EVENTS[name]
    job = standing_in(state, kind, event)
    before = restarted(job)
    rule = TRANSITIONS[state].get(hedging.signal_of(job, event))
    if rule is None:
        with pytest.raises(InvariantBroken, match="cannot happen while"):
            hedging.step(job, event, BOOKS)
    else:
        assert hedging.step(job, event, BOOKS).job.state in rule.leads_to
    assert job == before, "a step leaves the job it was given as it was"


def test_every_state_has_a_row_and_only_the_ends_have_none() -> None:
    assert set(TRANSITIONS) == set(ExecutionState)
    assert {state for state, row in TRANSITIONS.items() if not row} == {ExecutionState.HEDGED, ExecutionState.FLAT}


def test_every_state_on_the_way_can_be_left_by_the_passing_of_time_alone_or_by_an_answer() -> None:
    for state, row in TRANSITIONS.items():
        if not state.ended:
            assert Signal.TICK in row
            assert any(rule.leads_to - {state} for rule in row.values())


@example(state=ExecutionState.FOLLOWING)
@given(state=st.sampled_from(sorted(ExecutionState)))
def test_an_event_about_another_order_is_refused(state: ExecutionState) -> None:
    event = EVENTS["filled"]
    job = standing_in(state, ExecutionKind.OPEN, event)
    stranger = replace(event, client_id="h1-p-0")  # type: ignore[type-var]  # "filled" is an OrderEnded
    with pytest.raises(InvariantBroken):
        hedging.step(job, stranger, BOOKS)
