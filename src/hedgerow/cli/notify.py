"""``hedgerow notify``: alerts and commands of one bot, from a process of its own."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hedgerow.app.companion.hosting import NO_TARGET, opening_line
from hedgerow.app.companion.parts import companion_of, settings_of
from hedgerow.app.companion.trial import send_tests
from hedgerow.app.signals import on_stop_signals
from hedgerow.cli.codes import ExitCode
from hedgerow.cli.common import (
    ConfigOption,
    DemoOption,
    DryRunOption,
    HomeOption,
    PaperOption,
    StoreOption,
    home_of,
    say,
)
from hedgerow.cli.companion import CompanionLines, login_of
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError
from hedgerow.notify.settings import NotifySettings
from hedgerow.store.account_lock import CompanionLock

__all__ = ["notify"]


def notify(  # noqa: PLR0913 - one parameter per option
    home: HomeOption = Path(),
    config: ConfigOption = None,
    *,
    paper: PaperOption = False,
    dry_run: DryRunOption = False,
    demo: DemoOption = False,
    store: StoreOption = None,
    test: Annotated[bool, typer.Option("--test", help="Send one test message to each target, and exit.")] = False,
) -> int:
    """Send the bot's alerts to phones and other targets, and carry out commands from Telegram; never trades.

    Reads the log and the heartbeat of the home; needs no exchange key. It runs on when the bot has died, and says so.
    """
    place = home_of(home, paper=paper, dry_run=dry_run, demo=demo, store=store)
    settings = settings_of(place)
    if not settings.targets:
        raise ConfigError(NO_TARGET)
    place.prepare()
    if test:
        return asyncio.run(_tested(place, config))
    log = CompanionLines(place.notify_log)
    with CompanionLock(place.notify):
        asyncio.run(_run(place, config, settings, log))
        log.write("The companion ends.")
    return ExitCode.DONE


async def _run(place: Home, config: Path | None, settings: NotifySettings, log: CompanionLines) -> None:
    """Run until a signal ends it; from its first line on a signal ends it in order."""
    stopped = asyncio.Event()
    on_stop_signals(stopped.set)
    log.write(opening_line(settings))
    async with companion_of(place, config=config, log=log.write, login=login_of(place)) as parts:
        running, stopping = asyncio.ensure_future(parts.run()), asyncio.ensure_future(stopped.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def _tested(place: Home, config: Path | None) -> ExitCode:
    """Send a test message to each target; the exit code is 1 where one did not take it."""
    results = await send_tests(place, config)
    for result in results:
        say(result.line)
    return ExitCode.DONE if all(result.arrived for result in results) else ExitCode.FAILED
