"""Orders of the two-leg machine: prices within the slippage cap, exposure. Pure."""

from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.commands import Command, PlaceOrder
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.funding import last_settlement, next_settlement, seconds_to_settlement
from hedgerow.domain.instrument import BasisPair, Instrument, Market, Side
from hedgerow.domain.market import Depth
from hedgerow.domain.money import BPS, ONE, ZERO
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.verdicts import BALANCED_WITHIN

__all__ = [
    "MOST_DOUBTFUL",
    "Step",
    "Surroundings",
    "Unhedged",
    "at_risk",
    "cap_bps",
    "elapsed",
    "fresh_touch",
    "in_other_units",
    "lead_price",
    "look_up_doubtful",
    "may_sell_to_bids",
    "moved_apart",
    "naked_quantity",
    "ordered",
    "overdue_doubt",
    "own_difference",
    "place",
    "price_of",
    "settlement_pause",
    "side_of",
    "split",
    "surplus",
    "tolerance",
    "tracked",
    "tradable",
    "unhedged",
    "unhedged_coins",
    "with_fill",
    "worst_exposure",
    "worth",
]

UNREADABLE_SECONDS = 1.0
"""Pause before books that were stale or one-sided are read again."""
LATE_SECONDS = 60.0
"""A fill that is reported later than this may have been made at another price than the present one."""
OLD_BOOK_AFTER_SECONDS, OLD_BOOK_SECONDS = 3.0, 60.0
"""Legs that have differed for so long are matched on a book up to so old: an order's limit is its worst price, however
old the book that it was taken from, and where no newer book comes none matches them otherwise. It leads no slice."""
FUTURE_SECONDS = 1.0
"""A book stamped later than this after the present is not fresh: one of the two clocks is wrong."""
BLOCKED_PAUSE_SECONDS = 5.0
"""Longest pause before looking again whether a host that refuses every order still does."""
OTHER_UNITS = Decimal(5)
"""A price so many times higher or lower than the job's own is one of another unit of the coin.

The smallest redenomination is 1 to 10. A job lasts for minutes, in which a coin that halves or doubles stays within.
"""
BAND_SHARE = Decimal("0.9")
"""Part of the price band that is used: the band stands around the mark, an order's reference is the book."""
MOST_DOUBTFUL = 4
"""So many orders may be in doubt at once: each doubles the ways in which they may have filled."""
FIRST_WIDENING_SECONDS = 2
SECOND_WIDENING_SECONDS = 5
_CATCHING_UP = {
    ExecutionState.FOLLOWING,
    ExecutionState.REPAIRING,
    ExecutionState.RESOLVING,
    ExecutionState.IN_DOUBT,
}


class Surroundings(Struct, frozen=True, kw_only=True):
    """What the machine sees at one step. A book of None was unreadable."""

    at: datetime
    spot: Depth | None = None
    perp: Depth | None = None
    idle_usdt: Decimal = ZERO
    """Free USDT of the spot wallet: may top up margin once."""
    hurried: bool = False
    """Whether the job had better end soon, for the bot was asked to stop, or others have touched its legs: nothing is
    left to rest in a book."""
    leg_taken: bool = False
    """Whether the account lacks coins or short of this job: others traded them, and an opening leads no further."""
    yields: bool = False
    """Whether another hedge cannot wait: no slice is begun, and none is left to rest, so that the job can be set
    aside."""
    give_up: Reason | None = None
    """Why an opening is to lead no further; None = it goes on."""
    happened_at: datetime | None = None
    """When what the event reports happened: a fill by the venue's time or the log's, downtime included; None = now."""
    short_gone: bool = False
    """Whether account and position both show no short any more; asked for a closing that is ``NAKED``, and when an
    order of any job is refused because there is nothing to reduce."""
    coins_taken: bool = False
    """Whether the account shows fewer coins than a sale was for; asked when one is refused because there are not
    enough."""
    pair: BasisPair | None = None
    """The pair as the venue lists it now; None where that is not known, and the job's own counts."""
    regridded: bool = False
    """Whether ``pair`` has other filters or another status than the job's last order was made for."""
    spot_blocked_seconds: float = 0.0
    """How long the spot host refuses every order, as it said; 0 = it does not."""
    perp_blocked_seconds: float = 0.0

    def depth(self, market: Market) -> Depth | None:
        """Return one leg's book."""
        return self.spot if market is Market.SPOT else self.perp

    def blocked_seconds(self, market: Market) -> float:
        """Return how long the host of one leg refuses every order."""
        return self.spot_blocked_seconds if market is Market.SPOT else self.perp_blocked_seconds


