"""Account replies that leave out what is held: nothing is traded on them, openings halt, and all is well afterwards."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.account import AccountView, Balance
from hedgerow.domain.events import ExternalFills, Halted, HaltReason, HedgeLost, Lifted, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import AdoptRequested, CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import CycleFailed, GuardAlarmed, ReadFailed, Warned
from hedgerow.strategy.evidence.absence import COINS_CONFIRMED_SECONDS
from hedgerow.strategy.observation import Close
from hedgerow.strategy.parameters import (
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    StrategyParameters,
)
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData

BASE, OTHER = "AAA", "BBBUSDT"
PATIENT = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
)
CALM = StrategyParameters(
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0),
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600),
)
Rewrite = Callable[[AccountView], AccountView]


def no_positions(view: AccountView) -> AccountView:
    return replace(view, positions={})


def flat_row(view: AccountView) -> AccountView:
    rows = {symbol: replace(row, quantity=Decimal(0)) for symbol, row in view.positions.items()}
    return replace(view, positions=rows)


def half_the_short(view: AccountView) -> AccountView:
    rows = {symbol: replace(row, quantity=row.quantity / 2) for symbol, row in view.positions.items()}
    return replace(view, positions=rows)


def no_coins(view: AccountView) -> AccountView:
    return replace(view, spot={asset: row for asset, row in view.spot.items() if asset != BASE})


def fewer_coins(view: AccountView) -> AccountView:
    return replace(view, spot={**view.spot, BASE: Balance(asset=BASE, free=view.coin(BASE).total / 2)})


def empty_wallet(view: AccountView) -> AccountView:
    return replace(view, spot={})


def nothing_at_all(view: AccountView) -> AccountView:
    return replace(view, spot={}, positions={})


def unreadable_rows(view: AccountView) -> AccountView:
    return replace(
        no_coins(no_positions(view)),
        unreadable_positions=frozenset({SYMBOL}),
        unreadable_balances=frozenset({BASE}),
    )


def contradicting(view: AccountView) -> AccountView:
    return replace(view, doubts=("totalMaintMargin 3 is more than its rows",))


LIES: list[Rewrite] = [
    no_positions,
    flat_row,
    half_the_short,
    no_coins,
    fewer_coins,
    empty_wallet,
    nothing_at_all,
    unreadable_rows,
    contradicting,
]


def holding(parameters: StrategyParameters = PATIENT, **options: object) -> BotHarness:
    """Return a farm whose bot opened a hedge and was stopped."""
    market_data = ScriptedMarketData([Listing(rate="0.0004"), Listing(OTHER, spot=20, rate="0.0003")])
    harness = BotHarness(market_data, usdt=1000, perp=1000, parameters=PATIENT, poll_seconds=30, **options)  # type: ignore[arg-type]
    harness.run(0.5)
    assert harness.hedge.symbol == SYMBOL
    harness.parameters = parameters
    return harness


def lie(rewrite: Rewrite, *, seconds: float) -> Rewrite:
    """Return ``rewrite`` for so long from the first reply on."""
    until: list[datetime] = []

    def rewritten(view: AccountView) -> AccountView:
        until[:] = until or [view.at + timedelta(seconds=seconds)]
        return rewrite(view) if view.at < until[0] else view

    return rewritten


def untouched(harness: BotHarness, orders: int) -> None:
    """Check that nothing was traded, and the hedge is held as before."""
    assert len(harness.venue.orders) == orders
    assert harness.logged(ExternalFills) == []
    assert harness.logged(HedgeLost) == []
    assert harness.notices_of(CycleFailed) == []
    harness.check_whole()


@pytest.mark.parametrize("seconds", [3, 12, 30, 400])
@pytest.mark.parametrize("rewrite", LIES)
def test_a_leg_that_one_reply_leaves_out_is_never_traded_on(rewrite: Rewrite, seconds: float) -> None:
    harness = holding()
    orders = len(harness.venue.orders)
    harness.venue.rewritten = lie(rewrite, seconds=seconds)
    harness.run(0.4)
    untouched(harness, orders)
    halts = harness.logged(Halted)
    assert [halt.reason for halt in halts] == [HaltReason.ACCOUNT_IN_DOUBT] * len(halts)
    assert len(halts) == len(harness.logged(Lifted)) >= (1 if seconds > 3 else 0)
    assert harness.ledger.halt is None


@pytest.mark.parametrize("rewrite", [no_positions, no_coins, nothing_at_all])
def test_a_doubt_is_over_within_a_minute_of_its_end(rewrite: Rewrite) -> None:
    harness = holding()
    harness.venue.rewritten = lie(rewrite, seconds=130)
    began = harness.world.now
    harness.run(0.4)
    (lifted,) = harness.logged(Lifted)
    assert (lifted.at - began).total_seconds() < 130 + 60
    assert harness.notices_of(GuardAlarmed)


def test_a_short_that_both_endpoints_miss_is_gone_although_its_trades_cannot_be_read() -> None:
    unread = ReadFault(read=Read.FILLS, after=OPENED + timedelta(minutes=31), until=OPENED + timedelta(hours=1))
    harness = holding(CALM, faults=FaultPlan(reads=(unread,)))
    harness.wait(0.1)
    harness.world.deleverage(SYMBOL, harness.hedge.short)
    harness.run(0.1)
    assert harness.reasons == [Reason.LEG_GONE]
    assert harness.coins() < Decimal("0.01")
    assert harness.ledger.halt is None or harness.ledger.halt.reason is not HaltReason.ACCOUNT_IN_DOUBT


def test_a_short_that_its_trades_explain_is_gone_although_its_position_cannot_be_read() -> None:
    unread = ReadFault(read=Read.POSITION, after=OPENED, until=OPENED + timedelta(hours=5))
    harness = holding(CALM, faults=FaultPlan(reads=(unread,)))
    harness.world.deleverage(SYMBOL, harness.hedge.short)
    harness.run(0.1)
    assert harness.reasons == [Reason.LIQUIDATED]
    harness.check_flat()


def test_a_liquidation_is_answered_within_seconds() -> None:
    harness = holding(CALM)
    harness.run(0.1, at={0.05: lambda f: f.world.deleverage(SYMBOL, f.hedge.short)})
    taken = max(fill.at for event in harness.logged(ExternalFills) for fill in event.fills)
    assert (harness.ledger.closed[-1].closed_at - taken).total_seconds() < 45  # the poll of the guard and two readings
    harness.check_flat()


def test_a_short_without_any_second_source_is_in_doubt_and_stays_so() -> None:
    until = OPENED + timedelta(hours=2)
    unread = tuple(
        ReadFault(read=read, after=OPENED + timedelta(minutes=31), until=until) for read in (Read.POSITION, Read.FILLS)
    )
    harness = holding(faults=FaultPlan(reads=unread))
    harness.wait(0.1)
    orders = len(harness.venue.orders)
    harness.venue.rewritten = no_positions
    harness.run(1)
    assert len(harness.venue.orders) == orders
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.reason is HaltReason.ACCOUNT_IN_DOUBT
    assert "positionRisk cannot be read" in harness.ledger.halt.detail
    harness.venue.rewritten = None
    harness.run(1)
    untouched(harness, orders)
    assert harness.ledger.halt is None


def test_coins_that_a_statement_row_takes_are_gone_at_once() -> None:
    harness = holding(CALM)
    harness.world.deposit(Wallet.SPOT, BASE, -harness.coins())
    harness.run(0.1)
    assert harness.reasons == [Reason.LEG_GONE]
    assert [halt.reason for halt in harness.logged(Halted)] == [HaltReason.LEG_GONE]
    harness.check_flat()


def test_coins_that_trades_take_are_gone_although_the_statement_cannot_be_read() -> None:
    unread = ReadFault(read=Read.STATEMENT, after=OPENED, until=OPENED + timedelta(hours=5))
    harness = holding(CALM, faults=FaultPlan(reads=(unread,)))
    quantity = harness.hedge.pair.spot.floor_quantity(harness.coins())
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, quantity)
    harness.run(0.1)
    assert harness.reasons == [Reason.LEG_GONE]


def test_coins_that_nothing_explains_count_as_gone_only_after_a_quarter_of_an_hour_of_readings() -> None:
    harness = holding(CALM)
    harness.venue.rewritten = no_coins
    began = harness.world.now
    harness.run(0.5)
    assert harness.reasons == [Reason.LEG_GONE]
    assert (harness.ledger.closed[-1].closed_at - began).total_seconds() >= COINS_CONFIRMED_SECONDS
    assert harness.short() == 0


def lacking(parts: dict[float, str]) -> Rewrite:
    """Return that so many minutes after the first reply, and later, this part of the coins is missing."""
    began: list[datetime] = []

    def rewritten(view: AccountView) -> AccountView:
        began[:] = began or [view.at]
        minutes = (view.at - began[0]).total_seconds() / 60
        part = next(Decimal(each) for at, each in reversed(parts.items()) if minutes >= at)
        coins = Balance(asset=BASE, free=view.coin(BASE).total * (1 - part))
        return replace(view, spot={**view.spot, BASE: coins})

    return rewritten


def test_a_reply_that_lacks_more_than_the_others_takes_no_more_than_they_all_lack() -> None:
    harness = holding(CALM)
    owned = harness.hedge.spot_quantity
    harness.venue.rewritten = lacking({0: "0.01", 14.9: "1", 15.6: "0.01"})
    harness.run(0.5)
    booked = sum(fill.quantity for event in harness.logged(ExternalFills) for fill in event.fills)
    assert booked == pytest.approx(owned / 100)
    assert harness.hedge.spot_quantity == owned - booked
    assert harness.reasons == []


def test_coins_that_went_missing_later_are_given_up_a_quarter_of_an_hour_later() -> None:
    harness = holding(CALM)
    harness.venue.rewritten = lacking({0: "0.01", 10: "1"})
    began = harness.world.now
    harness.run(1)
    (lost,) = harness.ledger.closed
    assert lost.reason is Reason.LEG_GONE
    assert 25 * 60 <= (lost.closed_at - began).total_seconds() < 27 * 60
    assert harness.short() == 0


def test_coins_that_trades_explained_an_hour_ago_do_not_make_a_false_reply_old() -> None:
    hourly = replace(PATIENT, position_management=replace(PATIENT.position_management, loop_interval_seconds=3600))
    harness = BotHarness(ScriptedMarketData([Listing(rate="0.0004")]), usdt=1000, perp=1000, parameters=hourly)
    harness.run(0.5)
    orders, owned = len(harness.venue.orders), harness.hedge.spot_quantity
    sold = harness.hedge.pair.spot.floor_quantity(owned / 100)

    def begin(bot: BotHarness) -> None:
        bot.venue.rewritten = lie(no_coins, seconds=120)

    def sell(bot: BotHarness) -> None:
        bot.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, sold)

    harness.run(2.5, at={0.5: sell, 1.9: begin})
    assert [fill.quantity for event in harness.logged(ExternalFills) for fill in event.fills] == [sold]
    assert len(harness.venue.orders) == orders
    assert harness.hedge.spot_quantity == owned - sold


def test_coins_are_never_given_up_while_their_history_cannot_be_read() -> None:
    began = OPENED + timedelta(minutes=31)
    unread = ReadFault(read=Read.STATEMENT, after=began, until=began + timedelta(hours=3))
    harness = holding(CALM, faults=FaultPlan(reads=(unread,)))
    harness.wait(0.1)
    orders = len(harness.venue.orders)
    harness.venue.rewritten = no_coins
    harness.run(2)
    assert len(harness.venue.orders) == orders
    assert harness.hedge.spot_quantity > 0


def test_coins_bought_but_not_booked_yet_explain_no_missing_coins() -> None:
    unread = ReadFault(read=Read.FILLS, after=OPENED, until=OPENED + timedelta(hours=5))
    harness = holding(faults=FaultPlan(reads=(unread,)))
    assert harness.hedge.unsettled
    orders = len(harness.venue.orders)
    harness.venue.rewritten = lie(no_coins, seconds=400)
    harness.run(0.4)
    assert len(harness.venue.orders) == orders
    assert harness.reasons == []


def test_a_restart_while_the_account_leaves_the_position_out_trades_nothing() -> None:
    harness = holding()
    orders = len(harness.venue.orders)
    harness.venue.rewritten = lie(nothing_at_all, seconds=300)
    harness.run(0.02)
    assert harness.ledger.halt is not None
    harness.run(0.3)
    untouched(harness, orders)
    assert harness.ledger.halt is None


def test_an_emergency_stop_acts_on_both_legs_while_a_reply_leaves_one_out() -> None:
    harness = holding(replace(CALM, risk_management=RiskManagement(emergency_stop_loss=-0.05)))
    harness.venue.rewritten = no_positions
    harness.run(0.05)
    harness.market_data.set_prices(harness.world.now, 100, "111")
    harness.run(0.2)
    assert harness.reasons == [Reason.EMERGENCY_STOP]
    assert harness.short() == 0
    assert harness.coins() < Decimal("0.01")


def test_a_profit_exit_waits_for_an_account_that_agrees() -> None:
    harness = holding(StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.6)))
    harness.venue.rewritten = no_positions
    harness.run(0.5)
    assert harness.decisions(Close) == []
    harness.venue.rewritten = None
    harness.run(0.1)
    assert harness.reasons == [Reason.MAX_AGE]


def test_a_closing_by_hand_closes_both_legs_while_a_reply_leaves_one_out() -> None:
    harness = holding(CALM)
    harness.venue.rewritten = no_positions
    harness.ask(CloseRequested())
    assert harness.short() == 0
    assert harness.coins() < Decimal("0.01")


# --- what is not the bot's -------------------------------------------------------------------------------------------


def _foreign(harness: BotHarness, quantity: str = "5") -> None:
    harness.world.trade_by_hand(Market.PERP, OTHER, Side.SELL, Decimal(quantity))


def _hedge_by_hand(harness: BotHarness) -> None:
    harness.world.set_leverage(OTHER, 1)
    harness.world.trade_by_hand(Market.SPOT, OTHER, Side.BUY, Decimal("10.02"))
    harness.world.trade_by_hand(Market.PERP, OTHER, Side.SELL, Decimal(10))


def test_a_halt_for_a_foreign_short_is_not_lifted_by_a_reply_that_leaves_its_row_out() -> None:
    harness = BotHarness(
        ScriptedMarketData([Listing(rate="0.0004"), Listing(OTHER, spot=20, rate="0.0003")]), perp=1000
    )
    _foreign(harness)
    harness.run(0.1)
    assert harness.ledger.halt is not None
    assert (harness.ledger.halt.reason, harness.ledger.halt.symbols) == (HaltReason.FOREIGN_SHORT, (OTHER,))
    harness.venue.rewritten = no_positions
    harness.run(0.5)
    assert harness.logged(Lifted) == []
    assert harness.venue.orders == []
    harness.venue.rewritten = None
    harness.world.trade_by_hand(Market.PERP, OTHER, Side.BUY, Decimal(5), reduce_only=True)
    harness.run(0.1)
    assert len(harness.logged(Lifted)) == 1


def test_a_position_that_only_one_endpoint_shows_is_not_adopted() -> None:
    harness = BotHarness(
        ScriptedMarketData([Listing(rate="0.0004"), Listing(OTHER, spot=20, rate="0.0003")]), perp=1000
    )
    _hedge_by_hand(harness)
    row = harness.world.account().positions[OTHER]
    harness.venue.rewritten = lambda view: replace(view, positions={OTHER: replace(row, quantity=Decimal(-9))})
    harness.run(0.2)
    assert harness.ledger.largest is None
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.reason is HaltReason.ACCOUNT_IN_DOUBT
    assert harness.venue.orders == []
    answer = harness.ask(AdoptRequested(symbol=OTHER))
    assert not answer.done
    assert "positionRisk shows -10" in answer.text
    harness.venue.rewritten = None
    harness.run(0.2)
    assert harness.hedge.symbol == OTHER
    assert harness.hedge.adopted


def test_a_short_is_not_called_naked_while_the_balance_of_its_coins_cannot_be_read() -> None:
    harness = BotHarness(
        ScriptedMarketData([Listing(rate="0.0004"), Listing(OTHER, spot=20, rate="0.0003")]), perp=1000
    )
    _hedge_by_hand(harness)
    harness.venue.rewritten = lambda view: replace(
        view,
        spot={asset: row for asset, row in view.spot.items() if asset != "BBB"},
        unreadable_balances=frozenset({"BBB"}),
    )
    harness.run(0.2)
    assert [halt.reason for halt in harness.logged(Halted)] in ([], [HaltReason.ACCOUNT_IN_DOUBT])
    assert harness.venue.orders == []


def test_what_is_in_doubt_is_said_once_in_each_check_and_once_more_by_the_halt() -> None:
    harness = holding()
    harness.venue.rewritten = lie(contradicting, seconds=3600)
    harness.run(0.4)
    readings = len(harness.notices_of(ReadFailed))
    lines = [line.text for notice in harness.notices for line in narrate(notice)]
    said = [text for text in lines if "totalMaintMargin 3 is more than its rows" in text]
    assert readings >= 4
    assert len(said) == readings + len(harness.logged(Halted))


def test_trades_that_cannot_be_read_for_hours_are_said_so_a_few_times() -> None:
    until = OPENED + timedelta(hours=5)
    unread = ReadFault(read=Read.FILLS, after=OPENED, until=until)
    again = ReadFault(read=Read.FILLS, after=until + timedelta(minutes=20), until=until + timedelta(hours=1))
    harness = holding(faults=FaultPlan(reads=(unread, again)))
    harness.notices.clear()  # the half hour in which the hedge was opened is no part of the four hours
    harness.venue.rewritten = no_coins
    harness.run(4)
    said = [notice for notice in harness.notices_of(Warned) if "Could not fetch trades" in notice.text]
    kinds = 2 + 2 + 1  # fees and missing legs, each by market, and late fills
    assert 5 < len(said) <= kinds * 9
    harness.notices.clear()
    harness.run(1.5)
    said = [notice for notice in harness.notices_of(Warned) if "Could not fetch trades" in notice.text]
    assert any(notice.at < until + timedelta(minutes=23) for notice in said), "a new failure is said at once"
