"""Requests of an operator to a running bot, and their answers."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import Struct

__all__ = [
    "LONGEST_VALID",
    "QUESTIONS",
    "VALID_SECONDS",
    "AdoptRequested",
    "Answer",
    "Claim",
    "CloseAllRequested",
    "CloseOnExitRequested",
    "CloseRequested",
    "ClosingPriced",
    "HaltRequested",
    "HandledRequest",
    "HedgeSeen",
    "OperatorRequest",
    "Request",
    "RequestOrigin",
    "RequestOutcome",
    "ResumeRequested",
    "SettingsForeseen",
    "SettingsRequested",
]

VALID_SECONDS: Final = 60
"""How long a request is valid unless it says otherwise."""
LONGEST_VALID: Final = timedelta(hours=1)
"""A request may be valid for so long at most."""
_YEARS: Final = range(2000, 9000)
"""Years whose times every clock and zone can compute with."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class CloseRequested(Struct, frozen=True, kw_only=True, tag="close"):
    """Close the position, whatever the policy thinks, and halt openings."""

    symbol: str | None = None
    """Only if this is what is held."""
    take_over: bool = False
    """Whether a position on ``symbol`` that only the exchange knows is adopted first, as ``adopt`` would."""


class CloseAllRequested(Struct, frozen=True, kw_only=True, tag="close_all"):
    """Close every position, whatever the policy thinks, and halt openings."""


class AdoptRequested(Struct, frozen=True, kw_only=True, tag="adopt"):
    """Take a position found on the venue into the ledger."""

    symbol: str


class HaltRequested(Struct, frozen=True, kw_only=True, tag="halt"):
    """Block openings until resumed."""

    detail: str = ""


class ResumeRequested(Struct, frozen=True, kw_only=True, tag="resume"):
    """Allow openings again."""


class CloseOnExitRequested(Struct, frozen=True, kw_only=True, tag="close_on_exit"):
    """Say whether the running bot closes its positions when it stops; until its end, not for the next one."""

    on: bool


class SettingsRequested(Struct, frozen=True, kw_only=True, tag="settings"):
    """Change settings: in the configuration file now, in force at the next check; all of them, or none."""

    changes: tuple[tuple[str, str], ...]
    """New values by full name (section and key), spelled as in the file; every value that is to come in force."""


class SettingsForeseen(Struct, frozen=True, kw_only=True, tag="foresee_settings"):
    """Say what would follow from changed settings; a question, nothing is written."""

    changes: tuple[tuple[str, str], ...]


class ClosingPriced(Struct, frozen=True, kw_only=True, tag="price_closing"):
    """Say what closing costs by the books as they are now; a question, nothing is traded."""

    symbol: str | None
    """None = of every hedge that is held."""


QUESTIONS: Final = (SettingsForeseen, ClosingPriced)
"""They change nothing, and are not logged."""
Request: TypeAlias = (
    CloseRequested
    | CloseAllRequested
    | AdoptRequested
    | HaltRequested
    | ResumeRequested
    | CloseOnExitRequested
    | SettingsRequested
    | SettingsForeseen
    | ClosingPriced
)


class RequestOrigin(StrEnum):
    """Where a request was made."""

    CLI = "cli"
    WEB = "web"
    TELEGRAM = "telegram"


class HedgeSeen(Struct, frozen=True, kw_only=True):
    """The hedge as the person saw it who asks: a request about it does not apply to another one."""

    hedge_id: str
    symbol: str


class OperatorRequest(Struct, frozen=True, kw_only=True):
    """One request of a person."""

    request_id: str
    """Letters, digits, ``_`` and ``-``, at most 64: the same id is carried out once."""
    action: Request
    user: str
    """Name of the person, as the place where they asked knows them."""
    origin: RequestOrigin = RequestOrigin.CLI
    asked_at: datetime
    """By the clock of the place where they asked."""
    valid_until: datetime
    """It is not begun after this; at most an hour after ``asked_at``."""
    hedge: HedgeSeen | None = None
    """What was held or being opened when they asked; None where that does not matter."""

    def __post_init__(self) -> None:
        if not _REQUEST_ID.fullmatch(self.request_id):
            raise ValueError("request_id: allowed are 1 to 64 letters, digits, _ and -")
        for name, at in (("asked_at", self.asked_at), ("valid_until", self.valid_until)):
            if at.tzinfo is None or at.year not in _YEARS:
                raise ValueError(f"{name}: allowed is a time with its zone, from the year {_YEARS[0]} on")
        if not self.asked_at < self.valid_until <= self.asked_at + LONGEST_VALID:
            raise ValueError("valid_until: allowed is at most an hour after asked_at")

    @property
    def text(self) -> str:
        """What is asked for, in the words of the command line."""
        action = self.action
        if isinstance(action, CloseOnExitRequested):
            return f"close on exit: {'yes' if action.on else 'no'}"
        if isinstance(action, SettingsRequested | SettingsForeseen):
            verb = "change" if isinstance(action, SettingsRequested) else "foresee"
            return f"{verb} {', '.join(f'{name} to {value}' for name, value in action.changes)}"
        if isinstance(action, ClosingPriced):
            return f"price the closing of {action.symbol or 'every hedge'}"
        name = "close --all" if isinstance(action, CloseAllRequested) else str(action.__struct_config__.tag)
        symbol = action.symbol if isinstance(action, CloseRequested | AdoptRequested) else None
        symbol = symbol or (self.hedge.symbol if self.hedge else None)
        return f"{name} {symbol}" if symbol else name


class Claim(StrEnum):
    """What became of a request that was to be carried out now."""

    TAKEN = "taken"
    """It is this process's to carry out, once; it cannot be withdrawn any more."""
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """Who asked took it back, or another process took it."""


class RequestOutcome(StrEnum):
    """How a request ended."""

    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"
    """An error ended it; what was in flight is taken up again."""
    INTERRUPTED = "interrupted"
    """The process that had begun it ended; what was in flight is taken up again."""


class HandledRequest(Struct, frozen=True, kw_only=True):
    """A request that was answered."""

    request_id: str
    done: bool
    text: str


class Answer(Struct, frozen=True, kw_only=True):
    """How a request ended."""

    done: bool
    text: str
    document: str = ""
    """The answer to a question, as JSON; empty otherwise."""
