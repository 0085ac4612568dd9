"""The market of a simulated run: few pairs, hourly prices, funding that is high, calm or negative.

Grids, fees and books are those of the emulator's catalogue; the paths are rougher than real ones, so that two weeks
hold what otherwise takes months: rotations, negative settlements, interval changes, books that lose a side.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import exp
from random import Random
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.funding import FundingRate, last_settlement, next_settlement
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.emulator.markets.instruments import Character, books_of, catalogue, pair_of
from hedgerow.ports import Liquidity, MarketPrices

__all__ = ["DrawnMarket", "IntervalChange", "MarketFault", "OneSidedBook", "Storm"]

HOUR = timedelta(hours=1)
HISTORY = timedelta(days=5)
"""How long before the start rates have settled."""
LEVELS = (
    # rate of 8 hours in basis points, and its weight: hot, warm, the base rate, negative
    ((4.0, 15.0), 5),
    ((1.5, 4.0), 3),
    ((1.0, 1.0), 1),
    ((-6.0, 0.0), 1),
)


THIN_SHARE = 1 / 4
"""Of the pairs: so many have a perpetual that is harder to trade than its spot, so that it leads openings."""
THIN_DEPTH = Decimal("0.25")
"""What such a perpetual's book shows of what the catalogue says; spot shows half of that."""


class IntervalChange(Struct, frozen=True, kw_only=True, tag="interval_change"):
    """From ``at`` on, a multiple of eight hours, a pair settles in another rhythm."""

    at: datetime
    pair: int
    """Number of the pair in the market's order."""
    hours: int


class OneSidedBook(Struct, frozen=True, kw_only=True, tag="one_sided_book"):
    """One side of one book is empty for a while."""

    at: datetime
    until: datetime
    pair: int
    market: Market
    side: Side
    """The side that an order could not take."""


class Storm(Struct, frozen=True, kw_only=True, tag="storm"):
    """All prices fall at once, perpetuals further than spot, books thin out, longs are paid; over ``hours`` it abates.

    10 October 2025, hour by hour: majors -15 %, thin coins -40 to -80 %, the perpetual of SOL 140 bp below its spot,
    its funding at -29, -12, -10 and -11 bp.
    """

    at: datetime
    hours: int
    drop: float
    """Part of the price that is lost at worst."""
    basis_bps: float
    """The perpetual's price less spot at worst: negative in a crash, positive in a squeeze of shorts."""
    rate_bps: float
    """What funding of eight hours changes by at worst, of the same sign."""
    depth: Decimal
    """Part of the books that is left, all the time; spreads widen as much."""

    def strength(self, hour: int) -> float:
        """Return how much of it is left so many hours after its beginning: 1 at first, 0 outside of it."""
        return 1.0 - hour / self.hours if 0 <= hour < self.hours else 0.0


MarketFault: TypeAlias = IntervalChange | OneSidedBook | Storm
"""What is wrong with the market itself."""


class _Path(Struct, frozen=True, kw_only=True):
    """One pair over all hours."""

    character: Character
    spot: list[float]
    basis_bps: list[float]
    rate_bps: list[float]
    """Of eight hours."""
    intervals: list[tuple[datetime, int]]
    stamps: list[datetime]
    """When it settles, from the first time after the origin to the first after the end."""
    volume: Decimal
    books: Mapping[Market, Liquidity]
    decimals: int

    def price(self, spot: float, bps: float) -> Decimal:
        """Return the price so many basis points above ``spot``."""
        return Decimal(f"{spot * (1 + bps / 10_000):.{self.decimals}f}")


