"""Checks that hedges in one account are kept apart: never two of one pair, and what happens to one changes no other."""

from collections.abc import Iterator
from decimal import Decimal

from hedgerow.domain import events as ev
from hedgerow.domain.instrument import BasisPair
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.simulation.checks.invariants import Invariant

__all__ = ["check_separate"]

ROUNDING = Decimal("1e-9")
"""Sums are cut at 28 digits."""
Found = Iterator[tuple[Invariant, str]]
_Booked = ev.FeeBooked | ev.OrderAccepted | ev.OrderProgressed | ev.OrderEnded | ev.OrderOutcomeUnknown
_OfHedge = (
    ev.ExternalFills
    | ev.HedgeOpened
    | ev.HedgeClosed
    | ev.HedgeAborted
    | ev.HedgeRepaired
    | ev.HedgeLost
    | ev.HedgeRolled
    | ev.DustSwept
    | ev.HedgeRedenominated
)


def check_separate(before: Ledger, event: ev.Event, after: Ledger, *, most: int) -> Found:
    """Yield what an event did to a hedge that it is not about; ``most`` hedges may be held at one time."""
    if after.hedges is before.hedges:
        return
    if len(after.hedges) > max(most, len(before.hedges)):
        held = ", ".join(hedge.symbol for hedge in after.hedges.values())
        yield Invariant.SETTINGS, f"{len(after.hedges)} hedges are held, {most} are allowed: {held}"
    symbols = [hedge.symbol for hedge in after.hedges.values()]
    if len(set(symbols)) < len(symbols):
        yield Invariant.SEPARATE, f"two hedges of one pair are held: {', '.join(symbols)}"
    about = _about(event, before)
    if about is None:
        return
    for hedge_id, hedge in before.hedges.items():
        now = after.hedges.get(hedge_id)
        if hedge_id != about and now is not hedge and now != hedge:
            yield Invariant.SEPARATE, f"{type(event).__name__} about {about} changes {hedge.symbol} ({hedge_id})"
    yield from _fee_is_charged(before, event, after)
    yield from _swept_coin(event, after)


def _about(event: ev.Event, ledger: Ledger) -> str | None:
    """Return the id of the hedge that an event is about, empty for none that is held; None = it may be about all."""
    if isinstance(event, ev.FundingReceived):
        held = ledger.held(event.payment.symbol)
        return held.hedge_id if held and held.begun_at <= event.payment.at else ""
    if isinstance(event, _Booked):
        return _owner(event.client_id, ledger)
    return event.hedge_id if isinstance(event, _OfHedge) else None


def _owner(client_id: str, ledger: Ledger) -> str:
    """Return the id of the hedge whose order a client id is: it begins with it."""
    return next((hedge_id for hedge_id in ledger.hedges if client_id.startswith(f"{hedge_id}-")), "")


def _fee_is_charged(before: Ledger, event: ev.Event, after: Ledger) -> Found:
    """Yield a fee of a live hedge's order that does not reach this hedge."""
    if not isinstance(event, ev.FeeBooked) or before.trades_seen.knows(event.fill.key, event.fill.at):
        return
    owner = _owner(event.client_id, before)
    if owner and owner in after.hedges:
        charged = _booked_fees(after.hedges[owner]) - _booked_fees(before.hedges[owner])
        if abs(charged - event.fee_quote) > ROUNDING:
            text = f"{event.client_id} paid {event.fee_quote}, {before.hedges[owner].symbol} is charged {charged}"
            yield Invariant.SEPARATE, text


def _booked_fees(hedge: HedgedPosition) -> Decimal:
    return sum((record.booked_fee for record in hedge.orders), ZERO)


def _swept_coin(event: ev.Event, after: Ledger) -> Found:
    if not isinstance(event, ev.DustSwept):
        return
    hedge = after.hedges.get(event.hedge_id)
    pair: BasisPair | None = hedge.pair if hedge else None
    if pair is not None and pair.base != event.lot.asset:
        yield Invariant.SEPARATE, f"dust of {event.lot.asset} is given to a closing of {pair.symbol}"
