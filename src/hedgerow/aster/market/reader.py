"""Reads the whole market in one round trip: three bulk requests, and slower data by age."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from hedgerow.aster.cached_read import CachedRead
from hedgerow.aster.client import AsterClient
from hedgerow.aster.market.funding_history import FundingHistory
from hedgerow.aster.market.instruments import Listing
from hedgerow.aster.market.stream_cache import MarketCache
from hedgerow.aster.market.view import AsterMarketView, Books
from hedgerow.aster.schema.market_rows import BookTicker, PremiumRow
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market
from hedgerow.ports import Clock
from hedgerow.tasks import all_of

__all__ = ["MarketReader"]

Value = TypeVar("Value")
INTERVALS_SECONDS, VOLUMES_SECONDS = 600.0, 600.0


class MarketReader:
    """Gives market views; from the streams while they are fresh, else by REST."""

    def __init__(self, client: AsterClient, clock: Clock, cache: MarketCache) -> None:
        self._client = client
        self._clock = clock
        self._cache = cache
        self.listing = Listing(client, clock)
        self._intervals = CachedRead(clock, self._read_intervals, seconds=INTERVALS_SECONDS)
        self._volumes = CachedRead(clock, self._read_volumes, seconds=VOLUMES_SECONDS)
        self._history = FundingHistory(client)

    async def read(self, periods: int) -> AsterMarketView:
        """Read the market.

        Raises:
            VenueError: listing, marks, books or settled rates cannot be read.
        """
        at = self._clock.now()
        pairs, premiums, books, intervals, volumes = await all_of(
            self.listing.pairs(),
            self._premiums(at),
            self._books(at),
            _readable(self._intervals),
            _readable(self._volumes),
        )
        self.listing.traded(frozenset(premiums).intersection(*books.values()))
        hours = {symbol: intervals.get(symbol) or self._guess(symbol) for symbol in pairs}
        rates = await self._history.board(hours, periods, self._clock.now())
        return AsterMarketView(
            at=at,
            pairs=pairs,
            books=books,
            premiums=premiums,
            intervals=self._listed_or_seen(intervals),
            volumes=volumes,
            rates=rates,
        )

    async def renew(self, ahead_seconds: float) -> None:
        """Read again what falls due soon, and verify what the streams send while they are alive.

        Raises:
            VenueError: the streams cannot be verified; they do not count any more once their time is over.
        """
        timed = (self.listing, self._intervals, self._volumes)
        await all_of(*(reading.renew(ahead_seconds) for reading in timed))
        at = self._clock.now()
        later = at + timedelta(seconds=ahead_seconds)
        if self._cache.premiums(at) is not None and self._cache.premiums_due(later):
            await self._read_premiums(at)
        for market in Market:
            if self._cache.books(market, at) is not None and self._cache.books_due(market, later):
                await self._read_books(market, at)

    def interval(self, symbol: str) -> int | None:
        """Return a symbol's funding interval in hours as it was last read; None before that."""
        return self._listed_or_seen(self._intervals.known or {}).get(symbol)

    def changed(self) -> None:
        """Something that is read seldom changed: read intervals and listing again."""
        self._intervals.hasten()
        self.listing.expire()

    async def _premiums(self, at: datetime) -> Mapping[str, PremiumRow]:
        return self._cache.premiums(at) or await self._read_premiums(at)

    async def _read_premiums(self, at: datetime) -> Mapping[str, PremiumRow]:
        rows = {row.symbol: row for row in await self._client.premium_index()}
        self._cache.verify_premiums(rows, at)
        return rows

    async def _books(self, at: datetime) -> Books:
        spot, perp = await all_of(*(self._market_books(market, at) for market in (Market.SPOT, Market.PERP)))
        return {Market.SPOT: spot, Market.PERP: perp}

    async def _market_books(self, market: Market, at: datetime) -> Mapping[str, BookTicker]:
        return self._cache.books(market, at) or await self._read_books(market, at)

    async def _read_books(self, market: Market, at: datetime) -> Mapping[str, BookTicker]:
        rows = {row.symbol: row for row in await self._client.book_tickers(market)}
        self._cache.verify_books(market, rows, at)
        return rows

    async def _read_intervals(self) -> Mapping[str, int]:
        rows = await self._client.funding_info()
        return {row.symbol: row.funding_interval_hours for row in rows if row.funding_interval_hours}

    async def _read_volumes(self) -> Mapping[str, Decimal]:
        return {row.symbol: row.quote_volume for row in await self._client.tickers(Market.PERP)}

    def _guess(self, symbol: str) -> int:
        """Return the interval of the settled rates, or 8 h before any was seen: only to know when to look again."""
        return self._history.intervals().get(symbol, 8)

    def _listed_or_seen(self, intervals: Mapping[str, int]) -> Mapping[str, int]:
        """Return the intervals the venue lists, with those seen in settled rates where it lists none."""
        return {**self._history.intervals(), **intervals}


async def _readable(timed: CachedRead[Mapping[str, Value]]) -> Mapping[str, Value]:
    """Return a reading that single pairs can do without: what is missing makes them unreadable, not the market."""
    try:
        return await timed.get()
    except VenueError:
        return {}
