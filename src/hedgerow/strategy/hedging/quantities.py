"""Quantities left to lead, follow or unwind after a partial fill, in base units on the grid of the leg. Pure."""

from decimal import Decimal

from hedgerow.domain.execution import ExecutionKind, HedgeExecution
from hedgerow.domain.instrument import Instrument, Market, Side, TradingStatus
from hedgerow.domain.money import ZERO
from hedgerow.strategy.evaluation.dust import dust_limit
from hedgerow.strategy.hedging.orders import (
    Surroundings,
    fresh_touch,
    may_sell_to_bids,
    own_difference,
    price_of,
    side_of,
    tolerance,
    tradable,
    unhedged_coins,
    worth,
)

__all__ = [
    "SHUT",
    "bought_ahead",
    "coins_lacking",
    "excess_coins",
    "follow_due",
    "lead_complete",
    "lead_slice",
    "only_coins_help",
    "reversible",
    "short_ahead",
    "short_alone",
    "surplus",
]

SHUT = {TradingStatus.CLOSED, TradingStatus.PENDING}
"""A market in these takes no order at all; one that settles still takes those that reduce."""

MANY_LOTS = 10
"""A slice of fewer lots of the perpetual is bought so that its short can follow to the last one."""
HALVED_MINIMUM = Decimal("1.2")
"""What each half of a divided rest is at least worth, as a factor of one minimum."""


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
    quantity = min(_hedgeable(job, leading.floor_quantity(wanted / price)), remaining)
    if (remaining - quantity) * price >= smallest:
        return quantity
    # The rest would be too small for an order of its own: it goes along, or the two are halved.
    halved = leading.floor_quantity(remaining / 2)
    fits = remaining * price <= max(wanted, 3 * job.pair.min_notional)
    return remaining if fits or halved * price < HALVED_MINIMUM * smallest / 2 else halved


def _hedgeable(job: HedgeExecution, quantity: Decimal) -> Decimal:
    """Return the coins of a slice so that a short with a much coarser lot can follow all of them.

    Coins are bought gross of their fee: the same number of lots would leave the last one without its short.
    """
    spot, perp = job.pair.spot, job.pair.perp
    coarse = spot.lot * MANY_LOTS <= perp.lot and quantity < perp.lot * MANY_LOTS
    if not coarse or job.kind is not ExecutionKind.OPEN or job.lead is not Market.SPOT:
        return quantity
    ahead = max(ZERO, job.exposure)
    target = perp.floor_quantity(quantity * (1 - job.pair.coin_fee_rate) + ahead)
    return job.pair.gross_spot_for(target - ahead) if target > ahead else quantity


def _remaining(job: HedgeExecution) -> Decimal:
    """Return the base units of the leading leg still to be traded.

    Of spot, less than planned when resting cost a smaller fee in coin.
    """
    if job.lead is Market.PERP:
        return job.pair.perp.floor_quantity(job.plan.perp_quantity - job.perp.filled)
    spot = job.pair.spot
    traded = job.spot.filled if job.kind is ExecutionKind.OPEN else job.net_spot
    planned = spot.floor_quantity(job.plan.spot_quantity - traded)
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
    """Whether the coins of a closing are sold: what is left of them cannot be traded."""
    remaining = job.pair.spot.floor_quantity(job.plan.spot_quantity - job.net_spot)
    return not tradable(job.pair.spot, remaining, worth(job, around))


