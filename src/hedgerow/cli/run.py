"""``hedgerow run``: farm until told to stop."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.paper import PaperTerms
from hedgerow.app.session import open_session, read_settings
from hedgerow.cli.arguments import money_option, speed_option
from hedgerow.cli.codes import Exit
from hedgerow.cli.common import ConfigOption, HomeOption, MaPeriodsOption, home_of
from hedgerow.cli.running import run_bot, spoken
from hedgerow.config import Home
from hedgerow.engine.runner import RunOptions

__all__ = ["run"]


def run(  # noqa: PLR0913 - one parameter per option
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Trade on paper only, with a position, log and state of its own.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="One check, then exit; a position stays open.")] = False,
    ma_periods: MaPeriodsOption = None,
    close_on_exit: Annotated[
        bool, typer.Option("--close-on-exit", help="Close the position when the bot stops, instead of keeping it.")
    ] = False,
    speed: Annotated[
        str, typer.Option("--speed", metavar="N|max", help="Simulated seconds per real second; max = no waiting.")
    ] = "1",
    usdt: Annotated[
        str | None, typer.Option("--usdt", metavar="N", help="Balance of a new paper account; 1000 unless given.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Market of a new paper account; 1 unless given.")
    ] = None,
) -> int:
    """Run the bot in the foreground, on the paper exchange of the home folder, until Ctrl-C or SIGTERM."""
    place = home_of(home, dry_run=dry_run)
    settings = read_settings(place, config, ma_periods)
    options = RunOptions(
        once=once,
        close_on_exit=close_on_exit,
        interval_seconds=settings.parameters.position_management.loop_interval_seconds,
    )
    terms, pace = _terms(place, usdt, seed), speed_option(speed)
    with open_session(place, settings, terms=terms, speed=pace) as session, spoken(place, console=True) as listeners:
        try:
            bot = run_bot(session, options, listeners)
        except asyncio.CancelledError:
            return Exit.FAILED
    return Exit.HALTED if bot.journal.ledger.halt else Exit.DONE


def _terms(home: Home, usdt: str | None, seed: int | None) -> PaperTerms:
    given = [name for name, value in (("--usdt", usdt), ("--seed", seed)) if value is not None]
    if given and home.exchange.exists():
        typer.echo(f"hedgerow: {home.exchange} exists: its account goes on, {' and '.join(given)} unused", err=True)
    default = PaperTerms()
    return PaperTerms(
        seed=default.seed if seed is None else seed,
        usdt=default.usdt if usdt is None else money_option("--usdt", usdt, least=Decimal(1)),
    )
