"""The fold of the event log: how each event changes the ledger."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import assert_never

from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, changed
from hedgerow.domain.ledger import account_reducers as folding_rows
from hedgerow.domain.ledger import halt_reducers as folding_brakes
from hedgerow.domain.ledger import naked_time as folding_apart
from hedgerow.domain.ledger import order_reducers as folding_orders
from hedgerow.domain.ledger.books import Books
from hedgerow.domain.ledger.denomination import dust_in_new_units, hedge_in_new_units, job_in_new_units
from hedgerow.domain.ledger.order_index import retallied, with_hedge, with_result, without_hedge
from hedgerow.domain.ledger.state import ImportedState, Ledger, LogMark, StandingHalt, Target, Totals, TradingDay
from hedgerow.domain.ledger.suspension import execution_suspended, execution_taken_up
from hedgerow.domain.money import ZERO
from hedgerow.domain.operator_requests import HandledRequest, RequestOutcome
from hedgerow.domain.position import ClosedHedge, DustLot, HedgedPosition, Tally, newest_stamps

__all__ = ["apply", "fold"]

TRADES = (ev.ExternalFills, ev.FeeBooked)
"""Events of trades: legs may differ from them on."""
KEPT_CLOSED = 16
"""Closed hedges kept, for fees and funding that arrive after the closing."""
KEPT_REQUESTS = 128
"""Answered requests kept; one asked again under its id gets the answer that it had."""
WHOLE_FOR = timedelta(days=2)
"""How long a hedge that ended keeps its orders: trades that no order of ours made are looked for within a day."""
TRADES_SLACK = timedelta(days=1)
"""Trades are asked for from a little before the first order of a hedge; clocks differ."""
ROWS_HORIZON = timedelta(days=3)
"""Other rows are remembered from so long before the watermark on: the statement is read from a day before it."""
RECENT, MARK_EVERY = timedelta(days=5), timedelta(days=1)
"""The log is read again from a mark at least so long before the watermark; marks are so far apart.

