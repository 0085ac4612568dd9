"""The two-leg machine: a table of states and signals, without I/O.

Rule one: everything that can move a hedge between its states is in ``TRANSITIONS``; a signal that is not in the table
raises and changes nothing. Rule two: the job is a value, so that it can be logged before its order is sent and taken
up again by another process. The leading leg goes first in slices; the other leg follows each fill; whatever cannot be
hedged in time is unwound; what cannot be unwound stays ``NAKED``, alarms, and keeps trying.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import wraps
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain import events as ev
from hedgerow.domain.commands import CancelOrder, PlaceOrder
from hedgerow.domain.errors import InvariantBroken
from hedgerow.domain.execution import (
    ExecutionKind,
    ExecutionLimits,
    ExecutionPlan,
    ExecutionState,
    HedgeExecution,
    LegProgress,
    Preparation,
)
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import Reason
from hedgerow.strategy.hedging import actions, cells, maker
from hedgerow.strategy.hedging.cells import Happening
from hedgerow.strategy.hedging.maker import WATCH_SECONDS
from hedgerow.strategy.hedging.orders import (
    Step,
    Surroundings,
    in_other_units,
    look_up_doubtful,
    tracked,
    with_fill,
)

__all__ = [
    "OTHER_UNITS_DETAIL",
    "TRANSITIONS",
    "WATCH_SECONDS",
    "Happening",
    "Signal",
    "Step",
    "Surroundings",
    "Transition",
    "begin",
    "signal_of",
    "step",
    "table",
]


class Signal(StrEnum):
    """What an event means to the machine."""

    TICK = "time passed"
    PREPARED = "preparation done"
    PREPARATION_UNKNOWN = "preparation unknown"
    PREPARATION_REFUSED = "preparation refused"
    FILLED = "order filled"
    PARTIAL = "order ended, partly filled"
    NOTHING = "order ended, nothing filled"
    REJECTED = "order rejected"
    WORKING = "order still at work"
    UNKNOWN = "order outcome unknown"
    DOUBTFUL = "order absent, may still land"
    CANCEL_REFUSED = "cancellation refused"


PREPARATION_RETRY_SECONDS = 1.0
OTHER_UNITS_DETAIL = "prices are those of another unit of the coin than the trade counts in, so no order is sent"

_WAITING = {
    ExecutionState.RESOLVING,
    ExecutionState.RESTING,
    ExecutionState.CANCELLING,
    ExecutionState.IN_DOUBT,
}
"""States in which an order is at work and its outcome needs no asking for."""
_LOOKED_UP = {ExecutionState.RESOLVING, ExecutionState.IN_DOUBT}
"""States in which what is known of an order comes from a look-up."""
_ORDER_EVENTS = (ev.OrderAccepted, ev.OrderProgressed, ev.OrderEnded, ev.OrderOutcomeUnknown)


Action: TypeAlias = Callable[[HedgeExecution, Happening, Surroundings], Step]
"""Takes the job after an event to its next step."""


class Transition(Struct, frozen=True):
    """One cell of the table: what to do, and the states it may lead to."""

    act: Action
    leads_to: frozenset[ExecutionState]


def begin(  # noqa: PLR0913 - keyword-only, and each is one fact of the job
    *,
    hedge_id: str,
    kind: ExecutionKind,
    pair: BasisPair,
    reason: Reason,
    plan: ExecutionPlan,
    limits: ExecutionLimits,
    at: datetime,
    spot_attempts: int = 0,
    perp_attempts: int = 0,
    prepared: frozenset[Preparation] = frozenset(),
) -> HedgeExecution:
    """Return a new job in its first state; attempts go on from those the hedge has already used.

    ``prepared`` are the preparations that the account shows to be done: they are not asked for.

    Raises:
        ValueError: the plan does not fit the kind: an opening or a reduction trades both legs, a trim one, a closing at
            least one.
    """
    legs = (plan.spot_quantity > 0) + (plan.perp_quantity > 0)
    if legs not in _LEGS[kind]:
        raise ValueError(f"{hedge_id}: {kind.value} cannot trade {legs} legs")
    pending = tuple(step for step in _preparations(kind, plan) if step not in prepared)
    return HedgeExecution(
        hedge_id=hedge_id,
        kind=kind,
        pair=pair,
        reason=reason,
        plan=plan,
        limits=limits,
        state=_first_state(kind, plan),
        started_at=at,
        stage_since=at,
        spot=LegProgress(attempts=spot_attempts),
        perp=LegProgress(attempts=perp_attempts),
        pending=pending,
        coin_fee=ZERO,
        lead_done=plan.spot_quantity <= 0,
    )


_LEGS = {
    ExecutionKind.OPEN: {2},
    ExecutionKind.CLOSE: {1, 2},
    ExecutionKind.TRIM: {1},
    ExecutionKind.REDUCE: {2},
}


def _preparations(kind: ExecutionKind, plan: ExecutionPlan) -> tuple[Preparation, ...]:
    if kind is not ExecutionKind.OPEN:
        return ()
    settings = (Preparation.MARGIN_TYPE, Preparation.LEVERAGE)
    return (*settings, Preparation.TRANSFER) if plan.transfer else settings


def _first_state(kind: ExecutionKind, plan: ExecutionPlan) -> ExecutionState:
    if kind is ExecutionKind.OPEN:
        return ExecutionState.PREPARING
    if kind is ExecutionKind.TRIM:
        return ExecutionState.REPAIRING
    return ExecutionState.LEADING if plan.spot_quantity > 0 else ExecutionState.FOLLOWING


def signal_of(job: HedgeExecution, event: Happening) -> Signal:
    """Return what ``event`` means to ``job``; time that passes over an order at work asks for its outcome."""
    if event is None:
        return Signal.WORKING if job.working and job.state not in _WAITING else Signal.TICK
    if isinstance(event, ev.OrderEnded):
        return _ending(job, event)
    if isinstance(event, ev.CommandRefused) and isinstance(event.command, CancelOrder):
        return Signal.CANCEL_REFUSED
    if isinstance(event, ev.OrderOutcomeUnknown) and event.may_land_until and job.state in _LOOKED_UP:
        return Signal.DOUBTFUL
    return _SIGNALS[type(event)]


def _ending(job: HedgeExecution, event: ev.OrderEnded) -> Signal:
    at_work = _at_work(job)
    asked = at_work.order.quantity if at_work else ZERO
    if event.filled_quantity >= asked:
        return Signal.FILLED
    if event.filled_quantity > 0:
        return Signal.PARTIAL
    return Signal.REJECTED if event.reject else Signal.NOTHING


def _at_work(job: HedgeExecution) -> PlaceOrder | None:
    """Return the order that events may be about: the one at work, or the doubtful one that is looked up."""
    if job.state is ExecutionState.IN_DOUBT and job.doubtful:
        return job.doubtful[0].command
    return job.working


def step(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Return the job after ``event`` and what to do next.

    Raises:
        InvariantBroken: the table has no cell for this state and signal, the event is about an order that is not at
            work, or a cell led where it may not.
    """
    signal = signal_of(job, event)
    rule = TRANSITIONS[job.state].get(signal)
    if rule is None:
        raise InvariantBroken(f"hedge {job.hedge_id}: {signal.value!r} cannot happen while {job.state.value}")
    at_work = _at_work(job)
    if isinstance(event, _ORDER_EVENTS) and (at_work is None or at_work.order.client_id != event.client_id):
        raise InvariantBroken(f"hedge {job.hedge_id}: order {event.client_id} is not at work")
    listed, around = _as_listed(job, _as_reported(job, event, around))
    absorbed = _in_known_units(tracked(_absorbed(listed, event), around), around)
    taken = rule.act(absorbed, event, around)
    if taken.job.state not in rule.leads_to:
        raise InvariantBroken(f"hedge {job.hedge_id}: {job.state.value} may not become {taken.job.state.value}")
    return taken


