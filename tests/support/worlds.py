"""A tape written by hand, and small worlds on it: prices and rates say exactly what a test means.

``ScriptedMarketData`` is a ``ports.MarketData``. Prices are constant until ``set_prices`` changes them; funding
settles at every multiple of the symbol's interval with the rate valid there, from ``HISTORY`` before the start.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import UNSET

from hedgerow.clock import VirtualClock
from hedgerow.domain.funding import FundingRate, last_settlement, next_settlement
from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market, TradingStatus
from hedgerow.emulator import EmulatedVenue, World, WorldOptions
from hedgerow.ports import Liquidity, MarketData, MarketPrices

__all__ = [
    "HISTORY",
    "START",
    "SYMBOL",
    "Listing",
    "ScriptedMarketData",
    "make_pair",
    "make_venue",
    "make_world",
    "prices_of",
]

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday, 00:00: a settlement of every interval."""
HISTORY = timedelta(days=30)
"""How long before the start rates have settled."""
SYMBOL = "AAAUSDT"

Money = Decimal | str | int


def make_pair(
    symbol: str = SYMBOL,
    *,
    tick: Money = "0.01",
    spot_lot: Money = "0.001",
    perp_lot: Money = "0.01",
    min_notional: Money = 5,
    spot_taker: Money = "0.0004",
    perp_taker: Money = "0.00035",
    max_quantity: Money = 1_000_000,
    status: TradingStatus = TradingStatus.TRADING,
    fee_in_quote: bool = False,
) -> BasisPair:
    """Return a pair whose spot lot is finer than its perpetual's, with Aster's fees (0.04 % and 0.035 % taker)."""

    def instrument(market: Market, lot: Money, maker: str, taker: Money, band: tuple[str, str]) -> Instrument:
        return Instrument(
            market=market,
            symbol=symbol,
            base=symbol.removesuffix("USDT"),
            quote="USDT",
            tick=Decimal(tick),
            lot=Decimal(lot),
            min_quantity=Decimal(lot),
            max_quantity=Decimal(max_quantity),
            min_notional=Decimal(min_notional),
            fees=FeeRates(maker=Decimal(maker), taker=Decimal(taker)),
            status=status,
            price_down=Decimal(band[0]),
            price_up=Decimal(band[1]),
            fee_in_quote=fee_in_quote or UNSET,
        )

    return BasisPair(
        spot=instrument(Market.SPOT, spot_lot, "0.00005", spot_taker, ("0.2", "5")),
        perp=instrument(Market.PERP, perp_lot, "0.0001", perp_taker, ("0.95", "1.05")),
    )


def prices_of(spot: Money, perp: Money | None = None, mark: Money | None = None) -> MarketPrices:
    """Return prices; the perpetual is at spot and the mark at the perpetual unless given."""
    perp_price = Decimal(spot if perp is None else perp)
    return MarketPrices(spot=Decimal(spot), perp=perp_price, mark=perp_price if mark is None else Decimal(mark))


class Listing:
    """One pair of a scripted tape: everything may change from a time on."""

    def __init__(
        self,
        pair: BasisPair | str = SYMBOL,
        *,
        spot: Money = 100,
        perp: Money | None = None,
        rate: Money = "0.0003",
        interval_hours: int = 8,
        volume: Money = 50_000_000,
        half_spread_bps: Money = 1,
        depth_notional: Money = 100_000,
        perp_depth_notional: Money | None = None,
    ) -> None:
        self.pair = make_pair(pair) if isinstance(pair, str) else pair
        self.volume = Decimal(volume)
        self.books: dict[Market, Liquidity] = {
            market: Liquidity(half_spread_bps=Decimal(half_spread_bps), depth_notional=Decimal(depth))
            for market, depth in ((Market.SPOT, depth_notional), (Market.PERP, perp_depth_notional or depth_notional))
        }
        origin = datetime(1970, 1, 1, tzinfo=UTC)
        self.prices: dict[datetime, MarketPrices | None] = {origin: prices_of(spot, perp)}
        self.rates: dict[datetime, Decimal] = {origin: Decimal(rate)}
        self.intervals: dict[datetime, int] = {origin: interval_hours}
        self.predictions: dict[datetime, Decimal | None] = {}
        self.missing_sides: dict[datetime, Mapping[Market, Any]] = {}


def _newest(series: Mapping[datetime, Any], at: datetime) -> Any:
    """Return the value of the newest entry at or before ``at``; None before the first."""
    times = sorted(series)
    found = bisect_right(times, at)
    return series[times[found - 1]] if found else None


