"""The invariants, as pure functions: facts in, violations out.

The facts are the ledger before and after an event, what was sent, and what really lies on the exchange: the bot's own
opinion of itself is never the only witness.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.domain import events as ev
from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.events import Wallet
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.ledger.reducers import KEPT_CLOSED
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest
from hedgerow.simulation.causes import Cause

__all__ = [
    "IMBALANCE",
    "SLACK_SECONDS",
    "STATE_SECONDS",
    "Exposure",
    "Invariant",
    "Violation",
    "check_event",
    "check_exposure",
    "check_order",
    "check_slice",
    "own_tolerance",
    "unsold_dust",
]

ROUNDING = Decimal("1e-9")
"""Quotients such as average prices are cut at 28 digits; amounts have 8 decimals."""
IMBALANCE = Decimal("0.02")
"""Legs that differ by no more of the larger one are left alone (design: health)."""
UNEXPLAINED_SECONDS = 60.0
"""How long legs may differ since the last cause for it was active; a bot needs half of it to give up and go back."""
SLACK_SECONDS = 20.0
"""Requests on their way, pauses between tries, books to be read again."""
STATE_SECONDS: Mapping[ExecutionState, float] = {
    ExecutionState.PREPARING: 60.0,
    ExecutionState.LEADING: 120.0,
    ExecutionState.FOLLOWING: 30.0,
    ExecutionState.REPAIRING: 30.0,
    ExecutionState.UNWINDING: 30.0,
    ExecutionState.IN_DOUBT: 65.0,
}
"""How long a job may stand in one state with legs that differ, whatever the exchange does.

An order in doubt is certain once the window of its nonce (60 s) and the margin of the clocks are over.
"""
OUTCOME_SECONDS: Mapping[ExecutionState, float] = {ExecutionState.RESOLVING: 10.0, ExecutionState.NAKED: 60.0}
"""The same for states that last until the exchange does what it is asked: counted from when it does."""
RESTING_TOLERANCES = 2
"""Fills that a resting order may wait with: legs may have differed before it, and a spread may be wide."""
SLICE_SLACK = Decimal("1.03")
"""What fees, and prices since a slice was planned, may add to it."""
ALARM_SECONDS = 5.0
"""After the time of the settings; requests take so long."""


STANDING = {
    *(ev.HaltReason.NAKED, ev.HaltReason.EMERGENCY, ev.HaltReason.LIQUIDATION, ev.HaltReason.LEG_GONE),
    *(ev.HaltReason.UNEXPLAINED_LOSS, ev.HaltReason.INVARIANT, ev.HaltReason.REPEATED_HEALTH_EXITS),
}
"""Halts that only the owner lifts."""


class Invariant(StrEnum):
    """The invariants, by name."""

    EXPLAINED = "no leg is naked for a minute without a cause in the world"
    DELTA = "legs differ only inside a named state"
    BOUND = "and only within its time"
    SIZE = "and by one slice at most"
    LOUD = "and loudly"
    LOGGED = "every order sent was first in the log"
    ONCE = "no order is sent twice"
    OWNED = "no coin is sold that the ledger does not own"
    BOOKS = "the books equal the exchange"
    RESTART = "a restart ends hedged or flat"
    EQUITY = "equity adds up exactly"
    FUNDING = "funding is booked once"
    HALT = "halts persist"
    REQUESTS = "every request is answered once, and none is begun late"
    BRAKE = "nothing is opened within the brake"
    FAILURE = "no cycle fails for a reason of its own"
    SETTINGS = "plans and orders keep to the settings"
    SUPPORTED = "no corrective trade on a false reading"
    DUTIES = "what protects a hedge is done in time"
    LIVENESS = "the bot opens and closes when its rules say so"
    REPORTED = "what is reported is no less than what happened"
    FILLS = "every fill of its own is accounted for"
    SHOWN = "no screen shows a better state than there is"
    WORTH = "what is shown is worth what it says"
    SEPARATE = "what happens to one hedge changes no other"
    ENDS = "a run ends within its time"


class Violation(Struct, frozen=True, kw_only=True):
    """An invariant that did not hold."""

    rule: Invariant
    at: datetime
    text: str


class Exposure(Struct, frozen=True, kw_only=True):
    """Legs that really differ by more than may be left alone, and since when nothing from outside excuses it."""

    symbol: str
    quantity: Decimal
    """Base units; positive = too many coins."""
    notional: Decimal
    begun: datetime
    """When the legs began to differ, whatever the bot or others did since; the time of dead bots does not count."""
    own_begun: datetime
    """The same, of what the bot's own trading made."""
    since: datetime
    """When the legs began to differ, or when a cause that kept them apart was active last, whichever is later."""
    state_since: datetime
    """When the job reached its present state, or a bot was started again, or the legs began to differ."""
    taken: bool
    """Whether a leg was taken away: no order of the bot made the difference."""
    taken_quantity: Decimal = ZERO
    """Base units of ``quantity`` that others made, with its sign; the rest is the bot's own."""
    causes: frozenset[Cause] = frozenset()
    """What in the world kept the legs apart so far."""
    being_logged: bool = False
    """Whether it is being logged now, in one transaction with what was reported."""


