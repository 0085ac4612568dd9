"""A finite order book around the mid price: levels, what own trades took from them, and how they refill.

Shape: eleven price levels a side. Those within 10 bp of the touch hold ``Liquidity.depth_notional`` together, growing
with the distance; six times as much stands behind them, up to 1 %. What an order takes comes back with a half-life
(``WorldOptions.refill_half_life_seconds``), best level last.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol, runtime_checkable

from msgspec import Struct

from hedgerow.domain.instrument import Instrument, Market, Side
from hedgerow.domain.market import Level
from hedgerow.domain.money import BPS, ONE, ZERO, ceil_to_step, floor_to_step
from hedgerow.ports import Liquidity, MarketData
from hedgerow.proxies import MarketDataProxy

__all__ = [
    "BOTTOMLESS",
    "FORGOTTEN_HALF_LIVES",
    "BookGaps",
    "BookGapsProxy",
    "Ladder",
    "Taken",
    "after_taking",
    "best",
    "bottomless",
    "ladder",
    "sweep",
]

BOTTOMLESS = Decimal(10) ** 12
"""Base units offered by a bottomless book."""
FORGOTTEN_HALF_LIVES = 100.0
"""After so many nothing is left of any quantity, at the eight decimals that are kept."""

_SHAPE: Sequence[tuple[Decimal, Decimal]] = tuple(
    (ONE + Decimal(offset) * BPS, Decimal(share))
    for offset, share in (
        ("0", "0.06"),
        ("1", "0.08"),
        ("2", "0.12"),
        ("4", "0.18"),
        ("6", "0.24"),
        ("9", "0.32"),
        ("15", "0.5"),
        ("25", "0.8"),
        ("40", "1.2"),
        ("65", "1.5"),
        ("100", "2"),
    )
)
"""Distance from the touch as a factor, and share of the notional within 10 bp."""


@runtime_checkable
class BookGaps(Protocol):
    """A tape that also knows when one side of a book is empty."""

    def missing_side(self, market: Market, symbol: str, at: datetime) -> Side | None:
        """Return the side that an order could not take (``BUY`` = no asks); None when both are there."""
        ...


class BookGapsProxy(MarketDataProxy):
    """Market data by another one, its empty sides of books included."""

    def __init__(self, market_data: MarketData) -> None:
        super().__init__(market_data)
        self._gaps = market_data if isinstance(market_data, BookGaps) else None

    def missing_side(self, market: Market, symbol: str, at: datetime) -> Side | None:
        """Return the side of a book that is empty."""
        return self._gaps.missing_side(market, symbol, at) if self._gaps else None


class Taken(Struct, frozen=True, kw_only=True):
    """Base quantity that own trades took from one side of a book and that is not yet back."""

    quantity: Decimal
    at: datetime

    def left(self, at: datetime, half_life_seconds: float) -> Decimal:
        """Return what is still missing at ``at``."""
        half_lives = (at - self.at).total_seconds() / half_life_seconds
        if half_lives > FORGOTTEN_HALF_LIVES:
            return ZERO
        decay = 0.5**half_lives
        return (self.quantity * Decimal(decay)).quantize(BPS * BPS)


def ladder(instrument: Instrument, side: Side, middle: Decimal, liquidity: Liquidity) -> Iterator[Level]:
    """Yield the levels that an order of ``side`` would take, best first, on the instrument's grids."""
    touch = middle * (ONE + side.sign * liquidity.half_spread_bps * BPS)
    buys, tick, lot = side is Side.BUY, instrument.tick, instrument.lot
    price, quantity = ZERO, ZERO
    for factor, share in _SHAPE:
        level = ceil_to_step(touch * factor, tick) if buys else floor_to_step(touch / factor, tick)
        if level != price:
            if quantity:
                yield Level(price, quantity)
            price, quantity = level, ZERO
        if level > 0:
            quantity += floor_to_step(liquidity.depth_notional * share / level, lot)
    if quantity:
        yield Level(price, quantity)


class Ladder:
    """The levels of one side of a book, each computed at its first use, and then kept."""

    def __init__(self, levels: Iterator[Level]) -> None:
        self._known: list[Level] = []
        self._coming = levels
        self._whole: tuple[Level, ...] | None = None

    def __iter__(self) -> Iterator[Level]:
        return self._walk() if self._whole is None else iter(self._whole)

    @property
    def first(self) -> Level | None:
        """The best level; None when there is none."""
        return self._known[0] if self._known or self._one_more() else None

    @property
    def whole(self) -> tuple[Level, ...]:
        """Every level."""
        if self._whole is None:
            self._known.extend(self._coming)
            self._whole = tuple(self._known)
        return self._whole

    def _walk(self) -> Iterator[Level]:
        number = 0
        while number < len(self._known) or self._one_more():
            yield self._known[number]
            number += 1

    def _one_more(self) -> bool:
        level = next(self._coming, None)
        if level is not None:
            self._known.append(level)
        return level is not None


def bottomless(middle: Decimal) -> Iterator[Level]:
    """Yield one level without end at exactly the middle price."""
    yield Level(middle, BOTTOMLESS)


def after_taking(levels: Iterable[Level], taken: Decimal, lot: Decimal) -> Iterator[Level]:
    """Yield what is left of ``levels`` when ``taken`` is gone from the best ones."""
    missing = taken
    for level in levels:
        if not missing:
            yield level  # nothing is gone from here on
            continue
        left = level.quantity - missing
        missing = max(ZERO, -left)
        on_lot = left - left % lot
        if on_lot > 0:
            yield Level(level.price, on_lot)


def sweep(levels: Iterable[Level], side: Side, limit: Decimal, quantity: Decimal) -> tuple[Level, ...]:
    """Return the trades of an order that takes ``levels``: price-time priority, never beyond its limit price."""
    trades: list[Level] = []
    open_quantity = quantity
    for level in levels:
        if open_quantity <= 0 or (level.price - limit) * side.sign > 0:
            break
        taken = min(open_quantity, level.quantity)
        trades.append(Level(level.price, taken))
        open_quantity -= taken
    return tuple(trades)


def best(levels: Iterator[Level]) -> Level | None:
    """Return the first level; None when there is none."""
    return next(levels, None)
