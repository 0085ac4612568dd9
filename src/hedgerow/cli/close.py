"""``hedgerow close``: leave the position now."""

import asyncio
from pathlib import Path

import typer

from hedgerow.app.ask import ask
from hedgerow.cli.common import ConfigOption, HomeOption, YesOption, answered, home_of
from hedgerow.cli.running import spoken
from hedgerow.domain.requests import CloseRequested

__all__ = ["close"]


def close(
    symbol: str | None = typer.Argument(None, help="Only if this is what is held."),
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    dry_run: bool = False,
    yes: YesOption = False,
) -> int:
    """Close the position whatever the rules say, and halt openings; works while the bot runs."""
    place = home_of(home, dry_run=dry_run)
    if not yes:
        typer.confirm("Close the position now, at the market's prices?", abort=True)
    with spoken(place, console=False) as listeners:
        answer = asyncio.run(ask(place, config, CloseRequested(symbol=symbol), listeners))
    return answered(answer)
