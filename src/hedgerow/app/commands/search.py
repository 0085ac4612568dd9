"""`sweep` and `walkforward`: many parameter sets over market history, kept while they are played, and judged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict, replace

import hedgerow
from hedgerow import __version__
from hedgerow.app.commands.backtest import (
    GUIDE,
    HOLD,
    Via,
    backtest_parameters,
    play_policy,
    refuse_unplayable,
    setting_named,
)
from hedgerow.backtest.search.inference import Interval, bootstrap
from hedgerow.backtest.search.judge import Judgement, daily_results, judgement_of
from hedgerow.backtest.search.players import KernelPlayer, kernel_player
from hedgerow.backtest.search.pools import Chunk, Here, Player, PlayerFactory, Pool, Processes
from hedgerow.backtest.search.results import ResultsFile
from hedgerow.backtest.search.scoring import SCORES, Scorer, sealed
from hedgerow.backtest.search.space import Axis, Space
from hedgerow.backtest.search.sweep import best_of, plateau_of, play_all, scores_of
from hedgerow.backtest.search.trials import draw_all
from hedgerow.backtest.search.walkforward import Fold, FoldResult, folds_of
from hedgerow.backtest.study import Result, Study, StudyPlan
from hedgerow.domain.errors import ConfigError
from hedgerow.strategy.parameters import StrategyParameters

__all__ = [
    "Asked",
    "ReplayPlayer",
    "Search",
    "Tested",
    "Walked",
    "folds",
    "longest_average",
    "open_results",
    "play_fold",
    "replay_player",
    "rows_of",
    "score_option",
    "space_option",
    "sweep_json",
    "walk_json",
    "walked",
]

MOST_SETS: Final = 10_000_000
"""Of a full grid: its results are a file of about 2 GB."""
MOST_DRAWN_FROM: Final = 1 << 62
TOGETHER: Final = frozenset({"max_cap_bps", "price_cap_bps", "emergency_stop_loss_pct", "max_spread_bps"})
"""Settings that are refused in some combinations only."""
OF_THE_WINDOW: Final = frozenset({"settlement_guard_seconds"})
"""Settings that decide what the window is; every set has the same."""
CHANGING: Final = (
    frozenset({"fee_coverage_multiplier", "emergency_stop_loss", "stop_on"}),
    frozenset({"funding_ma_periods", "use_funding_ma"}),
    frozenset[str](),
    frozenset({"better_opportunity_apr", "exit_funding_apr"}),
    frozenset({"max_position_age_hours", "better_opportunity_min_hours", "same_pair", "max_exit_cost_bps"}),
)
"""Settings by how much must be computed again when they change."""
OTHERS: Final = 2
KERNEL_CHUNK, REPLAY_CHUNK = 512, 1
"""Sets handed to a worker at a time."""
SOURCES: Final = ("backtest", "domain", "emulator", "engine", "history", "strategy")
"""Packages whose code decides what a set earns."""


class Asked(Struct, frozen=True, kw_only=True):
    """What is searched and how."""

    space: Space
    policy: str
    via: Via
    by: str
    workers: int = 1
    ray: str | None = None
    """Address of a Ray cluster; ``local`` starts one here."""
    trials: int | None = None
    """None = every set of the grid."""
    seed: int = 0


class Search:
    """One search over one window."""

    def __init__(self, asked: Asked, study: Study) -> None:
        self.asked = asked
        self.study = study
        self.scorer = Scorer(study)

    @property
    def total(self) -> int:
        """How many sets will be played."""
        return self.asked.space.size if self.asked.trials is None else self.asked.trials

    def run(self, results: ResultsFile, on_progress: Callable[[int, int], None]) -> None:
        """Play what is missing."""
        asked = self.asked
        if results.count >= self.total:
            on_progress(results.count, self.total)
            return
        pool = self._pool()
        try:
            if asked.trials is None:
                chunk = KERNEL_CHUNK if asked.via is Via.KERNEL else REPLAY_CHUNK
                play_all(asked.space, pool, results, chunk=chunk, on_progress=on_progress)
            else:
                draw_all(
                    asked.space,
                    pool,
                    results,
                    trials=asked.trials,
                    seed=asked.seed,
                    score=lambda records: self.scorer.values(records, asked.by).tolist(),
                    on_progress=on_progress,
                )
        finally:
            pool.close()

    def judgement(self, results: ResultsFile) -> Judgement:
        """Judge what was played."""
        compiled = self.asked.policy == GUIDE
        return judgement_of(
            self.scorer, self.asked.space, results.records(), by=self.asked.by, play=self.play, compiled=compiled
        )

    def play(self, parameters: StrategyParameters) -> Result:
        """Play one set."""
        return play_policy(self.study, parameters, self.asked.policy, self.asked.via)

    def _pool(self) -> Pool:
        asked, plan = self.asked, self.study.plan
        factory: PlayerFactory = partial(kernel_player, plan, asked.space)
        if asked.via is Via.REPLAY:
            factory = partial(replay_player, plan, asked.space, asked.policy)
        if asked.ray is not None:
            from hedgerow.backtest.search.ray_cluster import RayCluster  # noqa: PLC0415 - an extra

            return RayCluster(factory, asked.ray, asked.workers)
        if asked.workers > 1:
            return Processes(factory, asked.workers)
        player: Player = (
            KernelPlayer(self.study, asked.space)
            if asked.via is Via.KERNEL
            else ReplayPlayer(self.study, asked.space, asked.policy)
        )
        return Here(player)


class ReplayPlayer:
    """A ``Player`` that plays through the engine that trades live."""

    def __init__(self, study: Study, space: Space, policy: str) -> None:
        self._study, self._space, self._policy = study, space, policy
        self._scorer = Scorer(study)

    def __call__(self, chunk: Chunk) -> bytes:
        """Play the sets of a chunk."""
        played = (
            (index, play_policy(self._study, self._space.parameters(index), self._policy, Via.REPLAY))
            for index in chunk
        )
        return sealed(np.concatenate([self._scorer.result(index, result) for index, result in played]))


def replay_player(plan: StudyPlan, space: Space, policy: str) -> ReplayPlayer:
    """Load a window and return its player."""
    return ReplayPlayer(Study.load(plan), space, policy)


# --- what is searched --------------------------------------------------------------------------------------------


def space_option(
    grids: Sequence[str], config: Path | None, changes: Sequence[str], policy: str, via: Via, *, drawn: bool
) -> Space:
    """Return the sets that ``--grid KEY=V1,V2,...`` names.

    Raises:
        ConfigError: a key is unknown, a value out of range, or there are no sets or too many.
    """
    if not grids:
        raise ConfigError("--grid is missing: name a setting and its values, such as --grid funding_ma_periods=3,10")
    if policy == HOLD:
        raise ConfigError("--policy hold: it has no settings to search")
    base = backtest_parameters(config, changes, policy)
    axes = tuple(_axis(text, config, changes, policy, via) for text in grids)
    axes = tuple(sorted(axes, key=lambda axis: _speed(axis.field)))
    names = [axis.name for axis in axes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"--grid {twice} is given twice; allowed is one --grid for each setting")
    space = Space(base=base, axes=axes)
    most = MOST_DRAWN_FROM if drawn else MOST_SETS
    if space.size > most:
        hint = "" if drawn else ", or --trials N draws N of them"
        raise ConfigError(f"--grid: {space.size:,} sets; allowed are {most:,}: name fewer values{hint}")
    _refuse_combinations(axes, config, changes, policy)
    refuse_unplayable(policy, via, space.parameters(0))
    return space


def _speed(field: str) -> int:
    """Return the place of a setting in the order in which the fewest tables are computed again: slow ones first."""
    return next((place for place, fields in enumerate(CHANGING) if field in fields), OTHERS)


def _axis(text: str, config: Path | None, changes: Sequence[str], policy: str, via: Via) -> Axis:
    key, equals, listed = text.partition("=")
    words = [word.strip() for word in listed.split(",")]
    if not key or not equals or not all(words):
        raise ConfigError(f"--grid {text}: allowed is KEY=V1,V2,... with a value between the commas")
    row = setting_named(key, f"--grid {text}")
    if any(change.partition("=")[0] in {row.name, row.key} for change in changes):
        raise ConfigError(f"--grid {row.name}: --set gives it as well; allowed is the one or the other")
    if row.key == "policy" or row.key in OF_THE_WINDOW:
        option = "--policy" if row.key == "policy" else "--set"
        raise ConfigError(f"--grid {row.name}: it is the same for every set; {option} names it")
    found: list[tuple[Any, Any]] = []
    for word in words:
        parameters = _with(config, [*changes, f"{row.name}={word}"], policy)
        refuse_unplayable(policy, via, parameters)
        holder = getattr(parameters, row.section) if row.section else parameters
        found.append((_plain(row.shown(parameters)), getattr(holder, row.field)))
    if len({str(shown) for shown, _ in found}) < len(found):
        raise ConfigError(f"--grid {text}: a value is named twice")
    if all(isinstance(shown, int | float) and not isinstance(shown, bool) for shown, _ in found):
        found.sort(key=lambda pair: pair[0])
    shown, accepted = zip(*found, strict=True)
    return Axis(section=row.section, field=row.field, name=row.name, shown=shown, accepted=accepted)


def _plain(value: object) -> object:
    """Return a value of the file as JSON has it."""
    return value if value is None or isinstance(value, bool | int | float | str) else float(str(value))


def _with(config: Path | None, changes: Sequence[str], policy: str) -> StrategyParameters:
    try:
        return backtest_parameters(config, changes, policy)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--set", "--grid", 1)) from error


def _refuse_combinations(axes: Sequence[Axis], config: Path | None, changes: Sequence[str], policy: str) -> None:
    """Find combinations that are refused before any of them is played."""
    narrow = [axis for axis in axes if axis.name.rpartition(".")[2] in TOGETHER]
    for values in product(*(axis.shown for axis in narrow)):
        named = [f"{axis.name}={value}" for axis, value in zip(narrow, values, strict=True)]
        _with(config, [*changes, *named], policy)


def longest_average(space: Space) -> StrategyParameters:
    """Return the set that asks for most history."""
    place = next((n for n, axis in enumerate(space.axes) if axis.field == "funding_ma_periods"), None)
    if place is None:
        return space.base
    return space.parameters(space.index([length - 1 for length in space.shape]))


def score_option(text: str) -> str:
    """Return by which figure the best set is found.

    Raises:
        ConfigError: there is none of this name.
    """
    if text not in SCORES:
        raise ConfigError(f"--by {text}: allowed are {', '.join(SCORES)}")
    return text


# --- what is kept ------------------------------------------------------------------------------------------------


def open_results(search: Search, path: Path) -> ResultsFile:
    """Open the results of this search, new or as they were left.

    Raises:
        ConfigError: the file cannot be used, or holds those of another search.
    """
    return ResultsFile(path, _about(search))


def _about(search: Search) -> Mapping[str, Any]:
    """Return everything that decides about a single byte of the results, by what a user would call it."""
    asked, plan = search.asked, search.study.plan
    drawn = {"trials": asked.trials, "seed": asked.seed, "by": asked.by} if asked.trials is not None else {}
    folder = Path(hedgerow.__file__).parent
    own = [path for name in SOURCES for path in sorted((folder / name).rglob("*.py"))]
    return {
        "hedgerow": __version__,
        "code": _hash(own),
        "history": _hash(sorted(plan.data.glob("*.parquet"))),
        "window": repr(replace(plan, data=Path(), most_periods=0)),
        "settings": sha256(repr(asked.space.base).encode()).hexdigest(),
        "grid": {axis.name: list(axis.shown) for axis in asked.space.axes},
        "policy": asked.policy,
        "via": asked.via.value,
        **drawn,
    }


def _hash(paths: Sequence[Path]) -> str:
    found = sha256()
    for path in paths:
        found.update(path.name.encode())
        with path.open("rb") as file:
            while content := file.read(1 << 20):
                found.update(content)
    return found.hexdigest()


# --- what is shown -----------------------------------------------------------------------------------------------


def rows_of(search: Search, results: ResultsFile) -> Iterator[dict[str, Any]]:
    """Yield each set with its figures, in the order in which they were played."""
    for record in results.records():
        yield {"parameters": search.asked.space.shown(int(record["index"])), **search.scorer.row(record)}


def sweep_json(search: Search, judgement: Judgement) -> dict[str, Any]:
    """Return everything about a search except its rows."""
    asked = search.asked
    found = asdict(judgement)
    del found["result"]
    dead = found.pop("dead_parameters")
    return {
        "policy": asked.policy,
        "via": asked.via.value,
        "grid": {axis.name: list(axis.shown) for axis in asked.space.axes},
        "trials": asked.trials,
        "dead_parameters": None if dead is None else list(dead),
        **found,
    }


# --- walk-forward ------------------------------------------------------------------------------------------------


class Tested(Struct, frozen=True, kw_only=True):
    """One fold that was played."""

    found: FoldResult
    days: float
    daily_over_cash: list[float]
    daily_over_hold: list[float]
    """Of whole days of the test, on capital."""


class Walked(Struct, frozen=True, kw_only=True):
    """All folds, and what their tests give together."""

    by: str
    folds: tuple[FoldResult, ...]
    mean: dict[str, float | None]
    """Of each figure over all tests, each counted by its length."""
    over_cash: Interval | None
    over_hold: Interval | None


def folds(search: Search, lengths: tuple[timedelta, timedelta, timedelta], *, expanding: bool) -> list[Fold]:
    """Return the folds of the window for the lengths of train, test and embargo.

    Raises:
        ConfigError: fewer than two fit.
    """
    train, test, embargo = lengths
    data = search.study.market_data
    return list(folds_of(data.start, data.end, train=train, test=test, embargo=embargo, expanding=expanding))


def play_fold(search: Search, fold: Fold, path: Path, *, peak: bool, on_progress: Callable[[int, int], None]) -> Tested:
    """Choose on the train stretch of a fold and judge on its test stretch."""
    asked, plan = search.asked, search.study.plan
    training = Search(asked, Study.load(replace(plan, start=fold.train_start, end=fold.train_end)))
    with open_results(training, path) as results:
        training.run(results, on_progress)
        records = results.records()
        scores = scores_of(training.scorer, records, asked.by)
        place = best_of(scores) if peak or asked.trials is not None else plateau_of(asked.space, scores)[0]
        index = int(records["index"][place])
        train = float(training.scorer.values(records[place : place + 1], "net_apr_on_capital")[0])
    testing = Search(asked, Study.load(replace(plan, start=fold.test_start, end=fold.test_end)))
    chosen, unchanged = testing.play(asked.space.parameters(index)), testing.play(asked.space.base)
    money, best = plan.money, testing.study.best(1)
    found = FoldResult(
        fold=fold,
        parameters=dict(asked.space.shown(index)),
        train=train,
        test=chosen.figures.net_apr_on_capital,
        unchanged=unchanged.figures.net_apr_on_capital,
        hold=None if best.hold_apr is None else money.share * best.hold_apr,
        cash=money.cash_apr,
        bound=best.bound_apr_on_capital,
        entries=chosen.figures.entries,
    )
    over_cash, over_hold = daily_results(testing.study, chosen)
    return Tested(
        found=found,
        days=(fold.test_end - fold.test_start) / timedelta(days=1),
        daily_over_cash=over_cash.tolist(),
        daily_over_hold=[] if over_hold is None else over_hold.tolist(),
    )


def walked(search: Search, tested: Sequence[Tested]) -> Walked:
    """Add up all folds."""
    days = sum(each.days for each in tested)
    mean: dict[str, float | None] = {}
    for name in ("train", "test", "unchanged", "hold", "cash", "bound"):
        values = [getattr(each.found, name) for each in tested]
        known = not any(value is None for value in values)
        mean[name] = sum(v * e.days for v, e in zip(values, tested, strict=True)) / days if known else None
    cash, hold = (
        bootstrap(np.array([day for each in tested for day in getattr(each, name)]))
        for name in ("daily_over_cash", "daily_over_hold")
    )
    return Walked(by=search.asked.by, folds=tuple(t.found for t in tested), mean=mean, over_cash=cash, over_hold=hold)


def walk_json(search: Search, walk: Walked) -> dict[str, Any]:
    """Return everything about a walk-forward."""
    asked = search.asked
    return {
        "policy": asked.policy,
        "via": asked.via.value,
        "grid": {axis.name: list(axis.shown) for axis in asked.space.axes},
        "trials": asked.trials,
        **asdict(walk),
    }
