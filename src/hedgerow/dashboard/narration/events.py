"""Log lines of events: orders, fills, fees, funding payments, openings, closings, dust, halts."""

from decimal import Decimal
from typing import assert_never

from hedgerow.dashboard.narration.cycle import rebalanced
from hedgerow.dashboard.narration.formats import LineLevel, Lines, LogLine, alarm, info, success, warning
from hedgerow.domain import commands as co
from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.execution_quality import ExecutionQuality, LegQuality
from hedgerow.domain.formats import (
    log_funding,
    log_money,
    log_percent,
    log_price,
    log_quantity,
    seconds,
    utc_second,
)
from hedgerow.domain.instrument import Side
from hedgerow.domain.ledger.order_index import hedge_of
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.operator_requests import RequestOutcome
from hedgerow.domain.order import Fill, OrderRequest, TimeInForce
from hedgerow.domain.position import ClosedHedge, HedgedPosition, OrderRecord
from hedgerow.engine.notices import Recorded
from hedgerow.strategy.hedge_result import result_of_ended

__all__ = ["ROUTINE_EVENTS", "quality_lines", "recorded_lines"]

RESUME = "`hedgerow resume` allows openings again"

ROUTINE_EVENTS = frozenset(
    {
        ev.CommandIssued,
        ev.CycleCompleted,
        ev.DayOpened,
        ev.DeadManArmed,
        ev.FeeBooked,
        ev.HedgeRolled,
        ev.OrderAccepted,
        ev.OrderProgressed,
    }
)
"""Events whose lines, where they have any, are never above the level of information."""


def recorded_lines(notice: Recorded) -> Lines:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one case per kind
    """Return the lines of one event; none for internal details, and for what the decision before it has a line for."""
    event, before, after = notice.event, notice.before, notice.after
    match event:
        case ev.HedgeOpened():
            return _opened(event, after)
        case ev.HedgeClosed():
            return _closed(event, before, after)
        case ev.HedgeLost():
            return _lost(event, before, after)
        case ev.HedgeAborted():
            return _aborted(event, before, after)
        case ev.HedgeRepaired():
            return _repaired(event, before, after)
        case ev.HedgeAdopted():
            return _history_known(event, before)
        case ev.DustKept():
            return _dust_kept(event)
        case ev.DustSwept():
            return _dust_swept(event)
        case ev.HedgeRedenominated():
            return _redenominated(event, after)
        case ev.StateImported():
            return _imported(event, before)
        case ev.CommandRefused():
            return _command_refused(event)
        case ev.OrderAccepted() | ev.OrderProgressed():
            return _order_at_work(event, before, after)
        case ev.OrderEnded():
            return _order_ended(event, before, after)
        case ev.OrderOutcomeUnknown():
            return _order_unknown(event)
        case ev.ExternalFills():
            return _external_fills(event, before)
        case ev.FundsTransferred():
            return _transferred(event, before, after)
        case ev.TransferOutcomeUnknown():
            return _transfer_unknown(event)
        case ev.LeverageSet():
            return _leverage_set(event)
        case ev.MarginTypeSet():
            return _margin_type_set(event)
        case ev.FundingReceived():
            return _funding_received(event, before)
        case ev.ExternalFlow():
            return _external_flow(event, before)
        case ev.ExecutionStarted():
            return _execution_started(event)
        case ev.ExecutionStepped():
            return _execution_stepped(event, before, after)
        case ev.ExecutionSuspended() | ev.ExecutionTakenUp():
            return _turn_of_others(event, before, after)
        case ev.NakedAlarmed():
            return _naked(event, before)
        case ev.Halted():
            return _halted(event, after)
        case ev.Lifted():
            return _lifted(event)
        case ev.RequestHandled():
            return _request_handled(event)
        case ev.SettingsChanged():
            return _settings_changed(event)
        case ev.ExitDeferred():
            return _exit_deferred(event)
        case ev.ExitDeferralEnded():
            return _exit_deferral_ended()
        case ev.TargetDecided():
            return _target_decided(event)
        case (
            ev.CommandIssued()
            | ev.CycleCompleted()
            | ev.DayOpened()
            | ev.DeadManArmed()
            | ev.FeeBooked()
            | ev.HedgeRolled()
        ):
            return ()
    assert_never(event)


