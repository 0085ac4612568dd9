"""Reads the venue's statement to explain a difference of the books: since the last agreement, in bounded steps."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from hedgerow.domain import events as ev
from hedgerow.domain.errors import VenueError
from hedgerow.engine.accounting.failure_lines import FailureLines
from hedgerow.engine.backoff import backoff_seconds
from hedgerow.engine.journal import Journal
from hedgerow.ports import Clock, StatementRow, Venue

__all__ = ["SLACK", "StatementReader"]

SLACK = timedelta(days=1)
"""The reading begins so long before the watermark: balances lag behind rows, and clocks differ."""
MAX_STEP, MIN_STEP = timedelta(days=84), timedelta(days=7)
"""Time that one check reads; halved when that takes too long. A page covers seven days."""
STEP_SECONDS = 20.0
"""Longest wait of a check for its step: a statement is no reason to keep a hedge waiting."""
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 240.0, 6 * 3600.0
"""Pause after a whole reading that did not explain the difference: doubled each time, until it is another one."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 30.0, 600.0
"""Pause after a reading that failed, or of which own trades could not be read, doubled each time.

What it would explain is known soon after an outage ends.
"""


class StatementReader:
    """Books rows of the venue that are not the bot's, a step per check, until the present is reached."""

    def __init__(
        self, *, venue: Venue, journal: Journal, clock: Clock, held_back: Callable[[StatementRow], Awaitable[bool]]
    ) -> None:
        """``held_back`` says of a row that is not booked whether it is left for a later reading."""
        self._venue = venue
        self._journal = journal
        self._clock = clock
        self._held_back = held_back
        self._lines = FailureLines(journal=journal, clock=clock)
        self._step = MAX_STEP
        self._reached: datetime | None = None
        self._failures = 0
        self._without_trades = 0
        """Whole readings in a row of which own trades could not be read."""
        self._readings = 0
        self._again_at = 0.0

    @property
    def begun(self) -> bool:
        """Whether a reading goes on that has not reached the present."""
        return self._reached is not None

    @property
    def complete(self) -> bool:
        """Whether the last reading reached the present: what is unexplained now is not in the rows listed so far."""
        return self._readings > 0 and self._reached is None

    def agreed(self) -> None:
        """Start again: the books agree."""
        self._step, self._reached = MAX_STEP, None
        self._failures = self._without_trades = self._readings = 0
        self._again_at = 0.0

    def due(self, *, changed: bool) -> bool:
        """Return whether to read now; ``changed``: the difference is another one than after the last check."""
        if changed:
            self._readings = 0
        if changed and not self._failures:
            return True
        return self._clock.monotonic() >= self._again_at

    async def read(self, *, trades_read: bool) -> None:
        """Book the rows of the next step; one that cannot be read is tried again after a pause.

        ``trades_read``: whether own trades, which explain a difference as well, could all be read.
        """
        opened = self._journal.ledger.books_since
        if opened is None:
            return
        now = self._clock.now()
        since = self._reached or max(opened, (self._journal.ledger.statement_from or opened) - SLACK)
        until = since + self._step if since + self._step < now else None
        try:
            async with self._clock.timeout(STEP_SECONDS):
                rows = await self._venue.statement(since, until)
        except TimeoutError:
            self._failed(f"no answer within {STEP_SECONDS:.0f} s")
            return
        except VenueError as unreadable:
            self._failed(str(unreadable))
            return
        self._lines.over()
        self._failures, self._reached = 0, until
        if until is None:
            self._readings += 1
            self._without_trades = 0 if trades_read else self._without_trades + 1
            pause = backoff_seconds(FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS, self._readings)
            if self._without_trades:
                pause = backoff_seconds(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, self._without_trades)
            self._again_at = self._clock.monotonic() + pause
        await self._book(rows, opened)

    async def _book(self, rows: tuple[StatementRow, ...], opened: datetime) -> None:
        seen = self._journal.ledger.rows_seen
        new = [row for row in rows if row.at > opened and not seen.knows(row.row_id, row.at)]
        fresh = [row for row in new if not await self._held_back(row)]
        if fresh:
            await self._journal.record(
                *(
                    ev.ExternalFlow(
                        at=row.at,
                        row_id=row.row_id,
                        wallet=row.wallet,
                        asset=row.asset,
                        amount=row.amount,
                        kind=row.kind,
                    )
                    for row in fresh
                )
            )

    def _failed(self, why: str) -> None:
        self._failures += 1
        self._step = max(MIN_STEP, self._step / 2)
        pause = backoff_seconds(FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, self._failures)
        self._again_at = self._clock.monotonic() + pause
        self._lines.warn(text=f"Could not fetch the statement: {why}")
