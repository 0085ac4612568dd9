"""Market streams: their names, when each has an update, and its content (docs/aster-api.md 10.1)."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Instrument, Market
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.protocol.number_format import to_ms
from hedgerow.emulator.wire.protocol.params import Params
from hedgerow.emulator.wire.rest.call import RestCall, WireRequest
from hedgerow.emulator.wire.rest.candles import (
    INTERVALS,
    TRADE_EVERY,
    candle,
    newest_trade,
    next_open,
    opens_at,
    recent_trades,
)
from hedgerow.emulator.wire.rest.klines import agg_trade_row, day_ticker, kline_row
from hedgerow.emulator.wire.rest.market_data import book_ticker, depth_rows, premium_row

__all__ = ["MarketStream", "parse_stream"]

NAME = re.compile(
    r"(?:(?P<symbol>[0-9a-z_]+)@|!)(?P<kind>markPrice|bookTicker|depth(?P<levels>5|10|20)?|aggTrade|trade"
    r"|kline_(?P<interval>\w+)|ticker|miniTicker)(?P<array>@arr)?(?:@(?P<speed>1s|0ms|100ms|250ms|500ms))?"
)
SPEEDS = {"1s": 1000, "0ms": 100, "100ms": 100, "250ms": 250, "500ms": 500}
"""Milliseconds between two looks; ``0ms`` is on every change, and looked at as often as the fastest."""
DEFAULT_MS = {
    Market.PERP: {"markPrice": 3000, "depth": 250, "kline": 250, "ticker": 500, "miniTicker": 500},
    Market.SPOT: {"depth": 1000, "kline": 2000, "ticker": 1000, "miniTicker": 1000},
}
"""Milliseconds between two messages (docs/aster-api.md section 10.1); what is not named comes on change."""
ARRAY_MS = {"ticker": 1000, "miniTicker": 1000}
ON_CHANGE_MS = 100
STEADY = ("markPrice", "kline", "ticker", "miniTicker")
"""Streams that send at their speed, also when nothing changed."""
MILLISECOND = timedelta(milliseconds=1)
ALL_AS_ARRAY = ("markPrice", "ticker", "miniTicker")
"""Streams of all symbols that come as one array; ``!bookTicker`` comes symbol by symbol."""
BOOKS = ("bookTicker", "depth")
BUSY_BOOK = timedelta(minutes=10)
"""How long after an own trade a book is watched at its full speed: it refills all the while."""
DIFF_LEVELS = 1000


class _Spec(Struct, frozen=True, kw_only=True):
    """A stream's name, taken apart."""

    kind: str
    symbols: tuple[str, ...]
    every: timedelta
    array: bool
    levels: int = DIFF_LEVELS
    interval: str = ""