class DrawnMarket:
    """A ``MarketData`` of ``pairs`` pairs drawn from a source of randomness, from ``start`` on for ``days``."""

    def __init__(
        self,
        random: Random,
        *,
        start: datetime,
        days: float,
        pairs: int,
        changes: Sequence[MarketFault] = (),
    ) -> None:
        self._start = last_settlement(start, 24)
        self._origin = self._start - HISTORY
        self._end = self._start + timedelta(days=days + 2)
        hours = (self._end - self._origin) // HOUR + 1
        chosen = sorted(random.sample(catalogue(max(20, pairs)), pairs), key=lambda c: -c.volume)
        self._listed = tuple(pair_of(character) for character in chosen)
        self._gaps = [change for change in changes if isinstance(change, OneSidedBook)]
        self._storms = [change for change in changes if isinstance(change, Storm)]
        self._paths: dict[str, _Path] = {}
        for number, character in enumerate(chosen):
            rhythm = [c for c in changes if isinstance(c, IntervalChange) and c.pair == number]
            path = _path(random, character, hours, self._rhythm(character, rhythm), self._end)
            for storm in self._storms:
                _weather(path, storm, (storm.at - self._origin) // HOUR)
            self._paths[character.symbol] = path
        for symbol in [symbol for symbol in self._paths if random.random() < THIN_SHARE]:
            self._paths[symbol] = _with_thin_perpetual(self._paths[symbol])
        self._known: dict[tuple[str, int], MarketPrices] = {}
        self._asked, self._hour = self._origin, 0
        """The time asked for last, and its hour: most ask for the same time again."""
        self._rates: dict[tuple[str, datetime, bool], FundingRate] = {}

    def _rhythm(self, character: Character, changes: Sequence[IntervalChange]) -> list[tuple[datetime, int]]:
        first = (self._origin, character.intervals[0][1])
        return [first, *sorted((change.at, change.hours) for change in changes)]

    @property
    def start(self) -> datetime:
        """The midnight before the start given."""
        return self._start

    @property
    def end(self) -> datetime:
        """Two days after the last one asked for."""
        return self._end

    @property
    def step(self) -> timedelta:
        """One hour."""
        return HOUR

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair, the most traded one first."""
        return self._listed

    @property
    def sources(self) -> Mapping[str, str]:
        """Say of each symbol that it is drawn."""
        return dict.fromkeys(self._paths, "drawn for a simulation")

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the prices of the hour of ``at``; None outside of its history."""
        if at != self._asked:
            self._asked, self._hour = at, (at - self._origin) // HOUR
        hour = self._hour
        if hour < 0 or at > self._end:
            return None
        known = self._known.get((symbol, hour))
        if known is None:
            path = self._paths[symbol]
            spot, basis = path.spot[hour], path.basis_bps[hour]
            known = self._known[symbol, hour] = MarketPrices(
                spot=path.price(spot, 0.0), perp=path.price(spot, basis), mark=path.price(spot, basis * 0.8)
            )
        return known

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:
        """Return the shape of the book: the same at all times but in a storm."""
        book = self._paths[symbol].books[market]
        for storm in self._storms:
            if storm.at <= at < storm.at + storm.hours * HOUR:
                book = _thinned(book, storm.depth)
        return book

    def missing_side(self, market: Market, symbol: str, at: datetime) -> Side | None:
        """Return the side that a fault has emptied now."""
        for gap in self._gaps:
            if gap.at <= at < gap.until and gap.market is market and self._listed[gap.pair].symbol == symbol:
                return gap.side
        return None

    def volume(self, symbol: str, at: datetime) -> Decimal:  # noqa: ARG002 - the port's shape
        """Return the 24 h quote volume, the same at all times."""
        return self._paths[symbol].volume

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``, oldest first."""
        path = self._paths[symbol]
        first, end = bisect_right(path.stamps, after), bisect_right(path.stamps, min(until, self._end))
        return tuple(self._rate(path, stamp, settled=True) for stamp in path.stamps[first:end])

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        """Return at most ``count`` newest rates settled at or before ``at``, oldest first."""
        return self.settled(symbol, at - timedelta(hours=8 * (count + 1)), at)[-count:]

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the rate that settles next: no run here is about foresight."""
        path = self._paths[symbol]
        place = bisect_right(path.stamps, at)
        stamp = path.stamps[place] if place < len(path.stamps) else next_settlement(at, _interval(path, at))
        return self._rate(path, stamp, settled=False)

    def _rate(self, path: _Path, stamp: datetime, *, settled: bool) -> FundingRate:
        key = (path.character.symbol, stamp, settled)
        known = self._rates.get(key)
        if known is None:
            known = self._rates[key] = self._rate_of(path, stamp, settled=settled)
        return known

    def _rate_of(self, path: _Path, stamp: datetime, *, settled: bool) -> FundingRate:
        hours = _interval(path, stamp - timedelta(microseconds=1))
        bps = path.rate_bps[min((stamp - self._origin) // HOUR, len(path.rate_bps) - 1)]
        rate = Decimal(f"{bps * hours / 8 / 10_000:.8f}")
        return FundingRate(symbol=path.character.symbol, rate=rate, interval_hours=hours, at=stamp, settled=settled)


def _interval(path: _Path, at: datetime) -> int:
    """Return the funding interval that runs at ``at``."""
    return _running(path.intervals, at)


def _running(intervals: list[tuple[datetime, int]], at: datetime) -> int:
    return next((hours for since, hours in reversed(intervals) if since <= at), intervals[0][1])


def _stamps(intervals: list[tuple[datetime, int]], until: datetime) -> list[datetime]:
    """Return the settlement times after the origin, up to the first one after ``until``."""
    stamps = [intervals[0][0]]
    while stamps[-1] <= until:
        stamps.append(next_settlement(stamps[-1], _running(intervals, stamps[-1])))
    return stamps[1:]


def _path(
    random: Random, character: Character, hours: int, intervals: list[tuple[datetime, int]], end: datetime
) -> _Path:
    volatility = random.uniform(0.003, 0.012)
    level, log_price, rate, left = random.gauss(0.0, 0.3), 0.0, 0.0, 0
    spot, basis, rates = list[float](), list[float](), list[float]()
    for _ in range(hours):
        if left == 0:
            (low, high), left = random.choices(LEVELS, [weight for _, weight in LEVELS])[0][0], random.randint(8, 72)
            rate = random.uniform(low, high)
        left -= 1
        log_price += random.gauss(0.0, volatility) - 0.02 * log_price
        spot.append(character.price * exp(level + log_price))
        basis.append(random.gauss(0.5 * rate, 1.0 + character.basis_noise_bps / 2))
        rates.append(rate + random.gauss(0.0, 0.3) * (rate != 1.0))
    books = books_of(character)
    decimals = -int(pair_of(character).spot.tick.as_tuple().exponent) + 1
    return _Path(
        character=character,
        spot=spot,
        basis_bps=basis,
        rate_bps=rates,
        intervals=intervals,
        stamps=_stamps(intervals, end),
        volume=Decimal(int(character.volume)),
        books=books,
        decimals=decimals,
    )


def _weather(path: _Path, storm: Storm, begin: int) -> None:
    for hour in range(begin, min(begin + storm.hours, len(path.spot))):
        strength = storm.strength(hour - begin)
        path.spot[hour] *= 1.0 - storm.drop * strength
        path.basis_bps[hour] += storm.basis_bps * strength
        path.rate_bps[hour] += storm.rate_bps * strength


def _with_thin_perpetual(path: _Path) -> _Path:
    book = path.books[Market.PERP]
    thin = replace(book, depth_notional=book.depth_notional * THIN_DEPTH)
    return replace(path, books={**path.books, Market.PERP: thin})


def _thinned(book: Liquidity, share: Decimal) -> Liquidity:
    return Liquidity(half_spread_bps=book.half_spread_bps / share, depth_notional=book.depth_notional * share)
