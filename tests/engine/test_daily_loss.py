"""The daily loss limit: halts openings, closes only when asked to, outlives the process, is lifted by hand alone."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import DayOpened, Halted, HaltReason, HedgeOpened, Wallet
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.domain.operator_requests import CloseRequested, HaltRequested, ResumeRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import StatusChange
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import BalancesRead, Recorded
from hedgerow.strategy.parameters import (
    DailyLossAction,
    PositionManagement,
    RiskManagement,
    StrategyParameters,
)
from support.bot_harness import OPENED, BotHarness
from support.worlds import Listing, ScriptedMarketData

PATIENT = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=1000, fee_coverage_multiplier=1000)
)


def limited(**risk: Any) -> StrategyParameters:
    return replace(PATIENT, risk_management=RiskManagement(**risk))


def losing(parameters: StrategyParameters, hour: float = 3, **harness: Any) -> BotHarness:
    """Return a farm whose perpetual rises 2 % over spot at an hour: the hedge loses about 9.5 USDT."""
    market_data = ScriptedMarketData()
    market_data.set_prices(OPENED + timedelta(hours=hour), 100, 102)
    return BotHarness(market_data, parameters=parameters, **harness)


def daily_halts(harness: BotHarness) -> list[Halted]:
    return [event for event in harness.logged(Halted) if event.reason is HaltReason.DAILY_LOSS]


@pytest.mark.parametrize(
    "risk", [{"daily_loss_limit_usd": Decimal(5)}, {"daily_loss_limit": Decimal("0.005")}], ids=["usd", "percent"]
)
def test_a_loss_beyond_the_limit_halts_openings_once_and_closes_nothing(risk: dict[str, Any]) -> None:
    harness = losing(limited(**risk))
    harness.run(6)
    [halt] = daily_halts(harness)
    assert OPENED + timedelta(hours=3) <= halt.at < OPENED + timedelta(hours=3, minutes=10)
    assert "lost since 2026-01-05 01:00 UTC, the limit is $5.00" in halt.detail
    harness.check_whole()
    harness.ask(CloseRequested())
    assert "the daily loss limit was reached" in harness.ask(HaltRequested(detail="exams")).text
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.reason is HaltReason.DAILY_LOSS, "a closing by hand does not hide why it was halted"
    harness.run(4)
    assert len(harness.logged(HedgeOpened)) == 1
    harness.check_flat()


def test_a_smaller_loss_halts_nothing() -> None:
    harness = losing(limited(daily_loss_limit_usd=Decimal(50)))
    harness.run(6)
    assert harness.ledger.halt is None
    assert len(harness.logged(DayOpened)) == 1


def test_without_a_limit_nothing_is_logged() -> None:
    harness = losing(PATIENT)
    harness.run(30)
    assert harness.logged(DayOpened) == []
    assert harness.ledger.halt is None


def test_the_action_close_leaves_the_position_too() -> None:
    harness = losing(limited(daily_loss_limit_usd=Decimal(5), daily_loss_action=DailyLossAction.CLOSE))
    harness.run(6)
    assert harness.reasons == [Reason.DAILY_LOSS]
    assert len(daily_halts(harness)) == 1
    harness.check_flat()


def test_what_the_action_close_cannot_close_is_judged_on_a_reading_from_after_the_others() -> None:
    market_data = ScriptedMarketData([Listing("AAAUSDT"), Listing("BBBUSDT")])
    for name in ("AAAUSDT", "BBBUSDT"):
        market_data.set_prices(OPENED + timedelta(hours=3), 100, 102, symbol=name)
    limit = limited(daily_loss_limit_usd=Decimal(5), daily_loss_action=DailyLossAction.CLOSE)
    two = replace(limit, position_management=replace(limit.position_management, max_positions=2))
    harness = BotHarness(market_data, parameters=two)
    shut = StatusChange(symbol="BBBUSDT", market=Market.PERP, status=TradingStatus.CLOSED)
    harness.run(3.05, at={2.9: lambda bot: bot.world.change_market(shut)})
    [closed] = harness.ledger.closed
    assert (closed.symbol, closed.reason) == ("AAAUSDT", Reason.DAILY_LOSS)
    began = next(at for at, each in enumerate(harness.notices) if isinstance(each, Recorded) and each.after.closed)
    read = next(each for each in harness.notices[began:] if isinstance(each, BalancesRead))
    assert read.spot_usdt == harness.world.account().spot_usdt


def test_the_limit_outlives_the_process_and_midnight_and_is_lifted_by_hand_alone() -> None:
    harness = losing(limited(daily_loss_limit_usd=Decimal(5)))
    harness.run(2)
    harness.wait(2)  # the loss comes while no bot lives
    harness.run(1)
    assert len(daily_halts(harness)) == 1
    harness.run(43)
    assert len(harness.logged(DayOpened)) == 3
    assert harness.ledger.halt is not None, "midnight lifts nothing"
    harness.ask(ResumeRequested())
    harness.run(10)
    assert harness.ledger.halt is None, "after it was lifted the count begins anew"
    assert len(daily_halts(harness)) == 1


def test_realised_losses_count_too() -> None:
    hasty = PositionManagement(max_position_age_hours=1, fee_coverage_multiplier=1000)
    harness = BotHarness(parameters=replace(limited(daily_loss_limit_usd=Decimal(3)), position_management=hasty))
    harness.run(12)
    [halt] = daily_halts(harness)
    assert halt.at > OPENED + timedelta(hours=2)
    assert harness.ledger.totals.net_profit < -3
    assert harness.ledger.totals.closed >= 2


def test_each_day_has_a_limit_of_its_own() -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(OPENED + timedelta(hours=3), 100, "100.8")
    market_data.set_prices(OPENED + timedelta(hours=27), 100, "101.6")
    harness = BotHarness(market_data, parameters=limited(daily_loss_limit_usd=Decimal(6)))
    harness.run(40)
    assert len(harness.logged(DayOpened)) == 2
    assert daily_halts(harness) == []
    harness.check_whole()


def test_money_paid_in_or_out_is_neither_gain_nor_loss() -> None:
    harness = BotHarness(parameters=limited(daily_loss_limit_usd=Decimal(5)))
    harness.run(3, at={1.01: lambda desk: desk.world.deposit(Wallet.SPOT, "USDT", Decimal(-20))})
    assert daily_halts(harness) == []


def test_a_market_that_cannot_be_read_is_no_loss_and_no_new_day() -> None:
    gone = ReadFault(read=Read.MARKET, after=OPENED + timedelta(hours=2), until=OPENED + timedelta(hours=30))
    harness = losing(limited(daily_loss_limit_usd=Decimal(5)), faults=FaultPlan(reads=(gone,)))
    harness.run(29)
    assert daily_halts(harness) == []
    assert len(harness.logged(DayOpened)) == 1
    harness.run(3)
    assert len(harness.logged(DayOpened)) == 2


def test_another_halt_is_not_replaced_and_the_limit_acts_once_that_is_lifted() -> None:
    harness = losing(limited(daily_loss_limit_usd=Decimal(5)))
    harness.run(1)
    harness.ask(HaltRequested(detail="lunch"))
    harness.run(4)
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.reason is HaltReason.USER
    harness.ask(ResumeRequested())
    harness.run(0.2)
    assert len(daily_halts(harness)) == 1
