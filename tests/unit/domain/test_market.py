from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.market import Quote
from support.toy_venue import depth_of

AT = datetime(2026, 1, 5, tzinfo=UTC)


def quote(bid: str | None = "99", ask: str | None = "101") -> Quote:
    return Quote(
        market=Market.SPOT,
        symbol="ABCUSDT",
        bid=None if bid is None else Decimal(bid),
        bid_quantity=Decimal(1),
        ask=None if ask is None else Decimal(ask),
        ask_quantity=Decimal(1),
        at=AT,
    )


def test_a_quote_has_a_middle_a_spread_and_a_touch_for_each_side() -> None:
    both = quote()
    assert both.two_sided
    assert (both.mid, both.spread_bps) == (Decimal(100), Decimal(200))
    assert (both.touch(Side.BUY), both.touch(Side.SELL)) == (Decimal(101), Decimal(99))


@pytest.mark.parametrize("one", [quote(bid=None), quote(ask=None)])
def test_a_one_sided_quote_has_no_middle_and_no_spread_rather_than_zero(one: Quote) -> None:
    assert not one.two_sided
    assert one.mid is None
    assert one.spread_bps is None


BOOK = depth_of(Market.PERP, [("100", "1"), ("99.95", "2"), ("99.8", "4")], [("101", "3"), ("101.2", "5")])


def test_a_book_gives_the_levels_an_order_would_take() -> None:
    assert BOOK.two_sided
    assert (BOOK.touch(Side.SELL), BOOK.touch(Side.BUY)) == (Decimal(100), Decimal(101))


def test_a_capped_price_lies_on_the_worse_side_of_the_touch() -> None:
    assert BOOK.capped_price(Side.SELL, Decimal(10)) == Decimal("99.9")
    assert BOOK.capped_price(Side.BUY, Decimal(10)) == Decimal("101.101")


@pytest.mark.parametrize(
    ("side", "cap", "quantity"), [(Side.SELL, 0, 1), (Side.SELL, 5, 3), (Side.SELL, 20, 7), (Side.BUY, 10, 3)]
)
def test_only_what_lies_within_the_cap_counts_as_depth(side: Side, cap: int, quantity: int) -> None:
    assert BOOK.quantity_within(side, Decimal(cap)) == quantity


def test_an_empty_side_has_no_price_and_no_depth() -> None:
    book = depth_of(Market.SPOT, [], [("101", "3")])
    assert not book.two_sided
    assert book.touch(Side.SELL) is None
    assert book.capped_price(Side.SELL, Decimal(10)) is None
    assert book.quantity_within(Side.SELL, Decimal(10)) == 0