# --- one event -------------------------------------------------------------------------------------------------------


def check_event(
    before: Ledger, event: ev.Event, after: Ledger, *, asked: bool = False
) -> Iterator[tuple[Invariant, str]]:
    """Yield what one event broke in the ledger; ``asked`` = the owner wants openings to be allowed again."""
    if before.halt is not None and after.halt is None and not isinstance(event, ev.Lifted):
        yield Invariant.HALT, f"{type(event).__name__} lifted the halt {before.halt.detail!r}"
    if isinstance(event, ev.Lifted) and before.halt and before.halt.reason in STANDING and not asked:
        yield Invariant.HALT, f"the halt {before.halt.detail!r} was lifted, and nobody asked for it"
    if isinstance(event, ev.ExecutionStarted) and event.execution.kind is ExecutionKind.OPEN and before.halt:
        yield Invariant.HALT, f"{event.execution.symbol} is opened while openings are halted: {before.halt.detail}"
    if isinstance(event, ev.FundingReceived):
        yield from _funding(before, event.payment, after)
    yield from _rests_on(event, after.execution)
    if isinstance(event, ev.HedgeAdopted):
        yield Invariant.RESTART, f"{event.hedge.symbol} was adopted, and nobody had opened it by hand"
    other = (
        before.execution or before.job_of(event.execution.symbol) if isinstance(event, ev.ExecutionStarted) else None
    )
    if other is not None:
        yield Invariant.RESTART, f"a job begins while {other.hedge_id} is {other.state}"
    if after.totals is not before.totals or after.closed is not before.closed:  # else it was judged before
        yield from _identity(after)


def _rests_on(event: ev.Event, job: HedgeExecution | None) -> Iterator[tuple[Invariant, str]]:
    """Yield when a resting order is left in its book though the bot knows that it has filled what must be hedged.

    Excused is what the leading leg has too much from the beginning.
    """
    if not isinstance(event, ev.ExecutionStepped) or job is None:
        return
    if job.state is not ExecutionState.RESTING or job.working is None:
        return
    order, lead = job.working.order, job.leg(job.lead)
    surplus = job.plan.spot_quantity - job.plan.perp_quantity
    excused = max(ZERO, (surplus if job.lead is Market.SPOT else -surplus) - lead.filled)
    if job.working_filled - excused > RESTING_TOLERANCES * own_tolerance(job.pair, order.price, ZERO):
        yield (
            Invariant.BOUND,
            f"{order.client_id} rests on, {job.working_filled} of its {order.quantity} are filled and not hedged",
        )


def _funding(before: Ledger, payment: FundingPayment, after: Ledger) -> Iterator[tuple[Invariant, str]]:
    booked = _funding_of(after) - _funding_of(before)
    due = ZERO if before.funding_seen.knows(payment.tran_id, payment.at) else payment.amount
    if booked != due:
        yield Invariant.FUNDING, f"{payment.tran_id} of {payment.amount} changed the funding by {booked}, not {due}"
    line = after.books.line(Wallet.PERP, QUOTE_ASSET).funding - before.books.line(Wallet.PERP, QUOTE_ASSET).funding
    if line != due:
        yield Invariant.FUNDING, f"{payment.tran_id} of {payment.amount} changed the books by {line}, not {due}"


