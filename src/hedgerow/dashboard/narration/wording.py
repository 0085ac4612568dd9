"""Turns notices into log lines: pure functions, in the guide's words and order.

Lines may be added to the guide's blocks; none of its lines is changed or moved. Each line has its fixed text and number
of decimals, so that logs can be read by programs; a sign stands before the number, behind the dollar.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hedgerow.dashboard.narration.cycle import NOTICE_WORDS
from hedgerow.dashboard.narration.events import ROUTINE_EVENTS, recorded
from hedgerow.dashboard.narration.formats import LineLevel, Lines, LogLine, one_line
from hedgerow.dashboard.narration.lifecycle import LIFE_WORDS
from hedgerow.dashboard.narration.stops import STOP_WORDS
from hedgerow.dashboard.narration.verdicts import decided, reconcile_started, reconciled
from hedgerow.domain.events import ExternalFlow
from hedgerow.engine import notices as mo

__all__ = ["LineLevel", "Lines", "LogLine", "is_routine", "one_line", "told_at", "words"]

_WORDS: dict[type, Callable[[Any], Lines]] = {
    **LIFE_WORDS,
    **NOTICE_WORDS,
    **STOP_WORDS,
    mo.ReconcileStarted: reconcile_started,
    mo.Reconciled: reconciled,
    mo.Decided: decided,
    mo.Recorded: recorded,
}
_ROUTINE = frozenset(
    {
        mo.ReconcileStarted,
        mo.CycleBegan,
        mo.BalancesRead,
        mo.ScanStarted,
        mo.OpportunityFound,
        mo.NoOpportunity,
        mo.OrderRests,
        mo.RebalanceStarted,
        mo.EquityRead,
        mo.CycleEnded,
        mo.StoppedByUser,
    }
)


def words(notice: mo.Notice) -> Lines:
    """Return the lines that tell of ``notice``, none where there is nothing to say."""
    lines = _WORDS[type(notice)](notice)
    return tuple(_safe(line) for line in lines)


def is_routine(notice: mo.Notice) -> bool:
    """Tell, without wording it, that a moment has nothing to say above the level of information."""
    return type(notice) in _ROUTINE or (isinstance(notice, mo.Recorded) and type(notice.event) in ROUTINE_EVENTS)


def told_at(notice: mo.Notice) -> datetime | None:
    """Return the time a moment is told at; None for a venue's row of old, which tells its own time."""
    if not isinstance(notice, mo.Recorded):
        return notice.at
    return None if isinstance(notice.event, ExternalFlow) else notice.event.at


def _safe(line: LogLine) -> LogLine:
    text = one_line(line.text)
    return line if text == line.text else LogLine(text=text, level=line.level)
