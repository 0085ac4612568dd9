"""Openings and closings that end with one leg: each is undone or finished, and nothing is booked before it is done."""

from decimal import Decimal

from hedgerow.domain.events import Halted, HedgeAborted, HedgeClosed
from hedgerow.domain.execution import ExecutionState
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.order import TimeInForce
from hedgerow.domain.position import Reason
from support.bot_harness import BotHarness
from support.regressions import PERP, SPOT, assert_sound, refused, settings, two_pairs
from support.worlds import SYMBOL, Listing, ScriptedMarketData


def two() -> ScriptedMarketData:
    return ScriptedMarketData([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])


def opened(market_data: ScriptedMarketData, **sections: dict[str, int]) -> bool:
    harness = BotHarness(market_data, parameters=settings(**sections), latency_seconds=0.05)
    harness.run(0.5)
    assert_sound(harness)
    return harness.ledger.largest is not None


def test_an_opening_whose_short_is_refused_is_undone_and_not_forgotten() -> None:
    """Did: booked a full hedge, called it closed later, and opened a second coin over the naked one."""
    harness = BotHarness(two_pairs(), parameters=settings(), faults=refused(PERP, symbol=SYMBOL), latency_seconds=0.05)
    harness.run(1)
    assert_sound(harness)
    assert [end.reason for end in harness.logged(HedgeAborted)][:1] == [Reason.UNWOUND]
    assert harness.coins() < Decimal("0.06"), "less than an order may be"
    assert harness.coins() == harness.ledger.owned("AAA")
    harness.run(5)
    assert {hedge.pair.symbol for hedge in [harness.hedge]} == {"BBBUSDT"}
    assert harness.coins() == harness.ledger.owned("AAA")


def test_a_closing_whose_short_is_refused_is_not_booked_before_it_is_done() -> None:
    """Did: sold the coins, booked the profit, cleared its state, and left the short alone with nobody watching."""
    harness = BotHarness(parameters=settings(), faults=refused(PERP, times=12, reduce_only=True), latency_seconds=0.05)
    harness.run(0.5)
    harness.parameters = settings(funding_rate_strategy={"exit_funding_apr": 1000})
    harness.run(0.05)
    job = harness.ledger.execution
    assert job is not None
    assert job.state is ExecutionState.NAKED
    assert not harness.logged(HedgeClosed)
    assert harness.ledger.largest is not None
    harness.run(2)
    assert_sound(harness)
    assert len(harness.logged(HedgeClosed)) == 1
    harness.check_flat()


def test_a_closing_whose_short_the_exchange_settled_meanwhile_sells_the_coins() -> None:
    harness = BotHarness(
        parameters=settings(), faults=refused(PERP, times=10_000, reduce_only=True), latency_seconds=0.05
    )
    harness.run(0.5)
    harness.parameters = settings(funding_rate_strategy={"exit_funding_apr": 1000})
    harness.run(0.2, at={0.1: lambda bot: bot.world.deleverage(SYMBOL, bot.short())})
    assert_sound(harness)
    assert len(harness.logged(HedgeClosed)) >= 1
    assert harness.coins() < Decimal("0.06"), "less than an order may be"


def test_an_emergency_exit_sells_what_was_received_not_what_was_ordered() -> None:
    """Did: sold the ordered quantity; the fee taken in coin made the venue refuse, and the coins stayed naked."""
    harness = BotHarness(parameters=settings())
    harness.run(0.5)
    bought = sum(r.filled_quantity for r in harness.hedge.orders if r.request.market is SPOT)
    assert harness.coins() < bought
    assert harness.ask(CloseRequested()).done
    assert_sound(harness)
    harness.check_flat()
    assert harness.coins() < Decimal("0.06")


def test_legs_follow_each_other_within_a_second_at_capped_prices_and_end_equal() -> None:
    """Does: two market orders in a row, naked for three to four seconds each way, and a residue of half a percent."""
    harness = BotHarness(parameters=settings(), latency_seconds=0.1)
    harness.run(1)
    assert_sound(harness)
    assert 0 < harness.ledger.max_naked_seconds < 1.5
    assert {placed.order.time_in_force for placed in harness.venue.orders} == {TimeInForce.IOC}
    assert abs(harness.hedge.spot_quantity - harness.hedge.short) <= harness.hedge.pair.lot_step


def test_an_opening_that_fails_after_a_fill_is_undone_and_tried_again_without_anybodys_help() -> None:
    """Does: halts after any failure behind a fill of the spot leg, until somebody deletes a file."""
    harness = BotHarness(parameters=settings(), faults=refused(PERP, times=1), latency_seconds=0.05)
    harness.run(1.5)  # an hour later, not at once
    assert_sound(harness)
    assert [end.reason for end in harness.logged(HedgeAborted)] == [Reason.UNWOUND]
    assert not harness.logged(Halted)
    assert not harness.logged(HedgeClosed)
    harness.check_whole()
