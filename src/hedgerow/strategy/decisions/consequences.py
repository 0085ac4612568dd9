"""What would follow if a rule that ends a hedge held now: rolled, closed, another pair opened, openings halted. Pure.

It is foreseen from one reading: by the time a rule holds, another pair may be the best, or none.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import Final, Protocol, runtime_checkable

from msgspec import Struct

from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.cooldowns import cooldown_refusal
from hedgerow.strategy.decisions.distances import GUIDE_POLICY, LOOKED_AT, ExitDistance, exit_distances
from hedgerow.strategy.evaluation.health import (
    CLOSE_DISTANCE,
    CLOSE_IMBALANCE,
    REDUCE_DISTANCE,
    REPAIR_IMBALANCE,
    TOP_UP_DISTANCE,
)
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, HealthReport
from hedgerow.strategy.parameters import AfterEmergency, SamePair, StrategyParameters
from hedgerow.strategy.policy import Policy

__all__ = [
    "Consequence",
    "ForeseenExit",
    "ForeseesExits",
    "Foresight",
    "NextStep",
    "Prospects",
    "Stage",
    "StageAction",
    "foreseen_exits",
    "prospects_of",
]

_KEEPING: Final = frozenset({Reason.FEES_COVERED, Reason.MAX_AGE})
"""Rules that say nothing against the pair: it may be opened again."""


class NextStep(StrEnum):
    """What the bot does when a rule holds."""

    ROLL = "roll"
    """The counters restart; no order is sent."""
    CLOSE = "close"
    """The hedge is closed; no other pair may be opened now."""
    ROTATE = "rotate"
    """The hedge is closed, and another pair opened."""
    REOPEN = "reopen"
    """The hedge is closed; the same pair is still the best, and may be opened again."""


class StageAction(StrEnum):
    """What the bot does before a rule holds, as its value comes nearer."""

    TRIM = "trim"
    """The larger leg is reduced."""
    TOP_UP = "top up margin"
    """Idle USDT is moved to the perpetual wallet."""
    REDUCE = "reduce"
    """A part of both legs is closed."""
    CLOSE = "close"


class Stage(Struct, frozen=True, kw_only=True):
    """One step on the way to a rule."""

    threshold: float
    """In the unit of the rule's value."""
    action: StageAction


class Consequence(Struct, frozen=True, kw_only=True):
    """What would follow now."""

    step: NextStep
    pair: str = ""
    """The pair that is opened; empty = none."""
    halts: bool = False
    """Whether openings are halted until a person resumes."""


class ForeseenExit(Struct, frozen=True, kw_only=True):
    """One rule that would end the hedge, how far it is, and what would follow."""

    distance: ExitDistance
    consequence: Consequence | None = None
    """None = the policy does not say."""
    stages: tuple[Stage, ...] = ()
    """What is done before the rule holds, the earliest first, and the rule's own threshold as the last."""


class Foresight(Struct, frozen=True, kw_only=True):
    """Every rule that would end a hedge."""

    exits: tuple[ForeseenExit, ...]
    """The nearest first, unknown ones last."""
    profit_rules_known: bool
    """Whether the rules of the policy are among them: a policy of a user's own may keep them to itself."""


class Prospects(Struct, frozen=True, kw_only=True):
    """What may be opened instead of a held pair."""

    best_other: FundingSignal | None = None
    """The best pair but the held one that passes every entry filter but depth."""
    still_best: bool = False
    """Whether the held pair passes them as well, and comes before it."""


@runtime_checkable
class ForeseesExits(Protocol):
    """What a policy of a user's own has that says how far its profit rules are."""

    def foreseen_exits(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Sequence[ForeseenExit]:
        """Return its own rules for a held hedge; those of safety are known without it."""
        ...


def prospects_of(
    policy: Policy, market: MarketView, held: str, ledger: Ledger, refused: Collection[str] = ()
) -> Prospects:
    """Return what would be opened once ``held`` is closed; of the pairs only the first few are asked.

    ``refused`` are those that could not be opened a short time ago: no hedge is closed for them.
    """
    ranking = policy.rank(market)
    still_best = False
    for signal in ranking.ordered[: LOOKED_AT + 1]:
        pair, own = market.pair(signal.symbol), signal.symbol == held
        taken = not own and (signal.symbol in refused or ledger.held(signal.symbol) is not None)
        rests = cooldown_refusal(signal.symbol, ledger, market.at) is not None
        if pair is None or taken or rests or policy.refusals(pair, ranking, market):
            continue
        if not own:
            return Prospects(best_other=signal, still_best=still_best)
        still_best = True
    return Prospects(still_best=still_best)


def foreseen_exits(
    policy: Policy,
    market: MarketView,
    evaluation: Evaluation,
    health: HealthReport | None,
    prospects: Prospects,
    ledger: Ledger,
) -> Foresight:
    """Return every rule with its distance and what would follow, the nearest first."""
    parameters, best = policy.parameters, prospects.best_other
    distances = exit_distances(evaluation, health, parameters, best)
    blocked = ledger.halt is not None
    known = [
        ForeseenExit(
            distance=distance,
            consequence=_consequence(distance.rule, parameters, prospects, blocked=blocked),
            stages=_stages(distance.rule),
        )
        for distance in distances
    ]
    if parameters.policy == GUIDE_POLICY:
        return Foresight(exits=tuple(known), profit_rules_known=True)
    if not isinstance(policy, ForeseesExits):
        return Foresight(exits=tuple(known), profit_rules_known=False)
    own = policy.foreseen_exits(evaluation, policy.rank(market), market)
    ordered = sorted([*own, *known], key=lambda each: _left(each.distance))
    return Foresight(exits=tuple(ordered), profit_rules_known=True)


def _consequence(rule: Reason, parameters: StrategyParameters, prospects: Prospects, *, blocked: bool) -> Consequence:
    other, again = prospects.best_other, prospects.still_best
    if rule is Reason.EMERGENCY_STOP and parameters.risk_management.after_emergency is AfterEmergency.HALT:
        return Consequence(step=NextStep.CLOSE, halts=True)
    if rule is Reason.FEES_COVERED and again and parameters.position_management.same_pair is SamePair.ROLL:
        return Consequence(step=NextStep.ROLL)
    if blocked:
        return Consequence(step=NextStep.CLOSE)
    if again and rule in _KEEPING:
        return Consequence(step=NextStep.REOPEN)
    if other is None:
        return Consequence(step=NextStep.CLOSE)
    return Consequence(step=NextStep.ROTATE, pair=other.symbol)


def _stages(rule: Reason) -> tuple[Stage, ...]:
    if rule is Reason.IMBALANCE:
        return (
            Stage(threshold=REPAIR_IMBALANCE, action=StageAction.TRIM),
            Stage(threshold=CLOSE_IMBALANCE, action=StageAction.CLOSE),
        )
    if rule is Reason.LIQUIDATION_NEAR:
        return (
            Stage(threshold=TOP_UP_DISTANCE, action=StageAction.TOP_UP),
            Stage(threshold=REDUCE_DISTANCE, action=StageAction.REDUCE),
            Stage(threshold=CLOSE_DISTANCE, action=StageAction.CLOSE),
        )
    return ()


def _left(distance: ExitDistance) -> float:
    """Return the part of the way that is left; one that is not known is the farthest."""
    return 2.0 if distance.left is None else distance.left
