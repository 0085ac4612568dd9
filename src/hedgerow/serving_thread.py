"""A thread with an event loop of its own on the real clock: what it serves never waits for a bot, nor a bot for it."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, Self

from hedgerow.ports import Clock

if TYPE_CHECKING:  # a bot that serves nothing imports no server
    from aiohttp import web

__all__ = ["ServingThread", "end_serving"]

LOOP_TURNS: Final = 3
PATIENCE_SECONDS: Final = 15.0
"""How long a server may take to begin and to end."""
Serve = Callable[[asyncio.Event, Callable[[], None]], Awaitable[None]]
"""Serves until the event is set, and calls the function once it listens."""


class ServingThread:
    """Runs a server until it is closed, as a context."""

    def __init__(self, serve: Serve, *, name: str = "dashboard", seconds: float = PATIENCE_SECONDS) -> None:
        """Begin; return once it listens. It may take ``seconds`` to begin, and as long to end.

        Raises:
            ConfigError: what the server raises because it cannot listen.
        """
        self._serve = serve
        self._seconds = seconds
        self._listening: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()
        self._loop, self._stop = self._listening.result(seconds)

    def call(self, act: Callable[[], None]) -> None:
        """Have the thread do something soon.

        Raises:
            RuntimeError: the server has ended.
        """
        if self._ended.done():
            raise RuntimeError(f"this {self._thread.name} has ended")
        self._loop.call_soon_threadsafe(act)

    def close(self) -> None:
        """Stop; may be called twice.

        Raises:
            Exception: what ended the server before it was asked to.
        """
        if not self._ended.done():
            self.call(self._stop.set)
        self._thread.join(self._seconds)
        self._ended.result(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:  # noqa: BLE001 - raised where its start or its end is awaited
            self._ended.set_exception(error)
            if not self._listening.done():
                self._listening.set_exception(error)
        else:
            self._ended.set_result(None)

    async def _run(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def listens() -> None:
            self._listening.set_result((loop, stop))

        await self._serve(stop, listens)


async def end_serving(runner: "web.AppRunner", listening: Sequence[socket.socket], clock: Clock) -> None:
    """Stop listening, and leave no connection behind: not even one that is only just arriving.

    A connection that asyncio has accepted when its server closes is lost: neither served nor closed. ``clock`` is the
    real one.
    """
    for each in listening:
        asyncio.get_running_loop().remove_reader(each)
    await _turns(clock)
    handlers = runner.server.connections if runner.server is not None else []
    left = [handler.transport for handler in handlers if handler.transport is not None]
    await runner.cleanup()
    for connection in left:
        connection.abort()
    await _turns(clock)


async def _turns(clock: Clock) -> None:
    """Let connections that were accepted arrive, and sockets that were dropped be given back."""
    for _ in range(LOOP_TURNS):
        await clock.sleep(0)
