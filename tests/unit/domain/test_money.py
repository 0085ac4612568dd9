from decimal import Decimal

import pytest

from hedgerow.domain.money import (
    ceil_to_step,
    common_step,
    floor_to_step,
    is_on_grid,
    is_positive,
    nearest_step,
    plain,
    sum_or_none,
)


def test_c1_a_quantity_on_the_grid_is_not_cut_by_float_arithmetic() -> None:
    assert floor_to_step(Decimal("0.29"), Decimal("0.01")) == Decimal("0.29")
    for cents in range(1, 10_000):
        value = Decimal(cents) / 100
        assert floor_to_step(value, Decimal("0.01")) == value


@pytest.mark.parametrize(
    ("step", "value", "floor", "ceil"),
    [
        ("0.00100000", "1.23456", "1.234", "1.235"),
        ("5", "17", "15", "20"),
        ("10", "17", "10", "20"),
        ("10", "9.99", "0", "10"),
        ("0.25", "-0.3", "-0.5", "-0.25"),
    ],
)
def test_c2_a_step_is_a_number_not_a_count_of_decimals(step: str, value: str, floor: str, ceil: str) -> None:
    assert floor_to_step(Decimal(value), Decimal(step)) == Decimal(floor)
    assert ceil_to_step(Decimal(value), Decimal(step)) == Decimal(ceil)


@pytest.mark.parametrize(("value", "nearest"), [("0.24", "0.2"), ("0.26", "0.3"), ("0.25", "0.2"), ("0.35", "0.4")])
def test_the_nearest_step_breaks_ties_to_the_even_multiple(value: str, nearest: str) -> None:
    assert nearest_step(Decimal(value), Decimal("0.1")) == Decimal(nearest)


@pytest.mark.parametrize("step", ["0", "-0.1"])
def test_a_step_that_is_not_positive_is_refused(step: str) -> None:
    for function in (floor_to_step, ceil_to_step, nearest_step):
        with pytest.raises(ValueError, match="must be positive"):
            function(Decimal(1), Decimal(step))
    with pytest.raises(ValueError, match="must be positive"):
        common_step(Decimal(1), Decimal(step))
    with pytest.raises(ValueError, match="must be positive"):
        common_step(Decimal(step), Decimal(1))


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [("0.001", "0.01", "0.01"), ("0.3", "0.2", "0.6"), ("5", "10", "10"), ("0.00100000", "1", "1"), ("4", "6", "12")],
)
def test_the_common_step_lies_on_both_grids(first: str, second: str, common: str) -> None:
    step = common_step(Decimal(first), Decimal(second))
    assert step == Decimal(common)
    assert "E" not in str(step)


def test_a_value_is_on_the_grid_or_not() -> None:
    assert is_on_grid(Decimal("0.30"), Decimal("0.1"))
    assert not is_on_grid(Decimal("0.35"), Decimal("0.1"))


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+2", "100"), ("0.0010", "0.001"), ("-0", "0"), ("-0.00", "0"), ("12.50", "12.5"), ("1E-8", "0.00000001")],
)
def test_plain_notation_has_no_exponent_and_no_padding(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_lies_on_no_grid(bad: str) -> None:
    for rounding in (floor_to_step, ceil_to_step, nearest_step, is_on_grid):
        with pytest.raises(ValueError, match="must be finite"):
            rounding(Decimal(bad), Decimal("0.1"))
        with pytest.raises(ValueError, match="must be positive"):
            rounding(Decimal(1), Decimal(bad))
    with pytest.raises(ValueError, match="must be positive"):
        common_step(Decimal(bad), Decimal(1))


def test_a_large_value_on_a_fine_grid_is_on_it() -> None:
    assert is_on_grid(Decimal("1e30"), Decimal("0.001"))


@pytest.mark.parametrize(("value", "positive"), [("1", 1), ("0", 0), ("-1", 0), ("NaN", 0), ("Infinity", 0)])
def test_only_a_finite_value_above_zero_is_positive(value: str, positive: int) -> None:
    assert is_positive(Decimal(value)) is bool(positive)


@pytest.mark.parametrize(
    ("parts", "total"),
    [((), Decimal(0)), ((Decimal("0.1"), Decimal("-0.3")), Decimal("-0.2")), ((Decimal(1), None, Decimal(2)), None)],
)
def test_a_sum_with_an_unknown_part_is_unknown(parts: tuple[Decimal | None, ...], total: Decimal | None) -> None:
    assert sum_or_none(parts) == total
