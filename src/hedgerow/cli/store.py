"""``hedgerow store``: the database of many bots: set up, upgrade, copy a log, take an account from a bot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedgerow.app.storage.select import database_of, log_name
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import DryRunOption, HomeOption, PaperOption, StoreOption, YesOption, home_of, say
from hedgerow.config import Database, Home
from hedgerow.domain.errors import ConfigError

if TYPE_CHECKING:
    from hedgerow.app.storage.database import DatabaseStorage

__all__ = ["store"]

store = typer.Typer(
    name="store",
    help="The database of many bots (docs/fleet.md).",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@store.command()
def upgrade(home: HomeOption = Path(), *, address: StoreOption = None) -> int:
    """Set up the tables of the database, or bring those of an older version up to this one."""
    shown, database = _database(home_of(home, store=address))
    before, after = database.upgrade()
    say(f"{shown}: schema {after} already" if before == after else f"{shown}: schema {before} upgraded to {after}")
    return ExitCode.DONE


@store.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The log: a file, or postgresql://...")],
    target: Annotated[str, typer.Argument(metavar="DST", help="Where to: a new file, or postgresql://...")],
    home: HomeOption = Path(),
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
) -> int:
    """Copy the event log of this home's bot between a file and a database, and compare every event; no bot may run."""
    from hedgerow.app.storage.copy import copy_log, place_of  # noqa: PLC0415 - needs the driver

    place = home_of(home, paper=paper, dry_run=dry_run)
    ends = place_of(source), place_of(target)
    count = copy_log(place, *ends)
    names = [end.shown if isinstance(end, Database) else str(end) for end in ends]
    say(f"{count:,} events copied from {names[0]} to {names[1]}: every event and their fold compared, no difference")
    return ExitCode.DONE


@store.command()
def fence(
    home: HomeOption = Path(),
    *,
    address: StoreOption = None,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> int:
    """Take the account from the bot that holds it, wherever it runs: it sends nothing more, and ends."""
    _, database = _database(home_of(home, paper=paper, dry_run=dry_run, store=address))
    if not yes:
        typer.confirm("The bot ends where it is, a trade at work included. Go on?", abort=True, err=True)
    say(f"{database.fence()}: the fence is raised; the bot that held it sends nothing more and ends")
    return ExitCode.DONE


def _database(home: Home) -> "tuple[str, DatabaseStorage]":
    found = database_of(home)
    if found is None:
        raise ConfigError("no database is named: --store postgresql://USER@HOST/NAME, or HEDGEROW_DATABASE")
    return log_name(home), found
