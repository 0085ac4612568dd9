"""``hedgerow simulate``: many runs of simulated days under faults drawn at random, each judged after every event."""

from collections.abc import Iterable
from typing import Annotated

import typer

from hedgerow.app.simulate import explain, play, play_seeds
from hedgerow.cli.arguments import days_option
from hedgerow.cli.codes import Exit
from hedgerow.cli.common import JsonOption, is_stdout, refuse_unwritable, say, write_json
from hedgerow.domain.errors import ConfigError
from hedgerow.simulation.draws import draw_plan
from hedgerow.simulation.report import (
    RunResult,
    Summary,
    as_json,
    failure_lines,
    result_lines,
    summary_lines,
)

__all__ = ["simulate"]

MOST_RUNS = 1_000_000
MOST_WORKERS = 256
STEPS = 20
"""Lines of progress over all runs."""
EXPLAINED = 3
"""Failed seeds that are made small and shown in full; the others are named."""


def simulate(
    runs: Annotated[int, typer.Option("--runs", metavar="N", help="Seeds to play.")] = 100,
    days: Annotated[float, typer.Option("--days", metavar="N", help="Simulated days of each run.")] = 14.0,
    first_seed: Annotated[int, typer.Option("--first-seed", metavar="N", help="The first seed.")] = 0,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Play this seed alone, and say what was drawn for it.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Processes.")] = 2,
    *,
    json: JsonOption = None,
) -> Exit:
    """Play simulated days under random faults, crashes and restarts; a seed that fails is made small and shown."""
    days_option(days)
    _within("--runs", runs, MOST_RUNS)
    _within("--workers", workers, MOST_WORKERS)
    refuse_unwritable("--json", json)
    seeds = range(first_seed, first_seed + runs) if seed is None else range(seed, seed + 1)
    results = _one(seed, days, quiet=is_stdout(json)) if seed is not None else _many(seeds, days, workers)
    summary = Summary.of(results, days=days)
    write_json(json, as_json(summary))
    if not is_stdout(json):
        _tell(summary, alone=seed is not None)
    for failed in summary.failed_seeds[:EXPLAINED]:
        _explain(failed, days)
    return Exit.FAILED if summary.violations else Exit.DONE


def _within(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ConfigError(f"{name} {value}: allowed are 1 to {most}")


def _one(seed: int, days: float, *, quiet: bool) -> list[RunResult]:
    plan = draw_plan(seed, days)
    result = play(plan)
    for line in () if quiet else result_lines(plan, result):
        say(line)
    return [result]


def _many(seeds: range, days: float, workers: int) -> list[RunResult]:
    return list(_shown(play_seeds(seeds, days, workers=min(workers, len(seeds))), len(seeds)))


def _shown(results: Iterable[RunResult], total: int) -> Iterable[RunResult]:
    """Pass results on, with a line of progress now and then."""
    failed = 0
    every = max(1, total // STEPS)
    for number, result in enumerate(results, start=1):
        failed += result.violation is not None
        if number % every == 0 or number == total:
            typer.echo(f"{number} of {total} runs, {failed} violations", err=True)
        yield result


def _tell(summary: Summary, *, alone: bool) -> None:
    for line in () if alone else summary_lines(summary):
        say(line)


def _explain(seed: int, days: float) -> None:
    """Show a failure on standard error, where it stands in no program's way."""
    failure = explain(seed, days)
    for line in failure_lines(failure) if failure else ():
        typer.echo(line, err=True)
