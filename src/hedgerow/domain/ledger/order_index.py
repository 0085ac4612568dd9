"""Where the ledger keeps orders, and how a change of one reaches its hedge and the totals."""

from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.ledger.state import Ledger, Totals
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import ClosedHedge, HedgedPosition, OrderRecord, Tally

__all__ = [
    "base_of",
    "hedge_of",
    "retallied",
    "with_changed_hedge",
    "with_changed_order",
    "with_hedge",
    "with_record",
    "with_result",
    "without_dust",
    "without_hedge",
]


def with_record(ledger: Ledger, record: OrderRecord) -> Ledger:
    """Put an order into the job in flight and into the hedge that owns it."""
    orders = {**ledger.orders, record.request.client_id: record}
    return _owned_by_hedge(replace(ledger, orders=orders), record)


def with_changed_order(ledger: Ledger, client_id: str, change: Callable[[OrderRecord], OrderRecord]) -> Ledger:
    """Change one order wherever it is kept: the job in flight, the live hedge, or a closed one (late fees)."""
    record = ledger.orders.get(client_id)
    if record is not None:
        return with_record(ledger, change(record))
    for hedge in ledger.hedges.values():
        old = _find(hedge, client_id)
        if old is not None:
            return _owned_by_hedge(ledger, change(old))
    found = ((c.hedge_id, r) for c in ledger.closed for r in c.hedge.orders if r.request.client_id == client_id)
    hedge_id, late = next(found, ("", None))
    return ledger if late is None else with_changed_hedge(ledger, hedge_id, lambda h: _holding(h, change(late)))


def with_changed_hedge(ledger: Ledger, hedge_id: str, change: Callable[[HedgedPosition], HedgedPosition]) -> Ledger:
    """Change a hedge that ``hedge_of`` knows: an open one, or a closed one, whose result moves the totals."""
    live = ledger.open_hedge(hedge_id)
    if live is not None:
        return with_hedge(ledger, change(live))
    old = next(closed for closed in ledger.closed if closed.hedge_id == hedge_id)
    return _with_changed_end(ledger, old, replace(old, hedge=change(old.hedge)))


def without_dust(ledger: Ledger, ended: HedgedPosition, quantity: Decimal) -> Ledger:
    """Take coins out of what was kept of a hedge that ended, and their value out of its result.

    Others sold them, or a fee in coin was larger than estimated; ``quantity`` is negative where it was smaller. A lot
    that an exchange of the coin left nothing of stays: its cost is a loss that is in no other figure.
    """
    lot = ledger.dust.get(ended.pair.base)
    gone = min(quantity, lot.quantity) if lot and lot.quantity else ZERO
    if lot is None or not gone:
        return ledger
    cost = lot.cost * gone / lot.quantity
    rest = replace(lot, quantity=lot.quantity - gone, cost=lot.cost - cost)
    dust = {**ledger.dust, lot.asset: rest}
    if not rest.quantity:
        del dust[lot.asset]
    old = next(closed for closed in ledger.closed if closed.hedge_id == ended.hedge_id)
    after = _with_changed_end(ledger, old, replace(old, residue_value=old.residue_value - cost))
    return replace(after, dust=dust)


def _with_changed_end(ledger: Ledger, old: ClosedHedge, late: ClosedHedge) -> Ledger:
    totals = with_result(_without_result(ledger.totals, old), late)
    return replace(ledger, totals=totals, closed=tuple(late if closed is old else closed for closed in ledger.closed))


def hedge_of(ledger: Ledger, hedge_id: str) -> HedgedPosition | None:
    """Return an open hedge or a closed one by its id; None for one that is opening, or not known any more."""
    closed = (each.hedge for each in ledger.closed if each.hedge_id == hedge_id)
    return ledger.open_hedge(hedge_id) or next(closed, None)


def with_hedge(ledger: Ledger, hedge: HedgedPosition) -> Ledger:
    """Put a live hedge in, or in the place of the one with its id."""
    return replace(ledger, hedges={**ledger.hedges, hedge.hedge_id: hedge})


