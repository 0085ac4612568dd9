"""``hedgerow demo``: an embedded exchange, a bot and a report; no key, no money, no network."""

import tempfile
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from hedgerow.app.commands.demo import DemoPlan, demo_market_data, play_demo
from hedgerow.app.identity import identity_of
from hedgerow.app.session import settings_or_preset
from hedgerow.app.signals import wait_for_stop
from hedgerow.cli.arguments import days_option, money_option, pairs_option, speed_option, time_option
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import (
    ConfigOption,
    JsonOption,
    PresetOption,
    bot_inputs,
    echo,
    history_files,
    home_of,
    is_stdout,
    refuse_outputs,
    say,
    write_json,
    write_text,
)
from hedgerow.cli.tables import Column, screen_width, show_table
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.config.home import HomeMode
from hedgerow.dashboard.console import LogObserver, close_logging, configure_logging
from hedgerow.dashboard.narration.quiet_filter import Digest
from hedgerow.dashboard.progress import ProgressObserver
from hedgerow.dashboard.report.page import html_page
from hedgerow.dashboard.report.report import RunReport, as_json, closing_lines, headlines, hedge_cells, report_lines
from hedgerow.engine.notices import Observer

__all__ = ["demo"]

HEDGES = (
    Column(title="Pair"),
    Column(title="Opened (UTC)", drop=4),
    Column(title="Held", number=True, drop=2),
    Column(title="Funding", number=True, drop=1),
    Column(title="Basis", number=True, drop=3),
    Column(title="Fees", number=True, drop=1),
    Column(title="Net", number=True),
    Column(title="Ended because", least=14),
)
REPORT = Path("demo-report.html")
CONSOLE = "hedgerow.console"
"""The logger of the console: shorter than the log file, which has everything."""
PROGRESS_LINES = 20
"""Lines of progress over a whole demo."""


DaysOption = Annotated[float, typer.Option("--days", metavar="N", help="Simulated days, fractions allowed.")]
SeedOption = Annotated[
    int, typer.Option("--seed", metavar="N", help="The same seed gives the same run, byte for byte.")
]
SpeedOption = Annotated[
    str, typer.Option("--speed", metavar="N|max", help="Simulated seconds per real second; max = no waiting.")
]
PairsOption = Annotated[int, typer.Option("--pairs", metavar="N", help="Pairs of the generated market.")]
UsdtOption = Annotated[str, typer.Option("--usdt", metavar="N", help="Balance, split over both wallets.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Real history from Parquet files instead of a generated market."),
]
StartOption = Annotated[str, typer.Option("--start", metavar="DATE", help="First day.")]
KeptOption = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Keep the demo's log, state and event log in this folder."),
]
ReportOption = Annotated[Path, typer.Option("--report", metavar="FILE", help="Where to write the HTML report.")]
ServeOption = Annotated[
    bool, typer.Option("--serve", help="Also show it in a browser, while it runs and after it until Ctrl-C.")
]
PortOption = Annotated[
    int, typer.Option("--port", metavar="P", min=0, max=65535, help="Port of --serve; 0 takes a free one.")
]
EveryCheckOption = Annotated[
    bool, typer.Option("--every-check", help="Also show the checks in which nothing happened.")
]


class _Output(Struct, frozen=True, kw_only=True):
    """Where the bot's log lines go."""

    kept: bool
    """Into the log file."""
    console: bool
    """To the console."""
    every_check: bool
    """To the console in full."""


