"""The trade in flight as screens show it: steps, both legs, what is open, what follows if the other leg fails. Pure."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution, Preparation
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import BPS, ZERO
from hedgerow.domain.order import TimeInForce
from hedgerow.strategy.hedging.orders import cap_bps, naked_quantity

__all__ = [
    "Fallback",
    "FallbackKind",
    "JobLeg",
    "JobOrder",
    "JobStep",
    "JobStepName",
    "JobView",
    "StepStatus",
    "job_view",
]

ORDERS_SHOWN: Final = 12
FIRST_WIDENING, SECOND_WIDENING = 2.0, 5.0
"""Seconds, as ``ExecutionLimits`` names them."""
_REPAIRS: Final = frozenset({ExecutionState.REPAIRING, ExecutionState.UNWINDING, ExecutionState.NAKED})


class JobStepName(StrEnum):
    """One step of a job."""

    MARGIN_TYPE = "margin type"
    LEVERAGE = "leverage"
    TRANSFER = "transfer between wallets"
    SLICES = "both legs in slices"
    REPAIR = "make both legs match"
    END = "check both legs, book fees"


class StepStatus(StrEnum):
    """How far a step is."""

    DONE = "done"
    NOW = "now"
    TO_DO = "to do"


class JobStep(Struct, frozen=True, kw_only=True):
    """One step of a job and how far it is."""

    name: JobStepName
    status: StepStatus


class JobLeg(Struct, frozen=True, kw_only=True):
    """How far one leg is."""

    market: Market
    side: Side
    filled: Decimal
    """Base units."""
    planned: Decimal
    step: Decimal
    """Grid of the quantity, base units."""
    average_price: Decimal | None


class JobOrder(Struct, frozen=True, kw_only=True):
    """One order of a job."""

    client_id: str
    market: Market
    side: Side
    quantity: Decimal
    price: Decimal
    """Limit, quote units."""
    time_in_force: TimeInForce
    filled: Decimal
    average_price: Decimal | None
    """Of what filled."""
    status: str
    """The exchange's word for its state; ``unknown`` while its outcome is."""
    at: datetime


class FallbackKind(StrEnum):
    """What is done about the leg that does not follow."""

    WIDEN = "wider price limit"
    ALARM = "alarm, openings halted"
    UNWIND = "undo what has no other leg"


class Fallback(Struct, frozen=True, kw_only=True):
    """What follows if the other leg does not fill."""

    kind: FallbackKind
    after_seconds: float
    """Since the legs began to differ."""
    price_limit_bps: Decimal | None
    """From the best price; None where no limit changes."""


class JobView(Struct, frozen=True, kw_only=True):
    """A two-leg trade in flight."""

    hedge_id: str
    symbol: str
    base: str
    kind: ExecutionKind
    reason: str
    state: ExecutionState
    detail: str
    """Last refusal or reason, in words."""
    is_suspended: bool
    """Whether it waits for a hedge that could not."""
    started_at: datetime
    seconds: float
    """Since ``started_at``."""
    steps: tuple[JobStep, ...]
    lead: Market
    """The leg that goes first."""
    spot: JobLeg
    perp: JobLeg
    open_quantity: Decimal
    """By how much the legs differ because of this job, base units."""
    open_notional: Decimal | None
    """The same in quote units."""
    naked_since: datetime | None
    naked_seconds: float
    """0 while the legs match."""
    allowed_seconds: float
    """A leg that is naked for longer is an alarm."""
    longest_naked_seconds: float
    """Of this job."""
    price_limit_bps: Decimal
    """Of the next order, from the best price."""
    working: JobOrder | None
    """The order at work."""
    fallbacks: tuple[Fallback, ...]
    """What follows if the other leg does not fill, the earliest first."""
    undo_cost: Decimal | None
    """At most, of undoing what is open, or one slice while nothing is: fees and the widest price limit until then."""
    slices_left: int | None
    """About so many slices are still to go; None where it is not known."""
    orders: tuple[JobOrder, ...]
    """Newest first."""


def job_view(job: HedgeExecution, ledger: Ledger, now: datetime) -> JobView:
    """Return one job of a ledger at ``now``."""
    price = job.spot_arrival or job.perp_arrival or job.traded_price
    open_quantity = naked_quantity(job)
    notional = ZERO if not open_quantity else None if price is None else open_quantity * price
    naked = max(0.0, (now - job.naked_since).total_seconds()) if job.naked_since else 0.0
    fallbacks = _fallbacks(job)
    return JobView(
        hedge_id=job.hedge_id,
        symbol=job.symbol,
        base=job.pair.base,
        kind=job.kind,
        reason=job.reason.value,
        state=job.state,
        detail=job.detail,
        is_suspended=job.hedge_id in ledger.suspended,
        started_at=job.started_at,
        seconds=max(0.0, (now - job.started_at).total_seconds()),
        steps=_steps(job),
        lead=job.lead,
        spot=_leg(job, Market.SPOT),
        perp=_leg(job, Market.PERP),
        open_quantity=open_quantity,
        open_notional=notional,
        naked_since=job.naked_since,
        naked_seconds=naked,
        allowed_seconds=job.limits.max_naked_seconds,
        longest_naked_seconds=max(naked, job.worst_naked_seconds),
        price_limit_bps=cap_bps(job, now),
        working=_working(job, now),
        fallbacks=fallbacks,
        undo_cost=_undo_cost(job, notional),
        slices_left=_slices_left(job, price),
        orders=_orders(ledger, job),
    )


