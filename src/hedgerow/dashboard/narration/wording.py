"""Turns notices into log lines: pure functions, in the guide's words and order.

Lines may be added to the guide's blocks; none of its lines is changed or moved. Each line has a fixed text and a fixed
number of decimals, so that programs can read the log; the sign of an amount is between the dollar sign and the number.
"""

from datetime import datetime

from hedgerow.dashboard.narration.cycle import cycle_lines
from hedgerow.dashboard.narration.events import ROUTINE_EVENTS, recorded_lines
from hedgerow.dashboard.narration.formats import LineLevel, Lines, LogLine, one_line
from hedgerow.dashboard.narration.lifecycle import LifecycleNotice, lifecycle_lines
from hedgerow.dashboard.narration.verdicts import decided_lines, reconcile_started_lines, reconciled_lines
from hedgerow.domain.events import ExternalFlow
from hedgerow.engine import notices as mo

__all__ = ["LineLevel", "Lines", "LogLine", "is_routine", "narrate", "one_line", "time_of"]

_ROUTINE = frozenset(
    {
        mo.ReconcileStarted,
        mo.CycleBegan,
        mo.BalancesRead,
        mo.ScanStarted,
        mo.SettingsInForce,
        mo.OpeningRefused,
        mo.OpportunityFound,
        mo.NoOpportunity,
        mo.Observed,
        mo.OrderRests,
        mo.RebalanceStarted,
        mo.EquityRead,
        mo.CycleEnded,
        mo.StoppedByUser,
    }
)


def narrate(notice: mo.Notice) -> Lines:
    """Return the log lines of ``notice``; none where there is nothing to say."""
    return tuple(_safe(line) for line in _lines(notice))


def _lines(notice: mo.Notice) -> Lines:
    match notice:
        case mo.Recorded():
            return recorded_lines(notice)
        case mo.Decided():
            return decided_lines(notice)
        case mo.Reconciled():
            return reconciled_lines(notice)
        case mo.ReconcileStarted():
            return reconcile_started_lines(notice)
        case _:
            # The type checker fails here for a notice that neither function has a case for.
            return lifecycle_lines(notice) if isinstance(notice, LifecycleNotice) else cycle_lines(notice)


def is_routine(notice: mo.Notice) -> bool:
    """Whether no line of ``notice`` is above the level of information; decided by its type, without wording it."""
    return type(notice) in _ROUTINE or (isinstance(notice, mo.Recorded) and type(notice.event) in ROUTINE_EVENTS)


def time_of(notice: mo.Notice) -> datetime | None:
    """Return the time that a notice is logged at; None for an account row, which has the venue's own, older time."""
    if not isinstance(notice, mo.Recorded):
        return notice.at
    return None if isinstance(notice.event, ExternalFlow) else notice.event.at


def _safe(line: LogLine) -> LogLine:
    text = one_line(line.text)
    return line if text == line.text else LogLine(text=text, level=line.level)
