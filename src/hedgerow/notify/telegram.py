"""A client of Telegram's Bot API (core.telegram.org/bots/api): sends texts, polls updates, obeys 429.

The token is part of every address; no error, log line or representation holds it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from hedgerow.domain.errors import HedgerowError, NotSent, OutcomeUnknown
from hedgerow.notify.settings import Secret
from hedgerow.ports import Clock, HttpRequest, Transport

__all__ = [
    "LONGEST_TEXT",
    "AnswerLost",
    "Button",
    "NotReached",
    "Press",
    "TelegramClient",
    "TelegramError",
    "TelegramRefused",
    "Update",
    "split_text",
]

LONGEST_TEXT: Final = 4_096
"""Characters of one message, counted in UTF-16 units as Telegram does (core.telegram.org/bots/api#sendmessage)."""
SEND_SECONDS: Final = 20.0
POLL_SECONDS: Final = 50
POLL_SLACK_SECONDS: Final = 15.0
PACE_SECONDS: Final = 1.05
"""Telegram allows about one message a second into one chat (core.telegram.org/bots/faq)."""
TOO_MANY: Final = 429
LEAST_WAIT, LONGEST_WAIT = 1.0, 3_600.0
SERVER_ERROR: Final = 500


class TelegramError(HedgerowError):
    """A call of Telegram failed."""


class NotReached(TelegramError):  # noqa: N818 - named after the fact
    """It certainly had no effect; it can be tried again."""


class AnswerLost(TelegramError):  # noqa: N818 - as above
    """It may have had its effect: the answer was lost."""


class TelegramRefused(TelegramError):  # noqa: N818 - as above
    """Telegram refused it with a code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Button(Struct, frozen=True, kw_only=True):
    """A button below a text."""

    text: str
    data: str
    """At most 64 bytes, which come back with a press."""


class Press(Struct, frozen=True, kw_only=True):
    """A button that was pressed."""

    press_id: str
    """What ``answerCallbackQuery`` needs."""
    data: str
    message_id: int


class Update(Struct, frozen=True, kw_only=True):
    """A text in a chat, or a press of a button."""

    number: int
    chat: int | None
    user: int | None
    name: str = ""
    """How the user is called there."""
    text: str = ""
    sent_at: int = 0
    """Unix seconds; of a press 0, as it has no time."""
    press: Press | None = None


class TelegramClient:
    """One bot of Telegram. While Telegram asks to wait (429), nothing is sent or polled."""

    def __init__(
        self, transport: Transport, clock: Clock, token: Secret, address: str, *, pace: float = PACE_SECONDS
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._token = token
        self._address = address
        self._pace = pace
        self._blocked_until = 0.0
        """Monotonic seconds."""
        self._free_at: dict[int, float] = {}
        """By chat: when the next text may be sent."""

    def __repr__(self) -> str:
        return f"TelegramClient({self._address!r})"

    async def name(self) -> str:
        """Return the name of the bot, without ``@``."""
        return _read(await self._call("getMe", {}), _Person).username

    async def send(self, chat: int, text: str, buttons: Sequence[Button] = ()) -> int:
        """Send a text, in parts where it is longer than a message can be; the buttons are below the last one.

        Returns the number of the last message.

        Raises:
            NotReached: nothing was sent.
            AnswerLost: it, or a part of it, may have been sent.
            TelegramRefused: Telegram refused it.
        """
        parts, number = split_text(text), 0
        for index, part in enumerate(parts):
            await self._wait_for_turn(chat)
            body: dict[str, Any] = {"chat_id": chat, "text": part, "link_preview_options": {"is_disabled": True}}
            if buttons and index == len(parts) - 1:
                keys = [{"text": each.text, "callback_data": each.data} for each in buttons]
                body["reply_markup"] = {"inline_keyboard": [keys]}
            try:
                found = await self._call("sendMessage", body)
            except NotReached as error:
                raise AnswerLost(str(error)) if index else error from None
            finally:
                self._free_at[chat] = self._clock.monotonic() + self._pace
            number = _read(found, _Message).message_id
        return number

    async def edit(self, chat: int, message_id: int, text: str) -> None:
        """Replace a text, which takes its buttons away."""
        await self._call("editMessageText", {"chat_id": chat, "message_id": message_id, "text": split_text(text)[0]})

    async def acknowledge(self, press_id: str, text: str = "") -> None:
        """End the waiting of a pressed button."""
        await self._call("answerCallbackQuery", {"callback_query_id": press_id, "text": text[:200]})

    async def updates(self, offset: int, seconds: int = POLL_SECONDS) -> tuple[Update, ...]:
        """Wait for updates from number ``offset`` on, at most so long; the earlier ones are forgotten by Telegram."""
        body = {"offset": offset, "timeout": seconds, "allowed_updates": ["message", "callback_query"]}
        found = await self._call("getUpdates", body, seconds + POLL_SLACK_SECONDS)
        return tuple(update for row in _read(found, list[Raw]) if (update := _update(row)) is not None)

    async def _wait_for_turn(self, chat: int) -> None:
        left = self._free_at.get(chat, 0.0) - self._clock.monotonic()
        if left > 0:
            await self._clock.sleep(left)

    async def _call(self, method: str, body: Mapping[str, Any], seconds: float = SEND_SECONDS) -> Raw:
        """Call a method; wait first where Telegram asked for it, and again as often as it asks.

        Raises:
            NotReached: it had no effect.
            AnswerLost: it may have had one.
            TelegramRefused: Telegram refused it.
        """
        while True:
            left = self._blocked_until - self._clock.monotonic()
            if left > 0:
                await self._clock.sleep(left)
            reply = await self._sent(method, body, seconds)
            if not (reply.error_code == TOO_MANY and not reply.ok):
                break
            wait = reply.parameters.retry_after if reply.parameters else None
            pause = min(max(float(wait or LEAST_WAIT), LEAST_WAIT), LONGEST_WAIT)
            self._blocked_until = max(self._blocked_until, self._clock.monotonic() + pause)
        if reply.ok:
            return reply.result
        text = f"Telegram refused {method}: {reply.description} (code {reply.error_code})"
        raise TelegramRefused(text.replace(self._token.reveal(), "..."), reply.error_code)

    async def _sent(self, method: str, body: Mapping[str, Any], seconds: float) -> "_Reply":
        request = HttpRequest(
            method="POST",
            url=f"{self._address}/bot{self._token.reveal()}/{method}",
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode(body),
            timeout_seconds=seconds,
        )
        try:
            response = await self._transport.send(request)
        except NotSent:
            raise NotReached("Telegram cannot be reached") from None
        except OutcomeUnknown:
            raise AnswerLost("the answer of Telegram was lost") from None
        try:
            reply = msgspec.json.decode(response.body, type=_Reply)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise AnswerLost(f"Telegram answered HTTP {response.status} and no JSON") from None
        if not reply.ok and reply.error_code >= SERVER_ERROR:
            raise AnswerLost(f"Telegram answered with the error {reply.error_code}")
        return reply


class _Parameters(Struct):
    retry_after: float | None = None


class _Reply(Struct):
    """Every answer of the Bot API (core.telegram.org/bots/api#making-requests)."""

    ok: bool = False
    result: Raw = Raw(b"null")
    description: str = ""
    error_code: int = 0
    parameters: _Parameters | None = None


class _Person(Struct):
    id: int
    username: str = ""
    first_name: str = ""
    is_bot: bool = False


class _Chat(Struct):
    id: int


class _Message(Struct):
    message_id: int = 0
    date: int = 0
    chat: _Chat | None = None
    sender: _Person | None = msgspec.field(default=None, name="from")
    text: str = ""


class _Callback(Struct):
    id: str
    sender: _Person = msgspec.field(name="from")
    message: _Message | None = None
    data: str = ""


class _Row(Struct):
    update_id: int
    message: _Message | None = None
    callback_query: _Callback | None = None


class _Numbered(Struct):
    update_id: int


Kind = TypeVar("Kind")


def _read(result: Raw, kind: type[Kind]) -> Kind:
    """Return a result as a type.

    Raises:
        AnswerLost: it is something else.
    """
    try:
        return msgspec.json.decode(result, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise AnswerLost("Telegram answered something that it does not document") from None


def _update(row: Raw) -> Update | None:
    """Return an update of a form that is known; of another one, its number alone."""
    try:
        found = msgspec.json.decode(row, type=_Row)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        try:
            number = msgspec.json.decode(row, type=_Numbered).update_id
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        return Update(number=number, chat=None, user=None)
    query = found.callback_query
    message, sender = (query.message, query.sender) if query else (found.message, None)
    if message is None:
        return Update(number=found.update_id, chat=None, user=sender.id if sender else None)
    sender = sender or message.sender
    return Update(
        number=found.update_id,
        chat=message.chat.id if message.chat else None,
        user=sender.id if sender else None,
        name=(sender.username or sender.first_name) if sender else "",
        text="" if query else message.text,
        sent_at=0 if query else message.date,
        press=Press(press_id=query.id, data=query.data, message_id=message.message_id) if query else None,
    )


def split_text(text: str, longest: int = LONGEST_TEXT) -> tuple[str, ...]:
    """Return a text in parts that fit into a message each, broken between lines, else between words."""
    parts: list[str] = []
    rest = text or " "
    while _units(rest) > longest:
        end = _fitting(rest, longest)
        cut = max(rest.rfind("\n", 0, end + 1), 0) or max(rest.rfind(" ", 0, end + 1), 0) or end
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip("\n ")
    return tuple(part for part in (*parts, rest) if part) or (" ",)


def _fitting(text: str, longest: int) -> int:
    """Return how many characters of a text have at most ``longest`` units."""
    used = 0
    for index, char in enumerate(text):
        used += _units(char)
        if used > longest:
            return index
    return len(text)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
