"""Lockstep: the bot's clock is the emulator's, which advances only while every task of the bot waits.

However fast a simulated week goes by, no nonce window and no naked second is lost to speed.
"""

from contextlib import closing
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from hedgerow.clock import ANSWER_SECONDS, FollowedClock
from hedgerow.domain.errors import ConfigError
from hedgerow.ports import HttpRequest, HttpResponse, Transport

__all__ = ["AttendedTransport", "LockstepClock", "stands_still"]

PATIENCE_SECONDS = 60.0
"""Real seconds for an answer of the emulator's administration."""
OK = 200


class _Time(Struct, frozen=True, kw_only=True):
    """The emulator's time, as its administration reports it."""

    time: datetime
    speed: float | None = None
    """Emulated seconds per real second; 0 = it advances only when it is asked to."""


def stands_still(address: str) -> bool:
    """Return whether an emulator answers there whose time advances only when it is asked to (``--speed 0``).

    Only an address without TLS is asked: an emulator's.
    """
    if urlsplit(address).scheme != "http":
        return False
    with closing(_connection(address)) as connection:
        found = _asked(connection, "GET", "/admin/time")
    return found is not None and found.speed == 0


class LockstepClock(FollowedClock):
    """The clock of the emulator at an address; waiting on it asks the emulator to advance.

    Raises:
        ConfigError: nothing answers there, or it is no emulator.
    """

    def __init__(self, address: str, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        """``answer_seconds`` of real time the exchange may take to answer before time-outs run."""
        self._connection = _connection(address)
        found = _asked(self._connection, "GET", "/admin/time") if urlsplit(address).scheme == "http" else None
        if found is None:
            raise ConfigError(f"--venue-clock: {address} is no emulator that can be reached; start hedgerow emulator")
        super().__init__(found.time, self._advance, answer_seconds=answer_seconds)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def _advance(self, seconds: float) -> datetime | None:
        # A plain blocking request: it is made from within the event loop's own wait, when nothing else can be done.
        found = _asked(self._connection, "POST", "/admin/advance", msgspec.json.encode({"seconds": seconds}))
        return found.time if found else None


def _connection(address: str) -> HTTPConnection:
    parts = urlsplit(address)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)


def _asked(connection: HTTPConnection, method: str, path: str, body: bytes = b"") -> _Time | None:
    """Return what the emulator answers; None = nothing that can be read, and the connection is closed."""
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
        return msgspec.json.decode(content, type=_Time) if answer.status == OK else None
    except (OSError, HTTPException, msgspec.MsgspecError):
        connection.close()
        return None


class AttendedTransport:
    """A ``Transport`` during whose requests the time does not advance."""

    def __init__(self, transport: Transport, clock: FollowedClock) -> None:
        self._transport = transport
        self._clock = clock

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request once and return the answer; the time does not advance until then."""
        with self._clock.awaiting():
            return await self._transport.send(request)
