"""Distances to the rules that end a hedge: right by the rule's own arithmetic, the nearest first, unknown ones last."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.distances import ExitDistance, exit_distances
from hedgerow.strategy.observation import Evaluation, HealthLevel, HealthReport
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.golden_cases import AT, evaluation, signal

DEFAULTS = StrategyParameters()
HEALTH = HealthReport(level=HealthLevel.OK, imbalance=-0.05, liquidation_distance=0.575)
BEST = signal("ETHUSDT", apr=0.30)


def found(
    judged: Evaluation, rule: Reason, *, best: FundingSignal | None = None, health: HealthReport | None = HEALTH
) -> ExitDistance:
    return next(each for each in exit_distances(judged, health, DEFAULTS, best) if each.rule is rule)


@pytest.mark.parametrize(
    ("rule", "changes", "value", "threshold", "left"),
    [
        (Reason.FEES_COVERED, {"coverage": 0.5}, 0.5, 1.5, 2 / 3),
        (Reason.FEES_COVERED, {"coverage": 2.0}, 2.0, 1.5, 0.0),
        (Reason.FEES_COVERED, {"coverage": None}, None, 1.5, None),
        (Reason.FEES_COVERED, {"coverage": 0.5, "history_known": False}, None, 1.5, None),
        (Reason.MAX_AGE, {"counted_hours": 18.0}, 18.0, 24.0, 0.25),
        (Reason.NEGATIVE_FUNDING, {"signal": signal(apr=0.03)}, 0.03, 0.0, 0.2),
        (Reason.NEGATIVE_FUNDING, {"signal": signal(apr=0.9)}, 0.9, 0.0, 1.0),
        (Reason.NEGATIVE_FUNDING, {"signal": None}, None, 0.0, None),
        (Reason.EMERGENCY_STOP, {"stop_pnl": Decimal("-12.5")}, -0.05, -0.1, 0.5),
        (Reason.EMERGENCY_STOP, {"stop_pnl": Decimal("12.5")}, 0.05, -0.1, 1.0),
        (Reason.EMERGENCY_STOP, {"stop_pnl": None}, None, -0.1, None),
        (Reason.EMERGENCY_STOP, {"entry_notional": Decimal(0)}, None, -0.1, None),
        (Reason.LIQUIDATION_NEAR, {}, 0.575, 0.15, 0.5),
        (Reason.IMBALANCE, {}, 0.05, 0.1, 0.5),
        (Reason.BETTER_PAIR, {}, None, 0.1, None),
    ],
)
def test_a_distance_follows_from_value_and_threshold(
    rule: Reason, changes: dict[str, Any], value: float | None, threshold: float, left: float | None
) -> None:
    distance = found(evaluation(**{"signal": signal(apr=0.0), **changes}), rule)
    assert distance.value == pytest.approx(value)
    assert distance.left == pytest.approx(left)
    assert distance.threshold == pytest.approx(threshold)


def test_what_was_not_read_is_at_no_distance() -> None:
    assert found(evaluation(), Reason.LIQUIDATION_NEAR, health=None).left is None
    assert found(evaluation(), Reason.IMBALANCE, health=None).left is None
    blind = HealthReport(level=HealthLevel.OK)
    assert found(evaluation(), Reason.IMBALANCE, health=blind).left is None


def test_a_better_pair_is_as_far_as_its_gain_and_the_least_holding_time_ask_for() -> None:
    held = evaluation(signal=signal(apr=0.25), counted_hours=5.0)
    short_of = found(held, Reason.BETTER_PAIR, best=BEST)
    assert (short_of.value, short_of.threshold) == (0.30, 0.35)
    assert short_of.left == pytest.approx(0.05 / 0.35)
    assert short_of.pair == "ETHUSDT"
    assert short_of.due_at is None
    young = replace(held, counted_hours=1.0)
    enough = found(young, Reason.BETTER_PAIR, best=signal("ETHUSDT", apr=0.5))
    assert enough.left == pytest.approx(0.75)
    assert enough.due_at == AT + timedelta(hours=3)
    unknown = found(evaluation(signal=None), Reason.BETTER_PAIR, best=BEST)
    assert unknown.value is None
    assert unknown.threshold == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        # 1.5 times 0.75 less 0.1 are missing, at 250 x 0.0001 each 8 hours
        ({"signal": signal(mean=0.0001), "funding_received": Decimal("0.1")}, timedelta(hours=328)),
        ({"signal": signal(mean=0.0)}, None),
        ({"signal": None}, None),
        ({"position_value": None}, None),
        ({"position_value": Decimal(0)}, None),
        ({"exit_fees": None}, None),
        ({"signal": signal(mean=1e-12)}, timedelta(days=3650)),
        ({"coverage": 1.5}, None),
    ],
)
def test_when_fees_are_covered_is_foreseen_from_the_signal(changes: dict[str, Any], due: timedelta | None) -> None:
    distance = found(evaluation(**changes), Reason.FEES_COVERED)
    if due is None:
        assert distance.due_at is None
    else:
        assert distance.due_at is not None
        assert (distance.due_at - AT).total_seconds() == pytest.approx(due.total_seconds())


def test_the_nearest_rule_comes_first_and_unknown_ones_last() -> None:
    rules = exit_distances(evaluation(counted_hours=23.0, coverage=None), HEALTH, DEFAULTS, None)
    assert rules[0].rule is Reason.MAX_AGE
    assert {each.rule for each in rules[-2:]} == {Reason.FEES_COVERED, Reason.BETTER_PAIR}


def test_what_is_due_soon_is_nearer_than_what_nobody_can_foresee() -> None:
    fresh = evaluation(counted_hours=0.0, coverage=0.0, stop_pnl=Decimal("-2.5"))
    assert exit_distances(fresh, HealthReport(level=HealthLevel.OK), DEFAULTS)[0].rule is Reason.MAX_AGE


def test_a_holding_time_of_nothing_keeps_no_better_pair_away() -> None:
    management = PositionManagement(better_opportunity_min_hours=0)
    rules = exit_distances(
        evaluation(signal=signal(apr=0.1)), HEALTH, StrategyParameters(position_management=management), BEST
    )
    assert next(each for each in rules if each.rule is Reason.BETTER_PAIR).left == 0.0


def test_an_exit_level_at_the_entry_level_is_all_the_way_off() -> None:
    settings = FundingRateStrategy(min_funding_apr=0.1, exit_funding_apr=0.1)
    rules = exit_distances(
        evaluation(signal=signal(apr=0.2)), HEALTH, StrategyParameters(funding_rate_strategy=settings), None
    )
    assert next(each for each in rules if each.rule is Reason.NEGATIVE_FUNDING).left == 1.0


def test_the_profit_rules_of_another_policy_are_not_made_up() -> None:
    rules = exit_distances(evaluation(), HEALTH, replace(DEFAULTS, policy="mine.Policy"), BEST)
    assert {each.rule for each in rules} == {Reason.EMERGENCY_STOP, Reason.LIQUIDATION_NEAR, Reason.IMBALANCE}
