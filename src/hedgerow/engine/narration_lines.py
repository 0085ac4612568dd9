"""A line of the log, and how numbers and times are written in it: the decimals are those of the guide's samples."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

__all__ = [
    "BLANK",
    "Line",
    "LineLevel",
    "Lines",
    "alarm",
    "apr",
    "funding",
    "headed",
    "info",
    "iso",
    "money",
    "number",
    "one_line",
    "percent",
    "price",
    "quantity",
    "rate",
    "seconds",
    "setting",
    "stamp",
    "success",
    "warning",
]

BANNER = "=" * 80
LONGEST_LINE = 2000
"""Characters; an error page of a venue must not flood the log."""
UNKNOWN = "unknown"
_SECRET_VALUE = re.compile(
    r"(?i)\b(signature|listenkey|privatekey|private_key|secret|secretkey|apikey)(\"?\s*[=:]\s*\"?)[^\s&\",}]+"
)
_SECRET_HEX = re.compile(r"\b(?:0x)?[0-9a-fA-F]{64,}\b")


class LineLevel(StrEnum):
    """How loud a line is."""

    INFO = "info"
    HEADING = "heading"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"
    ALARM = "alarm"


class Line(Struct, frozen=True, kw_only=True):
    """One line for console and log file, without its time; an empty text is a blank line."""

    text: str
    level: LineLevel = LineLevel.INFO


Lines = tuple[Line, ...]

BLANK = Line(text="")


def info(*texts: str) -> Lines:
    """Return ordinary lines."""
    return tuple(Line(text=text) for text in texts)


def warning(*texts: str) -> Lines:
    """Return lines that want attention."""
    return tuple(Line(text=text, level=LineLevel.WARNING) for text in texts)


def success(text: str) -> Line:
    """Return a line about something that went well."""
    return Line(text=text, level=LineLevel.SUCCESS)


def alarm(text: str) -> Line:
    """Return a line that must not be missed."""
    return Line(text=text, level=LineLevel.ALARM)


def headed(title: str) -> Lines:
    """Return a title between two banners."""
    return (BLANK, *(Line(text=text, level=LineLevel.HEADING) for text in (BANNER, title, BANNER)))


def one_line(text: str) -> str:
    """Return ``text`` as one bounded line: control characters escaped, what looks like a secret blotted out.

    Text of others (errors, symbols) must be able neither to forge lines nor to steer a terminal.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    text = _SECRET_VALUE.sub(r"\1\2***", text)
    text = _SECRET_HEX.sub("***", text)
    if len(text) > LONGEST_LINE:
        return f"{text[:LONGEST_LINE]}... ({len(text) - LONGEST_LINE} characters more)"
    return text


def money(value: Decimal | None) -> str:
    """Return quote units with two decimals; the sign stays behind the dollar, so that ``$`` is followed by a number."""
    return UNKNOWN if value is None else f"${value:z.2f}"


def funding(value: Decimal) -> str:
    """Return funding and profit in quote units with four decimals."""
    return f"${value:z.4f}"


def quantity(value: Decimal) -> str:
    """Return base units with six decimals."""
    return f"{value:z.6f}"


def price(value: Decimal) -> str:
    """Return a price with two decimals, six below 100."""
    return f"${value:.2f}" if value >= 100 else f"${value:.6f}"  # noqa: PLR2004 - the docstring says it


def number(value: float) -> str:
    """Return hours and ratios with two decimals."""
    return f"{value:z.2f}"


def seconds(value: float) -> str:
    """Return seconds with one decimal."""
    return f"{value:z.1f} s"


def percent(fraction: float) -> str:
    """Return a fraction as percent with two decimals."""
    return f"{fraction * 100:z.2f}%"


def apr(fraction: float | None) -> str:
    """Return an APR (a fraction per year) as percent with two decimals."""
    return UNKNOWN if fraction is None else percent(fraction)


def rate(fraction: float) -> str:
    """Return a funding rate (a fraction per interval) as percent with four decimals."""
    return f"{fraction * 100:z.4f}%"


def setting(value: float | Decimal) -> str:
    """Return a setting with at least one decimal: 1.5, 50.0."""
    return str(round(float(value), 6))


def stamp(at: datetime) -> str:
    """Return UTC date and time to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def iso(at: datetime) -> str:
    """Return UTC as ISO 8601 without an offset, as the guide writes funding times."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
