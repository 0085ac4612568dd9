"""Replies that are not the exchange's own: web pages of any status, other error bodies, and retry pauses."""

from enum import StrEnum
from http import HTTPStatus
from typing import Any

import msgspec

from hedgerow.emulator.wire.protocol.errors import WireError
from hedgerow.ports import HttpResponse

__all__ = ["ErrorShape", "error_response", "json_response", "refusal_response", "web_page"]

HTML = {"content-type": "text/html"}


class ErrorShape(StrEnum):
    """Which fields an error body has."""

    PLAIN = "plain"
    """``code`` and ``msg``."""
    REQUEST_ID = "request_id"
    """Also ``requestId``."""
    SUCCESS = "success"
    """Also ``success``: false."""
    TIMESTAMP = "ts"
    """Also ``ts``."""
    MESSAGE = "message"
    """``message`` instead of ``msg``."""
    NULL_MSG = "null_msg"
    """``msg`` is null."""
    NO_MSG = "no_msg"
    """``code`` alone."""
    CODE_TEXT = "code_text"
    """``code`` is a text."""
    NO_CODE = "no_code"
    """``msg`` alone."""
    NESTED = "nested"
    """The plain body inside ``error``."""
    EMPTY = "empty"
    """``{}``."""


def error_response(
    shape: ErrorShape, code: int, message: str, *, status: int, at_ms: int, headers: dict[str, str]
) -> HttpResponse:
    """Return a refusal in one of the shapes."""
    plain: dict[str, Any] = {"code": code, "msg": message}
    bodies: dict[ErrorShape, dict[str, Any]] = {
        ErrorShape.PLAIN: plain,
        ErrorShape.REQUEST_ID: plain | {"requestId": "1"},
        ErrorShape.SUCCESS: plain | {"success": False},
        ErrorShape.TIMESTAMP: plain | {"ts": at_ms},
        ErrorShape.MESSAGE: {"code": code, "message": message},
        ErrorShape.NULL_MSG: plain | {"msg": None},
        ErrorShape.NO_MSG: {"code": code},
        ErrorShape.CODE_TEXT: plain | {"code": str(code)},
        ErrorShape.NO_CODE: {"msg": message},
        ErrorShape.NESTED: {"error": plain},
        ErrorShape.EMPTY: {},
    }
    return json_response(status, bodies[shape], headers)


def refusal_response(error: WireError, headers: dict[str, str]) -> HttpResponse:
    """Return a refusal of the venue as it words them."""
    if error.retry_after_seconds is not None:
        headers = headers | {"retry-after": str(error.retry_after_seconds)}
    return json_response(error.status, {"code": error.code, "msg": error.message}, headers)


def json_response(status: int, content: Any, headers: dict[str, str]) -> HttpResponse:
    """Return content as JSON."""
    whole = {"content-type": "application/json", **headers}
    return HttpResponse(status=status, headers=whole, body=msgspec.json.encode(content))


def web_page(status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    """Return an HTML page of a gateway or firewall."""
    reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Request refused"
    title = f"{status} {reason}"
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return HttpResponse(status=status, headers=HTML | (headers or {}), body=page.encode())
