from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus
from hedgerow.domain.position import HedgedPosition, OrderRecord, Tally
from support.ledger_builder import SPOT_FEE, START, LedgerBuilder

ZERO = Decimal(0)


def record(side: Side = Side.BUY, market: Market = Market.SPOT, **values: Any) -> OrderRecord:
    request = OrderRequest(
        client_id="h1-s-1",
        market=market,
        symbol="ABCUSDT",
        side=side,
        quantity=Decimal(10),
        price=Decimal(100),
    )
    return OrderRecord(request=request, hedge_id="h1", fee_rate=SPOT_FEE, issued_at=START, **values)


def bought(**values: Any) -> OrderRecord:
    return record(filled_quantity=Decimal(10), filled_notional=Decimal(1000), **values)


def test_until_a_fee_is_booked_it_is_estimated_and_a_buys_is_taken_in_coin() -> None:
    order = bought()
    assert (order.estimated_fee, order.coin_fee, order.coin_fee_value) == (
        Decimal("0.4000"),
        Decimal("0.0040"),
        Decimal("0.4000"),
    )
    assert not order.fees_settled


def test_a_booked_fee_replaces_its_part_of_the_estimate() -> None:
    order = bought(
        booked_quantity=Decimal(4),
        booked_notional=Decimal(400),
        booked_fee=Decimal("0.16"),
        booked_coin_fee=Decimal("0.0016"),
        booked_coin_value=Decimal("0.16"),
    )
    assert order.estimated_fee == Decimal("0.24")
    assert order.coin_fee == Decimal("0.0040")
    assert order.coin_fee_value == Decimal("0.40")


@pytest.mark.parametrize(("side", "market"), [(Side.SELL, Market.SPOT), (Side.BUY, Market.PERP)])
def test_only_a_spot_buy_is_expected_to_pay_in_coin(side: Side, market: Market) -> None:
    order = record(side, market, filled_quantity=Decimal(10), filled_notional=Decimal(1000))
    assert order.estimated_fee == Decimal("0.4")
    assert (order.coin_fee, order.coin_fee_value) == (ZERO, ZERO)


def test_a_fee_in_coin_that_was_really_taken_from_a_sale_counts() -> None:
    order = record(Side.SELL, filled_quantity=Decimal(10), booked_coin_fee=Decimal("0.01"), booked_coin_value=ZERO + 1)
    tally = Tally.of((order,))
    assert tally.spot_quantity == Decimal("-10.01")
    assert tally.coin_fee_value == 1


def test_orders_that_build_a_hedge_are_distinguished_from_those_that_reduce_it() -> None:
    assert record(Side.BUY, Market.SPOT).opens
    assert record(Side.SELL, Market.PERP).opens
    assert not record(Side.SELL, Market.SPOT).opens
    assert not record(Side.BUY, Market.PERP).opens


def foreign(market: Market, fee_asset: str) -> Fill:
    return Fill(
        market=market,
        symbol="ABCUSDT",
        trade_id=55,
        order_id=5,
        side=Side.BUY,
        quantity=Decimal(2),
        price=Decimal(100),
        fee=Decimal("0.01"),
        fee_asset=fee_asset,
        at=START,
    )


@pytest.mark.parametrize(
    ("market", "asset", "coin_fee"),
    [(Market.SPOT, "ABC", "0.01"), (Market.SPOT, "USDT", "0"), (Market.PERP, "ABC", "0")],
)
def test_a_trade_without_an_order_of_ours_becomes_a_settled_record(market: Market, asset: str, coin_fee: str) -> None:
    made = OrderRecord.of_fill(foreign(market, asset), hedge_id="h1", base="ABC", fee_quote=Decimal(1))
    assert made.request.client_id == f"x{market.value[0]}-55"
    assert made.fees_settled
    assert made.booked_coin_fee == Decimal(coin_fee)
    assert made.booked_coin_value == (1 if Decimal(coin_fee) else 0)


def test_an_order_that_ended_half_filled_may_have_filled_further_until_its_trades_are_booked() -> None:
    half = record(status=OrderStatus.EXPIRED, filled_quantity=Decimal(4), filled_notional=Decimal(400))
    assert half.may_have_filled_further
    assert not replace(half, status=OrderStatus.PARTIALLY_FILLED).may_have_filled_further
    assert not replace(half, booked_quantity=Decimal(4)).may_have_filled_further
    assert not replace(half, filled_quantity=half.request.quantity).may_have_filled_further
    assert bare(half, replace(half, booked_quantity=Decimal(4))).in_doubt == (half,)


def test_an_order_that_filled_nothing_may_have_filled_further_only_while_its_end_is_unconfirmed() -> None:
    nothing = record(status=OrderStatus.EXPIRED, unconfirmed=True)
    assert nothing.may_have_filled_further
    assert not replace(nothing, unconfirmed=False).may_have_filled_further
    assert not replace(nothing, status=OrderStatus.NEW).may_have_filled_further


def test_b12_a_hedge_holds_its_coins_net_of_the_fee() -> None:
    hedge = LedgerBuilder().open_hedge().ledger.largest
    assert hedge
    assert (hedge.spot_quantity, hedge.perp_quantity, hedge.short) == (Decimal("9.9960"), Decimal(-10), Decimal(10))
    assert (hedge.entry_price, hedge.entry_notional, hedge.symbol) == (Decimal(100), Decimal(1000), "ABCUSDT")


