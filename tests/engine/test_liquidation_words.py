"""The liquidation of the short is called that: in the log line, the closing's reason, the halt and the state."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.dashboard.bot_state import BotState, Process, ProcessState, StateReport, bot_state
from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.events import ExternalFills, Halted, HaltReason
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import Notice, Recorded
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import SYMBOL

PATIENT = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=10_000)
)


class States:
    """Keeps the state shown when trades of others are booked."""

    def __init__(self) -> None:
        self.found: list[StateReport] = []

    def on_notice(self, notice: Notice) -> None:
        if isinstance(notice, Recorded) and isinstance(notice.event, ExternalFills):
            running = Process(state=ProcessState.RUNNING, pid=1)
            now = notice.event.at + timedelta(seconds=9)
            self.found.append(bot_state(notice.after, running, None, now))


def liquidate(harness: BotHarness) -> None:
    harness.world.shock(SYMBOL, Decimal("2.2"))


def deleverage(harness: BotHarness) -> None:
    harness.world.deleverage(SYMBOL, harness.hedge.short)


@pytest.mark.parametrize(("act", "name"), [(liquidate, "LIQUIDATION"), (deleverage, "AUTO-DELEVERAGING")])
def test_a_short_that_the_exchange_closed_is_not_called_a_trade_of_others(act: object, name: str) -> None:
    harness, states = BotHarness(parameters=PATIENT, notifications=True), States()
    harness.run(0.58, at={0.51: act}, observers=(states,))  # type: ignore[dict-item] # one of two functions above
    texts = [line.text for notice in harness.notices for line in narrate(notice)]
    assert any(text.startswith(f"{name}: the exchange bought back ") for text in texts)
    assert not any("Trades that are not the bot's" in text for text in texts)
    assert harness.reasons == [Reason.LIQUIDATED]
    (halt,) = harness.logged(Halted)
    assert halt.reason is HaltReason.LIQUIDATION
    assert name.lower() in halt.detail
    (shown,) = states.found
    assert shown.state is BotState.NAKED
    assert "the short of" in shown.title
    assert "was liquidated or auto-deleveraged" in shown.title
    assert harness.ledger.max_naked_seconds > 0
