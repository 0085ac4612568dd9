"""Bugs of several hedges in one account, planted in the running bot: a run with up to five must notice each of them."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from hedgerow.domain import events
from hedgerow.domain.ledger import account_reducers as folding_rows
from hedgerow.domain.ledger import reducers as folding
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import Answer, CloseRequested, HedgeSeen, RequestOutcome
from hedgerow.engine import cycle
from hedgerow.engine.execution import executor, openings
from hedgerow.engine.execution.executor import Executor
from hedgerow.engine.operator import Service
from hedgerow.strategy.decisions import allocation, entry, review
from hedgerow.strategy.evaluation.sizing import funds_of
from planted.kinds import Patched, Played, changed, played_bugs, wrapped

__all__ = ["SEVERAL", "TEXTS"]

ZERO = Decimal(0)
MOST = 5


# --- books ------------------------------------------------------------------------------------------------------------


def a_fee_is_charged_to_another_hedge() -> None:
    """A fee is booked to an order of another hedge than the one that traded."""

    def folded(real: Any, ledger: Any, event: Any) -> Any:
        if isinstance(event, events.FeeBooked):
            own = [h for h in ledger.hedges.values() if not event.client_id.startswith(f"{h.hedge_id}-") and h.orders]
            if own:
                event = replace(event, client_id=own[0].orders[-1].request.client_id)
        return real(ledger, event)

    wrapped(folding, "_folded", folded)


def funding_of_two_pairs_is_booked_to_one() -> None:
    """Payments of all pairs at one settlement are the largest hedge's."""

    def attributed(real: Any, ledger: Any, payment: Any) -> Any:
        largest = ledger.largest
        return real(ledger, replace(payment, symbol=largest.symbol) if largest else payment)

    wrapped(folding_rows, "_attributed", attributed)


def funding_of_one_instant_is_booked_once() -> None:
    """The second payment at one time counts as seen."""

    def folded(real: Any, ledger: Any, event: Any) -> Any:
        paid = isinstance(event, events.FundingReceived) and event.payment.at == ledger.funding_until
        return replace(ledger, events=ledger.events + 1) if paid else real(ledger, event)

    wrapped(folding, "_folded", folded)


# --- money ------------------------------------------------------------------------------------------------------------


def margin_of_held_shorts_is_used_again() -> None:
    """Another hedge is sized with the margin that the held shorts need."""

    def funds(account: Any, _: Any) -> Any:
        perp = replace(account.perp, transferable=account.perp.balance)
        return funds_of(replace(account, perp=perp))

    for module in (allocation, entry):
        changed(module, "funds_for_next", funds)


def every_slot_gets_all_that_is_free() -> None:
    """What is free is not divided among the free slots."""
    changed(allocation, "parts", lambda *_: 1)


def the_limit_of_one_position_is_not_looked_at() -> None:
    """The dollars and the part of the equity that one position may take limit nothing."""

    def leg(real: Any, ledger: Any, funds: Any, policy: Any) -> Any:
        return real(ledger, funds, _Unlimited(policy))

    for module in (allocation, entry):
        wrapped(module, "leg_of_next", leg)


def what_is_held_open_limits_nothing() -> None:
    """The part of a perpetual's open interest that one position may take is not looked at."""
    changed(entry, "_at_most_held", lambda capital, *_: capital)


class _Unlimited:
    """A policy without limits of one position."""

    def __init__(self, policy: Any) -> None:
        capital = policy.parameters.capital_management
        free = replace(capital, max_position_usd=None, max_position_equity=None, reserve_usd=ZERO)
        self.parameters = replace(policy.parameters, capital_management=free)
        self.capital = policy.capital


# --- slots ------------------------------------------------------------------------------------------------------------


def one_hedge_too_many() -> None:
    """One slot more than the settings allow is filled."""
    for module in (allocation, entry, cycle):
        wrapped(module, "free_slots", lambda real, *a: real(*a) + 1)


def a_free_slot_stays_free() -> None:
    """Nothing is opened beside a held hedge."""
    for module in (allocation, entry):
        wrapped(module, "free_slots", lambda real, ledger, policy: 0 if ledger.hedges else real(ledger, policy))


def a_rotation_closes_the_hedge_that_pays_most() -> None:
    """Of hedges that a better pair could replace, the one that pays most is closed."""

    def danger(real: Any, each: Any, observation: Any) -> Any:
        rank, second, third = real(each, observation)
        return rank, -second if rank >= review.PROFIT else second, third

    wrapped(review, "_danger", danger)


