"""``hedgerow halt`` and ``hedgerow resume``: block openings, allow them again."""

from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.operator_request import ask, refuse_broken_settings
from hedgerow.cli.common import (
    ConfigOption,
    DryRunOption,
    HomeOption,
    PaperOption,
    StoreOption,
    ValidForOption,
    answered,
    home_of,
    warn_of_broken_settings,
)
from hedgerow.cli.running import logged
from hedgerow.config import Home
from hedgerow.domain.operator_requests import VALID_SECONDS, HaltRequested, Request, ResumeRequested

__all__ = ["halt", "resume"]


def halt(  # noqa: PLR0913 - one parameter per option
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept in the log and shown by status.")] = "",
    valid_for: ValidForOption = VALID_SECONDS,
) -> int:
    """Block openings until resumed; a held position is still watched and closed by its rules."""
    place = home_of(home, paper=paper, dry_run=dry_run, store=store)
    return _send(place, config, HaltRequested(detail=reason), valid_for)


def resume(
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    valid_for: ValidForOption = VALID_SECONDS,
) -> int:
    """Allow openings again, for any reason of the halt."""
    place = home_of(home, paper=paper, dry_run=dry_run, store=store)
    return _send(place, config, ResumeRequested(), valid_for)


def _send(place: Home, config: Path | None, request: Request, seconds: float) -> int:
    warn_of_broken_settings(refuse_broken_settings(place, config))
    with logged(place, console=False) as observers:
        return answered(ask(place, config, request, observers, seconds=seconds), place)