def follow_due(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the base quantity the following leg must still trade, 0 when it is in step or the rest is too small."""
    return _coins_due(job, around) if job.follower is Market.SPOT else _short_due(job, around)


def _coins_due(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the coins to buy, gross of the fee in coin, so that no part of an opening's short lacks them."""
    spot = job.pair.spot
    due = spot.floor_quantity(job.pair.gross_spot_for(job.net_perp) - (job.spot.filled - job.follower_unwound))
    price = price_of(job, around, Market.SPOT) or worth(job, around)
    return due if tradable(spot, due, price) else ZERO


def _short_due(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return what to sell short or to buy back; the last slice brings the perpetual to exactly the planned quantity."""
    perp, planned, done = job.pair.perp, job.plan.perp_quantity, job.perp.filled - job.follower_unwound
    if job.kind is ExecutionKind.OPEN:
        due = perp.floor_quantity(min(planned, perp.floor_quantity(max(ZERO, job.net_spot))) - done)
        return due if tradable(perp, due, price_of(job, around, Market.PERP) or worth(job, around)) else ZERO
    whole = lead_complete(job, around) and not _stranded(job, around)
    target = planned if whole else min(planned, perp.floor_quantity(max(ZERO, job.net_spot - _surplus(job))))
    due = _buy_back(perp, target - done, last=whole and job.plan.whole_short)
    return due if _closable(perp, due) else ZERO


def _stranded(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether the coins that a closing can no longer sell are worth more than dust: their part of the short stays."""
    left, price = job.plan.spot_quantity - job.net_spot, worth(job, around)
    if left <= 0 or price is None or not job.plan.perp_quantity:
        return False
    return left * price > dust_limit(job.plan.spot_quantity * price)


def _buy_back(perp: Instrument, quantity: Decimal, *, last: bool) -> Decimal:
    """Return what to buy of a short on its grid; the last of it is rounded up.

    A lot that became coarser leaves a part of a lot: a reduce-only order never buys more than is short.
    """
    floored = perp.floor_quantity(quantity)
    if not last or floored == quantity or quantity <= 0:
        return floored
    return max(perp.ceil_quantity(quantity), perp.ceil_quantity(perp.min_quantity))


def _surplus(job: HedgeExecution) -> Decimal:
    """Return by how much the coins exceeded the short before a closing: what the owner took of one leg goes first."""
    return job.plan.spot_quantity - job.plan.perp_quantity if job.plan.spot_quantity else ZERO


def reversible(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the unhedged base units of an opening's leading leg that the venue would let us reverse; 0 for dust."""
    if job.lead is Market.PERP:
        return _short_to_buy_back(job, around)
    return _coins_to_sell(job, around, job.exposure)


def surplus(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return what an opening's following leg has beyond the leading one, that the venue lets us take back.

    Only a doubtful order that fills beside its replacement leads there.
    """
    if job.kind is not ExecutionKind.OPEN:
        return ZERO
    if job.lead is Market.PERP:
        return _coins_to_sell(job, around, job.net_spot - job.net_perp)
    excess = job.pair.perp.floor_quantity(max(ZERO, -job.exposure))
    return excess if _closable(job.pair.perp, excess) else ZERO


def bought_ahead(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the coins that have lost their part of the short in a closing, and that the venue lets us sell.

    Only a doubtful order that fills beside its replacement leads there; a short larger than the coins goes first.
    """
    if job.kind is ExecutionKind.OPEN or not job.plan.spot_quantity:
        return ZERO
    short_first = max(ZERO, job.plan.perp_quantity - job.plan.spot_quantity)
    left = job.plan.spot_quantity - job.net_spot
    return _coins_to_sell(job, around, min(left, -job.exposure - short_first))


def excess_coins(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the coins of a closing that no short is against and that spot alone lets us sell; 0 where they may not be.

    Their sale needs neither book nor host of the perpetual, but a floor that other prices support: the spot book would
    be the only source. A person who closes wants none.
    """
    bid, floor, coins = (
        fresh_touch(job, around, Market.SPOT, Side.SELL),
        job.plan.spot_floor or ZERO,
        unhedged_coins(job),
    )
    if bid is None or not may_sell_to_bids(job) or bid < floor or coins <= tolerance(job, bid):
        return ZERO
    return _coins_to_sell(job, around, coins)


def only_coins_help(job: HedgeExecution) -> bool:
    """Whether a short too large can only be covered with coins: the perpetual takes no order, and spot does."""
    legs = job.plan.spot_quantity > 0 and job.plan.perp_quantity > 0 and job.lead is Market.SPOT
    return legs and job.pair.perp.status in SHUT and job.pair.spot.status is TradingStatus.TRADING


def coins_lacking(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the coins whose short is there without them, gross of the fee for buying them.

    A closing sold them; of an opening an order of the short filled twice, and the coins are among those planned.
    """
    lacking = job.pair.gross_spot_for(max(ZERO, -own_difference(job)))
    price = fresh_touch(job, around, Market.SPOT, Side.BUY) or worth(job, around)
    planned = job.kind is not ExecutionKind.OPEN or lacking <= _remaining(job)
    return lacking if planned and tradable(job.pair.spot, lacking, price) else ZERO


def short_ahead(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether the short of a closing exceeds its coins by what can be bought back: an earlier job ended uneven."""
    closes = job.kind in {ExecutionKind.CLOSE, ExecutionKind.REDUCE} and job.plan.perp_quantity > job.plan.spot_quantity
    return closes and follow_due(job, around) > 0


def short_alone(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether an opening has sold short against no coins that could ever be sold: that is no hedge, however small."""
    return job.net_perp > 0 and not _coins_to_sell(job, around, job.net_spot)


def _short_to_buy_back(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return what of the short has no coins against it; all of it, when the coins are too few to be ever sold."""
    perp = job.pair.perp
    hedged = ZERO if short_alone(job, around) else job.net_spot
    excess = _buy_back(perp, max(ZERO, job.net_perp - hedged), last=not hedged)
    return excess if _closable(perp, excess) else ZERO


def _coins_to_sell(job: HedgeExecution, around: Surroundings, coins: Decimal) -> Decimal:
    quantity = job.pair.spot.floor_quantity(max(ZERO, coins))
    bid = fresh_touch(job, around, Market.SPOT, Side.SELL)
    return quantity if tradable(job.pair.spot, quantity, bid or worth(job, around)) else ZERO


def _closable(perp: Instrument, quantity: Decimal) -> bool:
    """Whether a reducing order of the perpetual passes: it is exempt from the minimum notional."""
    return quantity >= max(perp.min_quantity, perp.lot)
