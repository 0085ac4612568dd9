"""The best of hindsight: equal to trying everything, above every policy, monotone in costs and symbols."""

from datetime import timedelta
from decimal import Decimal
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from hedgerow.backtest.bound import Opportunities, bound_of
from hedgerow.backtest.figures import Money
from hedgerow.backtest.slots import best_slots
from hedgerow.backtest.study import Study, StudyPlan
from support.backtest_markets import FIRST, Coin, drawn_coin, drawn_parameters, write_market
from support.drawing import examples

pytestmark = pytest.mark.slow

HOUR_MS = 3_600_000
BY_SYMBOL = ("reward", "may_open", "may_close", "first_ms", "last_ms", "open_cost", "close_cost")
YEAR_MS = 8760 * HOUR_MS


def drawn(random: Random, stamps: int, symbols: int) -> Opportunities:
    """Return random chances: rates of a few basis points, gaps, and different costs; trades at a whole hour."""
    reward = np.array([[random.gauss(0, 3e-3) for _ in range(symbols)] for _ in range(stamps)])
    able = np.array([[random.random() < 0.7 for _ in range(symbols)] for _ in range(stamps)])
    first = np.array([[index * HOUR_MS] * symbols for index in range(stamps)], dtype=np.int64)
    cost = np.array([random.choice([0.0, 5e-4, 2e-3]) for _ in range(symbols)])
    return Opportunities(
        stamp_ms=np.array([(index + 1) * HOUR_MS for index in range(stamps)], dtype=np.int64),
        reward=reward,
        may_open=able & np.array([[random.random() < 0.9 for _ in range(symbols)] for _ in range(stamps)]),
        may_close=able,
        first_ms=first,
        last_ms=first,
        open_cost=cost,
        close_cost=cost * random.choice([0.5, 1.0, 2.0]),
        start_ms=0,
        end_ms=(stamps + 1) * HOUR_MS,
    )


def by_trying_everything(chances: Opportunities, hurdle_apr: float) -> float:
    """Return the best value of all sequences of positions."""
    hour = hurdle_apr * HOUR_MS / YEAR_MS

    @cache
    def best(row: int, held: int) -> float:
        if row == len(chances.stamp_ms):
            return -float(chances.close_cost[held]) - hour if held >= 0 else 0.0
        options = []
        for then in range(-1, chances.reward.shape[1]):
            closing, opening = held >= 0 and then != held, then >= 0 and then != held
            if (closing and not chances.may_close[row, held]) or (opening and not chances.may_open[row, then]):
                continue
            value = best(row + 1, then)
            value += float(chances.reward[row, then]) - hour if then >= 0 else 0.0
            value -= float(chances.close_cost[held]) if closing else 0.0
            value -= float(chances.open_cost[then]) if opening else 0.0
            options.append(value)
        return max(options)

    return best(0, -1)


@given(seed=st.integers(0, 1 << 30), stamps=st.integers(1, 8), symbols=st.integers(1, 3))
@settings(max_examples=examples(200))
def test_the_bound_is_the_best_of_all_sequences(seed: int, stamps: int, symbols: int) -> None:
    random = Random(seed)
    chances, hurdle = drawn(random, stamps, symbols), random.choice([0.0, 0.5])
    found = bound_of(chances, hurdle_apr=hurdle)
    assert found.value == pytest.approx(by_trying_everything(chances, hurdle), abs=1e-12)


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(50))
def test_the_path_earns_the_value_of_the_bound(seed: int) -> None:
    chances = drawn(Random(seed), 30, 3)
    found = bound_of(chances)
    earned = sum(chances.reward[row, held] for row, held in enumerate(found.held) if held >= 0)
    assert earned - found.cost == pytest.approx(found.value, abs=1e-12)


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(50))
def test_the_bound_never_rises_with_cost_and_never_falls_with_another_symbol(seed: int) -> None:
    chances = drawn(Random(seed), 30, 3)
    free = bound_of(chances).value
    dearer = chances._replace(open_cost=2 * chances.open_cost, close_cost=2 * chances.close_cost)
    assert bound_of(dearer).value <= free + 1e-12
    two = {name: np.ascontiguousarray(getattr(chances, name)[..., :2]) for name in BY_SYMBOL}
    fewer = Opportunities(**{**chances._asdict(), **two})
    assert bound_of(fewer).value <= free + 1e-12


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(30))
def test_no_policy_earns_more_than_the_bound(seed: int) -> None:
    random = Random(seed)
    with TemporaryDirectory() as folder:
        coins = [drawn_coin(random) for _ in range(random.choice([1, 2, 3]))]
        write_market(Path(folder), seed, coins, days=6)
        study = Study.load(
            StudyPlan(
                data=Path(folder),
                start=FIRST,
                end=FIRST + timedelta(days=random.choice([4, 6])),
                cost_bps=Decimal(random.choice([0, 4, 20])),
                cycle_seconds=random.choice([300, 900, 3600]),
                guard_seconds=random.choice([0, 60]),
                money=Money(
                    capital=10_000.0, leverage=random.choice([1.0, 2.0]), cash_apr=random.choice([0.0, 0.04, 1.0])
                ),
            )
        )
    for result in (study.run(drawn_parameters(random)), study.hold()):
        figures = result.figures
        assert figures.net_apr_on_notional <= figures.bound_apr + 1e-9
        assert figures.net_apr_on_capital <= figures.bound_apr_on_capital + 1e-9
        gap = figures.bound_apr - figures.net_apr_on_notional
        assert sum(figures.attribution.values()) == pytest.approx(gap, abs=1e-9)
        assert figures.attribution["execution"] == pytest.approx(0.0, abs=1e-9)


