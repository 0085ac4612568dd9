"""Replies, refusals and stream messages that are wrong in one respect, through the exchange's own interface."""

import json
from typing import Any

import msgspec
import pytest

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import OutcomeUnknown
from hedgerow.domain.instrument import Market
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.wire.memory_transport import MemoryTransport, wire_request
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.faults import RequestFault
from hedgerow.emulator.wire.rest.rewriting import rewrites_of
from hedgerow.emulator.wire.streams.sessions import FrameKind
from hedgerow.ports import HttpRequest
from support.wire import WireClient, make_wired, messages
from support.worlds import Listing, ScriptedMarketData

ORDER = {"symbol": "AAAUSDT", "side": "SELL", "type": "MARKET", "quantity": "1", "newClientOrderId": "f"}


def two_pairs() -> WireClient:
    return make_wired(ScriptedMarketData([Listing("AAAUSDT"), Listing("BBBUSDT", spot=7)]))


def set_fault(client: WireClient, fault: str, **terms: Any) -> None:
    reply = client.admin("POST", "faults", fault=fault, **terms)
    assert reply.status == 200, reply.text


def arrived(client: WireClient) -> bool:
    return client.perp("GET", "order", symbol="AAAUSDT", origClientOrderId="f").status == 200


def symbols(client: WireClient) -> set[str]:
    return {row["symbol"] for row in client.perp("GET", "accountWithJoinMargin").json["positions"]}


def test_an_account_reply_leaves_the_row_of_one_symbol_out_for_a_while() -> None:
    client = two_pairs()
    before = symbols(client)
    set_fault(
        client,
        "rewrite",
        mutation="absent",
        field="positions.*",
        symbol="AAAUSDT",
        path="accountWithJoinMargin",
        for_seconds=9,
    )
    assert symbols(client) == before - {"AAAUSDT"}
    client.advance_time(9)
    assert symbols(client) == before


def test_a_rewrite_of_one_symbol_leaves_requests_about_others_alone() -> None:
    client = two_pairs()
    set_fault(client, "rewrite", mutation="nan", field="markPrice", symbol="AAAUSDT", path="premiumIndex", times=0)
    assert client.public("/fapi/v3/premiumIndex", symbol="AAAUSDT").json["markPrice"] == "NaN"
    assert client.public("/fapi/v3/premiumIndex", symbol="BBBUSDT").json["markPrice"] != "NaN"


def test_a_fault_of_one_host_leaves_the_other_alone() -> None:
    client = make_wired()
    set_fault(client, "429", market="spot", retry_after_seconds=61, times=0)
    assert client.spot("GET", "account").headers["retry-after"] == "61"
    assert client.perp("GET", "balance").status == 200


def test_a_pair_refuses_every_order_for_ever_and_the_others_trade() -> None:
    client = two_pairs()
    set_fault(client, "reject", path="/order", method="POST", symbol="AAAUSDT", code=-4131, times=0)
    for _ in range(3):
        assert client.perp("POST", "order", **ORDER).code == -4131
    assert client.perp("POST", "order", **ORDER | {"symbol": "BBBUSDT"}).status == 200


def test_a_margin_type_is_refused_by_a_code_for_orders_although_there_are_none() -> None:
    client = make_wired()
    message = "Position side cannot be changed if there exists open orders."
    set_fault(client, "reject", path="marginType", code=-4067, message=message, times=0)
    reply = client.perp("POST", "marginType", symbol="AAAUSDT", marginType="CROSSED")
    assert (reply.status, reply.json) == (400, {"code": -4067, "msg": message})
    rows = client.perp("GET", "accountWithJoinMargin").json["positions"]
    assert next(row["isolated"] for row in rows if row["symbol"] == "AAAUSDT") is False


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("plain", {"code": -2019, "msg": "no"}),
        ("request_id", {"code": -2019, "msg": "no", "requestId": "1"}),
        ("success", {"code": -2019, "msg": "no", "success": False}),
        ("message", {"code": -2019, "message": "no"}),
        ("null_msg", {"code": -2019, "msg": None}),
        ("no_msg", {"code": -2019}),
        ("code_text", {"code": "-2019", "msg": "no"}),
        ("no_code", {"msg": "no"}),
        ("nested", {"error": {"code": -2019, "msg": "no"}}),
        ("empty", {}),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_error_has_more_or_fewer_fields_and_any_status(shape: str, body: dict[str, Any], status: int) -> None:
    client = make_wired()
    set_fault(client, "reject", path="/order", code=-2019, message="no", error_shape=shape, status=status)
    reply = client.perp("POST", "order", **ORDER)
    assert (reply.status, reply.json) == (status, body)
    assert not arrived(client)