class Step(Struct, frozen=True, kw_only=True):
    """What to do next: log ``job``, then at most one of a command, a look-up, a watch, or a pause."""

    job: HedgeExecution
    command: Command | None = None
    resolve: OrderRequest | None = None
    watch: OrderRequest | None = None
    """A resting order whose next fill or end is waited for, for at most ``WATCH_SECONDS``."""
    pause_seconds: float = 0.0


class Unhedged(Struct, frozen=True, kw_only=True):
    """What the legs of a job differ by."""

    quantity: Decimal
    """Base units, at most."""
    in_doubt: Decimal
    """The part of ``quantity`` that is unhedged only if an order of unknown outcome was filled, base units."""
    price: Decimal | None
    """Of one base unit, quote units; None = unknown."""


# --- orders ----------------------------------------------------------------------------------------------------------


def place(
    job: HedgeExecution, around: Surroundings, market: Market, quantity: Decimal, *, side: Side | None = None
) -> Step:
    """Build the price-capped IOC order for one leg, with the next client id of that leg.

    Pause instead without a fresh book, and while the host of the leg refuses every order; wait for doubtful orders that
    could make it one too many.
    """
    instrument, side = job.pair.instrument(market), side or side_of(job, market)
    blocked = around.blocked_seconds(market)
    if blocked > 0:
        return Step(job=job, pause_seconds=min(blocked, BLOCKED_PAUSE_SECONDS))
    touch = fresh_touch(job, around, market, side)
    if touch is None or _below_floor(job, market, side, touch):
        return Step(job=job, pause_seconds=UNREADABLE_SECONDS)
    limit = touch * (ONE + side.sign * cap_bps(job, around.at) * BPS)
    limit = _within_band(instrument, side, limit, _middle(job, around, around.depth(market)) or touch)
    limit = _floored(job, market, side, limit)
    quantity = split(instrument, quantity, max(limit, touch), job.limits.max_order_usd)
    due = overdue_doubt(job, around.at)
    if due is not None:
        return look_up_doubtful(due)
    taken = ordered(job, market, side, quantity, _order_price(instrument, side, quantity, limit))
    doubled = isinstance(taken.command, PlaceOrder) and _would_add_to_doubt(job, taken.command)
    return look_up_doubtful(job) if doubled else taken


def ordered(
    job: HedgeExecution,
    market: Market,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    *,
    time_in_force: TimeInForce = TimeInForce.IOC,
) -> Step:
    """Return the step that sends one order, under the next client id of its leg."""
    instrument, progress = job.pair.instrument(market), job.leg(market)
    attempt = progress.attempts + 1
    request = OrderRequest(
        client_id=f"{job.hedge_id}-{market[0]}-{attempt}",
        market=market,
        symbol=job.symbol,
        side=side,
        quantity=quantity,
        price=price,
        time_in_force=time_in_force,
        reduce_only=market is Market.PERP and side is Side.BUY,
    )
    fees = instrument.fees
    fee_rate = fees.maker if time_in_force is TimeInForce.GTX else fees.taker
    command = PlaceOrder(
        hedge_id=job.hedge_id, order=request, fee_rate=fee_rate, fee_in_quote=job.pair.spot.fee_in_quote
    )
    counted = {market.value: replace(progress, attempts=attempt)}
    return Step(job=replace(job, working=command, orders=job.orders + 1, **counted), command=command)


