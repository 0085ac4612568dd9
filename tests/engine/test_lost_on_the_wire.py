"""The process dies with an order on its way to the exchange: the next one finds out what became of it.

What the exchange has is known within two seconds. What it does not have may arrive until its nonce is dead, although
the new run tries to make the request worthless; meanwhile the legs are made equal by what is known.
"""

from typing import Any

import pytest

from _wired import USER, Way, Wiring
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, Event, OrderEnded
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.ledger.state import Ledger
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.wire.memory_transport import wire_request
from hedgerow.emulator.wire.rest.faults import RequestFault
from hedgerow.ports import HttpRequest, HttpResponse
from hedgerow.simulation.faults.crashes import SimulatedCrash

SPOT, PERP = "/api/v3/order", "/fapi/v3/order"
ROUND_TRIP = 0.1
KNOWN_WITHIN = 2.0
"""Seconds of the exchange from the start of the new run."""
CERTAIN_WITHIN = 72.0
"""The same for an order that is not there: the life of its nonce, the margin for clocks, and a look-up after that."""


class Cut(Way):
    """A way on which the power fails once, with the first order on a path: before it leaves, or as it arrives."""

    cut = ""
    leaves = True

    async def send(self, request: HttpRequest) -> HttpResponse:
        arrives = wire_request(request)
        if arrives.method == "POST" and arrives.path == self.cut:
            self.cut = ""
            if self.leaves:
                self._venue.handle(arrives)
            raise SimulatedCrash(arrives.path)
        return await super().send(request)


class Crash:
    """A bot that dies at its first order on a path, and the one that comes after it."""

    def __init__(self, path: str, *, leaves: bool = True, fault: dict[str, Any] | None = None) -> None:
        self.wiring = Wiring(pairs=10, round_trip_seconds=ROUND_TRIP, way=Cut)
        assert isinstance(self.wiring.way, Cut)
        self.wiring.way.cut, self.wiring.way.leaves = path, leaves
        if fault is not None:
            self.wiring.venue.faults.requests.append(RequestFault(path=path, method="POST", **fault))
        with pytest.raises(SimulatedCrash):
            self.wiring.run(6, streams=False)
        issued = [e for e in self.log if isinstance(e, CommandIssued)][-1]
        assert isinstance(issued.command, PlaceOrder)
        self.client_id = issued.command.order.client_id
        self.nonce = issued.nonce

    @property
    def log(self) -> tuple[Event, ...]:
        return self.wiring.events

    def restart(self, after: float = 1.0) -> OrderEnded:
        """Let a new bot run for some minutes; returns the end of the order, as it was logged."""
        self.wiring.clock.advance_time(after)
        self.began_at = self.wiring.clock.now()
        self.before = len(self.wiring.venue.arrivals)
        self.wiring.run(12, streams=False)
        (end,) = [e for e in self.log if isinstance(e, OrderEnded) and e.client_id == self.client_id]
        return end

    def known_after(self) -> float:
        """Return how long after the new start the log had the order's end."""
        place = next(i for i, e in enumerate(self.log) if isinstance(e, OrderEnded) and e.client_id == self.client_id)
        following = self.log[place + 1]
        return (following.at - self.began_at).total_seconds()

    @property
    def noops(self) -> list[int | None]:
        """Whether each attempt to burn a nonce succeeded."""
        return [a.status for a in self.wiring.venue.arrivals[self.before :] if a.path.endswith("/noop")]

    def check(self) -> Ledger:
        """The bot is hedged and its books are right; nothing was sent twice."""
        ledger = self.wiring.ledger
        world = self.wiring.exchange.exchange_accounts[USER].world
        assert ledger.execution is None
        assert books_difference(ledger.books, world.account()) == {}
        assert ledger.largest is not None
        assert world.account().short(ledger.largest.symbol) == ledger.largest.short
        commands = [e.command for e in self.log if isinstance(e, CommandIssued)]
        ids = [command.order.client_id for command in commands if isinstance(command, PlaceOrder)]
        assert len(ids) == len(set(ids))
        return ledger


@pytest.mark.parametrize("path", [SPOT, PERP])
@pytest.mark.parametrize(
    "incident",
    [{"leaves": False}, {"fault": {"fault": FaultKind.SILENT_BEFORE}}],
    ids=["never left", "lost on the way"],
)
def test_an_order_that_never_arrived_is_absent_once_its_nonce_is_dead(path: str, incident: dict[str, Any]) -> None:
    crash = Crash(path, **incident)
    assert crash.nonce is not None
    end = crash.restart()
    assert end.order_id is None
    assert end.filled_quantity == 0
    assert 60 < crash.known_after() < CERTAIN_WITHIN
    assert crash.noops[:1] == [200]
    crash.check()


@pytest.mark.parametrize("path", [SPOT, PERP])
def test_an_order_that_is_still_under_way_is_stopped_and_never_lands(path: str) -> None:
    crash = Crash(path, fault={"fault": FaultKind.LATE, "seconds": 30.0})
    end = crash.restart()
    assert end.order_id is None
    assert end.filled_quantity == 0
    assert 60 < crash.known_after() < CERTAIN_WITHIN
    crash.check()


@pytest.mark.parametrize("path", [SPOT, PERP])
@pytest.mark.parametrize("seconds", [0.5, 1.33], ids=["before the restart", "just before it is stopped"])
def test_a_late_order_that_lands_before_it_can_be_stopped_is_found_with_what_it_filled(
    path: str, seconds: float
) -> None:
    crash = Crash(path, fault={"fault": FaultKind.LATE, "seconds": seconds})
    end = crash.restart()
    assert end.order_id is not None
    assert end.filled_quantity > 0
    assert crash.known_after() < KNOWN_WITHIN
    crash.check()


@pytest.mark.parametrize("path", [SPOT, PERP])
def test_an_order_that_was_filled_before_the_power_failed_is_found(path: str) -> None:
    crash = Crash(path)
    end = crash.restart()
    assert end.filled_quantity > 0
    assert crash.known_after() < KNOWN_WITHIN
    assert set(crash.noops) <= {400}, "its own request has used the nonce up"
    crash.check()


@pytest.mark.parametrize("path", [SPOT, PERP])
@pytest.mark.parametrize("seconds", [5.0, 11.0])
def test_an_order_that_lands_although_a_noop_answered_success_is_hedged_or_taken_back(
    path: str, seconds: float
) -> None:
    crash = Crash(path, fault={"fault": FaultKind.LATE, "seconds": seconds})
    noop = path.replace("order", "noop")
    crash.wiring.venue.faults.requests.append(
        RequestFault(path=noop, method="POST", fault=FaultKind.IDLE_NOOP, times=1000)
    )
    end = crash.restart()
    assert end.filled_quantity > 0
    assert crash.noops[:1] == [200]
    ledger = crash.check()
    assert ledger.largest is not None
    assert abs(ledger.largest.spot_quantity - ledger.largest.short) <= ledger.largest.pair.lot_step
    assert ledger.doubtful_orders == ()
