"""Leaves a request for a bot and waits a few seconds for its answer, as a page does."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

import msgspec

from hedgerow.app.commands.operator_request import new_request
from hedgerow.app.storage.parts import RequestBox
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.view import View
from hedgerow.domain.errors import MailboxError
from hedgerow.domain.money import ZERO
from hedgerow.domain.operator_requests import HedgeSeen, OperatorRequest, Request, RequestOrigin
from hedgerow.domain.records.time_series import SeriesPoint
from hedgerow.ports import Clock
from hedgerow.strategy.closing_price import ClosingPrice, ClosingPrices
from hedgerow.web.sources import Asked, AskOutcome, Curve, CurveMark, CurvePoint

__all__ = ["closing_price", "closing_prices", "curve_of", "first_shown", "left_and_awaited"]

ANSWER_SECONDS: Final = 3.0
"""How long a page waits for the answer of a bot before it is shown without."""
LOOK_SECONDS: Final = 0.1
MOST_POINTS: Final = 800
NO_BOT: Final = "No bot runs, so nothing can be asked of it; on its machine hedgerow close closes a position."
Box = Callable[[], AbstractContextManager[RequestBox]]


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
    return await asyncio.to_thread(lambda: asyncio.run(_answered(box, request, clock)))


async def _answered(box: Box, request: OperatorRequest, clock: Clock) -> Asked:
    try:
        with box() as mailbox:
            mailbox.post(request)
            until = clock.monotonic() + ANSWER_SECONDS
            while clock.monotonic() < until:
                answer = mailbox.collect(request.request_id)
                if answer is not None:
                    outcome = AskOutcome.DONE if answer.done else AskOutcome.REFUSED
                    return Asked(outcome=outcome, text=answer.text, document=answer.document)
                await clock.sleep(LOOK_SECONDS)
            begun = mailbox.begun(request.request_id)
    except MailboxError as error:
        return Asked(outcome=AskOutcome.REFUSED, text=f"The bot cannot be asked: {error}")
    bot = "is at it" if begun else "takes it between two steps, within a minute"
    return Asked(outcome=AskOutcome.WAITING, text=f"Asked to {request.text}. The bot {bot}; its log says how it ends.")


def closing_price(asked: Asked) -> ClosingPrice | None:
    """Return the price that a bot answered with; None when it has not, or could not read it."""
    return msgspec.json.decode(asked.document, type=ClosingPrice) if asked.document else None


def closing_prices(asked: Asked) -> tuple[ClosingPrice, ...]:
    """Return the prices of every hedge that a bot answered with; none when it has not, or could not read a book."""
    return msgspec.json.decode(asked.document, type=ClosingPrices).prices if asked.document else ()


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
