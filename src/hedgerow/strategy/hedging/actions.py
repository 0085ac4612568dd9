"""Actions of the two-leg machine: lead, follow, repair, unwind, end. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.commands import Command, SetLeverage, SetMarginType, TransferDirection, TransferFunds
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution, Preparation
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import RejectKind
from hedgerow.strategy.hedging import maker as resting
from hedgerow.strategy.hedging.orders import (
    BLOCKED_PAUSE_SECONDS,
    UNREADABLE_SECONDS,
    Step,
    Surroundings,
    elapsed,
    in_other_units,
    lead_price,
    look_up_doubtful,
    moved_apart,
    naked_quantity,
    overdue_doubt,
    place,
    price_of,
    settlement_pause,
    side_of,
    tolerance,
    tracked,
    tradable,
    worth,
)
from hedgerow.strategy.hedging.quantities import (
    SHUT,
    bought_ahead,
    coins_lacking,
    excess_coins,
    follow_due,
    lead_complete,
    lead_slice,
    only_coins_help,
    reversible,
    short_ahead,
    short_alone,
    surplus,
)

__all__ = [
    "after_doubt",
    "fell_short",
    "finish",
    "follow",
    "give_up_following",
    "lead",
    "naked",
    "prepare",
    "resolve",
    "retry_seconds",
    "top_up_again",
    "trim",
    "unwind",
    "unwind_again",
]

RETRY_SECONDS = 0.5
"""Pause before an order that found nothing is tried again; each further one in a row waits twice as long."""
SLOWEST_RETRY_SECONDS = 5.0
NAKED_RETRY_SECONDS = 5.0
"""The same while a leg is naked for longer than it may be."""
SLOWEST_NAKED_RETRY_SECONDS = 30.0
SLOWEST_REFUSED_RETRY_SECONDS = 60.0
"""The same after a refusal that another price does not answer: a closed market, a filter, a missing permission.

