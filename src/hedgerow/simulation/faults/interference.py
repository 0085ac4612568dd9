"""What the owner asks of a bot during its trades: halts and closings, some too late, some about another hedge."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Final

from hedgerow.domain import events as ev
from hedgerow.domain.operator_requests import (
    CloseAllRequested,
    CloseRequested,
    HaltRequested,
    HedgeSeen,
    OperatorRequest,
)
from hedgerow.domain.position import HedgedPosition
from hedgerow.engine.notices import Notice, Recorded
from hedgerow.simulation.faults.owner import OwnersMailbox

__all__ = ["Interference"]

LATEST: Final = 40
"""Events of a job before which the owner asks at the latest; a job of ten slices has about a hundred."""
VALID: Final = (timedelta(seconds=1), timedelta(seconds=60), timedelta(hours=1))
GONE_SHARE: Final = 0.1
"""Part of the requests that are about a hedge which is not the present one."""


class Interference:
    """Asks for something during a share of the jobs; ``asked`` is called each time."""

    def __init__(
        self, random: Random, share: float, mailbox: OwnersMailbox, asked: Callable[[OperatorRequest], None]
    ) -> None:
        self._random = random
        self._share = share
        self._mailbox = mailbox
        self._asked = asked
        self._due: int | None = None
        self._seen = HedgeSeen(hedge_id="", symbol="")
        self._others: tuple[HedgedPosition, ...] = ()
        """The open hedges that are not the job's."""

    def on_notice(self, notice: Notice) -> None:
        """Count the events of a job, and ask when it is time."""
        if not self._share or not isinstance(notice, Recorded):
            return
        event = notice.event
        if isinstance(event, ev.ExecutionStarted) and self._random.random() < self._share:
            self._due = self._random.randint(0, LATEST)
            self._seen = HedgeSeen(hedge_id=event.execution.hedge_id, symbol=event.execution.symbol)
        if self._due is None:
            return
        self._others = tuple(h for h in notice.after.open_hedges if h.hedge_id != self._seen.hedge_id)
        self._due -= 1
        if self._due < 0:
            self._due = None
            self._ask()

    def _ask(self) -> None:
        gone = self._random.random() < GONE_SHARE
        seen = HedgeSeen(hedge_id="gone", symbol=self._seen.symbol) if gone else self._seen
        valid = self._random.choice(VALID)
        if self._random.random() >= 1 / 2:
            request = self._mailbox.post(HaltRequested(detail="as the owner likes"), valid)
        elif self._others:
            request = self._ask_about_several(seen, valid)
        else:
            request = self._mailbox.post(CloseRequested(), valid, hedge=seen)
        self._asked(request)

    def _ask_about_several(self, seen: HedgeSeen, valid: timedelta) -> OperatorRequest:
        """Ask to close the hedge that is traded, another one, all of them, or one without saying which."""
        other = self._random.choice(self._others)
        about = HedgeSeen(hedge_id=other.hedge_id, symbol=other.symbol)
        action, hedge = self._random.choice(
            (
                (CloseRequested(symbol=about.symbol), about),
                (CloseRequested(symbol=about.symbol), about),
                (CloseRequested(symbol=seen.symbol), seen),
                (CloseAllRequested(), None),
                (CloseRequested(), seen),
            )
        )
        return self._mailbox.post(action, valid, hedge=hedge)
