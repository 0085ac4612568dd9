"""Judges a search: the winner beside the median of all sets, its neighbours, chance, and other histories."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from msgspec import Struct

from hedgerow.backtest.search.inference import Interval, bootstrap, deflated_sharpe, expected_best_sharpe
from hedgerow.backtest.search.scoring import DAY_MS, WEEK_MS, Records, Scorer, Trades, over_cash
from hedgerow.backtest.search.space import Space
from hedgerow.backtest.search.stress import Stress, stress_of
from hedgerow.backtest.search.sweep import (
    Spread,
    best_of,
    dead_settings,
    distinct,
    plateau_of,
    scores_of,
    spread_of,
)
from hedgerow.backtest.study import Result, Study
from hedgerow.backtest.tables import Floats
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["DAYS_A_YEAR", "Judgement", "PlayOne", "Verdict", "daily_results", "intervals_of", "judgement_of"]

PlayOne = Callable[[StrategyParameters], Result]
DAYS_A_YEAR: Final = 365.0


class Verdict(Struct, frozen=True, kw_only=True):
    """One parameter set of the search, looked at closely."""

    place: int
    """Place in the records."""
    parameters: Mapping[str, Any]
    figures: Mapping[str, Any]
    over_cash: Interval | None
    """A year, on capital, less the cash rate while something is held."""
    over_hold: Interval | None
    """A year, on capital, less *hold* on capital."""
    deflated_sharpe: float | None
    """Probability that its weekly Sharpe ratio over cash is above that of the best of so many sets by luck."""
    stress: Stress | None


class Judgement(Struct, frozen=True, kw_only=True):
    """What a search found."""

    by: str
    sets: int
    """Of the whole grid."""
    played: int
    distinct: int
    """Sets that made other decisions than every set before them."""
    incomplete: int
    """Sets with checks that the engine did not complete; only a replay has any."""
    spread: Spread
    expected_best_sharpe: float
    """Weekly, of the best of ``distinct`` sets without merit."""
    dead_parameters: tuple[str, ...] | None
    """None: the search did not play a full grid."""
    best: Verdict
    plateau: Verdict | None
    """The set with the best median of itself and its neighbours; None without a full grid."""
    plateau_median: float | None
    result: Result
    """Of the best set."""


def judgement_of(
    scorer: Scorer, space: Space, records: Records, *, by: str, play: PlayOne, compiled: bool
) -> Judgement:
    """Judge a search; ``play`` plays one set, ``compiled`` says that the kernel plays what it plays."""
    study, full = scorer.study, len(records) == space.size
    scores = scores_of(scorer, records, by)
    firsts = distinct(records)
    sharpes = records["sharpe"][firsts].astype(np.float64)
    sharpes = sharpes[np.isfinite(sharpes)]
    variance = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else 0.0
    over = study.plan.money.cash_apr if by == "net_apr_on_capital" else 0.0

    def verdict(place: int) -> tuple[Verdict, Result]:
        index = int(records["index"][place])
        parameters = space.parameters(index)
        result = play(parameters)
        trades = Trades.of(result.trades, study.symbols)
        weekly = over_cash(study.opportunities, trades, study.plan.money, WEEK_MS)
        deflated = deflated_sharpe(weekly, float(records["sharpe"][place]), trials=len(firsts), variance=variance)
        cash, hold = intervals_of(study, result)
        found = Verdict(
            place=place,
            parameters=space.shown(index),
            figures=scorer.row(records[place]),
            over_cash=cash,
            over_hold=hold,
            deflated_sharpe=deflated if np.isfinite(deflated) else None,
            stress=stress_of(study, parameters, result) if compiled else None,
        )
        return found, result

    best, result = verdict(best_of(scores))
    plateau = plateau_of(space, scores) if full else None
    return Judgement(
        by=by,
        sets=space.size,
        played=len(records),
        distinct=len(firsts),
        incomplete=int(np.count_nonzero(records["failed"])),
        spread=spread_of(scores, over),
        expected_best_sharpe=expected_best_sharpe(len(firsts), variance),
        dead_parameters=dead_settings(space, records) if full else None,
        best=best,
        plateau=None if plateau is None else verdict(plateau[0])[0],
        plateau_median=None if plateau is None else plateau[1],
        result=result,
    )


def intervals_of(study: Study, result: Result) -> tuple[Interval | None, Interval | None]:
    """Return what the result is a year on capital over cash, and over *hold*, with the range that chance gives."""
    cash, hold = daily_results(study, result)
    return bootstrap(cash), None if hold is None else bootstrap(hold)


def daily_results(study: Study, result: Result) -> tuple[Floats, Floats | None]:
    """Return what each whole day gave on capital, times the days of a year: over cash, and over *hold*."""
    chances, money = study.opportunities, study.plan.money
    daily = DAYS_A_YEAR * over_cash(chances, Trades.of(result.trades, study.symbols), money, DAY_MS)
    if study.hold_trade is None:
        return daily, None
    held = over_cash(chances, Trades.of([study.hold_trade], study.symbols), money, DAY_MS)
    return daily, daily - DAYS_A_YEAR * held
