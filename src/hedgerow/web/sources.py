"""What the server needs of a bot, whatever it is read from: a home in this or another process, or a database.

The methods that are not coroutines may wait for a disk; the server calls them in a thread, never in its loop.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from hedgerow.dashboard.view import View
from hedgerow.domain.events import SettingChange
from hedgerow.domain.operator_requests import HedgeSeen, Request
from hedgerow.strategy.closing_price import ClosingPrice

__all__ = [
    "AskOutcome",
    "Asked",
    "BotSource",
    "Curve",
    "CurveMark",
    "CurvePoint",
    "SettingShown",
    "SettingsPreview",
]


class CurvePoint(Struct, frozen=True, kw_only=True):
    """What a bot had made at one time, quote units, since its log began; None = not known."""

    at: datetime
    net: Decimal | None
    funding: Decimal | None
    fees: Decimal | None
    """Paid, negative."""
    basis: Decimal | None


class CurveMark(Struct, frozen=True, kw_only=True):
    """Something that a curve marks: an opening, a closing, a halt."""

    at: datetime
    kind: str
    text: str


class Curve(Struct, frozen=True, kw_only=True):
    """Points and marks, oldest first."""

    points: tuple[CurvePoint, ...] = ()
    marks: tuple[CurveMark, ...] = ()


class SettingShown(Struct, frozen=True, kw_only=True):
    """One setting: what the file says, what is in force, what is allowed."""

    name: str
    section: str
    meaning: str
    allowed: str
    unit: str
    default: str
    in_file: str
    """As it stands in the file, or the default where the file says nothing."""
    in_force: str | None
    """Of the process that runs; None = not known."""
    choices: tuple[str, ...] = ()
    """Where only these are allowed."""
    editable: bool = True
    """False for what names code: that is written on the machine of the bot."""
    not_while_held: str = ""
    """Why it is not changed while a hedge is held; empty = it may be."""


class SettingsPreview(Struct, frozen=True, kw_only=True):
    """What changed settings would do."""

    changes: tuple[SettingChange, ...]
    follows: tuple[str, ...]
    """What would follow at once, one sentence each."""
    warnings: tuple[str, ...] = ()
    at: datetime | None = None
    """Of the reading that this is foreseen from; None = no bot runs."""
    refusal: str = ""
    """Why they are not allowed; empty = they are."""


class AskOutcome(StrEnum):
    """How a request to a bot ended, as far as it is known."""

    DONE = "done"
    REFUSED = "refused"
    WAITING = "waiting"
    """The bot has not answered yet."""


class Asked(Struct, frozen=True, kw_only=True):
    """A request that was passed on."""

    outcome: AskOutcome
    text: str
    document: str = ""
    """The answer to a question, as JSON."""


class BotSource(Protocol):
    """One bot."""

    @property
    def slug(self) -> str:
        """Its name in addresses: letters, digits and ``-``."""
        ...

    def read(self) -> View:
        """Return the view of it now.

        Raises:
            StoreError: its log cannot be read.
        """
        ...

    def curve(self, view: View, since: datetime | None) -> Curve:
        """Return what it made since a time; None = since the beginning."""
        ...

    def log_lines(self, most: int) -> Sequence[str]:
        """Return the newest lines of its log, oldest first."""
        ...

    def settings(self) -> Sequence[SettingShown]:
        """Return every setting.

        Raises:
            ConfigError: its file cannot be read.
        """
        ...

    async def preview(self, changes: Mapping[str, str], user: str) -> SettingsPreview:
        """Return what changed settings would do, by a reading of now where the bot runs; nothing is written."""
        ...

    async def change_settings(self, changes: Mapping[str, str], user: str) -> Asked:
        """Have changed settings written to the configuration file, all or none of them."""
        ...

    async def closing_price(self, symbol: str, user: str) -> ClosingPrice | None:
        """Return what closing a hedge costs by books that are read now; None when the bot does not say so in time."""
        ...

    async def closing_prices(self, user: str) -> Sequence[ClosingPrice]:
        """Return the same of every hedge; those are missing whose books the bot could not read, or not in time."""
        ...

    async def ask(self, action: Request, hedge: HedgeSeen | None, user: str) -> Asked:
        """Pass a request on to the bot and wait a few seconds for its answer."""
        ...
