"""Jobs that wait and are set aside, so that another hedge is traded meanwhile: at most one job is at work."""

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionState, HedgeExecution
from hedgerow.domain.ledger.state import Ledger

__all__ = ["execution_suspended", "execution_taken_up", "may_be_suspended", "set_aside"]

_WAITING = {ExecutionState.RESOLVING, ExecutionState.IN_DOUBT}


def may_be_suspended(job: HedgeExecution) -> bool:
    """Return whether a job waits without an order that is known to rest: naked between two tries, or for an outcome.

    An order of unknown outcome stays with it, and counts as doubtful while it is set aside.
    """
    return job.state in _WAITING or (job.state is ExecutionState.NAKED and job.working is None)


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
        execution=job,
        orders={record.request.client_id: record for record in own},
        suspended={key: each for key, each in ledger.suspended.items() if key != event.hedge_id},
    )
