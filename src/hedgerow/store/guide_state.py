"""``volume_farming_state.json``: the guide's state file, for operators and tools that watch it from outside.

The event log wins over it; it is read only to take over the figures of the guide's own bot at first start. Money is
in quote units, ``effective_apr`` in percent, times are UTC without a zone, as the guide writes them.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import StateImported
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.position import HedgedPosition
from hedgerow.store.files import replace_file

__all__ = ["CorruptState", "GuidePosition", "GuideState", "agrees", "encode", "read", "render", "to_import", "write"]

CENT_FRACTION: Final = Decimal("1e-8")
"""Money is rounded to this, so that every JSON reader gets it exactly."""

RATE_DECIMALS: Final = 10
PERCENT_DECIMALS: Final = 6
"""Estimates are rounded to these: a mean of rates of eight decimals has no more that are true."""

Count = Annotated[int, Meta(ge=0)]
_NOTHING_SEEN: Final[Mapping[str, tuple[Decimal | None, FundingSignal | None]]] = MappingProxyType({})


class GuidePosition(Struct, frozen=True, kw_only=True):
    """The open position in the guide's words."""

    symbol: str
    capital: Decimal
    """Value of one leg now, in quote units."""
    funding_rate: float
    """Fraction per interval."""
    effective_apr: float
    """Percent of one leg's notional per year."""
    spot_qty: Decimal
    perp_qty: Decimal
    """Size of the short, positive."""
    entry_price: Decimal


class GuideState(Struct, frozen=True, kw_only=True):
    """The whole state file as a value; times are aware UTC."""

    current_position: GuidePosition | None
    position_opened_at: datetime | None
    total_funding_received: Decimal
    """Of the current position."""
    entry_fees_paid: Decimal
    """Of the current position."""
    cycle_count: int
    """Checks made over the life of the bot."""
    total_profit_loss: Decimal
    total_positions_opened: int
    total_positions_closed: int
    last_updated: datetime | None
    positions: tuple[GuidePosition, ...] = ()
    """Every open position, oldest first, where there is more than one; ``current_position`` is the largest."""


class CorruptState(Struct, frozen=True, kw_only=True):
    """A state file that could not be read; it is to be rebuilt from the log and the exchange."""

    problem: str
    set_aside: Path | None
    """Where it was moved to; None when it could not be moved."""


class _FilePosition(Struct, kw_only=True):
    symbol: Annotated[str, Meta(min_length=1)]
    spot_qty: float
    perp_qty: float
    capital: float = 0.0
    funding_rate: float = 0.0
    effective_apr: float = 0.0
    entry_price: float = 0.0


class _FileState(Struct, kw_only=True):
    """What must be in the file to be trusted; later versions of the guide's bot dropped some keys and added others."""

    current_position: _FilePosition | None
    cycle_count: Count
    total_profit_loss: float
    total_positions_opened: Count
    total_positions_closed: Count
    position_opened_at: str | None = None
    total_funding_received: float = 0.0
    entry_fees_paid: float = 0.0
    last_updated: str | None = None
    positions: tuple[_FilePosition, ...] = ()


_READER: Final = msgspec.json.Decoder(_FileState)
_WRITER: Final = msgspec.json.Encoder(decimal_format="number")


def render(
    ledger: Ledger,
    *,
    at: datetime,
    spot_price: Decimal | None = None,
    signal: FundingSignal | None = None,
    others: Mapping[str, tuple[Decimal | None, FundingSignal | None]] = _NOTHING_SEEN,
) -> GuideState:
    """Return the state file of ``ledger`` as of ``at``.

    Without ``spot_price`` the position is valued at its entry, without ``signal`` at its entry's signal; ``others`` has
    both of the hedges that are not the largest, by hedge id.
    """
    hedge, totals, imported = ledger.largest, ledger.totals, ledger.imported
    hedges = ledger.open_hedges if len(ledger.open_hedges) > 1 else ()
    seen = {**others, hedge.hedge_id: (spot_price, signal)} if hedge else {}
    return GuideState(
        current_position=_position(hedge, spot_price, signal) if hedge else None,
        position_opened_at=hedge.opened_at if hedge else None,
        total_funding_received=_money(hedge.funding_received) if hedge else ZERO,
        entry_fees_paid=_money(hedge.entry_fees) if hedge else ZERO,
        cycle_count=imported.cycle_count + totals.cycles,
        total_profit_loss=_money(ledger.total_profit_loss),
        total_positions_opened=imported.positions_opened + totals.opened,
        total_positions_closed=imported.positions_closed + totals.closed,
        last_updated=at,
        positions=tuple(_position(each, *seen.get(each.hedge_id, (None, None))) for each in hedges),
    )


def agrees(state: GuideState, ledger: Ledger) -> bool:
    """Return whether a file says what the ledger knows; prices, rates and times of writing are not in the ledger."""
    known = render(ledger, at=ledger.started_at or datetime.min.replace(tzinfo=UTC))
    return _lasting(state) == _lasting(known)


