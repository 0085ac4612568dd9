"""What others trade of an opening while it is being built is not built upon."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.events import HedgeClosed, HedgeOpened, OrderEnded
from hedgerow.domain.execution import ExecutionLimits, ExecutionStyle
from hedgerow.domain.instrument import Market, Side
from hedgerow.engine.notices import Notice, Recorded
from hedgerow.strategy.decisions.alarms import GRACE
from hedgerow.strategy.parameters import StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import START, SYMBOL


class Taking:
    """Closes the short by force when its ``nth`` slice has filled, after so many seconds."""

    def __init__(self, bot: BotHarness, nth: int) -> None:
        self._bot, self._left = bot, nth
        self.at: datetime | None = None

    def on_notice(self, notice: Notice) -> None:
        if isinstance(notice, Recorded) and isinstance(notice.event, OrderEnded) and "-p-" in notice.event.client_id:
            self._left -= 1
            if not self._left:
                self.at = self._bot.clock.now()
                self._bot.world.deleverage(SYMBOL, self._bot.short())


def slices(style: ExecutionStyle) -> StrategyParameters:
    return StrategyParameters(execution=ExecutionLimits(style=style, max_naked_equity_fraction=Decimal("0.05")))


@pytest.mark.parametrize(
    ("style", "start"),
    [
        (ExecutionStyle.MAKER, START + timedelta(hours=1)),
        (ExecutionStyle.TAKER, START + timedelta(hours=8, seconds=-67)),
    ],
    ids=["a slice rests", "a settlement is waited for"],
)
def test_a_short_that_is_closed_by_force_ends_the_opening_and_its_coins_are_sold_within_a_minute(
    style: ExecutionStyle, start: datetime
) -> None:
    bot = BotHarness(start=start, parameters=slices(style), latency_seconds=0.2, poll_seconds=30)
    taking = Taking(bot, 2)
    bot.run(0.3, observers=(taking,))
    assert taking.at is not None
    opened, closed = bot.logged(HedgeOpened)[0], bot.logged(HedgeClosed)[0]
    assert (opened.at - taking.at).total_seconds() < 50
    later = bot.world.fills(Market.SPOT, SYMBOL, taking.at + GRACE)
    bought = [fill for fill in later if fill.side is Side.BUY and fill.at < opened.at]
    assert not bought, "no coins are added to those that have lost their short"
    assert (closed.at - taking.at).total_seconds() < 70
    bot.check()
