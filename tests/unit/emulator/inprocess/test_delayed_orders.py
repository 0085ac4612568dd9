"""Answers that come twice, orders that land late, settlements that are charged early, and a venue that calms down."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import Command, PlaceOrder
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import Event, OrderAccepted, OrderEnded, OrderOutcomeUnknown
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator import EmulatedVenue, FaultPlan
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import LaggingBalances, Read, ReadFault, SubmitFault
from support.orders import order, place
from support.worlds import START, SYMBOL, make_venue, make_world

NONCE_VALIDITY = 8.0


def venue_with(*submits: SubmitFault, **arguments: Any) -> EmulatedVenue:
    return make_venue(faults=FaultPlan(submits=submits), **arguments)


def run(venue: EmulatedVenue, command: Command) -> tuple[Event, ...]:
    assert isinstance(venue.clock, VirtualClock)
    return run_virtual(venue.clock, venue.submit(command))


def resolved(venue: EmulatedVenue, command: PlaceOrder, after_seconds: float) -> Event:
    assert isinstance(venue.clock, VirtualClock)
    venue.clock.advance_time(after_seconds)
    (event,) = run_virtual(venue.clock, venue.resolve(command.order))
    return event


def buy() -> PlaceOrder:
    return place(order(Market.SPOT, Side.BUY, "1", "101", client_id="h1-s-1"))


def test_a_late_order_lands_at_its_own_time_and_is_found_then() -> None:
    fault = SubmitFault(fault=FaultKind.LATE, seconds=5.0)
    venue, command = venue_with(fault, certain_after_seconds=NONCE_VALIDITY), buy()
    (answer,) = run(venue, command)
    assert isinstance(answer, OrderOutcomeUnknown)
    assert isinstance(resolved(venue, command, 4.0), OrderOutcomeUnknown), "it could still arrive"
    assert venue.world.fills(Market.SPOT, SYMBOL, START) == ()
    ended = resolved(venue, command, 2.0)
    assert isinstance(ended, OrderEnded)
    assert ended.status is OrderStatus.FILLED
    assert ended.at == START + timedelta(seconds=5)


def test_an_order_whose_nonce_is_dead_never_lands() -> None:
    fault = SubmitFault(fault=FaultKind.LATE, seconds=NONCE_VALIDITY)
    venue, command = venue_with(fault, certain_after_seconds=NONCE_VALIDITY), buy()
    run(venue, command)
    ended = resolved(venue, command, 60.0)
    assert isinstance(ended, OrderEnded)
    assert (ended.status, ended.filled_quantity) == (OrderStatus.EXPIRED, Decimal(0))


def test_a_late_order_that_is_refused_on_arrival_was_never_there() -> None:
    fault = SubmitFault(fault=FaultKind.LATE, seconds=1.0)
    venue = venue_with(fault, certain_after_seconds=NONCE_VALIDITY)
    command = place(order(Market.SPOT, Side.SELL, "1", "99", client_id="h1-s-1"))
    run(venue, command)
    ended = resolved(venue, command, 20.0)
    assert isinstance(ended, OrderEnded)
    assert ended.order_id is None


def test_a_repeated_report_is_of_one_order() -> None:
    venue, command = venue_with(SubmitFault(fault=FaultKind.REPEATED)), buy()
    events = run(venue, command)
    assert [type(event) for event in events] == [OrderAccepted, OrderEnded] * 2
    assert events[:2] == events[2:]
    assert len(venue.world.fills(Market.SPOT, SYMBOL, START)) == 1


def test_a_calm_venue_injects_no_more_and_hides_nothing() -> None:
    plan = FaultPlan(
        submits=(SubmitFault(fault=FaultKind.REPEATED, times=9),),
        reads=(ReadFault(read=Read.ACCOUNT, times=9),),
        lagging=LaggingBalances(seconds=1e6),
    )
    venue = make_venue(faults=plan)
    assert isinstance(venue.clock, VirtualClock)
    assert len(run(venue, buy())) == 4
    with pytest.raises(VenueError):
        run_virtual(venue.clock, venue.account())
    assert venue.faulted == 2
    venue.calm()
    assert run_virtual(venue.clock, venue.account()).coin("AAA").total > 0
    assert venue.faulted == 0


@pytest.mark.parametrize(("lead", "delay"), [(15.0, 0.0), (15.0, 15.0), (0.0, 15.0)])
def test_a_settlement_is_charged_within_its_jitter_and_once(lead: float, delay: float) -> None:
    world = make_world(start=START + timedelta(hours=1), settlement_lead_seconds=lead, settlement_delay_seconds=delay)
    world.set_leverage(SYMBOL, 1)
    world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal(1))
    stamps = [START + timedelta(hours=8 * n) for n in range(1, 10)]
    for stamp in stamps:
        for seconds in (-20, -7, 0, 7, 20):
            world.advance(stamp + timedelta(seconds=seconds))
    off = [(paid.at - stamp).total_seconds() for paid, stamp in zip(world.funding_payments(START), stamps, strict=True)]
    assert all(-lead <= seconds <= delay for seconds in off)
    assert len(set(off)) == len(off)
    assert (min(off) < 0, max(off) > 0) == (lead > 0, delay > 0)
