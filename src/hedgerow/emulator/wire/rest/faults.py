"""Faults of the wire, declared as values: failing requests, orders that do not fill, lost stream messages.

Faults of all kinds may be set at once, and each strikes by count, by span of time, by chance, or by all three. Chance
is drawn from one seeded source, so that the same requests under the same seed are struck again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.emulator.fault_kinds import ON_THE_WIRE, FaultKind
from hedgerow.emulator.wire.protocol.params import named_symbol
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.failures import ErrorShape
from hedgerow.emulator.wire.rest.mutations import DEFAULT_SIZE, Mutation, Rewrite
from hedgerow.emulator.wire.rest.rewriting import mentions

__all__ = [
    "LONGEST_SECONDS",
    "MessageFaultKind",
    "RequestFault",
    "RequestFaults",
    "StreamFault",
    "WireFaults",
]

HOSTS = {Market.PERP: "/fapi/", Market.SPOT: "/api/"}
FIRST_STATUS, LAST_STATUS = 200, 599
LARGEST_SIZE = 2**30
LONGEST_SECONDS = 10**9
"""Some 30 years: the end of a span is still a date."""
METHODS = ("GET", "POST", "PUT", "DELETE")


class MessageFaultKind(StrEnum):
    """What becomes of a stream message."""

    LOSE = "lose"
    """It never comes."""
    DUPLICATE = "duplicate"
    """It comes twice."""
    DELAY = "delay"
    """Comes after the next message."""
    DISCONNECT = "disconnect"
    """The connection is cut instead."""
    REWRITE = "rewrite"
    """Changed by ``mutation``, in ``field``, for ``symbol``."""


class RequestFault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strikes ``times`` matching requests in a row, from the ``nth`` on; with times 0 all of them."""

    fault: FaultKind
    """Its name."""
    path: str = ""
    """Part of the path, e.g. ``/api/v3/account``; empty = every path outside ``/admin``."""
    method: str = ""
    """``GET``, ``POST``, ``PUT`` or ``DELETE``; empty = any."""
    contains: str = ""
    """Part of the query or body, e.g. ``side=SELL``."""
    market: Market | None = None
    """Requests to one host; None = both."""
    symbol: str = ""
    """Requests that name this symbol, and rows of it in replies to requests that name none; empty = any."""
    nth: int = 1
    """From which matching request on."""
    times: int | None = None
    """How many in a row, 0 = all; None = one, or all of them for a fault with a span or a chance."""
    chance: float = 1.0
    """How likely each of them is struck."""
    seconds: float = 0.0
    """How late or how long: see the fault."""
    code: int = -1000
    """Code of a refusal."""
    message: str = "An unknown error occurred while processing the request."
    """Text of a refusal."""
    fraction: Decimal = Decimal("0.5")
    """Part of an order that fills."""
    for_seconds: float | None = None
    """How long it lasts from the time it is set."""
    until: datetime | None = None
    """When it ends."""
    mutation: Mutation | None = None
    """What ``rewrite`` does."""
    field: str = ""
    """What ``rewrite`` changes: names and positions joined by dots, ``*`` for every row, e.g.
    ``positions.*.leverage``; empty = the whole reply."""
    size: int = DEFAULT_SIZE
    """Bytes of blanks that ``padded`` and ``gzip_bomb`` add."""
    value: str = ""
    """What ``other`` puts in the place of a text."""
    status: int | None = None
    """HTTP status of a refusal or a web page."""
    error_shape: ErrorShape = ErrorShape.PLAIN
    """Which fields the body of a refusal has."""
    location: str = "https://www.asterdex.com/"
    """Where a redirect leads."""
    retry_after_seconds: float | None = None
    """``Retry-After`` of a refusal, a limit, a ban or a web page; None = as the venue does."""

    def matches(self, request: WireRequest, now: datetime) -> bool:
        """Return whether a request counts."""
        in_time = self.until is None or now < self.until
        named = self.path in request.path and self.method in {"", request.method}
        held = self.contains in request.query or self.contains in request.body
        hosted = self.market is None or request.path.startswith(HOSTS[self.market])
        return in_time and named and held and hosted and self._is_about(request)

    @property
    def rewrite(self) -> Rewrite:
        """The change of a reply that it declares.

        Raises:
            ValueError: it declares none.
        """
        return _rewrite_of(self)

    def _is_about(self, request: WireRequest) -> bool:
        if not self.symbol:
            return True
        named = named_symbol(request.query) or named_symbol(request.body)
        return named == self.symbol or (not named and self.fault in CHANGES)


