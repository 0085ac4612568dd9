"""A generated market: ``MarketData`` drawn from a seed, with realistic grids, funding, basis and books.

Spot prices are a market factor plus each pair's own return; a perpetual stands at spot plus its premium. Funding
follows the venue's documented formula on the interval's mean premium (docs/aster-api.md 11). Nothing is computed
before it is asked for, and the same question has the same answer in any order. See ``paths`` for the calibration.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import exp, sin, tau
from random import Random

from hedgerow.domain.funding import FundingRate, last_settlement, next_settlement
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.emulator.markets.instruments import Character, books_of, catalogue, pair_of
from hedgerow.emulator.markets.price_paths import HOURS_PER_DAY, MarketPath, PairPath
from hedgerow.ports import Liquidity, MarketPrices

__all__ = ["GeneratedMarketData", "rate_of"]

STEP = timedelta(minutes=5)
STEPS_PER_HOUR = 12
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HISTORY = timedelta(days=45)
"""How long before the start funding is known: 135 prints of 8 hours."""
KEPT_HOURS = 30
"""Hours of drawn steps kept per pair: a day's statistics ask for the present and for the day before in turn."""
ENDLESS = 36_500
BASE_RATE_BPS = 1.0
CLAMP_BPS = 5.0
CAP = Decimal("0.02")
"""Cap and floor of a rate; Aster's were between 2 and 3 % (STATS 7)."""


def rate_of(premium_bps: float, interval_hours: int) -> Decimal:
    """Return the funding rate of an interval from its mean premium, with eight decimals.

    F8 = P + clamp(I - P, -5 bp, +5 bp) with I = 1 bp; F = F8 / (8 / N), then cap and floor (docs/aster-api.md 11).
    """
    eight_hours = premium_bps + min(max(BASE_RATE_BPS - premium_bps, -CLAMP_BPS), CLAMP_BPS)
    rate = Decimal(f"{eight_hours * interval_hours / 8 / 10_000:.8f}")
    return min(max(rate, -CAP), CAP)


class _Pair:
    """One pair of the tape: its path, and what was computed of it."""

    def __init__(self, character: Character, path: PairPath) -> None:
        self.character = character
        self.path = path
        self.delisted_at: datetime | None = None
        self.listed = pair_of(character)
        self.decimals = -int(self.listed.spot.tick.as_tuple().exponent) + 1
        self.hours: dict[int, tuple[MarketPrices, ...]] = {}
        self.rates: dict[datetime, FundingRate] = {}
        self.volumes: dict[int, float] = {}
        self.books = books_of(character)

    def is_delisted(self, at: datetime) -> bool:
        """Return whether nothing happens to it any more."""
        return self.delisted_at is not None and at > self.delisted_at


