"""Replies as errors: status, code and message become an exception; which refusals are permanent.

Codes: docs/aster-api.md 2, 4 and 9. Messages vary, so codes decide, except for -1000, which means both
"signature refused" and "execution status unknown".
"""

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from hedgerow.aster.schema.market_rows import to_millis
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
MULTIPLE_CHOICES, BANNED, TOO_MANY, SERVER_ERROR = 300, 418, 429, 500
FORBIDDEN = {403, 451}
OWN_CODES_BELOW = -999
"""The exchange's own codes are -1000 and below; others come from gateways in front of it."""
UNKNOWN, TOO_MANY_REQUESTS, TOO_MANY_ORDERS = -1000, -1003, -1015
NONCE_EXPIRED, TRANSFER_ID_DUPLICATE, MARGIN_TYPE_UNCHANGED, TIMEOUT, NO_SUCH_ORDER = -4225, -4115, -4046, -1007, -2013

_OUTCOME_UNKNOWN = {-1001, -1006, -1007, -1008, -1016}
_UNAUTHORIZED = {-1002, -1004, -1005, -1011, -1021, -1022, -2014, -2015, -5050, NONCE_EXPIRED}
_PRICE = {-1112, -4016, -4024, -4131, -4183, -4184, -5060}
_MARGIN = {-2018, -2019, -2024, -2027, -2028, -4050, -4051}
_FILTER = {-1013, -1111, *range(-4006, -3999), -4013, -4014, -4023, -4164, -5076}
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
LONGEST_BAN_SECONDS = 3 * 86_400.0
"""The exchange bans for at most three days (docs/aster-api.md, section 4)."""
LONGEST_MESSAGE = 200
_ANSWERS = tuple(
    frozenset(names.split())
    for names in (
        "orderId status",
        "assets positions",
        "balances",
        "symbols",
        "serverTime",
        "bids asks",
        "listenKey",
        "leverage symbol",
        "tranId status",
        "countdownTime",
        "dualSidePosition",
        "multiAssetsMargin",
        "takerCommissionRate",
        "brackets",
    )
)
"""Fields by which a real answer is known, even if it came with a code."""


class NonceRefused(Unauthorized):
    """The nonce was used, too old or out of its window: nothing was done, and with another one it may be."""


class ErrorBody(Struct, frozen=True):
    """The code and the message of a body that is no answer."""

    code: int
    msg: str = ""


def error_body(body: bytes) -> ErrorBody | None:
    """Return the code and message of an object that has a code and is no real answer, whatever else it holds.

    None for everything else: a web page, a list, a real answer.
    """
    try:
        fields = msgspec.json.decode(body, type=dict[str, Raw])
        code = msgspec.json.decode(fields["code"], type=int, strict=False)
    except (msgspec.MsgspecError, ValueError, RecursionError, KeyError):
        return None
    if any(names <= fields.keys() for names in _ANSWERS):
        return None
    return ErrorBody(code=code, msg=_text(fields.get("msg")) or _text(fields.get("message")))


def failure(response: HttpResponse, what: str, *, now: datetime, write: bool = False) -> VenueError | None:
    """Return what went wrong with a request, or None for a real answer; ``what`` names the request in messages.

    A ``write`` was refused only where the exchange says so with a code of its own, or with a status of its limits:
    behind any other answer, it may have been executed.
    """
    error = error_body(response.body)
    if response.status in {TOO_MANY, BANNED}:
        return _limited(response, error, what, now)
    if response.status >= SERVER_ERROR:
        details = f", {error.msg} ({error.code})" if error else _kind(response)
        return OutcomeUnknown(f"{what}: the exchange failed (HTTP {response.status}{details})")
    if error is not None and error.code <= OWN_CODES_BELOW:
        return _by_code(error, what, response, now)
    if response.status < MULTIPLE_CHOICES and (error is None or error.code == OK):
        page = _kind(response)
        return OutcomeUnknown(f"{what}: no answer of the exchange (HTTP {response.status}{page})") if page else None
    return _foreign(response, error, what, write=write)


def _foreign(response: HttpResponse, error: ErrorBody | None, what: str, *, write: bool) -> VenueError:
    """Return what an answer means that is not the exchange's own."""
    details = f", {error.msg} ({error.code})" if error else _kind(response)
    text = f"{what}: HTTP {response.status}{details}"
    if response.status in FORBIDDEN:
        text += ": this region or network address is refused; HEDGEROW_PROXY or HTTPS_PROXY leads through a proxy"
    return OutcomeUnknown(text) if write else Rejected(text, -response.status)


def reject_kind(code: int) -> RejectKind:
    """Return what a code asks of the sender of an order."""
    return _KINDS.get(code, RejectKind.OTHER)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After``, or None where it is absent or no number."""
    text = headers.get("retry-after", "").strip()
    return float(text[:9]) if text.isdecimal() else None


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
    details = f" ({error.code})" if error else ""
    return RateLimited(
        f"{what}: too many requests, asked to wait {seconds:.0f} s (HTTP {response.status}){details}", seconds
    )


def _wait(response: HttpResponse, error: ErrorBody | None, now: datetime) -> float:
    """Return how long to send nothing: what the answer says, at most the longest ban."""
    return min(LONGEST_BAN_SECONDS, _requested_wait(response, error, now))


def _requested_wait(response: HttpResponse, error: ErrorBody | None, now: datetime) -> float:
    banned = _BANNED_UNTIL.search(error.msg) if error else None
    if banned:
        return max(0.0, (int(banned[1]) - to_millis(now)) / 1000)
    named = retry_after_seconds(response.headers)
    if named is not None:
        return named
    if response.status == BANNED:
        return BAN_SECONDS
    return ORDER_LIMIT_SECONDS if error and error.code == TOO_MANY_ORDERS else LIMIT_SECONDS


def _text(raw: Raw | None) -> str:
    """Return a message in one line; empty for what is no text."""
    try:
        return " ".join(msgspec.json.decode(raw or b"null", type=str).split())[:LONGEST_MESSAGE]
    except (msgspec.MsgspecError, ValueError):
        return ""


def _kind(response: HttpResponse) -> str:
    return ", a web page" if response.body.lstrip()[:1] == b"<" else ""
