"""``hedgerow notify``: alerts and commands of one bot, from a process of its own."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

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
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.formats import utc_second
from hedgerow.notify.settings import NotifySettings
from hedgerow.store.account_lock import CompanionLock

__all__ = ["notify"]

NO_TARGET = (
    "no target: set HEDGEROW_TELEGRAM_TOKEN with HEDGEROW_TELEGRAM_CHATS, or HEDGEROW_APPRISE_URLS, in the environment"
    " or in .env (docs/alerts.md)"
)


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
    log = _Lines(place.notify_log)
    with CompanionLock(place.notify):
        asyncio.run(_run(place, config, settings, log))
        log.write("The companion ends.")
    return ExitCode.DONE


class _Lines:
    """Lines with their time, on screen and in a file; a full disk stops neither."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clock = SystemClock()

    def write(self, text: str) -> None:
        line = f"{utc_second(self._clock.now())} {text}"
        say(line)
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _begins(settings: NotifySettings) -> str:
    telegram = settings.telegram
    who = f"{len(telegram.users)} users may command" if telegram and telegram.users else "no one may command"
    return f"Alerts go to {', '.join(settings.targets)}; {who}"


async def _run(place: Home, config: Path | None, settings: NotifySettings, log: _Lines) -> None:
    """Run until a signal ends it; from its first line on a signal ends it in order."""
    stopped = asyncio.Event()
    on_stop_signals(stopped.set)
    log.write(_begins(settings))
    async with companion_of(place, config=config, log=log.write, login=_login_of(place)) as parts:
        running, stopping = asyncio.ensure_future(parts.run()), asyncio.ensure_future(stopped.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def _login_of(place: Home) -> Callable[[str], str | None]:
    """Return what makes a link into the dashboard of this home, valid once; no link where its address is not set."""
    address = settings_of(place).screen

    def login(_name: str) -> str | None:
        from hedgerow.app.commands.dashboard import make_link  # noqa: PLC0415 - for those alone who ask for one
        from hedgerow.web.access import Role  # noqa: PLC0415 - as above

        if not address:
            return None
        return f"{address}/login/{make_link(place.folder, Role.OPERATOR, SystemClock())}"

    return login


async def _tested(place: Home, config: Path | None) -> ExitCode:
    """Send a test message to each target; the exit code is 1 where one did not take it."""
    results = await send_tests(place, config)
    for result in results:
        say(result.line)
    return ExitCode.DONE if all(result.arrived for result in results) else ExitCode.FAILED
