"""Signing in with a token or a one-time link, and signing out."""

from typing import Final

from aiohttp import web

from hedgerow.ports import Clock
from hedgerow.web.access import AccessStore, logged_out, redeemed
from hedgerow.web.html import Html, element, void
from hedgerow.web.limits import LoginAttempts, Refusals
from hedgerow.web.page import whole_page
from hedgerow.web.protection import Protection, signed_in

__all__ = ["LoginRoutes", "sign_in_page"]

LONGEST_SECRET: Final = 200
MAKE_ONE: Final = "hedgerow dashboard token"


class LoginRoutes:
    """The routes that begin and end sessions."""

    def __init__(self, store: AccessStore, clock: Clock, refusals: Refusals) -> None:
        self._store = store
        self._clock = clock
        self._refusals = refusals
        self._attempts = LoginAttempts(clock)
        self._protection: Protection | None = None

    def routes(self, protection: Protection) -> tuple[web.RouteDef, ...]:
        """Return the routes of a server with this protection."""
        self._protection = protection
        return (
            web.get("/login", self._form),
            web.get("/login/{code}", self._link),
            web.post("/login", self._log_in),
            web.post("/logout", self._log_out),
        )

    async def _form(self, _: web.Request) -> web.Response:
        return sign_in_page()

    async def _link(self, request: web.Request) -> web.Response:
        """Show the button of a one-time link: what only previews the address does not use the link up."""
        code = request.match_info["code"]
        if len(code) > LONGEST_SECRET:
            raise web.HTTPNotFound
        return _page(200, "This link signs you in once.", _code_form(code))

    async def _log_in(self, request: web.Request) -> web.Response:
        peer = request.remote or ""
        wait = self._attempts.wait_seconds(peer)
        if wait > 0:
            self._refusals.refused(429, "too many failed logins from one address")
            response = _page(429, "Too many failed logins: try again later.", _token_form())
            response.headers["Retry-After"] = str(int(wait) + 1)
            return response
        secret = (await request.post()).get("secret", "")
        given = secret.strip() if isinstance(secret, str) else ""
        now = self._clock.now()
        grant = (
            self._store.change(lambda state: redeemed(state, given, now)) if 0 < len(given) <= LONGEST_SECRET else None
        )
        if grant is None or self._protection is None:
            self._attempts.failed(peer)
            self._refusals.refused(401, "a login with a wrong token or a used link")
            return _page(
                401, "This token is not valid, or this link was used or is older than 5 minutes.", _token_form()
            )
        self._attempts.succeeded(peer)
        response = web.Response(status=303, headers={"Location": "/"})
        self._protection.set_cookie(request, response, grant.secret)
        return response

    async def _log_out(self, request: web.Request) -> web.Response:
        secret = signed_in(request).secret
        self._store.change(lambda state: (logged_out(state, secret), None))
        response = web.Response(status=303, headers={"Location": "/login"})
        if self._protection is not None:
            self._protection.del_cookie(request, response)
        return response


def sign_in_page(_: web.Request | None = None) -> web.Response:
    """Return the page for a browser without a session; 401 where another page was asked for."""
    asked = _ is not None and _.path != "/login"
    return _page(401 if asked else 200, "Sign in to see your bots.", _token_form())


def _page(status: int, lead: str, form: Html) -> web.Response:
    body = element(
        "main",
        element("h1", "Hedgerow"),
        element("p", lead, class_="lead", role="alert" if status >= 400 else None),  # noqa: PLR2004 - a refusal
        form,
        class_="login",
    )
    return web.Response(status=status, text=whole_page("Sign in", body, script=False), content_type="text/html")


def _token_form() -> Html:
    return element(
        "form",
        element("label", "Token", for_="secret"),
        void(
            "input",
            id="secret",
            name="secret",
            type="password",
            autocomplete="current-password",
            required=True,
            autofocus=True,
        ),
        element("button", "Sign in", type="submit"),
        element("p", "New token: ", element("code", MAKE_ONE), " on the machine of the dashboard.", class_="rem"),
        method="post",
        action="/login",
    )


def _code_form(code: str) -> Html:
    return element(
        "form",
        void("input", type="hidden", name="secret", value=code),
        element("button", "Sign in", type="submit"),
        method="post",
        action="/login",
    )