More than ``ROWS_HORIZON`` and the day that its watermark is rounded by: a row that does not count as booked is never
older than the orders that are remembered, so that none of the bot's own trades is taken for one by hand.
"""


def fold(events: Iterable[ev.Event], ledger: Ledger | None = None) -> Ledger:
    """Return the ledger after ``events``, starting from ``ledger`` or from nothing."""
    folded = ledger if ledger is not None else Ledger()
    for event in events:
        folded = apply(folded, event)
    return folded


def apply(ledger: Ledger, event: ev.Event) -> Ledger:
    """Return the ledger after one event. Total: every event is defined on every ledger."""
    after = _folded(ledger, event)
    braked = folding_brakes.AFTER.get(type(event))
    if braked is not None:
        after = braked(ledger, after, event)
    if ledger.apart or type(event) in TRADES:
        after = folding_apart.measured(ledger, after, event)
    after = replace(after, events=ledger.events + 1, started_at=ledger.started_at or event.at)
    after.take_over(ledger)
    return after


def _folded(ledger: Ledger, event: ev.Event) -> Ledger:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one line per kind of event
    match event:
        case ev.ExecutionStepped():
            return _execution_stepped(ledger, event)
        case ev.CycleCompleted():
            return _cycle_completed(ledger, event)
        case ev.CommandIssued():
            return folding_orders.command_issued(ledger, event)
        case ev.OrderEnded():
            return folding_orders.order_ended(ledger, event)
        case ev.FeeBooked():
            return folding_orders.fee_booked(ledger, event)
        case ev.OrderAccepted():
            return folding_orders.order_accepted(ledger, event)
        case ev.OrderProgressed():
            return folding_orders.order_progressed(ledger, event)
        case ev.FundingReceived():
            return folding_rows.funding_received(ledger, event)
        case ev.CommandRefused():
            return folding_orders.command_refused(ledger, event)
        case ev.TransferOutcomeUnknown():
            return folding_orders.transfer_unknown(ledger, event)
        case ev.OrderOutcomeUnknown():
            return folding_orders.order_unknown(ledger, event)
        case ev.ExternalFills():
            return folding_orders.external_fills(ledger, event)
        case ev.FundsTransferred():
            return folding_rows.funds_transferred(ledger, event)
        case ev.ExternalFlow():
            return folding_rows.external_flow(ledger, event)
        case ev.ExecutionStarted():
            return _execution_started(ledger, event)
        case ev.ExecutionSuspended():
            return execution_suspended(ledger, event)
        case ev.ExecutionTakenUp():
            return execution_taken_up(ledger, event)
        case ev.HedgeOpened():
            return _hedge_opened(ledger, event)
        case ev.HedgeClosed() | ev.HedgeLost():
            return _hedge_ended(ledger, event)
        case ev.HedgeAborted():
            return _hedge_aborted(ledger, event)
        case ev.HedgeRepaired():
            return _hedge_repaired(ledger, event)
        case ev.HedgeAdopted():
            return _hedge_adopted(ledger, event)
        case ev.HedgeRolled():
            return _hedge_rolled(ledger, event)
        case ev.DustKept():
            return _dust_kept(ledger, event)
        case ev.DustSwept():
            return _dust_swept(ledger, event)
        case ev.HedgeRedenominated():
            return _hedge_redenominated(ledger, event)
        case ev.StateImported():
            return _state_imported(ledger, event)
        case ev.TargetDecided():
            return _target_decided(ledger, event)
        case ev.Halted():
            return _halted(ledger, event)
        case ev.Lifted():
            return _lifted(ledger, event)
        case ev.RequestHandled():
            return _request_handled(ledger, event)
        case ev.SettingsChanged():
            return _settings_changed(ledger, event)
        case ev.DayOpened():
            return _day_opened(ledger, event)
        case (
            ev.LeverageSet()
            | ev.MarginTypeSet()
            | ev.DeadManArmed()
            | ev.ExitDeferred()
            | ev.ExitDeferralEnded()
            | ev.NakedAlarmed()
        ):
            return ledger
    assert_never(event)


def _settings_changed(ledger: Ledger, event: ev.SettingsChanged) -> Ledger:
    settings = {**ledger.settings, **{each.name: each.after for each in event.changes}}
    return replace(ledger, settings=settings, settings_request=event.request_id or ledger.settings_request)


# --- the life of a hedge ---------------------------------------------------------------------------------------------


def _execution_started(ledger: Ledger, event: ev.ExecutionStarted) -> Ledger:
    job, at_work = event.execution, ledger.execution
    started = replace(ledger, execution=job, orders={})
    if at_work is not None and at_work.hedge_id != job.hedge_id:
        started = replace(started, displaced=(*ledger.displaced, at_work.hedge_id))
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
    return with_hedge(replace(started, target=None), opening)


def _execution_stepped(ledger: Ledger, event: ev.ExecutionStepped) -> Ledger:
    job = event.execution
    if job is None:
        running = ledger.execution
        if running is None or running.hedge_id != event.hedge_id or event.change is None:
            return ledger
        job = changed(running, event.change)
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
        opening_quality=event.quality,
    )
    totals = replace(ledger.totals, opened=ledger.totals.opened + 1)
    return with_hedge(replace(ledger, execution=None, orders={}, totals=totals), hedge)


def _hedge_ended(ledger: Ledger, event: ev.HedgeClosed | ev.HedgeLost) -> Ledger:
    hedge = ledger.open_hedge(event.hedge_id)
    if hedge is None:
        return ledger
    closed = ClosedHedge(
        hedge=hedge,
        closed_at=event.at,
        reason=event.reason,
        residue_value=event.residue_value,
        quality=event.quality if isinstance(event, ev.HedgeClosed) else None,
    )
    totals = replace(with_result(ledger.totals, closed), closed=ledger.totals.closed + 1)
    return _kept(without_hedge(replace(ledger, totals=totals), hedge.hedge_id), closed)


def _hedge_aborted(ledger: Ledger, event: ev.HedgeAborted) -> Ledger:
    opening = ledger.opening
    if opening is None or opening.hedge_id != event.hedge_id:
        return replace(ledger, execution=None, orders={})
    aborted = ClosedHedge(
        hedge=opening,
        closed_at=event.at,
        reason=event.reason,
        residue_value=event.residue_value,
        quality=event.quality,
    )
    totals = replace(with_result(ledger.totals, aborted), aborted=ledger.totals.aborted + 1)
    after = without_hedge(replace(ledger, totals=totals), opening.hedge_id)
    return _kept(after, aborted) if opening.orders else after


def _hedge_repaired(ledger: Ledger, event: ev.HedgeRepaired) -> Ledger:
    del event
    return replace(ledger, execution=None, orders={})


def _hedge_adopted(ledger: Ledger, event: ev.HedgeAdopted) -> Ledger:
    # The figures of an imported state file count the position it held as opened already.
    imported = ledger.awaited_import == event.hedge.symbol
    again = ledger.open_hedge(event.hedge.hedge_id)
    totals = ledger.totals if imported or again else replace(ledger.totals, opened=ledger.totals.opened + 1)
    adopted_at = again.adopted_at if again else event.at
    symbol = event.hedge.symbol
    trades, paid = ledger.trades_seen, ledger.funding_seen
    for record in event.hedge.orders:
        key = f"{record.request.market}:{symbol}:{record.request.client_id[3:]}"
        if key not in trades:
            trades = trades.adding(key, record.issued_at)
    for payment in event.payments:
        if payment.tran_id not in paid:
            paid = paid.adding(payment.tran_id, payment.at)
    stamps = newest_stamps(payment.at for payment in event.payments)
    hedge = retallied(replace(event.hedge, adopted_at=adopted_at, paid_at=stamps))
    books = _with_late_payments(ledger, event)
    return with_hedge(
        replace(
            ledger,
            hedges={key: each for key, each in ledger.hedges.items() if each.symbol != symbol},
            totals=totals,
            trades_seen=trades,
            funding_seen=paid,
            books=books,
        ),
        hedge,
    )


def _with_late_payments(ledger: Ledger, event: ev.HedgeAdopted) -> Books:
    """Book the payments that came after the books were opened; earlier ones are in the opening balance."""
    books, opened = ledger.books, ledger.books_since or ledger.started_at
    for payment in event.payments:
        late = opened is not None and payment.at > opened
        if late and not ledger.funding_seen.knows(payment.tran_id, payment.at):
            books = books.with_funding(payment)
    return books


def _hedge_rolled(ledger: Ledger, event: ev.HedgeRolled) -> Ledger:
    hedge = ledger.open_hedge(event.hedge_id)
    if hedge is None:
        return ledger
    return with_hedge(ledger, replace(hedge, counted_from=event.at, funding_before_roll=hedge.funding_received))


def _hedge_redenominated(ledger: Ledger, event: ev.HedgeRedenominated) -> Ledger:
    hedge, job, factor = ledger.hedges.get(event.hedge_id), ledger.execution, event.factor
    if hedge is None:
        return ledger
    base = hedge.pair.base
    dust = {asset: dust_in_new_units(lot, factor) if asset == base else lot for asset, lot in ledger.dust.items()}
    if job is not None and job.hedge_id == event.hedge_id:
        ledger = replace(ledger, execution=job_in_new_units(job, factor))
    elif event.hedge_id in ledger.suspended:
        aside = job_in_new_units(ledger.suspended[event.hedge_id], factor)
        ledger = replace(ledger, suspended={**ledger.suspended, event.hedge_id: aside})
    made = hedge_in_new_units(hedge, factor)
    if event.since is not None:
        made = replace(made, denominations=(*made.denominations, (event.since, factor)))
    return with_hedge(replace(ledger, dust=dust), made)


def _dust_kept(ledger: Ledger, event: ev.DustKept) -> Ledger:
    lot = ledger.dust.get(event.lot.asset)
    if lot:
        merged = replace(lot, quantity=lot.quantity + event.lot.quantity, cost=lot.cost + event.lot.cost)
    else:
        merged = event.lot
    return replace(ledger, dust={**ledger.dust, merged.asset: merged})


def _dust_swept(ledger: Ledger, event: ev.DustSwept) -> Ledger:
    hedge, kept = ledger.open_hedge(event.hedge_id), ledger.dust.get(event.lot.asset)
    if hedge is None or kept is None or hedge.pair.base != kept.asset:
        return ledger
    swept = replace(
        hedge,
        swept_quantity=hedge.swept_quantity + kept.quantity,
        swept_cost=hedge.swept_cost + kept.cost,
    )
    rest: dict[str, DustLot] = {asset: lot for asset, lot in ledger.dust.items() if asset != kept.asset}
    return with_hedge(replace(ledger, dust=rest), retallied(swept))


# --- halts, cooldowns and targets ------------------------------------------------------------------------------------


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
    halt = StandingHalt(
        since=event.at, reason=event.reason, detail=event.detail, symbols=event.symbols, amount=event.amount
    )
    return replace(ledger, halt=halt)


def _lifted(ledger: Ledger, event: ev.Lifted) -> Ledger:
    del event
    counted = ledger.halt is None or ledger.halt.reason is not ev.HaltReason.DAILY_LOSS
    return replace(ledger, halt=None, day=ledger.day if counted else None)


def _request_handled(ledger: Ledger, event: ev.RequestHandled) -> Ledger:
    done = event.outcome is RequestOutcome.DONE
    handled = HandledRequest(request_id=event.request.request_id, done=done, text=event.text)
    return replace(ledger, requests=(*ledger.requests, handled)[-KEPT_REQUESTS:])


def _day_opened(ledger: Ledger, event: ev.DayOpened) -> Ledger:
    return replace(ledger, day=TradingDay(begun_at=event.at, result=event.result, equity=event.equity))


def _cycle_completed(ledger: Ledger, event: ev.CycleCompleted) -> Ledger:
    totals = replace(ledger.totals, cycles=event.number)
    if event.statement_from is None:
        return replace(ledger, totals=totals)
    return _agreed(ledger, totals, event.at, event.statement_from)


def _agreed(ledger: Ledger, totals: Totals, at: datetime, statement_from: datetime) -> Ledger:
    """Raise the watermark, and let go of what nobody asks for any more."""
    watermark = max(ledger.statement_from or statement_from, statement_from)
    marks = ledger.log_marks or (LogMark(at=ledger.started_at or at, events=0),)
    if at - marks[-1].at >= MARK_EVERY:
        marks = (*marks, LogMark(at=at, events=ledger.events))
    while len(marks) > 1 and marks[1].at <= watermark - RECENT:
        marks = marks[1:]
    seen = ledger.rows_seen.forgetting(watermark - ROWS_HORIZON)
    return replace(ledger, totals=totals, statement_from=watermark, log_marks=marks, rows_seen=seen)


def _kept(ledger: Ledger, newest: ClosedHedge) -> Ledger:
    """Keep a hedge that ended; the trades of those that are not kept any more are not asked for again."""
    whole = (*ledger.closed, newest)[-KEPT_CLOSED:]
    closed = tuple(_reduced(kept, newest.closed_at) for kept in whole)
    oldest = min(kept.hedge.begun_at for kept in closed)
    return replace(ledger, closed=closed, trades_seen=ledger.trades_seen.forgetting(oldest - TRADES_SLACK))


def _reduced(closed: ClosedHedge, now: datetime) -> ClosedHedge:
    """Return a hedge without its orders where no report of them can follow, else as it is."""
    hedge = closed.hedge
    if not hedge.orders or hedge.unsettled or now - closed.closed_at < WHOLE_FOR:
        return closed
    settled = hedge.settled.plus(Tally.of(hedge.orders))
    return replace(closed, hedge=replace(hedge, orders=(), settled=settled, first_order_at=hedge.begun_at))
