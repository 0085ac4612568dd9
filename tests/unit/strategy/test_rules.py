import ast
import inspect
from math import inf, nan, nextafter
from types import FunctionType

import pytest

from hedgerow.strategy import rules

FUNCTIONS = [rule for rule in vars(rules).values() if isinstance(rule, FunctionType)]
ALLOWED_NAMES = {"abs", "int", "len", "max", "range"}
CONSTANTS = {name for name in rules.__all__ if name.isupper()}


def test_every_rule_is_public() -> None:
    assert {function.__name__ for function in FUNCTIONS} | CONSTANTS == set(rules.__all__)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_rule_uses_nothing_but_constants_and_rules_above_it(function: FunctionType) -> None:
    above = {each.__name__ for each in FUNCTIONS[: FUNCTIONS.index(function)]}
    assert set(function.__code__.co_names) <= ALLOWED_NAMES | CONSTANTS | above
    assert function.__closure__ is None
    assert function.__kwdefaults__ is None
    assert function.__code__.co_kwonlyargcount == 0, "compiled code passes no keywords"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_a_rule_is_plain_enough_to_be_compiled(function: FunctionType) -> None:
    refused = (ast.Raise, ast.Try, ast.With, ast.Dict, ast.Set, ast.List, ast.JoinedStr, ast.Lambda, ast.Attribute)
    tree = ast.parse(inspect.getsource(function))
    assert [type(node).__name__ for node in ast.walk(tree) if isinstance(node, refused)] == []


def test_b7_apr_counts_hours_so_that_equal_rates_on_shorter_intervals_pay_more() -> None:
    assert rules.funding_apr(0.001, 10 * 8) == pytest.approx(0.001 / 80 * 8760)
    assert rules.funding_apr(0.001, 10.0) == pytest.approx(8 * rules.funding_apr(0.001, 80.0))


def test_the_apr_of_eight_hour_prints_is_the_mean_times_1095_bit_for_bit() -> None:
    total = 0.00012345 + 0.0003 - 0.00001
    assert rules.funding_apr(total, 3 * 8.0) == total / 3 * 1095.0


def test_the_printed_example_of_the_guide_is_17_percent_a_year() -> None:
    assert rules.funding_apr(0.000156, 8.0) == pytest.approx(0.17082)


def test_the_entry_limit_is_inclusive_and_can_be_made_strict() -> None:
    assert rules.admits(0.15, 0.15)
    assert not rules.admits(0.15, nextafter(0.15, inf))


def test_the_stop_is_strict() -> None:
    assert not rules.stop_hit(-10.0, -10.0)
    assert rules.stop_hit(nextafter(-10.0, -inf), -10.0)


def test_fees_are_covered_at_exactly_the_multiple_but_never_before_any_funding() -> None:
    assert rules.fees_covered(3.0, 1.5, 1.0, 1.0)
    assert not rules.fees_covered(2.99, 1.5, 1.0, 1.0)
    assert not rules.fees_covered(0.0, 1.5, 0.0, 0.0)


def test_age_is_inclusive() -> None:
    assert rules.too_old(24.0, 24.0)
    assert not rules.too_old(23.99, 24.0)


def test_another_pair_must_pay_ten_points_more_after_four_hours() -> None:
    assert rules.better_pair(0.25, 0.5, 0.25, 4.0, 4.0)
    assert not rules.better_pair(0.25, 0.49, 0.25, 4.0, 4.0)
    assert not rules.better_pair(0.25, 0.5, 0.25, 3.9, 4.0)


def test_funding_has_turned_only_below_the_limit() -> None:
    assert not rules.funding_turned(0.0, 0.0)
    assert rules.funding_turned(-0.0001, 0.0)


def test_pair_pnl_is_basis_change_plus_funding_less_fees() -> None:
    assert rules.pair_pnl(2.0, 1.5, 1.0, 0.7, 0.2) == pytest.approx(1.5)


def test_pair_fee_counts_both_legs() -> None:
    assert rules.pair_fee(2.0, 100.0, 0.001, 101.0, 0.0005) == pytest.approx(0.301)


def test_imbalance_is_signed_and_relative_to_the_larger_leg() -> None:
    assert rules.imbalance(1.0, 0.9) == pytest.approx(0.1)
    assert rules.imbalance(0.9, 1.0) == pytest.approx(-0.1)
    assert rules.imbalance(0.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("difference", "grade"), [(0.02, 0), (-0.02, 0), (0.021, 1), (-0.021, 1), (0.10, 1), (0.101, 2), (-0.101, 2)]
)
def test_imbalance_grades(difference: float, grade: int) -> None:
    assert rules.imbalance_class(difference, 0.02, 0.10) == grade


@pytest.mark.parametrize(
    ("balance", "leg_gone", "distance", "sound", "grade"),
    [
        (0, False, 0.5, True, 0),
        (1, False, 0.5, True, 1),
        (2, False, 0.5, True, 2),
        (0, True, 0.5, True, 2),
        (0, False, 0.15, True, 0),
        (0, False, 0.149, True, 3),
        (0, False, 0.5, False, 3),
    ],
)
def test_health_grades(*, balance: int, leg_gone: bool, distance: float, sound: bool, grade: int) -> None:
    found = rules.health_class(balance, leg_gone=leg_gone, distance=distance, min_distance=0.15, sound=sound)
    assert found == grade


