"""What can be made to go wrong, and the rest of the administration."""

from typing import Any

import pytest

from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.rest.call import WireRequest
from support.wire import OTHER, USER, WireClient, make_wired, messages


def inject(client: WireClient, fault: str, **changes: Any) -> None:
    assert client.admin("POST", "faults", fault=fault, **changes).status == 200


def unanswered(client: WireClient, method: str, path: str, **parameters: Any) -> bool:
    request = WireRequest(method=method, path=path, query=client.query(parameters))
    return client.venue.handle(request).response is None


ORDER = {"symbol": "AAAUSDT", "side": "SELL", "type": "MARKET", "quantity": "1", "newClientOrderId": "f"}


def arrived(client: WireClient) -> bool:
    return client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="f").status == 200


def test_signed_spot_reads_can_answer_with_a_page_instead_of_json() -> None:
    client = make_wired()
    inject(client, "html_500", path="/api/v3/account", times=0)
    for _ in range(2):
        reply = client.spot("GET", "account")
        assert (reply.status, reply.json, reply.headers["content-type"]) == (500, None, "text/html")
    assert client.perp("GET", "balance").status == 200
    client.admin("DELETE", "faults")
    assert client.spot("GET", "account").status == 200


@pytest.mark.parametrize(("fault", "executed"), [("503_before", False), ("503_after", True)])
def test_a_503_may_come_before_or_after_the_order_is_executed(fault: str, executed: bool) -> None:  # noqa: FBT001 - a table's column
    client = make_wired()
    inject(client, fault, path="/order", method="POST")
    assert client.perp("POST", "order", **ORDER).status == 503
    assert arrived(client) is executed


@pytest.mark.parametrize(("fault", "executed"), [("silent_before", False), ("silent_after", True)])
def test_silence_may_come_before_or_after_the_order_is_executed(fault: str, executed: bool) -> None:  # noqa: FBT001 - a table's column
    client = make_wired()
    inject(client, fault, path="/order", method="POST")
    assert unanswered(client, "POST", "/fapi/v3/order", **ORDER)
    assert arrived(client) is executed


def test_an_order_can_land_late() -> None:
    client = make_wired()
    inject(client, "late", path="/order", method="POST", seconds=5)
    assert unanswered(client, "POST", "/fapi/v3/order", **ORDER)
    assert not arrived(client)
    client.advance_time(5)
    assert arrived(client)


def test_a_late_order_whose_nonce_was_burnt_never_lands() -> None:
    client = make_wired()
    inject(client, "late", path="/order", method="POST", seconds=5)
    query = client.query(ORDER)
    assert client.venue.handle(WireRequest(method="POST", path="/fapi/v3/order", query=query)).response is None
    client._nonce -= 1
    assert client.perp("POST", "noop").status == 200
    client.advance_time(6)
    assert not arrived(client)


@pytest.mark.parametrize(
    ("fault", "status", "code"), [("nonce_expired", 400, -4225), ("429", 429, -1003), ("reject", 400, -1000)]
)
def test_a_request_can_be_refused_by_the_nth_time(fault: str, status: int, code: int) -> None:
    client = make_wired()
    inject(client, fault, path="/balance", nth=2)
    replies = [client.perp("GET", "balance") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, status, 200]
    assert replies[1].code == code


def test_funding_intervals_can_be_unknown_and_replies_slow_and_the_time_wrong() -> None:
    client = make_wired()
    inject(client, "null_funding", path="fundingInfo")
    assert client.public("/fapi/v3/fundingInfo").json[0]["fundingIntervalHours"] is None
    inject(client, "slow", path="ping", seconds=3)
    assert client.venue.handle(WireRequest(method="GET", path="/fapi/v3/ping")).seconds == 3
    before = client.public("/fapi/v3/time").json["serverTime"]
    client.admin("POST", "skew", seconds=-2.5)
    assert client.public("/fapi/v3/time").json["serverTime"] == before - 2500


@pytest.mark.parametrize(
    ("fault", "seen"),
    [("lose", ["TRADE"]), ("duplicate", ["NEW", "NEW", "TRADE"]), ("delay", ["TRADE", "NEW"])],
)
def test_stream_messages_can_be_lost_repeated_or_late(fault: str, seen: list[str]) -> None:
    client = make_wired()
    stream = client.listen(Market.PERP)
    client.admin("POST", "faults/streams", fault=fault, stream="ORDER_TRADE_UPDATE")
    client.order()
    events = [event["o"]["x"] for event in messages(stream) if event["e"] == "ORDER_TRADE_UPDATE"]
    assert sorted(events) == sorted(seen)