class MarketStream:
    """One stream and what it said last; shared by all who listen."""

    def __init__(self, exchange: Exchange, market: Market, spec: _Spec) -> None:
        self._exchange = exchange
        self._market = market
        self._spec = spec
        self._said: dict[str, Any] = {}
        self._seen: dict[str, object] = {}
        """What was looked at last, before it was worded: most looks find nothing new."""
        self._last_id = to_ms(exchange.now) - 1
        self._last_trade = newest_trade(exchange.now)
        self.due = exchange.now
        self._builders: dict[str, Callable[[str], list[Any]]] = {
            "markPrice": self._mark_price,
            "bookTicker": self._book_ticker,
            "depth": self._depth,
            "aggTrade": self._agg_trade,
            "trade": self._trade,
            "kline": self._kline,
            "ticker": self._ticker,
            "miniTicker": self._mini_ticker,
        }

    def pending(self) -> list[Any]:
        """Return what there is to say now; sets the time of the next look."""
        now = self._exchange.now
        if now < self.due:
            return []
        self.due = self._next_look(now)
        build = self._builders[self._spec.kind]
        messages = [each for symbol in self._spec.symbols for each in build(symbol)]
        if self._spec.array:
            return [messages] if messages else []
        return messages

    def _next_look(self, now: datetime) -> datetime:
        soon = _next_multiple(now, self._spec.every)
        if self._spec.kind in STEADY or (self._spec.kind in BOOKS and self._busy(now)):
            return soon
        # Between these times nothing can change but what own trades took.
        step = self._exchange.market_data.books_step if self._spec.kind in BOOKS else TRADE_EVERY
        return max(soon, _next_multiple(now, step))

    def _busy(self, now: datetime) -> bool:
        taken = self._exchange.market.conditions.taken
        return any(key.startswith(f"{self._market}:") and now - t.at < BUSY_BOOK for key, t in taken.items())

    def repeat(self) -> None:
        """Repeat the last message for a new subscriber. A stream of differences cannot."""
        if self._spec.kind != "depth" or self._spec.levels != DIFF_LEVELS:
            self._said.clear()
            self._seen.clear()
            self.wake()

    def wake(self, *, books_only: bool = False) -> None:
        """Look again at once: an own trade changed the books, or a shock all prices."""
        if not books_only or self._spec.kind in BOOKS:
            self.due = min(self.due, self._exchange.now)

    def _is_new(self, symbol: str, found: object) -> bool:
        if self._seen.get(symbol) == found:
            return False
        self._seen[symbol] = found
        return True

    def _changed(self, symbol: str, said: Any) -> bool:
        if self._said.get(symbol) == said:
            return False
        self._said[symbol] = said
        return True

    def _call(self) -> RestCall:
        nothing = WireRequest(method="GET", path="")
        return RestCall(exchange=self._exchange, market=self._market, params=Params({}), request=nothing)

    def _instrument(self, symbol: str) -> Instrument:
        return self._exchange.market.instrument(self._market, symbol)

    def _mark_price(self, symbol: str) -> list[Any]:
        row = premium_row(self._call(), symbol)
        return [
            {
                "e": "markPriceUpdate",
                "E": row["time"],
                "s": symbol,
                "p": row["markPrice"],
                "i": row["indexPrice"],
                "P": row["estimatedSettlePrice"],
                "r": row["lastFundingRate"],
                "T": row["nextFundingTime"],
            }
        ]

    def _book_ticker(self, symbol: str) -> list[Any]:
        market, at = self._exchange.books
        quote = market.quote(self._market, symbol, at)
        if not self._is_new(symbol, (quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity) if quote else ()):
            return []
        row = book_ticker(self._call(), symbol)
        prices = {"b": row["bidPrice"], "B": row["bidQty"], "a": row["askPrice"], "A": row["askQty"]}
        if not self._changed(symbol, prices):
            return []
        now_ms = row["time"]
        return [{"e": "bookTicker", "u": now_ms, "E": now_ms, "T": now_ms, "s": symbol, **prices}]

    def _depth(self, symbol: str) -> list[Any]:
        market, at = self._exchange.books
        book = market.depth(self._market, symbol, at)
        if to_ms(self._exchange.now) <= self._last_id:
            # Update ids are milliseconds: a second change within one is sent with the next.
            self.due = self._exchange.now + MILLISECOND
            return []
        if not self._is_new(symbol, (book.bids, book.asks)):
            return []
        sides = depth_rows(self._call(), book, self._spec.levels)
        before = self._said.get(symbol)
        if not self._changed(symbol, sides):
            return []
        if self._spec.levels == DIFF_LEVELS:
            if before is None:
                return []
            sides = {side: _difference(before[side], sides[side]) for side in ("bids", "asks")}
        now_ms = to_ms(self._exchange.now)
        first, previous, self._last_id = self._last_id + 1, self._last_id, now_ms
        return [
            {
                "e": "depthUpdate",
                "E": now_ms,
                "T": now_ms,
                "s": symbol,
                "U": first,
                "u": now_ms,
                "pu": previous,
                "b": sides["bids"],
                "a": sides["asks"],
            }
        ]

    def _agg_trade(self, symbol: str) -> list[Any]:
        newest = newest_trade(self._exchange.now)
        count, self._last_trade = newest - self._last_trade, newest
        if count <= 0:
            return []
        found = recent_trades(
            self._exchange.market, self._market, symbol, until=self._exchange.now, count=min(count, 50)
        )
        head = {"e": "aggTrade", "E": to_ms(self._exchange.now), "s": symbol}
        return [{**head, **agg_trade_row(self._instrument(symbol), trade)} for trade in found]

    def _trade(self, symbol: str) -> list[Any]:
        rows = self._agg_trade(symbol)
        return [
            {**{k: v for k, v in row.items() if k not in {"a", "f", "l"}}, "e": "trade", "t": row["a"]} for row in rows
        ]

    def _kline(self, symbol: str) -> list[Any]:
        now, interval = self._exchange.now, self._spec.interval
        opened = opens_at(now, interval)
        closes = next_open(opened, interval)
        found = candle(self._exchange.market, self._market.value, symbol, (opened, closes), now)
        if found is None:
            return []
        row = kline_row(self._instrument(symbol), found, filled=True)
        names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
        kline = dict(zip(names, row, strict=True)) | {"s": symbol, "i": interval, "f": 0, "L": 0, "x": False}
        return [{"e": "kline", "E": to_ms(now), "s": symbol, "k": kline}]

    def _ticker(self, symbol: str) -> list[Any]:
        row = day_ticker(self._call(), symbol)
        names = {
            "p": "priceChange",
            "P": "priceChangePercent",
            "w": "weightedAvgPrice",
            "Q": "lastQty",
            "O": "openTime",
            "C": "closeTime",
            "F": "firstId",
            "L": "lastId",
            "n": "count",
        }
        return [{"e": "24hrTicker", **_mini(row), **{short: row[name] for short, name in names.items()}}]

    def _mini_ticker(self, symbol: str) -> list[Any]:
        return [{"e": "24hrMiniTicker", **_mini(day_ticker(self._call(), symbol))}]


