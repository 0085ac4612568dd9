"""Checks that what the owner asks to be closed is closed, and nothing that nobody asked for."""

from collections.abc import Iterator

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import CloseAllRequested, CloseRequested, OperatorRequest, RequestOutcome
from hedgerow.domain.position import Reason
from hedgerow.simulation.checks.invariants import Invariant

__all__ = ["Requests"]

Found = Iterator[tuple[Invariant, str]]
UNFINISHED = {RequestOutcome.FAILED, RequestOutcome.INTERRUPTED}
"""What was begun is taken up again."""


class Requests:
    """Knows which hedges the owner has asked to be closed."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._all = False
        """Whether all of them were asked for: those of any later time may be among them."""

    def asked(self, request: OperatorRequest) -> None:
        """Take note of a request."""
        if isinstance(request.action, CloseAllRequested):
            self._all = True
        elif isinstance(request.action, CloseRequested) and request.hedge is not None:
            self._ids.add(request.hedge.hedge_id)

    def begins(self, job: HedgeExecution) -> Found:
        """Judge a closing that is said to be the owner's."""
        by_owner = job.kind is ExecutionKind.CLOSE and job.reason is Reason.USER
        if by_owner and not self._all and job.hedge_id not in self._ids:
            yield Invariant.REQUESTS, f"{job.symbol} ({job.hedge_id}) is closed as requested, and nobody asked for it"

    def handled(self, event: ev.RequestHandled, ledger: Ledger) -> Found:
        """Judge the answer to a closing: what is said to be closed is not held any more."""
        request, done = event.request, event.outcome is RequestOutcome.DONE
        if isinstance(request.action, CloseAllRequested):
            self._all = self._all and event.outcome in UNFINISHED
            left = ", ".join(hedge.symbol for hedge in ledger.open_hedges) if done else ""
            if left:
                yield Invariant.REQUESTS, f"all are said to be closed, and {left} is held"
        about = request.hedge.hedge_id if request.hedge else ""
        if done and isinstance(request.action, CloseRequested) and about in ledger.hedges:
            yield Invariant.REQUESTS, f"{ledger.hedges[about].symbol} is said to be closed, and is held"