def _as_listed(job: HedgeExecution, around: Surroundings) -> tuple[HedgeExecution, Surroundings]:
    """Return the job on the pair as it is listed now, and whether anything but the fees changed since the last step."""
    pair = around.pair
    if pair is None or pair == job.pair or (pair.symbol, pair.base) != (job.symbol, job.pair.base):
        return job, around
    same = all(
        replace(pair.instrument(market), fees=job.pair.instrument(market).fees) == job.pair.instrument(market)
        for market in Market
    )
    return replace(job, pair=pair, retry_at=job.retry_at if same else None), replace(around, regridded=not same)


def _in_known_units(job: HedgeExecution, around: Surroundings) -> HedgeExecution:
    """Return the job with what its prices say of the unit of its coin, for people."""
    if any(in_other_units(job, around, market) for market in Market):
        return replace(job, detail=OTHER_UNITS_DETAIL)
    return replace(job, detail="") if job.detail == OTHER_UNITS_DETAIL else job


def _as_reported(job: HedgeExecution, event: Happening, around: Surroundings) -> Surroundings:
    """Return the surroundings with what a refusal says of the whole host it came from."""
    seconds = event.retry_after_seconds if isinstance(event, ev.OrderEnded) else None
    if seconds is None or job.working is None:
        return around
    if job.working.order.market is Market.SPOT:
        return replace(around, spot_blocked_seconds=max(around.spot_blocked_seconds, seconds))
    return replace(around, perp_blocked_seconds=max(around.perp_blocked_seconds, seconds))


