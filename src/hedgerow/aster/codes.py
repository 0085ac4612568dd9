"""What an answer means: status, code and message as an exception, and what a refusal asks of an order's sender.

Codes: API reference, sections 2, 4 and 9. Messages vary, so codes decide, except for -1000, which means both
"signature refused" and "execution status unknown".
"""

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from hedgerow.aster.wire import from_millis
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

__all__ = ["ErrorBody", "NonceRefused", "error_body", "failure", "reject_kind", "retry_after_seconds"]

OK = 200
MULTIPLE_CHOICES, FORBIDDEN, BANNED, TOO_MANY, SERVER_ERROR = 300, 403, 418, 429, 500
UNKNOWN, TOO_MANY_REQUESTS, TOO_MANY_ORDERS = -1000, -1003, -1015
NONCE_EXPIRED, TRANSFER_ID_DUPLICATE, MARGIN_TYPE_UNCHANGED, TIMEOUT, NO_SUCH_ORDER = -4225, -4115, -4046, -1007, -2013

_OUTCOME_UNKNOWN = {-1001, -1006, -1007, -1008, -1016}
_UNAUTHORIZED = {-1002, -1004, -1005, -1011, -1021, -1022, -2014, -2015, -5050, NONCE_EXPIRED}
_PRICE = {-1112, -4016, -4024, -4131, -4183, -4184, -5060}
_MARGIN = {-2018, -2019, -2024, -2027, -2028, -4050, -4051}
_FILTER = {-1111, *range(-4006, -3999), -4013, -4014, -4023, -4164, -5076}
_CLOSED = {-1110, -1121, -2016, -4022, -4087, -4088, -4140, -4141}
_REDUCE_ONLY = {-2022, -4118}
_ACCOUNT_MODE = {-4059, -4060, -4061, -4062, -4067, -4068, -4168}

_ERRORS: dict[int, type[Rejected]] = {
    **dict.fromkeys(_PRICE | _FILTER, FilterViolated),
    **dict.fromkeys(_MARGIN, InsufficientBalance),
    **dict.fromkeys(_CLOSED, MarketClosed),
    **dict.fromkeys(_REDUCE_ONLY, ReduceOnlyRejected),
    **dict.fromkeys((-2011, NO_SUCH_ORDER), OrderNotFound),
}
_KINDS: dict[int, RejectKind] = {
    **dict.fromkeys(_PRICE, RejectKind.PRICE),
    **dict.fromkeys(_MARGIN, RejectKind.MARGIN),
    **dict.fromkeys(_FILTER, RejectKind.FILTER),
    **dict.fromkeys(_CLOSED | _UNAUTHORIZED | _ACCOUNT_MODE, RejectKind.PERMISSION),
    **dict.fromkeys(_REDUCE_ONLY, RejectKind.REDUCE_ONLY),
}
_SIGNATURE_WORDS = ("signature check failed", "no agent found")
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")

BAN_SECONDS, LIMIT_SECONDS, ORDER_LIMIT_SECONDS = 120.0, 60.0, 10.0
"""Waits where the answer names none: the shortest ban, and the longest windows of the two limits."""


class NonceRefused(Unauthorized):
    """The nonce was used, too old or out of its window: nothing was done, and with another one it may be."""


class ErrorBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A body that is exactly a code and a message."""

    code: int
    msg: str = ""


def error_body(body: bytes) -> ErrorBody | None:
    """Return the code and message of a body that is exactly these, else None (HTML, a list, a real answer)."""
    try:
        return msgspec.json.decode(body, type=ErrorBody, strict=False)
    except msgspec.MsgspecError:
        return None


def failure(response: HttpResponse, what: str, *, now: datetime) -> VenueError | None:
    """Return what went wrong with a request, or None for a real answer; ``what`` names the request for people."""
    error = error_body(response.body)
    if response.status in {TOO_MANY, BANNED}:
        return _limited(response, error, what, now)
    if response.status >= SERVER_ERROR:
        told = f", {error.msg} ({error.code})" if error else _kind(response)
        return OutcomeUnknown(f"{what}: the exchange failed (HTTP {response.status}{told})")
    if error is not None and error.code != OK:
        return _by_code(error, what, response, now)
    if response.status < MULTIPLE_CHOICES:
        return None
    if response.status == FORBIDDEN:
        return RateLimited(f"{what}: blocked by the exchange's firewall (HTTP 403)", LIMIT_SECONDS)
    return Rejected(f"{what}: HTTP {response.status}{_kind(response)}", -response.status)


def reject_kind(code: int) -> RejectKind:
    """Return what a code asks of the sender of an order."""
    return _KINDS.get(code, RejectKind.OTHER)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``, or None where it is absent or no number."""
    text = headers.get("retry-after", "").strip()
    return float(text) if text.isdecimal() else None


def _by_code(error: ErrorBody, what: str, response: HttpResponse, now: datetime) -> VenueError:
    text = f"{what}: {error.msg or 'refused'} ({error.code})"
    if error.code in {TOO_MANY_REQUESTS, TOO_MANY_ORDERS}:
        return _limited(response, error, what, now)
    if error.code in _UNAUTHORIZED:
        return NonceRefused(text) if error.code == NONCE_EXPIRED else Unauthorized(text)
    if error.code == UNKNOWN:
        return _unknown(error, text)
    if error.code in _OUTCOME_UNKNOWN:
        return OutcomeUnknown(text)
    return _ERRORS.get(error.code, Rejected)(text, error.code)


def _unknown(error: ErrorBody, text: str) -> VenueError:
    """-1000 is three things: a refused signature, a symbol that is not there, or an outcome nobody knows."""
    message = error.msg.lower()
    if any(words in message for words in _SIGNATURE_WORDS):
        return Unauthorized(text)
    return MarketClosed(text, error.code) if "invalid symbol" in message else OutcomeUnknown(text)


def _limited(response: HttpResponse, error: ErrorBody | None, what: str, now: datetime) -> RateLimited:
    seconds = _wait(response, error, now)
    told = f" ({error.code})" if error else ""
    return RateLimited(
        f"{what}: too many requests, asked to wait {seconds:.0f} s (HTTP {response.status}){told}", seconds
    )


def _wait(response: HttpResponse, error: ErrorBody | None, now: datetime) -> float:
    banned = _BANNED_UNTIL.search(error.msg) if error else None
    if banned:
        return max(0.0, (from_millis(int(banned[1])) - now).total_seconds())
    named = retry_after_seconds(response.headers)
    if named is not None:
        return named
    if response.status == BANNED:
        return BAN_SECONDS
    return ORDER_LIMIT_SECONDS if error and error.code == TOO_MANY_ORDERS else LIMIT_SECONDS


def _kind(response: HttpResponse) -> str:
    return ", a web page" if response.body.lstrip()[:1] == b"<" else ""
