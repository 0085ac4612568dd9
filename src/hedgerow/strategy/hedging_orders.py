"""What the two-leg machine knows while it decides: fresh prices, caps, exposure; and how it words an order. Pure."""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.commands import Command, PlaceOrder
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.instrument import Instrument, Market, Side
from hedgerow.domain.market import Depth
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest

__all__ = [
    "Step",
    "Surroundings",
    "at_risk",
    "cap_bps",
    "elapsed",
    "naked_quantity",
    "place",
    "price_of",
    "sellable",
    "side_of",
    "tolerance",
    "tracked",
    "tradable",
    "worth",
]

UNREADABLE_SECONDS = 1.0
"""Pause before books that were stale or one-sided are read again."""
FIRST_WIDENING_SECONDS = 2
SECOND_WIDENING_SECONDS = 5


class Surroundings(Struct, frozen=True, kw_only=True):
    """What the machine sees at one step. A book of None was unreadable."""

    at: datetime
    spot: Depth | None = None
    perp: Depth | None = None
    idle_usdt: Decimal = ZERO
    """Free USDT of the spot wallet: may top up margin once."""

    def depth(self, market: Market) -> Depth | None:
        """Return one leg's book."""
        return self.spot if market is Market.SPOT else self.perp


class Step(Struct, frozen=True, kw_only=True):
    """What to do next: log ``job``, then at most one of a command, a look-up, or a pause before the next tick."""

    job: HedgeExecution
    command: Command | None = None
    resolve: OrderRequest | None = None
    pause_seconds: float = 0.0


# --- orders ----------------------------------------------------------------------------------------------------------


def place(
    job: HedgeExecution, around: Surroundings, market: Market, quantity: Decimal, *, side: Side | None = None
) -> Step:
    """Build the price-capped IOC order for one leg, with the next client id of that leg; pause without a fresh book."""
    instrument, side = job.pair.instrument(market), side or side_of(job, market)
    depth = around.depth(market)
    limit = depth.capped_price(side, cap_bps(job, around.at)) if depth and _fresh(job, around, depth) else None
    if limit is None:
        return Step(job=job, pause_seconds=UNREADABLE_SECONDS)
    quantity = min(quantity, instrument.floor_quantity(instrument.max_quantity))
    progress = job.leg(market)
    attempt = progress.attempts + 1
    request = OrderRequest(
        client_id=f"{job.hedge_id}-{market[0]}-{attempt}",
        market=market,
        symbol=job.symbol,
        side=side,
        quantity=quantity,
        price=_order_price(instrument, side, quantity, limit),
        reduce_only=market is Market.PERP and side is Side.BUY,
    )
    command = PlaceOrder(hedge_id=job.hedge_id, order=request, fee_rate=instrument.fees.taker)
    counted = replace(progress, attempts=attempt)
    placed = replace(job, working=command, **{market.value: counted})
    return Step(job=placed, command=command)


def _order_price(instrument: Instrument, side: Side, quantity: Decimal, limit: Decimal) -> Decimal:
    """Return ``limit`` on the tick grid; a sell is never priced so low that its notional would be refused."""
    price = max(instrument.round_price(limit, side), instrument.tick)
    if side is Side.BUY:
        return price
    return max(price, instrument.round_price(instrument.min_notional / quantity, side))


def tradable(instrument: Instrument, quantity: Decimal, price: Decimal | None) -> bool:
    """Whether an order of ``quantity`` passes the minimums; without a price its notional is not judged."""
    if quantity <= 0 or quantity < instrument.min_quantity:
        return False
    return price is None or quantity * price >= instrument.min_notional


def cap_bps(job: HedgeExecution, at: datetime) -> Decimal:
    """Return the price cap in basis points: wider the longer the present leg has been at it.

    A leading slice can wait, so that its cap widens in a safety exit only.
    """
    limits, waited = job.limits, elapsed(job, at)
    cap = limits.price_cap_bps
    if job.state is ExecutionState.LEADING and not job.plan.urgent:
        return min(cap, limits.max_cap_bps)
    if waited > SECOND_WIDENING_SECONDS:
        cap += limits.widen_after_5s_bps
    elif waited > FIRST_WIDENING_SECONDS:
        cap += limits.widen_after_2s_bps
    if job.state is ExecutionState.NAKED or (job.plan.urgent and waited > limits.flatten_after_seconds):
        doublings = int(waited / max(limits.flatten_after_seconds, 1))
        cap *= 2 ** min(doublings, 10)
    return min(cap, limits.max_cap_bps)


