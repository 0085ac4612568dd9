"""How far a held hedge is from each rule that would end it, nearest first. Pure; decides nothing.

``left`` makes rules of different units comparable: the part of the way to the threshold that is left, from where the
rule is as far off as a healthy hedge usually is.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

from msgspec import Struct

from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.position import Reason
from hedgerow.strategy.evaluation.health import CLOSE_DISTANCE, CLOSE_IMBALANCE
from hedgerow.strategy.observation import Evaluation, HealthReport
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["GUIDE_POLICY", "LOOKED_AT", "ExitDistance", "ExitUnit", "exit_distances"]

GUIDE_POLICY = "volume_farming"
"""The policy whose profit rules are known; those of another one are its own."""
FORESEEN_HOURS = 72.0
"""A rule that is due within this time is nearer than one that is as far from its threshold and cannot be foreseen."""
LOOKED_AT = 8
"""So many of the best other pairs are asked for their filters."""


class ExitUnit(StrEnum):
    """What the value and the threshold of a rule are."""

    TIMES = "times"
    HOURS = "hours"
    FRACTION = "fraction"


class ExitDistance(Struct, frozen=True, kw_only=True):
    """One rule that would end the hedge."""

    rule: Reason
    unit: ExitUnit
    value: float | None
    """Now; None = not known."""
    threshold: float
    left: float | None
    """Part of the way that is left: 0 = the rule holds, 1 = all of it; None = not known."""
    due_at: datetime | None = None
    """When it is reached at the present signal; None = cannot be foreseen."""
    pair: str = ""
    """The other pair, where the rule is about one."""


def exit_distances(
    evaluation: Evaluation,
    health: HealthReport | None,
    parameters: StrategyParameters,
    best: FundingSignal | None = None,
) -> tuple[ExitDistance, ...]:
    """Return every rule, the nearest first and unknown ones last; ``best`` is the best other pair that may be opened.

    The rules of a policy other than the guide's are not known here: then only the safety rules are returned.
    """
    found = [_stop(evaluation, parameters), _liquidation(health), _imbalance(health)]
    if parameters.policy == GUIDE_POLICY:
        found += [
            _covered(evaluation, parameters),
            _age(evaluation, parameters),
            _better(evaluation, parameters, best),
            _negative(evaluation, parameters),
        ]
    return tuple(sorted(found, key=lambda each: _nearness(each, evaluation.at)))


def _covered(evaluation: Evaluation, parameters: StrategyParameters) -> ExitDistance:
    target = parameters.position_management.fee_coverage_multiplier
    coverage = evaluation.coverage if evaluation.history_known else None
    left = None if coverage is None else _part(target - coverage, target)
    return ExitDistance(
        rule=Reason.FEES_COVERED,
        unit=ExitUnit.TIMES,
        value=coverage,
        threshold=target,
        left=left,
        due_at=_covered_at(evaluation, target) if left else None,
    )


def _covered_at(evaluation: Evaluation, target: float) -> datetime | None:
    signal, value, fees = evaluation.signal, evaluation.position_value, evaluation.total_fees
    if signal is None or value is None or fees is None or signal.mean <= 0 or value <= 0:
        return None
    missing = target * float(fees) - float(evaluation.funding_received)
    hours = missing / (signal.mean * float(value) / signal.interval_hours)
    return evaluation.at + timedelta(hours=min(max(hours, 0.0), 24.0 * 3650))


def _age(evaluation: Evaluation, parameters: StrategyParameters) -> ExitDistance:
    most = parameters.position_management.max_position_age_hours
    hours = most - evaluation.counted_hours
    return ExitDistance(
        rule=Reason.MAX_AGE,
        unit=ExitUnit.HOURS,
        value=evaluation.counted_hours,
        threshold=most,
        left=_part(hours, most),
        due_at=evaluation.at + timedelta(hours=min(max(hours, 0.0), 24.0 * 3650)),
    )


def _better(evaluation: Evaluation, parameters: StrategyParameters, best: FundingSignal | None) -> ExitDistance:
    management, held = parameters.position_management, evaluation.signal
    threshold = management.better_opportunity_apr + (held.apr if held else 0.0)
    if held is None or best is None:
        return ExitDistance(rule=Reason.BETTER_PAIR, unit=ExitUnit.FRACTION, value=None, threshold=threshold, left=None)
    wait = management.better_opportunity_min_hours - evaluation.counted_hours
    gap = threshold - best.apr
    return ExitDistance(
        rule=Reason.BETTER_PAIR,
        unit=ExitUnit.FRACTION,
        value=best.apr,
        threshold=threshold,
        left=max(_part(gap, abs(threshold)), _part(wait, management.better_opportunity_min_hours)),
        due_at=evaluation.at + timedelta(hours=wait) if gap <= 0 < wait else None,
        pair=best.symbol,
    )


def _negative(evaluation: Evaluation, parameters: StrategyParameters) -> ExitDistance:
    settings, signal = parameters.funding_rate_strategy, evaluation.signal
    bound = settings.exit_funding_apr
    return ExitDistance(
        rule=Reason.NEGATIVE_FUNDING,
        unit=ExitUnit.FRACTION,
        value=None if signal is None else signal.apr,
        threshold=bound,
        left=None if signal is None else _part(signal.apr - bound, settings.min_funding_apr - bound),
    )


def _stop(evaluation: Evaluation, parameters: StrategyParameters) -> ExitDistance:
    limit, pnl, notional = (
        parameters.risk_management.emergency_stop_loss,
        evaluation.stop_pnl,
        evaluation.entry_notional,
    )
    value = None if pnl is None or notional <= 0 else float(pnl / notional)
    return ExitDistance(
        rule=Reason.EMERGENCY_STOP,
        unit=ExitUnit.FRACTION,
        value=value,
        threshold=limit,
        left=None if value is None else _part(value - limit, -limit),
    )


def _liquidation(health: HealthReport | None) -> ExitDistance:
    value = health.liquidation_distance if health else None
    return ExitDistance(
        rule=Reason.LIQUIDATION_NEAR,
        unit=ExitUnit.FRACTION,
        value=value,
        threshold=CLOSE_DISTANCE,
        left=None if value is None else _part(value - CLOSE_DISTANCE, 1.0 - CLOSE_DISTANCE),
    )


def _imbalance(health: HealthReport | None) -> ExitDistance:
    value = abs(health.imbalance) if health and health.imbalance is not None else None
    return ExitDistance(
        rule=Reason.IMBALANCE,
        unit=ExitUnit.FRACTION,
        value=value,
        threshold=CLOSE_IMBALANCE,
        left=None if value is None else _part(CLOSE_IMBALANCE - value, CLOSE_IMBALANCE),
    )


def _nearness(distance: ExitDistance, now: datetime) -> float:
    if distance.left is None:
        return inf
    if distance.due_at is None:
        return distance.left
    return min(distance.left, (distance.due_at - now).total_seconds() / 3600 / FORESEEN_HOURS)


def _part(left: float, whole: float) -> float:
    """Return ``left`` as a part of ``whole``, from 0 to 1; of nothing all is left."""
    if left <= 0:
        return 0.0
    return min(1.0, left / whole) if whole > 0 else 1.0
