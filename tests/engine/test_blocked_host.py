"""One host of the exchange refuses every order for a minute: what is open is undone at once, and nothing is opened."""

from typing import Any

import pytest

from _wired import START, USER, Arrival, Wiring
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, ExecutionStarted, HedgeAborted
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.wire.rest.faults import RequestFault

SPOT, PERP = "/api/v3/order", "/fapi/v3/order"
ROUND_TRIP = 0.1
BLOCKED_SECONDS = 60.0
UNWOUND_WITHIN = 2.0
LIMITS: dict[str, dict[str, Any]] = {
    "weight": {"fault": FaultKind.RATE_LIMITED},
    "refusal": {"fault": FaultKind.REJECT, "status": 429, "code": -1003},
    "ban": {"fault": FaultKind.BANNED},
}


def blocked(path: str, market: Market, limit: str) -> Wiring:
    """Return the run of a bot whose first order on a path is refused together with everything for a minute."""
    wiring = Wiring(pairs=10, round_trip_seconds=ROUND_TRIP)
    wiring.venue.faults.requests.append(
        RequestFault(
            path=path, method="POST", market=market, retry_after_seconds=BLOCKED_SECONDS, times=1, **LIMITS[limit]
        )
    )
    wiring.run(20, streams=False)
    return wiring


def orders(wiring: Wiring) -> list[Arrival]:
    return [a for a in wiring.venue.arrivals if a.method == "POST" and a.path in {SPOT, PERP}]


def refused_at(wiring: Wiring) -> float:
    (refused,) = [a for a in orders(wiring) if a.status != 200]
    return refused.at


def sides(wiring: Wiring) -> list[tuple[Market, Side]]:
    commands = [e.command for e in wiring.events if isinstance(e, CommandIssued)]
    return [(c.order.market, c.order.side) for c in commands if isinstance(c, PlaceOrder)]


def check_whole(wiring: Wiring) -> None:
    ledger, account = wiring.ledger, wiring.exchange.exchange_accounts[USER].world.account()
    assert ledger.execution is None
    assert books_difference(ledger.books, account) == {}
    assert ledger.largest is not None, "it is opened once the host takes orders again"
    assert account.short(ledger.largest.symbol) == ledger.largest.short


@pytest.mark.parametrize("limit", LIMITS)
def test_coins_whose_short_cannot_follow_for_a_minute_are_sold_within_two_seconds(limit: str) -> None:
    wiring = blocked(PERP, Market.PERP, limit)
    since = refused_at(wiring)
    assert sides(wiring)[:3] == [(Market.SPOT, Side.BUY), (Market.PERP, Side.SELL), (Market.SPOT, Side.SELL)]
    undone = next(a for a in orders(wiring) if a.at > since)
    assert undone.path == SPOT
    assert undone.at - since < UNWOUND_WITHIN
    aborted = [e for e in wiring.events if isinstance(e, HedgeAborted)]
    assert aborted[0].reason is Reason.UNWOUND
    assert wiring.ledger.max_naked_seconds < UNWOUND_WITHIN
    check_whole(wiring)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize(("path", "market"), [(SPOT, Market.SPOT), (PERP, Market.PERP)])
def test_nothing_is_opened_while_either_host_is_blocked(path: str, market: Market, limit: str) -> None:
    wiring = blocked(path, market, limit)
    since = refused_at(wiring)
    during = [a for a in orders(wiring) if since < a.at < since + BLOCKED_SECONDS]
    assert [a.path for a in during] == ([SPOT] if market is Market.PERP else [])
    started = [(e.at - START).total_seconds() for e in wiring.events if isinstance(e, ExecutionStarted)]
    assert [at for at in started if since < at < since + BLOCKED_SECONDS] == []
    check_whole(wiring)
