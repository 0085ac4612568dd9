"""Logs what a bot's settings at its start differ in from those that are known of the run before it."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from hedgerow.domain.events import SettingsChanged
from hedgerow.engine.journal import Journal
from hedgerow.ports import Clock
from hedgerow.strategy.settings_changes import changes_since

__all__ = ["SettingsAtStart", "SettingsFound"]


class SettingsFound(Struct, frozen=True, kw_only=True):
    """Settings by full name, spelled as in the file."""

    now: Mapping[str, str]
    """Those that the bot starts with."""
    before: Mapping[str, str]
    """Those that the run before had published; empty = not known."""


class SettingsAtStart:
    """What a person changed in the file while no bot ran is an event too."""

    def __init__(
        self, *, clock: Clock, journal: Journal, found: SettingsFound, asked: Callable[[], frozenset[str]]
    ) -> None:
        """``asked`` returns the settings that are logged with a request which an earlier process did not answer."""
        self._clock = clock
        self._journal = journal
        self._found = found
        self._asked = asked

    async def log(self) -> None:
        """Log the difference once: what is logged counts as known from then on. Nothing where the log is new.

        Raises:
            StoreError: the log cannot be written.
        """
        ledger = self._journal.ledger
        if ledger.events == 0:
            return
        found = changes_since(self._found.before, ledger.settings, self._found.now)
        asked = self._asked() if found else frozenset[str]()
        changes = tuple(each for each in found if each.name not in asked)
        if changes:
            await self._journal.record(SettingsChanged(at=self._clock.now(), user="", changes=changes))
