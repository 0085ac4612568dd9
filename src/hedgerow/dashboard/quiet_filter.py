"""A long run told in short: checks in which nothing happened are left out, everything else is told in full."""

from hedgerow.dashboard.narration.wording import LineLevel, is_routine, words
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
    """Passes moments on to ``listener``, a quiet check's only when something follows in the same check.

    The first check after a start, and the one after an eventful check, are always passed on: they show how things
    stand.
    """

    def __init__(self, listener: mo.Listener) -> None:
        self._listener = listener
        self._held: list[mo.Moment] = []
        self._open = True
        """Whether the present check is passed on as it comes."""
        self._eventful = True
        """Whether something happened since the last check began."""
        self._held_for: HoldReason | None = None
        """Why the last decision was to do nothing; the same reason again is no news."""

    def hear(self, moment: mo.Moment) -> None:
        """Pass on, hold back for the time being, or drop what was held back."""
        if isinstance(moment, mo.CycleBegan):
            self._held.clear()
            self._open, self._eventful = self._eventful, False
        if self._happening(moment):
            self._eventful = self._open = True
            self._release()
        if self._open or _is_payment(moment):
            self._listener.hear(moment)
        else:
            self._held.append(moment)

    def _release(self) -> None:
        for moment in self._held:
            self._listener.hear(moment)
        self._held.clear()

    def _happening(self, moment: mo.Moment) -> bool:
        if _is_payment(moment):
            return False
        if isinstance(moment, mo.Decided) and isinstance(moment.decision, Hold):
            before, self._held_for = self._held_for, moment.decision.reason
            return self._held_for is not before and _is_loud(moment)
        return _is_loud(moment) if isinstance(moment, EVERYDAY) else bool(words(moment))


def _is_loud(moment: mo.Moment) -> bool:
    return not is_routine(moment) and any(line.level not in CALM for line in words(moment))


def _is_payment(moment: mo.Moment) -> bool:
    """Tell whether it is a funding payment, whose one line stands for itself."""
    return isinstance(moment, mo.Recorded) and isinstance(moment.event, FundingReceived)
