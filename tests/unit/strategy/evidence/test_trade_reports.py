"""Which trade reports are booked at once, and which have to be read again first."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill, OrderRequest, OrderStatus
from hedgerow.domain.position import OrderRecord
from hedgerow.strategy.evidence.trade_reports import average_entry, contradiction, expected_pnl, unusual
from support.views import NOW

RATE = Decimal("0.0004")


def record(market: Market = Market.SPOT, side: Side = Side.BUY, **changes: Any) -> OrderRecord:
    """Return a filled order of 2 at a limit of 101 (buy) or 99 (sell), worth 200."""
    order = OrderRequest(
        client_id="h-s-1",
        market=market,
        symbol="AAAUSDT",
        side=side,
        quantity=Decimal(2),
        price=Decimal(101) if side is Side.BUY else Decimal(99),
    )
    known = OrderRecord(
        request=order,
        hedge_id="h",
        fee_rate=RATE,
        issued_at=NOW,
        status=OrderStatus.FILLED,
        filled_quantity=Decimal(2),
        filled_notional=Decimal(200),
    )
    return replace(known, **changes)


def trade(quantity: str = "1", price: str = "100", side: Side = Side.BUY, **changes: Any) -> Fill:
    fill = Fill(
        market=Market.SPOT,
        symbol="AAAUSDT",
        trade_id=7,
        order_id=1,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal("0.04"),
        fee_asset="USDT",
        at=NOW,
    )
    return replace(fill, **changes)


@pytest.mark.parametrize(
    "fills",
    [
        [trade("2")],
        [trade("1"), trade("1", "100.1")],
        [trade("1")],
        [trade("2", "100.09")],
        [],
    ],
    ids=["all", "two", "a part so far", "a rounded average", "none"],
)
def test_trades_that_agree_with_their_order_are_believed(fills: list[Fill]) -> None:
    assert contradiction(record(), fills) is None


@pytest.mark.parametrize(
    ("fills", "text"),
    [
        ([trade("2", side=Side.SELL)], "trade 7 is a SELL, the order a BUY"),
        ([trade("2", "101.01")], "trade 7 has price 101.01, the order's limit is 101"),
        ([trade("2.5")], "trades of 2.5, the order filled 2"),
        ([trade("1"), trade("1.1")], "trades of 2.1, the order filled 2"),
        ([trade("2", "99")], "trades worth 198, the order's fills 200"),
        ([trade("2", "0.01")], "trades worth 0.02, the order's fills 200"),
    ],
)
def test_trades_that_their_order_cannot_have_made_are_named(fills: list[Fill], text: str) -> None:
    assert contradiction(record(), fills) == text


def test_a_sale_below_its_limit_is_named() -> None:
    sold = record(side=Side.SELL)
    assert contradiction(sold, [trade("2", "100", Side.SELL)]) is None
    assert contradiction(sold, [trade("2", "98.9", Side.SELL)]) == "trade 7 has price 98.9, the order's limit is 99"


def test_what_was_booked_before_counts() -> None:
    half = record(booked_quantity=Decimal(1), booked_notional=Decimal(100))
    assert contradiction(half, [trade("1")]) is None
    assert contradiction(half, [trade("1.5")]) == "trades of 2.5, the order filled 2"


def test_an_order_that_still_works_may_fill_to_its_end() -> None:
    working = record(status=OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal(1), filled_notional=Decimal(100))
    assert contradiction(working, [trade("2")]) is None
    assert contradiction(working, [trade("2.1")]) == "trades of 2.1, the order filled 2"


def test_an_order_without_a_reported_notional_has_none_to_compare_with() -> None:
    assert contradiction(record(filled_notional=Decimal(0)), [trade("2", "50")]) is None


@pytest.mark.parametrize(
    ("fee", "free", "is_unusual"),
    [
        ("0.04", False, False),
        ("0.12", False, False),
        ("0.121", False, True),
        ("0", False, True),
        ("-0.01", False, True),
        ("0", True, False),
        ("-0.01", True, False),
        ("0.121", True, True),
    ],
)
def test_a_commission_far_from_the_expected_one_is_unusual(fee: str, *, free: bool, is_unusual: bool) -> None:
    found = unusual(trade(), Decimal(fee), expected_rate=RATE, may_be_free=free, pnl=None)
    assert (found is not None) is is_unusual


@pytest.mark.parametrize(
    ("quantity", "price", "asset", "is_unusual"),
    [
        ("0.00001", "173000000", "AAA", False),
        ("0.0001", "173000000", "AAA", True),
        ("0.00001", "173000000", "USDT", True),
        ("0.00001", "1", "USDT", False),
    ],
)
def test_a_commission_below_the_smallest_amount_is_none_and_not_unusual(
    quantity: str, price: str, asset: str, *, is_unusual: bool
) -> None:
    found = unusual(
        trade(quantity, price, fee=Decimal(0), fee_asset=asset),
        Decimal(0),
        expected_rate=RATE,
        may_be_free=False,
        pnl=None,
    )
    assert (found is not None) is is_unusual


@pytest.mark.parametrize(
    ("pnl", "is_unusual"), [("-5", False), ("-4.99", False), ("-4.98", True), ("5", True), ("0", True), ("1e9", True)]
)
def test_a_realised_pnl_far_from_what_the_log_expects_is_unusual(pnl: str, *, is_unusual: bool) -> None:
    closing = trade("1", "105", realized_pnl=Decimal(pnl))
    expected = expected_pnl(record(Market.PERP, Side.BUY), closing, Decimal(100))
    found = unusual(closing, Decimal("0.04"), expected_rate=RATE, may_be_free=False, pnl=expected)
    assert (found is not None) is is_unusual


@pytest.mark.parametrize(("pnl", "is_unusual"), [("0", False), ("0.009", False), ("-1", True), ("5", True)])
def test_a_trade_that_adds_to_the_short_and_realises_something_is_unusual(pnl: str, *, is_unusual: bool) -> None:
    opening = trade("1", "100", realized_pnl=Decimal(pnl))
    expected = expected_pnl(record(Market.PERP, Side.SELL), opening, Decimal(100))
    found = unusual(opening, Decimal("0.04"), expected_rate=RATE, may_be_free=False, pnl=expected)
    assert (found is not None) is is_unusual


def test_nothing_is_expected_of_a_spot_trade_or_of_a_short_whose_entry_is_not_known() -> None:
    assert expected_pnl(record(), trade(), Decimal(100)) is None
    assert expected_pnl(record(Market.PERP, Side.BUY), trade(), None) is None


def perp_order(number: int, side: Side, quantity: str, price: str) -> OrderRecord:
    """Return an order on the perpetual that filled; a price of zero = its notional was not reported."""
    known = record(Market.PERP, side, filled_quantity=Decimal(quantity))
    request = replace(known.request, client_id=f"h-p-{number}")
    return replace(known, request=request, filled_notional=Decimal(quantity) * Decimal(price))


CLOSING = perp_order(9, Side.BUY, "1", "90")


def test_the_average_entry_is_of_the_orders_that_sold_the_perpetual() -> None:
    sold, more = perp_order(1, Side.SELL, "2", "100"), perp_order(2, Side.SELL, "2", "110")
    nothing = perp_order(3, Side.SELL, "0", "0")
    assert average_entry([record(), sold, more, nothing, CLOSING], CLOSING) == 105
    assert average_entry([sold, more], CLOSING) == 105
    assert average_entry([record(), CLOSING], CLOSING) is None
    assert average_entry([perp_order(1, Side.SELL, "2", "0"), CLOSING], CLOSING) is None


def test_a_short_that_was_reduced_and_sold_again_has_the_average_of_what_was_left_and_of_the_new_sale() -> None:
    sold, back = perp_order(1, Side.SELL, "4", "100"), perp_order(2, Side.BUY, "3", "90")
    again = perp_order(3, Side.SELL, "3", "92")
    assert average_entry([sold, back, again, CLOSING], CLOSING) == 94
    flat = perp_order(2, Side.BUY, "4", "90")
    assert average_entry([sold, flat, again, CLOSING], CLOSING) == 92
    assert average_entry([sold, flat, CLOSING], CLOSING) is None


def test_a_purchase_of_others_counts_when_it_was_made_and_not_when_it_became_known() -> None:
    sold, again = perp_order(1, Side.SELL, "2", "100"), perp_order(3, Side.SELL, "1", "90")
    back = perp_order(2, Side.BUY, "1", "95")
    timed = [replace(each, issued_at=NOW + timedelta(hours=hour)) for hour, each in ((0, sold), (2, again), (1, back))]
    closing = replace(CLOSING, issued_at=NOW + timedelta(hours=3))
    assert average_entry([*timed, closing], closing) == 95


def test_sales_after_a_purchase_do_not_change_what_it_realised() -> None:
    sold, later = perp_order(1, Side.SELL, "4", "100"), perp_order(10, Side.SELL, "4", "80")
    assert average_entry([sold, CLOSING, later], CLOSING) == 100