def test_an_error_carries_the_time_of_the_exchange() -> None:
    client = make_wired()
    set_fault(client, "reject", path="/ping", error_shape="ts")
    now = client.public("/fapi/v3/time").json["serverTime"]
    assert client.public("/fapi/v3/ping").json["ts"] == now


def test_an_order_is_executed_although_it_is_refused() -> None:
    client = make_wired()
    set_fault(client, "reject_after", path="/order", method="POST", code=-1006)
    assert client.perp("POST", "order", **ORDER).code == -1006
    assert arrived(client)


@pytest.mark.parametrize("status", [302, 403, 404, 408, 415, 451, 499, 502])
@pytest.mark.parametrize(("fault", "executed"), [("page_before", False), ("page_after", True)])
def test_a_web_page_answers_with_any_status(fault: str, executed: bool, status: int) -> None:  # noqa: FBT001 - a table's column
    client = make_wired()
    set_fault(client, fault, path="/order", method="POST", status=status)
    reply = client.perp("POST", "order", **ORDER)
    assert (reply.status, reply.headers["content-type"], reply.json) == (status, "text/html", None)
    assert ("location" in reply.headers) is (status == 302)
    assert arrived(client) is executed


def test_a_noop_answers_success_and_the_order_it_should_have_killed_lands_a_minute_later() -> None:
    client = make_wired()
    set_fault(client, "late", path="/order", method="POST", seconds=59)
    set_fault(client, "idle_noop", path="noop", times=0)
    query = client.query(ORDER)
    assert client.venue.handle(WireRequest(method="POST", path="/fapi/v3/order", query=query)).response is None
    client._nonce -= 1
    assert client.perp("POST", "noop").json == {"code": 200, "msg": "success"}
    client.advance_time(58)
    assert not arrived(client)
    client.advance_time(1)
    assert arrived(client)


def test_an_order_that_is_later_than_its_nonce_is_valid_never_lands() -> None:
    client = make_wired()
    set_fault(client, "late", path="/order", method="POST", seconds=61)
    query = client.query(ORDER)
    assert client.venue.handle(WireRequest(method="POST", path="/fapi/v3/order", query=query)).response is None
    client.advance_time(62)
    assert not arrived(client)


def test_a_funding_row_is_listed_late() -> None:
    client = make_wired()
    client.advance_time(9 * 3600)
    path, named = "/fapi/v3/fundingRate", {"symbol": "AAAUSDT", "limit": 5}
    rows = client.public(path, **named).json
    set_fault(client, "late_rows", path="fundingRate", symbol="AAAUSDT", seconds=3600 * 9, times=0)
    assert client.public(path, **named).json == [
        row for row in rows if row["fundingTime"] <= client.public("/fapi/v3/time").json["serverTime"] - 9 * 3_600_000
    ]
    client.advance_time(9 * 3600)
    assert {row["fundingTime"] for row in client.public(path, **named).json} >= {rows[-1]["fundingTime"]}


def test_a_stream_says_nothing_of_a_rate_and_bytes_that_are_not_text() -> None:
    client = two_pairs()
    stream = client.stream("/ws/!markPrice@arr@1s")
    set_fault(client, "rewrite", stream="markPrice", mutation="blank", field="*.r", symbol="AAAUSDT")
    client.advance_time(1)
    rates = {row["s"]: row["r"] for row in messages(stream)[0]}
    assert rates["AAAUSDT"] == ""
    assert "" not in {rate for symbol, rate in rates.items() if symbol != "AAAUSDT"}
    set_fault(client, "rewrite", stream="markPrice", mutation="invalid_utf8")
    stream.outbox.clear()
    client.advance_time(1)
    frame = stream.outbox[0]
    assert (frame.kind, b"\xff" in frame.data) == (FrameKind.BINARY, True)


