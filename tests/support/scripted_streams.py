"""Streams in memory: a ``ports.StreamTransport`` whose messages a test sends by hand."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec

from hedgerow.domain.errors import NotSent, VenueError
from hedgerow.ports import StreamConnection

__all__ = ["MemoryConnection", "MemoryStreams"]

_END = object()


class MemoryConnection:
    """One open stream; ``tell`` is the venue's side of it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent: list[Any] = []
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()

    def push(self, value: Any) -> None:
        """Let the venue send a value as JSON, or text as it is."""
        self._inbox.put_nowait(value if isinstance(value, str) else msgspec.json.encode(value))

    def cut(self) -> None:
        """Let the venue end the connection."""
        self._inbox.put_nowait(_END)

    async def receive(self) -> str | bytes:
        """Wait for the next message."""
        message = await self._inbox.get()
        if message is _END:
            raise VenueError("the stream was closed")
        received: str | bytes = message
        return received

    async def send(self, text: str) -> None:
        """Keep what we sent."""
        self.sent.append(msgspec.json.decode(text))

    async def close(self) -> None:
        """End the connection."""
        self.cut()


class MemoryStreams:
    """Opens connections; ``refuse`` many of them are not to be had."""

    def __init__(self) -> None:
        self.connections: list[MemoryConnection] = []
        self.refuse = 0
        self.attempts = 0

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        """Return a context that holds an open connection."""
        return self._opened(url)

    def newest(self, part: str) -> MemoryConnection:
        """Return the newest connection whose address contains ``part``."""
        return [connection for connection in self.connections if part in connection.url][-1]

    @asynccontextmanager
    async def _opened(self, url: str) -> AsyncGenerator[StreamConnection, None]:
        self.attempts += 1
        if self.refuse > 0:
            self.refuse -= 1
            raise NotSent("no route")
        connection = MemoryConnection(url)
        self.connections.append(connection)
        yield connection
