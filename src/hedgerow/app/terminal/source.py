"""What the terminal dashboard reads of a home, and the requests that it leaves there for the running bot."""

from contextlib import AbstractContextManager
from typing import Final

from msgspec import Struct

from hedgerow.app.bot_view import look_at_bot
from hedgerow.app.companion.asking import Asker, closing_price, new_request, user_name, waited_for
from hedgerow.app.home_past import HomePast
from hedgerow.app.storage.parts import RequestBox
from hedgerow.app.storage.select import request_box
from hedgerow.config import Home
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.view import View, view_of_bot
from hedgerow.domain.errors import MailboxError
from hedgerow.domain.operator_requests import HedgeSeen, Request, RequestOrigin
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.ports import Clock
from hedgerow.strategy.closing_price import ClosingPrice

__all__ = ["HomeReader", "Seen"]

ANSWER_SECONDS: Final = 5.0
"""How long an answer is waited for; what the bot has begun goes on after it."""
TAIL_BYTES: Final = 65_536


class Seen(Struct, frozen=True, kw_only=True):
    """One reading of a home."""

    view: View
    has_log: bool


class HomeReader:
    """Reads the bot of a home like the companion: no lock, no key, nothing written but requests."""

    def __init__(self, home: Home, clock: Clock, identity: RunIdentity) -> None:
        """``clock`` is real time; ``identity`` is that of the home's settings."""
        self._home = home
        self._clock = clock
        self._identity = identity
        self._past = HomePast(home, clock)

    async def read(self) -> Seen:
        """Return what is known of the bot now.

        Raises:
            StoreError: the event log is corrupt or newer than this version.
        """
        look = await look_at_bot(self._home, self._clock)
        return Seen(view=view_of_bot(look.view, self._past.of(look.view), self._identity), has_log=look.has_log)

    def log_lines(self, most: int) -> tuple[str, ...]:
        """Return the newest lines of the bot's log file, oldest first; none where it cannot be read."""
        try:
            with self._home.log.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TAIL_BYTES))
                lines = file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()
        except OSError:
            return ()
        return tuple(lines[1:] if size > TAIL_BYTES else lines)[-most:]

    async def ask(self, action: Request, hedge: HedgeSeen | None = None) -> str:
        """Leave a request for the running bot, bound to ``hedge``; return how it ended, or that it is under way."""
        seen = await self.read()
        if seen.view.process.state is not ProcessState.RUNNING:
            return "No bot runs, so nothing can be asked of it; `hedgerow close` closes a position without it."
        request = new_request(action, self._clock, user=user_name(), hedge=hedge)
        try:
            answer = (await waited_for(self._box, request, self._clock, ANSWER_SECONDS)).answer
        except MailboxError as error:
            return f"The bot cannot be asked: {error}"
        if answer is not None:
            return answer.text
        return f"Asked to {request.text}; the bot takes it between two steps, and its log says how it ends."

    async def closing_price(self, symbol: str) -> ClosingPrice | None:
        """Return what closing a hedge costs by books that the bot reads now; None where it does not say so in time.

        Raises:
            StoreError: the event log is corrupt or newer than this version.
        """
        asker = Asker(user=user_name(), origin=RequestOrigin.CLI)
        return await closing_price((await self.read()).view, self._box, symbol, self._clock, asker)

    def _box(self) -> AbstractContextManager[RequestBox]:
        return request_box(self._home, self._clock)
