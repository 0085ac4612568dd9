"""Work W1, a piece of it: the engine makes the trades of a plain account of the rules, at the same checks."""

from pathlib import Path

import numpy as np

from _w1 import STEPS_PER_FUNDING, W1MarketData
from w1_replay import WORDS, Rows, Trade, apart, engine_trades, lists, oracle, replay

DAYS, PAIRS = 20, 6
JUMPS_A_MONTH, HOT_A_MONTH = 6.0, 4.0
"""Of the premium and of the funding of a pair: more than in W1 itself, so that a month has every reason to close."""


def market_into(folder: Path) -> int:
    """Write generated prices and rates; returns how many steps there are."""
    random, steps = np.random.default_rng(8), DAYS * 288
    shape, stamps = (steps, PAIRS), steps // STEPS_PER_FUNDING
    price = 100.0 * np.cumprod(1.0 + random.standard_normal(shape) * 0.0025, axis=0)
    jump = np.where(random.random(shape) < JUMPS_A_MONTH / steps, 0.04 + 0.05 * random.standard_exponential(shape), 0.0)
    jump *= np.where(random.random(shape) < 0.6, 1.0, -1.0)
    drift = random.standard_normal(shape) * 0.0002
    hot_shape = (stamps, PAIRS)
    hot = np.where(
        random.random(hot_shape) < HOT_A_MONTH / stamps, 0.0010 * random.standard_exponential(hot_shape), 0.0
    )
    calm = random.standard_normal(hot_shape) * 0.00006
    premium, rate = np.zeros(shape), np.zeros(hot_shape)
    for step in range(1, steps):
        premium[step] = premium[step - 1] * 0.9857 + jump[step] + drift[step]
    for stamp in range(1, stamps):
        rate[stamp] = rate[stamp - 1] * 0.95 + hot[stamp] + calm[stamp]
    rounded = {"spot": np.round(price, 4).T, "perp": np.round(price * (1.0 + premium), 4).T}
    rounded["rate"] = np.clip(np.round(0.0001 + rate, 8), -0.0075, 0.0075)
    for name, values in rounded.items():
        np.save(folder / f"{name}.npy", values)
    return steps


def test_the_engine_trades_as_the_plain_account_of_the_rules_does_stops_and_prices_apart_included(
    tmp_path: Path,
) -> None:
    steps = market_into(tmp_path)
    market_data = W1MarketData(tmp_path)
    store, _, _ = replay(market_data, steps)
    rows = lists(tmp_path, steps, None)
    expected = oracle(*rows)
    assert engine_trades(store, market_data) == expected
    assert {trade[3] for trade in expected} == set(WORDS.values())
    assert any(waited(rows, trade) for trade in expected), "or no closing waits until the legs follow one price"


def waited(rows: tuple[Rows, Rows, Rows], trade: Trade) -> bool:
    """Return whether a trade was closed at the first check at which its legs followed one price again."""
    _, closed, pair, why = trade
    seen = [apart(rows[0][step][pair], rows[1][step][pair]) for step in range(closed - 2, closed + 1)]
    return why != "STOP" and seen == [True, True, False]
