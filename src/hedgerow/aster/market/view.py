"""One reading of the market; rows are converted to values on demand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from hedgerow.aster.schema.convert import predicted_of, quote_of
from hedgerow.aster.schema.market_rows import BookTicker, PremiumRow
from hedgerow.domain.funding import FundingRate, RateBoard
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import MarkPrice, Quote

__all__ = ["AsterMarketView", "Books"]

Books = Mapping[Market, Mapping[str, BookTicker]]


class AsterMarketView:
    """A ``MarketView`` over one gather of bulk replies; ``at`` is when the gather began."""

    __slots__ = ("_at", "_books", "_intervals", "_pairs", "_premiums", "_rates", "_volumes")

    def __init__(  # noqa: PLR0913 - one argument per reply
        self,
        *,
        at: datetime,
        pairs: Mapping[str, BasisPair],
        books: Books,
        premiums: Mapping[str, PremiumRow],
        intervals: Mapping[str, int],
        volumes: Mapping[str, Decimal],
        rates: RateBoard,
    ) -> None:
        self._at = at
        self._pairs = pairs
        self._books = books
        self._premiums = premiums
        self._intervals = intervals
        self._volumes = volumes
        self._rates = rates

    @property
    def at(self) -> datetime:
        """When it was read."""
        return self._at

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair listed on both markets, in the venue's order."""
        return tuple(self._pairs.values())

    @property
    def rates(self) -> RateBoard:
        """Settled funding of every pair."""
        return self._rates

    def pair(self, symbol: str) -> BasisPair | None:
        """Return the pair, or None when it is not listed on both markets."""
        return self._pairs.get(symbol)

    def quote(self, market: Market, symbol: str) -> Quote | None:
        """Return best bid and ask, or None when the venue showed none."""
        row = self._books[market].get(symbol)
        return None if row is None else quote_of(market, row, self._at)

    def mark(self, symbol: str) -> MarkPrice | None:
        """Return mark and index price, or None when one is unknown; they are 0 for a symbol that does not trade."""
        row = self._premiums.get(symbol)
        if row is None or row.mark_price <= 0 or row.index_price is None or row.index_price <= 0:
            return None
        return MarkPrice(symbol=symbol, mark=row.mark_price, index=row.index_price, at=self._at)

    def predicted(self, symbol: str) -> FundingRate | None:
        """Return the running estimate for the next settlement, or None when it is not reported."""
        row = self._premiums.get(symbol)
        return None if row is None else predicted_of(row, self._intervals.get(symbol))

    def volume(self, symbol: str) -> Decimal | None:
        """Return the perpetual's 24 h quote volume, or None when it is not reported."""
        return self._volumes.get(symbol)
