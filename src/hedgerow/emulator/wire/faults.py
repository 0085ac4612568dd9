"""What goes wrong on the wire, declared as values: requests that fail, stream messages that are lost or repeated."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from hedgerow.emulator.wire.call import WireRequest

__all__ = ["RequestFault", "StreamFault", "WireFault", "WireFaults", "WireTrouble"]


class WireFault(StrEnum):
    """What becomes of a request."""

    HTML_500 = "html_500"
    """An HTML page instead of JSON; nothing is executed."""
    UNAVAILABLE_BEFORE = "503_before"
    """503, and nothing was executed."""
    UNAVAILABLE_AFTER = "503_after"
    """503, although it was executed."""
    SILENT_BEFORE = "silent_before"
    """No answer, and nothing is executed."""
    SILENT_AFTER = "silent_after"
    """Executed, and no answer."""
    LATE = "late"
    """No answer; it is executed ``seconds`` later, unless its nonce is dead by then."""
    NONCE_EXPIRED = "nonce_expired"
    """-4225."""
    REJECT = "reject"
    """Refused with ``code``."""
    RATE_LIMITED = "429"
    SLOW = "slow"
    """Answered ``seconds`` later."""
    NULL_FUNDING = "null_funding"
    """Interval, cap and floor of funding are null."""


class WireTrouble(StrEnum):
    """What becomes of a stream message."""

    LOSE = "lose"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    """Comes after the next message."""
    DISCONNECT = "disconnect"
    """The connection is cut instead."""


class RequestFault(Struct, frozen=True, kw_only=True):
    """Strikes ``times`` requests in a row, from the ``nth`` matching one on; with times 0 all of them."""

    fault: WireFault
    path: str = ""
    """Part of the path, e.g. ``/api/v3/account``; empty = every path outside ``/admin``."""
    method: str = ""
    nth: int = 1
    times: int = 1
    seconds: float = 0.0
    code: int = -1000
    message: str = "An unknown error occurred while processing the request."
    until: datetime | None = None

    def matches(self, request: WireRequest, now: datetime) -> bool:
        """Tell whether a request counts."""
        in_time = self.until is None or now < self.until
        return in_time and self.path in request.path and self.method in {"", request.method}


class StreamFault(Struct, frozen=True, kw_only=True):
    """Strikes ``times`` messages in a row of the streams whose name holds ``stream``; with times 0 all of them."""

    trouble: WireTrouble
    stream: str = ""
    """Part of the stream's name, or of an event's type on a user stream."""
    nth: int = 1
    times: int = 1


class WireFaults:
    """The faults that are set, and how often each has counted."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget every fault."""
        self.requests: list[RequestFault] = []
        self.streams: list[StreamFault] = []
        self.skew_seconds = 0.0
        """How far the time that ``GET time`` tells is off."""
        self._counts: dict[int, int] = {}

    def on_request(self, request: WireRequest, now: datetime) -> RequestFault | None:
        """Return the fault that strikes this request; each call counts."""
        struck = [fault for fault in self.requests if fault.matches(request, now) and self._counted(fault)]
        return struck[0] if struck else None

    def on_message(self, stream: str) -> WireTrouble | None:
        """Return what becomes of this message; each call counts."""
        struck = [fault for fault in self.streams if fault.stream in stream and self._counted(fault)]
        return struck[0].trouble if struck else None

    def _counted(self, fault: RequestFault | StreamFault) -> bool:
        count = self._counts.get(id(fault), 0) + 1
        self._counts[id(fault)] = count
        return fault.nth <= count and (not fault.times or count < fault.nth + fault.times)
