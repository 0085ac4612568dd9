"""Runs whose bots hold several hedges: what is drawn for them, and what the judge holds of each and of all together."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play, play_seed, play_whole
from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.operator_requests import (
    CloseAllRequested,
    CloseRequested,
    HedgeSeen,
    OperatorRequest,
    Request,
    RequestOutcome,
)
from hedgerow.domain.position import DustLot, HedgedPosition, Reason
from hedgerow.simulation.causes import Cause, CauseSpan
from hedgerow.simulation.checks.conduct import Conduct
from hedgerow.simulation.checks.invariants import Invariant
from hedgerow.simulation.checks.legs import LegWatch
from hedgerow.simulation.checks.requests import Requests
from hedgerow.simulation.checks.separate import check_separate
from hedgerow.simulation.checks.truth import liquidation_distance, unused
from hedgerow.simulation.faults.incidents import held_pair
from hedgerow.simulation.generators.scenarios import draw_plan
from hedgerow.simulation.harness import ExchangeHarness
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.judging import JudgedExchange, LegHarness
from support.toy_venue import new_job
from support.views import NOW, account, fill, hedge, pair_of, several_of, short_of
from support.worlds import START, Listing, ScriptedMarketData, make_pair, make_world

A, B, C = "AAAUSDT", "BBBUSDT", "CCCUSDT"
MOST = 5
SEEDS = range(60)


# --- what is drawn ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 7, 16])
def test_a_run_for_one_hedge_draws_nothing_of_several(seed: int) -> None:
    assert draw_plan(seed, 14.0, hedges=1) == draw_plan(seed, 14.0)


def test_each_seed_draws_how_many_may_be_held_with_pairs_money_and_limits_for_them() -> None:
    plans = [draw_plan(seed, 3.0, hedges=MOST) for seed in SEEDS]
    slots = [plan.parameters.position_management.max_positions for plan in plans]
    limits = [plan.parameters.capital_management for plan in plans]
    assert set(slots) == set(range(1, MOST + 1))
    assert all(plan.pairs > number for plan, number in zip(plans, slots, strict=True))
    assert all(plan.usdt >= 400 * number for plan, number in zip(plans, slots, strict=True))
    assert {limit.max_position_equity for limit in limits} > {None}
    assert {limit.max_position_depth for limit in limits} > {None}
    assert {limit.max_position_usd for limit in limits} > {None}
    assert {limit.reserve_usd > 0 for limit in limits} == {True, False}


def test_a_run_for_three_hedges_holds_them_and_breaks_nothing() -> None:
    seed = next(s for s in SEEDS if draw_plan(s, 2.0, hedges=MOST).parameters.position_management.max_positions == 3)
    result, log, _ = play_whole(draw_plan(seed, 2.0, hedges=MOST, faults=False))
    assert result.violation is None
    held = [len(fold(log[:number]).open_hedges) for number in range(0, len(log), 20)]
    assert max(held) == 3


def with_three_slots(seed: int, days: float) -> object:
    plan = draw_plan(seed, days)
    management = replace(plan.parameters.position_management, max_positions=3)
    return play(replace(plan, parameters=replace(plan.parameters, position_management=management))).violation


def test_a_transfer_that_was_carried_out_before_a_crash_outlives_a_refused_nonce() -> None:
    assert with_three_slots(34, 3.0) is None


def test_legs_that_orders_can_match_again_are_no_false_reading() -> None:
    assert with_three_slots(151, 5.0) is None


def test_a_hedge_that_was_trimmed_in_a_check_lets_the_next_one_make_room() -> None:
    assert play_seed(765097, 14.0, hedges=5).violation is None


def test_the_time_of_an_incident_picks_one_of_the_held_pairs() -> None:
    world = make_world(ScriptedMarketData([Listing(A), Listing(B), Listing(C)]), usdt=900, perp=900)
    assert held_pair(world, START).symbol == A
    for symbol in (B, C):
        world.trade_by_hand(Market.PERP, symbol, Side.SELL, Decimal(1))
    picked = {held_pair(world, START + timedelta(microseconds=number)).symbol for number in range(4)}
    assert picked == {B, C}


# --- margin ----------------------------------------------------------------------------------------------------------


def test_shorts_of_one_wallet_are_as_far_from_liquidation_as_all_may_rise_together() -> None:
    rows = [short_of(symbol, "1", liquidation_price=Decimal(300)) for symbol in (A, B)]
    alone, both = account(rows[0], perp="100"), account(*rows, perp="100")
    assert liquidation_distance(alone, A) == pytest.approx(2.0)
    assert liquidation_distance(both, A) == liquidation_distance(both, B)
    assert (liquidation_distance(both, A) or 0.0) < 0.6


def test_margin_that_shorts_need_is_not_unused() -> None:
    rows = [short_of(symbol, "1") for symbol in (A, B)]
    worth = sum(-row.quantity * row.mark_price for row in rows)
    assert unused(account(*rows, perp="100", usdt="50")) == 50 + 100 - worth


# --- one hedge and the others ----------------------------------------------------------------------------------------


def two(*, second: str = B) -> Ledger:
    return several_of(hedge("10", hedge_id="h1", pair=pair_of(A)), hedge("10", hedge_id="h2", pair=pair_of(second)))


def changed(ledger: Ledger, hedge_id: str, funding: str) -> Ledger:
    hedges = dict(ledger.hedges)
    hedges[hedge_id] = replace(hedges[hedge_id], funding_received=Decimal(funding))
    return replace(ledger, hedges=hedges)


def rules(before: Ledger, event: ev.Event, after: Ledger, most: int = MOST) -> list[Invariant]:
    return [rule for rule, _ in check_separate(before, event, after, most=most)]


def test_an_event_of_one_hedge_that_changes_another_is_found() -> None:
    event = ev.HedgeRepaired(at=NOW, hedge_id="h1")
    assert rules(two(), event, changed(two(), "h1", "3")) == []
    assert rules(two(), event, changed(two(), "h2", "3")) == [Invariant.SEPARATE]


def test_a_fee_that_is_charged_to_another_hedge_is_found() -> None:
    event = ev.FeeBooked(
        at=NOW, client_id="h1-s-1", fill=fill(Market.SPOT, Side.BUY, "1", symbol=A), fee_quote=Decimal(1)
    )
    assert set(rules(two(), event, changed(two(), "h2", "3"))) == {Invariant.SEPARATE}


def test_dust_of_another_coin_that_is_given_to_a_closing_is_found() -> None:
    for asset, broken in (("AAA", []), ("BBB", [Invariant.SEPARATE])):
        lot = DustLot(asset=asset, quantity=Decimal(1), cost=Decimal(1))
        event = ev.DustSwept(at=NOW, hedge_id="h1", lot=lot)
        assert rules(two(), event, changed(two(), "h1", "3")) == broken


def test_two_hedges_of_one_pair_and_one_hedge_too_many_are_found() -> None:
    event = ev.CycleCompleted(at=NOW, number=1)
    assert rules(Ledger(), event, two(second=A)) == [Invariant.SEPARATE]
    assert rules(Ledger(), event, two(), most=1) == [Invariant.SETTINGS]
    assert rules(two(), event, changed(two(), "h1", "3"), most=1) == [], "the limit was lowered while they were held"


@pytest.mark.parametrize(
    ("state", "cause", "violated"),
    [
        (ExecutionState.IN_DOUBT, None, True),
        (ExecutionState.IN_DOUBT, Cause.OUTAGE, False),
        (ExecutionState.UNWINDING, Cause.OUTAGE, True),
    ],
)
def test_an_order_in_doubt_waits_for_an_exchange_that_is_out_of_order(
    state: ExecutionState, cause: Cause | None, *, violated: bool
) -> None:
    harness = LegHarness().buys("10")
    harness.holds(
        Ledger(execution=replace(new_job(ExecutionKind.OPEN, pair=make_pair(), at=harness.now), state=state))
    ).look()
    if cause:
        harness.exchange.spans.append(CauseSpan(begin=harness.now, end=harness.now + timedelta(hours=1), cause=cause))
    found = harness.advance_time(300).look()
    assert (Invariant.BOUND in found) is violated


def test_a_trade_for_profit_while_another_one_is_set_aside_is_found() -> None:
    duties = LegHarness().duties
    waiting = Ledger(suspended={"h1": new_job(ExecutionKind.CLOSE)})
    opening = replace(new_job(ExecutionKind.OPEN), hedge_id="h2")
    assert list(duties.begins(opening, Ledger())) == []
    assert [rule for rule, _ in duties.begins(opening, waiting)] == [Invariant.DUTIES]
    assert list(duties.begins(replace(opening, kind=ExecutionKind.CLOSE, reason=Reason.HEALTH), waiting)) == []


# --- requests --------------------------------------------------------------------------------------------------------


def closing(hedge_id: str) -> HedgeExecution:
    return replace(new_job(ExecutionKind.CLOSE), hedge_id=hedge_id, reason=Reason.USER)


def asked(action: Request, held: HedgedPosition | None = None) -> OperatorRequest:
    seen = HedgeSeen(hedge_id=held.hedge_id, symbol=held.symbol) if held else None
    return OperatorRequest(
        request_id="1", action=action, user="owner", asked_at=NOW, valid_until=NOW + timedelta(hours=1), hedge=seen
    )


def handled(request: OperatorRequest, outcome: RequestOutcome = RequestOutcome.DONE) -> ev.RequestHandled:
    return ev.RequestHandled(at=NOW, request=request, outcome=outcome, text="")


def test_a_closing_that_hits_another_hedge_than_the_one_asked_for_is_found() -> None:
    judge = Requests()
    judge.asked(asked(CloseRequested(symbol=A), two().hedges["h1"]))
    assert list(judge.begins(closing("h1"))) == []
    assert [rule for rule, _ in judge.begins(closing("h2"))] == [Invariant.REQUESTS]
    judge.asked(asked(CloseAllRequested()))
    assert list(judge.begins(closing("h2"))) == []


def test_a_hedge_that_is_said_to_be_closed_and_is_held_is_found() -> None:
    judge, one, every = Requests(), asked(CloseRequested(symbol=A), two().hedges["h1"]), asked(CloseAllRequested())
    assert [rule for rule, _ in judge.handled(handled(one), two())] == [Invariant.REQUESTS]
    assert [rule for rule, _ in judge.handled(handled(every), two())] == [Invariant.REQUESTS]
    assert list(judge.handled(handled(one, RequestOutcome.REFUSED), two())) == []
    assert list(judge.handled(handled(every), Ledger())) == []


# --- limits ----------------------------------------------------------------------------------------------------------


def test_what_limits_one_position_is_a_part_of_an_equity_with_the_held_coins_at_the_prices_now() -> None:
    data = ScriptedMarketData([Listing(A, rate="0.0006"), Listing(B, rate="0.0006")])
    data.set_prices(START + timedelta(minutes=20), 50, symbol=A)
    world = make_world(data, usdt=1000, perp=1000)
    world.trade_by_hand(Market.SPOT, A, Side.BUY, Decimal(4))
    world.trade_by_hand(Market.PERP, A, Side.SELL, Decimal(4))
    exchange: ExchangeHarness = JudgedExchange(world)  # type: ignore[assignment] # the judge reads no more of it
    capital = CapitalManagement(max_position_equity=Decimal("0.25"))
    settings = StrategyParameters(capital_management=capital, position_management=PositionManagement(max_positions=2))
    conduct = Conduct(exchange, lambda: settings, LegWatch(exchange, owners={}))
    held = several_of(hedge("4", hedge_id="h1", pair=make_pair(A)))
    world.advance(START + timedelta(minutes=30))

    def judged(coins: str) -> list[str]:
        opening = new_job(ExecutionKind.OPEN, pair=make_pair(B), spot=coins, limits=settings.execution)
        found = conduct.begins(replace(opening, hedge_id="h2"), held)
        return [text for _, text in found if "its part of the equity" in text]

    # 2,000 USDT are worth 2,000 still: a quarter of them is 250 per leg, of coins at 100.
    assert judged("2.45") == [], "the coins that are held count"
    assert len(judged("2.65")) == 1, "at what they are worth, not at what they were bought for"
