"""``hedgerow walkforward``: parameters chosen on one stretch of market history and judged on the next."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import msgspec
import typer

from hedgerow.app.identity import history_identity
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import JsonOption, history_files, is_stdout, refuse_outputs, say, write_json, write_text
from hedgerow.cli.searching import (
    ByOption,
    GridOption,
    PolicyOption,
    RayOption,
    ResultsOption,
    SearchProgress,
    SeedOption,
    SettingOption,
    TrialsOption,
    WorkersOption,
    asked_of,
    results_path,
)
from hedgerow.cli.window import (
    CapitalOption,
    CashOption,
    CostOption,
    CycleOption,
    DataOption,
    EndOption,
    ExchangeOption,
    LeverageOption,
    ReportOption,
    RulesOption,
    StartOption,
    SymbolsOption,
    ViaOption,
    Window,
)
from hedgerow.domain.errors import ConfigError

__all__ = ["walkforward"]

MOST_DAYS = 36_600.0


def walkforward(  # noqa: PLR0913, PLR0917 - one parameter per option
    data: DataOption,
    start: StartOption,
    end: EndOption,
    grid: GridOption = None,
    trials: TrialsOption = None,
    train: Annotated[float, typer.Option("--train", metavar="DAYS", help="History that each choice sees.")] = 365.0,
    test: Annotated[
        float, typer.Option("--test", metavar="DAYS", help="History that each choice is judged on.")
    ] = 90.0,
    embargo: Annotated[
        float, typer.Option("--embargo", metavar="DAYS", help="Left out between the two; seen by neither.")
    ] = 7.0,
    expanding: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--expanding", help="Let each choice see all history before its test.")
    ] = False,
    peak: Annotated[  # noqa: FBT002 - an option
        bool, typer.Option("--peak", help="Choose the best set instead of the best neighbourhood.")
    ] = False,
    policy: PolicyOption = "volume_farming",
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    cost_bps: CostOption = None,
    cash_apr: CashOption = 4.0,
    leverage: LeverageOption = 1.0,
    capital: CapitalOption = "10000",
    cycle: CycleOption = 300.0,
    via: ViaOption = "kernel",
    change: SettingOption = None,
    config: RulesOption = None,
    by: ByOption = "net_apr_on_capital",
    workers: WorkersOption = 1,
    ray: RayOption = None,
    seed: SeedOption = 0,
    results: ResultsOption = None,
    report: ReportOption = None,
    json: JsonOption = None,
) -> ExitCode:
    """Choose settings again and again on the past, and add up what each choice earned afterwards."""
    refuse_outputs(
        {"--json": json, "--report": report, "--results": results},
        {"the market history of --data": history_files(data), "the file of --config": [config] if config else []},
    )
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
    lengths = (_days("--train", train), _days("--test", test), _days("--embargo", embargo, least=0.0))
    asked = asked_of(
        grid,
        policy=policy,
        via=via,
        config=config,
        changes=change or [],
        by=by,
        workers=workers,
        ray=ray,
        trials=trials,
        seed=seed,
    )
    from hedgerow.app.commands import search as command  # noqa: PLC0415 - needs an extra, and is heavy
    from hedgerow.app.commands import search_text as text  # noqa: PLC0415 - as above
    from hedgerow.app.commands.backtest import window_json, window_text  # noqa: PLC0415 - as above

    search = command.Search(asked, window.load(command.longest_average(asked.space)))
    folds = command.folds(search, lengths, expanding=expanding)
    with TemporaryDirectory(prefix="hedgerow-sweep-") as folder:
        path = results_path(results, json, report, Path(folder))
        stays = path.parent != Path(folder)
        found: list[command.Tested] = []
        progress = SearchProgress("sets", None)
        try:
            for number, fold in enumerate(folds, start=1):
                own = path.with_name(f"{path.name}.{number}")
                progress = SearchProgress(f"sets of fold {number} of {len(folds)}", own if stays else None)
                found.append(command.play_fold(search, fold, own, peak=peak, on_progress=progress))
            walked = command.walked(search, found)
            document = {**window_json(search.study), **command.walk_json(search, walked)}
            write_json(json, msgspec.to_builtins(document), history_identity(asked.space.base, config))
            if report is not None:
                from hedgerow.app.commands.search_page import walkforward_page  # noqa: PLC0415 - as above

                write_text("--report", report, walkforward_page(search, walked, found))
        except KeyboardInterrupt:
            return progress.interrupted()
    if not is_stdout(json):
        say(f"Walk-forward of {policy}: {window_text(search.study)}")
        for line in text.walkforward_lines(walked):
            say(line)
    return ExitCode.DONE


def _days(name: str, days: float, *, least: float = 1.0) -> timedelta:
    if not least <= days <= MOST_DAYS:
        raise ConfigError(f"{name} {days:g}: allowed are {least:g} to {MOST_DAYS:g}")
    return timedelta(days=days)
