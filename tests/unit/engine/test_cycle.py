"""What a cycle decides by is what it read after the last trade."""

from decimal import Decimal

from hedgerow.domain.events import CycleCompleted, HedgeClosed, HedgeOpened
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import Listing, ScriptedMarketData


def test_the_hedge_that_follows_a_closing_in_one_cycle_uses_the_money_that_the_closing_freed() -> None:
    eager = StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=4.0),
    )
    harness = BotHarness(ScriptedMarketData([Listing(rate="0.0006")]), parameters=eager)
    harness.run(4.5)
    (closed,) = harness.logged(HedgeClosed)
    reopened = harness.logged(HedgeOpened)[-1]
    between = harness.log[harness.log.index(closed) : harness.log.index(reopened)]
    assert not any(isinstance(event, CycleCompleted) for event in between), "the cycle that closed one opens the next"
    first = harness.ledger.closed[0].hedge.entry_notional
    assert harness.hedge.entry_notional > first * Decimal("0.9")
    harness.check_whole()
