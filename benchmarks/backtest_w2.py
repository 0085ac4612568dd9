"""Work W2: W1's rules with 1,000 parameter sets, remembered trades beside a plain compiled loop over held steps.

Usage: python benchmarks/backtest_w2.py [--data DIR] [--sets N ...] [--vectorbt PYTHON]
DIR holds spot.npy, perp.npy and rate.npy of work W1 (default: HEDGEROW_W1); without it nothing is measured and the
reason is printed. A set gives equity, largest drawdown and trades; both ways must give the same bit for bit. Seconds
are those of the processor, of one core; compilation is not counted, tables and packing are. PYTHON is one that has
vectorbt installed (`pip install vectorbt` in a virtual environment of its own). It plays the trades of some sets, legs
and fees only, in the form that suits it best: what is traded when is given, and only the pairs that are held are shown.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from itertools import islice, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hedgerow.backtest.compiling import compiled_in_place
from hedgerow.backtest.sparse import sparse_zeros

PERIODS = (3, 5, 8, 10, 13, 16, 20, 24, 30, 40)
MULTIPLIERS = (1.0, 1.25, 1.5, 2.0, 3.0)
AGES = (144, 288, 576, 864, 2016)
LEAST_APRS = (0.05, 0.10, 0.15, 0.25)
GAINS = (0.10, *(0.05 + 0.01 * number for number in (*range(5), *range(6, 41))))
"""1,000 sets of each."""
STEPS = 96
"""Steps between settlements."""
CAPITAL, NOTIONAL, LOT, SPOT_FEE, PERP_FEE, STOP, REST = 20_000.0, 10_000.0, 1e-4, 0.001, 0.0005, -1_000.0, 48
LOOP_SETS = 20
PURSE = 1e6
"""Of vectorbt, so that it can pay every order although it is paid no funding."""
OPENINGS = 1 << 18
EXITS = 1 << 19
TILES = 64
S, BEGAN, PIECE, STOPPED, EARLIER, LAST, REST_K, COVERED, WHOLE = *range(8), 12
"""Of an opening: pair, step, settlements followed, the step of a stop and one, the opening of that step before it, its
newest exit, the settlement before its rest is over, and from COVERED on, for each multiplier, the step at which funding
covers the fees so often and one; 0 = none so far."""
Q, D0, FEE, FUND, NUMBERS = range(5)
"""Of an opening: quantity, spot - perpetual, fee, funding of the settlements that were followed."""
T, K, THEN, OTHER, EXIT_WHOLE = range(5)
"""Of an exit: its step and settlement, the opening made then, the exit of the opening before it."""
LEAST, MOST, MADE, EXIT_NUMBERS = range(4)
"""Of an exit: least and most PnL before it, and what the trade made."""
EQUITY, FALL, TRADES, PEAK, AT, HELD, STATE = range(7)
"""Of a group at work; AT is the step at which it holds or looks next, HELD the opening, -1 = none."""
M, AGE, KIND, G_FROM, G_TO, L_FROM, L_TO, BOX = range(8)
"""Of a group: place of the multiplier, age, which of both, and the places of its gains and of its limits."""


@compiled_in_place
def averages(rate: Any, periods: int, total: Any, apr: Any, best: Any, most: Any) -> None:
    """Fill APRs, the best pair and its APR by settlement."""
    count, pairs = rate.shape
    for k in range(count):
        for s in range(pairs):
            total[s] = 0.0
        for j in range(max(k - periods + 1, 0), k + 1):
            for s in range(pairs):
                total[s] += rate[j, s]
        for s in range(pairs):
            apr[k, s] = total[s] / periods * 1095.0 if k >= periods - 1 else -1e300
        best[k], most[k] = 0, apr[k, 0]
        for s in range(1, pairs):
            if apr[k, s] > most[k]:
                best[k], most[k] = s, apr[k, s]


@compiled_in_place
def leavings(apr: Any, most: Any, gain: float, following: Any) -> None:
    """Fill the next settlement at which each pair would be left for the best one."""
    count, pairs = apr.shape
    for s in range(pairs):
        following[count, s] = count
    for k in range(count - 1, -1, -1):
        for s in range(pairs):
            following[k, s] = k if most[k] - apr[k, s] >= gain else following[k + 1, s]


@compiled_in_place
def entries(most: Any, least: float, ahead: Any) -> None:
    """Fill the next settlement at which a pair pays enough."""
    count = len(most)
    ahead[count] = count
    for k in range(count - 1, -1, -1):
        ahead[k] = k if most[k] > least else ahead[k + 1]


@compiled_in_place
def held(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, rate: Any, apr: Any, best: Any, most: Any, rules: Any, log: Any
) -> Any:
    """Play a set step by step, looking at the held pair only; fills pair, opening and closing of each trade."""
    multiplier, age, least, gain = rules
    steps = spot.shape[1]
    equity = peak = CAPITAL
    fall, s, began, trades, k = 0.0, -1, 0, 0, -1
    q = d0 = fund = fee_in = 0.0
    for t in range(steps):
        if t % STEPS == 0:
            k = t // STEPS
            if s >= 0:
                fund += q * perp[s, t] * rate[k, s]
        if s >= 0:
            u = q * (spot[s, t] - perp[s, t] - d0) + fund - fee_in
            ends = u < STOP or fund >= multiplier * (2.0 * fee_in) or t - began >= age
            if ends or (t - began >= REST and most[k] - apr[k, s] >= gain) or t == steps - 1:
                equity += u - q * (spot[s, t] * SPOT_FEE + perp[s, t] * PERP_FEE)
                log[trades, 0], log[trades, 1], log[trades, 2] = s, began, t
                trades += 1
                s = -1
        if s < 0 and t < steps - 1 and most[k] > least:
            s, began, fund = best[k], t, 0.0
            q = np.floor(NOTIONAL / spot[s, t] / LOT) * LOT
            d0 = spot[s, t] - perp[s, t]
            fee_in = q * (spot[s, t] * SPOT_FEE + perp[s, t] * PERP_FEE)
        e = equity
        if s >= 0:
            e = equity + (q * (spot[s, t] - perp[s, t] - d0) + fund - fee_in)
        peak = max(peak, e)
        fall = max(fall, 1.0 - e / peak)
    return equity, fall, trades


@compiled_in_place
def extremes(spot: Any, perp: Any, s: int, first: int, end: int) -> Any:
    """Return least and most of spot - perpetual in steps."""
    least, most = np.inf, -np.inf
    for t in range(first, end):
        d = spot[s, t] - perp[s, t]
        least, most = min(least, d), max(most, d)
    return least, most


@compiled_in_place
def packed(spot: Any, perp: Any, low: Any, high: Any, s: int, k: int) -> Any:
    """Return the extremes of spot - perpetual between two settlements, looked for where they were not yet."""
    if not high[k, s] >= low[k, s]:
        low[k, s], high[k, s] = extremes(spot, perp, s, k * STEPS, (k + 1) * STEPS)
    return low[k, s], high[k, s]


@compiled_in_place
def follow(  # noqa: C901, PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, rate: Any, low: Any, high: Any, its: Any, own: Any, multipliers: Any, last: int
) -> None:
    """Follow an opening from settlement to settlement up to piece ``last``, or to a stop."""
    s, began, piece = own[S], own[BEGAN], own[PIECE]
    q, d0, fee_in, fund = its[Q], its[D0], its[FEE], its[FUND]
    while piece <= last and own[STOPPED] == 0:
        k = began // STEPS + piece
        if k >= low.shape[0]:
            break
        first = began if piece == 0 else k * STEPS
        if piece:
            fund += q * perp[s, first] * rate[k, s]
            for m in range(len(multipliers)):
                if own[COVERED + m] == 0 and fund >= multipliers[m] * (2.0 * fee_in):
                    own[COVERED + m] = first + 1
            least, _ = packed(spot, perp, low, high, s, k)
        else:
            least, _ = extremes(spot, perp, s, began, (k + 1) * STEPS)
        if q * (least - d0) + fund - fee_in < STOP:
            for t in range(first + (piece == 0), (k + 1) * STEPS):
                if q * (spot[s, t] - perp[s, t] - d0) + fund - fee_in < STOP:
                    own[STOPPED] = t + 1
                    break
        piece += 1
    own[PIECE], its[FUND] = piece, fund


@compiled_in_place
def walked(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, rate: Any, low: Any, high: Any, own: Any, its: Any, until: int, equity: float, both: Any
) -> Any:
    """Return peak and drawdown after a hedge from its opening to before ``until``: step by step where it can fall."""
    peak, fall = both
    s, began, fund = own[S], own[BEGAN], 0.0
    for k in range(began // STEPS, (until - 1) // STEPS + 1):
        first, end = max(began, k * STEPS), min(until, (k + 1) * STEPS)
        if k > began // STEPS:
            fund += its[Q] * perp[s, first] * rate[k, s]
        if end - first == STEPS:
            least, most = packed(spot, perp, low, high, s, k)
            top = max(peak, equity + (its[Q] * (most - its[D0]) + fund - its[FEE]))
            if not 1.0 - (equity + (its[Q] * (least - its[D0]) + fund - its[FEE])) / top > fall:
                peak = top
                continue
        for t in range(first, end):
            e = equity + (its[Q] * (spot[s, t] - perp[s, t] - its[D0]) + fund - its[FEE])
            peak = max(peak, e)
            fall = max(fall, 1.0 - e / peak)
    return peak, fall


@compiled_in_place
def opened(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, heads: Any, numbers: Any, whole: Any, size: Any, s: int, t: int
) -> Any:
    """Return the number of an opening; -1 = no room."""
    entry = heads[t] - 1
    while entry >= 0:
        if whole[entry, S] == s:
            return entry
        entry = whole[entry, EARLIER] - 1
    entry = size[0]
    if entry >= len(whole):
        return -1
    size[0] += 1
    own, its = whole[entry], numbers[entry]
    q = np.floor(NOTIONAL / spot[s, t] / LOT) * LOT
    its[Q], its[D0] = q, spot[s, t] - perp[s, t]
    its[FEE] = q * (spot[s, t] * SPOT_FEE + perp[s, t] * PERP_FEE)
    own[S], own[BEGAN], own[REST_K], own[EARLIER], heads[t] = s, t, (t + REST) // STEPS, heads[t], entry + 1
    return entry


@compiled_in_place
def exit_at(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any,
    perp: Any,
    rate: Any,
    low: Any,
    high: Any,
    own: Any,
    its: Any,
    exits: Any,
    made: Any,
    size: Any,
    t: int,
) -> Any:
    """Return the number of an exit of an opening at a step; -1 = no room."""
    number = own[LAST] - 1
    while number >= 0:
        if exits[number, T] == t:
            return number
        number = exits[number, OTHER] - 1
    number = size[1]
    if number >= len(exits):
        return -1
    size[1] += 1
    exits[number, T], exits[number, K] = t, t // STEPS
    exits[number, OTHER], own[LAST] = own[LAST], number + 1
    remember(spot, perp, rate, low, high, own, its, t, made[number])
    return number


@compiled_in_place
def remember(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, rate: Any, low: Any, high: Any, own: Any, its: Any, t: int, made: Any
) -> None:
    """Fill least and most PnL before an exit, and what it made."""
    s, began, q, d0, fee_in, fund = own[S], own[BEGAN], its[Q], its[D0], its[FEE], 0.0
    least, most = np.inf, -np.inf
    for k in range(began // STEPS, t // STEPS + 1):
        first, end = max(began, k * STEPS), min(t, (k + 1) * STEPS)
        if k > began // STEPS:
            fund += q * perp[s, first] * rate[k, s]
        if end - first == STEPS:
            near, far = packed(spot, perp, low, high, s, k)
        else:
            near, far = extremes(spot, perp, s, first, end)
        if first < end:
            least, most = min(least, q * (near - d0) + fund - fee_in), max(most, q * (far - d0) + fund - fee_in)
    u = q * (spot[s, t] - perp[s, t] - d0) + fund - fee_in
    made[LEAST], made[MOST] = least, most
    made[MADE] = u - q * (spot[s, t] * SPOT_FEE + perp[s, t] * PERP_FEE)


@compiled_in_place
def copied(one: Any, other: Any) -> None:
    """Copy a row; numba's own copy allocates."""
    for column in range(len(one)):
        other[column] = one[column]


