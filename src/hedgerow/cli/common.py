"""What the commands share: options, tables, JSON, exit codes."""

import sys
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from hedgerow.config import Home
from hedgerow.config.home import HomeMode
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.money import plain
from hedgerow.domain.requests import Answer

__all__ = [
    "ConfigOption",
    "Exit",
    "HomeOption",
    "JsonOption",
    "YesOption",
    "answered",
    "console",
    "home_of",
    "json_money",
    "money_option",
    "show_table",
    "speed_option",
    "time_option",
    "write_json",
]

HomeOption = Annotated[Path, typer.Option("--home", help="Folder with the bot's config, state, log and event log.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Configuration file instead of the one in the home folder.")
]
JsonOption = Annotated[
    Path | None,
    typer.Option("--json", help="Write the result as JSON to this file; - is standard output.", allow_dash=True),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]

TABLE_WIDTH = 200
"""Columns of a table when the output is no terminal: lines must not depend on a terminal's width."""


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    HALTED = 3


def console() -> Console:
    """Return the console for people; off a terminal it neither wraps nor colours."""
    terminal = sys.stdout.isatty()
    return Console(width=None if terminal else TABLE_WIDTH, soft_wrap=not terminal)


def home_of(folder: Path, *, dry_run: bool = False) -> Home:
    """Return the home in ``folder``."""
    return Home(folder=folder, mode=HomeMode.DRY_RUN if dry_run else HomeMode.LIVE)


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; columns whose heading ends in a blank are aligned to the right."""
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE)
    for column in columns:
        number = column.endswith(" ")
        table.add_column(column.rstrip(), justify="right" if number else "left", no_wrap=number, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def json_money(value: Decimal | None) -> str | None:
    """Return money as JSON carries it: a plain decimal string."""
    return None if value is None else plain(value)


def write_json(target: Path | None, document: Any) -> None:
    """Write a result as JSON where the user asked for it.

    Raises:
        ConfigError: the file cannot be written.
    """
    if target is None:
        return
    text = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    if str(target) == "-":
        sys.stdout.write(text.decode())
        return
    try:
        target.write_bytes(text)
    except OSError as error:
        raise ConfigError(f"--json {target} cannot be written: {error.strerror or error}") from error


def money_option(name: str, text: str, *, least: Decimal) -> Decimal:
    """Return an amount given on the command line.

    Raises:
        ConfigError: it is no number, or below ``least``.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ConfigError(f"{name} {text}: not a number; allowed: at least {least}") from error
    if not amount.is_finite() or amount < least:
        raise ConfigError(f"{name} {text}: allowed is at least {least}")
    return amount


def speed_option(text: str) -> float | None:
    """Return simulated seconds per real second; None for ``max``.

    Raises:
        ConfigError: it is neither ``max`` nor a positive number.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError as error:
        raise ConfigError(f"--speed {text}: allowed are max or a positive number") from error
    if not 0 < speed < float("inf"):
        raise ConfigError(f"--speed {text}: allowed are max or a positive number")
    return speed


def time_option(name: str, text: str) -> datetime:
    """Return a time given as an ISO date or time; UTC unless it says otherwise.

    Raises:
        ConfigError: it is no ISO date.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{name} {text}: allowed is a date such as 2024-11-01") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def answered(answer: Answer) -> Exit:
    """Print how a request ended and return the exit code."""
    typer.echo(answer.text, err=not answer.done)
    return Exit.DONE if answer.done else Exit.FAILED
