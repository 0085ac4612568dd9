"""What the judge holds a bot to do in time, and what excuses it."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import HedgeAborted
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill
from hedgerow.domain.position import HedgedPosition, OrderRecord, Reason, Tally
from hedgerow.emulator.core.market_changes import TickerCollision
from hedgerow.simulation.checks.duties import Duties
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.harness import ExchangeHarness
from hedgerow.strategy.parameters import StrategyParameters
from support.golden_cases import job
from support.judging import JudgedExchange, LegHarness
from support.views import fill, hedge, ledger_of, several_of
from support.worlds import SYMBOL, Listing, ScriptedMarketData, make_pair, make_world

PAIR = make_pair()
OLD = f"{SYMBOL} is "


def held(harness: LegHarness, *fills: Fill) -> Ledger:
    """Return a ledger that has held a hedge since long before its settings allow, with these trades in it."""
    made: HedgedPosition = hedge("10", pair=PAIR, funding="10")
    orders: Sequence[OrderRecord] = [
        OrderRecord.of_fill(replace(each, trade_id=n), hedge_id="h1", base=PAIR.base, fee_quote=Decimal(0))
        for n, each in enumerate(fills)
    ]
    begun = harness.now - timedelta(hours=40)
    tally = Tally.of(tuple(orders)) if fills else made.tally
    return ledger_of(replace(made, opened_at=begun, counted_from=begun, tally=tally))


def checks(harness: LegHarness, number: int = 6) -> list[str]:
    """Return what so many hourly checks leave undone."""
    found: list[str] = []
    for _ in range(number):
        harness.advance_time(3600)
        found += harness.checked()
    return found


def opened(harness: LegHarness) -> LegHarness:
    return harness.buys("10.004").shorts("10")


def test_an_old_hedge_is_to_be_closed() -> None:
    harness = opened(LegHarness()).advance_time(600)
    found = checks(harness.holds(held(harness)))
    assert [text[: len(OLD)] for text in found] == [OLD] * 3


@pytest.mark.parametrize(("spot", "perp", "excused"), [("100", "94.9", True), ("100", "96", False)])
def test_legs_that_do_not_follow_one_price_are_left_to_a_person(spot: str, perp: str, *, excused: bool) -> None:
    harness = opened(LegHarness()).advance_time(600)
    harness.market_data.set_prices(harness.now, spot, perp)
    assert (checks(harness.holds(held(harness))) == []) is excused


@pytest.mark.parametrize(("price", "excused"), [("120", False), ("600", True)])
def test_a_loss_is_to_be_stopped_unless_the_index_is_another_things(price: str, *, excused: bool) -> None:
    harness = opened(LegHarness()).advance_time(600)
    if excused:
        harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(price)))
    else:
        harness.market_data.set_prices(harness.now, "100", price)
    stops = [text for text in checks(harness.holds(held(harness))) if "the emergency stop is at" in text]
    assert (stops == []) is excused


def trades(*extra: Fill) -> tuple[Fill, ...]:
    bought = fill(Market.SPOT, Side.BUY, "10", price="100")
    sold = fill(Market.PERP, Side.SELL, str(10 + sum(each.quantity for each in extra)), price="100")
    return (bought, sold, *extra)


def test_an_exit_that_costs_much_in_prices_may_wait() -> None:
    harness = opened(LegHarness()).advance_time(600)
    harness.market_data.set_prices(harness.now, "100", "100.6")
    assert checks(harness.holds(held(harness, *trades()))) == []


def test_a_part_of_the_short_that_was_bought_back_makes_the_exit_no_cheaper() -> None:
    harness = opened(LegHarness()).advance_time(600)
    harness.market_data.set_prices(harness.now, "100", "100.6")
    back = fill(Market.PERP, Side.BUY, "1", price="100")
    assert checks(harness.holds(held(harness, *trades(back)))) == []


def test_an_opening_given_up_for_a_request_between_two_checks_is_not_given_up_for_nothing() -> None:
    harness = LegHarness().advance_time(60)
    asked_at = harness.now + timedelta(hours=3)  # the exchange's own time stands still until it is asked for something
    harness.duties.asked(asked_at)
    harness.advance_time(3 * 3600 + 2)
    opening = job(pair=PAIR, started_at=harness.now - timedelta(seconds=1))
    given_up = HedgeAborted(at=harness.now, hedge_id=opening.hedge_id, reason=Reason.USER, detail="")
    assert list(harness.duties.ends(opening, given_up, ())) == []
    refused = replace(given_up, reason=Reason.REFUSED)
    assert [rule for rule, _ in harness.duties.ends(opening, refused, ())] == [Invariant.DUTIES]


@pytest.mark.parametrize(("lag", "violated"), [(0, True), (5, False)])
def test_an_opening_may_be_planned_on_a_reading_of_before_prices_that_took_its_margin(
    lag: float, *, violated: bool
) -> None:
    harness = LegHarness().advance_time(60)
    harness.exchange.patience_seconds = lag
    harness.duties.note_disturbance()
    harness.advance_time(18)
    opening = job(pair=PAIR, started_at=harness.now - timedelta(seconds=16))
    refused = HedgeAborted(at=harness.now, hedge_id=opening.hedge_id, reason=Reason.UNWOUND, detail="")
    assert bool(list(harness.duties.ends(opening, refused, ()))) is violated


@pytest.mark.parametrize(("started_after", "violated"), [(5, False), (700, True)])
def test_a_fault_counts_from_its_own_time_though_the_exchange_was_asked_long_before(
    started_after: float, *, violated: bool
) -> None:
    harness = LegHarness()
    begun = harness.now
    harness.exchange.unasked_seconds = 600
    harness.duties.note_disturbance()
    harness.exchange.unasked_seconds = 0
    harness.advance_time(started_after + 10)
    opening = job(pair=PAIR, started_at=begun + timedelta(seconds=started_after))
    given_up = HedgeAborted(at=harness.now, hedge_id=opening.hedge_id, reason=Reason.REFUSED, detail="")
    assert bool(list(harness.duties.ends(opening, given_up, ()))) is violated


def rotations(first_hours: float = 40.0) -> tuple[Duties, Ledger]:
    """Return two hedges old enough to make room, of which AAA pays half as much as BBB."""
    other = make_pair("BBBUSDT")
    market_data = ScriptedMarketData([Listing(PAIR), Listing(other)])
    for symbol, rate in ((SYMBOL, "0.0001"), (other.symbol, "0.0002")):
        market_data.set_prices(market_data.start, "100", symbol=symbol)
        market_data.set_rate(market_data.start, rate, symbol=symbol)
    exchange = JudgedExchange(make_world(market_data))
    door: ExchangeHarness = exchange  # type: ignore[assignment] # the judge reads no more of it
    exchange.world.advance(exchange.world.now + timedelta(hours=50, minutes=30))
    held = [
        replace(hedge("10", pair=pair), hedge_id=name, opened_at=begun, counted_from=begun)
        for name, pair, hours in (("h1", PAIR, first_hours), ("h2", other, 40.0))
        for begun in (exchange.world.now - timedelta(hours=hours),)
    ]
    return Duties(door, StrategyParameters), several_of(*held)


def test_a_rotation_that_closes_a_hedge_that_pays_more_is_found() -> None:
    duties, ledger = rotations()
    better = job(hedge_id="h2", pair=make_pair("BBBUSDT"), reason=Reason.BETTER_PAIR)
    assert [rule for rule, _ in duties.rotates(better, ledger)] == [Invariant.SETTINGS]
    assert not list(duties.rotates(job(hedge_id="h1", pair=PAIR, reason=Reason.BETTER_PAIR), ledger))


def test_a_hedge_that_was_traded_and_kept_lets_the_next_one_make_room_until_the_check_ends() -> None:
    duties, ledger = rotations()
    better = job(hedge_id="h2", pair=make_pair("BBBUSDT"), reason=Reason.BETTER_PAIR)
    duties.traded("h1")
    assert not list(duties.rotates(better, ledger))
    list(duties.checked(ledger))
    assert [rule for rule, _ in duties.rotates(better, ledger)] == [Invariant.SETTINGS]


@pytest.mark.parametrize(("seconds", "violated"), [(-1, False), (60, False), (180, True)])
def test_a_hedge_makes_room_once_it_was_old_enough_when_the_bot_read_its_age(seconds: float, *, violated: bool) -> None:
    least = StrategyParameters().position_management.better_opportunity_min_hours
    duties, ledger = rotations(least + seconds / 3600)
    better = job(hedge_id="h2", pair=make_pair("BBBUSDT"), reason=Reason.BETTER_PAIR)
    assert bool(list(duties.rotates(better, ledger))) is violated
