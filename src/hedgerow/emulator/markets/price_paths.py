"""Hourly price paths of the generated market: one common factor, and a return and a premium per pair.

Each path is drawn day by day, in order, from a source seeded by (seed, name, day): the same whatever is asked first,
and without an end. Calibration (STATS 1, 4 and 7; "bp" of spot, rates per 8 hours):

- premium: AR(1) of 0.85 an hour around a level, deviation 3 bp; calm levels N(-0.5, 3) last one to five days: about
  half of the prints are exactly the base rate and one in eight is negative;
- hot episodes: a level paying 30 to 150 % a year (mostly the lower end) for one and a half to six days; negative
  patches of half a day to three days;
- squeezes of 30 to 100 bp that lose 40 % an hour, one in forty days on a thin pair, smaller on a liquid one;
- one crash in thirty days, like that of 10 October 2025: the market loses about 15 % in two hours and a third of it
  comes back; perpetuals drop up to 160 bp below spot for hours, and some negative settlements follow.
"""

from math import sqrt
from random import Random

from hedgerow.emulator.markets.instruments import Character

__all__ = ["HOURS_PER_DAY", "MarketPath", "PairPath"]

HOURS_PER_DAY = 24
CRASH_EVERY_HOURS = 30 * HOURS_PER_DAY
_HOURLY = 1 / sqrt(365 * HOURS_PER_DAY)
_MARKET_VOLATILITY = 0.50
_PULL_HOME = 0.0004
"""Part of a log price that is given back each hour, so that a long run stays in sight of its start."""
_CRASH_RETURNS = (-0.06, -0.10, 0.02, 0.01, 0.015, 0.005)
"""Market returns of the hours of a crash."""
_HOT, _NEGATIVE = 0.20, 0.10
"""Probabilities that the next level of a premium is a hot episode, or a negative patch."""
_WIDE, _WIDTH, _NARROW = 0.02, 3.0, 0.93
"""Fat tails: this part of all draws is three times as wide; the factor brings the whole back to a deviation of 1."""
_THIN_NOISE_BPS = 4.0
"""Basis noise of a pair that feels squeezes and crashes in full."""
_DEAD_ZONE_BPS = 5.0
"""Premium in excess of the rate: the formula takes off as much (``markets.rate_of``)."""
_APR_PER_BP = 10.95
"""Percent a year that 1 bp in 8 hours pays."""


class MarketPath:
    """Log return of the whole market since the first hour, and when it crashes."""

    def __init__(self, seed: int, *, lead_hours: int) -> None:
        self._seed = seed
        self._lead = lead_hours
        self._levels = [0.0]

    def level(self, hour: int) -> float:
        """Return the log level at the beginning of an hour (counted from the first)."""
        while len(self._levels) <= hour:
            self._draw_day(len(self._levels) // HOURS_PER_DAY)
        return self._levels[hour]

    def hours_since_crash(self, hour: int) -> int:
        """Return the hours since the crash of the current thirty days began; negative before it."""
        block, within = divmod(hour - self._lead, CRASH_EVERY_HOURS)
        crash = _source(self._seed, "crash", block).randint(10 * HOURS_PER_DAY, 25 * HOURS_PER_DAY)
        return within - crash

    def _draw_day(self, day: int) -> None:
        random = _source(self._seed, "market", day)
        first = day * HOURS_PER_DAY
        since_crash = self.hours_since_crash(first)
        for hour in range(HOURS_PER_DAY):
            level = self._levels[-1]
            change = _fat(random) * _MARKET_VOLATILITY * _HOURLY - level * _PULL_HOME
            step = since_crash + hour
            crash = _CRASH_RETURNS[step] if 0 <= step < len(_CRASH_RETURNS) else 0.0
            self._levels.append(level + change + crash)


class PairPath:
    """One pair's own log return and its premium in basis points, hour by hour."""

    def __init__(self, seed: int, character: Character, market: MarketPath) -> None:
        self._seed = seed
        self._character = character
        self._market = market
        self._thinness = min(1.0, max(0.3, character.basis_noise_bps / _THIN_NOISE_BPS))
        self._own = [0.0]
        self._premium = [0.0]
        self._level = 0.0
        self._level_hours = 0
        self._slow = 0.0
        self._jump = 0.0
        self._aftermath = 0.0

    def log_price(self, hour: int) -> float:
        """Return the log of price / first price at the beginning of an hour."""
        self._reach(hour)
        return self._character.beta * self._market.level(hour) + self._own[hour]

    def premium(self, hour: int) -> float:
        """Return the premium of the perpetual over spot, in basis points, at the beginning of an hour."""
        self._reach(hour)
        return self._premium[hour]

    def _reach(self, hour: int) -> None:
        while len(self._premium) <= hour:
            self._draw_day(len(self._premium) // HOURS_PER_DAY)

    def _draw_day(self, day: int) -> None:
        random = _source(self._seed, self._character.base, day)
        since_crash = self._market.hours_since_crash(day * HOURS_PER_DAY)
        for hour in range(HOURS_PER_DAY):
            own = self._own[-1]
            drawn = _fat(random) * self._character.volatility * _HOURLY
            self._own.append(own * (1 - _PULL_HOME) + drawn)
            self._premium.append(self._next_premium(random, crashed=since_crash + hour == 0))

    def _next_premium(self, random: Random, *, crashed: bool) -> float:
        if self._level_hours <= 0:
            self._level, self._level_hours = _next_level(random)
        self._level_hours -= 1
        self._slow += 0.15 * (self._level - self._slow) + random.gauss(0.0, 1.5)
        self._jump *= 0.6
        self._aftermath *= 0.92
        if random.random() < 1 / (40 * HOURS_PER_DAY):
            self._jump += self._thinness * random.uniform(30.0, 100.0)
        if crashed:
            self._jump -= self._thinness * random.uniform(40.0, 160.0)
            self._aftermath -= self._thinness * random.uniform(5.0, 20.0)
        return self._slow + self._jump + self._aftermath


def _next_level(random: Random) -> tuple[float, int]:
    """Return the next level of the premium in basis points, and for how many hours it stays."""
    kind = random.random()
    if kind < _HOT:
        apr = 30.0 + 120.0 * random.random() ** 2
        return apr / _APR_PER_BP + _DEAD_ZONE_BPS, random.randint(36, 144)
    if kind < _HOT + _NEGATIVE:
        return -_DEAD_ZONE_BPS - 2.0 - 12.0 * random.random() ** 2, random.randint(12, 72)
    return random.gauss(-0.5, 3.0), random.randint(24, 120)


def _source(seed: int, name: str, number: int) -> Random:
    return Random(f"{seed}/{name}/{number}")  # noqa: S311 - not for secrets


def _fat(random: Random) -> float:
    """Return a standard draw with fat tails."""
    width = _WIDTH if random.random() < _WIDE else 1.0
    return random.gauss(0.0, _NARROW) * width
