"""``dashboard``: a companion without keys that shows bots from their homes and passes requests on; also for ``run``."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hedgerow.app.commands.web.access_file import AccessFile
from hedgerow.app.commands.web.home_source import HomeSource, slug_of
from hedgerow.app.signals import on_stop_signals
from hedgerow.config import Home, HomeMode
from hedgerow.dashboard.view import View
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.formats import utc_second
from hedgerow.ports import Clock
from hedgerow.web.access import Role, new_link, new_token
from hedgerow.web.routes import DashboardRoutes
from hedgerow.web.server import DashboardServer, ServerOptions, listen
from hedgerow.web.serving import ServingThread

__all__ = ["DashboardLog", "bots_of", "make_link", "make_token", "serve_dashboard", "serving_dashboard"]

LARGEST_LOG: Final = 1_000_000
"""Bytes of the log; then it is kept once as ``.1`` and begun again."""


class DashboardLog:
    """Lines with their time in a file of the dashboard's own; one that cannot be written is dropped."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock

    def write(self, text: str) -> None:
        """Write one line."""
        line = f"{utc_second(self._clock.now())} {' '.join(text.split())}\n"
        try:
            if self._path.exists() and self._path.stat().st_size > LARGEST_LOG:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError:
            return


def bots_of(folders: Sequence[Path]) -> tuple[Home, ...]:
    """Return the bots of some folders: of each folder those that have run there, or else its live bot.

    Raises:
        ConfigError: a folder is not there.
    """
    found: list[Home] = []
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"--home {folder}: there is no such folder")
        homes = [Home(folder=folder, mode=mode) for mode in HomeMode]
        ran = [home for home in homes if home.events.exists() or home.heartbeat.exists()]
        found += ran or [Home(folder=folder)]
    return tuple(found)


def make_token(folder: Path, role: Role, clock: Clock) -> str:
    """Return a new token of a role for the dashboard of a folder; only its SHA-256 is kept.

    Raises:
        StoreError: it cannot be kept.
    """
    return AccessFile(Home(folder=folder).dashboard).change(lambda state: new_token(state, role, clock.now()))


def make_link(folder: Path, role: Role, clock: Clock) -> str:
    """Return the code of a login link that is valid once, for five minutes.

    Raises:
        StoreError: it cannot be kept.
    """
    return AccessFile(Home(folder=folder).dashboard).change(lambda state: new_link(state, role, clock.now()))


def _server(homes: Sequence[Home], options: ServerOptions, clock: Clock) -> DashboardServer:
    """Return a server that listens; tokens and log are those of the first home.

    Raises:
        ConfigError: the address cannot be used.
    """
    first = homes[0]
    log = DashboardLog(first.dashboard_log, clock)
    sources: list[HomeSource] = []
    for home in homes:
        slug = slug_of(home, [each.slug for each in sources])
        sources.append(HomeSource(home, slug, clock, log=log.write))
    routes = DashboardRoutes(sources, clock, metrics=_metrics)
    server = DashboardServer(
        listen(options),
        options,
        store=AccessFile(first.dashboard),
        clock=clock,
        log=log.write,
        routes=routes.routes(),
    )
    server.on_stop(routes.stop)
    return server


def _metrics(views: Sequence[View]) -> bytes:
    from hedgerow.notify.metrics import metrics_text  # noqa: PLC0415 - for those alone who scrape it

    return metrics_text(views)


@contextmanager
def serving_dashboard(homes: Sequence[Home], options: ServerOptions, clock: Clock) -> Generator[DashboardServer]:
    """Serve in a thread with a loop of its own on the real clock while the context lasts.

    Raises:
        ConfigError: the address cannot be used.
    """
    server = _server(homes, options, clock)
    with ServingThread(server.serve):
        yield server


def serve_dashboard(
    homes: Sequence[Home], options: ServerOptions, clock: Clock, *, started: Callable[[DashboardServer], None]
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; ``started`` is called once requests are answered.

    Raises:
        ConfigError: the address cannot be used.
    """
    server = _server(homes, options, clock)

    async def main() -> None:
        stop = asyncio.Event()
        on_stop_signals(stop.set)
        await server.serve(stop, lambda: started(server))

    asyncio.run(main())
