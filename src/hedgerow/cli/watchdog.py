"""``hedgerow watchdog``: watch a live bot from a process of its own."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.commands.watchdog import Pulse, Watchdog, WatchdogLog
from hedgerow.app.signals import on_stop_signals
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import ConfigOption, HomeOption, home_of, say, settings_with_warning
from hedgerow.clock import SystemClock
from hedgerow.domain.errors import ConfigError
from hedgerow.engine.runner import StopSignal

__all__ = ["watchdog"]

LEAST_SECONDS, MOST_SECONDS = 5.0, 86_400.0


def watchdog(
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    after: Annotated[
        float, typer.Option("--after", metavar="SECONDS", help="Silence after which the bot counts as crashed.")
    ] = 60.0,
    once: Annotated[
        bool, typer.Option("--once", help="Exit as soon as the bot's state is known; exit code 1: it does not run.")
    ] = False,
) -> int:
    """Cancel the resting spot orders of a live bot that has crashed or hangs, and alarm; never trades."""
    place = home_of(home)
    settings_with_warning(place, config)
    if not LEAST_SECONDS <= after <= MOST_SECONDS:
        raise ConfigError(f"--after {after:g}: allowed is a number from {LEAST_SECONDS:g} to {MOST_SECONDS:g}")
    place.prepare()
    clock = SystemClock()
    dog = Watchdog(place, clock, WatchdogLog(place.watchdog, clock, say), after_seconds=after)
    pulse = asyncio.run(_watch(dog, once=once))
    if once:
        say(f"The bot is {pulse.value}.")
    return ExitCode.FAILED if once and pulse is Pulse.DEAD else ExitCode.DONE


async def _watch(dog: Watchdog, *, once: bool) -> Pulse:
    stop = StopSignal()
    on_stop_signals(stop.set)
    return await dog.run(stop, once=once)
