"""Forged requests and the status code that each gets: host, origin, session, CSRF token, role."""

from collections.abc import Iterator

import pytest
from aiohttp import web

from hedgerow.domain.errors import ConfigError
from hedgerow.web.access import Role, csrf_of
from hedgerow.web.protection import HEADERS
from hedgerow.web.server import ServerOptions, listen
from support.asked import ask
from support.dashboards import Served, served_dashboard

ACTED: list[str] = []


async def _look(_: web.Request) -> web.Response:
    return web.Response(text="secret figures")


async def _act(request: web.Request) -> web.Response:
    ACTED.append(request.path)
    return web.Response(text="done")


ROUTES = (web.get("/", _look), web.get("/api/view", _look), web.get("/healthz", _look), web.post("/act", _act))


@pytest.fixture
def served() -> Iterator[Served]:
    ACTED.clear()
    with served_dashboard(ROUTES) as found:
        yield found


FORGED = [
    # what is forged, method, path, headers (None = left out), body, status
    ("no host", "GET", "/healthz", {"Host": None}, "", 400),
    ("the host of a rebound name", "GET", "/api/view", {"Host": "evil.example"}, "", 421),
    ("the right host with another port", "GET", "/healthz", {"Host": "127.0.0.1:1"}, "", 421),
    ("loopback without a port", "GET", "/healthz", {"Host": "localhost"}, "", 421),
    ("a longer host name", "GET", "/healthz", {"Host": "{host}.evil.example"}, "", 421),
    ("no session", "GET", "/api/view", {"Cookie": None}, "", 401),
    ("a cookie that never was", "GET", "/api/view", {"Cookie": "hedgerow-{port}=guessed"}, "", 401),
    ("the token as a cookie", "GET", "/api/view", {"Cookie": "hedgerow-{port}={token}"}, "", 401),
    ("the token in the address", "GET", "/api/view?token={token}", {"Cookie": None}, "", 401),
    ("a change without an origin", "POST", "/act", {"Origin": None}, "csrf={csrf}", 403),
    ("a change from another site", "POST", "/act", {"Origin": "https://evil.example"}, "csrf={csrf}", 403),
    ("a change from a page in a sandbox", "POST", "/act", {"Origin": "null"}, "csrf={csrf}", 403),
    ("a change from another port", "POST", "/act", {"Origin": "http://127.0.0.1:1"}, "csrf={csrf}", 403),
    ("a change from https of the same name", "POST", "/act", {"Origin": "https://{host}"}, "csrf={csrf}", 403),
    ("a change without a session", "POST", "/act", {"Cookie": None}, "csrf={csrf}", 401),
    ("a change without a CSRF token", "POST", "/act", {}, "", 403),
    ("a change with a wrong CSRF token", "POST", "/act", {}, "csrf=wrong", 403),
    ("a change with the CSRF token of another session", "POST", "/act", {}, "csrf={other_csrf}", 403),
    ("a CSRF token in the address", "POST", "/act?csrf={csrf}", {}, "", 403),
    ("a change as JSON", "POST", "/act", {"Content-Type": "application/json"}, '{{"csrf": "{csrf}"}}', 403),
    ("a change by a viewer", "POST", "/act", {"Cookie": "{viewer}"}, "csrf={viewer_csrf}", 403),
    ("a web socket from another site", "GET", "/", {"Upgrade": "websocket", "Origin": "https://evil.example"}, "", 403),
    ("a web socket without an origin", "GET", "/", {"Upgrade": "websocket", "Origin": None}, "", 403),
    ("a login from another site", "POST", "/login", {"Origin": "https://evil.example"}, "secret={token}", 403),
    ("a login without an origin", "POST", "/login", {"Origin": None}, "secret={token}", 403),
    ("a logout from another site", "POST", "/logout", {"Origin": "https://evil.example"}, "csrf={csrf}", 403),
    ("a change by GET", "GET", "/act", {}, "", 405),
    ("another method", "DELETE", "/act", {"X-CSRF-Token": "{csrf}"}, "", 405),
    ("a path out of the static files", "GET", "/static/../access.py", {}, "", 404),
    ("an encoded path out of the static files", "GET", "/static/%2e%2e/access.py", {}, "", 404),
    ("a page that is not there", "GET", "/wp-admin", {}, "", 404),
    ("a page that is not there, without a session", "GET", "/wp-admin", {"Cookie": None}, "", 401),
    ("a body that is too long", "POST", "/act", {}, "csrf={csrf}&x=" + "y" * 100_000, 413),
]


@pytest.mark.parametrize("case", FORGED, ids=lambda case: str(case[0]))
def test_a_forged_request_is_refused_and_changes_nothing(
    served: Served, case: tuple[str, str, str, dict[str, str | None], str, int]
) -> None:
    _, method, path, changed, body, status = case
    token = served.token()
    cookie = served.log_in(token).cookie
    csrf = csrf_of(cookie.partition("=")[2])
    viewer, viewer_csrf = served.session(Role.VIEWER)
    known = {
        "host": served.host,
        "port": str(served.port),
        "token": token,
        "csrf": csrf,
        "viewer": viewer,
        "viewer_csrf": viewer_csrf,
        "other_csrf": viewer_csrf,
    }
    usual: dict[str, str | None] = {"Host": served.host, "Origin": served.origin, "Cookie": cookie}
    if method == "POST":
        usual["Content-Type"] = "application/x-www-form-urlencoded"
    headers = {name: value.format(**known) for name, value in {**usual, **changed}.items() if value is not None}
    reply = ask(served.port, method, path.format(**known), headers, body.format(**known))
    assert reply.status == status
    assert ACTED == []
    assert "secret figures" not in reply.text


