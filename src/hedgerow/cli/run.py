"""``hedgerow run``: trade until stopped."""

import asyncio
from contextlib import ExitStack
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.session import open_session, read_settings
from hedgerow.app.storage.select import wait_until_reachable
from hedgerow.app.venues.connection import VenueAccess
from hedgerow.app.venues.select import venue_access
from hedgerow.cli.arguments import money_option, speed_option
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import ConfigOption, HomeOption, MaPeriodsOption, StoreOption, echo, home_of
from hedgerow.cli.running import logged, run_bot
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode, Settings
from hedgerow.domain.errors import ConfigError
from hedgerow.engine.runner import RunOptions

__all__ = ["run"]


class LogFormat(StrEnum):
    """How lines are written on standard output."""

    TEXT = "text"
    JSON = "json"


def run(  # noqa: PLR0913 - one parameter per option
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: Annotated[
        bool, typer.Option("--paper", help="Trade on the home folder's own exchange: no key, no money, no network.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the live market, trade on an emulated account; needs no key.")
    ] = False,
    store: StoreOption = None,
    once: Annotated[bool, typer.Option("--once", help="One check, then exit; a position stays open.")] = False,
    ma_periods: MaPeriodsOption = None,
    defaults: Annotated[
        bool,
        typer.Option("--defaults", help="Run without a configuration file: on the guide's defaults, with no cap."),
    ] = False,
    close_on_exit: Annotated[
        bool, typer.Option("--close-on-exit", help="Close the position when the bot stops, instead of keeping it.")
    ] = False,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="Lines on standard output: text, or one JSON object a line.")
    ] = LogFormat.TEXT,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Also show the bot in a browser, from a thread of its own.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", metavar="P", min=0, max=65535, help="Port of --dashboard; 0 takes a free one.")
    ] = 8765,
    venue_clock: Annotated[
        bool, typer.Option("--venue-clock", help="Follow the clock of hedgerow emulator in lockstep.")
    ] = False,
    speed: Annotated[
        str | None, typer.Option("--speed", metavar="N|max", help="Paper: simulated seconds per real second, or max.")
    ] = None,
    usdt: Annotated[
        str | None, typer.Option("--usdt", metavar="N", help="Balance of a new emulated account; 1000 unless given.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Market of a new paper exchange; 1 unless given.")
    ] = None,
) -> int:
    """Run the bot in the foreground until Ctrl-C or SIGTERM: live, or with --paper or --dry-run without any risk."""
    place = home_of(home, paper=paper, dry_run=dry_run, store=store)
    settings = read_settings(place, config, ma_periods)
    options = RunOptions(
        once=once,
        close_on_exit=close_on_exit,
        interval_seconds=settings.parameters.position_management.loop_interval_seconds,
    )
    access = _access(place, {"--speed": speed, "--usdt": usdt, "--seed": seed}, venue_clock=venue_clock)
    _refuse_doubtful_limits(place, settings, defaults=defaults)
    asyncio.run(wait_until_reachable(place, SystemClock(), lambda text: echo(f"hedgerow: {text}", err=True)))
    with ExitStack() as stack:
        session = stack.enter_context(open_session(place, settings, access))
        observers = stack.enter_context(logged(place, console=True, json=log_format is LogFormat.JSON))
        if dashboard:
            _serve(place, port, stack)
        try:
            bot = run_bot(session, options, observers)
        except KeyboardInterrupt:
            return ExitCode.FAILED
    if once and bot.cycle.incomplete:
        return ExitCode.FAILED
    return ExitCode.HALTED if bot.journal.ledger.halt else ExitCode.DONE


def _serve(place: Home, port: int, stack: ExitStack) -> None:
    """Show the bot in a browser until the stack closes."""
    from hedgerow.app.commands.dashboard import serving_dashboard  # noqa: PLC0415 - imported only when used
    from hedgerow.cli.dashboard import show_address  # noqa: PLC0415 - as above
    from hedgerow.clock import SystemClock  # noqa: PLC0415 - as above
    from hedgerow.web.access import Role  # noqa: PLC0415 - as above
    from hedgerow.web.server import ServerOptions  # noqa: PLC0415 - as above

    server = stack.enter_context(serving_dashboard((place,), ServerOptions(port=port), SystemClock()))
    show_address(server, place.folder, Role.OPERATOR)


def _refuse_doubtful_limits(home: Home, settings: Settings, *, defaults: bool) -> None:
    """Refuse to start where the limits in force may not be those that the user expects.

    Raises:
        ConfigError: a live bot has no configuration, or --defaults is given together with one.
    """
    if defaults and settings.source is not None:
        raise ConfigError(f"--defaults: {settings.source} is there and would be ignored; leave out one of them")
    if home.mode is HomeMode.LIVE and settings.source is None and not defaults:
        raise ConfigError(
            f"{home.config} not found: with real money the bot needs its configuration; hedgerow init writes one,"
            " --config names another file, --defaults runs on the guide's defaults, which have no cap on capital"
        )


def _access(home: Home, given: dict[str, str | int | None], *, venue_clock: bool) -> VenueAccess:
    """Return the access to the exchange.

    Raises:
        ConfigError: an option does not fit it, or it cannot be used.
    """
    speed, usdt, seed = given["--speed"], given["--usdt"], given["--seed"]
    pace = speed_option(str(speed or 1))
    money = None if usdt is None else money_option("--usdt", str(usdt), least=Decimal(1))
    named = [name for name, value in given.items() if value is not None]
    allowed = {HomeMode.PAPER: ("--speed", "--usdt", "--seed"), HomeMode.DRY_RUN: ("--usdt",)}.get(home.mode, ())
    misplaced = [name for name in named if name not in allowed]
    if misplaced:
        kinds = "--paper or --dry-run" if misplaced[0] == "--usdt" else "--paper"
        raise ConfigError(f"{misplaced[0]} belongs to {kinds}: the live market has its own")
    if venue_clock and home.mode is HomeMode.PAPER:
        raise ConfigError("--venue-clock follows hedgerow emulator; --paper has a clock of its own: --speed")
    kept = [name for name in named if name != "--speed"]
    if kept and home.exchange.exists():
        typer.echo(f"hedgerow: {home.exchange} exists: its account is used, {' and '.join(kept)} ignored", err=True)
    return venue_access(home, speed=pace, usdt=money, seed=None if seed is None else int(seed), lockstep=venue_clock)