def test_a_delayed_message_comes_after_the_next_one() -> None:
    client = make_wired()
    stream = client.listen(Market.PERP)
    client.admin("POST", "faults/streams", trouble="delay", stream="ORDER_TRADE_UPDATE")
    client.order()
    first, second, _ = messages(stream)
    assert (first["e"], second["o"]["x"]) == ("ACCOUNT_UPDATE", "NEW")


@pytest.mark.parametrize("path", ["faults", "faults/streams"])
def test_the_former_name_of_a_fault_of_messages_is_accepted(path: str) -> None:
    client = make_wired()
    client.admin("POST", path, trouble="lose", stream="markPrice")
    client.admin("POST", path, fault="lose", stream="markPrice")
    first, second = client.admin("GET", "faults").json["streams"]
    assert first == second
    assert first["fault"] == "lose"


def test_connections_can_be_cut() -> None:
    client = make_wired()
    sessions = [client.stream("/ws/aaausdt@markPrice@1s") for _ in range(2)]
    client.admin("POST", "faults/streams", fault="disconnect", stream="markPrice")
    client.advance_time(1)
    assert [session.closed for session in sessions] == [True, False]
    assert client.admin("DELETE", "streams").json["connections"] == 1
    assert sessions[1].closed


def test_time_is_read_moved_and_paced() -> None:
    client = make_wired()
    before = client.admin("GET", "time").json["serverTime"]
    assert client.admin("POST", "advance", seconds=90).json["serverTime"] == before + 90_000
    assert client.admin("POST", "advance", to_ms=before + 100_000).json["serverTime"] == before + 100_000
    assert client.admin("POST", "advance", to_ms=before).json["serverTime"] == before + 100_000
    assert client.admin("POST", "speed", speed=10).json["speed"] == 10


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("advance", {"seconds": -1}),
        ("advance", {"seconds": 1e12}),
        ("advance", {"minutes": 1}),
        ("speed", {"speed": -1}),
        ("speed", {}),
        ("price", {"symbol": "NOSUCH", "factor": "2"}),
        ("price", {"symbol": "AAAUSDT", "factor": "-2"}),
        ("price", {"symbol": "AAAUSDT"}),
        ("status", {"symbol": "AAAUSDT", "status": "ASLEEP"}),
        ("fund", {"user": "0x12", "wallet": "spot", "amount": "1"}),
        ("fund", {"user": USER, "wallet": "spot", "amount": "-99999"}),
        ("account", {"user": "nobody"}),
        ("account", {"user": OTHER, "perp": "-1"}),
        ("account", {"user": OTHER, "agents": [{"signer": "0x12"}]}),
        ("account", {"user": OTHER, "agents": [{"signer": OTHER, "expires_at": "2026-01-05T00:00:00"}]}),
        ("account", {"user": OTHER, "keys": [{"key": "", "secret": "s"}]}),
        ("deleverage", {"user": USER, "symbol": "AAAUSDT", "quantity": "1"}),
        ("trade", {"user": USER, "market": "spot", "symbol": "NOSUCH", "side": "BUY", "quantity": "1"}),
        ("faults", {"fault": "earthquake"}),
    ],
)
def test_a_wrong_order_to_the_administration_is_refused_with_a_reason(name: str, content: dict[str, Any]) -> None:
    reply = make_wired().admin("POST", name, **content)
    assert (reply.status, bool(reply.json["error"])) == (400, True)


def test_an_unknown_action_names_those_there_are() -> None:
    reply = make_wired().admin("GET", "nothing")
    assert reply.status == 404
    assert "POST /admin/advance" in reply.json["error"]


def test_accounts_can_be_opened_and_funded_and_the_state_seen() -> None:
    client = make_wired()
    user = "0x" + "3" * 40
    agent = {"signer": OTHER, "name": "new"}
    assert client.admin("POST", "account", user=user, spot={"USDT": "50"}, agents=[agent]).status == 200
    client.admin("POST", "fund", user=user, wallet="spot", amount="25", asset="AAA")
    own = WireClient(client.venue, user=user, key=2)
    rows = {row["asset"]: row["free"] for row in own.spot("GET", "account").json["balances"]}
    assert rows == {"AAA": "25.00000000", "USDT": "50.00000000"}
    state = client.admin("GET", "state").json
    assert {exchange_account["user"] for exchange_account in state["members"]} == {USER, OTHER.lower(), user}


def test_a_transfer_by_hand_is_seen_in_both_histories() -> None:
    client = make_wired()
    client.admin("POST", "transfer", user=USER, amount="40", direction="PERP_TO_SPOT")
    assert client.perp("GET", "income").json[0]["income"] == "-40.00000000"
    assert client.spot("GET", "transactionHistory").json[0]["type"] == "TRANSFER_FUTURE_TO_SPOT"
