"""Carry: hold the pair whose funding is expected to pay more than cash and the costs of changing; else hold nothing.

Fees that were paid decide nothing, nor does age: only what is expected over the horizon counts. A position is left when
that falls below what cash earns by more than the band, and changed when another pair is expected to pay its costs.
"""

from datetime import timedelta
from decimal import Decimal
from math import sqrt
from typing import Annotated, Final

from msgspec import Meta, Struct
from msgspec.structs import replace

from hedgerow.domain.funding import FundingRate, FundingSignal, RateBoard
from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.ledger.state import Target
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import Reason
from hedgerow.strategy import rules
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.evaluation.screening import refusals
from hedgerow.strategy.evaluation.sizing import leg_capital
from hedgerow.strategy.observation import Evaluation, Refusal
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies.volume_farming import TARGET_INTERVALS
from hedgerow.strategy.policy import SLOWEST_INTERVAL_HOURS

__all__ = ["Carry"]

HOURS_A_DAY: Final = 24.0
HOURS_A_YEAR: Final = 8760.0
HALF_LIVES: Final = 3
"""Settled rates are read for so many half-lives: an eighth of the weight is older."""
LEGS: Final = 2
"""Both legs are paid for at an opening, and again at a closing."""


class Carry:
    """Funding over a long horizon, against cash and costs."""

    class Settings(Struct, frozen=True, kw_only=True):
        """What is expected, and what it must pay for."""

        half_life_days: Annotated[
            float, Meta(ge=1, le=90, description="after which a settled rate weighs half in the expected one")
        ] = 21.0
        horizon_days: Annotated[
            float, Meta(ge=1, le=365, description="over which expected funding must pay for the costs")
        ] = 21.0
        hurdle_apr: Annotated[
            float, Meta(ge=0, le=1, description="of a leg's notional a year, what cash earns for both: 0.08 at 4 %")
        ] = 0.08
        margin: Annotated[
            float, Meta(ge=0, le=10, description="part of the costs that must be earned on top of them")
        ] = 0.5
        band: Annotated[
            float, Meta(ge=0, le=10, description="part of the costs by which funding may stay below the hurdle")
        ] = 0.5
        least_periods: Annotated[int, Meta(ge=1, le=300, description="settled rates that a pair must have")] = 30

    def __init__(self, parameters: StrategyParameters, settings: Settings | None = None) -> None:
        self._parameters = parameters
        self._settings = settings or self.Settings()
        self._board: RateBoard | None = None
        self._pairs = -1
        self._ranking = Ranking()

    @property
    def parameters(self) -> StrategyParameters:
        """The thresholds in use."""
        return self._parameters

    @property
    def history_hours(self) -> int:
        """The settled rates of some half-lives."""
        wanted = HALF_LIVES * self._settings.half_life_days * HOURS_A_DAY
        return max(int(wanted), self._settings.least_periods * SLOWEST_INTERVAL_HOURS)

    def rank(self, market: MarketView) -> Ranking:
        """Order all pairs by the expected APR; kept until a new rate settles."""
        if market.rates is not self._board or len(market.pairs) != self._pairs:
            self._board, self._pairs = market.rates, len(market.pairs)
            self._ranking = self._ranked(market)
        return self._ranking

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        """Return the entry filters that a pair does not pass: the guide's, with what its own costs ask for."""
        needed = self._settings.hurdle_apr + self._a_year((1.0 + self._settings.margin) * _round_trip(pair))
        limits = replace(self._parameters.funding_rate_strategy, min_funding_apr=needed)
        missing = ranking.missing.get(pair.symbol, "no signal")
        return refusals(pair, ranking.signal(pair.symbol), market, limits, missing=missing)

    def capital(self, spot: Decimal, perp: Decimal) -> Decimal:
        """Return the smaller wallet x ``capital_fraction``, within the capital range."""
        return leg_capital(spot, perp, self._parameters.capital_management)

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:
        """Leave for cash or for another pair, when that is expected to pay for itself."""
        held, pair = evaluation.signal, market.pair(evaluation.symbol)
        if held is None or pair is None:
            return None
        for signal in ranking.ordered:
            other = market.pair(signal.symbol)
            if signal.symbol == held.symbol or other is None:
                continue
            changing = (_round_trip(pair) + _round_trip(other)) / 2
            gain = self._a_year((1.0 + self._settings.margin) * changing)
            if signal.apr - held.apr > gain and not self.refusals(other, ranking, market):
                detail = f"expected APR {held.apr:.2%}, another {signal.apr:.2%}, {gain:.2%} more pays for the change"
                expires = evaluation.at + timedelta(hours=TARGET_INTERVALS * signal.interval_hours)
                target = Target(symbol=signal.symbol, expires_at=expires)
                return Exit(reason=Reason.BETTER_PAIR, detail=detail, target=target)
        lowest = self._settings.hurdle_apr - self._a_year(self._settings.band * _round_trip(pair))
        if held.apr >= lowest:
            return None
        return Exit(reason=Reason.NEGATIVE_FUNDING, detail=f"expected APR {held.apr:.2%} below {lowest:.2%}")

    def _a_year(self, cost: float) -> float:
        """Return the APR that earns a cost, a fraction of notional, over the horizon."""
        return cost * HOURS_A_YEAR / (self._settings.horizon_days * HOURS_A_DAY)

    def _ranked(self, market: MarketView) -> Ranking:
        count = -(-self.history_hours // SLOWEST_INTERVAL_HOURS)
        full: list[FundingSignal] = []
        short: dict[str, FundingSignal] = {}
        missing: dict[str, str] = {}
        for pair in market.pairs:
            rates = market.rates.newest(pair.symbol, count)
            if not rates:
                missing[pair.symbol] = "no settled rate"
                continue
            signal = self._expected(rates)
            if len(rates) < self._settings.least_periods:
                short[pair.symbol] = signal
                missing[pair.symbol] = f"{len(rates)} of {self._settings.least_periods} settled rates"
            elif pair.symbol in market.rates.overdue:
                short[pair.symbol] = signal
                at = market.rates.overdue[pair.symbol]
                missing[pair.symbol] = f"the rate settled at {at:%Y-%m-%d %H:%M} UTC is not listed yet"
            else:
                full.append(signal)
        ordered = tuple(sorted(full, key=lambda signal: signal.apr, reverse=True))
        return Ranking(ordered=ordered, short=short, missing=missing, by_symbol={each.symbol: each for each in full})

    def _expected(self, rates: tuple[FundingRate, ...]) -> FundingSignal:
        """Return the mean of settled rates, each weighted by its hours and halved after the half-life."""
        newest, half_life = rates[-1], self._settings.half_life_days * HOURS_A_DAY
        weighted = hours = squares = 0.0
        for settled in rates:
            age = (newest.at - settled.at).total_seconds() / 3600.0
            weight = 0.5 ** (age / half_life)
            hourly = float(settled.rate) / settled.interval_hours
            weighted += weight * float(settled.rate)
            hours += weight * settled.interval_hours
            squares += weight * settled.interval_hours * hourly * hourly
        mean = weighted / hours
        return FundingSignal(
            symbol=newest.symbol,
            mean=mean * newest.interval_hours,
            stdev=sqrt(max(0.0, squares / hours - mean * mean)) * newest.interval_hours,
            apr=rules.funding_apr(weighted, hours),
            periods=len(rates),
            interval_hours=newest.interval_hours,
        )


def _round_trip(pair: BasisPair) -> float:
    """Return the taker fees of an opening and a closing, a fraction of a leg's notional."""
    return LEGS * float(pair.spot.fees.taker + pair.perp.fees.taker)
