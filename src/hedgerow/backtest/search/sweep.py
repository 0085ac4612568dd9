"""A search over a window: plays what is not played yet, keeps it, and finds best, median, plateau and dead settings."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from hedgerow.backtest.search.pools import Pool
from hedgerow.backtest.search.results import ResultsFile
from hedgerow.backtest.search.scoring import Records, Scorer
from hedgerow.backtest.search.space import Space
from hedgerow.backtest.tables import Flags, Floats, Ints

__all__ = [
    "Spread",
    "best_of",
    "dead_settings",
    "distinct",
    "neighbourhoods",
    "plateau_of",
    "play_all",
    "scores_of",
    "spread_of",
]

BLOCK: Final = 200_000
"""Sets judged at a time."""


class Spread(Struct, frozen=True, kw_only=True):
    """How a figure is spread over all sets."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float
    positive: float
    """Share of the sets above ``over``."""
    over: float


def play_all(
    space: Space, pool: Pool, results: ResultsFile, *, chunk: int, on_progress: Callable[[int, int], None]
) -> None:
    """Play every set that ``results`` does not hold yet."""
    on_progress(results.count, space.size)
    for sealed in pool.play(_chunks(results.count, space.size, chunk)):
        results.append(sealed)
        on_progress(results.count, space.size)


def _chunks(first: int, total: int, length: int) -> Iterator[Sequence[int]]:
    for start in range(first, total, length):
        yield range(start, min(start + length, total))


def scores_of(scorer: Scorer, records: Records, key: str) -> Floats:
    """Return a figure of every record, in pieces."""
    parts = [scorer.values(records[at : at + BLOCK], key) for at in range(0, len(records), BLOCK)]
    return np.concatenate(parts) if parts else np.zeros(0)


def spread_of(scores: Floats, over: float) -> Spread:
    """Return quartiles; what is not a number is left out."""
    known = scores[np.isfinite(scores)]
    if not len(known):
        known = np.full(1, np.nan)
    least, quarter, median, upper, most = (float(each) for each in np.percentile(known, [0, 25, 50, 75, 100]))
    return Spread(
        least=least,
        quarter=quarter,
        median=median,
        three_quarters=upper,
        most=most,
        positive=float(np.mean(known > over)),
        over=over,
    )


def best_of(scores: Floats) -> int:
    """Return the place of the highest score, of equal ones the first; 0 where none is a number."""
    return int(np.argmax(np.where(np.isfinite(scores), scores, -np.inf)))


def neighbourhoods(space: Space, scores: Floats) -> Floats:
    """Return, for every set of a full grid, the median of its score and those of its neighbours.

    Neighbours differ in one setting, by one value; of a setting without an order, by any. Of an even number the lower
    of the two in the middle counts, so that a set at the edge does not profit from its single neighbour.
    """
    found = np.empty(len(scores))
    for start in range(0, len(scores), BLOCK):
        places = np.arange(start, min(start + BLOCK, len(scores)), dtype=np.int64)
        columns = [scores[places], *(np.where(there, scores[at], np.nan) for at, there in _around(space, places))]
        ordered = np.sort(np.stack(columns), axis=0)  # what is not a number comes last
        known = np.sum(np.isfinite(ordered), axis=0)
        middle = np.maximum(known - 1, 0) // 2
        found[places] = np.where(known > 0, ordered[middle, np.arange(len(places))], -np.inf)
    return found


def _around(space: Space, places: Ints) -> Iterator[tuple[Ints, Flags]]:
    stride = space.size
    for axis, length in zip(space.axes, space.shape, strict=True):
        stride //= length
        digit = places // stride % length
        for step in (-1, 1) if axis.ordered else range(1, length):
            moved = digit + step if axis.ordered else (digit + step) % length
            there = (moved >= 0) & (moved < length)
            yield np.where(there, places + (moved - digit) * stride, places), there


def plateau_of(space: Space, scores: Floats) -> tuple[int, float]:
    """Return the set with the best neighbourhood, and its median."""
    around = neighbourhoods(space, scores)
    place = best_of(around)
    return place, float(around[place])


def distinct(records: Records) -> Ints:
    """Return the place of the first of the sets that made the same decisions, one for each."""
    keys = _keys(records)
    _, first = np.unique(keys, return_index=True)
    return np.sort(first).astype(np.int64)


def dead_settings(space: Space, records: Records) -> tuple[str, ...]:
    """Return the settings that change no decision in a full grid, whatever the others are."""
    keys, found = _keys(records), list[str]()
    stride = space.size
    for axis, length in zip(space.axes, space.shape, strict=True):
        stride //= length
        lanes = keys.reshape(-1, length, stride)
        if length > 1 and bool(np.all(lanes == lanes[:, :1, :])):
            found.append(axis.name)
    return tuple(found)


def _keys(records: Records) -> Ints:
    """Return the first eight bytes of every hash of decisions."""
    parts = [
        np.ascontiguousarray(records["decisions"][at : at + BLOCK, :8]).view("<i8").ravel()
        for at in range(0, len(records), BLOCK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