def split(instrument: Instrument, quantity: Decimal, price: Decimal, largest: Decimal | None) -> Decimal:
    """Return the first of equal parts of ``quantity`` that are each worth at most ``largest`` quote units.

    A part is never smaller than the venue's smallest order: a leg that could not be closed would be worse.
    """
    quantity = min(quantity, instrument.floor_quantity(instrument.max_quantity))
    if largest is None or quantity * price <= largest:
        return quantity
    parts = (quantity * price / largest).to_integral_value(rounding=ROUND_CEILING)
    smallest = max(instrument.min_quantity, instrument.min_notional / price)
    return min(quantity, max(instrument.floor_quantity(quantity / parts), instrument.ceil_quantity(smallest)))


def _within_band(instrument: Instrument, side: Side, limit: Decimal, reference: Decimal) -> Decimal:
    """Return ``limit`` inside the price band, which is a part of the mark: ``BAND_SHARE`` of it around ``reference``.

    The band bounds buys from above and sells from below.
    """
    if side is Side.BUY and instrument.price_up > 0:
        return min(limit, reference * (ONE + (instrument.price_up - ONE) * BAND_SHARE))
    if side is Side.SELL and instrument.price_down > 0:
        return max(limit, reference * (ONE - (ONE - instrument.price_down) * BAND_SHARE))
    return limit


def _order_price(instrument: Instrument, side: Side, quantity: Decimal, limit: Decimal) -> Decimal:
    """Return ``limit`` on the tick grid; a sell is never priced so low that its notional would be refused."""
    price = max(instrument.round_price(limit, side), instrument.tick)
    if side is Side.BUY:
        return price
    return max(price, instrument.round_price(instrument.min_notional / quantity, side))


def _below_floor(job: HedgeExecution, market: Market, side: Side, touch: Decimal) -> bool:
    """Whether coins could be sold only below the floor of the plan."""
    floor = job.plan.spot_floor
    return floor is not None and market is Market.SPOT and side is Side.SELL and touch < floor


def _floored(job: HedgeExecution, market: Market, side: Side, limit: Decimal) -> Decimal:
    return max(limit, job.plan.spot_floor or limit) if market is Market.SPOT and side is Side.SELL else limit