def _absorbed(job: HedgeExecution, event: Happening) -> HedgeExecution:
    """Add an ended order's fills to its leg; remember those of one that is still at work."""
    if job.state is ExecutionState.IN_DOUBT and isinstance(event, ev.OrderEnded):
        certain = replace(job, doubtful=job.doubtful[1:])
        return _with_end(certain, job.doubtful[0].command, event)
    if job.working is None:
        return job
    if isinstance(event, ev.OrderProgressed):
        return replace(job, working_filled=max(job.working_filled, event.filled_quantity))
    if not isinstance(event, ev.OrderEnded):
        return job
    counted = 0 if event.filled_quantity > 0 else job.refusals + 1
    ended = replace(job, working=None, working_filled=ZERO, refusals=counted, retry_at=None)
    return _with_end(ended, job.working, event)


def _with_end(job: HedgeExecution, command: PlaceOrder, event: ev.OrderEnded) -> HedgeExecution:
    """Return the job with an ended order's fills; those without a reported price count at what the leg was to cost."""
    notional, order = event.filled_notional, command.order
    if event.filled_quantity and not notional:
        arrival = job.spot_arrival if order.market is Market.SPOT else job.perp_arrival
        notional = event.filled_quantity * (arrival or order.price)
    return with_fill(job, command, event.filled_quantity, notional)