def test_liquidation_distance_is_a_fraction_of_the_mark() -> None:
    assert rules.liquidation_distance(100.0, 115.0) == pytest.approx(0.15)


def test_lots_are_floored() -> None:
    assert rules.floor_lots(10.09999, 0.1) == pytest.approx(10.0)
    assert rules.floor_lots(0.05, 0.1) == 0.0


def test_the_first_reason_of_the_order_wins() -> None:
    holds = (False, True, False, True)
    assert rules.first_exit((3, 1), holds) == 3
    assert rules.first_exit((2, 1, 3), holds) == 1
    assert rules.first_exit((2,), holds) == 0


def test_a_reduction_and_what_it_brings_restore_the_distance() -> None:
    part = rules.reduction(0.1, 0.3, 0.99)
    assert (0.1 + part * 0.99) / (1 - part) == pytest.approx(0.3)


def test_a_window_sums_its_newest_rates_oldest_first() -> None:
    rates, hours = [9.0, 0.1, 0.2, 0.3, 9.0], [8.0, 8.0, 4.0, 4.0, 8.0]
    assert rules.window_sums(rates, hours, 4, 3) == (0.1 + 0.2 + 0.3, 16.0)


def test_what_is_not_known_is_no_reason_to_leave() -> None:
    held = rules.profit_reasons(5.0, 1.5, 1.0, nan, 1.0, 24.0, nan, 0.0, nan, 0.1, 4.0)
    assert held == (False,) * 7


def test_each_reason_to_leave_is_at_its_code() -> None:
    assert rules.profit_reasons(3.0, 1.5, 1.0, 1.0, 1.0, 24.0, 0.2, 0.0, nan, 0.1, 4.0)[3]
    assert rules.profit_reasons(0.0, 1.5, 1.0, 1.0, 24.0, 24.0, 0.2, 0.0, nan, 0.1, 4.0)[4]
    assert rules.profit_reasons(0.0, 1.5, 1.0, 1.0, 4.0, 24.0, 0.25, 0.0, 0.5, 0.25, 4.0)[5]
    assert rules.profit_reasons(0.0, 1.5, 1.0, 1.0, 1.0, 24.0, -0.01, 0.0, nan, 0.1, 4.0)[6]


def entry(**changes: float) -> int:
    numbers = {"mean": 1e-4, "apr": 0.2, "min_apr": 0.15, "predicted": 1e-4, "volume": 9.0, "min_volume": 9.0}
    numbers |= {"spread": 1.0, "max_spread": 1.0, "basis": 0.0, "max_discount": 0.0015, "max_premium": 0.02}
    return rules.entry_refusals(**{**numbers, **changes})


@pytest.mark.parametrize(
    ("changes", "bits"),
    [
        ({}, 0),
        ({"mean": 0.0, "apr": 0.0}, rules.NO_FUNDING),
        ({"mean": nan, "apr": nan}, rules.NO_FUNDING),
        ({"apr": 0.149}, rules.NO_EDGE),
        ({"predicted": 0.0}, rules.NO_PREDICTED),
        ({"predicted": nan}, rules.NO_PREDICTED),
        ({"volume": nan}, rules.NO_VOLUME),
        ({"volume": 8.9}, rules.NO_VOLUME),
        ({"spread": 1.1}, rules.TOO_WIDE),
        ({"spread": nan, "basis": nan}, 0),
        ({"basis": -0.0015}, 0),
        ({"basis": -0.0016}, rules.TOO_CHEAP),
        ({"basis": 0.021}, rules.TOO_RICH),
        ({"mean": -1.0, "volume": 0.0, "basis": 1.0}, rules.NO_FUNDING | rules.NO_VOLUME | rules.TOO_RICH),
    ],
)
def test_each_entry_filter_refuses_by_its_own_bit(changes: dict[str, float], bits: int) -> None:
    assert entry(**changes) == bits


def test_the_first_pair_that_may_be_entered_is_taken() -> None:
    assert rules.first_admitted([False, True, True]) == 1
    assert rules.first_admitted([False]) == -1
    assert rules.first_admitted([]) == -1


@pytest.mark.parametrize(
    ("admitted", "held", "age", "index"),
    [
        ([True, True, True], 2, 4.0, 0),
        ([False, True, True], 2, 4.0, 1),
        ([True, True, True], 0, 4.0, 1),
        ([False, False, True], 2, 4.0, -1),
        ([True, True, True], 2, 3.9, -1),
        ([False, False, False], -1, 4.0, -1),
    ],
)
def test_the_search_for_a_better_pair_ends_at_the_first_that_is_not(
    admitted: list[bool], held: int, age: float, index: int
) -> None:
    assert rules.first_better([0.75, 0.5, 0.25], admitted, held, 0.25, 0.25, age, 4.0) == index
    assert rules.first_better([], [], -1, 0.25, 0.25, age, 4.0) == -1


def test_no_pair_is_better_when_all_are_and_none_may_be_entered() -> None:
    assert rules.first_better([0.75, 0.5], [False, False], -1, 0.1, 0.25, 4.0, 4.0) == -1
