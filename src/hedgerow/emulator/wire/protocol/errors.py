"""Errors of the REST interface: code, text and HTTP status (docs/aster-api.md 2, 4 and 9)."""

from hedgerow.domain.errors import Rejected

__all__ = [
    "BAD_REQUEST",
    "NOT_FOUND",
    "UNAUTHORIZED",
    "WireError",
    "bad_signature",
    "duplicate_order",
    "malformed",
    "missing",
    "no_agent",
    "no_permission",
    "nonce_expired",
    "refusal_of",
    "unknown_cancel",
    "unknown_order",
]

BAD_REQUEST = 400
UNAUTHORIZED = 401
NOT_FOUND = 404


class WireError(Exception):
    """A refusal as the client reads it."""

    def __init__(
        self, code: int, message: str, *, status: int = BAD_REQUEST, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_seconds = retry_after_seconds


def missing(name: str) -> WireError:
    """Return -1102: a parameter that must be there is not, or cannot be read."""
    return WireError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def malformed(name: str, rule: str = "") -> WireError:
    """Return -1130: a parameter holds what it may not."""
    return WireError(-1130, f"Data sent for parameter '{name}' is not valid{': ' if rule else ''}{rule}.")


def bad_signature() -> WireError:
    """Return what a wrong key, a wrong chain or an altered string gives."""
    return WireError(-1000, "Signature check failed")


def no_agent() -> WireError:
    """Return what an unknown, expired or foreign signer gives."""
    return WireError(-1000, "No agent found")


def nonce_expired() -> WireError:
    """Return what a used, too old or too new nonce gives."""
    return WireError(-4225, "Nonce Expired")


def no_permission() -> WireError:
    """Return what a switched-off permission or a foreign address gives."""
    return WireError(-2015, "Invalid API-key, IP, or permissions for action.", status=UNAUTHORIZED)


def unknown_order() -> WireError:
    """Return what a look-up of an order that is not there gives."""
    return WireError(-2013, "Order does not exist.")


def unknown_cancel() -> WireError:
    """Return what cancelling an order that does not rest gives."""
    return WireError(-2011, "Unknown order sent.")


def duplicate_order(client_id: str) -> WireError:
    """Return what a client id of an open order gives."""
    return WireError(-2010, f"Duplicate order sent: {client_id}.")


def refusal_of(error: Rejected) -> WireError:
    """Return the world's refusal as the wire says it."""
    return WireError(int(error.code), str(error))