# --- orders and transfers --------------------------------------------------------------------------------------------


def _order_ended(event: ev.OrderEnded, before: Ledger, after: Ledger) -> Lines:
    record = after.orders.get(event.client_id)
    if record is None:
        return ()
    how = "it never reached the exchange" if event.order_id is None else f"it has ended ({event.status})"
    return _found(event.client_id, before, how) + _end(event, record)


def _order_at_work(event: ev.OrderAccepted | ev.OrderProgressed, before: Ledger, after: Ledger) -> Lines:
    record = after.orders.get(event.client_id)
    filled = record.filled_quantity if record is not None else ZERO
    return _found(event.client_id, before, f"it is working, {plain(filled) if filled else 'nothing'} filled so far")


def _found(client_id: str, before: Ledger, how: str) -> Lines:
    """Answer the line that said that an outcome is unknown."""
    record = before.orders.get(client_id)
    if record is None or not record.unknown:
        return ()
    return info(f"  Outcome of order {client_id} is known: {how}")


def _end(event: ev.OrderEnded, record: OrderRecord) -> Lines:
    request, filled = record.request, record.filled_quantity
    if filled:
        part = "" if filled >= request.quantity else f" of {plain(request.quantity)}"
        price = record.filled_notional / filled
        paid = f"at {log_price(price)}" if price else "at a price that is not known yet"
        return info(f"  {_order(request)}: filled {plain(filled)}{part} {paid}")
    if event.reject is not None:
        code = "" if event.code is None else f", code {event.code}"
        return warning(f"  {_order(request)}: refused ({event.reject}{code}) {event.detail}".rstrip())
    if request.time_in_force is TimeInForce.GTX:
        return ()  # cancelled to be placed again, as often as the best price moves
    return info(f"  {_order(request)}: nothing filled ({event.status})")


def _order(request: OrderRequest) -> str:
    return f"{request.market.capitalize()} {request.side} {plain(request.quantity)} {request.symbol}"


def _order_unknown(event: ev.OrderOutcomeUnknown) -> Lines:
    return warning(f"  Outcome of order {event.client_id} is unknown ({event.detail}): looking it up, nothing is sent")


def _command_refused(event: ev.CommandRefused) -> Lines:
    return warning(f"  {_command(event.command)} was refused (code {event.code}): {event.detail}")


def _command(command: co.Command) -> str:
    match command:
        case co.TransferFunds(amount=amount, direction=direction):
            return f"Transfer of {log_money(amount)} USDT ({direction})"
        case co.SetLeverage(symbol=symbol, leverage=leverage):
            return f"Leverage {leverage}x on {symbol}"
        case co.SetMarginType(symbol=symbol):
            return f"Crossed margin on {symbol}"
        case co.ArmDeadMan(symbol=symbol):
            return f"Dead man's switch on {symbol}"
        case co.CancelOrder(client_id=client_id):
            return f"Cancelling order {client_id}"
        case _:
            return _order(command.order)


def _external_fills(event: ev.ExternalFills, before: Ledger) -> Lines:
    hedge = hedge_of(before, event.hedge_id)
    symbol = _symbol_of(before) if hedge is None else hedge.symbol
    forced = [fill for fill in event.fills if fill.forced]
    if forced:
        return tuple(_forced(fill) for fill in forced)
    if event.own:
        return warning(f"Late fills on {symbol} booked: {event.cause}")
    if event.fills and all(fill.trade_id < 0 for fill in event.fills):
        return warning(
            f"A part of the position on {symbol} is gone and no trade of the account shows why: {event.cause}"
        )
    return warning(f"Trades that are not the bot's changed its position on {symbol}: {event.cause}")


def _forced(fill: Fill) -> LogLine:
    name = fill.forced_name.upper()
    what = "bought back" if fill.side is Side.BUY else "sold"
    text = f"{name}: the exchange {what} {plain(fill.quantity)} {fill.symbol} {fill.market} at {log_price(fill.price)}"
    return alarm(f"{text} by force ({utc_second(fill.at)}, fee {log_money(fill.fee)})")


