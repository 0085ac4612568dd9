"""Routes of klines, day tickers and public trades (docs/aster-api.md 5.1 and 6.1)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Instrument, Market
from hedgerow.domain.money import ZERO
from hedgerow.emulator.wire.protocol.errors import WireError
from hedgerow.emulator.wire.protocol.number_format import decimals_of, fixed, price_text, quantity_text, to_ms
from hedgerow.emulator.wire.protocol.params import Params
from hedgerow.emulator.wire.rest.call import Handler, RestCall, Route
from hedgerow.emulator.wire.rest.candles import (
    INTERVALS,
    TRADE_EVERY,
    Candle,
    MarketTrade,
    candle,
    newest_trade,
    next_open,
    opens_at,
    recent_trades,
)

__all__ = [
    "ROUTES",
    "agg_trade_row",
    "agg_trades",
    "day_ticker",
    "index_klines",
    "kline_row",
    "klines",
    "mark_klines",
    "ticker_24hr",
    "trades",
]

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
TAKER_SHARE = Decimal("0.5")
HISTORY = timedelta(days=45)
"""How long before a tape's start its prices may reach."""


def klines(call: RestCall) -> list[list[Any]]:
    """GET klines."""
    return _klines(call, call.symbol(), call.market.value)


def mark_klines(call: RestCall) -> list[list[Any]]:
    """GET markPriceKlines."""
    return _klines(call, call.symbol(), "mark")


def index_klines(call: RestCall) -> list[list[Any]]:
    """GET indexPriceKlines: names a pair."""
    return _klines(call, call.symbol("pair"), "index")


def kline_row(instrument: Instrument, found: Candle, *, filled: bool) -> list[Any]:
    """Return the twelve columns; price series carry "0" for volumes."""
    prices = (found.first, found.highest, found.lowest, found.last)
    volumes = (found.volume, found.quote_volume)
    base, quote = (fixed(v, p) for v, p in zip(volumes, (decimals_of(instrument.lot), 8), strict=True))
    taker = (fixed(v * TAKER_SHARE, p) for v, p in zip(volumes, (decimals_of(instrument.lot), 8), strict=True))
    open_ms, close_ms = to_ms(found.opened), to_ms(found.closed)
    texts = [fixed(price, decimals_of(instrument.tick)) for price in prices]
    if not filled:
        return [open_ms, *texts, "0", close_ms, "0", 0, "0", "0", "0"]
    return [open_ms, *texts, base, close_ms, quote, found.trades, *taker, "0"]


def ticker_24hr(call: RestCall) -> Any:
    """GET ticker/24hr."""
    rows = [day_ticker(call, symbol) for symbol in call.symbols()]
    return rows[0] if call.params.has("symbol") else rows


def day_ticker(call: RestCall, symbol: str) -> dict[str, Any]:
    """Return the statistics of the last 24 hours."""
    instrument = call.exchange.market.instrument(call.market, symbol)
    now = call.now
    day = candle(call.exchange.market, call.market.value, symbol, (now - DAY, now), now)
    first, last = (day.first, day.last) if day else (ZERO, ZERO)
    quote_volume = call.exchange.market.volume(symbol, now) or ZERO
    if call.market is Market.SPOT:
        quote_volume *= Decimal("0.2")
    newest, trades = newest_trade(now), DAY // TRADE_EVERY
    tick = decimals_of(instrument.tick)
    row = {
        "symbol": symbol,
        "priceChange": fixed(last - first, tick),
        "priceChangePercent": fixed((last - first) * 100 / first if first else ZERO, 3),
        "weightedAvgPrice": fixed((first + last) / 2, tick),
        "lastPrice": fixed(last, tick),
        "lastQty": quantity_text(instrument, instrument.min_quantity),
        "openPrice": fixed(first, tick),
        "highPrice": fixed(day.highest if day else ZERO, tick),
        "lowPrice": fixed(day.lowest if day else ZERO, tick),
        "volume": fixed(quote_volume / last if last else ZERO, decimals_of(instrument.lot)),
        "quoteVolume": fixed(quote_volume, 2),
        "openTime": to_ms(now - DAY),
        "closeTime": to_ms(now),
        "firstId": newest - trades,
        "lastId": newest,
        "count": trades,
    }
    return row | (_spot_extras(call, instrument) if call.market is Market.SPOT else {})


def trades(call: RestCall) -> list[dict[str, Any]]:
    """GET trades and historicalTrades; spot rows carry ``qty`` in quote units."""
    instrument = call.instrument()
    limit = call.params.whole("limit", 500, least=1, most=1000)
    found = recent_trades(call.exchange.market, call.market, instrument.symbol, until=call.now, count=limit)
    return [_trade_row(instrument, trade) for trade in found]


