"""Collecting a run's report while it runs: fed each event with the ledger after it, and samples of equity."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from hedgerow.dashboard.report import Curve, HedgeRow, RunReport
from hedgerow.domain.events import Event
from hedgerow.domain.ledger import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import ClosedHedge, HedgedPosition

__all__ = ["STILL_OPEN", "PairPrices", "RunEnd", "RunRecorder"]

STILL_OPEN = "still open"


class PairPrices(Struct, frozen=True, kw_only=True):
    """Prices at which the hedge that is still open is valued, quote units."""

    spot: Decimal
    perp: Decimal


class RunEnd(Struct, frozen=True, kw_only=True):
    """What is known once the run is over."""

    at: datetime
    elapsed_seconds: float
    events_sha256: str
    books_lines: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Venue minus books per ``wallet:asset``, where they differ (``domain.books.books_difference``)."""
    prices: PairPrices | None = None
    """None when nothing is open, or nothing could be read."""
    dust_pnl: Decimal = ZERO
    """What kept dust gained since it was kept, quote units; part of the basis P/L."""
    notes: tuple[str, ...] = ()


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
        """Take one event and the ledger after it."""
        if ledger.closed is not self._ledger.closed:
            self._closed.update({closed.hedge_id: closed for closed in ledger.closed})
        self._ledger = ledger
        _extend(self._funding, event.at, _funding_of(ledger) - _funding_of(self._before))
        _extend(self._fees, event.at, _fees_of(ledger) - _fees_of(self._before))

    def sample(self, at: datetime, equity: Decimal) -> None:
        """Take the strategy's equity at one time."""
        self._equity.append((at, equity))

    def finish(self, end: RunEnd) -> RunReport:
        """Return the report of everything taken so far."""
        before, ledger = self._before.totals, self._ledger.totals
        hedges = self._hedges(end.prices)
        funding, fees = self._funding[-1][1], self._fees[-1][1]
        open_basis = sum((row.basis_pnl for row in hedges if row.closed_at is None), ZERO)
        basis = ledger.basis_pnl - before.basis_pnl + open_basis + end.dust_pnl
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
            net_profit=funding + basis - fees,
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
            notes=(*end.notes, *self._remarks(end.prices)),
        )

    def _hedges(self, prices: PairPrices | None) -> tuple[HedgeRow, ...]:
        """Return the hedges that ended in this run by opening time, then the open one."""
        earlier = {closed.hedge_id for closed in self._before.closed}
        ended = [_closed_row(closed) for key, closed in self._closed.items() if key not in earlier]
        rows = sorted(ended, key=lambda row: (row.opened_at, row.hedge_id))
        active = self._ledger.active
        return (*rows, _open_row(active, prices)) if active else tuple(rows)

    def _remarks(self, prices: PairPrices | None) -> tuple[str, ...]:
        if self._ledger.active is None or prices is not None:
            return ()
        return (f"{self._ledger.active.symbol} is still open; its basis P/L could not be read and is left out.",)


def _funding_of(ledger: Ledger) -> Decimal:
    """Return the funding of all hedges, ended and live, quote units."""
    active = ledger.active
    return ledger.totals.funding + (active.funding_received if active else ZERO)


def _fees_of(ledger: Ledger) -> Decimal:
    """Return the fees of all hedges, ended and live, quote units; estimated where not booked yet."""
    active = ledger.active
    return ledger.totals.fees + (active.tally.fees if active else ZERO)


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


def _closed_row(closed: ClosedHedge) -> HedgeRow:
    return _row(closed.hedge, closed_at=closed.closed_at, reason=str(closed.reason), basis_pnl=closed.basis_pnl)


def _open_row(hedge: HedgedPosition, prices: PairPrices | None) -> HedgeRow:
    basis = hedge.tally.price_pnl(prices.spot, prices.perp) if prices else ZERO
    return _row(hedge, closed_at=None, reason=STILL_OPEN, basis_pnl=basis)


def _row(hedge: HedgedPosition, *, closed_at: datetime | None, reason: str, basis_pnl: Decimal) -> HedgeRow:
    return HedgeRow(
        hedge_id=hedge.hedge_id,
        symbol=hedge.symbol,
        opened_at=hedge.opened_at,
        closed_at=closed_at,
        reason=reason,
        notional=hedge.entry_notional or hedge.tally.spot_bought or hedge.tally.perp_sold,
        entry_apr=hedge.entry_apr,
        funding=hedge.funding_received,
        basis_pnl=basis_pnl,
        fees=hedge.tally.fees,
    )