def without_hedge(ledger: Ledger, hedge_id: str) -> Ledger:
    """Let go of a live hedge, and of the job in flight where it is about it."""
    hedges = {key: hedge for key, hedge in ledger.hedges.items() if key != hedge_id}
    if hedge_id in ledger.suspended:
        suspended = {key: job for key, job in ledger.suspended.items() if key != hedge_id}
        return replace(ledger, hedges=hedges, suspended=suspended)
    if ledger.execution is not None and ledger.execution.hedge_id != hedge_id:
        return replace(ledger, hedges=hedges)
    return replace(ledger, hedges=hedges, execution=None, orders={})


def _find(hedge: HedgedPosition, client_id: str) -> OrderRecord | None:
    return next((r for r in hedge.orders if r.request.client_id == client_id), None)


def _owned_by_hedge(ledger: Ledger, record: OrderRecord) -> Ledger:
    owner = ledger.hedges.get(record.hedge_id)
    if owner is None:
        return ledger
    hedge = _holding(owner, record)
    if owner is ledger.opening or not (record.opens or record.issued_at <= hedge.opened_at):
        return with_hedge(ledger, hedge)
    return with_hedge(ledger, replace(hedge, entry_fees=_entry_fees(hedge), entry_notional=_entry(hedge)))


def _holding(hedge: HedgedPosition, record: OrderRecord) -> HedgedPosition:
    """Return the hedge with ``record`` added or replaced, and its sums changed by the difference."""
    newest_first = range(len(hedge.orders) - 1, -1, -1)
    found = (i for i in newest_first if hedge.orders[i].request.client_id == record.request.client_id)
    index = next(found, None)
    added = Tally.of((record,))
    if index is None:
        return replace(hedge, orders=(*hedge.orders, record), tally=hedge.tally.plus(added))
    old = hedge.orders[index]
    orders = (*hedge.orders[:index], record, *hedge.orders[index + 1 :])
    if record.amounts == old.amounts:
        return replace(hedge, orders=orders)
    return replace(hedge, orders=orders, tally=hedge.tally.minus(Tally.of((old,))).plus(added))


def _entry(hedge: HedgedPosition) -> Decimal:
    """Return one leg at entry from the opening's own fills; an adopted hedge's stays as it was found."""
    if hedge.adopted:
        return hedge.entry_notional
    own = tuple(
        r for r in hedge.orders if r.issued_at <= hedge.opened_at and r.request.client_id.startswith(hedge.hedge_id)
    )
    tally = Tally.of(own)
    return (tally.spot_bought - tally.spot_sold) or tally.perp_sold or hedge.entry_notional


def _entry_fees(hedge: HedgedPosition) -> Decimal:
    """Fees of the opening, its unwinding included; late bookings count, orders that reduce the open hedge do not."""
    entering = (r for r in hedge.orders if r.opens or r.issued_at <= hedge.opened_at)
    return sum((r.booked_fee + r.estimated_fee for r in entering), ZERO)


def retallied(hedge: HedgedPosition) -> HedgedPosition:
    """Return the hedge with its sums computed again."""
    tally = Tally.of(hedge.orders, swept_quantity=hedge.swept_quantity, swept_cost=hedge.swept_cost)
    return replace(hedge, tally=hedge.settled.plus(tally))


def base_of(ledger: Ledger, symbol: str) -> str:
    """Return the coin of ``symbol``; of a symbol no hedge is known of any more, what its name says."""
    return next((h.pair.base for h in ledger.known_hedges if h.symbol == symbol), symbol.removesuffix(QUOTE_ASSET))


def with_result(totals: Totals, closed: ClosedHedge) -> Totals:
    """Return the totals with a hedge that ended added."""
    return _moved(totals, closed, +1)


def _without_result(totals: Totals, closed: ClosedHedge) -> Totals:
    return _moved(totals, closed, -1)


def _moved(totals: Totals, closed: ClosedHedge, sign: int) -> Totals:
    return replace(
        totals,
        funding=totals.funding + sign * closed.funding,
        basis_pnl=totals.basis_pnl + sign * closed.basis_pnl,
        fees=totals.fees + sign * closed.fees,
    )
