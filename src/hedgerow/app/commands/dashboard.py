"""``dashboard``: a companion without keys that shows bots from their homes and passes requests on; also for ``run``."""

import asyncio
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hedgerow.app.commands.web.access_file import AccessFile
from hedgerow.app.commands.web.home_source import HomeSource, slug_of
from hedgerow.app.home_past import CASH_RATE
from hedgerow.app.signals import on_stop_signals
from hedgerow.app.storage.select import with_database
from hedgerow.config import Home, HomeMode
from hedgerow.dashboard.view import View
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.formats import utc_second
from hedgerow.ports import Clock
from hedgerow.serving_thread import ServingThread
from hedgerow.web.access import Role, new_link, new_token
from hedgerow.web.routes import DashboardRoutes
from hedgerow.web.server import DashboardServer, ServerOptions, listen
from hedgerow.web.sources import BotSource

if TYPE_CHECKING:
    from hedgerow.app.commands.web.fleet_source import FleetSource

__all__ = [
    "DashboardLog",
    "bots_of",
    "database_sources",
    "home_sources",
    "make_link",
    "make_token",
    "needing_the_driver",
    "serve_dashboard",
    "serving_dashboard",
]

TURN_SECONDS: Final = 0.0005
"""How long the server's thread keeps the interpreter while the bot's waits for it: Python's own 5 ms are longer than
the bot works on an order."""
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
        homes = [with_database(Home(folder=folder, mode=mode)) for mode in HomeMode]
        ran = [home for home in homes if home.events.exists() or home.heartbeat.exists() or home.database_note.exists()]
        found += ran or homes[:1]
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


def home_sources(
    homes: Sequence[Home], clock: Clock, log: Callable[[str], None], cash_rate: float = CASH_RATE
) -> tuple[BotSource, ...]:
    """Return bots read from their homes; ``cash_rate`` is what cash is compared at, a fraction a year."""
    found: list[HomeSource] = []
    for home in homes:
        slug = slug_of(f"{home.folder.resolve().name}{home.mode.value}", [each.slug for each in found])
        found.append(HomeSource(home, slug, clock, log=log, cash_rate=cash_rate))
    return tuple(found)


@contextmanager
def needing_the_driver() -> Generator[None]:
    """Import what needs the PostgreSQL driver.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        yield
    except ImportError as error:
        if not str(error.name).startswith("psycopg"):
            raise
        raise ConfigError("--store needs the PostgreSQL driver: pip install '.[postgres]' in the checkout") from None


def database_sources(
    address: str, clock: Clock, log: Callable[[str], None], cash_rate: float = CASH_RATE
) -> "tuple[FleetSource, ...]":
    """Return the bots of a database, to be closed; ``cash_rate`` is what cash is compared at, a fraction a year.

    Raises:
        ConfigError: the driver is not installed, the address cannot be read, or no bot has run there.
        StoreError: the database cannot be read.
    """
    with needing_the_driver():
        from hedgerow.app.commands.web.fleet_source import sources_in  # noqa: PLC0415 - an extra
    return sources_in(address, clock, named=slug_of, log=log, cash_rate=cash_rate)


def _server(folder: Path, sources: Sequence[BotSource], options: ServerOptions, clock: Clock) -> DashboardServer:
    """Return a server that listens; tokens and log are in ``folder``.

    Raises:
        ConfigError: the address cannot be used.
    """
    kept = Home(folder=folder)
    routes = DashboardRoutes(sources, clock, metrics=_metrics)
    server = DashboardServer(
        listen(options),
        options,
        store=AccessFile(kept.dashboard),
        clock=clock,
        log=DashboardLog(kept.dashboard_log, clock).write,
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
    folder = homes[0].folder
    sources = home_sources(homes, clock, DashboardLog(Home(folder=folder).dashboard_log, clock).write)
    server = _server(folder, sources, options, clock)
    with _short_turns(), ServingThread(server.serve):
        yield server


@contextmanager
def _short_turns() -> Generator[None]:
    """Let no thread keep the interpreter for longer than a part of an order while another one waits for it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def serve_dashboard(
    folders: Sequence[Path],
    options: ServerOptions,
    clock: Clock,
    *,
    database: str | None = None,
    started: Callable[[DashboardServer], None],
    cash_rate: float = CASH_RATE,
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; ``started`` is called once requests are answered.

    The bots are those of the folders, or of ``database``; tokens and log are in the first folder. ``cash_rate`` is what
    cash is compared at, a fraction a year.

    Raises:
        ConfigError: the address, a folder or the database cannot be used.
        StoreError: the database cannot be read.
    """
    log = DashboardLog(Home(folder=folders[0]).dashboard_log, clock).write
    if database is None:
        _serve(folders[0], home_sources(bots_of(folders), clock, log, cash_rate), options, clock, started)
        return
    sources = database_sources(database, clock, log, cash_rate)
    try:
        _serve(folders[0], sources, options, clock, started)
    finally:
        for each in sources:
            each.close()


def _serve(
    folder: Path,
    sources: Sequence[BotSource],
    options: ServerOptions,
    clock: Clock,
    started: Callable[[DashboardServer], None],
) -> None:
    server = _server(folder, sources, options, clock)

    async def main() -> None:
        stop = asyncio.Event()
        on_stop_signals(stop.set)
        await server.serve(stop, lambda: started(server))

    asyncio.run(main())
