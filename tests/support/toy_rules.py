"""What must hold of every step that the two-leg machine takes on a toy venue, and at its end."""

from decimal import Decimal

from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.execution import RESTING_GAP, ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.funding import seconds_to_settlement
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import BPS, ZERO
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.strategy.hedging.machine import Step, Surroundings
from support.toy_venue import ToyVenue

__all__ = ["check", "check_end"]

OLD_BOOK_AFTER_SECONDS, OLD_BOOK_SECONDS = 3, 60
"""Legs that have differed for so long may be matched on a book up to so old."""
MOVED = Decimal("1.05")
"""What the wandering price may add to a slice since it was sent."""


def check(venue: ToyVenue, before: HedgeExecution, taken: Step, around: Surroundings) -> None:
    """Fail if a step breaks a rule of the machine."""
    _check_legs(venue)
    asked = (taken.command, taken.resolve, taken.watch)
    assert sum(part is not None for part in asked) + (taken.pause_seconds > 0) <= 1
    if taken.job.state.ended:
        assert taken.command is None
        assert taken.resolve is None
        assert taken.job.working is None
        assert not taken.job.doubtful, "ended while an order may still land"
    if isinstance(taken.command, PlaceOrder):
        assert taken.job.working == taken.command, "an order is in the job before it is sent"
        _check_order(venue, before, taken, around, taken.command.order)
    elif taken.resolve and taken.job.state is ExecutionState.IN_DOUBT:
        assert taken.job.doubtful[0].command.order == taken.resolve
    elif taken.resolve or taken.watch:
        assert taken.job.working
        assert taken.job.working.order == (taken.resolve or taken.watch)


def _check_legs(venue: ToyVenue) -> None:
    """Fail if the legs are further apart than one slice, or than they were at first."""
    plan, price = venue.plan, venue.price
    if venue.short_was_taken or not plan.spot_quantity or not plan.perp_quantity:
        return
    before = ZERO if venue.kind is ExecutionKind.OPEN else abs(plan.spot_quantity - plan.perp_quantity)
    smallest = 2 * max(venue.pair.min_notional / price, venue.pair.lot_step)
    largest = max(before, max(plan.slice_notional / price, smallest) + smallest)
    assert abs(venue.coins - venue.short) <= largest * MOVED, "more than one slice is unhedged"


def _check_order(
    venue: ToyVenue, before: HedgeExecution, taken: Step, around: Surroundings, order: OrderRequest
) -> None:
    job, instrument = taken.job, venue.pair.instrument(order.market)
    assert before.working is None or before.working.order.client_id in venue.seen
    assert instrument.accepts(quantity=order.quantity, price=order.price, reduce_only=order.reduce_only) is None
    assert order.reduce_only == (order.market is Market.PERP and order.side is Side.BUY)
    book = around.depth(order.market)
    assert book is not None
    if (around.at - book.at).total_seconds() > job.limits.book_stale_seconds:
        _check_on_old_book(taken.job, around, order, (around.at - book.at).total_seconds())
    touch = book.touch(order.side)
    assert touch is not None
    if order.time_in_force is TimeInForce.GTX:
        assert job.state is ExecutionState.RESTING
        assert (order.price - touch) * order.side.sign < 0, "a resting order would take"
        assert order.quantity * order.price * RESTING_GAP <= job.limits.max_resting_loss_usd
    else:
        assert (order.price - touch) * order.side.sign <= touch * job.limits.max_cap_bps * BPS
        assert (order.price - touch) * order.side.sign >= 0, "the order cannot take the touch"
    if job.state in {ExecutionState.LEADING, ExecutionState.RESTING}:
        _check_slice(venue, taken, around, order, touch)
    if order.market is Market.PERP and not venue.unwinds(order):
        planned = venue.plan.perp_quantity + venue.landed
        assert venue.perp_traded + order.quantity <= planned, "beyond the plan"


def _check_on_old_book(job: HedgeExecution, around: Surroundings, order: OrderRequest, seconds: float) -> None:
    """Fail unless the order matches legs that have differed for a while, on a book up to a minute old, at once."""
    assert seconds <= OLD_BOOK_SECONDS, "traded on a stale book"
    assert job.naked_since is not None, "traded on an old book though the legs match"
    assert (around.at - job.naked_since).total_seconds() >= OLD_BOOK_AFTER_SECONDS
    assert order.time_in_force is TimeInForce.IOC
    both = job.plan.spot_quantity > 0 and job.plan.perp_quantity > 0
    assert job.state is not ExecutionState.LEADING or not both, "led a slice on an old book"


def _check_slice(venue: ToyVenue, taken: Step, around: Surroundings, order: OrderRequest, touch: Decimal) -> None:
    job, plan = taken.job, venue.plan
    assert order.market is plan.lead
    if not plan.urgent:
        cap = job.limits.price_cap_bps
        assert abs(order.price - touch) <= touch * cap * BPS
        guard = job.limits.settlement_guard_seconds
        assert seconds_to_settlement(around.at, plan.interval_hours) >= guard, "led into a settlement"
    assert not taken.job.doubtful, "a slice was led while an order may still land"
    traded = venue.bought if venue.kind is ExecutionKind.OPEN else venue.sold
    planned, saved = plan.spot_quantity, plan.spot_quantity * venue.pair.coin_fee_rate
    if plan.lead is Market.PERP:
        traded, planned, saved = venue.perp_traded, plan.perp_quantity, ZERO
    assert traded + order.quantity <= planned
    smallest = 2 * max(venue.pair.min_notional, venue.pair.lot_step * touch)
    rest = planned - traded - order.quantity - (saved if venue.rested_orders else ZERO)
    largest = max(plan.slice_notional, smallest) + (
        ZERO if rest >= venue.pair.instrument(order.market).lot else smallest
    )
    if venue.kind is not ExecutionKind.OPEN:  # coins without a short go at once
        largest += max(ZERO, venue.coins - venue.short) * touch
    if plan.perp_quantity > 0:
        assert order.quantity * touch <= largest, "a slice too large"


def check_end(venue: ToyVenue, job: HedgeExecution) -> None:
    """Fail unless the account is as the job says, and balanced."""
    assert job.state in {ExecutionState.HEDGED, ExecutionState.FLAT}
    assert not venue.hidden
    assert not venue.lost
    assert venue.resting is None
    spot = venue.pair.spot
    # What is sold lies on the lot; what is left of the coins beside it is less than one.
    unsellable = max(spot.min_quantity, spot.min_notional / venue.price * Decimal("1.01")) + spot.lot
    if job.state is ExecutionState.FLAT:
        assert venue.short == 0 or venue.short_was_taken
        assert venue.coins < unsellable
    elif venue.kind is not ExecutionKind.TRIM and not venue.short_was_taken and venue.plan.perp_quantity:
        started = ZERO if venue.kind is ExecutionKind.OPEN else venue.plan.spot_quantity - venue.plan.perp_quantity
        both = max(venue.pair.lot_step, unsellable, venue.pair.perp.min_quantity)
        left = venue.coins - venue.short  # of what one leg had too much at first, as much as could be traded is gone
        assert min(started, ZERO) - both <= left <= max(started, ZERO) + both
