"""The market read at one time; everything is computed on demand."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from hedgerow.domain.funding import FundingRate, RateBoard
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import MarkPrice, Quote
from hedgerow.emulator.core.market import Marketplace, mark_price
from hedgerow.ports import MarketPrices

__all__ = ["WorldView"]


class WorldView:
    """A ``MarketView`` over a snapshot of the marketplace; ``books_at`` is older than ``at`` when books are stale."""

    __slots__ = (
        "_at",
        "_books_at",
        "_marketplace",
        "_marks",
        "_perp_quotes",
        "_predicted",
        "_prices",
        "_rates",
        "_spot_quotes",
    )

    def __init__(
        self, marketplace: Marketplace, at: datetime, rates: RateBoard, *, books_at: datetime | None = None
    ) -> None:
        self._marketplace = marketplace
        self._at = at
        self._rates = rates
        self._books_at = at if books_at is None else books_at
        self._prices: dict[str, MarketPrices | None] = {}
        """At ``at``, those asked for before: both quotes and the mark of a pair are made of the same."""
        self._spot_quotes: dict[str, Quote | None] = {}
        """Those asked for before: a decision asks for the same ones again and again."""
        self._perp_quotes: dict[str, Quote | None] = {}
        self._marks: dict[str, MarkPrice | None] = {}
        self._predicted: dict[str, FundingRate | None] = {}

    @property
    def at(self) -> datetime:
        """When it was read."""
        return self._at

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair listed on both markets, in the tape's order."""
        return self._marketplace.on_both

    @property
    def rates(self) -> RateBoard:
        """Settled funding of every pair; the same object until some symbol settles."""
        return self._rates

    def pair(self, symbol: str) -> BasisPair | None:
        """Return the pair, or None when it is not listed."""
        return self._marketplace.pair_on_both(symbol)

    def quote(self, market: Market, symbol: str) -> Quote | None:
        """Return best bid and ask, or None where the tape has no price."""
        known = self._spot_quotes if market is Market.SPOT else self._perp_quotes
        if symbol not in known:
            at = self._books_at
            prices = self._read(symbol) if at is self._at else self._marketplace.listed_prices(symbol, at)
            known[symbol] = None if prices is None else self._marketplace.quote_of(prices, market, symbol, at)
        return known[symbol]

    def mark(self, symbol: str) -> MarkPrice | None:
        """Return the mark price, or None where the tape has none."""
        if symbol not in self._marks:
            prices = self._read(symbol)
            self._marks[symbol] = None if prices is None else mark_price(prices, symbol, self._at)
        return self._marks[symbol]

    def _read(self, symbol: str) -> MarketPrices | None:
        if symbol not in self._prices:
            self._prices[symbol] = self._marketplace.listed_prices(symbol, self._at)
        return self._prices[symbol]

    def predicted(self, symbol: str) -> FundingRate | None:
        """Return the running estimate for the next settlement, or None where it cannot be known."""
        if symbol not in self._predicted:
            self._predicted[symbol] = self._marketplace.predicted(symbol, self._at)
        return self._predicted[symbol]

    def volume(self, symbol: str) -> Decimal | None:
        """Return the perpetual's 24 h quote volume, or None for an unknown symbol."""
        return self._marketplace.volume(symbol, self._at)
