"""Openings and closings that end with one leg: each is undone or finished, and nothing is booked before it is done."""

from decimal import Decimal

from hedgerow.domain.events import Halted, HedgeAborted, HedgeClosed
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.order import TimeInForce
from hedgerow.domain.position import Reason
from support.bot_harness import Farm
from support.regressions import PERP, SPOT, assert_sound, refused, settings, two_pairs
from support.worlds import SYMBOL, Listing, ScriptedTape


def two() -> ScriptedTape:
    return ScriptedTape([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])


def opened(tape: ScriptedTape, **sections: dict[str, int]) -> bool:
    farm = Farm(tape, parameters=settings(**sections), latency_seconds=0.05)
    farm.run(0.5)
    assert_sound(farm)
    return farm.ledger.hedge is not None


def test_an_opening_whose_short_is_refused_is_undone_and_not_forgotten() -> None:
    """Did: booked a full hedge, called it closed later, and opened a second coin over the naked one."""
    farm = Farm(two_pairs(), parameters=settings(), faults=refused(PERP, symbol=SYMBOL), latency_seconds=0.05)
    farm.run(1)
    assert_sound(farm)
    assert [end.reason for end in farm.logged(HedgeAborted)][:1] == [Reason.UNWOUND]
    assert farm.coins() < Decimal("0.06"), "less than an order may be"
    assert farm.coins() == farm.ledger.owned("AAA")
    farm.run(5)
    assert {hedge.pair.symbol for hedge in [farm.hedge]} == {"BBBUSDT"}
    assert farm.coins() == farm.ledger.owned("AAA")


def test_a_closing_whose_short_is_refused_is_not_booked_before_it_is_done() -> None:
    """Did: sold the coins, booked the profit, cleared its state, and left the short alone with nobody watching."""
    farm = Farm(parameters=settings(), faults=refused(PERP, times=12, reduce_only=True), latency_seconds=0.05)
    farm.run(0.5)
    farm.parameters = settings(funding_rate_strategy={"exit_funding_apr": 1000})
    farm.run(0.05)
    job = farm.ledger.execution
    assert job is not None
    assert job.state is ExecutionState.NAKED
    assert not farm.logged(HedgeClosed)
    assert farm.ledger.hedge is not None
    farm.run(2)
    assert_sound(farm)
    assert len(farm.logged(HedgeClosed)) == 1
    farm.check_flat()


def test_a_closing_whose_short_the_exchange_settled_meanwhile_sells_the_coins() -> None:
    farm = Farm(parameters=settings(), faults=refused(PERP, times=10_000, reduce_only=True), latency_seconds=0.05)
    farm.run(0.5)
    farm.parameters = settings(funding_rate_strategy={"exit_funding_apr": 1000})
    farm.run(0.2, at={0.1: lambda bot: bot.world.deleverage(SYMBOL, bot.short())})
    assert_sound(farm)
    assert len(farm.logged(HedgeClosed)) >= 1
    assert farm.coins() < Decimal("0.06"), "less than an order may be"


def test_an_emergency_exit_sells_what_was_received_not_what_was_ordered() -> None:
    """Did: sold the ordered quantity; the fee taken in coin made the venue refuse, and the coins stayed naked."""
    farm = Farm(parameters=settings())
    farm.run(0.5)
    bought = sum(r.filled_quantity for r in farm.hedge.orders if r.request.market is SPOT)
    assert farm.coins() < bought
    assert farm.ask(CloseRequested()).done
    assert_sound(farm)
    farm.check_flat()
    assert farm.coins() < Decimal("0.06")


def test_legs_follow_each_other_within_a_second_at_capped_prices_and_end_equal() -> None:
    """Does: two market orders in a row, naked for three to four seconds each way, and a residue of half a percent."""
    farm = Farm(parameters=settings(), latency_seconds=0.1)
    farm.run(1)
    assert_sound(farm)
    assert 0 < farm.ledger.max_naked_seconds < 1.5
    assert {placed.order.time_in_force for placed in farm.venue.orders} == {TimeInForce.IOC}
    assert abs(farm.hedge.spot_quantity - farm.hedge.short) <= farm.hedge.pair.lot_step


def test_an_opening_that_fails_after_a_fill_is_undone_and_tried_again_without_anybodys_help() -> None:
    """Does: halts after any failure behind a fill of the spot leg, until somebody deletes a file."""
    farm = Farm(parameters=settings(), faults=refused(PERP, times=1), latency_seconds=0.05)
    farm.run(1.5)  # an hour later, not at once
    assert_sound(farm)
    assert [end.reason for end in farm.logged(HedgeAborted)] == [Reason.UNWOUND]
    assert not farm.logged(Halted)
    assert not farm.logged(HedgeClosed)
    farm.check_whole()