class ScriptedMarketData:
    """A ``MarketData`` that shows what a test set."""

    def __init__(
        self,
        listings: Iterable[Listing | str] = (SYMBOL,),
        *,
        start: datetime = START,
        days: int = 400,
        step: timedelta = timedelta(minutes=5),
    ) -> None:
        made = [Listing(entry) if isinstance(entry, str) else entry for entry in listings]
        self._listings = {listing.pair.symbol: listing for listing in made}
        self._start, self._end, self._step = start, start + timedelta(days=days), step
        self.sources: Mapping[str, str] = dict.fromkeys(self._listings, "scripted")
        self.pairs: Sequence[BasisPair] = tuple(listing.pair for listing in made)

    def set_prices(
        self, at: datetime, spot: Money, perp: Money | None = None, *, mark: Money | None = None, symbol: str = SYMBOL
    ) -> None:
        """Change a symbol's prices from ``at`` on."""
        self._listings[symbol].prices[at] = prices_of(spot, perp, mark)

    def set_gap(self, at: datetime, *, symbol: str = SYMBOL) -> None:
        """Make a symbol's prices unknown from ``at`` on."""
        self._listings[symbol].prices[at] = None

    def set_rate(self, at: datetime, rate: Money, *, symbol: str = SYMBOL) -> None:
        """Change the rate of every settlement from ``at`` on."""
        self._listings[symbol].rates[at] = Decimal(rate)

    def set_interval(self, at: datetime, hours: int, *, symbol: str = SYMBOL) -> None:
        """Change the interval of every settlement after ``at``."""
        self._listings[symbol].intervals[at] = hours

    def set_predicted(self, at: datetime, rate: Money | None, *, symbol: str = SYMBOL) -> None:
        """Change the running estimate from ``at`` on; None = it cannot be known."""
        self._listings[symbol].predictions[at] = None if rate is None else Decimal(rate)

    def set_liquidity(self, *, half_spread_bps: Money, depth_notional: Money, symbol: str = SYMBOL) -> None:
        """Change both books of a symbol."""
        book = Liquidity(half_spread_bps=Decimal(half_spread_bps), depth_notional=Decimal(depth_notional))
        self._listings[symbol].books = dict.fromkeys(Market, book)

    def set_missing_sides(self, at: datetime, sides: Mapping[Market, Any], *, symbol: str = SYMBOL) -> None:
        """Empty one side of a book from ``at`` on; an empty mapping fills both again."""
        self._listings[symbol].missing_sides[at] = sides

    def set_volume(self, volume: Money, *, symbol: str = SYMBOL) -> None:
        """Change the 24 h volume of a symbol."""
        self._listings[symbol].volume = Decimal(volume)

    @property
    def start(self) -> datetime:
        return self._start

    @property
    def end(self) -> datetime:
        return self._end

    @property
    def step(self) -> timedelta:
        return self._step

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        found: MarketPrices | None = _newest(self._listings[symbol].prices, at)
        return found

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:  # noqa: ARG002 - the port's shape
        return self._listings[symbol].books[market]

    def missing_side(self, market: Market, symbol: str, at: datetime) -> Any:
        sides = _newest(self._listings[symbol].missing_sides, at)
        return None if sides is None else sides.get(market)

    def volume(self, symbol: str, at: datetime) -> Decimal:  # noqa: ARG002 - the port's shape
        return self._listings[symbol].volume

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        stamp = max(after, self._start - HISTORY)
        found: list[FundingRate] = []
        while (stamp := next_settlement(stamp, self._interval(symbol, stamp))) <= until:
            found.append(self._rate(symbol, stamp, settled=True))
        return tuple(found)

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        window = timedelta(hours=8 * (count + 1))
        return self.settled(symbol, at - window, at)[-count:]

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        listing = self._listings[symbol]
        stamp = next_settlement(at, self._interval(symbol, at))
        foretold = _newest(listing.predictions, at) if listing.predictions else _newest(listing.rates, stamp)
        if foretold is None:
            return None
        return FundingRate(
            symbol=symbol, rate=foretold, interval_hours=self._interval(symbol, at), at=stamp, settled=False
        )

    def _interval(self, symbol: str, at: datetime) -> int:
        hours: int = _newest(self._listings[symbol].intervals, at)
        return hours

    def _rate(self, symbol: str, stamp: datetime, *, settled: bool) -> FundingRate:
        hours = self._interval(symbol, stamp - timedelta(microseconds=1))
        rate = _newest(self._listings[symbol].rates, stamp)
        assert last_settlement(stamp, hours) == stamp
        return FundingRate(symbol=symbol, rate=rate, interval_hours=hours, at=stamp, settled=settled)


def make_world(
    market_data: MarketData | None = None,
    *,
    usdt: Money = 10_000,
    perp: Money = 10_000,
    coins: Mapping[str, Decimal] | None = None,
    start: datetime | None = None,
    **options: Any,
) -> World:
    """Return a world of one account; ``options`` are those of ``WorldOptions``."""
    chosen = market_data if market_data is not None else ScriptedMarketData()
    spot = {"USDT": Decimal(usdt), **(coins or {})}
    return World(
        chosen,
        start=chosen.start if start is None else start,
        spot=spot,
        perp=Decimal(perp),
        options=WorldOptions(**options),
    )


def make_venue(world: World | None = None, clock: VirtualClock | None = None, **arguments: Any) -> EmulatedVenue:
    """Return a venue without latency; ``arguments`` are those of ``EmulatedVenue``.

    Without ``clock`` it gets a virtual one at the world's time (``venue.clock``), to be run with ``run_virtual`` or
    moved by ``venue.clock.advance_time``.
    """
    held = world if world is not None else make_world()
    return EmulatedVenue(held, clock if clock is not None else VirtualClock(held.now), **arguments)
