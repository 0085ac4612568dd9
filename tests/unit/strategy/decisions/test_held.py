from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import TransferDirection, TransferFunds
from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionPlan, ExecutionState, HedgeExecution
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.ledger.state import Incident, Ledger, StandingHalt, Target
from hedgerow.domain.market import MarketView
from hedgerow.domain.position import HedgedPosition, OrderRecord, Reason, Tally
from hedgerow.strategy.decisions.entry import candidates, entry_refusals, openings_blocked, plan_opening, shortlist
from hedgerow.strategy.decisions.held import closing_obstacle, decide_held, evaluation_of, judged
from hedgerow.strategy.observation import (
    Close,
    Decision,
    Hold,
    HoldReason,
    Observation,
    Open,
    Refusal,
    RefusalKind,
    Roll,
    TopUpMargin,
    Trim,
)
from hedgerow.strategy.parameters import (
    CapitalManagement,
    PositionManagement,
    RiskManagement,
    SamePair,
    StopOn,
    StrategyParameters,
)
from hedgerow.strategy.policies import VolumeFarming
from support.views import (
    NOW,
    FixedMarket,
    account,
    depth,
    fill,
    hedge,
    holding,
    instrument,
    ledger_of,
    listing,
    market_of,
    pair_of,
    short_of,
)

GUIDE = VolumeFarming(StrategyParameters())
HELD = listing(pair=pair_of())
CALM = market_of(HELD)
TEN = hedge("10")


def observed(market: MarketView | None = CALM, seen: AccountView | None = None, **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "at": NOW,
        "market": market,
        "account": seen or holding(short_of(quantity="10"), coins="10"),
    }
    return Observation(**{**values, **changes})


def decided(
    held: HedgedPosition = TEN, observation: Observation | None = None, policy: VolumeFarming = GUIDE, **ledger: Any
) -> Decision:
    return decide_held(observation or observed(), ledger_of(held, **ledger), policy)


def job() -> HedgeExecution:
    return HedgeExecution(
        hedge_id="h1",
        kind=ExecutionKind.CLOSE,
        pair=pair_of(),
        reason=Reason.USER,
        plan=ExecutionPlan(spot_quantity=Decimal(1), perp_quantity=Decimal(1), slice_notional=Decimal(100)),
        limits=ExecutionLimits(),
        state=ExecutionState.LEADING,
        started_at=NOW,
        stage_since=NOW,
    )


def held(found: Decision, reason: HoldReason) -> Hold:
    assert isinstance(found, Hold)
    assert found.reason is reason
    return found


def closed(found: Decision, reason: Reason) -> Close:
    assert isinstance(found, Close)
    assert found.reason is reason
    return found


# --- held -----------------------------------------------------------------------------------------------------------


def test_a_healthy_hedge_is_held_and_its_numbers_are_reported() -> None:
    found = held(decided(), HoldReason.HEALTHY)
    assert found.evaluation is not None
    assert found.health is not None
    assert found.health.healthy


def test_nothing_is_decided_while_a_job_is_in_flight_or_nothing_is_held() -> None:
    held(decided(execution=job()), HoldReason.EXECUTING)
    held(decide_held(observed(), Ledger(), GUIDE), HoldReason.NOTHING_HELD)


@pytest.mark.parametrize(
    "blind",
    [
        observed(None),
        Observation(at=NOW, market=CALM, account=None),
        observed(unread=("funding rates",)),
    ],
)
def test_b5_a_read_that_failed_closes_nothing_however_old_or_covered_the_hedge_is(blind: Observation) -> None:
    old = hedge("10", hours=1000, funding="900")
    found = held(decided(old, blind), HoldReason.INCOMPLETE)
    assert found.detail == ", ".join(blind.missing) != ""


def stopped_pair(perp: TradingStatus, coins: TradingStatus = TradingStatus.TRADING) -> listing:
    """Return the held pair with other statuses of its markets."""
    whole = pair_of()
    return replace(
        HELD, pair=replace(whole, spot=replace(whole.spot, status=coins), perp=replace(whole.perp, status=perp))
    )


def stopped(perp: TradingStatus, coins: TradingStatus = TradingStatus.TRADING, **changes: Any) -> FixedMarket:
    """Return a market of the held pair alone with other statuses."""
    return market_of(replace(stopped_pair(perp, coins), **changes))


def test_coins_whose_short_was_reduced_by_force_are_sold_though_the_perpetual_is_closed() -> None:
    reduced = holding(short_of(quantity="9.5"), coins="10")
    found = decided(TEN, observed(stopped(TradingStatus.CLOSED), reduced))
    assert isinstance(found, Trim)
    assert (found.market, found.quantity, found.plan.perp_quantity) == (Market.SPOT, Decimal("0.5"), Decimal(0))


