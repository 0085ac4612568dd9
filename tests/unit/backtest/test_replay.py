"""The engine over an emulated exchange makes the decisions of the compiled rules, at the same checks."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.backtest.figures import decisions_sha256
from hedgerow.backtest.replay import HoldFirst, replay, replay_parameters
from hedgerow.backtest.study import END, Study, StudyPlan
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.backtest_markets import FIRST, Coin, write_market
from support.backtest_windows import built, differences, generated_window, real_window
from support.real_history import REAL_HISTORY, needs_real_history

pytestmark = pytest.mark.slow


def test_the_engine_and_the_compiled_rules_decide_alike_on_generated_markets(tmp_path: Path) -> None:
    found: list[str] = []
    decisions = 0
    for seed in range(40):
        folder = tmp_path / str(seed)
        folder.mkdir()
        window = generated_window(seed, folder)
        found += differences(window)
        decisions += len(window.compiled.decisions)
    assert found == []
    assert decisions > 1000


@needs_real_history
def test_the_engine_and_the_compiled_rules_decide_alike_on_real_history() -> None:
    assert [line for seed in range(8) for line in differences(real_window(seed, REAL_HISTORY))] == []


def test_hold_is_the_same_position_in_the_engine(tmp_path: Path) -> None:
    write_market(tmp_path, 2, [Coin(), Coin(level=1e-3)], days=4)
    plan = StudyPlan(
        data=tmp_path, start=FIRST, end=FIRST + timedelta(days=4), symbols=("BUSDT", "AUSDT"), cost_bps=Decimal(4)
    )
    study = Study.load(plan)
    policy = HoldFirst(replay_parameters(study, StrategyParameters()), "BUSDT")
    (theirs,), (ours,) = replay(study, policy, built).trades, study.hold().trades
    assert (theirs.symbol, theirs.opened_at, theirs.reason) == (ours.symbol, ours.opened_at, ours.reason)
    assert theirs.reason == END
    assert theirs.cost == pytest.approx(ours.cost)


def test_a_hedge_that_cannot_be_closed_at_the_end_is_valued_at_its_last_prices(tmp_path: Path) -> None:
    plan = StudyPlan(data=tmp_path, start=FIRST, end=FIRST + timedelta(days=3), cost_bps=Decimal(4))
    write_market(tmp_path, 3, [Coin(level=1e-3, gap=(70, 90))], days=4)
    study = Study.load(plan)
    ours = study.hold()
    policy = HoldFirst(replay_parameters(study, StrategyParameters()), "AUSDT")
    theirs = replay(study, policy, built)
    assert [trade.reason for trade in theirs.trades] == [END]
    assert theirs.trades[0].rates == pytest.approx(ours.trades[0].rates, abs=1e-3)


def test_on_declared_books_what_execution_costs_more_is_a_part_of_the_gap(tmp_path: Path) -> None:
    write_market(tmp_path, 3, [Coin(level=1e-3, noise=1e-5)], days=4)
    study = Study.load(StudyPlan(data=tmp_path, start=FIRST, end=FIRST + timedelta(days=4)))
    patient = StrategyParameters()
    theirs = replay(study, VolumeFarming(replay_parameters(study, patient)), built).figures
    ours = study.run(patient).figures
    assert theirs.entries == ours.entries > 0
    assert ours.costs < theirs.costs < 1.5 * ours.costs
    assert theirs.attribution["execution"] > 0
    gap = theirs.bound_apr - theirs.net_apr_on_notional
    assert sum(theirs.attribution.values()) == pytest.approx(gap, abs=1e-9)
    assert theirs.basis_apr == pytest.approx(ours.basis_apr, abs=0.01 / study.grid.years)


def test_the_hash_of_decisions_is_that_of_their_lines(tmp_path: Path) -> None:
    write_market(tmp_path, 3, [Coin(level=1e-3)], days=3)
    plan = StudyPlan(data=tmp_path, start=FIRST, end=FIRST + timedelta(days=3), cost_bps=Decimal(4))
    result = Study.load(plan).run(StrategyParameters())
    assert result.figures.decisions_sha256 == decisions_sha256(result.decisions)
    assert result.decisions
