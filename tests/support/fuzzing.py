"""Requests that are almost right: any endpoint's, broken in one of many ways; and the money they may not make."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from hypothesis import strategies as st
from msgspec import Struct

from hedgerow.emulator.wire.protocol.number_format import to_ms
from hedgerow.emulator.wire.protocol.signing import hmac_of
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.router import routes
from support.wire import AGENT, KEY, OTHER, SECRET, WireClient, signature_of

__all__ = ["JUNK", "Attempt", "attempts", "endpoints", "explained", "held", "send"]

SYMBOL = "AAAUSDT"
ORDER = {"symbol": SYMBOL, "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "100.2"}
BATCH = '[{"symbol":"AAAUSDT","side":"BUY","type":"MARKET","quantity":"0.5"}]'
SOUND: dict[str, dict[str, str]] = {
    "POST order": ORDER,
    "POST order/test": ORDER,
    "PUT order": {**ORDER, "orderId": "17338000001"},
    "GET order": {"symbol": SYMBOL, "origClientOrderId": "a"},
    "GET openOrder": {"symbol": SYMBOL, "orderId": "17338000001"},
    "DELETE order": {"symbol": SYMBOL, "origClientOrderId": "a"},
    "DELETE guardedCancelOrder": {"symbol": SYMBOL, "origClientOrderId": "a"},
    "POST batchOrders": {"batchOrders": BATCH},
    "PUT batchOrders": {"batchOrders": '[{"symbol":"AAAUSDT","orderId":17338000001,"quantity":"2","price":"101"}]'},
    "DELETE batchOrders": {"symbol": SYMBOL, "orderIdList": "[17338000001,2]"},
    "DELETE guardedBatchOrders": {"symbol": SYMBOL, "origClientOrderIdList": '["a","b"]'},
    "POST countdownCancelAll": {"symbol": SYMBOL, "countdownTime": "1000"},
    "GET klines": {"symbol": SYMBOL, "interval": "1h", "limit": "5"},
    "GET markPriceKlines": {"symbol": SYMBOL, "interval": "1h", "limit": "5"},
    "GET indexPriceKlines": {"pair": SYMBOL, "interval": "1h", "limit": "5"},
    "GET fundingRate": {"symbol": SYMBOL, "limit": "5", "startTime": "1767000000000"},
    "GET remainingOpenableNotionalValue": {"symbol": SYMBOL, "leverage": "5"},
    "POST leverage": {"symbol": SYMBOL, "leverage": "3"},
    "POST marginType": {"symbol": SYMBOL, "marginType": "ISOLATED"},
    "POST positionMargin": {"symbol": SYMBOL, "amount": "1", "type": "1"},
    "POST positionSide/dual": {"dualSidePosition": "true"},
    "POST multiAssetsMargin": {"multiAssetsMargin": "true"},
    "POST stpMode": {"stpMode": "EXPIRE_BOTH"},
    "POST asset/wallet/transfer": {
        "amount": "5",
        "asset": "USDT",
        "clientTranId": "t",
        "kindType": "SPOT_FUTURE",
    },
    "POST approveAgent": {"agentAddress": AGENT, "agentName": "one"},
    "POST approveBuilder": {"builder": OTHER, "maxFeeRate": "0.001"},
    "DELETE builder": {"builder": OTHER},
}
"""Parameters with which an endpoint answers; the others need a symbol at most."""
JUNK = st.sampled_from(
    [
        *("", "0", "-1", "1e5", "1E+400", "NaN", "Infinity", "true", "[]", "{}", "[[[[", "[null]", '[{"symbol":1}]'),
        *(
            "9" * 18,
            "9" * 19,
            "9" * 400,
            "99999999999999",
            "0." + "9" * 20,
            "253402300800000",
            "1" * 20 + "." + "1" * 20,
        ),
        *(
            "\x00",
            "\ud7ff",
            "\udcff",
            "%",
            "%zz",
            "&",
            "=",
            "+",
            "١٢",
            "\uff41",
            "'; --",
            "../..",
            "BUY",
            "STOP",
            "0x" + "1" * 40,
        ),
    ]
) | st.text(max_size=12)
NAMES = st.sampled_from(
    [
        *(
            "symbol",
            "side",
            "type",
            "quantity",
            "price",
            "stopPrice",
            "limit",
            "startTime",
            "endTime",
            "fromId",
            "orderId",
        ),
        *(
            "signature",
            "nonce",
            "signer",
            "user",
            "timestamp",
            "recvWindow",
            "newClientOrderId",
            "reduceOnly",
            "expired",
        ),
        *("quoteOrderQty", "callbackRate", "activationPrice", "positionSide", "closePosition", "newOrderRespType"),
    ]
)

HOW = JUNK.map(lambda signature: f"junk {signature}")
"""A signature that is none."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One request and how it is spoilt."""

    method: str
    path: str
    parameters: Mapping[str, str]
    how: str
    """Which signature, and what is done to it."""
    in_body: bool = False
    extra: str = ""
    """Behind the signature, or instead of it."""
    headers: Mapping[str, str]
    who: int = 1
    """Number of the private key."""


