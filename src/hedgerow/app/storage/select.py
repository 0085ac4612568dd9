"""Selects where a bot's log, requests and published values are: in its home, or in the database that it names."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from hedgerow.app.heartbeat import process_of
from hedgerow.app.outlook_file import read_outlook
from hedgerow.app.storage.parts import LogReader, OpenStorage, RequestBox, Shown
from hedgerow.app.venues.connection import VenueAccess, VenueConnection
from hedgerow.app.venues.environment import BOT_NAME, DATABASE
from hedgerow.app.venues.select import environment_of
from hedgerow.clock import SystemClock
from hedgerow.config import Database, Home, HomeMode
from hedgerow.domain.errors import ConfigError, LogUnavailable
from hedgerow.ports import Clock, TimeSeriesStore
from hedgerow.store.account_lock import AccountLock, LogLock
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.store.patience import LOG_PATIENCE_SECONDS, Patience
from hedgerow.store.sqlite import SqliteStore
from hedgerow.store.sqlite_reader import SqliteReader
from hedgerow.store.timeseries import TimeSeriesReader

if TYPE_CHECKING:
    from hedgerow.app.storage.database import DatabaseStorage

__all__ = [
    "database_of",
    "has_log",
    "log_name",
    "open_log",
    "open_series",
    "open_storage",
    "request_box",
    "shown_by",
    "wait_until_reachable",
    "with_database",
]

LARGEST_NOTE = 4_096


def with_database(home: Home, text: str | None = None) -> Home:
    """Return the home with the database of ``--store``, else of ``HEDGEROW_DATABASE``, where one is named.

    Raises:
        ConfigError: its address cannot be read.
    """
    if home.mode is HomeMode.DEMO:
        return home
    try:
        environment = environment_of(home)
    except ConfigError:  # reported by the command that needs more of it
        address = name = ""
    else:
        address, name = environment.text(DATABASE), environment.text(BOT_NAME)
    wanted = text or address
    return replace(home, database=Database(wanted), bot_name=name) if wanted else home


def log_name(home: Home) -> str:
    """Return where the log of a home is, for people."""
    return str(home.events) if home.database is None else home.database.shown


def has_log(home: Home) -> bool:
    """Return whether the bot of a home has a log.

    Raises:
        ConfigError: the bot cannot be identified in its database.
        StoreError: the log cannot be opened.
    """
    log = open_log(home)
    if log is not None:
        log.release()
    return log is not None


def open_log(home: Home) -> LogReader | None:
    """Return the log of a home for reading, None when there is none yet; takes no lock and changes nothing.

    Raises:
        ConfigError: the bot cannot be identified in its database, or its database is not named.
        StoreError: the log cannot be opened, or is of a newer version.
    """
    database = database_of(home)
    if database is not None:
        return database.open_log()
    _refuse_forgotten_database(home)
    return SqliteReader(home.events) if home.events.exists() else None


@contextmanager
def open_storage(home: Home, access: VenueAccess) -> Generator[tuple[VenueConnection, OpenStorage]]:
    """Open what the bot of a home keeps, as sole holder of its account, until the context ends.

    Raises:
        ConfigError: another bot trades this account, the bot cannot be identified in its database, or the home has a
            log elsewhere.
        StoreError: the log or the exchange's file cannot be opened, or is of a newer version.
    """
    database = database_of(home)
    if database is None:
        _refuse_forgotten_database(home)
    with AccountLock(access.account), LogLock(home.events):
        connection = access.connect()
        with _in_folder(home) if database is None else database.opened() as storage:
            yield connection, storage


@contextmanager
def _in_folder(home: Home) -> Generator[OpenStorage]:
    store = SqliteStore(home.events, SystemClock())
    try:
        yield OpenStorage(
            store=store,
            mailbox=FolderMailbox(home.requests, SystemClock()),
            previous_outlook=lambda: read_outlook(home.outlook),
        )
    finally:
        store.release()


@contextmanager
def request_box(home: Home, clock: Clock) -> Generator[RequestBox]:
    """Open the place where requests to the bot of a home are left; ``clock`` is real time.

    Raises:
        ConfigError: the bot cannot be identified in its database.
    """
    database = database_of(home)
    if database is None:
        yield FolderMailbox(home.requests, clock)
        return
    with database.request_box() as box:
        yield box


def open_series(home: Home) -> TimeSeriesStore:
    """Return the time series of a home's bot for reading.

    Raises:
        ConfigError: the bot cannot be identified in its database.
        StoreError: there is none, or it cannot be read.
    """
    database = database_of(home)
    return TimeSeriesReader(home.series) if database is None else database.open_series()


def shown_by(home: Home, clock: Clock) -> Shown:
    """Return what the bot of a home shows besides its log; ``clock`` is real time.

    Raises:
        ConfigError: the bot cannot be identified in its database.
        StoreError: the database cannot be read.
    """
    database = database_of(home)
    if database is not None:
        return database.shown(clock)
    now, outlook = clock.now(), read_outlook(home.outlook)
    return Shown(process=process_of(home.heartbeat, now, ran=home.events.exists()), outlook=outlook)


async def wait_until_reachable(home: Home, clock: Clock, report: Callable[[str], None]) -> None:
    """Return once the database of a home answers; at once where there is none.

    Raises:
        LogUnavailable: it does not answer for too long.
        StoreError: it refuses.
    """
    database = database_of(home)
    if database is None:
        return
    text = f"{log_name(home)} does not answer: the bot starts once it does"
    patience = Patience(clock, LOG_PATIENCE_SECONDS, again=LogUnavailable, text=text)
    patience.report_to(report)
    await patience.attempt(database.reach)


def database_of(home: Home) -> "DatabaseStorage | None":
    """Return what the home's database holds of its bot; None where no database is named.

    Raises:
        ConfigError: the driver is not installed.
    """
    if home.database is None:
        return None
    try:
        from hedgerow.app.storage.database import DatabaseStorage  # noqa: PLC0415 - an extra, and 9 MB of memory
    except ImportError as error:
        if not str(error.name).startswith("psycopg"):
            raise
        raise ConfigError(
            f"{home.database.shown} needs the PostgreSQL driver: pip install '.[postgres]' in the checkout"
        ) from None
    return DatabaseStorage(home, home.database)


def _refuse_forgotten_database(home: Home) -> None:
    """Refuse to go on in the folder where the log is in a database that is not named now: it would be a second log."""
    try:
        noted = home.database_note.read_text(encoding="utf-8").strip()[:LARGEST_NOTE]
    except (OSError, UnicodeDecodeError):
        return
    raise ConfigError(
        f"the log of this bot is in {noted}: name it by --store or {DATABASE};"
        f" where that is not so any more, remove {home.database_note}"
    )
