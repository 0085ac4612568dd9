"""Several hedges in one account: opened, watched, closed and adopted beside one another."""

from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView, PerpPosition
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import (
    ExecutionStarted,
    FundingReceived,
    Halted,
    HaltReason,
    HedgeAdopted,
    HedgeOpened,
    NakedAlarmed,
)
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionStyle
from hedgerow.domain.formats import log_funding
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.ledger.reducers import apply, fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import Depth
from hedgerow.domain.operator_requests import AdoptRequested, CloseAllRequested, CloseRequested, ClosingPriced, Request
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import FilterChange, StatusChange
from hedgerow.engine.notices import HealthJudged, Reconciled, Stopped
from hedgerow.engine.runner import RunOptions
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.strategy.closing_price import ClosingPrices
from hedgerow.strategy.decisions.verdicts import Consistent
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness, WatchedVenue
from support.mail import asked, mailbox_in
from support.worlds import START, Listing, ScriptedMarketData, make_pair

A, B, C = "AAAUSDT", "BBBUSDT", "CCCUSDT"


def calm(slots: int = 3, **capital: object) -> StrategyParameters:
    """Return settings with which nothing is closed for profit."""
    management = PositionManagement(
        fee_coverage_multiplier=1000,
        max_position_age_hours=87_600,
        better_opportunity_apr=90.0,
        max_positions=slots,
    )
    return StrategyParameters(position_management=management, capital_management=CapitalManagement(**capital))  # type: ignore[arg-type] # settings, by name


def market(*rates: str) -> ScriptedMarketData:
    """Return a market of as many pairs as there are rates, each at another price."""
    names = (A, B, C, "DDDUSDT")
    listings = [
        Listing(name, spot=100 + 20 * at, rate=rate) for at, (name, rate) in enumerate(zip(names, rates, strict=False))
    ]
    return ScriptedMarketData(listings)


def harness(*rates: str, slots: int = 3) -> BotHarness:
    return BotHarness(market(*(rates or ("0.0006", "0.0005", "0.0004"))), parameters=calm(slots), usdt=900, perp=900)


def symbols(ledger: Ledger) -> set[str]:
    return {hedge.symbol for hedge in ledger.open_hedges}


def by_hand(bot: BotHarness, symbol: str, quantity: str = "2") -> None:
    bot.world.trade_by_hand(Market.SPOT, symbol, Side.BUY, Decimal(quantity) + Decimal("0.002"))
    bot.world.trade_by_hand(Market.PERP, symbol, Side.SELL, Decimal(quantity))


def matched(bot: BotHarness) -> None:
    """Check that each hedge of the log is whole on the exchange, nothing else is held, and the books agree."""
    bot.check()
    account = bot.world.account()
    held = {hedge.symbol: hedge.short for hedge in bot.ledger.open_hedges}
    assert {symbol: -row.quantity for symbol, row in account.positions.items() if row.quantity} == held
    for hedge in bot.ledger.open_hedges:
        assert abs(hedge.spot_quantity - hedge.short) <= hedge.pair.lot_step


# --- opening ---------------------------------------------------------------------------------------------------------


def test_free_slots_are_filled_best_first_one_trade_after_the_other() -> None:
    bot = harness("0.0004", "0.0006", "0.0005", "0.0007")
    bot.run(0.2)
    assert [event.execution.symbol for event in bot.logged(ExecutionStarted)] == ["DDDUSDT", B, C]
    matched(bot)
    sizes = [hedge.entry_notional for hedge in bot.ledger.open_hedges]
    assert max(sizes) - min(sizes) < Decimal("0.1") * max(sizes)
    assert bot.ledger.execution is None


def test_one_slot_holds_one_hedge() -> None:
    bot = harness(slots=1)
    bot.run(0.5)
    assert symbols(bot.ledger) == {A}


def test_a_part_below_the_least_capital_is_not_opened() -> None:
    bot = BotHarness(market("0.0006", "0.0005", "0.0004"), parameters=calm(3), usdt=60, perp=60)
    bot.run(0.2)
    assert len(bot.ledger.open_hedges) == 2
    matched(bot)


