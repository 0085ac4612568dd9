"""Orders meeting the book of a world: depletion, waiting, serving, and what they set aside."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.errors import InsufficientBalance, OrderNotFound, Rejected
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderStatus, TimeInForce
from hedgerow.emulator import World
from support.orders import order
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData, make_world, prices_of

SPOT, PERP, BUY, SELL = Market.SPOT, Market.PERP, Side.BUY, Side.SELL
GTC, GTX = TimeInForce.GTC, TimeInForce.GTX
D = Decimal


def quiet_world(**options: Any) -> World:
    """A world in which so little trades that no queue moves."""
    return make_world(ScriptedMarketData([Listing(volume=1)]), **options)


def after(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_the_same_order_twice_pays_more_the_second_time() -> None:
    world = make_world()
    first = world.place(order(SPOT, BUY, "45", "105"))
    second = world.place(order(SPOT, BUY, "45", "105"))
    assert first.filled_notional / 45 < second.filled_notional / 45


def test_the_book_fills_up_again_with_time() -> None:
    world = make_world()
    before = world.depth(SPOT, SYMBOL).asks
    world.place(order(SPOT, BUY, "45", "105"))
    assert world.depth(SPOT, SYMBOL).asks[0].quantity < before[0].quantity
    world.advance(START + after(1200))
    assert world.depth(SPOT, SYMBOL).asks == before


def test_taking_offers_leaves_bids_and_the_other_market_alone() -> None:
    world = make_world()
    spot, perp = world.depth(SPOT, SYMBOL), world.depth(PERP, SYMBOL)
    world.place(order(SPOT, BUY, "45", "105"))
    assert world.depth(SPOT, SYMBOL).bids == spot.bids
    assert world.depth(PERP, SYMBOL) == perp


def test_a_bottomless_book_gives_any_quantity_at_exactly_the_price() -> None:
    market_data = ScriptedMarketData([Listing(spot="100.123")])
    world = make_world(market_data, usdt=10_000_000, bottomless=True)
    done = world.place(order(SPOT, BUY, "50000", "101"))
    assert (done.status, done.filled_notional) == (OrderStatus.FILLED, 50_000 * D("100.123"))
    quote = world.market(1).quote(SPOT, SYMBOL)
    assert quote is not None
    assert quote.bid == quote.ask == D("100.123")


def test_an_account_may_pay_its_spot_fees_in_usdt() -> None:
    world = make_world(spot_quote_fee=D("0.001"))
    world.place(order(SPOT, BUY, "10", "100.1"))
    account = world.account()
    assert account.coin("AAA").free == 10
    assert account.spot_usdt == 10_000 - D("1000.1") * D("1.001")
    assert world.fills(SPOT, SYMBOL, START)[0].fee_asset == "USDT"


def test_a_gtc_order_takes_what_crosses_and_rests_with_the_remainder() -> None:
    world = quiet_world()
    done = world.place(order(SPOT, BUY, "90", "100.01", time_in_force=GTC))
    assert done.status is OrderStatus.PARTIALLY_FILLED
    balance = world.account().spot["USDT"]
    assert balance.locked == (90 - done.filled_quantity) * D("100.01")
    assert balance.total == 10_000 - done.filled_notional


def test_cancelling_gives_back_what_was_set_aside() -> None:
    world = quiet_world(coins={"AAA": D(5)})
    for number, side in enumerate(Side):
        price = "99" if side is BUY else "101"
        world.place(order(SPOT, side, "1", price, client_id=f"rest-{number}", time_in_force=GTX))
    account = world.account()
    assert (account.spot["USDT"].locked, account.spot["AAA"].locked) == (D(99), D(1))
    for number in range(2):
        world.cancel(SPOT, SYMBOL, f"rest-{number}")
    account = world.account()
    assert (account.spot_usdt, account.coin("AAA").free) == (D(10_000), D(5))
    with pytest.raises(OrderNotFound):
        world.cancel(SPOT, SYMBOL, "rest-0")


def test_money_set_aside_cannot_be_spent_twice() -> None:
    world = quiet_world()
    world.place(order(SPOT, BUY, "60", "99", time_in_force=GTX))
    with pytest.raises(InsufficientBalance):
        world.place(order(SPOT, BUY, "60", "99", time_in_force=GTX))


def test_resting_perp_orders_hold_margin() -> None:
    world = quiet_world()
    world.set_leverage(SYMBOL, 1)
    world.place(order(PERP, SELL, "60", "101", time_in_force=GTX))
    assert world.account().perp.available == 10_000 - 6_060
    with pytest.raises(InsufficientBalance):
        world.place(order(PERP, SELL, "60", "101", time_in_force=GTX))


def test_a_maker_is_served_after_the_queue_before_it() -> None:
    market_data = ScriptedMarketData([Listing(volume=86_400_000)])
    world = make_world(market_data)
    request = order(PERP, BUY, "2", "99.99", client_id="queue", time_in_force=GTX)
    ahead = world.depth(PERP, SYMBOL).bids[0].quantity
    world.place(request)
    rate = D(86_400_000) / 86_400 / 2 / D("99.99")
    world.advance(START + after(float(ahead / rate) - 0.1))
    assert world.order(PERP, SYMBOL, "queue").filled_quantity == 0  # type: ignore[union-attr]  # it was placed above
    world.advance(START + after(float((ahead + 1) / rate) + 0.1))
    working = world.order(PERP, SYMBOL, "queue")
    assert working is not None
    assert 1 <= working.filled_quantity < 2
    world.advance(START + after(600))
    done = world.order(PERP, SYMBOL, "queue")
    assert done is not None
    assert done.status is OrderStatus.FILLED
    fills = world.fills(PERP, SYMBOL, START)
    assert all(fill.maker and fill.price == D("99.99") for fill in fills)
    assert sum(fill.fee for fill in fills) == pytest.approx(2 * D("99.99") * D("0.0001"))


def test_a_resting_sale_is_paid_when_the_price_comes_through() -> None:
    market_data = ScriptedMarketData([Listing(volume=1)])
    market_data.set_prices(START + after(300), "105")
    world = make_world(market_data, usdt=0, coins={"AAA": D(5)})
    world.place(order(SPOT, SELL, "5", "101", time_in_force=GTX))
    world.advance(START + after(400))
    account = world.account()
    assert account.spot_usdt == 505 - 505 * D("0.00005")
    assert account.coin("AAA").total == 0


def test_an_id_is_free_again_once_its_order_has_ended() -> None:
    world = quiet_world()
    world.place(order(SPOT, BUY, "1", "99", client_id="same", time_in_force=GTX))
    with pytest.raises(Rejected) as refusal:
        world.place(order(SPOT, BUY, "1", "99", client_id="same", time_in_force=GTX))
    assert refusal.value.code == -2010
    world.cancel(SPOT, SYMBOL, "same")
    world.place(order(SPOT, BUY, "1", "99", client_id="same", time_in_force=GTX))


def test_nothing_trades_in_a_gap_of_the_tape() -> None:
    market_data = ScriptedMarketData()
    market_data.set_gap(START + after(300))
    world = make_world(market_data)
    world.advance(START + after(300))
    assert world.market(1).quote(SPOT, SYMBOL) is None
    assert world.depth(SPOT, SYMBOL).asks == ()
    with pytest.raises(Rejected) as refusal:
        world.place(order(SPOT, BUY, "1", "100"))
    assert refusal.value.code == -1112


def test_a_missing_side_is_none_and_takes_no_orders() -> None:
    market_data = ScriptedMarketData()
    market_data.set_missing_sides(START, {SPOT: BUY})
    world = make_world(market_data)
    quote = world.market(1).quote(SPOT, SYMBOL)
    assert quote is not None
    assert quote.ask is None
    assert quote.bid is not None
    assert world.place(order(SPOT, BUY, "1", "105")).filled_quantity == 0


def test_in_hedge_mode_an_order_without_a_position_side_is_refused() -> None:
    world = make_world()
    world.set_modes(one_way=False)
    with pytest.raises(Rejected) as refusal:
        world.place(order(PERP, SELL, "1", "99.9"))
    assert refusal.value.code == -4061
    assert world.account().one_way is False


def test_a_market_order_by_hand_does_not_reach_beyond_its_bound() -> None:
    market_data = ScriptedMarketData()
    market_data.set_liquidity(half_spread_bps=600, depth_notional=100_000)
    world = make_world(market_data)
    with pytest.raises(Rejected) as refusal:
        world.trade_by_hand(PERP, SYMBOL, SELL, D(1))
    assert refusal.value.code == -4131


def test_prices_of_both_markets_are_their_own() -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(START, "100", "101", mark="100.5")
    world = make_world(market_data)
    assert world.market_data.prices(SYMBOL, START) == prices_of("100", "101", "100.5")
    world.set_leverage(SYMBOL, 1)
    world.place(order(PERP, SELL, "1", "100.9"))
    position = world.account().positions[SYMBOL]
    assert position.entry_price == D("100.98")
    assert position.unrealized_pnl == D("0.48")
