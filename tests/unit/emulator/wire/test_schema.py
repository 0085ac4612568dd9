"""No endpoint without a sample: its reply has the sample's keys and JSON types."""

import json
from typing import Any

import pytest

from hedgerow.domain.account import MarginType
from support.fuzzing import endpoints
from support.samples import MORE, SAMPLES, SIGNED, shape
from support.wire import OTHER, WireClient, account_of, make_wired
from support.worlds import ScriptedMarketData

ELSEWHERE = {"GET /fapi exchangeInfo", "GET /api exchangeInfo"}
"""Compared with captured replies in test_captured_replies.py, and by hand in test_shapes.py."""
RESTING = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "97"}


def harness(endpoint: str) -> WireClient:
    client = make_wired(ScriptedMarketData(["AAAUSDT", "BBBUSDT", "CCCUSDT"]))
    world = account_of(client).world
    world.set_margin_type("BBBUSDT", MarginType.ISOLATED)
    client.order(symbol="BBBUSDT", quantity="3")
    if "forceOrders" in endpoint:
        world.deleverage("BBBUSDT", world.parts.perp.quantity("BBBUSDT").copy_abs() / 3)
        client.venue.exchange.settle()
    for call in (client.perp, client.spot):
        assert call("POST", "order", symbol="AAAUSDT", newClientOrderId="r", **RESTING).status == 200
        call("POST", "listenKey")
    client.perp("POST", "approveBuilder", builder=OTHER)
    client.advance_time(1)
    set_back(client, endpoint)
    return client


def set_back(client: WireClient, endpoint: str) -> None:
    """Make room for an endpoint that changes a mode: it must not be so already, and nothing may be held."""
    world = account_of(client).world
    if "multiAssets" in endpoint:
        world.set_modes(single_asset=False)
    if "positionSide" in endpoint:
        client.perp("DELETE", "allOpenOrders", symbol="AAAUSDT")
        client.order("BUY", "3", symbol="BBBUSDT", reduceOnly="true")
        world.set_modes(one_way=False)


def test_every_endpoint_has_its_sample() -> None:
    sampled = {" ".join(key.split()[:3]) for key in (*SAMPLES, *SIGNED)} | MORE.keys() | ELSEWHERE
    assert sampled == {f"{method} {prefix} {name}" for prefix, method, name in endpoints()}


@pytest.mark.parametrize("endpoint", MORE)
def test_a_reply_has_the_sampled_keys_and_types(endpoint: str) -> None:
    method, prefix, name = endpoint.split()
    parameters, sample = MORE[endpoint]
    client = harness(endpoint)
    reply = (client.perp if prefix == "/fapi" else client.spot)(method, name, **parameters)
    assert reply.status == 200, reply.text
    wanted: Any = json.loads(sample)
    assert shape(reply.json) == shape(wanted) if wanted else reply.json == wanted
