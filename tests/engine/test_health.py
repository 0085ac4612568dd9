"""The guide, decided: what the health of a held hedge leads to, and what never ends it."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.commands import SetLeverage, TransferDirection, TransferFunds
from hedgerow.domain.events import CommandRefused, FillsElsewhere, HedgeRepaired, Wallet
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.inprocess.faults import FaultPlan, LaggingBalances, Outcome, Read, ReadFault, SubmitFault
from hedgerow.engine.notices import CycleFailed, Decided, Evaluated, NoOpportunity, ReadFailed, RebalanceStarted
from hedgerow.strategy.observation import Close, Hold, HoldReason, TopUpMargin, Trim
from hedgerow.strategy.parameters import (
    CapitalManagement,
    PositionManagement,
    RiskManagement,
    StopOn,
    StrategyParameters,
)
from support.bot_harness import OPENED, Farm
from support.worlds import START, SYMBOL, ScriptedTape


def _held(**options: object) -> Farm:
    farm = Farm(**options)  # type: ignore[arg-type] # a test's shorthand
    farm.run(0.5)
    farm.check_whole()
    return farm


def _sell(farm: Farm, share: str) -> None:
    quantity = farm.hedge.pair.spot.floor_quantity(farm.hedge.spot_quantity * Decimal(share))
    farm.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, quantity)


def _buy_back(farm: Farm, share: str) -> None:
    quantity = farm.hedge.pair.perp.floor_quantity(farm.hedge.short * Decimal(share))
    farm.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, quantity, reduce_only=True)


# --- imbalance -------------------------------------------------------------------------------------------------------


def test_an_imbalance_of_two_percent_is_held() -> None:
    farm = _held()
    _sell(farm, "0.019")
    farm.run(1)
    assert farm.decisions(Trim) == []
    assert farm.decisions(Close) == []
    farm.check()
    assert farm.coins() == farm.hedge.spot_quantity


@pytest.mark.parametrize(("change", "market"), [(_sell, Market.PERP), (_buy_back, Market.SPOT)])
def test_an_imbalance_of_five_percent_trims_the_larger_leg(change: object, market: Market) -> None:
    farm = _held()
    notional, opened_at = farm.hedge.entry_notional, farm.hedge.opened_at
    change(farm, "0.05")  # type: ignore[operator] # one of two functions above
    farm.run(0.2)
    trim = farm.decisions(Trim)[0]
    assert trim.market is market
    assert len(farm.logged(HedgeRepaired)) == 1
    assert farm.reasons == []
    assert farm.hedge.entry_notional == notional
    assert farm.hedge.opened_at == opened_at
    farm.check_whole()


def test_an_imbalance_of_more_than_ten_percent_closes() -> None:
    farm = _held(parameters=_no_reopening())
    _sell(farm, "0.12")
    farm.run(0.2)
    assert farm.reasons == [Reason.IMBALANCE]
    farm.check_flat()


@pytest.mark.parametrize("change", [_sell, _buy_back])
def test_a_leg_that_is_gone_closes_the_other(change: object) -> None:
    farm = _held(parameters=_no_reopening())
    change(farm, "1")  # type: ignore[operator] # one of two functions above
    farm.run(0.2)
    assert farm.reasons == [Reason.LEG_GONE]
    farm.check_flat()
    assert farm.coins() < Decimal("0.05")


def _no_reopening() -> StrategyParameters:
    """Return parameters under which what a hedge of half the money frees is never enough for another."""
    return StrategyParameters(
        capital_management=CapitalManagement(min_capital_usd=Decimal("999.9")),
    )


def test_balances_that_lag_behind_a_trade_never_cause_a_correction() -> None:
    farm = Farm(faults=FaultPlan(lagging=LaggingBalances(seconds=1.5)), latency_seconds=0.05)
    farm.run(2)
    assert farm.decisions(Trim) == []
    assert farm.decisions(Close) == []
    assert farm.logged(FillsElsewhere) == []
    farm.check_whole()


# --- critical --------------------------------------------------------------------------------------------------------


def test_liquidation_coming_near_is_answered_with_idle_usdt() -> None:
    farm = _held(parameters=StrategyParameters(capital_management=CapitalManagement(max_capital_usd=Decimal(500))))
    farm.world.transfer_by_hand(Decimal(240), TransferDirection.PERP_TO_SPOT)
    farm.world.shock(SYMBOL, Decimal("1.65"))
    farm.run(0.2)
    assert len(farm.decisions(TopUpMargin)) >= 1
    assert any(isinstance(command, TransferFunds) for command in farm.venue.sent)
    assert farm.reasons == []
    position = farm.world.account().positions[SYMBOL]
    assert position.liquidation_price is not None
    assert position.liquidation_price / position.mark_price - 1 > Decimal("0.25")
    farm.check_whole()


def test_liquidation_within_fifteen_percent_closes_at_once() -> None:
    farm = _held(parameters=_no_reopening())
    farm.world.shock(SYMBOL, Decimal("1.8"))  # the margin of 1x carries a rise of about 100 %
    farm.run(0.1)
    closing = farm.decisions(Close)[0]
    assert closing.reason is Reason.HEALTH
    assert not closing.confirm
    assert "liquidation" in closing.detail
    assert farm.reasons == [Reason.HEALTH]
    farm.check_flat()


def test_a_leverage_changed_elsewhere_closes() -> None:
    farm = _held()
    farm.world.set_leverage(SYMBOL, 3)
    farm.run(0.1)
    assert farm.reasons == [Reason.HEALTH]
    assert "leverage is 3x" in farm.decisions(Close)[0].detail
    assert farm.ledger.hedge is None, "the pair rests"
    farm.run(1)
    farm.check_whole()  # opened again, at 1x
    assert farm.world.account().positions[SYMBOL].leverage == 1


def test_a_symbol_that_leaves_trading_is_closed_while_its_legs_can_still_be_reduced() -> None:
    farm = _held()
    farm.world.set_status(SYMBOL, TradingStatus.SETTLING)
    farm.run(0.2)
    assert farm.reasons == [Reason.HEALTH]
    assert "leaves trading" in farm.decisions(Close)[0].detail
    farm.check_flat()


@pytest.mark.parametrize("closed", [(Market.SPOT,), (Market.PERP,), (Market.SPOT, Market.PERP)])
def test_a_leg_that_takes_no_orders_never_leaves_the_other_naked(closed: tuple[Market, ...]) -> None:
    farm = _held()
    before = farm.coins(), farm.short()
    farm.world.set_status(SYMBOL, TradingStatus.CLOSED, closed)
    farm.run(1)
    assert (farm.coins(), farm.short()) == before
    assert farm.ledger.max_naked_seconds == 0
    assert farm.ledger.halt is None
    farm.check_whole()
    farm.world.set_status(SYMBOL, TradingStatus.SETTLING)
    farm.run(0.2)
    assert farm.reasons == [Reason.HEALTH]
    farm.check_flat()


def test_a_close_by_hand_waits_for_a_perpetual_that_takes_no_orders() -> None:
    farm = _held()
    farm.world.set_status(SYMBOL, TradingStatus.CLOSED, (Market.PERP,))
    answer = farm.ask(CloseRequested())
    assert not answer.done
    assert "could not be closed" in answer.text
    farm.check_whole()


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
    farm = Farm(faults=gone, parameters=parameters if Read.MARKET in down or Read.ACCOUNT in down else None)
    farm.run(1.45)
    assert farm.reasons == []
    assert farm.decisions(Close) == []
    if Read.FUNDING_PAYMENTS not in down:
        holds = [hold for hold in farm.decisions(Hold) if hold.reason is HoldReason.INCOMPLETE]
        assert holds
        assert farm.heard(ReadFailed)
    assert farm.ledger.totals.cycles >= 18  # it went on all the time
    farm.run(0.2)  # the venue is back
    if parameters is farm.parameters:
        assert farm.reasons == [Reason.MAX_AGE]
    farm.check()


def test_an_unreadable_book_of_the_held_pair_is_no_exit() -> None:
    farm = _held()
    farm.tape.set_gap(OPENED + timedelta(minutes=30))
    farm.run(0.5)
    assert farm.reasons == []
    assert farm.heard(CycleFailed) == []
    assert farm.heard(Evaluated)[-1].evaluation.unseen != ()


# --- emergency stop --------------------------------------------------------------------------------------------------


def test_a_price_rise_of_fifteen_percent_with_an_intact_hedge_does_not_stop() -> None:
    farm = _held()
    farm.world.shock(SYMBOL, Decimal("1.15"))
    farm.run(0.5)
    assert farm.reasons == []
    evaluation = farm.heard(Evaluated)[-1].evaluation
    assert evaluation.pnl_fraction is not None
    assert abs(evaluation.pnl_fraction) < 0.01
    farm.check_whole()


def test_the_literal_reading_stops_on_the_perpetual_leg_alone() -> None:
    stop = RiskManagement(stop_on=StopOn.PERP_LEG)
    farm = _held(parameters=StrategyParameters(risk_management=stop))
    farm.world.shock(SYMBOL, Decimal("1.09"))
    farm.run(0.2)
    assert farm.reasons == []
    farm.world.shock(SYMBOL, Decimal("1.05"))
    farm.run(0.2)
    assert farm.reasons == [Reason.EMERGENCY_STOP]
    farm.check()


def test_a_pair_that_lost_ten_percent_by_its_basis_is_stopped() -> None:
    tape = ScriptedTape()
    farm = _held(tape=tape, parameters=_no_reopening())
    tape.set_prices(farm.world.now, 100, "109")
    farm.run(0.3)
    assert farm.reasons == []
    tape.set_prices(farm.world.now, 100, "111")
    farm.run(0.3)
    assert farm.reasons == [Reason.EMERGENCY_STOP]
    farm.check_flat()


# --- capital and leverage --------------------------------------------------------------------------------------------


def test_the_fraction_of_the_smaller_wallet_after_rebalancing_is_used_per_leg() -> None:
    farm = Farm(usdt=800, perp=200)
    farm.run(0.2)
    assert Decimal(474) < farm.hedge.entry_notional < Decimal("475.2")  # within one lot of 95 % of half the money
    farm.check_whole()


def test_the_wallets_are_levelled_as_part_of_closing() -> None:
    tape = ScriptedTape()
    farm = _held(tape=tape)
    tape.set_prices(farm.world.now, 120)
    farm.ask(CloseRequested())
    farm.check_flat()
    said = [moment for moment in farm.heard(RebalanceStarted) if not moment.before_opening]
    assert len(said) == 1
    account = farm.world.account()
    assert account.spot_usdt == pytest.approx(account.perp.transferable, abs=Decimal("1e-6"))


def test_the_maximum_bounds_both_legs_together() -> None:
    farm = Farm(parameters=StrategyParameters(capital_management=CapitalManagement(max_capital_usd=Decimal(300))))
    farm.run(0.2)
    assert Decimal(148) <= farm.hedge.entry_notional <= Decimal("150.5")


def test_below_fifty_dollars_nothing_is_opened_and_the_bot_lives_on() -> None:
    farm = Farm(usdt="24.99", perp="24.99")
    farm.run(1)
    assert farm.venue.orders == []
    holds = [hold for hold in farm.decisions(Hold) if hold.reason is HoldReason.CAPITAL]
    assert "$49.98 in equal wallets, at least $50.00 needed" in holds[-1].detail
    assert farm.ledger.totals.cycles >= 12
    farm.world.deposit(Wallet.SPOT, "USDT", Decimal(2))
    farm.run(0.2)
    farm.check_whole()


def test_no_pair_at_all_is_survived() -> None:
    farm = Farm(ScriptedTape([]))
    farm.run(1)
    assert farm.heard(NoOpportunity)[0].why == "no pair is listed on both markets"
    assert farm.heard(CycleFailed) == []


def test_a_refused_leverage_opens_nothing_and_the_bot_lives_on() -> None:
    refusal = SubmitFault(outcome=Outcome.REJECT, command="set_leverage", code=-4028, times=3)
    farm = Farm(faults=FaultPlan(submits=(refusal,)))
    farm.run(0.2)
    assert farm.venue.orders == []
    assert farm.logged(CommandRefused)
    farm.run(2)
    farm.check_whole()


def test_leverage_is_always_set_to_one_before_the_first_order() -> None:
    farm = _held()
    assert [command.leverage for command in farm.venue.sent if isinstance(command, SetLeverage)] == [1]
    first_order = next(n for n, command in enumerate(farm.venue.sent) if command in farm.venue.orders)
    assert any(isinstance(command, SetLeverage) for command in farm.venue.sent[:first_order])
    assert farm.world.account().positions[SYMBOL].leverage == 1
    assert farm.heard(Decided)
    assert START < OPENED
