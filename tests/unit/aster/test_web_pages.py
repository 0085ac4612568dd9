"""Answers that are not the exchange's own: a write behind them may have been executed, and is never repeated."""

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.commands import ArmDeadMan, CancelOrder, PlaceOrder, SetMarginType
from hedgerow.domain.events import (
    CommandRefused,
    DeadManArmed,
    MarginTypeSet,
    OrderEnded,
    OrderOutcomeUnknown,
    TransferOutcomeUnknown,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest
from hedgerow.ports import HttpResponse
from support.account_harness import MOVE, TRANSFER, AccountHarness
from support.scripted_aster import SYMBOL, error, order_row, reply

SPOT, PERP = Market.SPOT, Market.PERP
ORDER = {SPOT: "/api/v3/order", PERP: "/fapi/v3/order"}
PAGES = [
    HttpResponse(status=status, body=body)
    for status, body in [
        (200, b"<html>"),
        (302, b""),
        (403, b"<html>"),
        (404, b"<html>"),
        (408, b""),
        (415, b"<html>"),
        (451, b"<html>"),
        (499, b""),
        (200, b"{}"),
        (200, b'{"status":"ok"}'),
        (404, b'{"code":404,"message":"Not Found"}'),
    ]
]


@pytest.fixture
def harness() -> AccountHarness:
    return AccountHarness()


def order(market: Market) -> OrderRequest:
    return OrderRequest(
        client_id="o-1", market=market, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1), price=Decimal(100)
    )


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("market", [SPOT, PERP])
def test_an_order_behind_a_web_page_is_looked_up_and_not_taken_for_refused(
    harness: AccountHarness, market: Market, page: HttpResponse
) -> None:
    harness.aster.on(f"POST {ORDER[market]}", page)
    request = order(market)
    (event,) = harness.run(harness.venue.submit(PlaceOrder(hedge_id="h", order=request)))
    assert isinstance(event, OrderOutcomeUnknown)
    assert harness.aster.sent(f"POST {ORDER[market]}")[1:] == []
    harness.aster.on(f"GET {ORDER[market]}", order_row())
    harness.aster.on(f"POST {ORDER[market].replace('order', 'noop')}", error(-4225))
    (found,) = harness.run(harness.venue.resolve(request))
    assert isinstance(found, OrderEnded)
    assert found.filled_quantity == 1


@pytest.mark.parametrize("page", PAGES)
def test_a_cancellation_behind_a_web_page_is_unknown(harness: AccountHarness, page: HttpResponse) -> None:
    harness.aster.on(f"DELETE {ORDER[PERP]}", page)
    command = CancelOrder(market=PERP, symbol=SYMBOL, client_id="o-1")
    assert isinstance(harness.submit(command), OrderOutcomeUnknown)


@pytest.mark.parametrize("page", PAGES)
def test_a_transfer_behind_a_web_page_is_unknown(harness: AccountHarness, page: HttpResponse) -> None:
    harness.aster.on(TRANSFER, page)
    assert isinstance(harness.submit(MOVE), TransferOutcomeUnknown)


@pytest.mark.parametrize("page", PAGES)
def test_a_setting_behind_a_web_page_did_not_happen_for_certain(harness: AccountHarness, page: HttpResponse) -> None:
    harness.aster.on("POST /fapi/v3/marginType", page)
    harness.aster.on("POST /fapi/v3/countdownCancelAll", page)
    assert isinstance(harness.submit(SetMarginType(symbol=SYMBOL)), CommandRefused)
    assert isinstance(harness.submit(ArmDeadMan(symbol=SYMBOL, seconds=120)), CommandRefused)


@pytest.mark.parametrize("page", PAGES)
def test_a_noop_behind_a_web_page_burnt_nothing(harness: AccountHarness, page: HttpResponse) -> None:
    harness.aster.on(f"POST {ORDER[PERP]}", HttpResponse(status=503))
    harness.aster.on("POST /fapi/v3/noop", page)
    for route in ("openOrders", "allOrders", "userTrades"):
        harness.aster.on(f"GET /fapi/v3/{route}", [])
    harness.aster.on(f"GET {ORDER[PERP]}", error(-2013))
    harness.run(harness.venue.submit(PlaceOrder(hedge_id="h", order=order(PERP))))
    (event,) = harness.run(harness.venue.resolve(order(PERP)))
    assert isinstance(event, OrderOutcomeUnknown)


def test_settings_that_are_answered_as_documented_are_done(harness: AccountHarness) -> None:
    harness.aster.on("POST /fapi/v3/marginType", {"code": 200, "msg": "success", "extra": 1})
    harness.aster.on("POST /fapi/v3/countdownCancelAll", {"symbol": SYMBOL, "countdownTime": "120000"})
    assert isinstance(harness.submit(SetMarginType(symbol=SYMBOL)), MarginTypeSet)
    assert isinstance(harness.submit(ArmDeadMan(symbol=SYMBOL, seconds=120)), DeadManArmed)


@pytest.mark.parametrize("body", [{"code": -1003, "msg": "Too many requests", "requestId": "1"}, {"code": "-1003"}])
@pytest.mark.parametrize("status", [200, 400])
def test_a_limit_with_more_fields_is_waited_out(harness: AccountHarness, body: Any, status: int) -> None:
    harness.aster.on("GET /fapi/v3/premiumIndex", reply(body, status=status))
    harness.run(_swallow(harness))
    harness.aster.on(f"POST {ORDER[PERP]}", order_row())
    event = harness.run(harness.venue.submit(PlaceOrder(hedge_id="h", order=order(PERP))))[0]
    assert isinstance(event, OrderEnded)
    assert event.retry_after_seconds is not None
    assert 0 < event.retry_after_seconds <= 60


async def _swallow(harness: AccountHarness) -> None:
    with pytest.raises(Exception, match="too many requests"):
        await harness.venue.client.premium_index()
