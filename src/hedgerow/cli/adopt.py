"""``hedgerow adopt``: take a position found on the exchange into the ledger."""

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
from hedgerow.domain.operator_requests import VALID_SECONDS, AdoptRequested

__all__ = ["adopt"]


def adopt(  # noqa: PLR0913 - one parameter per option
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="The pair, for example ETHUSDT.")],
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    valid_for: ValidForOption = VALID_SECONDS,
) -> int:
    """Adopt SYMBOL: as many coins as its short needs become the bot's, the rest stays yours."""
    place = home_of(home, paper=paper, dry_run=dry_run, store=store)
    warn_of_broken_settings(refuse_broken_settings(place, config))
    with logged(place, console=False) as observers:
        answer = ask(place, config, AdoptRequested(symbol=symbol.upper()), observers, seconds=valid_for)
    return answered(answer, place)
