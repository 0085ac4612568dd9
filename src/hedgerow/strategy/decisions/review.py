"""Reviews every open hedge, and orders what is to be done by its danger: one job runs at a time."""

from math import inf
from typing import Final

from msgspec import Struct

from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.strategy.decisions.held import decide_held
from hedgerow.strategy.exit_costs import quoted_exit_cost
from hedgerow.strategy.observation import (
    Close,
    Decision,
    HaltOpenings,
    Hold,
    Observation,
    Open,
    Reduce,
    Roll,
    TopUpMargin,
    Trim,
)
from hedgerow.strategy.policy import Policy

__all__ = ["DECISION_WORDS", "Review", "is_safety", "reviews", "target_of"]

DECISION_WORDS: Final[dict[type[Decision], str]] = {
    Hold: "hold",
    Open: "open",
    Close: "close",
    Trim: "trim",
    Reduce: "reduce",
    Roll: "roll",
    TopUpMargin: "top up margin",
    HaltOpenings: "halt",
}
"""What a decision does, in words."""
EMERGENCY, URGENT, PROFIT = 0, 1, 6
_DANGER: Final[dict[type[Decision], int]] = {
    Trim: 2,
    TopUpMargin: 3,
    Reduce: 4,
    HaltOpenings: 5,
    Close: PROFIT,
    Roll: 7,
    Open: 8,
    Hold: 9,
}
"""The smaller, the sooner; closings that cannot wait come before all."""


class Review(Struct, frozen=True, kw_only=True):
    """What is to be done about one open hedge."""

    hedge: HedgedPosition
    decision: Decision


def reviews(
    observation: Observation,
    ledger: Ledger,
    policy: Policy,
    done: frozenset[str] = frozenset(),
    unreachable: frozenset[str] = frozenset(),
) -> tuple[Review, ...]:
    """Return what is to be done about each open hedge but those ``done``, the most dangerous first.

    For pairs that are ``unreachable`` none is closed.

    Of two that are as urgent, the one nearer to liquidation comes first; where all share one distance, the one whose
    closing costs least of what it frees; of two that end for profit, the one that pays less.
    """
    found = [
        Review(hedge=hedge, decision=decide_held(observation, ledger, policy, hedge=hedge, unreachable=unreachable))
        for hedge in ledger.judged_hedges
        if hedge.hedge_id not in done
    ]
    return tuple(sorted(found, key=lambda each: _danger(each, observation))) if len(found) > 1 else tuple(found)


def is_safety(decision: Decision) -> bool:
    """Return whether a decision keeps a hedge whole or away from liquidation, so that no other trade may delay it."""
    return _DANGER[type(decision)] < _DANGER[HaltOpenings] or (isinstance(decision, Close) and decision.plan.urgent)


def target_of(decision: Decision) -> str | None:
    """Return the pair that a hedge is to be closed for; None = for none."""
    return decision.target.symbol if isinstance(decision, Close) and decision.target is not None else None


def _danger(review: Review, observation: Observation) -> tuple[int, float, float]:
    decision, hedge = review.decision, observation.as_listed(review.hedge)
    evaluation, health = getattr(decision, "evaluation", None), getattr(decision, "health", None)
    rank = _DANGER[type(decision)]
    if isinstance(decision, Close) and decision.plan.urgent:
        rank = EMERGENCY if decision.reason is Reason.EMERGENCY_STOP else URGENT
    if rank >= PROFIT:
        signal = evaluation.signal if evaluation else None
        return rank, signal.apr if signal else -inf, 0.0
    distance = health.liquidation_distance if health else None
    return rank, inf if distance is None else distance, quoted_exit_cost(hedge, observation.market)
