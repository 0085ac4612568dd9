"""Quantities, prices and coins that are not what the venue's filters and fills say."""

from decimal import Decimal

import pytest

from hedgerow.domain.events import (
    OrderEnded,
)
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.domain.order import OrderStatus
from support.bot_harness import BotHarness
from support.regressions import SPOT, assert_sound, by_hand, settings
from support.worlds import SYMBOL, Listing, ScriptedMarketData, make_pair


def test_no_order_goes_without_a_price_and_no_slice_beyond_the_depth() -> None:
    """Did: market orders without a cap into spot books of $30,000 and less."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006", depth_notional=3000)])
    harness = BotHarness(market_data, usdt=2000, perp=2000, parameters=settings(), latency_seconds=0.05)
    harness.run(0.5)
    assert_sound(harness)
    orders = [placed.order for placed in harness.venue.orders]
    assert orders
    assert all(abs(order.price / 100 - 1) < Decimal("0.01") for order in orders)
    assert max(order.quantity * 100 for order in orders if order.market is SPOT) <= Decimal("0.2") * 7 * 3000


@pytest.mark.parametrize("taker", ["0.0004", "0.001", "0.0036"])
def test_the_short_is_what_was_received_after_the_fee_in_coin(taker: str) -> None:
    """Did: shorted what was ordered, and stayed net short by the fee taken in coin, for good."""
    market_data = ScriptedMarketData([Listing(make_pair(spot_taker=taker), rate="0.0006")])
    harness = BotHarness(market_data, parameters=settings())
    harness.run(0.5)
    assert_sound(harness)
    bought = sum(r.filled_quantity for r in harness.hedge.orders if r.request.market is SPOT)
    assert harness.coins() == bought - sum(r.booked_coin_fee for r in harness.hedge.orders)
    assert 0 <= harness.coins() - harness.short() <= harness.hedge.pair.lot_step


@pytest.mark.parametrize("quantity", ["0.29", "0.57", "1.13", "4.35"])
def test_quantities_are_cut_on_the_grid_and_not_by_floats(quantity: str) -> None:
    """Did: sent 0.28 for 0.29, left 0.01 short on the venue, and cleared its state."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    world = by_hand(market_data, spot=str(Decimal(quantity) + Decimal("0.002")), short=quantity)
    harness = BotHarness(market_data, world=world, parameters=settings())
    harness.run(0.05)
    assert harness.hedge.short == Decimal(quantity)
    assert harness.ask(CloseRequested()).done
    assert_sound(harness)
    assert harness.short() == 0


@pytest.mark.parametrize(
    ("price", "tick", "spot_lot", "perp_lot"),
    [("100", "0.0100000", "0.00100000", "0.0010000"), ("0.02", "0.00001", "5", "10"), ("0.3", "0.0001", "2.5", "10")],
)
def test_padded_steps_and_steps_that_are_no_power_of_ten_are_kept(
    price: str, tick: str, spot_lot: str, perp_lot: str
) -> None:
    """Did: counted decimals: eight for a padded 0.00100000, none for 5 or 10, and orders were refused for it."""
    pair = make_pair(tick=tick, spot_lot=spot_lot, perp_lot=perp_lot)
    harness = BotHarness(
        ScriptedMarketData([Listing(pair, spot=price, rate="0.0006")]), parameters=settings(), latency_seconds=0.05
    )
    harness.run(0.5)
    assert_sound(harness)
    harness.check_whole()
    for placed in harness.venue.orders:
        instrument = pair.instrument(placed.order.market)
        assert placed.order.quantity % instrument.lot == 0
        assert placed.order.price % instrument.tick == 0
    assert OrderStatus.REJECTED not in {end.status for end in harness.logged(OrderEnded)}


def test_a_coin_is_named_by_the_venue_and_not_cut_out_of_a_symbol() -> None:
    """Did: took any quote, and replaced the text wherever it stood: USDTX became X."""
    harness = BotHarness(ScriptedMarketData([Listing("USDTXUSDT", rate="0.0006")]), parameters=settings())
    harness.run(0.5)
    assert_sound(harness)
    assert harness.hedge.pair.base == "USDTX"
    assert harness.coins("USDTX") == harness.ledger.owned("USDTX") > 0


def test_a_hedge_of_one_step_of_the_perpetual_is_possible() -> None:
    """Does: needs three steps of the perpetual, about $530 of capital for BTC at 1x."""
    pair = make_pair("BTCUSDT", tick="0.1", spot_lot="0.00001", perp_lot="0.001")
    market_data = ScriptedMarketData([Listing(pair, spot=70_000, rate="0.0006")])
    harness = BotHarness(market_data, usdt=80, perp=80, parameters=settings(execution={"max_naked_equity_fraction": 1}))
    harness.run(0.5)
    assert_sound(harness)
    assert harness.hedge.short == Decimal("0.001")
    careful = BotHarness(market_data, usdt=80, perp=80, parameters=settings())
    careful.run(0.5)
    assert careful.ledger.largest is None, "a step is $70, 5 % of the equity are $8"
