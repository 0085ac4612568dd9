"""How numbers and times are written for display, in one place: log lines, screens, tables and reports use these.

The first part is for screens. A sign stands before the dollar, thousands are separated, an amount that cents would hide
shows its first digits, quantities and prices are never cut, and what is not known says so.

The second part is for log lines, which have the guide's words and number of decimals so that programs can read them: no
separators, and a sign behind the dollar.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from hedgerow.domain.money import plain

__all__ = [
    "UNKNOWN",
    "amount",
    "bps",
    "duration",
    "full_amount",
    "legs_differ",
    "log_apr",
    "log_funding",
    "log_iso",
    "log_money",
    "log_number",
    "log_percent",
    "log_price",
    "log_quantity",
    "log_rate",
    "log_setting",
    "percent",
    "price",
    "quantity",
    "seconds",
    "signed_amount",
    "signed_full",
    "signed_percent",
    "utc_minute",
    "utc_second",
    "whole_amount",
]

UNKNOWN: Final = "unknown"
CENT: Final = Decimal("0.01")
PRICE_DECIMALS: Final = 8
"""No price of the venue has more; an average has."""


# --- screens ---------------------------------------------------------------------------------------------------------


def amount(value: Decimal | None) -> str:
    """Return quote units with two decimals, ``-$1,234.50``; with as many as it takes where two would show nothing."""
    return UNKNOWN if value is None else _dollars(value, plus="")


def signed_amount(value: Decimal | None) -> str:
    """Return quote units as ``amount`` does, a gain with its plus."""
    return UNKNOWN if value is None else _dollars(value, plus="+")


def full_amount(value: Decimal | None) -> str:
    """Return quote units with every digit and at least two decimals: ``$499.83371175``."""
    if value is None:
        return UNKNOWN
    return f"{'-' if value < 0 else ''}${_full(abs(value))}"


def signed_full(value: Decimal | None) -> str:
    """Return quote units as ``full_amount`` does, a gain with its plus."""
    return f"{'+' if value is not None and value > 0 else ''}{full_amount(value)}"


def whole_amount(value: Decimal | None) -> str:
    """Return a large figure of the market in whole quote units: ``$170,155,642``."""
    return UNKNOWN if value is None else f"${value:,.0f}"


def price(value: Decimal | None) -> str:
    """Return a price with every digit of the venue's grid and at least two decimals: ``$0.111239``."""
    return full_amount(value if value is None else round(value, PRICE_DECIMALS))


def quantity(value: Decimal | None, asset: str = "") -> str:
    """Return units of a coin with every digit, its name behind it: ``-2564.07396 FORM``."""
    return UNKNOWN if value is None else f"{plain(value)} {asset}".rstrip()


def percent(fraction: float | None, decimals: int = 2) -> str:
    """Return a fraction as percent: ``12.34 %``."""
    return UNKNOWN if fraction is None else f"{fraction * 100:z.{decimals}f} %"


def legs_differ(part: str, value: str) -> str:
    """Return by how much the coins exceed the short: the part of the larger leg, and its worth, both as shown."""
    return f"legs differ by {part} ({value})"


def signed_percent(fraction: float | None, decimals: int = 2) -> str:
    """Return a fraction as percent, a gain with its plus: ``+1.23 %``."""
    return UNKNOWN if fraction is None else f"{fraction * 100:+z.{decimals}f} %"


def bps(fraction: float | None) -> str:
    """Return a fraction as basis points with one decimal: ``4.5 bp``."""
    return UNKNOWN if fraction is None else f"{fraction * 10_000:z.1f} bp"


def seconds(value: float | None) -> str:
    """Return a short time in seconds with one decimal: ``0.1 s``."""
    return UNKNOWN if value is None else f"{value:z.1f} s"


def duration(value: timedelta | None) -> str:
    """Return a duration in its two largest units, whole seconds at least: ``1 d 4 h``."""
    if value is None:
        return UNKNOWN
    if value < timedelta(0):
        return f"-{duration(-value)}"
    whole = int(value.total_seconds())
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    for (name, size), (smaller, part) in pairwise(units):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def utc_minute(at: datetime | None) -> str:
    """Return a time to the minute, UTC: ``2025-05-01 00:30``; the zone is said by what stands around it."""
    return UNKNOWN if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def utc_second(at: datetime | None) -> str:
    """Return a time to the second, UTC: ``2025-05-01 00:30:59``."""
    return UNKNOWN if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _dollars(value: Decimal, *, plus: str) -> str:
    size = abs(value)
    if size and size < CENT:
        digits = min(12, -size.adjusted() + 1)
        text = f"{size:.{digits}f}"
    else:
        text = f"{size:,.2f}"
    sign = "-" if value < 0 else plus if value > 0 else ""
    return f"{sign}${text}"


def _full(size: Decimal) -> str:
    whole, _, decimals = plain(size).partition(".")
    return f"{int(whole):,}.{decimals:0<2}"


# --- log lines -------------------------------------------------------------------------------------------------------


def log_money(value: Decimal | None) -> str:
    """Return quote units with two decimals; the sign stays behind the dollar, so that ``$`` is followed by a number."""
    return UNKNOWN if value is None else f"${value:z.2f}"


def log_funding(value: Decimal | None) -> str:
    """Return funding and profit in quote units with four decimals."""
    return UNKNOWN if value is None else f"${value:z.4f}"


def log_quantity(value: Decimal) -> str:
    """Return base units with six decimals."""
    return f"{value:z.6f}"


def log_price(value: Decimal) -> str:
    """Return a price with two decimals, six below 100."""
    return f"${value:.2f}" if value >= 100 else f"${value:.6f}"  # noqa: PLR2004 - the docstring says it


def log_number(value: float) -> str:
    """Return hours and ratios with two decimals."""
    return f"{value:z.2f}"


def log_percent(fraction: float) -> str:
    """Return a fraction as percent with two decimals."""
    return f"{fraction * 100:z.2f}%"


def log_apr(fraction: float | None) -> str:
    """Return an APR (a fraction per year) as percent with two decimals."""
    return UNKNOWN if fraction is None else log_percent(fraction)


def log_rate(fraction: float) -> str:
    """Return a funding rate (a fraction per interval) as percent with four decimals."""
    return f"{fraction * 100:z.4f}%"


def log_setting(value: float | Decimal) -> str:
    """Return a setting with at least one decimal: 1.5, 50.0."""
    return str(round(float(value), 6))


def log_iso(at: datetime) -> str:
    """Return UTC as ISO 8601 without an offset, as the guide writes funding times."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
