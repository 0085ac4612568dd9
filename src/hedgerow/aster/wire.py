"""Aster's JSON as typed rows, and its market data; milliseconds end here.

Unknown fields are ignored, numbers may be strings, and enumerations stay text, so that a new value blinds nobody.
Shapes: API reference, sections 5 and 6.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from hedgerow.domain.errors import OutcomeUnknown
from hedgerow.domain.market import Level
from hedgerow.domain.money import ZERO
from hedgerow.domain.schedule import EPOCH

__all__ = [
    "BookTicker",
    "CommissionRow",
    "DepthReply",
    "ExchangeInfo",
    "FilterRow",
    "FundingInfoRow",
    "FundingRateRow",
    "PremiumRow",
    "RateLimitRow",
    "ServerTime",
    "SymbolRow",
    "TickerRow",
    "Wire",
    "decode",
    "decode_rows",
    "from_millis",
    "readable_rows",
    "to_millis",
]

MILLISECOND = timedelta(milliseconds=1)
Row = TypeVar("Row")


class Wire(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A reply of the venue."""


class ServerTime(Wire, frozen=True, kw_only=True):
    """GET time."""

    server_time: int


class PremiumRow(Wire, frozen=True, kw_only=True):
    """GET premiumIndex: mark, index and the running funding estimate."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal = ZERO
    last_funding_rate: Decimal | None = None
    next_funding_time: int = 0


class BookTicker(Wire, frozen=True, kw_only=True):
    """GET ticker/bookTicker; an empty side is price 0."""

    symbol: str
    bid_price: Decimal
    bid_qty: Decimal
    ask_price: Decimal
    ask_qty: Decimal


class FundingInfoRow(Wire, frozen=True, kw_only=True):
    """GET fundingInfo; the interval may be null."""

    symbol: str
    funding_interval_hours: int | None = None


class FundingRateRow(Wire, frozen=True, kw_only=True):
    """GET fundingRate: one settled rate."""

    symbol: str
    funding_time: int
    funding_rate: Decimal


class TickerRow(Wire, frozen=True, kw_only=True):
    """GET ticker/24hr."""

    symbol: str
    quote_volume: Decimal


class DepthReply(Wire, frozen=True, kw_only=True):
    """GET depth; best first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class RateLimitRow(Wire, frozen=True, kw_only=True):
    """One limit of exchangeInfo."""

    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class FilterRow(Wire, frozen=True, kw_only=True):
    """One filter of a symbol; which fields it has depends on its type."""

    filter_type: str
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    notional: Decimal | None = None
    min_notional: Decimal | None = None
    multiplier_up: Decimal | None = None
    multiplier_down: Decimal | None = None


class SymbolRow(Wire, frozen=True, kw_only=True):
    """One symbol of exchangeInfo."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    contract_type: str | None = None
    filters: tuple[FilterRow, ...] = ()

    def filter(self, kind: str) -> FilterRow | None:
        """Return the filter of a type."""
        return next((row for row in self.filters if row.filter_type == kind), None)


class ExchangeInfo(Wire, frozen=True, kw_only=True):
    """GET exchangeInfo."""

    rate_limits: tuple[RateLimitRow, ...] = ()
    symbols: tuple[Raw, ...] = ()


class CommissionRow(Wire, frozen=True, kw_only=True):
    """GET commissionRate."""

    maker_commission_rate: Decimal
    taker_commission_rate: Decimal


def decode(body: bytes | Raw | str, shape: type[Row]) -> Row:
    """Return a reply in its shape.

    Raises:
        OutcomeUnknown: it is no JSON of this shape; what was asked may have happened.
    """
    try:
        return msgspec.json.decode(body, type=shape, strict=False)
    except msgspec.MsgspecError as error:
        raise OutcomeUnknown(f"the exchange answered with something else than {shape.__name__}: {error}") from error


def decode_rows(body: bytes, shape: type[Row]) -> tuple[Row, ...]:
    """Return the rows of a list; a row that cannot be read is left out instead of hiding all others.

    A single object counts as a list of one.

    Raises:
        OutcomeUnknown: it is no list at all, or none of its rows can be read.
    """
    listed: Any = tuple[shape, ...]  # type: ignore[valid-type] # a shape given at run time
    try:
        rows: tuple[Row, ...] = msgspec.json.decode(body, type=listed, strict=False)
    except msgspec.MsgspecError:
        raw = (Raw(body),) if body.lstrip()[:1] == b"{" else decode(body, tuple[Raw, ...])
        rows = readable_rows(raw, shape)
    return rows


def readable_rows(raw: Sequence[Raw], shape: type[Row]) -> tuple[Row, ...]:
    """Return the rows that can be read.

    Raises:
        OutcomeUnknown: there are rows, and none can be read.
    """
    rows: list[Row] = []
    for row in raw:
        try:
            rows.append(msgspec.json.decode(row, type=shape, strict=False))
        except msgspec.MsgspecError:
            continue
    if raw and not rows:
        decode(raw[0], shape)
    return tuple(rows)


def from_millis(millis: int) -> datetime:
    """Return the time of a venue's milliseconds."""
    return EPOCH + millis * MILLISECOND


def to_millis(at: datetime) -> int:
    """Return a time in the venue's milliseconds, rounded down."""
    return (at - EPOCH) // MILLISECOND
