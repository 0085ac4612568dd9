"""Views of bots, read at most once a second and only while a page is open; every page and stream shares them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from hedgerow.dashboard.view import View
from hedgerow.domain.errors import HedgerowError
from hedgerow.ports import Clock
from hedgerow.web.pages.bot import Beside
from hedgerow.web.pages.fleet import BotRow
from hedgerow.web.pages.past import RANGES
from hedgerow.web.sources import BotSource, Curve, SettingShown

__all__ = ["Board"]

VIEW_SECONDS: Final = 0.8
LOG_SECONDS: Final = 2.0
CURVE_SECONDS: Final = 30.0
SETTINGS_SECONDS: Final = 10.0
LOG_LINES: Final = 120
Value = TypeVar("Value")


class _Kept(Struct, kw_only=True):
    """A value and when it was read, monotonic seconds."""

    value: object
    at: float


class Board:
    """What was read of each bot, by its slug. Reading happens in threads; all methods are of the server's loop."""

    def __init__(self, bots: Sequence[BotSource], clock: Clock) -> None:
        self._bots = {bot.slug: bot for bot in bots}
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    @property
    def bots(self) -> Mapping[str, BotSource]:
        """The bots by their slugs."""
        return self._bots

    async def view(self, slug: str) -> View:
        """Return the view of a bot.

        Raises:
            HedgerowError: it cannot be read.
        """
        return await self._read((slug, "view"), VIEW_SECONDS, self._bots[slug].read)

    async def beside(self, slug: str, view: View, chosen: str) -> Beside:
        """Return what a page shows beside the view; parts that cannot be read are left out."""
        bot, problem = self._bots[slug], ""
        settings: Sequence[SettingShown] = ()
        try:
            settings = await self._read((slug, "settings"), SETTINGS_SECONDS, bot.settings)
        except HedgerowError as error:
            problem = str(error)
        lines = await self._read((slug, "log"), LOG_SECONDS, lambda: tuple(bot.log_lines(LOG_LINES)))
        return Beside(
            curve=await self.curve(slug, view, chosen),
            range=chosen,
            log=lines,
            settings=tuple(settings),
            settings_problem=problem,
        )

    async def curve(self, slug: str, view: View, chosen: str) -> Curve:
        """Return the curve of a range; an empty one where it cannot be read."""
        since = None if (span := RANGES[chosen]) is None else view.times.now - span
        try:
            return await self._read(
                (slug, f"curve {chosen}"), CURVE_SECONDS, lambda: self._bots[slug].curve(view, since)
            )
        except HedgerowError:
            return Curve()

    async def rows(self) -> list[BotRow]:
        """Return every bot as a row of the table of bots."""
        return list(await asyncio.gather(*(self._bot_row(slug) for slug in self._bots)))

    async def _bot_row(self, slug: str) -> BotRow:
        try:
            return BotRow(slug=slug, view=await self.view(slug))
        except HedgerowError as error:
            return BotRow(slug=slug, view=None, problem=str(error))

    async def _read(self, key: tuple[str, str], seconds: float, read: Callable[[], Value]) -> Value:
        """Return a value that is not older than so many seconds; of several who ask one reads."""
        async with self._locks.setdefault(key, asyncio.Lock()):
            kept = self._kept.get(key)
            if kept is None or self._clock.monotonic() - kept.at >= seconds:
                value = await asyncio.to_thread(read)
                kept = self._kept[key] = _Kept(value=value, at=self._clock.monotonic())
            return kept.value  # type: ignore[return-value] # what was kept under a key is what it is read by
