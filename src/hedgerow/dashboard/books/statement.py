"""Profit and loss per hedge with its parts, computed from the event log alone.

``net = funding + basis - fees``, exactly; each part is the sum of its own lines.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.dashboard.report.recorder import STILL_OPEN
from hedgerow.domain import events as ev
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import Fill
from hedgerow.domain.position import ClosedHedge, HedgedPosition, OrderRecord
from hedgerow.strategy.hedge_result import NO_PRICES, ExitPrices, HedgeResult, result_of, result_of_ended

__all__ = ["FeeLine", "HedgeStatement", "Statement", "read_statement"]


class FeeLine(Struct, frozen=True, kw_only=True):
    """Fees of one leg in one asset."""

    market: Market
    asset: str
    amount: Decimal
    """Units of ``asset``; positive = cost."""
    value: Decimal
    """The same in quote units, at the prices of the trades."""
    estimated: bool = False
    """True for fills whose trade report was not booked yet."""


class HedgeStatement(Struct, frozen=True, kw_only=True):
    """One hedge and what it made; money in quote units."""

    hedge: HedgedPosition
    ended_at: datetime | None = None
    """None while it is opening or open."""
    reason: str = STILL_OPEN
    payments: tuple[FundingPayment, ...] = ()
    """Oldest first; their sum is ``funding``."""
    fee_lines: tuple[FeeLine, ...] = ()
    """By leg and asset; their values sum up to ``fees``."""
    result: HedgeResult
    """What it made; of an open hedge at the prices that were given."""


class Statement(Struct, frozen=True, kw_only=True):
    """The accounts of the whole log."""

    ledger: Ledger
    """The fold of the log."""
    last_at: datetime | None
    """Time of the newest event."""
    hedges: tuple[HedgeStatement, ...]
    """Oldest first, attempts that traded included."""
    unattributed: tuple[FundingPayment, ...] = ()
    """Funding paid on positions that were never the bot's."""
    rows: tuple[ev.ExternalFlow, ...] = ()
    """Classified rows of the venue, the opening balances left out."""


class _Reader:
    """Folds the log and keeps what the ledger drops: every hedge that ended, every payment, every trade."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.last_at: datetime | None = None
        self.ended: dict[str, ClosedHedge] = {}
        self.payments: dict[str, list[FundingPayment]] = {}
        self.trades: dict[str, list[ev.FeeBooked]] = {}
        self.rows: list[ev.ExternalFlow] = []

    def record(self, event: ev.Event) -> None:
        before, self.ledger, self.last_at = self.ledger, apply(self.ledger, event), event.at
        if self.ledger.closed is not before.closed:
            self.ended.update((closed.hedge_id, self._whole(closed)) for closed in self.ledger.closed)
        match event:
            case ev.FundingReceived(payment=payment) if not before.funding_seen.knows(payment.tran_id, payment.at):
                self.payments.setdefault(_paid_to(before, self.ledger), []).append(payment)
            case ev.HedgeAdopted():
                self.payments[event.hedge.hedge_id] = list(event.payments)
            case ev.FeeBooked(fill=fill) if not before.trades_seen.knows(fill.key, fill.at):
                self.trades.setdefault(event.client_id, []).append(event)
            case ev.ExternalFlow() if event.kind is not ev.FlowKind.OPENING:
                if not before.rows_seen.knows(event.row_id, event.at):
                    self.rows.append(event)
            case _:
                pass

    def _whole(self, closed: ClosedHedge) -> ClosedHedge:
        """Return a hedge that ended with the orders that the ledger has dropped."""
        known = self.ended.get(closed.hedge_id)
        if known is None or closed.hedge.orders:
            return closed
        return replace(closed, hedge=replace(closed.hedge, orders=known.hedge.orders))


UNATTRIBUTED = ""


def _paid_to(before: Ledger, after: Ledger) -> str:
    """Return the id of the hedge that a payment went to; empty for none."""
    counted = {hedge.hedge_id: hedge.funding_payments for hedge in _kept(before)}
    changed = (h.hedge_id for h in _kept(after) if counted.get(h.hedge_id) != h.funding_payments)
    return next(changed, UNATTRIBUTED)


def _kept(ledger: Ledger) -> Iterator[HedgedPosition]:
    yield from ledger.known_hedges


def read_statement(events: Iterable[ev.Event], prices: Mapping[str, ExitPrices] | None = None) -> Statement:
    """Return the accounts of a whole log; ``prices`` by symbol value what is still held."""
    reader = _Reader()
    for event in events:
        reader.record(event)
    known = prices or {}
    hedges = [_statement_of(reader, c.hedge, result_of_ended(c), c) for c in reader.ended.values()]
    for hedge in reader.ledger.live_hedges:
        at = reader.last_at or hedge.opened_at
        result = result_of(hedge, known.get(hedge.symbol, NO_PRICES), None, at)
        hedges.append(_statement_of(reader, hedge, result))
    return Statement(
        ledger=reader.ledger,
        last_at=reader.last_at,
        hedges=tuple(sorted(hedges, key=lambda one: one.hedge.begun_at)),
        unattributed=tuple(reader.payments.get(UNATTRIBUTED, ())),
        rows=tuple(reader.rows),
    )


def _statement_of(
    reader: _Reader, hedge: HedgedPosition, result: HedgeResult, closed: ClosedHedge | None = None
) -> HedgeStatement:
    return HedgeStatement(
        hedge=hedge,
        result=result,
        ended_at=closed.closed_at if closed else None,
        reason=closed.reason.value if closed else STILL_OPEN,
        payments=tuple(sorted(reader.payments.get(hedge.hedge_id, ()), key=lambda payment: payment.at)),
        fee_lines=_summed(line for record in hedge.orders for line in _fees(hedge, record, reader.trades)),
    )


def _fees(hedge: HedgedPosition, record: OrderRecord, trades: Mapping[str, list[ev.FeeBooked]]) -> Iterator[FeeLine]:
    """Yield the fees of one order: by trade where trades are in the log, else as the record sums them up."""
    market, base, quote = record.request.market, hedge.pair.base, hedge.pair.perp.quote
    booked = trades.get(record.request.client_id)
    if booked is not None:
        yield from (_fee_of(event.fill, event.fee_quote) for event in booked)
    else:
        rest = record.booked_fee - record.booked_coin_value
        yield FeeLine(market=market, asset=base, amount=record.booked_coin_fee, value=record.booked_coin_value)
        yield FeeLine(market=market, asset=quote, amount=rest, value=rest)
    guess, in_coin = record.estimated_fee, record.pays_in_coin
    amount = record.coin_fee - record.booked_coin_fee if in_coin else guess
    yield FeeLine(market=market, asset=base if in_coin else quote, amount=amount, value=guess, estimated=True)


def _fee_of(fill: Fill, value: Decimal) -> FeeLine:
    return FeeLine(market=fill.market, asset=fill.fee_asset, amount=fill.fee, value=value)


def _summed(lines: Iterable[FeeLine]) -> tuple[FeeLine, ...]:
    """Return one line per leg, asset and certainty; lines of nothing are left out."""
    sums: dict[tuple[str, str, bool], FeeLine] = {}
    for line in lines:
        key = (line.market.value, line.asset, line.estimated)
        known = sums.get(key)
        sums[key] = line if known is None else _added(known, line)
    return tuple(sums[key] for key in sorted(sums) if sums[key].amount or sums[key].value)


def _added(first: FeeLine, second: FeeLine) -> FeeLine:
    return FeeLine(
        market=first.market,
        asset=first.asset,
        amount=first.amount + second.amount,
        value=first.value + second.value,
        estimated=first.estimated,
    )