@compiled_in_place
def forked(boxes: Any, size: Any, number: int, side: int, at: int) -> Any:
    """Part the sets of a group at a place of gains or limits; returns the number of the group of the upper ones."""
    other = size[2]
    size[2] += 1
    copied(boxes[number], boxes[other])
    boxes[other, side] = boxes[number, side + 1] = at
    return other


@compiled_in_place
def left_flat(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    boxes: Any, nodes: Any, size: Any, number: int, most: Any, ahead: Any, leasts: Any, k: int
) -> None:
    """Part those sets from a group for which no pair pays enough at settlement ``k``; they hold nothing now."""
    first = boxes[number, L_FROM] + 1
    while most[k] > leasts[first]:
        first += 1
    state, other = nodes[number], nodes[forked(boxes, size, number, L_FROM, first)]
    other[EQUITY], other[TRADES] = state[EQUITY], state[TRADES]
    other[PEAK] = max(state[PEAK], state[EQUITY])
    other[FALL] = max(state[FALL], 1.0 - state[EQUITY] / other[PEAK])
    other[AT], other[HELD] = ahead[first, k + 1] * STEPS, -1


@compiled_in_place
def left_held(boxes: Any, nodes: Any, size: Any, number: int, gains: Any, paid_more: float) -> None:
    """Part those sets from a group that hold on although another pair pays so much more."""
    first = boxes[number, G_FROM] + 1
    while paid_more >= gains[first]:
        first += 1
    copied(nodes[number], nodes[forked(boxes, size, number, G_FROM, first)])