def test_a_message_about_another_symbol_does_not_count() -> None:
    client = two_pairs()
    stream = client.listen(Market.PERP)
    set_fault(client, "rewrite", stream="", symbol="BBBUSDT", mutation="truncated", times=0)
    client.order()
    assert {event["e"] for event in messages(stream)} >= {"ORDER_TRADE_UPDATE"}


def test_a_stream_fault_may_call_its_name_fault_or_trouble() -> None:
    client = make_wired()
    for path, terms in (
        ("faults", {"fault": "lose", "stream": "depth"}),
        ("faults", {"fault": "lose"}),
        ("faults", {"trouble": "lose"}),
        ("faults/streams", {"fault": "lose"}),
        ("faults/streams", {"trouble": "lose"}),
    ):
        assert client.admin("POST", path, **terms).status == 200
    assert len(client.admin("GET", "faults").json["streams"]) == 5


@pytest.mark.parametrize(
    ("path", "terms", "said"),
    [
        ("faults", {"fault": "rewrite"}, "rewrite needs a mutation: one of absent, empty"),
        ("faults", {"fault": "rewrite", "stream": "depth"}, "rewrite needs a mutation"),
        ("faults", {"fault": "rewrite", "mutation": "melt"}, "allowed are absent, empty"),
        ("faults", {"fault": "reject", "market": "SPOT"}, "allowed are spot, perp"),
        ("faults", {"fault": "reject", "error_shape": "round"}, "allowed are plain, request_id"),
        ("faults", {"fault": "reject", "status": 99}, "a status is 200 to 599, not 99"),
        ("faults", {"fault": "429", "retry_after_seconds": -1}, "retry_after_seconds is not negative"),
        ("faults", {"fault": "rewrite", "mutation": "padded", "size": 2**31}, "a size is 0 to"),
        ("faults", {"fault": "reject", "cod": 1}, "allowed are fault, path, method"),
        ("faults", {"fault": "explode"}, "no fault is called 'explode'; allowed are html_500"),
        ("faults", {"fault": "not_sent"}, "no fault is called 'not_sent'; allowed are html_500"),
        ("faults", {}, "name the fault in the field fault"),
        ("faults", {"fault": "reject", "until": "2026-01-05T00:00:00"}, "until needs its time zone, as in 2026-01-05T"),
        ("faults/streams", {"fault": "lose", "until": "2026-01-05T00:00:00"}, "until needs its time zone"),
        ("faults", {"fault": "reject", "for_seconds": 1e300}, "at most 1,000,000,000 seconds"),
        ("faults", {"fault": "slow", "seconds": 1e300}, "at most 1,000,000,000 seconds"),
        ("faults", {"fault": "late_rows", "path": "income"}, "late_rows needs seconds"),
        ("faults", {"fault": "reject", "symbol": "NONEUSDT"}, "nothing that is listed is called 'NONEUSDT'"),
        ("faults/streams", {"fault": "lose", "symbol": "NONEUSDT"}, "nothing that is listed is called 'NONEUSDT'"),
        ("faults", {"fault": "reject", "nth": 0}, "nth is 1 or more"),
        ("faults", {"fault": "reject", "method": "post"}, "a method is one of GET, POST, PUT, DELETE, or empty"),
        ("limits", {"market": "perp", "weight_per_minute": -1}, "weight_per_minute is 1 or more, not -1"),
        ("limits", {"market": "perp", "orders_per_minute": 0}, "orders_per_minute is 1 or more, not 0"),
        ("faults/streams", {"fault": "explode"}, "allowed are lose, duplicate"),
        ("faults", {"fault": "page_before", "location": "a\r\nb"}, "a location is of printable ASCII characters"),
        ("speed", {"speed": 1e308}, "speed: allowed is 0 to 1,000,000, not 1e+308"),
        ("advance", {"seconds": 1e300}, "a jump is at most 400 days long"),
        ("status", {"symbol": "AAAUSDT", "status": "ASLEEP"}, "allowed are"),
        ("trade", {"user": "0x", "market": "SPOT", "symbol": "A", "side": "BUY", "quantity": "1"}, "allowed are spot"),
    ],
)
def test_a_fault_that_cannot_be_set_is_refused_with_what_is_allowed(
    path: str, terms: dict[str, Any], said: str
) -> None:
    reply = make_wired().admin("POST", path, **terms)
    assert reply.status == 400
    assert said in reply.json["error"]


