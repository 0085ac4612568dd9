"""Checks whose turn it is: trades are set aside for a hedge in danger and nothing else, in time, and not for long."""

from collections.abc import Iterator
from datetime import datetime

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionState, HedgeExecution
from hedgerow.domain.ledger.state import Ledger
from hedgerow.simulation.checks.conduct import Conduct
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.checks.legs import BUSY_SECONDS, LegWatch
from hedgerow.simulation.harness import ExchangeHarness

__all__ = ["Turns"]

Found = Iterator[tuple[Invariant, str]]
IN_DANGER = "another hedge cannot wait"
"""What the log says of a trade that is set aside for a danger."""
TURN_SECONDS = 240.0
"""How long a trade may be set aside for each other hedge: a safety exit leads for 120 s at most, follows for 30 s, goes
back for 30 s, and waits for 5 s before it gives the turn back."""
AWAITING = {ExecutionState.RESOLVING, ExecutionState.IN_DOUBT}


class Turns:
    """Knows since when trades are set aside."""

    def __init__(self, harness: ExchangeHarness, conduct: Conduct) -> None:
        self._harness = harness
        self._conduct = conduct
        self._since: dict[str, datetime] = {}
        """By hedge id."""
        self._kept: dict[tuple[str, str], datetime] = {}
        """Since when a job at work keeps a bot from the legs of another pair: by its hedge id, and by their symbol."""
        self._danger_at: datetime | None = None
        """When a hedge other than the traded one was last in danger, as a command was sent: an account lags."""

    def note(self, before: Ledger, event: ev.Event, after: Ledger) -> Found:
        """Judge an event."""
        job = before.execution
        if isinstance(event, ev.ExecutionSuspended) and job is not None:
            yield from self._suspended(job, event, before)
        if (
            isinstance(event, ev.CommandIssued)
            and job is not None
            and self._conduct.any_in_danger(_others(job, before))
        ):
            self._danger_at = self._harness.now
        if isinstance(event, ev.ExecutionTakenUp):
            self._kept.clear()
        now = self._harness.now
        self._since = {hedge_id: self._since.get(hedge_id, now) for hedge_id in after.suspended}
        others = max(1, len(after.hedges) - 1)
        for hedge_id, since in self._since.items():
            seconds = (now - since).total_seconds()
            if seconds > TURN_SECONDS * others + self._harness.patience_seconds:
                symbol = after.suspended[hedge_id].symbol
                yield Invariant.BOUND, f"the trade of {symbol} is set aside for {seconds:.0f} s"

    def revived(self) -> None:
        """Take note that a bot is at work again: the time without one does not count."""
        self._since = dict.fromkeys(self._since, self._harness.now)
        self._kept.clear()

    def look(self, legs: LegWatch) -> Found:
        """Judge whether the trade at work gives way to legs that others have taken apart, and that orders would match.

        It has to within as long as a bot takes to end or leave what it is doing. The count begins again with the turn
        of another trade, and with everything else that would keep a bot from these legs.
        """
        job, now = legs.ledger.execution, self._harness.world.now
        if job is None or legs.dead:
            self._kept.clear()
            return
        others = (hedge.symbol for hedge in legs.ledger.judged_hedges if legs.ledger.job_of(hedge.symbol) is None)
        waiting = [symbol for symbol in others if legs.only_waits(symbol)]
        self._kept = {(job.hedge_id, each): self._kept.get((job.hedge_id, each), now) for each in waiting}
        for (_, symbol), since in self._kept.items():
            seconds = (now - since).total_seconds()
            if seconds > BUSY_SECONDS + self._harness.patience_seconds:
                what = f"the trade of {job.symbol} ({job.state}) has not given way for {seconds:.0f} s"
                yield Invariant.DUTIES, f"{what}, and others have taken a part of {symbol}"

    def _suspended(self, job: HedgeExecution, event: ev.ExecutionSuspended, before: Ledger) -> Found:
        if job.state not in AWAITING and not job.doubtful and self._harness.world.open_orders(job.symbol):
            yield Invariant.DELTA, f"the trade of {job.symbol} is set aside while an order of it rests"
        others = _others(job, before)
        if event.detail != IN_DANGER or before.transfer is not None or self._shown_in_danger():
            return
        if not self._conduct.any_in_danger(others):
            names = ", ".join(others) or "nothing"
            yield Invariant.SUPPORTED, f"the trade of {job.symbol} is set aside, and nothing is wrong with {names}"

    def _shown_in_danger(self) -> bool:
        """Whether an account that lags may still show the danger that the trade itself has ended."""
        seconds = self._harness.patience_seconds
        return self._danger_at is not None and (self._harness.now - self._danger_at).total_seconds() <= seconds


def _others(job: HedgeExecution, ledger: Ledger) -> list[str]:
    return [hedge.symbol for hedge in ledger.judged_hedges if hedge.hedge_id != job.hedge_id]
