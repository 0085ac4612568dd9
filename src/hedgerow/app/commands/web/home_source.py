"""One bot read from its home, for the dashboard: log, heartbeat, what it read last, log lines, settings."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from hedgerow.app.bot_view import look_at_bot
from hedgerow.app.commands.web.asking import curve_of, first_shown, left_and_awaited
from hedgerow.app.commands.web.settings_file import (
    answered_preview,
    file_preview,
    in_file,
    shown_settings,
    wanted_settings,
    warnings_of,
    write_settings,
)
from hedgerow.app.companion.asking import Asker, closing_price, closing_prices
from hedgerow.app.home_past import CASH_RATE, HomePast
from hedgerow.app.identity import identity_of
from hedgerow.app.storage.log_tail import newest_lines
from hedgerow.app.storage.parts import RequestBox
from hedgerow.app.storage.select import open_log, request_box
from hedgerow.config import Home, load_settings
from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.view import View, view_of_bot
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import (
    HedgeSeen,
    Request,
    RequestOrigin,
    SettingsForeseen,
    SettingsRequested,
)
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.ports import Clock
from hedgerow.strategy.closing_price import ClosingPrice
from hedgerow.web.sources import Asked, Curve, SettingShown, SettingsPreview

__all__ = ["HomeSource", "slug_of"]


class _LogFollower:
    """The ledger of an event log, kept up by its new events; the log is only read."""

    def __init__(self) -> None:
        self._ledger: Ledger | None = None
        self._file: tuple[int, int] | None = None

    async def ledger(self, home: Home) -> Ledger | None:
        """Return the ledger now; None when there is no log.

        Raises:
            ConfigError: its database is not named, or cannot be used.
            StoreError: the log is corrupt or newer than this version.
        """
        log, file = open_log(home), _file_of(home)
        known = self._ledger if self._file == file else None
        self._ledger, self._file = None, file
        if log is None:
            return None
        try:
            self._ledger = await log.load() if known is None else fold(await log.events(after=known.events), known)
        finally:
            log.release()
        return self._ledger


def _file_of(home: Home) -> tuple[int, int]:
    """Return the identity of the log file: another file is read from its beginning. A database has none."""
    if home.database is not None or not home.events.exists():
        return (0, 0)
    found = home.events.stat()
    return found.st_dev, found.st_ino


class HomeSource:
    """The bot of a home, in this process or another one."""

    def __init__(
        self, home: Home, slug: str, clock: Clock, *, log: Callable[[str], None], cash_rate: float = CASH_RATE
    ) -> None:
        """``clock`` is real time; ``log`` writes a line of the dashboard's own log.

        ``cash_rate`` is what cash is compared at, a fraction a year.
        """
        self._home = home
        self._slug = slug
        self._clock = clock
        self._log = log
        self._follower = _LogFollower()
        self._past = HomePast(home, clock, cash_rate=cash_rate)
        self._config = home.config
        """The configuration in force: of a running bot the one that it names."""
        self._identity: RunIdentity | None = None
        self._view: View | None = None

    @property
    def slug(self) -> str:
        """Its name in addresses."""
        return self._slug

    def read(self) -> View:
        """Return the view of it now.

        Raises:
            StoreError: its log cannot be read.
        """
        look = asyncio.run(look_at_bot(self._home, self._clock, self._follower.ledger))
        if self._identity is None:
            self._identity = self._known_identity()
        outlook = look.view.outlook
        named = outlook.identity.config_file if outlook and outlook.identity else None
        self._config = Path(named) if named else self._home.config
        self._view = view_of_bot(look.view, self._past.of(look.view), self._identity)
        return self._view

    def _known_identity(self) -> RunIdentity | None:
        try:
            return identity_of(self._home, load_settings(self._home.config, named=False))
        except ConfigError:
            return None

    def curve(self, view: View, since: datetime | None) -> Curve:
        """Return what it made, check by check where its time series is there, else hedge by hedge; openings marked."""
        return curve_of(view, since, self._past.points(first_shown(view, since)))

    def log_lines(self, most: int) -> Sequence[str]:
        """Return the newest lines of its log file, oldest first."""
        return newest_lines(self._home.log, most)

    def settings(self) -> Sequence[SettingShown]:
        """Return every setting.

        Raises:
            ConfigError: its file cannot be read.
        """
        return shown_settings(in_file(self._config), self._view.settings if self._view else {})

    async def preview(self, changes: Mapping[str, str], user: str) -> SettingsPreview:
        """Return what changed settings would do; nothing is written."""
        view = await asyncio.to_thread(self.read)
        if view.process.state is not ProcessState.RUNNING:
            return await asyncio.to_thread(file_preview, self._config, changes)
        wanted = SettingsForeseen(changes=wanted_settings(changes, view.settings))
        warnings = await asyncio.to_thread(warnings_of, self._config, changes)
        return answered_preview(await self.ask(wanted, None, user), warnings)

    async def change_settings(self, changes: Mapping[str, str], user: str) -> Asked:
        """Have the running bot write changed settings, or write them where none runs; all or none of them."""
        view = await asyncio.to_thread(self.read)
        if view.process.state is ProcessState.RUNNING:
            wanted = SettingsRequested(changes=wanted_settings(changes, view.settings))
            return await self.ask(wanted, None, user)
        asked = await asyncio.to_thread(write_settings, self._config, changes)
        self._log(f"{self._slug}: {user} asks to write {', '.join(sorted(changes))}: {asked.text}")
        return asked

    async def closing_price(self, symbol: str, user: str) -> ClosingPrice | None:
        """Return what closing a hedge costs by books that are read now; None when the bot does not say so in time."""
        view = await asyncio.to_thread(self.read)
        return await closing_price(view, self._box, symbol, self._clock, self._asker(user))

    async def closing_prices(self, user: str) -> Sequence[ClosingPrice]:
        """Return the same of every hedge; those are missing whose books the bot could not read, or not in time."""
        view = await asyncio.to_thread(self.read)
        return await closing_prices(view, self._box, self._clock, self._asker(user))

    async def ask(self, action: Request, hedge: HedgeSeen | None, user: str) -> Asked:
        """Leave a request for the bot and wait a few seconds for its answer."""
        view = await asyncio.to_thread(self.read)
        return await left_and_awaited(
            view, self._box, action, hedge, user=user, clock=self._clock, log=self._log_of_bot
        )

    def _box(self) -> AbstractContextManager[RequestBox]:
        return request_box(self._home, self._clock)

    def _asker(self, user: str) -> Asker:
        return Asker(user=user, origin=RequestOrigin.WEB, log=self._log_of_bot)

    def _log_of_bot(self, text: str) -> None:
        self._log(f"{self._slug}: {text}")


def slug_of(name: str, taken: Sequence[str]) -> str:
    """Return the name of a bot in addresses, made of the one that people give it, different from those taken."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "bot"
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
