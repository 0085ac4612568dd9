"""Commands from Telegram: who may send them, what they answer, and buttons that act once.

A command counts only from a user of the allow-list in a chat of the allow-list; an empty list is no one's. Everything
else is ignored, and logged now and then.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.dashboard.formats import clock_time
from hedgerow.dashboard.view import HedgeView, View
from hedgerow.domain.errors import HedgerowError
from hedgerow.domain.operator_requests import (
    VALID_SECONDS,
    Answer,
    CloseRequested,
    HaltRequested,
    HedgeSeen,
    OperatorRequest,
    Request,
    RequestOrigin,
    ResumeRequested,
)
from hedgerow.notify import answers
from hedgerow.notify.delivery import Outbox
from hedgerow.notify.settings import TelegramSettings
from hedgerow.notify.telegram import Button, TelegramClient, TelegramError, TelegramRefused, Update
from hedgerow.ports import Clock
from hedgerow.strategy.closing_price import ClosingPrice

__all__ = ["BUTTON_SECONDS", "CommandServices", "TelegramCommands"]

BUTTON_SECONDS: Final = 60
LATE_SECONDS: Final = float(VALID_SECONDS)
"""A command that changes something and comes later than this after it was sent is not carried out."""
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
STRANGER_EVERY: Final = timedelta(hours=1)
STRANGERS_KEPT: Final = 50
LONGEST_MUTE: Final = timedelta(days=7)
MUTE: Final = timedelta(hours=8)
_MUTE: Final = re.compile(r"(\d{1,4})\s*(m|min|h|d)?")
_UNITS: Final = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
_CONTROLS: Final = frozenset({"halt", "close", "resume", "login"})
CONFLICT: Final = 409


class CommandServices(Struct, frozen=True, kw_only=True):
    """What commands need of the program around them."""

    look: Callable[[], Awaitable[View]]
    ask: Callable[[OperatorRequest], Awaitable[Answer]]
    """Leave a request for the bot and wait for its answer."""
    closing_price: Callable[[str, str], Awaitable[ClosingPrice | None]]
    """Ask, as a user, what closing the hedge of a pair costs by the books of now; None = the bot does not say so."""
    login: Callable[[str], str | None] = lambda _name: None
    """Return a link that logs a user in once; None = no screen is served."""


class _Pending(Struct, frozen=True, kw_only=True):
    """A button that was not pressed yet."""

    chat: int
    user: int
    until: float
    """Monotonic seconds."""
    action: Request
    hedge: HedgeSeen | None = None
    halted_since: datetime | None = None


class TelegramCommands:
    """Reads commands and answers them."""

    def __init__(
        self,
        client: TelegramClient,
        settings: TelegramSettings,
        services: CommandServices,
        outbox: Outbox,
        clock: Clock,
        log: Callable[[str], None],
    ) -> None:
        self._client = client
        self._settings = settings
        self._services = services
        self._outbox = outbox
        self._clock = clock
        self._log = log
        self._name = ""
        self._pending: dict[str, _Pending] = {}
        """By the data of its button; of this process alone, so that a restart makes every button void."""
        self._strangers: dict[tuple[int | None, int | None], datetime] = {}
        self._working: set[asyncio.Task[None]] = set()
        self._texts: dict[str, Callable[[View], str]] = {
            "status": answers.status_text,
            "why": answers.why_text,
            "whynot": answers.whynot_text,
            "funding": answers.funding_text,
            "money": answers.money_text,
            "pairs": answers.pairs_text,
            "hedges": answers.hedges_text,
        }
        self._acts: dict[str, Callable[[Update, str], Awaitable[None]]] = {
            "close": self._offer_close,
            "halt": self._halt,
            "resume": self._offer_resume,
            "mute": self._mute,
            "login": self._login,
        }

    async def run(self) -> None:
        """Poll until cancelled."""
        pause, failing = FIRST_PAUSE, False
        while True:
            try:
                self._name = self._name or await self._client.name()
                found = await self._client.updates(self._outbox.state.offset)
            except TelegramError as error:
                if not failing:
                    other = isinstance(error, TelegramRefused) and error.code == CONFLICT
                    self._log(f"Commands cannot be read: {error}{_CONFLICT if other else ''}; trying again")
                failing = True
                await self._clock.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            if failing:
                self._log("Commands can be read again")
            pause, failing = FIRST_PAUSE, False
            for update in found:
                await self.handle(update)
                # Afterwards: a command that a crash interrupts is read again, and its request has the same id.
                self._confirm(update.number)

    def _confirm(self, number: int) -> None:
        self._outbox.change(lambda state: replace(state, offset=number + 1))

    async def settled(self) -> None:
        """Wait until every request that was passed on is answered."""
        while self._working:
            await asyncio.gather(*self._working, return_exceptions=True)

    async def handle(self, update: Update) -> None:
        """Carry one update out; what fails is answered or logged, never raised."""
        if not self._may_command(update):
            return
        try:
            if update.press is not None:
                await self._pressed(update)
            elif update.text.startswith("/"):
                await self._commanded(update)
        except HedgerowError as error:
            self._log(f"A command of {update.name or update.user} failed: {error}")
            await self._say(update, f"That failed: {error}")

    # --- who ---------------------------------------------------------------------------------------------------------

    def _may_command(self, update: Update) -> bool:
        if update.chat in self._settings.chats and update.user in self._settings.users:
            return True
        if update.press is None and not update.text.startswith("/"):
            return False  # people who talk in the group
        if update.chat is None and update.user is None:
            return False
        now, who = self._clock.now(), (update.chat, update.user)
        recent = {each: at for each, at in self._strangers.items() if now - at < STRANGER_EVERY}
        if who not in recent and len(recent) < STRANGERS_KEPT:
            recent[who] = now
            self._log(f"Ignored a command of user {update.user} in chat {update.chat}: not both are allowed")
        self._strangers = recent
        return False

    # --- commands ----------------------------------------------------------------------------------------------------

    async def _commanded(self, update: Update) -> None:
        words = update.text.split()
        name, _, addressee = words[0][1:].partition("@")
        if addressee and addressee.lower() != self._name.lower():
            return
        name = name.lower()
        if name in _CONTROLS and self._is_late(update):
            await self._say(
                update, f"/{name} came more than {LATE_SECONDS:.0f} s late: nothing was done; send it again."
            )
            return
        rest, text, act = " ".join(words[1:]), self._texts.get(name), self._acts.get(name)
        if text is not None:
            await self._say(update, text(await self._services.look()))
        elif act is not None:
            await act(update, rest)
        else:
            known = name in {"help", "start"}
            await self._say(update, answers.HELP if known else f"/{name} is no command.\n{answers.HELP}")

    def _is_late(self, update: Update) -> bool:
        sent_at = datetime.fromtimestamp(update.sent_at, UTC)
        return (self._clock.now() - sent_at).total_seconds() > LATE_SECONDS

    async def _login(self, update: Update, _rest: str) -> None:
        link = self._services.login(update.name or str(update.user))
        await self._say(
            update,
            f"Valid once, for 5 minutes:\n{link}"
            if link
            else "No link: HEDGEROW_DASHBOARD_URL is not set for the companion.",
        )

    async def _mute(self, update: Update, text: str) -> None:
        await self._say(update, self._muted(text))

    def _muted(self, text: str) -> str:
        now = self._clock.now()
        if text.lower() in {"off", "0"}:
            self._outbox.change(lambda state: replace(state, muted_until=None))
            return "Alerts are sent again."
        found = _MUTE.fullmatch(text.lower()) if text else None
        if text and not found:
            return "Allowed are /mute 30m, /mute 8h, /mute 2d and /mute off."
        length = min(timedelta(**{_UNITS[found[2] or "h"]: int(found[1])}) if found else MUTE, LONGEST_MUTE)
        until = now + length
        self._outbox.change(lambda state: replace(state, muted_until=until))
        return f"Alerts that are no pages are held back until {clock_time(until, now)}, then sent. /mute off ends it."

    async def _halt(self, update: Update, why: str) -> None:
        view = await self._services.look()
        none = answers.no_bot_text(view)
        if none:
            await self._say(update, none)
            return
        request = self._request(HaltRequested(detail=why), update, f"tg-{update.number}")
        self._begin(self._carried_out(request, update))

    async def _offer_close(self, update: Update, symbol: str) -> None:
        view = await self._services.look()
        none = answers.no_bot_text(view)
        hedges = [each for each in view.hedges if not symbol or each.symbol == symbol.upper()]
        if none or not hedges:
            held = ", ".join(each.symbol for each in view.hedges) or "nothing"
            await self._say(
                update, none or f"There is no hedge {symbol.upper()}: held is {held}.".replace("hedge :", "hedge:")
            )
            return
        if len(hedges) > 1:
            names = ", ".join(f"/close {each.symbol}" for each in hedges)
            await self._say(update, f"Several hedges are held: {names}")
            return
        hedge: HedgeView = hedges[0]
        price = await self._services.closing_price(hedge.symbol, _name(update))
        seen = HedgeSeen(hedge_id=hedge.hedge_id, symbol=hedge.symbol)
        pending = self._pending_of(update, CloseRequested(symbol=hedge.symbol), hedge=seen)
        question = answers.close_question(hedge, view, price, BUTTON_SECONDS)
        await self._offer(update, question, f"Close {hedge.symbol}", pending)

    async def _offer_resume(self, update: Update, _rest: str) -> None:
        view = await self._services.look()
        none = answers.no_bot_text(view)
        if none or not view.halts:
            await self._say(update, none or "Openings are not halted.")
            return
        pending = self._pending_of(update, ResumeRequested(), halted_since=view.halts[0].since)
        await self._offer(update, answers.resume_question(view, BUTTON_SECONDS), "Allow openings", pending)

    # --- buttons -----------------------------------------------------------------------------------------------------

    def _pending_of(
        self,
        update: Update,
        action: Request,
        *,
        hedge: HedgeSeen | None = None,
        halted_since: datetime | None = None,
    ) -> _Pending:
        return _Pending(
            chat=update.chat or 0,
            user=update.user or 0,
            until=self._clock.monotonic() + BUTTON_SECONDS,
            action=action,
            hedge=hedge,
            halted_since=halted_since,
        )

    async def _offer(self, update: Update, text: str, label: str, pending: _Pending) -> None:
        now = self._clock.monotonic()
        data = secrets.token_urlsafe(16)
        self._pending = {each: known for each, known in self._pending.items() if known.until > now}
        self._pending[data] = pending
        await self._client.send(update.chat or 0, text, (Button(text=label, data=data),))

    async def _pressed(self, update: Update) -> None:
        press = update.press
        assert press is not None  # noqa: S101 - the caller has asked
        pending = self._pending.get(press.data)
        if pending is None or pending.until <= self._clock.monotonic():
            await self._client.acknowledge(press.press_id, "This button is no longer valid: nothing was done.")
            return
        if (pending.chat, pending.user) != (update.chat, update.user):
            await self._client.acknowledge(press.press_id, "Only who asked for this button can press it.")
            return
        del self._pending[press.data]
        request = self._request(pending.action, update, f"tg-{press.data}", pending.hedge)
        self._begin(self._confirmed(request, pending, update))
        await self._client.acknowledge(press.press_id)

    async def _confirmed(self, request: OperatorRequest, pending: _Pending, update: Update) -> None:
        view = await self._services.look()
        changed = _changed(pending, view)
        if changed:
            await self._say(update, f"{changed}: nothing was done.")
        else:
            await self._carried_out(request, update)

    # --- requests ----------------------------------------------------------------------------------------------------

    def _request(
        self, action: Request, update: Update, request_id: str, hedge: HedgeSeen | None = None
    ) -> OperatorRequest:
        now = self._clock.now()
        return OperatorRequest(
            request_id=request_id,
            action=action,
            user=_name(update),
            origin=RequestOrigin.TELEGRAM,
            asked_at=now,
            valid_until=now + timedelta(seconds=VALID_SECONDS),
            hedge=hedge,
        )

    def _begin(self, work: Awaitable[None]) -> None:
        """Carry out what may take minutes while further commands are read."""
        task = asyncio.ensure_future(self._guarded(work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except HedgerowError as error:
            self._log(f"A request from Telegram failed: {error}")

    async def _carried_out(self, request: OperatorRequest, update: Update) -> None:
        self._log(f"{request.text} of {request.user} ({update.user}) is passed to the bot")
        try:
            answer = await self._services.ask(request)
        except HedgerowError as error:
            answer = Answer(done=False, text=str(error))
        await self._say(update, f"{'Done' if answer.done else 'Not done'}: {answer.text}")

    async def _say(self, update: Update, text: str) -> None:
        """Answer in the chat; an answer that does not arrive is logged."""
        try:
            await self._client.send(update.chat or 0, text)
        except TelegramError as error:
            self._log(f"An answer did not arrive: {error}")


_CONFLICT: Final = "; another program reads the commands of this bot of Telegram: one token for each companion"


def _name(update: Update) -> str:
    return (update.name or str(update.user))[:64]


def _changed(pending: _Pending, view: View) -> str:
    """Return why what a button was about is not there any more; empty where it is."""
    none = answers.no_bot_text(view)
    if none:
        return none.rstrip(".")
    if pending.hedge is not None and pending.hedge.hedge_id not in {each.hedge_id for each in view.hedges}:
        return f"The hedge of this button, {pending.hedge.symbol}, is not held any more"
    if pending.halted_since is not None and pending.halted_since not in {halt.since for halt in view.halts}:
        return "The halt of this button does not stand any more"
    return ""