@pytest.mark.parametrize("status", [TradingStatus.TRADING, TradingStatus.SETTLING])
def test_a_short_whose_coins_were_taken_is_bought_back_though_the_rest_of_them_has_no_supported_price(
    status: TradingStatus,
) -> None:
    """The perpetual shows five times the price of the coins, so that the emergency stop may not sell what is left."""
    seen = market_of(replace(stopped_pair(status), perp=("500", "500"), mark="500", index="500"))
    found = decided(TEN, observed(seen, holding(short_of(quantity="10"), coins="6")))
    assert isinstance(found, Trim)
    assert (found.market, found.quantity, found.plan.spot_quantity) == (Market.PERP, Decimal(4), Decimal(0))
    assert (found.plan.perp_ceiling, found.confirm) == (None, True)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(observed(stopped(TradingStatus.CLOSED)), id="the-legs-match"),
        pytest.param(
            observed(
                market_of(replace(stopped_pair(TradingStatus.CLOSED), perp=("100", None))),
                holding(short_of(quantity="10"), coins="9.5"),
            ),
            id="coins-are-missing-and-the-perpetual-has-no-book",
        ),
        pytest.param(
            observed(
                stopped(TradingStatus.CLOSED, TradingStatus.CLOSED, spot=("100", None)),
                holding(short_of(quantity="9.5"), coins="10"),
            ),
            id="the-spot-market-is-closed-too",
        ),
        pytest.param(observed(stopped(TradingStatus.TRADING, TradingStatus.CLOSED)), id="the-spot-market-is-closed"),
        pytest.param(
            observed(market_of(replace(stopped_pair(TradingStatus.UNLISTED), perp=None))),
            id="the-perpetual-is-gone-from-the-list",
        ),
    ],
)
def test_a_hedge_that_cannot_be_closed_stays_whole(seen: Observation) -> None:
    found = held(decided(observation=seen), HoldReason.CANNOT_TRADE)
    assert "leaves trading" in found.detail
    assert found.detail.endswith("the hedge stays whole until both legs can be traded")


def test_coins_beyond_the_short_are_not_sold_at_an_unsupported_price_though_the_perpetual_is_closed() -> None:
    cheap = stopped(TradingStatus.CLOSED, spot=("90", "90"))
    held(decided(TEN, observed(cheap, holding(short_of(quantity="9.5"), coins="10"))), HoldReason.UNSUPPORTED)


@pytest.mark.parametrize(
    ("statuses", "short", "coins", "leg"),
    [
        ((TradingStatus.CLOSED, TradingStatus.TRADING), "10", "9.5", Market.PERP),
        ((TradingStatus.CLOSED, TradingStatus.CLOSED), "9.5", "10", Market.SPOT),
    ],
)
def test_an_order_asks_a_leg_that_exceeds_the_other_and_is_listed_as_closed(
    statuses: tuple[TradingStatus, TradingStatus], short: str, coins: str, leg: Market
) -> None:
    account_ = holding(short_of(quantity=short), coins=coins)
    found = decided(TEN, observed(stopped(*statuses), account_))
    assert isinstance(found, Trim)
    assert (found.market, found.quantity) == (leg, Decimal("0.5"))
    side = Side.BUY if leg is Market.PERP else Side.SELL
    record = OrderRecord.of_fill(fill(leg, side, "0.5", at=NOW), hedge_id="h1", base="AAA", fee_quote=Decimal(0))
    refused = replace(TEN, orders=(*TEN.orders, replace(record, filled_quantity=Decimal(0))))
    held(decided(refused, observed(stopped(*statuses), account_)), HoldReason.CANNOT_TRADE)
    filled = replace(TEN, orders=(*TEN.orders, record))
    assert isinstance(decided(filled, observed(stopped(*statuses), account_)), Trim), "it has taken an order"


@pytest.mark.parametrize("status", [TradingStatus.CLOSED, TradingStatus.PENDING, TradingStatus.UNLISTED])
def test_a_closing_asks_first_where_the_perpetual_is_listed_as_taking_no_orders(status: TradingStatus) -> None:
    leveraged = holding(short_of(quantity="10", leverage=3), coins="10")
    found = closed(decided(observation=observed(stopped(status), leveraged)), Reason.HEALTH)
    assert found.probe is not None
    assert (found.probe.spot_quantity, found.probe.perp_quantity) == (Decimal(0), pair_of().perp.lot)
    assert "one order asks first whether the perpetual takes any" in found.detail
    dear = observed(stopped(status, spot=("90", "90")), leveraged)
    assert "spot bid 90 is below" in held(decided(observation=dear), HoldReason.CANNOT_TRADE).detail


def test_a_hedge_of_a_pair_that_no_list_has_stays_whole_and_is_not_asked_about() -> None:
    leveraged = holding(short_of(quantity="10", leverage=3), coins="10")
    found = held(decided(observation=observed(market_of(), leveraged)), HoldReason.CANNOT_TRADE)
    assert "AAAUSDT is not listed on both markets: the hedge stays whole" in found.detail


def test_what_can_be_closed_needs_no_probe() -> None:
    leveraged = holding(short_of(quantity="10", leverage=3), coins="10")
    assert closed(decided(observation=observed(seen=leveraged)), Reason.HEALTH).probe is None
    unread = observed(None, leveraged)
    assert closed(decided(observation=unread), Reason.HEALTH).probe is None
    record = OrderRecord.of_fill(
        fill(Market.PERP, Side.BUY, "0.1", at=NOW), hedge_id="h1", base="AAA", fee_quote=Decimal(0)
    )
    asked = replace(TEN, orders=(*TEN.orders, record))
    proven = closed(decided(asked, observed(stopped(TradingStatus.CLOSED), leveraged)), Reason.HEALTH)
    assert proven.probe is None


