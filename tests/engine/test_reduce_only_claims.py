"""A refusal that says "nothing to reduce" is a claim: what the account and the position endpoint show decides."""

import pytest

from hedgerow.domain.events import ExecutionStarted, HedgeClosed
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import HaltRequested
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.engine.notices import Notice, Recorded
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import BotHarness

AGED = StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.1))


def denied(times: int) -> FaultPlan:
    """Refuse so many buy-backs as if there were no short."""
    fault = SubmitFault(
        fault=FaultKind.REJECT, command="place_order", market=Market.PERP, side=Side.BUY, times=times, code=-2022
    )
    return FaultPlan(submits=(fault,))


def closings(bot: BotHarness) -> int:
    return sum(event.execution.kind is ExecutionKind.CLOSE for event in bot.logged(ExecutionStarted))


@pytest.mark.parametrize("times", [1, 4])
def test_a_closing_goes_on_though_buy_backs_are_refused_as_if_there_were_no_short(times: int) -> None:
    bot = BotHarness(faults=denied(times))
    bot.run(0.3)
    bot.ask(HaltRequested())
    bot.parameters = AGED
    bot.run(0.3)
    assert bot.logged(HedgeClosed)
    bot.check_flat()
    assert closings(bot) == 1, "the job does not end before its short is bought back"


class Covering:
    """Buys the short back by hand as soon as a closing begins."""

    def __init__(self, bot: BotHarness) -> None:
        self._bot = bot

    def on_notice(self, notice: Notice) -> None:
        if not isinstance(notice, Recorded) or not isinstance(notice.event, ExecutionStarted):
            return
        job = notice.event.execution
        if job.kind is ExecutionKind.CLOSE and self._bot.short(job.symbol):
            self._bot.world.trade_by_hand(Market.PERP, job.symbol, Side.BUY, self._bot.short(job.symbol))


def test_a_closing_whose_short_the_owner_has_closed_ends_and_the_coins_are_sold_by_the_next() -> None:
    bot = BotHarness()
    bot.run(0.3)
    bot.ask(HaltRequested())
    bot.parameters = AGED
    bot.run(0.5, observers=(Covering(bot),))
    assert bot.logged(HedgeClosed)
    bot.check_flat()
    assert closings(bot) == 2
