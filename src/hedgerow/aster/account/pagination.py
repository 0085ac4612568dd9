"""Pagination of account history: forward in time, in the windows that the venue allows."""

from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from hedgerow.aster.client import ROWS
from hedgerow.aster.schema.market_rows import MILLISECOND, from_millis
from hedgerow.domain.errors import VenueError

__all__ = ["all_pages"]

WINDOW = timedelta(days=7) - MILLISECOND
"""Longest window that history endpoints accept (-4165)."""


class _Timed(Protocol):
    @property
    def time(self) -> int | None: ...


Row = TypeVar("Row", bound=_Timed)
Fetch = Callable[[datetime, datetime | None], Awaitable[tuple[Row, ...]]]


async def all_pages(
    fetch: Fetch[Row],
    *,
    since: datetime,
    now: datetime,
    key: Callable[[Row], Hashable],
    until: datetime | None = None,
) -> tuple[Row, ...]:
    """Return every row from ``since`` on, oldest first, each key once; none after ``until``.

    A full page is continued at the time of its last row, as rows of one time may be cut apart. The last window has no
    end, so that the venue's clock decides what is past.

    Raises:
        VenueError: a page cannot be read, or more rows share one millisecond than a page holds.
    """
    found: dict[Hashable, Row] = {}
    start, last = since, until if until is not None and until < now else None
    while start <= (last or now):
        end = start + WINDOW
        rows = await fetch(start, end if end < (last or now) else last)
        found.update((key(row), row) for row in rows)
        start = _after_full_page(rows, start) if len(rows) >= ROWS else end + MILLISECOND
    kept = (row for row in found.values() if not row.time or from_millis(row.time) >= _floor(since))
    return tuple(sorted(kept, key=lambda row: row.time or 0))


def _after_full_page(rows: tuple[Row, ...], start: datetime) -> datetime:
    last = from_millis(max(row.time or 0 for row in rows))
    if last <= _floor(start):
        raise VenueError(f"more than {ROWS} rows at {last.isoformat()}: the exchange cannot page them")
    return last


def _floor(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
