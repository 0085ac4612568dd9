"""Views of bots in every state, made by running a bot: for the tests of screens."""

from datetime import datetime, timedelta

from hedgerow.dashboard.bot_state import Process, ProcessState
from hedgerow.dashboard.outlook import OutlookRules
from hedgerow.dashboard.view import DayMark, Series, View, ViewState, update, view_of
from hedgerow.domain.records.time_series import MarkKind
from hedgerow.domain.run_identity import RunIdentity, RunMode
from hedgerow.engine.notices import CycleEnded, Notice
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import BotHarness

__all__ = ["RUNNING", "ViewRecorder", "marked", "recorded_views"]

PID = 7
RUNNING = Process(state=ProcessState.RUNNING, pid=PID)


class ViewRecorder:
    """Keeps the view after every notice."""

    def __init__(self, harness: BotHarness, parameters: StrategyParameters | None = None) -> None:
        self._harness = harness
        identity = RunIdentity(
            mode=RunMode.PAPER,
            network="generated market",
            account="0x7E5F...5Bdf",
            home="/home/of/ridge-1",
            config_file=None,
            version="1.0",
            capital_fraction=VolumeFarming(StrategyParameters()).parameters.capital_management.capital_fraction,
            max_capital_usd=None,
        )
        policy = VolumeFarming(parameters or harness.parameters)
        self.state = ViewState(rules=OutlookRules(policy=policy, identity=identity, pid=PID))
        self.views: list[View] = []
        self.notices: list[Notice] = []
        self.ended: list[View] = []
        """After each check."""

    def on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.state = update(self.state, notice)
        self.views.append(view_of(self.state, RUNNING, self._harness.clock.now()))
        if isinstance(notice, CycleEnded):
            self.ended.append(self.views[-1])


def recorded_views(harness: BotHarness, hours: float) -> ViewRecorder:
    """Let a bot run and return its views."""
    recorder = ViewRecorder(harness)
    harness.run(hours, observers=(recorder,))
    return recorder


def marked(now: datetime, *kinds: MarkKind) -> Series:
    """Return a day of 96 marks of these kinds, repeated."""
    marks = tuple(
        DayMark(at=now - timedelta(minutes=15 * (95 - number)), kind=kinds[number % len(kinds)]) for number in range(96)
    )
    return Series(day=marks, shares={kind.value: 1 / len(kinds) for kind in kinds})