def test_coins_are_not_sold_below_what_other_prices_support() -> None:
    low = observed(
        market_of(replace(HELD, spot=("90", "90"))), holding(short_of(quantity="10", leverage=3), coins="10")
    )
    found = held(decided(observation=low), HoldReason.CANNOT_TRADE)
    assert "spot bid 90 is below 95" in found.detail
    short_gone = observed(market_of(replace(HELD, spot=("90", "90"))), holding(short_of(quantity="0"), coins="10"))
    assert "spot bid 90 is below 95" in held(decided(observation=short_gone), HoldReason.CANNOT_TRADE).detail
    closed(decided(observation=observed(seen=holding(short_of(quantity="0"), coins="10"))), Reason.LEG_GONE)
    plan = closed(
        decided(observation=observed(seen=holding(short_of(quantity="10", leverage=3), coins="10"))), Reason.HEALTH
    ).plan
    assert (plan.spot_floor, plan.perp_ceiling) == (Decimal(95), Decimal(105))


def short_bought_back(minutes: int, quantity: str = "10") -> HedgedPosition:
    """Return a hedge whose short, or a part of it, was bought back so long ago; its coins are still there."""
    bought = OrderRecord.of_fill(
        fill(Market.PERP, Side.BUY, quantity, trade_id=9, at=NOW - timedelta(minutes=minutes)),
        hedge_id="h1",
        base="AAA",
        fee_quote=Decimal(0),
    )
    orders = (*TEN.orders, bought)
    return replace(TEN, orders=orders, tally=Tally.of(orders))


def test_coins_are_sold_below_a_foreign_index_only_once_their_short_is_gone_for_long() -> None:
    foreign = observed(
        market_of(replace(HELD, perp=("300", "300"), mark="300", index="300")), account(coins={"AAA": "10"})
    )
    held(decided(short_bought_back(14), foreign), HoldReason.CANNOT_TRADE)
    found = decided(short_bought_back(16), foreign)
    assert isinstance(found, Close)
    assert found.plan.spot_floor is None


@pytest.mark.parametrize(("minutes", "floor"), [(14, Decimal(285)), (16, None)])
def test_coins_whose_part_of_the_short_is_gone_for_long_are_sold_below_a_foreign_index(
    minutes: int, floor: Decimal | None
) -> None:
    market = market_of(replace(HELD, perp=("300", "300"), mark="300", index="300"))
    foreign = observed(market, holding(short_of(quantity="9.5"), coins="10"))
    found = decided(short_bought_back(minutes, "0.5"), foreign)
    assert isinstance(found, Trim)
    assert (found.market, found.quantity, found.plan.spot_floor) == (Market.SPOT, Decimal("0.5"), floor)


def test_the_emergency_stop_comes_before_everything() -> None:
    market = market_of(replace(HELD, perp=("120", "120"), mark="120", index="100"))
    seen = holding(short_of(quantity="1", leverage=7), coins="10")
    found = closed(decided(hedge("10", hours=99, funding="9"), observed(market, seen)), Reason.EMERGENCY_STOP)
    assert found.plan.urgent
    assert found.confirm


@pytest.mark.parametrize(
    ("positions", "balances"), [({"AAAUSDT"}, set()), (set(), {"AAA"}), ({"AAAUSDT"}, {"AAA"})], ids=str
)
def test_a_loss_of_legs_that_are_both_in_doubt_stops_nothing(positions: set[str], balances: set[str]) -> None:
    """A coin that was redenominated is worth a thousand times as much: so would be what the legs differ by."""
    market = market_of(replace(HELD, perp=("120", "120"), mark="120", index="100"))
    seen = replace(
        holding(short_of(quantity="10"), coins="10"),
        unreadable_positions=frozenset(positions),
        unreadable_balances=frozenset(balances),
    )
    found = decided(hedge("10"), observed(market, seen))
    if positions and balances:
        assert isinstance(found, Hold)
        assert (found.reason, found.detail) == (HoldReason.UNSUPPORTED, "the account shows neither leg")
    else:
        closed(found, Reason.EMERGENCY_STOP)


def test_a_safety_exit_is_taken_on_what_could_be_seen_and_names_what_could_not() -> None:
    literal = VolumeFarming(StrategyParameters(risk_management=RiskManagement(stop_on=StopOn.PERP_LEG)))
    market = market_of(replace(HELD, spot=None, perp=("120", "120"), mark="120"))
    blind = Observation(at=NOW, market=market, account=None, unread=("account",))
    found = closed(decided(observation=blind, policy=literal), Reason.EMERGENCY_STOP)
    assert found.detail.endswith("(could not see: account, spot book (index price used))")
    assert found.plan.spot_quantity == found.plan.perp_quantity == 10


