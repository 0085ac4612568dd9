"""Whole behaviours that a judge must condemn, planted in the running bot."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from math import inf
from typing import Any

from msgspec.structs import replace

from hedgerow.domain import events
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.engine import cycle, guard, journal
from hedgerow.engine import reconciliation as settle
from hedgerow.engine.accounting import statement_reader
from hedgerow.engine.execution import executor as execute
from hedgerow.engine.notices import Recorded
from hedgerow.strategy.decisions import entry as openings
from hedgerow.strategy.decisions import held as decide
from hedgerow.strategy.decisions import verdicts as verdict
from hedgerow.strategy.evaluation import exits, health, screening, sizing
from hedgerow.strategy.hedging import actions as hedging_moves
from hedgerow.strategy.hedging import machine as hedging
from hedgerow.strategy.hedging import maker as hedging_resting
from hedgerow.strategy.hedging import orders as hedging_orders
from hedgerow.strategy.hedging import quantities as hedging_quantities
from hedgerow.strategy.observation import HealthLevel, Hold, HoldReason
from hedgerow.strategy.policies import volume_farming
from planted.kinds import Played, changed, played_bugs, wrapped

__all__ = ["BEHAVIOURS"]

ZERO = Decimal(0)
HOUR_SECONDS = 3600.0


# --- naked ------------------------------------------------------------------------------------------------------------


def openings_pause_by_turns_for_an_hour() -> None:
    """The leg that follows changes its state every 20 s and is not traded for an hour."""

    def follow(real: Any, job: Any, around: Any) -> Any:
        waits = job.kind is ExecutionKind.OPEN and job.working is None and not job.pending
        naked = job.naked_since is not None and (around.at - job.naked_since).total_seconds() < HOUR_SECONDS
        if waits and naked and hedging_quantities.follow_due(job, around) > 0:
            turned = job.state is ExecutionState.FOLLOWING
            state = ExecutionState.REPAIRING if turned else ExecutionState.FOLLOWING
            return hedging.Step(job=replace(job, state=state, stage_since=around.at), pause_seconds=20.0)
        return real(job, around)

    wrapped(hedging_moves, "follow", follow)


def a_naked_closing_takes_every_price_for_another_coins() -> None:
    """A closing that is naked sends no order and waits for a person, as if its perpetual had become another coin's."""

    def in_own_units(real: Any, job: Any, market: Any, price: Any) -> Any:
        naked = job.state is ExecutionState.NAKED and job.kind is ExecutionKind.CLOSE
        return not naked and real(job, market, price)

    wrapped(hedging_orders, "_in_own_units", in_own_units)


def legs_taken_by_others_are_passed_over_for_a_quarter_of_an_hour() -> None:
    """A leg that the owner or the venue took is looked into late, and its imbalance not judged."""
    seen: dict[int, datetime] = {}

    async def late(real: Any, self: Any, observation: Any, **k: Any) -> Any:
        found = self._verdicts(observation)
        if any(isinstance(each, verdict.HalfOpen | verdict.ClosedExternally) for each in found):
            first = seen.setdefault(id(self), self._clock.now())
            if (self._clock.now() - first).total_seconds() < 840:  # noqa: PLR2004 - a quarter of an hour
                return found
        else:
            seen.pop(id(self), None)
        return await real(self, observation, **k)

    wrapped(settle.Reconciler, "settle", late)
    wrapped(
        decide,
        "health_of",
        lambda real, *a: replace(real(*a), level=HealthLevel.OK, findings=(), trim_market=None, trim_quantity=None),
    )


def rows_of_the_statement_are_read_and_never_booked() -> None:
    """What the owner or the venue moved stays a difference of the books for good."""

    async def book(*_: Any) -> None:
        """Book nothing."""

    changed(statement_reader.StatementReader, "_book", book)


def the_guard_receives_nothing() -> None:
    """The guard receives nothing and looks at nothing."""

    async def look(self: Any) -> None:
        self._look_at = inf
        self._poll_later()

    changed(guard.Guard, "on_notification", lambda *_: None)
    changed(guard.Guard, "look", look)


# --- settings ---------------------------------------------------------------------------------------------------------


def every_order_accepts_the_worst_price() -> None:
    """Caps are always the widest."""
    for module in (hedging_orders, hedging_resting):
        if hasattr(module, "cap_bps"):
            changed(module, "cap_bps", lambda job, _: job.limits.max_cap_bps)


def all_capital_is_used() -> None:
    """The capital fraction is ignored."""
    _capital(lambda spot, perp, _: min(spot, perp) * Decimal("0.999"))


def the_capital_range_is_ignored() -> None:
    """The largest capital is ignored."""
    _capital(lambda spot, perp, limits: min(spot, perp) * limits.capital_fraction)


def _capital(share: Callable[[Any, Any, Any], Any]) -> None:
    wrapped(sizing, "leg_capital", lambda _, *a: share(*a))
    changed(volume_farming, "leg_capital", sizing.leg_capital)


def leverage_is_three() -> None:
    """Every short is opened at 3x, and that is found healthy."""
    wrapped(sizing, "opening_plan", lambda real, *a, **k: _three(real(*a, **k)))
    changed(openings, "opening_plan", sizing.opening_plan)
    changed(health, "LEVERAGE", 3)


