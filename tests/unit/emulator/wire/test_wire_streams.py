"""Connections and streams: control frames, limits, what is pushed when, and the accounts' events (section 10)."""

import json
from typing import Any

import pytest

from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.streams.sessions import FrameKind, StreamSession, stream_names
from support.wire import WireClient, make_wired, messages
from support.worlds import START, ScriptedMarketData


def say(client: WireClient, session: StreamSession, **message: Any) -> Any:
    session.on_text(json.dumps(message), client.venue.clock.now())
    return messages(session)[-1]


def kinds(session: StreamSession) -> list[str]:
    return [frame.kind for frame in session.outbox]


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/ws/a@depth5", "", (False, ["a@depth5"])),
        ("/fstream/ws/a@depth5", "", (False, ["a@depth5"])),
        ("/sstream/stream", "streams=a@depth5/b@ticker", (True, ["a@depth5", "b@ticker"])),
        ("/stream", "x=1&streams=a%40depth5%2Fb", (True, ["a@depth5", "b"])),
        ("/ws", "", (False, [])),
        ("/elsewhere", "", None),
    ],
)
def test_addresses_name_their_streams(path: str, query: str, expected: object) -> None:
    assert stream_names(path, query) == expected


def test_subscriptions_are_managed_by_control_frames() -> None:
    client = make_wired()
    session = client.stream("/ws")
    assert say(client, session, method="SUBSCRIBE", params=["aaausdt@markPrice"], id=1) == {"result": None, "id": 1}
    assert say(client, session, method="LIST_SUBSCRIPTIONS", id=2)["result"] == ["aaausdt@markPrice"]
    assert say(client, session, method="GET_PROPERTY", params=["combined"], id=3)["result"] is False
    say(client, session, method="SET_PROPERTY", params=["combined", True], id=4)
    assert say(client, session, method="GET_PROPERTY", params=["combined"], id=5)["result"] is True
    assert say(client, session, method="UNSUBSCRIBE", params=["aaausdt@markPrice"], id=6)["id"] == 6
    assert say(client, session, method="LIST_SUBSCRIPTIONS", id=7)["result"] == []


def test_a_control_frame_without_an_id_is_served() -> None:
    client = make_wired()
    session = client.stream("/ws")
    assert say(client, session, method="SUBSCRIBE", params=["aaausdt@markPrice"]) == {"result": None, "id": None}
    assert say(client, session, method="LIST_SUBSCRIPTIONS", id=1)["result"] == ["aaausdt@markPrice"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 3),
        ("[]", 3),
        ('{"method":"SUBSCRIBE","params":["a"],"id":-1}', 2),
        ('{"method":"SUBSCRIBE","params":["a"],"id":"x"}', 2),
        ('{"method":"SUBSCRIBE","params":[],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":"a","id":1}', 2),
        ('{"method":"DANCE","id":1}', 2),
        ('{"method":"SET_PROPERTY","params":["other",true],"id":1}', 0),
    ],
)
def test_a_wrong_control_frame_is_answered_with_an_error(text: str, code: int) -> None:
    client = make_wired()
    session = client.stream("/ws")
    session.on_text(text, client.venue.clock.now())
    answer = messages(session)[0]
    assert (answer["code"], answer["error"]["code"]) == (code, code)


@pytest.mark.parametrize("name", ["AAAUSDT@markPrice", "nosuch@markPrice", "aaausdt@nothing", "!markPrice", "!depth5"])
def test_a_wrong_stream_is_acknowledged_and_never_pushed(name: str) -> None:
    client = make_wired()
    session = client.stream("/ws")
    assert say(client, session, method="SUBSCRIBE", params=[name], id=1)["result"] is None
    client.advance_time(10)
    assert messages(session) == []


def test_mark_prices_come_every_second_or_every_three() -> None:
    client = make_wired(ScriptedMarketData(["AAAUSDT", "BBBUSDT"]))
    fast = client.stream("/ws/aaausdt@markPrice@1s")
    slow = client.stream("/ws/aaausdt@markPrice")
    every = client.stream("/stream", "streams=!markPrice@arr@1s")
    for _ in range(6):
        client.advance_time(1)
    assert (len(messages(fast)), len(messages(slow))) == (6, 3)
    frames = [frame.text for frame in every.outbox]
    assert frames[0].startswith('{"stream":"!markPrice@arr@1s","data":[{"e":"markPriceUpdate","E":')
    row = json.loads(frames[0])["data"][0]
    assert list(row) == ["e", "E", "s", "p", "i", "P", "r", "T"]
    assert (row["p"], row["r"]) == ("100.00000000", "0.00030000")


