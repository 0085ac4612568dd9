"""Walk-forward: parameters are chosen on one stretch of history and judged on the next, with an embargo between.

Nothing of a test stretch is seen by the choice: each stretch is a window of its own, played from cash to cash, and the
embargo keeps settlements that both would average out of the test.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from hedgerow.domain.errors import ConfigError

__all__ = ["Fold", "FoldResult", "folds_of"]

LEAST_FOLDS: Final = 2


class Fold(Struct, frozen=True, kw_only=True):
    """One choice and its test."""

    train_start: datetime
    train_end: datetime
    test_start: datetime
    """``train_end`` and the embargo."""
    test_end: datetime


class FoldResult(Struct, frozen=True, kw_only=True):
    """What one fold gave; figures are a year on capital."""

    fold: Fold
    parameters: dict[str, Any]
    """Those chosen on the train stretch."""
    train: float
    """Of the chosen set, where it was chosen."""
    test: float
    """Of the chosen set, on what the choice did not see."""
    unchanged: float
    """Of the settings that the search began with, on the same."""
    hold: float | None
    cash: float
    bound: float
    entries: int
    """On the test stretch."""


def folds_of(
    start: datetime, end: datetime, *, train: timedelta, test: timedelta, embargo: timedelta, expanding: bool
) -> Iterator[Fold]:
    """Yield the folds of a window, the last one perhaps with a shorter test of at least half its length.

    Raises:
        ConfigError: fewer than two folds fit.
    """
    found: list[Fold] = []
    last = start + train
    while last + embargo + test / 2 <= end:
        begin = start if expanding else last - train
        first = last + embargo
        found.append(Fold(train_start=begin, train_end=last, test_start=first, test_end=min(first + test, end)))
        last = first + test - embargo
    if len(found) < LEAST_FOLDS:
        raise ConfigError(
            f"the window of {(end - start) / timedelta(days=1):g} days holds {len(found)} of the folds of "
            f"--train {train / timedelta(days=1):g}, --embargo {embargo / timedelta(days=1):g} and "
            f"--test {test / timedelta(days=1):g} days; at least {LEAST_FOLDS} are needed"
        )
    yield from found
