"""A wire in memory that is cut for spans of virtual time, as a real network is: requests and streams alike."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.errors import NotSent, OutcomeUnknown, VenueError
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.ports import Clock, HttpRequest, HttpResponse, StreamConnection
from hedgerow.simulation.faults.wire import NetworkFault

__all__ = ["Cut", "CutWire"]


class Cut(Struct, frozen=True, kw_only=True):
    """A span of virtual time."""

    begin: datetime
    seconds: float
    network_fault: NetworkFault
    in_trade: bool = False
    """Whether it waits for the next order, so that it falls into a trade."""

    @property
    def end(self) -> datetime:
        """When the wire is whole again."""
        return self.begin + timedelta(seconds=self.seconds)


class CutWire:
    """A ``Transport`` and a ``StreamTransport`` on the way to an exchange in memory."""

    def __init__(self, inner: MemoryTransport, clock: Clock, cuts: Sequence[Cut]) -> None:
        self._inner = inner
        self._clock = clock
        self._coming = list(cuts)
        self.past: list[Cut] = []
        """The cuts that began, each with the time at which it did."""
        self.met: dict[NetworkFault, int] = dict.fromkeys(NetworkFault, 0)
        """Requests that met each fault."""
        self.opened = 0
        """Streams opened."""

    @property
    def network_fault(self) -> NetworkFault | None:
        """The fault that is active now."""
        now = self._clock.now()
        if self._coming and not self._coming[0].in_trade and self._coming[0].begin <= now:
            self.past.append(self._coming.pop(0))
        return self.past[-1].network_fault if self.past and now < self.past[-1].end else None

    def _trading(self, request: HttpRequest) -> None:
        """Let a cut begin that waits for an order."""
        now = self._clock.now()
        ordered = request.method == "POST" and "/order" in request.url
        if ordered and self._coming and self._coming[0].in_trade and self._coming[0].begin <= now:
            self.past.append(replace(self._coming.pop(0), begin=now))

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request, if the wire lets it."""
        self._trading(request)
        network_fault = self.network_fault
        if network_fault is None or network_fault is NetworkFault.STREAMS:
            answer = await self._inner.send(request)
            return answer if self.network_fault in {None, NetworkFault.STREAMS} else await self._never()
        self.met[network_fault] += 1
        if network_fault is NetworkFault.REFUSED:
            raise NotSent("the exchange cannot be reached")
        if network_fault is not NetworkFault.REQUEST_LOST:
            await self._inner.send(request)
        if network_fault is NetworkFault.ANSWER_CUT:
            raise OutcomeUnknown("no whole answer from the exchange")
        return await self._never()

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        """Open a stream, if the wire lets it."""
        return self._connect(url)

    async def close(self) -> None:
        """Nothing to close."""

    async def _never(self) -> HttpResponse:
        await asyncio.Event().wait()
        raise OutcomeUnknown("never reached")

    @asynccontextmanager
    async def _connect(self, url: str) -> AsyncGenerator[StreamConnection]:
        network_fault = self.network_fault
        if network_fault in {NetworkFault.REQUEST_LOST, NetworkFault.ANSWER_LOST}:
            await self._never()
        if network_fault is not None:
            raise NotSent("the exchange's stream cannot be opened")
        async with self._inner.connect(url) as connection:
            self.opened += 1
            yield _Stream(connection, self)


class _Stream:
    """A stream that ends in the first cut it meets: with an error, or silently."""

    def __init__(self, inner: StreamConnection, wire: CutWire) -> None:
        self._inner = inner
        self._wire = wire
        self._dead = False

    async def receive(self) -> str | bytes:
        message = None if self._dead else await self._inner.receive()
        network_fault = self._wire.network_fault
        self._dead = self._dead or network_fault in {NetworkFault.REQUEST_LOST, NetworkFault.ANSWER_LOST}
        if self._dead or message is None:
            await asyncio.Event().wait()
        if network_fault is not None:
            raise VenueError("the stream broke off")
        assert message is not None
        return message

    async def send(self, text: str) -> None:
        if not self._dead:
            await self._inner.send(text)

    async def close(self) -> None:
        await self._inner.close()
