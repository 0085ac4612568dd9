"""``hedgerow demo``: an embedded exchange, a bot and a report; no key, no money, no network."""

import tempfile
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.demo import DemoPlan, demo_tape, play_demo
from hedgerow.app.session import read_settings
from hedgerow.cli.common import (
    ConfigOption,
    JsonOption,
    console,
    money_option,
    speed_option,
    time_option,
    write_json,
)
from hedgerow.config import Home
from hedgerow.config.home import HomeMode
from hedgerow.dashboard.console import LogListener, close_logging, configure_logging
from hedgerow.dashboard.page import html_page
from hedgerow.dashboard.progress import ProgressListener
from hedgerow.dashboard.report import RunReport, as_json, report_lines
from hedgerow.domain.errors import ConfigError

__all__ = ["demo"]

REPORT = Path("demo-report.html")


def demo(  # noqa: PLR0913, PLR0917 - one parameter per option
    days: Annotated[float, typer.Option("--days", help="Simulated days.")] = 14.0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same run, byte for byte.")] = 1,
    speed: Annotated[str, typer.Option("--speed", help="Seconds per real second, or max.")] = "max",
    pairs: Annotated[int, typer.Option("--pairs", help="Pairs of the generated market.")] = 20,
    usdt: Annotated[str, typer.Option("--usdt", help="Balance, split over both wallets.")] = "2000",
    data: Annotated[Path | None, typer.Option("--data", help="Real history: a folder of Parquet files.")] = None,
    start: Annotated[str, typer.Option("--start", help="First day.")] = "2025-01-01",
    home: Annotated[Path | None, typer.Option("--home", help="Keep log, state and event log here.")] = None,
    config: ConfigOption = None,
    report: Annotated[Path, typer.Option("--report", help="Where to write the HTML report.")] = REPORT,
    json: JsonOption = None,
) -> None:
    """Watch the whole job: discover, scan, open, collect funding, close, rotate, survive a kill; then a report."""
    if days <= 0:
        raise ConfigError(f"--days {days:g}: allowed is more than 0")
    with ExitStack() as stack:
        folder = home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hedgerow-demo-")))
        place = Home(folder=folder, mode=HomeMode.DEMO)
        place.prepare()
        _begin_anew(place)
        settings = read_settings(place, config)
        tape = demo_tape(data, seed=seed, pairs=pairs, start=time_option("--start", start), days=days)
        plan = DemoPlan(
            tape=tape,
            days=days,
            seed=seed,
            speed=speed_option(speed),
            parameters=settings.parameters,
            usdt=money_option("--usdt", usdt, least=Decimal(100)),
            home=place,
        )
        quiet = json is not None and str(json) == "-"
        result = _watched(plan, stack, quiet=quiet)
    _write_page(report, result)
    write_json(json, as_json(result))
    if not quiet:
        for line in report_lines(result):
            console().print(line, markup=False, highlight=False)
        console().print(f"Report: {report}", markup=False, highlight=False)


def _watched(plan: DemoPlan, stack: ExitStack, *, quiet: bool) -> RunReport:
    configure_logging(plan.home.log, console=not quiet)
    stack.callback(close_logging)
    # Beside the words on a terminal a moving bar would garble both.
    progress = stack.enter_context(ProgressListener(start=plan.start, end=plan.end, terminal=None if quiet else False))
    return play_demo(plan, (LogListener(), progress))


def _begin_anew(place: Home) -> None:
    """Remove what an earlier demo left in this folder; the live bot's files have other names."""
    for path in (place.events, place.state, place.log):
        for leftover in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            leftover.unlink(missing_ok=True)


def _write_page(target: Path, result: RunReport) -> None:
    try:
        target.write_text(html_page(result), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--report {target} cannot be written: {error.strerror or error}") from error