def the_hedge_in_danger_comes_last() -> None:
    """What ends for profit is carried out before what protects, and what protects only when nothing else is due."""
    for module in (cycle, openings):
        wrapped(module, "reviews", lambda real, *a, **k: tuple(reversed(real(*a, **k)))[:1])


# --- turns ------------------------------------------------------------------------------------------------------------


def no_trade_gives_way() -> None:
    """A trade that leads, rests or waits goes on, whatever happens to another hedge."""
    wrapped(Executor, "_is_turn_due", lambda *_: False)


def every_trade_gives_way() -> None:
    """A trade is set aside though no other hedge is in danger."""

    async def cannot_wait(*_: Any) -> bool:
        return True

    changed(cycle.Cycle, "cannot_wait", cannot_wait)


def a_trade_that_is_set_aside_is_forgotten_for_long() -> None:
    """A trade that was set aside is taken up again an hour later."""

    async def go_back(real: Any, self: Any, job: Any) -> Any:
        if job.hedge_id in self._journal.ledger.suspended:
            await self._clock.sleep(3600)
        return await real(self, job)

    wrapped(Executor, "_go_back_to", go_back)


def an_order_in_doubt_is_not_looked_up_for_minutes() -> None:
    """An order that the venue does not have counts as one that may land for ten minutes."""

    async def look_up(real: Any, venue: Any, clock: Any, request: Any, record: Any) -> Any:
        found = await real(venue, clock, request, record)
        absent = [e for e in found if isinstance(e, events.OrderEnded) and e.order_id is None and not e.filled_quantity]
        until = record.issued_at + timedelta(minutes=10) if record else clock.now()
        if not absent or clock.now() >= until:
            return found
        detail = "not looked up"
        return (
            events.OrderOutcomeUnknown(
                at=clock.now(), client_id=request.client_id, detail=detail, may_land_until=until
            ),
        )

    wrapped(executor, "look_up", look_up)


# --- coins and requests -----------------------------------------------------------------------------------------------


def dust_of_another_coin_is_sold() -> None:
    """A closing sells as many coins more as were kept of another hedge's coin."""

    def dust_of(_: Any, self: Any, hedge: Any) -> Any:
        others = (lot.quantity for asset, lot in self.dust.items() if asset != hedge.pair.base)
        return max(others, default=ZERO)

    wrapped(Ledger, "dust_of", dust_of)


def a_closing_asked_for_during_another_trade_is_ignored() -> None:
    """The owner is answered that it was done, and nothing is closed."""

    async def answer(real: Any, self: Any, mailbox: Any, request: Any, job: Any) -> Any:
        action = request.action
        if not isinstance(action, CloseRequested) or action.symbol in {None, job.symbol}:
            return await real(self, mailbox, request, job)
        if await self._is_due(mailbox, request):
            await self._ended(mailbox, request, RequestOutcome.DONE, Answer(done=True, text="Closed"))
        return None

    wrapped(Service, "_answer_one_in_trade", answer)


def a_closing_asked_for_during_another_trade_hits_that_trade() -> None:
    """The hedge that is traded is closed instead of the one that was named."""
    wrapped(Service, "_meant", lambda _, __, ___, job: HedgeSeen(hedge_id=job.hedge_id, symbol=job.symbol))


ONE_DAY = {"no trade gives way", "what is held open limits nothing"}
"""Bugs that few runs show, and one of a day does: ``FIRST_SEEDS`` has it."""

SEVERAL: Sequence[Played] = tuple(
    replace(bug, hedges=MOST, days=1.0 if bug.name in ONE_DAY else None)
    for bug in played_bugs(
        a_fee_is_charged_to_another_hedge,
        funding_of_two_pairs_is_booked_to_one,
        funding_of_one_instant_is_booked_once,
        margin_of_held_shorts_is_used_again,
        every_slot_gets_all_that_is_free,
        the_limit_of_one_position_is_not_looked_at,
        what_is_held_open_limits_nothing,
        one_hedge_too_many,
        a_free_slot_stays_free,
        a_rotation_closes_the_hedge_that_pays_most,
        the_hedge_in_danger_comes_last,
        no_trade_gives_way,
        every_trade_gives_way,
        a_trade_that_is_set_aside_is_forgotten_for_long,
        an_order_in_doubt_is_not_looked_up_for_minutes,
        dust_of_another_coin_is_sold,
        a_closing_asked_for_during_another_trade_is_ignored,
        a_closing_asked_for_during_another_trade_hits_that_trade,
    )
)


