"""A dashboard on a free port, its clock set by the test, and sessions of either role."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from aiohttp import web

from hedgerow.clock import SystemClock
from hedgerow.serving_thread import ServingThread
from hedgerow.web.access import AccessState, Role, csrf_of, new_token
from hedgerow.web.server import DashboardServer, ServerOptions, listen
from support.asked import Reply, ask

__all__ = ["KeptAccess", "Served", "StoppedClock", "served_dashboard"]

Result = TypeVar("Result")


class KeptAccess:
    """The access state in memory."""

    def __init__(self) -> None:
        self.state = AccessState()

    def read(self) -> AccessState:
        return self.state

    def change(self, change: Callable[[AccessState], tuple[AccessState, Result]]) -> Result:
        self.state, result = change(self.state)
        return result


class StoppedClock(SystemClock):
    """Times that a test moves; waits are real."""

    def __init__(self) -> None:
        self._passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 10, 12, 0, tzinfo=UTC) + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        self._passed += seconds


class Served:
    """A server that answers, and what a browser knows of it."""

    def __init__(self, server: DashboardServer, access: KeptAccess, clock: StoppedClock, log: list[str]) -> None:
        self.server = server
        self.access = access
        self.clock = clock
        self.log = log

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def get(self, path: str, **headers: str) -> Reply:
        return ask(self.port, "GET", path, {"Host": self.host, **_named(headers)})

    def post(self, path: str, body: str = "", **headers: str) -> Reply:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return ask(self.port, "POST", path, {"Host": self.host, "Origin": self.origin, **form, **_named(headers)}, body)

    def token(self, role: Role = Role.OPERATOR) -> str:
        return self.access.change(lambda state: new_token(state, role, self.clock.now()))

    def log_in(self, secret: str) -> Reply:
        return self.post("/login", f"secret={secret}")

    def session(self, role: Role = Role.OPERATOR) -> tuple[str, str]:
        """Return the cookie and the CSRF token of a new session."""
        cookie = self.log_in(self.token(role)).cookie
        return cookie, csrf_of(cookie.partition("=")[2])


@contextmanager
def served_dashboard(
    routes: Iterable[web.RouteDef] = (),
    *,
    allowed: tuple[str, ...] = (),
    read_only: bool = False,
    port: int = 0,
    stop: Callable[[], None] | None = None,
    access: KeptAccess | None = None,
) -> Iterator[Served]:
    """Serve ``routes`` behind the protection until the context ends."""
    options = ServerOptions(port=port, allowed=allowed, read_only=read_only)
    access, clock, log = access or KeptAccess(), StoppedClock(), list[str]()
    server = DashboardServer(listen(options), options, store=access, clock=clock, log=log.append, routes=routes)
    if stop is not None:
        server.on_stop(stop)
    with ServingThread(server.serve):
        yield Served(server, access, clock, log)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
