"""What a check may ask of the exchange, counted where it arrives: the same at any number of pairs."""

import pytest

from _wired import Check, Wiring
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import CommandIssued, OrderEnded
from hedgerow.domain.instrument import Market
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters

ROUND_TRIP = 0.1
OPENING, HOLDING = 19, 16
"""Minutes: the hedge is 19 minutes old at 07:54, and held over the settlement at 08:00."""


def held(pairs: int, *, streams: bool) -> tuple[list[Check], Check]:
    """Return the quiet checks of a bot that holds, and the first one after a settlement."""
    wiring = Wiring(pairs=pairs, round_trip_seconds=ROUND_TRIP)
    wiring.run(OPENING, streams=False)
    started, *checks = wiring.run(HOLDING, streams=streams)
    assert started.held
    assert all(check.held == started.held and not check.issued for check in checks)
    (settled,) = [check for check in checks if check.began_at.hour == 8 and check.began_at.minute < 5]
    return [check for check in checks if check is not settled], settled


@pytest.mark.parametrize("pairs", [10, 60])
def test_a_quiet_check_without_streams_takes_five_requests_at_once(pairs: int) -> None:
    quiet, settled = held(pairs, streams=False)
    assert [(c.requests, c.weight, c.round_trips(ROUND_TRIP)) for c in quiet] == [(5, 15, 1)] * len(quiet)
    assert settled.weight - 15 <= 31
    assert settled.round_trips(ROUND_TRIP) <= 3


def test_a_quiet_check_with_streams_takes_two_requests_at_once() -> None:
    quiet, settled = held(10, streams=True)
    assert [(c.requests, c.weight, c.round_trips(ROUND_TRIP)) for c in quiet] == [(2, 10, 1)] * len(quiet)
    assert settled.weight - 10 <= 31
    assert settled.round_trips(ROUND_TRIP) <= 2


def test_a_start_reads_in_a_bounded_number_of_round_trips_and_one_request_per_pair() -> None:
    counts = {}
    for pairs in (10, 60):
        wiring = Wiring(pairs=pairs, round_trip_seconds=ROUND_TRIP)
        first = wiring.run(0.5, streams=False)[0]
        before = [a for a in wiring.venue.arrivals if a.number < first.arrivals[0].number]
        counts[pairs] = len(before) - pairs
        assert wiring.seconds_of(first) <= 7 * ROUND_TRIP
    assert counts[10] == counts[60]


@pytest.mark.parametrize("streams", [False, True])
def test_the_second_leg_leaves_in_the_instant_in_which_the_fill_is_received(streams: bool) -> None:  # noqa: FBT001
    wiring = Wiring(pairs=10, round_trip_seconds=ROUND_TRIP)
    wiring.run(0.5, streams=streams)
    issued = [e.command for e in wiring.events if isinstance(e, CommandIssued) and isinstance(e.command, PlaceOrder)]
    spot = {command.order.client_id for command in issued if command.order.market is Market.SPOT}
    fills = [e for e in wiring.events if isinstance(e, OrderEnded) and e.client_id in spot]
    followers = [d for d in wiring.way.left if (d.method, d.path) == ("POST", "/fapi/v3/order")]
    assert len(followers) == len(fills) > 5
    assert max(order.after_heard for order in followers) < 0.001


# --- several hedges --------------------------------------------------------------------------------------------------


def several(slots: int) -> tuple[list[Check], list[Check]]:
    """Return the checks that opened, and the quiet ones after them, of a bot with so many slots."""
    parameters = StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(min_funding_apr=0.1),
        position_management=PositionManagement(
            fee_coverage_multiplier=1000,
            max_position_age_hours=87_600,
            better_opportunity_apr=90.0,
            max_positions=slots,
        ),
    )
    wiring = Wiring(pairs=20, round_trip_seconds=ROUND_TRIP, parameters=parameters)
    checks = wiring.run(45, streams=False)
    assert len(wiring.ledger.open_hedges) == slots
    return [check for check in checks if check.issued], [check for check in checks if not check.issued]


def test_a_quiet_check_of_five_hedges_asks_no_more_than_that_of_one() -> None:
    # The settlement at 08:00 is read by the check after it, the tiers of the margin once a day for several shorts.
    one, five = ({check.began_at: check.requests for check in several(slots)[1]} for slots in (1, 5))
    together = [(one[at], asked) for at, asked in five.items() if at in one]
    assert len(together) > 3
    assert all(asked <= alone for alone, asked in together)


def test_five_openings_ask_for_what_five_times_one_asks_for() -> None:
    one, five = (sum(check.requests for check in several(slots)[0]) for slots in (1, 5))
    assert five <= 5 * one