def test_the_limit_of_all_positions_together_holds() -> None:
    bot = BotHarness(
        market("0.0006", "0.0005", "0.0004"), parameters=calm(3, max_capital_usd=Decimal(300)), usdt=900, perp=900
    )
    bot.run(0.2)
    committed = 2 * sum(hedge.entry_notional for hedge in bot.ledger.open_hedges)
    assert len(bot.ledger.open_hedges) == 3
    assert Decimal(250) < committed <= 301


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        ({"max_position_usd": Decimal(200)}, Decimal(101)),
        ({"max_position_equity": Decimal("0.1")}, Decimal(91)),
        ({"reserve_usd": Decimal(1500)}, Decimal(51)),
        ({"max_position_depth": Decimal("0.001")}, Decimal(102)),
        ({"max_position_open_interest": Decimal("0.000005")}, Decimal(76)),
    ],
)
def test_each_position_keeps_to_its_limit(limit: dict[str, Decimal], most: Decimal) -> None:
    bot = BotHarness(market("0.0006", "0.0005", "0.0004"), parameters=calm(3, **limit), usdt=900, perp=900)
    bot.run(0.2)
    assert bot.ledger.open_hedges
    assert max(hedge.entry_notional for hedge in bot.ledger.open_hedges) <= most
    matched(bot)


def test_slices_go_by_the_whole_equity_whatever_else_is_held() -> None:
    bot = harness()
    bot.run(0.2)
    bot.ask(CloseAllRequested())
    jobs = [event.execution for event in bot.logged(ExecutionStarted)]
    limits = bot.parameters.execution
    assert [job.kind for job in jobs] == [ExecutionKind.OPEN] * 3 + [ExecutionKind.CLOSE] * 3
    allowed = 1800 * limits.max_naked_equity_fraction
    for job in jobs:
        leg = next(each.hedge.entry_notional for each in bot.ledger.closed if each.symbol == job.symbol)
        assert leg / ceil(leg / allowed) <= job.plan.slice_notional <= allowed, (job.symbol, job.kind)


@pytest.mark.parametrize("slots", [1, 2])
def test_the_reserve_is_left_after_every_opening_whatever_part_of_the_money_is_used(slots: int) -> None:
    parameters = calm(slots, capital_fraction=Decimal(1), reserve_usd=Decimal(3000))
    listings = [Listing(make_pair(name, perp_lot="0.001"), depth_notional=10_000_000) for name in (A, B)]
    bot = BotHarness(ScriptedMarketData(listings), parameters=parameters, usdt=9000, perp=9000)
    bot.run(0.2)
    account = bot.world.account()
    assert len(bot.ledger.open_hedges) == slots
    assert account.spot_usdt >= 1500
    assert account.perp.transferable >= 1500


class CountedInterest(WatchedVenue):
    """Counts the readings of open interest; ``down`` = none succeeds."""

    asked: list[str]
    down = False

    async def open_interest(self, symbol: str) -> Decimal:
        self.asked = [*getattr(self, "asked", []), symbol]
        if self.down:
            raise VenueError("down")
        return await super().open_interest(symbol)


class NoInterest(CountedInterest):
    down = True


@pytest.mark.parametrize(("limit", "asked"), [(None, []), (Decimal("0.01"), [A, B, C])])
def test_open_interest_is_asked_for_once_for_each_pair_opened_and_only_for_its_limit(
    limit: Decimal | None, asked: list[str]
) -> None:
    parameters = calm(3, max_position_open_interest=limit)
    bot = BotHarness(
        market("0.0006", "0.0005", "0.0004"), parameters=parameters, usdt=900, perp=900, venue_kind=CountedInterest
    )
    bot.run(0.2)
    assert symbols(bot.ledger) == {A, B, C}
    assert getattr(bot.venue, "asked", []) == asked


def test_a_pair_whose_open_interest_cannot_be_read_is_not_opened() -> None:
    parameters = calm(3, max_position_open_interest=Decimal("0.01"))
    bot = BotHarness(market("0.0006"), parameters=parameters, usdt=900, perp=900, venue_kind=NoInterest)
    bot.run(0.2)
    assert not bot.ledger.hedges


