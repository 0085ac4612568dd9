"""``hedgerow adopt``: take a position found on the exchange into the ledger."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.ask import ask
from hedgerow.cli.common import ConfigOption, DryRunOption, HomeOption, answered, home_of
from hedgerow.cli.running import spoken
from hedgerow.domain.requests import AdoptRequested

__all__ = ["adopt"]


def adopt(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="The pair, for example ETHUSDT.")],
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    dry_run: DryRunOption = False,
) -> int:
    """Adopt SYMBOL: as many coins as its short needs become the bot's, the rest stays yours."""
    place = home_of(home, dry_run=dry_run)
    with spoken(place, console=False) as listeners:
        answer = asyncio.run(ask(place, config, AdoptRequested(symbol=symbol.upper()), listeners))
    return answered(answer)
