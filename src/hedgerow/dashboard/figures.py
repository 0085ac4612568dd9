"""Figures as people read them: money with its sign, fractions as percent, durations in two units."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

__all__ = ["duration", "fraction", "moment", "money", "signed"]

CENT = Decimal("0.01")
MINUS = "-"


def money(value: Decimal) -> str:
    """Return quote units with two decimals; with as many as it takes where two would show nothing."""
    return _dollars(value, plus="")


def signed(value: Decimal) -> str:
    """Return quote units as ``money`` does, a gain with its plus."""
    return _dollars(value, plus="+")


def fraction(value: float) -> str:
    """Return a fraction as signed percent."""
    return f"{value * 100:+.2f} %"


def duration(value: timedelta) -> str:
    """Return a duration in its two largest units, e.g. ``1 d 4 h``."""
    seconds = int(value.total_seconds())
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for (name, size), (smaller, part) in pairwise(units):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{seconds} s"


def moment(at: datetime) -> str:
    """Return a time to the minute, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _dollars(value: Decimal, *, plus: str) -> str:
    size = abs(value)
    if size and size < CENT:
        digits = min(12, -size.adjusted() + 1)
        text = f"{size:.{digits}f}"
    else:
        text = f"{size:,.2f}"
    sign = MINUS if value < 0 else plus if value > 0 else ""
    return f"{sign}${text}"
