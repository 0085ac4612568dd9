"""``hedgerow simulate``: many simulated runs under random faults, each checked after every event."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer
from msgspec import Struct

from hedgerow.app.identity import unkept_identity
from hedgerow.app.simulation.run import explain, play, play_seeds
from hedgerow.cli.arguments import days_option
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import JsonOption, is_stdout, refuse_unwritable, say, write_json
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.run_identity import RunMode
from hedgerow.simulation.generators.execution_style import Style
from hedgerow.simulation.generators.scenarios import DrawOptions, draw_plan
from hedgerow.simulation.report import (
    RunResult,
    Summary,
    as_json,
    failure_lines,
    result_lines,
    summary_lines,
)
from hedgerow.simulation.scenario import Transport
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["simulate"]

MOST_RUNS = 1_000_000
MOST_WORKERS = 256
MOST_HEDGES = 20
MOST_RUN_SECONDS = 1e8
DAYS = {Transport.PROCESS: 14.0, Transport.WIRE: 0.25}
"""Of a run, where nothing else is asked; through the wire hedges live for minutes, and every hour is full of them."""
LEAST_RUN_SECONDS = 300.0
SECONDS_PER_DAY = {Transport.PROCESS: 60.0, Transport.WIRE: 3600.0}
"""Real seconds that a run may take for each simulated day: some hundred times what it takes on one free core."""


class FaultChoice(StrEnum):
    """What ``--faults`` may ask for."""

    DRAWN = "drawn"
    NONE = "none"


STEPS = 20
"""Lines of progress over all runs."""
EXPLAINED = 3
"""Failed seeds that are shrunk and shown in full; the others are named."""


def simulate(  # noqa: PLR0913 - one parameter per option
    runs: Annotated[int, typer.Option("--runs", metavar="N", help="Seeds to run.")] = 100,
    days: Annotated[
        float | None,
        typer.Option("--days", metavar="N", help="Simulated days of each run  [14, through the wire 0.25]"),
    ] = None,
    first_seed: Annotated[int, typer.Option("--first-seed", metavar="N", help="The first seed.")] = 0,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Run this seed only, and print what was drawn for it.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help="Processes.")] = 2,
    run_seconds: Annotated[
        float | None,
        typer.Option(
            "--run-seconds",
            metavar="N",
            help="Real seconds that a run may take  [60 per simulated day, through the wire 3,600; at least 300]",
        ),
    ] = None,
    *,
    hedges: Annotated[
        int,
        typer.Option("--hedges", metavar="N", help="Positions that a bot may hold: each seed draws from 1 to N."),
    ] = 1,
    style: Annotated[Style, typer.Option("--style", help="How leading orders are placed.")] = Style.DRAWN,
    faults: Annotated[FaultChoice, typer.Option("--faults", help="What goes wrong.")] = FaultChoice.DRAWN,
    transport: Annotated[
        Transport,
        typer.Option(
            "--transport", "--door", help="Calls in one process, or the live client over a network in memory."
        ),
    ] = Transport.PROCESS,
    json: JsonOption = None,
) -> ExitCode:
    """Play simulated days under random faults, crashes and restarts; a seed that fails is shrunk and shown."""
    days = DAYS[transport] if days is None else days
    days_option(days)
    _within("--runs", runs, MOST_RUNS)
    _within("--workers", workers, MOST_WORKERS)
    _within("--hedges", hedges, MOST_HEDGES)
    refuse_unwritable("--json", json)
    if run_seconds is not None and not 0 < run_seconds <= MOST_RUN_SECONDS:
        raise ConfigError(f"--run-seconds {run_seconds:g}: allowed are more than 0, at most {MOST_RUN_SECONDS:g}")
    asked = Asked(
        days=days,
        style=style,
        faults=faults is FaultChoice.DRAWN,
        transport=transport,
        hedges=hedges,
        run_seconds=run_seconds,
    )
    seeds = range(first_seed, first_seed + runs) if seed is None else range(seed, seed + 1)
    results = _one(seed, asked, quiet=is_stdout(json)) if seed is not None else _many(seeds, asked, workers)
    summary = Summary.of(results, days=days)
    write_json(json, as_json(summary), unkept_identity(RunMode.SIMULATION, StrategyParameters()))
    if not is_stdout(json):
        _show_summary(summary, alone=seed is not None)
    for failed in summary.failed_seeds[:EXPLAINED]:
        _explain(failed, asked)
    return ExitCode.FAILED if summary.violations else ExitCode.DONE


class Asked(Struct, frozen=True, kw_only=True):
    """Options of all runs."""

    days: float
    style: Style
    faults: bool
    transport: Transport
    hedges: int
    run_seconds: float | None

    @property
    def drawn(self) -> DrawOptions:
        """What the runs are drawn with."""
        return DrawOptions(style=self.style, faults=self.faults, transport=self.transport, hedges=self.hedges)

    def allowed_seconds(self) -> float:
        """Return how long a run may take, in real seconds."""
        return self.run_seconds or max(LEAST_RUN_SECONDS, SECONDS_PER_DAY[self.transport] * self.days)


def _within(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ConfigError(f"{name} {value}: allowed are 1 to {most}")


def _one(seed: int, asked: Asked, *, quiet: bool) -> list[RunResult]:
    plan = draw_plan(seed, asked.days, **asked.drawn)
    result = play(plan, asked.allowed_seconds())
    for line in () if quiet else result_lines(plan, result):
        say(line)
    return [result]


def _many(seeds: range, asked: Asked, workers: int) -> list[RunResult]:
    playing = play_seeds(
        seeds,
        asked.days,
        workers=min(workers, len(seeds)),
        run_seconds=asked.allowed_seconds(),
        **asked.drawn,
    )
    return list(_shown(playing, len(seeds)))


def _shown(results: Iterable[RunResult], total: int) -> Iterable[RunResult]:
    """Pass results on, with a line for each that failed, and one of progress now and then."""
    failed = 0
    every = max(1, total // STEPS)
    for number, result in enumerate(results, start=1):
        if result.violation is not None:
            failed += 1
            typer.echo(f"Seed {result.seed}: {result.violation.rule}, {result.violation.text}", err=True)
        if number % every == 0 or number == total:
            typer.echo(f"{number} of {total} runs, {failed} violations", err=True)
        yield result


def _show_summary(summary: Summary, *, alone: bool) -> None:
    for line in () if alone else summary_lines(summary):
        say(line)


def _explain(seed: int, asked: Asked) -> None:
    """Print a failure on standard error, so that standard output stays readable by programs."""
    failure = explain(seed, asked.days, run_seconds=asked.allowed_seconds(), **asked.drawn)
    for line in failure_lines(failure) if failure else ():
        typer.echo(line, err=True)