def _resolved(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
    """Go on as the state that sent the order would have, now that its outcome is known."""
    back = replace(job, state=job.resume or ExecutionState.LEADING, resume=None)
    rejected = cells.refusal(event)[0] is not None
    signal = Signal.FILLED if cells.filled(event) else Signal.REJECTED if rejected else Signal.NOTHING
    return TRANSITIONS[back.state][signal].act(back, event, around)


# --- the table -------------------------------------------------------------------------------------------------------

_P, _L, _S, _C, _F, _X, _D, _R, _U, _N = (
    ExecutionState.PREPARING,
    ExecutionState.LEADING,
    ExecutionState.RESTING,
    ExecutionState.CANCELLING,
    ExecutionState.FOLLOWING,
    ExecutionState.RESOLVING,
    ExecutionState.IN_DOUBT,
    ExecutionState.REPAIRING,
    ExecutionState.UNWINDING,
    ExecutionState.NAKED,
)
_ENDS = frozenset({ExecutionState.HEDGED, ExecutionState.FLAT})
_FROM_LEAD = frozenset({_L, _S, _F, _D}) | _ENDS
_FROM_FOLLOW = frozenset({_L, _S, _F, _R, _U, _N, _D}) | _ENDS


def _rule(act: Action, *states: ExecutionState) -> Transition:
    return Transition(act, frozenset(states))


def _without_event(action: Callable[[HedgeExecution, Surroundings], Step]) -> Action:
    """Return an action that does the same whatever the event was."""

    @wraps(action)
    def act(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
        del event
        return action(job, around)

    return act


def _of_job(action: Callable[[HedgeExecution], Step]) -> Action:
    """Return an action for which only the job counts."""

    @wraps(action)
    def act(job: HedgeExecution, event: Happening, around: Surroundings) -> Step:
        del event, around
        return action(job)

    return act


def _wait(name: str, seconds: float) -> Action:
    """Return an action that only waits, under a name for the table."""

    def act(job: HedgeExecution) -> Step:
        return Step(job=job, pause_seconds=seconds)

    act.__name__ = name
    return _of_job(act)


_lead, _follow = _without_event(actions.lead), _without_event(cells.follow)
_unwind, _naked = _without_event(actions.unwind), _without_event(actions.naked)
_rest_on, _resting_refused = _without_event(maker.rest_on), _without_event(cells.resting_refused)
_doubt_again, _after_doubt = _without_event(cells.doubt_again), _without_event(actions.after_doubt)
_resolve = _of_job(actions.resolve)


_TO_RESOLVING = {
    Signal.UNKNOWN: _rule(_resolve, _X),
    Signal.WORKING: _rule(_resolve, _X),
}

TRANSITIONS: Mapping[ExecutionState, Mapping[Signal, Transition]] = {
    _P: {
        Signal.TICK: _rule(_without_event(cells.prepare_in_time), _P, _L, _S, _F, *_ENDS),
        Signal.PREPARED: _rule(cells.prepared, _P, _L, _S, _F, *_ENDS),
        Signal.PREPARATION_UNKNOWN: _rule(_wait("wait_for_preparation", PREPARATION_RETRY_SECONDS), _P),
        Signal.PREPARATION_REFUSED: _rule(cells.refused_preparation, ExecutionState.FLAT),
    },
    _L: {
        Signal.TICK: Transition(_lead, _FROM_LEAD | {_U, _N}),
        Signal.FILLED: Transition(cells.after_lead, _FROM_LEAD | {_U, _N}),
        Signal.PARTIAL: Transition(cells.after_lead, _FROM_LEAD | {_U, _N}),
        Signal.NOTHING: Transition(cells.after_lead, _FROM_LEAD),
        Signal.REJECTED: Transition(cells.lead_rejected, _FROM_LEAD | {_U, _N}),
        Signal.PREPARED: Transition(_lead, _FROM_LEAD | {_U, _N}),
        Signal.PREPARATION_REFUSED: Transition(_lead, _FROM_LEAD | {_U, _N}),
        **_TO_RESOLVING,
    },
    _S: {
        Signal.TICK: _rule(_rest_on, _S, _C),
        Signal.WORKING: _rule(_rest_on, _S, _C),
        Signal.FILLED: Transition(cells.after_resting, _FROM_LEAD | {_U, _N}),
        Signal.PARTIAL: Transition(cells.after_resting, _FROM_LEAD | {_U, _N}),
        Signal.NOTHING: _rule(cells.after_resting, _L),
        Signal.REJECTED: _rule(_resting_refused, _L),
        Signal.PREPARED: _rule(_rest_on, _S, _C),
        Signal.PREPARATION_REFUSED: _rule(_rest_on, _S, _C),
        Signal.UNKNOWN: _rule(_resolve, _X),
    },
    _C: {
        Signal.TICK: _rule(_of_job(maker.cancel), _C),
        Signal.WORKING: _rule(_wait("wait_for_cancellation", cells.RESOLVE_RETRY_SECONDS), _C),
        Signal.FILLED: Transition(cells.after_resting, _FROM_LEAD | {_U, _N}),
        Signal.PARTIAL: Transition(cells.after_resting, _FROM_LEAD | {_U, _N}),
        Signal.NOTHING: _rule(cells.after_resting, _L),
        Signal.REJECTED: _rule(_resting_refused, _L),
        Signal.UNKNOWN: _rule(_resolve, _X),
        Signal.CANCEL_REFUSED: _rule(_of_job(cells.cancel_refused), _X),
    },
    _F: {
        Signal.TICK: Transition(_follow, _FROM_FOLLOW),
        Signal.FILLED: Transition(cells.after_follow, _FROM_FOLLOW),
        Signal.PARTIAL: Transition(cells.after_follow, _FROM_FOLLOW),
        Signal.NOTHING: Transition(cells.after_follow, _FROM_FOLLOW),
        Signal.REJECTED: Transition(cells.fell_short, _FROM_FOLLOW),
        **_TO_RESOLVING,
    },
    _R: {
        Signal.TICK: Transition(_without_event(cells.repair), _FROM_FOLLOW),
        Signal.FILLED: Transition(cells.after_follow, _FROM_FOLLOW),
        Signal.PARTIAL: Transition(cells.after_follow, _FROM_FOLLOW),
        Signal.NOTHING: Transition(cells.after_follow, _FROM_FOLLOW),
        Signal.REJECTED: Transition(cells.fell_short, _FROM_FOLLOW),
        Signal.PREPARED: Transition(_without_event(cells.topped_up), _FROM_FOLLOW),
        Signal.PREPARATION_UNKNOWN: _rule(_wait("wait_for_margin", actions.RETRY_SECONDS), _R),
        Signal.PREPARATION_REFUSED: Transition(cells.top_up_failed, _FROM_FOLLOW),
        **_TO_RESOLVING,
    },
    _U: {
        Signal.TICK: Transition(_unwind, _FROM_FOLLOW),
        Signal.FILLED: Transition(_unwind, _FROM_FOLLOW),
        Signal.PARTIAL: Transition(_unwind, _FROM_FOLLOW),
        Signal.NOTHING: _rule(cells.unwind_again, _U),
        Signal.REJECTED: _rule(cells.unwind_again, _U, _D, *_ENDS),
        **_TO_RESOLVING,
    },
    _N: {
        Signal.TICK: _rule(_naked, _N, _D, *_ENDS),
        Signal.FILLED: _rule(_naked, _N, _D, *_ENDS),
        Signal.PARTIAL: _rule(_naked, _N, _D, *_ENDS),
        Signal.NOTHING: _rule(cells.fell_short, _N, _D, *_ENDS),
        Signal.REJECTED: _rule(cells.fell_short, _N, _D, *_ENDS),
        **_TO_RESOLVING,
    },
    _X: {
        Signal.TICK: _rule(_resolve, _X),
        Signal.UNKNOWN: _rule(_without_event(cells.resolve_again), _X),
        Signal.DOUBTFUL: Transition(cells.doubted, _FROM_FOLLOW),
        Signal.WORKING: _rule(_without_event(cells.still_working), _X, _C),
        Signal.FILLED: Transition(_resolved, _FROM_FOLLOW),
        Signal.PARTIAL: Transition(_resolved, _FROM_FOLLOW),
        Signal.NOTHING: Transition(_resolved, _FROM_FOLLOW),
        Signal.REJECTED: Transition(_resolved, _FROM_FOLLOW),
    },
    _D: {
        Signal.TICK: _rule(_of_job(look_up_doubtful), _D),
        Signal.UNKNOWN: _rule(_doubt_again, _D),
        Signal.DOUBTFUL: _rule(_doubt_again, _D),
        Signal.WORKING: _rule(_of_job(cells.landed), _C, _X),
        Signal.FILLED: Transition(_after_doubt, _FROM_FOLLOW),
        Signal.PARTIAL: Transition(_after_doubt, _FROM_FOLLOW),
        Signal.NOTHING: Transition(_after_doubt, _FROM_FOLLOW),
        Signal.REJECTED: Transition(_after_doubt, _FROM_FOLLOW),
    },
    ExecutionState.HEDGED: {},
    ExecutionState.FLAT: {},
}
"""Every state, every signal that may meet it, and where it may lead. What is not here is refused."""

_SIGNALS: Mapping[type, Signal] = {
    ev.OrderAccepted: Signal.WORKING,
    ev.OrderProgressed: Signal.WORKING,
    ev.OrderOutcomeUnknown: Signal.UNKNOWN,
    ev.FundsTransferred: Signal.PREPARED,
    ev.LeverageSet: Signal.PREPARED,
    ev.MarginTypeSet: Signal.PREPARED,
    ev.DeadManArmed: Signal.PREPARED,
    ev.TransferOutcomeUnknown: Signal.PREPARATION_UNKNOWN,
    ev.CommandRefused: Signal.PREPARATION_REFUSED,
}


def table() -> tuple[tuple[str, str, str, str], ...]:
    """Return the table for people: state, signal, what is done, where it may lead."""
    return tuple(
        (
            state.value,
            signal.value,
            rule.act.__name__.strip("_").replace("_", " "),
            ", ".join(sorted(s.value for s in rule.leads_to)),
        )
        for state, row in TRANSITIONS.items()
        for signal, rule in row.items()
    )