def _funding_of(ledger: Ledger) -> Decimal:
    active = sum((hedge.funding_received for hedge in ledger.hedges.values()), ZERO)
    return ledger.totals.funding + active + ledger.unattributed_funding


def _identity(ledger: Ledger) -> Iterator[tuple[Invariant, str]]:
    totals = ledger.totals
    if totals.net_profit != totals.funding + totals.basis_pnl - totals.fees:
        yield Invariant.EQUITY, f"net {totals.net_profit} is not funding + basis - fees of {totals}"
    if totals.opened + totals.aborted <= len(ledger.closed) < KEPT_CLOSED:
        ended = sum((closed.net_profit for closed in ledger.closed), ZERO)
        if abs(ended - totals.net_profit) > ROUNDING:
            yield Invariant.EQUITY, f"closed hedges made {ended}, the totals say {totals.net_profit}"


# --- what is sent ----------------------------------------------------------------------------------------------------


def check_order(
    order: OrderRequest, ledger: Ledger, *, durable: Collection[str], sent: Collection[str]
) -> Iterator[tuple[Invariant, str]]:
    """Yield what is wrong with an order that leaves now; ``durable`` are the client ids that are safely in the log."""
    if order.client_id not in durable:
        yield Invariant.LOGGED, f"{order.client_id} leaves before it is safely in the log"
    if order.client_id in sent:
        yield Invariant.ONCE, f"{order.client_id} is sent again"
    if ledger.halt is not None and _leads_an_opening(order, ledger.execution):
        yield Invariant.HALT, f"{order.client_id} leads an opening on while openings are halted: {ledger.halt.reason}"
    if order.market is Market.SPOT and order.side is Side.SELL:
        owned = ledger.owned(order.symbol.removesuffix(QUOTE_ASSET))
        if order.quantity > owned:
            yield Invariant.OWNED, f"{order.client_id} sells {order.quantity} coins, {owned} are owned"


def _leads_an_opening(order: OrderRequest, job: HedgeExecution | None) -> bool:
    if job is None or job.kind is not ExecutionKind.OPEN or order.symbol != job.symbol or order.market is not job.lead:
        return False
    return order.side is (Side.BUY if order.market is Market.SPOT else Side.SELL)


def check_slice(job: HedgeExecution, equity: Decimal, price: Decimal) -> Iterator[tuple[Invariant, str]]:
    """Yield when an opening plans slices above what may be exposed at once."""
    allowed = max(job.limits.max_naked_equity_fraction * equity, 2 * job.pair.min_notional)
    planned = min(job.plan.slice_notional, job.plan.spot_quantity * price)
    if job.kind is ExecutionKind.OPEN and planned > allowed * SLICE_SLACK:
        yield Invariant.SIZE, f"{job.symbol}: slices of {planned:.2f}, {allowed:.2f} allowed of {equity:.2f}"
    if job.kind is ExecutionKind.OPEN and not _matched(job):
        yield Invariant.SIZE, f"{job.symbol}: plans {job.plan.spot_quantity} coins against {job.plan.perp_quantity}"


def _matched(job: HedgeExecution) -> bool:
    net = job.plan.spot_quantity * (1 - job.pair.coin_fee_rate)
    return 0 <= net - job.plan.perp_quantity <= job.pair.spot.lot * 2


# --- what is exposed -------------------------------------------------------------------------------------------------


def own_tolerance(pair: BasisPair, price: Decimal, larger_leg: Decimal) -> Decimal:
    """Return the base units by which two legs may differ: what no order can change, or 2 % of the larger one."""
    residue = max(pair.lot_step, pair.spot.min_quantity, pair.perp.min_quantity, pair.min_notional / price)
    return max(2 * residue, larger_leg * IMBALANCE)


def unsold_dust(ledger: Ledger, pair: BasisPair, swept: Decimal) -> Decimal:
    """Return the coins of earlier hedges that the closing at work was given to sell, less what it has sold so far.

    Kept as dust they were no exposure; that a closing sells them with its own, before anything else, makes them
    none, for as long as its first slice may rest in the book. ``swept`` is what was swept since the hedge's last job,
    and the plan must be longer by it: neither alone excuses an excess. What was swept for an earlier job has a short.
    """
    job = ledger.job_of(pair.symbol)
    if job is None or job.kind is not ExecutionKind.CLOSE:
        return ZERO
    if ledger.open_hedge(job.hedge_id) is None:
        return ZERO
    surplus = job.plan.spot_quantity - job.plan.perp_quantity - job.spot.filled
    return max(ZERO, min(swept, surplus))


