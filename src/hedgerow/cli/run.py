"""``hedgerow run``: farm until told to stop."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.paper import PaperTerms
from hedgerow.app.session import open_session, read_settings
from hedgerow.cli.common import ConfigOption, Exit, HomeOption, home_of, money_option, speed_option
from hedgerow.cli.running import run_bot, spoken
from hedgerow.engine.runner import RunOptions

__all__ = ["run"]


def run(  # noqa: PLR0913 - one parameter per option
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Trade on paper, with files of its own.")] = False,
    once: Annotated[bool, typer.Option("--once", help="One cycle, then exit.")] = False,
    ma_periods: Annotated[int | None, typer.Option("--ma-periods", help="Settled rates in the average.")] = None,
    close_on_exit: Annotated[bool, typer.Option("--close-on-exit", help="Close the position when stopped.")] = False,
    speed: Annotated[str, typer.Option("--speed", help="Seconds per real second, or max.")] = "1",
    usdt: Annotated[str, typer.Option("--usdt", help="Balance of a new paper account.")] = "1000",
    seed: Annotated[int, typer.Option("--seed", help="Market of a new paper account.")] = 1,
) -> int:
    """Run the bot in the foreground, on the paper exchange of the home folder, until SIGINT or SIGTERM."""
    place = home_of(home, dry_run=dry_run)
    settings = read_settings(place, config, ma_periods)
    terms = PaperTerms(seed=seed, usdt=money_option("--usdt", usdt, least=Decimal(1)))
    options = RunOptions(
        once=once,
        close_on_exit=close_on_exit,
        interval_seconds=settings.parameters.position_management.loop_interval_seconds,
    )
    with (
        open_session(place, settings, terms=terms, speed=speed_option(speed), dry_run=dry_run) as session,
        spoken(place, console=True) as listeners,
    ):
        try:
            bot = run_bot(session, options, listeners)
        except asyncio.CancelledError:
            return Exit.FAILED
    return Exit.HALTED if bot.journal.ledger.halt else Exit.DONE
