"""Whatever is sent: no reply of 500 and above, no money made or lost by a refused request."""

from typing import Any
from urllib.parse import urlencode

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedgerow.emulator.wire.protocol.params import NUMBER
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.router import routes
from support.drawing import examples
from support.wire import WireClient, account_of, make_wired

NAMES = sorted({(method, name) for _, method, name in routes()})
FIELDS = (
    *("symbol", "side", "type", "quantity", "price", "stopPrice", "timeInForce", "limit", "startTime", "endTime"),
    *("fromId", "orderId", "origClientOrderId", "newClientOrderId", "leverage", "marginType", "interval", "pair"),
    *("amount", "asset", "clientTranId", "kindType", "batchOrders", "orderIdList", "reduceOnly", "closePosition"),
    *("quoteOrderQty", "callbackRate", "activationPrice", "countdownTime", "dualSidePosition", "incomeType"),
)
WORDS = st.sampled_from(
    [
        "",
        "0",
        "1",
        "-1",
        "0.06",
        "1e5",
        "1E+400",
        "NaN",
        "Infinity",
        "true",
        "AAAUSDT",
        "BUY",
        "SELL",
        "LIMIT",
        "MARKET",
        "STOP_MARKET",
        "GTC",
        "USDT",
        "SPOT_FUTURE",
        "[]",
        "[1]",
        "{}",
        '[{"symbol":"AAAUSDT"}]',
        "[[[[",
        "1h",
        "1M",
        "9" * 18,
        "9" * 19,
        "99999999999999",
        "0." + "9" * 20,
        "253402300800000",
        "\x00",
        "\ud7ff",
        "%",
        "&",
        "١٢",
    ]
)
VALUES = WORDS | st.text(max_size=12) | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
PARAMETERS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=9)


def money(client: WireClient) -> Any:
    parts = account_of(client).world.parts
    return parts.spot.balances, parts.perp.balance, dict(parts.perp.holdings)


@settings(max_examples=examples(300), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(route=st.sampled_from(NAMES), parameters=PARAMETERS, spot=st.booleans())
def test_malformed_parameters_are_refused_and_change_nothing(
    route: tuple[str, str], parameters: dict[str, str], *, spot: bool
) -> None:
    client = make_wired()
    client.order()
    before = money(client)
    method, name = route
    reply = (client.spot if spot else client.perp)(method, name, **parameters)
    assert reply.status < 500
    assert reply.json is not None or reply.text == "null"
    if reply.status >= 400:
        assert money(client) == before
        assert reply.code < 0


@settings(max_examples=examples(200), deadline=None, derandomize=True)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    path=st.text(max_size=30),
    rest=st.text(max_size=60),
)
def test_nonsense_is_refused(method: str, path: str, rest: str) -> None:
    client = make_wired()
    for base in ("/", "/fapi/v3/", "/api/v3/", "/fapi/v1/"):
        request = WireRequest(method=method, path=base + path, query=rest, body=rest)
        response = client.venue.handle(request).response
        assert response is not None
        assert response.status < 500


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(text=st.text(max_size=80))
def test_nonsense_on_a_stream_never_breaks_it(text: str) -> None:
    client = make_wired()
    session = client.stream("/ws")
    session.on_text(text, client.venue.clock.now())
    assert len(session.outbox) == 1


@settings(max_examples=examples(100), deadline=None, derandomize=True)
@given(text=st.text(max_size=80))
def test_nonsense_in_a_signature_is_refused(text: str) -> None:
    client = make_wired()
    signed = urlencode({"signer": client.signer, "nonce": client.nonce(), "x": text})
    reply = client.send("GET", "/fapi/v3/balance", f"{signed}&signature={text}")
    assert 400 <= reply.status < 500


@given(text=st.text(alphabet="0123456789.-+eE", max_size=10))
def test_a_number_is_plain_notation_or_none(text: str) -> None:
    assert ("e" in text.lower() and bool(NUMBER.fullmatch(text))) is False