def check_exposure(
    exposure: Exposure, ledger: Ledger, now: datetime, *, patience: float
) -> Iterator[tuple[Invariant, str]]:
    """Yield what is wrong about legs that differ now; ``patience`` are seconds more that this exchange may take."""
    what = f"{exposure.symbol}: {exposure.quantity} ({exposure.notional:.2f} USDT) unhedged"
    seconds = (now - exposure.since).total_seconds()
    if seconds > UNEXPLAINED_SECONDS + patience:
        whole = (now - exposure.begun).total_seconds()
        known = ", ".join(sorted(exposure.causes)) or "none"
        yield (
            Invariant.EXPLAINED,
            f"{what} for {whole:.0f} s, the last {seconds:.0f} s of it for no cause (before: {known})",
        )
    job = ledger.job_of(exposure.symbol)
    if job is None:
        yield from _without_a_job(exposure, what, seconds)
    else:
        yield from _within_its_state(exposure, job, ledger, now, patience, what)


def _without_a_job(exposure: Exposure, what: str, seconds: float) -> Iterator[tuple[Invariant, str]]:
    if not exposure.taken and seconds > SLACK_SECONDS:
        yield Invariant.DELTA, f"{what} for {seconds:.0f} s, no job is about it, and nobody took it"


def _within_its_state(
    exposure: Exposure, job: HedgeExecution, ledger: Ledger, now: datetime, patience: float, what: str
) -> Iterator[tuple[Invariant, str]]:
    if job.state is ExecutionState.PREPARING and not exposure.taken:
        yield Invariant.DELTA, f"{what} while {job.state}"
    waits = job.state in OUTCOME_SECONDS
    begun = max(exposure.state_since, exposure.since) if waits else exposure.state_since
    inside = (now - begun).total_seconds()
    allowed = OUTCOME_SECONDS[job.state] if waits else STATE_SECONDS.get(job.state, 0.0)
    if job.state is ExecutionState.RESTING:
        if exposure.taken:
            allowed = job.limits.maker_timeout_seconds  # what others take meanwhile is seen when the slice has ended
        else:
            inside = (now - max(begun, exposure.own_begun)).total_seconds()
    if inside > allowed + patience + SLACK_SECONDS:
        yield Invariant.BOUND, f"{what}, {job.state} for {inside:.0f} s, {allowed:.0f} s allowed"
    if job.state is ExecutionState.NAKED and ledger.halt is None and not exposure.being_logged:
        yield Invariant.LOUD, f"{what}, NAKED, and openings are not halted"
    yield from _loud_enough(exposure, job, what, (now - exposure.own_begun).total_seconds() - patience)


def _loud_enough(exposure: Exposure, job: HedgeExecution, what: str, seconds: float) -> Iterator[tuple[Invariant, str]]:
    two_legged = job.kind is not ExecutionKind.TRIM and job.plan.spot_quantity > 0 and job.plan.perp_quantity > 0
    if not two_legged or exposure.taken:
        return
    if seconds > job.limits.max_naked_seconds + ALARM_SECONDS and not job.naked_alarmed and not exposure.being_logged:
        yield Invariant.LOUD, f"{what} for {seconds:.0f} s without an alarm"
    price = exposure.notional / abs(exposure.quantity)
    least = 2 * max(job.pair.min_notional, job.pair.lot_step * price)
    allowed = job.plan.slice_notional * Decimal("1.3") + 2 * least
    if (abs(exposure.quantity) - abs(exposure.taken_quantity)) * _price_then(job, price) > allowed:
        yield Invariant.SIZE, f"{what}, slices are {job.plan.slice_notional}"


def _price_then(job: HedgeExecution, now: Decimal) -> Decimal:
    """Return what a coin was worth when the job began, if that was less: prices jump while a slice is on its way."""
    return min(price for price in (now, job.spot_arrival, job.perp_arrival) if price is not None)
