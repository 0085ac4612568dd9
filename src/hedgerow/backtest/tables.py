"""Market history as arrays of rows: one row for each time at which a check can see something else than the one before.

Times are milliseconds since the epoch. A row belongs to a check (``step`` counts checks from the start), or is the time
to which the settlement guard puts off what a check decided. What is visible at a row was known at its time: an hour's
close from the end of its hour and for two hours, a settled rate from its own stamp.
"""

from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from hedgerow.domain.instrument import Market
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.history.series import (
    DAMPER,
    HOUR_MS,
    INTEREST_PER_8H,
    MAX_HELD_MS,
    NO_INTEREST,
    RATE_BOUND,
    STALE_PRINTS,
    FundingSeries,
    PriceSeries,
    to_ms,
)

__all__ = ["NEVER_MS", "Books", "Grid", "Tables", "build_tables"]

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]

NEVER_MS = 1 << 62
DEFAULT_INTERVAL_HOURS = 8
RATE_DIGITS = 8
BASIS_DIGITS = 13
"""A basis is rounded to so many decimals, so that one exactly at a limit is compared as the decimal number it is."""


class Grid(Struct, frozen=True, kw_only=True):
    """The checks of a window."""

    start_ms: int
    end_ms: int
    """Checks are made before it; what is held is closed at it."""
    cycle_ms: int
    guard_ms: int
    """Nothing is traded nearer to a settlement of the pair; 0 = no guard."""

    @classmethod
    def of(cls, start: datetime, end: datetime, cycle_seconds: float, guard_seconds: float) -> "Grid":
        """Return the grid of a window."""
        cycle, guard = round(cycle_seconds * 1000), round(guard_seconds * 1000)
        return cls(start_ms=to_ms(start), end_ms=to_ms(end), cycle_ms=cycle, guard_ms=guard)

    @property
    def steps(self) -> int:
        """How many checks there are."""
        return -((self.start_ms - self.end_ms) // self.cycle_ms)

    @property
    def years(self) -> float:
        """Length in years of 8760 hours."""
        return (self.end_ms - self.start_ms) / HOUR_MS / 8760.0


class Books(Struct, frozen=True, kw_only=True):
    """What trading costs beside the middle prices, one number per symbol; fractions of the traded notional."""

    spot_fee: Floats
    perp_fee: Floats
    spot_half_spread: Floats
    perp_half_spread: Floats
    volume: Floats
    """24 h quote volume of the perpetual."""
    lot: Floats
    """Coarser lot of both legs, coins."""
    spot_lot: Floats
    coin_fee: Floats
    """1 where a spot purchase pays its fee in coin, else 0."""

    @classmethod
    def of(cls, market_data: ArchiveMarketData, *, bottomless: bool) -> "Books":
        """Return fees, lots and declared books of all pairs.

        Bottomless books have no spread, and spot fees are then paid in USDT.
        """

        def half(market: Market) -> Floats:
            shapes = [market_data.liquidity(market, pair.symbol, market_data.start) for pair in market_data.pairs]
            return np.array([0.0 if bottomless else float(shape.half_spread_bps) / 1e4 for shape in shapes])

        pairs = market_data.pairs
        return cls(
            spot_fee=np.array([float(pair.spot.fees.taker) for pair in pairs]),
            perp_fee=np.array([float(pair.perp.fees.taker) for pair in pairs]),
            spot_half_spread=half(Market.SPOT),
            perp_half_spread=half(Market.PERP),
            volume=np.array([float(market_data.volume(pair.symbol, market_data.start)) for pair in pairs]),
            lot=np.array([float(pair.lot_step) for pair in pairs]),
            spot_lot=np.array([float(pair.spot.lot) for pair in pairs]),
            coin_fee=np.full(len(pairs), 0.0 if bottomless else 1.0),
        )


class Tables(Struct, frozen=True, kw_only=True):
    """Everything the rules can see, time-major: ``[row, symbol]``; prints are ``[number, symbol]``."""

    symbols: tuple[str, ...]
    grid: Grid
    books: Books
    row_ms: Ints
    step: Ints
    """Number of the check; -1 = a time after the guard."""
    spot: Floats
    perp: Floats
    mark: Floats
    readable: Flags
    """Whether the pair has prices that are not too old."""
    known: Ints
    """How many settled rates are known."""
    predicted: Floats
    """Estimate of the next rate; NaN = unknown."""
    basis: Floats
    """(perpetual bid - spot ask) / spot ask."""
    act: Ints
    """Row of the time at which an order that is decided on in this row may be sent: later only within the guard."""
    ended_ms: Ints
    """From when on the pair is closed because its last price of all is known, by symbol."""
    stamp_ms: Ints
    rate: Floats
    hours: Floats
    paid_mark: Floats
    """Mark at which each settlement is paid: the newest one known at its stamp."""
    prints: Ints
    """How many settled rates there are, by symbol."""


def build_tables(market_data: ArchiveMarketData, grid: Grid, books: Books, *, every_check: bool = False) -> Tables:
    """Return the tables of a window; with a row for ``every_check`` they say nothing more."""
    symbols = tuple(pair.symbol for pair in market_data.pairs)
    series = [market_data.series(symbol) for symbol in symbols]
    row_ms, step = _rows(grid, series, every_check=every_check)
    columns = [
        _column(symbol, row_ms, *each, by_premium=market_data.predicts_by_premium(symbol))
        for symbol, each in zip(symbols, series, strict=True)
    ]
    visible: dict[str, NDArray[Any]] = {
        name: np.ascontiguousarray(np.stack([column[name] for column in columns], axis=1)) for name in columns[0]
    }
    interval = visible.pop("interval")
    spot, perp = visible["spot"], visible["perp"]
    ask, bid = spot * (1.0 + books.spot_half_spread), perp * (1.0 - books.perp_half_spread)
    ended = [prices.known[-1] for prices, _ in series]
    return Tables(
        symbols=symbols,
        grid=grid,
        books=books,
        row_ms=row_ms,
        step=step,
        basis=np.round((bid - ask) / ask, BASIS_DIGITS),
        act=_acting_rows(grid, row_ms, interval),
        ended_ms=np.array([at if at < grid.end_ms else NEVER_MS for at in ended], dtype=np.int64),
        prints=np.array([len(funding.times) for _, funding in series], dtype=np.int64),
        **visible,
        **_prints(series),
    )


def _rows(grid: Grid, series: list[tuple[PriceSeries, FundingSeries]], *, every_check: bool) -> tuple[Ints, Ints]:
    """Return times and check numbers of all rows."""
    changes: list[Ints] = [np.array([grid.start_ms], dtype=np.int64)]
    for prices, funding in series:
        known, stamps = _ints(prices.known), _ints(funding.times)
        hours = _ints(funding.hours)
        changes += [known, known + MAX_HELD_MS, stamps, stamps + STALE_PRINTS * hours * HOUR_MS]
    full_hours = np.arange(-(-grid.start_ms // HOUR_MS), grid.end_ms // HOUR_MS + 2, dtype=np.int64) * HOUR_MS
    changes.append(full_hours)  # estimates start again at settlements
    at = np.unique(np.concatenate(changes))
    steps = [-((grid.start_ms - at) // grid.cycle_ms)]
    guarded: Ints = np.empty(0, dtype=np.int64)
    if grid.guard_ms:
        intervals = {int(each) for _, funding in series for each in funding.hours} | {DEFAULT_INTERVAL_HOURS}
        settlements = [full_hours[full_hours % (each * HOUR_MS) == 0] for each in intervals]
        guarded, near = _guarded(grid, np.unique(np.concatenate(settlements)))
        steps.append(near)
    if every_check:
        steps.append(np.arange(grid.steps, dtype=np.int64))
    step = np.unique(np.concatenate(steps))
    step = step[(step >= 0) & (step < grid.steps)]
    checks = grid.start_ms + step * grid.cycle_ms
    later = np.setdiff1d(guarded[(guarded > grid.start_ms) & (guarded < grid.end_ms)], checks)
    row_ms = np.concatenate([checks, later])
    order = np.argsort(row_ms, kind="stable")
    numbers = np.concatenate([step, np.full(len(later), -1, dtype=np.int64)])
    return np.ascontiguousarray(row_ms[order]), np.ascontiguousarray(numbers[order])


def _guarded(grid: Grid, settlements: Ints) -> tuple[Ints, Ints]:
    """Return the times to which trading near a settlement is put off, and the checks that are so near."""
    span = np.arange(-(grid.guard_ms // grid.cycle_ms) - 1, grid.guard_ms // grid.cycle_ms + 2, dtype=np.int64)
    nearest = (settlements - grid.start_ms) // grid.cycle_ms
    steps = (nearest[:, None] + span[None, :]).ravel()
    distance = np.abs((grid.start_ms + steps * grid.cycle_ms) - np.repeat(settlements, len(span)))
    near = distance < grid.guard_ms
    return np.unique(np.repeat(settlements, len(span))[near] + grid.guard_ms), np.unique(steps[near])


def _acting_rows(grid: Grid, row_ms: Ints, interval: Ints) -> Ints:
    length = interval * HOUR_MS
    at = row_ms[:, None]
    last = at - at % length
    to_next = last + length - at
    until = np.where(to_next < grid.guard_ms, last + length + grid.guard_ms, last + grid.guard_ms)
    free = (at - last >= grid.guard_ms) & (to_next >= grid.guard_ms)
    found = np.searchsorted(row_ms, np.where(free, at, until))
    # What the guard puts off to the end of the window or later is not done in it.
    return np.ascontiguousarray(np.where(found < len(row_ms), found, -1).astype(np.int64))


def _column(
    symbol: str, row_ms: Ints, prices: PriceSeries, funding: FundingSeries, *, by_premium: bool
) -> dict[str, NDArray[Any]]:
    """Return what is visible of one pair at each row."""
    known_ms, count = _ints(prices.known), len(prices.known)
    newest = np.searchsorted(known_ms, row_ms, side="right") - 1
    shown = np.clip(newest, 0, count - 1)
    readable = (newest >= 0) & (row_ms - known_ms[shown] < MAX_HELD_MS)
    known = np.searchsorted(_ints(funding.times), row_ms, side="right")
    last = np.clip(known - 1, 0, len(funding.times) - 1)
    hours = np.where(known > 0, _ints(funding.hours)[last], DEFAULT_INTERVAL_HOURS)
    estimate = _floats(funding.rates)[last]
    if by_premium:
        estimate = _by_premium(symbol, row_ms, hours, prices, shown)
    stale = row_ms - _ints(funding.times)[last] >= STALE_PRINTS * hours * HOUR_MS
    return {
        "spot": np.where(newest >= 0, _floats(prices.spot)[shown], np.nan),
        "perp": np.where(newest >= 0, _floats(prices.perp)[shown], np.nan),
        "mark": np.where(newest >= 0, _floats(prices.mark)[shown], np.nan),
        "readable": readable,
        "known": known.astype(np.int64),
        "predicted": np.where(readable & (known > 0) & ~stale, estimate, np.nan),
        "interval": hours,
    }


def _by_premium(symbol: str, row_ms: Ints, hours: Ints, prices: PriceSeries, newest: Ints) -> Floats:
    """Return the estimates of ``ArchiveMarketData.predicted``, row by row."""
    known_ms, before = _ints(prices.known), _floats(prices.premium_before)
    since = row_ms - row_ms % (hours * HOUR_MS)
    after = np.searchsorted(known_ms, since, side="right")
    held = np.clip(after - 1, 0, len(known_ms) - 1)
    first = np.where((after > 0) & (since - known_ms[held] < MAX_HELD_MS), held, after)
    closes = newest + 1 - first
    premium = (before[newest + 1] - before[np.minimum(first, newest)]) / np.maximum(closes, 1)
    interest = 0.0 if symbol in NO_INTEREST else INTEREST_PER_8H
    damped = np.minimum(np.maximum(interest - premium, -DAMPER), DAMPER)
    rate = np.clip((premium + damped) * hours / 8, -RATE_BOUND, RATE_BOUND)
    return np.round(rate, RATE_DIGITS)


def _prints(series: list[tuple[PriceSeries, FundingSeries]]) -> dict[str, NDArray[Any]]:
    longest = max(len(funding.times) for _, funding in series)
    found: dict[str, NDArray[Any]] = {"stamp_ms": np.full((longest, len(series)), NEVER_MS, dtype=np.int64)}
    for name in ("rate", "hours", "paid_mark"):
        found[name] = np.zeros((longest, len(series)))
    for index, (prices, funding) in enumerate(series):
        count, stamps = len(funding.times), _ints(funding.times)
        mark = np.searchsorted(_ints(prices.known), stamps, side="right") - 1
        found["stamp_ms"][:count, index] = stamps
        found["rate"][:count, index] = _floats(funding.rates)
        found["hours"][:count, index] = _floats(funding.hours)
        found["paid_mark"][:count, index] = np.where(mark >= 0, _floats(prices.mark)[np.maximum(mark, 0)], np.nan)
    return found


def _ints(values: Any) -> Ints:
    return np.array(values, dtype=np.int64)


def _floats(values: Any) -> Floats:
    return np.array(values, dtype=np.float64)
