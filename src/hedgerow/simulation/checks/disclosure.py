"""Checks that what the bot reports is no less than what happened."""

from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.ledger.state import Ledger
from hedgerow.simulation.checks.exposure import TradeExposure
from hedgerow.simulation.checks.invariants import Invariant

__all__ = ["Disclosure"]

Found = Iterator[tuple[Invariant, str]]
SECONDS_SLACK = 3.0
"""What a report may lack: the way of a fill's report, and of the one that ends the exposure."""
USD_SHARE = Decimal("0.8")
"""The bot values exposure at its own reading of the price."""


class Disclosure:
    """Compares what was logged, what was said, and what the exchange shows."""

    def __init__(self) -> None:
        self._unsaid: deque[ev.Event] = deque()

    def appended(self, events: Sequence[ev.Event]) -> Found:
        """Take note of what is in the log now; all that was in it before must have been said."""
        yield from self._all_said()
        self._unsaid.extend(events)

    def said(self, event: ev.Event) -> Found:
        """Take note of an event that the listeners were given."""
        if not self._unsaid or self._unsaid[0] is not event:
            yield Invariant.REPORTED, f"{type(event).__name__} is said, and it is not the next one in the log"
            return
        self._unsaid.popleft()

    def died(self) -> tuple[ev.Event, ...]:
        """Forget, and return, the events in the log that a bot had no time to say before its process ended."""
        unsaid = tuple(self._unsaid)
        self._unsaid.clear()
        return unsaid

    def _all_said(self) -> Found:
        for event in self._unsaid:
            yield Invariant.REPORTED, f"{type(event).__name__} is in the log, and it was not shown"
        self._unsaid.clear()

    @staticmethod
    def ends(job: HedgeExecution | None, after: Ledger, trade: TradeExposure, patience: float) -> Found:
        """Judge what the log says about the exposure of a job that ends."""
        if job is None or job.kind is ExecutionKind.TRIM or not (job.plan.spot_quantity and job.plan.perp_quantity):
            return
        reported = max(job.worst_naked_seconds, job.naked_seconds)
        if reported < trade.seconds - SECONDS_SLACK - patience:
            yield Invariant.REPORTED, f"{job.symbol} was naked for {trade.seconds:.1f} s, the log says {reported:.1f} s"
        if after.max_naked_seconds < job.worst_naked_seconds:
            yield (
                Invariant.REPORTED,
                f"the ledger's longest naked time is {after.max_naked_seconds:.1f} s, less than its own",
            )
        if trade.seconds > SECONDS_SLACK + patience and job.worst_naked_notional < trade.usd * USD_SHARE:
            text = f"{trade.usd:.2f} USDT were naked, the log says {job.worst_naked_notional:.2f}"
            yield Invariant.REPORTED, f"{job.symbol}: {text}"
