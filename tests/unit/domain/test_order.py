from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill, ForcedTrade, OrderRequest, OrderStatus

AT = datetime(2026, 1, 5, tzinfo=UTC)


def request(client_id: str = "h1-s-1", quantity: str = "1", price: str = "1") -> OrderRequest:
    return OrderRequest(
        client_id=client_id,
        market=Market.SPOT,
        symbol="ABCUSDT",
        side=Side.BUY,
        quantity=Decimal(quantity),
        price=Decimal(price),
    )


def fill(side: Side = Side.BUY, *, asset: str = "ABC", client_id: str = "") -> Fill:
    return Fill(
        market=Market.SPOT,
        symbol="ABCUSDT",
        trade_id=1,
        order_id=1,
        client_id=client_id,
        side=side,
        quantity=Decimal(10),
        price=Decimal(100),
        fee=Decimal("0.004"),
        fee_asset=asset,
        at=AT,
    )


def test_an_order_without_a_client_id_is_refused() -> None:
    with pytest.raises(ValueError, match="a client id is not empty"):
        request("")


@pytest.mark.parametrize(
    ("quantity", "price"),
    [("NaN", "1"), ("1", "NaN"), ("Infinity", "1"), ("1", "sNaN"), ("0", "1"), ("1", "0"), ("-1", "1")],
)
def test_an_order_has_a_positive_quantity_and_price(quantity: str, price: str) -> None:
    with pytest.raises(ValueError, match="h1-s-1: quantity and price must be positive"):
        request(quantity=quantity, price=price)


def test_an_order_is_done_once_it_can_no_longer_fill() -> None:
    assert {status for status in OrderStatus if not status.done} == {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}


def test_b12_a_fee_in_coin_reduces_what_is_held() -> None:
    assert fill().net_base("ABC") == Decimal("9.996")
    assert fill(asset="USDT").net_base("ABC") == 10
    assert fill(Side.SELL, asset="USDT").net_base("ABC") == -10


def test_a_fee_is_valued_in_quote_units_whatever_it_was_taken_in() -> None:
    assert fill(asset="USDT").fee_in_quote("ABC", "USDT") == Decimal("0.004")
    assert fill().fee_in_quote("ABC", "USDT") == Decimal("0.4")
    assert fill(asset="BNB").fee_in_quote("ABC", "USDT", asset_price=Decimal(600)) == Decimal("2.4")
    with pytest.raises(ValueError, match="no price for a fee in BNB"):
        fill(asset="BNB").fee_in_quote("ABC", "USDT")


def test_a_trade_is_forced_where_the_adapter_says_so_whatever_its_client_id() -> None:
    assert (fill(client_id="autoclose-1").forced, fill(client_id="autoclose-1").forced_name) == (False, "")
    forced = replace(fill(client_id="web"), forced_trade=ForcedTrade.SETTLEMENT)
    assert (forced.forced, forced.forced_name) == (True, "settlement of the symbol")


def test_trades_of_two_symbols_may_share_a_number() -> None:
    one = fill()
    assert one.key != replace(one, symbol="XYZUSDT").key
    assert one.key != replace(one, market=Market.PERP).key
    assert one.key == replace(one, order_id=2, quantity=Decimal(3)).key
