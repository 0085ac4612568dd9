"""Public market data routes of both markets (docs/aster-api.md 5.1 and 6.1)."""

from datetime import timedelta
from typing import Any

from hedgerow.domain.funding import FundingRate
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import Depth, Level
from hedgerow.domain.money import ZERO
from hedgerow.emulator.wire.protocol.errors import WireError
from hedgerow.emulator.wire.protocol.number_format import decimals_of, fixed, price_text, quantity_text, to_ms
from hedgerow.emulator.wire.protocol.params import Params
from hedgerow.emulator.wire.rest.call import RestCall, Route

__all__ = [
    "ROUTES",
    "book_ticker",
    "depth",
    "depth_rows",
    "exchange_info",
    "funding_info",
    "funding_rate",
    "index_references",
    "open_interest",
    "ping",
    "premium_index",
    "premium_row",
    "remaining_notional",
    "server_time",
    "ticker_book",
    "ticker_price",
]

DEPTHS = (5, 10, 20, 50, 100, 500, 1000)
INTEREST_RATE = "0.00010000"
RATE_CAP = 0.03
"""``fundingFeeCap`` as sampled: a JSON number."""
INSTANT = timedelta(microseconds=1)


def ping(_: RestCall) -> dict[str, Any]:
    """GET ping."""
    return {}


def server_time(call: RestCall) -> dict[str, Any]:
    """GET time."""
    return {"serverTime": to_ms(call.now)}


def exchange_info(call: RestCall) -> dict[str, Any]:
    """GET exchangeInfo."""
    exchange = call.exchange
    rules, pairs = exchange.limits[call.market].rules, exchange.market.pairs
    if call.market is Market.SPOT:
        return exchange.profile.spot_info(pairs, rules, call.now)
    options = exchange.rules.world
    return exchange.profile.perp_info(
        pairs, rules, call.now, take_bound=options.market_take_bound, fee=options.liquidation_fee_rate
    )


def depth(call: RestCall) -> dict[str, Any]:
    """GET depth."""
    instrument = call.instrument()
    limit = call.params.whole("limit", 100 if call.market is Market.SPOT else 500)
    if limit not in DEPTHS:
        raise WireError(-4021, f"{limit} is not valid depth limit.")
    market, at = call.exchange.books
    book = market.depth(call.market, instrument.symbol, at)
    at_ms = to_ms(at)
    named = {"symbol": instrument.symbol} if call.market is Market.SPOT else {}
    # One below the id of a change in this very millisecond, which a client must not take for known.
    return {"lastUpdateId": at_ms - 1, **named, "E": at_ms, "T": at_ms, **depth_rows(call, book, limit)}


def depth_rows(call: RestCall, book: Depth, limit: int) -> dict[str, Any]:
    """Return both sides, best first."""
    instrument = call.exchange.market.instrument(book.market, book.symbol)

    def rows(levels: tuple[Level, ...]) -> list[list[str]]:
        return [[price_text(instrument, lv.price), quantity_text(instrument, lv.quantity)] for lv in levels[:limit]]

    return {"bids": rows(tuple(book.bids)), "asks": rows(tuple(book.asks))}


def ticker_price(call: RestCall) -> Any:
    """GET ticker/price."""
    return _one_or_all(call, [_price_row(call, symbol) for symbol in call.symbols()])


def ticker_book(call: RestCall) -> Any:
    """GET ticker/bookTicker."""
    return _one_or_all(call, [book_ticker(call, symbol) for symbol in call.symbols()])


def book_ticker(call: RestCall, symbol: str) -> dict[str, Any]:
    """Return best bid and ask; an empty side is "0"."""
    instrument = call.exchange.market.instrument(call.market, symbol)
    market, at = call.exchange.books
    quote = market.quote(call.market, symbol, at)
    at_ms = to_ms(at)
    return {
        "symbol": symbol,
        "bidPrice": price_text(instrument, quote.bid or ZERO if quote else ZERO),
        "bidQty": quantity_text(instrument, quote.bid_quantity if quote else ZERO),
        "askPrice": price_text(instrument, quote.ask or ZERO if quote else ZERO),
        "askQty": quantity_text(instrument, quote.ask_quantity if quote else ZERO),
        "time": at_ms,
        "lastUpdateId": at_ms,
    }


def premium_index(call: RestCall) -> Any:
    """GET premiumIndex: an object for one symbol, an array for all."""
    return _one_or_all(call, [premium_row(call, symbol) for symbol in call.symbols()])


def premium_row(call: RestCall, symbol: str) -> dict[str, Any]:
    """Return mark, index and the running funding estimate; zeros where the market has none."""
    mark = call.exchange.market.mark(symbol, call.now)
    predicted = call.exchange.market.predicted(symbol, call.now)
    index = fixed(mark.index if mark else ZERO, 8)
    return {
        "symbol": symbol,
        "markPrice": fixed(mark.mark if mark else ZERO, 8),
        "indexPrice": index,
        "estimatedSettlePrice": index,
        "lastFundingRate": fixed(predicted.rate if predicted else ZERO, 8),
        "interestRate": INTEREST_RATE,
        "nextFundingTime": to_ms(predicted.at) if predicted else 0,
        "time": to_ms(call.now),
    }


