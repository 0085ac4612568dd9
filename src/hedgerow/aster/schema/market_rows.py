"""JSON rows of market data; milliseconds become times here.

Unknown fields are ignored, numbers may be strings, and enumerations stay text, so that a new value makes no row
unreadable. Shapes: docs/aster-api.md, sections 5 and 6.

No field has a default that stands for a fact. A field without a default must be there and be readable, else its row is
unreadable. A field with the default None may be absent; it is also None where it is there and cannot be read. Rows are
read one by one, so that an unreadable row hides no other one. Decimals are finite and of a sane size, times are
milliseconds between 2015 and 2100.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from hedgerow.domain.errors import OutcomeUnknown
from hedgerow.domain.funding import EPOCH
from hedgerow.domain.market import Level

__all__ = [
    "CALENDAR_END_MS",
    "EARLIEST_MS",
    "LATEST_MS",
    "BookTicker",
    "CommissionRow",
    "DepthReply",
    "ExchangeInfo",
    "FilterRow",
    "FundingInfoRow",
    "FundingRateRow",
    "KlineRow",
    "Millis",
    "OpenInterest",
    "PremiumRow",
    "RateLimitRow",
    "Rows",
    "ServerTime",
    "SymbolRow",
    "TickerRow",
    "Wire",
    "check_levels",
    "consistent",
    "decode",
    "decode_rows",
    "from_millis",
    "is_sane",
    "listed_rows",
    "read_rows",
    "readable_rows",
    "rows_in",
    "to_millis",
]

MILLISECOND = timedelta(milliseconds=1)
EARLIEST, LATEST = datetime(2015, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Every time of the exchange lies between them; seconds, microseconds and nanoseconds taken for milliseconds do not."""
EARLIEST_MS, LATEST_MS = (EARLIEST - EPOCH) // MILLISECOND, (LATEST - EPOCH) // MILLISECOND
CALENDAR_END_MS = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // MILLISECOND
"""Ends of what may never end, such as the rights of a key, may lie as far ahead."""
Millis: TypeAlias = Annotated[int, Meta(ge=EARLIEST_MS, le=LATEST_MS)]
"""A time in milliseconds."""
LARGEST_POWER, SMALLEST_POWER = 17, -40
"""Powers of ten of the first digit of a decimal: with eight digits behind the point, sums are exact in 28 digits."""
LONGEST_INTERVAL_HOURS = 24
"""Funding is settled every 1, 2, 4 or 8 hours (docs/aster-api.md, section 11)."""
HIGHEST_COMMISSION = Decimal("0.1")
HIGHEST_FUNDING_RATE = Decimal("0.1")
"""Fraction of notional per interval. The exchange's own caps are 3 % (docs/aster-api.md, sections 5.1 and 11)."""
LONGEST_PROBLEM = 200
"""Characters of a decoder's message that are kept: it may repeat what it could not read."""
_UNREADABLE = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
"""What msgspec raises for bytes that are no such JSON: invalid UTF-8 is a ValueError, deep nesting a RecursionError."""
Row = TypeVar("Row")


