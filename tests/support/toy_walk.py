"""Drives a two-leg job against a toy venue, step by step, with a process that may die between any two of them."""

from datetime import timedelta

from hedgerow.domain import events as ev
from hedgerow.domain.execution import HedgeExecution
from hedgerow.strategy.hedging import machine as hedging
from hedgerow.strategy.hedging.machine import Happening, Step
from support.toy_rules import check, check_end
from support.toy_venue import ToyVenue, restarted

__all__ = ["walk"]

MANY_STEPS = 20_000


def walk(
    job: HedgeExecution,
    venue: ToyVenue,
    *,
    crash: float = 0.0,
    downtimes: tuple[float, ...] = (0.5, 5, 60),
    healthy_after: int = 400,
) -> HedgeExecution:
    """Drive a job to its end; the venue is healthy after so many steps, the process dies at a share of them."""
    event: Happening = None
    for count in range(MANY_STEPS):
        if count == healthy_after:
            venue.chaos = 0.0
        around = venue.look()
        taken = hedging.step(job, event, around)
        check(venue, job, taken, around)
        job, event = taken.job, None
        if job.state.ended:
            check_end(venue, job)
            return job
        died = venue.random.random() < crash
        if died and venue.random.random() < 0.5:
            job = restarted(job)
            event = _after_a_crash(job, venue, downtimes)
            continue
        event = _asked(venue, taken)
        if died:
            job = restarted(job)
            event = _after_a_crash(job, venue, downtimes)
    raise AssertionError(f"no end: {job.state.value}, {job.detail}")


def _asked(venue: ToyVenue, taken: Step) -> Happening:
    if taken.command:
        return venue.submit(taken.command)
    if taken.resolve:
        return venue.resolve(taken.resolve)
    if taken.watch:
        return venue.watch(taken.watch, taken.job.working_filled)
    venue.now += timedelta(seconds=taken.pause_seconds + venue.random.choice([0.0, 0.01, 0.3]))
    return None


def _after_a_crash(job: HedgeExecution, venue: ToyVenue, downtimes: tuple[float, ...]) -> Happening:
    venue.now += timedelta(seconds=venue.random.choice(downtimes))
    if job.working is None:
        return None
    return ev.OrderOutcomeUnknown(at=venue.now, client_id=job.working.order.client_id, detail="restart")
