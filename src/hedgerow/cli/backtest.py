"""``hedgerow backtest``: a policy over market history, beside *hold*, cash and the best that hindsight could do."""

from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.identity import history_identity
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import JsonOption, echo, history_files, is_stdout, refuse_outputs, say, write_json, write_text
from hedgerow.cli.tables import Column, show_table
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
    Window,
)

__all__ = ["backtest"]

COLUMNS = (Column(title="figure"), Column(title="value", number=True), Column(title="what it is", least=30))


def backtest(  # noqa: PLR0913, PLR0917 - one parameter per option
    data: DataOption,
    start: StartOption,
    end: EndOption,
    policy: Annotated[
        str,
        typer.Option("--policy", metavar="NAME", help="volume_farming, carry, hold, or the dotted path of a class."),
    ] = "volume_farming",
    exchange: ExchangeOption = None,
    symbols: SymbolsOption = None,
    cost_bps: CostOption = None,
    cash_apr: CashOption = 4.0,
    leverage: LeverageOption = 1.0,
    capital: CapitalOption = "10000",
    cycle: CycleOption = 300.0,
    via: Annotated[
        str | None,
        typer.Option(
            "--via",
            metavar="kernel|replay",
            help="The compiled rules, or the engine that trades live  [kernel where the policy is compiled]",
            show_default=False,
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, in the units of the file; may be repeated."),
    ] = None,
    config: RulesOption = None,
    decisions: Annotated[
        Path | None, typer.Option("--decisions", metavar="FILE", help="Write every decision as a line of JSON.")
    ] = None,
    report: ReportOption = None,
    json: JsonOption = None,
) -> ExitCode:
    """Play a policy over history, with the rules that trade live, and show what it would have earned."""
    refuse_outputs(
        {"--decisions": decisions, "--report": report, "--json": json},
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
    from hedgerow.app.commands import backtest as command  # noqa: PLC0415 - needs an extra, and is heavy
    from hedgerow.backtest.figures import decision_lines  # noqa: PLC0415 - as above

    chosen = command.via_option(via or command.via_of(policy))
    parameters = command.backtest_parameters(config, change or [], policy)
    command.refuse_unplayable(policy, chosen, parameters)
    study = window.load(parameters, most_periods=command.settled_wanted(policy, parameters))
    result = command.play_policy(study, parameters, policy, chosen)
    if result.failed_checks:
        echo(command.failure_line(study, result), err=True)
    if decisions is not None:
        write_text("--decisions", decisions, "".join(f"{line}\n" for line in decision_lines(result.decisions)))
    about = {"policy": policy, "via": chosen.value, **command.window_json(study)}
    found = {**command.result_json(result), **command.days_json(study, result)}
    write_json(json, {**about, **found}, history_identity(parameters, config))
    if report is not None:
        from hedgerow.backtest.report.page import backtest_page  # noqa: PLC0415 - as above

        title = f"Backtest of {policy}"
        page = backtest_page(study, result, title=title, about=command.window_text(study))
        write_text("--report", report, page)
    if not is_stdout(json):
        say(f"Backtest of {policy}: {command.window_text(study)}")
        show_table("Figures", COLUMNS, command.figure_rows(result.figures))
    return ExitCode.DONE