def _out_of_bounds(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether selling coins now would go beyond the plan's bounds, on spot or for the short that follows."""
    floor, ceiling = job.plan.spot_floor, job.plan.perp_ceiling
    bid, ask = price_of(job, around, Market.SPOT), price_of(job, around, Market.PERP)
    low = floor is not None and bid is not None and bid < floor
    return low or (ceiling is not None and job.plan.perp_quantity > 0 and ask is not None and ask > ceiling)


def tradable(instrument: Instrument, quantity: Decimal, price: Decimal | None) -> bool:
    """Whether an order of ``quantity`` passes the minimums; without a price its notional is not judged."""
    if quantity <= 0 or quantity < instrument.min_quantity:
        return False
    return price is None or quantity * price >= instrument.min_notional


def cap_bps(job: HedgeExecution, at: datetime) -> Decimal:
    """Return the price cap in basis points: wider the longer the present leg has been at it.

    A leading slice can wait, so that its cap widens in a safety exit only; coins that have no short against them have
    been unhedged since the job began.
    """
    limits, waited = job.limits, elapsed(job, at)
    if job.plan.urgent and unhedged_coins(job) > BALANCED_WITHIN * job.plan.spot_quantity:
        waited = (at - job.started_at).total_seconds()
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
    job = _arrived(job, around)
    price = worth(job, around) or _price_in_doubt(job)
    lone = _is_one_legged(job)
    if not price or (lone and job.naked_since is None):
        return job
    exposed = surplus(job) if lone else at_risk(job)
    within, changed_at = exposed <= tolerance(job, price), around.happened_at or around.at
    since = job.naked_since if within else job.naked_since or changed_at
    seconds = max(0.0, ((changed_at if within else around.at) - since).total_seconds()) if since else 0.0
    worst = job.worst_naked_notional if within else max(job.worst_naked_notional, exposed * _then(job, around, price))
    return replace(
        job,
        naked_since=None if within else since,
        naked_seconds=job.naked_seconds + (seconds if within else 0.0),
        worst_naked_seconds=max(job.worst_naked_seconds, seconds),
        worst_naked_notional=worst,
        naked_alarmed=job.naked_alarmed or seconds > job.limits.max_naked_seconds or _still_unequal(job, around, price),
    )


def _price_in_doubt(job: HedgeExecution) -> Decimal | None:
    """Return the limit of an order whose outcome is unknown: what it may have traded is exposed, books or none."""
    unknown = [job.working] if job.working and job.state is ExecutionState.RESOLVING else []
    return next((each.order.price for each in (*unknown, *(doubt.command for doubt in job.doubtful))), None)


def _then(job: HedgeExecution, around: Surroundings, price: Decimal) -> Decimal:
    """Return the price of legs that came apart a while ago, while nobody looked: at least what was paid for them."""
    late = around.happened_at is not None and (around.at - around.happened_at).total_seconds() > LATE_SECONDS
    paid = (leg.average_price for leg in (job.spot, job.perp)) if late else ()
    return max([price, *(each for each in paid if each is not None)])


def _is_one_legged(job: HedgeExecution) -> bool:
    """Whether the job trades one leg: its naked time began before it, when the other leg was lost."""
    return job.kind is ExecutionKind.TRIM or not job.plan.spot_quantity or not job.plan.perp_quantity


def surplus(job: HedgeExecution) -> Decimal:
    """Return what a job of one leg has yet to trade: nothing is against it."""
    return job.plan.spot_quantity + job.plan.perp_quantity - job.spot.filled - job.perp.filled


def _still_unequal(job: HedgeExecution, around: Surroundings, price: Decimal) -> bool:
    """Whether a closing of legs that differed before could not even them within the time a leg may be naked.

    Their difference is not this job's doing, and no part of its naked time; it is said all the same.
    """
    if job.kind is ExecutionKind.OPEN or job.state not in _CATCHING_UP:
        return False
    late = elapsed(job, around.at) > job.limits.max_naked_seconds
    return late and abs(_left_unequal(job)) > tolerance(job, price)


def _arrived(job: HedgeExecution, around: Surroundings) -> HedgeExecution:
    """Return the job with the middle of each book as it was when the job first saw it.

    A job that leaves a hedge may begin with legs that do not follow one price: where it sees both books at once, each
    is the unit of its own leg.
    """
    spot, perp = (_middle(job, around, around.depth(market)) for market in Market)
    first = job.spot_arrival is None and job.perp_arrival is None
    if first and job.kind is not ExecutionKind.OPEN and spot is not None and perp is not None:
        return replace(job, spot_arrival=spot, perp_arrival=perp)
    job = replace(job, spot_arrival=job.spot_arrival or _first_seen(job, around, Market.SPOT))
    return replace(job, perp_arrival=job.perp_arrival or _first_seen(job, around, Market.PERP))


def _first_seen(job: HedgeExecution, around: Surroundings, market: Market) -> Decimal | None:
    middle = _middle(job, around, around.depth(market))
    return middle if middle is not None and _in_own_units(job, market, middle) else None


def _middle(job: HedgeExecution, around: Surroundings, depth: Depth | None) -> Decimal | None:
    if depth is None or not _fresh(job, around, depth):
        return None
    bid, ask = depth.touch(Side.SELL), depth.touch(Side.BUY)
    return None if bid is None or ask is None else (bid + ask) / 2


def at_risk(job: HedgeExecution) -> Decimal:
    """Return by how much the legs may differ: an order whose outcome is unknown may have been filled whole."""
    working = job.working
    if working is None:
        return worst_exposure(job)
    known = worst_exposure(with_fill(job, working, job.working_filled))
    if job.state is not ExecutionState.RESOLVING:
        return known
    return max(known, worst_exposure(job), worst_exposure(with_fill(job, working, working.order.quantity)))


def worst_exposure(job: HedgeExecution) -> Decimal:
    """Return by how much the legs differ at most, whichever of the doubtful orders fill."""
    cases = [job]
    for doubt in job.doubtful:
        cases += [_filled_whole(case, doubt.command) for case in cases]
    return max(naked_quantity(case) for case in cases)


def _filled_whole(job: HedgeExecution, command: PlaceOrder) -> HedgeExecution:
    """Return the job as if an order had filled all it can: one that reduces ends with the account's short."""
    filled = with_fill(job, command, command.order.quantity)
    if not (command.order.reduce_only and job.plan.whole_short) or job.kind is ExecutionKind.OPEN:
        return filled
    most = max(job.perp.filled, job.plan.perp_quantity)
    return replace(filled, perp=replace(filled.perp, filled=min(filled.perp.filled, most)))


def look_up_doubtful(job: HedgeExecution) -> Step:
    """Look the oldest doubtful order up; nothing is sent meanwhile.

    Raises:
        InvariantBroken: no order is doubtful.
    """
    if not job.doubtful:
        raise InvariantBroken(f"hedge {job.hedge_id}: no order is doubtful")
    if job.state is not ExecutionState.IN_DOUBT:
        job = replace(job, state=ExecutionState.IN_DOUBT, resume=job.state)
    return Step(job=job, resolve=job.doubtful[0].command.order)


def overdue_doubt(job: HedgeExecution, at: datetime) -> HedgeExecution | None:
    """Return the job with a doubtful order first that can land no more, ready to be looked up; None without any."""
    due = next((doubt for doubt in job.doubtful if doubt.until <= at), None)
    if due is None:
        return None
    return replace(job, doubtful=(due, *(doubt for doubt in job.doubtful if doubt is not due)))


def _would_add_to_doubt(job: HedgeExecution, command: PlaceOrder) -> bool:
    """Whether an order could leave the legs further apart than they may be without it, as doubtful orders may fill.

    A second order for what the first was to do is fine: the legs are at most as far apart the other way. A third is
    not, however small, but for the last of the account's whole short, of which no order can buy more than there is.
    Coins whose sale is in doubt are not sold twice: they could be another owner's.
    """
    order = command.order
    if not job.doubtful:
        return False
    if len(job.doubtful) >= MOST_DOUBTFUL:
        return True
    sells = order.market is Market.SPOT and order.side is Side.SELL
    if sells and any(d.command.order.market is Market.SPOT and d.command.order.side is Side.SELL for d in job.doubtful):
        return True
    after = max(worst_exposure(job), worst_exposure(_filled_whole(job, command)))
    if after > worst_exposure(job) + min(job.pair.lot_step, order.quantity / 2):
        return True
    return order.quantity <= job.pair.lot_step and len(job.doubtful) > 1


def with_fill(job: HedgeExecution, command: PlaceOrder, quantity: Decimal, notional: Decimal = ZERO) -> HedgeExecution:
    """Return the job with fills of an order added to its leg, or to what was unwound."""
    order = command.order
    in_coin = order.market is Market.SPOT and order.side is Side.BUY and not command.fee_in_quote
    if job.coin_fee is not None and in_coin:
        job = replace(job, coin_fee=job.coin_fee + quantity * command.fee_rate)
    if order.side is not side_of(job, order.market):
        return _unwound(job, order.market, quantity, notional)
    leg = job.leg(order.market)
    grown = replace(leg, filled=leg.filled + quantity, notional=leg.notional + notional)
    if order.time_in_force is TimeInForce.GTX:
        grown = replace(grown, maker_filled=leg.maker_filled + quantity, maker_notional=leg.maker_notional + notional)
    return replace(job, **{order.market.value: grown})


def _unwound(job: HedgeExecution, market: Market, quantity: Decimal, notional: Decimal) -> HedgeExecution:
    if market is job.lead:
        return replace(job, unwound=job.unwound + quantity, unwound_notional=job.unwound_notional + notional)
    return replace(
        job,
        follower_unwound=job.follower_unwound + quantity,
        follower_unwound_notional=job.follower_unwound_notional + notional,
    )


def naked_quantity(job: HedgeExecution) -> Decimal:
    """Return by how much the legs differ because of this job; legs that differed before are not its doing."""
    return abs(own_difference(job))


def own_difference(job: HedgeExecution) -> Decimal:
    """Return by how many coins this job's doing makes them exceed the short; negative = they are fewer.

    A closing takes what one leg has too much first. Only what is left of that is excused: once it is gone, legs that
    differ again in the same direction differ by this job's orders, and so do those of a job that traded more back than
    it had traded.
    """
    if job.kind is ExecutionKind.OPEN:
        return job.exposure
    before = job.plan.spot_quantity - job.plan.perp_quantity
    spot, perp = max(ZERO, job.net_spot), max(ZERO, job.net_perp)
    excused = max(ZERO, before - spot) if before > 0 else min(ZERO, before + perp)
    return _left_unequal(job) - excused


def unhedged(before: HedgeExecution, job: HedgeExecution, around: Surroundings) -> Unhedged:
    """Return what the legs differ by, or did until the step from ``before`` to ``job``."""
    price = worth(job, around) or _price_in_doubt(job)
    known = max(_known_unhedged(before), _known_unhedged(job))
    most = known if _is_one_legged(job) else max(known, at_risk(before), at_risk(job))
    certain = most == known or price is None or known > tolerance(job, price)
    return Unhedged(quantity=most, in_doubt=most - known if certain else most, price=price)


def _known_unhedged(job: HedgeExecution) -> Decimal:
    """Return by how much the legs differ whatever became of orders in doubt, base units."""
    if _is_one_legged(job):
        return surplus(job)
    known = with_fill(job, job.working, job.working_filled) if job.working else job
    before = abs(_left_unequal(known)) if job.kind is not ExecutionKind.OPEN else ZERO
    return max(naked_quantity(known), before)


def unhedged_coins(job: HedgeExecution) -> Decimal:
    """Return the coins that a closing has yet to sell beyond what it has yet to buy back: nothing is against them."""
    return max(ZERO, _left_unequal(job)) if job.kind is not ExecutionKind.OPEN else ZERO


def _left_unequal(job: HedgeExecution) -> Decimal:
    """Return by how many coins what a closing has yet to sell exceeds what it has yet to buy back, whoever's doing."""
    return job.plan.spot_quantity - job.plan.perp_quantity - job.exposure


def tolerance(job: HedgeExecution, price: Decimal) -> Decimal:
    """Return the base quantity by which the legs may differ: what is smaller may be too small for an order."""
    pair = job.pair
    return max(pair.lot_step, pair.spot.min_quantity, pair.perp.min_quantity, pair.spot.min_notional / price)


def lead_price(job: HedgeExecution, around: Surroundings) -> Decimal | None:
    """Return the leading leg's touch; None unless every leg still to be traded has a fresh two-sided book.

    None, too, while the touch is beyond the bounds of the plan, or the books of an opening have moved apart. Coins
    without a short are sold to bids alone where ``may_sell_to_bids``: each further minute leaves them naked.
    """
    needed = (Market.SPOT, Market.PERP) if job.plan.perp_quantity > 0 else (Market.SPOT,)
    bids_do = job.plan.perp_quantity <= 0 and may_sell_to_bids(job)
    for market in needed:
        depth = around.depth(market)
        if depth is None or not (depth.two_sided or bids_do) or price_of(job, around, market) is None:
            return None
    unsafe = _out_of_bounds(job, around) or moved_apart(job, around)
    return None if unsafe else price_of(job, around, job.lead)


def may_sell_to_bids(job: HedgeExecution) -> bool:
    """Whether bids alone will do for coins without a short: other prices support a floor, or a person wants none."""
    return job.plan.spot_floor is not None or job.reason is Reason.USER


def moved_apart(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether an opening would now buy coins for more, against its short, than the books asked when it was planned.

    ``max_cap_bps`` more are allowed. Beyond them one of the books is not where the market is, and what is hedged at its
    prices is lost when it comes back: no slice is led, and one that was is followed only once the books agree again, or
    taken back.
    """
    planned = job.plan.entry_discount
    ask, bid = fresh_touch(job, around, Market.SPOT, Side.BUY), fresh_touch(job, around, Market.PERP, Side.SELL)
    if planned is None or ask is None or bid is None:
        return False
    return ask > bid * (ONE + planned + job.limits.max_cap_bps * BPS)


def worth(job: HedgeExecution, around: Surroundings) -> Decimal | None:
    """Return the best price known for the coin: a touch of either book, else the average of our own fills."""
    return price_of(job, around, Market.SPOT) or price_of(job, around, Market.PERP) or job.traded_price


def price_of(job: HedgeExecution, around: Surroundings, market: Market) -> Decimal | None:
    """Return the touch that an order of this leg would take; None when that side is missing, empty or stale."""
    side = side_of(job, market)
    return fresh_touch(job, around, market, side.opposite if market is job.lead and _reversing(job) else side)


def fresh_touch(job: HedgeExecution, around: Surroundings, market: Market, side: Side) -> Decimal | None:
    """Return the best price that an order of ``side`` would take; None when it is missing, stale or in other units."""
    touch = _shown_touch(job, around, market, side)
    return touch if touch is None or _in_own_units(job, market, touch) else None


def _shown_touch(job: HedgeExecution, around: Surroundings, market: Market, side: Side) -> Decimal | None:
    depth = around.depth(market)
    return depth.touch(side) if depth and _fresh(job, around, depth) else None


def in_other_units(job: HedgeExecution, around: Surroundings, market: Market) -> bool:
    """Whether all that a fresh book shows is priced in another unit of the coin than the job's quantities are in."""
    shown = [_shown_touch(job, around, market, side) for side in Side]
    touches = [touch for touch in shown if touch is not None]
    return bool(touches) and not any(_in_own_units(job, market, touch) for touch in touches)


def _in_own_units(job: HedgeExecution, market: Market, price: Decimal) -> bool:
    """Whether a price can be one of the coin that the job counts in: by its fills, else by what it saw first.

    A leg without either is held against the other one, unless it is the only one that the job trades: that the other
    leg has another price is then no reason to leave it unhedged. A perpetual that was another coin's when the job began
    is its own again where its price is that of the coins.
    """
    own, coins = _own_price(job, market), _own_price(job, Market.SPOT)
    if own is None and not _is_one_legged(job):
        own = _own_price(job, Market.PERP if market is Market.SPOT else Market.SPOT)
    if own is None or _is_of_one_unit(own, price):
        return True
    return market is Market.PERP and coins is not None and _is_of_one_unit(coins, price)


def _is_of_one_unit(own: Decimal, price: Decimal) -> bool:
    return own < price * OTHER_UNITS < own * OTHER_UNITS**2


def _own_price(job: HedgeExecution, market: Market) -> Decimal | None:
    """Return what a leg traded at, else what its book showed first."""
    return job.leg(market).average_price or (job.spot_arrival if market is Market.SPOT else job.perp_arrival)


def _fresh(job: HedgeExecution, around: Surroundings, depth: Depth) -> bool:
    age, stale = (around.at - depth.at).total_seconds(), job.limits.book_stale_seconds
    since = None if job.state is ExecutionState.LEADING and not _is_one_legged(job) else job.naked_since
    naked = since is not None and (around.at - since).total_seconds() >= OLD_BOOK_AFTER_SECONDS
    return -FUTURE_SECONDS <= age <= (max(stale, OLD_BOOK_SECONDS) if naked else stale)


def _reversing(job: HedgeExecution) -> bool:
    return job.kind is ExecutionKind.OPEN and job.state in {ExecutionState.UNWINDING, ExecutionState.NAKED}


def elapsed(job: HedgeExecution, at: datetime) -> float:
    """Return the seconds since the present attempt at the present leg began; negative while it waits for its start."""
    return (at - job.stage_since).total_seconds()


def settlement_pause(job: HedgeExecution, at: datetime) -> float:
    """Return how long to wait so that no leading slice falls within the guard around a settlement."""
    guard, interval = job.limits.settlement_guard_seconds, job.plan.interval_hours
    if job.plan.urgent or guard <= 0 or seconds_to_settlement(at, interval) >= guard:
        return 0.0
    before = next_settlement(at, interval)
    stamp = before if (before - at).total_seconds() < guard else last_settlement(at, interval)
    return (stamp + timedelta(seconds=guard) - at).total_seconds()