def endpoints() -> list[tuple[str, str, str]]:
    """Return every endpoint as (prefix, method, name)."""
    prefixes = {"perp": "/fapi", "spot": "/api"}
    return sorted((prefixes[market.value], method, name) for market, method, name in routes())


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    """Draw a request that is right, or spoilt in one or several places."""
    prefix, method, name = draw(st.sampled_from(endpoints()))
    parameters = dict(SOUND.get(f"{method} {name}", {"symbol": SYMBOL}))
    parameters |= draw(st.dictionaries(st.sampled_from(sorted(parameters)) | NAMES, JUNK, max_size=2))
    for field in draw(st.sets(st.sampled_from(sorted(parameters)), max_size=1)):
        del parameters[field]
    version, end = draw(st.sampled_from("33331124")), draw(st.sampled_from(["", "", "", "", "/", "?", "%2F"]))
    return Attempt(
        method=draw(st.sampled_from([method] * 8 + ["GET", "POST", "PATCH", "\x01"])),
        path=f"{prefix}/v{version}/{name}{end}",
        parameters=parameters,
        how=draw(st.sampled_from(["agent"] * 6 + ["key"] * 3 + ["none", "foreign", "old nonce", "twice"]) | HOW),
        in_body=draw(st.booleans()),
        extra=draw(st.just("") | JUNK),
        headers=draw(st.dictionaries(st.sampled_from(["content-type", "x-mbx-apikey", "host"]), JUNK, max_size=1)),
        who=draw(st.sampled_from([1, 1, 1, 2])),
    )


def send(client: WireClient, attempt: Attempt) -> WireRequest:
    """Return the request as it arrives."""
    text, headers = _signed(client, attempt)
    if attempt.extra:
        text += f"&{attempt.extra}"
    query, body = ("", text) if attempt.in_body else (text, "")
    return WireRequest(
        method=attempt.method, path=attempt.path, query=query, body=body, headers={**attempt.headers, **headers}
    )


def _signed(client: WireClient, attempt: Attempt) -> tuple[str, dict[str, str]]:
    fields = urlencode(attempt.parameters, errors="surrogatepass")
    if attempt.how == "none":
        return fields, {}
    junk = attempt.how.removeprefix("junk ") if attempt.how.startswith("junk ") else None
    if attempt.how == "key" or (junk is not None and attempt.who == 1):
        text = f"{fields}&timestamp={to_ms(client.venue.clock.now())}"
        return f"{text}&signature={hmac_of(SECRET, text) if junk is None else junk}", {"x-mbx-apikey": KEY}
    user = OTHER if attempt.how == "foreign" else client.user
    nonce = 1 if attempt.how == "old nonce" else client.nonce()
    text = "&".join(filter(None, (fields, f"user={user}&signer={client.signer}&nonce={nonce}")))
    signature = signature_of(client.key, text) if junk is None else junk
    return f"{text}&signature={signature}" + ("&signature=0x00" if attempt.how == "twice" else ""), {}


def held(client: WireClient) -> dict[str, Decimal]:
    """Return what an account has, by wallet and asset."""
    parts = client.venue.exchange.exchange_accounts[client.user.lower()].world.parts
    spot = {f"spot:{asset}": balance.total for asset, balance in parts.spot.balances.items() if balance.total}
    return {**spot, "perp:USDT": parts.perp.balance}


def explained(client: WireClient, opening: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return what an account must have by the histories that the exchange tells its owner."""
    rows = [("perp", row["asset"], row["income"]) for row in _all(client.perp("GET", "income", limit=1000).json)]
    moves = _all(client.spot("GET", "transactionHistory", limit=1000).json)
    sums: dict[str, Decimal] = dict(opening)
    for wallet, asset, amount in [*rows, *(("spot", row["asset"], row["balanceDelta"]) for row in moves)]:
        sums[f"{wallet}:{asset}"] = sums.get(f"{wallet}:{asset}", Decimal(0)) + Decimal(amount)
    return {name: amount for name, amount in sums.items() if amount or name == "perp:USDT"}


def _all(rows: Any) -> list[dict[str, Any]]:
    assert isinstance(rows, list)
    assert len(rows) < 1000, "more than a page"
    return rows
