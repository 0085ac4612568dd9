from decimal import Decimal

import pytest

from hedgerow.strategy.parameters import (
    CapitalManagement,
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    SamePair,
    StrategyParameters,
)


def test_the_defaults_are_the_guides() -> None:
    found = StrategyParameters()
    assert found.capital_management.capital_fraction == Decimal("0.95")
    assert found.funding_rate_strategy.min_funding_apr == 0.15
    assert found.funding_rate_strategy.funding_ma_periods == 10
    assert found.position_management.fee_coverage_multiplier == 1.5
    assert found.position_management.max_position_age_hours == 24
    assert found.position_management.same_pair is SamePair.CLOSE
    assert found.risk_management.emergency_stop_loss == -0.10


@pytest.mark.parametrize(
    ("group", "values"),
    [
        (CapitalManagement, {"capital_fraction": Decimal(0)}),
        (CapitalManagement, {"capital_fraction": Decimal("1.01")}),
        (CapitalManagement, {"min_capital_usd": Decimal(-1)}),
        (CapitalManagement, {"max_capital_usd": Decimal(49)}),
        (FundingRateStrategy, {"funding_ma_periods": 0}),
        (FundingRateStrategy, {"min_volume_usd": Decimal(-1)}),
        (FundingRateStrategy, {"max_spread_bps": Decimal(-1)}),
        (PositionManagement, {"fee_coverage_multiplier": 0.0}),
        (PositionManagement, {"max_position_age_hours": 0.0}),
        (PositionManagement, {"loop_interval_seconds": 0.5}),
        (PositionManagement, {"better_opportunity_min_hours": -1.0}),
        (RiskManagement, {"emergency_stop_loss": 0.0}),
    ],
)
def test_nonsense_is_refused_by_name(group: type, values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values)).split("_usd")[0]):
        group(**values)


def test_a_limit_of_one_position_below_the_least_capital_is_refused() -> None:
    assert CapitalManagement(max_position_usd=Decimal(50)).max_position_usd == 50
    with pytest.raises(ValueError, match="max_position_usd is at least min_capital_usd"):
        CapitalManagement(max_position_usd=Decimal(49))
