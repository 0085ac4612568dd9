"""Reads numbers back from what screens show, without the code that wrote them."""

import re
from decimal import Decimal

__all__ = ["UNKNOWN", "is_shown", "number_in"]

UNKNOWN = "?"
MINUS = "\N{MINUS SIGN}"
NUMBER = re.compile(rf"([+{MINUS}]?)\$?([0-9][0-9,]*(?:\.[0-9]+)?)")
SCALES = {
    "B": Decimal(10) ** 9,
    "M": Decimal(10) ** 6,
    "k": Decimal(10) ** 3,
    "%": Decimal("0.01"),
    "bp": Decimal("0.0001"),
}


def number_in(text: str) -> tuple[Decimal, Decimal] | None:
    """Return the one number of a text, and how much its last digit stands for; None where it is not known.

    Percent and basis points are read as fractions, magnitudes as what they stand for.
    """
    if text.strip() == UNKNOWN:
        return None
    found = NUMBER.search(text)
    assert found is not None, f"no number in {text!r}"
    digits = found[2].replace(",", "")
    unit = text[found.end() :].strip().split(" ")[0]
    scale = SCALES.get(unit, Decimal(1))
    value = Decimal(digits) * scale * (-1 if found[1] == MINUS else 1)
    return value, Decimal(1).scaleb(-len(digits.partition(".")[2])) * scale


def is_shown(value: Decimal | float | None, text: str) -> bool:
    """Return whether a text shows a value, rounded to the digits that it shows."""
    found = number_in(text)
    if value is None or found is None:
        return value is None and found is None
    shown, digit = found
    exact = Decimal(repr(value)) if isinstance(value, float) else value
    return abs(shown - exact) <= digit * Decimal("0.5000001") and (shown == 0 or (shown < 0) == (exact < 0))