# --- closing ---------------------------------------------------------------------------------------------------------


def test_closing_one_by_name_leaves_the_others_alone() -> None:
    bot = harness()
    bot.run(0.2)
    assert bot.ask(CloseRequested(symbol=B)).done
    assert symbols(bot.ledger) == {A, C}
    matched(bot)


def taken_by_hand(bot: BotHarness, symbol: str) -> None:
    """Sell the coins that are whole lots and buy the whole short back, as the owner of the account."""
    hedge = bot.ledger.open_hedge_of(symbol)
    assert hedge is not None
    coins = hedge.pair.spot.floor_quantity(hedge.spot_quantity)
    bot.world.trade_by_hand(Market.SPOT, symbol, Side.SELL, coins)
    bot.world.trade_by_hand(Market.PERP, symbol, Side.BUY, hedge.short)


@pytest.mark.parametrize("request_", [CloseRequested(symbol=B), CloseAllRequested()])
def test_a_closing_that_has_nothing_to_trade_lets_the_hedge_go_at_once(request_: Request) -> None:
    bot = harness(slots=2)
    bot.run(0.2)
    taken_by_hand(bot, B)
    left = bot.coins("BBB")
    assert 0 < left < Decimal("0.001")
    answer = bot.ask(request_)
    assert answer.done, answer.text
    assert bot.ledger.open_hedge_of(B) is None
    assert ("BBBUSDT was closed elsewhere: net " in answer.text) == isinstance(request_, CloseRequested)
    assert bot.ledger.dust["BBB"].quantity == left
    lost = next(each for each in bot.ledger.closed if each.symbol == B)
    assert lost.reason is Reason.CLOSED_EXTERNALLY
    assert bool(bot.ledger.open_hedge_of(A)) == isinstance(request_, CloseRequested)
    matched(bot)


@pytest.mark.parametrize("lot", ["0.1", "1"])
def test_coins_below_a_coarser_lot_that_lost_their_short_are_dust_unless_they_are_worth_much(lot: str) -> None:
    bot = harness(slots=2)
    bot.run(0.2)
    hedge = bot.ledger.open_hedge_of(B)
    assert hedge is not None
    kept = Decimal(lot) * Decimal("0.9")  # of a coin at 120 USDT
    bot.world.trade_by_hand(Market.SPOT, B, Side.SELL, hedge.pair.spot.floor_quantity(hedge.spot_quantity - kept))
    bot.world.trade_by_hand(Market.PERP, B, Side.BUY, hedge.short)
    bot.world.change_market(FilterChange(symbol=B, market=Market.SPOT, lot=Decimal(lot), min_quantity=Decimal(lot)))
    answer = bot.ask(CloseRequested(symbol=B))
    assert answer.done == (kept * 120 < 25), answer.text
    bot.run(0.2)
    if answer.done:
        assert symbols(bot.ledger) == {A}
        assert bot.ledger.dust["BBB"].quantity >= kept
    else:
        assert answer.text == "BBBUSDT could not be closed: what is left of it is less than can be traded"
        assert symbols(bot.ledger) == {A, B}


def closed_perpetual(bot: BotHarness, symbol: str) -> None:
    """Let the exchange take no orders of a perpetual: a hedge on it cannot be closed as a whole."""
    bot.world.change_market(StatusChange(symbol=symbol, market=Market.PERP, status=TradingStatus.CLOSED))


def test_closing_all_names_what_was_closed_where_one_could_not_be() -> None:
    bot = harness()
    bot.run(0.2)
    closed_perpetual(bot, B)
    answer = bot.ask(CloseAllRequested())
    assert not answer.done
    assert symbols(bot.ledger) == {B}
    net = sum((closed.net_profit for closed in bot.ledger.closed), Decimal(0))
    closed = ", ".join(each.symbol for each in bot.ledger.closed)
    assert {A, C} == set(closed.split(", "))
    assert answer.text == (
        f"Closed {closed}: net {log_funding(net)}. BBBUSDT could not be closed: the perpetual is CLOSE: the hedge stays"
        " whole until both legs can be traded. Openings are halted until: hedgerow resume"
    )
    assert bot.ledger.halt is not None
    assert bot.ledger.halt.detail == "a person asked to close AAAUSDT, BBBUSDT, CCCUSDT"


