"""The exchange in the same process as a client: ``ports.Transport`` and ``ports.StreamTransport``."""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import islice
from random import Random
from urllib.parse import urlsplit

from hedgerow.domain.errors import NotSent, OutcomeUnknown, VenueError
from hedgerow.domain.instrument import Market
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.streams.sessions import Frame, FrameKind, StreamSession
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.ports import LARGEST_REPLY, Clock, HttpRequest, HttpResponse, StreamConnection

__all__ = ["MemoryTransport", "unpacked", "wire_request"]

SHORTEST_WAIT_SECONDS = 0.001
GZIP_WINDOW_BITS = 31
TYPED_METHODS = {"POST", "PUT", "PATCH"}
UNDECLARED = "application/octet-stream"
"""What aiohttp declares for these methods where the request declares nothing, even without a body."""
INSTANT_SECONDS = 1e-6
"""What is so near has arrived: a clock of floats need not reach it exactly."""


def wire_request(request: HttpRequest, ip: str = "127.0.0.1") -> WireRequest:
    """Return a request as it arrives at the venue: a write that declares no content type gets that of HTTP clients."""
    parts = urlsplit(request.url)
    default = {"content-type": UNDECLARED} if request.method.upper() in TYPED_METHODS else {}
    return WireRequest(
        method=request.method.upper(),
        path=parts.path,
        query=parts.query,
        body=request.body.decode("utf-8", "replace"),
        headers=default | {name.lower(): value for name, value in request.headers.items()},
        ip=ip,
    )


def unpacked(response: HttpResponse) -> HttpResponse:
    """Return a response as an HTTP client reads it: unpacked, and not larger than it accepts.

    Raises:
        OutcomeUnknown: the body is larger than ``LARGEST_REPLY`` or cannot be unpacked.
    """
    body = response.body
    if response.headers.get("content-encoding") == "gzip":
        try:
            body = zlib.decompressobj(GZIP_WINDOW_BITS).decompress(body, LARGEST_REPLY + 1)
        except zlib.error as error:
            raise OutcomeUnknown(f"the reply cannot be unpacked: {error}") from error
    if len(body) > LARGEST_REPLY:
        raise OutcomeUnknown(f"the reply is larger than {LARGEST_REPLY:,} bytes")
    return HttpResponse(status=response.status, headers=response.headers, body=body)


