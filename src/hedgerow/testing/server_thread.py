"""An exchange on two free loopback ports, served by a thread with its own event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from hedgerow.clock import SystemClock
from hedgerow.emulator.wire.server import WireServer
from hedgerow.emulator.wire.venue import WireVenue

__all__ = ["ServingThread"]

PATIENCE_SECONDS = 30.0
"""How long the exchange may take to begin, to do what it is asked, and to end."""
Result = TypeVar("Result")


class ServingThread:
    """Serves a venue until it is closed. Nothing else may touch the venue but through ``ask``."""

    def __init__(self, venue: WireVenue, host: str) -> None:
        """Begin; return once both ports listen.

        Raises:
            ConfigError: a port cannot be used.
        """
        self._server = WireServer(venue, SystemClock(), host=host, port=0)
        self._listening: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, name="local-aster", daemon=True)
        self._thread.start()
        self._loop, self._stop = self._listening.result(PATIENCE_SECONDS)

    @property
    def ports(self) -> tuple[int, int]:
        """Ports of futures and spot."""
        return self._server.ports

    def ask(self, act: Callable[[], Result]) -> Result:
        """Do something to the exchange in its own thread, and return what it returned.

        Raises:
            RuntimeError: the exchange has ended.
        """
        done: Future[Result] = Future()

        def answer() -> None:
            try:
                done.set_result(act())
            except Exception as error:  # noqa: BLE001 - raised where it was asked
                done.set_exception(error)

        self._call(answer)
        return done.result(PATIENCE_SECONDS)

    def close(self) -> None:
        """Stop, and give both ports back; may be called twice.

        Raises:
            Exception: what ended the exchange before it was asked to.
        """
        if not self._ended.done():
            self._call(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)
        self._ended.result(0)

    def _call(self, act: Callable[[], None]) -> None:
        if self._ended.done():
            raise RuntimeError("this local Aster has ended")
        self._loop.call_soon_threadsafe(act)

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - raised where its start or its end is awaited
            self._ended.set_exception(error)
            if not self._listening.done():
                self._listening.set_exception(error)
        else:
            self._ended.set_result(None)

    async def _serve(self) -> None:
        stop, started = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(self._server.serve(stop, started))
        starting = asyncio.create_task(started.wait())
        try:
            await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
            if started.is_set():
                self._listening.set_result((asyncio.get_running_loop(), stop))
            await serving
        finally:
            starting.cancel()
