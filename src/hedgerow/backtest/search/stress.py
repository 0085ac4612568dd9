"""Stresses of one parameter set: doubled cost, without its best symbol, and over history whose order is shuffled."""

from array import array
from copy import copy
from functools import cached_property
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from hedgerow.backtest.search.scoring import DAY_MS
from hedgerow.backtest.study import Result, Study
from hedgerow.backtest.tables import Tables, build_tables
from hedgerow.domain.errors import HistoryError
from hedgerow.history.archive import ArchiveMarketData
from hedgerow.history.series import FundingSeries, PriceSeries
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["SHUFFLES", "Stress", "shuffled_study", "stress_of", "with_costs"]

SHUFFLES: Final = 20


class Stress(Struct, frozen=True, kw_only=True):
    """``net_apr_on_notional`` of one parameter set under each stress."""

    doubled_cost: float
    """The same decisions, twice the cost."""
    doubled_cost_decided: float
    """Decided again at twice the cost."""
    best_symbol: str | None
    """The one that earned most; None when nothing was opened."""
    without_best_symbol: float | None
    """None when there is no other."""
    shuffled_median: float
    shuffled_beats: float
    """Share of the shuffled histories over which the set earned at least as much as over the real one."""
    shuffles: int


class _Costing(Study):
    """The same window at costs that are a multiple."""

    def __init__(self, study: Study, factor: float) -> None:
        super().__init__(study.plan, study.market_data)
        self._books, self._factor = study.tables.books, factor

    @cached_property
    def tables(self) -> Tables:
        """Everything that can be seen, with other costs."""
        books, factor = self._books, self._factor
        return build_tables(
            self.market_data,
            self.grid,
            replace(
                books,
                spot_fee=factor * books.spot_fee,
                perp_fee=factor * books.perp_fee,
                spot_half_spread=factor * books.spot_half_spread,
                perp_half_spread=factor * books.perp_half_spread,
            ),
        )


class _Shuffled(ArchiveMarketData):
    """The same prices; whole days of settled rates have changed places, those of all pairs together.

    So a day's rates say nothing about the next day's, while their level and what they have in common stay. Only days
    with as many settlements of each pair change places with each other.
    """

    def __init__(self, data: ArchiveMarketData, seed: int) -> None:
        self.__dict__.update(data.__dict__)
        days = {pair.symbol: np.asarray(data.series(pair.symbol)[1].times) // DAY_MS for pair in data.pairs}
        every = np.unique(np.concatenate(list(days.values())))
        self._edges = {symbol: np.searchsorted(own, np.append(every, every[-1] + 1)) for symbol, own in days.items()}
        counts = np.stack([np.diff(edges) for edges in self._edges.values()], axis=1)
        _, kinds = np.unique(counts, axis=0, return_inverse=True)
        draw, order = np.random.default_rng(seed), np.arange(len(every))
        for kind in range(int(kinds.max()) + 1):
            alike = np.flatnonzero(kinds.ravel() == kind)
            order[alike] = draw.permutation(alike)
        self._order: list[int] = order.tolist()

    def series(self, symbol: str) -> tuple[PriceSeries, FundingSeries]:
        """Return closes as they were, and rates in another order."""
        prices, funding = super().series(symbol)
        hours = np.asarray(funding.hours, dtype=np.float64)
        hourly, edges = np.asarray(funding.rates, dtype=np.float64) / hours, self._edges[symbol]
        changed = copy(funding)
        moved = np.concatenate([hourly[edges[day] : edges[day + 1]] for day in self._order])
        changed.rates = array("d", moved * hours)
        return prices, changed

    def predicts_by_premium(self, symbol: str) -> bool:
        """Let the newest settled rate stand for the next: premiums belong to the real order."""
        del symbol
        return False


def with_costs(study: Study, factor: float) -> Study:
    """Return the same window at ``factor`` times the cost."""
    return _Costing(study, factor)


def shuffled_study(study: Study, seed: int) -> Study:
    """Return the same window with rates in another order."""
    return Study(study.plan, _Shuffled(study.market_data, seed))


def stress_of(study: Study, parameters: StrategyParameters, result: Result) -> Stress:
    """Return what is left of a result under each stress; ``result`` is that of ``parameters``, as the kernel plays."""
    years = study.grid.years
    net = result.figures.net_apr_on_notional
    earned: dict[str, float] = {}
    for trade in result.trades:
        earned[trade.symbol] = earned.get(trade.symbol, 0.0) + trade.rates - trade.cost
    best = max(earned, key=lambda symbol: earned[symbol]) if earned else None
    found = [_net(shuffled_study(study, seed), parameters) for seed in range(SHUFFLES)]
    return Stress(
        doubled_cost=net - result.figures.costs / years,
        doubled_cost_decided=_net(with_costs(study, 2.0), parameters),
        best_symbol=best,
        without_best_symbol=None if best is None else _without(study, parameters, best),
        shuffled_median=float(np.median(found)),
        shuffled_beats=float(np.mean(np.array(found) >= net)),
        shuffles=SHUFFLES,
    )


def _net(study: Study, parameters: StrategyParameters) -> float:
    return study.run(parameters).figures.net_apr_on_notional


def _without(study: Study, parameters: StrategyParameters, symbol: str) -> float | None:
    others = tuple(each for each in study.symbols if each != symbol)
    if not others:
        return None
    try:
        return _net(Study.load(replace(study.plan, symbols=others)), parameters)
    except HistoryError:
        return None
