"""Mutations of a value of a JSON reply: absent, unreadable, out of range, another type, another value of its kind.

Pure: a decoded value goes in, another one comes out. ``rewriting`` finds the values in a reply and writes it again.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

__all__ = [
    "ABSENT",
    "BODY_MUTATIONS",
    "DEFAULT_SIZE",
    "FIELD_MUTATIONS",
    "NUMBER",
    "Mutation",
    "Rewrite",
    "applies",
    "mutated",
    "others_of",
]

DEFAULT_SIZE = 128 * 2**20
"""Bytes of a padded or unpacked body: twice the 64 MiB that a client should accept."""
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
"""A text that is a number."""
FIRST_MS, LAST_MS = 10**11, 10**14
"""Integers between these are taken for times in milliseconds: the years 1973 to 5138."""
HUGE_NUMBER = 10**30
BAD_BYTES = "\udcff\udcfe"
"""Two bytes that UTF-8 never contains, as ``surrogateescape`` represents them."""
ABSENT: Final = object()
"""Result of a mutation that leaves a row or a field out."""


class Mutation(StrEnum):
    """What a reply, or the values of it that ``field`` names, become."""

    ABSENT = "absent"
    """The row or the field is left out."""
    EMPTY = "empty"
    """A list or an object without contents."""
    NULL = "null"
    """``null``."""
    BLANK = "blank"
    """The text ``""``."""
    NAN = "nan"
    """``NaN``: as text where the number is a text, bare where it is a JSON number."""
    INFINITY = "infinity"
    """``Infinity``, as ``nan``."""
    NEGATIVE_INFINITY = "negative_infinity"
    """``-Infinity``, as ``nan``."""
    NEGATIVE = "negative"
    """The number with the other sign; zero becomes -1."""
    ZERO = "zero"
    """0."""
    HUGE = "huge"
    """1 with 30 zeros."""
    SECONDS = "seconds"
    """A time in milliseconds becomes one in seconds."""
    MICROSECONDS = "microseconds"
    """A time in milliseconds becomes one in microseconds."""
    NANOSECONDS = "nanoseconds"
    """A time in milliseconds becomes one in nanoseconds."""
    EXTRA = "extra"
    """An object has one more field, ``addedLater``."""
    RETYPED = "retyped"
    """Another JSON type: a number becomes text, numeric text a number, other text or a list an object, an object a
    list, a truth value text, null 0."""
    INVALID_UTF8 = "invalid_utf8"
    """A text holds bytes that are not UTF-8; without ``field`` the first text of the reply does."""
    TRUNCATED = "truncated"
    """The first half of the body."""
    PADDED = "padded"
    """The body with blanks behind it, ``size`` bytes of them."""
    GZIP_BOMB = "gzip_bomb"
    """The padded body, packed: ``Content-Encoding: gzip``. On streams the same as ``padded``."""
    WEB_PAGE = "web_page"
    """An HTML page with the status of the reply."""
    OTHER = "other"
    """The text ``value`` where the field has another of the words that it may have, as ``SELL`` for ``BUY``; a truth
    value becomes the other one."""


BODY_MUTATIONS = frozenset({Mutation.TRUNCATED, Mutation.PADDED, Mutation.GZIP_BOMB, Mutation.WEB_PAGE})
"""Mutations of a whole body, whatever is in it."""
FIELD_MUTATIONS = tuple(each for each in Mutation if each not in {*BODY_MUTATIONS, Mutation.OTHER})
"""Mutations of one field that need no value."""
_ORDER_STATUSES = ("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED")
_ORDER_TYPES = ("LIMIT", "MARKET")
_WORDS: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (frozenset({"side", "S"}), ("BUY", "SELL")),
    (frozenset({"positionSide", "ps"}), ("BOTH", "LONG", "SHORT")),
    (frozenset({"status", "X"}), _ORDER_STATUSES),
    (frozenset({"x"}), ("NEW", "TRADE", "CANCELED", "EXPIRED", "REJECTED")),
    (frozenset({"status"}), ("TRADING", "PENDING_TRADING", "SETTLING", "CLOSE")),
    (frozenset({"type", "origType", "o", "ot"}), _ORDER_TYPES),
    (frozenset({"timeInForce", "f"}), ("GTC", "IOC", "FOK", "GTX")),
    (frozenset({"marginType", "mt"}), ("cross", "isolated")),
    (
        frozenset({"incomeType"}),
        ("FUNDING_FEE", "COMMISSION", "REALIZED_PNL", "TRANSFER", "COMMISSION_REBATE", "INSURANCE_CLEAR"),
    ),
    (
        frozenset({"type"}),
        ("TRADE_TARGET", "TRADE_SOURCE", "TRANSFER_SPOT_TO_FUTURE", "TRANSFER_FUTURE_TO_SPOT", "COMMISSION_REBATE"),
    ),
    (frozenset({"m"}), ("ORDER", "FUNDING_FEE", "DEPOSIT", "ASSET_TRANSFER")),
    (frozenset({"asset", "commissionAsset", "marginAsset", "N", "a"}), ("USDT", "BNB")),
)
"""Words of a field, by its names (docs/aster-api.md); one word is never in two lists of one name."""


class Rewrite(Struct, frozen=True, kw_only=True):
    """One mutation of one field of a reply, of all its rows or of those of one symbol."""

    mutation: Mutation
    field: str = ""
    """Path of the value: names and positions joined by dots, ``*`` for every row, e.g. ``positions.*.leverage``;
    empty = the whole reply."""
    symbol: str = ""
    """Only rows about this symbol or asset, and rows that do not say what they are about; empty = all."""
    size: int = DEFAULT_SIZE
    """Bytes of blanks that ``padded`` and ``gzip_bomb`` add."""
    value: str = ""
    """What ``other`` puts in the place of a text; a truth value needs none."""


def others_of(name: str, value: Any) -> tuple[str, ...]:
    """Return what ``other`` may put in the place of the value of a field: nothing where it has no other word."""
    if isinstance(value, bool):
        return ("",)
    lists = (words for names, words in _WORDS if name in names and value in words)
    return tuple(word for word in next(lists, ()) if word != value)


def applies(mutation: Mutation, value: Any) -> bool:
    """Return whether a mutation changes a value into something else."""
    if mutation in BODY_MUTATIONS:
        return False
    if mutation in NUMERIC:
        return _is_number(value) and (mutation is not Mutation.ZERO or float(value) != 0)
    if mutation in UNITS:
        return _is_time(value)
    return CONDITIONS[mutation](value)


def mutated(mutation: Mutation, value: Any, other: str = "") -> Any:
    """Return what a value becomes: itself where the mutation does not apply, ``ABSENT`` where it is left out.

    ``other`` is what ``Mutation.OTHER`` puts in its place.
    """
    if not applies(mutation, value):
        return value
    if mutation is Mutation.OTHER:
        return not value if isinstance(value, bool) else other
    if mutation in NUMERIC:
        return NUMERIC[mutation](value)
    return OTHERS[mutation](value)


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return NUMBER.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_time(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and FIRST_MS <= value < LAST_MS


def _as_given(value: Any, number: float) -> Any:
    """Return a number as text where the value was text."""
    if not isinstance(value, str):
        return number
    return NON_FINITE.get(str(number), str(number))


NON_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _negated(value: Any) -> Any:
    if not isinstance(value, str):
        return -value or -1
    if not value.strip("-0."):
        return "-1"
    return value[1:] if value.startswith("-") else f"-{value}"


def _retyped(value: Any) -> Any:
    match value:
        case bool():
            return str(value).lower()
        case None:
            return 0
        case str() if NUMBER.fullmatch(value):
            return float(value) if "." in value else int(value)
        case str():
            return {"value": value}
        case list():
            return {}
        case dict():
            return []
        case _:
            return str(value)


def _extended(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "addedLater": "1"}


NUMERIC: dict[Mutation, Callable[[Any], Any]] = {
    Mutation.NAN: lambda value: _as_given(value, float("nan")),
    Mutation.INFINITY: lambda value: _as_given(value, float("inf")),
    Mutation.NEGATIVE_INFINITY: lambda value: _as_given(value, float("-inf")),
    Mutation.NEGATIVE: _negated,
    Mutation.ZERO: lambda value: _as_given(value, 0),
    Mutation.HUGE: lambda value: _as_given(value, HUGE_NUMBER),
}
"""Mutations of numbers, and of texts that are numbers."""
UNITS: dict[Mutation, Callable[[Any], Any]] = {
    Mutation.SECONDS: lambda value: value // 1000,
    Mutation.MICROSECONDS: lambda value: value * 1000,
    Mutation.NANOSECONDS: lambda value: value * 1_000_000,
}
"""Mutations of times in milliseconds."""
CONDITIONS: dict[Mutation, Callable[[Any], bool]] = {
    Mutation.ABSENT: lambda _: True,
    Mutation.EMPTY: lambda value: isinstance(value, list | dict) and value not in ([], {}),
    Mutation.NULL: lambda value: value is not None,
    Mutation.BLANK: lambda value: not isinstance(value, list | dict) and value != "",
    Mutation.EXTRA: lambda value: isinstance(value, dict),
    Mutation.RETYPED: lambda _: True,
    Mutation.INVALID_UTF8: lambda value: isinstance(value, str),
    Mutation.OTHER: lambda value: isinstance(value, str | bool),
}
"""What the other mutations need."""
OTHERS: dict[Mutation, Callable[[Any], Any]] = {
    Mutation.ABSENT: lambda _: ABSENT,
    Mutation.EMPTY: lambda value: [] if isinstance(value, list) else {},
    Mutation.NULL: lambda _: None,
    Mutation.BLANK: lambda _: "",
    **UNITS,
    Mutation.EXTRA: _extended,
    Mutation.RETYPED: _retyped,
    Mutation.INVALID_UTF8: lambda value: value + BAD_BYTES,
}
