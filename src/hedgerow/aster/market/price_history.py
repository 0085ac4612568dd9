"""Long series of the past, page by page: hourly closes and settled funding, through rate limits and lost connections.

Pages: ``klines`` and ``fundingRate`` return the first rows from ``startTime`` on, so that the next page begins behind
the last row (docs/aster-api.md 5.1). A short page does not prove the end of a series: it is over where its window is
reached or a page is empty.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from hedgerow.aster.client import ROWS, AsterClient, KlineSeries
from hedgerow.aster.schema.market_rows import MILLISECOND, KlineRow, from_millis, to_millis
from hedgerow.domain.errors import NotSent, OutcomeUnknown, RateLimited
from hedgerow.ports import Clock

__all__ = ["Close", "PriceHistory", "Series", "Settlement"]

HOUR = timedelta(hours=1)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 60.0
ATTEMPTS = 12
"""Of one page: with the pauses between them about eight minutes without a connection."""
Page = TypeVar("Page")


class Close(Struct, frozen=True, kw_only=True):
    """The end of one hour."""

    open_ms: int
    """Beginning of the hour, milliseconds since the epoch, UTC."""
    close: float
    """Quote units."""
    quote_volume: float
    """Turnover of the hour, quote units; 0 in a series that is not made of trades."""


class Settlement(Struct, frozen=True, kw_only=True):
    """One settled funding rate."""

    at_ms: int
    """Milliseconds since the epoch, UTC, with the venue's jitter."""
    rate: float
    """Fraction of notional per interval; positive = longs pay shorts."""


class Series(Struct, frozen=True, kw_only=True):
    """What a window holds."""

    closes: tuple[Close, ...] = ()
    settlements: tuple[Settlement, ...] = ()
    unreadable: int = 0
    """Rows that the exchange lists and that cannot be read; they are left out."""


class PriceHistory:
    """Reads series; a page that fails is read again for minutes, and what delays it is shown once."""

    def __init__(self, client: AsterClient, clock: Clock, show: Callable[[str], None]) -> None:
        self._client = client.giving_way()
        self._clock = clock
        self._show = show
        self._failing = False

    async def closes(self, kind: KlineSeries, symbol: str, since: datetime, until: datetime) -> Series:
        """Read the hours that begin in ``[since, until)``; an hour that is not over is left out.

        Raises:
            Rejected: the exchange refuses this series.
            VenueError: it does not answer for minutes.
        """
        found: dict[int, Close] = {}
        unreadable, start, newest = 0, since, until - HOUR
        while start <= newest:
            page = await self._patiently(
                lambda at=start: self._client.klines(kind, symbol, since=at, until=newest)  # type: ignore[misc]
            )
            unreadable += page.count - len(page.rows)
            found |= {row.open_time: _close(row) for row in page.rows if _is_over(row, until)}
            if not page.count:
                break
            # Rows that cannot be read have no time, but no two begin in one hour.
            last = max((from_millis(row.open_time) for row in page.rows), default=start)
            start = max(last + HOUR, start + page.count * HOUR)
        return Series(closes=tuple(found[at] for at in sorted(found)), unreadable=unreadable)

    async def settlements(self, symbol: str, since: datetime, until: datetime) -> Series:
        """Read the rates settled in ``[since, until)``.

        Raises:
            Rejected: the exchange refuses this symbol.
            VenueError: it does not answer for minutes, or a full page has no row that can be read.
        """
        found: dict[int, Settlement] = {}
        unreadable, start = 0, since
        while start < until:
            page = await self._patiently(
                lambda at=start: self._client.funding_page(symbol=symbol, since=at, limit=ROWS)  # type: ignore[misc]
            )
            unreadable += page.count - len(page.rows)
            inside = [row for row in page.rows if row.funding_time < to_millis(until)]
            found |= {
                row.funding_time: Settlement(at_ms=row.funding_time, rate=float(row.funding_rate)) for row in inside
            }
            if page.count < ROWS or len(inside) < len(page.rows):
                break
            start = max(from_millis(row.funding_time) for row in page.rows) + MILLISECOND
        return Series(settlements=tuple(found[at] for at in sorted(found)), unreadable=unreadable)

    async def _patiently(self, read: Callable[[], Awaitable[Page]]) -> Page:
        """Read a page; wait as long as the exchange says, and with growing pauses where it does not answer."""
        pause, attempt = FIRST_PAUSE_SECONDS, 1
        while True:
            try:
                page = await read()
            except RateLimited as limited:
                # A full budget is the usual pace of a long download; only what the exchange itself asked for is shown.
                if limited.retry_after_seconds > LONGEST_PAUSE_SECONDS:
                    self._delayed(f"the exchange asks to wait {limited.retry_after_seconds:.0f} s")
                await self._clock.sleep(limited.retry_after_seconds)
            except (NotSent, OutcomeUnknown) as error:
                if attempt == ATTEMPTS:
                    raise
                self._delayed(f"{error}; trying again")
                await self._clock.sleep(pause)
                pause, attempt = min(2 * pause, LONGEST_PAUSE_SECONDS), attempt + 1
            else:
                self._failing = False
                return page

    def _delayed(self, text: str) -> None:
        if not self._failing:
            self._show(text)
        self._failing = True


def _close(row: KlineRow) -> Close:
    return Close(open_ms=row.open_time, close=float(row.close), quote_volume=float(row.quote_volume))


def _is_over(row: KlineRow, until: datetime) -> bool:
    return row.close_time < to_millis(until)