def agg_trades(call: RestCall) -> list[dict[str, Any]]:
    """GET aggTrades."""
    instrument = call.instrument()
    limit = call.params.whole("limit", 500, least=1, most=1000)
    start, end = call.params.time("startTime"), call.params.time("endTime")
    if start is not None and end is not None and start > end:
        raise WireError(-1023, "Start time is greater than end time.")
    until = min(end or call.now, call.now)
    if start is not None:
        # From a start the first trades are wanted, not the newest.
        until = min(until, start + limit * TRADE_EVERY - INSTANT)
    found = recent_trades(call.exchange.market, call.market, instrument.symbol, until=until, count=limit)
    return [agg_trade_row(instrument, trade) for trade in found if start is None or trade.at >= start]


def agg_trade_row(instrument: Instrument, trade: MarketTrade) -> dict[str, Any]:
    """Return one aggregate trade."""
    return {
        "a": trade.number,
        "p": price_text(instrument, trade.price),
        "q": _size(instrument, trade),
        "f": trade.number,
        "l": trade.number,
        "T": to_ms(trade.at),
        "m": trade.buyer_is_maker,
    }


def _klines(call: RestCall, symbol: str, kind: str) -> list[list[Any]]:
    interval = call.params.text("interval")
    if interval not in INTERVALS:
        raise WireError(-1120, "Invalid interval.")
    limit = call.params.whole("limit", 500, least=1, most=1500)
    start, end = call.params.time("startTime"), call.params.time("endTime")
    if start is not None and end is not None and start > end:
        raise WireError(-1023, "Start time is greater than end time.")
    market, market_data = call.exchange.market, call.exchange.market_data
    instrument = market.instrument(call.market, symbol)
    until = min(end or call.now, call.now)
    rows: list[list[Any]] = []
    opened = _first_open(until, interval, limit) if start is None else opens_at(start, interval)
    opened = max(opened, opens_at(market_data.start - HISTORY, interval))
    if start is not None and opened < start:
        opened = next_open(opened, interval)
    while opened <= until and len(rows) < limit:
        closes = next_open(opened, interval)
        found = candle(market, kind, symbol, (opened, closes), call.now)
        if found is not None:
            rows.append(kline_row(instrument, found, filled=kind in {"spot", "perp"}))
        opened = closes
    return rows


def _first_open(until: datetime, interval: str, limit: int) -> datetime:
    """Return the opening of the oldest of the newest ``limit`` candles."""
    if interval != "1M":
        return opens_at(until, interval) - (limit - 1) * INTERVALS[interval]
    months = until.year * 12 + until.month - 1 - (limit - 1)
    year, month = divmod(max(months, 12), 12)
    return opens_at(until, interval).replace(year=max(year, EPOCH.year), month=month + 1)


def _spot_extras(call: RestCall, instrument: Instrument) -> dict[str, Any]:
    market, at = call.exchange.books
    quote = market.quote(call.market, instrument.symbol, at)
    return {
        "bidPrice": price_text(instrument, quote.bid or ZERO if quote else ZERO),
        "bidQty": quantity_text(instrument, quote.bid_quantity if quote else ZERO),
        "askPrice": price_text(instrument, quote.ask or ZERO if quote else ZERO),
        "askQty": quantity_text(instrument, quote.ask_quantity if quote else ZERO),
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
    }


def _size(instrument: Instrument, trade: MarketTrade) -> str:
    return quantity_text(instrument, max(instrument.floor_quantity(trade.quantity), instrument.lot))


def _trade_row(instrument: Instrument, trade: MarketTrade) -> dict[str, Any]:
    base = _size(instrument, trade)
    price = price_text(instrument, trade.price)
    quote = fixed(Decimal(base) * Decimal(price), 8)
    sizes = {"qty": base, "quoteQty": quote}
    if instrument.market is Market.SPOT:
        sizes = {"qty": quote, "baseQty": base}
    return {"id": trade.number, "price": price, **sizes, "time": to_ms(trade.at), "isBuyerMaker": trade.buyer_is_maker}


def _kline_weight(params: Params) -> int:
    limit = params.whole("limit", 500)
    return next(weight for bound, weight in ((99, 1), (499, 2), (1000, 5), (10**18, 10)) if limit <= bound)


def _forty_for_all(params: Params) -> int:
    return 1 if params.has("symbol") else 40


def _klines_route(name: str, handler: Handler) -> Route:
    return Route(method="GET", name=name, handler=handler, weight=_kline_weight)


ROUTES = {
    Market.PERP: (_klines_route("markPriceKlines", mark_klines), _klines_route("indexPriceKlines", index_klines)),
    None: (
        _klines_route("klines", klines),
        Route(method="GET", name="ticker/24hr", handler=ticker_24hr, weight=_forty_for_all),
        Route(method="GET", name="trades", handler=trades),
        Route(method="GET", name="historicalTrades", handler=trades, weight=20),
        Route(method="GET", name="aggTrades", handler=agg_trades, weight=20),
    ),
}
"""By market; None = both."""
