"""A stand-in for Telegram's Bot API over HTTP: long polls, 429 with retry_after, answers that are lost, presses."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Self, TypeVar

from aiohttp import web

__all__ = ["ADMIN", "GROUP", "STRANGER", "TOKEN", "TelegramServer"]

TOKEN = "123456789:AAnobody_NOBODY_nobody_NOBODY_nobod0"  # noqa: S105 - a token of nothing
GROUP, ADMIN, STRANGER = -1001, 7, 666
PATIENCE_SECONDS = 20.0
Result = TypeVar("Result")


class TelegramServer:
    """Serves one bot in a thread of its own; what it is sent and what it does is set from the test's thread."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.texts: list[tuple[int, str]] = []
        """Every text that arrived: chat, text."""
        self.buttons: list[tuple[str, str]] = []
        """Every button that arrived: its label, its data."""
        self.posted: list[str] = []
        """What a JSON target of Apprise was sent."""
        self.presses_answered: list[str] = []
        self.calls: list[str] = []
        self.offsets: list[int] = []
        """Of every poll."""
        self.limit_next = 0
        """So many of the next calls of sendMessage are refused with 429."""
        self.retry_after = 1
        self.drop_before = 0
        """So many of the next texts: the connection ends before anything is done."""
        self.drop_after = 0
        """So many of the next texts arrive, and their answer is lost."""
        self.status = 0
        """Status of every answer; 0 = as usual."""
        self._updates: list[dict[str, Any]] = []
        self._number = 1000
        self._messages = 0
        self._arrived = asyncio.Event()
        self._port = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Address for ``HEDGEROW_TELEGRAM_API``; the same after a restart."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._arrived = asyncio.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        self._loop = ready.result(PATIENCE_SECONDS)

    def stop(self) -> None:
        """Be down: connections are refused."""
        if self._loop is not None and self._thread is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(PATIENCE_SECONDS)
        self._thread = self._loop = None

    async def _serve(self, ready: "Future[asyncio.AbstractEventLoop]") -> None:
        app = web.Application()
        app.router.add_post("/x", self._posted)
        app.router.add_route("*", "/bot{token}/{method}", self._called)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        listener = web.TCPSite(runner, "127.0.0.1", self._port, reuse_address=True)
        await listener.start()
        self._port = runner.addresses[0][1]
        ready.set_result(asyncio.get_running_loop())
        await self._stop.wait()
        await runner.cleanup()

    # --- what people do ----------------------------------------------------------------------------------------------

    def say(self, text: str, *, chat: int = GROUP, user: int = ADMIN, at: int | None = None, now: int = 0) -> int:
        """Send a text into a chat; returns the number of its update."""
        message = {
            "message_id": self._next_message(),
            "date": at if at is not None else now,
            "chat": {"id": chat, "type": "supergroup", "title": "bots"},
            "from": _person(user),
            "text": text,
        }
        if text.startswith("/"):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": len(text.split(maxsplit=1)[0])}]
        return self._put({"message": message})

    def press(self, data: str, *, chat: int = GROUP, user: int = ADMIN) -> int:
        """Press a button."""
        message = {"message_id": self._messages, "date": 1, "chat": {"id": chat, "type": "supergroup", "title": "bots"}}
        query = {
            "id": f"q{self._number}",
            "from": _person(user),
            "chat_instance": "1",
            "data": data,
            "message": message,
        }
        return self._put({"callback_query": query})

    def _next_message(self) -> int:
        self._messages += 1
        return self._messages

    def _put(self, update: dict[str, Any]) -> int:
        self._number += 1
        update["update_id"] = self._number
        self._updates.append(update)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._arrived.set)
        return self._number

    # --- the API -----------------------------------------------------------------------------------------------------

    async def _called(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        if request.match_info["token"] != self.token:
            return _refusal(401, "Unauthorized")
        if self.status:
            return web.Response(status=self.status, text="<html>bad gateway</html>")
        body = await _body(request)
        handler: Callable[[web.Request, dict[str, Any]], Any] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "sendMessage": self._send_message,
            "answerCallbackQuery": self._answer_press,
            "editMessageText": self._get_me,
            "deleteWebhook": self._true,
        }.get(method, self._unknown)
        answer: web.StreamResponse = await handler(request, body)
        return answer

    async def _posted(self, request: web.Request) -> web.Response:
        self.posted.append(str((await request.json())["message"]))
        return web.Response()

    async def _get_me(self, _request: web.Request, _body: dict[str, Any]) -> web.Response:
        return _result({"id": 123456789, "is_bot": True, "first_name": "Hedge", "username": "hedge_test_bot"})

    async def _true(self, _request: web.Request, _body: dict[str, Any]) -> web.Response:
        return _result(True)  # noqa: FBT003 - the API's own answer

    async def _unknown(self, _request: web.Request, _body: dict[str, Any]) -> web.Response:
        return _refusal(404, "Not Found")

    async def _get_updates(self, _request: web.Request, body: dict[str, Any]) -> web.Response:
        offset, wait = int(body.get("offset") or 0), float(body.get("timeout") or 0)
        self.offsets.append(offset)
        self._updates = [update for update in self._updates if update["update_id"] >= offset]
        if not self._updates and wait:
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), wait)
        return _result(self._updates)

    async def _send_message(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        if self.limit_next > 0:
            self.limit_next -= 1
            return _refusal(429, "Too Many Requests", retry_after=self.retry_after)
        if self.drop_before > 0:
            self.drop_before -= 1
            _cut(request)
        text = str(body.get("text", ""))
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return _refusal(400, "Bad Request: message is too long")
        self.texts.append((int(body["chat_id"]), text))
        markup = body.get("reply_markup") or {}
        for row in markup.get("inline_keyboard", []):
            self.buttons += [(key["text"], key["callback_data"]) for key in row]
        if self.drop_after > 0:
            self.drop_after -= 1
            _cut(request)
        chat = {"id": int(body["chat_id"]), "type": "supergroup", "title": "bots"}
        return _result({"message_id": self._next_message(), "date": 1, "chat": chat, "text": text})

    async def _answer_press(self, _request: web.Request, body: dict[str, Any]) -> web.Response:
        self.presses_answered.append(str(body.get("text") or ""))
        return _result(True)  # noqa: FBT003 - the API's own answer


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        found: dict[str, Any] = await request.json()
        return found
    import json  # noqa: PLC0415 - forms of other clients only

    form = {key: str(value) for key, value in (await request.post()).items()}
    return {key: json.loads(value) if value[:1] in {"{", "["} else value for key, value in form.items()}


def _cut(request: web.Request) -> None:
    """End the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


def _person(user: int) -> dict[str, Any]:
    return {"id": user, "is_bot": False, "first_name": "Anna" if user == ADMIN else "Mallory", "username": f"u{user}"}


def _result(value: Any) -> web.Response:
    return web.json_response({"ok": True, "result": value})


def _refusal(code: int, description: str, *, retry_after: int | None = None) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if retry_after is not None:
        body["parameters"] = {"retry_after": retry_after}
    return web.json_response(body, status=code)
