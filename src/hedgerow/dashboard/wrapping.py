"""Lines of text for a screen of a given width, measured in cells: a CJK character takes two of them."""

import re

from rich.cells import cell_len

__all__ = ["cells", "longest_word", "wrapped"]

PARTS = re.compile(r"\s+|\S+")


def cells(text: str) -> int:
    """Return how many cells of a terminal ``text`` takes."""
    return cell_len(text)


def longest_word(text: str) -> int:
    """Return the cells of the longest word: no column of whole words is narrower."""
    return max((cell_len(word) for word in text.split()), default=0)


def wrapped(text: str, width: int, *, hanging: int = 4) -> list[str]:
    """Return ``text`` as lines of at most ``width`` cells, broken at blanks alone: a longer word stays whole.

    Later lines begin below the first one's text, ``hanging`` cells further in.
    """
    if cell_len(text) <= width:
        return [text]
    margin = len(text) - len(text.lstrip(" "))
    lines, line = list[str](), " " * margin
    indent, blank = " " * min(margin + hanging, max(width // 2, 0)), ""
    for part in PARTS.findall(text.strip()):
        if part.isspace():
            blank = part
        elif not line.strip() or cell_len(line + blank + part) <= width:
            line += (blank if line.strip() else "") + part
        else:
            lines.append(line)
            line = indent + part
    return [*lines, line]