def side_of(job: HedgeExecution, market: Market) -> Side:
    """Return the direction in which the job trades one leg."""
    opening = job.kind is ExecutionKind.OPEN
    if market is Market.SPOT:
        return Side.BUY if opening else Side.SELL
    return Side.SELL if opening else Side.BUY


# --- exposure --------------------------------------------------------------------------------------------------------


def tracked(job: HedgeExecution, around: Surroundings) -> HedgeExecution:
    """Return the job with its naked time and exposure measured as of now; what may be naked counts as naked."""
    price = worth(job, around)
    if job.kind is ExecutionKind.TRIM or not job.plan.spot_quantity or not job.plan.perp_quantity or not price:
        return job
    exposed = at_risk(job)
    within = exposed <= tolerance(job, price)
    since = job.naked_since if within else job.naked_since or around.at
    seconds = (around.at - since).total_seconds() if since else 0.0
    worst = job.worst_naked_notional if within else max(job.worst_naked_notional, exposed * price)
    return replace(
        job,
        naked_since=None if within else since,
        worst_naked_seconds=max(job.worst_naked_seconds, seconds),
        worst_naked_notional=worst,
        naked_alarmed=job.naked_alarmed or seconds > job.limits.max_naked_seconds,
    )


def at_risk(job: HedgeExecution) -> Decimal:
    """Return by how much the legs may differ: an order whose outcome is unknown may have been filled whole."""
    known, order = naked_quantity(job), job.working.order if job.working else None
    if job.state is not ExecutionState.RESOLVING or order is None:
        return known
    if job.kind is ExecutionKind.OPEN and order.market is Market.SPOT and order.side is Side.SELL:
        return max(known, naked_quantity(replace(job, unwound=job.unwound + order.quantity)))
    leg = replace(job.leg(order.market), filled=job.leg(order.market).filled + order.quantity)
    return max(known, naked_quantity(replace(job, **{order.market.value: leg})))


def naked_quantity(job: HedgeExecution) -> Decimal:
    """Return by how much the legs differ because of this job; legs that differed before are not its doing."""
    if job.kind is ExecutionKind.OPEN:
        return abs(job.exposure)
    left = job.plan.spot_quantity - job.plan.perp_quantity - job.exposure
    between = job.exposure * left >= 0  # on the way from the old difference to none
    return ZERO if between else min(abs(job.exposure), abs(left))


def sellable(job: HedgeExecution, around: Surroundings) -> Decimal:
    """Return the unhedged coins of an opening that the venue would let us sell; 0 when they are dust."""
    excess = job.pair.spot.floor_quantity(max(ZERO, job.exposure))
    depth = around.depth(Market.SPOT)
    bid = depth.touch(Side.SELL) if depth and _fresh(job, around, depth) else None
    return excess if tradable(job.pair.spot, excess, bid or worth(job, around)) else ZERO


def tolerance(job: HedgeExecution, price: Decimal) -> Decimal:
    """Return the base quantity by which the legs may differ: what is smaller may be too small for an order."""
    pair = job.pair
    return max(pair.lot_step, pair.spot.min_quantity, pair.perp.min_quantity, pair.spot.min_notional / price)


def worth(job: HedgeExecution, around: Surroundings) -> Decimal | None:
    """Return the best price known for the coin: a touch of either book, else the average of our own fills."""
    leg = job.spot if job.spot.filled else job.perp
    average = leg.notional / leg.filled if leg.filled else None
    return price_of(job, around, Market.SPOT) or price_of(job, around, Market.PERP) or average


def price_of(job: HedgeExecution, around: Surroundings, market: Market) -> Decimal | None:
    """Return the touch that an order of this leg would take; None when that side is missing, empty or stale."""
    depth = around.depth(market)
    if depth is None or not _fresh(job, around, depth):
        return None
    return depth.touch(Side.SELL if market is Market.SPOT and _reversing(job) else side_of(job, market))


def _fresh(job: HedgeExecution, around: Surroundings, depth: Depth) -> bool:
    return (around.at - depth.at).total_seconds() <= job.limits.book_stale_seconds


def _reversing(job: HedgeExecution) -> bool:
    return job.kind is ExecutionKind.OPEN and job.state in {ExecutionState.UNWINDING, ExecutionState.NAKED}


def elapsed(job: HedgeExecution, at: datetime) -> float:
    """Return the seconds since the present attempt at the present leg began; negative while it waits for its start."""
    return (at - job.stage_since).total_seconds()
