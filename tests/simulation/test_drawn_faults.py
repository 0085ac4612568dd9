"""What a seed draws: changes of markets that an exchange accepts, replies that lie, and runs of months."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play, play_whole
from hedgerow.clock import VirtualClock
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import Answer, Claim, ResumeRequested
from hedgerow.emulator.core.market_changes import Redenomination
from hedgerow.emulator.core.world import World
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import SubmitFault
from hedgerow.emulator.inprocess.readings import (
    AccountEndpoint,
    AccountMutation,
    AccountReading,
    LateFunding,
    LateRates,
    MarketReading,
    MarketSubject,
)
from hedgerow.emulator.wire.rest.faults import RequestFault
from hedgerow.emulator.wire.rest.mutations import Mutation
from hedgerow.engine.execution import order_resolution as evidence
from hedgerow.simulation.causes import Cause
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.faults.alterations import REDENOMINATED, RELABELLED, Alteration, AlterationKind, change_of
from hedgerow.simulation.faults.incidents import Deleveraging, Delisting, HandCover, HandSale, apply_incident
from hedgerow.simulation.faults.owner import OwnersMailbox
from hedgerow.simulation.faults.wire import RequestFaultAct
from hedgerow.simulation.generators.scenarios import LONG_PAIRS, draw_plan
from hedgerow.simulation.harness import spans_of
from hedgerow.simulation.scenario import FalseReading, RunPlan, Transport, transports, venue_faults
from hedgerow.strategy.evidence.absence import COINS_CONFIRMED_SECONDS
from support.worlds import START, SYMBOL, make_world

SEEDS = range(200)


@pytest.mark.parametrize("transport", list(Transport))
def test_a_run_draws_only_faults_that_apply_on_its_transport(transport: Transport) -> None:
    drawn = [fault for seed in range(60) for fault in draw_plan(seed, 5, transport=transport).drawn_faults]
    assert {type(fault) for fault in drawn if transport not in transports(fault)} == set()
    assert any(transports(fault) == {transport} for fault in drawn)
    assert any(transports(fault) == set(Transport) for fault in drawn)


def test_a_plan_with_a_fault_of_the_other_transport_is_refused_in_one_line() -> None:
    process, wire = (draw_plan(1, 1.0, transport=transport, faults=False) for transport in Transport)
    refused = SubmitFault(fault=FaultKind.REJECT)
    banned = RequestFaultAct(at=START, fault=RequestFault(fault=FaultKind.BANNED))
    with pytest.raises(ValueError, match=r"^SubmitFault applies to transport process, not to wire$"):
        replace(wire, drawn_faults=(refused,))
    with pytest.raises(ValueError, match=r"^RequestFaultAct applies to transport wire, not to process$"):
        replace(process, drawn_faults=(banned,))
    assert replace(process, drawn_faults=(refused,)).drawn_faults == (refused,)
    assert replace(wire, drawn_faults=(banned,)).drawn_faults == (banned,)


@pytest.mark.parametrize("market", list(Market))
@pytest.mark.parametrize("kind", [kind for kind in AlterationKind if kind not in REDENOMINATED])
def test_an_exchange_accepts_every_alteration_and_is_itself_again_after_it(
    kind: AlterationKind, market: Market
) -> None:
    world = make_world()
    before = world.pair(SYMBOL)
    assert before is not None
    books = {leg: world.depth(leg, SYMBOL) for leg in Market}
    world.change_market(change_of(Alteration(at=START, kind=kind, market=market, seconds=60.0), before, Decimal(100)))
    world.advance(START + timedelta(seconds=61))
    assert world.pair(SYMBOL) == before
    assert all(world.depth(leg, SYMBOL).touch(side) == books[leg].touch(side) for leg in Market for side in Side)


def test_every_alteration_is_drawn() -> None:
    drawn = [t for seed in SEEDS for t in draw_plan(seed, 14).drawn_faults if isinstance(t, Alteration)]
    assert {alteration.kind for alteration in drawn} == set(AlterationKind)


def redenominated() -> World:
    """Return an exchange on which a short of 655 old coins is one of 0.655 new ones, beside as many coins."""
    world = make_world(usdt=200_000, perp=200_000)
    world.trade_by_hand(Market.SPOT, SYMBOL, Side.BUY, Decimal(655))
    world.trade_by_hand(Market.PERP, SYMBOL, Side.SELL, Decimal(655))
    world.change_market(Redenomination(symbol=SYMBOL, factor=Decimal(1000)))
    assert world.account().short(SYMBOL) == Decimal("0.655")
    return world


def test_a_coin_is_redenominated_only_while_balances_still_count_it() -> None:
    hours = [
        Alteration(at=START + timedelta(hours=n), kind=REDENOMINATED[0], market=Market.PERP, seconds=60.0, pair=0)
        for n in range(1, 5)
    ]
    _, _, world = play_whole(replace(draw_plan(3, 0.5), drawn_faults=tuple(hours)))
    first = world.market_data.pairs[0].symbol
    prices = world.prices(first)
    assert prices is not None
    assert Decimal("1e5") < prices.spot < Decimal("2e8")  # 1e12 times what it was without a limit


def test_a_delisting_leaves_no_part_of_a_short_that_is_less_than_a_lot_of_before() -> None:
    world = redenominated()
    apply_incident(Delisting(at=world.now), world)
    assert world.account().short(SYMBOL) == 0


def test_an_owner_and_a_venue_take_parts_of_redenominated_legs_by_the_lots_of_now() -> None:
    world = redenominated()
    apply_incident(HandSale(at=world.now, fraction=Decimal("0.5")), world)
    apply_incident(Deleveraging(at=world.now, fraction=Decimal("0.2")), world)
    apply_incident(HandCover(at=world.now, fraction=Decimal("0.5")), world)
    assert world.account().short(SYMBOL) == Decimal("0.262")
    assert world.account().coin("AAA").total < Decimal("0.328")


def drawn_readings() -> list[FalseReading]:
    return [t for seed in range(400) for t in draw_plan(seed, 14).drawn_faults if isinstance(t, FalseReading)]


def test_every_false_reading_is_drawn_and_never_both_endpoints_of_an_account_at_once() -> None:
    drawn = drawn_readings()
    account = [each for each in drawn if isinstance(each, AccountReading)]
    market = [each for each in drawn if isinstance(each, MarketReading)]
    assert {each.mutation for each in account} == set(AccountMutation)
    assert {each.endpoints for each in account} == {(endpoint,) for endpoint in AccountEndpoint}
    assert {each.noticed for each in account} == {True, False}
    assert {each.subject for each in market} == set(MarketSubject)
    assert len({each.endpoints for each in market}) == 3
    assert {type(each) for each in drawn} == {AccountReading, MarketReading, LateFunding, LateRates}


def test_a_balance_is_false_for_less_than_the_time_after_which_it_is_believed() -> None:
    spans = [
        each.until - each.after
        for each in drawn_readings()
        if isinstance(each, AccountReading) and each.until and each.after
    ]
    assert max(spans) < timedelta(seconds=COINS_CONFIRMED_SECONDS)


def test_a_false_reading_is_given_to_the_exchange_and_explains_its_span() -> None:
    plan = next(p for p in (draw_plan(seed, 14) for seed in SEEDS) if readings_of(p))
    faults = venue_faults(plan.drawn_faults)
    given = (*faults.account_readings, *faults.market_readings, *faults.late_funding, *faults.late_rates)
    assert set(given) == set(readings_of(plan))
    assert len([span for span in spans_of(plan) if span.cause is Cause.FALSE]) == len(given)


def readings_of(plan: RunPlan) -> list[FalseReading]:
    return [trouble for trouble in plan.drawn_faults if isinstance(trouble, FalseReading)]


def without_a_short(seconds: float) -> RunPlan:
    """Return a run in which one endpoint shows no short for a while."""
    plan = replace(draw_plan(1, 1.0), drawn_faults=())
    begin = plan.begin + timedelta(hours=9)
    false = AccountReading(
        mutation=AccountMutation.POSITION_MISSING,
        noticed=False,
        after=begin,
        until=begin + timedelta(seconds=seconds),
    )
    return replace(plan, drawn_faults=(false,))


def test_a_bot_that_believes_one_endpoint_is_caught_while_the_reading_is_false(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = without_a_short(7200)
    assert play(plan).violation is None
    monkeypatch.setattr(evidence, "confirmed_short", lambda reading, _: reading.shown or 0)
    found = play(plan).violation
    assert found is not None
    assert found.rule is Invariant.SUPPORTED


def test_perpetuals_that_are_not_what_their_ticker_says_are_drawn_held_or_not() -> None:
    drawn = [t for seed in SEEDS for t in draw_plan(seed, 14).drawn_faults if isinstance(t, Alteration)]
    labels = [alteration for alteration in drawn if alteration.kind in RELABELLED]
    assert {label.pair is None for label in labels} == {True, False}
    assert {alteration.pair for alteration in drawn if alteration.kind not in RELABELLED} == {None}


def test_one_run_in_ten_spans_months_with_many_pairs_and_short_ones_never_do() -> None:
    plans = [draw_plan(seed, 14) for seed in SEEDS]
    long = [plan for plan in plans if plan.days != 14]
    assert 10 <= len(long) <= 30
    assert all(120 <= plan.days <= 400 and plan.pairs == LONG_PAIRS for plan in long)
    assert {draw_plan(seed, 3).days for seed in SEEDS} == {3}
    assert {draw_plan(seed, 14, transport=Transport.WIRE).days for seed in range(40)} == {14}


def test_replies_of_the_wire_lie_in_every_way() -> None:
    drawn = [
        trouble.fault
        for seed in SEEDS
        for trouble in draw_plan(seed, 1, transport=Transport.WIRE).drawn_faults
        if isinstance(trouble, RequestFaultAct)
    ]
    kinds = Counter(fault.fault for fault in drawn)
    new = {FaultKind.REWRITE, FaultKind.IDLE_NOOP, FaultKind.LATE_ROWS, FaultKind.PAGE_BEFORE, FaultKind.PAGE_AFTER}
    assert new <= kinds.keys()
    assert {Mutation.ABSENT, Mutation.EMPTY, Mutation.NULL, Mutation.NAN, Mutation.HUGE} <= _mutations(drawn)


def _mutations(faults: list[RequestFault]) -> set[Mutation | None]:
    return {fault.mutation for fault in faults}


def test_the_owner_asks_once_until_he_is_answered() -> None:
    mailbox = OwnersMailbox(VirtualClock(START))
    mailbox.resume()
    mailbox.resume()
    assert [(each.request_id, each.action) for each in mailbox.take()] == [("1", ResumeRequested())]
    assert mailbox.claim("1") is Claim.TAKEN
    mailbox.answer("1", Answer(done=True, text="ok"))
    assert not mailbox.waiting
    mailbox.resume()
    assert [each.request_id for each in mailbox.take()] == ["2"]
    assert mailbox.flaws == []


def test_requests_answered_twice_or_after_their_time_are_noticed() -> None:
    clock = VirtualClock(START)
    mailbox = OwnersMailbox(clock)
    mailbox.resume()
    clock.advance_time(3601)
    assert mailbox.claim("1") is Claim.EXPIRED
    mailbox.answer("1", Answer(done=True, text="ok"))
    mailbox.answer("1", Answer(done=False, text="expired"))
    assert mailbox.claim("1") is Claim.WITHDRAWN
    assert len(mailbox.flaws) == 3