def test_a_halt_says_that_a_closing_was_asked_for_also_where_it_failed() -> None:
    bot = harness(slots=1)
    bot.run(0.2)
    closed_perpetual(bot, A)
    assert not bot.ask(CloseRequested(symbol=A)).done
    assert bot.ledger.halt is not None
    assert bot.ledger.halt.detail == "a person asked to close AAAUSDT"


def test_closing_without_a_name_says_which_there_are() -> None:
    bot = harness(slots=2)
    bot.run(0.2)
    answer = bot.ask(CloseRequested())
    assert not answer.done
    assert answer.text == (
        "Several positions are held: AAAUSDT, BBBUSDT. Say which one, as in `hedgerow close AAAUSDT`, or all of them: "
        "`hedgerow close --all`."
    )
    assert bot.ask(CloseRequested(symbol=C)).text == "CCCUSDT is not held; AAAUSDT, BBBUSDT are."
    assert len(bot.ledger.open_hedges) == 2


def test_closing_all_closes_all_and_says_what_it_brought() -> None:
    bot = harness()
    bot.run(0.2)
    answer = bot.ask(CloseAllRequested())
    assert answer.done
    assert answer.text.startswith("Closed ")
    assert all(f"{symbol}" in answer.text for symbol in (A, B, C))
    assert bot.reasons == [Reason.USER] * 3
    matched(bot)
    assert bot.ask(CloseAllRequested()).text == "No position is held."


class DarkBooks(WatchedVenue):
    """Cannot read the books of some pairs."""

    dark: frozenset[str] = frozenset()

    async def depth(self, market: Market, symbol: str) -> Depth:
        if symbol in self.dark:
            raise VenueError("down")
        return await super().depth(market, symbol)


def test_closing_everything_is_priced_by_books_of_each_hedge_and_one_that_cannot_be_read_is_named() -> None:
    listed = market("0.0006", "0.0005", "0.0004")
    bot = BotHarness(listed, parameters=calm(3), usdt=900, perp=900, venue_kind=DarkBooks)
    assert isinstance(bot.venue, DarkBooks)
    assert bot.ask(ClosingPriced(symbol=None)).text == "No position is held."
    bot.run(1.0)
    answer = bot.ask(ClosingPriced(symbol=None))
    found = msgspec.json.decode(answer.document, type=ClosingPrices).prices
    assert {price.symbol for price in found} == symbols(bot.ledger) == {A, B, C}
    assert {price.hedge_id for price in found} == set(bot.ledger.hedges)
    assert all(price.result.exit_cost and price.next_payment for price in found)
    assert {price.at for price in found} == {bot.clock.now()}
    bot.venue.dark = frozenset({B})
    answer = bot.ask(ClosingPriced(symbol=None))
    assert (answer.done, answer.text) == (True, f"The book of {B} could not be read: spot, perpetual.")
    found = msgspec.json.decode(answer.document, type=ClosingPrices).prices
    assert {price.symbol for price in found} == {A, C}


def test_an_exit_closes_all_where_that_was_asked_for() -> None:
    bot = harness()
    bot.run(0.2, options=RunOptions(interval_seconds=300, close_on_exit=True))
    assert bot.reasons == [Reason.SHUTDOWN] * 3
    matched(bot)


def test_a_hedge_that_pays_no_more_is_closed_and_its_slot_filled_again() -> None:
    data = market("0.0006", "0.0005", "0.0004")
    data.set_rate(OPENED + timedelta(hours=8), "-0.02", symbol=B)
    bot = BotHarness(data, parameters=calm(2), usdt=900, perp=900)
    bot.run(17)
    assert symbols(bot.ledger) == {A, C}
    assert bot.reasons == [Reason.NEGATIVE_FUNDING]
    matched(bot)


