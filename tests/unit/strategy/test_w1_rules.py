"""Work W1 said with the rule book: the same exits, on the same steps, as a naive reference written out in full."""

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from hedgerow.strategy import rules

STEPS, SYMBOLS, PER_FUNDING = 2_000, 5, 8
NOTIONAL, LOT, SPOT_FEE, PERP_FEE = 10_000.0, 1e-4, 0.001, 0.0005
STOP, TARGET, AGE, ROTATION, END = 1, 2, 3, 4, 5
NEVER = -1e300


class Settings(NamedTuple):
    window: int = 3
    multiplier: float = 1.5
    max_age: int = 60
    min_apr: float = 0.15
    rotation_age: int = 10
    rotation_apr: float = 0.10
    stop: float = 0.002


class Trade(NamedTuple):
    opened: int
    closed: int
    symbol: int
    why: int
    quantity: float
    funding: float
    pnl: float


Rows = Sequence[Sequence[float]]


def world(seed: int) -> tuple[Rows, Rows, Rows]:
    """Return spot and perpetual prices by step, and rates by funding time."""
    rng = random.Random(seed)
    prices = [rng.uniform(10, 500) for _ in range(SYMBOLS)]
    spot, perp = [], []
    for _ in range(STEPS):
        prices = [price * (1 + rng.gauss(0, 0.002)) for price in prices]
        spot.append(list(prices))
        perp.append([price * (1 + rng.gauss(0, 0.0006)) for price in prices])
    levels = [rng.gauss(2e-4, 2e-4) for _ in range(SYMBOLS)]
    rates = []
    for _ in range(STEPS // PER_FUNDING):
        levels = [level * 0.95 + rng.gauss(1e-5, 1e-4) for level in levels]
        rates.append([round(level + rng.gauss(0, 3e-4), 8) for level in levels])
    return spot, perp, rates


def reference(spot: Rows, perp: Rows, rate: Rows, p: Settings) -> list[Trade]:
    """Follow the definition of W1 word by word."""
    trades: list[Trade] = []
    apr = [NEVER] * SYMBOLS
    held, since = -1, 0
    quantity = entry_basis = funding = fee = 0.0
    for t in range(STEPS):
        s, f = spot[t], perp[t]
        if t % PER_FUNDING == 0:
            k = t // PER_FUNDING
            funding += quantity * f[held] * rate[k][held] if held >= 0 else 0.0
            if k >= p.window - 1:
                apr = [_sum(rate, k, i, p.window) / p.window * 1095.0 for i in range(SYMBOLS)]
        best = max(range(SYMBOLS), key=lambda i: apr[i])
        if held >= 0:
            u = quantity * ((s[held] - f[held]) - entry_basis) + funding - fee
            why = _why(u, funding, fee, t - since, apr[best] - apr[held], last=t == STEPS - 1, p=p)
            if why:
                out = quantity * (s[held] * SPOT_FEE + f[held] * PERP_FEE)
                trades.append(Trade(since, t, held, why, quantity, funding, u - out))
                held = -1
        if held < 0 and t < STEPS - 1 and apr[best] > p.min_apr:
            held, since, funding = best, t, 0.0
            quantity = math.floor(NOTIONAL / s[held] / LOT) * LOT
            entry_basis = s[held] - f[held]
            fee = quantity * (s[held] * SPOT_FEE + f[held] * PERP_FEE)
    return trades


def _why(u: float, funding: float, fee: float, age: int, gap: float, *, last: bool, p: Settings) -> int:
    if u < -p.stop * NOTIONAL:
        return STOP
    if funding >= p.multiplier * (2.0 * fee):
        return TARGET
    if age >= p.max_age:
        return AGE
    if age >= p.rotation_age and gap >= p.rotation_apr:
        return ROTATION
    return END if last else 0


def by_the_rules(spot: Rows, perp: Rows, rate: Rows, p: Settings) -> list[Trade]:
    """Say the same with nothing but the rule book."""
    trades: list[Trade] = []
    apr = [NEVER] * SYMBOLS
    held, since = -1, 0
    quantity = entry_basis = funding = fee = 0.0
    strict = math.nextafter(p.min_apr, math.inf)
    for t in range(STEPS):
        s, f = spot[t], perp[t]
        k, rest = divmod(t, PER_FUNDING)
        if rest == 0:
            if held >= 0:
                funding += quantity * f[held] * rate[k][held]
            if k >= p.window - 1:
                sums = [_sum(rate, k, i, p.window) for i in range(SYMBOLS)]
                apr = [rules.funding_apr(total, p.window * 8.0) for total in sums]
        best = max(range(SYMBOLS), key=lambda i: apr[i])
        if held >= 0:
            pnl = rules.pair_pnl(quantity, s[held] - f[held], entry_basis, funding, fee)
            holds = (
                False,
                rules.stop_hit(pnl, -p.stop * NOTIONAL),
                rules.fees_covered(funding, p.multiplier, fee, fee),
                rules.too_old(t - since, p.max_age),
                rules.better_pair(apr[held], apr[best], p.rotation_apr, t - since, p.rotation_age),
                t == STEPS - 1,
            )
            why = rules.first_exit((STOP, TARGET, AGE, ROTATION, END), holds)
            if why:
                out = rules.pair_fee(quantity, s[held], SPOT_FEE, f[held], PERP_FEE)
                trades.append(Trade(since, t, held, why, quantity, funding, pnl - out))
                held = -1
        if held < 0 and t < STEPS - 1 and rules.admits(apr[best], strict):
            held, since, funding = best, t, 0.0
            quantity = rules.floor_lots(NOTIONAL / s[held], LOT)
            entry_basis = s[held] - f[held]
            fee = rules.pair_fee(quantity, s[held], SPOT_FEE, f[held], PERP_FEE)
    return trades


def _sum(rate: Rows, k: int, symbol: int, window: int) -> float:
    total = 0.0
    for j in range(k - window + 1, k + 1):
        total += rate[j][symbol]
    return total


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("settings", [Settings(), Settings(window=5, multiplier=0.3, max_age=200, stop=0.5)])
def test_the_rule_book_makes_the_trades_of_the_reference_bit_for_bit(seed: int, settings: Settings) -> None:
    data = world(seed)
    expected = reference(*data, settings)
    assert len(expected) > 5
    assert by_the_rules(*data, settings) == expected


def test_every_reason_occurs_in_what_is_compared() -> None:
    settings = (Settings(), Settings(window=5, multiplier=0.3, max_age=200, stop=0.5))
    reasons = {trade.why for seed in range(3) for p in settings for trade in reference(*world(seed), p)}
    assert reasons == {STOP, TARGET, AGE, ROTATION, END}
