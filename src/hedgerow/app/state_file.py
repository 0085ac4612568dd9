"""Keeps ``volume_farming_state.json`` in step with the log: after every cycle and every trade."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from hedgerow.domain import events as ev
from hedgerow.domain.errors import StoreError
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.ledger import Ledger
from hedgerow.engine.moments import CycleEnded, Moment, Recorded, Stopped
from hedgerow.store import guide_state

__all__ = ["StateFile"]

TRADES = (ev.HedgeOpened, ev.HedgeClosed, ev.HedgeAborted, ev.HedgeAdopted, ev.HedgeLost, ev.HedgeRepaired)


class StateFile:
    """A listener that replaces the state file as a whole; the log wins over it, so a failed write is only a warning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._price: Decimal | None = None
        self._signal: FundingSignal | None = None
        self.failure: str | None = None
        """Why the last write failed; None when it did not."""

    def hear(self, moment: Moment) -> None:
        """Write after cycles and trades."""
        if isinstance(moment, CycleEnded):
            if moment.evaluation is not None:
                self._price, self._signal = moment.evaluation.spot_price, moment.evaluation.signal
            self._write(moment.ledger, moment.at, durable=False)
        elif isinstance(moment, Recorded) and isinstance(moment.event, TRADES):
            if not isinstance(moment.event, ev.HedgeRepaired):
                self._price = self._signal = None
            self._write(moment.after, moment.event.at)
        elif isinstance(moment, Stopped):
            self._write(moment.ledger, moment.at)

    def _write(self, ledger: Ledger, at: datetime, *, durable: bool = True) -> None:
        state = guide_state.render(ledger, at=at, spot_price=self._price, signal=self._signal)
        try:
            guide_state.write(self._path, state, durable=durable)
        except StoreError as error:
            self.failure = str(error)
        else:
            self.failure = None
