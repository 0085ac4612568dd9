"""Figures of real history that are printed in docs/results.md, the cheap ones; all: benchmarks/backtest_table.py."""

import os
from pathlib import Path

import pytest

import backtest_table as table

DATA = Path(os.environ.get("HEDGEROW_DATA") or Path(__file__).parents[4] / "shared" / "data")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (DATA / "prices_hourly.parquet").is_file(), reason=f"no market archive at {DATA} (HEDGEROW_DATA names one)"
    ),
]


def test_two_pairs_over_five_years_earn_what_is_printed() -> None:
    name, study = next(table.studies(DATA, 20))
    found = {label: (value, entries) for label, value, entries in table.of_window(name, study, whole=True)}
    for label, (value, entries) in found.items():
        assert value == pytest.approx(table.EXPECTED[label][0], abs=table.TOLERANCE), label
        if label in table.ENTRIES:
            assert entries == table.ENTRIES[label][0], label
    assert found["BTC+ETH: bound"][1] == pytest.approx(1.3, abs=0.05)


def test_doubling_the_cost_raises_no_figure() -> None:
    """Of the printed ones; a policy may by chance hold for longer and earn more."""
    for label, figures in table.EXPECTED.items():
        assert list(figures) == sorted(figures), label
