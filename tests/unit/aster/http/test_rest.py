"""One request: what is sent, what is tried again, and what never is."""

from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.aster import TESTNET, Credentials
from hedgerow.aster.http.rate_limits import LimitKind
from hedgerow.aster.http.rest import Call
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import TransferDirection, TransferFunds
from hedgerow.domain.errors import NotSent, OutcomeUnknown, RateLimited, Rejected, Unauthorized
from hedgerow.domain.instrument import Market
from hedgerow.ports import HttpResponse
from support.scripted_aster import HANG, HTML_500, NOW, ScriptedAster, error, make_client, millis, reply

BALANCE = "GET /fapi/v3/balance"
ROWS = [{"asset": "USDT", "balance": "1"}]


class RestHarness:
    def __init__(self, **arguments: Any) -> None:
        self.clock = VirtualClock(NOW)
        self.aster = ScriptedAster()
        self.client = make_client(self.aster, self.clock, **arguments)

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        return run_virtual(self.clock, main)


def test_each_surface_has_its_own_address() -> None:
    harness = RestHarness(hosts=TESTNET)
    harness.run(harness.client.depth(Market.SPOT, "AAAUSDT"))
    harness.run(harness.client.depth(Market.PERP, "AAAUSDT", limit=5))
    assert [request.url for request in harness.aster.requests] == [
        "https://sapi.asterdex-testnet.com/api/v3/depth?symbol=AAAUSDT&limit=50",
        "https://fapi.asterdex-testnet.com/fapi/v3/depth?symbol=AAAUSDT&limit=5",
    ]
    assert all(not request.body for request in harness.aster.requests)


@pytest.mark.parametrize("fault", [HTML_500, HANG, NotSent("no route"), OutcomeUnknown("broken")])
def test_a_read_is_tried_again_with_a_new_nonce(fault: Any) -> None:
    harness = RestHarness()
    harness.aster.on(BALANCE, fault, ROWS)
    assert harness.run(harness.client.balances())[0].balance == 1
    first, second = harness.aster.sent(BALANCE)
    assert first["nonce"] != second["nonce"]
    assert first["signature"] != second["signature"]
    assert harness.clock.monotonic() > 0.09


def test_a_read_is_given_up_after_three_attempts() -> None:
    harness = RestHarness()
    harness.aster.on(BALANCE, HANG)
    with pytest.raises(OutcomeUnknown, match=r"GET perp balance: no answer within 5 s"):
        harness.run(harness.client.balances())
    assert len(harness.aster.requests) == 3
    assert 15 < harness.clock.monotonic() < 16


@pytest.mark.parametrize("answer", [error(-1102), error(-1003, status=429)])
def test_a_refused_or_limited_read_is_not_tried_again(answer: HttpResponse) -> None:
    harness = RestHarness()
    harness.aster.on(BALANCE, answer)
    with pytest.raises((RateLimited, Rejected)):
        harness.run(harness.client.balances())
    assert len(harness.aster.requests) == 1


@pytest.mark.parametrize("answer", [HTML_500, HANG, NotSent("x")])
def test_a_write_is_never_tried_again(answer: Any) -> None:
    harness = RestHarness()
    harness.aster.on("POST /fapi/v3/asset/wallet/transfer", answer)
    command = TransferFunds(transfer_id="t", amount=Decimal("1E+2"), direction=TransferDirection.PERP_TO_SPOT)
    with pytest.raises((OutcomeUnknown, NotSent)):
        harness.run(harness.client.transfer(command))
    (sent,) = harness.aster.sent("POST /fapi/v3/asset/wallet/transfer")
    assert [sent[name] for name in ("amount", "asset", "clientTranId", "kindType")] == [
        "100",
        "USDT",
        "t",
        "FUTURE_SPOT",
    ]


def test_a_read_refused_because_the_clocks_differ_is_repeated_with_the_offset() -> None:
    harness = RestHarness()
    harness.aster.on("GET /fapi/v3/time", {"serverTime": millis(NOW + timedelta(seconds=90))})
    harness.aster.on(BALANCE, error(-4225, "Nonce Expired"), ROWS)
    harness.run(harness.client.balances())
    first, second = (int(sent["nonce"]) for sent in harness.aster.sent(BALANCE))
    assert second - first >= 90_000_000


def test_a_read_refused_for_another_reason_stays_refused() -> None:
    harness = RestHarness()
    harness.aster.on(BALANCE, error(-2015, "Invalid agent"))
    with pytest.raises(Unauthorized, match="Invalid agent"):
        harness.run(harness.client.balances())
    assert len(harness.aster.sent(BALANCE)) == 1


def test_after_a_limit_nothing_is_sent_until_it_is_over() -> None:
    harness = RestHarness()
    harness.aster.on(BALANCE, error(-1003, status=429, retry_after="9"), ROWS)
    with pytest.raises(RateLimited) as limited:
        harness.run(harness.client.balances())
    assert limited.value.retry_after_seconds == 9
    harness.run(harness.client.balances())
    assert harness.clock.monotonic() == 9


def test_an_order_limit_stops_orders_and_lets_reads_pass() -> None:
    harness = RestHarness()
    harness.aster.on("DELETE /fapi/v3/order", error(-1015, status=429))
    with pytest.raises(RateLimited):
        harness.run(harness.client.cancel(Market.PERP, "AAAUSDT", "x"))
    harness.run(harness.client.balances())
    assert harness.clock.monotonic() == 0


def test_the_listing_brings_the_limits_and_the_headers_what_was_used() -> None:
    harness = RestHarness()
    limits = [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}]
    listing = reply({"rateLimits": limits, "symbols": []}, headers={"x-mbx-used-weight-1m": "333"})
    harness.aster.on("GET /fapi/v3/exchangeInfo", listing)
    harness.run(harness.client.exchange_info(Market.PERP))
    assert harness.client.rest.limiters[Market.PERP].used(LimitKind.WEIGHT, 60) == 333
    assert harness.client.rest.limiters[Market.SPOT].used(LimitKind.WEIGHT, 60) == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_declares_a_form_and_a_read_declares_nothing(method: str) -> None:
    harness = RestHarness()
    call = Call(market=Market.PERP, path="/fapi/v3/order", method=method, signed=True)
    harness.aster.on(f"{method} /fapi/v3/order", {"a": 1})
    harness.aster.on("GET /fapi/v3/balance", ROWS)
    harness.run(harness.client.rest.call(call))
    harness.run(harness.client.balances())
    wrote, read = harness.aster.requests
    assert wrote.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert "Content-Type" not in read.headers


def test_legacy_credentials_sign_by_hmac_on_legacy_paths() -> None:
    harness = RestHarness(credentials=Credentials(api_key="public", secret="s" * 10))
    harness.aster.on("GET /fapi/v2/balance", ROWS)
    harness.run(harness.client.balances())
    (request,) = harness.aster.requests
    assert request.headers == {"X-MBX-APIKEY": "public"}
    assert "timestamp=1767614400000&signature=" in request.url
    assert "public" not in request.url
