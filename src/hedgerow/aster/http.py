"""Requests and streams over sockets; the only place that knows aiohttp."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
from yarl import URL

from hedgerow.domain.errors import NotSent, OutcomeUnknown, VenueError
from hedgerow.ports import HttpRequest, HttpResponse, StreamConnection

__all__ = ["HttpTransport"]

USER_AGENT = "Mozilla/5.0 (compatible; hedgerow)"
"""The venue's firewall answers 403 to requests without a usual one (API reference 4)."""
CONNECT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 60.0
PING_SECONDS = 60.0
"""A stream whose other end does not answer a ping is closed: quiet accounts send nothing else."""
LARGEST_MESSAGE = 16 * 2**20
_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class HttpTransport:
    """A ``Transport`` and a ``StreamTransport`` that reuse their connections; to be entered, or closed."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request once and return the answer.

        Raises:
            NotSent: no connection could be made.
            OutcomeUnknown: the connection ended, or time was up, before the whole answer was there.
        """
        timeout = aiohttp.ClientTimeout(total=request.timeout_seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._open().request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body or None,
                headers=request.headers,
                allow_redirects=False,
                timeout=timeout,
            ) as response:
                body = await response.read()
        except _NOT_SENT as error:
            raise NotSent(f"the exchange cannot be reached: {_reason(error)}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutcomeUnknown(f"no whole answer from the exchange: {_reason(error)}") from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(status=response.status, headers=headers, body=body)

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        """Return a context that holds an open stream."""
        return self._stream(url)

    @asynccontextmanager
    async def _stream(self, url: str) -> AsyncGenerator[StreamConnection, None]:
        try:
            socket = await self._open().ws_connect(
                URL(url, encoded=True), heartbeat=PING_SECONDS, max_msg_size=LARGEST_MESSAGE
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSent(f"the exchange's stream cannot be opened: {_reason(error)}") from None
        try:
            yield _Connection(socket)
        finally:
            await socket.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE_SECONDS),
                headers={"User-Agent": USER_AGENT},
                auto_decompress=True,
            )
        return self._session


class _Connection:
    """One WebSocket; aiohttp answers its pings."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        message = await self._socket.receive()
        match message.type:
            case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                data: str | bytes = message.data
                return data
            case _:
                raise VenueError(f"the exchange closed the stream (code {self._socket.close_code})")

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError) as error:
            raise VenueError(f"the exchange closed the stream: {_reason(error)}") from None

    async def close(self) -> None:
        await self._socket.close()


def _reason(error: BaseException) -> str:
    """Return what went wrong in a word; aiohttp's own text may hold the whole address with its signature or key."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error.strerror or error.os_error)
    return type(error).__name__
