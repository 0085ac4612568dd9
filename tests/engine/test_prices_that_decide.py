"""Prices that no second source confirms, and legs that are not one coin: nothing is traded because of them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import ExecutionStarted, Halted, HaltReason, HedgeOpened, Lifted
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.core.market_changes import BookDistortion, ContractMultiplier, MarkDistortion, TickerCollision
from hedgerow.strategy.decisions.scan import scan
from hedgerow.strategy.observation import Hold, HoldReason
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, RiskManagement, StrategyParameters
from hedgerow.strategy.policies import VolumeFarming
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData, make_pair

PATIENT = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=87_600, fee_coverage_multiplier=1000)
)
CHECK = OPENED + timedelta(minutes=25)
"""A check falls on it."""


def harness_of(**options: object) -> BotHarness:
    return BotHarness(ScriptedMarketData([Listing(SYMBOL)]), **{"parameters": PATIENT, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (TickerCollision(symbol=SYMBOL, price=Decimal(100_000)), "about 1000 of the spot"),
        (TickerCollision(symbol=SYMBOL, price=Decimal(1000)), "about 10 of the spot"),
        (TickerCollision(symbol=SYMBOL, price=Decimal(130)), "+30.0% from spot"),
        (TickerCollision(symbol=SYMBOL, price=Decimal(103)), "+3.0% from spot"),
        (TickerCollision(symbol=SYMBOL, price=Decimal("0.1")), "about 1000 of the perpetual"),
        (ContractMultiplier(symbol=SYMBOL), "about 1000 of the spot"),
        (BookDistortion(symbol=SYMBOL, market=Market.PERP, shift_bps=Decimal(300)), "bp above spot ask"),
        (MarkDistortion(symbol=SYMBOL, index_bps=Decimal(300)), "from spot"),
    ],
)
def test_two_things_of_one_ticker_are_never_hedged(change: object, word: str) -> None:
    harness = harness_of()
    harness.world.change_market(change)  # type: ignore[arg-type]
    harness.run(0.3)
    assert harness.venue.orders == []
    row = scan(harness.world.market(10), VolumeFarming(PATIENT)).rows[0]
    assert word in "; ".join(refusal.detail for refusal in row.refusals)


def test_legs_that_come_apart_while_held_halt_openings_and_sell_nothing() -> None:
    harness = harness_of()
    harness.run(0.5)
    orders = len(harness.venue.orders)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(150)))
    harness.run(0.5)
    assert len(harness.venue.orders) == orders
    assert [event.reason for event in harness.logged(Halted)] == [HaltReason.LEGS_DIFFER]
    assert harness.ledger.largest is not None


def test_a_hedge_whose_legs_came_apart_is_not_closed_for_profit_while_the_spot_book_is_unreadable() -> None:
    aged = PositionManagement(max_position_age_hours=0.9, fee_coverage_multiplier=1000)
    harness = harness_of(parameters=StrategyParameters(position_management=aged))
    harness.run(0.5)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(5)))
    harness.run(0.3)
    crossed = BookDistortion(symbol=SYMBOL, market=Market.SPOT, spread_bps=Decimal(-40), seconds=3600)
    harness.world.change_market(crossed)
    harness.run(0.5)
    assert [event.execution.kind for event in harness.logged(ExecutionStarted)] == [ExecutionKind.OPEN]
    assert harness.decisions(Hold)[-1].reason is HoldReason.DIVERGED


@pytest.mark.parametrize("price", ["5", "30"])
def test_a_hedge_whose_legs_came_apart_is_closed_when_its_owner_asks(price: str) -> None:
    harness = harness_of()
    harness.run(0.5)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(price)))
    harness.run(0.3)
    assert harness.ask(CloseRequested()).done
    harness.check_flat()


def test_a_short_is_bought_back_for_coins_that_were_sold_while_the_legs_have_two_prices() -> None:
    harness = harness_of(poll_seconds=30)
    harness.run(0.5)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(5)))
    harness.run(0.2)
    short = harness.short()
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, short / 5)
    harness.run(0.1)
    assert abs(harness.coins() - harness.short()) <= make_pair().lot_step
    assert harness.short() < short


def test_coins_whose_short_another_price_liquidated_are_sold_after_a_quarter_of_an_hour_at_their_own() -> None:
    harness = harness_of()
    harness.run(0.5)
    orders = len(harness.venue.orders)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(1000)))
    harness.run(0.24)
    assert len(harness.venue.orders) == orders, "the index may be right, and the spot book a wick"
    harness.run(0.1)
    assert {(sent.order.market, sent.order.side) for sent in harness.venue.orders[orders:]} == {
        (Market.SPOT, Side.SELL)
    }
    assert harness.ledger.largest is None
    assert harness.ledger.halt is not None


@pytest.mark.parametrize(
    "share", ["0.5", "0.08"], ids=["the hedge would be closed for it", "the larger leg would be trimmed"]
)
def test_coins_that_lost_a_part_of_their_short_at_another_price_are_sold_after_a_quarter_of_an_hour(share: str) -> None:
    capital = CapitalManagement(capital_fraction=Decimal("0.2"))
    harness = harness_of(poll_seconds=30, parameters=replace(PATIENT, capital_management=capital))
    harness.run(0.5)
    orders = len(harness.venue.orders)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(300)))
    short = harness.short()
    harness.world.deleverage(SYMBOL, make_pair().perp.floor_quantity(short * Decimal(share)))
    harness.run(0.24)
    assert len(harness.venue.orders) == orders, "the index may be right, and the spot book a wick"
    harness.run(0.1)
    sent = {(each.order.market, each.order.side) for each in harness.venue.orders[orders:]}
    assert sent == {(Market.SPOT, Side.SELL)}, "the short that is left is not bought at another thing's price"
    assert abs(harness.coins() - harness.short()) <= make_pair().lot_step


def test_a_halt_because_of_legs_that_differ_lifts_itself_when_they_follow_one_price_again() -> None:
    harness = harness_of()
    harness.run(0.5)
    harness.world.change_market(wick_of(Market.SPOT, -2000, 1200))
    harness.run(1.5)
    assert [event.reason for event in harness.logged(Halted)] == [HaltReason.LEGS_DIFFER]
    assert [event.detail for event in harness.logged(Lifted)] == ["the two legs follow one price again"]
    assert harness.ledger.halt is None


def test_a_halt_because_of_legs_that_differ_ends_with_the_hedge_that_was_closed_when_they_agreed() -> None:
    aged = PositionManagement(max_position_age_hours=0.5, fee_coverage_multiplier=1000)
    harness = harness_of(parameters=StrategyParameters(position_management=aged))
    harness.run(0.25)
    harness.world.change_market(wick_of(Market.SPOT, -2000, 1200))
    harness.run(1.0)
    assert [event.reason for event in harness.logged(Halted)] == [HaltReason.LEGS_DIFFER]
    assert harness.reasons[:1] == [Reason.MAX_AGE]
    assert harness.ledger.halt is None
    assert len(harness.logged(HedgeOpened)) > 1, "nothing keeps the next opening away"


def test_a_halt_because_of_legs_that_differ_stays_when_a_person_closed_the_hedge() -> None:
    harness = harness_of()
    harness.run(0.5)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(30)))
    harness.run(0.3)
    assert harness.ask(CloseRequested()).done
    harness.run(0.3)
    assert harness.ledger.halt is not None
    assert harness.logged(Lifted) == []


def leverage(harness: BotHarness) -> None:
    harness.world.set_leverage(SYMBOL, 3)


def close_elsewhere(harness: BotHarness) -> None:
    harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, harness.short(), reduce_only=True)
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, make_pair().spot.floor_quantity(harness.coins()))


@pytest.mark.parametrize(
    ("ends", "reason"),
    [
        (leverage, Reason.HEALTH),
        (close_elsewhere, Reason.CLOSED_EXTERNALLY),
    ],
)
def test_a_halt_because_of_legs_that_differ_ends_with_the_hedge(
    ends: Callable[[BotHarness], None], reason: Reason
) -> None:
    market_data = ScriptedMarketData([Listing(SYMBOL), Listing("BBBUSDT", spot=50, rate="0.00015")])
    harness = BotHarness(market_data, parameters=PATIENT)
    harness.run(0.5)
    harness.world.change_market(TickerCollision(symbol=SYMBOL, price=Decimal(50)))
    harness.run(0.3)
    assert [event.reason for event in harness.logged(Halted)] == [HaltReason.LEGS_DIFFER]
    ends(harness)
    harness.run(0.3)
    assert harness.reasons == [reason]
    assert [event.detail for event in harness.logged(Lifted)] == ["the position whose legs differed is gone"]
    assert harness.hedge.symbol == "BBBUSDT", "its own pair rests, and is not opened at two prices"


def test_legs_that_differ_in_one_check_alone_halt_nothing() -> None:
    harness = harness_of()
    harness.run(0.6, at={0.4: lambda bot: _change(bot, wick_of(Market.SPOT, -2000, 60))})
    assert harness.logged(Halted) == []
    assert harness.reasons == []


def wick_of(market: Market, shift_bps: int, seconds: float) -> BookDistortion:
    return BookDistortion(
        symbol=SYMBOL,
        market=market,
        shift_bps=Decimal(shift_bps),
        at=CHECK - timedelta(seconds=1),
        seconds=seconds,
    )


def _change(harness: BotHarness, change: object) -> None:
    harness.world.change_market(change)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [3, 1200])
@pytest.mark.parametrize(("market", "shift"), [(Market.SPOT, -2000), (Market.PERP, 2000)])
def test_a_wick_of_one_book_is_no_emergency(market: Market, shift: int, seconds: float) -> None:
    harness = harness_of()
    harness.run(0.9, at={0.3: lambda bot: _change(bot, wick_of(market, shift, seconds))})
    assert harness.reasons == []
    holds = [hold for hold in harness.decisions(Hold) if hold.reason is HoldReason.UNSUPPORTED]
    assert holds
    harness.check_whole()


@pytest.mark.parametrize("bps", [-3000, 3000])
def test_a_mark_and_index_that_are_wrong_are_no_emergency(bps: int) -> None:
    harness = harness_of()
    harness.run(0.5)
    _change(harness, MarkDistortion(symbol=SYMBOL, mark_bps=Decimal(bps), index_bps=Decimal(bps)))
    harness.run(0.5)
    assert harness.reasons == []
    harness.check_whole()


def test_a_loss_that_two_sources_confirm_is_stopped_after_a_second_new_reading() -> None:
    harness = harness_of()
    harness.run(0.5)
    harness.market_data.set_prices(harness.world.now, 100, 115)
    harness.run(0.1)
    assert harness.reasons == [Reason.EMERGENCY_STOP]
    harness.check_flat()


def test_a_squeeze_that_book_and_mark_show_differently_is_stopped_beyond_the_limit_of_both() -> None:
    near = replace(PATIENT, risk_management=RiskManagement(emergency_stop_loss=-0.01))
    harness = harness_of(parameters=near)
    harness.run(0.5)
    harness.market_data.set_prices(harness.world.now, 100, "103.24", mark="102.59")
    harness.run(0.2)
    assert harness.reasons == [Reason.EMERGENCY_STOP]


def test_a_loss_that_is_over_within_seconds_is_not_stopped() -> None:
    harness = harness_of()
    harness.market_data.set_prices(CHECK - timedelta(seconds=1), 100, 115)
    harness.market_data.set_prices(CHECK + timedelta(seconds=3), 100, 100)
    harness.run(0.6)
    assert harness.reasons == []
    assert [hold.reason for hold in harness.decisions(Hold) if hold.reason is HoldReason.UNCONFIRMED] != []
    harness.check_whole()


def sells_coins(harness: BotHarness) -> list[Decimal]:
    return [
        command.order.price
        for command in harness.venue.orders
        if command.order.market is Market.SPOT and command.order.side is Side.SELL
    ]


def lose_the_short(harness: BotHarness) -> None:
    harness.world.deleverage(SYMBOL, harness.short())


@pytest.mark.parametrize("cause", [lose_the_short, leverage])
def test_forced_sales_do_not_go_far_below_the_index(cause: Callable[[BotHarness], None]) -> None:
    harness = harness_of()
    harness.run(0.5)
    _change(harness, BookDistortion(symbol=SYMBOL, market=Market.SPOT, shift_bps=Decimal(-2000), seconds=1200))
    cause(harness)
    harness.run(0.25)
    assert sells_coins(harness) == []
    harness.run(0.5)
    assert sells_coins(harness)
    assert min(sells_coins(harness)) >= Decimal(95)
    harness.check_flat()


def test_a_near_liquidation_is_closed_whatever_the_books_show() -> None:
    harness = harness_of()
    harness.run(0.5)
    harness.world.shock(SYMBOL, Decimal("1.8"))
    _change(harness, BookDistortion(symbol=SYMBOL, market=Market.SPOT, shift_bps=Decimal(-800)))
    harness.run(0.1)
    assert harness.reasons == [Reason.HEALTH]
    harness.check_flat()


@pytest.mark.parametrize("market", list(Market))
def test_a_crossed_book_is_no_book(market: Market) -> None:
    harness = BotHarness(
        ScriptedMarketData([Listing(SYMBOL), Listing("BBBUSDT", spot=50, rate="0.0002")]), parameters=PATIENT
    )
    _change(harness, BookDistortion(symbol=SYMBOL, market=market, spread_bps=Decimal(-3000)))
    harness.run(0.2)
    assert harness.hedge.symbol == "BBBUSDT"
