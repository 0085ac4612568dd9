"""Runs companions in a thread of their own, beside a server that never waits for an alert or for a command."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final, cast

from msgspec import Struct

from hedgerow.app.companion.parts import CompanionParts, companion_of, settings_of
from hedgerow.clock import SystemClock
from hedgerow.config import Home
from hedgerow.domain.errors import ConfigError, HedgerowError
from hedgerow.notify.settings import NotifySettings, Secret
from hedgerow.serving_thread import ServingThread
from hedgerow.store.account_lock import CompanionLock

__all__ = ["NO_TARGET", "HostedCompanion", "companions_beside", "hosted_home", "opening_line"]

NO_TARGET: Final = (
    "no target: set HEDGEROW_TELEGRAM_TOKEN with HEDGEROW_TELEGRAM_CHATS, or HEDGEROW_APPRISE_URLS, in the environment"
    " or in .env (docs/alerts.md)"
)
PAUSE_SECONDS: Final = 10.0
"""Before a companion that failed begins again."""


class HostedCompanion(Struct, frozen=True, kw_only=True):
    """The companion of one bot, not opened yet."""

    settings: NotifySettings
    state: Path
    """File of what was read and sent: one process holds it."""
    log: Callable[[str], None]
    opened: Callable[[], AbstractAsyncContextManager[CompanionParts]]
    unread: str = ""
    """Why its commands from Telegram are not read; empty = they are."""


def hosted_home(home: Home, *, log: Callable[[str], None], login: Callable[[str], str | None]) -> HostedCompanion:
    """Return the companion of a home; ``login`` makes a link into the screen.

    Raises:
        ConfigError: a variable cannot be used.
    """
    return HostedCompanion(
        settings=settings_of(home),
        state=home.notify,
        log=log,
        opened=lambda: companion_of(home, log=log, login=login),
    )


def opening_line(settings: NotifySettings) -> str:
    """Return where alerts go and how many may command."""
    telegram = settings.telegram
    users = len(telegram.users) if telegram else 0
    who = f"{users} user{'s' if users > 1 else ''} may command" if users else "no one may command"
    return f"Alerts go to {', '.join(settings.targets)}; {who}"


@contextmanager
def companions_beside(companions: Sequence[HostedCompanion]) -> Generator[None]:
    """Send the alerts of these bots from a thread of its own while the context lasts.

    A bot without a target sends none. Where bots share a Telegram bot, commands reach the first of them alone, as
    Telegram gives them to one reader.

    Raises:
        AccountBusy: another process sends the alerts of one of them.
        ConfigError: none has a target.
    """
    sending = [each for each in companions if each.settings.targets]
    if not sending:
        raise ConfigError(NO_TARGET)
    with ExitStack() as stack:
        for each in sending:
            stack.enter_context(CompanionLock(each.state))
        stack.enter_context(ServingThread(_Hosting(sending).serve, name="companions"))
        yield


class _Hosting:
    def __init__(self, sending: Sequence[HostedCompanion]) -> None:
        self._sending = sending

    async def serve(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        readers: set[Secret] = set()
        async with asyncio.TaskGroup() as tasks:
            running: list[asyncio.Task[None]] = []
            for each in self._sending:
                each.log(opening_line(each.settings))
                token = each.settings.telegram.token if each.settings.telegram else None
                unread = each.unread or ("another bot here has the same token" if token in readers else "")
                if token is not None:
                    readers.add(token)
                    if unread:
                        each.log(f"Its commands from Telegram are not read: {unread}")
                running.append(tasks.create_task(_for_ever(each, commands=not unread)))
            started()
            await stop.wait()
            for task in running:
                task.cancel()


async def _for_ever(hosted: HostedCompanion, *, commands: bool) -> None:
    while True:
        try:
            async with hosted.opened() as parts:
                await (parts.run() if commands else parts.companion.run())
        except Exception as error:  # noqa: BLE001 - the other companions and the server go on
            hosted.log(f"The companion failed and begins again in {PAUSE_SECONDS:.0f} s: {_reason(error)}")
        await SystemClock().sleep(PAUSE_SECONDS)


def _reason(error: Exception) -> str:
    """Return what failed; of an error that is not ours the type alone, as its text may hold a secret."""
    if isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        return "; ".join(map(_reason, group.exceptions))
    return str(error) if isinstance(error, HedgerowError) else type(error).__name__