def _transferred(event: ev.FundsTransferred, before: Ledger, after: Ledger) -> Lines:
    def wallet(which: ev.Wallet) -> tuple[Decimal, Decimal]:
        return before.books.line(which, QUOTE_ASSET).balance, after.books.line(which, QUOTE_ASSET).balance

    return rebalanced(event.amount, event.direction, spot=wallet(ev.Wallet.SPOT), perp=wallet(ev.Wallet.PERP))


def _transfer_unknown(event: ev.TransferOutcomeUnknown) -> Lines:
    return warning(f"  Outcome of the transfer is unknown ({event.detail}): it is sent again under the same id")


def _leverage_set(event: ev.LeverageSet) -> Lines:
    return info(f"  Leverage confirmed: {event.leverage}x on {event.symbol}")


def _margin_type_set(event: ev.MarginTypeSet) -> Lines:
    return info(f"  Crossed margin confirmed on {event.symbol}")


def _funding_received(event: ev.FundingReceived, before: Ledger) -> Lines:
    payment = event.payment
    if before.funding_seen.knows(payment.tran_id, payment.at):
        return ()
    where = f"on {payment.symbol} (settled {utc_second(payment.at)})"
    if payment.amount < 0:
        return warning(f"Funding payment made: {log_funding(-payment.amount)} {where}")
    return info(f"Funding payment received: {log_funding(payment.amount)} {where}")


def _external_flow(event: ev.ExternalFlow, before: Ledger) -> Lines:
    if event.kind is ev.FlowKind.OPENING or before.rows_seen.knows(event.row_id, event.at):
        return ()
    what = str(event.kind).replace("_", " ")
    return info(f"Account row booked: {what} {plain(event.amount)} {event.asset} ({event.wallet} wallet)")


# --- the job in flight -----------------------------------------------------------------------------------------------

STATE_LINES = {
    ExecutionState.REPAIRING: "The second leg fell short: trying again with a wider price cap",
    ExecutionState.IN_DOUBT: "An order is not on the exchange and may still arrive: waiting until that is certain",
    ExecutionState.UNWINDING: "The legs cannot be matched this way: reversing the open part",
}


IN_DOUBT = "the outcome of an order is unknown"


def _execution_started(event: ev.ExecutionStarted) -> Lines:
    # An opening is announced by its decision, before the wallets are rebalanced for it.
    job = event.execution
    return info(f"Closing position on {job.symbol}...") if job.kind is ExecutionKind.CLOSE else ()


def _execution_stepped(event: ev.ExecutionStepped, before: Ledger, after: Ledger) -> Lines:
    job, earlier = event.execution or after.execution, before.execution
    if job is not None and job.given_up and (earlier is None or not earlier.given_up):
        return info(f"  The opening of {job.symbol} starts no further slice: {job.given_up}")
    if job is None or job.state not in STATE_LINES or (earlier is not None and earlier.state is job.state):
        return ()
    return warning(f"  {STATE_LINES[job.state]}{f' ({job.detail})' if job.detail else ''}")


def _turn_of_others(event: ev.ExecutionSuspended | ev.ExecutionTakenUp, before: Ledger, after: Ledger) -> Lines:
    if isinstance(event, ev.ExecutionSuspended):
        return warning(f"The trade of {_symbol_of(before)} is set aside: {event.detail}")
    return info(f"The trade of {_symbol_of(after)} is taken up again")


def _naked(event: ev.NakedAlarmed, before: Ledger) -> Lines:
    hedge, most = before.hedges.get(event.hedge_id), abs(event.exposure)
    known, price = most - event.in_doubt, event.notional / most if most else ZERO
    of, long = hedge.symbol if hedge else _symbol_of(before), seconds(event.seconds)
    if event.in_doubt and not known:
        return (alarm(f"NAKED LEG: up to {_valued(most, price)} on {of} unhedged for {long}: {IN_DOUBT}"),)
    doubt = f"; up to {_valued(most, price)}, for {IN_DOUBT}" if event.in_doubt else ""
    return (alarm(f"NAKED LEG: {_valued(known, price)} on {of} unhedged for {long}{doubt}"),)


