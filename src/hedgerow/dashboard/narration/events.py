"""Log lines of events: orders, fills, payments, openings, closings, halts."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hedgerow.dashboard.narration.cycle import rebalanced
from hedgerow.dashboard.narration.formats import Lines, LogLine, alarm, info, success, warning
from hedgerow.dashboard.narration.hedges import HEDGE_WORDS, symbol_of
from hedgerow.domain import commands as co
from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.formats import log_funding, log_money, log_price, log_quantity, seconds, utc_second
from hedgerow.domain.instrument import Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO, plain
from hedgerow.domain.operator_requests import RequestOutcome
from hedgerow.domain.order import Fill, OrderRequest, TimeInForce
from hedgerow.domain.position import OrderRecord
from hedgerow.engine.notices import Recorded

__all__ = ["EVENT_WORDS", "ROUTINE_EVENTS", "SILENT_EVENTS", "recorded"]

RESUME = "`hedgerow resume` allows openings again"

SILENT_EVENTS = frozenset(
    {
        ev.CommandIssued,
        ev.DeadManArmed,
        ev.FeeBooked,
        ev.HedgeRolled,
        ev.CycleCompleted,
        ev.DayOpened,
    }
)
"""Too fine for people, or worded by the decision before them."""
ROUTINE_EVENTS = SILENT_EVENTS | {ev.OrderAccepted, ev.OrderProgressed}
"""The same, and those that only answer a line that went before."""


def recorded(notice: Recorded) -> Lines:
    """Return the words of one event; none for the events that people need not hear of."""
    worded = EVENT_WORDS.get(type(notice.event))
    return () if worded is None else worded(notice.event, notice.before, notice.after)


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
    return _found(event.client_id, before, f"it is at work, {plain(filled) if filled else 'nothing'} filled so far")


def _found(client_id: str, before: Ledger, how: str) -> Lines:
    """Answer the line that said that an outcome is unknown."""
    record = before.orders.get(client_id)
    if record is None or not record.unknown:
        return ()
    return info(f"  Outcome of order {client_id} is found: {how}")


def _end(event: ev.OrderEnded, record: OrderRecord) -> Lines:
    request, filled = record.request, record.filled_quantity
    if filled:
        part = "" if filled >= request.quantity else f" of {plain(request.quantity)}"
        return info(
            f"  {_order(request)}: filled {plain(filled)}{part} at {log_price(record.filled_notional / filled)}"
        )
    if event.reject is not None:
        code = "" if event.code is None else f", code {event.code}"
        return warning(f"  {_order(request)}: refused ({event.reject}{code}) {event.detail}".rstrip())
    if request.time_in_force is TimeInForce.GTX:
        return ()  # moved to another price, as often as the touch moves
    return info(f"  {_order(request)}: nothing filled ({event.status})")


def _order(request: OrderRequest) -> str:
    return f"{request.market.capitalize()} {request.side} {plain(request.quantity)} {request.symbol}"


def _order_unknown(event: ev.OrderOutcomeUnknown, _before: Ledger, _after: Ledger) -> Lines:
    return warning(f"  Outcome of order {event.client_id} is unknown ({event.detail}): finding out, sending nothing")


def _command_refused(event: ev.CommandRefused, _before: Ledger, _after: Ledger) -> Lines:
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


def _external_fills(event: ev.ExternalFills, before: Ledger, _after: Ledger) -> Lines:
    symbol = symbol_of(before)
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


def _transfer_unknown(event: ev.TransferOutcomeUnknown, _before: Ledger, _after: Ledger) -> Lines:
    return warning(f"  Outcome of the transfer is unknown ({event.detail}): it is asked for again under the same id")


def _leverage_set(event: ev.LeverageSet, _before: Ledger, _after: Ledger) -> Lines:
    return info(f"  Leverage confirmed: {event.leverage}x on {event.symbol}")


def _margin_type_set(event: ev.MarginTypeSet, _before: Ledger, _after: Ledger) -> Lines:
    return info(f"  Crossed margin confirmed on {event.symbol}")


def _funding_received(event: ev.FundingReceived, before: Ledger, _after: Ledger) -> Lines:
    payment = event.payment
    if before.funding_seen.knows(payment.tran_id, payment.at):
        return ()
    where = f"on {payment.symbol} (settled {utc_second(payment.at)})"
    if payment.amount < 0:
        return warning(f"Funding payment made: {log_funding(-payment.amount)} {where}")
    return info(f"Funding payment received: {log_funding(payment.amount)} {where}")


def _external_flow(event: ev.ExternalFlow, before: Ledger, _after: Ledger) -> Lines:
    if event.kind is ev.FlowKind.OPENING or before.rows_seen.knows(event.row_id, event.at):
        return ()
    what = str(event.kind).replace("_", " ")
    return info(f"Account row booked: {what} {plain(event.amount)} {event.asset} ({event.wallet} wallet)")


# --- the job in flight -----------------------------------------------------------------------------------------------

STAGES = {
    ExecutionState.REPAIRING: "The second leg fell short: trying again with a wider price cap",
    ExecutionState.IN_DOUBT: "An order is not on the exchange and may still arrive: waiting until that is certain",
    ExecutionState.UNWINDING: "The legs cannot be matched this way: reversing the open part",
}


def _execution_started(event: ev.ExecutionStarted, _before: Ledger, _after: Ledger) -> Lines:
    # An opening is announced by its decision, before the wallets are levelled for it.
    job = event.execution
    return info(f"Closing position on {job.symbol}...") if job.kind is ExecutionKind.CLOSE else ()


def _execution_stepped(event: ev.ExecutionStepped, before: Ledger, after: Ledger) -> Lines:
    job, earlier = event.execution or after.execution, before.execution
    if job is not None and job.given_up and (earlier is None or not earlier.given_up):
        return info(f"  The opening of {job.symbol} leads no further: {job.given_up}")
    if job is None or job.state not in STAGES or (earlier is not None and earlier.state is job.state):
        return ()
    return warning(f"  {STAGES[job.state]}{f' ({job.detail})' if job.detail else ''}")


def _naked(event: ev.NakedAlarmed, before: Ledger, _after: Ledger) -> Lines:
    what = f"{log_quantity(abs(event.exposure))} ({log_money(event.notional)}) on {symbol_of(before)}"
    return (alarm(f"NAKED LEG: {what} unhedged for {seconds(event.seconds)}"),)


def _halted(event: ev.Halted, _before: Ledger, after: Ledger) -> Lines:
    lifts_itself = after.halt is not None and after.halt.lifts_itself
    end = "openings are allowed again once the cause is gone" if lifts_itself else RESUME
    return (
        alarm(f"OPENINGS HALTED: {event.reason} ({event.detail})"),
        alarm(f"  Exits and the guard go on; {end}"),
    )


def _lifted(event: ev.Lifted, _before: Ledger, _after: Ledger) -> Lines:
    return (success(f"Openings are allowed again ({event.detail})"),)


def _request_handled(event: ev.RequestHandled, _before: Ledger, _after: Ledger) -> Lines:
    request = event.request
    text = f"Request of {request.user} ({request.origin}): {request.text}: {event.outcome}. {event.text}"
    return info(text) if event.outcome is RequestOutcome.DONE else warning(text)


def _exit_deferred(event: ev.ExitDeferred, _before: Ledger, _after: Ledger) -> Lines:
    return warning(
        f"Closing waits until it costs less ({event.detail})",
        f"  At the latest it is closed at {utc_second(event.until)}",
    )


def _exit_deferral_ended(_event: ev.ExitDeferralEnded, _before: Ledger, _after: Ledger) -> Lines:
    return info("The reason to close is gone: holding on")


def _target_decided(event: ev.TargetDecided, _before: Ledger, _after: Ledger) -> Lines:
    return info(f"  Next pair: {event.symbol} (decided until {utc_second(event.expires_at)})")


EVENT_WORDS: dict[type, Callable[[Any, Ledger, Ledger], Lines]] = {
    **HEDGE_WORDS,
    ev.CommandRefused: _command_refused,
    ev.OrderAccepted: _order_at_work,
    ev.OrderProgressed: _order_at_work,
    ev.OrderEnded: _order_ended,
    ev.OrderOutcomeUnknown: _order_unknown,
    ev.ExternalFills: _external_fills,
    ev.FundsTransferred: _transferred,
    ev.TransferOutcomeUnknown: _transfer_unknown,
    ev.LeverageSet: _leverage_set,
    ev.MarginTypeSet: _margin_type_set,
    ev.FundingReceived: _funding_received,
    ev.ExternalFlow: _external_flow,
    ev.ExecutionStarted: _execution_started,
    ev.ExecutionStepped: _execution_stepped,
    ev.NakedAlarmed: _naked,
    ev.Halted: _halted,
    ev.Lifted: _lifted,
    ev.RequestHandled: _request_handled,
    ev.ExitDeferred: _exit_deferred,
    ev.ExitDeferralEnded: _exit_deferral_ended,
    ev.TargetDecided: _target_decided,
}
