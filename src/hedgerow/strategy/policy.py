"""The policy protocol: a few pure methods.

Engine, books, safety exits and sizing on the grids are the same for every policy; ``hedgerow run --paper`` and
``--dry-run`` try it on the code that trades.
"""

from decimal import Decimal
from typing import Final, Protocol, runtime_checkable

from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.market import MarketView
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, Refusal
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["SLOWEST_INTERVAL_HOURS", "Policy", "WantsHistory", "settled_rates"]

SLOWEST_INTERVAL_HOURS: Final = 8


@runtime_checkable
class Policy(Protocol):
    """What is attractive, what may be entered, with how much, and when to leave for profit."""

    @property
    def parameters(self) -> StrategyParameters:
        """The thresholds in use; the safety exits and the execution read theirs from here."""
        ...

    def rank(self, market: MarketView) -> Ranking:
        """Order all pairs, the most attractive first."""
        ...

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        """Return why ``pair`` may not be entered now; empty = it may."""
        ...

    def capital(self, spot: Decimal, perp: Decimal) -> Decimal:
        """Return the quote units to commit per leg, given both wallets; zero or less = open nothing."""
        ...

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:
        """Return why a held hedge should end now, or None to hold.

        Asked of each open hedge, and only when everything could be read; emergency and health were decided before.
        ``ranking`` lacks the pairs that other hedges hold.
        """
        ...


@runtime_checkable
class WantsHistory(Protocol):
    """What a policy has that says how much history it wants; one without gets ``funding_ma_periods`` rates."""

    @property
    def history_hours(self) -> int:
        """How many hours of settled rates are read of a pair that settles every eight hours.

        Of a pair that settles more often, as many rates.
        """
        ...


def settled_rates(policy: Policy) -> int:
    """Return how many of its newest settled rates are read of each pair."""
    # Asked at each check: whether it is a ``WantsHistory`` takes a hundred times as long to find out.
    hours: int | None = getattr(policy, "history_hours", None)
    if hours is None:
        return policy.parameters.funding_rate_strategy.funding_ma_periods
    return max(1, -(-hours // SLOWEST_INTERVAL_HOURS))