class GeneratedMarketData:
    """A ``MarketData`` of ``pairs`` pairs in 5-minute steps; ``days`` bounds it, and without it the market goes on.

    ``characters`` are other pairs than the first ones of the catalogue, e.g. those of ``universe``.
    """

    def __init__(
        self,
        seed: int,
        start: datetime,
        pairs: int = 20,
        days: int = ENDLESS,
        *,
        characters: Sequence[Character] | None = None,
    ) -> None:
        self._seed = seed
        self._start = last_settlement(start, HOURS_PER_DAY)
        self._end = self._start + timedelta(days=days)
        self._origin = self._start - HISTORY
        market = MarketPath(seed, lead_hours=HISTORY // HOUR)
        made = [_Pair(character, PairPath(seed, character, market)) for character in characters or catalogue(pairs)]
        for pair in made:
            if pair.character.delisted_since_day is not None:
                pair.delisted_at = self._start + pair.character.delisted_since_day * DAY
        self._pairs = {pair.listed.symbol: pair for pair in made}
        self._listed = tuple(pair.listed for pair in made)

    @property
    def start(self) -> datetime:
        """First time that can be asked for: the midnight before the start given."""
        return self._start

    @property
    def end(self) -> datetime:
        """Last time that can be asked for."""
        return self._end

    @property
    def step(self) -> timedelta:
        """Five minutes."""
        return STEP

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """Every pair, the largest first."""
        return self._listed

    @property
    def sources(self) -> Mapping[str, str]:
        """Say of each symbol that it is generated, and from which seed."""
        return dict.fromkeys(self._pairs, f"generated, seed {self._seed}")

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the prices of the step that ``at`` lies in; None outside the tape."""
        pair = self._pairs[symbol]
        if not self._origin <= at <= self._end or pair.is_delisted(at):
            return None
        number, step = divmod((at - self._origin) // STEP, STEPS_PER_HOUR)
        known = pair.hours.get(number)
        if known is None:
            known = pair.hours[number] = tuple(self._steps(pair, number))
            if len(pair.hours) > KEPT_HOURS:
                del pair.hours[next(iter(pair.hours))]
        return known[step]

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:  # noqa: ARG002 - the port's shape
        """Return the shape of the book, the same at all times."""
        return self._pairs[symbol].books[market]

    def missing_side(self, market: Market, symbol: str, at: datetime) -> Side | None:
        """Return the side nobody offers on: the one-sided pair has no spot offers for an hour a day."""
        if market is Market.PERP or not self._pairs[symbol].character.one_sided:
            return None
        day, within = divmod(at - self._origin, DAY)
        return Side.BUY if within // HOUR == Random(f"{self._seed}/offers/{day}").randrange(24) else None  # noqa: S311 - not for secrets

    def volume(self, symbol: str, at: datetime) -> Decimal:
        """Return the 24 h quote volume: about the typical one, moving from day to day; zero once it is delisted."""
        pair = self._pairs[symbol]
        if pair.is_delisted(at):
            return ZERO
        day, within = divmod(at - self._origin, DAY)
        share = within / DAY
        drawn = (1 - share) * self._day_volume(pair, day) + share * self._day_volume(pair, day + 1)
        return Decimal(int(pair.character.volume * drawn))

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``, oldest first."""
        if (after - self._origin) // HOUR == (until - self._origin) // HOUR:
            return ()
        pair = self._pairs[symbol]
        found: list[FundingRate] = []
        stamp = max(after, self._origin)
        last = min(until, self._end) if pair.delisted_at is None else min(until, self._end, pair.delisted_at)
        while (stamp := next_settlement(stamp, self._interval(pair, stamp))) <= last:
            found.append(self._settled(pair, stamp))
        return tuple(found)

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        """Return at most ``count`` newest rates settled at or before ``at``, oldest first."""
        pair = self._pairs[symbol]
        longest = max(hours for _, hours in pair.character.intervals)
        until = at if pair.delisted_at is None else min(at, pair.delisted_at)
        return self.settled(symbol, until - timedelta(hours=longest * count), until)[-count:]

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the formula's value on the premium of the running interval so far."""
        pair = self._pairs[symbol]
        if not self._origin <= at <= self._end or pair.is_delisted(at):
            return None
        hours = self._interval(pair, at)
        began = last_settlement(at, hours)
        first, elapsed = (began - self._origin) // HOUR, (at - began) / HOUR
        whole = int(elapsed)
        premiums = [pair.path.premium(first + hour) for hour in range(whole + 1)]
        mean = sum(premiums) / len(premiums)
        return FundingRate(
            symbol=symbol, rate=rate_of(mean, hours), interval_hours=hours, at=began + hours * HOUR, settled=False
        )

    def _settled(self, pair: _Pair, stamp: datetime) -> FundingRate:
        known = pair.rates.get(stamp)
        if known is None:
            hours = self._interval(pair, stamp - STEP)
            last = (stamp - self._origin) // HOUR
            mean = sum(pair.path.premium(hour) for hour in range(last - hours, last)) / hours
            known = FundingRate(
                symbol=pair.listed.symbol, rate=rate_of(mean, hours), interval_hours=hours, at=stamp, settled=True
            )
            pair.rates[stamp] = known
        return known

    def _interval(self, pair: _Pair, at: datetime) -> int:
        """Return the funding interval that runs at ``at``."""
        day = (at - self._start) // DAY
        return next(hours for since, hours in reversed(pair.character.intervals) if since <= day)

    def _steps(self, pair: _Pair, number: int) -> list[MarketPrices]:
        """Draw the steps of one hour: a bridge between its two ends, and noise on the basis."""
        random = Random(f"{self._seed}/{pair.character.base}/steps/{number}")  # noqa: S311 - not for secrets
        first, last = pair.path.log_price(number), pair.path.log_price(number + 1)
        premium, next_premium = pair.path.premium(number), pair.path.premium(number + 1)
        walk = [0.0]
        for _ in range(STEPS_PER_HOUR):
            walk.append(walk[-1] + random.gauss(0.0, 0.0018))
        found: list[MarketPrices] = []
        for step in range(STEPS_PER_HOUR):
            share = step / STEPS_PER_HOUR
            bridge = walk[step] - share * walk[-1]
            spot = pair.character.price * exp(first + share * (last - first) + bridge)
            basis = premium + share * (next_premium - premium)
            noisy = basis + random.gauss(0.0, pair.character.basis_noise_bps)
            found.append(_prices(pair, spot, mark_bps=basis, perp_bps=noisy))
        return found

    def _day_volume(self, pair: _Pair, day: int) -> float:
        known = pair.volumes.get(day)
        if known is None:
            random = Random(f"{self._seed}/{pair.character.base}/volume/{day}")  # noqa: S311 - not for secrets
            weekend = 1.0 + 0.15 * sin(tau * day / 7)
            known = weekend * random.lognormvariate(0.0, 0.12)
            pair.volumes[day] = known
        return known


def _prices(pair: _Pair, spot: float, *, mark_bps: float, perp_bps: float) -> MarketPrices:
    def text(value: float) -> Decimal:
        return Decimal(f"{value:.{pair.decimals}f}")

    return MarketPrices(
        spot=text(spot), perp=text(spot * (1 + perp_bps / 10_000)), mark=text(spot * (1 + mark_bps / 10_000))
    )
