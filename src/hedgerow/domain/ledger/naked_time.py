"""How long the legs of a hedge differ because of trades that no job of the bot knew of.

A liquidation, an auto-deleveraging, a sale by hand, a fill that no reply reported: from the trade to the event with
which both legs match again or the hedge ends. What a job of the bot leaves apart is measured by the job itself.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.ledger.order_index import hedge_of
from hedgerow.domain.ledger.state import Apart, Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import Fill
from hedgerow.domain.position import HedgedPosition

__all__ = ["measured"]


class _Stretch(Struct, frozen=True, kw_only=True):
    """What a walk through trades found."""

    apart: Apart | None
    """Not None: the legs still differ after the last trade."""
    longest: timedelta
    """Longest stretch that is over."""
    notional: Decimal
    """Largest difference, quote units."""


def measured(before: Ledger, after: Ledger, event: ev.Event) -> Ledger:
    """Return ``after`` with the time that the legs were apart; ``before`` is the ledger before ``event``."""
    traded = event.hedge_id if isinstance(event, ev.ExternalFills) else None
    for hedge_id, apart in before.apart.items():
        if hedge_id == traded:
            continue
        hedge = after.open_hedge(hedge_id)
        matched = hedge is None or not _differ(hedge.pair, _difference(hedge), apart.price)
        after = _longer(_with_apart(after, hedge_id, None if matched else apart), apart.since, event.at)
    if isinstance(event, ev.FeeBooked):
        return _with_report(before, after, event)
    return _with_trades(before, after, event) if isinstance(event, ev.ExternalFills) else after


def _with_report(before: Ledger, after: Ledger, event: ev.FeeBooked) -> Ledger:
    """Count from its trade on what a late report shows an order of an open hedge to have filled further."""
    fill = event.fill
    known, hedge = before.held(fill.symbol), after.held(fill.symbol)
    if known is None or hedge is None or after.job_of(fill.symbol) is not None or hedge.hedge_id in after.apart:
        return after
    further = _traded(hedge, event.client_id) > _traded(known, event.client_id)
    difference = _difference(hedge)
    if not further or not _differ(hedge.pair, difference, fill.price):
        return after
    after = replace(after, max_naked_notional=max(after.max_naked_notional, abs(difference) * fill.price))
    apart = Apart(hedge_id=hedge.hedge_id, since=fill.at, price=fill.price)
    return _longer(_with_apart(after, hedge.hedge_id, apart), fill.at, event.at)


def _traded(hedge: HedgedPosition, client_id: str) -> Decimal:
    return sum((r.filled_quantity for r in hedge.orders if r.request.client_id == client_id), ZERO)


def _with_trades(before: Ledger, after: Ledger, event: ev.ExternalFills) -> Ledger:
    hedge = hedge_of(before, event.hedge_id)
    fresh = [fill for fill in event.fills if not before.trades_seen.knows(fill.key, fill.at)]
    if hedge is None or not fresh:
        return after
    live = before.open_hedge(event.hedge_id) is not None
    known = before.apart.get(event.hedge_id) if live else None
    # Late trades take the place of what was assumed: the sums do not change, only the time is known now.
    begin = ZERO if event.late or not live else _difference(hedge)
    found = _walk(hedge.pair, hedge.hedge_id, begin, None if event.late else known, fresh)
    after = replace(after, max_naked_seconds=max(after.max_naked_seconds, found.longest.total_seconds()))
    after = replace(after, max_naked_notional=max(after.max_naked_notional, found.notional))
    if found.apart is None:
        return _with_apart(after, event.hedge_id, known if event.late else None) if live else after
    if not live:
        return _longer(after, found.apart.since, _ended_at(before, event))
    if event.late:
        if known is None:
            return _longer(after, found.apart.since, _last_order(hedge))
        earlier = min(known.since, found.apart.since)
        return _longer(_with_apart(after, event.hedge_id, replace(known, since=earlier)), earlier, event.at)
    return _longer(_with_apart(after, event.hedge_id, found.apart), found.apart.since, event.at)


def _with_apart(ledger: Ledger, hedge_id: str, apart: Apart | None) -> Ledger:
    others = {key: each for key, each in ledger.apart.items() if key != hedge_id}
    return replace(ledger, apart=others if apart is None else {**others, hedge_id: apart})


def _walk(pair: BasisPair, hedge_id: str, difference: Decimal, apart: Apart | None, fills: Iterable[Fill]) -> _Stretch:
    longest, notional = timedelta(), ZERO
    for fill in sorted(fills, key=lambda each: each.at):
        difference += fill.net_base(pair.base)
        if not _differ(pair, difference, fill.price):
            longest = max(longest, timedelta() if apart is None else fill.at - apart.since)
            apart = None
            continue
        notional = max(notional, abs(difference) * fill.price)
        apart = apart or Apart(hedge_id=hedge_id, since=fill.at, price=fill.price)
    return _Stretch(apart=apart, longest=longest, notional=notional)


def _difference(hedge: HedgedPosition) -> Decimal:
    """Return by how many base units the coins exceed the short."""
    return hedge.spot_quantity + hedge.perp_quantity


def _differ(pair: BasisPair, difference: Decimal, price: Decimal) -> bool:
    """Return whether legs differ by more than can be left: a common lot, of coins also what the spot minimum allows."""
    if difference <= 0:
        return -difference > pair.lot_step
    least = pair.spot.ceil_quantity(pair.spot.min_notional / price) if price > 0 else ZERO
    return difference > max(pair.lot_step, least)


def _longer(ledger: Ledger, since: datetime, until: datetime) -> Ledger:
    seconds = (until - since).total_seconds()
    return ledger if seconds <= ledger.max_naked_seconds else replace(ledger, max_naked_seconds=seconds)


def _ended_at(ledger: Ledger, event: ev.ExternalFills) -> datetime:
    return next((c.closed_at for c in ledger.closed if c.hedge_id == event.hedge_id), event.at)


def _last_order(hedge: HedgedPosition) -> datetime:
    """Return when the hedge's newest order was issued, its own or another's: by then the legs were matched again."""
    return max(record.issued_at for record in hedge.orders)
