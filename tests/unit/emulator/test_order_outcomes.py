"""A venue that is out of order for a while: bans, limits, nonces, signed reads, overload; reports that come late."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import CancelOrder, TransferDirection, TransferFunds
from hedgerow.domain.errors import RateLimited, VenueError
from hedgerow.domain.events import CommandRefused, Event, OrderEnded, OrderOutcomeUnknown
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderStatus, RejectKind
from hedgerow.emulator import EmulatedVenue, FaultPlan
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import LateReports, VenueFault
from support.orders import ended, order, place
from support.worlds import START, SYMBOL, make_venue

SPOT, PERP, BUY = Market.SPOT, Market.PERP, Side.BUY
WHILE = timedelta(minutes=10)
Result = TypeVar("Result")
READS: dict[str, Callable[[EmulatedVenue], Coroutine[Any, Any, object]]] = {
    "market": lambda venue: venue.market(1),
    "depth": lambda venue: venue.depth(SPOT, SYMBOL),
    "account": lambda venue: venue.account(),
    "position": lambda venue: venue.position(SYMBOL),
    "open orders": lambda venue: venue.open_orders(SYMBOL),
    "fills": lambda venue: venue.fills(SPOT, SYMBOL, START),
    "funding": lambda venue: venue.funding_payments(START),
    "statement": lambda venue: venue.statement(START),
}
MOVE = TransferFunds(transfer_id="t", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)


def disordered(kind: FaultKind) -> EmulatedVenue:
    return make_venue(faults=FaultPlan(venue_faults=(VenueFault(fault=kind, after=START, until=START + WHILE),)))


def wait(venue: EmulatedVenue, main: Coroutine[Any, Any, Result]) -> Result:
    assert isinstance(venue.clock, VirtualClock)
    return run_virtual(venue.clock, main)


def failing(venue: EmulatedVenue) -> set[str]:
    """Return the reads that fail now."""
    found: set[str] = set()
    for name, read in READS.items():
        try:
            wait(venue, read(venue))
        except VenueError:
            found.add(name)
    return found


def order_end(venue: EmulatedVenue, client_id: str = "a") -> OrderEnded:
    return ended(wait(venue, venue.submit(place(order(SPOT, BUY, "1", "100.1", client_id=client_id)))))


def later(venue: EmulatedVenue, by: timedelta) -> None:
    assert isinstance(venue.clock, VirtualClock)
    venue.clock.advance_time(by.total_seconds())


def test_a_ban_refuses_every_request_and_says_how_long() -> None:
    venue = disordered(FaultKind.BANNED)
    assert failing(venue) == set(READS)
    with pytest.raises(RateLimited) as banned:
        wait(venue, venue.account())
    assert banned.value.retry_after_seconds == 600
    assert order_end(venue).status is OrderStatus.REJECTED
    (refused,) = wait(venue, venue.submit(MOVE))
    assert isinstance(refused, CommandRefused)
    assert venue.faulted == len(READS) + 3
    later(venue, WHILE)
    assert failing(venue) == set()
    assert order_end(venue, "b").status is OrderStatus.FILLED


def test_an_order_limit_applies_to_orders_and_cancellations_alone() -> None:
    venue = disordered(FaultKind.ORDER_LIMIT)
    assert failing(venue) == set()
    end = order_end(venue)
    assert (end.status, end.code, end.reject) == (OrderStatus.REJECTED, None, None), "nothing said how long to wait"
    cancel = CancelOrder(market=SPOT, symbol=SYMBOL, client_id="a")
    assert isinstance(wait(venue, venue.submit(cancel))[0], CommandRefused)
    assert not isinstance(wait(venue, venue.submit(MOVE))[0], CommandRefused)


def test_signed_reads_fail_while_public_ones_and_commands_go() -> None:
    venue = disordered(FaultKind.SIGNED_READS)
    assert failing(venue) == set(READS) - {"market", "depth"}
    assert order_end(venue).status is OrderStatus.FILLED
    (unknown,) = wait(venue, venue.resolve(order(SPOT, BUY, "1", "100.1", client_id="a")))
    assert isinstance(unknown, OrderOutcomeUnknown)


def test_a_refused_nonce_is_a_matter_of_permission_for_every_command() -> None:
    venue = disordered(FaultKind.NONCE_EXPIRED)
    assert failing(venue) == set()
    assert order_end(venue).reject is RejectKind.PERMISSION
    assert isinstance(wait(venue, venue.submit(MOVE))[0], CommandRefused)


def test_an_overloaded_venue_loses_every_other_request_in_every_way() -> None:
    venue = disordered(FaultKind.OVERLOADED)

    def became(client_id: str) -> str:
        request = order(SPOT, BUY, "1", "100.1", client_id=client_id)
        received: tuple[Event, ...] = wait(venue, venue.submit(place(request)))
        unknown = isinstance(received[-1], OrderOutcomeUnknown)
        there = venue.world.order(SPOT, SYMBOL, client_id) is not None
        return f"{'unknown' if unknown else 'answered'}, {'executed' if there else 'not'}"

    assert [became(name) for name in "abcdef"] == [
        "unknown, not",
        "answered, executed",
        "answered, not",
        "answered, executed",
        "unknown, executed",
        "answered, executed",
    ]
    assert len(failing(venue)) in {3, 4}


def test_late_reports_hide_orders_and_trades_for_a_while() -> None:
    late = LateReports(seconds=3.0, after=START, until=START + WHILE)
    venue = make_venue(faults=FaultPlan(late=(late,)), delayed_spot_ack=True)
    request = order(SPOT, BUY, "1", "100.1", client_id="a")
    wait(venue, venue.submit(place(request)))
    assert isinstance(wait(venue, venue.resolve(request))[0], OrderOutcomeUnknown)
    assert wait(venue, venue.fills(SPOT, SYMBOL, START)) == ()
    assert venue.faulted == 2
    later(venue, timedelta(seconds=3))
    assert ended(wait(venue, venue.resolve(request))).status is OrderStatus.FILLED
    assert len(wait(venue, venue.fills(SPOT, SYMBOL, START))) == 1
    later(venue, WHILE)
    order_after = order(SPOT, BUY, "1", "100.1", client_id="b")
    wait(venue, venue.submit(place(order_after)))
    assert ended(wait(venue, venue.resolve(order_after))).status is OrderStatus.FILLED


def test_plans_add_up() -> None:
    one = FaultPlan(venue_faults=(VenueFault(fault=FaultKind.BANNED, after=START, until=START + WHILE),))
    other = FaultPlan(late=(LateReports(seconds=1.0, after=START, until=START + WHILE),))
    both = one + other
    assert (both.venue_faults, both.late) == (one.venue_faults, other.late)
