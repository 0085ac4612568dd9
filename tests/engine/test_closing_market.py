"""A perpetual that closes in the middle of a closing: the coins that were sold are bought again."""

from datetime import datetime

from hedgerow.domain.events import HedgeClosed, HedgeRepaired, OrderEnded
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.domain.operator_requests import HaltRequested
from hedgerow.engine.notices import Notice, Recorded
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import SYMBOL

AGED = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.1))


class Shutting:
    """Closes the perpetual market as soon as coins were sold, once."""

    def __init__(self, bot: BotHarness) -> None:
        self._bot = bot
        self.at: datetime | None = None

    def on_notice(self, notice: Notice) -> None:
        if self.at is None and isinstance(notice, Recorded) and isinstance(notice.event, OrderEnded):
            self.at = self._bot.clock.now()
            self._bot.world.set_status(SYMBOL, TradingStatus.CLOSED, (Market.PERP,))


def test_a_perpetual_that_closes_after_coins_were_sold_leaves_a_whole_hedge_until_it_opens_again() -> None:
    bot = BotHarness(poll_seconds=30)
    bot.run(0.3)
    bot.ask(HaltRequested())
    short = bot.short()
    bot.parameters = AGED
    shutting = Shutting(bot)
    bot.run(0.3, observers=(shutting,))
    assert shutting.at is not None
    assert not bot.logged(HedgeClosed)
    assert (bot.logged(HedgeRepaired)[0].at - shutting.at).total_seconds() < 30
    assert bot.short() == short
    bot.check_whole()
    bot.world.set_status(SYMBOL, TradingStatus.TRADING, (Market.PERP,))
    bot.run(0.3)
    assert bot.logged(HedgeClosed)
    bot.check_flat()