class StreamFault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Strikes ``times`` messages in a row of the streams whose name holds ``stream``; with times 0 all of them."""

    fault: MessageFaultKind
    """Its name."""
    stream: str = ""
    """Part of the stream's name, or of an event's type on a user stream; empty = any."""
    market: Market | None = None
    """Messages of one host; None = both."""
    symbol: str = ""
    """Messages with anything about this symbol or asset in them, and in them its rows; empty = any."""
    nth: int = 1
    """From which matching message on."""
    times: int | None = None
    """How many in a row, 0 = all; None = one, or all of them for a fault with a span or a chance."""
    chance: float = 1.0
    """How likely each of them is struck."""
    for_seconds: float | None = None
    """How long it lasts from the time it is set."""
    until: datetime | None = None
    """When it ends."""
    mutation: Mutation | None = None
    """What ``rewrite`` does."""
    field: str = ""
    """What ``rewrite`` changes, e.g. ``*.r`` of ``!markPrice@arr``; empty = the whole message."""
    size: int = DEFAULT_SIZE
    """Bytes of blanks that ``padded`` and ``gzip_bomb`` add."""
    value: str = ""
    """What ``other`` puts in the place of a text."""

    def matches(self, stream: str, market: Market, data: Any) -> bool:
        """Return whether a message counts."""
        named = self.stream in stream and self.market in {None, market}
        return named and (not self.symbol or mentions(data, self.symbol))

    @property
    def rewrite(self) -> Rewrite:
        """The change of a message that it declares.

        Raises:
            ValueError: it declares none.
        """
        return _rewrite_of(self)


class RequestFaults(Struct, frozen=True, kw_only=True):
    """Everything that strikes one request."""

    fault: RequestFault | None = None
    """What becomes of its answer; None = it is answered."""
    fill_share: Decimal | None = None
    """Part of an order's quantity that matching may give; None = all."""
    seconds: float = 0.0
    """How late the answer is."""
    changes: tuple[RequestFault, ...] = ()
    """What is changed in the answer, in this order."""
    idle_noop: bool = False
    """Whether a noop leaves its nonce usable."""


FILLS = {FaultKind.ABSORB, FaultKind.PARTIAL}
CHANGES = {FaultKind.REWRITE, FaultKind.LATE_ROWS}
BESIDE = {*FILLS, *CHANGES, FaultKind.SLOW, FaultKind.IDLE_NOOP}
"""Faults that leave it to others what is answered."""
Fault = TypeVar("Fault", RequestFault, StreamFault)