An order a minute costs nothing; a leg that stays naked for minutes after the exchange would take it does."""
PROMPT_RETRIES = 4
"""How many orders of a naked leg are tried without a growing pause."""
MOST_DOUBLINGS = 10
NO_BOOKS = "no readable two-sided books in time"
TAKEN_APART = "a part of it was traded by others"
SHORT_GONE = "the exchange closed the short itself"
COINS_TAKEN = "the account does not have the coins that were left to sell"
WATCHED_PAUSE_SECONDS = 10.0
"""Longest pause between two slices of a job that has something to lose: others may trade its legs meanwhile."""
URGENT_PATIENCE = 4
"""A safety exit keeps leading this many times longer than others before it gives the turn back."""


def retry_seconds(job: HedgeExecution) -> float:
    """Return the pause after ``job.refusals`` orders in a row that filled nothing."""
    return min(RETRY_SECONDS * _doubled(job.refusals - 1), SLOWEST_RETRY_SECONDS)


def _doubled(times: int) -> int:
    """Return 2 to the power of ``times``, which is bounded on both sides."""
    return 1 << min(max(times, 0), MOST_DOUBLINGS)


def _naked_retry(job: HedgeExecution, at: datetime, reject: RejectKind | None) -> datetime:
    """Return when the next order of a naked leg is due: at first promptly, then by what the refusal was."""
    slowest = SLOWEST_NAKED_RETRY_SECONDS if reject in {None, RejectKind.PRICE} else SLOWEST_REFUSED_RETRY_SECONDS
    seconds = min(NAKED_RETRY_SECONDS * _doubled(job.refusals - PROMPT_RETRIES), slowest)
    return at + timedelta(seconds=seconds)


# --- preparations ----------------------------------------------------------------------------------------------------


def prepare(job: HedgeExecution, around: Surroundings) -> Step:
    """Issue the first preparation still to do, or begin to lead; end flat when the opening is given up."""
    job = _heeding(job, around)
    if job.given_up is not None:
        return finish(job, around)
    if not job.pending:
        return lead(_staged(job, ExecutionState.LEADING, around.at), around)
    return Step(job=replace(job, state=ExecutionState.PREPARING), command=_preparation(job, job.pending[0]))


def _preparation(job: HedgeExecution, wanted: Preparation) -> Command:
    if wanted is Preparation.MARGIN_TYPE:
        return SetMarginType(symbol=job.symbol)
    if wanted is Preparation.LEVERAGE:
        return SetLeverage(symbol=job.symbol, leverage=job.plan.leverage)
    if job.plan.transfer is None:
        raise InvariantBroken(f"hedge {job.hedge_id}: a transfer is pending but none was planned")
    return job.plan.transfer


# --- leading ---------------------------------------------------------------------------------------------------------


def lead(job: HedgeExecution, around: Surroundings) -> Step:
    """Place the next slice of the leading leg, or go on with the following leg when leading is done.

    None begins while an order may still land, nor while the short exceeds the coins: a slice would add to that. An
    opening that is given up, or that others take apart, is not gone on with: the check that follows deals with what is
    left.
    """
    if job.doubtful:
        return look_up_doubtful(job)
    job = _heeding(job, around)
    if job.lead_done or short_ahead(job, around):
        return follow(job, around)
    if around.yields:
        return Step(job=job)
    price = lead_price(job, around)
    if price is None:
        return _wait_for_books(job, around)
    slice_quantity = lead_slice(job, around, price)
    if slice_quantity <= 0:
        return follow(replace(job, lead_done=True), around)
    return _lead(job, around, price, slice_quantity)


def _lead(job: HedgeExecution, around: Surroundings, price: Decimal, slice_quantity: Decimal) -> Step:
    """Send the slice as soon as hosts and settlements allow it, resting or taking."""
    blocked = max(around.blocked_seconds(market) for market in _legs_to_trade(job))
    if blocked > 0:
        return _wait_for_hosts(job, around, blocked)
    pause = settlement_pause(job, around.at)
    # What others took of a leg is a matter of the check that follows, which does not wait for a settlement.
    exposed = naked_quantity(job) > tolerance(job, price) or around.leg_taken
    if pause and not exposed:
        patient = replace(job, stage_since=around.at + timedelta(seconds=pause), resting_since=None)
        holds = job.net_perp or job.kind is not ExecutionKind.OPEN
        return Step(job=patient, pause_seconds=min(pause, WATCHED_PAUSE_SECONDS) if holds else pause)
    if not pause and not exposed and resting.may_rest(job, around, slice_quantity):
        return resting.rest(job, around, slice_quantity)
    job = resting.given_over(job, around.at)
    if pause or elapsed(job, around.at) > _lead_patience(job):
        why = "a settlement is too close" if pause else "the leading leg found no liquidity in time"
        return follow(replace(job, lead_done=True, detail=why), around)
    return place(job, around, job.lead, slice_quantity)


def _heeding(job: HedgeExecution, around: Surroundings) -> HedgeExecution:
    """Return the job, done with leading where an opening is to lead no further."""
    if job.kind is not ExecutionKind.OPEN or job.lead_done:
        return job
    if around.give_up is not None:
        return replace(job, lead_done=True, given_up=around.give_up, detail="")
    return replace(job, lead_done=True, detail=TAKEN_APART) if around.leg_taken else job


def _legs_to_trade(job: HedgeExecution) -> tuple[Market, ...]:
    return tuple(Market) if job.plan.perp_quantity > 0 else (Market.SPOT,)


def _wait_for_hosts(job: HedgeExecution, around: Surroundings, seconds: float) -> Step:
    """Begin no slice that the other leg could not follow: wait, or settle for what is done."""
    if around.spot_blocked_seconds <= 0 and elapsed(job, around.at) <= _lead_patience(job):
        excess = excess_coins(job, around)
        if excess:
            return place(job, around, Market.SPOT, excess)
    if elapsed(job, around.at) + seconds > _lead_patience(job):
        return follow(replace(job, lead_done=True, detail=f"the exchange refuses orders for {seconds:.0f} s"), around)
    return Step(job=job, pause_seconds=min(seconds, BLOCKED_PAUSE_SECONDS))


def _lead_patience(job: HedgeExecution) -> float:
    return job.limits.flatten_after_seconds * (URGENT_PATIENCE if job.plan.urgent else 1)


# --- following and repairing -----------------------------------------------------------------------------------------


def follow(job: HedgeExecution, around: Surroundings) -> Step:
    """Bring the following leg up to what the leading leg filled; lead on, or finish, when it is there."""
    if surplus(job, around):
        return unwind(_staged(job, ExecutionState.UNWINDING, around.at), around)
    due = follow_due(job, around)
    if due <= 0:
        return _in_step(job, around)
    if job.state not in {ExecutionState.FOLLOWING, ExecutionState.REPAIRING, ExecutionState.NAKED}:
        job = _staged(job, ExecutionState.FOLLOWING, around.at)
    # A host that is known to refuse every order for longer than there is time is not waited for.
    waited = elapsed(job, around.at) + around.blocked_seconds(job.follower)
    late = waited > job.limits.flatten_after_seconds or in_other_units(job, around, job.follower)
    if job.state is not ExecutionState.NAKED and late:
        return give_up_following(job, around)
    if moved_apart(job, around):  # an opening: the way back costs less than a book that has left the other one
        return Step(job=job, pause_seconds=UNREADABLE_SECONDS)
    return place(job, around, job.follower, due)


def _in_step(job: HedgeExecution, around: Surroundings) -> Step:
    """Go on now that the following leg can do no more: lead on, reverse what could not be hedged, or end."""
    if not job.lead_done:
        return lead(_staged(job, ExecutionState.LEADING, around.at), around)
    if _uneven_leg(job, around):
        return unwind(_staged(job, ExecutionState.UNWINDING, around.at), around)
    return finish(job, around)


def fell_short(job: HedgeExecution, around: Surroundings, reject: RejectKind | None, detail: str) -> Step:
    """Decide what a following order that filled too little asks for: a wider cap, margin, or the way back."""
    gone = _gone(job, around, reject)
    if gone is not None:
        return finish(replace(job, detail=gone), around)
    if reject is RejectKind.FILTER and around.regridded:
        return _on_the_new_grid(job, around)
    if job.state is ExecutionState.NAKED:
        due = _naked_retry(job, around.at, reject)
        return Step(job=replace(job, detail=detail, retry_at=due), pause_seconds=NAKED_RETRY_SECONDS)
    if around.blocked_seconds(job.follower) > job.limits.flatten_after_seconds:
        return give_up_following(replace(job, detail=detail), around)
    # That there is nothing to reduce is a claim until the account shows no short.
    denied = reject is RejectKind.REDUCE_ONLY and job.kind is not ExecutionKind.OPEN
    if denied or reject in {None, RejectKind.PRICE}:
        return Step(job=replace(job, state=ExecutionState.REPAIRING), pause_seconds=retry_seconds(job))
    if reject is RejectKind.MARGIN and _may_top_up(job, around):
        return _top_up(job, around)
    return give_up_following(replace(job, detail=detail), around)


def _gone(job: HedgeExecution, around: Surroundings, reject: RejectKind | None) -> str | None:
    """Return what a refusal claims to be gone and the account shows gone as well: the check that follows finds why."""
    if reject is RejectKind.REDUCE_ONLY and _has_lost_its_short(job, around):
        return SHORT_GONE
    return COINS_TAKEN if reject is RejectKind.MARGIN and around.coins_taken else None


def _has_lost_its_short(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether the short is gone that the job has still to buy back, or that it sold itself."""
    return around.short_gone and (job.kind is not ExecutionKind.OPEN or job.net_perp > 0)