def test_a_rotation_closes_the_one_that_pays_least_for_one_better_pair() -> None:
    data = market("0.0006", "0.0003", "0.0004", "0.0001")
    data.set_rate(OPENED + timedelta(hours=1), "0.02", symbol="DDDUSDT")
    parameters = calm(3)
    management = replace(parameters.position_management, better_opportunity_apr=0.1)
    bot = BotHarness(data, parameters=replace(parameters, position_management=management), usdt=900, perp=900)
    bot.run(16)
    assert [closed.symbol for closed in bot.ledger.closed] == [B]
    assert symbols(bot.ledger) == {A, C, "DDDUSDT"}
    matched(bot)


def test_each_confirmed_position_is_said_with_its_own_value_before() -> None:
    bot = harness()
    bot.run(0.2)
    bot.run(0.1, values_before={A: Decimal(400), C: Decimal(300)})
    said = {
        notice.verdict.symbol: notice
        for notice in bot.notices_of(Reconciled)[-3:]
        if isinstance(notice.verdict, Consistent)
    }
    entry = next(hedge.entry_notional for hedge in bot.ledger.open_hedges if hedge.symbol == B)
    assert {symbol: notice.value_before for symbol, notice in said.items()} == {A: 400, B: entry, C: 300}


def test_what_cannot_be_adopted_beside_several_is_said_in_the_plural() -> None:
    bot = harness("0.0004", "0.0006", "0.0005", "0.0007")
    bot.run(0.2)
    said = bot.ask(AdoptRequested(symbol=A)).text
    assert said.startswith(f"{A} cannot be adopted while DDDUSDT, ")
    assert said.endswith(" are held.")


# --- money of each ---------------------------------------------------------------------------------------------------


def test_funding_of_two_symbols_at_one_stamp_goes_to_each() -> None:
    bot = harness(slots=2)
    bot.run(9)
    payments = bot.logged(FundingReceived)
    assert {event.payment.symbol for event in payments} == {A, B}
    for hedge in bot.ledger.open_hedges:
        assert hedge.funding_received == sum(e.payment.amount for e in payments if e.payment.symbol == hedge.symbol)
        assert hedge.funding_received > 0
    matched(bot)


def test_fees_and_dust_stay_with_their_own_hedge() -> None:
    bot = harness(slots=2)
    bot.run(0.2)
    assert bot.ask(CloseRequested(symbol=A)).done
    kept = bot.ledger.dust["AAA"].quantity
    (other,) = bot.ledger.open_hedges
    assert other.symbol == B
    assert other.tally.fees == sum((record.booked_fee for record in other.orders), Decimal(0))
    assert bot.ask(CloseRequested(symbol=B)).done
    assert bot.ledger.dust["AAA"].quantity == kept
    matched(bot)


# --- others trade ----------------------------------------------------------------------------------------------------


def test_one_closed_elsewhere_is_let_go_and_the_other_is_kept() -> None:
    bot = harness("0.0006", "0.0005", slots=2)
    bot.run(0.2)
    lost = bot.ledger.held(A)
    assert lost is not None
    bot.world.trade_by_hand(Market.SPOT, A, Side.SELL, bot.ledger.owned("AAA").quantize(Decimal("0.001"), "ROUND_DOWN"))
    bot.world.trade_by_hand(Market.PERP, A, Side.BUY, lost.short)
    bot.run(0.1)
    assert bot.reasons[0] is Reason.CLOSED_EXTERNALLY
    assert B in symbols(bot.ledger)
    assert fold(bot.log) == bot.ledger


def test_a_naked_leg_of_one_is_closed_while_the_other_is_healthy() -> None:
    bot = harness("0.0006", "0.0005", slots=2)
    bot.run(0.2)
    hedge = bot.ledger.held(B)
    assert hedge is not None
    bot.world.trade_by_hand(Market.PERP, B, Side.BUY, hedge.short)
    bot.run(0.3)
    assert bot.reasons == [Reason.LEG_GONE]
    assert symbols(bot.ledger) == {A}
    assert bot.ledger.apart == {}


def test_three_hedges_made_by_hand_are_adopted() -> None:
    bot = harness(slots=3)
    for symbol in (A, B, C):
        by_hand(bot, symbol)
    bot.wait(9)
    bot.run(0.1)
    assert symbols(bot.ledger) == {A, B, C}
    assert [event.hedge.symbol for event in bot.logged(HedgeAdopted)] == [A, B, C]
    for hedge in bot.ledger.open_hedges:
        assert hedge.opened_at == OPENED
        assert hedge.history_known
        assert hedge.funding_payments == 1
    assert not bot.logged(Halted)
    matched(bot)


