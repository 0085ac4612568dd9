"""Decimal money and quantities on a grid: exact steps, never floats."""

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from math import gcd

__all__ = [
    "BPS",
    "ONE",
    "ZERO",
    "ceil_to_step",
    "common_step",
    "floor_to_step",
    "is_on_grid",
    "is_positive",
    "nearest_step",
    "plain",
    "plain_or_none",
    "sum_or_none",
]

ZERO = Decimal(0)
ONE = Decimal(1)
BPS = Decimal("0.0001")
"""One basis point as a fraction."""
_EXACT = Context(prec=100)
"""Holds every digit of the quotient of any two amounts that the exchange can name."""


def floor_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of ``step`` that is not above ``value``.

    Raises:
        ValueError: ``step`` is not positive, or ``value`` is not finite.
    """
    return _to_step(value, step, ROUND_FLOOR)


def ceil_to_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the smallest multiple of ``step`` that is not below ``value``.

    Raises:
        ValueError: ``step`` is not positive, or ``value`` is not finite.
    """
    return _to_step(value, step, ROUND_CEILING)


def nearest_step(value: Decimal, step: Decimal) -> Decimal:
    """Return the multiple of ``step`` nearest to ``value`` (ties to the even multiple).

    Raises:
        ValueError: ``step`` is not positive, or ``value`` is not finite.
    """
    return _to_step(value, step, ROUND_HALF_EVEN)


def is_on_grid(value: Decimal, step: Decimal) -> bool:
    """Return whether ``value`` is a whole number of steps.

    Raises:
        ValueError: ``step`` is not positive, or ``value`` is not finite.
    """
    _check(value, step)
    return _EXACT.remainder(value, step) == 0


def is_positive(value: Decimal) -> bool:
    """Return whether a value is finite and above zero; NaN, which cannot be compared, is not."""
    return value.is_finite() and value > 0


@lru_cache(maxsize=1024)
def common_step(first: Decimal, second: Decimal) -> Decimal:
    """Return the least common multiple of two steps, so that its multiples lie on both grids.

    Raises:
        ValueError: a step is not positive.
    """
    if not (is_positive(first) and is_positive(second)):
        raise ValueError(f"steps must be positive: {first}, {second}")
    scale = max(_decimals(first), _decimals(second))
    a, b = int(first.scaleb(scale)), int(second.scaleb(scale))
    return Decimal(a * b // gcd(a, b)).scaleb(-scale).normalize() + ZERO


def sum_or_none(parts: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum; None where one part is not known."""
    total = ZERO
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def plain(value: Decimal) -> str:
    """Return plain notation without trailing zeros or an exponent: the form a venue accepts."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"", "-0"} else text


def plain_or_none(value: Decimal | None) -> str | None:
    """Return ``plain`` of a value, None of one that is not known: how JSON carries money."""
    return None if value is None else plain(value)


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    _check(value, step)
    return (value / step).to_integral_value(rounding=rounding) * step


def _check(value: Decimal, step: Decimal) -> None:
    if not is_positive(step):
        raise ValueError(f"a step must be positive, not {step}")
    if not value.is_finite():
        raise ValueError(f"a value on a grid must be finite, not {value}")


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -int(exponent))
