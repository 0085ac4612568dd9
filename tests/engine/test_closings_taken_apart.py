"""What others trade of a hedge while its closing waits is repaired, and not waited for."""

from datetime import timedelta

import pytest

from hedgerow.domain.events import ExecutionStarted
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionStyle
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import START, SYMBOL, make_pair

CLOSES_AFTER = 0.5
"""Hours from the start to the check that closes, 40 s before a settlement."""
SETTLEMENT = START + timedelta(hours=8)
SECOND = 1 / 3600


AGES = {ExecutionStyle.TAKER: 0.45, ExecutionStyle.MAKER: 0.36}
"""Hours after which a hedge is closed; one that was built by resting slices was opened some minutes later."""


def harness_of(style: ExecutionStyle) -> BotHarness:
    age = PositionManagement(max_position_age_hours=AGES[style])
    parameters = StrategyParameters(execution=ExecutionLimits(style=style), position_management=age)
    start = SETTLEMENT - timedelta(hours=CLOSES_AFTER, seconds=40)
    return BotHarness(start=start, parameters=parameters, latency_seconds=0.2, poll_seconds=30)


def sell_a_part(bot: BotHarness) -> None:
    bot.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, make_pair().spot.floor_quantity(bot.coins() / 20))


def closed_within_the_guard(bot: BotHarness) -> list[Fill]:
    """Return what was bought of the short before the settlement's guard had passed."""
    fills = bot.world.fills(Market.PERP, SYMBOL, START)
    return [fill for fill in fills if fill.side is Side.BUY and fill.at < SETTLEMENT + timedelta(seconds=60)]


@pytest.mark.parametrize("style", [ExecutionStyle.TAKER, ExecutionStyle.MAKER])
def test_a_short_whose_coins_are_sold_while_its_closing_waits_for_a_settlement_is_bought_back(
    style: ExecutionStyle,
) -> None:
    bot = harness_of(style)
    bot.run(CLOSES_AFTER + 120 * SECOND, at={CLOSES_AFTER + 10 * SECOND: sell_a_part})
    kinds = [event.execution.kind for event in bot.logged(ExecutionStarted)]
    assert kinds[:3] == [ExecutionKind.OPEN, ExecutionKind.CLOSE, ExecutionKind.TRIM]
    first = closed_within_the_guard(bot)[0]
    assert first.at < SETTLEMENT + timedelta(seconds=10), "40 s after the sale at most"


@pytest.mark.parametrize("style", [ExecutionStyle.TAKER, ExecutionStyle.MAKER])
def test_a_closing_that_nobody_touches_waits_for_a_settlement(style: ExecutionStyle) -> None:
    bot = harness_of(style)
    bot.run(CLOSES_AFTER + 120 * SECOND)
    kinds = [event.execution.kind for event in bot.logged(ExecutionStarted)]
    assert kinds[:2] == [ExecutionKind.OPEN, ExecutionKind.CLOSE]
    assert closed_within_the_guard(bot) == []
