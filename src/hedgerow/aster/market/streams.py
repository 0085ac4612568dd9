"""Market streams: mark prices and best quotes of all symbols, order book depth of the few that matter."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from random import Random

import msgspec
from msgspec import Raw, Struct

from hedgerow.aster.endpoints import Hosts
from hedgerow.aster.http.reconnecting_stream import ReconnectingStream, StreamHandler
from hedgerow.aster.market.stream_cache import MarketCache
from hedgerow.aster.reports import Report
from hedgerow.aster.schema.market_rows import (
    BookTicker,
    Millis,
    PremiumRow,
    Wire,
    check_levels,
    decode,
    rows_in,
)
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import Depth, Level
from hedgerow.ports import Clock, StreamConnection, StreamTransport

__all__ = ["MarketStreams"]

MARKS, BOOKS, LEVELS = "!markPrice@arr@1s", "!bookTicker", "@depth20@100ms"
SILENCE_SECONDS = {MARKS: 10.0, BOOKS: 60.0}
"""A stream that is acknowledged may still never send (docs/aster-api.md 10.1): then the connection is opened again."""


class _Frame(Struct, frozen=True):
    stream: str | None = None
    """None for the answer to a subscription."""
    data: Raw = Raw(b"null")


class _Mark(
    Wire,
    frozen=True,
    kw_only=True,
    rename={"symbol": "s", "mark": "p", "index": "i", "rate": "r", "next_time": "T"},
):
    symbol: str
    mark: Decimal
    index: Decimal | None = None
    rate: Decimal | None = None
    next_time: Millis | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mark < 0:
            raise ValueError(f"the mark price is negative: {self.mark}")


class _Book(
    Wire,
    frozen=True,
    kw_only=True,
    rename={"symbol": "s", "bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A", "update": "u"},
):
    symbol: str
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal
    update: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.bid, self.bid_size, self.ask, self.ask_size) < 0:
            raise ValueError("a price or a quantity is negative")


class _Levels(Struct, frozen=True):
    """The documents call the sides bids and asks on the spot market; what is sent calls them b and a."""

    b: tuple[Level, ...] | None = None
    a: tuple[Level, ...] | None = None
    bids: tuple[Level, ...] | None = None
    asks: tuple[Level, ...] | None = None

    def __post_init__(self) -> None:
        if (self.b is None and self.bids is None) or (self.a is None and self.asks is None):
            raise ValueError("a side of the book is absent")
        for side in (self.b, self.a, self.bids, self.asks):
            check_levels(side or ())


class MarketStreams:
    """Fills a ``MarketCache`` from both markets until cancelled."""

    def __init__(
        self,
        *,
        transport: StreamTransport,
        clock: Clock,
        random: Random,
        hosts: Hosts,
        cache: MarketCache,
        report: Report,
    ) -> None:
        self._listeners = {market: _MarketStreamHandler(market, hosts, cache, clock, report) for market in Market}
        self._links = [
            ReconnectingStream(
                transport=transport,
                clock=clock,
                random=random,
                listener=listener,
                silence_seconds=max(SILENCE_SECONDS[name] for name in listener.bulk),
                name=f"the {market} market stream",
                report=report.again,
            )
            for market, listener in self._listeners.items()
        ]

    @property
    def open_streams(self) -> tuple[bool, ...]:
        """Whether each of its streams has a connection now."""
        return tuple(link.is_open for link in self._links)

    async def run(self) -> None:
        """Listen until cancelled."""
        async with asyncio.TaskGroup() as group:
            for link in self._links:
                group.create_task(link.run())

    async def watch(self, symbols: Iterable[str]) -> None:
        """Follow the depth of exactly these symbols from now on, on both markets."""
        wanted = frozenset(symbols)
        await asyncio.gather(*(listener.watch(wanted) for listener in self._listeners.values()))


class _MarketStreamHandler(StreamHandler):
    """One market's connection."""

    def __init__(self, market: Market, hosts: Hosts, cache: MarketCache, clock: Clock, report: Report) -> None:
        self._market = market
        self._base = hosts.market_ws(market)
        self._cache = cache
        self._clock = clock
        self._report = report
        self._connection: StreamConnection | None = None
        self._depths: dict[str, str] = {}
        self._last_received: dict[str, float] = {}
        self._updates: dict[str, int] = {}
        self._requests = 0
        self.bulk = (MARKS, BOOKS) if market is Market.PERP else (BOOKS,)

    async def address(self) -> str:
        """Return the combined address; stream names are lower case but for the bulk ones."""
        return f"{self._base}/stream?streams={'/'.join([*self.bulk, *self._depths])}"

    async def opened(self, connection: StreamConnection) -> None:
        """Start again: nothing received, nothing verified."""
        self._cache.lost(self._market)
        self._connection = connection
        self._updates.clear()
        self._last_received = dict.fromkeys(self.bulk, self._clock.monotonic())

    def closed(self) -> None:
        """Nothing of it counts any more."""
        self._connection = None
        self._cache.ended(self._market)

    async def watch(self, symbols: frozenset[str]) -> None:
        """Subscribe to what is new, and unsubscribe from what is not wanted any more."""
        wanted = {f"{symbol.lower()}{LEVELS}": symbol for symbol in symbols}
        gone, new = sorted(self._depths.keys() - wanted.keys()), sorted(wanted.keys() - self._depths.keys())
        self._depths = wanted
        for method, names in (("UNSUBSCRIBE", gone), ("SUBSCRIBE", new)):
            if names and self._connection is not None:
                self._requests += 1
                frame = {"method": method, "params": names, "id": self._requests}
                await self._connection.send(msgspec.json.encode(frame).decode())

    def on_message(self, message: str | bytes) -> None:
        """Put one message into the cache; rows that cannot be read are left out one by one.

        Raises:
            VenueError: a stream that should send all the time is silent.
        """
        now = self._clock.monotonic()
        try:
            frame = decode(message, _Frame)
        except VenueError as unreadable:
            frame = _Frame()
            self._report(f"a message of the {self._market} market stream cannot be read", str(unreadable))
        if frame.stream is not None:
            if frame.stream in self._last_received:
                self._last_received[frame.stream] = now
            self._take(frame.stream, frame.data)
        silent = [name for name, at in self._last_received.items() if now - at > SILENCE_SECONDS[name]]
        if silent:
            raise VenueError(f"no data on {self._market} {', '.join(silent)}")

    def _take(self, stream: str, data: Raw) -> None:
        """Take over the data of one stream, and forget what an unreadable row or message is about: it changed."""
        now, body = self._clock.now(), bytes(data)
        try:
            if stream == MARKS:
                marks = rows_in(body, _Mark)
                for mark in marks.rows:
                    self._cache.on_premium(_premium(mark), now)
                self._cache.unreadable_premiums(marks.unreadable, now)
                self._report.named("the mark price of {} on the stream cannot be read", marks.unreadable)
            elif stream == BOOKS:
                books = rows_in(body, _Book)
                for book in books.rows:
                    self._take_book(book)
                self._cache.unreadable_books(self._market, books.unreadable, now)
                self._report.named(f"the {self._market} book of {{}} on the stream cannot be read", books.unreadable)
            elif stream in self._depths:
                self._take_levels(self._depths[stream], decode(data, _Levels))
        except VenueError as unreadable:
            if stream in self._depths:
                self._cache.unreadable_depth(self._market, self._depths[stream])
            self._report(f"a message of {self._market} {stream} cannot be read", str(unreadable))

    def _take_book(self, row: _Book) -> None:
        if row.update is not None:
            if row.update < self._updates.get(row.symbol, 0):
                return
            self._updates[row.symbol] = row.update
        ticker = BookTicker(
            symbol=row.symbol, bid_price=row.bid, bid_qty=row.bid_size, ask_price=row.ask, ask_qty=row.ask_size
        )
        self._cache.on_book(self._market, ticker, self._clock.now())

    def _take_levels(self, symbol: str, levels: _Levels) -> None:
        self._cache.on_depth(
            Depth(
                market=self._market,
                symbol=symbol,
                bids=levels.b or levels.bids or (),
                asks=levels.a or levels.asks or (),
                at=self._clock.now(),
            )
        )


def _premium(row: _Mark) -> PremiumRow:
    return PremiumRow(
        symbol=row.symbol,
        mark_price=row.mark,
        index_price=row.index,
        last_funding_rate=row.rate,
        next_funding_time=row.next_time,
    )