class WireFaults:
    """The faults that are set, and how often each has counted."""

    def __init__(self, seed: int = 0) -> None:
        self.seed(seed)
        self.faulted = 0
        """How many requests were struck."""
        self.faulted_messages = 0
        self.clear()

    def seed(self, seed: int) -> None:
        """Reset the random source."""
        self._random = Random(seed)  # noqa: S311 - not for secrets

    def clear(self) -> None:
        """Forget every fault."""
        self.requests: list[RequestFault] = []
        self.streams: list[StreamFault] = []
        self.skew_seconds = 0.0
        """How far the time that ``GET time`` returns is off."""
        self._counts: dict[int, int] = {}

    def add(self, fault: RequestFault | StreamFault, now: datetime) -> None:
        """Set a fault, from now on.

        Raises:
            ValueError: a number is outside of its range, a time has no zone, or a method is none; says what is allowed.
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

    def on_request(self, request: WireRequest, now: datetime) -> RequestFaults | None:
        """Return what strikes this request; each call counts."""
        faulted = [fault for fault in self.requests if fault.matches(request, now) and self._counted(fault)]
        if not faulted:
            return None
        self.faulted += 1
        shares = [_share(fault) for fault in faulted if fault.fault in FILLS]
        answers = [fault for fault in faulted if fault.fault not in BESIDE]
        return RequestFaults(
            fault=answers[0] if answers else None,
            fill_share=min(shares, default=None),
            seconds=sum(fault.seconds for fault in faulted if fault.fault is FaultKind.SLOW),
            changes=tuple(fault for fault in faulted if fault.fault in CHANGES),
            idle_noop=any(fault.fault is FaultKind.IDLE_NOOP for fault in faulted),
        )

    def on_message(self, stream: str, market: Market, data: Any) -> tuple[StreamFault, ...]:
        """Return what strikes this message, in the order in which it was set; each call counts."""
        faulted = [fault for fault in self.streams if fault.matches(stream, market, data) and self._counted(fault)]
        self.faulted_messages += bool(faulted)
        return tuple(faulted)

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


def _rewrite_of(fault: RequestFault | StreamFault) -> Rewrite:
    if fault.mutation is None:
        raise ValueError(f"rewrite needs a mutation: one of {', '.join(Mutation)}")
    return Rewrite(mutation=fault.mutation, field=fault.field, symbol=fault.symbol, size=fault.size, value=fault.value)


def _share(fault: RequestFault) -> Decimal:
    return ZERO if fault.fault is FaultKind.ABSORB else fault.fraction


def _check(fault: RequestFault | StreamFault) -> None:
    if isinstance(fault, RequestFault) and fault.fault not in ON_THE_WIRE:
        raise ValueError(f"no fault is called {fault.fault.value!r}; allowed are {', '.join(ON_THE_WIRE)}")
    shares: Iterable[Decimal | float] = (fault.chance, *([fault.fraction] if isinstance(fault, RequestFault) else []))
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError("a chance and a fraction are between 0 and 1")
    if min(fault.nth, fault.times or 0) < 0:
        raise ValueError("a count or a time of a fault is not negative")
    if fault.nth == 0:
        raise ValueError("nth is 1 or more, not 0")
    _check_times(fault)
    if not 0 <= fault.size <= LARGEST_SIZE:
        raise ValueError(f"a size is 0 to {LARGEST_SIZE:,} bytes, not {fault.size:,}")
    if fault.fault in {FaultKind.REWRITE, MessageFaultKind.REWRITE}:
        _rewrite_of(fault)
    if isinstance(fault, RequestFault):
        _check_answer(fault)


def _check_times(fault: RequestFault | StreamFault) -> None:
    times = (fault.for_seconds or 0.0, getattr(fault, "seconds", 0.0))
    if min(times) < 0:
        raise ValueError("a count or a time of a fault is not negative")
    if max(times) > LONGEST_SECONDS:
        raise ValueError(f"a time of a fault is at most {LONGEST_SECONDS:,} seconds")
    if fault.until is not None and fault.until.tzinfo is None:
        raise ValueError(f"until needs its time zone, as in {fault.until.isoformat()}Z")


def _check_answer(fault: RequestFault) -> None:
    if fault.fault is FaultKind.LATE_ROWS and not fault.seconds:
        raise ValueError("late_rows needs seconds: how long a row is not listed; more than 0")
    if fault.method and fault.method not in METHODS:
        raise ValueError(f"a method is one of {', '.join(METHODS)}, or empty, not {fault.method!r}")
    if fault.status is not None and not FIRST_STATUS <= fault.status <= LAST_STATUS:
        raise ValueError(f"a status is {FIRST_STATUS} to {LAST_STATUS}, not {fault.status}")
    if fault.retry_after_seconds is not None and fault.retry_after_seconds < 0:
        raise ValueError("retry_after_seconds is not negative")
    if not (fault.location.isascii() and fault.location.isprintable()):
        raise ValueError(f"a location is of printable ASCII characters, not {fault.location!r}")