def _lasting(state: GuideState) -> GuideState:
    """Return the state without what changes while nothing is logged."""
    position = state.current_position
    positions = tuple(map(_without_prices, state.positions))
    position = None if position is None else _without_prices(position)
    return replace(state, current_position=position, positions=positions, last_updated=None)


def _without_prices(position: GuidePosition) -> GuidePosition:
    return replace(position, capital=ZERO, funding_rate=0.0, effective_apr=0.0)


def encode(state: GuideState) -> bytes:
    """Return the file's text: the guide's keys in the guide's order, JSON numbers."""
    document = msgspec.structs.asdict(state)
    if state.current_position is not None:
        document["current_position"] = _numbers(msgspec.structs.asdict(state.current_position))
    if state.positions:
        document["positions"] = [_numbers(msgspec.structs.asdict(position)) for position in state.positions]
    else:
        del document["positions"]
    return msgspec.json.format(_WRITER.encode(_numbers(document)), indent=2) + b"\n"


def write(path: Path, state: GuideState, *, durable: bool = True) -> None:
    """Replace the file as a whole: a reader, or a crash at any time, sees the old one or the new one.

    ``durable`` returns only once it would survive a power cut; the log can rebuild a file that did not.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        replace_file(path, encode(state), durable=durable)
    except OSError as error:
        raise StoreError(f"cannot write the state file {path}: {error.strerror or error}") from error


def read(path: Path, *, at: datetime) -> GuideState | CorruptState | None:
    """Return the state in ``path``, or None when there is no such file.

    A file that is damaged is moved aside under a name that holds ``at``, and reported, never raised.

    Raises:
        StoreError: the file exists and cannot be opened.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read the state file {path}: {error.strerror or error}") from error
    try:
        return _state(_READER.decode(content))
    except (msgspec.MsgspecError, ArithmeticError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())
    return CorruptState(problem=problem, set_aside=_set_aside(path, at))


def to_import(state: GuideState, at: datetime) -> StateImported:
    """Return the event that takes over a guide-format file at first start."""
    position = state.current_position
    return StateImported(
        at=at,
        cycle_count=state.cycle_count,
        total_profit_loss=state.total_profit_loss,
        positions_opened=state.total_positions_opened,
        positions_closed=state.total_positions_closed,
        symbol=position.symbol if position else None,
        position_opened_at=state.position_opened_at,
    )


def _position(hedge: HedgedPosition, spot_price: Decimal | None, signal: FundingSignal | None) -> GuidePosition:
    price = spot_price or hedge.entry_price
    value = hedge.spot_quantity * price if price else hedge.entry_notional
    return GuidePosition(
        symbol=hedge.symbol,
        capital=_money(value),
        funding_rate=round(signal.mean if signal else hedge.entry_rate, RATE_DECIMALS),
        effective_apr=round(100 * (signal.apr if signal else hedge.entry_apr), PERCENT_DECIMALS),
        spot_qty=hedge.spot_quantity,
        perp_qty=hedge.short,
        entry_price=_money(hedge.entry_price),
    )


def _money(value: Decimal) -> Decimal:
    return value.quantize(CENT_FRACTION)


def _numbers(document: dict[str, object]) -> dict[str, object]:
    """Write decimals without an exponent and times as the guide does."""
    return {key: _number(value) for key, value in document.items()}


def _number(value: object) -> object:
    if isinstance(value, float):
        return Decimal(plain(Decimal(repr(value))))
    if isinstance(value, Decimal):
        return Decimal(plain(value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return value


def _state(file: _FileState) -> GuideState:
    position = file.current_position
    if position is not None and file.position_opened_at is None:
        raise ValueError("there is a position, but position_opened_at is null")
    return GuideState(
        current_position=_file_position(position) if position else None,
        position_opened_at=_time(file.position_opened_at) if position else None,
        total_funding_received=_decimal(file.total_funding_received),
        entry_fees_paid=_decimal(file.entry_fees_paid),
        cycle_count=file.cycle_count,
        total_profit_loss=_decimal(file.total_profit_loss),
        total_positions_opened=file.total_positions_opened,
        total_positions_closed=file.total_positions_closed,
        last_updated=_time(file.last_updated),
        positions=tuple(map(_file_position, file.positions)),
    )


def _file_position(position: _FilePosition) -> GuidePosition:
    return GuidePosition(
        symbol=position.symbol,
        capital=_decimal(position.capital),
        funding_rate=position.funding_rate,
        effective_apr=position.effective_apr,
        spot_qty=abs(_decimal(position.spot_qty)),
        perp_qty=abs(_decimal(position.perp_qty)),
        entry_price=_decimal(position.entry_price),
    )


def _decimal(value: float) -> Decimal:
    """Return the shortest decimal that reads as ``value``: the digits that stand in the file."""
    return Decimal(repr(value))


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _set_aside(path: Path, at: datetime) -> Path | None:
    aside = path.with_name(f"{path.stem}.corrupt-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}{path.suffix}")
    with suppress(OSError):  # reported as not moved; the next write replaces it
        return path.replace(aside)
    return None
