"""The market cached from the streams: fresh only while the streams are alive and REST agreed recently."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from hedgerow.aster.cached_read import is_recent
from hedgerow.aster.schema.market_rows import BookTicker, PremiumRow
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import Depth
from hedgerow.subscribers import Subscribers

__all__ = ["MarketCache"]

HEARTBEAT = timedelta(seconds=3)
"""Mark prices come every second: a longer silence means that the futures streams are dead."""
SPOT_SILENCE = timedelta(seconds=10)
"""The spot market has no heartbeat; all its books together are not silent for longer."""
VERIFIED_FOR = timedelta(minutes=5)
"""REST is asked again after this, however alive the streams are."""
DEPTH_FRESH = timedelta(seconds=1)
DROPS_VERIFIED = timedelta(seconds=60)
"""A symbol that a stream never sends readably must not make every reading a request."""
Row = TypeVar("Row")


class _Rows:
    """One kind of rows: when they were verified by REST, and when each changed."""

    def __init__(self) -> None:
        self.verified_at: datetime | None = None
        self.received_at: datetime | None = None
        self.dropped_at: datetime | None = None
        self.changed: dict[str, datetime] = {}

    def alive(self, now: datetime, silence: timedelta) -> bool:
        received, verified = self.received_at, self.verified_at
        if received is None or verified is None:
            return False
        return is_recent(received, now, silence) and is_recent(verified, now, VERIFIED_FOR)

    def lost(self) -> None:
        self.verified_at = None
        self.received_at = None

    def drop(self, rows: dict[str, Row], symbols: Iterable[str], now: datetime) -> None:
        """Forget rows that are not fresh any more, and have REST asked for them, at most every ``DROPS_VERIFIED``."""
        known = [symbol for symbol in symbols if rows.pop(symbol, None) is not None]
        if known and (self.dropped_at is None or now - self.dropped_at >= DROPS_VERIFIED):
            self.verified_at, self.dropped_at = None, now


class MarketCache:
    """Marks and books of all symbols, and the depth of some."""

    def __init__(self, report: Callable[[str], None] = lambda _: None) -> None:
        self._on_premium: Subscribers[PremiumRow] = Subscribers(report)
        self._on_lost: Subscribers[Market] = Subscribers(report)
        self._premiums: dict[str, PremiumRow] = {}
        self._books: dict[Market, dict[str, BookTicker]] = {market: {} for market in Market}
        self._depths: dict[tuple[Market, str], Depth] = {}
        self._marks = _Rows()
        self._tickers = {market: _Rows() for market in Market}

    def subscribe(self, premium: Callable[[PremiumRow], None], lost: Callable[[Market], None]) -> None:
        """Call ``premium`` with every mark price received, ``lost`` when a market's stream ends."""
        self._on_premium.add(premium)
        self._on_lost.add(lost)

    def beats(self, now: datetime) -> bool:
        """Return whether mark prices arrive, verified or not."""
        received = self._marks.received_at
        return received is not None and is_recent(received, now, HEARTBEAT)

    def premiums(self, now: datetime) -> Mapping[str, PremiumRow] | None:
        """Return marks and estimates of every perpetual, or None when they are not certainly fresh."""
        return dict(self._premiums) if self._marks.alive(now, HEARTBEAT) else None

    def premiums_due(self, at: datetime) -> bool:
        """Return whether REST must have agreed again by then."""
        return _due(self._marks, at)

    def books_due(self, market: Market, at: datetime) -> bool:
        """Return whether REST must have agreed again by then."""
        return _due(self._tickers[market], at)

    def books(self, market: Market, now: datetime) -> Mapping[str, BookTicker] | None:
        """Return all books of a market, or None when they are not certainly fresh.

        A quiet book sends nothing, so futures books are as alive as the mark prices on the same connection.
        """
        rows = self._tickers[market]
        beat = self._marks.received_at if market is Market.PERP else rows.received_at
        silence = HEARTBEAT if market is Market.PERP else SPOT_SILENCE
        if beat is None or not is_recent(beat, now, silence):
            return None
        if rows.verified_at is None or not is_recent(rows.verified_at, now, VERIFIED_FOR):
            return None
        return dict(self._books[market])

    def depth(self, market: Market, symbol: str, now: datetime) -> Depth | None:
        """Return a book's levels, or None when none came lately."""
        depth = self._depths.get((market, symbol))
        return depth if depth is not None and is_recent(depth.at, now, DEPTH_FRESH) else None

    # --- from REST ---------------------------------------------------------------------------------------------------

    def verify_premiums(self, rows: Mapping[str, PremiumRow], asked_at: datetime) -> None:
        """Take over a REST reading; what a stream sent since the request is newer."""
        newer = {s: row for s, row in self._premiums.items() if self._marks.changed.get(s, asked_at) > asked_at}
        self._premiums = {**rows, **newer}
        self._marks.verified_at = asked_at

    def verify_books(self, market: Market, rows: Mapping[str, BookTicker], asked_at: datetime) -> None:
        """Take over a REST reading; what a stream sent since the request is newer."""
        changed = self._tickers[market].changed
        newer = {s: row for s, row in self._books[market].items() if changed.get(s, asked_at) > asked_at}
        self._books[market] = {**rows, **newer}
        self._tickers[market].verified_at = asked_at

    # --- from streams ------------------------------------------------------------------------------------------------

    def on_premium(self, row: PremiumRow, now: datetime) -> None:
        """Take over a mark price."""
        self._premiums[row.symbol] = row
        self._marks.changed[row.symbol] = now
        self._marks.received_at = now
        self._on_premium.publish(row)

    def unreadable_premiums(self, symbols: Iterable[str], now: datetime) -> None:
        """Rows of these symbols cannot be read: what was known of them is not fresh any more."""
        self._marks.drop(self._premiums, symbols, now)

    def unreadable_books(self, market: Market, symbols: Iterable[str], now: datetime) -> None:
        """The same of the books of a market."""
        self._tickers[market].drop(self._books[market], symbols, now)

    def unreadable_depth(self, market: Market, symbol: str) -> None:
        """The levels of a book cannot be read: those before are not its levels any more."""
        self._depths.pop((market, symbol), None)

    def on_book(self, market: Market, row: BookTicker, now: datetime) -> None:
        """Take over best bid and ask."""
        self._books[market][row.symbol] = row
        self._tickers[market].changed[row.symbol] = now
        self._tickers[market].received_at = now

    def on_depth(self, depth: Depth) -> None:
        """Take over a book's levels."""
        self._depths[depth.market, depth.symbol] = depth

    def lost(self, market: Market) -> None:
        """A connection ended: nothing of it counts until REST verified it again."""
        self._tickers[market].lost()
        if market is Market.PERP:
            self._marks.lost()
        self._depths = {key: depth for key, depth in self._depths.items() if key[0] is not market}

    def ended(self, market: Market) -> None:
        """A connection ended, or was closed because it was silent: listeners are notified."""
        self.lost(market)
        self._on_lost.publish(market)


def _due(rows: _Rows, at: datetime) -> bool:
    return rows.verified_at is None or not is_recent(rows.verified_at, at, VERIFIED_FOR)
