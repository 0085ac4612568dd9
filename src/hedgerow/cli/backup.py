"""``hedgerow backup``: a copy of the event log, also while the bot runs."""

from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.backup import back_up
from hedgerow.app.storage.select import log_name
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import DryRunOption, HomeOption, PaperOption, StoreOption, home_of, say

__all__ = ["backup"]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the copy; must not exist yet.")],
    home: HomeOption = Path(),
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
) -> int:
    """Copy the event log to FILE, whole and in one file, also while the bot runs and out of a database; reads only."""
    place = home_of(home, paper=paper, dry_run=dry_run, store=store)
    events = back_up(place, file)
    say(f"{log_name(place)}: {events:,} events copied to {file}")
    return ExitCode.DONE
