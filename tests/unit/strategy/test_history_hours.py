"""How much history a policy gets: what it asks for, or what the settings say where it cannot ask."""

from decimal import Decimal

import pytest

from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.market import MarketView
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, Refusal
from hedgerow.strategy.parameters import FundingRateStrategy, StrategyParameters
from hedgerow.strategy.policies import load_policy
from hedgerow.strategy.policies.volume_farming import VolumeFarming
from hedgerow.strategy.policy import settled_rates

SEVEN = StrategyParameters(funding_rate_strategy=FundingRateStrategy(funding_ma_periods=7))


class OldPolicy:
    """A policy from before one could say how much history it wants."""

    def __init__(self, parameters: StrategyParameters) -> None:
        self.parameters = parameters
        self._guide = VolumeFarming(parameters)

    def rank(self, market: MarketView) -> Ranking:
        return self._guide.rank(market)

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        return self._guide.refusals(pair, ranking, market)

    def capital(self, spot: Decimal, perp: Decimal) -> Decimal:
        return self._guide.capital(spot, perp)

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:
        return self._guide.review(evaluation, ranking, market)


class Asking(VolumeFarming):
    hours = 0

    @property
    def history_hours(self) -> int:
        return self.hours


def test_a_policy_with_the_old_methods_loads_and_gets_what_the_settings_say() -> None:
    assert settled_rates(load_policy(f"{__name__}.OldPolicy", SEVEN)) == 7


def test_the_guides_policy_gets_its_moving_average() -> None:
    assert settled_rates(VolumeFarming(SEVEN)) == 7


@pytest.mark.parametrize(("hours", "rates"), [(0, 1), (8, 1), (9, 2), (720, 90)])
def test_a_policy_gets_the_hours_that_it_asks_for(hours: int, rates: int) -> None:
    policy = Asking(SEVEN)
    policy.hours = hours
    assert settled_rates(policy) == rates
