"""Tables that fit the terminal: columns of little value are left out, texts are wrapped, no number is ever cut.

Where the output is no terminal nothing is left out or wrapped: what a program reads must not depend on a screen.
"""

import sys
from collections.abc import Sequence

from msgspec import Struct
from rich.console import Console

from hedgerow.dashboard.wrapping import cells, longest_word, wrapped

__all__ = ["Column", "print_lines", "screen_width", "show_table", "table_lines"]

MARGIN = "  "
GAP = "  "
RULE, ASCII_RULE = "─", "-"
Row = Sequence[str]


class Column(Struct, frozen=True, kw_only=True):
    """One column, and how it may be narrowed."""

    title: str
    number: bool = False
    """Aligned to the right."""
    drop: int = 0
    """Left out where the table does not fit, the highest first; 0 = never."""
    least: int = 0
    """Narrowest width of a text that may be wrapped; 0 = never wrapped."""


def screen_width() -> int | None:
    """Return the columns of the terminal; None where standard output is not a terminal."""
    return Console().width if sys.stdout.isatty() else None


def show_table(title: str, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table as wide as the terminal allows."""
    print_lines(table_lines(title, columns, rows, screen_width()), headings=2)


def print_lines(lines: Sequence[str], *, headings: int = 0) -> None:
    """Print lines as they are, the first ``headings`` of them that are not empty in bold on a terminal."""
    screen, bold = Console(highlight=False, soft_wrap=True), headings
    for line in lines:
        shown = line if screen.encoding.lower().startswith("utf") else line.replace(RULE, ASCII_RULE)
        screen.print(shown, style="bold" if bold > 0 and line.strip() else None, markup=False)
        bold -= bool(line.strip())


def table_lines(title: str, columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[str]:
    """Return a table of at most ``width`` cells with a blank line behind it; None = its full width."""
    widths = _fitted(columns, rows, width)
    if widths is None:
        return [title, *_records(columns, rows, width or 0), ""]
    kept = sorted(widths)
    head = _cells([[columns[i].title] for i in kept], [columns[i] for i in kept], [widths[i] for i in kept])
    rule = MARGIN + RULE * (sum(widths.values()) + len(GAP) * (len(kept) - 1))
    body: list[str] = []
    for row in rows:
        parts = [wrapped(row[i], widths[i], hanging=1) for i in kept]
        body += _cells(parts, [columns[i] for i in kept], [widths[i] for i in kept])
    left_out = [column.title for index, column in enumerate(columns) if index not in widths]
    note = wrapped(f"{MARGIN}(a wider terminal shows also: {', '.join(left_out)})", width or 0) if left_out else []
    return [title, *head, rule, *body, *note, ""]


def _fitted(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> dict[int, int] | None:
    """Return the width of each column that is shown; None = not even the columns that may not be left out fit."""
    whole = {i: max(cells(text) for text in (c.title, *(row[i] for row in rows))) for i, c in enumerate(columns)}
    if width is None:
        return whole
    least = {i: _least(columns[i], [row[i] for row in rows], whole[i]) for i in whole}
    kept = list(whole)
    while True:
        spare = width - len(MARGIN) - len(GAP) * (len(kept) - 1) - sum(least[i] for i in kept)
        if spare >= 0:
            return _widened({i: least[i] for i in kept}, whole, spare)
        droppable = [i for i in kept if columns[i].drop]
        if not droppable:
            return None
        kept.remove(max(droppable, key=lambda i: columns[i].drop))


def _least(column: Column, texts: Sequence[str], whole: int) -> int:
    """Return the narrowest width of a column in which no word is cut."""
    if not column.least:
        return whole
    return min(whole, max(column.least, *(longest_word(text) + 1 for text in (column.title, *texts))))


def _widened(widths: dict[int, int], whole: dict[int, int], spare: int) -> dict[int, int]:
    """Return ``widths`` with the spare cells given to the columns that would be wrapped, in order."""
    widened: dict[int, int] = {}
    for index, width in widths.items():
        more = min(spare, whole[index] - width)
        widened[index] = width + more
        spare -= more
    return widened


def _cells(parts: Sequence[Sequence[str]], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    """Return the lines of one row whose cells have one line or more."""
    lines: list[str] = []
    for number in range(max(len(part) for part in parts)):
        texts = (part[number] if number < len(part) else "" for part in parts)
        padded = [
            " " * (width - cells(text)) + text if column.number else text + " " * (width - cells(text))
            for text, column, width in zip(texts, columns, widths, strict=True)
        ]
        lines.append((MARGIN + GAP.join(padded)).rstrip())
    return lines


def _records(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[str]:
    """Return each row as lines of name and value, for screens narrower than any table."""
    names = max(cells(column.title) for column in columns)
    lines: list[str] = []
    for row in rows:
        first, *others = (text for text in row)
        lines += ["", *wrapped(MARGIN + first, width)]
        for column, text in zip(columns[1:], others, strict=True):
            if text:
                lines += wrapped(f"{MARGIN * 2}{column.title:<{names}}{GAP}{text}", width)
    return lines
