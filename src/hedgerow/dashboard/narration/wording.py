"""The only place that words the log: pure functions from moments to lines, in the guide's words and order.

Lines may be added to the guide's blocks; none of its lines is changed or moved. Each line has its fixed text and number
of decimals, so that logs can be read by programs; a sign stands before the number, behind the dollar.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hedgerow.dashboard.narration.cycle import MOMENT_WORDS
from hedgerow.dashboard.narration.events import ROUTINE_EVENTS, recorded
from hedgerow.dashboard.narration.formats import Line, LineLevel, Lines, one_line
from hedgerow.dashboard.narration.lifecycle import LIFE_WORDS
from hedgerow.dashboard.narration.stops import STOP_WORDS
from hedgerow.dashboard.narration.verdicts import decided, reconcile_started, reconciled
from hedgerow.domain.events import ExternalFlow
from hedgerow.engine import notices as mo

__all__ = ["Line", "LineLevel", "Lines", "is_routine", "one_line", "told_at", "words"]

_WORDS: dict[type, Callable[[Any], Lines]] = {
    **LIFE_WORDS,
    **MOMENT_WORDS,
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


def words(moment: mo.Moment) -> Lines:
    """Return the lines that tell of ``moment``, none where there is nothing to say."""
    lines = _WORDS[type(moment)](moment)
    return tuple(_safe(line) for line in lines)


def is_routine(moment: mo.Moment) -> bool:
    """Tell, without wording it, that a moment has nothing to say above the level of information."""
    return type(moment) in _ROUTINE or (isinstance(moment, mo.Recorded) and type(moment.event) in ROUTINE_EVENTS)


def told_at(moment: mo.Moment) -> datetime | None:
    """Return the time a moment is told at; None for a venue's row of old, which tells its own time."""
    if not isinstance(moment, mo.Recorded):
        return moment.at
    return None if isinstance(moment.event, ExternalFlow) else moment.event.at


def _safe(line: Line) -> Line:
    text = one_line(line.text)
    return line if text == line.text else Line(text=text, level=line.level)
