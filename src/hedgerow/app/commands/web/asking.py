"""Leaves a request for a bot and waits a few seconds for its answer, as a page does."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from hedgerow.app.companion.asking import Box, new_request, waited_for
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.view import View
from hedgerow.domain.errors import MailboxError
from hedgerow.domain.money import ZERO
from hedgerow.domain.operator_requests import HedgeSeen, Request, RequestOrigin
from hedgerow.domain.records.time_series import SeriesPoint
from hedgerow.ports import Clock
from hedgerow.web.sources import Asked, AskOutcome, Curve, CurveMark, CurvePoint

__all__ = ["curve_of", "first_shown", "left_and_awaited"]

MOST_POINTS: Final = 800
NO_BOT: Final = "No bot runs, so nothing can be asked of it; on its machine hedgerow close closes a position."


async def left_and_awaited(  # noqa: PLR0913 - the parts of a request, each named
    view: View,
    box: Box,
    action: Request,
    hedge: HedgeSeen | None,
    *,
    user: str,
    clock: Clock,
    log: Callable[[str], None],
) -> Asked:
    """Leave a request of the web origin and return how it ended, as far as it is known; ``log`` gets one line."""
    if view.process.state is not ProcessState.RUNNING:
        return Asked(outcome=AskOutcome.REFUSED, text=NO_BOT)
    request = new_request(action, clock, user=user, origin=RequestOrigin.WEB, hedge=hedge)
    log(f"{user} asks: {request.text} ({request.request_id})")
    try:
        waited = await waited_for(box, request, clock)
    except MailboxError as error:
        return Asked(outcome=AskOutcome.REFUSED, text=f"The bot cannot be asked: {error}")
    if waited.answer is not None:
        outcome = AskOutcome.DONE if waited.answer.done else AskOutcome.REFUSED
        return Asked(outcome=outcome, text=waited.answer.text, document=waited.answer.document)
    bot = "is at it" if waited.begun else "takes it between two steps, within a minute"
    return Asked(outcome=AskOutcome.WAITING, text=f"Asked to {request.text}. The bot {bot}; its log says how it ends.")


def first_shown(view: View, since: datetime | None) -> datetime:
    """Return where a curve begins."""
    return since or view.times.log_began_at or view.times.now


def curve_of(view: View, since: datetime | None, points: Sequence[SeriesPoint]) -> Curve:
    """Return what a bot made, by the points of its time series or, without one, hedge by hedge; openings marked."""
    first = first_shown(view, since)
    shown = _thinned([_point(each) for each in points]) or _by_hedge(view, since)
    marks = [CurveMark(at=row.opened_at, kind="opened", text=f"opened {row.symbol}") for row in view.closed]
    marks += [CurveMark(at=each.opened_at, kind="opened", text=f"opened {each.symbol}") for each in view.hedges]
    marks += [CurveMark(at=halt.since, kind="halted", text=f"halted: {halt.reason}") for halt in view.halts]
    return Curve(
        points=tuple(shown), marks=tuple(sorted((m for m in marks if m.at >= first), key=lambda mark: mark.at))
    )


def _point(found: SeriesPoint) -> CurvePoint:
    return CurvePoint(at=found.at, net=found.net, funding=found.funding, fees=-found.fees, basis=found.basis)


def _thinned(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Return at most so many points as a curve can show, evenly, with the last one."""
    if len(points) <= MOST_POINTS:
        return list(points)
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(index * step)] for index in range(MOST_POINTS)]


def _by_hedge(view: View, since: datetime | None) -> Sequence[CurvePoint]:
    """Return one point for each hedge that ended, by the log alone."""
    net = funding = fees = basis = ZERO
    points: list[CurvePoint] = []
    for row in reversed(view.closed):
        net, funding, fees, basis = net + row.net, funding + row.funding, fees - row.fees, basis + row.basis
        points.append(CurvePoint(at=row.closed_at, net=net, funding=funding, fees=fees, basis=basis))
    return [point for point in points if since is None or point.at >= since]