@pytest.mark.parametrize("name", ["AAAUSDT", "AAA", "USDT"])
def test_a_fault_may_name_a_symbol_its_coin_and_the_money(name: str) -> None:
    assert make_wired().admin("POST", "faults", fault="rewrite", mutation="zero", symbol=name).status == 200


def test_every_rewrite_of_a_reply_can_be_set_as_a_fault() -> None:
    client = make_wired()
    account = client.perp("GET", "accountWithJoinMargin").json
    found = list(rewrites_of(account, ("AAAUSDT",)))
    assert len(found) > 100
    for rewrite in found[::17]:
        terms = msgspec.structs.asdict(rewrite) | {"size": 100}
        fault = RequestFault(fault=FaultKind.REWRITE, path="accountWithJoinMargin", **terms)
        client.venue.faults.add(fault, client.venue.exchange.now)
        request = WireRequest(method="GET", path="/fapi/v3/accountWithJoinMargin", query=client.query({}))
        response = client.venue.handle(request).response
        assert response is not None
        assert response.body != json.dumps(account, separators=(",", ":")).encode(), rewrite


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/octet-stream", 415),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/x-www-form-urlencoded", 200),
        ("Application/X-WWW-Form-URLencoded; charset=utf-8", 200),
        ("application/json;charset=utf-8", 200),
        ("", 200),
    ],
)
def test_a_write_of_a_type_that_is_no_form_is_refused_with_a_page(kind: str, status: int) -> None:
    client = make_wired()
    headers = {"content-type": kind} if kind else {}
    request = WireRequest(method="POST", path="/fapi/v3/order", query=client.query(ORDER), headers=headers)
    response = client.venue.handle(request).response
    assert response is not None
    assert (response.status, response.headers["content-type"]) == (
        status,
        "text/html" if status == 415 else "application/json",
    )
    assert arrived(client) is (status == 200)


def test_a_read_may_declare_any_type() -> None:
    client = make_wired()
    request = WireRequest(method="GET", path="/fapi/v3/ping", headers={"content-type": "application/octet-stream"})
    response = client.venue.handle(request).response
    assert response is not None
    assert response.status == 200


def test_a_write_through_memory_declares_what_a_socket_would() -> None:
    plain = HttpRequest(method="POST", url="https://fapi.asterdex.com/fapi/v3/order?a=1")
    form = msgspec.structs.replace(plain, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert wire_request(plain).headers["content-type"] == "application/octet-stream"
    assert wire_request(form).headers["content-type"] == "application/x-www-form-urlencoded"
    assert "content-type" not in wire_request(msgspec.structs.replace(plain, method="DELETE")).headers


def test_a_memory_transport_unpacks_replies_and_refuses_those_that_are_too_large() -> None:
    client = make_wired()
    clock = VirtualClock(client.venue.exchange.now)
    transport = MemoryTransport(client.venue, clock)
    ping = HttpRequest(method="GET", url="https://fapi.asterdex.com/fapi/v3/ping")

    async def sizes() -> list[int]:
        set_fault(client, "rewrite", mutation="gzip_bomb", size=1000)
        small = await transport.send(ping)
        set_fault(client, "rewrite", mutation="gzip_bomb")
        with pytest.raises(OutcomeUnknown, match="larger than"):
            await transport.send(ping)
        set_fault(client, "rewrite", mutation="padded")
        with pytest.raises(OutcomeUnknown, match="larger than"):
            await transport.send(ping)
        return [len(small.body)]

    assert run_virtual(clock, sizes()) == [1002]


@pytest.mark.parametrize("factor", ["10000", "0.0001"])
def test_jumps_one_after_the_other_lead_to_no_price_beyond_numbers(factor: str) -> None:
    client = make_wired()
    while (reply := client.admin("POST", "price", symbol="AAAUSDT", factor=factor)).status == 200:
        pass
    assert reply.json["error"].startswith("a price is 1E-9 to 1,000,000,000, not ")
    assert client.perp("GET", "premiumIndex", symbol="AAAUSDT").status == 200