def demo(  # noqa: PLR0913, PLR0917 - one parameter per option
    days: DaysOption = 14.0,
    seed: SeedOption = 1,
    speed: SpeedOption = "max",
    pairs: PairsOption = 20,
    usdt: UsdtOption = "2000",
    data: DataOption = None,
    start: StartOption = "2025-01-01",
    home: KeptOption = None,
    config: ConfigOption = None,
    preset: PresetOption = None,
    report: ReportOption = REPORT,
    json: JsonOption = None,
    *,
    every_check: EveryCheckOption = False,
    serve: ServeOption = False,
    port: PortOption = 8765,
) -> ExitCode:
    """Show a whole run: discover, scan, open, collect funding, close, rotate, survive a kill; then a report."""
    named = {"the file of --config": (config,) if config else ()} if home is None else bot_inputs(home_of(home), config)
    inputs = {"the market history of --data": history_files(data), **named}
    refuse_outputs({"--report": report, "--json": json}, inputs)
    with ExitStack() as stack:
        folder = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hedgerow-demo-")))
        place = Home(folder=home_of(folder).folder, mode=HomeMode.DEMO)
        settings = settings_or_preset(place, config, preset)
        identity = identity_of(place, settings)
        if home is None:
            identity = replace(identity, home=None)
        first = time_option("--start", start)
        pairs, days = pairs_option(pairs), days_option(days)
        plan = DemoPlan(
            market_data=demo_market_data(data, seed=seed, pairs=pairs, start=first, days=days),
            days=days,
            seed=seed,
            speed=speed_option(speed),
            parameters=settings.parameters,
            usdt=money_option("--usdt", usdt, least=Decimal(100)),
            home=place,
            identity=identity,
            shown=serve,
        )
        place.prepare()
        _remove_old_files(place)
        if serve:
            _serve(place, port, stack, quiet=is_stdout(json))
        # At less than full speed every check is shown; the log file of a temporary home is not written.
        how = _Output(
            kept=home is not None or serve,
            console=not is_stdout(json),
            every_check=every_check or plan.speed is not None,
        )
        with ExitStack() as shown:
            result = play_demo(plan, _observers(plan, shown, how))
        write_json(json, as_json(result), identity)
        _write_report(result, report, quiet=is_stdout(json))
        if serve and not result.interrupted:
            echo("The dashboard goes on until Ctrl-C.", err=is_stdout(json))
            wait_for_stop()
    return ExitCode.FAILED if result.interrupted else ExitCode.DONE


def _serve(place: Home, port: int, stack: ExitStack, *, quiet: bool) -> None:
    """Show the demo in a browser until the stack closes; no operator acts on it: its time is simulated."""
    from hedgerow.app.commands.dashboard import serving_dashboard  # noqa: PLC0415 - imported only when used
    from hedgerow.cli.dashboard import show_address  # noqa: PLC0415 - as above
    from hedgerow.web.access import Role  # noqa: PLC0415 - as above
    from hedgerow.web.server import ServerOptions  # noqa: PLC0415 - as above

    server = stack.enter_context(serving_dashboard((place,), ServerOptions(port=port, read_only=True), SystemClock()))
    show_address(server, place.folder, Role.VIEWER, link=True, err=quiet)


def _observers(plan: DemoPlan, stack: ExitStack, how: _Output) -> tuple[Observer, ...]:
    """Return the observers that write the log file, the console and the progress."""
    observers: list[Observer] = []
    if how.kept:
        configure_logging(plan.home.log, console=False)
        stack.callback(close_logging)
        observers.append(LogObserver())
    if how.console:
        configure_logging(None, console=True, name=CONSOLE)
        stack.callback(close_logging, CONSOLE)
        observers.append(LogObserver(CONSOLE) if how.every_check else Digest(LogObserver(CONSOLE)))
    # A progress bar and log lines on one terminal would garble each other: there, progress is lines.
    progress = ProgressObserver(
        start=plan.start,
        end=plan.end,
        every_days=(plan.end - plan.start) / timedelta(days=PROGRESS_LINES),
        terminal=False if how.console else None,
    )
    return (*observers, stack.enter_context(progress))


def _remove_old_files(place: Home) -> None:
    """Remove what an earlier demo left in this folder; the live bot's files have other names."""
    for leftover in (*place.event_files, place.state, place.log, place.outlook, place.series, place.heartbeat):
        leftover.unlink(missing_ok=True)


def _show(result: RunReport) -> None:
    """Show the report on a terminal of any width."""
    for line in headlines(result):
        say(line)
    say("")
    cells = hedge_cells(result)
    earlier = len(result.hedges) - len(cells)
    show_table(f"Hedges (and {earlier} earlier ones)" if earlier else "Hedges", HEDGES, cells)
    for line in closing_lines(result):
        say(line)


def _write_report(result: RunReport, report: Path, *, quiet: bool) -> None:
    write_text("--report", report, html_page(result))
    if quiet:
        return
    say("")
    if screen_width() is None:
        for line in report_lines(result):
            say(line)
    else:
        _show(result)
    say(f"Report: {report}")
