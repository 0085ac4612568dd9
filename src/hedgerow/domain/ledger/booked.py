"""Ids of booked rows, kept for as long as the venue may list these rows again: makes booking idempotent."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

__all__ = ["BookedIds", "RowId"]

RowId: TypeAlias = int | str


class BookedIds(Struct, frozen=True, kw_only=True):
    """Ids by the UTC day of their row, and a watermark: rows from before it count as booked.

    Adding copies O(log n) ids on average: the ids of a day lie in parts, each at least twice as large as the next.
    """

    since: str = ""
    """The watermark: first day that is remembered, e.g. ``2026-01-05``."""
    days: Mapping[str, tuple[frozenset[str], ...]] = field(default_factory=dict[str, tuple[frozenset[str], ...]])

    def __contains__(self, row_id: object) -> bool:
        return any(str(row_id) in part for parts in self.days.values() for part in parts)

    def __iter__(self) -> Iterator[str]:
        return (row_id for parts in self.days.values() for part in parts for row_id in part)

    def __len__(self) -> int:
        return sum(len(part) for parts in self.days.values() for part in parts)

    def knows(self, row_id: RowId, at: datetime) -> bool:
        """Return whether a row of this time was booked, or is from before the watermark."""
        return _day(at) < self.since or row_id in self

    def adding(self, row_id: RowId, at: datetime) -> "BookedIds":
        """Return the ids with one more; one from before the watermark needs no room."""
        day = _day(at)
        if day < self.since:
            return self
        parts = (*self.days.get(day, ()), frozenset({str(row_id)}))
        while len(parts) > 1 and len(parts[-2]) < 2 * len(parts[-1]):
            parts = (*parts[:-2], parts[-2] | parts[-1])
        return replace(self, days={**self.days, day: parts})

    def forgetting(self, before: datetime) -> "BookedIds":
        """Return the ids of this time and later, with the watermark raised; it never sinks."""
        first = _day(before)
        if first <= self.since:
            return self
        return BookedIds(since=first, days={day: parts for day, parts in self.days.items() if day >= first})


def _day(at: datetime) -> str:
    return at.date().isoformat()
