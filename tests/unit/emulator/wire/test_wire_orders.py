"""Orders over REST: types, acknowledgements, refusals, amendments, triggers (docs/aster-api.md 5.2, 6.2, 8)."""

import json
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.instrument import Market
from support.wire import WireClient, account_of, make_wired, messages
from support.worlds import START, Listing, ScriptedMarketData

LIMIT = {"type": "LIMIT", "price": "101", "timeInForce": "GTC", "newOrderRespType": "ACK"}


def quiet() -> WireClient:
    """A market in which so little trades that no queue moves."""
    return make_wired(ScriptedMarketData([Listing(volume=1)]))


def test_futures_answer_a_market_order_before_or_after_matching() -> None:
    client = make_wired()
    ack = client.order(newOrderRespType="ACK").json
    assert (ack["status"], ack["executedQty"], ack["origQty"]) == ("NEW", "0", "1.00")
    done = client.order().json
    assert (done["status"], done["executedQty"], done["avgPrice"]) == ("FILLED", "1.00", "99.99000")
    assert done["orderId"] > 2**31
    assert client.perp("GET", "positionRisk", symbol="AAAUSDT").json[0]["positionAmt"] == "-2.00"


def test_spot_acknowledges_first_and_matches_later() -> None:
    client = make_wired(spot_delay_seconds=0.05)
    ack = client.buy_spot(newClientOrderId="one").json
    assert (ack["status"], ack["executedQty"], ack["orderListId"]) == ("NEW", "0", -1)
    assert client.spot("GET", "order", symbol="AAAUSDT", origClientOrderId="one").json["status"] == "NEW"
    client.advance_time(0.05)
    done = client.spot("GET", "order", symbol="AAAUSDT", origClientOrderId="one").json
    assert (done["status"], done["executedQty"], done["cumQuote"]) == ("FILLED", "1.000", "100.01")


def test_a_spot_buy_pays_its_fee_in_coin_and_a_sell_in_usdt() -> None:
    client = make_wired(spot_delay_seconds=0.0)
    client.buy_spot()
    client.buy_spot(side="SELL", quantity="0.5")
    buy, sell = client.spot("GET", "userTrades", symbol="AAAUSDT").json
    assert (buy["commission"], buy["commissionAsset"]) == ("0.00040000", "AAA")
    assert sell["commissionAsset"] == "USDT"
    free = {row["asset"]: row["free"] for row in client.spot("GET", "account").json["balances"]}
    assert free["AAA"] == "0.49960000"


def test_a_spot_buy_can_name_the_money_instead_of_the_quantity() -> None:
    client = make_wired(spot_delay_seconds=0.0)
    reply = client.spot("POST", "order", symbol="AAAUSDT", side="BUY", type="MARKET", quoteOrderQty="50")
    assert reply.status == 200
    assert account_of(client).world.parts.spot.of("AAA").total == Decimal("0.4988004")


def test_a_refusal_at_matching_time_is_a_rejected_order() -> None:
    client = make_wired(spot_delay_seconds=1.0)
    first = client.buy_spot(quantity="90").json
    second = client.buy_spot(quantity="90").json
    client.advance_time(1)
    states = {row["orderId"]: row["status"] for row in client.spot("GET", "allOrders", symbol="AAAUSDT").json}
    assert (states[first["orderId"]], states[second["orderId"]]) == ("FILLED", "REJECTED")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"side": "HOLD"}, -1117),
        ({"type": "ICEBERG"}, -1116),
        ({"symbol": "NOSUCH"}, -1121),
        ({"quantity": ""}, -1105),
        ({"quantity": "1E+1"}, -1102),
        ({"quantity": "abc"}, -1102),
        ({"quantity": "-1"}, -4003),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.001"}, -4004),
        ({"quantity": "1.005"}, -1111),
        ({"quantity": "0.04"}, -4164),
        ({"quantity": "5000000"}, -4005),
        ({"price": "100"}, -1106),
        ({"timeInForce": "GTC"}, -1106),
        ({"quoteOrderQty": "5"}, -1106),
        ({"newOrderRespType": "FULL"}, -1136),
        ({"positionSide": "LONG"}, -4061),
        ({"reduceOnly": "true"}, -2022),
        ({"reduceOnly": "perhaps"}, -1102),
        ({"newClientOrderId": "a b"}, -4015),
        ({"newClientOrderId": "a" * 37}, -4015),
        ({**LIMIT, "timeInForce": ""}, -1105),
        ({**LIMIT, "timeInForce": "DAY"}, -1115),
        ({**LIMIT, "price": "0"}, -4001),
        ({**LIMIT, "price": "100.001"}, -1111),
        ({**LIMIT, "price": "94", "side": "SELL"}, -4024),
        ({**LIMIT, "price": "106", "side": "BUY"}, -4016),
        ({**LIMIT, "quantity": "4000", "side": "SELL"}, -2019),
        ({"type": "STOP_MARKET", "stopPrice": "90", "closePosition": "true"}, -4137),
        ({**LIMIT, "closePosition": "true"}, -4136),
        ({"type": "STOP_MARKET", "stopPrice": "101"}, -2021),
        ({"type": "TRAILING_STOP_MARKET", "callbackRate": "9"}, -1102),
    ],
)
def test_an_order_the_venue_would_refuse_is_refused_with_its_code(asked: dict[str, str], code: int) -> None:
    client = make_wired()
    before = client.perp("GET", "balance").json
    reply = client.order(**asked)
    assert (reply.status, reply.code) == (400, code), reply.json
    assert client.perp("GET", "balance").json == before
    assert client.perp("GET", "openOrders").json == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"reduceOnly": "true"}, -1106),
        ({"quoteOrderQty": "5"}, -1106),
        ({"type": "TRAILING_STOP_MARKET"}, -1116),
        ({"type": "LIMIT", "price": "100", "timeInForce": "FOK"}, -1115),
        ({"quantity": "1000"}, -2018),
        ({"side": "SELL"}, -2018),
    ],
)
def test_spot_refuses_what_only_futures_know_and_what_is_not_there(asked: dict[str, str], code: int) -> None:
    assert make_wired().buy_spot(**asked).code == code


