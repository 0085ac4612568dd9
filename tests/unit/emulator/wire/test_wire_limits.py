"""Weights, order counts, 429, 418 and their headers (docs/aster-api.md 4)."""

import pytest

from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.protocol.rate_limits import LimitRules, Limits
from support.wire import WireClient, make_wired


def tight(weight: int = 100, orders: int = 3) -> WireClient:
    client = make_wired()
    rules = LimitRules(
        weight_per_minute=weight, orders_per_minute=2 * orders, orders_per_ten_seconds=orders, ignored_before_ban=3
    )
    client.venue.exchange.limits = {market: Limits(market, rules) for market in Market}
    return client


@pytest.mark.parametrize(
    ("path", "parameters", "weight"),
    [
        ("/fapi/v3/ping", {}, 1),
        ("/fapi/v3/depth", {"symbol": "AAAUSDT", "limit": 5}, 2),
        ("/fapi/v3/depth", {"symbol": "AAAUSDT", "limit": 100}, 5),
        ("/fapi/v3/depth", {"symbol": "AAAUSDT"}, 10),
        ("/fapi/v3/depth", {"symbol": "AAAUSDT", "limit": 1000}, 20),
        ("/fapi/v3/ticker/24hr", {}, 40),
        ("/fapi/v3/ticker/24hr", {"symbol": "AAAUSDT"}, 1),
        ("/fapi/v3/ticker/bookTicker", {}, 2),
        ("/fapi/v3/klines", {"symbol": "AAAUSDT", "interval": "1d", "limit": 99}, 1),
        ("/fapi/v3/klines", {"symbol": "AAAUSDT", "interval": "1d", "limit": 1001}, 10),
        ("/fapi/v3/historicalTrades", {"symbol": "AAAUSDT"}, 20),
        ("/fapi/v3/premiumIndex", {}, 1),
    ],
)
def test_a_public_request_has_its_weight(path: str, parameters: dict[str, str], weight: int) -> None:
    assert make_wired().public(path, **parameters).headers["x-mbx-used-weight-1m"] == str(weight)


@pytest.mark.parametrize(
    ("name", "parameters", "weight"),
    [("income", {}, 30), ("openOrders", {}, 40), ("commissionRate", {"symbol": "AAAUSDT"}, 20), ("balance", {}, 5)],
)
def test_a_signed_request_has_its_weight(name: str, parameters: dict[str, str], weight: int) -> None:
    assert make_wired().perp("GET", name, **parameters).headers["x-mbx-used-weight-1m"] == str(weight)


def test_markets_and_minutes_are_counted_apart() -> None:
    client = make_wired()
    client.public("/fapi/v3/ticker/24hr")
    assert client.public("/api/v3/ping").headers["x-mbx-used-weight-1m"] == "1"
    assert client.public("/fapi/v3/ping").headers["x-mbx-used-weight-1m"] == "41"
    client.advance_time(60)
    assert client.public("/fapi/v3/ping").headers["x-mbx-used-weight-1m"] == "1"


def test_a_refused_request_counts_too() -> None:
    reply = make_wired().public("/fapi/v3/depth", symbol="NOSUCH", limit=5)
    assert (reply.code, reply.headers["x-mbx-used-weight-1m"]) == (-1121, "2")


def test_too_much_weight_is_answered_when_to_come_back_and_insisting_is_banned() -> None:
    client = tight()
    client.advance_time(15)
    replies = [client.public("/fapi/v3/ticker/24hr") for _ in range(6)]
    assert [reply.status for reply in replies] == [200, 200, 429, 429, 429, 418]
    assert (replies[2].code, replies[2].headers["retry-after"]) == (-1003, "46")
    assert "banned until" in replies[5].json["msg"]
    client.advance_time(60)
    assert client.public("/fapi/v3/ping").status == 418
    client.advance_time(61)
    assert client.public("/fapi/v3/ping").status == 200


def test_the_second_ban_is_longer() -> None:
    client = tight()
    for seconds in (120, 240):
        replies = [client.public("/fapi/v3/ticker/24hr") for _ in range(6)]
        assert int(replies[-1].headers["retry-after"]) == seconds + 1
        client.advance_time(seconds + 60)


def test_orders_are_counted_and_too_many_refused_without_a_time_to_come_back() -> None:
    client = tight(weight=10_000)
    for count in (1, 2, 3):
        headers = client.order().headers
        assert (headers["x-mbx-order-count-10s"], headers["x-mbx-order-count-1m"]) == (str(count), str(count))
    refused = client.order()
    assert (refused.status, refused.code, "retry-after" in refused.headers) == (429, -1015, False)
    client.advance_time(10)
    assert client.order().status == 200
    assert client.perp("GET", "userTrades", symbol="AAAUSDT").status == 200
