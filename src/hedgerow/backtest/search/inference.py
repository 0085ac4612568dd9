"""What chance alone would give: the deflated Sharpe ratio, and intervals from a stationary bootstrap.

Deflated Sharpe ratio: Bailey and Lopez de Prado, "The Deflated Sharpe Ratio" (Journal of Portfolio Management, 2014).
Stationary bootstrap: Politis and Romano (1994); its block length: Politis and White (2004), as corrected in 2009.
"""

from math import e, isfinite, sqrt
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from msgspec import Struct

from hedgerow.backtest.tables import Floats

__all__ = ["Interval", "bootstrap", "deflated_sharpe", "expected_best_sharpe", "moments", "probabilistic_sharpe"]

EULER_GAMMA: Final = 0.5772156649015329
DRAWS: Final = 2000
LOW, HIGH = 2.5, 97.5
LEAST_DAYS: Final = 30
"""Of fewer days no interval is made."""
_NORMAL: Final = NormalDist()


class Interval(Struct, frozen=True, kw_only=True):
    """What a mean could have been, had the same days come in another order."""

    mean: float
    low: float
    """2.5 % of the draws are below it, ..."""
    high: float
    """... and 2.5 % above this."""
    above_zero: float
    """Share of the draws above zero."""
    block_days: float
    """Mean length of the blocks that are drawn."""


def moments(results: Floats) -> tuple[float, float]:
    """Return skewness, and kurtosis (3 for the normal distribution); 0 and 3 where nothing varies."""
    away = results - np.mean(results) if len(results) else results
    variance = float(np.mean(away**2)) if len(results) else 0.0
    if not variance > 0:
        return 0.0, 3.0
    return float(np.mean(away**3)) / variance**1.5, float(np.mean(away**4)) / variance**2


def probabilistic_sharpe(
    sharpe: float, benchmark: float, *, observations: int, skewness: float, kurtosis: float
) -> float:
    """Return the probability that the true Sharpe ratio is above ``benchmark``; both per observation, NaN = unknown."""
    spread = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2
    if not (isfinite(sharpe) and spread > 0 and observations > 1):
        return float("nan")
    return _NORMAL.cdf((sharpe - benchmark) * sqrt(observations - 1) / sqrt(spread))


def expected_best_sharpe(trials: int, variance: float) -> float:
    """Return the Sharpe ratio that the best of so many trials without any merit is expected to show.

    ``variance`` is that of the trials' Sharpe ratios. One trial needs no correction.
    """
    if trials <= 1:
        return 0.0
    first, second = (_NORMAL.inv_cdf(1.0 - 1.0 / (trials * scale)) for scale in (1.0, e))
    return sqrt(variance) * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second)


def deflated_sharpe(results: Floats, sharpe: float, *, trials: int, variance: float) -> float:
    """Return the probability that the best of ``trials`` has merit: a Sharpe ratio above that of luck alone."""
    skewness, kurtosis = moments(results)
    benchmark = expected_best_sharpe(trials, variance)
    return probabilistic_sharpe(sharpe, benchmark, observations=len(results), skewness=skewness, kurtosis=kurtosis)


def bootstrap(daily: Floats, *, seed: int = 0) -> Interval | None:
    """Return the interval of the mean of daily results; None where there are too few days, or nothing varies.

    Days are drawn in blocks of random length, because neighbouring days resemble each other.
    """
    if len(daily) < LEAST_DAYS or not float(np.std(daily)) > 0:
        return None
    import arch.bootstrap as library  # noqa: PLC0415 - slow to import

    tools: Any = library
    block = float(tools.optimal_block_length(daily)["stationary"].iloc[0])
    block = min(max(block, 1.0), len(daily) / 3) if isfinite(block) else 1.0
    drawing = tools.StationaryBootstrap(block, daily, seed=np.random.default_rng(seed))
    means = np.asarray(drawing.apply(np.mean, DRAWS), dtype=np.float64).ravel()
    low, high = (float(each) for each in np.percentile(means, [LOW, HIGH]))
    return Interval(
        mean=float(np.mean(daily)), low=low, high=high, above_zero=float(np.mean(means > 0)), block_days=block
    )