def test_more_than_there_are_slots_for_are_not_adopted() -> None:
    bot = harness(slots=2)
    for symbol in (A, B, C):
        by_hand(bot, symbol)
    bot.run(0.1)
    assert not bot.ledger.hedges
    assert bot.ledger.halt is not None
    assert bot.ledger.halt.reason is HaltReason.SEVERAL_POSITIONS


def test_a_foreign_short_halts_openings_beside_a_hedge() -> None:
    bot = harness("0.0006", "0.0005", "-0.0001", slots=3)
    bot.run(0.2)
    assert symbols(bot.ledger) == {A, B}
    bot.world.trade_by_hand(Market.PERP, C, Side.SELL, Decimal(1))
    bot.run(0.2)
    assert bot.ledger.halt is not None
    assert bot.ledger.halt.reason is HaltReason.FOREIGN_SHORT
    assert symbols(bot.ledger) == {A, B}


def test_a_halt_about_one_pair_blocks_all_openings_and_no_closing() -> None:
    data = market("0.0006", "0.0005", "-0.0001", "-0.0001")
    bot = BotHarness(data, parameters=calm(3), usdt=900, perp=900)
    bot.run(0.2)
    assert symbols(bot.ledger) == {A, B}
    bot.world.trade_by_hand(Market.PERP, C, Side.SELL, Decimal(1))
    bot.run(0.1)
    assert bot.ledger.halt is not None
    assert bot.ledger.halt.symbols == (C,)
    data.set_rate(bot.world.now + timedelta(minutes=1), "0.004", symbol="DDDUSDT")
    hedge = bot.ledger.held(B)
    assert hedge is not None
    bot.world.trade_by_hand(Market.PERP, B, Side.BUY, hedge.short)
    bot.run(8)
    assert bot.reasons == [Reason.LEG_GONE]
    assert symbols(bot.ledger) == {A}


def test_one_made_by_hand_is_adopted_beside_those_that_are_held() -> None:
    bot = harness("0.0006", "0.0005", "-0.0001", slots=3)
    bot.run(0.2)
    by_hand(bot, C, "1")
    bot.run(0.1)
    assert [event.hedge.symbol for event in bot.logged(HedgeAdopted)] == [C]
    assert symbols(bot.ledger) >= {A, B}
    matched(bot)


# --- the log ---------------------------------------------------------------------------------------------------------


def test_the_fold_goes_on_from_every_event() -> None:
    bot = harness(slots=2)
    bot.run(9)
    assert bot.ask(CloseRequested(symbol=A)).done
    log, ledger = bot.log, Ledger()
    for index, event in enumerate(log):
        assert fold(log[index:], ledger) == bot.ledger
        ledger = apply(ledger, event)
        assert len({hedge.symbol for hedge in ledger.hedges.values()}) == len(ledger.hedges)
        assert (ledger.opening is None) or ledger.opening not in ledger.open_hedges


def test_a_bot_that_starts_again_keeps_each_hedge() -> None:
    bot = harness()
    bot.run(0.2)
    before = {hedge.hedge_id: hedge.short for hedge in bot.ledger.open_hedges}
    for _ in range(3):
        bot.run(0.2)
    assert {hedge.hedge_id: hedge.short for hedge in bot.ledger.open_hedges} == before
    assert len(bot.logged(HedgeOpened)) == 3
    matched(bot)


# --- margin ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", ["1.3", "1.6", "1.9"])
def test_a_market_that_rises_as_a_whole_liquidates_none(factor: str) -> None:
    data = market("0.0006", "0.0005", "0.0004")
    for at, symbol in enumerate((A, B, C)):
        for step in range(1, 13):
            rise = 1 + (Decimal(factor) - 1) * step / 12
            data.set_prices(START + timedelta(hours=2, minutes=20 * step), (100 + 20 * at) * rise, symbol=symbol)
    bot = BotHarness(data, parameters=calm(3), usdt=900, perp=900)
    bot.run(8)
    assert Reason.LIQUIDATED not in bot.reasons
    matched(bot)


