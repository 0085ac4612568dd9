"""Reactions of the two-leg machine to events, where they are more than one action of ``actions`` or ``maker``."""

from typing import TypeAlias

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import DoubtfulOrder, ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus, RejectKind, TimeInForce
from hedgerow.strategy.hedging import actions, maker
from hedgerow.strategy.hedging.orders import Step, Surroundings, elapsed

__all__ = [
    "Happening",
    "after_follow",
    "after_lead",
    "after_resting",
    "cancel_refused",
    "doubt_again",
    "doubted",
    "fell_short",
    "filled",
    "follow",
    "landed",
    "lead_rejected",
    "prepare_in_time",
    "prepared",
    "refusal",
    "refused_preparation",
    "repair",
    "resolve_again",
    "resting_refused",
    "still_working",
    "top_up_failed",
    "topped_up",
    "unwind_again",
]

RESOLVE_RETRY_SECONDS = 0.2
SLOWEST_RESOLVE_RETRY_SECONDS = 5.0
PREPARATION_PATIENCE_SECONDS = 60.0

Happening: TypeAlias = (
    ev.OrderAccepted
    | ev.OrderProgressed
    | ev.OrderEnded
    | ev.OrderOutcomeUnknown
    | ev.FundsTransferred
    | ev.TransferOutcomeUnknown
    | ev.LeverageSet
    | ev.MarginTypeSet
    | ev.DeadManArmed
    | ev.CommandRefused
    | None
)
"""The events the machine reacts to; None is the passing of time."""


def filled(event: Happening) -> bool:
    """Return whether an order ended with something filled."""
    return isinstance(event, ev.OrderEnded) and event.filled_quantity > 0


def refusal(event: Happening) -> tuple[RejectKind | None, str]:
    """Return why the venue refused, and its words; nothing for events that are no refusal."""
    reject = event.reject if isinstance(event, ev.OrderEnded) else None
    return reject, event.detail if isinstance(event, ev.OrderEnded | ev.CommandRefused) else ""


