"""How much a two-leg job has yet to do: lead, follow, take back. Base units on the grid of the leg. Pure."""

from decimal import Decimal

from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.instrument import Instrument, Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.strategy.hedging_orders import (
    Surroundings,
    fresh_touch,
    price_of,
    side_of,
    tradable,
    unhedged_coins,
    worth,
)

__all__ = ["follow_due", "lead_complete", "lead_slice", "reversible"]


def lead_slice(job: HedgeExecution, around: Surroundings, price: Decimal) -> Decimal:
    """Return the base quantity of the next slice; 0 when nothing tradable is left.

    Coins beyond what is left of the short are unhedged already: they go at once, whatever the books show.
    """
    leading = job.pair.instrument(job.lead)
    remaining = _remaining(job)
    if job.lead_done or not tradable(leading, remaining, price):
        return ZERO
    smallest = _smallest_slice(job, price)
    wanted = max(min(job.plan.slice_notional, _visible_share(job, around)), smallest, unhedged_coins(job) * price)
    quantity = min(leading.floor_quantity(wanted / price), remaining)
    return remaining if (remaining - quantity) * price < smallest else quantity


def _remaining(job: HedgeExecution) -> Decimal:
    """Return the base units of the leading leg still to be traded.

    Of spot, less than planned when resting cost a smaller fee in coin.
    """
    if job.lead is Market.PERP:
        return job.pair.perp.floor_quantity(job.plan.perp_quantity - job.perp.filled)
    spot = job.pair.spot
    planned = spot.floor_quantity(job.plan.spot_quantity - job.spot.filled)
    if job.kind is not ExecutionKind.OPEN or not job.spot.maker_filled:
        return planned
    return min(planned, job.pair.gross_spot_for(max(ZERO, job.plan.perp_quantity - job.net_spot - job.unwound)))


def _smallest_slice(job: HedgeExecution, price: Decimal) -> Decimal:
    """Twice the larger minimum notional, and never less than two common lots."""
    return 2 * max(job.pair.min_notional, job.pair.lot_step * price)


def _visible_share(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the notional that the books of all legs, which ``lead_price`` found readable, let one slice take."""
    books = ((around.depth(market), side_of(job, market)) for market in Market)
    shown = min(depth.notional_within(side, job.limits.price_cap_bps) for depth, side in books if depth)
    return shown * job.limits.slice_depth_fraction


def lead_complete(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether the leading leg did all it could be asked to: what is left of it cannot be traded."""
    if job.kind is ExecutionKind.OPEN:
        return job.unwound == 0 and job.net_spot >= job.plan.perp_quantity
    remaining = job.pair.spot.floor_quantity(job.plan.spot_quantity - job.spot.filled)
    return not tradable(job.pair.spot, remaining, worth(job, around))


def follow_due(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the base quantity the following leg must still trade, 0 when it is in step or the rest is too small."""
    return _coins_due(job, around) if job.follower is Market.SPOT else _short_due(job, around)


def _coins_due(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the coins to buy, gross of the fee in coin, so that no part of an opening's short lacks them."""
    spot = job.pair.spot
    due = spot.floor_quantity(job.pair.gross_spot_for(job.net_perp) - job.spot.filled)
    price = price_of(job, around, Market.SPOT) or worth(job, around)
    return due if tradable(spot, due, price) else ZERO


def _short_due(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return what to sell short or to buy back; the last slice brings the perpetual to exactly the planned quantity."""
    perp, planned = job.pair.perp, job.plan.perp_quantity
    complete = lead_complete(job, around) and (job.lead_done or job.kind is not ExecutionKind.OPEN)
    wanted = job.net_spot if job.kind is ExecutionKind.OPEN else job.net_spot - _surplus(job)
    target = planned if complete else min(planned, perp.floor_quantity(max(ZERO, wanted)))
    due = target - job.perp.filled
    if job.kind is ExecutionKind.OPEN:
        price = price_of(job, around, Market.PERP) or worth(job, around)
        return due if tradable(perp, due, price) else ZERO
    return due if _closable(perp, due) else ZERO


def _surplus(job: HedgeExecution) -> Decimal:
    """Return by how much the coins exceeded the short before a closing: what the owner took of one leg goes first."""
    return job.plan.spot_quantity - job.plan.perp_quantity if job.plan.spot_quantity else ZERO


def reversible(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the unhedged base units of an opening's leading leg that the venue would let us reverse; 0 for dust."""
    if job.lead is Market.PERP:
        return _short_to_buy_back(job, around)
    return _coins_to_sell(job, around, job.exposure)


def _short_to_buy_back(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return what of the short has no coins against it; all of it, when the coins are too few to be ever sold."""
    perp = job.pair.perp
    hedged = job.net_spot if _coins_to_sell(job, around, job.net_spot) else ZERO
    excess = perp.floor_quantity(max(ZERO, job.net_perp - hedged))
    return excess if _closable(perp, excess) else ZERO


def _coins_to_sell(job: HedgeExecution, around: Surroundings, coins: Decimal) -> Decimal:
    quantity = job.pair.spot.floor_quantity(max(ZERO, coins))
    bid = fresh_touch(job, around, Market.SPOT, Side.SELL)
    return quantity if tradable(job.pair.spot, quantity, bid or worth(job, around)) else ZERO


def _closable(perp: Instrument, quantity: Decimal) -> bool:
    """Whether a reducing order of the perpetual passes: it is exempt from the minimum notional."""
    return quantity >= max(perp.min_quantity, perp.lot)