def test_a4_bad_health_does_not_stand_in_the_way_of_the_stop() -> None:
    literal = VolumeFarming(StrategyParameters(risk_management=RiskManagement(stop_on=StopOn.PERP_LEG)))
    market = market_of(replace(HELD, spot=("195", "195"), perp=("195", "195"), mark="195"))
    seen = holding(short_of(quantity="10", mark_price=Decimal(195), liquidation_price=Decimal(199)), coins="10")
    closed(decided(observation=observed(market, seen), policy=literal), Reason.EMERGENCY_STOP)
    liquidation = closed(decided(observation=observed(market, seen)), Reason.HEALTH)
    assert not liquidation.confirm, "liquidation does not wait for a second reading"


@pytest.mark.parametrize("mark", ["100", None])
def test_a_near_liquidation_that_the_market_does_not_show_waits_for_a_second_reading(mark: str | None) -> None:
    market = market_of(replace(HELD, mark=mark))
    seen = holding(short_of(quantity="10", mark_price=Decimal(195), liquidation_price=Decimal(199)), coins="10")
    assert closed(decided(observation=observed(market, seen)), Reason.HEALTH).confirm


@pytest.mark.parametrize(
    ("listed", "unconfirmed"),
    [
        (replace(HELD, spot=("80", "80")), ("spot 80",)),
        (replace(HELD, perp=("120", "120")), ("perpetual 120",)),
        (replace(HELD, perp=("120", "120"), mark="120"), ("spot 100",)),
        (replace(HELD, spot=None, mark="120", index="80"), ("spot 80", "perpetual 100")),
    ],
)
def test_a_stop_at_prices_of_one_source_alone_is_not_taken(listed: listing, unconfirmed: tuple[str, ...]) -> None:
    found = held(decided(observation=observed(market_of(listed))), HoldReason.UNSUPPORTED)
    assert found.detail == ", ".join(unconfirmed)


def test_nothing_is_closed_for_profit_while_its_own_trading_status_is_in_doubt() -> None:
    old = hedge("10", hours=1000, funding="900")
    assert not isinstance(decided(old), Hold)
    doubt = "market: it may have stopped"
    found = held(decided(old, observed(listing_doubts={old.symbol: doubt})), HoldReason.INCOMPLETE)
    assert found.detail == doubt
    assert not isinstance(decided(old, observed(listing_doubts={"BBBUSDT": doubt})), Hold)


def test_nothing_is_closed_for_profit_while_an_own_order_may_have_filled_further() -> None:
    old, doubt = hedge("10", hours=1000, funding="900"), "half filled"
    found = held(decided(old, observed(fill_doubts={old.symbol: doubt})), HoldReason.INCOMPLETE)
    assert found.detail == doubt
    assert not isinstance(decided(old, observed(fill_doubts={"BBBUSDT": doubt})), Hold)


def test_nothing_is_closed_for_profit_while_the_legs_follow_different_prices() -> None:
    apart = observed(market_of(replace(HELD, perp=("90", "90"))))
    found = held(decided(hedge("10", hours=1000, funding="900"), apart), HoldReason.DIVERGED)
    assert "-10.0%" in found.detail


@pytest.mark.parametrize(("shown", "waits"), [(replace(HELD, spot=None), True), (HELD, False)])
def test_legs_that_came_apart_are_not_closed_for_profit_before_their_prices_can_be_compared(
    shown: listing,
    waits: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    halt = StandingHalt(since=NOW, reason=HaltReason.LEGS_DIFFER, detail="")
    found = decided(hedge("10", hours=1000, funding="900"), observed(market_of(shown)), halt=halt)
    assert isinstance(found, Hold if waits else Close)


def test_a_hedge_without_an_entry_value_is_judged_by_everything_else() -> None:
    unknown = hedge("10", hours=99, entry_notional=Decimal(0))
    assert closed(decided(unknown), Reason.MAX_AGE).evaluation is not None
    gone = holding(short_of(quantity="10"), coins="0")
    closed(decided(unknown, observed(seen=gone)), Reason.LEG_GONE)
    dropped = market_of(replace(HELD, perp=("150", "150"), mark="150", index="100"))
    assert not isinstance(decided(unknown, observed(dropped)), Close)


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (holding(short_of(quantity="10"), coins="0"), Reason.LEG_GONE),
        (holding(short_of(quantity="10"), coins="8"), Reason.IMBALANCE),
        (holding(short_of(quantity="10", leverage=3), coins="10"), Reason.HEALTH),
    ],
)
def test_a_broken_hedge_is_closed_once_a_second_reading_agrees(seen: AccountView, reason: Reason) -> None:
    found = closed(decided(observation=observed(seen=seen)), reason)
    assert found.confirm
    assert found.plan.urgent


def test_a_broken_hedge_is_closed_before_its_fees_are_counted() -> None:
    seen = observed(seen=holding(short_of(quantity="10"), coins="0"))
    closed(decided(hedge("10", funding="99"), seen), Reason.LEG_GONE)


def test_a_hedge_of_which_nothing_is_left_is_not_traded() -> None:
    held(decided(observation=observed(seen=account())), HoldReason.NOTHING_LEFT)


