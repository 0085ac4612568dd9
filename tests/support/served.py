"""A wired exchange behind real sockets: its server runs in a thread of its own, as it would in another process."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from datetime import timedelta
from typing import Self, TypeVar

from hedgerow.aster.endpoints import Hosts
from hedgerow.clock import SystemClock
from hedgerow.emulator.wire.protocol.signing import MAINNET
from hedgerow.emulator.wire.server import WireServer
from hedgerow.emulator.wire.venue import WireVenue

__all__ = ["HOST", "ServedExchange"]

HOST = "127.0.0.1"
PATIENCE_SECONDS = 30.0
Result = TypeVar("Result")


class ServedExchange:
    """Serves a venue on two free ports until it is closed."""

    def __init__(self, venue: WireVenue) -> None:
        self.venue = venue
        self._server = WireServer(venue, SystemClock(), host=HOST, port=0)
        self._listening: Future[asyncio.AbstractEventLoop] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="exchange", daemon=True)
        self._thread.start()
        self._loop = self._listening.result(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def ports(self) -> tuple[int, int]:
        """Ports of futures and spot."""
        return self._server.ports

    @property
    def hosts(self) -> Hosts:
        """The addresses, as the live client takes them."""
        futures, spot = (f"{HOST}:{port}" for port in self.ports)
        return Hosts(
            futures_rest=f"http://{futures}",
            spot_rest=f"http://{spot}",
            futures_market_ws=f"ws://{futures}",
            spot_market_ws=f"ws://{spot}",
            futures_user_ws=f"ws://{futures}",
            spot_user_ws=f"ws://{spot}",
            chain_id=MAINNET,
        )

    def ask(self, act: Callable[[], Result]) -> Result:
        """Do something to the exchange in its own thread, and return what it returned."""
        done: Future[Result] = Future()

        def answer() -> None:
            try:
                done.set_result(act())
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                done.set_exception(error)

        self._loop.call_soon_threadsafe(answer)
        return done.result(PATIENCE_SECONDS)

    def advance_time(self, seconds: float) -> None:
        """Let time pass on the exchange, and what falls due happen."""

        def jump() -> None:
            # One step to a stamp rounded by a hair must still reach it: an exchange counts microseconds.
            self.venue.clock.jump(max(seconds, timedelta(microseconds=1).total_seconds()))
            self.venue.tick()

        self.ask(jump)

    def close(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)

    async def _serve(self) -> None:
        started = asyncio.Event()
        serving = asyncio.create_task(self._server.serve(self._stop, started))
        await started.wait()
        self._listening.set_result(asyncio.get_running_loop())
        await serving
