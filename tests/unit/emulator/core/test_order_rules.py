from decimal import Decimal

import pytest

from hedgerow.domain.errors import FilterViolated, MarketClosed, Rejected
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.order import OrderRequest
from hedgerow.emulator.core.order_rules import check_order, crosses
from support.orders import order
from support.worlds import make_pair

PAIR = make_pair(perp_lot="0.05", tick="0.05")
SPOT, PERP, BUY, SELL = Market.SPOT, Market.PERP, Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (order(PERP, BUY, "0.01", "100"), -4004),
        (order(PERP, BUY, "2000000", "100"), -4005),
        (order(PERP, BUY, "1.001", "100"), -1111),
        (order(PERP, BUY, "1.01", "100"), -4023),
        (order(PERP, BUY, "1", "100.001"), -1111),
        (order(PERP, BUY, "1", "100.01"), -4014),
        (order(PERP, BUY, "0.05", "96"), -4164),
        (order(PERP, BUY, "1", "105.05"), -4016),
        (order(PERP, SELL, "1", "94.95"), -4024),
        (order(SPOT, BUY, "1", "500.05"), -4016),
        (order(SPOT, SELL, "1", "500.05"), -4016),
        (order(SPOT, BUY, "1", "19.95"), -4024),
        (order(SPOT, SELL, "1", "100", reduce_only=True), -1106),
    ],
)
def test_each_filter_refuses_with_its_own_code(request_: OrderRequest, code: int) -> None:
    with pytest.raises(Rejected) as refusal:
        check_order(PAIR.instrument(request_.market), request_, Decimal(100))
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "request_",
    [
        order(PERP, BUY, "0.05", "105"),
        order(PERP, SELL, "1", "95"),
        order(PERP, SELL, "1", "150"),
        order(PERP, BUY, "1", "50"),
        order(PERP, BUY, "0.05", "96", reduce_only=True),
        order(SPOT, BUY, "0.05", "100"),
    ],
)
def test_the_border_of_each_filter_is_inside(request_: OrderRequest) -> None:
    check_order(PAIR.instrument(request_.market), request_, Decimal(100))


def test_a_filter_refusal_is_distinguished_from_a_closed_market() -> None:
    with pytest.raises(FilterViolated):
        check_order(PAIR.perp, order(PERP, BUY, "1.01", "100"), Decimal(100))
    closed = make_pair(status=TradingStatus.CLOSED)
    with pytest.raises(MarketClosed) as refusal:
        check_order(closed.perp, order(PERP, BUY, "1", "100", reduce_only=True), Decimal(100))
    assert refusal.value.code == -4141


def test_a_settling_market_only_lets_go() -> None:
    settling = make_pair(status=TradingStatus.SETTLING)
    check_order(settling.spot, order(SPOT, SELL, "1", "100"), Decimal(100))
    check_order(settling.perp, order(PERP, BUY, "1", "100", reduce_only=True), Decimal(100))
    for market, side in ((SPOT, BUY), (PERP, SELL)):
        with pytest.raises(MarketClosed) as refusal:
            check_order(settling.instrument(market), order(market, side, "1", "100"), Decimal(100))
        assert refusal.value.code == -4140


def test_an_order_crosses_when_its_limit_reaches_the_other_side() -> None:
    buy, sell = order(SPOT, BUY, "1", "100"), order(SPOT, SELL, "1", "100")
    assert crosses(buy, Decimal(100))
    assert not crosses(buy, Decimal("100.01"))
    assert crosses(sell, Decimal(100))
    assert not crosses(sell, Decimal("99.99"))
    assert not crosses(sell, None)
