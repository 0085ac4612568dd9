"""Trouble that composes: orders that do not fill, bans, spans, chances, stopped books, changed funding, lost keys."""

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator.wire.exchange.exchange import Exchange, ExchangeRules
from hedgerow.emulator.wire.rest.call import WireRequest
from support.wire import OTHER, USER, WireClient, account_of, make_wired, messages
from support.worlds import START, Listing, ScriptedMarketData

HOUR = 3600.0
IOC = {"symbol": "AAAUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "IOC", "quantity": "10", "price": "99"}


def inject(client: WireClient, fault: str, **terms: Any) -> None:
    reply = client.admin("POST", "faults", fault=fault, **terms)
    assert reply.status == 200, reply.text


def position(client: WireClient) -> Decimal:
    return account_of(client).world.parts.perp.quantity("AAAUSDT")


# --- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_can_be_acknowledged_and_never_filled() -> None:
    client = make_wired()
    inject(client, "absorb", path="/order", method="POST", times=0)
    perp = client.perp("POST", "order", **IOC, newOrderRespType="RESULT").json
    assert (perp["status"], perp["executedQty"], position(client)) == ("EXPIRED", "0", Decimal(0))
    spot = client.buy_spot(newClientOrderId="s").json
    assert spot["status"] == "NEW"
    client.advance_time(1)
    assert client.spot("GET", "order", symbol="AAAUSDT", origClientOrderId="s").json["status"] == "EXPIRED"


@pytest.mark.parametrize(("fraction", "filled"), [("0.3", "3.00"), ("0.999", "9.99"), ("0", "0")])
def test_an_order_can_fill_in_part_and_then_nothing(fraction: str, filled: str) -> None:
    client = make_wired()
    inject(client, "partial", fraction=fraction)
    done = client.perp("POST", "order", **IOC, newOrderRespType="RESULT").json
    assert (done["status"], done["executedQty"]) == ("EXPIRED", filled)
    assert position(client) == -Decimal(filled)


def test_what_an_order_fills_and_how_its_answer_is_lost_are_chosen_apart() -> None:
    client = make_wired()
    inject(client, "partial", path="/order", fraction="0.2")
    inject(client, "503_after", path="/order")
    assert client.perp("POST", "order", **IOC).status == 503
    assert position(client) == -2
    inject(client, "slow", seconds=2, times=0)
    inject(client, "slow", seconds=3, times=0)
    request = WireRequest(method="GET", path="/fapi/v3/ping")
    assert client.venue.handle(request).seconds == 5


def test_a_fault_may_name_what_the_request_must_hold() -> None:
    client = make_wired()
    inject(client, "reject", contains="side=BUY", code=-2019, message="Margin is insufficient.", times=0)
    assert client.order("SELL").status == 200
    assert client.order("BUY").code == -2019


def test_a_late_order_can_fill_in_part() -> None:
    client = make_wired()
    inject(client, "late", path="/order", seconds=5)
    inject(client, "partial", path="/order", fraction="0.5")
    request = WireRequest(method="POST", path="/fapi/v3/order", query=client.query(IOC))
    assert client.venue.handle(request).response is None
    client.advance_time(5)
    assert position(client) == -5


@pytest.mark.parametrize(("fault", "executed"), [("cut_before", False), ("cut_after", True)])
def test_a_connection_can_be_dropped_before_or_after_the_order(fault: str, executed: bool) -> None:  # noqa: FBT001 - a table's column
    client = make_wired()
    inject(client, fault, path="/order")
    answer = client.venue.handle(WireRequest(method="POST", path="/fapi/v3/order", query=client.query(IOC)))
    assert (answer.response, answer.cut) == (None, True)
    assert bool(position(client)) is executed


def test_a_transfer_whose_answer_was_lost_is_known_by_its_id() -> None:
    client = make_wired()
    asked = {"amount": "7", "asset": "USDT", "clientTranId": "once", "kindType": "SPOT_FUTURE"}
    inject(client, "503_after", path="transfer")
    assert client.perp("POST", "asset/wallet/transfer", **asked).status == 503
    for call in (client.perp, client.spot):
        assert call("POST", "asset/wallet/transfer", **asked).code == -4115
    assert client.perp("GET", "balance").json[0]["balance"] == "10007.00000000"


# --- limits ----------------------------------------------------------------------------------------------------------


def test_an_order_limit_does_not_say_when_to_come_back() -> None:
    client = make_wired()
    inject(client, "429_orders", path="/order")
    reply = client.order()
    assert (reply.status, reply.code, "retry-after" in reply.headers) == (429, -1015, False)


def test_a_ban_lasts_its_span_and_counts_down() -> None:
    client = make_wired()
    inject(client, "418", for_seconds=90)
    reported: list[tuple[int, str]] = []
    for _ in range(3):
        reply = client.public("/fapi/v3/ping")
        reported.append((reply.status, reply.headers.get("retry-after", "")))
        client.advance_time(45)
    assert reported == [(418, "91"), (418, "46"), (200, "")]
    inject(client, "418")
    assert client.public("/fapi/v3/ping").headers["retry-after"] == "121"


def test_limits_can_be_made_tight() -> None:
    client = make_wired()
    assert client.admin("POST", "limits", market="perp", weight_per_minute=45).json["weight_per_minute"] == 45
    replies = [client.public("/fapi/v3/ticker/24hr").status for _ in range(2)]
    assert replies == [200, 429]
    assert client.public("/api/v3/ticker/24hr").status == 200


# --- spans and chance ------------------------------------------------------------------------------------------------


def test_a_halt_lasts_as_long_as_it_was_asked_to() -> None:
    client = make_wired()
    inject(client, "503_before", for_seconds=60)
    assert [client.public("/fapi/v3/ping").status, client.order().status, client.buy_spot().status] == [503] * 3
    client.advance_time(59)
    assert client.public("/api/v3/time").status == 503
    client.advance_time(1)
    assert client.order().status == 200
    assert client.admin("GET", "faults").json["requests"] == []


def chances(seed: int) -> list[int]:
    client = make_wired()
    client.admin("POST", "faults/seed", seed=seed)
    inject(client, "503_before", chance=0.5)
    return [client.public("/fapi/v3/ping").status for _ in range(60)]


def test_chance_is_the_same_for_the_same_seed() -> None:
    assert chances(4) == chances(4) != chances(5)
    assert 10 < chances(4).count(503) < 50


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("faults", {"fault": "reject", "chance": 1.5}),
        ("faults", {"fault": "partial", "fraction": "-1"}),
        ("faults", {"fault": "slow", "seconds": -1}),
        ("faults", {"fault": "slow", "times": -1}),
        ("faults/streams", {"trouble": "lose", "for_seconds": -1}),
        ("stop-books", {"seconds": -1}),
        ("stop-books", {"seconds": 1e300}),
        ("lag", {"seconds": -1}),
        ("lag", {"seconds": 1e300}),
        ("skew", {"seconds": 1e300}),
        ("skew", {"seconds": -1e300}),
        ("funding", {"symbol": "NOSUCH", "rate": "0.001"}),
        ("funding", {"symbol": "AAAUSDT", "rate": "0.5"}),
        ("funding", {"symbol": "AAAUSDT", "interval_hours": 3}),
        ("jitter", {"delay_seconds": 99}),
        ("liquidate", {"user": USER, "symbol": "AAAUSDT"}),
        ("liquidate", {"user": "0x12", "symbol": "AAAUSDT"}),
        ("limits", {"market": "moon"}),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_a_reason(name: str, content: dict[str, Any]) -> None:
    reply = make_wired().admin("POST", name, **content)
    assert (reply.status, bool(reply.json["error"])) == (400, True)


# --- streams ---------------------------------------------------------------------------------------------------------


def test_a_stream_can_fall_silent_for_a_while() -> None:
    client = make_wired()
    session = client.stream("/ws/aaausdt@markPrice@1s")
    client.admin("POST", "faults/streams", fault="lose", stream="markPrice", for_seconds=10)
    for _ in range(12):
        client.advance_time(1)
    assert len(messages(session)) == 3


def test_books_can_stand_still_on_rest_and_on_streams() -> None:
    client = make_wired()
    session = client.stream("/ws/aaausdt@bookTicker")
    partial = client.stream("/ws/aaausdt@depth5")
    client.advance_time(1)
    before = client.public("/fapi/v3/depth", symbol="AAAUSDT", limit=5).json
    messages(session), messages(partial)
    client.admin("POST", "stop-books", seconds=60)
    client.order(quantity="100")
    client.admin("POST", "price", symbol="AAAUSDT", factor="1.02")
    client.advance_time(30)
    stale = client.public("/fapi/v3/depth", symbol="AAAUSDT", limit=5).json
    assert stale == before
    assert client.public("/api/v3/ticker/24hr", symbol="AAAUSDT").json["bidPrice"] == "99.99"
    assert messages(session) == messages(partial) == []
    assert client.public("/fapi/v3/premiumIndex", symbol="AAAUSDT").json["markPrice"] == "102.00000000"
    client.advance_time(31)
    assert client.public("/fapi/v3/depth", symbol="AAAUSDT", limit=5).json["bids"] != before["bids"]
    client.order()
    client.advance_time(1)
    assert messages(session)


@pytest.mark.parametrize("silent", [False, True])
def test_listen_keys_can_die(silent: bool) -> None:  # noqa: FBT001 - a table's column
    client = make_wired()
    perp, spot = client.listen(Market.PERP), client.listen(Market.SPOT)
    reply = client.send("DELETE", "/admin/listen-keys", body=f'{{"silent":{str(silent).lower()}}}')
    assert reply.json["keys"] == 2
    assert [event["e"] for event in messages(perp) + messages(spot)] == ([] if silent else ["listenKeyExpired"] * 2)
    assert client.perp("PUT", "listenKey").code == -1125
    client.order()
    assert messages(perp) == []


def test_balances_and_positions_can_lag() -> None:
    client = make_wired()
    client.admin("POST", "lag", seconds=5)
    client.order(quantity="3")
    client.buy_spot()
    reported: list[tuple[str, int, str]] = []
    for _ in range(2):
        coins = {row["asset"] for row in client.spot("GET", "account").json["balances"]}
        position = client.perp("GET", "positionRisk", symbol="AAAUSDT").json[0]["positionAmt"]
        reported.append((position, len(coins), client.perp("GET", "balance").json[0]["balance"]))
        client.advance_time(6)
    assert reported[0] == ("0", 1, "10000.00000000")
    assert reported[1][:2] == ("-3.00", 2)
    assert float(reported[1][2]) < 10_000
    client.order(quantity="1")
    client.admin("POST", "lag", seconds=0)
    assert client.perp("GET", "positionRisk", symbol="AAAUSDT").json[0]["positionAmt"] == "-4.00"
    assert client.perp("GET", "userTrades", symbol="AAAUSDT").json[-1]["qty"] == "1.00"


# --- the market ------------------------------------------------------------------------------------------------------


def paid(client: WireClient) -> list[str]:
    return [row["income"] for row in client.perp("GET", "income", incomeType="FUNDING_FEE").json]


def test_rate_and_interval_of_funding_can_change_while_a_position_is_held() -> None:
    client = make_wired()
    client.order(quantity="10")
    client.advance_time(8 * HOUR)
    changed = client.admin("POST", "funding", symbol="AAAUSDT", interval_hours=4, rate="0.001").json
    assert changed == {"symbol": "AAAUSDT", "rate": "0.001", "interval_hours": 4}
    row = client.public("/fapi/v3/premiumIndex", symbol="AAAUSDT").json
    assert row["lastFundingRate"] == "0.00100000"
    assert row["nextFundingTime"] == int((START.timestamp() + 12 * HOUR) * 1000)
    assert client.public("/fapi/v3/fundingInfo", symbol="AAAUSDT").json[0]["fundingIntervalHours"] == 4
    client.advance_time(4 * HOUR)
    assert paid(client) == ["0.30000000", "1.00000000"]
    client.admin("POST", "funding", symbol="AAAUSDT", rate="-0.002")
    client.advance_time(4 * HOUR)
    assert paid(client)[-1] == "-2.00000000"
    rates = client.public("/fapi/v3/fundingRate", symbol="AAAUSDT", limit=4).json
    assert [row["fundingRate"] for row in rates] == ["0.00030000", "0.00030000", "0.00100000", "-0.00200000"]
    since = client.public("/fapi/v3/fundingRate", symbol="AAAUSDT", startTime=rates[1]["fundingTime"]).json
    assert since == rates[1:]


def test_an_interval_alone_keeps_the_rate_in_proportion() -> None:
    client = make_wired(ScriptedMarketData([Listing("AAAUSDT", rate="0.0004", interval_hours=8)]))
    client.admin("POST", "funding", symbol="AAAUSDT", interval_hours=2)
    assert client.public("/fapi/v3/premiumIndex", symbol="AAAUSDT").json["lastFundingRate"] == "0.00010000"
    client.advance_time(4 * HOUR)
    rates = client.public("/fapi/v3/fundingRate", symbol="AAAUSDT", limit=3).json
    assert [row["fundingRate"] for row in rates] == ["0.00040000", "0.00010000", "0.00010000"]


def test_funding_can_be_charged_beside_its_stamp() -> None:
    client = make_wired()
    client.admin("POST", "jitter", lead_seconds=15, delay_seconds=15)
    client.advance_time(60)
    client.order(quantity="10")
    client.advance_time(16 * HOUR + 60)
    late = WireClient(client.venue, user=OTHER, key=2)
    times = [row["time"] % int(HOUR * 1000) for row in client.perp("GET", "income", incomeType="FUNDING_FEE").json]
    assert len(times) == 2
    assert all(0 < min(time, HOUR * 1000 - time) <= 15_000 for time in times)
    assert late.perp("GET", "income").json == []
    opened = client.venue.exchange.open_account("0x" + "9" * 40)
    assert opened.world.parts.options.settlement_delay_seconds == 15


@pytest.mark.parametrize("side", ["SELL", "BUY"])
def test_a_position_can_be_driven_into_liquidation(side: str) -> None:
    client = make_wired()
    client.order(side, quantity="900")
    stream = client.listen(Market.PERP)
    assert client.admin("POST", "liquidate", user=USER, symbol="AAAUSDT").status == 200
    assert position(client) == 0
    assert any(event.get("o", {}).get("c", "").startswith("autoclose-") for event in messages(stream))
    assert client.perp("GET", "forceOrders", autoCloseType="LIQUIDATION").json[0]["symbol"] == "AAAUSDT"


def test_a_position_that_no_price_liquidates_is_said_so() -> None:
    client = make_wired()
    account_of(client).world.trade_by_hand(Market.PERP, "AAAUSDT", Side.BUY, Decimal(1))
    reply = client.admin("POST", "liquidate", user=USER, symbol="AAAUSDT")
    assert (reply.status, "no price liquidates" in reply.json["error"]) == (400, True)


def test_prices_can_stand_still_until_they_are_moved() -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(START.replace(hour=1), 150)
    client = WireClient(make_wired(state=Exchange(market_data, start=START, rules=ExchangeRules(still=True))).venue)

    def mark() -> str:
        found: str = client.public("/fapi/v3/premiumIndex", symbol="AAAUSDT").json["markPrice"]
        return found

    client.advance_time(2 * HOUR)
    assert mark() == "100.00000000"
    client.admin("POST", "price", symbol="AAAUSDT", price="120")
    client.advance_time(24 * HOUR)
    assert mark() == "120.00000000"
    assert client.venue.exchange.state().still_at == START
