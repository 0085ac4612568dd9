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
    """Passes moments on to ``observer``, a quiet check's only when something follows in the same check.

    The first check after a start, and the one after an eventful check, are always passed on: they show how things
    stand.
    """

    def __init__(self, observer: mo.Observer) -> None:
        self._listener = observer
        self._held: list[mo.Notice] = []
        self._open = True
        """Whether the present check is passed on as it comes."""
        self._eventful = True
        """Whether something happened since the last check began."""
        self._held_for: HoldReason | None = None
        """Why the last decision was to do nothing; the same reason again is no news."""

    def on_notice(self, notice: mo.Notice) -> None:
        """Pass on, hold back for the time being, or drop what was held back."""
        if isinstance(notice, mo.CycleBegan):
            self._held.clear()
            self._open, self._eventful = self._eventful, False
        if self._happening(notice):
            self._eventful = self._open = True
            self._release()
        if self._open or _is_payment(notice):
            self._listener.on_notice(notice)
        else:
            self._held.append(notice)

    def _release(self) -> None:
        for notice in self._held:
            self._listener.on_notice(notice)
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
    """Tell whether it is a funding payment, whose one line stands for itself."""
    return isinstance(notice, mo.Recorded) and isinstance(notice.event, FundingReceived)