# --- requests while another is traded --------------------------------------------------------------------------------


MAKER = ExecutionLimits(style=ExecutionStyle.MAKER, max_naked_equity_fraction=Decimal("0.1"))
"""Each slice rests for 45 s before it is taken: the second opening is at work for minutes."""


def maker(*rates: str, notifications: bool = False) -> BotHarness:
    parameters = replace(calm(2), execution=MAKER)
    return BotHarness(
        market(*rates), parameters=parameters, usdt=900, perp=900, latency_seconds=0.05, notifications=notifications
    )


def while_the_second_opens(bot: BotHarness, mailbox: FolderMailbox, *requests: Request) -> list[str]:
    """Ask once one hedge is held and another is being opened; returns what was asked while."""
    seen: list[str] = []

    def ask(harness: BotHarness) -> None:
        job = harness.ledger.execution
        if seen or job is None or not harness.ledger.open_hedges or not job.perp.filled:
            return
        seen.append(job.symbol)
        for number, request in enumerate(requests, 1):
            mailbox.post(asked(str(number), request))

    bot.run(1.5, mailbox=mailbox, at={step / 120: ask for step in range(1, 120)})
    assert seen, "the second opening was never seen at work"
    return seen


def test_one_is_closed_after_the_opening_of_another_that_leads_no_further(tmp_path: Path) -> None:
    bot, mailbox = maker("0.0006", "0.0005"), mailbox_in(tmp_path / "r")
    assert while_the_second_opens(bot, mailbox, CloseRequested(symbol=A)) == [B]
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.text.startswith("Closed AAAUSDT")
    assert symbols(bot.ledger) == {B}
    matched(bot)


def test_all_are_closed_after_the_opening_at_work(tmp_path: Path) -> None:
    bot, mailbox = maker("0.0006", "0.0005"), mailbox_in(tmp_path / "r")
    while_the_second_opens(bot, mailbox, CloseAllRequested())
    answer = mailbox.collect("1")
    assert answer is not None
    assert answer.done
    assert not bot.ledger.hedges
    matched(bot)


def test_a_close_without_a_name_during_an_opening_says_which_there_are(tmp_path: Path) -> None:
    bot, mailbox = maker("0.0006", "0.0005"), mailbox_in(tmp_path / "r")
    while_the_second_opens(bot, mailbox, CloseRequested(), CloseRequested(symbol=C))
    first, second = mailbox.collect("1"), mailbox.collect("2")
    assert first is not None
    assert first.text.startswith("Several positions are held: AAAUSDT, BBBUSDT.")
    assert second is not None
    assert second.text == "CCCUSDT is not held; AAAUSDT, BBBUSDT are."
    assert symbols(bot.ledger) == {A, B}
    matched(bot)


def test_a_leg_taken_from_one_while_another_opens_is_seen_at_once() -> None:
    bot, taken = maker("0.0006", "0.0005"), list[Decimal]()

    def take(harness: BotHarness) -> None:
        job, held = harness.ledger.execution, harness.ledger.held(A)
        if not taken and job is not None and job.symbol == B and job.perp.filled and held is not None:
            taken.append(held.short)
            harness.world.trade_by_hand(Market.PERP, A, Side.BUY, held.short)

    bot.run(1.5, at={step / 120: take for step in range(1, 120)})
    assert taken
    assert bot.reasons == [Reason.LEG_GONE]
    assert symbols(bot.ledger) == {B}
    matched(bot)


