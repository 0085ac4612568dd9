"""Series without look-ahead: prices from the end of their hour, funding from its settlement."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from hedgerow.domain.funding import EPOCH, FundingRate
from hedgerow.history.quality import HOUR_MS, HourlyClose, Print
from hedgerow.ports import MarketPrices

__all__ = [
    "DAMPER",
    "HOUR_MS",
    "INTEREST_PER_8H",
    "MAX_HELD_MS",
    "NO_INTEREST",
    "RATE_BOUND",
    "STALE_PRINTS",
    "FundingSeries",
    "PriceSeries",
    "at_ms",
    "funding_from_premium",
    "to_ms",
]

MAX_HELD_MS = 2 * HOUR_MS
"""A close this old is no price any more: one missing hour is bridged, a longer gap is unreadable."""
INTEREST_PER_8H = 0.0001
"""Interest part of the funding formula (docs/aster-api.md 11)."""
NO_INTEREST = frozenset({"BNBUSDT"})
"""Symbols whose interest part is zero (docs/aster-api.md 11)."""
DAMPER = 0.0005
"""Largest part of the premium that the interest rate absorbs, either side (docs/aster-api.md 11)."""
RATE_BOUND = 0.02
"""Widest cap and floor of one settlement; the archive does not carry a symbol's own."""

STALE_PRINTS = 3
"""After this many intervals without a print the next rate is unknown."""

_MILLISECOND = timedelta(milliseconds=1)


@lru_cache(maxsize=64)  # each check asks for the same few times again and again
def to_ms(at: datetime) -> int:
    """Return whole milliseconds since the epoch, rounded down, so that nothing becomes known early."""
    return (at - EPOCH) // _MILLISECOND


def at_ms(stamp: int) -> datetime:
    """Return the aware UTC time of milliseconds since the epoch."""
    return EPOCH + stamp * _MILLISECOND


def funding_from_premium(symbol: str, premium: float, interval_hours: int) -> float:
    """Return the rate of one interval, a fraction, from its mean premium.

    F = [P + clamp(I - P, -0.05 %, +0.05 %)] / (8 / N), then bounded (docs/aster-api.md 11).
    """
    interest = 0.0 if symbol in NO_INTEREST else INTEREST_PER_8H
    rate = (premium + min(max(interest - premium, -DAMPER), DAMPER)) * interval_hours / 8
    return min(max(rate, -RATE_BOUND), RATE_BOUND)


class PriceSeries:
    """Hourly closes of one pair, each known and held from the end of its hour."""

    def __init__(self, closes: Sequence[HourlyClose]) -> None:
        self.known = array("q", (close.open_ms + HOUR_MS for close in closes))
        """Milliseconds from which each close is known."""
        self.spot = array("d", (close.spot for close in closes))
        self.perp = array("d", (close.perp for close in closes))
        self.mark = array("d", (close.mark for close in closes))
        self.premium_before = array("d", [0.0])
        for close in closes:
            self.premium_before.append(self.premium_before[-1] + close.perp / close.spot - 1)
        self._last: tuple[int, MarketPrices] | None = None

    def at(self, now_ms: int) -> MarketPrices | None:
        """Return the newest closes known; None before the first and once they are too old to be held."""
        index = self.held(now_ms)
        if index is None:
            return None
        if self._last is None or self._last[0] != index:
            self._last = (index, self._prices(index))
        return self._last[1]

    def mean_premium(self, since_ms: int, now_ms: int) -> float | None:
        """Return the mean of perp / spot - 1 over the closes held since then; None when none is held now."""
        newest = self.held(now_ms)
        if newest is None:
            return None
        first = self.held(since_ms)
        if first is None:
            first = bisect_right(self.known, since_ms)
        total = self.premium_before[newest + 1] - self.premium_before[first]
        return total / (newest + 1 - first)

    def spot_near(self, now_ms: int) -> float:
        """Return the newest spot close known, or the first of the series where none is known yet."""
        return self.spot[max(0, bisect_right(self.known, now_ms) - 1)]

    def held(self, now_ms: int) -> int | None:
        """Return which close is held; None before the first and once it is too old."""
        index = bisect_right(self.known, now_ms) - 1
        return index if index >= 0 and now_ms - self.known[index] < MAX_HELD_MS else None

    def _prices(self, index: int) -> MarketPrices:
        return MarketPrices(
            spot=Decimal(repr(self.spot[index])),
            perp=Decimal(repr(self.perp[index])),
            mark=Decimal(repr(self.mark[index])),
        )


class FundingSeries:
    """Settled rates of one symbol, each known from its own time, the venue's jitter included."""

    def __init__(self, symbol: str, prints: Sequence[Print]) -> None:
        self.times = array("q", (each.at_ms for each in prints))
        self.rates = array("d", (each.rate for each in prints))
        self.hours = array("q", (each.interval_hours for each in prints))
        self._rates = tuple(_funding_rate(symbol, each) for each in prints)

    def between(self, after_ms: int, until_ms: int) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after_ms, until_ms]``, oldest first."""
        return self._rates[bisect_right(self.times, after_ms) : bisect_right(self.times, until_ms)]

    def known(self, now_ms: int) -> int:
        """Return how many rates are known."""
        return bisect_right(self.times, now_ms)

    def is_stale(self, index: int, now_ms: int) -> bool:
        """Return whether ``STALE_PRINTS`` settlements should have followed a rate."""
        return now_ms - self.times[index] >= STALE_PRINTS * self.hours[index] * HOUR_MS

    def rate(self, index: int) -> FundingRate:
        """Return one rate, the oldest is 0."""
        return self._rates[index]

    def newest(self, now_ms: int, count: int) -> tuple[FundingRate, ...]:
        """Return at most ``count`` newest rates known, oldest first."""
        known = self.known(now_ms)
        return self._rates[max(0, known - count) : known]


def _funding_rate(symbol: str, each: Print) -> FundingRate:
    rate = Decimal(repr(each.rate))
    return FundingRate(symbol=symbol, rate=rate, interval_hours=each.interval_hours, at=at_ms(each.at_ms))
