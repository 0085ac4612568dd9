"""The checks that every request passes, in this order: host, origin, session, CSRF token, role; and the headers.

A middleware: no route can forget them. Paths that need no session are named here and nowhere else.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from aiohttp import hdrs, web
from msgspec import Struct

from hedgerow.ports import Clock
from hedgerow.web.access import AccessState, AccessStore, Role, Session, csrf_of, same, seen, session_of
from hedgerow.web.limits import Refusals

__all__ = [
    "CSRF_FIELD",
    "CSRF_HEADER",
    "HEADERS",
    "SESSION",
    "Hosts",
    "Protection",
    "SignedIn",
    "is_loopback",
    "signed_in",
]

CSRF_FIELD: Final = "csrf"
CSRF_HEADER: Final = "X-CSRF-Token"
SAFE: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD})
OPEN_PATHS: Final = frozenset({"/login", "/healthz", "/readyz", "/metrics"})
"""Without a session. They show no account, no amount and no key."""
OPEN_FOLDERS: Final = ("/static/", "/login/")
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with it Chromium sends "Origin: null" with a form, and the login would be refused.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
    "Server": "hedgerow",
}
HTTP_PORT: Final = 80
"""A browser leaves it out of ``Host``."""
LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SignedIn(Struct, frozen=True, kw_only=True):
    """The session of a request."""

    secret: str
    role: Role
    is_open: Callable[[], bool]
    """Whether it has not ended since: a stream outlives the request that began it."""

    @property
    def csrf(self) -> str:
        """The token that its forms carry."""
        return csrf_of(self.secret)


SESSION: Final = web.RequestKey("session", SignedIn)


class Hosts:
    """The names under which this server may be asked for, and what each means for cookies and origins."""

    def __init__(self, port: int, allowed: Iterable[str] = ()) -> None:
        named = {f"{name}:{port}" for name in LOOPBACK_NAMES}
        self._loopback = {*named, *LOOPBACK_NAMES} if port == HTTP_PORT else named
        self._named = {name.lower() for name in allowed}

    def knows(self, host: str) -> bool:
        """Return whether a ``Host`` header names this server."""
        return host.lower() in self._loopback or host.lower() in self._named

    def is_tls(self, host: str) -> bool:
        """Return whether a browser reaches this name through TLS: every name but the machine's own."""
        return host.lower() not in self._loopback

    def origin(self, host: str) -> str:
        """Return the origin of the pages served under a name."""
        return f"{'https' if self.is_tls(host) else 'http'}://{host.lower()}"


class _RefusedError(Exception):
    """A request that goes no further."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Protection:
    """The middleware of one server."""

    def __init__(
        self,
        *,
        hosts: Hosts,
        store: AccessStore,
        clock: Clock,
        refusals: Refusals,
        read_only: bool,
        sign_in: Callable[[web.Request], web.Response],
    ) -> None:
        """``sign_in`` is the page for a browser without a session."""
        self._hosts = hosts
        self._store = store
        self._clock = clock
        self._refusals = refusals
        self._read_only = read_only
        self._sign_in = sign_in

    def cookie(self, host: str) -> str:
        """Return the name of the session's cookie: a browser sends cookies to every port of a host."""
        if self._hosts.is_tls(host):
            return "__Host-hedgerow"
        return f"hedgerow-{host.rpartition(':')[2]}"

    def set_cookie(self, request: web.Request, response: web.Response, secret: str) -> None:
        """Give a browser its session."""
        secure = self._hosts.is_tls(request.host)
        response.set_cookie(
            self.cookie(request.host), secret, httponly=True, samesite="Strict", secure=secure, path="/"
        )

    def del_cookie(self, request: web.Request, response: web.Response) -> None:
        """Take a browser's session away."""
        secure = self._hosts.is_tls(request.host)
        response.del_cookie(self.cookie(request.host), path="/", secure=secure, httponly=True, samesite="Strict")

    @property
    def middleware(self) -> Any:
        """What an application passes every request through."""

        @web.middleware
        async def protect(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._answer(request, handler)

        return protect

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check a request, answer it, and put the headers on the answer."""
        try:
            await self._check(request)
            response = await handler(request)
        except _RefusedError as refused:
            self._refusals.refused(refused.status, refused.why)
            response = self._refusal(request, refused)
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=f"{error.status} {error.reason}\n")
            if "Location" in error.headers:
                response.headers["Location"] = error.headers["Location"]
        except Exception as error:  # noqa: BLE001 - a page that fails must not show a traceback, nor end the server
            self._refusals.refused(500, f"{type(error).__name__} while a page was made")
            response = web.Response(status=500, text="500 this page could not be made; see the dashboard's log\n")
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
        return response

    def _refusal(self, request: web.Request, refused: _RefusedError) -> web.Response:
        browser = "text/html" in request.headers.get("Accept", "") and request.method in SAFE
        if refused.status == web.HTTPUnauthorized.status_code and browser:
            return self._sign_in(request)
        return web.Response(status=refused.status, text=f"{refused.status} {refused.why}\n")

    async def _check(self, request: web.Request) -> None:
        self._check_host(request)
        changing = request.method not in SAFE
        if changing or request.headers.get("Upgrade"):
            self._check_origin(request)
        if request.path in OPEN_PATHS or request.path.startswith(OPEN_FOLDERS):
            return
        session = self._session(request)
        request[SESSION] = session
        if not changing:
            return
        if not same(await self._csrf(request), session.csrf):
            raise _RefusedError(403, "the form carries no valid CSRF token: load the page again")
        if session.role is not Role.OPERATOR and request.path != "/logout":
            raise _RefusedError(403, "this session may look, not act")

    def _check_host(self, request: web.Request) -> None:
        given = request.headers.getall("Host", [])
        if len(given) != 1 or not self._hosts.knows(given[0]):
            raise _RefusedError(421, "the Host is none of this server's (--allow-host NAME adds one)")

    def _check_origin(self, request: web.Request) -> None:
        given = request.headers.getall("Origin", [])
        if len(given) != 1 or given[0].lower() != self._hosts.origin(request.host):
            raise _RefusedError(403, "the Origin is not this server's own")

    def _session(self, request: web.Request) -> SignedIn:
        secret, now = request.cookies.get(self.cookie(request.host), ""), self._clock.now()
        state = self._store.read()
        session = session_of(state, secret, now) if secret else None
        if session is None:
            raise _RefusedError(401, "not signed in")
        self._note(state, session, now)
        role = Role.VIEWER if self._read_only else session.role
        return SignedIn(secret=secret, role=role, is_open=lambda: self._is_open(secret))

    def _is_open(self, secret: str) -> bool:
        return session_of(self._store.read(), secret, self._clock.now()) is not None

    def _note(self, state: AccessState, session: Session, now: datetime) -> None:
        """Keep when a session was used last, where that has changed enough."""
        if seen(state, session, now) is not state:
            self._store.change(lambda present: (seen(present, session, now), None))

    async def _csrf(self, request: web.Request) -> str:
        header = request.headers.get(CSRF_HEADER)
        if header is not None:
            return header
        if request.content_type != "application/x-www-form-urlencoded":
            return ""
        field = (await request.post()).get(CSRF_FIELD, "")
        return field if isinstance(field, str) else ""


def signed_in(request: web.Request) -> SignedIn:
    """Return the session of a request that passed the checks."""
    return request[SESSION]


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
