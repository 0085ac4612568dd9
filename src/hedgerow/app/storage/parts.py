"""What a bot keeps, as those see it who use it: log, requests, and what is shown to screens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from hedgerow.app.heartbeat import Publish, unpublished
from hedgerow.dashboard.bot_state import Process
from hedgerow.dashboard.outlook import Outlook
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import Answer, OperatorRequest
from hedgerow.ports import Mailbox, Store, TimeSeriesStore
from hedgerow.store.timeseries import SqliteTimeSeries

__all__ = ["BotStore", "LogReader", "OpenStorage", "RequestBox", "Shown"]


class LogReader(Protocol):
    """An event log opened for reading; takes no lock and changes nothing."""

    async def load(self) -> Ledger:
        """Return the fold of every event appended so far."""
        ...

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        """Return the events after the first ``after`` ones, oldest first."""
        ...

    def stream(self) -> Iterator[Event]:
        """Yield every event, oldest first."""
        ...

    @property
    def count(self) -> int:
        """How many events there are, as last read."""
        ...

    def part(self, *, after: int, limit: int) -> tuple[Event, ...]:
        """Return at most ``limit`` events after the first ``after`` ones, oldest first."""
        ...

    def load_at(self, events: int) -> Ledger:
        """Return the fold of the first ``events`` events."""
        ...

    def rows(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield every event as it is written: number, kind, payload."""
        ...

    def copy_to(self, target: Path) -> int:
        """Copy everything appended so far to a file; returns the number of events."""
        ...

    def release(self) -> None:
        """Close it; may be called twice."""
        ...


class BotStore(Store, Protocol):
    """The log that a bot writes."""

    def report_to(self, report: Callable[[str], None]) -> None:
        """Report by ``report`` that a write waits."""
        ...

    def release(self) -> None:
        """Close it, outside of an event loop too; may be called twice."""
        ...


class RequestBox(Mailbox, Protocol):
    """Both sides of a mailbox: of the bot, and of those who ask."""

    def report_to(self, report: Callable[[str], None]) -> None:
        """Pass to ``report`` the requests that are refused unread."""
        ...

    def post(self, request: OperatorRequest) -> None:
        """Leave a request for the bot. Raises MailboxError where that cannot be done."""
        ...

    def release(self) -> None:
        """Close what is open; may be called twice."""
        ...

    def waits(self, request_id: str) -> bool:
        """Return whether a request was neither begun nor answered."""
        ...

    def begun(self, request_id: str) -> bool:
        """Return whether a bot is carrying a request out."""
        ...

    def collect(self, request_id: str) -> Answer | None:
        """Return the answer to a request; None while there is none."""
        ...

    def withdraw(self, request_id: str) -> bool:
        """Withdraw a request; return whether nothing had begun it yet."""
        ...


class OpenStorage(Struct, frozen=True, kw_only=True):
    """What a bot writes and reads while it runs."""

    store: BotStore
    mailbox: RequestBox
    previous_outlook: Callable[[], Outlook | None]
    """Reads what the run before had published last; None where there is nothing, or it cannot be read."""
    start: Callable[[], None] = lambda: None
    """Begins to publish, for a bot that stays."""
    heartbeat: Publish = unpublished
    outlook: Publish = unpublished
    open_series: Callable[[Path], TimeSeriesStore] = SqliteTimeSeries
    """Opens the time series, on the thread that writes it; the file of the home where it is in one."""


class Shown(Struct, frozen=True, kw_only=True):
    """What a bot shows besides its log."""

    process: Process
    outlook: Outlook | None
