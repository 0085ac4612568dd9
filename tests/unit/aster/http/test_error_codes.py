"""What answers mean: every class of status and code."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hedgerow.aster.http.error_codes import NonceRefused, failure, reject_kind
from hedgerow.domain.errors import (
    FilterViolated,
    InsufficientBalance,
    MarketClosed,
    OrderNotFound,
    OutcomeUnknown,
    RateLimited,
    ReduceOnlyRejected,
    Rejected,
    Unauthorized,
    VenueError,
)
from hedgerow.domain.order import RejectKind
from hedgerow.ports import HttpResponse
from support.scripted_aster import HTML_500, error, millis, reply

NOW = datetime(2026, 1, 5, tzinfo=UTC)
FILTER, PRICE, MARGIN, PERMISSION, REDUCE, OTHER = (
    RejectKind.FILTER,
    RejectKind.PRICE,
    RejectKind.MARGIN,
    RejectKind.PERMISSION,
    RejectKind.REDUCE_ONLY,
    RejectKind.OTHER,
)
REFUSALS: list[tuple[type[Rejected], RejectKind, tuple[int, ...]]] = [
    (FilterViolated, FILTER, (-1111, -4000, -4001, -4002, -4003, -4004, -4005, -4006, -4013, -4014, -4023, -4164)),
    (FilterViolated, FILTER, (-5076,)),
    (FilterViolated, PRICE, (-1112, -4016, -4024, -4131, -4183, -4184, -5060)),
    (InsufficientBalance, MARGIN, (-2018, -2019, -2024, -2027, -2028, -4050, -4051)),
    (MarketClosed, PERMISSION, (-1110, -1121, -2016, -4022, -4087, -4088, -4140, -4141)),
    (ReduceOnlyRejected, REDUCE, (-2022, -4118)),
    (OrderNotFound, OTHER, (-2011, -2013)),
    (Rejected, PERMISSION, (-4059, -4060, -4061, -4062, -4067, -4068, -4168)),
    (Rejected, OTHER, (-1102, -1103, -1106, -1125, -2010, -2020, -2021, -2023, -4028, -4045, -4046, -4114, -4115)),
]


@pytest.mark.parametrize(
    ("kind", "asks", "code"), [(kind, asks, code) for kind, asks, codes in REFUSALS for code in codes]
)
def test_a_refusal_has_its_exception_its_code_and_its_kind(kind: type[Rejected], asks: RejectKind, code: int) -> None:
    found = failure(error(code, "Because."), "POST perp order", now=NOW)
    assert type(found) is kind
    assert isinstance(found, Rejected)
    assert found.code == code
    assert str(found) == f"POST perp order: Because. ({code})"
    assert reject_kind(code) is asks


def test_a_refused_nonce_is_a_refusal_that_another_nonce_may_pass() -> None:
    refused = failure(error(-4225, "Nonce Expired"), "x", now=NOW)
    assert type(refused) is NonceRefused
    assert isinstance(refused, Unauthorized)


@pytest.mark.parametrize("code", [-1002, -1004, -1005, -1011, -1021, -1022, -2014, -2015, -5050])
def test_what_a_retry_cannot_help_is_unauthorized(code: int) -> None:
    assert type(failure(error(code), "x", now=NOW)) is Unauthorized
    assert reject_kind(code) is PERMISSION


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Signature check failed", Unauthorized),
        ("No agent found for 0x00", Unauthorized),
        ("Invalid symbol.", MarketClosed),
        ("An unknown error occurred while processing the request.", OutcomeUnknown),
        ("", OutcomeUnknown),
    ],
)
def test_minus_1000_means_what_its_message_says(message: str, kind: type[VenueError]) -> None:
    assert type(failure(error(-1000, message), "x", now=NOW)) is kind


@pytest.mark.parametrize(
    "answer",
    [
        error(-1001),
        error(-1006),
        error(-1007),
        error(-1008),
        error(-1016),
        HTML_500,
        HttpResponse(status=503),
        error(-1001, status=503),
        error(-2019, status=500),
        HttpResponse(status=504, body=b"<html>"),
    ],
)
def test_what_may_have_been_executed_is_unknown(answer: HttpResponse) -> None:
    assert type(failure(answer, "x", now=NOW)) is OutcomeUnknown


def test_a_web_page_is_named_and_not_shown() -> None:
    assert str(failure(HTML_500, "GET spot account", now=NOW)) == (
        "GET spot account: the exchange failed (HTTP 500, a web page)"
    )


@pytest.mark.parametrize(
    "value",
    [
        {"code": 200, "msg": "success"},
        {"code": "200", "msg": "done"},
        {},
        [],
        {"code": 0, "orderId": 1, "status": "NEW"},
        {"code": "x", "msg": ""},
        [{"code": -2011, "msg": "Unknown order sent."}],
    ],
)
def test_a_real_answer_is_no_failure(value: object) -> None:
    assert failure(reply(value), "x", now=NOW) is None


def test_a_success_that_is_exactly_a_code_and_a_message_is_a_failure() -> None:
    found = failure(reply({"code": -2019, "msg": "Margin is insufficient."}), "x", now=NOW)
    assert isinstance(found, InsufficientBalance)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (error(-1003, status=429, retry_after="7"), 7),
        (error(-1003, status=429), 60),
        (error(-1003, status=400), 60),
        (error(-1015, status=429), 10),
        (error(-1003, status=418), 120),
        (HttpResponse(status=418, headers={"retry-after": "300"}), 300),
        (error(-1003, f"IP banned until {millis(NOW + timedelta(hours=1))}.", status=418, retry_after="5"), 3600),
        (error(-1003, "IP banned until 9999999999999.", status=418), 3 * 86_400),
        (HttpResponse(status=418, headers={"retry-after": "8204047162"}), 3 * 86_400),
        (HttpResponse(status=418, headers={"retry-after": "9" * 400}), 3 * 86_400),
        (reply({"code": -1003, "msg": "Too many requests", "requestId": "1"}), 60),
        (reply({"code": "-1015", "message": "Too many orders"}, status=400), 10),
        (HttpResponse(status=429, body=b"", headers={"retry-after": "soon"}), 60),
    ],
)
def test_a_limit_says_how_long_to_wait(answer: HttpResponse, seconds: float) -> None:
    found = failure(answer, "x", now=NOW)
    assert isinstance(found, RateLimited)
    assert found.retry_after_seconds == seconds


def test_a_strange_client_error_is_a_refusal() -> None:
    found = failure(HttpResponse(status=404, body=b"<html>"), "x", now=NOW)
    assert isinstance(found, Rejected)
    assert found.code == -404


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"msg": "No.", "success": False}, "x: No. (-2019)"),
        ({"msg": None}, "x: refused (-2019)"),
        ({"message": "No."}, "x: No. (-2019)"),
        ({"msg": "No.", "ts": 1, "data": None}, "x: No. (-2019)"),
        ({"msg": {"zh": 1}, "message": "No.\nReally."}, "x: No. Really. (-2019)"),
        ({}, "x: refused (-2019)"),
    ],
)
@pytest.mark.parametrize("code", [-2019, "-2019", -2019.0])
@pytest.mark.parametrize("status", [200, 400])
def test_an_error_with_more_or_fewer_fields_keeps_its_code(
    more: dict[str, Any], text: str, code: object, status: int
) -> None:
    found = failure(reply({"code": code, **more}, status=status), "x", now=NOW, write=True)
    assert isinstance(found, InsufficientBalance)
    assert str(found) == text


def test_a_refused_nonce_with_a_time_beside_it_is_still_one() -> None:
    assert type(failure(reply({"code": -4225, "msg": "x", "ts": 1}, status=400), "x", now=NOW)) is NonceRefused


PAGE = b"<html><head></head><body>Blocked</body></html>"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 408, 415, 451, 499])
@pytest.mark.parametrize(
    "body", [PAGE, b"", b'{"message":"Forbidden"}', b'{"code":403,"message":"x"}', b'{"code":"\xff"}', b"[", b'"x"']
)
def test_a_write_that_is_not_refused_by_the_exchange_itself_may_have_been_executed(status: int, body: bytes) -> None:
    found = failure(HttpResponse(status=status, body=body), "POST perp order", now=NOW, write=True)
    if status != 200 or body[:1] == b"<":
        assert type(found) is OutcomeUnknown
    else:
        assert found is None or type(found) is OutcomeUnknown, "what it answers is decoded next"


@pytest.mark.parametrize("status", [403, 451])
def test_a_blocked_read_names_region_and_proxy(status: int) -> None:
    found = failure(HttpResponse(status=status, body=PAGE), "GET perp account", now=NOW)
    assert isinstance(found, Rejected)
    assert str(found) == (
        f"GET perp account: HTTP {status}, a web page: this region or network address is refused;"
        " HEDGEROW_PROXY or HTTPS_PROXY leads through a proxy"
    )


def test_a_web_page_with_status_200_is_called_one() -> None:
    found = failure(HttpResponse(status=200, body=PAGE), "GET perp time", now=NOW)
    assert str(found) == "GET perp time: no answer of the exchange (HTTP 200, a web page)"
