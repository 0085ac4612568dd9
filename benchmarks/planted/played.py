"""Bugs planted in the running bot: each changes one function of the machine, the sizing, the ledger or the engine.

A simulated run must break an invariant within a few seeds.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec.structs import replace

from hedgerow.domain import events
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger import account_reducers as folding_rows
from hedgerow.domain.ledger import books
from hedgerow.domain.ledger import order_index as order_keeping
from hedgerow.domain.ledger import reducers as folding
from hedgerow.domain.order import OrderStatus
from hedgerow.domain.position import OrderRecord, Reason
from hedgerow.engine import cycle, journal
from hedgerow.engine import reconciliation as settle
from hedgerow.engine.execution import executor as execute
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.decisions import entry as openings
from hedgerow.strategy.decisions import held as decide
from hedgerow.strategy.decisions import verdicts as verdict
from hedgerow.strategy.evaluation import sizing
from hedgerow.strategy.hedging import actions as hedging_moves
from hedgerow.strategy.hedging import machine as hedging
from hedgerow.strategy.observation import HealthLevel
from planted.kinds import Played, changed, played_bugs, wrapped

__all__ = ["PLAYED"]

ZERO = Decimal(0)


# --- the legs ---------------------------------------------------------------------------------------------------------


def give_up_without_unwinding() -> None:
    """What cannot be hedged is left as it is."""
    wrapped(hedging_moves, "give_up_following", lambda _, job, around: hedging_moves.finish(job, around))


def legs_taken_go_unnoticed() -> None:
    """A leg that the owner or the venue took from is not reconciled, and its imbalance not judged."""
    wrapped(
        settle,
        "reconcile",
        lambda _, ledger, *__: (
            verdict.Consistent(symbol=ledger.largest.symbol, spot_quantity=ZERO, perp_quantity=ZERO)
            if ledger.largest
            else verdict.Nothing(),
        ),
    )
    wrapped(
        decide,
        "health_of",
        lambda real, *a: replace(real(*a), level=HealthLevel.OK, findings=(), trim_market=None, trim_quantity=None),
    )


def the_leg_that_follows_never_runs_out_of_time() -> None:
    """The machine forgets how long it has been at it."""
    wrapped(hedging_moves, "elapsed", lambda *_: 0.0)


def a_naked_leg_is_left_alone() -> None:
    """A naked leg is alarmed and then left alone."""

    def idle(_: Any, job: Any, *__: Any) -> Any:
        return hedging.Step(job=job, pause_seconds=hedging_moves.NAKED_RETRY_SECONDS)

    table = hedging.TRANSITIONS[ExecutionState.NAKED]
    table[hedging.Signal.TICK] = hedging.Transition(lambda *a: idle(None, *a), frozenset({ExecutionState.NAKED}))  # type: ignore[index] # the bug


def one_slice_for_all() -> None:
    """The whole hedge is one slice."""
    wrapped(sizing, "slice_notional", lambda _, __, notional, *___: notional * 2)


def a_short_twice_the_coins() -> None:
    """The perpetual is sold for more than the coins."""
    wrapped(openings, "opening_plan", lambda real, *a, **k: _grown(real(*a, **k)))


def _grown(plan: Any) -> Any:
    return replace(plan, spot_quantity=plan.spot_quantity / 2) if hasattr(plan, "spot_quantity") else plan


def coins_follow_when_all_of_the_short_is_there() -> None:
    """Where the perpetual leads, no coins are bought before its last slice."""
    wrapped(
        hedging_moves,
        "follow_due",
        lambda real, job, around: real(job, around) if job.lead_done or job.lead is Market.SPOT else ZERO,
    )


def naked_without_an_alarm() -> None:
    """No observer is notified that a leg is naked."""

    def hushed(real: Any, job: Any, around: Any) -> Any:
        return replace(real(job, around), naked_alarmed=False)

    wrapped(hedging, "tracked", hushed)
    wrapped(hedging_moves, "tracked", hushed)


def naked_without_a_halt() -> None:
    """A naked leg does not halt openings."""

    def record(real: Any, self: Any, *recorded: Any) -> Any:
        return real(self, *(e for e in recorded if not isinstance(e, events.Halted)))

    wrapped(journal.Journal, "record", record)


def what_rested_is_forgotten_once_cancelled() -> None:
    """The machine takes an order that it cancelled for one that filled nothing."""

    def step(real: Any, job: Any, event: Any, around: Any) -> Any:
        if isinstance(event, events.OrderEnded) and event.status is OrderStatus.CANCELED:
            event = replace(event, filled_quantity=ZERO, filled_notional=ZERO)
        return real(job, event, around)

    wrapped(hedging, "step", step)


def what_rests_is_left_to_itself() -> None:
    """An order that has filled in part rests on, for as long as the market likes."""

    def rest_on(real: Any, job: Any, event: Any, around: Any) -> Any:
        return hedging.Step(job=job, watch=job.working.order) if job.working_filled else real(job, event, around)

    table = hedging.TRANSITIONS[ExecutionState.RESTING]  # it holds the functions themselves, not their names
    for signal in (hedging.Signal.TICK, hedging.Signal.WORKING):
        cell = table[signal]
        table[signal] = hedging.Transition(partial(rest_on, cell.act), cell.leads_to)  # type: ignore[index] # the bug


# --- orders -----------------------------------------------------------------------------------------------------------


def intents_are_not_logged() -> None:
    """A command is sent without a word in the log."""

    def record(real: Any, self: Any, *recorded: Any) -> Any:
        return real(self, *(e for e in recorded if not isinstance(e, events.CommandIssued)))

    wrapped(journal.Journal, "record", record)


def intents_are_logged_but_not_synced() -> None:
    """An intent would not survive a power cut."""
    changed(journal, "CommandIssued", type(None))


def an_order_without_an_answer_is_sent_again() -> None:
    """A write is retried blindly."""

    async def send(real: Any, self: Any, command: Any) -> Any:
        answer = await real(self, command)
        return await real(self, command) if isinstance(answer, events.OrderOutcomeUnknown) else answer

    wrapped(execute.Executor, "_send", send)


def client_ids_are_used_again() -> None:
    """Attempts are not counted."""

    def place(real: Any, job: Any, around: Any, market: Any, quantity: Any, **k: Any) -> Any:
        step = real(job, around, market, quantity, **k)
        return replace(step, job=replace(step.job, spot=job.spot, perp=job.perp))

    wrapped(hedging_moves, "place", place)


def the_owners_coins_are_sold_too() -> None:
    """A closing sells all coins of the account."""

    def plan(real: Any, hedge: Any, account: Any, **k: Any) -> Any:
        made = real(hedge, account, **k)
        coins = account.coin(hedge.pair.base).free if account else made.spot_quantity
        return replace(made, spot_quantity=hedge.pair.spot.floor_quantity(coins))

    wrapped(decide, "closing_plan", plan)


def fees_in_coin_are_forgotten() -> None:
    """The ledger believes that it owns what was paid as a fee."""
    OrderRecord.coin_fee = property(lambda _: ZERO)  # type: ignore[assignment,method-assign] # the bug


# --- books ------------------------------------------------------------------------------------------------------------


def fees_are_not_booked() -> None:
    """The books know nothing of fees."""
    wrapped(books.Books, "with_fill", lambda real, self, fill, **k: real(self, replace(fill, fee=ZERO), **k))


def transfers_reach_one_wallet_only() -> None:
    """A transfer arrives and never left."""

    def transfer(real: Any, self: Any, event: Any) -> Any:
        booked = real(self, event)
        return books.Books(lines={**booked.lines, "spot:USDT": self.line(events.Wallet.SPOT, "USDT")})

    wrapped(books.Books, "with_transfer", transfer)


def closed_hedges_pay_no_fees() -> None:
    """The totals forget what a closed hedge paid."""

    def moved(real: Any, totals: Any, closed: Any, sign: int) -> Any:
        return replace(real(totals, closed, sign), fees=totals.fees)

    wrapped(order_keeping, "_moved", moved)


def coins_of_a_reduction_are_still_owned() -> None:
    """The hedge does not know what a reduction took from it."""
    _reduced(lambda record: replace(record, filled_quantity=ZERO, booked_quantity=ZERO))


def proceeds_of_a_reduction_are_lost() -> None:
    """The hedge does not know what a reduction was paid."""
    _reduced(lambda record: replace(record, filled_notional=ZERO, booked_notional=ZERO))


def _reduced(change: Callable[[Any], Any]) -> None:
    def repaired(real: Any, ledger: Any, event: Any) -> Any:
        after, job = real(ledger, event), ledger.execution
        if job is None or job.kind is not ExecutionKind.REDUCE:
            return after
        held = after.hedges[event.hedge_id]
        orders = tuple(change(r) if r.request.client_id in ledger.orders else r for r in held.orders)
        return order_keeping.with_hedge(after, order_keeping.retallied(replace(held, orders=orders)))

    _fold(events.HedgeRepaired, repaired)


def dust_is_worth_nothing() -> None:
    """What is left unsold is taken out of the result and not put anywhere."""
    wrapped(execute, "_residue", lambda *_: None)


def funding_is_booked_again() -> None:
    """The ledger forgets which payments it has seen."""

    def received(real: Any, ledger: Any, event: Any) -> Any:
        return replace(real(ledger, event), funding_seen=ledger.funding_seen)

    _fold(events.FundingReceived, received)


def late_funding_is_lost() -> None:
    """A payment for a hedge that is closed by now belongs to nobody."""

    def attributed(real: Any, ledger: Any, payment: Any) -> Any:
        hedge = ledger.foremost
        ours = hedge is not None and hedge.symbol == payment.symbol and payment.at >= hedge.begun_at
        return real(ledger, payment) if ours else ledger

    wrapped(folding_rows, "_attributed", attributed)


def _fold(kind: Any, around: Callable[..., Any]) -> None:
    """Fold events of one kind by ``around(original, ledger, event)``."""

    def folded(real: Any, ledger: Any, event: Any) -> Any:
        return around(real, ledger, event) if type(event) is kind else real(ledger, event)

    wrapped(folding, "_folded", folded)


# --- after a death, and while halted ----------------------------------------------------------------------------------


def jobs_are_not_taken_up_again() -> None:
    """A job that was in flight when the bot died is forgotten."""

    async def resume(*_: Any) -> None:
        return None

    changed(execute.Executor, "resume", resume)


def the_newest_events_are_lost() -> None:
    """The log forgets its newest events when it is loaded."""

    async def load(real: Any, self: Any) -> Any:
        self._events = self._events[:-2] or self._events
        return await real(self)

    wrapped(MemoryStore, "load", load)


def halts_are_not_looked_at() -> None:
    """Openings are begun while they are halted: neither the decision nor the executor looks at the halt."""

    def unseen(real: Any, self: Any) -> Any:
        reason = real(self)
        asked = self._requests is not None and self._requests.closing
        return reason if reason is not Reason.USER or asked else None

    wrapped(openings, "openings_blocked", lambda real, o, ledger, p: real(o, replace(ledger, halt=None), p))
    changed(cycle, "openings_blocked", openings.openings_blocked)
    wrapped(execute.Executor, "_why_give_up", unseen)


def a_closing_lifts_the_halt() -> None:
    """The end of a hedge makes the ledger forget that openings are halted."""
    for kind in (events.HedgeClosed, events.HedgeAborted, events.HedgeLost):
        _fold(kind, lambda real, ledger, event: replace(real(ledger, event), halt=None))


def a_job_begins_while_another_is_at_work() -> None:
    """A crash during a closing is followed by a second closing."""

    async def resume(real: Any, self: Any) -> Any:
        job = self._journal.ledger.execution
        if job is not None and job.kind is ExecutionKind.CLOSE:
            await self._journal.record(events.HedgeRepaired(at=job.started_at + timedelta(0), hedge_id=job.hedge_id))
            return None
        return await real(self)

    wrapped(execute.Executor, "resume", resume)


# --- cycles -----------------------------------------------------------------------------------------------------------


def an_unreadable_market_is_not_expected() -> None:
    """The end of a cycle trips over a market that could not be read."""
    wrapped(cycle, "equity_of", lambda real, ledger, account, market: real(ledger, account, market.at and market))


def an_unreadable_account_is_not_expected() -> None:
    """The look at openings trips over an account that could not be read."""
    wrapped(cycle, "openings_blocked", lambda real, seen, *rest: real(seen, *rest) if seen.account.at else None)


RAISE = {"an unreadable market is not expected", "an unreadable account is not expected"}
"""Bugs that end a cycle with an error; any other one that does so is not what it says."""

PLAYED: Sequence[Played] = tuple(
    replace(bug, raises=bug.name in RAISE)
    for bug in played_bugs(
        give_up_without_unwinding,
        legs_taken_go_unnoticed,
        the_leg_that_follows_never_runs_out_of_time,
        a_naked_leg_is_left_alone,
        what_rested_is_forgotten_once_cancelled,
        what_rests_is_left_to_itself,
        one_slice_for_all,
        a_short_twice_the_coins,
        coins_follow_when_all_of_the_short_is_there,
        naked_without_an_alarm,
        naked_without_a_halt,
        intents_are_not_logged,
        intents_are_logged_but_not_synced,
        an_order_without_an_answer_is_sent_again,
        client_ids_are_used_again,
        the_owners_coins_are_sold_too,
        fees_in_coin_are_forgotten,
        fees_are_not_booked,
        transfers_reach_one_wallet_only,
        jobs_are_not_taken_up_again,
        the_newest_events_are_lost,
        a_job_begins_while_another_is_at_work,
        closed_hedges_pay_no_fees,
        dust_is_worth_nothing,
        coins_of_a_reduction_are_still_owned,
        proceeds_of_a_reduction_are_lost,
        funding_is_booked_again,
        late_funding_is_lost,
        halts_are_not_looked_at,
        a_closing_lifts_the_halt,
        an_unreadable_market_is_not_expected,
        an_unreadable_account_is_not_expected,
    )
)
