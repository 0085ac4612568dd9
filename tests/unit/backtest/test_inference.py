"""What chance gives: against published numbers, another library, and cases whose answer is known."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.backtest.search.inference import (
    bootstrap,
    deflated_sharpe,
    expected_best_sharpe,
    moments,
    probabilistic_sharpe,
)
from hedgerow.backtest.search.scoring import sharpe_of
from hedgerow.backtest.search.walkforward import folds_of
from hedgerow.domain.errors import ConfigError
from support.backtest_markets import FIRST
from support.drawing import examples

DAYS_A_YEAR = 250


def test_the_deflated_sharpe_ratio_of_the_paper() -> None:
    """Bailey and Lopez de Prado (2014), the example after equation 9: 2.5 a year, 5 years of days, 100 trials."""
    variance, daily = 0.5 / DAYS_A_YEAR, 2.5 / DAYS_A_YEAR**0.5
    best = expected_best_sharpe(100, variance)
    assert best == pytest.approx(0.1132, abs=5e-5)
    found = probabilistic_sharpe(daily, best, observations=1250, skewness=-3.0, kurtosis=10.0)
    assert found == pytest.approx(0.9004, abs=5e-5)
    fewer = expected_best_sharpe(46, variance)
    assert probabilistic_sharpe(daily, fewer, observations=1250, skewness=-3, kurtosis=10) == pytest.approx(
        0.9505, abs=5e-5
    )


@given(seed=st.integers(0, 1 << 30), trials=st.integers(1, 5000), spread=st.floats(0.0, 0.3))
@settings(max_examples=examples(40))
def test_the_deflated_sharpe_ratio_is_that_of_another_library(seed: int, trials: int, spread: float) -> None:
    oracle = pytest.importorskip("purgedcv")
    draw = np.random.default_rng(seed)
    results = draw.standard_t(5, 200) * 0.01 + 0.001
    wanted = oracle.deflated_sharpe_ratio_full(results, trials, spread**2)
    best = expected_best_sharpe(trials, spread**2)
    assert best == pytest.approx(wanted.sr_star, abs=1e-12)
    given_moments = {"observations": 200, "skewness": wanted.skew, "kurtosis": wanted.kurt}
    assert probabilistic_sharpe(wanted.observed_sr, best, **given_moments) == pytest.approx(wanted.dsr, abs=1e-9)
    own = deflated_sharpe(results, wanted.observed_sr, trials=trials, variance=spread**2)
    assert own == pytest.approx(wanted.dsr, abs=2e-3)  # its moments are corrected for small samples, ours are not


def test_more_trials_never_make_the_best_more_credible() -> None:
    results = np.random.default_rng(1).normal(0.001, 0.01, 300)
    found = [deflated_sharpe(results, sharpe_of(results), trials=n, variance=0.01) for n in (1, 2, 10, 1000)]
    assert found == sorted(found, reverse=True)


def test_results_that_do_not_vary_have_no_sharpe_ratio() -> None:
    still = np.zeros(60)
    assert np.isnan(sharpe_of(still))
    assert moments(still) == (0.0, 3.0)
    assert np.isnan(deflated_sharpe(still, sharpe_of(still), trials=5, variance=0.1))
    assert bootstrap(still) is None
    assert np.isnan(sharpe_of(np.array([1.0, 2.0])))


@pytest.mark.slow
def test_the_interval_is_about_that_of_the_central_limit_theorem_where_days_are_independent() -> None:
    pytest.importorskip("arch")
    daily = np.random.default_rng(2).normal(0.5, 1.0, 1500)
    found = bootstrap(daily)
    assert found is not None
    width = 1.96 / 1500**0.5
    assert found.low == pytest.approx(daily.mean() - width, abs=0.25 * width)
    assert found.high == pytest.approx(daily.mean() + width, abs=0.25 * width)
    assert found.above_zero == 1.0
    assert found == bootstrap(daily)


@pytest.mark.slow
def test_days_that_resemble_each_other_give_longer_blocks_and_a_wider_interval() -> None:
    pytest.importorskip("arch")
    draw = np.random.default_rng(3)
    shocks, path = draw.normal(0, 1, 1500), np.zeros(1500)
    for day in range(1, 1500):
        path[day] = 0.95 * path[day - 1] + shocks[day]
    alike, mixed = bootstrap(path), bootstrap(draw.permutation(path))
    assert alike is not None
    assert mixed is not None
    assert alike.block_days > 5 * mixed.block_days
    assert alike.high - alike.low > 2 * (mixed.high - mixed.low)


@given(
    days=st.integers(40, 900),
    train=st.integers(10, 200),
    test=st.integers(5, 90),
    embargo=st.integers(0, 20),
    expanding=st.booleans(),
)
@settings(max_examples=examples(100))
def test_no_test_overlaps_its_training_or_another_test(
    days: int,
    train: int,
    test: int,
    embargo: int,
    expanding: bool,  # noqa: FBT001 - drawn
) -> None:
    lengths = {"train": timedelta(days=train), "test": timedelta(days=test), "embargo": timedelta(days=embargo)}
    end = FIRST + timedelta(days=days)
    try:
        folds = list(folds_of(FIRST, end, **lengths, expanding=expanding))
    except ConfigError:
        assert days < train + 2 * embargo + 2 * test
        return
    for fold in folds:
        assert FIRST <= fold.train_start < fold.train_end <= fold.test_start - lengths["embargo"]
        assert fold.test_start < fold.test_end <= end
        assert fold.train_start == FIRST or (not expanding and fold.train_end - fold.train_start == lengths["train"])
    for before, after in pairwise(folds):
        assert after.test_start == before.test_end
