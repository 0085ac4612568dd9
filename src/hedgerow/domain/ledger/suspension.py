"""Jobs that wait and are set aside, so that another hedge is traded meanwhile: at most one job is at work."""

from typing import Final

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import Reason

__all__ = ["execution_suspended", "execution_taken_up", "may_be_suspended", "set_aside"]

_AWAITING = {ExecutionState.RESOLVING, ExecutionState.IN_DOUBT}
"""States in which the outcome of an order is looked up."""
_BETWEEN = {ExecutionState.LEADING, ExecutionState.NAKED}
"""States in which the next order of a job may wait."""
INTERRUPTED: Final = "another hedge could not wait"


def may_be_suspended(job: HedgeExecution) -> bool:
    """Return whether a job has no order that is known to rest: between two slices or tries, or while it awaits one.

    An order of unknown outcome stays with it, and counts as doubtful while it is set aside.
    """
    return job.state in _AWAITING or (job.state in _BETWEEN and job.working is None)


def set_aside(ledger: Ledger) -> Ledger:
    """Return the ledger with the job at work set aside; the same where none is at work."""
    job = ledger.execution
    if job is None:
        return ledger
    return replace(ledger, execution=None, orders={}, suspended={**ledger.suspended, job.hedge_id: job})


def execution_suspended(ledger: Ledger, event: ev.ExecutionSuspended) -> Ledger:
    """Set the job at work aside."""
    job = ledger.execution
    return set_aside(ledger) if job is not None and job.hedge_id == event.hedge_id else ledger


def execution_taken_up(ledger: Ledger, event: ev.ExecutionTakenUp) -> Ledger:
    """Put a job that was set aside to work again, with what is known of its orders now."""
    job, hedge = ledger.suspended.get(event.hedge_id), ledger.hedges.get(event.hedge_id)
    if job is None or hedge is None or ledger.execution is not None:
        return ledger
    own = (r for r in hedge.orders if r.issued_at >= job.started_at and r.request.client_id.startswith(job.hedge_id))
    return replace(
        ledger,
        execution=_interrupted(job),
        orders={record.request.client_id: record for record in own},
        suspended={key: each for key, each in ledger.suspended.items() if key != event.hedge_id},
    )


def _interrupted(job: HedgeExecution) -> HedgeExecution:
    """Return a job that is taken up again: an opening leads no further, its money may be margin of another hedge now.

    What it has opened so far stays a hedge. Everything that closes goes on where it was.
    """
    if job.kind is not ExecutionKind.OPEN or job.state is not ExecutionState.LEADING or job.lead_done:
        return job
    return replace(job, lead_done=True, given_up=Reason.OTHER_HEDGE, detail=INTERRUPTED)
