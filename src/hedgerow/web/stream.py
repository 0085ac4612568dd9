"""Streams of a page: its panels that have changed, once a second, by WebSocket or as server-sent events."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

from hedgerow.domain.errors import HedgerowError
from hedgerow.ports import Clock
from hedgerow.web.pages.parts import Panel
from hedgerow.web.protection import HEADERS

__all__ = ["MOST_STREAMS", "PageNow", "Streams"]

MOST_STREAMS: Final = 100
EVERY_SECONDS: Final = 1.0
ALIVE_SECONDS: Final = 15.0
"""A sign of life is sent after so long without a change, so that proxies keep the connection."""
LARGEST_RECEIVED: Final = 1024
"""Bytes; a browser has nothing to say here."""


class PageNow(Struct, frozen=True, kw_only=True):
    """A page at one time."""

    title: str
    main: str
    """Opening tag of its main part: its class says whether figures are old."""
    panels: tuple[Panel, ...]
    bar: Panel | None = None


class Streams:
    """The open streams of a server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: set[asyncio.Task[None]] = set()
        self._stopping = False

    def stop(self) -> None:
        """End every stream."""
        self._stopping = True
        for task in self._open:
            task.cancel()

    async def send(self, request: web.Request, page: Callable[[], Awaitable[PageNow]]) -> web.StreamResponse:
        """Send what changes of a page until the browser leaves; ``page`` raises where the session has ended.

        A browser that asks for a WebSocket gets one: it may have more of those than connections to a host.
        """
        if self._stopping or len(self._open) >= MOST_STREAMS:
            raise web.HTTPServiceUnavailable
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._by_socket(request, page)
        headers = {**HEADERS, "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)

        async def write(message: bytes) -> None:
            await response.write(b"event: panels\ndata: " + message + b"\n\n" if message else b": alive\n\n")

        await self._until_one_ends(self._send(page, write))
        return response

    async def _by_socket(self, request: web.Request, page: Callable[[], Awaitable[PageNow]]) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=ALIVE_SECONDS, max_msg_size=LARGEST_RECEIVED)
        await socket.prepare(request)

        async def write(message: bytes) -> None:
            if message:
                await socket.send_str(message.decode())

        async def read() -> None:
            async for _ in socket:
                pass  # nothing that a browser says here counts; the end of it does

        try:
            await self._until_one_ends(self._send(page, write), read())
        finally:
            await socket.close()
        return socket

    async def _until_one_ends(self, *work: Coroutine[None, None, None]) -> None:
        """Do all of it until one has ended, or the server stops."""
        tasks = [asyncio.ensure_future(each) for each in work]
        self._open.add(tasks[0])
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._open.discard(tasks[0])

    async def _send(self, page: Callable[[], Awaitable[PageNow]], write: Callable[[bytes], Awaitable[None]]) -> None:
        """Write every change; an empty message is written after a long time without one."""
        known: dict[str, str] = {}
        order: tuple[str, ...] = ()
        silent_since = self._clock.monotonic()
        try:
            while True:
                try:
                    now = await page()
                except HedgerowError:
                    await self._clock.sleep(EVERY_SECONDS)
                    continue
                message = _changes(now, known, order)
                order = _order(now)
                known = {panel.name: str(panel.html) for panel in _all(now)}
                if message or self._clock.monotonic() - silent_since > ALIVE_SECONDS:
                    await write(msgspec.json.encode(message) if message else b"")
                    silent_since = self._clock.monotonic()
                await self._clock.sleep(EVERY_SECONDS)
        except (ConnectionError, web.HTTPException):
            return


def _changes(now: PageNow, known: dict[str, str], order: tuple[str, ...]) -> dict[str, object]:
    """Return the panels that differ from the known ones; the whole main part where panels came or went."""
    changed = {panel.name: str(panel.html) for panel in _all(now) if known.get(panel.name) != panel.html}
    if order and order != _order(now):
        body = "".join(panel.html for panel in now.panels)
        bar = {} if now.bar is None else {now.bar.name: str(now.bar.html)}
        return {"title": now.title, "main": f"{now.main}{body}</main>", "panels": bar}
    return {"title": now.title, "panels": changed} if changed else {}


def _all(now: PageNow) -> Sequence[Panel]:
    return now.panels if now.bar is None else (now.bar, *now.panels)


def _order(now: PageNow) -> tuple[str, ...]:
    return (now.main, *(panel.name for panel in now.panels))
