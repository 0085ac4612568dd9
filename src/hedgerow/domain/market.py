"""The market as the venue shows it: quotes, depth, mark prices, and one reading of everything."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from hedgerow.domain.funding import FundingRate, RateBoard
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.money import BPS, ONE, ZERO

__all__ = ["Depth", "Level", "MarkPrice", "MarketView", "Quote"]


class Quote(Struct, frozen=True, kw_only=True):
    """Best bid and ask; an empty side is None, never zero.

    A price that is not positive, and a bid above the ask, show nothing: no price is taken from them.
    """

    market: Market
    symbol: str
    bid: Decimal | None
    bid_quantity: Decimal
    ask: Decimal | None
    ask_quantity: Decimal
    at: datetime

    @property
    def two_sided(self) -> bool:
        """Whether both sides have a price, the bid not above the ask."""
        return self.bid is not None and self.ask is not None and ZERO < self.bid <= self.ask

    @property
    def crossed(self) -> bool:
        """Whether the bid is above the ask: such a reading mixes two times, and shows no price."""
        return self.bid is not None and self.ask is not None and self.bid > self.ask

    @property
    def mid(self) -> Decimal | None:
        """Middle of bid and ask; None unless the book is two-sided."""
        bid, ask = self.bid, self.ask
        if bid is None or ask is None or not ZERO < bid <= ask:
            return None
        return (bid + ask) / 2

    @property
    def spread_bps(self) -> Decimal | None:
        """(ask - bid) / mid in basis points; None unless the book is two-sided."""
        mid = self.mid
        if mid is None or self.bid is None or self.ask is None:
            return None
        return (self.ask - self.bid) / mid / BPS

    def touch(self, side: Side) -> Decimal | None:
        """Return the price that an order of ``side`` would take: the ask for a buy, the bid for a sell.

        None for an empty side, a price that is not positive, and a crossed book.
        """
        bid, ask = self.bid, self.ask
        price, other = (ask, bid) if side is Side.BUY else (bid, ask)
        return None if price is None or price <= 0 or (other is not None and self.crossed) else price


class Level(Struct, frozen=True, array_like=True):
    """One price level of a book."""

    price: Decimal
    quantity: Decimal


class Depth(Struct, frozen=True, kw_only=True):
    """A book's visible levels, best first on each side."""

    market: Market
    symbol: str
    bids: Sequence[Level]
    asks: Sequence[Level]
    at: datetime

    def levels(self, side: Side) -> Sequence[Level]:
        """Return the levels that an order of ``side`` would take, best first."""
        return self.asks if side is Side.BUY else self.bids

    def touch(self, side: Side) -> Decimal | None:
        """Return the best price for an order of ``side``.

        None for an empty side, a price that is not positive, and a crossed book.
        """
        levels = self.levels(side)
        return None if not levels or levels[0].price <= 0 or self.crossed else levels[0].price

    @property
    def crossed(self) -> bool:
        """Whether the best bid is above the best ask: such a reading mixes two times, and shows no price."""
        return bool(self.bids) and bool(self.asks) and self.bids[0].price > self.asks[0].price

    @property
    def two_sided(self) -> bool:
        """Whether both sides have a price, the bid not above the ask."""
        return bool(self.bids) and bool(self.asks) and ZERO < self.bids[0].price <= self.asks[0].price

    @property
    def mid(self) -> Decimal | None:
        """Middle of the best bid and the best ask; None unless the book is two-sided."""
        return (self.bids[0].price + self.asks[0].price) / 2 if self.two_sided else None

    def capped_price(self, side: Side, cap_bps: Decimal) -> Decimal | None:
        """Return the worst price within ``cap_bps`` of the touch (not rounded); None for an empty side."""
        touch = self.touch(side)
        return None if touch is None else touch * (ONE + side.sign * cap_bps * BPS)

    def quantity_within(self, side: Side, cap_bps: Decimal) -> Decimal:
        """Return the base quantity that an order of ``side`` could take within ``cap_bps`` of the touch."""
        limit = self.capped_price(side, cap_bps)
        if limit is None:
            return ZERO
        inside = (lv.quantity for lv in self.levels(side) if (lv.price - limit) * side.sign <= 0)
        return sum(inside, ZERO)

    def notional_within(self, side: Side, cap_bps: Decimal) -> Decimal:
        """Return the same in quote units at the touch; 0 for an empty side."""
        return self.quantity_within(side, cap_bps) * (self.touch(side) or ZERO)


class MarkPrice(Struct, frozen=True, kw_only=True):
    """Mark and index price of a perpetual."""

    symbol: str
    mark: Decimal
    index: Decimal
    at: datetime


class MarketView(Protocol):
    """One read of the market. Values may be computed when asked, but always as of ``at``; None = unreadable."""

    @property
    def at(self) -> datetime:
        """When it was read."""
        ...

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair listed on both markets, in the venue's order."""
        ...

    @property
    def rates(self) -> RateBoard:
        """Settled funding of every pair."""
        ...

    def pair(self, symbol: str) -> BasisPair | None:
        """Return the pair, or None when it is not listed on both markets."""
        ...

    def quote(self, market: Market, symbol: str) -> Quote | None:
        """Return best bid and ask, or None when unreadable."""
        ...

    def mark(self, symbol: str) -> MarkPrice | None:
        """Return the mark price, or None when unreadable."""
        ...

    def predicted(self, symbol: str) -> FundingRate | None:
        """Return the running estimate for the next settlement, or None when unreadable."""
        ...

    def volume(self, symbol: str) -> Decimal | None:
        """Return the perpetual's 24 h quote volume, or None when unreadable."""
        ...
