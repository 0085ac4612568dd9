"""Trades that give way to a hedge in danger: how they are drawn, and what the judge holds of them."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play_whole
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain import events as ev
from hedgerow.domain.commands import PlaceOrder, TransferDirection, TransferFunds
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.ledger.reducers import apply
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.ledger.suspension import set_aside
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderRequest, TimeInForce
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import Recorded
from hedgerow.simulation.causes import Cause, CauseSpan
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.checks.legs import BUSY_SECONDS
from hedgerow.simulation.checks.turns import IN_DANGER, TURN_SECONDS
from hedgerow.simulation.faults.incidents import Closure, HandCover, PriceJump, Reopening
from hedgerow.simulation.faults.interruptions import Danger, Interruption, Interruptions
from hedgerow.simulation.generators.scenarios import draw_plan
from support.judging import LegHarness
from support.toy_venue import new_job
from support.views import hedge, pair_of, several_of
from support.worlds import START, make_pair

A, B = "AAAUSDT", "BBBUSDT"
DAYS = 1.0


# --- drawing ---------------------------------------------------------------------------------------------------------


def interruptions(seed: int, hedges: int) -> list[Interruption]:
    return [fault for fault in draw_plan(seed, DAYS, hedges=hedges).drawn_faults if isinstance(fault, Interruption)]


def test_half_of_the_runs_for_several_hedges_have_trades_that_are_interrupted() -> None:
    drawn = [interruptions(seed, 5) for seed in range(200)]
    assert 60 < sum(map(bool, drawn)) < 120
    every = [each for found in drawn for each in found]
    assert {each.danger for each in every} == set(Danger)
    assert {each.kind for each in every} == {None, ExecutionKind.OPEN, ExecutionKind.CLOSE}
    assert {len(each.closed) for each in every} == {0, 1, 2}
    assert not any(interruptions(seed, 1) for seed in range(50))


def test_some_runs_for_several_hedges_have_margin_tiers_and_a_limit_of_open_interest() -> None:
    plans = [draw_plan(seed, DAYS, hedges=5) for seed in range(100)]
    several = [plan for plan in plans if plan.parameters.position_management.max_positions > 1]
    tiered = [plan.maintenance_tiers for plan in several if plan.maintenance_tiers]
    assert len(several) / 3 < len(tiered) < len(several) * 2 / 3
    assert len({tiers[-1].floor for tiers in tiered}) > 3
    shares = {plan.parameters.capital_management.max_position_open_interest for plan in several}
    assert shares == {None, Decimal("0.00002"), Decimal("0.0005")}
    assert not any(draw_plan(seed, DAYS).maintenance_tiers for seed in range(20))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "kind", "state"),
    [
        (340040, ExecutionKind.OPEN, ExecutionState.LEADING),
        (340029, ExecutionKind.CLOSE, ExecutionState.LEADING),
        (340093, ExecutionKind.CLOSE, ExecutionState.NAKED),
    ],
)
def test_a_drawn_run_sets_a_trade_aside_and_breaks_nothing(
    seed: int, kind: ExecutionKind, state: ExecutionState
) -> None:
    result, log, _ = play_whole(draw_plan(seed, DAYS, hedges=5))
    assert result.violation is None
    ledger, aside = Ledger(), set[tuple[ExecutionKind, ExecutionState]]()
    for event in log:
        if isinstance(event, ev.ExecutionSuspended) and ledger.execution:
            aside.add((ledger.execution.kind, ledger.execution.state))
        ledger = apply(ledger, event)
    assert (kind, state) in aside


HELD = several_of(hedge("10", hedge_id="h1", pair=pair_of(A)), hedge("10", hedge_id="h2", pair=pair_of(B)))
OF_B = replace(new_job(ExecutionKind.OPEN, pair=pair_of(B)), hedge_id="h3")


def begun(kind: ExecutionKind = ExecutionKind.OPEN) -> Recorded:
    event = ev.ExecutionStarted(at=START, execution=replace(OF_B, kind=kind))
    return Recorded(event=event, before=HELD, after=replace(HELD, execution=event.execution))


def drawn(danger: Danger = Danger.COVERED, **options: object) -> Interruption:
    plain = Interruption(
        at=START, kind=ExecutionKind.OPEN, after_seconds=3.0, danger=danger, fraction=Decimal("0.3"), closed_seconds=9.0
    )
    return replace(plain, **options)


def test_the_next_trade_of_its_kind_beside_another_hedge_is_interrupted() -> None:
    happened: list[object] = []

    clock = VirtualClock(START)

    async def whole() -> None:
        drawing = Interruptions([drawn(closed=(Market.PERP,))], clock, happened.append)
        running = asyncio.ensure_future(drawing.run())
        drawing.on_notice(begun(ExecutionKind.CLOSE))
        assert not drawing.endings
        drawing.on_notice(begun())
        assert [ending.symbol for ending in drawing.endings] == [B]
        drawing.on_notice(begun())
        await clock.sleep(30)
        assert not drawing.endings
        running.cancel()

    run_virtual(clock, whole())
    assert [type(act) for act in happened] == [Closure, HandCover, Reopening]
    closing = next(act for act in happened if isinstance(act, Closure))
    assert (closing.symbol, closing.markets) == (B, (Market.PERP,))


@pytest.mark.parametrize(
    ("danger", "kind"), [(Danger.COVERED, HandCover), (Danger.RISE, PriceJump)], ids=["covered", "rise"]
)
def test_the_danger_is_of_the_other_hedge_and_the_market_of_the_traded_one_closes(danger: Danger, kind: type) -> None:
    acts = drawn(danger, closed=(Market.PERP,)).acts(B, A, START)
    assert [type(act) for act in acts] == [Closure, kind, Reopening]
    assert [getattr(act, "symbol", "") for act in acts] == [B, A, B]


# --- the judge -------------------------------------------------------------------------------------------------------


ORDER = OrderRequest(
    client_id="h9-s-1",
    market=Market.SPOT,
    symbol=A,
    side=Side.BUY,
    quantity=Decimal(1),
    price=Decimal(90),
    time_in_force=TimeInForce.GTX,
)


def at_work(harness: LegHarness, pair_held: str = A, **job: Any) -> Ledger:
    """Return a ledger whose job at work is about BBB, or AAA, with a hedge of the other pair beside it."""
    traded = pair_of(B) if pair_held == A else make_pair()
    held = hedge("10", hedge_id="h1", pair=make_pair() if pair_held == A else pair_of(B))
    execution = replace(new_job(ExecutionKind.OPEN, pair=traded, at=harness.now), hedge_id="h9")
    return replace(several_of(held), execution=replace(execution, **{"state": ExecutionState.LEADING, **job}))


def judged(harness: LegHarness, before: Ledger, detail: str = IN_DANGER) -> list[Invariant]:
    """Return what is broken when the job at work is set aside."""
    harness.holds(before)
    event = ev.ExecutionSuspended(at=harness.now, hedge_id="h9", detail=detail)
    return [rule for rule, _ in harness.turns.note(before, event, apply(before, event))]


def matched() -> LegHarness:
    """Return a hedge of AAA whose legs match after the fee in coin, some time after the hour, as prices were read."""
    return LegHarness().buys("10.02").shorts("10").advance_time(600)


def test_a_trade_that_is_set_aside_for_a_hedge_that_is_well_is_found() -> None:
    assert judged(matched(), at_work(matched())) == [Invariant.SUPPORTED]
    assert judged(matched(), at_work(matched()), "AAAUSDT is to be closed") == []
    assert judged(matched().covers("3"), at_work(matched())) == []


@pytest.mark.parametrize("leg", ["short", "coins"])
def test_a_trade_may_be_set_aside_for_a_hedge_of_which_others_took_a_hundredth(leg: str) -> None:
    harness = matched()
    _ = harness.covers("0.1") if leg == "short" else harness.sells("0.1")
    assert judged(harness, at_work(matched())) == []


def test_a_transfer_without_an_answer_and_a_false_reading_are_reasons_to_set_a_trade_aside() -> None:
    moving = TransferFunds(transfer_id="t", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)
    assert judged(matched(), replace(at_work(matched()), transfer=moving)) == []
    harness = matched()
    false = CauseSpan(begin=harness.now, end=harness.now + timedelta(hours=1), cause=Cause.FALSE)
    harness.exchange.spans.append(false)
    assert judged(harness, at_work(harness)) == []


def test_an_account_that_lags_may_still_show_the_danger_that_the_trade_has_ended() -> None:
    harness = matched()
    before = at_work(harness)
    harness.exchange.patience_seconds = 6.0
    harness.market_data.set_prices(harness.now + timedelta(seconds=10), "100", "185")
    harness.market_data.set_prices(harness.now + timedelta(seconds=12), "100", "100")
    sent = ev.CommandIssued(at=harness.now, command=PlaceOrder(hedge_id="h9", order=ORDER, fee_rate=ZERO))
    harness.advance_time(10).holds(before)
    assert list(harness.turns.note(before, sent, before)) == []
    assert judged(harness.advance_time(6), before) == []
    harness.advance_time(4)
    assert judged(harness, before) == [Invariant.SUPPORTED]


def test_a_trade_that_is_set_aside_while_an_order_of_it_rests_is_found() -> None:
    harness = LegHarness().advance_time(600)
    harness.world.place(ORDER)
    assert judged(harness, at_work(harness, B), "why") == [Invariant.DELTA]
    assert judged(harness, at_work(harness, B, state=ExecutionState.IN_DOUBT), "why") == []


def test_a_trade_that_is_never_taken_up_again_is_found() -> None:
    harness = matched().covers("3")
    before = at_work(harness)
    assert judged(harness, before) == []
    aside = set_aside(before)
    checked = ev.CycleCompleted(at=harness.now, number=1)
    harness.advance_time(TURN_SECONDS)
    assert list(harness.turns.note(aside, checked, aside)) == []
    harness.advance_time(1)
    assert [rule for rule, _ in harness.turns.note(aside, checked, aside)] == [Invariant.BOUND]
    harness.turns.revived()
    assert list(harness.turns.note(aside, checked, aside)) == []


def test_legs_that_differ_wait_for_the_trade_of_another_pair_for_a_minute_and_no_longer() -> None:
    harness = matched()
    ledger = at_work(harness)
    harness.legs.logged(ev.ExecutionStarted(at=harness.now, execution=OF_B))
    harness.holds(ledger).look()
    assert harness.owner_covers("4").look() == []
    assert harness.advance_time(BUSY_SECONDS).look() == []
    assert harness.advance_time(1).look() == []
    assert harness.advance_time(55).look() == []
    assert harness.advance_time(10).look() == [Invariant.EXPLAINED]
    harness.legs.logged(ev.ExecutionTakenUp(at=harness.now, hedge_id="h9"))
    assert harness.look() == [], "the trade has just been taken up again"


def kept(harness: LegHarness, seconds: float) -> list[Invariant]:
    """Return what is broken so many seconds later, by the judge of turns alone."""
    harness.advance_time(seconds).look()
    return [rule for rule, _ in harness.turns.look(harness.legs)]


def test_a_trade_that_does_not_give_way_to_legs_that_others_took_apart_is_found() -> None:
    harness = matched()
    aside = harness.holds(at_work(harness)).legs.ledger
    harness.owner_covers("4")
    assert kept(harness, 0) == []
    assert kept(harness, BUSY_SECONDS) == []
    assert kept(harness, 1) == [Invariant.DUTIES]
    taken_up = ev.ExecutionTakenUp(at=harness.now, hedge_id="h9")
    assert list(harness.turns.note(set_aside(aside), taken_up, aside)) == []
    assert kept(harness, 1) == [], "the other one has had its turn"
    assert kept(harness, BUSY_SECONDS) == []
    harness.turns.revived()
    assert kept(harness, 1) == [], "no bot was there to give way"
    harness.holds(replace(aside, execution=None))
    assert kept(harness, BUSY_SECONDS + 1) == [], "no trade is at work"


@pytest.mark.parametrize("what", ["closed", "out of order", "refused", "set aside"])
def test_a_trade_gives_way_only_to_legs_that_orders_would_match(what: str) -> None:
    harness = matched()
    job = at_work(harness)
    harness.holds(job).owner_covers("4")
    if what == "closed":
        harness.world.set_status(A, TradingStatus.CLOSED, (Market.SPOT,))
    elif what == "out of order":
        end = harness.now + timedelta(seconds=BUSY_SECONDS + 9)
        harness.exchange.spans.append(CauseSpan(begin=harness.now, end=end, cause=Cause.OUTAGE))
    elif what == "set aside":
        other = replace(new_job(ExecutionKind.CLOSE, at=harness.now), hedge_id="h1", state=ExecutionState.NAKED)
        harness.holds(replace(job, suspended={"h1": other}))
    assert kept(harness, 0) == []
    if what == "refused":
        harness.advance_time(BUSY_SECONDS).legs.note(Cause.REFUSED)
        assert kept(harness, 0) == []
    assert kept(harness, BUSY_SECONDS + 1 if what != "refused" else 30) == []


def test_an_opening_that_gave_way_was_not_given_up_for_nothing() -> None:
    harness = matched()
    job = replace(new_job(ExecutionKind.OPEN, at=harness.now), hedge_id="h9")
    harness.advance_time(60)
    given_up = ev.HedgeAborted(at=harness.now, hedge_id="h9", reason=Reason.OTHER_HEDGE, detail="", residue_value=ZERO)
    assert list(harness.duties.ends(job, given_up, ())) == []
    refused = replace(given_up, reason=Reason.REFUSED)
    assert [rule for rule, _ in harness.duties.ends(job, refused, ())] == [Invariant.DUTIES]