def test_a_request_that_has_everything_is_answered(served: Served) -> None:
    cookie, csrf = served.session()
    assert served.get("/", Cookie=cookie).text == "secret figures"
    assert served.post("/act", f"csrf={csrf}", Cookie=cookie).text == "done"
    assert served.post("/act", "", Cookie=cookie, X_CSRF_Token=csrf).text == "done"


def test_two_hosts_in_one_request_are_refused(served: Served) -> None:
    reply = ask(served.port, "GET", "/healthz", {"Host": served.host, "host": "evil.example"})
    assert reply.status in {400, 421}


def test_health_and_login_need_no_session(served: Served) -> None:
    assert served.get("/healthz").status == 200
    assert served.get("/login").status == 200
    assert served.get("/static/dashboard.css").status == 200


def test_a_browser_without_a_session_sees_the_login(served: Served) -> None:
    reply = served.get("/", Accept="text/html")
    assert reply.status == 401
    assert 'action="/login"' in reply.text


@pytest.mark.parametrize("path", ["/", "/login", "/api/view", "/static/dashboard.js", "/missing", "/healthz"])
def test_every_answer_has_the_headers_of_the_protection(served: Served, path: str) -> None:
    reply = served.get(path)
    assert {name: reply.header(name) for name in HEADERS} == dict(HEADERS)
    policy = reply.header("Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_a_foreign_host_gets_the_headers_too(served: Served) -> None:
    reply = served.get("/", Host="evil.example")
    assert reply.header("X-Content-Type-Options") == "nosniff"


def test_read_only_has_no_operator() -> None:
    ACTED.clear()
    with served_dashboard(ROUTES, read_only=True) as found:
        cookie, csrf = found.session(Role.OPERATOR)
        assert found.get("/", Cookie=cookie).status == 200
        assert found.post("/act", f"csrf={csrf}", Cookie=cookie).status == 403
    assert ACTED == []


# --- cookies ---------------------------------------------------------------------------------------------------------


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(served: Served) -> None:
    cookie = served.log_in(served.token()).header("Set-Cookie") or ""
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie  # plain HTTP on this machine


def test_behind_a_proxy_with_tls_cookie_and_origin_are_those_of_https() -> None:
    with served_dashboard(ROUTES, allowed=("bot.example.ts.net",)) as found:
        headers = {"Host": "bot.example.ts.net", "Origin": "https://bot.example.ts.net"}
        cookie = found.post("/login", f"secret={found.token()}", **headers).header("Set-Cookie") or ""
        assert cookie.startswith("__Host-hedgerow=")
        assert "Secure" in cookie
        reply = found.get("/", Host="bot.example.ts.net", Cookie=cookie.partition(";")[0])
        assert reply.text == "secret figures"
        http = {"Host": "bot.example.ts.net", "Origin": "http://bot.example.ts.net"}
        assert found.post("/login", f"secret={found.token()}", **http).status == 403


# --- the end of a session --------------------------------------------------------------------------------------------


def test_a_session_ends_after_twelve_hours_without_a_request(served: Served) -> None:
    cookie, _ = served.session()
    for _ in range(3):
        served.clock.advance(11 * 3600)
        assert served.get("/", Cookie=cookie).status == 200
    served.clock.advance(12 * 3600)
    assert served.get("/", Cookie=cookie).status == 401


def test_a_session_ends_with_a_new_token_of_its_role(served: Served) -> None:
    operator, _ = served.session(Role.OPERATOR)
    viewer, _ = served.session(Role.VIEWER)
    served.token(Role.OPERATOR)
    assert served.get("/", Cookie=operator).status == 401
    assert served.get("/", Cookie=viewer).status == 200


def test_a_session_ends_on_the_server_at_logout(served: Served) -> None:
    cookie, csrf = served.session(Role.VIEWER)
    assert served.post("/logout", f"csrf={csrf}", Cookie=cookie).status == 303
    assert served.get("/", Cookie=cookie).status == 401


# --- guessing --------------------------------------------------------------------------------------------------------


def test_ten_failed_logins_lock_the_address_out_for_a_quarter_of_an_hour(served: Served) -> None:
    token = served.token()
    assert [served.log_in("wrong").status for _ in range(10)] == [401] * 10
    locked = served.log_in(token)
    assert (locked.status, locked.header("Retry-After")) == (429, "901")
    served.clock.advance(14 * 60)
    assert served.log_in(token).status == 429
    served.clock.advance(61)
    assert served.log_in(token).status == 303


def test_a_successful_login_forgets_the_failed_ones(served: Served) -> None:
    token = served.token()
    for _ in range(3):
        assert [served.log_in("wrong").status for _ in range(9)] == [401] * 9
        assert served.log_in(token).status == 303


def test_refusals_do_not_fill_the_log(served: Served) -> None:
    for _ in range(50):
        served.get("/", Host="evil.example")
    assert len(served.log) == 1
    served.clock.advance(61)
    served.get("/", Host="evil.example")
    assert len(served.log) == 2
    assert served.log[-1].endswith("(49 more of these since the last line)")
    assert not any("evil" in line for line in served.log)


# --- where it listens ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["::", "192.168.1.5", "example.com"])
def test_another_address_than_loopback_is_refused_without_an_allowed_name(host: str) -> None:
    with pytest.raises(ConfigError, match="--allow-host"):
        listen(ServerOptions(host=host, port=0))


def test_a_port_in_use_is_refused_in_one_line(served: Served) -> None:
    with pytest.raises(ConfigError, match=f"--port {served.port}: "):
        listen(ServerOptions(port=served.port))
