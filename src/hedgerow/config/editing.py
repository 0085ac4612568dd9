"""Changes values in the text of a configuration file; comments, order and spaces of the rest stay to the character."""

import json
import re
from typing import Final

from msgspec import Struct

__all__ = ["edited"]

_SPACES: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
INDENT: Final = "  "


class _Entry(Struct, frozen=True):
    """One key of an object and its value, as places in the text."""

    key: str
    at: int
    """Where the key's quote is."""
    begin: int
    """Of the value."""
    end: int


class _Object(Struct, frozen=True):
    """One object as places in the text."""

    begin: int
    """After its brace."""
    entries: tuple[_Entry, ...]

    def entry(self, key: str) -> _Entry | None:
        return next((each for each in self.entries if each.key == key), None)


def edited(text: str, section: str, key: str, value: str) -> str:
    """Return ``text`` with ``key`` of ``section`` (empty = of the file itself) set to ``value``, which is JSON.

    ``text`` is a JSON object whose sections are objects; what is not there yet is added at the end.
    """
    root = _object(text, _after_spaces(text, 0))
    if not section:
        return _with(text, root, key, value)
    found = root.entry(section)
    if found is None:
        before = _before(text, root)
        inner = f"{before}{INDENT}" if "\n" in before else ""
        return _with(text, root, section, f'{{{inner}"{key}": {value}{before if inner else ""}}}')
    return _with(text, _object(text, found.begin), key, value)


def _with(text: str, holder: _Object, key: str, value: str) -> str:
    found = holder.entry(key)
    if found is not None:
        return f"{text[: found.begin]}{value}{text[found.end :]}"
    entry = f'{_before(text, holder)}"{key}": {value}'
    if holder.entries:
        end = holder.entries[-1].end
        space = "" if entry[0].isspace() else " "
        return f"{text[:end]},{space}{entry}{text[end:]}"
    return f"{text[: holder.begin]}{entry}{text[holder.begin :]}"


def _before(text: str, holder: _Object) -> str:
    """Return the spaces before a new last entry, as the last one has them."""
    if not holder.entries:
        inside = text[holder.begin : _after_spaces(text, holder.begin)]
        return f"{inside}{INDENT}" if "\n" in inside else ""
    at = holder.entries[-1].at
    begin = at
    while text[begin - 1].isspace():
        begin -= 1
    return text[begin:at]


def _object(text: str, at: int) -> _Object:
    begin = at + 1
    place, entries = _after_spaces(text, begin), list[_Entry]()
    while text[place] != "}":
        key_at = _after_spaces(text, place + 1) if text[place] == "," else place
        key, key_end = _DECODER.raw_decode(text, key_at)
        value_at = _after_spaces(text, _after_spaces(text, key_end) + 1)
        _, value_end = _DECODER.raw_decode(text, value_at)
        entries.append(_Entry(key, key_at, value_at, value_end))
        place = _after_spaces(text, value_end)
    return _Object(begin, tuple(entries))


def _after_spaces(text: str, at: int) -> int:
    found = _SPACES.match(text, at)
    return at if found is None else found.end()
