"""The bots of one database, for the dashboard: imported where a database is named, because the driver is an extra."""

import asyncio
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Final

from hedgerow.app.commands.web.asking import curve_of, first_shown, left_and_awaited
from hedgerow.app.commands.web.settings_file import answered_preview, shown_settings, wanted_settings
from hedgerow.app.companion.asking import Asker, closing_price, closing_prices
from hedgerow.app.fleet import FleetReader
from hedgerow.app.home_past import CASH_RATE, SeriesPast
from hedgerow.app.storage.parts import RequestBox
from hedgerow.config import Database
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.view import View, view_of_bot
from hedgerow.domain.errors import ConfigError, StoreError
from hedgerow.domain.operator_requests import (
    HedgeSeen,
    Request,
    RequestOrigin,
    SettingsForeseen,
    SettingsRequested,
)
from hedgerow.ports import Clock
from hedgerow.store.postgres.log import BotRow
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.web.sources import Asked, Curve, SettingShown, SettingsPreview

__all__ = ["FleetSource", "sources_in"]

NOT_HERE: Final = "The settings of this bot are in the file on its machine; they are shown here while it runs."


class FleetSource:
    """One bot of a database."""

    def __init__(  # noqa: PLR0913 - one parameter per part
        self,
        reader: FleetReader,
        bot: BotRow,
        slug: str,
        clock: Clock,
        *,
        lock: threading.Lock,
        log: Callable[[str], None],
        cash_rate: float = CASH_RATE,
    ) -> None:
        """``lock`` is held while ``reader`` is used: it has one connection for all bots.

        ``cash_rate`` is what cash is compared at, a fraction a year.
        """
        self._reader = reader
        self._bot = bot
        self._slug = slug
        self._clock = clock
        self._lock = lock
        self._log = log
        self._past = SeriesPast(lambda: nullcontext(reader.series(bot)), clock, cash_rate=cash_rate)
        self._view: View | None = None

    @property
    def slug(self) -> str:
        """Its name in addresses."""
        return self._slug

    def read(self) -> View:
        """Return the view of it now.

        Raises:
            StoreError: the database or the log cannot be read.
        """
        with self._lock:
            look = self._reader.look(self._bot)
            past = self._past.of(look.view)
        self._view = view_of_bot(look.view, past)
        return self._view

    def close(self) -> None:
        """Close the connection that the bots of a database share; may be called twice."""
        self._reader.close()

    def curve(self, view: View, since: datetime | None) -> Curve:
        """Return what it made, check by check where its time series is there, else hedge by hedge; openings marked."""
        with self._lock:
            points = self._past.points(first_shown(view, since))
        return curve_of(view, since, points)

    def log_lines(self, most: int) -> Sequence[str]:
        """Return the newest lines of its log file, oldest first; none where they cannot be read now."""
        try:
            with self._lock:
                return self._reader.log_lines(self._bot)[-most:]
        except StoreError:
            return ()

    def settings(self) -> Sequence[SettingShown]:
        """Return every setting as it is in force; they are changed while the bot runs.

        Raises:
            ConfigError: no bot has said what is in force; its file is on another machine.
        """
        view = self._view or self.read()
        if not view.settings or view.process.state is not ProcessState.RUNNING:
            raise ConfigError(NOT_HERE)
        return shown_settings(view.settings, view.settings)

    async def preview(self, changes: Mapping[str, str], user: str) -> SettingsPreview:
        """Return what the bot says would follow from changed settings."""
        view = await asyncio.to_thread(self.read)
        wanted = SettingsForeseen(changes=wanted_settings(changes, view.settings))
        return answered_preview(await self.ask(wanted, None, user))

    async def change_settings(self, changes: Mapping[str, str], user: str) -> Asked:
        """Have the bot write changed settings to its file."""
        view = await asyncio.to_thread(self.read)
        return await self.ask(SettingsRequested(changes=wanted_settings(changes, view.settings)), None, user)

    async def closing_price(self, symbol: str, user: str) -> ClosingPrice | None:
        """Return what closing a hedge costs by books that are read now; None when the bot does not say so in time."""
        return await closing_price(self._view or self.read(), self._box, symbol, self._clock, self._asker(user))

    async def closing_prices(self, user: str) -> Sequence[ClosingPrice]:
        """Return the same of every hedge; those are missing whose books the bot could not read, or not in time."""
        return await closing_prices(self._view or self.read(), self._box, self._clock, self._asker(user))

    async def ask(self, action: Request, hedge: HedgeSeen | None, user: str) -> Asked:
        """Leave a request for the bot in the database and wait a few seconds for its answer."""
        view = self._view or self.read()
        return await left_and_awaited(
            view, self._box, action, hedge, user=user, clock=self._clock, log=self._log_of_bot
        )

    def _asker(self, user: str) -> Asker:
        return Asker(user=user, origin=RequestOrigin.WEB, log=self._log_of_bot)

    def _log_of_bot(self, text: str) -> None:
        self._log(f"{self._slug}: {text}")

    @contextmanager
    def _box(self) -> Generator[RequestBox]:
        box = self._reader.request_box(self._bot)
        try:
            yield box
        finally:
            box.release()


def sources_in(
    address: str,
    clock: Clock,
    *,
    named: Callable[[str, Sequence[str]], str],
    log: Callable[[str], None],
    cash_rate: float = CASH_RATE,
) -> tuple[FleetSource, ...]:
    """Return the bots that have run on a database; ``named`` makes their names in addresses.

    Raises:
        ConfigError: the address cannot be read, or no bot has run there.
        StoreError: the database cannot be read.
    """
    reader, lock = FleetReader(Database(address), clock), threading.Lock()
    found: list[FleetSource] = []
    try:
        for bot in reader.bots_that_ran():
            slug = named(bot.name, [each.slug for each in found])
            found.append(FleetSource(reader, bot, slug, clock, lock=lock, log=log, cash_rate=cash_rate))
    finally:
        if not found:
            reader.close()
    return tuple(found)
