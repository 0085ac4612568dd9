"""One WebSocket connection without its socket: frames in, frames out (docs/aster-api.md 10.1)."""

import json
import re
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.protocol.rate_limits import RateWindow
from hedgerow.emulator.wire.rest.faults import MessageFaultKind, WireFaults
from hedgerow.emulator.wire.rest.mutations import Rewrite
from hedgerow.emulator.wire.rest.rewriting import rewrite_message

__all__ = ["Frame", "FrameKind", "SessionLimits", "StreamSession", "stream_names"]

SECOND = timedelta(seconds=1)
LIFETIME = timedelta(hours=24)
POLICY, GOING_AWAY, NORMAL = 1008, 1001, 1000
MAX_REQUEST_ID = 2**63
STREAM = re.compile(r"/(?:fstream/|sstream/)?ws/(.+)")


class FrameKind:
    """What a frame is."""

    TEXT = "text"
    BINARY = "binary"
    PING = "ping"
    PONG = "pong"
    CLOSE = "close"


class Frame(Struct, frozen=True, kw_only=True):
    """One outgoing frame."""

    kind: str = FrameKind.TEXT
    text: str = ""
    data: bytes = b""
    """Contents of a binary frame."""
    code: int = NORMAL


class SessionLimits(Struct, frozen=True, kw_only=True):
    """What one market allows on a connection."""

    messages_per_second: int
    streams: int
    ping_every: timedelta
    pong_within: timedelta


LIMITS = {
    Market.PERP: SessionLimits(
        messages_per_second=10, streams=200, ping_every=timedelta(minutes=5), pong_within=timedelta(minutes=15)
    ),
    Market.SPOT: SessionLimits(
        messages_per_second=5, streams=1024, ping_every=timedelta(minutes=3), pong_within=timedelta(minutes=10)
    ),
}