TEXTS: Sequence[Patched] = (
    Patched(
        name="each short has the whole wallet for itself",
        file="strategy/evaluation/shared_margin.py",
        does="The margin of one wallet counts for each of its shorts: all marks may rise further than it carries.",
        old="        shorts += max(ZERO, -position.quantity) * mark\n",
        new="        shorts = max(shorts, max(ZERO, -position.quantity) * mark)\n",
        tests=("unit/strategy/decisions/test_review.py",),
    ),
    Patched(
        name="a loss of the shorts is free for another hedge",
        file="strategy/decisions/allocation.py",
        does="What the shorts have lost of their margin is counted a second time, as money for another hedge.",
        old="    free = min(account.perp.transferable, margin - notional) - HELD_DRIFT * shorts\n",
        new="    free = account.perp.transferable - HELD_DRIFT * shorts\n",
        tests=("unit/strategy/decisions/test_allocation.py",),
    ),
    Patched(
        name="held coins count at what they were bought for",
        file="strategy/decisions/allocation.py",
        does="After a fall the equity is too large: the short's gain counts, and the loss of the coins does not.",
        old="    return replace(funds, equity=funds.equity + coins_held(ledger, account))\n",
        new="    return replace(funds, equity=funds.equity + committed(ledger) / 2)\n",
        tests=("unit/strategy/decisions/test_allocation.py",),
    ),
    Patched(
        name="a top-up restores the distance of half of the shorts",
        file="strategy/evaluation/shared_margin.py",
        does="The margin that is moved is not enough for all shorts of the wallet.",
        old="    return (target - Decimal(str(distance))) * shorts\n",
        new="    return (target - Decimal(str(distance))) * shorts / 2\n",
        tests=("unit/strategy/decisions/test_review.py",),
    ),
    Patched(
        name="every short counts as one of the smallest tier",
        file="strategy/evaluation/shared_margin.py",
        does="The maintenance margin of a large short is less than the venue asks for: liquidation seems further away.",
        old="        return position.tiers\n",
        new="        return position.tiers[:1]\n",
        tests=("unit/strategy/decisions/test_review.py",),
    ),
    Patched(
        name="the tier of the present mark counts at the raised one",
        file="strategy/evaluation/shared_margin.py",
        does="A rise that brings a short into a tier that asks for more is not counted in.",
        old="tier_of(tiers, max(ZERO, size * (1 + found)))",
        new="tier_of(tiers, size)",
        tests=("unit/strategy/decisions/test_review.py",),
    ),
    Patched(
        name="a simulated run has no margin tiers",
        file="simulation/generators/scenarios.py",
        does="No run shows whether the bot keeps away from a liquidation where a larger short asks for more margin.",
        old="maintenance_tiers=tiers if random.random() < TIERS_SHARE else ()",
        new="maintenance_tiers=()",
        tests=(
            "simulation/test_turns.py::test_some_runs_for_several_hedges_have_margin_tiers_and_a_limit_of_open_interest",
        ),
    ),
    Patched(
        name="a simulated run has no limit of open interest",
        file="simulation/generators/scenarios.py",
        does="No run shows whether the bot keeps to the part of a perpetual's open interest that it may take.",
        old="max_position_open_interest=None if held_open is None else Decimal(held_open)",
        new="max_position_open_interest=None",
        tests=(
            "simulation/test_turns.py::test_some_runs_for_several_hedges_have_margin_tiers_and_a_limit_of_open_interest",
        ),
    ),
    Patched(
        name="another hedge in danger is not looked for between two slices",
        file="engine/execution/executor.py",
        does="A trade leads its slices to the end while another hedge has lost a leg.",
        old="        if self._journal.ledger.suspended or await self._others.cannot_wait():\n            return True\n",
        new="",
        tests=("engine/test_waiting_trades.py::test_an_opening_gives_way_to_a_lost_leg_and_keeps_what_it_has_hedged",),
    ),
    Patched(
        name="an emergency comes last of what is urgent",
        file="strategy/decisions/review.py",
        does="A leg that is gone is closed before a hedge whose loss is to be stopped.",
        old="EMERGENCY, URGENT, PROFIT = 0, 1, 6\n",
        new="EMERGENCY, URGENT, PROFIT = 1, 0, 6\n",
        tests=("unit/strategy/decisions/test_review.py",),
    ),
)
