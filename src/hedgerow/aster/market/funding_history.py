"""Settled funding rates of every pair, cached, and read for all symbols together after a settlement.

``GET /fapi/v3/fundingRate`` without a symbol returns the first rows since a time, of every perpetual of the venue: a
full page is continued. What was read so far is a cursor, so that a pause of hours costs a few pages and loses nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from hedgerow.aster.client import ROWS, AsterClient
from hedgerow.aster.schema.market_rows import MILLISECOND, FundingRateRow, from_millis
from hedgerow.domain.funding import FundingRate, RateBoard, last_settlement
from hedgerow.tasks import all_of

__all__ = ["FundingHistory"]

KNOWN_INTERVALS = (1, 2, 4, 8)
JITTER = timedelta(minutes=1)
"""A settlement's stamp lies at most this far from its full hour."""
REACH_BACK = timedelta(hours=1)
"""Each reading begins so long before the end of the last one: a row may be listed after newer ones of its symbol."""
FIRST_RETRY, LAST_RETRY = timedelta(seconds=30), timedelta(minutes=32)
"""Pause before a row that is not listed yet is looked for again: doubled each time."""
FINAL_AFTER = timedelta(minutes=5)
"""Rows may lag their settlement by so much; after this a missing one is overdue."""
MAX_PAGES = 10
"""Most pages of one reading; the next one goes on behind them."""
MAX_GAP = timedelta(days=3)
"""After a longer pause one request per pair is cheaper than every row of the venue."""
KEPT = 1000
STRIKING_RATE = Decimal("0.003")
"""Fraction of notional per interval. Most rates are a tenth of it; one above it is read twice before it counts."""


