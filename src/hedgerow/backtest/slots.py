"""The best that hindsight could have done with K equal slots, at most one of them per symbol: a network flow.

K units flow through a network of time: cash from one stamp to the next, a symbol from one stamp to the next (at most
one unit, paid its rate), and between cash and symbols where they can be traded. The flow of greatest value is found by
K successive longest paths (shortest ones over costs that potentials keep positive), each O(stamps x symbols x log).
"""

from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np

from hedgerow.backtest.bound import YEAR_MS, Opportunities
from hedgerow.backtest.compiling import compiled
from hedgerow.backtest.tables import Flags

__all__ = ["Slots", "best_slots"]

CASH, HOLD, OPENING, CLOSING = range(4)
"""Kinds of arcs."""
UNREACHED = np.inf
TINY = 1e-12
"""A path that gains no more than this is cash."""


class Slots(NamedTuple):
    """The best flow."""

    value: float
    """What all slots earn over the whole window, fractions of one slot's notional, the hurdle taken off."""
    held: Flags
    """Whether a symbol is paid for, ``[stamp, symbol]``."""
    entries: int


def best_slots(chances: Opportunities, slots: int, *, hurdle_apr: float = 0.0) -> Slots:
    """Return the best use of so many slots; ``hurdle_apr`` is taken off for the time in which one is used."""
    stamps, symbols = chances.reward.shape
    flow = np.zeros((stamps + 1, symbols, 4), dtype=np.int64)
    value = _flow(chances, slots, hurdle_apr / YEAR_MS, flow)
    opened = int(np.sum(flow[:, :, OPENING]))
    return Slots(value=float(value), held=flow[:stamps, :, HOLD] > 0, entries=opened)


@compiled
def _gain(chances: Opportunities, hurdle: float, row: int, symbol: int, kind: int) -> float:
    """Return what one unit gains on an arc that leaves stamp ``row``; -inf = there is no such arc."""
    stamps = len(chances.stamp_ms)
    before = chances.stamp_ms[row - 1] if row else chances.start_ms
    if kind == HOLD:
        if row == stamps:
            return -np.inf
        return chances.reward[row, symbol] - hurdle * (chances.stamp_ms[row] - before)
    if row == stamps:
        return -chances.close_cost[symbol] - hurdle * (chances.end_ms - before) if kind == CLOSING else -np.inf
    if kind == OPENING:
        saved = hurdle * (chances.last_ms[row, symbol] - before)
        return saved - chances.open_cost[symbol] if chances.may_open[row, symbol] else -np.inf
    charged = hurdle * (chances.first_ms[row, symbol] - before)
    return -chances.close_cost[symbol] - charged if chances.may_close[row, symbol] else -np.inf


@compiled
def _first_potentials(chances: Opportunities, hurdle: float, potential: Any) -> None:
    """Fill the costs of the cheapest way to each node from the start, ``[row, 0]`` cash and ``[row, 1 + symbol]``."""
    stamps, symbols = chances.reward.shape
    potential[:, :] = UNREACHED
    potential[0, 0] = 0.0
    for row in range(stamps + 1):
        if row:
            potential[row, 0] = potential[row - 1, 0]
            for symbol in range(symbols):
                gain = _gain(chances, hurdle, row - 1, symbol, HOLD)
                potential[row, 1 + symbol] = potential[row - 1, 1 + symbol] - gain
        for symbol in range(symbols):
            gain = _gain(chances, hurdle, row, symbol, CLOSING)
            potential[row, 0] = min(potential[row, 0], potential[row, 1 + symbol] - gain)
        for symbol in range(symbols):
            gain = _gain(chances, hurdle, row, symbol, OPENING)
            potential[row, 1 + symbol] = min(potential[row, 1 + symbol], potential[row, 0] - gain)


