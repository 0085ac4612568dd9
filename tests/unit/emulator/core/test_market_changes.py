"""A market that changes while a client trades in it: filters, fees, brackets, statuses, redenominations, books."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hedgerow.domain.errors import FilterViolated, InsufficientBalance, MarketClosed, Rejected
from hedgerow.domain.events import FlowKind
from hedgerow.domain.instrument import BasisPair, Market, Side, TradingStatus
from hedgerow.domain.order import TimeInForce
from hedgerow.emulator import World, WorldOptions, WorldState
from hedgerow.emulator.core.market_changes import (
    BookDistortion,
    BracketChange,
    ContractMultiplier,
    FeeChange,
    FilterChange,
    MarkDistortion,
    MarketChange,
    PositionTreatment,
    Redenomination,
    StatusChange,
    TickerCollision,
)
from support.orders import order
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData, make_pair, make_world

SPOT, PERP, BUY, SELL = Market.SPOT, Market.PERP, Side.BUY, Side.SELL
D = Decimal
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def listed(world: World, symbol: str = SYMBOL) -> BasisPair:
    pair = world.pair(symbol)
    assert pair is not None
    return pair


def hedged(world: World, quantity: str = "10") -> World:
    world.set_leverage(SYMBOL, 1)
    world.place(order(SPOT, BUY, quantity, "100.5", client_id="hedge-spot"))
    world.place(order(PERP, SELL, quantity, "99.5", client_id="hedge-perp"))
    return world


def refusal(world: World, *terms: Any, **more: Any) -> int:
    with pytest.raises(Rejected) as caught:
        world.place(order(*terms, client_id=f"try-{world.revision}-{len(terms)}", **more))
    return caught.value.code


def test_a_new_tick_holds_for_the_next_order_and_ends_with_its_time() -> None:
    world = make_world()
    world.change_market(FilterChange(symbol=SYMBOL, market=PERP, tick=D("0.5"), at=START + MINUTE, seconds=60.0))
    world.place(order(PERP, SELL, "1", "99.99", client_id="before"))
    world.advance(START + MINUTE)
    assert listed(world).perp.tick == D("0.5")
    assert listed(world).spot.tick == D("0.01")
    assert refusal(world, PERP, SELL, "1", "99.99") == -1111
    world.place(order(PERP, SELL, "1", "99.5", client_id="on-the-new-tick"))
    world.advance(START + 2 * MINUTE)
    assert listed(world).perp.tick == D("0.01")


def test_a_new_lot_minimum_and_maximum_refuse_what_was_allowed() -> None:
    world = make_world()
    world.change_market(FilterChange(symbol=SYMBOL, market=SPOT, lot=D(1), min_quantity=D(2), max_quantity=D(5)))
    assert refusal(world, SPOT, BUY, "2.5", "100.5") == -1111
    assert refusal(world, SPOT, BUY, "1", "100.5") == -4004
    assert refusal(world, SPOT, BUY, "6", "100.5") == -4005
    world.change_market(FilterChange(symbol=SYMBOL, market=SPOT, min_notional=D(400)))
    assert refusal(world, SPOT, BUY, "3", "100.5") == -4164
    world.place(order(SPOT, BUY, "4", "100.5"))


def test_a_new_price_band_holds_for_the_perpetual() -> None:
    world = make_world()
    world.change_market(FilterChange(symbol=SYMBOL, market=PERP, price_down=D("0.999"), price_up=D("1.001")))
    assert refusal(world, PERP, SELL, "1", "99.8") == -4024
    assert refusal(world, PERP, BUY, "1", "100.2") == -4016


def test_an_order_that_rests_outlives_a_change_of_the_tick() -> None:
    world = make_world()
    world.place(order(PERP, SELL, "1", "101.01", time_in_force=TimeInForce.GTC, client_id="rests"))
    world.change_market(FilterChange(symbol=SYMBOL, tick=D("0.5")))
    assert [each.client_id for each in world.open_orders(SYMBOL)] == ["rests"]


def test_the_book_stands_on_the_new_grid() -> None:
    world = make_world()
    world.change_market(FilterChange(symbol=SYMBOL, tick=D("0.5"), lot=D(10)))
    for market in Market:
        depth = world.depth(market, SYMBOL)
        assert all(lv.price % D("0.5") == 0 and lv.quantity % 10 == 0 for lv in (*depth.bids, *depth.asks))


def test_a_fee_changes_for_the_next_trade() -> None:
    world = make_world()
    world.change_market(FeeChange(symbol=SYMBOL, market=PERP, taker=D("0.01")))
    world.place(order(PERP, SELL, "1", "99.5"))
    (fill,) = world.fills(PERP, SYMBOL, START)
    assert fill.fee == fill.notional * D("0.01")
    assert listed(world).perp.fees.maker == D("0.0001")


def test_a_bracket_lowers_the_leverage_bounds_the_position_and_asks_for_more_margin() -> None:
    world = hedged(make_world())
    world.set_leverage(SYMBOL, 20)
    before = world.account().positions[SYMBOL].liquidation_price
    world.change_market(BracketChange(symbol=SYMBOL, max_leverage=5, max_notional=D(1500), maintenance_rate=D("0.05")))
    position = world.account().positions[SYMBOL]
    assert position.leverage == 5
    assert before is not None
    assert position.liquidation_price is not None
    assert position.liquidation_price < before
    with pytest.raises(Rejected) as caught:
        world.set_leverage(SYMBOL, 6)
    assert caught.value.code == -4028
    with pytest.raises(InsufficientBalance) as too_large:
        world.place(order(PERP, SELL, "6", "99.5", client_id="more"))
    assert too_large.value.code == -2027
    world.place(order(PERP, BUY, "6", "100.5", client_id="less"))


def test_a_scheduled_status_closes_the_market_and_ends_what_rests() -> None:
    world = make_world()
    world.place(order(SPOT, BUY, "1", "90", time_in_force=TimeInForce.GTC, client_id="rests"))
    change = StatusChange(symbol=SYMBOL, market=SPOT, status=TradingStatus.CLOSED, at=START + MINUTE, seconds=60.0)
    world.change_market(change)
    world.advance(START + MINUTE)
    assert world.open_orders(SYMBOL) == ()
    assert world.account().coin("USDT").locked == 0
    with pytest.raises(MarketClosed):
        world.place(order(SPOT, BUY, "1", "100.5", client_id="closed"))
    world.advance(START + 3 * MINUTE)
    world.place(order(SPOT, BUY, "1", "100.5", client_id="open-again"))


def test_a_redenomination_keeps_the_worth_of_coins_and_position() -> None:
    world = hedged(make_world())
    before = world.account()
    world.change_market(Redenomination(symbol=SYMBOL, factor=D(1000), at=START + MINUTE))
    world.advance(START + 2 * MINUTE)
    after = world.account()
    assert after.positions[SYMBOL].quantity == D("-0.01")
    assert after.positions[SYMBOL].entry_price == before.positions[SYMBOL].entry_price * 1000
    assert after.perp.margin_balance == before.perp.margin_balance
    coins = before.coin("AAA").free
    assert abs(after.coin("AAA").free - coins / 1000) < D("1e-8")
    (row,) = world.statement(START)
    assert (row.kind, row.amount) == (FlowKind.AUTO_EXCHANGE, after.coin("AAA").free - coins)
    quote = world.market(1).quote(PERP, SYMBOL)
    assert quote is not None
    assert quote.bid is not None
    assert D(99_000) < quote.bid < D(101_000)
    assert listed(world).perp.lot == D("0.00001")
    assert listed(world).perp.tick == D(10)


def test_a_redenomination_may_settle_the_position() -> None:
    world = hedged(make_world())
    world.change_market(Redenomination(symbol=SYMBOL, positions=PositionTreatment.SETTLED))
    assert SYMBOL not in world.account().positions
    fill = world.fills(PERP, SYMBOL, START)[-1]
    assert fill.client_id.startswith("settlement_autoclose-")
    assert fill.forced
    assert (fill.quantity, fill.price) == (D("0.01"), D(100_000))


def test_a_redenomination_at_a_settlement_pays_funding_once_at_the_right_size() -> None:
    world = hedged(make_world())
    stamp = START + timedelta(hours=8)
    world.change_market(Redenomination(symbol=SYMBOL, at=stamp))
    world.advance(stamp + MINUTE)
    (payment,) = world.funding_payments(START)
    assert payment.amount == D("0.3")


def test_a_ticker_collision_leaves_the_coin_and_follows_the_underlying_of_the_perpetual() -> None:
    market_data = ScriptedMarketData([Listing(make_pair(SYMBOL), spot="0.1"), Listing("BBBUSDT", spot=50)])
    market_data.set_prices(START + MINUTE, 60, symbol="BBBUSDT")
    world = make_world(market_data)
    world.change_market(TickerCollision(symbol=SYMBOL, price=D(100), underlying="BBBUSDT"))
    for at, perp in ((START, D(100)), (START + MINUTE, D(120))):
        world.advance(at)
        prices, mark = world.prices(SYMBOL), world.market(1).mark(SYMBOL)
        assert prices is not None
        assert mark is not None
        assert (prices.spot, prices.perp) == (D("0.1"), perp)
        assert (mark.mark, mark.index) == (perp, perp)
    assert listed(world).perp.tick == D(10)
    assert listed(world).spot.tick == D("0.01")


def test_the_price_band_of_spot_is_measured_from_the_coin_and_not_from_the_perpetual() -> None:
    world = make_world(ScriptedMarketData([Listing(make_pair(tick="0.0001"), spot="0.1")]))
    world.change_market(TickerCollision(symbol=SYMBOL, price=D(100)))
    world.place(order(SPOT, BUY, "100", "0.11"))
    assert world.account().coin("AAA").free > 99


def test_one_contract_may_be_a_thousand_coins() -> None:
    world = make_world()
    world.change_market(ContractMultiplier(symbol=SYMBOL))
    mark = world.market(1).mark(SYMBOL)
    assert mark is not None
    assert mark.index == D(100_000)
    assert world.depth(PERP, SYMBOL).bids[0].price > D(99_000)
    assert world.depth(SPOT, SYMBOL).bids[0].price < D(101)


def test_a_wick_of_one_book_is_traded_on_and_moves_neither_mark_nor_the_other_book() -> None:
    world = make_world()
    world.place(order(SPOT, BUY, "1", "85", time_in_force=TimeInForce.GTC, client_id="low"))
    wick = BookDistortion(symbol=SYMBOL, market=SPOT, shift_bps=D(-2000), at=START + MINUTE, seconds=3.0)
    world.change_market(wick)
    world.advance(START + MINUTE + SECOND)
    view = world.market(1)
    quote, other, mark = view.quote(SPOT, SYMBOL), view.quote(PERP, SYMBOL), view.mark(SYMBOL)
    assert quote is not None
    assert quote.ask is not None
    assert quote.ask < D("80.1")
    assert other is not None
    assert other.bid == D("99.99")
    assert mark is not None
    assert (mark.mark, mark.index) == (D(100), D(100))
    assert world.open_orders(SYMBOL) == ()
    world.advance(START + MINUTE + 3 * SECOND)
    after = world.market(1).quote(SPOT, SYMBOL)
    assert after is not None
    assert after.ask == D("100.01")


def test_a_book_may_be_crossed_wide_one_sided_or_thin() -> None:
    world = make_world()
    full = world.depth(PERP, SYMBOL)
    world.change_market(BookDistortion(symbol=SYMBOL, market=SPOT, spread_bps=D(-3333), shift_bps=D(2000)))
    crossed = world.depth(SPOT, SYMBOL)
    assert crossed.bids[0].price > D(139)
    assert crossed.asks[0].price < D(101)
    world.change_market(
        BookDistortion(symbol=SYMBOL, market=PERP, spread_bps=D(500), missing=BUY, depth_share=D("0.1"))
    )
    wide = world.depth(PERP, SYMBOL)
    assert wide.asks == ()
    assert wide.bids[0].price == D("97.5")
    assert wide.bids[0].quantity < full.bids[0].quantity / 5
    world.end_changes()
    assert world.depth(PERP, SYMBOL) == full


def test_mark_and_index_may_leave_the_books_and_each_other() -> None:
    world = hedged(make_world())
    world.change_market(MarkDistortion(symbol=SYMBOL, mark_bps=D(1000), index_bps=D(-500)))
    mark = world.market(1).mark(SYMBOL)
    assert mark is not None
    assert (mark.mark, mark.index) == (D(110), D(95))
    assert world.account().positions[SYMBOL].unrealized_pnl < D(-90)
    quote = world.market(1).quote(PERP, SYMBOL)
    assert quote is not None
    assert quote.bid == D("99.99")


def test_changes_survive_a_restart_and_happen_once() -> None:
    market_data = ScriptedMarketData()
    world = hedged(make_world(market_data))
    world.change_market(Redenomination(symbol=SYMBOL))
    world.change_market(FilterChange(symbol=SYMBOL, min_notional=D(7), at=START + MINUTE))
    kept = msgspec.json.decode(msgspec.json.encode(world.dump()), type=WorldState)
    again = World.load(market_data, kept, WorldOptions())
    assert again.account().positions[SYMBOL].quantity == D("-0.01")
    again.advance(START + MINUTE)
    assert again.account().positions[SYMBOL].quantity == D("-0.01")
    assert listed(again).perp.min_notional == D(7)
    assert listed(again).perp.lot == D("0.00001")


def test_a_view_of_the_past_keeps_its_listing() -> None:
    world = make_world()
    before = world.market(1)
    world.change_market(FilterChange(symbol=SYMBOL, tick=D("0.5")))
    pair = before.pair(SYMBOL)
    assert pair is not None
    assert pair.perp.tick == D("0.01")


def test_changes_given_at_the_opening_hold_from_the_start() -> None:
    changes: tuple[MarketChange, ...] = (FilterChange(symbol=SYMBOL, tick=D("0.5")),)
    world = World(ScriptedMarketData(), start=START, changes=changes)
    assert listed(world).perp.tick == D("0.5")


def test_a_symbol_that_is_not_listed_cannot_change() -> None:
    with pytest.raises(MarketClosed):
        make_world().change_market(StatusChange(symbol="NONEUSDT", status=TradingStatus.CLOSED))


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"filter","symbol":"A","tick":"0"}',
        b'{"type":"filter","symbol":"A","lot":"NaN"}',
        b'{"type":"fee","symbol":"A","taker":"1"}',
        b'{"type":"bracket","symbol":"A","max_leverage":0}',
        b'{"type":"redenomination","symbol":"A","seconds":5}',
        b'{"type":"book_distortion","symbol":"A","shift_bps":"-10000"}',
        b'{"type":"book_distortion","symbol":"A","unknown":1}',
        b'{"type":"status","symbol":"A","status":"CLOSE","seconds":-1}',
        b'{"type":"ticker_collision","symbol":"A","price":"Infinity"}',
    ],
)
def test_a_change_outside_of_its_bounds_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=MarketChange)


def test_a_change_called_off_ends_and_one_to_come_never_begins() -> None:
    world = make_world()
    world.change_market(FilterChange(symbol=SYMBOL, tick=D("0.5")))
    world.change_market(FilterChange(symbol=SYMBOL, lot=D(5), at=START + MINUTE))
    world.change_market(Redenomination(symbol=SYMBOL))
    world.advance(START + SECOND)
    world.end_changes()
    world.advance(START + 2 * MINUTE)
    assert (listed(world).perp.tick, listed(world).perp.lot) == (D(10), D("0.00001"))
    assert len(world.changes) == 2
    with pytest.raises(FilterViolated):
        world.place(order(SPOT, BUY, "1", "100000.5", client_id="off-the-tick"))
