"""The policy protocol: a few pure methods.

Engine, books, safety exits and sizing on the grids are the same for every policy; ``hedgerow run --paper`` and
``--dry-run`` try it on the code that trades.
"""

from decimal import Decimal
from typing import Protocol, runtime_checkable

from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.market import MarketView
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, Refusal
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["Policy"]


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
        """Return why the held hedge should end now, or None to hold.

        Asked only when everything could be read; emergency and health were decided before.
        """
        ...