class Wire(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A reply of the exchange, or a row of one."""

    def __post_init__(self) -> None:
        for name in _decimal_fields(type(self)):
            value = getattr(self, name)
            if value is not None and not is_sane(value):
                raise ValueError(f"{name} is no number that can be used: {str(value)[:40]}")


class Rows(Struct, Generic[Row], frozen=True, kw_only=True):
    """A list of the exchange, row by row."""

    rows: tuple[Row, ...]
    unreadable: frozenset[str] = frozenset()
    """Symbols or assets of the rows that cannot be read."""
    nameless: int = 0
    """How many of the unreadable rows show neither symbol nor asset."""
    count: int
    """How many rows the list has, readable or not."""

    def hides(self, name: str) -> bool:
        """Return whether an unreadable row belongs, or may belong, to a symbol or an asset."""
        return name in self.unreadable or self.nameless > 0


class _Named(Struct, frozen=True):
    """What says whose row it is; ``s`` is the name of a symbol in stream messages."""

    symbol: str | None = None
    asset: str | None = None
    s: str | None = None


class OpenInterest(Wire, frozen=True, kw_only=True):
    """GET openInterest."""

    symbol: str
    open_interest: Decimal
    """Base units."""

    def __post_init__(self) -> None:
        if self.open_interest < 0:
            raise ValueError(f"the open interest is negative: {self.open_interest}")


class ServerTime(Wire, frozen=True, kw_only=True):
    """GET time."""

    server_time: Millis


class PremiumRow(Wire, frozen=True, kw_only=True):
    """GET premiumIndex: mark, index and the running funding estimate."""

    symbol: str
    mark_price: Decimal
    """0 for a symbol that does not trade."""
    index_price: Decimal | None = None
    last_funding_rate: Decimal | None = None
    next_funding_time: Millis | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mark_price < 0:
            raise ValueError(f"the mark price is negative: {self.mark_price}")


class BookTicker(Wire, frozen=True, kw_only=True):
    """GET ticker/bookTicker; an empty side is price 0."""

    symbol: str
    bid_price: Decimal
    bid_qty: Decimal
    ask_price: Decimal
    ask_qty: Decimal

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.bid_price, self.bid_qty, self.ask_price, self.ask_qty) < 0:
            raise ValueError("a price or a quantity is negative")


class FundingInfoRow(Wire, frozen=True, kw_only=True):
    """GET fundingInfo; the interval may be null."""

    symbol: str
    funding_interval_hours: Annotated[int, Meta(ge=1, le=LONGEST_INTERVAL_HOURS)] | None = None


class FundingRateRow(Wire, frozen=True, kw_only=True):
    """GET fundingRate: one settled rate."""

    symbol: str
    funding_time: Millis
    funding_rate: Decimal

    def __post_init__(self) -> None:
        super().__post_init__()
        if abs(self.funding_rate) > HIGHEST_FUNDING_RATE:
            raise ValueError(f"its funding rate is {self.funding_rate}, beyond every cap")


class KlineRow(Wire, frozen=True, kw_only=True, array_like=True):
    """One row of klines, markPriceKlines or indexPriceKlines; what follows the turnover is ignored."""

    open_time: Millis
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    """Base units; 0 where the series is not made of trades."""
    close_time: Millis
    """The last millisecond of the kline."""
    quote_volume: Decimal
    """Turnover, quote units; 0 where the series is not made of trades."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.close <= 0 or self.quote_volume < 0:
            raise ValueError(f"a price or a turnover is none: {self.close}, {self.quote_volume}")


class TickerRow(Wire, frozen=True, kw_only=True):
    """GET ticker/24hr."""

    symbol: str
    quote_volume: Decimal

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.quote_volume < 0:
            raise ValueError(f"the volume is negative: {self.quote_volume}")


class DepthReply(Wire, frozen=True, kw_only=True):
    """GET depth; best first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    event_time: Millis | None = field(default=None, name="E")
    """When the book was so, by the venue's clock."""

    def __post_init__(self) -> None:
        check_levels(self.bids)
        check_levels(self.asks)


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
    filters: tuple[FilterRow, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.symbol and self.base_asset and self.quote_asset):
            raise ValueError("it does not say what is traded for what")

    def filter(self, kind: str) -> FilterRow | None:
        """Return the filter of a type."""
        return next((row for row in self.filters if row.filter_type == kind), None)


class ExchangeInfo(Wire, frozen=True, kw_only=True):
    """GET exchangeInfo."""

    rate_limits: tuple[Raw, ...] | None = None
    """The limits known before stay where it names none."""
    symbols: tuple[Raw, ...]


class CommissionRow(Wire, frozen=True, kw_only=True):
    """GET commissionRate."""

    maker_commission_rate: Decimal
    taker_commission_rate: Decimal

    def __post_init__(self) -> None:
        super().__post_init__()
        if max(abs(self.maker_commission_rate), abs(self.taker_commission_rate)) > HIGHEST_COMMISSION:
            raise ValueError(f"a commission is above {HIGHEST_COMMISSION}, which is no fraction of a price")


def is_sane(value: Decimal) -> bool:
    """Return whether a decimal is finite and of a size that prices, quantities, balances and rates have."""
    return value.is_finite() and SMALLEST_POWER <= value.adjusted() <= LARGEST_POWER


def check_levels(levels: Iterable[Level]) -> None:
    """Check the levels of a book.

    Raises:
        ValueError: a price is not positive, a quantity is negative, or one of them is no usable number.
    """
    for level in levels:
        if not (is_sane(level.price) and is_sane(level.quantity) and level.price > 0 and level.quantity >= 0):
            raise ValueError(f"a level of the book cannot be used: {str(level.price)[:40]} {str(level.quantity)[:40]}")


def decode(body: bytes | Raw | str, shape: type[Row]) -> Row:
    """Return a reply in its shape.

    Raises:
        OutcomeUnknown: it is no JSON of this shape; what was asked may have happened.
    """
    try:
        return _decoded(body, shape)
    except _UNREADABLE as error:
        raise OutcomeUnknown(_something_else(body, shape.__name__, error)) from error


def decode_rows(body: bytes, shape: type[Row]) -> tuple[Row, ...]:
    """Return the readable rows of a list; a single object counts as a list of one.

    Raises:
        OutcomeUnknown: it is no list at all, or it has rows and none of them can be read.
    """
    return listed_rows(body, shape).rows


def listed_rows(body: bytes, shape: type[Row]) -> Rows[Row]:
    """Return the rows of a list, with the names of those that cannot be read; an object counts as a list of one.

    Raises:
        OutcomeUnknown: it is no list at all, or it has rows and none of them can be read.
    """
    found = rows_in(body, shape)
    if found.count and not found.rows:
        decode(_raw_rows(body)[0], shape)
    return found


def rows_in(body: bytes, shape: type[Row]) -> Rows[Row]:
    """Return the rows of a list as ``listed_rows`` does, also where none of them can be read.

    Raises:
        OutcomeUnknown: it is no list at all.
    """
    if body.lstrip()[:1] == b"{":
        return read_rows((Raw(body),), shape)
    listed: Any = tuple[shape, ...]  # type: ignore[valid-type] # a shape given at run time
    try:
        rows: tuple[Row, ...] = msgspec.json.decode(body, type=listed, strict=False)
    except _UNREADABLE:
        return read_rows(_raw_rows(body), shape)
    return Rows(rows=rows, count=len(rows))


def _raw_rows(body: bytes) -> tuple[Raw, ...]:
    return (Raw(body),) if body.lstrip()[:1] == b"{" else decode(body, tuple[Raw, ...])


def readable_rows(raw: Sequence[Raw], shape: type[Row]) -> tuple[Row, ...]:
    """Return the rows that can be read.

    Raises:
        OutcomeUnknown: there are rows, and none can be read.
    """
    found = read_rows(raw, shape)
    if raw and not found.rows:
        decode(raw[0], shape)
    return found.rows


def read_rows(raw: Sequence[Raw], shape: type[Row]) -> Rows[Row]:
    """Return the rows that can be read, and whose the others are."""
    rows: list[Row] = []
    names: set[str] = set()
    nameless = 0
    for row in raw:
        try:
            rows.append(_decoded(row, shape))
        except _UNREADABLE:
            name = _name_of(row)
            if name is None:
                nameless += 1
            else:
                names.add(name)
    return Rows(rows=tuple(rows), unreadable=frozenset(names), nameless=nameless, count=len(raw))


def consistent(found: Rows[Row], name: Callable[[Row], str], key: Callable[[Row], Hashable] | None = None) -> Rows[Row]:
    """Return the rows of a list that shows each thing once, without those that contradict another row.

    ``name`` is the symbol or asset of a row; rows of one ``key``, by default the name, are about one thing. Where two
    of them differ nothing says which is true: their name is unreadable. Repetitions of one row count once.
    """
    seen: dict[Hashable, Row] = {}
    contradicted: set[str] = set()
    for row in found.rows:
        if seen.setdefault(key(row) if key else name(row), row) != row:
            contradicted.add(name(row))
    if not contradicted and len(seen) == len(found.rows):
        return found
    rows = tuple(row for row in seen.values() if name(row) not in contradicted)
    return Rows(rows=rows, unreadable=found.unreadable | contradicted, nameless=found.nameless, count=found.count)


def from_millis(millis: int) -> datetime:
    """Return the time of a venue's milliseconds.

    Raises:
        OutcomeUnknown: it is no time between 2015 and 2100; another unit than milliseconds is none.
    """
    if not EARLIEST_MS <= millis <= LATEST_MS:
        raise OutcomeUnknown(f"the exchange names a time that is none in milliseconds: {str(millis)[:20]}")
    return EPOCH + millis * MILLISECOND


def to_millis(at: datetime) -> int:
    """Return a time in the venue's milliseconds, rounded down."""
    return (at - EPOCH) // MILLISECOND


def _decoded(body: bytes | Raw | str, shape: type[Row]) -> Row:
    """Return a value in its shape; of a struct, fields that may be absent are left out where they cannot be read."""
    try:
        return msgspec.json.decode(body, type=shape, strict=False)
    except _UNREADABLE:
        kind: Any = shape
        optional = _optional_fields(kind)
        if not optional:
            raise
        fields = msgspec.json.decode(body, type=dict[str, Raw])
        kept = {name: raw for name, raw in fields.items() if name not in optional or _is_readable(raw, optional[name])}
        if len(kept) == len(fields):
            raise
    return msgspec.json.decode(msgspec.json.encode(kept), type=shape, strict=False)


def _is_readable(raw: Raw, kind: Any) -> bool:
    try:
        value = msgspec.json.decode(raw, type=kind, strict=False)
    except _UNREADABLE:
        return False
    return not isinstance(value, Decimal) or is_sane(value)


def _name_of(row: Raw) -> str | None:
    """Return the symbol or the asset of a row that cannot be read as a whole, or None."""
    try:
        named = _decoded(row, _Named)
    except _UNREADABLE:
        return None
    return named.symbol or named.asset or named.s or None


@cache
def _decimal_fields(shape: type[Any]) -> tuple[str, ...]:
    """Return the names of a struct's fields that hold decimals."""
    return tuple(field.name for field in msgspec.structs.fields(shape) if field.type in {Decimal, Decimal | None})


@cache
def _optional_fields(shape: Any) -> Mapping[str, Any]:
    """Return the fields of a struct that are None where they are absent: their names on the wire, and their types."""
    if not (isinstance(shape, type) and issubclass(shape, Struct)):
        return {}
    return {field.encode_name: field.type for field in msgspec.structs.fields(shape) if field.default is None}


def _something_else(body: bytes | Raw | str, wanted: str, error: Exception) -> str:
    """Return one line that says what came instead of a shape."""
    if bytes(body if not isinstance(body, str) else body.encode())[:200].lstrip()[:1] == b"<":
        return f"the exchange answered with a web page instead of {wanted}"
    problem = " ".join(str(error).split())[:LONGEST_PROBLEM]
    return f"the exchange answered with something else than {wanted}: {problem}"
