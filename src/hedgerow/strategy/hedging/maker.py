"""Maker style: the leading slice rests at the touch and is cancelled before anything else is sent. Pure."""

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.commands import ArmDeadMan, CancelOrder
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import RESTING_GAP, ExecutionKind, ExecutionState, ExecutionStyle, HedgeExecution
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.strategy.hedging.orders import (
    Step,
    Surroundings,
    at_risk,
    lead_price,
    ordered,
    settlement_pause,
    side_of,
    split,
    tolerance,
    tradable,
)

__all__ = ["WATCH_SECONDS", "cancel", "given_over", "may_rest", "rest", "rest_on"]

WATCH_SECONDS = 1.0
"""Longest wait for a fill before the books are looked at again, hence the shortest time between two pegs."""
DEAD_MAN_SECONDS = 120
"""After so long without a word from us the venue cancels what we have on the perpetual."""
DEAD_MAN_REFRESH_SECONDS = 30


def may_rest(job: HedgeExecution, around: Surroundings, quantity: Decimal) -> bool:
    """Whether the next leading slice is to wait in the book; ``quantity`` is what it would be at most."""
    if job.limits.style is not ExecutionStyle.MAKER or job.plan.urgent or job.maker_over or around.hurried:
        return False
    price = _peg(job, around)
    return price is not None and not _out_of_time(job, around.at) and _resting_size(job, quantity, price) > 0


def rest(job: HedgeExecution, around: Surroundings, quantity: Decimal) -> Step:
    """Put a post-only order at the touch.

    Raises:
        InvariantBroken: there is no touch; ``may_rest`` says when there is one.
    """
    price = _peg(job, around)
    if price is None:
        raise InvariantBroken(f"hedge {job.hedge_id}: no touch to rest at")
    if _switch_due(job, around.at):
        return _armed(job, around.at)
    waiting = replace(job, state=ExecutionState.RESTING, resting_since=job.resting_since or around.at)
    size = _resting_size(job, quantity, price)
    return ordered(waiting, job.lead, side_of(job, job.lead), size, price, time_in_force=TimeInForce.GTX)


def rest_on(job: HedgeExecution, around: Surroundings) -> Step:
    """Go on waiting, or take the order out of the book: to hedge its fills, to move it to the touch, or for good."""
    order = _resting(job)
    price = lead_price(job, around)
    unseen = price is None or at_risk(job) > tolerance(job, price)
    moved = _peg(job, around) != order.price
    over = around.hurried or around.yields or _out_of_time(job, around.at) or settlement_pause(job, around.at) > 0
    if unseen or moved or over:
        return cancel(job)
    if _switch_due(job, around.at):
        return _armed(job, around.at)
    return Step(job=job, watch=order)


def cancel(job: HedgeExecution) -> Step:
    """Take the resting order out of its book; it stays the order at work until it is final."""
    order = _resting(job)
    command = CancelOrder(market=order.market, symbol=order.symbol, client_id=order.client_id)
    return Step(job=replace(job, state=ExecutionState.CANCELLING, resume=None), command=command)


def given_over(job: HedgeExecution, at: datetime) -> HedgeExecution:
    """Return the job with the present slice handed to taker orders, whose patience begins now, if it rested."""
    if job.resting_since is None or job.maker_over:
        return job
    return replace(job, maker_over=True, stage_since=at)


def _switch_due(job: HedgeExecution, at: datetime) -> bool:
    """Whether the dead man's switch of the venue is due to be set again.

    Only while opening: an opening begins when nobody else has orders on the symbol, which the switch would cancel too.
    """
    if job.kind is not ExecutionKind.OPEN:
        return False
    return job.dead_man_at is None or (at - job.dead_man_at).total_seconds() >= DEAD_MAN_REFRESH_SECONDS


def _armed(job: HedgeExecution, at: datetime) -> Step:
    command = ArmDeadMan(symbol=job.symbol, seconds=DEAD_MAN_SECONDS)
    return Step(job=replace(job, dead_man_at=at), command=command)


def _resting(job: HedgeExecution) -> OrderRequest:
    if job.working is None:
        raise InvariantBroken(f"hedge {job.hedge_id}: nothing rests")
    return job.working.order


def _peg(job: HedgeExecution, around: Surroundings) -> Decimal | None:
    """Return the best price of our own side of the leading leg's book, on its grid; None without one."""
    depth, side = around.depth(job.lead), side_of(job, job.lead)
    touch = depth.touch(side.opposite) if depth else None
    return None if touch is None else job.pair.instrument(job.lead).round_price(touch, side)


def _resting_size(job: HedgeExecution, quantity: Decimal, price: Decimal) -> Decimal:
    """Return the base units that may rest, 0 if none: what the price may do to them while nobody is there is capped."""
    leading, limits = job.pair.instrument(job.lead), job.limits
    caps = [cap for cap in (limits.max_order_usd, limits.max_resting_loss_usd / RESTING_GAP) if cap is not None]
    size = split(leading, quantity, price, min(caps))
    allowed = size * price <= min(caps) and tradable(leading, size, price)
    return size if allowed else Decimal(0)


def _out_of_time(job: HedgeExecution, at: datetime) -> bool:
    waited = (at - job.resting_since).total_seconds() if job.resting_since else 0.0
    return waited > job.limits.maker_timeout_seconds