def _three(plan: Any) -> Any:
    return replace(plan, leverage=3) if hasattr(plan, "leverage") else plan


def settlements_are_no_obstacle() -> None:
    """Slices are led right before and after settlements."""
    for module in (hedging_orders, hedging_moves, hedging_resting):
        changed(module, "settlement_pause", lambda *_: 0.0)


def there_is_no_entry_filter() -> None:
    """Every pair that is listed may be entered."""
    changed(volume_farming, "refusals", lambda *_, **__: ())


def funding_is_no_entry_filter() -> None:
    """Pairs whose shorts pay are entered like any other."""
    changed(screening, "_funding", lambda *_: iter(()))


def dust_is_never_sold() -> None:
    """Coins kept of earlier hedges stay for ever."""

    async def nothing(*_: Any) -> None:
        return None

    changed(execute.Executor, "_sweep_dust", nothing)
    for module in (decide, cycle):
        wrapped(module, "closing_plan", lambda real, *a, **k: real(*a, **{**k, "dust": ZERO}))


def every_hedge_is_closed_at_the_next_check() -> None:
    """Fees are paid all day, for reasons that do not hold."""
    wrapped(exits, "flags", lambda *_, **__: (False, False, False, True, True, False, False))
    changed(volume_farming, "flags", exits.flags)


# --- duties -----------------------------------------------------------------------------------------------------------


def margin_is_never_topped_up() -> None:
    """Idle money does not become margin, and nothing is reduced."""
    changed(decide, "_margin", lambda _: None)
    changed(decide, "_reduce", lambda _: None)


def a_near_liquidation_is_waited_for() -> None:
    """Nothing is done about a liquidation that is near."""
    margin_is_never_topped_up()
    changed(health, "CLOSE_DISTANCE", -9.0)


def the_emergency_stop_never_stops() -> None:
    """A loss beyond the stop is no reason to leave."""
    changed(decide, "confirmed", lambda *_: False)


def every_opening_is_undone() -> None:
    """Coins are sold back after the first slice, though the short could be opened."""

    def give_up(real: Any, job: Any, around: Any) -> Any:
        first = job.kind is ExecutionKind.OPEN and job.spot.filled > 0 and job.perp.filled == 0 and job.unwound == 0
        return hedging_moves.give_up_following(job, around) if first else real(job, around)

    wrapped(hedging_moves, "follow", give_up)


def nothing_is_ever_opened() -> None:
    """No pair is good enough."""
    changed(openings, "candidates", lambda *_: iter(()))
    changed(cycle, "candidates", openings.candidates)


def nothing_is_ever_closed_for_profit() -> None:
    """A hedge is held for ever."""
    changed(
        decide,
        "_profit",
        lambda held: Hold(reason=HoldReason.HEALTHY, evaluation=held.evaluation, health=held.health),
    )


# --- what is said -----------------------------------------------------------------------------------------------------


def naked_time_is_reported_as_none() -> None:
    """The log says that no leg was ever naked."""

    def hushed(real: Any, job: Any, around: Any) -> Any:
        return replace(
            real(job, around), worst_naked_seconds=0.0, worst_naked_notional=ZERO, naked_seconds=0.0, naked_since=None
        )

    for module in (hedging, hedging_moves):
        wrapped(module, "tracked", hushed)


def naked_legs_are_logged_and_told_to_nobody() -> None:
    """The alarm is in the log, and no observer is notified."""
    wrapped(
        journal.Journal,
        "say",
        lambda real, self, notice: (
            None
            if isinstance(notice, Recorded) and isinstance(notice.event, events.NakedAlarmed | events.Halted)
            else real(self, notice)
        ),
    )


def the_alarm_comes_late() -> None:
    """A naked leg is reported after 24 s and not after five."""

    def late(real: Any, job: Any, around: Any) -> Any:
        limits = replace(job.limits, max_naked_seconds=24.0)
        return replace(real(replace(job, limits=limits), around), limits=job.limits)

    for module in (hedging, hedging_moves):
        wrapped(module, "tracked", late)


BEHAVIOURS: Sequence[Played] = played_bugs(
    openings_pause_by_turns_for_an_hour,
    a_naked_closing_takes_every_price_for_another_coins,
    legs_taken_by_others_are_passed_over_for_a_quarter_of_an_hour,
    rows_of_the_statement_are_read_and_never_booked,
    the_guard_receives_nothing,
    every_order_accepts_the_worst_price,
    all_capital_is_used,
    the_capital_range_is_ignored,
    leverage_is_three,
    settlements_are_no_obstacle,
    there_is_no_entry_filter,
    funding_is_no_entry_filter,
    dust_is_never_sold,
    every_hedge_is_closed_at_the_next_check,
    margin_is_never_topped_up,
    a_near_liquidation_is_waited_for,
    the_emergency_stop_never_stops,
    every_opening_is_undone,
    nothing_is_ever_opened,
    nothing_is_ever_closed_for_profit,
    naked_time_is_reported_as_none,
    naked_legs_are_logged_and_told_to_nobody,
    the_alarm_comes_late,
)
