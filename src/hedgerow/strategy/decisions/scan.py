"""Every pair with its signal and the filter that refuses it, for tables."""

from decimal import Decimal

from msgspec import Struct

from hedgerow.domain.funding import FundingRate, FundingSignal
from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.market import MarketView
from hedgerow.strategy.decisions.cooldowns import cooldown_refusal
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.evaluation.screening import basis_of
from hedgerow.strategy.observation import Refusal
from hedgerow.strategy.policy import Policy

__all__ = ["Scan", "ScanRow", "scan"]


class ScanRow(Struct, frozen=True, kw_only=True):
    """One pair as the policy sees it."""

    pair: BasisPair
    signal: FundingSignal | None
    """From as many prints as there are."""
    predicted: FundingRate | None
    basis: Decimal | None
    """(perp bid - spot ask) / spot ask."""
    volume: Decimal | None
    refusals: tuple[Refusal, ...]

    @property
    def eligible(self) -> bool:
        """Whether it passes every entry filter but depth."""
        return not self.refusals


class Scan(Struct, frozen=True, kw_only=True):
    """All pairs, the most attractive first; those without a full signal last, in the venue's order."""

    rows: tuple[ScanRow, ...]

    @property
    def best(self) -> ScanRow | None:
        """The pair that would be opened, if its depth allows."""
        return next((row for row in self.rows if row.eligible), None)


def scan(market: MarketView, policy: Policy, ledger: Ledger | None = None) -> Scan:
    """Look at every pair of ``market`` through ``policy``; ``ledger`` knows those that ended badly lately."""
    ranking, known = policy.rank(market), ledger or Ledger()
    place = {signal.symbol: index for index, signal in enumerate(ranking.ordered)}
    ordered = sorted(market.pairs, key=lambda pair: place.get(pair.symbol, len(place)))
    rows = (
        ScanRow(
            pair=pair,
            signal=ranking.held_signal(pair.symbol),
            predicted=market.predicted(pair.symbol),
            basis=basis_of(pair.symbol, market),
            volume=market.volume(pair.symbol),
            refusals=_refusals(pair, ranking, market, policy, known),
        )
        for pair in ordered
    )
    return Scan(rows=tuple(rows))


def _refusals(
    pair: BasisPair, ranking: Ranking, market: MarketView, policy: Policy, ledger: Ledger
) -> tuple[Refusal, ...]:
    resting = cooldown_refusal(pair.symbol, ledger, market.at)
    return (*((resting,) if resting else ()), *policy.refusals(pair, ranking, market))