def test_a_gap_can_be_held_through(tmp_path: Path) -> None:
    write_market(tmp_path, 1, [Coin(level=1e-3, noise=1e-5, gap=(20, 60))], days=4)
    plan = StudyPlan(data=tmp_path, start=FIRST, end=FIRST + timedelta(days=4), cost_bps=Decimal(20))
    study = Study.load(plan)
    assert study.bounds[0].entries == 1
    assert set(study.bounds[0].held[1:]) == {0}


def by_trying_all_sets(chances: Opportunities, slots: int, hurdle_apr: float) -> float:
    """Return the best value of all sequences of sets of at most ``slots`` symbols."""
    hour = hurdle_apr * HOUR_MS / YEAR_MS
    symbols = chances.reward.shape[1]
    sets = [frozenset(c) for size in range(slots + 1) for c in combinations(range(symbols), size)]

    @cache
    def best(row: int, held: frozenset[int]) -> float:
        if row == len(chances.stamp_ms):
            return -sum(float(chances.close_cost[symbol]) + hour for symbol in held)
        options = []
        for then in sets:
            closed, opened = held - then, then - held
            if not all(chances.may_close[row, s] for s in closed) or not all(chances.may_open[row, s] for s in opened):
                continue
            value = best(row + 1, then) + sum(float(chances.reward[row, s]) - hour for s in then)
            value -= sum(float(chances.close_cost[s]) for s in closed) + sum(
                float(chances.open_cost[s]) for s in opened
            )
            options.append(value)
        return max(options)

    return best(0, frozenset())


@given(seed=st.integers(0, 1 << 30), stamps=st.integers(1, 8), symbols=st.integers(1, 4), slots=st.integers(1, 4))
@settings(max_examples=examples(150))
def test_the_best_slots_are_the_best_of_all_sequences_of_sets(seed: int, stamps: int, symbols: int, slots: int) -> None:
    random = Random(seed)
    chances, hurdle = drawn(random, stamps, symbols), random.choice([0.0, 0.5])
    found = best_slots(chances, slots, hurdle_apr=hurdle)
    assert found.value == pytest.approx(by_trying_all_sets(chances, slots, hurdle), abs=1e-9)
    assert found.held.sum(axis=1).max(initial=0) <= slots


def by_linear_programme(chances: Opportunities, slots: int, hurdle_apr: float) -> float:
    """Return the best value of the same problem as a linear programme: what is held, opened and closed at a stamp."""
    hour = hurdle_apr * HOUR_MS / YEAR_MS
    stamps, symbols = chances.reward.shape
    size = stamps * symbols
    paid = chances.reward - hour
    paid[-1] -= chances.close_cost + hour
    gains = np.concatenate([paid.ravel(), -np.tile(chances.open_cost, stamps), -np.tile(chances.close_cost, stamps)])
    change = np.eye(size) - np.eye(size, k=-symbols)
    kept = np.concatenate([change, -np.eye(size), np.eye(size)], axis=1)
    together = np.concatenate([np.kron(np.eye(stamps), np.ones(symbols)), np.zeros((stamps, 2 * size))], axis=1)
    most = np.concatenate([np.ones(size), chances.may_open.ravel(), chances.may_close.ravel()])
    solved = linprog(
        -gains,
        A_ub=together,
        b_ub=np.full(stamps, float(slots)),
        A_eq=kept,
        b_eq=np.zeros(size),
        bounds=[(0.0, float(each)) for each in most],
    )
    assert solved.success
    return -float(solved.fun)


@given(seed=st.integers(0, 1 << 30), slots=st.integers(1, 4))
@settings(max_examples=examples(20))
def test_the_best_slots_are_those_of_a_linear_programme(seed: int, slots: int) -> None:
    random = Random(seed)
    chances, hurdle = drawn(random, 24, 5), random.choice([0.0, 0.5])
    found = best_slots(chances, slots, hurdle_apr=hurdle)
    assert found.value == pytest.approx(by_linear_programme(chances, slots, hurdle), abs=1e-9)


@given(seed=st.integers(0, 1 << 30))
@settings(max_examples=examples(30))
def test_one_slot_is_the_bound_and_each_further_one_adds_no_more_than_the_one_before(seed: int) -> None:
    chances = drawn(Random(seed), 40, 5)
    values = [best_slots(chances, slots).value for slots in range(6)]
    assert values[1] == pytest.approx(bound_of(chances).value, abs=1e-9)
    gains = np.diff(values)
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(gains))
