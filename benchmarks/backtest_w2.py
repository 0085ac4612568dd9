"""Work W2: W1's rules with 1,000 parameter sets, remembered trades beside a plain compiled loop over held steps.

Usage: python benchmarks/backtest_w2.py [--data DIR] [--sets N ...]
DIR holds spot.npy, perp.npy and rate.npy of work W1 (default: HEDGEROW_W1); without it nothing is measured and the
reason is printed. A set gives equity, largest drawdown and trades; both ways must give the same bit for bit. Seconds
are those of the processor, of one core; compilation is not counted, tables and packing are.
"""

import argparse
import os
import sys
import time
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np

from hedgerow.backtest.compiling import compiled_in_place

PERIODS = (3, 5, 8, 10, 13, 16, 20, 24, 30, 40)
MULTIPLIERS = (1.0, 1.25, 1.5, 2.0, 3.0)
AGES = (144, 288, 576, 864, 2016)
LEAST_APRS = (0.05, 0.10, 0.15, 0.25)
GAINS = (0.10, *(0.05 + 0.01 * number for number in range(40)))
STEPS = 96
"""Steps between settlements."""
CAPITAL, NOTIONAL, LOT, SPOT_FEE, PERP_FEE, STOP, REST = 20_000.0, 10_000.0, 1e-4, 0.001, 0.0005, -1_000.0, 48
LOOP_SETS = 20
OPENINGS = 1 << 18
PIECES = 24
"""Settlements that a hedge can be held over, and some."""
KEPT = 8
"""Exits that are remembered for each opening."""
PEAK, AT = 3, 4
"""Of a set at work, beside its equity, drawdown and trades: the highest equity, and the step it has come to."""
TILES = 64


@compiled_in_place
def signals(  # noqa: C901, PLR0913, PLR0917 - compiled functions get their state as arguments
    rate: Any, periods: int, gain: float, apr: Any, best: Any, most: Any, following: Any
) -> None:
    """Fill APRs, the best pair, its APR, and the next settlement at which each pair would be left for it."""
    count, pairs = rate.shape
    for k in range(count):
        best[k], most[k] = 0, -1e300
        for s in range(pairs):
            total = 0.0
            if k < periods - 1:
                apr[k, s] = -1e300
            else:
                for j in range(k - periods + 1, k + 1):
                    total += rate[j, s]
                apr[k, s] = total / periods * 1095.0
            if s == 0 or apr[k, s] > most[k]:
                best[k], most[k] = s, apr[k, s]
    for s in range(pairs):
        following[count, s] = count
    for k in range(count - 1, -1, -1):
        for s in range(pairs):
            following[k, s] = k if most[k] - apr[k, s] >= gain else following[k + 1, s]