def bare(*orders: OrderRecord, **values: Any) -> HedgedPosition:
    return HedgedPosition(
        hedge_id="h1",
        pair=LedgerBuilder().pair,
        opened_at=START,
        counted_from=START,
        entry_rate=0.0,
        entry_apr=0.0,
        entry_notional=Decimal(1000),
        orders=orders,
        **values,
    )


def test_the_entry_price_is_the_perpetuals_where_no_coin_was_bought_and_zero_without_trades() -> None:
    short = record(Side.SELL, Market.PERP, filled_quantity=Decimal(10), filled_notional=Decimal(1010))
    assert bare(short).entry_price == 101
    assert bare().entry_price == 0


def test_b3_funding_since_a_roll_leaves_out_what_came_before() -> None:
    hedge = bare(funding_received=Decimal(5), funding_before_roll=Decimal(3))
    assert hedge.funding_counted == 2


def test_both_legs_are_valued_at_their_own_price_and_a_fee_in_coin_is_no_loss_of_trading() -> None:
    hedge = LedgerBuilder().open_hedge().paid(3, 1).ledger.largest
    assert hedge
    # Coins up ten dollars, short down ten: the basis earned is the premium of one dollar a coin.
    legs = Decimal("9.996") * 110 - 1000 + Decimal("0.4") + 1010 - 1110
    assert hedge.tally.fees == Decimal(1000) * SPOT_FEE + Decimal(1010) * SPOT_FEE
    assert hedge.tally.price_pnl(Decimal(110), Decimal(111)) == legs


def test_what_a_closed_hedge_earned_is_funding_plus_basis_minus_fees() -> None:
    closed = LedgerBuilder().open_hedge().paid("4.5", 1).close_hedge().ledger.closed[0]
    assert (closed.hedge_id, closed.symbol, closed.funding) == ("h1", "ABCUSDT", Decimal("4.5"))
    assert closed.net_profit == closed.funding + closed.basis_pnl - closed.fees


def test_a_hedge_began_with_its_first_order_even_if_it_was_complete_much_later() -> None:
    hedge = LedgerBuilder().begin().trade("s-1", Side.BUY, 10, 100).wait(hours=1).opened().ledger.largest
    assert hedge
    assert hedge.begun_at == hedge.orders[0].issued_at
    assert (hedge.opened_at - hedge.begun_at).total_seconds() > 3600
    assert bare().begun_at == START


# --- since when one leg is alone -------------------------------------------------------------------------------------


def traded(client_id: str, market: Market, side: Side, seconds: float) -> OrderRecord:
    made = record(side, market, filled_quantity=Decimal(10), filled_notional=Decimal(1000))
    return replace(
        made, request=replace(made.request, client_id=client_id), issued_at=START + timedelta(seconds=seconds)
    )


OWN = (
    traded("h1-s-1", Market.SPOT, Side.BUY, 0),
    traded("h1-p-1", Market.PERP, Side.SELL, 1),
)


def held() -> HedgedPosition:
    hedge = LedgerBuilder().open_hedge().ledger.largest
    assert hedge is not None
    return hedge


def lone(*orders: OrderRecord) -> float | None:
    hedge = replace(held(), hedge_id="h1", orders=orders)
    return None if hedge.unhedged_since is None else (hedge.unhedged_since - START).total_seconds()


def test_a_leg_is_alone_since_the_first_trade_of_others_after_the_last_own_order() -> None:
    assert lone(*OWN) is None
    assert lone(*OWN, traded("xp-7", Market.PERP, Side.BUY, 60), traded("xp-8", Market.PERP, Side.BUY, 90)) == 60
    earlier = traded("xp-7", Market.PERP, Side.BUY, 60)
    assert lone(*OWN, earlier, traded("h1-s-2", Market.SPOT, Side.SELL, 70)) is None
    assert lone(*OWN, traded("xs--1", Market.SPOT, Side.SELL, 60)) is None, "nobody knows when it went"


def test_a_leg_that_never_had_another_is_alone_since_its_first_trade() -> None:
    assert lone(traded("xp-7", Market.PERP, Side.SELL, 5), traded("xp-8", Market.PERP, Side.SELL, 9)) == 5
    assert lone() is None


def test_the_last_to_buy_back_the_short_decides_whether_it_was_by_force() -> None:
    bought_back = traded("xp-7", Market.PERP, Side.BUY, 60)
    hedge = replace(held(), orders=(*OWN, replace(bought_back, forced=True)))
    assert hedge.closed_by_force
    assert not replace(hedge, orders=(*OWN, bought_back)).closed_by_force
    assert not replace(hedge, orders=OWN).closed_by_force


def test_a_fill_without_a_price_leaves_a_hedge_without_a_value() -> None:
    hedge = replace(held(), orders=OWN, entry_notional=Decimal(1000))
    assert hedge.valued
    assert not replace(hedge, entry_notional=ZERO).valued
    assert not replace(hedge, orders=(*OWN, replace(OWN[0], filled_notional=ZERO))).valued
