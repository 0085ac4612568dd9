"""What the judge holds an order against: the settings, and what a bot can know when it sends one."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from hedgerow.app.simulation.run import play_whole
from hedgerow.domain import events as ev
from hedgerow.domain.execution import ExecutionKind, ExecutionState
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.order import OrderRequest
from hedgerow.domain.position import Reason, Tally
from hedgerow.emulator.core.market_changes import BookDistortion, Redenomination
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.wire.rest.faults import RequestFault
from hedgerow.simulation.checks.invariants import SLACK_SECONDS, STATE_SECONDS, Exposure, Invariant, check_exposure
from hedgerow.simulation.checks.monitor import Monitor
from hedgerow.simulation.checks.truth import unused
from hedgerow.simulation.faults.alterations import Alteration, AlterationKind
from hedgerow.simulation.faults.wire import RequestFaultAct
from hedgerow.simulation.generators.execution_style import Style
from hedgerow.simulation.generators.scenarios import draw_plan
from hedgerow.simulation.scenario import Transport
from hedgerow.strategy.parameters import (
    CapitalManagement,
    FundingRateStrategy,
    PositionManagement,
    StrategyParameters,
)
from support.judging import LegHarness
from support.toy_venue import new_job
from support.views import NOW, hedge, ledger_of
from support.worlds import SYMBOL, make_pair

PAIR = make_pair()
MINUTE = timedelta(seconds=60)


def opening(seconds: float = 300.0) -> LegHarness:
    """Return an opening at work, begun now, with nothing traded yet."""
    harness = LegHarness().advance_time(seconds)
    job = new_job(ExecutionKind.OPEN, pair=PAIR, spot="10", perp="10", at=harness.now)
    harness.holds(Ledger(execution=job)).look()
    return harness


def order(beyond_bps: str, side: Side = Side.SELL, market: Market = Market.PERP) -> OrderRequest:
    """Return an order of five coins that accepts so much beyond the touch."""
    touch = Decimal("99.99") if side is Side.SELL else Decimal("100.01")
    price = touch * (1 + side.sign * Decimal(beyond_bps) / 10_000)
    return OrderRequest(client_id="h1-1", market=market, symbol=SYMBOL, side=side, quantity=Decimal(5), price=price)


# --- caps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("naked", "beyond", "violated"), [(1, "35", False), (1, "50", True), (6, "50", False)])
def test_a_cap_is_as_wide_as_the_naked_time_lets_it_be(naked: float, beyond: str, *, violated: bool) -> None:
    harness = opening().buys("5")
    harness.look()
    assert harness.advance_time(naked).leaves(order(beyond)) == ([Invariant.SETTINGS] if violated else [])


@pytest.mark.parametrize(("quantity", "violated"), [("0.201", False), ("0.202", True)])
def test_the_fee_of_a_purchase_makes_no_order_of_one_that_is_too_little_to_count(
    quantity: str, *, violated: bool
) -> None:
    purchase = replace(order("50", Side.BUY, Market.SPOT), quantity=Decimal(quantity))
    assert opening().leaves(purchase) == ([Invariant.SETTINGS] if violated else [])


def test_a_match_that_a_bot_could_see_makes_the_cap_narrow_again() -> None:
    harness = opening().buys("5")
    harness.look()
    harness.advance_time(10).shorts("5").look()
    harness.advance_time(6).buys("5").look()
    assert harness.leaves(order("50")) == [Invariant.SETTINGS]


def test_a_match_that_was_over_before_it_could_be_known_leaves_the_cap_wide() -> None:
    harness = opening().buys("5")
    harness.look()
    harness.advance_time(10).shorts("5").look()
    harness.advance_time(4).buys("5").look()
    assert harness.leaves(order("50")) == []


@pytest.mark.parametrize(
    ("taken", "seconds", "violated"),
    [
        pytest.param("5", 4, False, id="the venue took a part that the log does not have yet"),
        pytest.param("5", 6, True, id="the bot could see by now that legs match"),
        pytest.param(None, 4, True, id="nobody took anything"),
    ],
)
def test_a_naked_closing_goes_on_at_its_cap_until_it_can_see_what_others_took(
    taken: str | None, seconds: float, *, violated: bool
) -> None:
    harness = LegHarness().buys("10.004").shorts("10").advance_time(300)
    job = new_job(ExecutionKind.CLOSE, pair=PAIR, spot="10", perp="10", at=harness.now)
    held = hedge("10", pair=PAIR)
    harness.holds(ledger_of(held, execution=replace(job, state=ExecutionState.NAKED))).sells("9.99").look()
    if taken is not None:
        harness.advance_time(60).deleverages(taken).look()
    harness.advance_time(300).covers("10" if taken is None else "5").look()
    assert harness.legs.exposed == {}
    harness.advance_time(seconds).look()
    assert harness.leaves(order("200", Side.BUY)) == ([Invariant.SETTINGS] if violated else [])


@pytest.mark.parametrize(("seconds", "violated"), [(4, False), (6, True)])
def test_whether_legs_matched_is_seen_by_the_grids_of_a_redenominated_coin(seconds: float, *, violated: bool) -> None:
    harness = LegHarness(price="100")
    harness.world.change_market(Redenomination(symbol=SYMBOL, factor=Decimal(1000)))
    pair = harness.advance_time(300).world.pair(SYMBOL)
    assert pair is not None
    job = new_job(ExecutionKind.OPEN, pair=pair, spot="0.01", perp="0.01", at=harness.now)
    harness.holds(Ledger(execution=job)).buys("0.0005").look()
    harness.advance_time(10).shorts("0.0005").look()
    harness.advance_time(seconds).buys("0.0005").look()
    touch = harness.world.depth(Market.PERP, SYMBOL).touch(Side.SELL)
    assert touch is not None
    price, quantity = touch * Decimal("0.995"), Decimal("0.0005")
    late = OrderRequest(
        client_id="h1-1", market=Market.PERP, symbol=SYMBOL, side=Side.SELL, quantity=quantity, price=price
    )
    assert harness.leaves(late) == ([Invariant.SETTINGS] if violated else [])


# --- entry prices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("market", "shift_bps", "seconds", "violated"),
    [
        (Market.SPOT, 2000, 6, True),
        (Market.SPOT, 2000, 4, False),
        (Market.SPOT, 150, 6, False),
        (Market.SPOT, -2000, 6, False),
        (Market.PERP, -2000, 6, True),
    ],
)
def test_an_opening_that_leads_on_in_a_wick_that_it_has_seen_breaks_the_settings(
    market: Market, shift_bps: int, seconds: float, *, violated: bool
) -> None:
    harness = opening()
    wick = BookDistortion(symbol=SYMBOL, seconds=60, market=market, shift_bps=Decimal(shift_bps))
    harness.world.change_market(wick)
    harness.conduct.acted()
    touch = harness.advance_time(seconds).world.depth(Market.SPOT, SYMBOL).touch(Side.BUY)
    assert touch is not None
    leading = replace(order("0", Side.BUY, Market.SPOT), price=touch)
    assert harness.leaves(leading) == ([Invariant.SETTINGS] if violated else [])


def test_coins_that_are_bought_already_are_hedged_in_a_wick() -> None:
    harness = opening().buys("5")
    wick = BookDistortion(symbol=SYMBOL, seconds=60, market=Market.SPOT, shift_bps=Decimal(2000))
    harness.world.change_market(wick)
    harness.conduct.acted()
    assert harness.advance_time(6).leaves(order("5")) == []


@pytest.mark.parametrize("market", list(Market))
def test_an_honest_bot_leads_no_opening_on_while_one_book_is_away(market: Market) -> None:
    plan = draw_plan(5, 0.1, style=Style.MAKER, faults=False)
    _, log, world = play_whole(plan)
    first = next(e for e in log if isinstance(e, ev.OrderEnded) and e.filled_quantity)
    symbol = next(e.execution.symbol for e in log if isinstance(e, ev.ExecutionStarted))
    kind = AlterationKind.WICK_UP if market is Market.SPOT else AlterationKind.WICK_DOWN
    number = [pair.symbol for pair in world.market_data.pairs].index(symbol)
    wick = Alteration(at=first.at + timedelta(seconds=1), kind=kind, market=market, seconds=60.0, pair=number)
    result, log, _ = play_whole(replace(plan, drawn_faults=(wick,)))
    assert result.violation is None
    coins = [e for e in log if isinstance(e, ev.OrderEnded) and "-s-" in e.client_id and e.at < wick.at + MINUTE]
    paid = {(e.filled_notional / e.filled_quantity).quantize(Decimal("0.001")) for e in coins if e.filled_quantity}
    assert len(coins) > 1
    assert max(paid) < min(paid) * Decimal("1.02")


# --- what a bot logs last --------------------------------------------------------------------------------------------


def test_a_plan_that_a_bot_logged_before_its_process_ended_is_judged_by_what_was_true_then() -> None:
    harness = LegHarness()
    judge = Monitor(harness.exchange, owners={}, parameters=StrategyParameters)  # type: ignore[arg-type] # it reads no more
    harness.advance_time(300)
    job = new_job(ExecutionKind.OPEN, pair=PAIR, spot="10", perp="10", at=harness.now)
    job = replace(job, plan=replace(job.plan, leverage=2))
    judge.appended((ev.ExecutionStarted(at=harness.now, execution=job),), durable=True)
    logged_at = harness.now
    judge.died()
    assert judge.ledger.execution == job
    found = [violation for violation in judge.violations if "leverage of 2" in violation.text]
    assert [violation.at for violation in found] == [logged_at]
    before = len(judge.violations)
    harness.advance_time(30_000)
    judge.revived()
    judge.loaded(judge.ledger)
    assert len(judge.violations) == before


# --- the part of the money -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("beyond", "violated"), [("10", False), ("40", True)])
def test_what_is_kept_free_for_shorts_that_are_held_may_leave_enough_for_one_hedge_less(
    beyond: str, *, violated: bool
) -> None:
    plain = LegHarness().shorts("10").advance_time(300)  # 1,000 USDT, of which 20 are kept free
    least = (unused(plain.world.account()) - Decimal(beyond)) / 2
    parameters = StrategyParameters(
        capital_management=CapitalManagement(min_capital_usd=least),
        position_management=PositionManagement(max_positions=4),
    )
    harness = LegHarness(parameters=parameters).shorts("10").advance_time(300)
    harness.holds(ledger_of(hedge("10", pair=make_pair("BBBUSDT"))))
    job = new_job(ExecutionKind.OPEN, pair=PAIR, spot="900", perp="900", at=harness.now)
    found = [text for _, text in harness.conduct.begins(job, harness.legs.ledger)]
    assert any("its part of what is free" in text for text in found) is violated


# --- corrective closings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coins", "short", "violated"),
    [
        pytest.param("0.30", "0.22", False, id="27 %, 8 USDT"),
        pytest.param("0.22", "0.30", False, id="27 %, too few coins"),
        pytest.param("1.00", "0.94", True, id="6 %, 6 USDT"),
        pytest.param("0.30", "0.26", True, id="13 %, 4 USDT: too little for an order"),
    ],
)
def test_a_small_hedge_is_closed_for_legs_that_differ_by_a_tenth_and_an_order(
    coins: str, short: str, *, violated: bool
) -> None:
    harness = LegHarness().buys(coins).shorts(short).holds(ledger_of(hedge("1", pair=PAIR))).advance_time(300)
    harness.look()
    assert harness.legs.exposed == {}, "less than two smallest orders"
    job = new_job(ExecutionKind.CLOSE, pair=PAIR, spot=coins, perp=short, at=harness.now, urgent=True)
    rules = [rule for rule, _ in harness.conduct.begins(replace(job, reason=Reason.IMBALANCE), harness.legs.ledger)]
    assert (Invariant.SUPPORTED in rules) is violated


# --- fees covered ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dust", "funding", "violated"), [("0", "0.8", True), ("0", "1", False), ("5", "1", False)])
def test_dust_that_a_closing_sells_as_well_is_no_cost_that_funding_has_to_cover(
    dust: str, funding: str, *, violated: bool
) -> None:
    management = PositionManagement(fee_coverage_multiplier=1.0)
    harness = LegHarness(parameters=StrategyParameters(position_management=management)).buys("10").shorts("10")
    held = hedge("10", pair=PAIR, funding=funding)  # 0.15 USDT were paid, 0.4 and 0.35 are to be paid
    swept = Decimal(dust)
    held = replace(held, swept_quantity=swept, tally=Tally.of(held.orders, swept_quantity=swept))
    harness.holds(ledger_of(held)).advance_time(300)
    job = new_job(ExecutionKind.CLOSE, pair=PAIR, spot=str(10 + swept), perp="10", at=harness.now)
    found = harness.conduct.begins(replace(job, reason=Reason.FEES_COVERED), harness.legs.ledger)
    assert [text for _, text in found if "fees covered" in text] == (
        ["AAAUSDT is closed for fees covered, but funding is 0.8000, 0.9000 wanted"] if violated else []
    )


# --- the leverage ----------------------------------------------------------------------------------------------------


def test_a_job_that_begins_after_the_owner_changed_the_leverage_sells_no_short_at_it() -> None:
    harness = opening()
    harness.world.set_leverage(SYMBOL, 5)
    harness.conduct.acted()
    job = new_job(ExecutionKind.OPEN, pair=PAIR, spot="10", perp="10", at=harness.now + timedelta(seconds=1))
    harness.holds(Ledger(execution=job)).advance_time(200).buys("5").look()
    assert harness.leaves(order("5")) == [Invariant.SETTINGS]


def test_coins_that_are_bought_already_are_hedged_at_a_leverage_that_the_owner_changed_meanwhile() -> None:
    harness = opening().buys("5")
    harness.look()
    harness.world.set_leverage(SYMBOL, 5)
    harness.conduct.acted()
    assert harness.advance_time(200).leaves(order("5")) == []


# --- entry filters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "violated"), [(1.0, False), (2.0, True)])
def test_a_book_that_the_bots_own_trade_has_thinned_is_known_a_second_later(seconds: float, *, violated: bool) -> None:
    harness = LegHarness(parameters=StrategyParameters(funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1)))
    harness.market_data.set_liquidity(half_spread_bps=20, depth_notional=100_000)
    harness.advance_time(300).buys("2").sells("1").advance_time(seconds)
    job = new_job(ExecutionKind.OPEN, pair=PAIR, spot="1", perp="1", at=harness.now)
    rules = {rule for rule, _ in harness.conduct.begins(job, Ledger())}
    assert rules == ({Invariant.SETTINGS} if violated else set())


# --- orders in doubt -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "violated"), [(60, False), (84, False), (86, True)])
def test_legs_stay_apart_in_doubt_for_the_window_of_a_nonce_and_no_longer(seconds: float, *, violated: bool) -> None:
    begun = NOW - timedelta(seconds=seconds)
    found = Exposure(
        symbol=SYMBOL,
        quantity=Decimal(4),
        notional=Decimal(400),
        begun=begun,
        own_begun=begun,
        since=NOW,
        state_since=begun,
        taken=False,
    )
    job = replace(new_job(pair=PAIR), state=ExecutionState.IN_DOUBT, naked_alarmed=True)
    rules = [rule for rule, _ in check_exposure(found, Ledger(execution=job), NOW, patience=0.0)]
    assert rules == ([Invariant.BOUND] if violated else [])


def test_an_order_without_an_answer_keeps_an_honest_bot_in_doubt_for_longer_than_any_other_state() -> None:
    plan = draw_plan(1, 0.06, transport=Transport.WIRE, faults=False)
    silent = RequestFault(fault=FaultKind.SILENT_BEFORE, path="/fapi/v3/order", method="POST", contains="SELL", times=1)
    unanswered = RequestFault(fault=FaultKind.SILENT_BEFORE, path="noop", times=0, for_seconds=120.0)
    drawn_faults = (RequestFaultAct(at=plan.begin, fault=silent), RequestFaultAct(at=plan.begin, fault=unanswered))
    result, log, _ = play_whole(replace(plan, drawn_faults=drawn_faults))
    assert result.violation is None
    states = [e for e in log if isinstance(e, ev.ExecutionStepped) and e.change and e.change.state is not UNSET]
    stays = {e.change.state: (states[n + 1].at - e.at).total_seconds() for n, e in enumerate(states[:-1]) if e.change}
    assert stays[ExecutionState.IN_DOUBT] > STATE_SECONDS[ExecutionState.FOLLOWING] + SLACK_SECONDS
