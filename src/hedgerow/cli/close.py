"""``hedgerow close``: leave the position now."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.ask import ask
from hedgerow.app.session import read_ledger, read_settings
from hedgerow.cli.common import (
    ConfigOption,
    DryRunOption,
    HomeOption,
    PaperOption,
    YesOption,
    answered,
    home_of,
    others_here,
)
from hedgerow.cli.running import spoken
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.requests import Answer, CloseRequested

__all__ = ["close"]


def close(
    symbol: Annotated[
        str | None, typer.Argument(metavar="[SYMBOL]", help="Close only if this pair is what is held.")
    ] = None,
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> int:
    """Close the position whatever the rules say, and halt openings; works while the bot runs."""
    place = home_of(home, paper=paper, dry_run=dry_run)
    read_settings(place, config)
    held = _held(place)
    if held is None:
        return answered(Answer(done=False, text=f"No position is held{others_here(place)}."))
    if not yes:
        _confirm(held)
    with spoken(place, console=False) as listeners:
        request = CloseRequested(symbol=symbol.upper() if symbol else None)
        return answered(asyncio.run(ask(place, config, request, listeners)))


def _held(home: Home) -> str | None:
    """Return what there is to close, from the log alone: the position, or the trade in flight."""
    ledger = asyncio.run(read_ledger(home))
    if ledger is None:
        return None
    found = ledger.active or ledger.execution
    return found.symbol if found else None


def _confirm(symbol: str) -> None:
    """Ask on a terminal; typer's abort ends the command as interrupted."""
    if not sys.stdin.isatty():
        raise ConfigError("nobody can be asked here: --yes closes without asking")
    typer.confirm(f"Close {symbol} now, at the market's prices?", abort=True, err=True)
