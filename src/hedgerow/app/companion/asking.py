"""Requests and questions to a running bot: made, left where it reads them, and waited for some seconds.

``closing_price`` and ``closing_prices`` are what every screen asks before it closes something.
"""

import asyncio
import getpass
import os
import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from hedgerow.app.storage.parts import RequestBox
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.view import View
from hedgerow.domain.errors import MailboxError
from hedgerow.domain.operator_requests import (
    VALID_SECONDS,
    Answer,
    ClosingPriced,
    HedgeSeen,
    OperatorRequest,
    Request,
    RequestOrigin,
)
from hedgerow.ports import Clock
from hedgerow.strategy.closing_price import ClosingPrice, ClosingPrices

__all__ = [
    "ANSWER_SECONDS",
    "Asker",
    "Box",
    "Waited",
    "closing_price",
    "closing_prices",
    "new_request",
    "user_name",
    "waited_for",
]

ANSWER_SECONDS: Final = 3.0
"""How long a screen waits for the answer of a bot before it is drawn without."""
LOOK_SECONDS: Final = 0.1
Box = Callable[[], AbstractContextManager[RequestBox]]
"""Opens the place where requests are left."""
Found = TypeVar("Found", bound=Struct)


class Waited(Struct, frozen=True, kw_only=True):
    """What became of a request within the time that was waited."""

    answer: Answer | None
    """None = none yet."""
    begun: bool
    """Whether the bot is carrying it out."""


class Asker(Struct, frozen=True, kw_only=True):
    """Who asks, and from where."""

    user: str
    origin: RequestOrigin
    log: Callable[[str], None] = lambda _line: None
    """Gets a line for each question."""


def new_request(
    action: Request,
    clock: Clock,
    *,
    user: str,
    origin: RequestOrigin = RequestOrigin.CLI,
    hedge: HedgeSeen | None = None,
    seconds: float = VALID_SECONDS,
) -> OperatorRequest:
    """Return a request made now, valid for so many seconds."""
    now = clock.now()
    return OperatorRequest(
        request_id=secrets.token_hex(8),
        action=action,
        user=user,
        origin=origin,
        asked_at=now,
        valid_until=now + timedelta(seconds=seconds),
        hedge=hedge,
    )


def user_name() -> str:
    """Return the name of the user of this process, or their number where they have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.geteuid()}"


async def waited_for(box: Box, request: OperatorRequest, clock: Clock, seconds: float = ANSWER_SECONDS) -> Waited:
    """Leave a request and wait so many seconds, on another thread: a database may keep it waiting.

    Raises:
        MailboxError: it cannot be left.
    """
    return await asyncio.to_thread(lambda: asyncio.run(_waited_for(box, request, clock, seconds)))


async def _waited_for(box: Box, request: OperatorRequest, clock: Clock, seconds: float) -> Waited:
    with box() as mailbox:
        mailbox.post(request)
        until = clock.monotonic() + seconds
        while clock.monotonic() < until:
            answer = mailbox.collect(request.request_id)
            if answer is not None:
                return Waited(answer=answer, begun=True)
            await clock.sleep(LOOK_SECONDS)
        return Waited(answer=None, begun=mailbox.begun(request.request_id))


async def closing_price(view: View, box: Box, symbol: str, clock: Clock, asker: Asker) -> ClosingPrice | None:
    """Return what closing a hedge costs by books that its bot reads now.

    None where no bot runs, it does not answer in time, is trading, or cannot read them.
    """
    return await _answered(view, box, ClosingPriced(symbol=symbol), clock, asker, ClosingPrice)


async def closing_prices(view: View, box: Box, clock: Clock, asker: Asker) -> tuple[ClosingPrice, ...]:
    """Return the same of every hedge; those are missing whose books the bot could not read, or not in time."""
    found = await _answered(view, box, ClosingPriced(symbol=None), clock, asker, ClosingPrices)
    return () if found is None else found.prices


async def _answered(
    view: View, box: Box, question: ClosingPriced, clock: Clock, asker: Asker, kind: type[Found]
) -> Found | None:
    if view.process.state is not ProcessState.RUNNING:
        return None
    request = new_request(question, clock, user=asker.user, origin=asker.origin)
    asker.log(f"{asker.user} asks: {request.text} ({request.request_id})")
    try:
        answer = (await waited_for(box, request, clock)).answer
    except MailboxError:
        return None
    return None if answer is None or not answer.document else msgspec.json.decode(answer.document, type=kind)
