"""What goes wrong on the wire, declared as values: requests that fail, orders that do not fill, messages that get lost.

Faults of all kinds may be set at once, and each strikes by count, by span of time, by chance, or by all three. Chance
is drawn from one seeded source, so that the same requests under the same seed are struck again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.money import ZERO
from hedgerow.emulator.wire.call import WireRequest

__all__ = ["RequestFault", "StreamFault", "Strike", "WireFault", "WireFaults", "WireTrouble"]


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
    CUT_BEFORE = "cut_before"
    """The connection is dropped at once, and nothing is executed."""
    CUT_AFTER = "cut_after"
    """Executed, and the connection is dropped at once."""
    LATE = "late"
    """No answer; it is executed ``seconds`` later, unless its nonce is dead by then."""
    NONCE_EXPIRED = "nonce_expired"
    """-4225."""
    REJECT = "reject"
    """Refused with ``code`` and ``message``."""
    RATE_LIMITED = "429"
    """Too much weight: -1003, with ``Retry-After``."""
    ORDER_LIMIT = "429_orders"
    """Too many orders: -1015, without ``Retry-After``."""
    BANNED = "418"
    """The address is banned: ``Retry-After`` says for how long, ``seconds`` or what is left of the fault's span."""
    SLOW = "slow"
    """Answered ``seconds`` later."""
    NULL_FUNDING = "null_funding"
    """Interval, cap and floor of funding are null."""
    ABSORB = "absorb"
    """Orders are acknowledged, and matching gives them nothing."""
    PARTIAL = "partial"
    """Orders fill at most ``fraction`` of their quantity, and then nothing."""


class WireTrouble(StrEnum):
    """What becomes of a stream message."""

    LOSE = "lose"
    DUPLICATE = "duplicate"
    DELAY = "delay"
    """Comes after the next message."""
    DISCONNECT = "disconnect"
    """The connection is cut instead."""


class RequestFault(Struct, frozen=True, kw_only=True):
    """Strikes ``times`` matching requests in a row, from the ``nth`` on; with times 0 all of them."""

    fault: WireFault
    path: str = ""
    """Part of the path, e.g. ``/api/v3/account``; empty = every path outside ``/admin``."""
    method: str = ""
    contains: str = ""
    """Part of the query or body, e.g. ``side=SELL``."""
    nth: int = 1
    times: int | None = None
    """None = one, or all of them for a fault with a span or a chance."""
    chance: float = 1.0
    """How likely each of them is struck."""
    seconds: float = 0.0
    code: int = -1000
    message: str = "An unknown error occurred while processing the request."
    fraction: Decimal = Decimal("0.5")
    for_seconds: float | None = None
    """How long it lasts from the time it is set."""
    until: datetime | None = None

    def matches(self, request: WireRequest, now: datetime) -> bool:
        """Tell whether a request counts."""
        in_time = self.until is None or now < self.until
        named = self.path in request.path and self.method in {"", request.method}
        return in_time and named and (self.contains in request.query or self.contains in request.body)


class StreamFault(Struct, frozen=True, kw_only=True):
    """Strikes ``times`` messages in a row of the streams whose name holds ``stream``; with times 0 all of them."""

    trouble: WireTrouble
    stream: str = ""
    """Part of the stream's name, or of an event's type on a user stream."""
    nth: int = 1
    times: int | None = None
    """None = one, or all of them for a fault with a span or a chance."""
    chance: float = 1.0
    for_seconds: float | None = None
    until: datetime | None = None


class Strike(Struct, frozen=True, kw_only=True):
    """Everything that strikes one request."""

    fault: RequestFault | None = None
    """What becomes of its answer; None = it is answered."""
    fill_share: Decimal | None = None
    """Part of an order's quantity that matching may give; None = all."""
    seconds: float = 0.0
    """How late the answer is."""


FILLS = {WireFault.ABSORB, WireFault.PARTIAL}
Fault = TypeVar("Fault", RequestFault, StreamFault)


class WireFaults:
    """The faults that are set, and how often each has counted."""

    def __init__(self, seed: int = 0) -> None:
        self.seed(seed)
        self.struck = 0
        """How many requests were struck."""
        self.struck_messages = 0
        self.clear()

    def seed(self, seed: int) -> None:
        """Begin chance anew."""
        self._random = Random(seed)  # noqa: S311 - not for secrets

    def clear(self) -> None:
        """Forget every fault."""
        self.requests: list[RequestFault] = []
        self.streams: list[StreamFault] = []
        self.skew_seconds = 0.0
        """How far the time that ``GET time`` tells is off."""
        self._counts: dict[int, int] = {}

    def add(self, fault: RequestFault | StreamFault, now: datetime) -> None:
        """Set a fault, from now on.

        Raises:
            ValueError: a chance or a fraction is outside 0 to 1, or a count is negative.
        """
        _check(fault)
        if isinstance(fault, RequestFault):
            self.requests.append(_until(fault, now))
        else:
            self.streams.append(_until(fault, now))

    def expire(self, now: datetime) -> None:
        """Forget the faults whose span is over."""
        self.requests = [fault for fault in self.requests if fault.until is None or now < fault.until]
        self.streams = [fault for fault in self.streams if fault.until is None or now < fault.until]
        alive = {id(fault) for fault in (*self.requests, *self.streams)}
        self._counts = {key: count for key, count in self._counts.items() if key in alive}

    def on_request(self, request: WireRequest, now: datetime) -> Strike | None:
        """Return what strikes this request; each call counts."""
        struck = [fault for fault in self.requests if fault.matches(request, now) and self._counted(fault)]
        if not struck:
            return None
        self.struck += 1
        shares = [_share(fault) for fault in struck if fault.fault in FILLS]
        answers = [fault for fault in struck if fault.fault not in {*FILLS, WireFault.SLOW}]
        return Strike(
            fault=answers[0] if answers else None,
            fill_share=min(shares, default=None),
            seconds=sum(fault.seconds for fault in struck if fault.fault is WireFault.SLOW),
        )

    def on_message(self, stream: str) -> WireTrouble | None:
        """Return what becomes of this message; each call counts."""
        struck = [fault for fault in self.streams if fault.stream in stream and self._counted(fault)]
        self.struck_messages += bool(struck)
        return struck[0].trouble if struck else None

    def _counted(self, fault: RequestFault | StreamFault) -> bool:
        count = self._counts.get(id(fault), 0) + 1
        self._counts[id(fault)] = count
        times = fault.times
        if times is None:
            times = 1 if fault.until is None and fault.chance >= 1 else 0
        due = fault.nth <= count and (not times or count < fault.nth + times)
        return due and (fault.chance >= 1 or self._random.random() < fault.chance)


def _until(fault: Fault, now: datetime) -> Fault:
    """Return a fault with the end of its span worked out."""
    return fault if fault.for_seconds is None else replace(fault, until=now + timedelta(seconds=fault.for_seconds))


def _share(fault: RequestFault) -> Decimal:
    return ZERO if fault.fault is WireFault.ABSORB else fault.fraction


def _check(fault: RequestFault | StreamFault) -> None:
    shares: Iterable[Decimal | float] = (fault.chance, *([fault.fraction] if isinstance(fault, RequestFault) else []))
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError("a chance and a fraction are between 0 and 1")
    counts = (fault.nth, fault.times or 0, fault.for_seconds or 0.0, getattr(fault, "seconds", 0.0))
    if min(counts) < 0:
        raise ValueError("a count or a time of a fault is not negative")