def test_a_crossing_post_only_order_expires_with_a_good_status() -> None:
    reply = make_wired().order(**(LIMIT | {"price": "99", "timeInForce": "GTX", "newOrderRespType": "RESULT"}))
    assert (reply.status, reply.json["status"], reply.json["executedQty"]) == (200, "EXPIRED", "0")


def test_an_ioc_without_a_match_expires_and_a_fill_or_kill_fills_whole_or_not_at_all() -> None:
    client = make_wired()
    ioc = client.order(**(LIMIT | {"timeInForce": "IOC", "newOrderRespType": "RESULT"}))
    assert (ioc.json["status"], ioc.json["executedQty"]) == ("EXPIRED", "0")
    whole = {"type": "LIMIT", "price": "99.99", "timeInForce": "FOK"}
    assert client.order(quantity="500", **whole).json["executedQty"] == "0"
    assert client.order(quantity="5", **whole).json["status"] == "FILLED"


def test_an_order_rests_is_found_and_cancelled_once() -> None:
    client = quiet()
    made = client.order(newClientOrderId="r-1", **LIMIT).json
    assert client.perp("GET", "openOrders", symbol="AAAUSDT").json[0]["orderId"] == made["orderId"]
    assert client.perp("GET", "openOrder", symbol="AAAUSDT", origClientOrderId="r-1").json["price"] == "101.00"
    assert client.order(newClientOrderId="r-1", **LIMIT).code == -2010
    gone = client.perp("DELETE", "order", symbol="AAAUSDT", orderId=made["orderId"]).json
    assert (gone["status"], "cancelChainData" in gone) == ("CANCELED", True)
    assert client.perp("DELETE", "order", symbol="AAAUSDT", orderId=made["orderId"]).code == -2011
    assert client.perp("GET", "openOrder", symbol="AAAUSDT", origClientOrderId="r-1").code == -2013
    assert client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="r-1").json["status"] == "CANCELED"
    client.advance_time(8 * 86_400)
    assert client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="r-1").code == -2013


def test_a_client_id_may_serve_again_after_its_order_ended_and_both_are_kept() -> None:
    client = make_wired()
    first, second = (client.order(newClientOrderId="same").json["orderId"] for _ in range(2))
    assert client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="same").json["orderId"] == second
    assert client.perp("GET", "order", symbol="AAAUSDT", orderId=first).json["status"] == "FILLED"
    trades = client.perp("GET", "userTrades", symbol="AAAUSDT").json
    assert [row["orderId"] for row in trades] == [first, second]


def test_an_amendment_keeps_the_order_and_a_refused_one_leaves_it_alone() -> None:
    client = quiet()
    made = client.order(**LIMIT).json
    named = {"symbol": "AAAUSDT", "orderId": made["orderId"]}
    changed = client.perp("PUT", "order", quantity="2", price="102", **named).json
    assert (changed["orderId"], changed["price"], changed["origQty"]) == (made["orderId"], "102.00", "2.00")
    assert client.perp("PUT", "order", quantity="2", **named).code == -1102
    assert client.perp("PUT", "order", quantity="2", price="102.001", **named).code == -1111
    assert client.perp("PUT", "order", quantity="4000", price="102", **named).code == -2019
    assert client.perp("GET", "openOrders").json[0]["price"] == "102.00"
    assert client.perp("DELETE", "order", **named).json["status"] == "CANCELED"


def test_a_batch_answers_each_order_in_its_place() -> None:
    client = quiet()
    order = {"symbol": "AAAUSDT", "side": "SELL", "quantity": "1", **LIMIT}
    orders: list[dict[str, Any]] = [order, {**order, "quantity": "0"}, {**order, "reduceOnly": False}]
    replies = client.perp("POST", "batchOrders", batchOrders=json.dumps(orders)).json
    assert [reply.get("code", 0) for reply in replies] == [0, -4003, 0]
    ids = json.dumps([replies[0]["orderId"], 1])
    gone = client.perp("DELETE", "batchOrders", symbol="AAAUSDT", orderIdList=ids).json
    assert json.loads(gone[0]["cancelChainData"])["hash"].startswith("0x")
    assert gone[1]["code"] == -2011
    assert client.perp("POST", "batchOrders", batchOrders=json.dumps([order] * 6)).code == -4082
    assert client.perp("POST", "batchOrders", batchOrders="{").code == -1102


