"""The guide to the letter: moving average of funding, fee coverage, 24 h, a better pair by 10 points."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import overload

from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.ledger.state import Target
from hedgerow.domain.market import MarketView
from hedgerow.strategy import rules
from hedgerow.strategy.evaluation.exits import PROFIT_ORDER, REASONS, Exit, ExitCode, flags
from hedgerow.strategy.evaluation.ranking import Ranker, Ranking
from hedgerow.strategy.evaluation.screening import refusals
from hedgerow.strategy.evaluation.sizing import leg_capital
from hedgerow.strategy.observation import Evaluation, Refusal
from hedgerow.strategy.parameters import SamePair, StrategyParameters
from hedgerow.strategy.policy import SLOWEST_INTERVAL_HOURS

__all__ = ["TARGET_INTERVALS", "VolumeFarming"]

TARGET_INTERVALS = 2
"""Funding intervals for which a pair decided for stays decided."""


class VolumeFarming:
    """The strategy guide as a policy."""

    parameters: StrategyParameters
    """The thresholds in use."""

    def __init__(self, parameters: StrategyParameters) -> None:
        self.parameters = parameters
        self._ranker = Ranker(parameters.funding_rate_strategy)

    @property
    def history_hours(self) -> int:
        """The settled rates of the moving average."""
        return self.parameters.funding_rate_strategy.funding_ma_periods * SLOWEST_INTERVAL_HOURS

    def rank(self, market: MarketView) -> Ranking:
        """Order all pairs by funding APR; kept until a new rate settles."""
        return self._ranker.rank(market)

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        """Return the guide's entry filters that ``pair`` does not pass."""
        missing = ranking.missing.get(pair.symbol, "no signal")
        signal = ranking.signal(pair.symbol)
        return refusals(pair, signal, market, self.parameters.funding_rate_strategy, missing=missing)

    def capital(self, spot: Decimal, perp: Decimal) -> Decimal:
        """Return the smaller wallet x ``capital_fraction``, within the capital range."""
        return leg_capital(spot, perp, self.parameters.capital_management)

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:
        """Apply fee coverage, age, better pair and negative funding, in this order."""
        parameters = self.parameters
        target = self._better(evaluation, ranking, market)
        best_apr = None if target is None else target[1]
        exit_apr = parameters.funding_rate_strategy.exit_funding_apr
        holds = flags(evaluation, parameters.position_management, best_apr=best_apr, exit_apr=exit_apr)
        first = rules.first_exit(PROFIT_ORDER, holds)
        if first == ExitCode.HOLD:
            return None
        code = ExitCode(first)
        still_best = code is ExitCode.FEES_COVERED and self._still_best(evaluation.symbol, ranking, market)
        return Exit(
            reason=REASONS[code],
            detail=self._detail(code, evaluation, best_apr),
            target=target[0] if target and code is ExitCode.BETTER_PAIR else None,
            roll=still_best and parameters.position_management.same_pair is SamePair.ROLL,
            still_best=still_best,
        )

    def _better(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> tuple[Target, float] | None:
        """Return the best other pair that pays enough more and passes every filter; looks no further than it."""
        held, management = evaluation.signal, self.parameters.position_management
        if held is None:
            return None
        signals, age = ranking.ordered, evaluation.counted_hours
        gain, least_age = management.better_opportunity_apr, management.better_opportunity_min_hours
        if not signals or not rules.better_pair(held.apr, signals[0].apr, gain, age, least_age):
            return None  # nor does any other: nothing more is computed in most checks
        own = next((at for at, signal in enumerate(signals) if signal.symbol == evaluation.symbol), -1)
        aprs, admitted = [signal.apr for signal in signals], _Admitted(self, ranking, market)
        index = rules.first_better(aprs, admitted, own, held.apr, gain, age, least_age)
        if index < 0:
            return None
        signal = signals[index]
        expires = evaluation.at + timedelta(hours=TARGET_INTERVALS * signal.interval_hours)
        return Target(symbol=signal.symbol, expires_at=expires), signal.apr

    def _still_best(self, symbol: str, ranking: Ranking, market: MarketView) -> bool:
        index = rules.first_admitted(_Admitted(self, ranking, market))
        return index >= 0 and ranking.ordered[index].symbol == symbol

    def _detail(self, code: ExitCode, evaluation: Evaluation, best_apr: float | None) -> str:
        management = self.parameters.position_management
        apr = evaluation.signal.apr if evaluation.signal else 0.0
        if code is ExitCode.FEES_COVERED:
            return f"coverage {evaluation.coverage or 0.0:.2f}x, target {management.fee_coverage_multiplier}x"
        if code is ExitCode.AGE:
            return f"{evaluation.counted_hours:.2f} h, at most {management.max_position_age_hours:g} h"
        if code is ExitCode.BETTER_PAIR:
            return f"APR {apr:.2%}, another pays {best_apr or 0.0:.2%}"
        return f"APR {apr:.2%} below {self.parameters.funding_rate_strategy.exit_funding_apr:.2%}"


class _Admitted(Sequence[bool]):
    """Which pairs of a ranking, best first, pass every entry filter; each is judged when it is asked for."""

    def __init__(self, policy: VolumeFarming, ranking: Ranking, market: MarketView) -> None:
        self._policy, self._ranking, self._market = policy, ranking, market

    def __len__(self) -> int:
        return len(self._ranking.ordered)

    @overload
    def __getitem__(self, index: int) -> bool: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bool]: ...
    def __getitem__(self, index: int | slice) -> bool | Sequence[bool]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        pair = self._market.pair(self._ranking.ordered[index].symbol)
        return pair is not None and not self._policy.refusals(pair, self._ranking, self._market)