def _valued(coins: Decimal, price: Decimal) -> str:
    return f"{log_quantity(coins)} ({log_money(coins * price)})"


def _halted(event: ev.Halted, after: Ledger) -> Lines:
    lifts_itself = after.halt is not None and after.halt.lifts_itself
    end = "openings are allowed again once the cause is gone" if lifts_itself else RESUME
    return (
        alarm(f"OPENINGS HALTED: {event.reason} ({event.detail})"),
        alarm(f"  Exits and the guard continue; {end}"),
    )


def _lifted(event: ev.Lifted) -> Lines:
    return (success(f"Openings are allowed again ({event.detail})"),)


def _request_handled(event: ev.RequestHandled) -> Lines:
    request = event.request
    text = f"Request of {request.user} ({request.origin}): {request.text}: {event.outcome}. {event.text}"
    return info(text) if event.outcome is RequestOutcome.DONE else warning(text)


def _settings_changed(event: ev.SettingsChanged) -> Lines:
    changes = (f"  {each.name}: {each.before} becomes {each.after}" for each in event.changes)
    if not event.user:
        return warning("Settings changed since the last run, in force from this start on", *changes)
    return warning(f"Settings changed by {event.user}, in force at the next check", *changes)


def _exit_deferred(event: ev.ExitDeferred) -> Lines:
    return warning(
        f"Closing waits until it costs less ({event.detail})",
        f"  At the latest it is closed at {utc_second(event.until)}",
    )


def _exit_deferral_ended() -> Lines:
    return info("The reason to close no longer holds: keeping the position")


def _target_decided(event: ev.TargetDecided) -> Lines:
    return info(f"  Next pair: {event.symbol} (decided until {utc_second(event.expires_at)})")


# --- hedges -----------------------------------------------------------------------------------------------------------


def _opened(event: ev.HedgeOpened, after: Ledger) -> Lines:
    hedge = after.open_hedge(event.hedge_id)
    if hedge is None:
        return ()
    return (
        success("Position opened successfully!"),
        *_legs(hedge),
        *info(
            f"  Entry price: {log_price(hedge.entry_price)}",
            f"  Position value: {log_money(hedge.entry_notional)}",
            f"  Entry fees: {log_money(hedge.entry_fees)}",
            f"  Total positions opened: {after.totals.opened + after.imported.positions_opened}",
        ),
        *quality_lines(hedge.opening_quality),
    )


def _legs(hedge: HedgedPosition) -> Lines:
    return info(
        f"  Spot balance: {log_quantity(hedge.spot_quantity)}", f"  Perp position: {log_quantity(hedge.perp_quantity)}"
    )


def _closed(event: ev.HedgeClosed, before: Ledger, after: Ledger) -> Lines:
    return _ended(success("Position closed successfully!"), event.hedge_id, before, after)


def _lost(event: ev.HedgeLost, before: Ledger, after: Ledger) -> Lines:
    head = LogLine(
        text=f"Position on {_ended_symbol(event, before)} was ended: {event.reason}", level=LineLevel.WARNING
    )
    return _ended(head, event.hedge_id, before, after)


def _ended(head: LogLine, hedge_id: str, before: Ledger, after: Ledger) -> Lines:
    """Return the result of a hedge, whose parts add up: net = funding + basis - fees."""
    if before.open_hedge(hedge_id) is None:
        return ()
    closed = after.closed[-1]
    return (
        head,
        *_result(closed),
        *info(
            f"  Cumulative P/L: {log_money(after.total_profit_loss)}",
            f"  Total positions closed: {after.totals.closed + after.imported.positions_closed}",
        ),
        *quality_lines(closed.quality),
    )


def _result(closed: ClosedHedge) -> Lines:
    made = result_of_ended(closed)
    lines = info(
        f"  Total funding received: {log_funding(made.funding)}",
        f"  Total fees paid: {log_money(made.fees_paid)}",
        f"  Basis P/L: {log_funding(made.basis)}",
        f"  Net profit (this position): {log_funding(made.net_so_far)}",
    )
    estimated = closed.hedge.tally.fees_estimated
    return lines + info(f"  Fees still estimated: {log_money(estimated)}") if estimated else lines


