"""Trades that no order of the bot made."""

from datetime import timedelta
from decimal import Decimal

from hedgerow.domain.events import ExternalFills, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL

HOLD = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600)
)


def sell_a_part(harness: BotHarness) -> None:
    coins = harness.hedge.pair.spot.floor_quantity(harness.coins() * Decimal("0.05"))
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, coins)


def move_a_part(harness: BotHarness) -> None:
    """Take coins out of the account: no trade explains that they are gone."""
    base = SYMBOL.removesuffix("USDT")
    harness.world.deposit(Wallet.SPOT, base, -harness.hedge.pair.spot.floor_quantity(harness.coins() * Decimal("0.04")))


def test_a_trade_that_explained_one_loss_does_not_explain_the_next() -> None:
    harness = BotHarness(parameters=HOLD)
    harness.run(3, at={1.0: sell_a_part, 2.0: move_a_part})
    sold, moved = (event for event in harness.logged(ExternalFills) if not event.late)
    assert [fill.trade_id > 0 for fill in sold.fills] == [True]
    assert sold.at < OPENED + timedelta(hours=2) < moved.at
    assert [fill.trade_id > 0 for fill in moved.fills] == [False], "nothing was traded"
