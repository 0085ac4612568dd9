"""What ``sweep`` and ``walkforward`` share: options of a search, where its results are kept, its progress."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import echo, is_stdout
from hedgerow.clock import SystemClock
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.formats import duration

if TYPE_CHECKING:
    from hedgerow.app.commands.search import Asked

__all__ = [
    "ByOption",
    "GridOption",
    "PolicyOption",
    "RayOption",
    "ResultsOption",
    "SearchProgress",
    "SeedOption",
    "SettingOption",
    "TrialsOption",
    "WorkersOption",
    "asked_of",
    "results_path",
]

GridOption = Annotated[
    list[str] | None,
    typer.Option("--grid", metavar="KEY=V1,V2,...", help="A setting and the values to try; may be repeated."),
]
PolicyOption = Annotated[
    str, typer.Option("--policy", metavar="NAME", help="volume_farming, or the dotted path of a class.")
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting that every set has; may be repeated."),
]
TrialsOption = Annotated[
    int | None, typer.Option("--trials", metavar="N", help="Draw N sets of the grid (Optuna) instead of playing all.")
]
ByOption = Annotated[str, typer.Option("--by", metavar="FIGURE", help="What the best set has most of.")]
WorkersOption = Annotated[int, typer.Option("--workers", metavar="N", help="Processes.")]
RayOption = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Play on a Ray cluster; local starts one on this machine."),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="Of what --trials draws.")]
ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", metavar="FILE", help="Where results are kept while playing  [FILE.results of --json]"),
]
MOST_WORKERS = 256
MOST_TRIALS = 100_000
EVERY = timedelta(seconds=5)
"""Time between two lines of progress."""


def asked_of(  # noqa: PLR0913 - one option each
    grids: Sequence[str] | None,
    *,
    policy: str,
    via: str,
    config: Path | None,
    changes: Sequence[str],
    by: str,
    workers: int,
    ray: str | None,
    trials: int | None,
    seed: int,
) -> "Asked":
    """Return the search that the options ask for.

    Raises:
        ConfigError: one is out of range, or needs an extra that is not installed.
    """
    _within("--workers", workers, MOST_WORKERS)
    if trials is not None:
        _within("--trials", trials, MOST_TRIALS)
        _needs("optuna", "--trials", "trials")
    if ray is not None:
        _needs("ray", "--ray", "ray")
    _needs("arch", "a search", "research")
    from hedgerow.app.commands.backtest import via_option  # noqa: PLC0415 - needs an extra, and is heavy
    from hedgerow.app.commands.search import Asked, score_option, space_option  # noqa: PLC0415 - as above

    chosen = via_option(via)
    space = space_option(grids or [], config, changes, policy, chosen, drawn=trials is not None)
    return Asked(
        space=space,
        policy=policy,
        via=chosen,
        by=score_option(by),
        workers=workers,
        ray=ray,
        trials=trials,
        seed=seed,
    )


def results_path(results: Path | None, json: Path | None, report: Path | None, folder: Path) -> Path:
    """Return where results are kept: named, beside what is written, or in a folder that does not stay."""
    if results is not None:
        return results
    beside = report if json is None or is_stdout(json) else json
    return folder / "results" if beside is None else beside.with_name(f"{beside.name}.results")


class SearchProgress:
    """Prints on standard error how far a search is."""

    def __init__(self, what: str, kept: Path | None) -> None:
        self._what, self._kept = what, kept
        self._clock = SystemClock()
        self._began: tuple[datetime, int] | None = None
        self._last: datetime | None = None
        self._done = self._total = 0

    def __call__(self, done: int, total: int) -> None:
        """Note that ``done`` of ``total`` are played."""
        now = self._clock.now()
        self._done, self._total = done, total
        if self._began is None:
            self._began, self._last = (now, done), now
            if done:
                echo(f"{done:,} of {total:,} {self._what} were played before", err=True)
            return
        if self._last is not None and now - self._last < EVERY and done < total:
            return
        self._last = now
        began, before = self._began
        seconds = (now - began).total_seconds()
        rate = (done - before) / seconds if seconds > 0 else 0.0
        left = f", about {duration(timedelta(seconds=(total - done) / rate))} left" if rate and done < total else ""
        speed = f"{rate:,.0f} a second" if rate >= 1 else f"{rate * 60:,.1f} a minute"
        echo(f"{done:,} of {total:,} {self._what} ({done / total:.1%}), {speed}{left}", err=True)

    def interrupted(self) -> ExitCode:
        """Say what is kept, and return the exit code."""
        kept = "" if self._kept is None else f" are kept in {self._kept}; the same command goes on from there"
        lost = "" if self._kept is not None else " were played; --json or --results FILE would have kept them"
        echo(f"hedgerow: interrupted; {self._done:,} of {self._total:,} {self._what}{kept}{lost}", err=True)
        return ExitCode.FAILED


def _within(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ConfigError(f"{name} {value}: allowed are 1 to {most:,}")


def _needs(module: str, what: str, extra: str) -> None:
    if find_spec(module) is None:
        raise ConfigError(f"{what} needs {module}, which is not installed: pip install '.[{extra}]' in the checkout")
