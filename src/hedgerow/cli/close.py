"""``hedgerow close``: close the position now, also one that only the exchange still knows."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.operator_request import ask, refuse_broken_settings
from hedgerow.app.commands.orphaned_position import find_position, set_log_aside
from hedgerow.app.session import read_ledger, settings_or_defaults
from hedgerow.cli.common import (
    ConfigOption,
    DryRunOption,
    HomeOption,
    PaperOption,
    StoreOption,
    ValidForOption,
    YesOption,
    answered,
    home_of,
    others_here,
    say,
    warn_of_broken_settings,
)
from hedgerow.cli.running import logged
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError, NewerLog, StoreError
from hedgerow.domain.operator_requests import (
    VALID_SECONDS,
    Answer,
    CloseAllRequested,
    CloseRequested,
    HedgeSeen,
    Request,
)

__all__ = ["close"]


def close(  # noqa: PLR0913 - the options of a command
    symbol: Annotated[
        str | None,
        typer.Argument(
            metavar="[SYMBOL]", help="Close only if this pair is held; found on the exchange when the log is gone."
        ),
    ] = None,
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    store: StoreOption = None,
    yes: YesOption = False,
    everything: Annotated[bool, typer.Option("--all", help="Close every position.")] = False,
    valid_for: ValidForOption = VALID_SECONDS,
) -> int:
    """Close a position regardless of the rules, and halt openings; works while the bot runs, and without its log."""
    place = home_of(home, paper=paper, dry_run=dry_run, store=store)
    settings_or_defaults(place, config)  # a file that was named must be there, also where nothing is held
    named = _named(symbol, everything=everything)
    seen, damage = _held(place)
    held = next((each for each in seen if each.symbol == named), seen[0] if seen else None)
    if len(seen) > 1 and named is None:
        if not everything:
            return answered(Answer(done=False, text=_several(seen)), place)
        warn_of_broken_settings(refuse_broken_settings(place, config))
        return _close_all(place, config, seen, yes=yes, seconds=valid_for)
    if held is None and named is None:
        if damage is not None:
            raise StoreError(f"{damage}; hedgerow close SYMBOL closes what the exchange shows, with a fresh log")
        return answered(Answer(done=False, text=f"No position is held{others_here(place)}."), place)
    warn_of_broken_settings(refuse_broken_settings(place, config))
    found = held is None and named is not None
    if found and not _closable(place, named or ""):
        return answered(Answer(done=False, text="Nothing was closed."), place)
    if not yes:
        _confirm(held.symbol if held else named or "")
    if damage is not None:
        say(f"The log could not be read ({damage}): set aside as {set_log_aside(place).name}")
    return _carried_out(place, config, CloseRequested(symbol=named, take_over=found), held, seconds=valid_for)


def _named(symbol: str | None, *, everything: bool) -> str | None:
    if everything and symbol:
        raise ConfigError(f"--all closes every position, {symbol.upper()} is one: give the one or the other")
    return symbol.upper() if symbol else None


def _close_all(place: Home, config: Path | None, seen: Sequence[HedgeSeen], *, yes: bool, seconds: float) -> int:
    if not yes:
        _confirm(_symbols(seen))
    return _carried_out(place, config, CloseAllRequested(), seconds=seconds)


def _several(seen: Sequence[HedgeSeen]) -> str:
    return f"Several positions are held: {_symbols(seen)}. Name one, or close all of them with --all."


def _symbols(seen: Sequence[HedgeSeen]) -> str:
    return ", ".join(each.symbol for each in seen)


def _carried_out(
    place: Home, config: Path | None, request: Request, hedge: HedgeSeen | None = None, *, seconds: float
) -> int:
    with logged(place, console=False) as observers:
        return answered(ask(place, config, request, observers, hedge=hedge, seconds=seconds), place)


def _held(home: Home) -> tuple[list[HedgeSeen], StoreError | None]:
    """Return the positions and the trade in flight by the log alone; or why the log cannot be read.

    Raises:
        NewerLog: the log is intact, but of a newer version.
    """
    try:
        ledger = asyncio.run(read_ledger(home))
    except NewerLog:
        raise
    except StoreError as damage:
        return [], damage
    if ledger is None:
        return [], None
    hedges = ledger.live_hedges or ((ledger.execution,) if ledger.execution else ())
    return [HedgeSeen(hedge_id=each.hedge_id, symbol=each.symbol) for each in hedges], None


def _closable(place: Home, symbol: str) -> bool:
    """Print what the exchange shows; return whether there is something to close."""
    found = asyncio.run(find_position(place, symbol))
    typer.echo(found.text, err=found.closable is None)
    return found.closable is not None


def _confirm(symbol: str) -> None:
    """Ask on a terminal; typer's abort ends the command as interrupted."""
    if not sys.stdin.isatty():
        raise ConfigError("no terminal to ask on: --yes closes without asking")
    typer.confirm(f"Close {symbol} now, at the market's prices?", abort=True, err=True)