def _aborted(event: ev.HedgeAborted, before: Ledger, after: Ledger) -> Lines:
    detail = f" ({event.detail})" if event.detail else ""
    lines = warning(f"Position on {_symbol_of(before)} was not opened: {event.reason}{detail}")
    opening = before.opening
    if opening is None or not opening.orders:
        return lines
    cost = info(f"  Cost of the attempt: {log_funding(before.totals.net_profit - after.totals.net_profit)}")
    return lines + cost + quality_lines(event.quality)


def _repaired(event: ev.HedgeRepaired, before: Ledger, after: Ledger) -> Lines:
    job = before.execution
    if job is not None and not (job.spot.filled or job.perp.filled):
        what = "trimmed" if job.kind is ExecutionKind.TRIM else "closed"
        return warning(f"Nothing was {what}, the position is kept: {job.detail or 'no order was filled'}")
    lines = (success("Both legs match again"),)
    hedge = after.open_hedge(event.hedge_id)
    return lines if hedge is None else lines + _legs(hedge)


def _history_known(event: ev.HedgeAdopted, before: Ledger) -> Lines:
    # The adoption itself has the notice that follows it; this is the history that was unreadable then.
    if before.open_hedge(event.hedge.hedge_id) is None:
        return ()
    received, count = log_funding(event.hedge.funding_received), event.hedge.funding_payments
    return info(f"Funding history of {event.hedge.symbol} is known now: {received} in {count} payments")


def _dust_kept(event: ev.DustKept) -> Lines:
    lot = event.lot
    return info(
        f"  Dust kept: {plain(lot.quantity)} {lot.asset} ({log_funding(lot.cost)}), sold with the next trade of it"
    )


def _dust_swept(event: ev.DustSwept) -> Lines:
    return info(f"  Dust added to the position: {plain(event.lot.quantity)} {event.lot.asset}")


def _redenominated(event: ev.HedgeRedenominated, after: Ledger) -> Lines:
    return warning(
        f"{_symbol_of(after)}: the exchange has exchanged {plain(event.factor)} old coins for each new one; "
        "the position is counted in new coins"
    )


def _imported(event: ev.StateImported, before: Ledger) -> Lines:
    if before.imported.symbol is not None and event.symbol is None:
        return ()  # the comparison before it has logged that the position is gone
    return info(
        f"State file imported: {event.cycle_count} cycles, {event.positions_opened} positions opened, "
        f"{event.positions_closed} closed, cumulative P/L {log_money(event.total_profit_loss)}"
    )


def _ended_symbol(event: ev.HedgeLost, before: Ledger) -> str:
    hedge = before.open_hedge(event.hedge_id)
    return _symbol_of(before) if hedge is None else hedge.symbol


def _symbol_of(ledger: Ledger) -> str:
    """Return the symbol of the present job or hedge."""
    found = ledger.execution or ledger.foremost
    return found.symbol if found else "an ended position"


# --- execution quality ------------------------------------------------------------------------------------------------


def quality_lines(quality: ExecutionQuality | None) -> Lines:
    """Return slippage from the arrival prices and naked time; nothing for a job that traded nothing."""
    if quality is None or not quality.orders:
        return ()
    parts = [f"{quality.orders} orders", f"{log_percent(float(quality.fill_ratio))} filled"]
    if quality.maker_share:
        parts.append(f"{log_percent(float(quality.maker_share))} by resting")
    naked = f"{seconds(quality.worst_naked_seconds)} at worst, {seconds(quality.naked_seconds)} in all"
    return info(
        f"  Execution: {', '.join(parts)} in {seconds(quality.seconds)}",
        f"  Slippage from arrival: spot {_cost(quality.spot)}, perp {_cost(quality.perp)}",
        f"  Unhedged: {naked}, at most {log_money(quality.largest_exposure)}",
    )


def _cost(leg: LegQuality) -> str:
    if not leg.filled:
        return "not traded"
    if leg.shortfall is None or leg.shortfall_bps is None:
        return "unknown"
    return f"{log_funding(leg.shortfall)} ({leg.shortfall_bps:z.2f} bp)"
