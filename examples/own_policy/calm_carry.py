"""A policy of your own with a setting of its own; docs/custom_policy.md explains it.

Copy this file and config_volume_farming_strategy.json into a folder and run ``hedgerow run --paper --home FOLDER``.
"""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import Reason
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, Refusal
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import VolumeFarming

__all__ = ["CalmCarry"]


class CalmCarry:
    """Prefer funding that is steady to funding that is high."""

    class Settings(Struct, frozen=True, kw_only=True):
        """What the section ``policy_settings`` of the configuration may hold."""

        caution: Annotated[float, Meta(ge=0, le=10, description="standard deviations taken off the mean rate")] = 1.0
        share: Annotated[float, Meta(gt=0, le=1, description="part of the guide's capital to use")] = 0.5

    def __init__(self, parameters: StrategyParameters, settings: Settings) -> None:
        self.parameters = parameters
        self._settings = settings
        self._guide = VolumeFarming(parameters)

    def rank(self, market: MarketView) -> Ranking:
        """Order all pairs by what they pay an hour, less a margin for what varies."""
        caution = self._settings.caution
        return self._guide.rank(market).by(
            lambda signal: (signal.mean - caution * signal.stdev) / signal.interval_hours
        )

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        """Apply the guide's entry filters."""
        return self._guide.refusals(pair, ranking, market)

    def capital(self, spot: Decimal, perp: Decimal) -> Decimal:
        """Use a part of what the guide would."""
        return self._guide.capital(spot, perp) * Decimal(str(self._settings.share))

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:  # noqa: ARG002 - part of a policy's interface
        """Leave only when funding has turned."""
        held = evaluation.signal
        if held is not None and held.apr < 0:
            return Exit(reason=Reason.NEGATIVE_FUNDING, detail=f"APR {held.apr:.2%}")
        return None