@compiled
def _relax(cost: Any, heap: Any, potential: Any, came: Any, here: int, there: int, length: float, arc: int) -> None:
    """Note a shorter way to a node."""
    width = cost.shape[1]
    row, place = there // width, there % width
    if not np.isfinite(length) or not np.isfinite(potential[row, place]):
        return
    reduced = length + potential[here // width, here % width] - potential[row, place]
    through = cost[here // width, here % width] + max(reduced, 0.0)
    if through < cost[row, place]:
        cost[row, place] = through
        came[row, place, 0], came[row, place, 1] = here, arc
        heappush(heap, (through, there))


@compiled
def _expand_cash(
    chances: Opportunities,
    hurdle: float,
    flow: Any,
    cash: Any,
    potential: Any,
    cost: Any,
    came: Any,
    heap: Any,
    at: int,
) -> None:
    """Look along the arcs of a node of cash; an arc is noted by its kind, negative when it is gone back."""
    width = cost.shape[1]
    row = at // width
    if row < len(chances.stamp_ms):
        _relax(cost, heap, potential, came, at, at + width, 0.0, 1 + CASH)
    if row and cash[row - 1] > 0:
        _relax(cost, heap, potential, came, at, at - width, 0.0, -1 - CASH)
    for symbol in range(width - 1):
        gain = _gain(chances, hurdle, row, symbol, OPENING)
        _relax(cost, heap, potential, came, at, at + 1 + symbol, -gain, 1 + OPENING)
        if flow[row, symbol, CLOSING] > 0:
            gain = _gain(chances, hurdle, row, symbol, CLOSING)
            _relax(cost, heap, potential, came, at, at + 1 + symbol, gain, -1 - CLOSING)


@compiled
def _expand(
    chances: Opportunities,
    hurdle: float,
    flow: Any,
    cash: Any,
    potential: Any,
    cost: Any,
    came: Any,
    heap: Any,
    at: int,
) -> None:
    """Look along all arcs of a node with room, and back along those with a flow."""
    width = cost.shape[1]
    row, place = at // width, at % width
    stamps = len(chances.stamp_ms)
    if place == 0:
        _expand_cash(chances, hurdle, flow, cash, potential, cost, came, heap, at)
        return
    symbol = place - 1
    _relax(cost, heap, potential, came, at, at - place, -_gain(chances, hurdle, row, symbol, CLOSING), 1 + CLOSING)
    if flow[row, symbol, OPENING] > 0:
        _relax(cost, heap, potential, came, at, at - place, _gain(chances, hurdle, row, symbol, OPENING), -1 - OPENING)
    if row < stamps and flow[row, symbol, HOLD] == 0:
        _relax(cost, heap, potential, came, at, at + width, -_gain(chances, hurdle, row, symbol, HOLD), 1 + HOLD)
    if row and flow[row - 1, symbol, HOLD] > 0:
        _relax(cost, heap, potential, came, at, at - width, _gain(chances, hurdle, row - 1, symbol, HOLD), -1 - HOLD)


@compiled
def _augment(chances: Opportunities, hurdle: float, flow: Any, cash: Any, came: Any) -> float:
    """Send one unit along the way that was found; returns what it gains."""
    width = flow.shape[1] + 1
    at, gained = len(chances.stamp_ms) * width, 0.0
    while at != 0:
        before, arc = came[at // width, at % width, 0], came[at // width, at % width, 1]
        sign, kind = (1, arc - 1) if arc > 0 else (-1, -arc - 1)
        tail, head = (before, at) if sign > 0 else (at, before)
        row = tail // width
        if kind == CASH:
            cash[row] += sign
        else:
            symbol = (head if kind == OPENING else tail) % width - 1
            flow[row, symbol, kind] += sign
            gained += sign * _gain(chances, hurdle, row, symbol, kind)
        at = before
    return gained


@compiled
def _flow(chances: Opportunities, slots: int, hurdle: float, flow: Any) -> float:
    """Fill the best flow; returns its value."""
    stamps, symbols = chances.reward.shape
    potential, cost = np.empty((stamps + 1, symbols + 1)), np.empty((stamps + 1, symbols + 1))
    came = np.zeros((stamps + 1, symbols + 1, 2), np.int64)
    cash = np.zeros(stamps + 1, np.int64)
    _first_potentials(chances, hurdle, potential)
    value = 0.0
    for _ in range(slots):
        cost[:, :] = UNREACHED
        cost[0, 0] = 0.0
        heap = [(0.0, 0)]
        while len(heap) > 0:
            through, at = heappop(heap)
            if through <= cost[at // (symbols + 1), at % (symbols + 1)]:
                _expand(chances, hurdle, flow, cash, potential, cost, came, heap, at)
        gained = _augment(chances, hurdle, flow, cash, came)
        if gained <= TINY:
            break
        value += gained
        for row in range(stamps + 1):
            for place in range(symbols + 1):
                if np.isfinite(cost[row, place]):
                    potential[row, place] += cost[row, place]
    return value
