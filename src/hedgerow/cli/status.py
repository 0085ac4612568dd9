"""``hedgerow status``: hedged or not, the result of closing now, whether a bot runs, and what comes next."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from hedgerow.app.bot_view import Look, look_at_bot
from hedgerow.app.home_past import HomePast
from hedgerow.app.identity import identity_of
from hedgerow.app.session import settings_or_defaults
from hedgerow.app.storage.select import log_name
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import (
    ConfigOption,
    DemoOption,
    DryRunOption,
    HomeOption,
    JsonOption,
    PaperOption,
    StoreOption,
    bot_inputs,
    home_of,
    is_stdout,
    others_here,
    refuse_outputs,
    say,
    warn_of_broken_settings,
    write_json,
)
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.dashboard.bot_state import BotState, ProcessState, Severity
from hedgerow.dashboard.status_document import status_document
from hedgerow.dashboard.status_lines import BotView, StatusLine, status_lines
from hedgerow.dashboard.terminal_cards import day_card, exits_card
from hedgerow.dashboard.view import view_of_bot
from hedgerow.domain.errors import ConfigError, StoreError
from hedgerow.domain.formats import utc_second
from hedgerow.domain.run_identity import RunIdentity

__all__ = ["exit_of", "status"]

WATCH_SECONDS = 2.0
UNWELL = frozenset({BotState.STOPPED, BotState.DOWN, BotState.BLIND, BotState.NAKED})
LABEL = 10
"""Columns of a label and the blanks behind it."""
STYLES = {Severity.OK: "", Severity.BUSY: "cyan", Severity.WARNING: "yellow", Severity.ALARM: "bold red"}


def status(  # noqa: PLR0913 - one parameter per option
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    demo: DemoOption = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every two seconds, until Ctrl-C.")] = False,
    json: JsonOption = None,
) -> int:
    """Show whether it is hedged, the result of closing now, whether a bot runs, what comes next; changes nothing.

    Reads the log without writing anything, also while the bot runs and from a read-only disk. Exit codes: 0 a bot runs
    and is well, 1 none runs, or it cannot read the exchange, or a leg is naked, 3 openings are halted.
    """
    place = home_of(home, paper=paper, dry_run=dry_run, demo=demo, store=store)
    if watch and (json is not None or not sys.stdout.isatty()):
        raise ConfigError("--watch draws on a terminal: not together with --json, nor into a file or a pipe")
    refuse_outputs({"--json": json}, bot_inputs(place, config))
    settings, broken = settings_or_defaults(place, config)
    warn_of_broken_settings(broken)
    identity = identity_of(place, settings)
    if watch:
        with suppress(KeyboardInterrupt):
            asyncio.run(_watched(place, identity))
        return ExitCode.DONE
    look = asyncio.run(look_at_bot(place, SystemClock()))
    identity = _of_the_run(look.view, identity, known=not broken)
    write_json(json, status_document(look.view), identity)
    if not is_stdout(json):
        _print(place, look, identity)
    return exit_of(look.view)


def exit_of(view: BotView) -> ExitCode:
    """Return 1 for a bot that crashed or hangs, 3 for halted openings, 1 for any other bot that is not well, else 0."""
    state = view.report.state
    if state is BotState.DOWN:
        return ExitCode.FAILED
    if view.ledger.halt is not None:
        return ExitCode.HALTED
    return ExitCode.FAILED if state in UNWELL else ExitCode.DONE


def _of_the_run(view: BotView, identity: RunIdentity, *, known: bool = True) -> RunIdentity:
    """Return the identity that the running bot names itself: the configuration may have changed since it started.

    That of the last run also where its settings are not ``known`` now, since their file is broken.
    """
    outlook = view.outlook
    running = view.process.state is ProcessState.RUNNING and outlook is not None and outlook.stopped_at is None
    if (known and not running) or outlook is None or outlook.identity is None:
        return identity
    return replace(outlook.identity, home=identity.home)


def _print(place: Home, look: Look, identity: RunIdentity) -> None:
    if not look.has_log:
        say(f"No log at {log_name(place)}: the bot has not run here yet{others_here(place)}.")
        return
    if sys.stdout.isatty():
        Console(highlight=False).print(_drawn(look.view, identity))
        return
    for line in status_lines(look.view, identity):
        say(f"{line.label:<{LABEL}}{line.text}")


def _drawn(view: BotView, identity: RunIdentity) -> RenderableType:
    """Return the lines as a grid: texts are wrapped at blanks and never cut."""
    grid = Table.grid(padding=(0, 0))
    grid.add_column(no_wrap=True, width=LABEL)
    grid.add_column(overflow="fold")
    for line in status_lines(view, identity):
        grid.add_row(Text(line.label, style="dim"), _text(line))
    return grid


def _text(line: StatusLine) -> Text:
    return Text(line.text, style=STYLES[line.severity])


def _cards(look: Look, past: HomePast, identity: RunIdentity) -> RenderableType:
    """Return what stands below the lines: what would make it act, and the last 24 hours where they are known."""
    view = view_of_bot(look.view, past.of(look.view), identity)
    parts = [exits_card(view)] if view.hedges else []
    if view.series is not None:
        parts.append(day_card(view))
    return Group(*parts)


async def _watched(place: Home, identity: RunIdentity) -> None:
    """Refresh until cancelled; an error that keeps the log from being read is shown in its place."""
    clock = SystemClock()
    past = HomePast(place, clock)
    with Live(console=Console(highlight=False), auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            try:
                look = await look_at_bot(place, clock)
                body: RenderableType = Text(f"No log at {log_name(place)}: the bot has not run here yet.")
                if look.has_log:
                    own = _of_the_run(look.view, identity)
                    body = Group(_drawn(look.view, own), _cards(look, past, own))
            except StoreError as error:
                body = Text(str(error))
            at = f"{utc_second(clock.now())} UTC, every {WATCH_SECONDS:g} s; Ctrl-C ends"
            live.update(Group(body, Text(at, style="dim")), refresh=True)
            await clock.sleep(WATCH_SECONDS)
