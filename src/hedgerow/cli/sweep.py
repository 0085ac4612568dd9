"""``hedgerow sweep``: many parameter sets over market history, and what of the best one is more than luck."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hedgerow.app.identity import history_identity
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import JsonOption, history_files, is_stdout, refuse_outputs, say, write_json_rows, write_text
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

__all__ = ["sweep"]


def sweep(  # noqa: PLR0913, PLR0917 - one parameter per option
    data: DataOption,
    start: StartOption,
    end: EndOption,
    grid: GridOption = None,
    trials: TrialsOption = None,
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
    """Play every combination of settings' values over history; after Ctrl-C the same command goes on."""
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
    with TemporaryDirectory(prefix="hedgerow-sweep-") as folder:
        path = results_path(results, json, report, Path(folder))
        with command.open_results(search, path) as kept:
            progress = SearchProgress("sets", kept.path if path.parent != Path(folder) else None)
            try:
                search.run(kept, progress)
                judgement = search.judgement(kept)
                head = {**window_json(search.study), **command.sweep_json(search, judgement)}
                identity = history_identity(asked.space.base, config)
                write_json_rows(json, head, identity, name="rows", rows=command.rows_of(search, kept))
                if report is not None:
                    from hedgerow.app.commands.search_page import sweep_page  # noqa: PLC0415 - as above

                    write_text("--report", report, sweep_page(search, judgement, kept.records()))
            except KeyboardInterrupt:
                return progress.interrupted()
            if not is_stdout(json):
                say(f"Sweep of {policy}: {window_text(search.study)}")
                for line in text.sweep_lines(search, judgement):
                    say(line)
    return ExitCode.DONE
