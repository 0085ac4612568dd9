"""The best that hindsight could have done: a dynamic programme over cash and every symbol, one position at a time.

Funding is all that it earns, costs are those of the backtest. A position is changed only when a check could have: at a
check's time or after its guard, while the pair has readable prices; in a gap a hedge can be kept. So no policy that
makes these checks earns more at the same costs. O(stamps x symbols) time.
"""

from typing import Any, NamedTuple

import numpy as np

from hedgerow.backtest.compiling import compiled
from hedgerow.backtest.tables import NEVER_MS, Flags, Floats, Grid, Ints, Tables

__all__ = ["Bound", "Opportunities", "best_path", "bound_of", "opportunities_of"]

YEAR_MS = 8760 * 3_600_000.0
CASH = -1


class Opportunities(NamedTuple):
    """What could be earned and when positions could be changed: one row per time at which anything settles."""

    stamp_ms: Ints
    reward: Floats
    """Rate that a short is paid; -inf = the pair cannot be held then."""
    may_open: Flags
    """Whether it can be opened after the stamp before and in time for this one."""
    may_close: Flags
    first_ms: Ints
    """Earliest time of that at which it can be traded, ..."""
    last_ms: Ints
    """... and the latest one."""
    open_cost: Floats
    """Fraction of notional, by symbol."""
    close_cost: Floats
    start_ms: int
    end_ms: int


class Bound(NamedTuple):
    """The best path."""

    value: float
    """What it earns over the whole window, a fraction of notional, the hurdle taken off."""
    held: Ints
    """The symbol that is paid at each stamp; -1 = none."""
    entries: int
    cost: float
    """What its trades cost, a fraction of notional."""


def opportunities_of(tables: Tables) -> Opportunities:
    """Return what hindsight chooses from."""
    grid, books = tables.grid, tables.books
    inside = (tables.stamp_ms > grid.start_ms) & (tables.stamp_ms <= grid.end_ms)
    stamps = np.unique(tables.stamp_ms[inside])
    reward = np.zeros((len(stamps), len(tables.symbols)))
    number, symbol = np.nonzero(inside)
    reward[np.searchsorted(stamps, tables.stamp_ms[number, symbol]), symbol] = tables.rate[number, symbol]
    cut = _last_hold(tables)
    reward[stamps[:, None] > cut[None, :]] = -np.inf
    first, last = _chances(tables, stamps, cut)
    may_close = last >= 0
    cost = books.spot_fee + books.spot_half_spread + books.perp_fee + books.perp_half_spread
    return Opportunities(
        stamp_ms=stamps,
        reward=reward,
        may_open=may_close & (first < np.minimum(tables.ended_ms, NEVER_MS)[None, :]),
        may_close=may_close,
        first_ms=first,
        last_ms=last,
        open_cost=cost,
        close_cost=cost.copy(),
        start_ms=grid.start_ms,
        end_ms=grid.end_ms,
    )


def _last_hold(tables: Tables) -> Ints:
    """Return until when each pair can be held: a pair whose prices end is closed at the next check."""
    found = np.full(len(tables.symbols), NEVER_MS, dtype=np.int64)
    checks = np.nonzero(tables.step >= 0)[0]
    for symbol, ended in enumerate(tables.ended_ms):
        later = checks[tables.row_ms[checks] >= ended]
        if ended < NEVER_MS and len(later):
            acting = tables.act[later[0], symbol]
            found[symbol] = tables.row_ms[acting] if acting >= 0 else tables.grid.end_ms
    return found


def _chances(tables: Tables, stamps: Ints, cut: Ints) -> tuple[Ints, Ints]:
    """Return the first and the last time before each stamp, after the one before, at which a pair can be traded."""
    shape = (len(stamps) + 1, len(tables.symbols))
    first, last = np.full(shape, NEVER_MS, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
    checks = np.nonzero(tables.step >= 0)[0]
    following = np.append(tables.step[checks[1:]], tables.grid.steps)
    at = _check_ms(tables.grid, tables.step[checks])
    until = _check_ms(tables.grid, following - 1)
    for symbol in range(shape[1]):
        acting = tables.act[checks, symbol]
        seen = np.maximum(acting, 0)
        able = (acting >= 0) & tables.readable[seen, symbol]
        able |= (acting >= 0) & (tables.row_ms[seen] == cut[symbol])
        _note(first[:, symbol], last[:, symbol], stamps, np.maximum(tables.row_ms[seen], at)[able])
        more = tables.readable[checks, symbol] & (until > at)
        _note(first[:, symbol], last[:, symbol], stamps, at[more] + tables.grid.cycle_ms)
        _note(first[:, symbol], last[:, symbol], stamps, until[more])
    return first[:-1], last[:-1]


def _note(first: Ints, last: Ints, stamps: Ints, at: Ints) -> None:
    place = np.searchsorted(stamps, at, side="right")
    np.minimum.at(first, place, at)
    np.maximum.at(last, place, at)


def _check_ms(grid: Grid, step: Ints) -> Ints:
    return grid.start_ms + step * grid.cycle_ms


def bound_of(opportunities: Opportunities, *, hurdle_apr: float = 0.0) -> Bound:
    """Return the best path; ``hurdle_apr`` is taken off for the time in which something is held."""
    shape = opportunities.reward.shape
    keep, target = np.zeros(shape, dtype=np.bool_), np.full(shape[0], CASH, dtype=np.int64)
    value = float(best_path(opportunities, hurdle_apr / YEAR_MS, keep, target))
    held, entries, cost = _followed(opportunities, keep, target)
    return Bound(value=value, held=held, entries=int(entries), cost=float(cost))


@compiled
def best_path(chances: Opportunities, hurdle: float, keep: Any, target: Any) -> float:
    """Return the value of the best path; fills whether to keep each symbol, and what to open, before each stamp."""
    stamps, symbols = chances.reward.shape
    value = -chances.close_cost - hurdle * (chances.end_ms - (chances.stamp_ms[-1] if stamps else chances.start_ms))
    cash = 0.0
    for row in range(stamps - 1, -1, -1):
        before = chances.stamp_ms[row - 1] if row else chances.start_ms
        best = cash
        for symbol in range(symbols):
            value[symbol] += chances.reward[row, symbol] - hurdle * (chances.stamp_ms[row] - before)
            if chances.may_open[row, symbol]:
                saved = hurdle * (chances.last_ms[row, symbol] - before)
                opened = value[symbol] - chances.open_cost[symbol] + saved
                if opened > best:
                    best, target[row] = opened, symbol
        for symbol in range(symbols):
            keep[row, symbol] = True
            if chances.may_close[row, symbol]:
                charged = hurdle * (chances.first_ms[row, symbol] - before)
                left = best - chances.close_cost[symbol] - charged
                if left > value[symbol]:
                    value[symbol], keep[row, symbol] = left, False
        cash = best
    return cash


@compiled
def _followed(chances: Opportunities, keep: Any, target: Any) -> tuple[Ints, int, float]:
    """Return what the best path holds at each stamp, how often it opens, and its costs."""
    rows = len(chances.stamp_ms)
    held = np.full(rows, CASH, np.int64)
    now, entries, cost = CASH, 0, 0.0
    for row in range(rows):
        if now >= 0 and not keep[row, now]:
            cost += chances.close_cost[now]
            now = CASH
        if now < 0 and target[row] >= 0:
            now = target[row]
            entries += 1
            cost += chances.open_cost[now]
        held[row] = now
    if now >= 0:
        cost += chances.close_cost[now]
    return held, entries, float(cost)