@compiled_in_place
def held(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, rate: Any, apr: Any, best: Any, most: Any, rules: Any
) -> Any:
    """Play a set step by step, looking at the held pair only."""
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
def pack(spot: Any, perp: Any, low: Any, high: Any) -> None:
    """Fill the extremes of spot - perpetual between settlements."""
    pairs, steps = spot.shape
    for s in range(pairs):
        for k in range(steps // STEPS):
            least, most = np.inf, -np.inf
            for t in range(k * STEPS, (k + 1) * STEPS):
                d = spot[s, t] - perp[s, t]
                least, most = min(least, d), max(most, d)
            low[k, s], high[k, s] = least, most


@compiled_in_place
def extremes(spot: Any, perp: Any, s: int, first: int, end: int) -> Any:
    """Return least and most of spot - perpetual in steps."""
    least, most = np.inf, -np.inf
    for t in range(first, end):
        d = spot[s, t] - perp[s, t]
        least, most = min(least, d), max(most, d)
    return least, most


@compiled_in_place
def follow(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, rate: Any, low: Any, high: Any, numbers: Any, sums: Any, whole: Any, last: int
) -> None:
    """Follow an opening through the pieces between settlements up to piece ``last``, or to a stop."""
    s, began, piece = whole[0], whole[1], whole[2]
    q, d0, fee_in = numbers[0], numbers[1], numbers[2]
    count = low.shape[0]
    while piece <= last and whole[3] < 0:
        k = began // STEPS + piece
        if k >= count:
            break
        fund = sums[piece - 1, 0] if piece else 0.0
        first = began if piece == 0 else k * STEPS
        if piece:
            fund += q * perp[s, first] * rate[k, s]
            least, most = low[k, s], high[k, s]
        else:
            least, most = extremes(spot, perp, s, began, (k + 1) * STEPS)
        least, most = q * (least - d0) + fund - fee_in, q * (most - d0) + fund - fee_in
        if least < STOP:
            for t in range(first + (piece == 0), (k + 1) * STEPS):
                if q * (spot[s, t] - perp[s, t] - d0) + fund - fee_in < STOP:
                    whole[3] = t
                    break
        if piece:
            least, most = min(least, sums[piece - 1, 1]), max(most, sums[piece - 1, 2])
        sums[piece, 0], sums[piece, 1], sums[piece, 2] = fund, least, most
        piece += 1
    whole[2] = piece


@compiled_in_place
def walked(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, whole: Any, numbers: Any, sums: Any, until: int, equity: float, both: Any
) -> Any:
    """Return peak and drawdown after a hedge, step by step from its opening to before ``until``."""
    peak, fall = both
    s, began = whole[0], whole[1]
    for t in range(began, until):
        fund = sums[t // STEPS - began // STEPS, 0]
        e = equity + (numbers[0] * (spot[s, t] - perp[s, t] - numbers[1]) + fund - numbers[2])
        peak = max(peak, e)
        fall = max(fall, 1.0 - e / peak)
    return peak, fall


@compiled_in_place
def target(sums: Any, known: Any, least: float, pieces: int) -> Any:
    """Return the first piece in which funding reaches ``least``; else the first that was not looked at."""
    piece = known[0]
    while piece < pieces and known[1] == 0:
        if sums[piece, 0] >= least:
            known[1] = 1
        else:
            piece += 1
    known[0] = piece
    return piece


@compiled_in_place
def opened(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, table: Any, numbers: Any, whole: Any, size: Any, s: int, t: int
) -> Any:
    """Return the number of an opening."""
    entry = table[t, s] - 1
    if entry < 0:
        entry = size[0]
        size[0] += 1
        table[t, s] = entry + 1
        q = np.floor(NOTIONAL / spot[s, t] / LOT) * LOT
        numbers[entry, 0], numbers[entry, 1] = q, spot[s, t] - perp[s, t]
        numbers[entry, 2] = q * (spot[s, t] * SPOT_FEE + perp[s, t] * PERP_FEE)
        whole[entry, 0], whole[entry, 1], whole[entry, 3] = s, t, -1
    return entry


@compiled_in_place
def ended(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any,
    perp: Any,
    rate: Any,
    low: Any,
    high: Any,
    following: Any,
    whole: Any,
    numbers: Any,
    sums: Any,
    targets: Any,
    rules: Any,
) -> Any:
    """Return the step at which a hedge ends."""
    multiplier, age = rules
    s, began, steps = whole[0], whole[1], spot.shape[1]
    until = min(began + age, steps - 1)
    rested = began + REST
    if rested <= until:
        k = rested // STEPS
        found = following[k, s]
        until = min(until, rested if found == k else found * STEPS)
    last = until // STEPS - began // STEPS
    if whole[3] < 0 and whole[2] <= last:
        follow(spot, perp, rate, low, high, numbers, sums, whole, last)
    if whole[3] >= 0:
        until = min(until, whole[3])
        last = until // STEPS - began // STEPS
    piece = target(sums, targets, multiplier * (2.0 * numbers[2]), min(last + 1, whole[2]))
    if targets[1] and piece <= last:
        until = min(until, (began // STEPS + piece) * STEPS)
    return until


@compiled_in_place
def chained(  # noqa: C901, PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any,
    perp: Any,
    rate: Any,
    low: Any,
    high: Any,
    best: Any,
    most: Any,
    following: Any,
    table: Any,
    numbers: Any,
    whole: Any,
    sums: Any,
    targets: Any,
    kept: Any,
    size: Any,
    sets: Any,
    found: Any,
) -> bool:
    """Play sets of one signal by chaining remembered trades; returns whether there was room.

    All are played through one part of the year before the next, so that what they look up stays near.
    """
    steps, count = spot.shape[1], len(most)
    for number in range(len(sets)):
        found[number, 0] = found[number, PEAK] = CAPITAL
    for tile in range(TILES):
        until = steps * (tile + 1) // TILES
        for number in range(len(sets)):
            multiplier, age, least, slot = sets[number, 0], int(sets[number, 1]), sets[number, 2], int(sets[number, 3])
            equity, fall, trades = found[number, 0], found[number, 1], found[number, 2]
            peak, t = found[number, PEAK], int(found[number, AT])
            while t < steps - 1 and t < until:
                k = t // STEPS
                if not most[k] > least:
                    k += 1
                    while k < count and not most[k] > least:
                        k += 1
                    t = k * STEPS
                    continue
                if size[0] >= len(numbers):
                    return False
                entry = opened(spot, perp, table, numbers, whole, size, best[k], t)
                its, own = numbers[entry], whole[entry]
                t = ended(
                    spot,
                    perp,
                    rate,
                    low,
                    high,
                    following,
                    own,
                    its,
                    sums[entry],
                    targets[slot, entry],
                    (multiplier, age),
                )
                memory = kept[entry, t // STEPS % KEPT]
                if memory[0] != t + 1:
                    remember(spot, perp, own, its, sums[entry], t, memory)
                both = max(peak, equity + memory[2]), fall
                if 1.0 - (equity + memory[1]) / both[0] > fall:
                    both = walked(spot, perp, own, its, sums[entry], t, equity, (peak, fall))
                peak, fall = both
                equity += memory[3]
                trades += 1
                peak = max(peak, equity) if t == steps - 1 or not most[t // STEPS] > least else peak
                if t == steps - 1 or not most[t // STEPS] > least:
                    fall = max(fall, 1.0 - equity / peak)
            found[number, 0], found[number, 1], found[number, 2] = equity, fall, trades
            found[number, PEAK], found[number, AT] = peak, t
    return True


@compiled_in_place
def remember(  # noqa: PLR0913, PLR0917 - compiled functions get their state as arguments
    spot: Any, perp: Any, own: Any, its: Any, sums: Any, t: int, memory: Any
) -> None:
    """Fill least and most PnL before an exit, and what it made."""
    s, piece = own[0], t // STEPS - own[1] // STEPS
    q, d0, fee_in, fund = its[0], its[1], its[2], sums[piece, 0]
    least, most = np.inf, -np.inf
    if piece:
        least, most = sums[piece - 1, 1], sums[piece - 1, 2]
    first = max(own[1], t // STEPS * STEPS)
    if first < t:
        low, high = extremes(spot, perp, s, first, t)
        least = min(least, q * (low - d0) + fund - fee_in)
        most = max(most, q * (high - d0) + fund - fee_in)
    u = q * (spot[s, t] - perp[s, t] - d0) + fund - fee_in
    fee_out = q * (spot[s, t] * SPOT_FEE + perp[s, t] * PERP_FEE)
    memory[0], memory[1], memory[2], memory[3] = t + 1, least, most, u - fee_out


def sets_of(count: int) -> list[tuple[int, float, float, float, int]]:
    """Return gain, periods, entry limit, multiplier, age of so many sets; those of one signal side by side."""
    every = (
        (periods, gain, apr, multiplier, age)
        for gain in GAINS
        for periods, apr, age, multiplier in product(PERIODS, LEAST_APRS, AGES, MULTIPLIERS)
    )
    return list(islice(every, count))


def all_chained(spot: Any, perp: Any, rate: Any, sets: Any) -> Any:
    """Play all sets, tables and packing included."""
    pairs, steps = spot.shape
    count = len(rate)
    low, high = np.empty((count, pairs)), np.empty((count, pairs))
    pack(spot, perp, low, high)
    table, numbers = np.zeros((steps, pairs), dtype=np.int32), np.zeros((OPENINGS, 3))
    whole, sums = np.zeros((OPENINGS, 4), dtype=np.int64), np.zeros((OPENINGS, PIECES, 3))
    targets = np.zeros((len(MULTIPLIERS), OPENINGS, 2), dtype=np.int64)
    kept, size = np.zeros((OPENINGS, KEPT, 4)), np.zeros(1, dtype=np.int64)
    apr, best, most = np.empty((count, pairs)), np.empty(count, dtype=np.int64), np.empty(count)
    following = np.empty((count + 1, pairs), dtype=np.int64)
    found = np.zeros((len(sets), 5))
    place, known = 0, None
    while place < len(sets):
        periods, gain = sets[place][:2]
        end = place
        while end < len(sets) and sets[end][:2] == (periods, gain):
            end += 1
        if known != (periods, gain):
            signals(rate, periods, gain, apr, best, most, following)
            known = periods, gain
        group = np.array([(m, age, least, MULTIPLIERS.index(m)) for _, _, least, m, age in sets[place:end]])
        room = chained(
            spot,
            perp,
            rate,
            low,
            high,
            best,
            most,
            following,
            table,
            numbers,
            whole,
            sums,
            targets,
            kept,
            size,
            group,
            found[place:end],
        )
        if not room:
            raise MemoryError("too many openings")
        place = end
    return found


def main() -> int:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("HEDGEROW_W1"))
    parser.add_argument("--sets", type=int, nargs="+", default=[1000, 40_000])
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
        apr, best, most = np.empty(rate.shape), np.empty(len(rate), dtype=np.int64), np.empty(len(rate))
        following, looped = np.empty((len(rate) + 1, len(spot)), dtype=np.int64), []
        for place in range(0, count, -(-count // LOOP_SETS)):
            periods, gain, least, multiplier, age = sets[place]
            signals(rate, periods, gain, apr, best, most, following)
            rules = (multiplier, float(age), least, gain)
            expected = held(spot, perp, rate, apr, best, most, rules)
            began = time.process_time()
            held(spot, perp, rate, apr, best, most, rules)
            looped.append(time.process_time() - began)
            equal = equal and tuple(found[place, :3].tolist()) == tuple(float(each) for each in expected)
        plain = float(np.median(looped))
        print(f"W2, {count:,} sets, {found[:, 2].mean():.0f} trades a set")
        print(f"  a plain loop over held steps       {plain * 1e6:10.1f} us a set")
        print(f"  remembered trades, end to end      {fast * 1e6:10.1f} us a set, {plain / fast:6.1f} times faster")
    print(f"  results {'equal bit for bit' if equal else 'DIFFER'}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
