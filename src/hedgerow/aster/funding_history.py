"""Settled rates of every pair, kept in memory and asked for only after a settlement."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from hedgerow.aster.client import ROWS, AsterClient
from hedgerow.aster.wire import MILLISECOND, FundingRateRow, from_millis
from hedgerow.domain.funding import FundingRate, RateBoard
from hedgerow.domain.schedule import EPOCH

__all__ = ["FundingHistory"]

KNOWN_INTERVALS = (1, 2, 4, 8)
JITTER = timedelta(minutes=1)
"""A settlement's stamp lies at most this far from its full hour."""
RETRY = timedelta(seconds=30)
FINAL_AFTER = timedelta(minutes=5)
"""Rows may lag their settlement; after this a missing one is not expected any more (API reference 11)."""
KEPT = 1000


class _Series(Struct, kw_only=True):
    """Rates of one symbol, oldest first, and when to look for the next one."""

    rates: tuple[FundingRate, ...] = ()
    asked_for: int = 0
    due: datetime
    retry_at: datetime


class FundingHistory:
    """The rate board: a new one only after a new settlement."""

    def __init__(self, client: AsterClient) -> None:
        self._client = client
        self._series: dict[str, _Series] = {}
        self._board = RateBoard(settled={})

    async def board(self, hours: dict[str, int], periods: int, now: datetime) -> RateBoard:
        """Return the settled rates of the symbols given with their present intervals in hours.

        Raises:
            VenueError: rates that should be there cannot be read.
        """
        wanted = min(max(periods, 1), ROWS)
        fresh = [s for s in hours if s not in self._series or self._series[s].asked_for < wanted]
        due = [s for s in hours if s not in fresh and self._is_due(self._series[s], now)]
        changed = False
        if fresh:
            pages = await asyncio.gather(*(self._client.funding_rates(symbol=s, limit=wanted) for s in fresh))
            for symbol, rows in zip(fresh, pages, strict=True):
                self._begin(symbol, rows, hours[symbol], wanted, now)
            changed = True
        if due:
            changed = await self._follow(due, hours, now) or changed
        if changed or self._board.settled.keys() != hours.keys():
            self._board = RateBoard(settled={symbol: self._series[symbol].rates for symbol in hours})
        return self._board

    def intervals(self) -> dict[str, int]:
        """Return the interval of each symbol as its newest two rates show it."""
        return {name: s.rates[-1].interval_hours for name, s in self._series.items() if len(s.rates) > 1}

    def _is_due(self, series: _Series, now: datetime) -> bool:
        return now >= series.due and now >= series.retry_at

    def _begin(self, symbol: str, rows: Sequence[FundingRateRow], hours: int, wanted: int, now: datetime) -> None:
        rates = _rates(symbol, rows, hours, previous=None)
        self._series[symbol] = _Series(rates=rates, asked_for=wanted, due=now, retry_at=now)
        self._schedule(self._series[symbol], hours, now)

    async def _follow(self, symbols: list[str], hours: dict[str, int], now: datetime) -> bool:
        """Read what settled since, of every symbol at once; returns whether there was anything."""
        since = min(self._last(symbol, now) for symbol in symbols) + MILLISECOND
        page = await self._client.funding_rates(since=since, limit=ROWS)
        found: dict[str, list[FundingRateRow]] = {}
        for row in page:
            found.setdefault(row.symbol, []).append(row)
        changed = False
        for symbol in symbols if len(page) < ROWS else found:
            if symbol in self._series and symbol in hours:
                changed = self._extend(symbol, found.get(symbol, []), hours[symbol], now) or changed
        return changed

    def _extend(self, symbol: str, rows: Sequence[FundingRateRow], hours: int, now: datetime) -> bool:
        series = self._series[symbol]
        last = series.rates[-1] if series.rates else None
        newer = [row for row in rows if last is None or _stamp(row) > last.at]
        if newer:
            series.rates = (*series.rates, *_rates(symbol, newer, hours, previous=last))[-KEPT:]
        self._schedule(series, hours, now)
        return bool(newer)

    def _schedule(self, series: _Series, hours: int, now: datetime) -> None:
        """Look again after the next settlement; soon, while the last one's row may still be on its way."""
        interval = timedelta(hours=hours)
        due = series.rates[-1].at + interval if series.rates else now - (now - EPOCH) % interval
        while due + FINAL_AFTER <= now:
            due += interval
        series.due, series.retry_at = due, now + RETRY

    def _last(self, symbol: str, now: datetime) -> datetime:
        rates = self._series[symbol].rates
        recent = now - timedelta(hours=max(KNOWN_INTERVALS)) - JITTER
        return max(rates[-1].at + JITTER, recent) if rates else recent


def _stamp(row: FundingRateRow) -> datetime:
    """Return the settlement's full hour where the stamp lies beside one, else the stamp."""
    at = from_millis(row.funding_time)
    hour = (at + timedelta(minutes=30)).replace(minute=0, second=0, microsecond=0)
    return hour if abs(at - hour) <= JITTER else at


def _rates(
    symbol: str, rows: Sequence[FundingRateRow], hours: int, previous: FundingRate | None
) -> tuple[FundingRate, ...]:
    """Return rows as rates; a rate's interval is the gap before it, or the present one where the gap is none."""
    rates: list[FundingRate] = []
    ordered = sorted({_stamp(row): row for row in rows if row.symbol == symbol}.items())
    gaps = [hours if before is None else (at - before) / timedelta(hours=1) for before, at in _steps(ordered, previous)]
    if previous is None and len(gaps) > 1:
        gaps[0] = gaps[1]
    for (at, row), gap in zip(ordered, gaps, strict=True):
        length = int(gap) if gap in KNOWN_INTERVALS else (rates[-1].interval_hours if rates else hours)
        rates.append(FundingRate(symbol=symbol, rate=row.funding_rate, interval_hours=length, at=at))
    return tuple(rates)


def _steps(
    ordered: Sequence[tuple[datetime, FundingRateRow]], previous: FundingRate | None
) -> list[tuple[datetime | None, datetime]]:
    stamps = [at for at, _ in ordered]
    return list(zip([previous.at if previous else None, *stamps], stamps, strict=False))
