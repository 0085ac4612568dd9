"""Targets of alerts, and the loop that brings each of them what it has not got yet."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any, Final, Protocol

from msgspec import Struct

from hedgerow.notify.settings import Secret, apprise_name
from hedgerow.notify.state import Message, NotifyState, due_for, sent, undecided
from hedgerow.notify.telegram import AnswerLost, NotReached, TelegramClient, TelegramRefused
from hedgerow.notify.texts import message_text
from hedgerow.ports import Clock

__all__ = ["AppriseTarget", "Attempt", "Courier", "Outbox", "Outcome", "Target", "TelegramTarget"]

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0
"""Between two attempts, while a target cannot be reached."""
IDLE_SECONDS: Final = 1.0
BAD_REQUEST: Final = 400


class Outcome(StrEnum):
    """How an attempt ended."""

    SENT = "sent"
    NOT_SENT = "not sent"
    """It certainly did not arrive; it is tried again."""
    UNKNOWN = "unknown"
    """It may have arrived; it is tried again, and says so."""
    REFUSED = "refused"
    """This text will never be accepted."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One attempt to send a text."""

    outcome: Outcome
    detail: str = ""


class Target(Protocol):
    """Where texts go."""

    @property
    def name(self) -> str:
        """Name without any secret; the same at each start."""
        ...

    async def send(self, text: str) -> Attempt:
        """Send a text; never raises for what the target does."""
        ...


class TelegramTarget:
    """One chat."""

    def __init__(self, client: TelegramClient, chat: int) -> None:
        self._client = client
        self._chat = chat

    @property
    def name(self) -> str:
        """Name without any secret."""
        return f"telegram:{self._chat}"

    async def send(self, text: str) -> Attempt:
        """Send a text into the chat."""
        try:
            await self._client.send(self._chat, text)
        except NotReached as error:
            return Attempt(outcome=Outcome.NOT_SENT, detail=str(error))
        except AnswerLost as error:
            return Attempt(outcome=Outcome.UNKNOWN, detail=str(error))
        except TelegramRefused as error:
            # Unknown chat, wrong token, blocked bot: a person can repair these, and the alerts wait for it.
            text_is_bad = error.code == BAD_REQUEST and "chat" not in str(error).lower()
            return Attempt(outcome=Outcome.REFUSED if text_is_bad else Outcome.NOT_SENT, detail=str(error))
        return Attempt(outcome=Outcome.SENT)


class AppriseTarget:
    """One address of Apprise, which blocks while it sends: in a thread of its own."""

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._name = apprise_name(url)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hedgerow-apprise")

    @property
    def name(self) -> str:
        """Name without any secret."""
        return self._name

    async def send(self, text: str) -> Attempt:
        """Send a text; Apprise does not say whether one that failed may have arrived."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._send, text)

    def _send(self, text: str) -> Attempt:
        try:
            import apprise  # noqa: PLC0415 - 15 MB that only those pay who configure it
        except ImportError:
            detail = "Apprise is not installed: pip install '.[notify]' in the folder of Hedgerow"
            return Attempt(outcome=Outcome.NOT_SENT, detail=detail)
        _silence("apprise")
        try:
            target: Any = apprise.Apprise()
            if not target.add(self._url.reveal()):
                return Attempt(outcome=Outcome.NOT_SENT, detail=f"Apprise does not know the address {self._name}")
            arrived = bool(target.notify(body=text))
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and its text may hold the address
            return Attempt(outcome=Outcome.UNKNOWN, detail=f"Apprise failed: {type(error).__name__}")
        if not arrived:
            return Attempt(outcome=Outcome.UNKNOWN, detail=f"{self._name} did not accept it")
        return Attempt(outcome=Outcome.SENT)

    def close(self) -> None:
        """End the thread once it has sent what it sends."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _silence(name: str) -> None:
    """Keep the words of a library, which may hold an address with its password, out of every log."""
    logger = logging.getLogger(name)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


class Outbox(Protocol):
    """The state on disk, as a courier changes it."""

    @property
    def state(self) -> NotifyState:
        """The state now."""
        ...

    def change(self, change: Callable[[NotifyState], NotifyState]) -> None:
        """Replace the state, on disk before this returns."""
        ...


class Courier:
    """Brings one target its messages, one after the other. An attempt is on disk before it is made."""

    def __init__(
        self, target: Target, outbox: Outbox, clock: Clock, log: Callable[[str], None], *, who: str = ""
    ) -> None:
        """``who`` names the bot in each text."""
        self._target = target
        self._outbox = outbox
        self._clock = clock
        self._log = log
        self._who = who
        self._failing = False

    async def run(self) -> None:
        """Send for ever."""
        pause = FIRST_PAUSE
        while True:
            message = due_for(self._outbox.state, self._target.name, self._clock.now())
            if message is None:
                await self._clock.sleep(IDLE_SECONDS)
            elif await self._deliver(message):
                pause = FIRST_PAUSE
            else:
                await self._clock.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _deliver(self, message: Message) -> bool:
        """Make one attempt; return whether the message is done with."""
        name, number = self._target.name, message.number
        maybe = name in message.maybe
        if not maybe:
            self._outbox.change(lambda state: undecided(state, number, name, begun=True))
        attempt = await self._target.send(message_text(message, who=self._who, repeated=maybe))
        self._report(attempt)
        match attempt.outcome:
            case Outcome.SENT | Outcome.REFUSED:
                if attempt.outcome is Outcome.REFUSED:
                    self._log(f"Alert {number} is not sent to {name}: {attempt.detail}")
                self._outbox.change(lambda state: sent(state, number, name))
                return True
            case Outcome.NOT_SENT:
                if not maybe:
                    self._outbox.change(lambda state: undecided(state, number, name, begun=False))
            case Outcome.UNKNOWN:
                pass
        return False

    def _report(self, attempt: Attempt) -> None:
        """Say once that a target fails, and once that it works again."""
        failing = attempt.outcome in {Outcome.NOT_SENT, Outcome.UNKNOWN}
        if failing and not self._failing:
            self._log(f"{self._target.name}: {attempt.detail}; trying again")
        elif self._failing and not failing:
            self._log(f"{self._target.name} works again")
        self._failing = failing