def funding_rate(call: RestCall) -> list[dict[str, Any]]:
    """GET fundingRate: the newest rows, or the first ones of the window asked for."""
    limit = call.params.whole("limit", 100, least=1, most=1000)
    start, end = call.params.time("startTime"), call.params.time("endTime")
    if start is not None and end is not None and start > end:
        raise WireError(-1023, "Start time is greater than end time.")
    until = call.now if end is None else min(end, call.now)
    rates: list[FundingRate] = []
    for symbol in call.symbols():
        if start is None:
            rates += call.exchange.market_data.newest_settled(symbol, until, limit)
        elif start <= until:
            rates += call.exchange.market_data.settled(symbol, start - INSTANT, until)
    rates.sort(key=lambda rate: (rate.at, rate.symbol))
    chosen = rates[-limit:] if start is None else rates[:limit]
    return [{"symbol": r.symbol, "fundingTime": to_ms(r.at), "fundingRate": fixed(r.rate, 8)} for r in chosen]


def funding_info(call: RestCall) -> list[dict[str, Any]]:
    """GET fundingInfo: always an array."""
    return [_funding_info_row(call, symbol) for symbol in call.symbols()]


def open_interest(call: RestCall) -> dict[str, Any]:
    """GET openInterest."""
    instrument = call.instrument()
    held = call.exchange.market.open_interest(instrument.symbol, call.now)
    at_ms = to_ms(call.now)
    return {"symbol": instrument.symbol, "openInterest": fixed(held, decimals_of(instrument.lot)), "time": at_ms}


def index_references(call: RestCall) -> dict[str, Any]:
    """GET indexreferences."""
    symbol = call.params.text("symbol")
    if call.exchange.market.pair(symbol) is None:
        raise WireError(-1000, "Invalid symbol.")
    references = [{"exchange": "aster", "symbol": symbol, "weight": "1.00000000"}]
    return {"symbol": symbol, "time": to_ms(call.now), "references": references}


def remaining_notional(call: RestCall) -> dict[str, Any]:
    """GET remainingOpenableNotionalValue: no cap."""
    call.symbol()
    call.params.whole("leverage", least=1, most=125)
    return {"remainingOpenableNotionalValue": -1}


def _funding_info_row(call: RestCall, symbol: str) -> dict[str, Any]:
    predicted = call.exchange.market.predicted(symbol, call.now)
    newest = call.exchange.market_data.newest_settled(symbol, call.now, 1)
    rate = predicted or (newest[0] if newest else None)
    return {
        "symbol": symbol,
        "interestRate": INTEREST_RATE,
        "time": to_ms(call.now),
        "fundingIntervalHours": rate.interval_hours if rate else None,
        "fundingFeeCap": RATE_CAP if rate else None,
        "fundingFeeFloor": -RATE_CAP if rate else None,
    }


def _price_row(call: RestCall, symbol: str) -> dict[str, Any]:
    pair: BasisPair | None = call.exchange.market.pair(symbol)
    middle = call.exchange.market.middle(call.market, symbol, call.now)
    tick = decimals_of(pair.instrument(call.market).tick) if pair else 0
    return {"symbol": symbol, "price": fixed(middle or ZERO, tick), "time": to_ms(call.now)}


def _one_or_all(call: RestCall, rows: list[dict[str, Any]]) -> Any:
    return rows[0] if call.params.has("symbol") else rows


def _depth_weight(params: Params) -> int:
    limit = params.whole("limit", 500)
    return next(weight for bound, weight in ((50, 2), (100, 5), (500, 10), (10**18, 20)) if limit <= bound)


def _two_for_all(params: Params) -> int:
    return 1 if params.has("symbol") else 2


ROUTES = {
    Market.PERP: (
        Route(method="GET", name="premiumIndex", handler=premium_index),
        Route(method="GET", name="fundingRate", handler=funding_rate),
        Route(method="GET", name="fundingInfo", handler=funding_info),
        Route(method="GET", name="openInterest", handler=open_interest),
        Route(method="GET", name="indexreferences", handler=index_references),
        Route(method="GET", name="remainingOpenableNotionalValue", handler=remaining_notional, weight=20),
    ),
    None: (
        Route(method="GET", name="ping", handler=ping),
        Route(method="GET", name="time", handler=server_time),
        Route(method="GET", name="exchangeInfo", handler=exchange_info),
        Route(method="GET", name="depth", handler=depth, weight=_depth_weight),
        Route(method="GET", name="ticker/price", handler=ticker_price, weight=_two_for_all),
        Route(method="GET", name="ticker/bookTicker", handler=ticker_book, weight=_two_for_all),
    ),
}
"""By market; None = both."""
