"""``hedgerow backup``: a copy of the event log, also while the bot runs."""

from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.backup import back_up
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import DryRunOption, HomeOption, PaperOption, home_of, say

__all__ = ["backup"]


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the copy; must not exist yet.")],
    home: HomeOption = Path(),
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
) -> int:
    """Copy the event log to FILE, whole and in one file, also while the bot runs; reads only."""
    place = home_of(home, paper=paper, dry_run=dry_run)
    events = back_up(place, file)
    say(f"{place.events}: {events:,} events copied to {file}")
    return ExitCode.DONE