def test_a_jump_of_time_sends_the_newest_state_once() -> None:
    client = make_wired()
    session = client.stream("/ws/aaausdt@markPrice@1s")
    client.advance_time(0)
    messages(session)
    client.advance_time(1000)
    assert [event["E"] for event in messages(session)] == [int((START.timestamp() + 1000) * 1000)]


def test_a_quiet_book_pushes_nothing_until_it_changes() -> None:
    client = make_wired()
    ticker, partial, diff = (client.stream(f"/ws/aaausdt@{name}") for name in ("bookTicker", "depth5", "depth@100ms"))
    client.advance_time(1)
    assert [len(messages(session)) for session in (ticker, partial, diff)] == [1, 1, 0]
    client.advance_time(200)
    assert [len(messages(session)) for session in (ticker, partial, diff)] == [0, 0, 0]
    client.order(quantity="10")
    client.advance_time(0.25)
    seen = [messages(session)[-1] for session in (ticker, partial, diff)]
    assert seen[0]["e"] == "bookTicker"
    assert (seen[1]["e"], len(seen[1]["b"])) == ("depthUpdate", 5)
    assert (len(seen[2]["b"]), seen[2]["a"]) == (1, [])


def test_differences_join_the_snapshot_and_each_other() -> None:
    client = make_wired()
    session = client.stream("/ws/aaausdt@depth@100ms")
    client.advance_time(1)
    last = client.public("/fapi/v3/depth", symbol="AAAUSDT", limit=1000).json["lastUpdateId"]
    for _ in range(5):
        client.order(quantity="3")
        client.advance_time(0.5)
    found = [event for event in messages(session) if event["u"] > last]
    assert found[0]["U"] <= last + 1 <= found[0]["u"]
    assert [event["pu"] for event in found[1:]] == [event["u"] for event in found[:-1]]
    book = client.public("/fapi/v3/depth", symbol="AAAUSDT", limit=1000).json
    assert dict(found[-1]["b"]).items() <= dict(book["bids"]).items()


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("aggTrade", {"e", "E", "s", "a", "p", "q", "f", "l", "T", "m"}),
        ("kline_5m", {"e", "E", "s", "k"}),
        ("miniTicker", {"e", "E", "s", "c", "o", "h", "l", "v", "q"}),
        ("ticker", {"e", "E", "s", "c", "o", "h", "l", "v", "q", "p", "P", "w", "Q", "O", "C", "F", "L", "n"}),
    ],
)
@pytest.mark.parametrize("market", list(Market))
def test_the_other_market_streams_have_their_fields(market: Market, name: str, keys: set[str]) -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(START.replace(minute=5), 101)
    client = make_wired(market_data)
    session = client.stream(f"/ws/aaausdt@{name}", market=market)
    client.advance_time(1)
    client.advance_time(400)
    assert {frozenset(event) for event in messages(session)} == {frozenset(keys)}


def test_too_many_messages_in_a_second_end_the_connection() -> None:
    client = make_wired()
    for market, allowed in ((Market.PERP, 10), (Market.SPOT, 5)):
        session = client.stream("/ws", market=market)
        for _ in range(allowed):
            session.on_text('{"method":"LIST_SUBSCRIPTIONS","id":1}', client.venue.clock.now())
        assert not session.closed
        session.on_text('{"method":"LIST_SUBSCRIPTIONS","id":1}', client.venue.clock.now())
        assert session.closed
        assert kinds(session)[-1] == FrameKind.CLOSE


def test_a_connection_carries_at_most_two_hundred_streams() -> None:
    client = make_wired()
    session = client.stream("/ws")
    answer = say(client, session, method="SUBSCRIBE", params=[f"s{n}@ticker" for n in range(201)], id=1)
    assert answer["error"]["code"] == 2
    assert session.streams == {}


def test_pings_are_sent_and_silence_ends_the_connection() -> None:
    client = make_wired()
    answering, silent = client.stream("/ws"), client.stream("/ws")
    for _ in range(5):
        client.advance_time(300)
        answering.on_pong()
    assert kinds(answering) == [FrameKind.PING] * 5
    assert kinds(silent) == [FrameKind.PING] * 3 + [FrameKind.CLOSE]
    answering.on_ping(client.venue.clock.now())
    assert kinds(answering)[-1] == FrameKind.PONG


def test_every_connection_ends_after_a_day() -> None:
    client = make_wired()
    session = client.stream("/ws")
    client.advance_time(86_399)
    session.on_pong()
    assert not session.closed
    client.advance_time(1)
    assert session.closed


