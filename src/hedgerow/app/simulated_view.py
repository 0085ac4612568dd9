"""Shows a simulated bot as its screens would, to be judged after every event, check and crash."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from hedgerow.app.state_file import StateFile
from hedgerow.dashboard.bot_state import BotState, Process, ProcessState, bot_state
from hedgerow.dashboard.outlook import Outlook, OutlookBuilder
from hedgerow.dashboard.status_lines import BotView
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine.notices import CycleEnded, Notice, Recorded
from hedgerow.ports import Clock
from hedgerow.simulation.checks.view import Shown
from hedgerow.store import guide_state
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy

__all__ = ["SimulatedView"]

HEDGED = frozenset({BotState.HEDGED, BotState.HALTED_HEDGED})
FLAT = frozenset({BotState.FLAT, BotState.HALTED_FLAT})


class SimulatedView:
    """An observer that builds what a user would see, and passes it to ``judge``."""

    def __init__(self, folder: Path, clock: Clock, judge: Callable[[Shown, bool], None]) -> None:
        """``judge`` gets the view, and whether a check has just ended: then its figures are current."""
        self._path = folder / "volume_farming_state.json"
        self._clock = clock
        self._judge = judge
        self._file = StateFile(self._path)
        self._builder: OutlookBuilder | None = None
        self._outlook: Outlook | None = None

    def begin(self, parameters: StrategyParameters) -> None:
        """A new process starts; the files of the old one are still there."""
        self._file = StateFile(self._path)
        self._builder = OutlookBuilder(load_policy(parameters.policy, parameters), with_pairs=False)

    def on_notice(self, notice: Notice) -> None:
        """Show the bot after an event, and after a check."""
        self._file.on_notice(notice)
        if self._builder is not None:
            self._outlook = self._builder.on_notice(notice, self._clock.now()) or self._outlook
        if isinstance(notice, Recorded):
            self.show(notice.after)
        elif isinstance(notice, CycleEnded):
            self.show(notice.ledger, checked=True)

    def show(self, ledger: Ledger, *, checked: bool = False) -> None:
        """Show a ledger with the last outlook and a process that counts as running: the most favourable view."""
        now, outlook = self._clock.now(), self._outlook
        process = Process(state=ProcessState.RUNNING, pid=outlook.pid if outlook else None, last_beat=now)
        report = bot_state(ledger, process, outlook, now)
        seen = self.seen(BotView(ledger=ledger, process=process, outlook=outlook, report=report, now=now))
        file = self._position(now) if checked else None
        shown = replace(seen, file_symbol=file.symbol if file else None, file_value=file.capital if file else None)
        self._judge(shown, checked)

    def seen(self, bot: BotView) -> Shown:
        """Return what is shown of a bot, but for its state file."""
        held, report = (bot.outlook.held if bot.outlook else None), bot.report
        return Shown(
            state=report.state.value,
            hedged=report.state in HEDGED,
            flat=report.state in FLAT,
            longest_naked_seconds=report.longest_naked_seconds,
            net_so_far=held.result.net_so_far if held else None,
        )

    def _position(self, now: datetime) -> guide_state.GuidePosition | None:
        found = guide_state.read(self._path, at=now)
        return found.current_position if isinstance(found, guide_state.GuideState) else None