@pytest.mark.parametrize(("coins", "short", "market"), [("9.5", "10", Market.PERP), ("10", "9.5", Market.SPOT)])
def test_a_small_imbalance_is_trimmed(coins: str, short: str, market: Market) -> None:
    found = decided(observation=observed(seen=holding(short_of(quantity=short), coins=coins)))
    assert isinstance(found, Trim)
    assert (found.market, found.quantity, found.confirm) == (market, Decimal("0.5"), True)
    assert found.plan.spot_quantity + found.plan.perp_quantity == found.quantity


def test_nothing_is_trimmed_on_an_incomplete_observation() -> None:
    seen = holding(short_of(quantity="9.5"), coins="10")
    held(decided(observation=observed(None, seen)), HoldReason.INCOMPLETE)


def test_margin_is_topped_up_before_liquidation_is_near() -> None:
    near = short_of(quantity="10", liquidation_price=Decimal(120))
    found = decided(observation=observed(seen=holding(near, coins="10", usdt="60")))
    assert isinstance(found, TopUpMargin)
    assert found.rebalance.to_perp == 60
    held(decided(observation=observed(seen=holding(near, coins="10", usdt="0"))), HoldReason.HEALTHY)


def test_covered_fees_close_and_say_what_opening_the_same_pair_again_costs() -> None:
    found = closed(decided(hedge("10", fees="1.5", funding="4.5")), Reason.FEES_COVERED)
    assert found.detail == "coverage 1.50x, target 1.5x"
    assert found.reopening_cost == Decimal("3.0")
    assert not found.plan.urgent


def test_covered_fees_of_a_pair_that_is_no_longer_the_best_name_no_such_cost() -> None:
    market = market_of(HELD, listing(pair=pair_of("BBBUSDT"), rate="0.0003"))
    found = closed(decided(hedge("10", fees="1.5", funding="4.5"), observed(market)), Reason.FEES_COVERED)
    assert found.reopening_cost is None


def test_covered_fees_when_no_pair_passes_name_no_such_cost() -> None:
    market = market_of(replace(HELD, volume="1"))
    found = closed(decided(hedge("10", fees="1.5", funding="4.5"), observed(market)), Reason.FEES_COVERED)
    assert found.reopening_cost is None


ROLLING = VolumeFarming(StrategyParameters(position_management=PositionManagement(same_pair=SamePair.ROLL)))


def test_b1_with_roll_the_best_pair_is_kept_and_no_order_is_sent() -> None:
    found = decided(hedge("10", fees="1.5", funding="4.5"), policy=ROLLING)
    assert isinstance(found, Roll)


def test_b1_with_roll_a_pair_that_is_no_longer_the_best_is_closed() -> None:
    market = market_of(HELD, listing(pair=pair_of("BBBUSDT"), rate="0.0003"))
    closed(decided(hedge("10", fees="1.5", funding="4.5"), observed(market), ROLLING), Reason.FEES_COVERED)


def test_a_day_is_the_maximum_age() -> None:
    found = closed(decided(hedge("10", hours=24)), Reason.MAX_AGE)
    assert found.detail == "24.00 h, at most 24 h"


def better(**changes: Any) -> FixedMarket:
    return market_of(HELD, replace(listing(pair=pair_of("BBBUSDT"), rate="0.0004", interval=4), **changes))


def test_b6_a_better_pair_becomes_the_target_for_two_of_its_intervals() -> None:
    found = closed(decided(hedge("10", hours=5), observed(better())), Reason.BETTER_PAIR)
    assert found.target == Target(symbol="BBBUSDT", expires_at=NOW + timedelta(hours=8))
    assert found.detail == "APR 21.90%, another pays 87.60%"


def test_a_better_pair_that_fails_a_filter_is_no_reason_to_leave() -> None:
    held(decided(hedge("10", hours=5), observed(better(volume="1"))), HoldReason.HEALTHY)


def test_a_better_pair_on_which_the_account_already_holds_something_is_no_reason_to_leave() -> None:
    seen = holding(short_of(quantity="10"), short_of("BBBUSDT"), coins="10")
    held(decided(hedge("10", hours=5), observed(better(), seen)), HoldReason.HEALTHY)


@pytest.mark.parametrize(("lot", "left"), [("1", True), ("2", False)])
def test_a_better_pair_whose_smallest_slice_is_above_the_settings_is_no_reason_to_leave(
    lot: str, *, left: bool
) -> None:
    coarse = pair_of("BBBUSDT", perp=instrument(Market.PERP, "BBBUSDT", lot=Decimal(lot)))
    market = better(pair=coarse)
    limits = ExecutionLimits(max_naked_equity_fraction=Decimal("0.1"))
    policy = VolumeFarming(StrategyParameters(execution=limits))
    decision = decided(hedge("10", hours=5), observed(market), policy)
    assert isinstance(decision, Close) is left


def test_a_better_pair_of_which_the_capital_buys_no_lot_is_no_reason_to_leave() -> None:
    coarse = pair_of("BBBUSDT", perp=instrument(Market.PERP, "BBBUSDT", lot=Decimal(1)))
    limits = ExecutionLimits(max_naked_equity_fraction=Decimal("0.5"))
    capital = CapitalManagement(max_capital_usd=Decimal(150))
    policy = VolumeFarming(StrategyParameters(execution=limits, capital_management=capital))
    held(decided(hedge("10", hours=5), observed(better(pair=coarse)), policy), HoldReason.HEALTHY)


