"""``hedgerow record``: keep premium index and order books as they go by."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.market_record import DEPTHS, RecordPlan, record_market
from hedgerow.app.venues.select import environment_of
from hedgerow.cli.arguments import symbols_option
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import echo, home_of, say
from hedgerow.cli.data import DEFAULT_FOLDER, DataOption, NetworkOption, SymbolsOption
from hedgerow.domain.errors import ConfigError

__all__ = ["record"]

LEAST_SECONDS, MOST_SECONDS = 1.0, 86_400.0


def record(
    data: DataOption = DEFAULT_FOLDER,
    symbols: SymbolsOption = None,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", help="Time between two readings.")] = 60.0,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", help=f"Levels of each side: {', '.join(map(str, DEPTHS))}.")
    ] = 20,
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", help="End after so many readings; 0 = run until Ctrl-C.")
    ] = 0,
    home: NetworkOption = Path(),
) -> ExitCode:
    """Record mark, index, funding estimate and both order books into a Parquet file for each day, until Ctrl-C.

    Needs no key. May be killed and started again at any time: what was read before is kept. Times are the exchange's.
    """
    if not LEAST_SECONDS <= every <= MOST_SECONDS:
        raise ConfigError(f"--every {every:g}: allowed is a number from {LEAST_SECONDS:g} to {MOST_SECONDS:g}")
    if depth not in DEPTHS:
        raise ConfigError(f"--depth {depth}: allowed are {', '.join(map(str, DEPTHS))}")
    if rounds < 0:
        raise ConfigError(f"--rounds {rounds}: allowed is 0 or a positive number")
    plan = RecordPlan(folder=data, symbols=symbols_option(symbols), every_seconds=every, depth=depth, rounds=rounds)
    environment = environment_of(home_of(home))
    for warning in environment.warnings:
        echo(warning, err=True)
    result = asyncio.run(record_market(plan, environment, lambda text: echo(text, err=True)))
    lost = f", {result.lost} lost" if result.lost else ""
    say(f"{data}: {result.rounds} reading{'' if result.rounds == 1 else 's'} kept{lost}")
    return ExitCode.FAILED if rounds and not result.rounds else ExitCode.DONE
