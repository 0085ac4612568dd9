"""A log line, and how it writes numbers and times: the decimals are those of the guide's samples."""

import re
from enum import StrEnum

from msgspec import Struct

__all__ = [
    "BLANK",
    "LineLevel",
    "Lines",
    "LogLine",
    "alarm",
    "headed",
    "info",
    "one_line",
    "success",
    "warning",
]

BANNER = "=" * 80
LONGEST_LINE = 2000
"""Characters; an error page of a venue must not flood the log."""
_SECRET_VALUE = re.compile(
    r"(?i)\b(signature|listenkey|privatekey|private_key|secret|secretkey|apikey)(\"?\s*[=:]\s*\"?)[^\s&\",}]+"
)
_SECRET_HEX = re.compile(r"\b(?:0x)?[0-9a-fA-F]{64,}\b")


class LineLevel(StrEnum):
    """Severity of a line."""

    INFO = "info"
    HEADING = "heading"
    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"
    ALARM = "alarm"


class LogLine(Struct, frozen=True, kw_only=True):
    """One line for console and log file, without its time; an empty text is a blank line."""

    text: str
    level: LineLevel = LineLevel.INFO


Lines = tuple[LogLine, ...]

BLANK = LogLine(text="")


def info(*texts: str) -> Lines:
    """Return ordinary lines."""
    return tuple(LogLine(text=text) for text in texts)


def warning(*texts: str) -> Lines:
    """Return warnings."""
    return tuple(LogLine(text=text, level=LineLevel.WARNING) for text in texts)


def success(text: str) -> LogLine:
    """Return a line about a success."""
    return LogLine(text=text, level=LineLevel.SUCCESS)


def alarm(text: str) -> LogLine:
    """Return a line that needs attention at once."""
    return LogLine(text=text, level=LineLevel.ALARM)


def headed(title: str) -> Lines:
    """Return a title between two banners."""
    return (BLANK, *(LogLine(text=text, level=LineLevel.HEADING) for text in (BANNER, title, BANNER)))


def one_line(text: str) -> str:
    """Return ``text`` as one bounded line: control characters escaped, what looks like a secret replaced by ``***``.

    Text of others (errors, symbols) must not be able to forge lines or to send control codes to a terminal.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    text = _SECRET_VALUE.sub(r"\1\2***", text)
    text = _SECRET_HEX.sub("***", text)
    if len(text) > LONGEST_LINE:
        return f"{text[:LONGEST_LINE]}... ({len(text) - LONGEST_LINE} characters more)"
    return text
