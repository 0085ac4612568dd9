"""``hedgerow bound``: the best that hindsight could have done in a window of market history."""

from typing import Annotated

import msgspec
import typer

from hedgerow.app.identity import history_identity
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import JsonOption, history_files, is_stdout, refuse_outputs, say, write_json
from hedgerow.cli.window import (
    CapitalOption,
    CashOption,
    CostOption,
    CycleOption,
    DataOption,
    EndOption,
    ExchangeOption,
    LeverageOption,
    StartOption,
    SymbolsOption,
    Window,
)
from hedgerow.domain.errors import ConfigError
from hedgerow.strategy.parameters import StrategyParameters

__all__ = ["bound"]

MOST_HEDGES = 1000


def bound(  # noqa: PLR0913, PLR0917 - one parameter per option
    data: DataOption,
    start: StartOption,
    end: EndOption,
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    cost_bps: CostOption = None,
    cash_apr: CashOption = 4.0,
    leverage: LeverageOption = 1.0,
    capital: CapitalOption = "10000",
    cycle: CycleOption = 300.0,
    hedges: Annotated[
        int, typer.Option("--hedges", metavar="K", help="Equal hedges at a time, at most one per pair.")
    ] = 1,
    json: JsonOption = None,
) -> ExitCode:
    """Compute the limit of every policy: funding known in advance, at the same costs and checks."""
    refuse_outputs({"--json": json}, {"the market history of --data": history_files(data)})
    window = Window(
        data=data,
        start=start,
        end=end,
        exchange=exchange,
        symbols=symbols,
        cost_bps=cost_bps,
        cash_apr=cash_apr,
        leverage=leverage,
        capital=capital,
        cycle=cycle,
    )
    window.require()
    if not 1 <= hedges <= MOST_HEDGES:
        raise ConfigError(f"--hedges {hedges}: allowed are 1 to {MOST_HEDGES}")
    from hedgerow.app.commands import backtest as command  # noqa: PLC0415 - needs an extra, and is heavy

    parameters = StrategyParameters()
    study = window.load(parameters)
    best = study.best(hedges)
    write_json(json, {**command.window_json(study), **msgspec.structs.asdict(best)}, history_identity(parameters))
    if not is_stdout(json):
        say(f"Bound: {command.window_text(study)}")
        for line in command.bound_lines(study, best):
            say(line)
    return ExitCode.DONE