def test_a_trade_is_reported_to_its_account_only() -> None:
    client = make_wired()
    own = client.listen(Market.PERP)
    other = WireClient(client.venue, user="0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", key=2).listen(Market.PERP)
    client.order()
    new, update, trade = messages(own)
    assert (new["o"]["x"], trade["o"]["x"], trade["o"]["X"]) == ("NEW", "TRADE", "FILLED")
    assert (trade["o"]["N"], trade["o"]["n"]) == ("USDT", "0.0349965")
    assert "N" not in new["o"]
    assert (update["a"]["m"], update["a"]["P"][0]["pa"]) == ("ORDER", "-1.00")
    assert messages(other) == []


def test_funding_of_a_cross_position_is_reported_without_its_symbol() -> None:
    client = make_wired()
    client.order()
    client.advance_time(8 * 3600 - 60)
    stream = client.listen(Market.PERP)
    client.advance_time(120)
    event = messages(stream)[0]
    assert event["a"]["m"] == "FUNDING_FEE"
    assert event["a"]["B"][0]["bc"] == "0.03000000"
    assert "P" not in event["a"]
    assert event["T"] == int((START.timestamp() + 8 * 3600) * 1000)


def test_a_spot_trade_is_reported_with_its_fee_and_both_balances() -> None:
    client = make_wired()
    stream = client.listen(Market.SPOT)
    client.buy_spot(newClientOrderId="b")
    assert messages(stream) == []
    client.advance_time(0.02)
    new, trade, position = messages(stream)
    assert (new["e"], new["x"], trade["x"], trade["X"]) == ("executionReport", "NEW", "TRADE", "FILLED")
    assert (trade["N"], trade["n"], trade["Z"]) == ("AAA", "0.0004", "100.01")
    assert {row["a"]: row["f"] for row in position["B"]} == {"AAA": "0.9996", "USDT": "9899.99"}
    assert position["T"] == position["E"]


def test_transfers_are_reported_on_both_streams_on_spot_in_seconds() -> None:
    client = make_wired()
    spot, perp = client.listen(Market.SPOT), client.listen(Market.PERP)
    asked = {"amount": "5", "asset": "USDT", "clientTranId": "t", "kindType": "SPOT_FUTURE"}
    client.perp("POST", "asset/wallet/transfer", **asked)
    event = messages(spot)[0]
    assert (event["m"], event["T"]) == ("WITHDRAW", event["E"] // 1000)
    assert messages(perp)[0]["a"]["B"][0]["bc"] == "5.00000000"


def test_settings_are_reported() -> None:
    client = make_wired()
    stream = client.listen(Market.PERP)
    client.perp("POST", "leverage", symbol="AAAUSDT", leverage=3)
    client.perp("POST", "multiAssetsMargin", multiAssetsMargin="true")
    first, second = messages(stream)
    assert first["ac"] == {"s": "AAAUSDT", "l": 3}
    assert second["ai"] == {"j": True, "f": False, "d": False}


def test_a_margin_call_comes_before_the_liquidation() -> None:
    client = make_wired()
    client.perp("POST", "leverage", symbol="AAAUSDT", leverage=125)
    client.order(quantity="900")
    stream = client.listen(Market.PERP)
    client.admin("POST", "price", symbol="AAAUSDT", factor="1.0975")
    assert [event["e"] for event in messages(stream)] == ["MARGIN_CALL"]


def test_a_listen_key_is_valid_for_an_hour_and_is_the_same_until_then() -> None:
    client = make_wired()
    stream = client.listen(Market.PERP)
    first = client.perp("POST", "listenKey").json["listenKey"]
    client.advance_time(3000)
    stream.on_pong()
    assert client.perp("POST", "listenKey").json["listenKey"] == first
    client.advance_time(3000)
    assert client.perp("PUT", "listenKey").json == {}
    stream.on_pong()
    client.advance_time(3600)
    assert messages(stream)[-1]["e"] == "listenKeyExpired"
    assert client.perp("PUT", "listenKey").code == -1125
    assert client.perp("POST", "listenKey").json["listenKey"] != first
    assert client.perp("DELETE", "listenKey").json == {}


def test_nobody_listening_costs_nothing() -> None:
    client = make_wired()
    assert client.venue.next_due() is None
    session = client.stream("/ws/aaausdt@markPrice@1s")
    assert client.venue.next_due() is not None
    client.venue.disconnect(session)
    assert client.venue.next_due() is None
