"""Names that a user probably meant by one that does not exist."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import Final

__all__ = ["nearest_names"]

_MOST: Final = 3
_LEAST_LIKENESS: Final = 0.6
"""A name that is less like the one typed is not suggested."""
_TIE: Final = 0.05
"""Names that are nearly as good as the best one are suggested with it."""
_SAME_WORD: Final = 0.81
"""Likeness from which two words are one with a typing error."""
_SHORTEST_PREFIX: Final = 3
_WORD: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")


def nearest_names(typed: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names most like ``typed``, best first: by their words, whatever their order, or letter by letter.

    A name is ``key`` or ``section.key``; a key alone may be typed. Empty = none is near.
    """
    likeness = {name: _likeness(typed, name) for name in names}
    best = max(likeness.values(), default=0.0)
    near = [name for name, value in likeness.items() if value >= max(best - _TIE, _LEAST_LIKENESS)]
    return tuple(sorted(near, key=lambda name: -likeness[name])[:_MOST])


def _likeness(typed: str, name: str) -> float:
    """Return 1 for the same name or key, 0 for names that share nothing."""
    key = name.rpartition(".")[2]
    typed_key = typed.rpartition(".")[2]
    pairs = ((typed, name), (typed, key), (typed_key, key))
    return max(max(_by_letters(*pair), _by_words(*pair)) for pair in pairs)


def _by_letters(typed: str, name: str) -> float:
    return SequenceMatcher(None, "_".join(_words(typed)), "_".join(_words(name))).ratio()


def _by_words(typed: str, name: str) -> float:
    """Return how much of what was typed the name has, and a little less the more words it has besides."""
    mine, theirs = _words(typed), _words(name)
    if not mine or not theirs:
        return 0.0
    found = sum(max(_word_likeness(word, other) for other in theirs) for word in mine) / len(mine)
    return found * (0.8 + 0.2 * min(1.0, len(mine) / len(theirs)))


def _word_likeness(one: str, other: str) -> float:
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if len(short) >= _SHORTEST_PREFIX and long.startswith(short):
        return 0.9
    ratio = SequenceMatcher(None, one, other).ratio()
    return ratio if ratio >= _SAME_WORD else 0.0


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
