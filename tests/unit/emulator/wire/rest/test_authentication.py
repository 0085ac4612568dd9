"""Who is let in: the table of bad-auth replies, permissions, nonces, old keys (docs/aster-api.md 2 and 3)."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from hedgerow.emulator.wire.protocol.credentials import KEPT, Agent, ApiKey, NonceWindow
from hedgerow.emulator.wire.protocol.errors import WireError
from hedgerow.emulator.wire.protocol.number_format import to_ms, to_us
from hedgerow.emulator.wire.protocol.signing import TESTNET, hmac_of
from support.wire import AGENT, KEY, OTHER, SECRET, USER, WireClient, account_of, make_wired, signature_of
from support.worlds import START

BALANCE = "/fapi/v3/balance"
NOW = to_us(START)


def signed(text: str, key: int = 1, chain_id: int = 1666) -> str:
    return f"{text}&signature={signature_of(key, text, chain_id)}"


def named(nonce: int = NOW, user: str = USER, signer: str = AGENT) -> str:
    return urlencode({"user": user, "signer": signer, "nonce": nonce})


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        (signed(named(), chain_id=TESTNET), -1000, "Signature check failed"),
        (signed(named(), key=2), -1000, "Signature check failed"),
        (signed(named()).replace("nonce=1", "nonce=2"), -1000, "Signature check failed"),
        (signed(named()) + "&symbol=AAAUSDT", -1000, "Signature check failed"),
        (f"{named()}&signature=nonsense", -1000, "Signature check failed"),
        (named(), -1102, "'signature'"),
        (signed("user=1&nonce=1"), -1102, "'signer'"),
        (signed(f"signer=0x12&nonce={NOW}"), -1102, "'signer'"),
        (signed(f"signer={AGENT}"), -1102, "'nonce'"),
        (signed(f"signer={AGENT}&nonce=1.9E+15"), -1102, "'nonce'"),
        (signed(named(user=OTHER)), -1000, "No agent found"),
        (signed(named(user=USER, signer=OTHER), key=2), -1000, "No agent found"),
        (signed(named(nonce=NOW + 61_000_000)), -4225, "Nonce Expired"),
        (signed(named(nonce=NOW - 61_000_000)), -4225, "Nonce Expired"),
    ],
)
def test_a_bad_signature_is_answered_as_the_venue_does(query: str, code: int, words: str) -> None:
    reply = make_wired().send("GET", BALANCE, query)
    assert (reply.status // 100, reply.code) == (4, code)
    assert words in reply.json["msg"]


def test_a_stranger_is_asked_to_deposit_and_a_strange_agent_that_it_is_none() -> None:
    client = make_wired()
    del client.venue.exchange.exchange_accounts[OTHER.lower()]
    assert client.send("GET", BALANCE, signed(named(user=OTHER, signer=OTHER), key=2)).code == -5050
    assert client.send("GET", BALANCE, signed(named(signer=OTHER), key=2)).json["msg"] == "No agent found"


@pytest.mark.parametrize("spelling", [USER, USER.upper().replace("X", "x"), ""])
def test_the_user_may_be_left_out_and_is_compared_in_any_case(spelling: str) -> None:
    text = named(user=spelling) if spelling else f"signer={AGENT}&nonce={NOW}"
    assert make_wired().send("GET", BALANCE, signed(text)).status == 200


def test_parameters_may_come_in_the_body_but_not_in_both_places() -> None:
    client = make_wired()
    fields = {"symbol": "AAAUSDT", "leverage": 3}
    assert client.send("POST", "/fapi/v3/leverage", body=client.query(fields)).json["leverage"] == 3
    split = client.send("POST", "/fapi/v3/leverage", client.query({"symbol": "AAAUSDT"}), body="leverage=3")
    assert split.json["msg"] == "Signature check failed"


def test_a_main_wallet_signs_for_itself() -> None:
    client = make_wired()
    own = WireClient(client.venue, user=OTHER, key=2)
    assert own.perp("GET", "balance").json[0]["balance"] == "500.00000000"


def test_an_agent_may_only_do_what_it_was_allowed() -> None:
    client = make_wired()
    exchange = client.venue.exchange
    exchange.permit(USER, Agent(signer=AGENT.lower(), can_spot_trade=False, can_perp_trade=True))
    assert client.buy_spot().code == -2015
    assert client.spot("GET", "account").status == 200
    assert client.order().status == 200
    exchange.permit(USER, Agent(signer=AGENT.lower(), ip_whitelist=("10.0.0.1",)))
    assert client.perp("GET", "balance").code == -2015


def test_an_agent_expires() -> None:
    client = make_wired()
    client.venue.exchange.permit(USER, Agent(signer=AGENT.lower(), expires_at=START + timedelta(hours=1)))
    assert client.perp("GET", "agent").json[0]["expired"] == to_ms(START + timedelta(hours=1))
    client.advance_time(3600)
    assert client.perp("GET", "balance").json["msg"] == "No agent found"


def test_a_nonce_serves_once_whatever_became_of_its_request() -> None:
    client = make_wired()
    query = client.query({"symbol": "NOSUCH", "leverage": 3})
    assert client.send("POST", "/fapi/v3/leverage", query).code == -1121
    assert client.send("POST", "/fapi/v3/leverage", query).code == -4225


def test_noop_burns_a_nonce() -> None:
    client = make_wired()
    nonce = client.nonce()
    text = named(nonce=nonce)
    assert client.send("POST", "/fapi/v3/noop", signed(text)).json == {"code": 200, "msg": "success"}
    assert client.send("GET", BALANCE, signed(f"{text}&x=1")).code == -4225


def test_a_guarded_cancel_is_signed_with_the_nonce_of_its_order() -> None:
    client = make_wired()
    nonce = client.nonce()
    order = {"symbol": "AAAUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": 1, "price": 97}
    text = f"{urlencode(order)}&newClientOrderId=g&{named(nonce=nonce)}"
    assert client.send("POST", "/fapi/v3/order", signed(text)).json["status"] == "NEW"
    cancel = signed(f"symbol=AAAUSDT&origClientOrderId=g&{named(nonce=nonce)}")
    assert client.send("DELETE", "/fapi/v3/order", cancel).code == -4225
    assert client.send("DELETE", "/fapi/v3/guardedCancelOrder", cancel).json["status"] == "CANCELED"


def test_a_guarded_cancel_kills_an_order_that_is_still_on_its_way() -> None:
    client = make_wired()
    nonce = client.nonce()
    cancel = signed(f"symbol=AAAUSDT&origClientOrderId=g&{named(nonce=nonce)}")
    assert client.send("DELETE", "/fapi/v3/guardedCancelOrder", cancel).code == -2011
    text = f"symbol=AAAUSDT&side=SELL&type=MARKET&quantity=1&newClientOrderId=g&{named(nonce=nonce)}"
    assert client.send("POST", "/fapi/v3/order", signed(text)).code == -4225


def test_nonces_are_kept_per_signer() -> None:
    client = make_wired()
    assert client.send("GET", BALANCE, signed(named())).status == 200
    assert client.send("GET", BALANCE, signed(named(user=OTHER, signer=OTHER), key=2)).status == 200


def test_the_newest_hundred_nonces_are_kept_and_older_ones_refused() -> None:
    window = NonceWindow()
    for offset in range(KEPT):
        window.burn(NOW + 2 * offset, START, 60)
    window.burn(NOW + 1, START, 60)
    assert NOW not in window.used
    assert len(window.used) == KEPT
    for refused in (NOW, NOW + 1, NOW + 4):
        with pytest.raises(WireError, match="Nonce Expired"):
            window.burn(refused, START, 60)
    window.burn(NOW + 3, START, 60)


def test_a_narrow_window_can_be_tested_and_a_window_switched_off() -> None:
    ahead = signed(named(nonce=NOW + 15_000_000))
    assert make_wired(nonce_window_seconds=10.0).send("GET", BALANCE, ahead).code == -4225
    assert make_wired(nonce_window_seconds=None).send("GET", BALANCE, signed(named(nonce=1))).status == 200


def by_key(client: WireClient, text: str, key: str = KEY, shared: str = SECRET, path: str = "/fapi/v2/balance") -> int:
    reply = client.send("GET", path, f"{text}&signature={hmac_of(shared, text).upper()}", **{"x-mbx-apikey": key})
    return reply.code or reply.status


def test_old_keys_still_work_within_their_window_of_time() -> None:
    client, now = make_wired(), to_ms(START)
    assert by_key(client, f"timestamp={now}") == 200
    assert by_key(client, f"timestamp={now + 999}&recvWindow=100") == 200
    assert by_key(client, f"timestamp={now + 1000}") == -1021
    assert by_key(client, f"timestamp={now - 5000}") == 200
    assert by_key(client, f"timestamp={now - 5001}") == -1021
    assert by_key(client, f"timestamp={now}", shared="wrong") == -1022
    assert by_key(client, f"timestamp={now}", key="n" * 64) == -2015
    assert by_key(client, f"timestamp={now}", key="?") == -2014


def test_without_key_and_signature_an_old_path_asks_for_the_key() -> None:
    assert make_wired().send("GET", "/fapi/v2/balance").code == -2014


def test_a_key_of_one_market_cannot_trade_the_other() -> None:
    client = make_wired()
    client.venue.exchange.add_key(USER, ApiKey(key="s" * 64, secret=SECRET, can_perp_trade=False))
    text = f"symbol=AAAUSDT&leverage=2&timestamp={to_ms(START)}"
    query = f"{text}&signature={hmac_of(SECRET, text)}"
    assert client.send("POST", "/fapi/v1/leverage", query, **{"x-mbx-apikey": "s" * 64}).code == -2015


def test_a_stream_key_needs_only_the_header() -> None:
    reply = make_wired().send("POST", "/fapi/v1/listenKey", **{"x-mbx-apikey": KEY})
    assert len(reply.json["listenKey"]) == 64


def test_agents_can_be_approved_and_dismissed() -> None:
    client = make_wired()
    fields = {"user": USER, "agentAddress": OTHER, "agentName": "two", "canSpotTrade": "false"}
    assert client.send("POST", "/fapi/v3/approveAgent", urlencode(fields)).json["code"] == 200
    rows = {row["agentAddress"]: row for row in client.perp("GET", "agent").json}
    assert rows[OTHER.lower()]["canSpotTrade"] is False
    assert client.perp("DELETE", "agent", agentAddress=OTHER).status == 200
    assert len(client.perp("GET", "agent").json) == 1


def test_builders_can_be_approved_and_nothing_is_charged_for_it() -> None:
    client = make_wired()
    fields = {"user": USER, "builder": OTHER, "maxFeeRate": "0.001"}
    assert client.send("POST", "/fapi/v3/approveBuilder", urlencode(fields)).json["code"] == 200
    assert client.perp("GET", "builder").json == [
        {"userAddress": USER, "builderAddress": OTHER, "maxFeeRate": 0.001, "builderName": ""}
    ]
    assert account_of(client).world.parts.perp.balance == 10_000
