"""Leaves checks in which nothing happened out of the log of a long run."""

from hedgerow.dashboard.narration.wording import LineLevel, is_routine, narrate
from hedgerow.domain.events import FundingReceived
from hedgerow.engine import notices as mo
from hedgerow.strategy.observation import Hold, HoldReason

__all__ = ["Digest"]

EVERYDAY = (
    mo.CycleBegan,
    mo.BalancesRead,
    mo.HealthJudged,
    mo.Evaluated,
    mo.ScanStarted,
    mo.NoOpportunity,
    mo.EquityRead,
    mo.CycleEnded,
)
CALM = {LineLevel.INFO, LineLevel.HEADING}


class Digest:
    """Passes notices on to ``observer``; those of a quiet check only when something else happens in the same check.

    The first check after a start, and the one after an eventful check, are always passed on: they show the state.
    """

    def __init__(self, observer: mo.Observer) -> None:
        self._observer = observer
        self._held: list[mo.Notice] = []
        self._open = True
        """Whether the present check is passed on as it comes."""
        self._eventful = True
        """Whether something happened since the last check began."""
        self._held_for: HoldReason | None = None
        """Why the last decision was to do nothing; the same reason again is not repeated."""

    def on_notice(self, notice: mo.Notice) -> None:
        """Pass the notice on, or hold it back; drop what was held back when the next check begins."""
        if isinstance(notice, mo.CycleBegan):
            self._held.clear()
            self._open, self._eventful = self._eventful, False
        if self._happening(notice):
            self._eventful = self._open = True
            self._release()
        if self._open or _is_payment(notice):
            self._observer.on_notice(notice)
        else:
            self._held.append(notice)

    def _release(self) -> None:
        for notice in self._held:
            self._observer.on_notice(notice)
        self._held.clear()

    def _happening(self, notice: mo.Notice) -> bool:
        if _is_payment(notice):
            return False
        if isinstance(notice, mo.Decided) and isinstance(notice.decision, Hold):
            before, self._held_for = self._held_for, notice.decision.reason
            return self._held_for is not before and _is_loud(notice)
        return _is_loud(notice) if isinstance(notice, EVERYDAY) else bool(narrate(notice))


def _is_loud(notice: mo.Notice) -> bool:
    return not is_routine(notice) and any(line.level not in CALM for line in narrate(notice))


def _is_payment(notice: mo.Notice) -> bool:
    """Whether the notice is a funding payment, whose one line needs no context."""
    return isinstance(notice, mo.Recorded) and isinstance(notice.event, FundingReceived)
