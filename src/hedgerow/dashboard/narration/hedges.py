"""Log lines of a hedge: opened, closed, aborted, repaired, adopted, dust."""

from collections.abc import Callable
from typing import Any

from hedgerow.dashboard.narration.formats import LineLevel, Lines, LogLine, info, success, warning
from hedgerow.dashboard.narration.quality import executed
from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.formats import log_funding, log_money, log_price, log_quantity
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import plain
from hedgerow.domain.position import ClosedHedge, HedgedPosition
from hedgerow.strategy.hedge_result import result_of_ended

__all__ = ["HEDGE_WORDS", "symbol_of"]


def _opened(_event: ev.HedgeOpened, _before: Ledger, after: Ledger) -> Lines:
    hedge = after.hedge
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
        *executed(hedge.opening_quality),
    )


def _legs(hedge: HedgedPosition) -> Lines:
    return info(
        f"  Spot balance: {log_quantity(hedge.spot_quantity)}", f"  Perp position: {log_quantity(hedge.perp_quantity)}"
    )


def _closed(event: ev.HedgeClosed, before: Ledger, after: Ledger) -> Lines:
    return _ended(success("Position closed successfully!"), event.hedge_id, before, after)


def _lost(event: ev.HedgeLost, before: Ledger, after: Ledger) -> Lines:
    head = LogLine(text=f"Position on {symbol_of(before)} was ended: {event.reason}", level=LineLevel.WARNING)
    return _ended(head, event.hedge_id, before, after)


def _ended(head: LogLine, hedge_id: str, before: Ledger, after: Ledger) -> Lines:
    """Return the result of a hedge, whose parts add up: net = funding + basis - fees."""
    hedge = before.hedge
    if hedge is None or hedge.hedge_id != hedge_id:
        return ()
    closed = after.closed[-1]
    return (
        head,
        *_result(closed),
        *info(
            f"  Cumulative P/L: {log_money(after.total_profit_loss)}",
            f"  Total positions closed: {after.totals.closed + after.imported.positions_closed}",
        ),
        *executed(closed.quality),
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
    lines = warning(f"Position on {symbol_of(before)} was not opened: {event.reason}{detail}")
    opening = before.opening
    if opening is None or not opening.orders:
        return lines
    cost = info(f"  Cost of the attempt: {log_funding(before.totals.net_profit - after.totals.net_profit)}")
    return lines + cost + executed(event.quality)


def _repaired(_event: ev.HedgeRepaired, before: Ledger, after: Ledger) -> Lines:
    job = before.execution
    if job is not None and job.kind is ExecutionKind.CLOSE and not (job.spot.filled or job.perp.filled):
        return warning(f"Nothing was closed, the position is kept: {job.detail or 'no order was filled'}")
    lines = (success("Both legs match again"),)
    return lines if after.hedge is None else lines + _legs(after.hedge)


def _history_known(event: ev.HedgeAdopted, before: Ledger, _after: Ledger) -> Lines:
    # The adoption itself is worded by the moment that follows it; this is the history that was unreadable then.
    if before.hedge is None or before.hedge.hedge_id != event.hedge.hedge_id:
        return ()
    received, count = log_funding(event.hedge.funding_received), event.hedge.funding_payments
    return info(f"Funding history of {event.hedge.symbol} is known now: {received} in {count} payments")


def _dust_kept(event: ev.DustKept, _before: Ledger, _after: Ledger) -> Lines:
    lot = event.lot
    return info(
        f"  Dust kept: {plain(lot.quantity)} {lot.asset} ({log_funding(lot.cost)}), sold with the next trade of it"
    )


def _dust_swept(event: ev.DustSwept, _before: Ledger, _after: Ledger) -> Lines:
    return info(f"  Dust joins the position: {plain(event.lot.quantity)} {event.lot.asset}")


def _redenominated(event: ev.HedgeRedenominated, _before: Ledger, after: Ledger) -> Lines:
    return warning(
        f"{symbol_of(after)}: the exchange has exchanged {plain(event.factor)} old coins for each new one; "
        "the position is counted in new coins"
    )


def _imported(event: ev.StateImported, before: Ledger, _after: Ledger) -> Lines:
    if before.imported.symbol is not None and event.symbol is None:
        return ()  # said by the comparison before it: the position is gone
    return info(
        f"State file taken over: {event.cycle_count} cycles, {event.positions_opened} positions opened, "
        f"{event.positions_closed} closed, cumulative P/L {log_money(event.total_profit_loss)}"
    )


def symbol_of(ledger: Ledger) -> str:
    """Return the symbol of the job or hedge at hand."""
    found = ledger.execution or ledger.active
    return found.symbol if found else "an ended position"


HEDGE_WORDS: dict[type, Callable[[Any, Ledger, Ledger], Lines]] = {
    ev.HedgeOpened: _opened,
    ev.HedgeClosed: _closed,
    ev.HedgeLost: _lost,
    ev.HedgeAborted: _aborted,
    ev.HedgeRepaired: _repaired,
    ev.HedgeAdopted: _history_known,
    ev.DustKept: _dust_kept,
    ev.DustSwept: _dust_swept,
    ev.HedgeRedenominated: _redenominated,
    ev.StateImported: _imported,
}
