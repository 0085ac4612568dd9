"""W1 replayed by the engine itself: the trades the oracle makes, at the same steps, for the same reasons; and the time.

Usage: python benchmarks/w1_replay.py [--data DIR] [--days N] [--pairs N] [--profile]
DIR holds spot.npy, perp.npy and rate.npy of work W1; without it nothing is measured and the reason is printed.
The oracle here is plain Python over the same arrays.
"""

import argparse
import asyncio
import cProfile
import math
import os
import pstats
import random
import sys
import time
from decimal import Decimal
from pathlib import Path

import numpy as np

from _w1 import PARAMETERS, SPOT_FEE, START, STEP, STEPS_PER_FUNDING, W1MarketData, W1Policy
from hedgerow.app.bot import build_bot
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.events import HedgeClosed
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.snapshot import WorldOptions
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.engine.runner import RunOptions
from hedgerow.store.memory import MemoryStore

Trade = tuple[int, int, int, str]
"""Step in, step out, symbol index, reason."""

WORDS = {
    Reason.EMERGENCY_STOP: "STOP",
    Reason.FEES_COVERED: "TARGET",
    Reason.MAX_AGE: "AGE",
    Reason.BETTER_PAIR: "ROT",
    Reason.SHUTDOWN: "END",
}


MA, ENTRY_APR, LOSS, MULTIPLIER, MAX_AGE, ROTATION_AGE, ROTATION_GAIN = 10, 0.15, -1000.0, 1.5, 288, 48, 0.10
"""W1's parameters: prints, fraction, USD, times all fees, steps, steps, fraction."""
APART = 0.05
"""Legs whose prices differ by more than this fraction are left for no profit."""
CONFIRMING, REST, LONGEST_REST = 5.0 / 300.0, 48, 288
"""Steps: how long after its step a stop is confirmed and traded, and how long its pair rests, at first and at most."""


Rows = list[list[float]]
"""One row per step, or per settlement; one number per pair."""


def lists(folder: Path, steps: int, pairs: int | None) -> tuple[Rows, Rows, Rows]:
    """Return spot, perpetual and rates as plain lists."""
    spot, perp, rate = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("spot", "perp", "rate"))
    count = pairs or len(spot)
    return spot[:count, :steps].T.tolist(), perp[:count, :steps].T.tolist(), rate[:, :count].tolist()


def oracle(spots: Rows, perps: Rows, rates: Rows) -> list[Trade]:
    """Return W1's trades by the plain definition."""
    steps, count = len(spots), len(spots[0])
    held, t_in, late = -1, 0, 0.0
    q = coins = d0 = fund = fee_in = 0.0
    apr = [-1e300] * count
    rests: dict[int, tuple[int, int]] = {}
    trades: list[Trade] = []
    for t in range(steps):
        if t % STEPS_PER_FUNDING == 0:
            k = t // STEPS_PER_FUNDING
            fund += q * perps[t][held] * rates[k][held] if held >= 0 else 0.0
            apr = _aprs(rates, k, count)
        out = 0.0
        if held >= 0:
            s, p = spots[t][held], perps[t][held]
            u = coins * s - q * p - d0 + fund - fee_in
            better = max((apr[i] for i in range(count) if i != held and not _rests(rests, i, t)), default=-1e300)
            why = _why(u, fund, fee_in, t - t_in - late, better - apr[held], is_apart=apart(s, p))
            why = why or ("END" if t == steps - 1 else "")
            if why:
                trades.append((t_in, t, held, why))
                out = CONFIRMING if why == "STOP" else 0.0
                _ended(rests, held, t, why)
                held = -1
        if held < 0 and t < steps - 1:
            best = max(range(count), key=lambda i: -1e300 if _rests(rests, i, t, out) else apr[i])
            if apr[best] > ENTRY_APR and not _rests(rests, best, t, out):
                held, t_in, late, fund = best, t, out, 0.0
                s, p = spots[t][held], perps[t][held]
                q = math.floor(10000.0 / s / 1e-4) * 1e-4
                coins = math.ceil(q / (1.0 - 0.001) / 1e-4 - 1e-9) * 1e-4
                d0, fee_in = coins * s - q * p, coins * s * 0.001 + q * p * 0.0005
    return trades


def _aprs(rates: list[list[float]], k: int, count: int) -> list[float]:
    if k < MA - 1:
        return [-1e300] * count
    return [sum(rates[j][s] for j in range(k - MA + 1, k + 1)) / MA * 1095.0 for s in range(count)]


def apart(spot: float, perp: float) -> bool:
    """Return whether the prices of two legs may be those of different things."""
    return abs(spot - perp) > APART * min(spot, perp)


def _why(u: float, fund: float, fee_in: float, age: float, gain: float, *, is_apart: bool) -> str:
    if u < LOSS:
        return "STOP"
    if is_apart:
        return ""
    if fund >= MULTIPLIER * (2.0 * fee_in):
        return "TARGET"
    if age >= MAX_AGE:
        return "AGE"
    return "ROT" if age >= ROTATION_AGE and gain >= ROTATION_GAIN else ""