def parse_stream(exchange: Exchange, market: Market, name: str) -> MarketStream | None:
    """Return the stream of that name; None for one that exists nowhere: upper case, unknown, or not on this market."""
    found = NAME.fullmatch(name)
    if found is None or (market is Market.SPOT and found["kind"] == "markPrice"):
        return None
    kind = "depth" if found["kind"].startswith("depth") else found["kind"].partition("_")[0]
    symbols = _symbols(exchange, market, found["symbol"])
    if not symbols or (found["interval"] or "1m") not in INTERVALS:
        return None
    if bool(found["array"]) != (found["symbol"] is None and kind in ALL_AS_ARRAY):
        return None
    if found["symbol"] is None and kind not in {*ALL_AS_ARRAY, "bookTicker"}:
        return None
    usual = ARRAY_MS.get(kind) if found["array"] else None
    every = SPEEDS.get(found["speed"] or "", usual or DEFAULT_MS[market].get(kind, ON_CHANGE_MS))
    spec = _Spec(
        kind=kind,
        symbols=symbols,
        every=timedelta(milliseconds=every),
        array=found["array"] is not None,
        levels=int(found["levels"] or DIFF_LEVELS),
        interval=found["interval"] or "",
    )
    return MarketStream(exchange, market, spec)


def _symbols(exchange: Exchange, market: Market, symbol: str | None) -> tuple[str, ...]:
    pairs = exchange.market.on_both if market is Market.SPOT else exchange.market.pairs
    listed = tuple(pair.symbol for pair in pairs)
    return listed if symbol is None else tuple(name for name in listed if name == symbol.upper())


def _next_multiple(now: datetime, step: timedelta) -> datetime:
    return now + step - (now - EPOCH) % step


def _mini(row: dict[str, Any]) -> dict[str, Any]:
    names = {"c": "lastPrice", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume", "q": "quoteVolume"}
    return {"E": row["closeTime"], "s": row["symbol"], **{short: row[name] for short, name in names.items()}}


def _difference(before: list[list[str]], after: list[list[str]]) -> list[list[str]]:
    """Return the levels that changed; a level that is gone has quantity "0"."""
    old: dict[str, str] = {row[0]: row[1] for row in before}
    new: dict[str, str] = {row[0]: row[1] for row in after}
    gone = [[price, "0"] for price in old if price not in new]
    return [[price, quantity] for price, quantity in new.items() if old.get(price) != quantity] + gone