class MemoryTransport:
    """One client's way to an exchange in memory: each direction takes a drawn time, and nothing is ever lost on it."""

    def __init__(
        self,
        venue: WireVenue,
        clock: Clock,
        *,
        latency: LatencyModel | None = None,
        random: Random | None = None,
        ip: str = "127.0.0.1",
    ) -> None:
        if latency is not None and random is None:
            raise ValueError("a latency is drawn from an injected source of randomness: give random")
        self._venue = venue
        self._clock = clock
        self._latency = latency
        self._random = random or Random(0)  # noqa: S311 - not for secrets
        self._ip = ip
        self._open: list[_MemoryStream] = []

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request and return the answer.

        Raises:
            OutcomeUnknown: none came within the request's own limit.
        """
        try:
            async with self._clock.timeout(request.timeout_seconds):
                return await self._send(request)
        except TimeoutError as error:
            raise OutcomeUnknown(f"{request.method}: no answer in {request.timeout_seconds:g} s") from error

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        """Return a context that holds an open stream; a host or path with ``sstream`` is spot, any other futures."""
        return self._connect(url)

    async def _send(self, request: HttpRequest) -> HttpResponse:
        await self._travel()
        answer = self._venue.handle(wire_request(request, self._ip))
        for stream in self._open:
            stream.look_again()  # what was asked may fall due before what it waits for
        if answer.cut:
            raise OutcomeUnknown(f"{request.method}: the connection was dropped")
        if answer.response is None:
            await asyncio.Event().wait()
            raise OutcomeUnknown("never reached")
        if answer.seconds:
            await self._clock.sleep(answer.seconds)
        await self._travel()
        return unpacked(answer.response)

    async def _travel(self) -> None:
        if self._latency is not None:
            await self._clock.sleep(self._latency.draw(self._random))

    @asynccontextmanager
    async def _connect(self, url: str) -> AsyncGenerator[StreamConnection]:
        parts = urlsplit(url)
        market = Market.SPOT if "sstream" in f"{parts.netloc}{parts.path}" else Market.PERP
        await self._travel()
        connection = _MemoryStream(self._venue, self._clock, self._latency, self._random)
        session = self._venue.connect(market, parts.path, parts.query, connection.wake)
        if session is None:
            raise NotSent(f"no stream has the address {parts.path}")
        connection.begin(session)
        self._open.append(connection)
        try:
            yield connection
        finally:
            self._open.remove(connection)
            await connection.close()


class _MemoryStream:
    """The client's end of a session; waiting for a message advances the exchange's time."""

    def __init__(self, venue: WireVenue, clock: Clock, latency: LatencyModel | None, random: Random) -> None:
        self._venue = venue
        self._clock = clock
        self._latency = latency
        self._random = random
        self._has_messages = asyncio.Event()
        self._session: StreamSession | None = None
        self._arrivals: deque[float] = deque()
        """When each frame of the outbox reaches the client; frames travel behind one another, none overtakes."""

    def begin(self, session: StreamSession) -> None:
        """Serve a session."""
        self._session = session

    def wake(self) -> None:
        """Note that something was sent, and waits to be received."""
        self._depart()
        self._has_messages.set()

    def look_again(self) -> None:
        """Note that the exchange may have something to do sooner than expected."""
        self._has_messages.set()

    def _depart(self) -> None:
        """Draw when the frames sent since arrive."""
        waiting = len(self._session.outbox) if self._session is not None else 0
        for _ in range(waiting - len(self._arrivals)):
            delay = 0.0 if self._latency is None else self._latency.draw(self._random)
            earliest = self._arrivals[-1] if self._arrivals else 0.0
            self._arrivals.append(max(earliest, self._clock.monotonic() + delay))

    async def receive(self) -> str | bytes:
        """Wait for the next data message."""
        while True:
            session = self._open()
            self._venue.tick()
            self._depart()
            if not session.outbox or self._arrivals[0] > self._clock.monotonic() + INSTANT_SECONDS:
                await self._wait()
                continue
            self._arrivals.popleft()
            message = self._taken(session, session.outbox.popleft())
            if message is not None:
                return message

    async def send(self, text: str) -> None:
        """Send one control message."""
        self._open().on_text(text, self._venue.clock.now())

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._venue.disconnect(self._session)
            self._session = None
        self._has_messages.set()

    def _open(self) -> StreamSession:
        if self._session is None:
            raise VenueError("the stream is closed")
        return self._session

    def _taken(self, session: StreamSession, frame: Frame) -> str | bytes | None:
        """Return a data frame's contents; answer a ping, and raise when the venue hung up."""
        if frame.kind == FrameKind.PING:
            session.on_pong()
        elif frame.kind == FrameKind.CLOSE:
            self._session = None
            raise VenueError(f"the venue closed the stream: {frame.text or frame.code}")
        if frame.kind == FrameKind.BINARY:
            return frame.data
        return frame.text if frame.kind == FrameKind.TEXT else None

    async def _wait(self) -> None:
        self._has_messages.clear()
        due = self._venue.next_due()
        until = None if due is None else self._venue.clock.seconds_until(due)
        waits = [] if until is None else [max(until, SHORTEST_WAIT_SECONDS)]
        waits += [max(0.0, arrival - self._clock.monotonic()) for arrival in islice(self._arrivals, 1)]
        if not waits:
            await self._has_messages.wait()
            return
        try:
            async with self._clock.timeout(min(waits)):
                await self._has_messages.wait()
        except TimeoutError:
            return
