"""Server-sent events: the panels of a page that have changed, once a second, until the browser closes the stream."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
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
"""A comment is sent after so long without a change, so that proxies keep the connection."""


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
        """Send what changes of a page until the browser leaves; ``page`` raises where the session has ended."""
        if self._stopping or len(self._open) >= MOST_STREAMS:
            raise web.HTTPServiceUnavailable
        headers = {**HEADERS, "Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        sending = asyncio.ensure_future(self._send(response, page))
        self._open.add(sending)
        try:
            await asyncio.wait((sending,))
            if not sending.cancelled():
                sending.result()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            self._open.discard(sending)
        return response

    async def _send(self, response: web.StreamResponse, page: Callable[[], Awaitable[PageNow]]) -> None:
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
                if message:
                    data = msgspec.json.encode(message)
                    await response.write(b"event: panels\ndata: " + data + b"\n\n")
                    silent_since = self._clock.monotonic()
                elif self._clock.monotonic() - silent_since > ALIVE_SECONDS:
                    await response.write(b": alive\n\n")
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