def _on_the_new_grid(job: HedgeExecution, around: Surroundings) -> Step:
    """Send the refused order again as the listing wants it now."""
    job = replace(job, refusals=0)
    if job.state is ExecutionState.NAKED:
        return naked(job, around)
    return Step(job=replace(job, state=ExecutionState.REPAIRING))


def _may_top_up(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether the perpetual lacks margin that the spot wallet has; once a job."""
    followed = job.kind is not ExecutionKind.TRIM and job.follower is Market.PERP
    return followed and not job.margin_topped_up and around.idle_usdt > 0


def _top_up(job: HedgeExecution, around: Surroundings) -> Step:
    """Move idle USDT to the margin, once; the id is new for every job of the hedge."""
    price = price_of(job, around, Market.PERP) or worth(job, around) or ZERO
    needed = (follow_due(job, around) * price * Decimal("1.02")).quantize(Decimal("0.01"))
    transfer = TransferFunds(
        transfer_id=f"{job.hedge_id}-m{job.perp.attempts}",
        amount=min(around.idle_usdt, max(needed, Decimal("0.01"))),
        direction=TransferDirection.SPOT_TO_PERP,
    )
    topped = replace(
        job,
        state=ExecutionState.REPAIRING,
        margin_topped_up=True,
        plan=replace(job.plan, transfer=transfer),
        pending=(Preparation.TRANSFER,),
    )
    return Step(job=topped, command=transfer)


def top_up_again(job: HedgeExecution, around: Surroundings) -> Step:
    """Send the margin transfer again under its own id, which is harmless, until the leg has run out of time."""
    if elapsed(job, around.at) > job.limits.flatten_after_seconds:
        return give_up_following(replace(job, pending=()), around)
    return Step(job=job, command=job.plan.transfer)


def give_up_following(job: HedgeExecution, around: Surroundings) -> Step:
    """Take back what cannot be hedged (open), or keep trying loudly (close)."""
    job = replace(job, lead_done=True)
    if job.kind is ExecutionKind.OPEN:
        return unwind(_staged(job, ExecutionState.UNWINDING, around.at), around)
    if job.kind is ExecutionKind.TRIM:
        return finish(job, around)
    naked = replace(_staged(job, ExecutionState.NAKED, around.at), naked_alarmed=True)
    return Step(job=naked, pause_seconds=NAKED_RETRY_SECONDS)


# --- unwinding -------------------------------------------------------------------------------------------------------


def unwind_again(job: HedgeExecution, around: Surroundings, reject: RejectKind | None) -> Step:
    """Wait before the reversal is tried again: not on filters that have changed; none of a leg that is gone."""
    gone = _gone(job, around, reject)
    if gone is not None:
        return finish(replace(job, detail=gone), around)
    if reject is RejectKind.FILTER and around.regridded:
        return Step(job=replace(job, refusals=0))
    return Step(job=job, pause_seconds=retry_seconds(job))


def unwind(job: HedgeExecution, around: Surroundings) -> Step:
    """Reverse the unhedged part of either leg; go on, or finish, when what is left cannot be traded."""
    uneven = _uneven_leg(job, around)
    if uneven is None:
        over = job.lead_done or job.state is ExecutionState.NAKED
        return finish(job, around) if over else lead(_staged(job, ExecutionState.LEADING, around.at), around)
    market, quantity, side = uneven
    if job.state is not ExecutionState.NAKED and (_is_overdue(job, around) or in_other_units(job, around, market)):
        return _naked_from_now(job, around)
    return place(job, around, market, quantity, side=side)


def _uneven_leg(job: HedgeExecution, around: Surroundings) -> tuple[Market, Decimal, Side] | None:
    """Return the order that makes the legs equal without the leg that is behind; None when none is possible or needed.

    Of an opening it takes back what is open; of a closing it sells the coins whose short was bought back twice.
    """
    if job.kind is not ExecutionKind.OPEN:
        ahead = bought_ahead(job, around)
        return (Market.SPOT, ahead, Side.SELL) if ahead else None
    for market, quantity in ((job.lead, reversible(job, around)), (job.follower, surplus(job, around))):
        if quantity:
            return market, quantity, side_of(job, market).opposite
    return None


def _is_overdue(job: HedgeExecution, around: Surroundings) -> bool:
    return elapsed(job, around.at) > job.limits.flatten_after_seconds


def _naked_from_now(job: HedgeExecution, around: Surroundings) -> Step:
    """Say that a leg is naked and keep trying; legs of an opening that differ by what may be too small just end it.

    Not a short without coins: it can always be bought back, and would count as an opened hedge.
    """
    if job.kind is ExecutionKind.OPEN and _differs_little(job, around) and not short_alone(job, around):
        return finish(replace(job, lead_done=True), around)
    naked = replace(job, state=ExecutionState.NAKED, naked_alarmed=True, refusals=0)
    return Step(job=naked, pause_seconds=NAKED_RETRY_SECONDS)


def _differs_little(job: HedgeExecution, around: Surroundings) -> bool:
    """Whether the legs of a job differ by what may be too small for an order."""
    price = worth(job, around)
    return price is not None and naked_quantity(job) <= tolerance(job, price)


def naked(job: HedgeExecution, around: Surroundings) -> Step:
    """Get the legs equal with whichever leg can be traded: an opening is taken back or completed, by turns.

    A closing goes on buying the short back, until the venue itself has settled it; the coins, where the perpetual is
    closed. Coins that have no short any more it goes on selling, until the account does not have them.
    """
    ahead = bought_ahead(job, around)  # to be sold though the short is gone: this job bought back the last of it
    if _has_lost_its_short(job, around) and not ahead:
        return finish(replace(job, detail=SHORT_GONE), around)
    due = overdue_doubt(job, around.at)
    if due is not None:
        return look_up_doubtful(due)
    if job.retry_at is not None and around.at < job.retry_at:
        return Step(job=job, pause_seconds=NAKED_RETRY_SECONDS)
    if job.kind is not ExecutionKind.OPEN:
        return unwind(job, around) if ahead else _close_on(job, around)
    return _take_back_or_complete(job, around)


def _take_back_or_complete(job: HedgeExecution, around: Surroundings) -> Step:
    lacking = coins_lacking(job, around) if only_coins_help(job) else ZERO
    if lacking:
        return place(job, around, Market.SPOT, lacking)
    quantity = follow_due(job, around) if reversible(job, around) else ZERO
    completable = quantity > 0 and price_of(job, around, job.follower) is not None
    may_reverse = price_of(job, around, job.lead) is not None
    if completable and not (may_reverse and job.orders % 2):  # by turns, if both can be traded
        return place(job, around, job.follower, quantity)
    uneven = _uneven_leg(job, around)
    stuck = job.pair.perp.status in SHUT and (uneven is None or uneven[0] is Market.PERP)
    if stuck and _differs_little(job, around):  # no order of either market changes that
        return finish(replace(job, lead_done=True), around)
    return unwind(job, around)


def _close_on(job: HedgeExecution, around: Surroundings) -> Step:
    """Buy back the short of the coins that were sold, or the coins, while the perpetual takes no orders."""
    if not only_coins_help(job):
        return follow(job, around)
    lacking = coins_lacking(job, around)
    if not lacking:
        return finish(replace(job, detail="the perpetual is closed, and its coins are there"), around)
    return place(job, around, Market.SPOT, lacking, side=Side.BUY)


# --- trimming --------------------------------------------------------------------------------------------------------


def trim(job: HedgeExecution, around: Surroundings) -> Step:
    """Reduce the larger leg by the planned quantity; what cannot be traded in time is left to the next cycle."""
    market = Market.SPOT if job.plan.spot_quantity > 0 else Market.PERP
    planned = job.plan.spot_quantity if market is Market.SPOT else job.plan.perp_quantity
    instrument = job.pair.instrument(market)
    due = instrument.floor_quantity(planned - job.leg(market).filled)
    price = price_of(job, around, market) if market is Market.SPOT else None  # reduce-only has no minimum notional
    if not tradable(instrument, due, price) or elapsed(job, around.at) > job.limits.flatten_after_seconds:
        return finish(job, around)
    return place(job, around, market, due)


# --- the ends --------------------------------------------------------------------------------------------------------


def finish(job: HedgeExecution, around: Surroundings) -> Step:
    """End the job: ``HEDGED`` while a short is left of it, else ``FLAT``; not while an order may still land."""
    if job.doubtful:
        return look_up_doubtful(job)
    ended = replace(tracked(job, around), state=_end(job, around), working=None)
    return Step(job=ended)


def _end(job: HedgeExecution, around: Surroundings) -> ExecutionState:
    if job.kind is ExecutionKind.OPEN:
        return ExecutionState.HEDGED if job.net_perp > 0 else ExecutionState.FLAT
    if job.kind in {ExecutionKind.TRIM, ExecutionKind.REDUCE}:
        return ExecutionState.HEDGED
    done = job.perp.filled >= job.plan.perp_quantity and lead_complete(job, around)
    return ExecutionState.FLAT if done else ExecutionState.HEDGED


def after_doubt(job: HedgeExecution, around: Surroundings) -> Step:
    """Go on now that a doubtful order is certain."""
    back = replace(job, state=job.resume or ExecutionState.LEADING, resume=None)
    if back.state is ExecutionState.NAKED:
        return naked(replace(back, retry_at=None), around)
    if back.kind is ExecutionKind.TRIM:
        return trim(_staged(back, ExecutionState.REPAIRING, around.at), around)
    if not _is_lost_again(back, around.at):
        return follow(_staged(back, ExecutionState.FOLLOWING, around.at), around)
    return unwind(back, around) if back.state is ExecutionState.UNWINDING else follow(back, around)


def _is_lost_again(job: HedgeExecution, at: datetime) -> bool:
    """Whether orders were lost in one attempt after the other, so that the present one gets no time of its own.

    Where every answer is lost, each look-up would else begin the time again, and no leg would ever be given up.
    """
    since, patience = job.naked_since, timedelta(seconds=job.limits.flatten_after_seconds)
    late = job.state is ExecutionState.UNWINDING or at - job.stage_since > patience
    return since is not None and late and job.stage_since - since > patience


def resolve(job: HedgeExecution) -> Step:
    """Look the working order up; nothing is sent until its outcome is known.

    Raises:
        InvariantBroken: no order is at work.
    """
    if job.working is None:
        raise InvariantBroken(f"hedge {job.hedge_id}: nothing to resolve")
    order = job.working.order
    if job.state is not ExecutionState.RESOLVING:
        job = replace(job, state=ExecutionState.RESOLVING, resume=job.state)
    return Step(job=job, resolve=order)


# --- shared ----------------------------------------------------------------------------------------------------------


def _wait_for_books(job: HedgeExecution, around: Surroundings) -> Step:
    """Ask for fresh books before leading on; without them in time, settle for what is done.

    Coins that no short is against are sold meanwhile.
    """
    if any(in_other_units(job, around, market) for market in Market):
        return follow(replace(job, lead_done=True), around)
    if around.leg_taken:  # the check that follows plans what others left of it
        return follow(replace(job, lead_done=True, detail=TAKEN_APART), around)
    if elapsed(job, around.at) > _lead_patience(job):
        why = "the prices of its books have moved apart" if moved_apart(job, around) else NO_BOOKS
        return follow(replace(job, lead_done=True, detail=why), around)
    excess = excess_coins(job, around)
    if excess:
        return place(job, around, Market.SPOT, excess)
    return Step(job=job, pause_seconds=UNREADABLE_SECONDS)


def _staged(job: HedgeExecution, state: ExecutionState, at: datetime) -> HedgeExecution:
    return replace(job, state=state, stage_since=at, working=None, refusals=0)