def test_a_better_pair_without_a_price_is_judged_by_its_filters_alone() -> None:
    held(decided(hedge("10", hours=5), observed(better(spot=None))), HoldReason.HEALTHY)


def test_the_same_symbol_is_never_its_own_better_pair() -> None:
    market = market_of(replace(HELD, rate="0.01"))
    held(decided(hedge("10", hours=5), observed(market)), HoldReason.HEALTHY)


def test_a_hold_check_looks_at_no_pair_that_is_not_better() -> None:
    others = [listing(pair=pair_of(f"X{number}USDT"), rate="0.0002") for number in range(20)]
    market = market_of(HELD, *others, listing(pair=pair_of("BBBUSDT"), rate="0.0005"))
    closed(decided(hedge("10", hours=5), observed(market)), Reason.BETTER_PAIR)
    assert market.asked == ["BBBUSDT"]


def test_b3_negative_funding_is_left_by_the_signal_of_now_not_of_entry() -> None:
    market = market_of(replace(HELD, rate="-0.0001"))
    found = closed(decided(observation=observed(market)), Reason.NEGATIVE_FUNDING)
    assert found.detail == "APR -10.95% below 0.00%"


def test_a_held_pair_with_few_prints_is_judged_by_what_it_has() -> None:
    market = market_of(replace(HELD, rate="-0.0001", prints=2))
    closed(decided(observation=observed(market)), Reason.NEGATIVE_FUNDING)


def test_a_held_pair_without_any_print_is_still_closed_at_its_maximum_age() -> None:
    market = market_of(replace(HELD, prints=0))
    held(decided(observation=observed(market)), HoldReason.HEALTHY)
    closed(decided(hedge("10", hours=25), observed(market)), Reason.MAX_AGE)


def test_a_halt_never_stands_in_the_way_of_an_exit() -> None:
    halt = StandingHalt(since=NOW, reason=HaltReason.USER, detail="")
    closed(decided(hedge("10", hours=25), halt=halt), Reason.MAX_AGE)


# --- flat -----------------------------------------------------------------------------------------------------------

THREE = market_of(
    listing(pair=pair_of("AAAUSDT")),
    listing(pair=pair_of("BBBUSDT"), rate="0.0005"),
    listing(pair=pair_of("CCCUSDT"), rate="0.0003"),
)
FLAT = Observation(at=NOW, market=THREE, account=account())


def symbols(observation: Observation = FLAT, ledger: Ledger | None = None) -> list[str]:
    return [found.symbol for found in shortlist(observation, ledger or Ledger(), GUIDE)]


def test_the_shortlist_is_ordered_by_apr_and_holds_only_what_passes() -> None:
    assert symbols() == ["BBBUSDT", "CCCUSDT", "AAAUSDT"]
    thin = replace(THREE, volumes={**THREE.volumes, "BBBUSDT": Decimal(1)})
    assert symbols(replace(FLAT, market=thin)) == ["CCCUSDT", "AAAUSDT"]


def test_nothing_is_a_candidate_while_market_or_account_cannot_be_read() -> None:
    assert not list(candidates(replace(FLAT, market=None), Ledger(), GUIDE))
    assert not list(candidates(replace(FLAT, account=None), Ledger(), GUIDE))


def test_an_opportunity_carries_what_the_log_says_of_it() -> None:
    best = next(shortlist(FLAT, Ledger(), GUIDE))
    assert best.next_funding == NOW + timedelta(hours=8)
    assert best.basis == 0
    assert not best.targeted


def test_filters_are_evaluated_only_until_one_pair_passes() -> None:
    market = replace(THREE, asked=[])
    next(shortlist(replace(FLAT, market=market), Ledger(), GUIDE))
    assert market.asked == ["BBBUSDT"]


def test_b6_the_target_decided_while_closing_is_opened_although_another_leads_now() -> None:
    ledger = Ledger(target=Target(symbol="AAAUSDT", expires_at=NOW + timedelta(seconds=1)))
    found = list(shortlist(FLAT, ledger, GUIDE))
    assert [(o.symbol, o.targeted) for o in found] == [("AAAUSDT", True), ("BBBUSDT", False), ("CCCUSDT", False)]


def test_b6_a_target_that_expired_or_no_longer_passes_is_forgotten() -> None:
    expired = Ledger(target=Target(symbol="AAAUSDT", expires_at=NOW))
    assert symbols(ledger=expired)[0] == "BBBUSDT"
    fresh = Ledger(target=Target(symbol="AAAUSDT", expires_at=NOW + timedelta(hours=1)))
    thin = replace(THREE, volumes={**THREE.volumes, "AAAUSDT": Decimal(1)})
    assert symbols(replace(FLAT, market=thin), fresh) == ["BBBUSDT", "CCCUSDT"]
    gone = Ledger(target=Target(symbol="ZZZUSDT", expires_at=NOW + timedelta(hours=1)))
    assert symbols(ledger=gone)[0] == "BBBUSDT"


