"""What a bot keeps in a database: imported only where a home names one, because the driver is an extra."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from hedgerow.app.heartbeat import beat_of, process_of_beat
from hedgerow.app.outlook_file import outlook_of, read_outlook
from hedgerow.app.storage.log_tail import LogTail
from hedgerow.app.storage.parts import LogReader, OpenStorage, RequestBox, Shown
from hedgerow.app.venues.environment import BOT_NAME
from hedgerow.app.venues.live import account_name
from hedgerow.app.venues.select import environment_of
from hedgerow.clock import SystemClock
from hedgerow.config import Database, Home, HomeMode
from hedgerow.dashboard.bot_state import Process, ProcessState
from hedgerow.dashboard.outlook import Outlook
from hedgerow.domain.errors import ConfigError, StoreError
from hedgerow.domain.run_identity import EMULATED_ACCOUNT, RunMode, shortened
from hedgerow.ports import Clock, TimeSeriesStore
from hedgerow.store.files import replace_file
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.log import BotRow, PostgresReader, PostgresStore, bots_in, raise_fence
from hedgerow.store.postgres.mailbox import PostgresMailbox
from hedgerow.store.postgres.migrations import upgrade, usable
from hedgerow.store.postgres.publisher import Publisher, published
from hedgerow.store.postgres.timeseries import PostgresTimeSeries
from hedgerow.store.sqlite_reader import SqliteReader

__all__ = ["BEAT", "LOG", "OUTLOOK", "DatabaseStorage", "bot_row", "connection_to", "log_in", "shown_in"]

MODES = {HomeMode.LIVE: RunMode.LIVE, HomeMode.PAPER: RunMode.PAPER, HomeMode.DRY_RUN: RunMode.DRY_RUN}
BEAT, OUTLOOK, LOG = "beat", "outlook", "log"
"""Kinds of what is published."""


class DatabaseStorage:
    """What the bot of one home keeps in its database."""

    def __init__(self, home: Home, database: Database) -> None:
        self._home = home
        self._database = database

    def open_log(self) -> LogReader | None:
        """Return the log for reading; None when the bot has not run yet.

        Raises:
            ConfigError: the bot cannot be identified.
            StoreError: the database cannot be read, or is of another version.
        """
        reader = PostgresReader(connection_to(self._database), bot_row(self._home, self._database))
        if reader.exists:
            return reader
        reader.release()
        return None

    @contextmanager
    def opened(self) -> Generator[OpenStorage]:
        """Open everything for the bot, as sole writer of its account's log.

        Raises:
            AccountBusy: another bot trades this account.
            ConfigError: the bot cannot be identified, or the home has a log of its own.
            StoreError: the database does not answer, or is of another version.
        """
        database, clock = self._database, SystemClock()
        bot = bot_row(self._home, database)
        store = PostgresStore(database.address, database.shown, bot, clock)
        try:
            self._refuse_a_log_left_behind(store)
            self.note()
        except BaseException:
            store.release()
            raise
        publisher = Publisher(connection_to(database, writes=True), bot.account, store.epoch, clock)
        publisher.follow(LOG, LogTail(self._home.log).changed)
        mailbox = PostgresMailbox(
            connection_to(database, writes=True), bot.account, epoch=store.epoch, publisher=publisher
        )

        def open_series(_file: Path) -> TimeSeriesStore:
            return PostgresTimeSeries(connection_to(database, writes=True), bot.account, epoch=store.epoch)

        try:
            yield OpenStorage(
                store=store,
                mailbox=mailbox,
                previous_outlook=lambda: self._previous_outlook(clock),
                start=publisher.start,
                heartbeat=publisher.sink(BEAT),
                outlook=publisher.sink(OUTLOOK),
                open_series=open_series,
            )
        finally:
            publisher.close()
            mailbox.release()
            store.release()

    @contextmanager
    def request_box(self) -> Generator[RequestBox]:
        """Open the place where requests to the running bot are left.

        Raises:
            ConfigError: the bot cannot be identified.
        """
        account = bot_row(self._home, self._database).account
        box = PostgresMailbox(connection_to(self._database, writes=True), account)
        try:
            yield box
        finally:
            box.release()

    def open_series(self) -> TimeSeriesStore:
        """Return the bot's time series for reading.

        Raises:
            ConfigError: the bot cannot be identified.
            StoreError: the database cannot be read, or has no tables yet.
        """
        bot = bot_row(self._home, self._database)
        connection = connection_to(self._database)
        try:
            ready = usable(connection)
        except BaseException:
            connection.close()
            raise
        if not ready:
            connection.close()
            raise StoreError(f"{self._database.shown}: no bot has run there yet")
        return PostgresTimeSeries(connection, bot.account)

    def shown(self, clock: Clock) -> Shown:
        """Return what the bot shows; ``clock`` is real time.

        Raises:
            ConfigError: the bot cannot be identified.
            StoreError: the database cannot be read.
        """
        connection = connection_to(self._database)
        try:
            return shown_in(connection, bot_row(self._home, self._database), clock.now())
        finally:
            connection.close()

    def _previous_outlook(self, clock: Clock) -> Outlook | None:
        """Return what the bot had published last, on whichever machine; None where there is nothing to be read."""
        try:
            return self.shown(clock).outlook or read_outlook(self._home.outlook)
        except StoreError:
            return read_outlook(self._home.outlook)

    def _refuse_a_log_left_behind(self, store: PostgresStore) -> None:
        """Refuse to go on with a log that is behind the one in the home: that one knows what is held.

        Raises:
            ConfigError: the home's log has more events than the database has of this bot.
        """
        events = self._home.events
        if not events.exists():
            return
        reader = SqliteReader(events)
        reader.release()
        if reader.count > store.count:
            raise ConfigError(
                f"{events} has {reader.count:,} events and {self._database.shown} has {store.count:,} of this bot: copy"
                f" them by hedgerow store copy {events} {self._database.shown}, or move the file away"
            )

    def note(self) -> None:
        """Write into the home which database holds the log.

        Raises:
            ConfigError: that cannot be written.
        """
        note = self._home.database_note
        try:
            replace_file(note, f"{self._database.shown}\n".encode())
        except OSError as error:
            raise ConfigError(f"{note} cannot be written: {error.strerror or error}") from error

    def fence(self) -> str:
        """Raise the fence of the home's bot: the bot that holds it sends nothing more and ends; returns the bot's name.

        Raises:
            ConfigError: the bot cannot be identified.
            StoreError: the database cannot be written, or no such bot has run there.
        """
        connection, bot = connection_to(self._database, writes=True), bot_row(self._home, self._database)
        try:
            raise_fence(connection, bot.account)
        finally:
            connection.close()
        return bot.name

    def upgrade(self) -> tuple[int, int]:
        """Set up the tables, or bring them up to this version; returns the schema's numbers before and after.

        Raises:
            StoreError: the role may not, or the schema is of a newer version.
        """
        connection = connection_to(self._database, writes=True)
        try:
            return upgrade(connection)
        finally:
            connection.close()

    def reach(self) -> None:
        """Open and close a connection.

        Raises:
            StoreError: the database does not answer.
        """
        connection = connection_to(self._database, writes=True)
        try:
            connection.open()
        finally:
            connection.close()


def connection_to(database: Database, *, writes: bool = False) -> Connection:
    """Return a connection that is opened when it is needed."""
    return Connection(database.address, database.shown, writes=writes)


def shown_in(connection: Connection, bot: BotRow, now: datetime) -> Shown:
    """Return what a bot of a database shows at ``now``, real time here; its age is that by the database's clock.

    Raises:
        StoreError: the database cannot be read.
    """
    found = published(connection, bot.account, (BEAT, OUTLOOK))
    outlook = outlook_of(found[OUTLOOK].payload) if OUTLOOK in found else None
    beat = found.get(BEAT)
    if beat is None:
        ran = bot.account in {each.account for each in bots_in(connection)}
        return Shown(process=Process(state=ProcessState.STOPPED if ran else ProcessState.NEVER), outlook=outlook)
    last_beat = now - timedelta(seconds=max(beat.age_seconds, 0.0))
    return Shown(process=process_of_beat(beat_of(beat.payload), last_beat, now), outlook=outlook)


def log_in(connection: Connection, bot: BotRow) -> tuple[str, ...]:
    """Return the newest lines of the log file of a bot of a database, oldest first, as far as it published them.

    Raises:
        StoreError: the database cannot be read.
    """
    found = published(connection, bot.account, (LOG,)).get(LOG)
    return () if found is None else tuple(found.payload.decode("utf-8", "replace").splitlines())


def bot_row(home: Home, database: Database) -> BotRow:
    """Return which bot of a database a home's is: by its account, or by its name where there are no credentials.

    Raises:
        ConfigError: the credentials cannot be used, or no bot or several have the name.
        StoreError: the database cannot be read.
    """
    name, mode = home.bot_name or home.folder.resolve().name, str(MODES[home.mode])
    if home.mode is not HomeMode.LIVE:
        known = f"{home.mode.name.lower()}:{home.bot_name or home.exchange.resolve()}"
        return BotRow(account=_digest(known), name=name, mode=mode, shown_account=EMULATED_ACCOUNT)
    environment = environment_of(home)
    credentials = environment.credentials()
    if credentials is None:
        return _named(database, name, mode)
    known = account_name(environment.hosts(), credentials)
    return BotRow(account=_digest(known), name=name, mode=mode, shown_account=shortened(credentials.account))


def _named(database: Database, name: str, mode: str) -> BotRow:
    connection = connection_to(database)
    try:
        bots = bots_in(connection)
    finally:
        connection.close()
    found = [bot for bot in bots if (bot.name, bot.mode) == (name, mode)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(sorted(f"{bot.name} ({bot.mode})" for bot in bots)) or "none"
    raise ConfigError(
        f"{database.shown} has {len(found) or 'no'} bot{'s' if found else ''} {name} ({mode}), and there are no"
        f" credentials to find it by: set {BOT_NAME} to the name of one; they are: {known}"
    )


def _digest(account: str) -> str:
    return sha256(account.strip().lower().encode()).hexdigest()[:32]
