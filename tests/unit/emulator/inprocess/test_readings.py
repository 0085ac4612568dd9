"""Readings that are false while the account and the market are fine: rows, lists, quantities, prices, late rows."""

from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import Command, PlaceOrder, SetLeverage, SetMarginType
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import CommandRefused, Event, LeverageSet, OrderEnded, OrderOutcomeUnknown
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderStatus
from hedgerow.emulator import EmulatedVenue, FaultPlan
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import PairRefusal, Refused, SubmitFault
from hedgerow.emulator.inprocess.readings import (
    AccountEndpoint,
    AccountMutation,
    AccountReading,
    LateFunding,
    LateRates,
    MarketEndpoint,
    MarketReading,
    MarketSubject,
)
from support.orders import ended, order, place
from support.worlds import START, SYMBOL, make_venue, make_world

SPOT, PERP, BUY, SELL = Market.SPOT, Market.PERP, Side.BUY, Side.SELL
D = Decimal
MINUTE = timedelta(minutes=1)
Result = TypeVar("Result")


def venue_with(**faults: Any) -> EmulatedVenue:
    """Return a venue whose account holds 10 coins on spot, and 10 short."""
    world = make_world()
    world.place(order(SPOT, BUY, "10", "100.5", client_id="hedge-spot"))
    world.place(order(PERP, SELL, "10", "99.5", client_id="hedge-perp"))
    return make_venue(world, faults=FaultPlan(**faults))


def wait(venue: EmulatedVenue, main: Coroutine[Any, Any, Result]) -> Result:
    assert isinstance(venue.clock, VirtualClock)
    return run_virtual(venue.clock, main)


def run(venue: EmulatedVenue, command: Command) -> tuple[Event, ...]:
    return wait(venue, venue.submit(command))


def advance_time(venue: EmulatedVenue, seconds: float) -> None:
    assert isinstance(venue.clock, VirtualClock)
    venue.clock.advance_time(seconds)


def venue_reading(mutation: AccountMutation, **terms: Any) -> EmulatedVenue:
    return venue_with(account_readings=(AccountReading(mutation=mutation, **terms),))


@pytest.mark.parametrize("mutation", [AccountMutation.POSITION_MISSING, AccountMutation.POSITIONS_EMPTY])
def test_a_missing_position_row_is_unreadable_when_it_is_noticed(mutation: AccountMutation) -> None:
    venue = venue_reading(mutation)
    view = wait(venue, venue.account())
    assert view.short(SYMBOL) == 0
    assert view.unreadable_positions == {SYMBOL}
    assert wait(venue, venue.account()).short(SYMBOL) == 10


@pytest.mark.parametrize("mutation", [AccountMutation.POSITION_MISSING, AccountMutation.POSITIONS_EMPTY])
def test_a_missing_position_row_looks_flat_when_nobody_can_notice(mutation: AccountMutation) -> None:
    venue = venue_reading(mutation, noticed=False)
    view = wait(venue, venue.account())
    assert view.short(SYMBOL) == 0
    assert view.unreadable_positions == frozenset()


def test_a_missing_balance_row_is_unreadable_and_an_empty_list_too() -> None:
    venue = venue_reading(AccountMutation.BALANCE_MISSING)
    view = wait(venue, venue.account())
    assert view.coin("AAA").total == 0
    assert view.spot_usdt > 0
    assert view.unreadable_balances == {"AAA"}
    venue = venue_reading(AccountMutation.BALANCES_EMPTY)
    assert wait(venue, venue.account()).unreadable_balances == {"AAA", "USDT"}
    venue = venue_reading(AccountMutation.BALANCES_EMPTY, noticed=False)
    assert wait(venue, venue.account()).unreadable_balances == frozenset()


def test_a_quantity_may_read_zero_or_in_another_unit() -> None:
    venue = venue_reading(AccountMutation.POSITION_SCALED)
    view = wait(venue, venue.account())
    assert view.positions[SYMBOL].quantity == 0
    assert len(view.doubts) == 1
    venue = venue_reading(AccountMutation.POSITION_SCALED, factor=D(1000), noticed=False)
    view = wait(venue, venue.account())
    assert view.short(SYMBOL) == 10_000
    assert view.doubts == ()
    venue = venue_reading(AccountMutation.BALANCE_SCALED, asset="AAA", noticed=False)
    assert wait(venue, venue.account()).coin("AAA").total == 0


def test_the_second_endpoint_may_contradict_the_first_or_agree_with_it() -> None:
    venue = venue_reading(AccountMutation.POSITION_SCALED, endpoints=(AccountEndpoint.POSITION,))
    assert wait(venue, venue.account()).short(SYMBOL) == 10
    assert wait(venue, venue.position(SYMBOL)).quantity == 0
    both = venue_reading(AccountMutation.POSITION_MISSING, endpoints=tuple(AccountEndpoint))
    assert wait(both, both.account()).unreadable_positions == {SYMBOL}
    with pytest.raises(VenueError):
        wait(both, both.position(SYMBOL))
    silent = venue_reading(AccountMutation.POSITION_MISSING, endpoints=tuple(AccountEndpoint), noticed=False)
    assert wait(silent, silent.position(SYMBOL)).quantity == 0


