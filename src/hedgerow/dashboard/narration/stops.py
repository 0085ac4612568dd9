"""Words for a stop that a person asks for: what is finished first, and what a stop at once leaves behind."""

from collections.abc import Callable
from typing import Any

from hedgerow.dashboard.narration.formats import LineLevel, Lines, LogLine, warning
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.formats import log_money
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import plain
from hedgerow.domain.order import TimeInForce
from hedgerow.engine import notices as mo
from hedgerow.strategy.hedging.orders import naked_quantity

__all__ = ["STOP_WORDS"]

AGAIN = "(again = stop at once)"
KINDS = {
    ExecutionKind.OPEN: "opening",
    ExecutionKind.CLOSE: "closing",
    ExecutionKind.TRIM: "trimming",
    ExecutionKind.REDUCE: "reduction",
}


def _stop_requested(notice: mo.StopRequested) -> Lines:
    job = notice.ledger.execution
    if job is None or job.state.ended:
        return warning(f"Stopping {AGAIN}")
    if job.kind is ExecutionKind.OPEN:
        rest = "leads no further; what is filled of it ends hedged or flat"
    else:
        rest = "is brought to its end first"
    return warning(f"Stopping: the {KINDS[job.kind]} of {job.symbol} {rest} {AGAIN}")


def _stopped_at_once(notice: mo.StoppedAtOnce) -> Lines:
    ledger = notice.ledger
    left = (*_order_left(ledger.execution), *_leg_left(ledger.execution), *_transfer_left(ledger))
    if left:
        texts = ("Stopped at once. Left behind:", *(f"  {text}" for text in left))
        return tuple(LogLine(text=text, level=LineLevel.ERROR) for text in texts)
    held = ledger.active
    rest = "no position is open" if held is None else f"nothing watches {held.symbol} until a bot is started"
    return warning(f"Stopped at once: no order is at work, {rest}")


def _order_left(job: HedgeExecution | None) -> tuple[str, ...]:
    if job is None or job.working is None:
        return ()
    order = job.working.order
    what = f"order {order.client_id}: {order.market.capitalize()} {order.side} {plain(order.quantity)} {order.symbol}"
    if order.time_in_force is not TimeInForce.GTX:
        return (f"{what}, sent and not answered: the next start finds out what became of it",)
    resting = f"{what} rests at {plain(order.price)}"
    if order.market is Market.PERP and job.dead_man_at is not None:
        return (f"{resting}: the exchange cancels it within two minutes, the next start does",)
    return (f"{resting}: the next start cancels it, so does a hedgerow watchdog that runs, or you on the exchange",)


def _leg_left(job: HedgeExecution | None) -> tuple[str, ...]:
    if job is None:
        return ()
    apart = naked_quantity(job)
    if not apart or (job.naked_since is None and job.state is not ExecutionState.NAKED):
        return ()
    worth = f" ({log_money(job.worst_naked_notional)} at most)" if job.worst_naked_notional else ""
    leg = "coins without a short" if job.exposure > 0 else "a short without coins"
    leg = leg if job.kind is ExecutionKind.OPEN else "not closed on one leg"
    ways = f"the next start makes the legs equal, hedgerow close {job.symbol} closes both"
    return (f"{plain(apart)} {job.pair.base}{worth} {leg}: {ways}",)


def _transfer_left(ledger: Ledger) -> tuple[str, ...]:
    if ledger.transfer is None:
        return ()
    amount = f"{log_money(ledger.transfer.amount)} USDT ({ledger.transfer.direction})"
    return (f"a transfer of {amount} whose outcome is not known: the next start finds out",)


STOP_WORDS: dict[type, Callable[[Any], Lines]] = {
    mo.StopRequested: _stop_requested,
    mo.StoppedAtOnce: _stopped_at_once,
}