def _ended(rests: dict[int, tuple[int, int]], pair: int, t: int, why: str) -> None:
    """Remember when a pair was stopped and how often in a row; any other end is forgotten."""
    if why == "STOP":
        rests[pair] = t, rests[pair][1] + 1 if pair in rests else 1
    else:
        rests.pop(pair, None)


def _rests(rests: dict[int, tuple[int, int]], pair: int, t: int, late: float = 0.0) -> bool:
    """Return whether a pair may not be opened yet, ``late`` steps after step ``t``."""
    if pair not in rests:
        return False
    since, count = rests[pair]
    return t + late < since + CONFIRMING + min(LONGEST_REST, REST << (count - 1))


def engine_trades(store: MemoryStore, market_data: W1MarketData) -> list[Trade]:
    """Return the trades that the event log tells of."""
    index = {symbol: number for number, symbol in enumerate(market_data.symbols)}
    trades: list[Trade] = []
    ledger = Ledger()
    for event in asyncio.run(store.events()):
        ledger = apply(ledger, event)
        if isinstance(event, HedgeClosed):
            closed = ledger.closed[-1]
            opened = (closed.hedge.opened_at - START) // STEP
            ended = (closed.closed_at - START) // STEP
            trades.append((opened, ended, index[closed.symbol], WORDS[closed.reason]))
    return trades


def replay(market_data: W1MarketData, steps: int) -> tuple[MemoryStore, float, float]:
    """Run the engine over the first ``steps``; returns its log, the seconds it took and those of the processor."""
    store, clock = MemoryStore(), VirtualClock(START)
    rich = Decimal(1_000_000)
    options = WorldOptions(bottomless=True, spot_quote_fee=SPOT_FEE)
    world = World(market_data, start=START, spot={"USDT": rich}, perp=rich, options=options)

    async def year() -> None:
        bot = build_bot(
            venue=EmulatedVenue(world, clock),
            store=store,
            clock=clock,
            policy=W1Policy(PARAMETERS),
            randomness=random.Random(0),
            options=RunOptions(close_on_exit=True),
        )
        # Half a step after the last one: its cycle is over, and the position is closed at its prices.
        stopper = asyncio.get_running_loop().call_later((steps - 0.5) * STEP.total_seconds(), bot.stop.set)
        await bot.runner.run()
        stopper.cancel()

    began, cpu = time.perf_counter(), time.process_time()
    run_virtual(clock, year())
    return store, time.perf_counter() - began, time.process_time() - cpu


def main() -> int:
    """Measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("HEDGEROW_W1"))
    parser.add_argument("--days", type=float, default=365.0)
    parser.add_argument("--pairs", type=int, default=None)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    if arguments.data is None or not (Path(arguments.data) / "spot.npy").exists():
        print("W1 not measured: give --data DIR (or HEDGEROW_W1) with spot.npy, perp.npy and rate.npy")
        return 0
    return measure(Path(arguments.data), arguments.days, arguments.pairs, profile=arguments.profile)


def measure(folder: Path, days: float, pairs: int | None, *, profile: bool) -> int:
    """Replay, compare with the oracle, and print both."""
    loading = time.perf_counter()
    market_data = W1MarketData(folder, pairs=pairs)
    loading = time.perf_counter() - loading
    steps = min(market_data.steps, int(days * 288))
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    store, seconds, cpu = replay(market_data, steps)
    profiler.disable()
    arrays = lists(folder, steps, pairs)
    plain = time.process_time()
    expected = oracle(*arrays)
    plain, got = time.process_time() - plain, engine_trades(store, market_data)
    same = sum(1 for ours, theirs in zip(got, expected, strict=False) if ours == theirs)
    reasons = {word: sum(1 for trade in got if trade[3] == word) for word in WORDS.values()}
    print(f"W1, {len(market_data.pairs)} pairs, {steps} steps of 5 minutes")
    print(f"  loading the arrays         {loading:8.2f} s")
    rate = f"{steps / seconds:8.0f} cycles/s   ({cpu:.2f} s of processor)"
    print(f"  replay through the engine  {seconds:8.2f} s   {rate}")
    print(f"  the same rules in a plain loop over lists: {plain:.3f} s; the engine takes {cpu / plain:.0f} times that")
    print(f"  trades: engine {len(got)}, oracle {len(expected)}, equal in step, pair and reason {same}")
    print(f"  reasons: {reasons}")
    for ours, theirs in zip(got, expected, strict=False):
        if ours != theirs:
            print(f"  first difference: engine {ours}, oracle {theirs}")
            break
    if profile:
        pstats.Stats(profiler, stream=sys.stdout).sort_stats("tottime").print_stats(30)
    return 0 if got == expected else 1


if __name__ == "__main__":
    sys.exit(main())