@compiled_in_place
def chained(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - compiled functions get their state as arguments
    spot: Any,
    perp: Any,
    rate: Any,
    low: Any,
    high: Any,
    apr: Any,
    best: Any,
    most: Any,
    following: Any,
    ahead: Any,
    multipliers: Any,
    heads: Any,
    numbers: Any,
    whole: Any,
    exits: Any,
    made: Any,
    classes: Any,
    size: Any,
    gains: Any,
    leasts: Any,
    boxes: Any,
    nodes: Any,
    found: Any,
) -> bool:
    """Play sets of one signal by chaining remembered trades; returns whether there was room.

    Sets that share multiplier and age, and differ in gains and limits that decided alike so far, are one group: played
    once, and parted where they decide otherwise. All groups are played through one part of the year before the next,
    so that what they look up stays near.
    """
    steps = spot.shape[1]
    for tile in range(TILES):
        until = min(steps * (tile + 1) // TILES, steps - 1)
        number = 0
        while number < size[2]:
            box, state = boxes[number], nodes[number]
            m, age, by_entry = box[M], box[AGE], classes[box[KIND]]
            place, leaves = box[L_FROM], following[box[G_FROM]]
            least = leasts[place]
            equity, fall, trades, peak = state[EQUITY], state[FALL], state[TRADES], state[PEAK]
            t, entry = int(state[AT]), int(state[HELD])
            while t < until:
                if entry < 0:
                    k = ahead[place, t // STEPS]
                    if k * STEPS > t:
                        t = k * STEPS
                        continue
                    if not most[k] > leasts[box[L_TO] - 1]:
                        state[EQUITY], state[FALL], state[TRADES], state[PEAK] = equity, fall, trades, peak
                        left_flat(boxes, nodes, size, number, most, ahead, leasts, k)
                    entry = opened(spot, perp, heads, numbers, whole, size, best[k], t)
                    if entry < 0:
                        return False
                own = whole[entry]
                number_of = by_entry[entry] - 1
                if number_of < 0:
                    last = min(own[BEGAN] + age, steps - 1)
                    follow(
                        *(spot, perp, rate, low, high, numbers[entry], own, multipliers),
                        last // STEPS - own[BEGAN] // STEPS,
                    )
                    if own[STOPPED] > 0:
                        last = min(last, own[STOPPED] - 1)
                    if own[COVERED + m] > 0:
                        last = min(last, own[COVERED + m] - 1)
                    number_of = exit_at(spot, perp, rate, low, high, own, numbers[entry], exits, made, size, last)
                    if number_of < 0:
                        return False
                    by_entry[entry] = number_of + 1
                k = leaves[own[REST_K], own[S]]
                left = own[BEGAN] + REST if k == own[REST_K] else k * STEPS
                if left < exits[number_of, T]:
                    if not most[k] - apr[k, own[S]] >= gains[box[G_TO] - 1]:
                        state[EQUITY], state[FALL], state[TRADES], state[PEAK] = equity, fall, trades, peak
                        state[AT], state[HELD] = t, entry
                        left_held(boxes, nodes, size, number, gains, most[k] - apr[k, own[S]])
                    number_of = exit_at(spot, perp, rate, low, high, own, numbers[entry], exits, made, size, left)
                    if number_of < 0:
                        return False
                its, result = exits[number_of], made[number_of]
                top = max(peak, equity + result[MOST])
                if 1.0 - (equity + result[LEAST]) / top > fall:
                    if top > peak:
                        top, fall = walked(
                            spot, perp, rate, low, high, own, numbers[entry], its[T], equity, (peak, fall)
                        )
                    else:
                        fall = 1.0 - (equity + result[LEAST]) / peak
                peak = top
                equity += result[MADE]
                trades += 1.0
                t, k = its[T], its[K]
                if t == steps - 1 or not most[k] > least:
                    peak = max(peak, equity)
                    fall = max(fall, 1.0 - equity / peak)
                    entry = -1
                    if t < steps - 1:
                        t = ahead[place, k + 1] * STEPS
                    continue
                if not most[k] > leasts[box[L_TO] - 1]:
                    state[EQUITY], state[FALL], state[TRADES], state[PEAK] = equity, fall, trades, peak
                    left_flat(boxes, nodes, size, number, most, ahead, leasts, k)
                if whole[its[THEN], S] == best[k] and whole[its[THEN], BEGAN] == t:
                    entry = its[THEN]
                else:
                    entry = opened(spot, perp, heads, numbers, whole, size, best[k], t)
                    if entry < 0:
                        return False
                    its[THEN] = entry
            state[EQUITY], state[FALL], state[TRADES], state[PEAK] = equity, fall, trades, peak
            state[AT], state[HELD] = t, entry
            number += 1
    for number in range(size[2]):
        for gain in range(boxes[number, G_FROM], boxes[number, G_TO]):
            for place in range(boxes[number, L_FROM], boxes[number, L_TO]):
                copied(nodes[number], found[boxes[number, KIND], gain, place])
    return True


def sets_of(count: int) -> Any:
    """Return gain, periods, entry limit, multiplier, age of so many sets; those of one signal side by side."""
    every = (
        (gain, periods, apr, multiplier, age)
        for gain in GAINS
        for periods, apr, age, multiplier in product(PERIODS, LEAST_APRS, AGES, MULTIPLIERS)
    )
    return np.array(list(islice(every, count)))


def all_chained(spot: Any, perp: Any, rate: Any, sets: Any) -> Any:
    """Play all sets, tables and packing included."""
    pairs, steps = spot.shape
    count = len(rate)
    low, high = np.full((count, pairs), np.inf), np.full((count, pairs), -np.inf)
    multipliers, leasts, gains = np.array(MULTIPLIERS), np.array(LEAST_APRS), np.unique(sets[:, 0])
    memory = (
        multipliers,
        sparse_zeros(np.int32, steps),
        sparse_zeros(np.float64, OPENINGS, NUMBERS),
        sparse_zeros(np.int32, OPENINGS, WHOLE),
        sparse_zeros(np.int32, EXITS, EXIT_WHOLE),
        sparse_zeros(np.float64, EXITS, EXIT_NUMBERS),
        sparse_zeros(np.int32, len(MULTIPLIERS) * len(AGES), OPENINGS),
        np.zeros(3, dtype=np.int64),
    )
    kinds = np.array([(m, age, m * len(AGES) + a) for m in range(len(MULTIPLIERS)) for a, age in enumerate(AGES)])
    following = np.empty((len(gains), count + 1, pairs), dtype=np.int16)
    apr = np.empty((count, pairs))
    boxes = np.empty((len(kinds) * len(gains) * len(leasts), BOX), dtype=np.int64)
    nodes, by_set = np.empty((len(boxes), STATE)), np.empty((len(kinds), len(gains), len(leasts), STATE))
    at = (
        np.searchsorted(MULTIPLIERS, sets[:, 3]) * len(AGES) + np.searchsorted(AGES, sets[:, 4]),
        np.searchsorted(gains, sets[:, 0]),
        np.searchsorted(leasts, sets[:, 2]),
    )
    found = np.empty((len(sets), STATE))
    for periods in np.unique(sets[:, 1]).tolist():
        own = sets[:, 1] == periods
        used = kinds[np.unique(at[0][own])]
        memory[-1][2] = len(used)
        boxes[: len(used)] = [(*kind, 0, len(gains), 0, len(leasts)) for kind in used.tolist()]
        nodes[: len(used)] = (CAPITAL, 0.0, 0.0, CAPITAL, 0.0, -1.0)
        _, best, most, ahead = signal_of(rate, int(periods), apr)
        for place, gain in enumerate(gains.tolist()):
            leavings(apr, most, gain, following[place])
        room = chained(
            *(spot, perp, rate, low, high, apr, best, most, following, ahead),
            *memory,
            *(gains, leasts, boxes, nodes, by_set),
        )
        if not room:
            raise MemoryError("too many openings")
        found[own] = by_set[at[0][own], at[1][own], at[2][own]]
    return found


def signal_of(rate: Any, periods: int, apr: Any) -> Any:
    """Return APRs, the best pair, its APR, and the next settlement at which it pays enough."""
    count, pairs = rate.shape
    best, most = np.empty(count, dtype=np.int64), np.empty(count)
    averages(rate, periods, np.empty(pairs), apr, best, most)
    ahead = np.empty((len(LEAST_APRS), count + 1), dtype=np.int64)
    for place, least in enumerate(LEAST_APRS):
        entries(most, least, ahead[place])
    return apr, best, most, ahead


def with_vectorbt(python: str, spot: Any, perp: Any, logs: Any) -> tuple[str, float]:
    """Play trades with vectorbt; returns its version and the seconds of a set, or raises where the money differs."""
    steps = spot.shape[1]
    close, size = np.ones((steps, 4 * len(logs))), np.full((steps, 4 * len(logs)), np.nan)
    wanted = np.full(len(logs), PURSE)
    for number, log in enumerate(logs):
        for index, (s, began, t) in enumerate(log.tolist()):
            q = np.floor(NOTIONAL / spot[s, began] / LOT) * LOT
            for leg, (prices, sign, fee) in enumerate(((spot, 1.0, SPOT_FEE), (perp, -1.0, PERP_FEE))):
                column = (
                    4 * number + 2 * (index % 2) + leg
                )  # the trade before ends in the step in which this one begins
                close[began : t + 1, column] = prices[s, began : t + 1]
                close[t + 1 :, column] = prices[s, t]
                size[began, column], size[t, column] = sign * q, -sign * q
                wanted[number] += sign * q * (prices[s, t] - prices[s, began])
                wanted[number] -= q * fee * (prices[s, t] + prices[s, began])
    fees = np.tile([SPOT_FEE, PERP_FEE], 2 * len(logs))
    with TemporaryDirectory() as folder:
        np.savez(Path(folder) / "orders.npz", close=close, size=size, fees=fees, cash=PURSE)
        script = Path(__file__).with_name("_vectorbt.py")
        done = subprocess.run(  # noqa: S603 - a Python that the caller names
            [python, str(script), f"{folder}/orders.npz"], check=True, capture_output=True, text=True
        )
    answer = json.loads(done.stdout.splitlines()[-1])
    if not np.allclose(answer["values"], wanted, rtol=1e-9):
        raise ValueError(f"vectorbt has {answer['values']} at the end instead of {wanted.tolist()}")
    return answer["version"], answer["seconds"]


def main() -> int:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("HEDGEROW_W1"))
    parser.add_argument("--sets", type=int, nargs="+", default=[1000, 40_000])
    parser.add_argument("--vectorbt", metavar="PYTHON")
    arguments = parser.parse_args()
    if arguments.data is None or not (Path(arguments.data) / "spot.npy").exists():
        print("W2 not measured: give --data DIR (or HEDGEROW_W1) with spot.npy, perp.npy and rate.npy")
        return 0
    spot, perp, rate = (np.load(Path(arguments.data) / f"{name}.npy") for name in ("spot", "perp", "rate"))
    all_chained(spot, perp, rate, sets_of(2))
    equal = True
    for count in arguments.sets:
        sets = sets_of(count)
        began = time.process_time()
        found = all_chained(spot, perp, rate, sets)
        fast = (time.process_time() - began) / count
        looped, logs = [], []
        for place in range(0, count, -(-count // LOOP_SETS)):
            gain, periods, least, multiplier, age = sets[place].tolist()
            apr, best, most, _ = signal_of(rate, int(periods), np.empty(rate.shape))
            rules = (multiplier, age, least, gain)
            log = np.empty((spot.shape[1], 3), dtype=np.int64)
            expected = held(spot, perp, rate, apr, best, most, rules, log)
            began = time.process_time()
            held(spot, perp, rate, apr, best, most, rules, log)
            looped.append(time.process_time() - began)
            logs.append(log[: expected[2]])
            equal = equal and tuple(found[place, :3].tolist()) == tuple(float(each) for each in expected)
        plain = float(np.median(looped))
        print(f"W2, {count:,} sets, {found[:, 2].mean():.0f} trades a set")
        print(f"  a plain loop over held steps       {plain * 1e6:10.1f} us a set")
        print(f"  remembered trades, end to end      {fast * 1e6:10.1f} us a set, {plain / fast:6.1f} times faster")
        if arguments.vectorbt:
            version, other = with_vectorbt(arguments.vectorbt, spot, perp, logs)
            print(f"  vectorbt {version:26}{other * 1e6:10.1f} us a set, {other / fast:6.0f} times slower")
    print(f"  results {'equal bit for bit' if equal else 'DIFFER'}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