class _Series(Struct, kw_only=True):
    """Rates of one symbol, oldest first, and when to look for the next one."""

    rates: tuple[FundingRate, ...] = ()
    asked_for: int
    hours: int
    """Present interval."""
    begun_at: datetime
    retry_at: datetime
    retry: timedelta = FIRST_RETRY
    silent: bool = False
    """Whether the settlement before left no row: then one is looked for once, as the symbol may not settle any more."""

    @property
    def due(self) -> datetime:
        """The settlement whose row is looked for."""
        interval = timedelta(hours=self.hours)
        return (self.rates[-1].at if self.rates else last_settlement(self.begun_at, self.hours)) + interval

    def newest_due(self, now: datetime) -> datetime:
        """Return the newest settlement that should be listed: later than ``due`` where several left no row."""
        interval = timedelta(hours=self.hours)
        return self.due + max(0, (now - self.due) // interval) * interval

    def is_due(self, now: datetime) -> bool:
        """Whether to look for the row now."""
        return now >= self.due and now >= self.retry_at

    def settles_every(self, hours: int) -> None:
        """Take over the present interval."""
        if hours != self.hours:
            self.hours = hours
            self._look_at_once()

    def extend(self, symbol: str, found: Mapping[datetime, Decimal]) -> bool:
        """Take over the rates that are new, those listed late too; returns whether there were any."""
        rates, due = _merged(self.rates, found, symbol, self.hours), self.due
        if rates is self.rates:
            return False
        self.rates = rates
        if self.due > due:
            self._look_at_once()
        return True

    def looked(self, now: datetime) -> None:
        """Look again: soon, then with growing pauses; after a whole interval without a row once per settlement."""
        if now < self.due:
            return
        newest = self.newest_due(now)
        if newest > self.due or self.silent:
            again = newest + FINAL_AFTER
            self.silent = True
            self.retry_at = again if now < again else again + timedelta(hours=self.hours)
            return
        self.retry_at = now + self.retry
        self.retry = min(2 * self.retry, LAST_RETRY)

    def _look_at_once(self) -> None:
        self.retry_at, self.retry, self.silent = self.due, FIRST_RETRY, False


class FundingHistory:
    """The rate board: a new one only after a new settlement, or when a rate becomes overdue."""

    def __init__(self, client: AsterClient) -> None:
        self._client = client
        self._series: dict[str, _Series] = {}
        self._board = RateBoard(settled={})
        self._read_until: datetime | None = None

    async def board(self, hours: Mapping[str, int], periods: int, now: datetime) -> RateBoard:
        """Return the settled rates of the symbols given with their present intervals in hours.

        Raises:
            VenueError: rates that should be there cannot be read.
        """
        wanted = min(max(periods, 1), ROWS)
        if self._read_until is None or now - self._read_until > MAX_GAP:
            self._series.clear()
            self._read_until = now
        fresh = [s for s in hours if s not in self._series or self._series[s].asked_for < wanted]
        changed = bool(fresh)
        if fresh:
            # One more than is wanted: the gap before a rate is its interval, and intervals change.
            limit = min(wanted + 1, ROWS)
            pages = await all_of(*(self._client.funding_rates(symbol=s, limit=limit) for s in fresh))
            sure = await all_of(*(self._read_twice(page) for page in pages))
            for symbol, rows in zip(fresh, sure, strict=True):
                self._begin(symbol, rows, hours[symbol], wanted, now)
        for symbol, interval in hours.items():
            self._series[symbol].settles_every(interval)
        due = [s for s in hours if s not in fresh and self._series[s].is_due(now)]
        if due:
            changed = await self._follow(due, hours, now) or changed
        overdue = {s: self._series[s].due for s in hours if now >= self._series[s].due + FINAL_AFTER}
        if changed or overdue != self._board.overdue or self._board.settled.keys() != hours.keys():
            settled = {symbol: self._series[symbol].rates for symbol in hours}
            self._board = RateBoard(settled=settled, overdue=overdue)
        return self._board

    def intervals(self) -> dict[str, int]:
        """Return the interval of each symbol as its newest two rates show it."""
        return {name: s.rates[-1].interval_hours for name, s in self._series.items() if len(s.rates) > 1}

    def _begin(self, symbol: str, rows: Sequence[FundingRateRow], hours: int, wanted: int, now: datetime) -> None:
        rates = _merged((), _by_symbol(rows).get(symbol, {}), symbol, hours)
        self._series[symbol] = _Series(rates=rates, asked_for=wanted, hours=hours, begun_at=now, retry_at=now)
        self._series[symbol].looked(now)

    async def _follow(self, symbols: Sequence[str], hours: Mapping[str, int], now: datetime) -> bool:
        """Read what settled since the last reading, of every symbol; returns whether there was anything."""
        reached = self._read_until or now
        since = min(reached - REACH_BACK, *(self._series[symbol].newest_due(now) for symbol in symbols)) - JITTER
        rows, until = await self._pages(since, now, symbols)
        found = _by_symbol(await self._read_twice([row for row in rows if row.symbol in hours]))
        self._read_until = max(reached, until)
        changed = [self._series[symbol].extend(symbol, found.get(symbol, {})) for symbol in hours]
        for symbol in symbols if until >= now else ():
            self._series[symbol].looked(now)
        return any(changed)

    def _is_known(self, row: FundingRateRow) -> bool:
        series, at = self._series.get(row.symbol), _stamp(row)
        return series is not None and any(rate.at == at for rate in series.rates)

    async def _read_twice(self, rows: Sequence[FundingRateRow]) -> list[FundingRateRow]:
        """Return the rows without those that are new and striking and that another reply does not repeat.

        Raises:
            VenueError: there is no other reply.
        """
        striking = [row for row in rows if abs(row.funding_rate) > STRIKING_RATE and not self._is_known(row)]
        if not striking:
            return list(rows)
        since = {row.symbol: from_millis(row.funding_time) for row in reversed(striking)}
        pages = await all_of(*(self._client.funding_rates(symbol=s, since=at) for s, at in since.items()))
        repeated = {(row.symbol, _stamp(row), row.funding_rate) for page in pages for row in page}
        return [row for row in rows if row not in striking or (row.symbol, _stamp(row), row.funding_rate) in repeated]

    async def _pages(
        self, since: datetime, now: datetime, symbols: Sequence[str]
    ) -> tuple[list[FundingRateRow], datetime]:
        """Return the rows since a time, and up to when they are all there."""
        rows: list[FundingRateRow] = []
        start = since
        for _ in range(MAX_PAGES):
            page = await self._client.funding_page(since=start, limit=ROWS)
            rows += page.rows
            if page.count < ROWS:
                return rows, now
            last = from_millis(max(row.funding_time for row in page.rows))
            if last <= start:
                # More rows of one stamp than a page holds cannot be paged by time.
                rows += await self._one_by_one(set(symbols) - {row.symbol for row in page.rows}, start)
                last = start + MILLISECOND
            start = last
        return rows, start

    async def _one_by_one(self, symbols: Iterable[str], since: datetime) -> list[FundingRateRow]:
        wanted = sorted(symbols)
        pages = await all_of(*(self._client.funding_rates(symbol=s, since=since, limit=2) for s in wanted))
        return [row for page in pages for row in page]


def _by_symbol(rows: Iterable[FundingRateRow]) -> dict[str, dict[datetime, Decimal]]:
    found: dict[str, dict[datetime, Decimal]] = {}
    for row in rows:
        found.setdefault(row.symbol, {})[_stamp(row)] = row.funding_rate
    return found


def _stamp(row: FundingRateRow) -> datetime:
    """Return the settlement's full hour where the stamp lies beside one, else the stamp."""
    at = from_millis(row.funding_time)
    hour = (at + timedelta(minutes=30)).replace(minute=0, second=0, microsecond=0)
    return hour if abs(at - hour) <= JITTER else at


def _merged(
    known: tuple[FundingRate, ...], found: Mapping[datetime, Decimal], symbol: str, hours: int
) -> tuple[FundingRate, ...]:
    """Return the rates with those found added at their places; the same tuple where nothing is new."""
    there = {rate.at for rate in known}
    fresh = {at: rate for at, rate in found.items() if at not in there}
    if not fresh:
        return known
    late = sum(1 for rate in known if rate.at > min(fresh))
    before = known[: len(known) - late]
    after = {rate.at: rate.rate for rate in known[len(known) - late :]} | fresh
    added = _rates(sorted(after.items()), symbol, hours, previous=before[-1] if before else None)
    return (*before, *added)[-KEPT:]


def _rates(
    stamps: Sequence[tuple[datetime, Decimal]], symbol: str, hours: int, previous: FundingRate | None
) -> tuple[FundingRate, ...]:
    """Return stamps as rates; a rate's interval is the gap before it, or the present one where the gap is none."""
    times = [at for at, _ in stamps]
    before = [previous.at if previous else None, *times]
    gaps = [hours if old is None else (at - old) / timedelta(hours=1) for old, at in zip(before, times, strict=False)]
    if previous is None and len(gaps) > 1:
        gaps[0] = gaps[1]
    rates: list[FundingRate] = []
    for (at, rate), gap in zip(stamps, gaps, strict=True):
        length = int(gap) if gap in KNOWN_INTERVALS else (rates[-1].interval_hours if rates else hours)
        rates.append(FundingRate(symbol=symbol, rate=rate, interval_hours=length, at=at))
    return tuple(rates)