def test_a_stale_account_shows_what_was_read_before_it_began() -> None:
    venue = venue_reading(AccountMutation.STALE, after=START + MINUTE, until=START + 2 * MINUTE, noticed=False)
    before = wait(venue, venue.account())
    advance_time(venue, 60)
    run(venue, place(order(PERP, BUY, "10", "100.5", reduce_only=True)))
    stale = wait(venue, venue.account())
    assert stale.short(SYMBOL) == 10
    assert stale.at > before.at
    advance_time(venue, 60)
    assert wait(venue, venue.account()).short(SYMBOL) == 0


def test_one_bid_of_one_reply_is_wrong_and_nothing_trades_on_it() -> None:
    reading = MarketReading(
        subject=MarketSubject.BID, market=SPOT, factor=D("0.8"), nth=2, endpoints=(MarketEndpoint.MARKET,)
    )
    venue = venue_with(market_readings=(reading,))
    bids: list[Decimal | None] = []
    for _ in range(3):
        quote = wait(venue, venue.market(1)).quote(SPOT, SYMBOL)
        assert quote is not None
        assert quote.ask == D("100.01")
        bids.append(quote.bid)
    assert bids == [D("99.99"), D("99.99") * D("0.8"), D("99.99")]
    done = ended(run(venue, place(order(SPOT, SELL, "1", "99"))))
    assert done.filled_notional == D("99.99")


@pytest.mark.parametrize(
    ("subject", "unreadable"),
    [
        (MarketSubject.MARK, lambda view: view.mark(SYMBOL) is None),
        (MarketSubject.INDEX, lambda view: view.mark(SYMBOL) is None),
        (MarketSubject.PREDICTED, lambda view: view.predicted(SYMBOL) is None),
        (MarketSubject.VOLUME, lambda view: view.volume(SYMBOL) is None),
        (MarketSubject.PAIR, lambda view: view.pair(SYMBOL) is None and not view.pairs),
        (MarketSubject.ASK, lambda view: view.quote(PERP, SYMBOL).ask is None),
        (MarketSubject.BOOK, lambda view: view.quote(SPOT, SYMBOL).bid is None),
    ],
)
def test_any_part_of_a_market_may_be_left_out(subject: MarketSubject, unreadable: Any) -> None:
    venue = venue_with(market_readings=(MarketReading(subject=subject),))
    assert unreadable(wait(venue, venue.market(1)))
    assert not unreadable(wait(venue, venue.market(1)))


def test_a_mark_an_index_an_estimate_and_a_volume_may_be_off() -> None:
    subjects = (MarketSubject.MARK, MarketSubject.INDEX, MarketSubject.PREDICTED, MarketSubject.VOLUME)
    venue = venue_with(market_readings=tuple(MarketReading(subject=each, factor=D(2)) for each in subjects))
    false, true = wait(venue, venue.market(1)), venue.world.market(1)
    mark, real = false.mark(SYMBOL), true.mark(SYMBOL)
    assert mark is not None
    assert real is not None
    assert (mark.mark, mark.index) == (real.mark * 2, real.index * 2)
    rate, settled = false.predicted(SYMBOL), true.predicted(SYMBOL)
    assert rate is not None
    assert settled is not None
    assert rate.rate == settled.rate * 2
    assert false.volume(SYMBOL) == (true.volume(SYMBOL) or 0) * 2


def test_a_book_that_is_read_may_be_one_sided_while_it_trades() -> None:
    reading = MarketReading(subject=MarketSubject.ASK, endpoints=(MarketEndpoint.DEPTH,))
    venue = venue_with(market_readings=(reading,))
    assert wait(venue, venue.depth(SPOT, SYMBOL)).asks == ()
    assert wait(venue, venue.depth(SPOT, SYMBOL)).asks


def test_an_order_that_was_denied_lands_later() -> None:
    fault = SubmitFault(fault=FaultKind.LATE, seconds=30.0, denied=True)
    venue, command = venue_with(submits=(fault,)), place(order(PERP, BUY, "1", "101", client_id="late"))
    (answer,) = run(venue, command)
    assert isinstance(answer, OrderOutcomeUnknown)
    (denied,) = wait(venue, venue.resolve(command.order))
    assert isinstance(denied, OrderEnded)
    assert (denied.status, denied.filled_quantity) == (OrderStatus.EXPIRED, D(0))
    advance_time(venue, 30)
    (landed,) = wait(venue, venue.resolve(command.order))
    assert isinstance(landed, OrderEnded)
    assert landed.status is OrderStatus.FILLED