def _leg(job: HedgeExecution, market: Market) -> JobLeg:
    leg, opening = job.leg(market), job.kind is ExecutionKind.OPEN
    buys = opening if market is Market.SPOT else not opening
    spot = market is Market.SPOT
    return JobLeg(
        market=market,
        side=Side.BUY if buys else Side.SELL,
        filled=leg.filled,
        planned=job.plan.spot_quantity if spot else job.plan.perp_quantity,
        step=(job.pair.spot if spot else job.pair.perp).lot,
        average_price=leg.average_price,
    )


def _steps(job: HedgeExecution) -> tuple[JobStep, ...]:
    steps: list[JobStep] = []
    preparations = {
        JobStepName.MARGIN_TYPE: Preparation.MARGIN_TYPE,
        JobStepName.LEVERAGE: Preparation.LEVERAGE,
        JobStepName.TRANSFER: Preparation.TRANSFER,
    }
    for name, preparation in preparations.items() if job.kind is ExecutionKind.OPEN else ():
        if name is JobStepName.TRANSFER and job.plan.transfer is None:
            continue
        at_work = job.pending[:1] == (preparation,)
        status = StepStatus.NOW if at_work else StepStatus.TO_DO if preparation in job.pending else StepStatus.DONE
        steps.append(JobStep(name=name, status=status))
    repairing, ended = job.state in _REPAIRS, job.state.ended
    prepared = not job.pending
    trading = prepared and not repairing and not ended
    slices = StepStatus.NOW if trading else StepStatus.DONE if prepared else StepStatus.TO_DO
    steps.append(JobStep(name=JobStepName.SLICES, status=slices))
    if repairing:
        steps.append(JobStep(name=JobStepName.REPAIR, status=StepStatus.NOW))
    steps.append(JobStep(name=JobStepName.END, status=StepStatus.NOW if ended else StepStatus.TO_DO))
    return tuple(steps)


def _fallbacks(job: HedgeExecution) -> tuple[Fallback, ...]:
    limits = job.limits

    def limit(added: Decimal) -> Decimal:
        return min(limits.price_cap_bps + added, limits.max_cap_bps)

    found = [
        Fallback(
            kind=FallbackKind.WIDEN, after_seconds=FIRST_WIDENING, price_limit_bps=limit(limits.widen_after_2s_bps)
        ),
        Fallback(
            kind=FallbackKind.WIDEN, after_seconds=SECOND_WIDENING, price_limit_bps=limit(limits.widen_after_5s_bps)
        ),
        Fallback(kind=FallbackKind.ALARM, after_seconds=limits.max_naked_seconds, price_limit_bps=None),
        Fallback(
            kind=FallbackKind.UNWIND, after_seconds=limits.flatten_after_seconds, price_limit_bps=limits.max_cap_bps
        ),
    ]
    return tuple(sorted(found, key=lambda each: each.after_seconds))


def _undo_cost(job: HedgeExecution, notional: Decimal | None) -> Decimal | None:
    """Return the taker fee of the leading leg and the price limit at which it is undone, on what is open."""
    if notional is None:
        return None
    instrument = job.pair.spot if job.lead is Market.SPOT else job.pair.perp
    limit = min(job.limits.price_cap_bps + job.limits.widen_after_5s_bps, job.limits.max_cap_bps)
    return (notional or job.plan.slice_notional) * (instrument.fees.taker + limit * BPS)


def _slices_left(job: HedgeExecution, price: Decimal | None) -> int | None:
    if price is None or job.plan.slice_notional <= 0:
        return None
    planned = job.plan.spot_quantity if job.lead is Market.SPOT else job.plan.perp_quantity
    left = max(ZERO, planned - job.leg(job.lead).filled)
    return 0 if job.lead_done else int(-(-left * price // job.plan.slice_notional))


def _working(job: HedgeExecution, now: datetime) -> JobOrder | None:
    command = job.working
    if command is None:
        return None
    order = command.order
    return JobOrder(
        client_id=order.client_id,
        market=order.market,
        side=order.side,
        quantity=order.quantity,
        price=order.price,
        time_in_force=order.time_in_force,
        filled=job.working_filled,
        average_price=None,
        status="unknown" if job.state is ExecutionState.RESOLVING else "at work",
        at=job.resting_since or min(job.stage_since, now),
    )


def _orders(ledger: Ledger, job: HedgeExecution) -> tuple[JobOrder, ...]:
    own = [record for record in ledger.orders.values() if record.hedge_id == job.hedge_id]
    hedge = ledger.hedges.get(job.hedge_id)
    known = {record.request.client_id: record for record in (*(hedge.orders if hedge else ()), *own)}
    since = [record for record in known.values() if record.issued_at >= job.started_at]
    newest = sorted(since, key=lambda record: (record.issued_at, record.request.client_id), reverse=True)
    return tuple(
        JobOrder(
            client_id=record.request.client_id,
            market=record.request.market,
            side=record.request.side,
            quantity=record.request.quantity,
            price=record.request.price,
            time_in_force=record.request.time_in_force,
            filled=record.filled_quantity,
            average_price=record.filled_notional / record.filled_quantity if record.filled_quantity else None,
            status="unknown" if record.unknown else record.status.value,
            at=record.issued_at,
        )
        for record in newest[:ORDERS_SHOWN]
    )
