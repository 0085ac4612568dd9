"""HTTP requests and WebSocket streams over sockets; the only module that imports aiohttp."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Self, TypedDict

import aiohttp
from yarl import URL

from hedgerow.aster.http.proxy import Proxy
from hedgerow.aster.http.reply_body import ACCEPTED_ENCODINGS, read_body
from hedgerow.domain.errors import NotSent, OutcomeUnknown, VenueError
from hedgerow.ports import HttpRequest, HttpResponse, StreamConnection

__all__ = ["HttpTransport"]

USER_AGENT = "Mozilla/5.0 (compatible; hedgerow)"
"""The venue's firewall answers 403 to requests without a usual one (docs/aster-api.md 4)."""
CONNECT_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 40.0
"""An idle connection is not used after this time: load balancers usually close one after 60 s, and a write that meets
the closing has an unknown outcome."""
PING_SECONDS = 60.0
"""A stream whose other end does not answer a ping is closed: quiet accounts send nothing else."""
ENCRYPTED = ("https:", "wss:")
NO_STREAM = "the exchange's stream cannot be opened"
LARGEST_MESSAGE = 16 * 2**20
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.ClientHttpProxyError,  # it refused to connect: nothing went further
)
_PROXY = (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)


class _Route(TypedDict, total=False):
    headers: Mapping[str, str]
    proxy: str
    proxy_headers: Mapping[str, str]


class HttpTransport:
    """A ``Transport`` and a ``StreamTransport`` that reuse their connections; to be entered, or closed."""

    def __init__(self, proxy: Proxy | None = None) -> None:
        self._proxy = proxy
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
            NotSent: no connection could be made, to the exchange or to the proxy before it.
            OutcomeUnknown: the connection ended, or time was up, before the whole answer was there, or the answer is
                too large.
        """
        timeout = aiohttp.ClientTimeout(total=request.timeout_seconds, sock_connect=CONNECT_SECONDS)
        try:
            async with self._open().request(
                request.method,
                URL(request.url, encoded=True),
                data=request.body or None,
                allow_redirects=False,
                timeout=timeout,
                **self._route(request.url, request.headers),
            ) as response:
                encoding = response.headers.get("Content-Encoding", "")
                body = await read_body(response.content.iter_any(), encoding)
        except _NOT_SENT as error:
            raise NotSent(f"{_unreachable(error)}: {_reason(error)}") from None
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
                URL(url, encoded=True), heartbeat=PING_SECONDS, max_msg_size=LARGEST_MESSAGE, **self._route(url, {})
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSent(f"{_unreachable(error, NO_STREAM)}: {_reason(error)}") from None
        try:
            yield _Connection(socket)
        finally:
            await socket.close()

    def _route(self, url: str, headers: Mapping[str, str]) -> _Route:
        """Return headers and proxy of a request as aiohttp takes them.

        A proxy reads its user from the CONNECT that precedes an encrypted request, and from a plain request itself.
        """
        proxy = self._proxy
        if proxy is None or not proxy.covers(url):
            return {"headers": headers}
        user = {"Proxy-Authorization": proxy.authorization()} if proxy.user else {}
        if url.startswith(ENCRYPTED):
            return {"headers": headers, "proxy": proxy.address, "proxy_headers": user}
        return {"headers": {**headers, **user}, "proxy": proxy.address}

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE_SECONDS),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPTED_ENCODINGS},
                auto_decompress=False,
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


def _unreachable(error: BaseException, otherwise: str = "the exchange cannot be reached") -> str:
    """Return what failed: the proxy, or what lies behind it."""
    return "the proxy cannot be used" if isinstance(error, _PROXY) else otherwise


def _reason(error: BaseException) -> str:
    """Return what went wrong in a word; aiohttp's own text may hold the whole address with its signature or key."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"it answers HTTP {error.status}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error.strerror or error.os_error)
    return type(error).__name__