def prepared(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Go on to the next preparation, or begin to lead; a leverage that is not the planned one ends the job."""
    if isinstance(event, ev.LeverageSet) and event.leverage != job.plan.leverage:
        detail = f"the leverage is {event.leverage}x, not {job.plan.leverage}x"
        return actions.finish(replace(job, detail=detail), around)
    return actions.prepare(replace(job, pending=job.pending[1:], stage_since=around.at), around)


def prepare_in_time(job: HedgeExecution, around: Surroundings) -> Step:
    """Issue the pending preparation again, until patience ends."""
    if elapsed(job, around.at) > PREPARATION_PATIENCE_SECONDS:
        return actions.finish(replace(job, detail="the preparations were not answered in time"), around)
    return actions.prepare(job, around)


def refused_preparation(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """End flat: nothing was traded yet."""
    return actions.finish(replace(job, detail=refusal(event)[1]), around)


def after_lead(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Follow what the slice filled, or try the slice again."""
    if filled(event):
        return actions.follow(replace(_slice_done(job), stage_since=around.at), around)
    return Step(job=job, pause_seconds=actions.retry_seconds(job))


def lead_rejected(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Try again after a price refusal, and at once on filters that have changed; after any other, lead no further."""
    reject, detail = refusal(event)
    if reject is RejectKind.FILTER and around.regridded:
        return Step(job=replace(job, refusals=0))
    if reject is RejectKind.PRICE:
        return Step(job=job, pause_seconds=actions.retry_seconds(job))
    return actions.follow(replace(job, lead_done=True, detail=detail), around)


def _slice_done(job: HedgeExecution) -> HedgeExecution:
    """Return the job with the clock of maker style put back: the next slice may rest again."""
    return replace(job, resting_since=None, maker_over=False)


def after_resting(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Follow what rested and filled; of nothing, put the slice at the touch again, or take it."""
    if filled(event):
        whole = isinstance(event, ev.OrderEnded) and event.status is OrderStatus.FILLED
        return actions.follow(replace(_slice_done(job) if whole else job, stage_since=around.at), around)
    pause = actions.RETRY_SECONDS if job.state is ExecutionState.RESTING else 0.0
    return Step(job=replace(job, state=ExecutionState.LEADING), pause_seconds=pause)


def resting_refused(job: HedgeExecution, around: Surroundings) -> Step:
    """Take the slice that may not rest: a refusal of post-only orders is none of taker ones."""
    return Step(
        job=replace(job, state=ExecutionState.LEADING, maker_over=True, stage_since=around.at),
        pause_seconds=actions.RETRY_SECONDS,
    )


def cancel_refused(job: HedgeExecution) -> Step:
    """Find out whether there is anything left to cancel."""
    resolving = replace(job, state=ExecutionState.RESOLVING, resume=job.state)
    return Step(job=resolving, pause_seconds=RESOLVE_RETRY_SECONDS)


def still_working(job: HedgeExecution, around: Surroundings) -> Step:
    """Cancel an order that rests; look again at one that cannot."""
    if job.working and job.working.order.time_in_force is TimeInForce.GTX:
        return maker.cancel(job)
    return resolve_again(job, around)


def follow(job: HedgeExecution, around: Surroundings) -> Step:
    """Bring the other leg up to the leading one, or trim on."""
    return actions.trim(job, around) if job.kind is ExecutionKind.TRIM else actions.follow(job, around)


def after_follow(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Go on when the leg caught up, else repair it."""
    if filled(event):
        return follow(job, around)
    return actions.fell_short(job, around, None, "nothing filled")


def fell_short(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Repair the following leg, or wait before the next try, by what the refusal asks for."""
    return actions.fell_short(job, around, *refusal(event))


def repair(job: HedgeExecution, around: Surroundings) -> Step:
    """Follow again with wider caps, or ask for the margin transfer again."""
    return actions.top_up_again(job, around) if job.pending else follow(job, around)


def topped_up(job: HedgeExecution, around: Surroundings) -> Step:
    """Follow again: the margin arrived."""
    return follow(replace(job, pending=()), around)


def top_up_failed(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Take back what cannot be hedged: there is no margin."""
    return actions.give_up_following(replace(job, pending=(), detail=refusal(event)[1]), around)


def unwind_again(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Wait before the reversal is tried again, or end without it."""
    return actions.unwind_again(job, around, refusal(event)[0])


def resolve_again(job: HedgeExecution, around: Surroundings) -> Step:
    """Wait before the order is looked up again: the later, the longer it has been unknown."""
    pause = max(RESOLVE_RETRY_SECONDS, elapsed(job, around.at) / 10)
    return Step(job=job, pause_seconds=min(pause, SLOWEST_RESOLVE_RETRY_SECONDS))


def doubted(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Set the order aside that nobody knows and that may still land, and go on as if it had filled nothing."""
    until = event.may_land_until if isinstance(event, ev.OrderOutcomeUnknown) else None
    if job.working is None or until is None:
        raise InvariantBroken(f"hedge {job.hedge_id}: no order at work to doubt")
    doubt = DoubtfulOrder(command=job.working, until=until)
    state = job.resume or ExecutionState.LEADING
    aside = replace(job, state=state, resume=None, working=None, working_filled=ZERO, doubtful=(*job.doubtful, doubt))
    if state is ExecutionState.NAKED:
        return actions.naked(aside, around)
    if state is ExecutionState.UNWINDING:
        return actions.unwind(aside, around)
    if state in {ExecutionState.FOLLOWING, ExecutionState.REPAIRING}:
        return follow(aside, around)
    return actions.lead(replace(aside, state=ExecutionState.LEADING), around)


def doubt_again(job: HedgeExecution, around: Surroundings) -> Step:
    """Wait before the next doubtful order is looked up."""
    pause = min(max(RESOLVE_RETRY_SECONDS, elapsed(job, around.at) / 10), SLOWEST_RESOLVE_RETRY_SECONDS)
    return Step(job=replace(job, doubtful=(*job.doubtful[1:], *job.doubtful[:1])), pause_seconds=pause)


def landed(job: HedgeExecution) -> Step:
    """Take a doubtful order that is at work now out of its book, or find out how it ends."""
    first, *others = job.doubtful
    resume = ExecutionState.LEADING if first.command.order.time_in_force is TimeInForce.GTX else job.resume
    at_work = replace(job, working=first.command, working_filled=ZERO, doubtful=tuple(others), resume=resume)
    if first.command.order.time_in_force is TimeInForce.GTX:
        return maker.cancel(at_work)
    return Step(job=replace(at_work, state=ExecutionState.RESOLVING), resolve=first.command.order)
