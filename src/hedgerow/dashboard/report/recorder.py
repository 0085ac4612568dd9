"""Records a run for its report: each event with the ledger after it, and samples of equity."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from hedgerow.dashboard.report.report import Curve, HedgeRow, RunReport
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import ClosedHedge, HedgedPosition
from hedgerow.strategy.hedge_result import NO_PRICES, ExitPrices, HedgeResult, dust_gain, result_of, result_of_ended

__all__ = ["STILL_OPEN", "RunEnd", "RunRecorder"]

STILL_OPEN = "still open"


class RunEnd(Struct, frozen=True, kw_only=True):
    """What is known once the run is over."""

    at: datetime
    elapsed_seconds: float
    events_sha256: str
    books_lines: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Venue minus books per ``wallet:asset``, where they differ (``domain.books.books_difference``)."""
    prices: ExitPrices = NO_PRICES
    """What a hedge that is still open is valued at, where ``prices_by_symbol`` does not say it."""
    prices_by_symbol: Mapping[str, ExitPrices] = field(default_factory=dict[str, ExitPrices])
    coins: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Present prices by asset, for kept dust."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    changed: frozenset[str] = frozenset()
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    def prices_of(self, hedge: HedgedPosition) -> ExitPrices:
        """Return what an open hedge is valued at."""
        return self.prices_by_symbol.get(hedge.symbol, self.prices)


class RunRecorder:
    """Collects one run. The figures are those since ``ledger``, which is the state before its first event."""

    def __init__(
        self,
        *,
        title: str,
        started_at: datetime,
        seed: int | None = None,
        sources: Mapping[str, str] | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self._title = title
        self._started_at = started_at
        self._seed = seed
        self._sources = dict(sources or {})
        self._before = self._ledger = ledger or Ledger()
        self._closed: dict[str, ClosedHedge] = {}
        self._equity: list[tuple[datetime, Decimal]] = []
        self._funding = [(started_at, ZERO)]
        self._fees = [(started_at, ZERO)]

    def record(self, event: Event, ledger: Ledger) -> None:
        """Record one event and the ledger after it."""
        if ledger.closed is not self._ledger.closed:
            self._closed.update({closed.hedge_id: closed for closed in ledger.closed})
        self._ledger = ledger
        _extend(self._funding, event.at, _funding_of(ledger) - _funding_of(self._before))
        _extend(self._fees, event.at, _fees_of(ledger) - _fees_of(self._before))

    def sample(self, at: datetime, equity: Decimal) -> None:
        """Record the strategy's equity at one time."""
        self._equity.append((at, equity))

    def finish(self, end: RunEnd) -> RunReport:
        """Return the report of everything recorded so far."""
        before, ledger = self._before.totals, self._ledger.totals
        hedges, gain = self._hedges(end), dust_gain(self._ledger.dust, end.coins)
        funding, fees = self._funding[-1][1], self._fees[-1][1]
        parts = [gain, *(row.basis_pnl for row in hedges if row.closed_at is None)]
        known = [part for part in parts if part is not None]
        basis = ledger.basis_pnl - before.basis_pnl + sum(known, ZERO) if len(known) == len(parts) else None
        return RunReport(
            title=self._title,
            seed=self._seed,
            sources=self._sources,
            started_at=self._started_at,
            ended_at=end.at,
            cycles=ledger.cycles - before.cycles,
            positions_opened=ledger.opened - before.opened,
            positions_closed=ledger.closed - before.closed,
            funding_received=funding,
            fees_paid=fees,
            basis_pnl=basis,
            dust_gain=gain,
            net_profit=None if basis is None else funding + basis - fees,
            equity_start=self._equity[0][1] if self._equity else ZERO,
            equity_end=self._equity[-1][1] if self._equity else ZERO,
            books_difference=sum((abs(value) for value in end.books_lines.values()), ZERO),
            books_lines=end.books_lines,
            max_naked_seconds=self._ledger.max_naked_seconds,
            max_naked_usd=self._ledger.max_naked_notional,
            events_sha256=end.events_sha256,
            elapsed_seconds=end.elapsed_seconds,
            equity=tuple(self._equity),
            funding_curve=_until(self._funding, end.at),
            fees_curve=_until(self._fees, end.at),
            hedges=hedges,
            settings=end.settings,
            changed=end.changed,
            interrupted=end.interrupted,
            notes=(*end.notes, *self._remarks(hedges, gain)),
        )

    def _hedges(self, end: RunEnd) -> tuple[HedgeRow, ...]:
        """Return the hedges that ended in this run by opening time, then the open one."""
        earlier = {closed.hedge_id for closed in self._before.closed}
        ended = [closed for key, closed in self._closed.items() if key not in earlier]
        rows = [_row(closed.hedge, result_of_ended(closed), closed) for closed in ended]
        rows.sort(key=lambda row: (row.opened_at, row.hedge_id))
        live = self._ledger.live_hedges
        return (*rows, *(_row(hedge, result_of(hedge, end.prices_of(hedge), None, end.at)) for hedge in live))

    def _remarks(self, hedges: tuple[HedgeRow, ...], gain: Decimal | None) -> Iterator[str]:
        for row in hedges:
            if row.basis_pnl is None:
                yield f"{row.symbol} is still open and its prices could not be read: the result is unknown."
        if gain is None:
            yield "A price of kept dust could not be read: the result is unknown."


def _funding_of(ledger: Ledger) -> Decimal:
    """Return the funding of all hedges, ended and live, quote units."""
    return ledger.totals.funding + sum((hedge.funding_received for hedge in ledger.hedges.values()), ZERO)


def _fees_of(ledger: Ledger) -> Decimal:
    """Return the fees of all hedges, ended and live, quote units; estimated where not booked yet."""
    return ledger.totals.fees + sum((hedge.tally.fees for hedge in ledger.hedges.values()), ZERO)


def _extend(curve: list[tuple[datetime, Decimal]], at: datetime, value: Decimal) -> None:
    """Add a point where the value changed; several changes at one time leave the last."""
    newest_at, newest = curve[-1]
    if value == newest:
        return
    if at <= newest_at and len(curve) > 1:
        curve[-1] = (newest_at, value)
    else:
        curve.append((max(at, newest_at), value))


def _until(curve: list[tuple[datetime, Decimal]], end: datetime) -> Curve:
    newest_at, newest = curve[-1]
    return (*curve, (end, newest)) if newest_at < end else tuple(curve)


def _row(hedge: HedgedPosition, result: HedgeResult, closed: ClosedHedge | None = None) -> HedgeRow:
    return HedgeRow(
        hedge_id=hedge.hedge_id,
        opened_at=hedge.opened_at,
        closed_at=closed.closed_at if closed else None,
        reason=str(closed.reason) if closed else STILL_OPEN,
        entry_apr=hedge.entry_apr,
        result=result,
    )