def test_a_symbol_on_which_the_account_holds_a_position_is_not_opened() -> None:
    seen = account(short_of("BBBUSDT"))
    assert symbols(replace(FLAT, account=seen)) == ["CCCUSDT", "AAAUSDT"]
    ranking = GUIDE.rank(THREE)
    assert [r.kind for r in entry_refusals("BBBUSDT", ranking, THREE, seen, GUIDE)] == [RefusalKind.POSITION]
    assert [r.kind for r in entry_refusals("ZZZUSDT", ranking, THREE, seen, GUIDE)] == [RefusalKind.NOT_TRADING]


@pytest.mark.parametrize(
    ("observation", "ledger", "reason"),
    [
        (FLAT, Ledger(execution=job()), HoldReason.EXECUTING),
        (FLAT, ledger_of(TEN), HoldReason.HELD),
        (FLAT, Ledger(halt=StandingHalt(since=NOW, reason=HaltReason.NAKED, detail="")), HoldReason.HALTED),
        (replace(FLAT, market=None), Ledger(), HoldReason.INCOMPLETE),
        (replace(FLAT, account=None), Ledger(), HoldReason.INCOMPLETE),
        (replace(FLAT, unread=("mark prices",)), Ledger(), HoldReason.INCOMPLETE),
        (replace(FLAT, fill_doubts={"AAAUSDT": "half filled"}), Ledger(), HoldReason.INCOMPLETE),
        (replace(FLAT, account=account(one_way=False)), Ledger(), HoldReason.ACCOUNT_MODE),
        (replace(FLAT, account=account(single_asset=False)), Ledger(), HoldReason.ACCOUNT_MODE),
        (replace(FLAT, account=account(usdt="24", perp="24")), Ledger(), HoldReason.CAPITAL),
        (replace(FLAT, account=replace(account(), clock_skew_seconds=45.5)), Ledger(), HoldReason.CLOCK),
        (replace(FLAT, account=replace(account(), clock_skew_seconds=-60)), Ledger(), HoldReason.CLOCK),
    ],
)
def test_nothing_is_opened_then(observation: Observation, ledger: Ledger, reason: HoldReason) -> None:
    blocked = openings_blocked(observation, ledger, GUIDE)
    assert blocked is not None
    assert blocked.reason is reason
    assert symbols(observation, ledger) == []


def test_settings_that_leave_too_little_are_named_and_not_the_wallets() -> None:
    def detail(usdt: str, **capital: Decimal) -> str:
        policy = VolumeFarming(StrategyParameters(capital_management=CapitalManagement(**capital)))
        blocked = openings_blocked(replace(FLAT, account=account(usdt=usdt, perp=usdt)), Ledger(), policy)
        assert blocked is not None
        return blocked.detail

    assert detail("24") == "$48.00 in equal wallets, at least $50.00 needed"
    limited = "in equal wallets, the limits and the reserve of the settings leave less for a position, at least $50.00"
    assert limited in detail("500", max_position_equity=Decimal("0.04"))
    assert limited in detail("500", max_position_equity=Decimal("0.04"), reserve_usd=Decimal(900))
    kept = "$1000.00 in equal wallets, reserve_usd keeps $2000.00 of it, at least $50.00 needed"
    assert detail("500", reserve_usd=Decimal(2000)) == kept


def test_a_halt_of_doubt_does_not_say_again_what_contradicts_itself() -> None:
    doubt = StandingHalt(since=NOW, reason=HaltReason.ACCOUNT_IN_DOUBT, detail="totals that do not match their rows")
    blocked = openings_blocked(FLAT, Ledger(halt=doubt), GUIDE)
    assert blocked is not None
    assert blocked.detail == "the account's replies contradict each other"


def test_nothing_is_opened_after_an_incident_before_its_halt_is_in_the_log() -> None:
    incident = Incident(at=NOW, symbol="AAAUSDT", reason=HaltReason.EMERGENCY, detail="emergency stop")
    blocked = openings_blocked(FLAT, Ledger(incident=incident), GUIDE)
    assert blocked is not None
    assert blocked.reason is HoldReason.HALTED
    assert blocked.detail.startswith(f"{HaltReason.EMERGENCY.value}: AAAUSDT")


def test_nothing_is_opened_while_a_transfer_is_unresolved() -> None:
    move = TransferFunds(transfer_id="t", amount=Decimal(5), direction=TransferDirection.SPOT_TO_PERP)
    blocked = openings_blocked(FLAT, Ledger(transfer=move), GUIDE)
    assert blocked is not None
    assert blocked.reason is HoldReason.EXECUTING


def planned(
    seen: AccountView | None = None, *, observation: Observation = FLAT, quantity: str = "1000"
) -> Open | Refusal:
    best = next(shortlist(FLAT, Ledger(), GUIDE))
    books = (depth(Market.SPOT, quantity=quantity), depth(Market.PERP, quantity=quantity))
    seen_now = replace(observation, account=seen) if seen else observation
    return plan_opening(best, *books, seen_now, Ledger(), GUIDE)


