"""Faults of requests, replies and streams, each at its time."""

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.rest.faults import RequestFault, StreamFault

__all__ = [
    "Cut",
    "DeadKey",
    "LaggingAccount",
    "NetworkFault",
    "RequestFaultAct",
    "StoppedBooks",
    "StreamFaultAct",
    "WireAct",
    "WrongClock",
]


class NetworkFault(StrEnum):
    """What a cut does to the network."""

    REFUSED = "refused"
    """Nothing can be connected, what is connected breaks off, and requests never leave."""
    ANSWER_CUT = "answer_cut"
    """Requests are carried out; their answers break off, and so do streams."""
    REQUEST_LOST = "request_lost"
    """Requests disappear, and streams fall silent without ending."""
    ANSWER_LOST = "answer_lost"
    """Requests are carried out, but no answer comes, and streams fall silent without ending."""
    STREAMS = "streams"
    """Requests pass; streams break off and cannot be opened."""


class Cut(Struct, frozen=True, kw_only=True, tag="cut"):
    """The network is cut for a while."""

    at: datetime
    until: datetime
    network_fault: NetworkFault


class RequestFaultAct(Struct, frozen=True, kw_only=True, tag="request_trouble"):
    """From ``at`` on, requests meet a fault."""

    at: datetime
    fault: RequestFault


class StreamFaultAct(Struct, frozen=True, kw_only=True, tag="stream_trouble"):
    """From ``at`` on, messages of streams meet a fault."""

    at: datetime
    fault: StreamFault


class WrongClock(Struct, frozen=True, kw_only=True, tag="wrong_clock"):
    """The exchange shows a time that is off by ``seconds``; with 0 the right one again."""

    at: datetime
    until: datetime
    seconds: float


class LaggingAccount(Struct, frozen=True, kw_only=True, tag="lagging_account"):
    """Balances and positions are shown as they were so many seconds ago; with 0 as they are."""

    at: datetime
    until: datetime
    seconds: float


class StoppedBooks(Struct, frozen=True, kw_only=True, tag="stopped_books"):
    """The public books stand still; matching goes on."""

    at: datetime
    until: datetime


class DeadKey(Struct, frozen=True, kw_only=True, tag="dead_key"):
    """The listen key of one market dies before its time."""

    at: datetime
    market: Market
    announced: bool
    """Whether the stream says so; otherwise it falls silent."""


WireAct: TypeAlias = RequestFaultAct | StreamFaultAct | WrongClock | LaggingAccount | StoppedBooks | DeadKey
"""What the exchange on the wire does at a time."""
