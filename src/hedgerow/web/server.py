"""The server: one socket, the protection around every route, and an orderly end."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable
from typing import Final

from aiohttp import web
from msgspec import Struct

from hedgerow.domain.errors import ConfigError
from hedgerow.ports import Clock
from hedgerow.serving_thread import end_serving
from hedgerow.web.access import AccessStore
from hedgerow.web.files import static_file
from hedgerow.web.limits import Refusals
from hedgerow.web.login import LoginRoutes, sign_in_page
from hedgerow.web.protection import Hosts, Protection, is_loopback

__all__ = ["DashboardServer", "ServerOptions", "listen"]

BODY_LIMIT: Final = 64 * 1024
END_SECONDS: Final = 2.0


class ServerOptions(Struct, frozen=True, kw_only=True):
    """Where a server listens, and who may come in."""

    host: str = "127.0.0.1"
    port: int = 8765
    """0 takes a free one."""
    allowed: tuple[str, ...] = ()
    """Names under which a proxy with TLS passes requests on."""
    read_only: bool = False
    """No session is an operator's."""


def listen(options: ServerOptions) -> socket.socket:
    """Return the socket that listens.

    Raises:
        ConfigError: the address is not loopback and no name is allowed, or it cannot be used.
    """
    if not is_loopback(options.host) and not options.allowed:
        raise ConfigError(
            f"--host {options.host}: other machines could reach it without TLS; allowed with --allow-host NAME, the "
            "name under which a proxy with TLS passes requests on (docs/dashboard.md)"
        )
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        return socket.create_server((options.host.strip("[]"), options.port), family=family)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--port {options.port}: {options.host}:{options.port} cannot be used: {error}") from error


class DashboardServer:
    """Serves until it is asked to stop."""

    def __init__(
        self,
        listening: socket.socket,
        options: ServerOptions,
        *,
        store: AccessStore,
        clock: Clock,
        log: Callable[[str], None],
        routes: Iterable[web.RouteDef],
    ) -> None:
        """``log`` writes a line of the companion's own log; ``routes`` are the pages behind the protection."""
        self._socket = listening
        self._options = options
        self._store = store
        self._clock = clock
        self._log = log
        self._routes = tuple(routes)
        self._stopping: list[Callable[[], None]] = []

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._socket.getsockname()[1])

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        name = self._options.host if ":" not in self._options.host else f"[{self._options.host}]"
        return f"http://{name}:{self.port}/"

    def on_stop(self, act: Callable[[], None]) -> None:
        """Call ``act`` in the server's loop when it begins to stop, so that open streams end."""
        self._stopping.append(act)

    async def serve(self, stop: asyncio.Event, listens: Callable[[], None]) -> None:
        """Answer until ``stop`` is set; ``listens`` is called once requests are answered."""
        runner = web.AppRunner(self._application(), access_log=None, logger=_quiet(), shutdown_timeout=END_SECONDS)
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket).start()
            listens()
            await stop.wait()
        finally:
            for act in self._stopping:
                act()
            await end_serving(runner, (self._socket,), self._clock)
            self._socket.close()

    def _application(self) -> web.Application:
        refusals = Refusals(self._log, self._clock)
        logins = LoginRoutes(self._store, self._clock, refusals)
        protection = Protection(
            hosts=Hosts(self.port, self._options.allowed),
            store=self._store,
            clock=self._clock,
            refusals=refusals,
            read_only=self._options.read_only,
            sign_in=sign_in_page,
        )
        application = web.Application(client_max_size=BODY_LIMIT, middlewares=[protection.middleware])
        application.add_routes(logins.routes(protection))
        application.add_routes((web.get("/static/{path:.+}", static_file), *self._routes))
        return application


def _quiet() -> logging.Logger:
    """Return a logger that keeps nothing: aiohttp would log what strangers send that is no HTTP."""
    logger = logging.getLogger("hedgerow.web.http")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
