"""Work W1 for the engine: its market as a tape, its rules as a policy over the house's rule book.

W1 (one year of 5-minute steps, 50 pairs, 8 h funding) is a parameter setting of the rules the bot trades with: notional
fixed at 10,000 per leg, exit fee = entry fee, no entry filter but the APR. The data are ``{spot,perp,rate}.npy``.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from hedgerow.domain.execution import ExecutionLimits
from hedgerow.domain.funding import FundingRate
from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market
from hedgerow.domain.market import MarketView
from hedgerow.domain.money import ZERO
from hedgerow.ports import Liquidity, MarketPrices
from hedgerow.strategy.evaluation.exits import Exit
from hedgerow.strategy.evaluation.ranking import Ranking
from hedgerow.strategy.observation import Evaluation, Refusal, RefusalKind
from hedgerow.strategy.parameters import (
    AfterEmergency,
    CapitalManagement,
    FundingRateStrategy,
    PositionManagement,
    RiskManagement,
    StrategyParameters,
)
from hedgerow.strategy.policies import VolumeFarming

START = datetime(2025, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=5)
STEPS_PER_FUNDING = 96
INTERVAL = timedelta(hours=8)
NOTIONAL = Decimal(10_000)
LOT = Decimal("0.0001")
SPOT_FEE = Decimal("0.001")
PERP_FEE = Decimal("0.0005")

PARAMETERS = StrategyParameters(
    capital_management=CapitalManagement(max_capital_usd=2 * NOTIONAL),
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=0.15, exit_funding_apr=-100.0),
    position_management=PositionManagement(max_exit_cost_bps=Decimal(10_000)),
    risk_management=RiskManagement(after_emergency=AfterEmergency.REST),
    execution=ExecutionLimits(
        max_naked_equity_fraction=Decimal(1), slice_depth_fraction=Decimal(1), settlement_guard_seconds=0
    ),
)


class W1MarketData:
    """The W1 arrays as a ``MarketData``; prices are read when asked for."""

    def __init__(self, folder: Path, *, pairs: int | None = None) -> None:
        spot, perp, rate = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("spot", "perp", "rate"))
        self._spot: NDArray[np.float64] = spot[:pairs]
        self._perp: NDArray[np.float64] = perp[:pairs]
        self.symbols = [f"S{index:02d}USDT" for index in range(len(self._spot))]
        self._index = {symbol: index for index, symbol in enumerate(self.symbols)}
        self._newest: dict[str, tuple[int, MarketPrices]] = {}
        self._asked = START, 0
        """The time asked for last, and its step."""
        self._rates = {symbol: _rates(symbol, rate[:, index]) for symbol, index in self._index.items()}
        self.pairs: Sequence[BasisPair] = tuple(_pair(symbol) for symbol in self.symbols)
        self.sources: Mapping[str, str] = dict.fromkeys(self.symbols, "W1")
        self.start, self.step = START, STEP
        self.steps: int = self._spot.shape[1]
        self.end = START + STEP * (self.steps - 1)

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the prices of the step that ``at`` lies in."""
        if at != self._asked[0]:
            self._asked = at, (at - START) // STEP
        step, index = self._asked[1], self._index[symbol]
        if not 0 <= step < self.steps:
            return None
        known = self._newest.get(symbol)
        if known is None or known[0] != step:
            perp = Decimal(repr(float(self._perp[index, step])))
            spot = Decimal(repr(float(self._spot[index, step])))
            known = self._newest[symbol] = (step, MarketPrices(spot=spot, perp=perp, mark=perp))
        return known[1]

    def liquidity(self, market: Market, symbol: str, at: datetime) -> Liquidity:
        """Return no spread and depth without end: the world that plays this tape is bottomless."""
        del market, symbol, at
        return Liquidity(half_spread_bps=ZERO, depth_notional=Decimal(10) ** 12)

    def volume(self, symbol: str, at: datetime) -> Decimal:
        """Return a volume that passes every filter; W1 has none."""
        del symbol, at
        return Decimal(10) ** 9

    def settled(self, symbol: str, after: datetime, until: datetime) -> tuple[FundingRate, ...]:
        """Return the rates settled in ``(after, until]``."""
        return self._rates[symbol][_count(after) : _count(until)]

    def newest_settled(self, symbol: str, at: datetime, count: int) -> tuple[FundingRate, ...]:
        """Return at most ``count`` newest rates at ``at``."""
        known = _count(at)
        return self._rates[symbol][max(0, known - count) : known]

    def predicted(self, symbol: str, at: datetime) -> FundingRate | None:
        """Return the newest settled rate as the estimate; W1's rules do not look at it."""
        newest = self.newest_settled(symbol, at, 1)
        return replace(newest[0], at=START + INTERVAL * _count(at), settled=False) if newest else None


class W1Policy(VolumeFarming):
    """W1's entry and exits, said with the guide's rules."""

    def refusals(self, pair: BasisPair, ranking: Ranking, market: MarketView) -> tuple[Refusal, ...]:
        """Refuse only what pays too little."""
        del market
        signal = ranking.signal(pair.symbol)
        if signal and signal.apr > self.parameters.funding_rate_strategy.min_funding_apr:
            return ()
        return (Refusal(kind=RefusalKind.APR, detail="below the minimum"),)

    def review(self, evaluation: Evaluation, ranking: Ranking, market: MarketView) -> Exit | None:
        """Take the entry fee for the exit fee, as W1 does."""
        coverage = float(evaluation.funding_received / (2 * evaluation.entry_fees)) if evaluation.entry_fees else None
        return super().review(replace(evaluation, exit_fees=evaluation.entry_fees, coverage=coverage), ranking, market)


@lru_cache(maxsize=8)  # all pairs are asked for the same times
def _count(at: datetime) -> int:
    """Return how many settlements happened up to ``at``, the one at the start included."""
    return max(0, (at - START) // INTERVAL + 1)


def _rates(symbol: str, column: NDArray[np.float64]) -> tuple[FundingRate, ...]:
    return tuple(
        FundingRate(symbol=symbol, rate=Decimal(repr(float(rate))), interval_hours=8, at=START + INTERVAL * index)
        for index, rate in enumerate(column)
    )


def _pair(symbol: str) -> BasisPair:
    def leg(market: Market, fee: Decimal) -> Instrument:
        return Instrument(
            market=market,
            symbol=symbol,
            base=symbol.removesuffix("USDT"),
            quote="USDT",
            tick=LOT,
            lot=LOT,
            min_quantity=LOT,
            max_quantity=Decimal(10) ** 9,
            min_notional=ZERO,
            fees=FeeRates(maker=fee, taker=fee),
        )

    # Spot fees are paid in USDT (the world's ``spot_quote_fee``), so nothing is taken from the coins. The bot knows the
    # rate: books that do not agree make it wait before it opens again.
    return BasisPair(spot=leg(Market.SPOT, SPOT_FEE), perp=leg(Market.PERP, PERP_FEE))
