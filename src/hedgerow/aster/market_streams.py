"""Market data as it happens: marks and books of all symbols, and the depth of the few that matter."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from random import Random

import msgspec
from msgspec import Raw, Struct

from hedgerow.aster.hosts import Hosts
from hedgerow.aster.market_cache import MarketCache
from hedgerow.aster.stream_link import Listener, StreamLink
from hedgerow.aster.wire import BookTicker, PremiumRow
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import Depth, Level
from hedgerow.domain.money import ZERO
from hedgerow.ports import Clock, StreamConnection, StreamTransport

__all__ = ["MarketStreams"]

MARKS, BOOKS, LEVELS = "!markPrice@arr@1s", "!bookTicker", "@depth20@100ms"
SILENCE_SECONDS = {MARKS: 10.0, BOOKS: 60.0}
"""A stream that is acknowledged may still never send (API reference 10.1): then the connection is made anew."""


class _Frame(Struct, frozen=True):
    stream: str = ""
    data: Raw = Raw(b"null")


class _Mark(Struct, frozen=True, rename={"symbol": "s", "mark": "p", "index": "i", "rate": "r", "next_time": "T"}):
    symbol: str
    mark: Decimal
    index: Decimal = ZERO
    rate: Decimal | None = None
    next_time: int = 0


class _Book(
    Struct, frozen=True, rename={"symbol": "s", "bid": "b", "bid_size": "B", "ask": "a", "ask_size": "A", "update": "u"}
):
    symbol: str
    bid: Decimal
    bid_size: Decimal
    ask: Decimal
    ask_size: Decimal
    update: int = 0


class _Levels(Struct, frozen=True):
    """The documents call the sides bids and asks on the spot market; what is sent calls them b and a."""

    b: tuple[Level, ...] = ()
    a: tuple[Level, ...] = ()
    bids: tuple[Level, ...] = ()
    asks: tuple[Level, ...] = ()


class MarketStreams:
    """Fills a ``MarketCache`` from both markets until cancelled."""

    def __init__(
        self, *, transport: StreamTransport, clock: Clock, random: Random, hosts: Hosts, cache: MarketCache
    ) -> None:
        self._listeners = {market: _MarketListener(market, hosts, cache, clock) for market in Market}
        self._links = [
            StreamLink(
                transport=transport,
                clock=clock,
                random=random,
                listener=listener,
                silence_seconds=max(SILENCE_SECONDS[name] for name in listener.bulk),
            )
            for listener in self._listeners.values()
        ]

    async def run(self) -> None:
        """Listen until cancelled."""
        await asyncio.gather(*(link.run() for link in self._links))

    async def watch(self, symbols: Iterable[str]) -> None:
        """Follow the depth of exactly these symbols from now on, on both markets."""
        wanted = frozenset(symbols)
        await asyncio.gather(*(listener.watch(wanted) for listener in self._listeners.values()))


class _MarketListener(Listener):
    """One market's connection."""

    def __init__(self, market: Market, hosts: Hosts, cache: MarketCache, clock: Clock) -> None:
        self._market = market
        self._base = hosts.market_ws(market)
        self._cache = cache
        self._clock = clock
        self._connection: StreamConnection | None = None
        self._depths: dict[str, str] = {}
        self._last_heard: dict[str, float] = {}
        self._updates: dict[str, int] = {}
        self._requests = 0
        self.bulk = (MARKS, BOOKS) if market is Market.PERP else (BOOKS,)

    async def address(self) -> str:
        """Return the combined address; stream names are lower case but for the bulk ones."""
        return f"{self._base}/stream?streams={'/'.join([*self.bulk, *self._depths])}"

    async def opened(self, connection: StreamConnection) -> None:
        """Begin anew: nothing heard, nothing verified."""
        self._cache.lost(self._market)
        self._connection = connection
        self._updates.clear()
        self._last_heard = dict.fromkeys(self.bulk, self._clock.monotonic())

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

    def heard(self, message: str | bytes) -> None:
        """Put one message into the cache; one that cannot be read is skipped, a silent stream ends the connection."""
        now = self._clock.monotonic()
        try:
            frame = msgspec.json.decode(message, type=_Frame)
            self._take(frame)
        except msgspec.MsgspecError:
            return
        if frame.stream in self._last_heard:
            self._last_heard[frame.stream] = now
        silent = [name for name, at in self._last_heard.items() if now - at > SILENCE_SECONDS[name]]
        if silent:
            raise VenueError(f"no data on {self._market} {', '.join(silent)}")

    def _take(self, frame: _Frame) -> None:
        if frame.stream == MARKS:
            for row in msgspec.json.decode(frame.data, type=tuple[_Mark, ...], strict=False):
                self._cache.heard_premium(_premium(row), self._clock.now())
        elif frame.stream == BOOKS:
            self._take_book(msgspec.json.decode(frame.data, type=_Book, strict=False))
        elif frame.stream in self._depths:
            levels = msgspec.json.decode(frame.data, type=_Levels, strict=False)
            self._take_levels(self._depths[frame.stream], levels)

    def _take_book(self, row: _Book) -> None:
        if row.update and row.update < self._updates.get(row.symbol, 0):
            return
        self._updates[row.symbol] = row.update
        ticker = BookTicker(
            symbol=row.symbol, bid_price=row.bid, bid_qty=row.bid_size, ask_price=row.ask, ask_qty=row.ask_size
        )
        self._cache.heard_book(self._market, ticker, self._clock.now())

    def _take_levels(self, symbol: str, levels: _Levels) -> None:
        self._cache.heard_depth(
            Depth(
                market=self._market,
                symbol=symbol,
                bids=levels.b or levels.bids,
                asks=levels.a or levels.asks,
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
