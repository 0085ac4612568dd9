"""What the commands share: options, the home folder, tables, JSON."""

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from hedgerow.cli.codes import Exit
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.config.home import HomeMode
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.money import plain
from hedgerow.domain.requests import Answer
from hedgerow.domain.run_identity import RunIdentity

__all__ = [
    "ConfigOption",
    "DryRunOption",
    "HomeOption",
    "JsonOption",
    "MaPeriodsOption",
    "PaperOption",
    "YesOption",
    "answered",
    "home_of",
    "is_stdout",
    "json_money",
    "others_here",
    "refuse_unwritable",
    "say",
    "show_table",
    "write_json",
    "write_text",
]

HomeOption = Annotated[
    Path, typer.Option("--home", metavar="DIR", help="Folder with the bot's configuration, state, log and event log.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Configuration file instead of the one in the home folder."),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the result as JSON to this file; - is standard output.", allow_dash=True
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Mean the dry run's own position, log and state.")]
PaperOption = Annotated[bool, typer.Option("--paper", help="Mean the paper bot and the home folder's own exchange.")]
MaPeriodsOption = Annotated[
    int | None,
    typer.Option("--ma-periods", metavar="N", help="Settled rates in the moving average, instead of the file's."),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]

UNWRAPPED = 10_000
"""Columns of a table when the output is no terminal: what a program reads must not depend on anybody's screen."""


def home_of(folder: Path, *, paper: bool = False, dry_run: bool = False) -> Home:
    """Return the home in ``folder``, which need not be there yet.

    Raises:
        ConfigError: something that is no folder is in its place, it may not be entered, or two bots are meant at once.
    """
    if paper and dry_run:
        raise ConfigError("--paper and --dry-run are two different bots: give one of them")
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--home {folder}: is a file; allowed is a folder, or a name that is still free")
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigError(f"--home {folder}: this folder may not be read by you")
    return Home(folder=folder, mode=_mode(paper=paper, dry_run=dry_run))


def others_here(home: Home) -> str:
    """Return a hint at the other bots that have run in this folder; empty when there are none."""
    flags = {HomeMode.LIVE: "the live bot: without --paper and --dry-run"}
    flags |= {HomeMode.PAPER: "a paper bot: --paper", HomeMode.DRY_RUN: "a dry run: --dry-run"}
    others = [Home(folder=home.folder, mode=mode) for mode in flags if mode is not home.mode]
    found = [flags[other.mode] for other in others if other.events.exists()]
    return f" ({'; '.join(found)} has run here)" if found else ""


def _mode(*, paper: bool, dry_run: bool) -> HomeMode:
    if paper:
        return HomeMode.PAPER
    return HomeMode.DRY_RUN if dry_run else HomeMode.LIVE


def say(text: str, *, style: str | None = None) -> None:
    """Print a line for people: as it is, never wrapped, in colour on a terminal only."""
    Console(highlight=False, soft_wrap=True).print(text, style=style, markup=False)


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; headings that end in a blank mark columns aligned to the right: they and the first never fold."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=box.SIMPLE_HEAD)
    for index, column in enumerate(columns):
        number = column.endswith(" ")
        whole = number or index == 0
        table.add_column(column.rstrip(), justify="right" if number else "left", no_wrap=whole, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if sys.stdout.isatty():
        Console().print(table)
        return
    wide = Console(width=UNWRAPPED)
    with wide.capture() as drawn:
        wide.print(table)
    typer.echo("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def json_money(value: Decimal | None) -> str | None:
    """Return money as JSON carries it: a plain decimal string."""
    return None if value is None else plain(value)


def is_stdout(target: Path | None) -> bool:
    """Tell whether standard output belongs to JSON alone."""
    return target is not None and str(target) == "-"


def write_json(target: Path | None, document: Any, identity: RunIdentity, *, prefix: str = "") -> None:
    """Write a result as JSON where the user asked for it, with its time and the bot that it is about.

    A list has no place for that but its rows; keys of the result itself are never replaced. ``prefix`` begins the names
    of the added keys.

    Raises:
        ConfigError: the file cannot be written.
    """
    if target is None:
        return
    text = msgspec.json.format(msgspec.json.encode(_named(document, identity, prefix)), indent=2).decode() + "\n"
    if is_stdout(target):
        sys.stdout.write(text)
    else:
        write_text("--json", target, text)


def _named(document: Any, identity: RunIdentity, prefix: str) -> Any:
    facts = {
        "time": SystemClock().now(),
        "version": identity.version,
        "mode": identity.mode,
        "network": identity.network,
        "account": identity.account,
        "home": identity.home,
        "config_file": identity.config_file,
        "capital_fraction": plain(identity.capital_fraction),
        "max_capital_usd": json_money(identity.max_capital_usd),
    }
    named = {f"{prefix}{key}": value for key, value in facts.items()}
    built = msgspec.to_builtins(document)
    return [{**named, **row} for row in built] if isinstance(built, list | tuple) else {**named, **built}


def write_text(option: str, target: Path, text: str) -> None:
    """Write a file that the user named with ``option``.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{option} {target} cannot be written: {error.strerror or error}") from error


def refuse_unwritable(option: str, target: Path | None) -> None:
    """Find out before long work whether its result can be kept.

    Raises:
        ConfigError: ``target`` is a folder, or cannot be written.
    """
    if target is None or is_stdout(target):
        return
    folder = target.absolute().parent
    if target.is_dir():
        problem = "Is a directory"
    elif not folder.is_dir():
        problem = "there is no such folder"
    elif not os.access(target if target.exists() else folder, os.W_OK):
        problem = "Permission denied"
    else:
        return
    raise ConfigError(f"{option} {target} cannot be written: {problem}")


def answered(answer: Answer) -> Exit:
    """Print how a request ended and return the exit code."""
    typer.echo(answer.text, err=not answer.done)
    return Exit.DONE if answer.done else Exit.FAILED
