"""Bots whose orders are reported as dead though they filled, while their trades cannot be read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from hedgerow.domain.events import ExecutionStarted, OrderEnded
from hedgerow.domain.execution import ExecutionKind
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import Warned
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import ScriptedMarketData

__all__ = ["AGED", "PATIENT", "doubts", "kinds", "misreported_opening", "nothing_of", "unread_trades"]

AGED = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.1))
"""Closes a hedge after six minutes."""
PATIENT = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600)
)
"""Closes no hedge for profit or age."""


def nothing_of(event: OrderEnded) -> tuple[Decimal, Decimal]:
    """Return that nothing filled of an order that did."""
    assert event.filled_quantity
    return Decimal(0), Decimal(0)


def unread_trades(begin: datetime, seconds: float) -> ReadFault:
    return ReadFault(read=Read.FILLS, after=begin, until=begin + timedelta(seconds=seconds))


def misreported_opening(
    market_data: ScriptedMarketData,
    leg: str,
    reported: Callable[[OrderEnded], tuple[Decimal, Decimal]],
    *,
    blind_seconds: float,
    parameters: StrategyParameters = PATIENT,
) -> BotHarness:
    """Return a bot that is to open; its first order of a leg is misreported, and no trade can be read for so long."""
    plan = FaultPlan(reads=(unread_trades(OPENED, blind_seconds),))
    bot = BotHarness(market_data, usdt=1000, perp=1000, parameters=parameters, faults=plan, poll_seconds=30)
    bot.venue.expire_one(leg, reported)
    return bot


def kinds(bot: BotHarness) -> list[ExecutionKind]:
    return [event.execution.kind for event in bot.logged(ExecutionStarted)]


def doubts(bot: BotHarness) -> list[str]:
    """Return what was said of orders that may have filled further than was reported."""
    return [said.text for said in bot.notices_of(Warned) if "is said to have ended with" in said.text]
