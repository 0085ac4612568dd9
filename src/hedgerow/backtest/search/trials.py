"""A search that draws sets instead of playing all: Optuna proposes, in batches whose size no worker count changes.

What was played before an interruption is given to a new sampler with the same seed, which then proposes the same sets.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

from hedgerow.backtest.search.pools import Pool
from hedgerow.backtest.search.results import ResultsFile
from hedgerow.backtest.search.scoring import Records
from hedgerow.backtest.search.space import Space

__all__ = ["draw_all"]

BATCH: Final = 8
"""Sets proposed together, before any of them is known."""
WORST: Final = -1e9
"""Score of a set that has none."""


def draw_all(  # noqa: PLR0913 - the parts of one search
    space: Space,
    pool: Pool,
    results: ResultsFile,
    *,
    trials: int,
    seed: int,
    score: Callable[[Records], Sequence[float]],
    on_progress: Callable[[int, int], None],
) -> None:
    """Play ``trials`` sets, proposed by what those before them scored; the higher the better."""
    import optuna  # noqa: PLC0415 - an extra

    library: Any = optuna
    library.logging.set_verbosity(library.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arguments that the library calls experimental
        sampler = library.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
        study = library.create_study(direction="maximize", sampler=sampler)
    known, done = results.records(), 0
    on_progress(results.count, trials)
    while done < trials:
        asked = [study.ask(_choices(library, space)) for _ in range(min(BATCH, trials - done))]
        indices = [space.index([trial.params[axis.name] for axis in space.axes]) for trial in asked]
        kept = known[done : done + len(asked)]
        if len(kept) < len(asked):
            for sealed in pool.play([index] for index in indices[len(kept) :]):
                results.append(sealed)
                on_progress(results.count, trials)
            kept = results.records()[done : done + len(asked)]
        for trial, value in zip(asked, score(kept), strict=True):
            study.tell(trial, value if value == value else WORST)  # noqa: PLR0124 - NaN is not itself
        done += len(asked)


def _choices(library: Any, space: Space) -> dict[str, Any]:
    """Return what Optuna draws from: the place of a value, near values as neighbours where they are numbers."""
    spaces = library.distributions
    return {
        axis.name: spaces.IntDistribution(0, len(axis.shown) - 1)
        if axis.ordered
        else spaces.CategoricalDistribution(range(len(axis.shown)))
        for axis in space.axes
    }
