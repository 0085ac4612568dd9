"""Who may look and who may act: tokens, one-time login links and sessions. Pure; secrets are kept as SHA-256 only.

A token is 256 random bits, shown once when it is made; a new token of a role ends the old one and its sessions. A link
signs in once within five minutes. A session ends after twelve hours without a request, at logout, and with its token.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

__all__ = [
    "IDLE",
    "LINK_VALID",
    "AccessState",
    "AccessStore",
    "Grant",
    "Link",
    "Role",
    "Session",
    "Token",
    "csrf_of",
    "fingerprint",
    "logged_out",
    "new_link",
    "new_token",
    "redeemed",
    "same",
    "seen",
    "session_of",
]

IDLE: Final = timedelta(hours=12)
LINK_VALID: Final = timedelta(minutes=5)
SECRET_BYTES: Final = 32
NOTED_EVERY: Final = timedelta(minutes=1)
"""How exactly the last request of a session is kept."""
MOST_SESSIONS: Final = 64
MOST_LINKS: Final = 16
Result = TypeVar("Result")


class Role(StrEnum):
    """What a session may do."""

    VIEWER = "viewer"
    """Look at everything, change nothing."""
    OPERATOR = "operator"
    """Look, and send requests to bots."""


class Token(Struct, frozen=True, kw_only=True):
    """A token as it is kept."""

    sha256: str
    role: Role
    made_at: datetime


class Link(Struct, frozen=True, kw_only=True):
    """A one-time login link as it is kept."""

    sha256: str
    role: Role
    valid_until: datetime


class Session(Struct, frozen=True, kw_only=True):
    """A session as it is kept."""

    sha256: str
    role: Role
    token: str
    """SHA-256 of the role's token when it began: a session ends with it."""
    seen_at: datetime


class AccessState(Struct, frozen=True, kw_only=True):
    """Everything that decides who may come in."""

    tokens: tuple[Token, ...] = ()
    links: tuple[Link, ...] = ()
    sessions: tuple[Session, ...] = ()

    def token_of(self, role: Role) -> Token | None:
        """Return the token of a role; None when none was made."""
        return next((token for token in self.tokens if token.role is role), None)


class AccessStore(Protocol):
    """Keeps the access state of a server; several processes may change it."""

    def read(self) -> AccessState:
        """Return the present state."""
        ...

    def change(self, change: Callable[[AccessState], tuple[AccessState, Result]]) -> Result:
        """Replace the state by what ``change`` makes of it, in one step, and return the rest of its answer."""
        ...


class Grant(Struct, frozen=True, kw_only=True):
    """A session that has just begun: the only time its secret is known here."""

    secret: str
    role: Role


def fingerprint(secret: str) -> str:
    """Return the SHA-256 of a secret, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_of(secret: str) -> str:
    """Return the token that a session's forms carry: computed from its secret, which no page contains."""
    return fingerprint(f"hedgerow csrf {secret}")


def same(given: str, expected: str) -> bool:
    """Return whether two texts are the same, in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def new_token(state: AccessState, role: Role, now: datetime) -> tuple[AccessState, str]:
    """Return the state with a new token of a role, and the token; the old one ends with its sessions and links."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    tokens = (*(each for each in state.tokens if each.role is not role), _token(secret, role, now))
    sessions = tuple(each for each in state.sessions if each.role is not role)
    links = tuple(each for each in state.links if each.role is not role)
    return AccessState(tokens=tokens, links=links, sessions=sessions), secret


def new_link(state: AccessState, role: Role, now: datetime) -> tuple[AccessState, str]:
    """Return the state with a one-time link of a role, and the code in it; makes the role's token when none is there.

    That token is shown nowhere: it only ties the sessions of the link to a token that can be replaced.
    """
    if state.token_of(role) is None:
        state, _ = new_token(state, role, now)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    open_links = tuple(link for link in state.links if link.valid_until > now)[-(MOST_LINKS - 1) :]
    link = Link(sha256=fingerprint(secret), role=role, valid_until=now + LINK_VALID)
    return replace(state, links=(*open_links, link)), secret


def redeemed(state: AccessState, secret: str, now: datetime) -> tuple[AccessState, Grant | None]:
    """Return the state after a login with a token or the code of a link; None = the secret is not valid (any more)."""
    given = fingerprint(secret)
    token = next((each for each in state.tokens if same(given, each.sha256)), None)
    if token is not None:
        return _begun(state, token.role, now)
    link = next((each for each in state.links if same(given, each.sha256)), None)
    if link is None:
        return state, None
    state = replace(state, links=tuple(each for each in state.links if each is not link))
    return _begun(state, link.role, now) if now < link.valid_until else (state, None)


def session_of(state: AccessState, secret: str, now: datetime) -> Session | None:
    """Return the session of a cookie; None when it has ended or never was."""
    given = fingerprint(secret)
    found = next((each for each in state.sessions if same(given, each.sha256)), None)
    return found if found is not None and _is_open(state, found, now) else None


def seen(state: AccessState, session: Session, now: datetime) -> AccessState:
    """Return the state after a request of a session; the same one where that need not be kept yet."""
    if now - session.seen_at < NOTED_EVERY:
        return state
    noted = replace(session, seen_at=now)
    return replace(state, sessions=tuple(noted if each == session else each for each in state.sessions))


def logged_out(state: AccessState, secret: str) -> AccessState:
    """Return the state without the session of a cookie."""
    given = fingerprint(secret)
    return replace(state, sessions=tuple(each for each in state.sessions if not same(given, each.sha256)))


def _token(secret: str, role: Role, now: datetime) -> Token:
    return Token(sha256=fingerprint(secret), role=role, made_at=now)


def _begun(state: AccessState, role: Role, now: datetime) -> tuple[AccessState, Grant]:
    token, secret = state.token_of(role), secrets.token_urlsafe(SECRET_BYTES)
    session = Session(sha256=fingerprint(secret), role=role, token=token.sha256 if token else "", seen_at=now)
    kept = tuple(each for each in state.sessions if _is_open(state, each, now))[-(MOST_SESSIONS - 1) :]
    return replace(state, sessions=(*kept, session)), Grant(secret=secret, role=role)


def _is_open(state: AccessState, session: Session, now: datetime) -> bool:
    token = state.token_of(session.role)
    return token is not None and token.sha256 == session.token and now - session.seen_at < IDLE
