"""Candles, day statistics and public trades computed from market data (docs/aster-api.md 5.1 and 6.1)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.funding import EPOCH
from hedgerow.domain.instrument import Market
from hedgerow.domain.money import ZERO
from hedgerow.emulator.core.market import Marketplace

__all__ = [
    "INTERVALS",
    "TRADE_EVERY",
    "Candle",
    "MarketTrade",
    "candle",
    "newest_trade",
    "next_open",
    "opens_at",
    "recent_trades",
    "trade_price",
]

DAY = timedelta(days=1)
SAMPLES = 24
"""Most prices looked at inside one candle."""
TRADE_EVERY = timedelta(seconds=1)
"""Time between two public trades of a market."""
SPOT_VOLUME_SHARE = Decimal("0.2")
INTERVALS = {
    **{f"{minutes}m": timedelta(minutes=minutes) for minutes in (1, 3, 5, 15, 30)},
    **{f"{hours}h": timedelta(hours=hours) for hours in (1, 2, 4, 6, 8, 12)},
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": 7 * DAY,
    "1M": 31 * DAY,
}
MONDAY = EPOCH - 3 * DAY
"""Weeks are counted from a Monday."""


class Candle(Struct, frozen=True, kw_only=True):
    """Prices and volume of one span."""

    opened: datetime
    closed: datetime
    first: Decimal
    highest: Decimal
    lowest: Decimal
    last: Decimal
    volume: Decimal
    """Base units."""
    quote_volume: Decimal

    @property
    def trades(self) -> int:
        """How many trades made the volume."""
        return int(self.quote_volume / 1000) + 1 if self.quote_volume else 0


class MarketTrade(Struct, frozen=True, kw_only=True):
    """One trade between others."""

    number: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool
    at: datetime


def opens_at(at: datetime, interval: str) -> datetime:
    """Return when the candle that ``at`` lies in began."""
    if interval == "1M":
        return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    origin = MONDAY if interval == "1w" else EPOCH
    return at - (at - origin) % INTERVALS[interval]


def next_open(opened: datetime, interval: str) -> datetime:
    """Return when the candle after that one begins."""
    return opens_at(opened + INTERVALS[interval], interval)


def trade_price(market: Marketplace, kind: str, symbol: str, at: datetime) -> Decimal | None:
    """Return the price of a kind (``spot``, ``perp``, ``mark`` or ``index``) at a time."""
    if kind in {"spot", "perp"}:
        return market.middle(Market(kind), symbol, at)
    mark = market.mark(symbol, at)
    if mark is None:
        return None
    return mark.index if kind == "index" else mark.mark


def candle(
    market: Marketplace, kind: str, symbol: str, span: tuple[datetime, datetime], now: datetime
) -> Candle | None:
    """Return the candle of a span, as far as it is known now; None where the tape has no price in it."""
    opened, closes = span
    until = min(closes, now + timedelta(microseconds=1))
    step = max(market.market_data.step, (closes - opened) / SAMPLES)
    times = _sample_times(opened, until, step)
    prices = [price for at in times if (price := trade_price(market, kind, symbol, at)) is not None]
    if not prices:
        return None
    traded = ZERO
    if kind in {"spot", "perp"}:
        traded = _volume(market, kind, symbol, opened) * Decimal((until - opened) / DAY)
    return Candle(
        opened=opened,
        closed=closes - timedelta(milliseconds=1),
        first=prices[0],
        highest=max(prices),
        lowest=min(prices),
        last=prices[-1],
        volume=traded / prices[0],
        quote_volume=traded,
    )


def recent_trades(market: Marketplace, where: Market, symbol: str, *, until: datetime, count: int) -> list[MarketTrade]:
    """Return the newest ``count`` public trades up to a time, oldest first."""
    found: list[MarketTrade] = []
    number = newest_trade(until)
    while len(found) < count:
        at = EPOCH + number * TRADE_EVERY
        if at < market.market_data.start - market.market_data.step:
            break
        price = market.middle(where, symbol, at)
        if price is not None:
            found.append(_trade(market, where, symbol, number, price))
        number -= 1
    return found[::-1]


def newest_trade(at: datetime) -> int:
    """Return the number of the newest public trade at a time."""
    return (at - EPOCH) // TRADE_EVERY


def _trade(market: Marketplace, where: Market, symbol: str, number: int, price: Decimal) -> MarketTrade:
    at = EPOCH + number * TRADE_EVERY
    share = Decimal(TRADE_EVERY / DAY)
    # A fixed multiplier scatters consecutive numbers, so that sides and sizes look drawn and are always the same.
    scattered = number * 2_654_435_761 % 1000
    size = _volume(market, where.value, symbol, at) * share / price * (500 + scattered) / 1000
    return MarketTrade(number=number, price=price, quantity=size, buyer_is_maker=scattered % 2 == 0, at=at)


def _volume(market: Marketplace, kind: str, symbol: str, at: datetime) -> Decimal:
    share = SPOT_VOLUME_SHARE if kind == "spot" else Decimal(1)
    return (market.volume(symbol, max(at, market.market_data.start)) or ZERO) * share


def _sample_times(opened: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    at = opened
    while at < until:
        yield at
        at += step
    yield until - timedelta(microseconds=1)
