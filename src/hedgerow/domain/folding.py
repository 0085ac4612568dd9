"""The fold: how each event changes the ledger. The only way the bot's own state changes."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.books import Books
from hedgerow.domain.commands import PlaceOrder, TransferFunds
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger import Halt, ImportedState, Ledger, Target
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus
from hedgerow.domain.order_keeping import base_of, retallied, with_changed_order, with_record, with_result
from hedgerow.domain.position import ClosedHedge, DustLot, HedgedPosition, OrderRecord

__all__ = ["apply", "fold"]

KEPT_CLOSED = 16
"""Closed hedges kept whole, for fees and funding that arrive after the closing."""
LATE_FUNDING = timedelta(seconds=15)
"""A settlement may be charged up to 15 s off its stamp (API reference 11)."""


def fold(events: Iterable[ev.Event], ledger: Ledger | None = None) -> Ledger:
    """Return the ledger after ``events``, starting from ``ledger`` or from nothing."""
    folded = ledger if ledger is not None else Ledger()
    for event in events:
        folded = apply(folded, event)
    return folded


def apply(ledger: Ledger, event: ev.Event) -> Ledger:
    """Return the ledger after one event. Total: every event is defined on every ledger."""
    after = _APPLY[type(event)](ledger, event)
    return replace(after, events=ledger.events + 1, started_at=ledger.started_at or event.at)


# --- commands and orders ---------------------------------------------------------------------------------------------


def _command_issued(ledger: Ledger, event: ev.CommandIssued) -> Ledger:
    command = event.command
    if isinstance(command, TransferFunds):
        return replace(ledger, transfer=command)
    if not isinstance(command, PlaceOrder) or command.order.client_id in ledger.orders:
        return ledger
    record = OrderRecord(
        request=command.order, hedge_id=command.hedge_id, fee_rate=command.fee_rate, issued_at=event.at
    )
    return with_record(ledger, record)


def _command_refused(ledger: Ledger, event: ev.CommandRefused) -> Ledger:
    return replace(ledger, transfer=None) if isinstance(event.command, TransferFunds) else ledger


def _order_accepted(ledger: Ledger, event: ev.OrderAccepted) -> Ledger:
    return with_changed_order(ledger, event.client_id, lambda r: replace(r, order_id=event.order_id))


def _order_progressed(ledger: Ledger, event: ev.OrderProgressed) -> Ledger:
    return with_changed_order(ledger, event.client_id, lambda r: _grown(r, event))


def _order_ended(ledger: Ledger, event: ev.OrderEnded) -> Ledger:
    def ended(record: OrderRecord) -> OrderRecord:
        return replace(_grown(record, event), status=event.status, unknown=False)

    return replace(with_changed_order(ledger, event.client_id, ended), traded_at=event.at)


def _order_unknown(ledger: Ledger, event: ev.OrderOutcomeUnknown) -> Ledger:
    return with_changed_order(ledger, event.client_id, lambda r: r if r.status.done else replace(r, unknown=True))


def _grown(record: OrderRecord, event: ev.OrderProgressed | ev.OrderEnded) -> OrderRecord:
    """Apply cumulative fills as a maximum, so that any route may report them twice."""
    status = record.status
    if not status.done and event.filled_quantity > 0:
        status = OrderStatus.PARTIALLY_FILLED
    return replace(
        record,
        order_id=event.order_id if event.order_id is not None else record.order_id,
        filled_quantity=max(record.filled_quantity, event.filled_quantity),
        filled_notional=max(record.filled_notional, event.filled_notional),
        status=status,
    )


def _fee_booked(ledger: Ledger, event: ev.FeeBooked) -> Ledger:
    fill = event.fill
    key = f"{fill.market}:{fill.symbol}:{fill.trade_id}"
    if key in ledger.trades_seen:
        return ledger
    base = base_of(ledger, fill.symbol)
    coin_fee = fill.fee if fill.fee_asset == base and fill.market is Market.SPOT else ZERO

    after = with_changed_order(ledger, event.client_id, lambda r: _booked(r, event, coin_fee))
    return replace(after, trades_seen=ledger.trades_seen | {key}, books=ledger.books.with_fill(fill, base=base))


def _booked(record: OrderRecord, event: ev.FeeBooked, coin_fee: Decimal) -> OrderRecord:
    """Add a trade report; it proves a fill that no other route may have reported yet."""
    quantity = record.booked_quantity + event.fill.quantity
    notional = record.booked_notional + event.fill.notional
    return replace(
        record,
        filled_quantity=max(record.filled_quantity, quantity),
        filled_notional=max(record.filled_notional, notional),
        booked_quantity=quantity,
        booked_notional=notional,
        booked_fee=record.booked_fee + event.fee_quote,
        booked_coin_fee=record.booked_coin_fee + coin_fee,
        booked_coin_value=record.booked_coin_value + (event.fee_quote if coin_fee else ZERO),
    )


def _fills_elsewhere(ledger: Ledger, event: ev.FillsElsewhere) -> Ledger:
    hedge = ledger.hedge
    if hedge is None or hedge.hedge_id != event.hedge_id:
        return ledger
    records, books, seen = list(hedge.orders), ledger.books, set(ledger.trades_seen)
    for fill in event.fills:
        key = f"{fill.market}:{fill.symbol}:{fill.trade_id}"
        if key in seen:
            continue
        seen.add(key)
        fee_quote = fill.fee_in_quote(hedge.pair.base, hedge.pair.perp.quote, asset_price=ZERO)
        records.append(OrderRecord.of_fill(fill, hedge_id=hedge.hedge_id, base=hedge.pair.base, fee_quote=fee_quote))
        # A trade the user made by hand is a row of the venue's statement; one the venue forced on us is ours.
        books = books.with_fill(fill, base=hedge.pair.base) if fill.forced else books
    changed = retallied(replace(hedge, orders=tuple(records)))
    return replace(ledger, hedge=changed, books=books, trades_seen=frozenset(seen))


# --- transfers, funding, external rows -------------------------------------------------------------------------------


def _funds_transferred(ledger: Ledger, event: ev.FundsTransferred) -> Ledger:
    row = f"transfer:{event.transfer_id}"
    if row in ledger.rows_seen:
        return replace(ledger, transfer=None)
    seen = ledger.rows_seen | {row}
    books = ledger.books.with_transfer(event)
    return replace(ledger, transfer=None, rows_seen=seen, books=books, traded_at=event.at)


def _funding_received(ledger: Ledger, event: ev.FundingReceived) -> Ledger:
    payment = event.payment
    if payment.tran_id in ledger.funding_seen:
        return ledger
    ledger = replace(
        ledger,
        funding_seen=ledger.funding_seen | {payment.tran_id},
        funding_until=max(ledger.funding_until or payment.at, payment.at),
        books=ledger.books.with_funding(payment),
    )
    return _attributed(ledger, payment)


def _attributed(ledger: Ledger, payment: FundingPayment) -> Ledger:
    """Give a payment to the hedge held at its stamp, wherever that hedge is by now."""
    for slack in (timedelta(0), LATE_FUNDING):
        for name in ("hedge", "opening"):
            hedge: HedgedPosition | None = getattr(ledger, name)
            if hedge and _held_at(hedge, payment, slack):
                return replace(ledger, **{name: _paid(hedge, payment)})
        for index, closed in enumerate(ledger.closed):
            if _held_at(closed.hedge, payment, slack) and payment.at <= closed.closed_at + slack:
                changed = replace(closed, hedge=_paid(closed.hedge, payment))
                totals = replace(ledger.totals, funding=ledger.totals.funding + payment.amount)
                rest = (*ledger.closed[:index], changed, *ledger.closed[index + 1 :])
                return replace(ledger, closed=rest, totals=totals)
    return replace(ledger, unattributed_funding=ledger.unattributed_funding + payment.amount)


def _held_at(hedge: HedgedPosition, payment: FundingPayment, slack: timedelta) -> bool:
    """Whether the hedge was at work at the stamp: a settlement during its opening pays on the slices already held."""
    return hedge.symbol == payment.symbol and payment.at >= hedge.begun_at - slack


def _paid(hedge: HedgedPosition, payment: FundingPayment) -> HedgedPosition:
    return replace(
        hedge,
        funding_received=hedge.funding_received + payment.amount,
        funding_payments=hedge.funding_payments + 1,
    )


def _external_flow(ledger: Ledger, event: ev.ExternalFlow) -> Ledger:
    if event.row_id in ledger.rows_seen:
        return ledger
    opened = event.at if event.kind is ev.FlowKind.OPENING else None
    return replace(
        ledger,
        rows_seen=ledger.rows_seen | {event.row_id},
        books=ledger.books.with_flow(event),
        books_since=ledger.books_since or opened,
    )


# --- the life of a hedge ---------------------------------------------------------------------------------------------


def _execution_started(ledger: Ledger, event: ev.ExecutionStarted) -> Ledger:
    job = event.execution
    started = replace(ledger, execution=job, orders={})
    if job.kind is not ExecutionKind.OPEN:
        return started
    opening = HedgedPosition(
        hedge_id=job.hedge_id,
        pair=job.pair,
        opened_at=event.at,
        counted_from=event.at,
        entry_rate=job.plan.entry_rate,
        entry_apr=job.plan.entry_apr,
        entry_notional=ZERO,
    )
    return replace(started, opening=opening, target=None)


def _execution_stepped(ledger: Ledger, event: ev.ExecutionStepped) -> Ledger:
    job = event.execution
    return replace(
        ledger,
        execution=job,
        max_naked_seconds=max(ledger.max_naked_seconds, job.worst_naked_seconds),
        max_naked_notional=max(ledger.max_naked_notional, job.worst_naked_notional),
    )


def _hedge_opened(ledger: Ledger, event: ev.HedgeOpened) -> Ledger:
    opening = ledger.opening
    if opening is None or opening.hedge_id != event.hedge_id:
        return ledger
    tally = opening.tally
    hedge = replace(
        opening,
        opened_at=event.at,
        counted_from=event.at,
        entry_notional=(tally.spot_bought - tally.spot_sold) or tally.perp_sold,
        entry_fees=tally.fees,
    )
    totals = replace(ledger.totals, opened=ledger.totals.opened + 1)
    return replace(ledger, hedge=hedge, opening=None, execution=None, orders={}, totals=totals)


def _hedge_closed(ledger: Ledger, event: ev.HedgeClosed) -> Ledger:
    if ledger.hedge is None or ledger.hedge.hedge_id != event.hedge_id:
        return ledger
    return _ended(ledger, ledger.hedge, event)


def _hedge_lost(ledger: Ledger, event: ev.HedgeLost) -> Ledger:
    if ledger.hedge is None or ledger.hedge.hedge_id != event.hedge_id:
        return ledger
    return _ended(ledger, ledger.hedge, event)


def _ended(ledger: Ledger, hedge: HedgedPosition, event: ev.HedgeClosed | ev.HedgeLost) -> Ledger:
    residue = event.residue_value if isinstance(event, ev.HedgeClosed) else ZERO
    closed = ClosedHedge(hedge=hedge, closed_at=event.at, reason=event.reason, residue_value=residue)
    totals = replace(with_result(ledger.totals, closed), closed=ledger.totals.closed + 1)
    return replace(ledger, hedge=None, execution=None, orders={}, totals=totals, closed=_kept(ledger.closed, closed))


def _hedge_aborted(ledger: Ledger, event: ev.HedgeAborted) -> Ledger:
    opening = ledger.opening
    if opening is None or opening.hedge_id != event.hedge_id:
        return replace(ledger, execution=None, orders={})
    aborted = ClosedHedge(hedge=opening, closed_at=event.at, reason=event.reason, residue_value=event.residue_value)
    totals = replace(with_result(ledger.totals, aborted), aborted=ledger.totals.aborted + 1)
    closed = _kept(ledger.closed, aborted) if opening.orders else ledger.closed
    return replace(ledger, opening=None, execution=None, orders={}, totals=totals, closed=closed)


def _hedge_repaired(ledger: Ledger, event: ev.HedgeRepaired) -> Ledger:
    del event
    return replace(ledger, execution=None, orders={})


def _hedge_adopted(ledger: Ledger, event: ev.HedgeAdopted) -> Ledger:
    # The figures of an imported state file count the position it held as opened already.
    imported = ledger.imported.symbol == event.hedge.symbol and ledger.totals.opened == 0
    known = imported or (ledger.hedge is not None and ledger.hedge.hedge_id == event.hedge.hedge_id)
    totals = ledger.totals if known else replace(ledger.totals, opened=ledger.totals.opened + 1)
    symbol = event.hedge.symbol
    seen = {f"{r.request.market}:{symbol}:{r.request.client_id[3:]}" for r in event.hedge.orders}
    return replace(
        ledger,
        hedge=retallied(event.hedge),
        totals=totals,
        trades_seen=ledger.trades_seen | seen,
        funding_seen=ledger.funding_seen | {p.tran_id for p in event.payments},
        books=_with_late_payments(ledger, event),
    )


def _with_late_payments(ledger: Ledger, event: ev.HedgeAdopted) -> Books:
    """Book the payments that came after the books were opened; earlier ones are in the opening balance."""
    books, opened = ledger.books, ledger.books_since or ledger.started_at
    for payment in event.payments:
        late = opened is not None and payment.at > opened
        if late and payment.tran_id not in ledger.funding_seen:
            books = books.with_funding(payment)
    return books


def _hedge_rolled(ledger: Ledger, event: ev.HedgeRolled) -> Ledger:
    hedge = ledger.hedge
    if hedge is None or hedge.hedge_id != event.hedge_id:
        return ledger
    rolled = replace(hedge, counted_from=event.at, funding_before_roll=hedge.funding_received)
    return replace(ledger, hedge=rolled)


def _dust_kept(ledger: Ledger, event: ev.DustKept) -> Ledger:
    lot = ledger.dust.get(event.lot.asset)
    if lot:
        merged = replace(lot, quantity=lot.quantity + event.lot.quantity, cost=lot.cost + event.lot.cost)
    else:
        merged = event.lot
    return replace(ledger, dust={**ledger.dust, merged.asset: merged})


def _dust_swept(ledger: Ledger, event: ev.DustSwept) -> Ledger:
    hedge, kept = ledger.hedge, ledger.dust.get(event.lot.asset)
    if hedge is None or hedge.hedge_id != event.hedge_id or kept is None or hedge.pair.base != kept.asset:
        return ledger
    swept = replace(
        hedge,
        swept_quantity=hedge.swept_quantity + kept.quantity,
        swept_cost=hedge.swept_cost + kept.cost,
    )
    rest: dict[str, DustLot] = {asset: lot for asset, lot in ledger.dust.items() if asset != kept.asset}
    return replace(ledger, hedge=retallied(swept), dust=rest)


# --- standing orders of the house ------------------------------------------------------------------------------------


def _state_imported(ledger: Ledger, event: ev.StateImported) -> Ledger:
    imported = ImportedState(
        cycle_count=event.cycle_count,
        total_profit_loss=event.total_profit_loss,
        positions_opened=event.positions_opened,
        positions_closed=event.positions_closed,
        symbol=event.symbol,
        position_opened_at=event.position_opened_at,
    )
    return replace(ledger, imported=imported)


def _target_decided(ledger: Ledger, event: ev.TargetDecided) -> Ledger:
    return replace(ledger, target=Target(symbol=event.symbol, expires_at=event.expires_at))


def _halted(ledger: Ledger, event: ev.Halted) -> Ledger:
    return replace(ledger, halt=Halt(since=event.at, reason=event.reason, detail=event.detail))


def _lifted(ledger: Ledger, event: ev.Lifted) -> Ledger:
    del event
    return replace(ledger, halt=None)


def _cycle_completed(ledger: Ledger, event: ev.CycleCompleted) -> Ledger:
    return replace(ledger, totals=replace(ledger.totals, cycles=event.number))


def _unchanged(ledger: Ledger, event: ev.Event) -> Ledger:
    del event
    return ledger


def _kept(closed: tuple[ClosedHedge, ...], newest: ClosedHedge) -> tuple[ClosedHedge, ...]:
    return (*closed, newest)[-KEPT_CLOSED:]


_APPLY: dict[type[ev.Event], Callable[[Ledger, Any], Ledger]] = {
    ev.CommandIssued: _command_issued,
    ev.CommandRefused: _command_refused,
    ev.OrderAccepted: _order_accepted,
    ev.OrderProgressed: _order_progressed,
    ev.OrderEnded: _order_ended,
    ev.OrderOutcomeUnknown: _order_unknown,
    ev.FeeBooked: _fee_booked,
    ev.FillsElsewhere: _fills_elsewhere,
    ev.FundsTransferred: _funds_transferred,
    ev.TransferOutcomeUnknown: _unchanged,
    ev.LeverageSet: _unchanged,
    ev.MarginTypeSet: _unchanged,
    ev.FundingReceived: _funding_received,
    ev.ExecutionStarted: _execution_started,
    ev.ExecutionStepped: _execution_stepped,
    ev.HedgeOpened: _hedge_opened,
    ev.HedgeClosed: _hedge_closed,
    ev.HedgeAborted: _hedge_aborted,
    ev.HedgeRepaired: _hedge_repaired,
    ev.HedgeAdopted: _hedge_adopted,
    ev.HedgeLost: _hedge_lost,
    ev.HedgeRolled: _hedge_rolled,
    ev.DustKept: _dust_kept,
    ev.DustSwept: _dust_swept,
    ev.ExternalFlow: _external_flow,
    ev.StateImported: _state_imported,
    ev.TargetDecided: _target_decided,
    ev.Halted: _halted,
    ev.Lifted: _lifted,
    ev.NakedAlarmed: _unchanged,
    ev.CycleCompleted: _cycle_completed,
}
