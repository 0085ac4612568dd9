"""Companions of the bots of one database: imported where a database is named, because the driver is an extra."""

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime
from typing import Final, TypeVar

from hedgerow.app.companion.hosting import HostedCompanion
from hedgerow.app.companion.parts import BotRequests, CompanionParts, WatchedBot, companion_for, settings_of
from hedgerow.app.fleet import FleetReader
from hedgerow.app.storage.parts import RequestBox
from hedgerow.app.venues.select import environment_of
from hedgerow.clock import SystemClock
from hedgerow.config import Database, Home
from hedgerow.dashboard.view import View, view_of_bot
from hedgerow.domain.ledger.state import Ledger
from hedgerow.notify.companion import LogPart
from hedgerow.ports import Clock
from hedgerow.store.postgres.log import BotRow

__all__ = ["FleetLog", "hosted_bots"]

MANY: Final = "a command names no bot, and this database has several; hedgerow notify reads those of one"
Found = TypeVar("Found")


class FleetLog:
    """One bot of a database, read from outside in threads: a database that is silent keeps no alert waiting."""

    def __init__(self, reader: FleetReader, bot: BotRow, lock: threading.Lock, clock: Clock) -> None:
        """``lock`` is held while ``reader`` is used: it has one connection for all bots."""
        self._reader = reader
        self._bot = bot
        self._lock = lock
        self._clock = clock
        self._began_at: datetime | None = None
        """Time of the first event, which stays: a log of a database is never replaced by another one."""

    async def read(self, after: int, limit: int) -> LogPart:
        """Return at most ``limit`` events after number ``after``.

        Raises:
            StoreError: the log cannot be read.
        """
        return await self._read(lambda: self._part(after, limit))

    def _part(self, after: int, limit: int) -> LogPart:
        log = self._reader.log(self._bot)
        if self._began_at is None:
            self._began_at = next((event.at for event in log.part(after=0, limit=1)), None)
        events = log.part(after=after, limit=limit)
        return LogPart(began_at=self._began_at, count=max(log.count, after + len(events)), events=events)

    async def ledger_at(self, seq: int) -> Ledger:
        """Return the fold of the first ``seq`` events.

        Raises:
            StoreError: the log cannot be read.
        """
        return await self._read(lambda: self._reader.log(self._bot).load_at(seq))

    async def look(self) -> View:
        """Return what is seen of the bot now.

        Raises:
            StoreError: the log cannot be read.
        """
        return view_of_bot((await self._read(lambda: self._reader.look(self._bot))).view)

    @contextmanager
    def request_box(self) -> Generator[RequestBox]:
        """Open the place where requests for the bot are left."""
        box = self._reader.request_box(self._bot)
        try:
            yield box
        finally:
            box.release()

    async def _read(self, read: Callable[[], Found]) -> Found:
        def locked() -> Found:
            with self._lock:
                return read()

        return await asyncio.to_thread(locked)


@contextmanager
def hosted_bots(
    home: Home,
    address: str,
    *,
    log: Callable[[str, str], None],
    login: Callable[[str], str | None],
) -> Generator[Sequence[HostedCompanion]]:
    """Return the companions of every bot that has run on a database; their targets are those of ``home``.

    What each has read and sent is in a file of the home, one for each account. ``log`` gets the name of a bot and a
    line about it, ``login`` makes a link into the screen.

    Raises:
        ConfigError: a variable cannot be used, the address cannot be read, or no bot has run there.
        StoreError: the database cannot be read.
    """
    database, clock, lock = Database(address), SystemClock(), threading.Lock()
    settings, environment = settings_of(home), environment_of(home)
    reader = FleetReader(database, clock)

    def hosted(bot: BotRow, unread: str) -> HostedCompanion:
        source, state = FleetLog(reader, bot, lock, clock), home.notify_of(bot.account)
        requests = BotRequests(source, source.request_box, clock, f"the bot {bot.name}")
        watched = WatchedBot(source=source, requests=requests, state=state, who=bot.name)

        def write(text: str) -> None:
            log(bot.name, text)

        def opened() -> AbstractAsyncContextManager[CompanionParts]:
            return companion_for(watched, settings, environment, log=write, login=login, clock=clock)

        return HostedCompanion(settings=settings, state=state, log=write, opened=opened, unread=unread)

    try:
        bots = reader.bots_that_ran()
        yield tuple(hosted(bot, MANY if len(bots) > 1 else "") for bot in bots)
    finally:
        with lock:
            reader.close()
