"""The exchange on sockets: a thin aiohttp server around ``WireVenue``.

Futures answer on one port and spot on the next; REST paths and the prefixes ``/fstream`` and ``/sstream`` work on both.
"""

import asyncio
import socket

from aiohttp import WSCloseCode, WSMsgType, web

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.streams.sessions import Frame, FrameKind, StreamSession
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.ports import Clock, HttpResponse
from hedgerow.serving_thread import end_serving

__all__ = ["WireServer"]

SHORTEST_TICK_SECONDS, LONGEST_TICK_SECONDS = 0.005, 0.25
SILENCE_SECONDS = 60.0
"""How long a request that gets no answer is kept waiting."""
BODY_LIMIT = 2**20


class WireServer:
    """Serves one exchange until it is asked to stop."""

    def __init__(self, venue: WireVenue, clock: Clock, *, host: str, port: int) -> None:
        """``clock`` is the real one; ``port`` 0 takes two free ports."""
        self._venue = venue
        self._clock = clock
        self._host = host
        self._port = port
        self._ports: tuple[int, int] = (port, port + 1)
        self._streams: set[web.WebSocketResponse] = set()
        self._ending = asyncio.Event()
        self._sockets: list[socket.socket] = []

    @property
    def ports(self) -> tuple[int, int]:
        """The ports of futures and spot."""
        return self._ports

    async def serve(self, stop: asyncio.Event, started: asyncio.Event | None = None) -> None:
        """Answer until ``stop`` is set; ``started`` is set once both ports listen.

        Raises:
            ConfigError: a port cannot be used.
        """
        application = web.Application(client_max_size=BODY_LIMIT)
        application.router.add_route("*", "/{path:.*}", self._take)
        # A body is read as it came: what claims to be compressed is refused like any other nonsense.
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0, auto_decompress=False)
        await runner.setup()
        try:
            self._ports = await self._listen(runner)
            if started is not None:
                started.set()
            await self._tick_until(stop)
        finally:
            self._ending.set()
            for stream in tuple(self._streams):
                await stream.close(code=WSCloseCode.GOING_AWAY, message=b"the exchange stops")
            await end_serving(runner, self._sockets, self._clock)

    async def _listen(self, runner: web.AppRunner) -> tuple[int, int]:
        for port in (self._port, self._port + 1 if self._port else 0):
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            try:
                self._sockets.append(socket.create_server((self._host, port), family=family))
            except (OSError, OverflowError) as error:
                for listening in self._sockets:
                    listening.close()
                self._sockets.clear()
                raise ConfigError(f"--port {self._port}: {self._host}:{port} cannot be used: {error}") from error
        for listening in self._sockets:
            await web.SockSite(runner, listening).start()
        futures, spot = (int(listening.getsockname()[1]) for listening in self._sockets)
        return futures, spot

    async def _tick_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._venue.tick()
            due = self._venue.next_due()
            left = None if due is None else self._venue.clock.seconds_until(due)
            wait = min(LONGEST_TICK_SECONDS, LONGEST_TICK_SECONDS if left is None else left)
            try:
                async with self._clock.timeout(max(SHORTEST_TICK_SECONDS, wait)):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _take(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await self._stream(request)
        path, _, query = request.raw_path.partition("?")
        arrived = WireRequest(
            method=request.method,
            path=path,
            query=query,
            body=(await request.read()).decode("utf-8", "replace"),
            headers={name.lower(): value for name, value in request.headers.items()},
            ip=request.remote or "",
        )
        answer = self._venue.handle(arrived)
        if answer.response is None:
            await self._wait(0.0 if answer.cut else SILENCE_SECONDS)
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=504)
        if answer.seconds:
            await self._wait(answer.seconds)
        return _spoken(answer.response)

    async def _wait(self, seconds: float) -> None:
        """Let a client wait, but not beyond the end of the server."""
        try:
            async with self._clock.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            return

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        has_messages = asyncio.Event()
        session = self._venue.connect(self._market_of(request, path), path, query, has_messages.set)
        if session is None:
            return web.Response(status=404)
        stream = web.WebSocketResponse(autoping=False, max_msg_size=BODY_LIMIT)
        try:
            await stream.prepare(request)
        except ConnectionResetError:
            self._venue.disconnect(session)
            return web.Response(status=400)
        self._streams.add(stream)
        writer = asyncio.create_task(self._write(stream, session, has_messages))
        try:
            await self._read(stream, session)
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            self._streams.discard(stream)
            self._venue.disconnect(session)
        return stream

    def _market_of(self, request: web.Request, path: str) -> Market:
        if path.startswith(("/fstream", "/sstream")):
            return Market.SPOT if path.startswith("/sstream") else Market.PERP
        name = None if request.transport is None else request.transport.get_extra_info("sockname")
        return Market.SPOT if name and name[1] == self._ports[1] else Market.PERP

    async def _read(self, stream: web.WebSocketResponse, session: StreamSession) -> None:
        async for message in stream:
            now = self._venue.clock.now()
            if message.type is WSMsgType.TEXT:
                session.on_text(message.data, now)
                self._venue.tick()
            elif message.type is WSMsgType.PING:
                session.on_ping(now)
            elif message.type is WSMsgType.PONG:
                session.on_pong()

    async def _write(self, stream: web.WebSocketResponse, session: StreamSession, has_messages: asyncio.Event) -> None:
        self._venue.tick()
        while not stream.closed:
            while session.outbox:
                await _send(stream, session.outbox.popleft())
            has_messages.clear()
            await has_messages.wait()


async def _send(stream: web.WebSocketResponse, frame: Frame) -> None:
    match frame.kind:
        case FrameKind.PING:
            await stream.ping()
        case FrameKind.PONG:
            await stream.pong()
        case FrameKind.BINARY:
            await stream.send_bytes(frame.data)
        case FrameKind.CLOSE:
            await stream.close(code=frame.code, message=frame.text.encode())
        case _:
            await stream.send_str(frame.text)


def _spoken(response: HttpResponse) -> web.Response:
    """Return a response with its headers spelled as the venue spells them."""
    headers = {name.upper() if name.startswith("x-mbx") else name.title(): v for name, v in response.headers.items()}
    return web.Response(status=response.status, headers=headers, body=response.body)
