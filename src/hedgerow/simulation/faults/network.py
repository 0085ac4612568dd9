"""The network of a simulated run: cut for spans, and crashes while a request is under way.

What has left travels on by itself: a bot that dies or loses patience does not call its request back.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

from hedgerow.domain.errors import NotSent, OutcomeUnknown, VenueError
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.ports import Clock, HttpRequest, HttpResponse, StreamConnection
from hedgerow.simulation.faults.crashes import CrashPoint
from hedgerow.simulation.faults.wire import Cut, NetworkFault

__all__ = ["Network", "NetworkLink"]

PASSING = {None, NetworkFault.STREAMS}
"""What lets requests through."""
USER_STREAM = "/ws/"


class Network:
    """The network in front of one exchange, for all clients."""

    def __init__(self, transport: MemoryTransport, clock: Clock, cuts: Sequence[Cut]) -> None:
        self.transport = transport
        self._clock = clock
        self._cuts = cuts
        self._under_way: set[asyncio.Task[HttpResponse]] = set()
        self.faulted = 0
        """Requests and connections that met a cut."""

    @property
    def network_fault(self) -> NetworkFault | None:
        """The cut that is active now."""
        now = self._clock.now()
        return next((cut.network_fault for cut in self._cuts if cut.at <= now < cut.until), None)

    def calm(self) -> None:
        """End every cut for good."""
        self._cuts = ()

    def meets(self) -> NetworkFault | None:
        """Return the cut that is active now, and count what it affects."""
        network_fault = self.network_fault
        self.faulted += network_fault is not None
        return network_fault

    def depart(self, request: HttpRequest) -> "asyncio.Task[HttpResponse]":
        """Let a request travel, whether or not its answer is awaited."""
        task = asyncio.ensure_future(self.transport.send(request))
        self._under_way.add(task)
        task.add_done_callback(self._arrived)
        return task

    def _arrived(self, task: "asyncio.Task[HttpResponse]") -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # it was raised where it was awaited


class NetworkLink:
    """One session's connection to the exchange: a ``Transport`` and a ``StreamTransport``."""

    def __init__(self, network: Network, crash_point: CrashPoint, *, has_market_streams: bool) -> None:
        self._network = network
        self._crash_point = crash_point
        self._has_market_streams = has_market_streams

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request, if the network lets it.

        Raises:
            NotSent: it never left.
            OutcomeUnknown: no answer came.
            SimulatedCrash: the process crashed before it left, on its way, or before its answer arrived.
        """
        name = f"{request.method} {urlsplit(request.url).path}"
        self._crash_point.pass_point(f"before {name}")
        network_fault = self._network.network_fault if self._network.network_fault in PASSING else self._network.meets()
        if network_fault is NetworkFault.REFUSED:
            raise NotSent("the exchange cannot be reached")
        if network_fault is NetworkFault.REQUEST_LOST:
            return await _never()
        task = self._network.depart(request)
        self._crash_point.pass_point(f"on the way {name}")
        answer = await asyncio.shield(task)
        self._crash_point.pass_point(f"after {name}")
        if network_fault is NetworkFault.ANSWER_CUT:
            raise OutcomeUnknown("no whole answer from the exchange")
        return answer if network_fault in PASSING and self._network.network_fault in PASSING else await _never()

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        """Open a stream, if the network lets it."""
        return self._connect(url)

    async def close(self) -> None:
        """Nothing to close."""

    @asynccontextmanager
    async def _connect(self, url: str) -> AsyncGenerator[StreamConnection]:
        if not self._has_market_streams and not urlsplit(url).path.startswith(USER_STREAM):
            raise NotSent("the streams of the market cannot be opened")
        network_fault = self._network.network_fault and self._network.meets()
        if network_fault in {NetworkFault.REQUEST_LOST, NetworkFault.ANSWER_LOST}:
            await _never()
        if network_fault is not None:
            raise NotSent("the stream cannot be opened")
        async with self._network.transport.connect(url) as connection:
            yield _Stream(connection, self._network)


class _Stream:
    """A stream that ends in the first cut it meets: with an error, or silently."""

    def __init__(self, inner: StreamConnection, network: Network) -> None:
        self._inner = inner
        self._network = network
        self._dead = False

    async def receive(self) -> str | bytes:
        """Wait for the next message."""
        message = "" if self._dead else await self._inner.receive()
        network_fault = self._network.network_fault
        self._dead = self._dead or network_fault in {NetworkFault.REQUEST_LOST, NetworkFault.ANSWER_LOST}
        if self._dead:
            await _never()
        if network_fault is not None:
            raise VenueError("the stream broke off")
        return message

    async def send(self, text: str) -> None:
        """Send one control message; it is lost where the stream has ended."""
        if not self._dead:
            await self._inner.send(text)

    async def close(self) -> None:
        """Close the connection."""
        await self._inner.close()


async def _never() -> HttpResponse:
    """Wait until the caller gives up."""
    await asyncio.Event().wait()
    raise OutcomeUnknown("never reached")