def refusals(venue: EmulatedVenue, *commands: Command) -> list[int | None]:
    found: list[int | None] = []
    for command in commands:
        last = run(venue, command)[-1]
        found.append(last.code if isinstance(last, OrderEnded | CommandRefused) else None)
    return found


def everything() -> tuple[Command, ...]:
    return (
        place(order(SPOT, BUY, "1", "101")),
        place(order(SPOT, SELL, "1", "99")),
        place(order(PERP, SELL, "1", "99")),
        place(order(PERP, BUY, "1", "101", reduce_only=True)),
        SetLeverage(symbol=SYMBOL, leverage=1),
        SetMarginType(symbol=SYMBOL),
    )


@pytest.mark.parametrize(
    ("refused", "codes"),
    [
        (Refused.ALL, [-2010] * 6),
        (Refused.ORDERS, [-2010] * 4 + [None, None]),
        (Refused.OPENINGS, [-2010, None, -2010, None, None, None]),
        (Refused.PREPARATION, [None] * 4 + [-2010, -2010]),
    ],
)
def test_a_pair_may_refuse_for_ever_what_it_is_asked(refused: Refused, codes: list[int | None]) -> None:
    venue = venue_with(refusals=(PairRefusal(code=-2010, symbol=SYMBOL, refused=refused),))
    for _ in range(2):
        assert refusals(venue, *everything()) == codes
        advance_time(venue, 86_400)


def test_a_refusal_of_another_pair_or_another_time_or_market_does_not_count() -> None:
    later = PairRefusal(code=-1, after=START + MINUTE, until=START + 2 * MINUTE, market=SPOT)
    venue = venue_with(refusals=(PairRefusal(code=-2010, symbol="BBBUSDT"), later))
    assert refusals(venue, SetLeverage(symbol=SYMBOL, leverage=1)) == [None]
    assert isinstance(run(venue, SetLeverage(symbol=SYMBOL, leverage=1))[0], LeverageSet)
    advance_time(venue, 60)
    assert refusals(venue, place(order(SPOT, BUY, "1", "101")), place(order(PERP, SELL, "1", "99"))) == [-1, None]
    advance_time(venue, 60)
    assert refusals(venue, place(order(SPOT, BUY, "1", "101"))) == [None]


def test_a_refusal_says_what_the_venue_says() -> None:
    words = "Position side cannot be changed if there exists open orders."
    venue = venue_with(refusals=(PairRefusal(code=-4067, refused=Refused.PREPARATION, message=words),))
    (refused,) = run(venue, SetMarginType(symbol=SYMBOL))
    assert isinstance(refused, CommandRefused)
    assert words in refused.detail


def test_a_funding_payment_is_listed_late_and_paid_at_once() -> None:
    late = LateFunding(seconds=3600.0, after=START, until=START + timedelta(days=1))
    venue = venue_with(late_funding=(late,))
    before = wait(venue, venue.account()).perp.balance
    advance_time(venue, 8 * 3600 + 60)
    assert wait(venue, venue.account()).perp.balance > before
    assert wait(venue, venue.funding_payments(START)) == ()
    assert wait(venue, venue.record(START)).payments == ()
    advance_time(venue, 3600)
    assert len(wait(venue, venue.funding_payments(START))) == 1


def test_a_settled_rate_is_listed_late() -> None:
    late = LateRates(seconds=3600.0, after=START + MINUTE, until=START + timedelta(days=1), symbol=SYMBOL)
    venue = venue_with(late_rates=(late,))
    old = wait(venue, venue.market(3)).rates.newest(SYMBOL, 1)
    advance_time(venue, 8 * 3600 + 60)
    assert wait(venue, venue.market(3)).rates.newest(SYMBOL, 1) == old
    advance_time(venue, 3600)
    board = wait(venue, venue.market(3)).rates
    assert board.newest(SYMBOL, 1) != old
    assert wait(venue, venue.market(3)).rates is board


def test_calm_ends_every_false_reading() -> None:
    venue = venue_reading(AccountMutation.STALE, after=START)
    wait(venue, venue.account())
    venue.calm()
    run(venue, place(order(PERP, BUY, "10", "100.5", reduce_only=True)))
    assert wait(venue, venue.account()).short(SYMBOL) == 0


def test_plans_are_added_and_survive_being_written_down() -> None:
    first = FaultPlan(
        account_readings=(AccountReading(mutation=AccountMutation.STALE),),
        refusals=(PairRefusal(code=-2010, symbol=SYMBOL),),
    )
    second = FaultPlan(
        market_readings=(MarketReading(subject=MarketSubject.MARK, factor=D("1.1")),),
        late_funding=(LateFunding(seconds=1.0, after=START, until=START + MINUTE),),
        late_rates=(LateRates(seconds=1.0, after=START, until=START + MINUTE),),
    )
    both = first + second
    assert both.account_readings == first.account_readings
    assert both.market_readings == second.market_readings
    assert msgspec.json.decode(msgspec.json.encode(both), type=FaultPlan) == both
    assert isinstance(everything()[0], PlaceOrder)
