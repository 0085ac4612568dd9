"""The guide, decided: what the health of a held hedge leads to, and what never ends it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.commands import SetLeverage, TransferDirection, TransferFunds
from hedgerow.domain.events import CommandRefused, ExternalFills, HedgeRepaired, Wallet
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, LaggingBalances, Read, ReadFault, SubmitFault
from hedgerow.engine.notices import CycleFailed, Decided, Evaluated, NoOpportunity, ReadFailed, RebalanceStarted
from hedgerow.strategy.observation import Close, Hold, HoldReason, TopUpMargin, Trim
from hedgerow.strategy.parameters import (
    CapitalManagement,
    PositionManagement,
    RiskManagement,
    StopOn,
    StrategyParameters,
)
from support.bot_harness import OPENED, BotHarness
from support.worlds import START, SYMBOL, ScriptedMarketData


def _held(**options: object) -> BotHarness:
    harness = BotHarness(**options)  # type: ignore[arg-type] # a test's shorthand
    harness.run(0.5)
    harness.check_whole()
    return harness


def _sell(harness: BotHarness, share: str) -> None:
    quantity = harness.hedge.pair.spot.floor_quantity(harness.hedge.spot_quantity * Decimal(share))
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, quantity)


def _buy_back(harness: BotHarness, share: str) -> None:
    quantity = harness.hedge.pair.perp.floor_quantity(harness.hedge.short * Decimal(share))
    harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, quantity, reduce_only=True)


# --- imbalance -------------------------------------------------------------------------------------------------------


def test_an_imbalance_of_two_percent_is_held() -> None:
    harness = _held()
    _sell(harness, "0.019")
    harness.run(1)
    assert harness.decisions(Trim) == []
    assert harness.decisions(Close) == []
    harness.check()
    assert harness.coins() == harness.hedge.spot_quantity


@pytest.mark.parametrize(("change", "market"), [(_sell, Market.PERP), (_buy_back, Market.SPOT)])
def test_an_imbalance_of_five_percent_trims_the_larger_leg(change: object, market: Market) -> None:
    harness = _held()
    notional, opened_at = harness.hedge.entry_notional, harness.hedge.opened_at
    change(harness, "0.05")  # type: ignore[operator] # one of two functions above
    harness.run(0.2)
    trim = harness.decisions(Trim)[0]
    assert trim.market is market
    assert len(harness.logged(HedgeRepaired)) == 1
    assert harness.reasons == []
    assert harness.hedge.entry_notional == notional
    assert harness.hedge.opened_at == opened_at
    harness.check_whole()


def test_an_imbalance_of_more_than_ten_percent_closes() -> None:
    harness = _held(parameters=_no_reopening())
    _sell(harness, "0.12")
    harness.run(0.2)
    assert harness.reasons == [Reason.IMBALANCE]
    harness.check_flat()


@pytest.mark.parametrize("change", [_sell, _buy_back])
def test_a_leg_that_is_gone_closes_the_other(change: object) -> None:
    harness = _held(parameters=_no_reopening())
    change(harness, "1")  # type: ignore[operator] # one of two functions above
    harness.run(0.2)
    assert harness.reasons == [Reason.LEG_GONE]
    harness.check_flat()
    assert harness.coins() < Decimal("0.05")


def _no_reopening() -> StrategyParameters:
    """Return parameters under which what a hedge of half the money frees is never enough for another."""
    return StrategyParameters(
        capital_management=CapitalManagement(min_capital_usd=Decimal("999.9")),
    )


def test_balances_that_lag_behind_a_trade_never_cause_a_correction() -> None:
    harness = BotHarness(faults=FaultPlan(lagging=LaggingBalances(seconds=1.5)), latency_seconds=0.05)
    harness.run(2)
    assert harness.decisions(Trim) == []
    assert harness.decisions(Close) == []
    assert harness.logged(ExternalFills) == []
    harness.check_whole()


# --- critical --------------------------------------------------------------------------------------------------------


def test_liquidation_coming_near_is_answered_with_idle_usdt() -> None:
    harness = _held(parameters=StrategyParameters(capital_management=CapitalManagement(max_capital_usd=Decimal(500))))
    harness.world.transfer_by_hand(Decimal(240), TransferDirection.PERP_TO_SPOT)
    harness.world.shock(SYMBOL, Decimal("1.65"))
    harness.run(0.2)
    assert len(harness.decisions(TopUpMargin)) >= 1
    assert any(isinstance(command, TransferFunds) for command in harness.venue.sent)
    assert harness.reasons == []
    position = harness.world.account().positions[SYMBOL]
    assert position.liquidation_price is not None
    assert position.liquidation_price / position.mark_price - 1 > Decimal("0.25")
    harness.check_whole()


def test_liquidation_within_fifteen_percent_closes_at_once() -> None:
    harness = _held(parameters=_no_reopening())
    harness.world.shock(SYMBOL, Decimal("1.8"))  # the margin of 1x carries a rise of about 100 %
    harness.run(0.1)
    closing = harness.decisions(Close)[0]
    assert closing.reason is Reason.HEALTH
    assert not closing.confirm
    assert "liquidation" in closing.detail
    assert harness.reasons == [Reason.HEALTH]
    harness.check_flat()


def test_a_leverage_changed_elsewhere_closes() -> None:
    harness = _held()
    harness.world.set_leverage(SYMBOL, 3)
    harness.run(0.1)
    assert harness.reasons == [Reason.HEALTH]
    assert "leverage is 3x" in harness.decisions(Close)[0].detail
    assert harness.ledger.largest is None, "the pair rests"
    harness.run(1)
    harness.check_whole()  # opened again, at 1x
    assert harness.world.account().positions[SYMBOL].leverage == 1


def test_a_symbol_that_leaves_trading_is_closed_while_its_legs_can_still_be_reduced() -> None:
    harness = _held()
    harness.world.set_status(SYMBOL, TradingStatus.SETTLING)
    harness.run(0.2)
    assert harness.reasons == [Reason.HEALTH]
    assert "leaves trading" in harness.decisions(Close)[0].detail
    harness.check_flat()


@pytest.mark.parametrize("closed", [(Market.SPOT,), (Market.PERP,), (Market.SPOT, Market.PERP)])
def test_a_leg_that_takes_no_orders_never_leaves_the_other_naked(closed: tuple[Market, ...]) -> None:
    harness = _held()
    before = harness.coins(), harness.short()
    harness.world.set_status(SYMBOL, TradingStatus.CLOSED, closed)
    harness.run(1)
    assert (harness.coins(), harness.short()) == before
    assert harness.ledger.max_naked_seconds == 0
    assert harness.ledger.halt is None
    harness.check_whole()
    harness.world.set_status(SYMBOL, TradingStatus.SETTLING)
    harness.run(0.2)
    assert harness.reasons == [Reason.HEALTH]
    harness.check_flat()


def test_a_close_by_hand_waits_for_a_perpetual_that_takes_no_orders() -> None:
    harness = _held()
    harness.world.set_status(SYMBOL, TradingStatus.CLOSED, (Market.PERP,))
    answer = harness.ask(CloseRequested())
    assert not answer.done
    assert "could not be closed" in answer.text
    harness.check_whole()


# --- never an exit on what cannot be seen ----------------------------------------------------------------------------


@pytest.mark.parametrize("down", [tuple(Read), (Read.MARKET,), (Read.ACCOUNT,), (Read.FUNDING_PAYMENTS,)])
def test_a_venue_that_is_down_for_an_hour_while_holding_is_no_exit(down: tuple[Read, ...]) -> None:
    parameters = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.7))
    gone = FaultPlan(
        reads=tuple(
            ReadFault(read=read, after=OPENED + timedelta(minutes=30), until=OPENED + timedelta(minutes=90))
            for read in down
        )
    )
    harness = BotHarness(faults=gone, parameters=parameters if Read.MARKET in down or Read.ACCOUNT in down else None)
    harness.run(1.45)
    assert harness.reasons == []
    assert harness.decisions(Close) == []
    if Read.FUNDING_PAYMENTS not in down:
        holds = [hold for hold in harness.decisions(Hold) if hold.reason is HoldReason.INCOMPLETE]
        assert holds
        assert harness.notices_of(ReadFailed)
    assert harness.ledger.totals.cycles >= 18  # it went on all the time
    harness.run(0.2)  # the venue is back
    if parameters is harness.parameters:
        assert harness.reasons == [Reason.MAX_AGE]
    harness.check()


def test_an_unreadable_book_of_the_held_pair_is_no_exit() -> None:
    harness = _held()
    harness.market_data.set_gap(OPENED + timedelta(minutes=30))
    harness.run(0.5)
    assert harness.reasons == []
    assert harness.notices_of(CycleFailed) == []
    assert harness.notices_of(Evaluated)[-1].evaluation.unseen != ()


# --- emergency stop --------------------------------------------------------------------------------------------------


def test_a_price_rise_of_fifteen_percent_with_an_intact_hedge_does_not_stop() -> None:
    harness = _held()
    harness.world.shock(SYMBOL, Decimal("1.15"))
    harness.run(0.5)
    assert harness.reasons == []
    evaluation = harness.notices_of(Evaluated)[-1].evaluation
    assert evaluation.pnl_fraction is not None
    assert abs(evaluation.pnl_fraction) < 0.01
    harness.check_whole()


def test_the_literal_reading_stops_on_the_perpetual_leg_alone() -> None:
    stop = RiskManagement(stop_on=StopOn.PERP_LEG)
    harness = _held(parameters=StrategyParameters(risk_management=stop))
    harness.world.shock(SYMBOL, Decimal("1.09"))
    harness.run(0.2)
    assert harness.reasons == []
    harness.world.shock(SYMBOL, Decimal("1.05"))
    harness.run(0.2)
    assert harness.reasons == [Reason.EMERGENCY_STOP]
    harness.check()


def test_a_pair_that_lost_ten_percent_by_its_basis_is_stopped() -> None:
    market_data = ScriptedMarketData()
    harness = _held(market_data=market_data, parameters=_no_reopening())
    market_data.set_prices(harness.world.now, 100, "109")
    harness.run(0.3)
    assert harness.reasons == []
    market_data.set_prices(harness.world.now, 100, "111")
    harness.run(0.3)
    assert harness.reasons == [Reason.EMERGENCY_STOP]
    harness.check_flat()


# --- capital and leverage --------------------------------------------------------------------------------------------


def test_the_fraction_of_the_smaller_wallet_after_rebalancing_is_used_per_leg() -> None:
    harness = BotHarness(usdt=800, perp=200)
    harness.run(0.2)
    assert Decimal(474) < harness.hedge.entry_notional < Decimal("475.2")  # within one lot of 95 % of half the money
    harness.check_whole()


def test_the_wallets_are_levelled_as_part_of_closing() -> None:
    market_data = ScriptedMarketData()
    harness = _held(market_data=market_data)
    market_data.set_prices(harness.world.now, 120)
    harness.ask(CloseRequested())
    harness.check_flat()
    said = [notice for notice in harness.notices_of(RebalanceStarted) if not notice.before_opening]
    assert len(said) == 1
    account = harness.world.account()
    assert account.spot_usdt == pytest.approx(account.perp.transferable, abs=Decimal("1e-6"))


def test_the_maximum_bounds_both_legs_together() -> None:
    harness = BotHarness(
        parameters=StrategyParameters(capital_management=CapitalManagement(max_capital_usd=Decimal(300)))
    )
    harness.run(0.2)
    assert Decimal(148) <= harness.hedge.entry_notional <= Decimal("150.5")


def test_below_fifty_dollars_nothing_is_opened_and_the_bot_runs_on() -> None:
    harness = BotHarness(usdt="24.99", perp="24.99")
    harness.run(1)
    assert harness.venue.orders == []
    holds = [hold for hold in harness.decisions(Hold) if hold.reason is HoldReason.CAPITAL]
    assert "$49.98 in equal wallets, at least $50.00 needed" in holds[-1].detail
    assert harness.ledger.totals.cycles >= 12
    harness.world.deposit(Wallet.SPOT, "USDT", Decimal(2))
    harness.run(0.2)
    harness.check_whole()


def test_no_pair_at_all_is_survived() -> None:
    harness = BotHarness(ScriptedMarketData([]))
    harness.run(1)
    assert harness.notices_of(NoOpportunity)[0].why == "no pair is listed on both markets"
    assert harness.notices_of(CycleFailed) == []


def test_a_refused_leverage_opens_nothing_and_the_bot_runs_on() -> None:
    refusal = SubmitFault(fault=FaultKind.REJECT, command="set_leverage", code=-4028, times=3)
    harness = BotHarness(faults=FaultPlan(submits=(refusal,)))
    harness.run(0.2)
    assert harness.venue.orders == []
    assert harness.logged(CommandRefused)
    harness.run(2)
    harness.check_whole()


def test_leverage_is_always_set_to_one_before_the_first_order() -> None:
    harness = _held()
    assert [command.leverage for command in harness.venue.sent if isinstance(command, SetLeverage)] == [1]
    first_order = next(n for n, command in enumerate(harness.venue.sent) if command in harness.venue.orders)
    assert any(isinstance(command, SetLeverage) for command in harness.venue.sent[:first_order])
    assert harness.world.account().positions[SYMBOL].leverage == 1
    assert harness.notices_of(Decided)
    assert START < OPENED