def test_no_pair_is_opened_before_a_hedge_that_lost_a_leg_meanwhile_is_closed() -> None:
    bot = BotHarness(market("0.0006", "0.0005", "0.0004"), parameters=calm(), usdt=900, perp=900, latency_seconds=0.05)
    taken = list[Decimal]()

    def took(view: AccountView) -> AccountView:
        held = bot.ledger.held(A)
        if taken or held is None or bot.ledger.held(B) is None or bot.ledger.execution is not None:
            return view
        taken.append(held.pair.spot.floor_quantity(held.spot_quantity * Decimal("0.9")))
        bot.world.trade_by_hand(Market.SPOT, A, Side.SELL, taken[0])
        return bot.world.account()

    bot.venue.rewritten = took
    bot.run(1)
    assert taken
    started = [(event.execution.kind, event.execution.symbol) for event in bot.logged(ExecutionStarted)]
    assert started[:3] == [(ExecutionKind.OPEN, A), (ExecutionKind.OPEN, B), (ExecutionKind.CLOSE, A)]
    matched(bot)


def test_a_leg_that_lost_most_of_its_coins_while_another_opens_is_said_to_be_naked() -> None:
    bot, taken = maker("0.0006", "0.0005"), list[Decimal]()
    bot.parameters = replace(bot.parameters, execution=replace(MAKER, max_naked_seconds=2))

    def take(harness: BotHarness) -> None:
        job, held = harness.ledger.execution, harness.ledger.held(A)
        if not taken and job is not None and job.symbol == B and job.perp.filled and held is not None:
            taken.append(held.pair.spot.floor_quantity(held.spot_quantity * Decimal("0.9")))
            harness.world.trade_by_hand(Market.SPOT, A, Side.SELL, taken[0])

    bot.run(1.5, at={step / 120: take for step in range(1, 120)})
    (alarm,) = bot.logged(NakedAlarmed)
    assert bot.reasons == [Reason.IMBALANCE]
    assert alarm.hedge_id == bot.ledger.closed[0].hedge_id
    assert abs(alarm.exposure - taken[0]) < Decimal("0.01")
    assert alarm.notional == pytest.approx(alarm.exposure * 100, rel=Decimal("0.001"))
    assert 2 < alarm.seconds < 30
    closing = next(at for at in bot.logged(ExecutionStarted) if at.execution.kind is ExecutionKind.CLOSE)
    assert alarm.at - closing.at < timedelta(seconds=1), "it is said before the closing, not after it"


def test_a_forced_trade_reported_while_another_opens_is_looked_for_until_the_account_shows_it() -> None:
    bot = maker("0.0006", "0.0005", notifications=True)
    bot.parameters = replace(calm(1, max_capital_usd=Decimal(600)), execution=MAKER)
    bot.run(0.2)
    bot.parameters = replace(calm(2), execution=MAKER)
    taken, before, shown_after = list[datetime](), list[PerpPosition](), timedelta(minutes=3)

    def take(harness: BotHarness) -> None:
        job, held = harness.ledger.execution, harness.ledger.held(A)
        if not taken and job is not None and job.symbol == B and job.perp.filled and held is not None:
            taken.append(harness.clock.now())
            before.append(harness.world.account().positions[A])
            harness.world.deleverage(A, held.short)

    def old(account: AccountView) -> AccountView:
        if not taken or account.at > taken[0] + shown_after:
            return account
        return replace(account, positions={**account.positions, A: before[0]})

    bot.venue.rewritten = old
    bot.run(1.5, at={step / 120: take for step in range(1, 120)})
    (closed,) = bot.ledger.closed
    opened = next(event.at for event in bot.logged(HedgeOpened) if event.at > taken[0])
    assert opened < taken[0] + shown_after < closed.closed_at < taken[0] + shown_after + timedelta(seconds=45)
    assert closed.reason is Reason.LIQUIDATED
    assert symbols(bot.ledger) == {B}
    matched(bot)


def test_a_further_opening_is_no_health_check_that_was_not_possible() -> None:
    bot = harness("0.0004", "0.0006", "0.0005")
    bot.run(0.2)
    assert len(bot.ledger.open_hedges) == 3
    assert not [said for said in bot.notices_of(HealthJudged) if said.report is None and said.hedges]


def test_the_end_names_what_is_not_the_bot_s() -> None:
    bot = harness("0.0006", "0.0005", "-0.0001", slots=3)
    bot.run(0.2)
    bot.world.trade_by_hand(Market.PERP, C, Side.SELL, Decimal(1))
    bot.run(0.2)
    assert f"{C}: 1 short without coins against it" in bot.notices_of(Stopped)[-1].foreign