@pytest.mark.parametrize("market", ["perp", "spot"])
def test_cancelling_all_cancels_what_rests_on_its_own_market(market: str) -> None:
    client = quiet()
    client.order(**LIMIT)
    assert getattr(client, market)("DELETE", "allOpenOrders", symbol="AAAUSDT").json["code"] == 200
    assert bool(client.perp("GET", "openOrders").json) is (market == "spot")


def test_a_dry_run_checks_everything_and_places_nothing() -> None:
    client = make_wired()
    asked = {"symbol": "AAAUSDT", "side": "SELL", "type": "MARKET"}
    assert client.perp("POST", "order/test", quantity="1", **asked).json == {}
    assert client.perp("POST", "order/test", quantity="5000", **asked).code == -2019
    assert client.perp("GET", "userTrades", symbol="AAAUSDT").json == []


def test_a_dead_man_s_switch_cancels_when_nobody_calls_again() -> None:
    client = quiet()
    client.order(**LIMIT)
    reply = client.perp("POST", "countdownCancelAll", symbol="AAAUSDT", countdownTime=1000)
    assert reply.json == {"symbol": "AAAUSDT", "countdownTime": "1000"}
    client.advance_time(0.9)
    assert len(client.perp("GET", "openOrders").json) == 1
    client.advance_time(0.2)
    assert client.perp("GET", "openOrders").json == []


@pytest.mark.parametrize(
    ("asked", "to"),
    [
        ({"side": "BUY", "type": "STOP_MARKET", "stopPrice": "104", "closePosition": "true", "quantity": ""}, "105"),
        ({"side": "BUY", "type": "TAKE_PROFIT_MARKET", "stopPrice": "97", "reduceOnly": "true"}, "96"),
        ({"side": "BUY", "type": "TRAILING_STOP_MARKET", "callbackRate": "2", "reduceOnly": "true"}, "103"),
        ({"side": "BUY", "type": "STOP", "stopPrice": "104", "price": "106", "timeInForce": "GTC"}, "105"),
    ],
)
def test_a_conditional_order_waits_for_its_price(asked: dict[str, str], to: str) -> None:
    client = make_wired()
    client.order()
    reply = client.order(newClientOrderId="cond", **asked)
    assert (reply.status, reply.json["status"]) == (200, "NEW"), reply.json
    client.advance_time(300)
    assert client.perp("GET", "openOrders").json[0]["type"] == asked["type"]
    client.admin("POST", "price", symbol="AAAUSDT", price=to)
    done = client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="cond").json
    assert (done["status"], done["origType"]) == ("FILLED", asked["type"])
    assert client.perp("GET", "positionRisk", symbol="AAAUSDT").json[0]["positionAmt"] == "0"


def test_orders_resting_on_a_closed_market_expire_and_new_ones_are_refused() -> None:
    client = quiet()
    client.order(newClientOrderId="r", **LIMIT)
    client.admin("POST", "status", symbol="AAAUSDT", status="SETTLING", market="perp")
    assert client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="r").json["status"] == "EXPIRED"
    assert client.order().code == -4140
    assert client.public("/fapi/v3/exchangeInfo").json["symbols"][0]["status"] == "SETTLING"


def test_a_new_order_may_be_hidden_from_look_ups_for_a_while() -> None:
    client = make_wired(hide_orders_seconds=2.0)
    client.order(newClientOrderId="h")
    assert client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="h").code == -2013
    client.advance_time(2)
    assert client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="h").status == 200


def test_an_order_of_one_market_is_not_found_on_the_other() -> None:
    client = make_wired()
    made = client.order(newClientOrderId="p").json
    assert client.spot("GET", "order", symbol="AAAUSDT", orderId=made["orderId"]).code == -2013
    assert client.spot("GET", "order", symbol="AAAUSDT", origClientOrderId="p").code == -2013
    assert client.spot("GET", "order", symbol="AAAUSDT").code == -1102


def test_a_passive_order_that_is_hit_is_reported_as_a_maker_trade() -> None:
    market_data = ScriptedMarketData([Listing(volume=1)])
    market_data.set_prices(START.replace(hour=1), 102)
    client = make_wired(market_data)
    stream = client.listen(Market.PERP)
    client.order(**LIMIT)
    client.advance_time(3600)
    trades = [event["o"] for event in messages(stream) if event["e"] == "ORDER_TRADE_UPDATE"]
    assert [(o["x"], o["X"], o["m"]) for o in trades] == [("NEW", "NEW", False), ("TRADE", "FILLED", True)]
    assert trades[1]["n"] == "0.0101"
