"""Keeps ``volume_farming_state.json`` in step with the event log: after every cycle and every trade."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from hedgerow.domain import events as ev
from hedgerow.domain.errors import StoreError
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import HedgedPosition
from hedgerow.engine.notices import CycleEnded, Notice, Reconciled, Recorded, Started
from hedgerow.store import guide_state
from hedgerow.store.guide_state import GuideState

__all__ = ["StateFile"]

TRADES = (ev.StateImported, *ev.HEDGE_CHANGES)


class StateFile:
    """An observer that replaces the state file as a whole, and saves it at the end.

    The log wins over the file, so a failed write stops nothing: it is reported once, tried again with every later one,
    and reported when it works again. The price and the signal that were seen last belong to the hedge they were seen
    of; no other hedge is valued at them.
    """

    def __init__(self, path: Path, found: GuideState | None = None) -> None:
        self._path = path
        self._found = found
        """Content of the file at the start."""
        self._report: Callable[[str], None] | None = None
        self._seen: dict[str, tuple[Decimal | None, FundingSignal | None]] = {}
        """Newest price and signal of each hedge, by its id."""
        self.failure: str | None = None
        """Why the last write failed; None when it did not."""

    def report_to(self, report: Callable[[str], None]) -> None:
        """Report through ``report`` when the file cannot be written, and when it can be again."""
        self._report = report

    def on_notice(self, notice: Notice) -> None:
        """Write after cycles and trades, and at the start where the file misses what was logged last."""
        match notice:
            case Started(ledger=ledger, at=at):
                if self._found is None or not guide_state.agrees(self._found, ledger):
                    self._write(ledger, at, durable=False)
            case Reconciled(hedge=HedgedPosition() as hedge, value=Decimal() as value) if hedge.spot_quantity:
                self._see(hedge.hedge_id, value / hedge.spot_quantity)
            case CycleEnded(ledger=ledger, at=at):
                for hedge_id, evaluation in notice.evaluations.items():
                    self._see(hedge_id, evaluation.spot_price, evaluation.signal)
                self._write(ledger, at, durable=False)
            case Recorded(event=event, after=ledger) if isinstance(event, TRADES):
                hedge_id = event.hedge.hedge_id if isinstance(event, ev.HedgeAdopted) else _hedge_id(event)
                if ledger.open_hedge(hedge_id) is not None:
                    self._see(hedge_id, _traded_at(notice))
                self._write(ledger, event.at)
            case _:
                pass

    def save(self, ledger: Ledger, at: datetime) -> str | None:
        """Write the final state; return why it could not be written, None once it is on the disk."""
        self._write(ledger, at)
        return self.failure

    def _see(self, hedge_id: str, price: Decimal | None, signal: FundingSignal | None = None) -> None:
        """Keep the newest reading of a held hedge; what could not be read stays as it was."""
        known = self._seen.get(hedge_id, (None, None))
        self._seen[hedge_id] = (price or known[0], signal or known[1])

    def _write(self, ledger: Ledger, at: datetime, *, durable: bool = True) -> None:
        self._seen = {key: seen for key, seen in self._seen.items() if key in ledger.hedges}
        price, signal = self._seen.get(ledger.largest.hedge_id, (None, None)) if ledger.largest else (None, None)
        state = guide_state.render(ledger, at=at, spot_price=price, signal=signal, others=self._seen)
        before = self.failure
        try:
            guide_state.write(self._path, state, durable=durable)
        except StoreError as error:
            self.failure = str(error)
        else:
            self.failure = None
        if self._report is None or (before is None) == (self.failure is None):
            return
        if self.failure is None:
            self._report(f"The state file {self._path} is written again")
        else:
            self._report(f"{self.failure}: it is tried again after every check and every trade; the log has everything")


def _hedge_id(event: ev.Event) -> str:
    """Return the hedge that a trade is of; empty for the figures of a state file."""
    return "" if isinstance(event, ev.StateImported) else str(getattr(event, "hedge_id", ""))


def _traded_at(notice: Recorded) -> Decimal | None:
    """Return the coin's price that a trade shows: of its own fills, or the one that an adoption was made at."""
    if isinstance(notice.event, ev.HedgeAdopted):
        return notice.event.spot_price
    job = notice.before.execution
    return job.traded_price if job else None
