"""Figures that are printed in docs/results.md, the cheap ones of real history; all: benchmarks/backtest_table.py."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import backtest_table as table
from hedgerow.backtest.study import Study, StudyPlan
from support.backtest_markets import FIRST, Coin, write_market
from support.real_history import REAL_HISTORY, needs_real_history

DAYS, PAYMENT, COST = 20, 5e-4, 0.002
UNKNOWN_PAYMENTS = 5
"""How many are paid before the guide's mean of ten is known: five are before the window."""


@pytest.mark.slow
@needs_real_history
def test_two_pairs_over_five_years_earn_what_is_printed() -> None:
    name, study = next(table.studies(REAL_HISTORY, 20))
    found = {label: (value, entries) for label, value, entries in table.of_window(name, study, whole=True)}
    for label, (value, entries) in found.items():
        assert value == pytest.approx(table.EXPECTED[label][0], abs=table.TOLERANCE), label
        if label in table.ENTRIES:
            assert entries == table.ENTRIES[label][0], label
    assert found["BTC+ETH: bound"][1] == pytest.approx(1.3, abs=0.05)


def test_a_market_of_constant_rates_earns_what_a_calculator_says(tmp_path: Path) -> None:
    """Three payments a day of 5 bp for the one pair, of 2 bp for the other; prices stand still; 20 bp a round trip."""
    calm = Coin(level=PAYMENT, noise=0.0, wild=0.0, basis=0.0)
    write_market(tmp_path, 1, [calm, Coin(level=2e-4, noise=0.0, wild=0.0, basis=0.0)], days=DAYS)
    plan = StudyPlan(data=tmp_path, start=FIRST, end=FIRST + timedelta(days=DAYS), cost_bps=Decimal(20))
    found: dict[str, tuple[Any, Any]] = {
        label: (value, entries) for label, value, entries in table.of_window("made", Study.load(plan), whole=True)
    }
    years = DAYS / 365

    def earned(payments: int, opened: float) -> Any:
        return pytest.approx(100 * (payments * PAYMENT - opened * COST) / years, abs=1.0)

    assert {label.removeprefix("made: ") for label in found} == {
        label.removeprefix("BTC+ETH: ") for label in table.EXPECTED if label.startswith("BTC+ETH")
    }
    assert found["made: hold BTC"] == (earned(3 * DAYS, 1), 1)
    assert found["made: bound"] == (earned(3 * DAYS, 1), pytest.approx(1 / years))
    known = 3 * DAYS - UNKNOWN_PAYMENTS
    assert found["made: without age and fee rules"] == (earned(known, 1), 1)
    opened = found["made: the guide"][1]
    assert opened == pytest.approx(known / 3, abs=1), "it closes after a day and opens again"
    assert found["made: the guide"] == (earned(known, opened), opened)


def test_doubling_the_cost_raises_no_figure() -> None:
    """Of the printed ones; a policy may by chance hold for longer and earn more."""
    for label, figures in table.EXPECTED.items():
        assert list(figures) == sorted(figures), label