class StreamSession:
    """One connection: what it is subscribed to, and what waits to be sent."""

    def __init__(
        self,
        market: Market,
        now: datetime,
        *,
        combined: bool,
        streams: list[str],
        faults: WireFaults,
        on_output: Callable[[], None],
    ) -> None:
        self.market = market
        self.streams: dict[str, None] = dict.fromkeys(streams)
        self.fresh = list(streams)
        """Streams subscribed to since the last publication."""
        self.closed = False
        self.outbox: deque[Frame] = deque()
        self._combined = combined
        self._opened = now
        self._pinged = now
        self._unanswered: datetime | None = None
        self._faults = faults
        self._on_output = on_output
        self._limits = LIMITS[market]
        self._inbound = RateWindow(SECOND)
        self._held_back: list[Frame] = []
        if len(self.streams) > self._limits.streams:
            self.close(POLICY, "Too many streams")

    @property
    def next_due(self) -> datetime:
        """When the connection itself will do something: ping, give up, or end after a day."""
        return min(self._pinged + self._limits.ping_every, self._opened + LIFETIME)

    def tick(self, now: datetime) -> None:
        """Ping, and cut what is silent or too old."""
        if self.closed:
            return
        if now >= self._opened + LIFETIME:
            self.close(GOING_AWAY, "24 hours are over")
        elif self._unanswered is not None and now - self._unanswered >= self._limits.pong_within:
            self.close(POLICY, "No pong")
        elif now >= self._pinged + self._limits.ping_every:
            self._pinged, self._unanswered = now, self._unanswered or now
            self._put(Frame(kind=FrameKind.PING))

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """End the connection from the venue's side."""
        if not self.closed:
            self.closed = True
            self._put(Frame(kind=FrameKind.CLOSE, code=code, text=reason))

    def on_ping(self, now: datetime) -> None:
        """Take a ping of the client; on spot it counts as a message."""
        if self.market is Market.SPOT and self._too_many(now):
            return
        self._put(Frame(kind=FrameKind.PONG))

    def on_pong(self) -> None:
        """Take a pong, asked for or not."""
        self._unanswered = None

    def on_text(self, text: str, now: datetime) -> None:
        """Take a control message."""
        if self.closed or self._too_many(now):
            return
        try:
            message = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            self._refuse(None, 3, f"Invalid JSON: {str(error)[:60]}")
            return
        if not _is_id(message.get("id")):
            self._refuse(None, 2, "Invalid request: request ID must be an unsigned integer")
            return
        self._control(message)

    def push(self, stream: str, data: Any, *, topic: str = "") -> None:
        """Send a message of a stream, unless a fault that is set strikes it; ``topic`` also names it to faults."""
        if self.closed:
            return
        faulted = self._faults.on_message(f"{stream} {topic}", self.market, data)
        rewrites = [fault.rewrite for fault in faulted if fault.fault is MessageFaultKind.REWRITE]
        frame = self._frame(stream, data, rewrites)
        kind = next((fault.fault for fault in faulted if fault.fault is not MessageFaultKind.REWRITE), None)
        if kind is MessageFaultKind.DISCONNECT:
            self.close(GOING_AWAY, "Connection lost")
        elif kind is MessageFaultKind.DELAY:
            self._held_back.append(frame)
        elif kind is not MessageFaultKind.LOSE:
            self._send(frame, twice=kind is MessageFaultKind.DUPLICATE)

    def _frame(self, stream: str, data: Any, rewrites: list[Rewrite]) -> Frame:
        """Return a message in its envelope; bytes that are not UTF-8 travel as a binary frame."""
        if not rewrites:
            return Frame(text=json.dumps(self._enveloped(stream, data), separators=(",", ":")))
        body = rewrite_message(data, lambda changed: self._enveloped(stream, changed), rewrites)
        try:
            return Frame(text=body.decode())
        except UnicodeDecodeError:
            return Frame(kind=FrameKind.BINARY, data=body)

    def _enveloped(self, stream: str, data: Any) -> Any:
        return {"stream": stream, "data": data} if self._combined else data

    def _send(self, frame: Frame, *, twice: bool) -> None:
        late, self._held_back = self._held_back, []
        for each in (frame, *([frame] if twice else []), *late):
            self._put(each)

    def _control(self, message: dict[str, Any]) -> None:
        number, params = message.get("id"), _listed(message.get("params"))
        names = [name for name in params if isinstance(name, str)]
        match message.get("method"):
            case "SUBSCRIBE" if names and len(names) == len(params):
                self._subscribe(number, names)
            case "UNSUBSCRIBE" if names and len(names) == len(params):
                for name in names:
                    self.streams.pop(name, None)
                self._reply(number, None)
            case "LIST_SUBSCRIPTIONS":
                self._reply(number, list(self.streams))
            case "SET_PROPERTY" if len(params) == len(("combined", True)):
                self._set_property(number, params)
            case "GET_PROPERTY" if names == ["combined"]:
                self._reply(number, self._combined)
            case "SUBSCRIBE" | "UNSUBSCRIBE" | "SET_PROPERTY" | "GET_PROPERTY":
                self._refuse(number, 2, "Invalid request: invalid params")
            case method:
                self._refuse(number, 2, f"Invalid request: unknown method {str(method)[:40]}")

    def _subscribe(self, number: int | None, names: list[str]) -> None:
        wanted = self.streams | dict.fromkeys(names)
        if len(wanted) > self._limits.streams:
            self._refuse(number, 2, f"Invalid request: at most {self._limits.streams} streams")
            return
        self.fresh += [name for name in names if name not in self.streams]
        self.streams = wanted
        self._reply(number, None)

    def _set_property(self, number: int | None, params: list[Any]) -> None:
        if params[0] != "combined" or not isinstance(params[1], bool):
            self._refuse(number, 0, "Unknown property")
            return
        self._combined = params[1]
        self._reply(number, None)

    def _too_many(self, now: datetime) -> bool:
        if self._inbound.add(1, now) <= self._limits.messages_per_second:
            return False
        self.close(POLICY, "Too many requests")
        return True

    def _reply(self, number: int | None, result: Any) -> None:
        self._put(Frame(text=json.dumps({"result": result, "id": number}, separators=(",", ":"))))

    def _refuse(self, number: int | None, code: int, message: str) -> None:
        error = {"code": code, "msg": message}
        self._put(Frame(text=json.dumps({"id": number, "error": error, **error}, separators=(",", ":"))))

    def _put(self, frame: Frame) -> None:
        self.outbox.append(frame)
        self._on_output()


def stream_names(path: str, query: str) -> tuple[bool, list[str]] | None:
    """Return whether a connection is combined, and the streams its address names; None for a wrong address."""
    prefix = path.removeprefix("/fstream").removeprefix("/sstream")
    if prefix in {"/stream", "/stream/"}:
        named = next((field[len("streams=") :] for field in query.split("&") if field.startswith("streams=")), "")
        return True, [name for name in named.replace("%2F", "/").replace("%40", "@").split("/") if name]
    if prefix in {"/ws", "/ws/"}:
        return False, []
    found = STREAM.fullmatch(path)
    return (False, [name for name in found[1].split("/") if name]) if found else None


def _listed(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list) else []


def _is_id(value: object) -> bool:
    """Return whether a message may carry this id; the documents ask for one, the venue serves those who send none."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_REQUEST_ID)