def test_an_opening_is_planned_with_its_transfer_named_after_the_hedge() -> None:
    found = planned(account(usdt="100", perp="500"))
    assert isinstance(found, Open)
    assert found.plan.perp_quantity == Decimal("2.85")
    transfer = found.plan_for("abc").transfer
    assert transfer is not None
    assert (transfer.transfer_id, transfer.amount) == ("abc-t", Decimal(200))


def test_level_wallets_need_no_transfer() -> None:
    found = planned(account())
    assert isinstance(found, Open)
    assert found.plan_for("abc").transfer is None


def test_an_opening_is_refused_for_depth_and_when_the_account_changed_meanwhile() -> None:
    thin, blind = planned(quantity="1"), planned(observation=replace(FLAT, account=None))
    assert isinstance(thin, Refusal)
    assert thin.kind is RefusalKind.DEPTH
    assert isinstance(blind, Refusal)
    assert blind.kind is RefusalKind.BLOCKED


@pytest.mark.parametrize("late", [Market.SPOT, Market.PERP])
def test_an_opening_is_refused_on_a_book_that_is_old(late: Market) -> None:
    best = next(shortlist(FLAT, Ledger(), GUIDE))
    spot, perp = (replace(depth(m), at=NOW - timedelta(seconds=3.5 if m is late else 2.5)) for m in Market)
    found = plan_opening(best, spot, perp, FLAT, Ledger(), GUIDE)
    assert isinstance(found, Refusal)
    assert found.kind is RefusalKind.DEPTH
    assert "book is 4 s old" in found.detail


@pytest.mark.parametrize("late", [Market.SPOT, Market.PERP])
def test_an_opening_is_refused_on_a_book_from_the_future(late: Market) -> None:
    best = next(shortlist(FLAT, Ledger(), GUIDE))
    spot, perp = (replace(depth(m), at=NOW + timedelta(hours=1 if m is late else 0)) for m in Market)
    found = plan_opening(best, spot, perp, FLAT, Ledger(), GUIDE)
    assert isinstance(found, Refusal)
    assert "book is stamped 3600 s ahead" in found.detail


def test_a_clock_that_leaves_enough_of_the_guard_around_settlements_is_no_obstacle() -> None:
    assert openings_blocked(replace(FLAT, account=replace(account(), clock_skew_seconds=-44)), Ledger(), GUIDE) is None


def test_a_clock_that_is_off_matters_only_where_settlements_are_kept_clear_of() -> None:
    seen = replace(FLAT, account=replace(account(), clock_skew_seconds=3600))
    unguarded = replace(GUIDE.parameters, execution=ExecutionLimits(settlement_guard_seconds=0))
    assert openings_blocked(seen, Ledger(), VolumeFarming(unguarded)) is None


def test_an_observation_names_everything_it_misses_once() -> None:
    assert Observation(at=NOW, market=None, account=None, unread=("market",)).missing == ("market", "account")
    assert FLAT.complete


def test_a_hedge_whose_pair_is_listed_no_more_is_not_torn_apart() -> None:
    elsewhere = market_of(listing(pair=pair_of("ZZZUSDT")))
    plan = ExecutionPlan(spot_quantity=Decimal(10), perp_quantity=Decimal(10), slice_notional=Decimal(100))
    obstacle = closing_obstacle(TEN, plan, Observation(at=NOW, market=elsewhere, account=None))
    assert obstacle is not None
    assert "not listed on both markets" in obstacle
    assert closing_obstacle(TEN, plan, Observation(at=NOW, market=CALM, account=None)) is None
    assert closing_obstacle(TEN, plan, Observation(at=NOW, market=None, account=None)) is None


def test_a_short_of_hedge_mode_is_not_left_without_its_coins() -> None:
    plan = ExecutionPlan(spot_quantity=Decimal(10), perp_quantity=Decimal(10), slice_notional=Decimal(100))
    sided = Observation(at=NOW, market=CALM, account=account(one_way=False, sided_positions=frozenset({"AAAUSDT"})))
    obstacle = closing_obstacle(TEN, plan, sided)
    assert obstacle is not None
    assert "hedge mode" in obstacle
    assert closing_obstacle(TEN, replace(plan, perp_quantity=Decimal(0)), sided) is None
    assert closing_obstacle(TEN, replace(plan, spot_quantity=Decimal(0)), sided) is None
    unproven = Observation(at=NOW, market=CALM, account=account(one_way=False))
    assert closing_obstacle(TEN, plan, unproven) is None


@pytest.mark.parametrize("books", [None, (depth(Market.SPOT), depth(Market.PERP))])
@pytest.mark.parametrize("market", [CALM, None])
def test_what_is_decided_by_is_what_is_shown_of_a_hedge(market: MarketView | None, books: Any) -> None:
    observation = observed(market)
    shown = evaluation_of(TEN, observation, GUIDE, books)
    decision = decide_held(observation, ledger_of(TEN), GUIDE, books)
    assert isinstance(decision, Hold)
    assert decision.evaluation == shown
    assert books or judged(TEN, observation, ledger_of(TEN), GUIDE) == (shown, decision.health)
