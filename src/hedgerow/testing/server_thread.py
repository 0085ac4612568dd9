"""An exchange on two free loopback ports, served by a thread with its own event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from hedgerow.clock import SystemClock
from hedgerow.emulator.wire.server import WireServer
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.serving_thread import ServingThread

__all__ = ["ExchangeThread"]

PATIENCE_SECONDS = 30.0
"""How long the exchange may take to begin, to do what it is asked, and to end."""
Result = TypeVar("Result")


class ExchangeThread:
    """Serves a venue until it is closed. Nothing else may touch the venue but through ``ask``."""

    def __init__(self, venue: WireVenue, host: str) -> None:
        """Begin; return once both ports listen.

        Raises:
            ConfigError: a port cannot be used.
        """
        self._server = WireServer(venue, SystemClock(), host=host, port=0)
        self._thread = ServingThread(self._serve, name="local Aster", seconds=PATIENCE_SECONDS)

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

        self._thread.call(answer)
        return done.result(PATIENCE_SECONDS)

    def close(self) -> None:
        """Stop, and give both ports back; may be called twice.

        Raises:
            Exception: what ended the exchange before it was asked to.
        """
        self._thread.close()

    async def _serve(self, stop: asyncio.Event, listens: Callable[[], None]) -> None:
        started = asyncio.Event()
        serving = asyncio.create_task(self._server.serve(stop, started))
        starting = asyncio.create_task(started.wait())
        try:
            await asyncio.wait((serving, starting), return_when=asyncio.FIRST_COMPLETED)
            if started.is_set():
                listens()
            await serving
        finally:
            starting.cancel()
