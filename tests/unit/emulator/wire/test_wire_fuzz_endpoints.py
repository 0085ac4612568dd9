"""Every endpoint under requests that are almost right: no reply of 500 and above, and every cent explained."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.domain.money import ZERO
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.rest.call import WireRequest
from support.drawing import examples
from support.fuzzing import JUNK, SOUND, Attempt, attempts, endpoints, explained, held, send
from support.wire import AGENT, KEY, OTHER, WireClient, make_wired

LARGE = [HealthCheck.too_slow, HealthCheck.data_too_large]
ROUNDING = Decimal("0.00000001")
"""Histories are listed with eight decimals."""


def harness() -> dict[int, WireClient]:
    first = make_wired()
    first.order(quantity="2", newClientOrderId="p")
    first.buy_spot("3")
    first.advance_time(1)
    return {1: first, 2: WireClient(first.venue, user=OTHER, key=2)}


def ask(client: WireClient, request: WireRequest) -> tuple[int, Any]:
    response = client.venue.handle(request).response
    assert response is not None
    assert response.status < 500, (request, response.body)
    if response.status == 415:
        assert "content-type" in request.headers
        return 415, {}
    content = msgspec.json.decode(response.body)
    if response.status >= 400:
        assert content["code"] < 0
        assert content["msg"]
    return response.status, content


@pytest.mark.parametrize("endpoint", endpoints(), ids=" ".join)
def test_every_endpoint_answers_a_sound_request(endpoint: tuple[str, str, str]) -> None:
    prefix, method, name = endpoint
    client = harness()[1]
    asked = SOUND.get(f"{method} {name}", {"symbol": "AAAUSDT"})
    attempt = Attempt(method=method, path=f"{prefix}/v3/{name}", parameters=asked, how="agent", headers={})
    status, content = ask(client, send(client, attempt))
    assert status == 200 or content["code"] in REFUSED_HERE[f"{method} {name}"]


REFUSED_HERE: dict[str, set[int]] = {
    "GET order": {-2013},
    "GET openOrder": {-2013},
    "DELETE order": {-2011},
    "DELETE guardedCancelOrder": {-2011},
    "PUT order": {-2013},
    "POST marginType": {-4048},
    "POST positionMargin": {-4051},
    "POST positionSide/dual": {-4068},
    "PUT listenKey": {-1125},
    "POST updateAgent": {-1102},
    "POST updateBuilder": {-1102},
    "POST registerAndApproveAgent": {-1102},
    "DELETE agent": {-1102},
}
"""What the scene of these tests does not allow, although the request is sound."""


@settings(max_examples=examples(120), deadline=None, derandomize=True, suppress_health_check=LARGE)
@given(script=st.lists(attempts(), min_size=1, max_size=12), wait=st.sampled_from([0, 1, 40_000]))
def test_whatever_is_sent_the_histories_explain_every_cent(script: list[Attempt], wait: float) -> None:
    clients = harness()
    opening = {
        1: {"spot:USDT": Decimal(10_000), "perp:USDT": Decimal(10_000)},
        2: {"spot:USDT": Decimal(500), "perp:USDT": Decimal(500)},
    }
    for attempt in script:
        ask(clients[attempt.who], send(clients[attempt.who], attempt))
    clients[1].advance_time(1)
    clients[1].advance_time(wait)
    for number, client in clients.items():
        restore(client)
        known, reported = held(client), explained(client, opening[number])
        assert known.keys() == reported.keys()
        assert all(abs(known[name] - reported[name]) <= 200 * ROUNDING for name in known), (known, reported)


def restore(client: WireClient) -> None:
    """Give an account that dismissed its own agent another chance to ask."""
    client.venue.exchange.permit(client.user, Agent(signer=client.signer))
    client.advance_time(60)


@settings(max_examples=examples(150), deadline=None, derandomize=True)
@given(attempt=attempts())
def test_a_refused_request_changes_no_wallet(attempt: Attempt) -> None:
    clients = harness()
    before = {number: held(client) for number, client in clients.items()}
    status, _ = ask(clients[attempt.who], send(clients[attempt.who], attempt))
    after = {number: held(client) for number, client in clients.items()}
    assert status == 200 or after == before
    total = [
        sum((row.get("spot:USDT", ZERO) + row["perp:USDT"] for row in rows.values()), ZERO) for rows in (before, after)
    ]
    moved = attempt.path.rstrip("/?").endswith(("order", "Orders"))
    assert total[0] == total[1] or moved


@settings(max_examples=examples(250), deadline=None, derandomize=True)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "", "get", "\x00"]),
    path=st.text(max_size=30) | st.sampled_from(["/fapi/v3/order", "/api/v3/account", "//", "/fapi/v3/../v3/ping"]),
    query=JUNK | st.text(max_size=80),
    body=JUNK | st.binary(max_size=80).map(lambda raw: raw.decode("utf-8", "replace")),
    headers=st.dictionaries(
        st.sampled_from(["x-mbx-apikey", "content-type", "upgrade"]), JUNK | st.just(KEY), max_size=3
    ),
)
def test_nonsense_of_every_kind_is_refused(
    method: str, path: str, query: str, body: str, headers: dict[str, str]
) -> None:
    client = make_wired()
    for prefix in ("", "/fapi/v3/", "/api/v1/"):
        status, _ = ask(client, WireRequest(method=method, path=prefix + path, query=query, body=body, headers=headers))
        assert status in {200, 400, 401, 404, 415}


STAMP = "timestamp=1767571200000"
BY_KEY = {"x-mbx-apikey": KEY}


@pytest.mark.parametrize(
    ("path", "query", "headers", "code"),
    [
        ("/fapi/v2/balance", f"{STAMP}&signature=%C3%A9", BY_KEY, -1022),
        ("/fapi/v2/balance", f"{STAMP}&signature=\udcff", BY_KEY, -1100),
        ("/fapi/v2/balance", f"{STAMP}&x=\udcff&signature=00", BY_KEY, -1100),
        ("/fapi/v3/balance", f"signer={AGENT}&nonce=1767571200000000&x=\udcff&signature=0x00", {}, -1100),
        ("/fapi/v3/balance", f"signer={AGENT}&nonce=1767571200000000&x=%ED%B3%BF&signature=0x00", {}, -1000),
        ("/fapi/v3/depth", "symbol=\udcff", {}, -1100),
        ("/fapi/\udcff", "", {}, -1100),
    ],
)
def test_what_is_no_text_is_refused(path: str, query: str, headers: dict[str, str], code: int) -> None:
    _, content = ask(make_wired(), WireRequest(method="GET", path=path, query=query, headers=headers))
    assert content["code"] == code


ADMIN = ("advance", "speed", "price", "status", "account", "fund", "trade", "transfer", "deleverage", "faults", "skew")
MORE = (
    "faults/streams",
    "faults/seed",
    "stop-books",
    "funding",
    "jitter",
    "limits",
    "liquidate",
    "listen-keys",
    "streams",
)
CONTENT: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(
        ["seconds", "to_ms", "speed", "symbol", "factor", "price", "user", "wallet", "amount", "side", "fault"]
    )
    | st.sampled_from(
        ["market", "quantity", "rate", "interval_hours", "lead_seconds", "seed", "trouble", "chance", "nth"]
    ),
    st.sampled_from(
        [
            "AAAUSDT",
            AGENT,
            "spot",
            "perp",
            "1",
            "-1",
            "1e999",
            "NaN",
            "sNaN",
            "Infinity",
            "1e-400",
            "1e60",
            "BUY",
            "slow",
            "lose",
            None,
            True,
            [],
        ]
    )
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False),
    max_size=5,
)


@settings(max_examples=examples(400), deadline=None, derandomize=True)
@given(name=st.sampled_from([*ADMIN, *MORE]), method=st.sampled_from(["GET", "POST", "DELETE"]), content=CONTENT)
def test_nonsense_to_the_administration_is_refused_and_the_exchange_runs_on(
    name: str, method: str, content: dict[str, Any]
) -> None:
    client = make_wired()
    client.order()
    response = client.admin(method, name, **content)
    assert response.status in {200, 400, 404}
    client.admin("DELETE", "faults")
    assert client.public("/fapi/v3/ping").status == 200
