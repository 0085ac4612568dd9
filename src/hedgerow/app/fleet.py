"""The bots of one database, for a reader without keys: which there are, and the view of each."""

from hedgerow.app.bot_view import Look, look_of
from hedgerow.app.storage.database import connection_to, log_in, shown_in
from hedgerow.app.storage.parts import RequestBox
from hedgerow.config import Database
from hedgerow.domain.errors import ConfigError
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.ports import Clock, TimeSeriesStore
from hedgerow.store.postgres.log import BotRow, PostgresReader, bots_in
from hedgerow.store.postgres.mailbox import PostgresMailbox
from hedgerow.store.postgres.timeseries import PostgresTimeSeries

__all__ = ["FleetReader"]


class FleetReader:
    """Reads every bot of a database; keeps the ledgers, so that a later look reads only what is new in the logs.

    Its methods wait for the database, some seconds at most, and are called by one thread at a time. After a failure
    the next call opens a new connection.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        """``clock`` is real time."""
        self._database = database
        self._clock = clock
        self._connection = connection_to(database)
        self._ledgers: dict[str, Ledger] = {}

    def bots(self) -> tuple[BotRow, ...]:
        """Return the bots that have ever run on this database, by name.

        Raises:
            StoreError: the database cannot be read, or is of another version.
        """
        return bots_in(self._connection)

    def bots_that_ran(self) -> tuple[BotRow, ...]:
        """Return them as ``bots`` does.

        Raises:
            ConfigError: there is none.
            StoreError: the database cannot be read, or is of another version.
        """
        found = self.bots()
        if not found:
            raise ConfigError(f"--store {self._database.shown}: no bot has run on this database yet")
        return found

    def look(self, bot: BotRow) -> Look:
        """Return the view of one bot now.

        Raises:
            StoreError: the database or the log cannot be read.
        """
        now = self._clock.now()
        shown = shown_in(self._connection, bot, now)
        reader = PostgresReader(self._connection, bot)
        known = self._ledgers.get(bot.account)
        if known is None:
            ledger = reader.fold() if reader.exists else None
        else:
            ledger = fold(reader.read(after=known.events), known)
        if ledger is not None:
            self._ledgers[bot.account] = ledger
        return look_of(shown, ledger, now)

    def log(self, bot: BotRow) -> PostgresReader:
        """Return the event log of one bot; it uses the connection of this reader, and is not to be released.

        Raises:
            StoreError: the database cannot be read, or is of another version.
        """
        return PostgresReader(self._connection, bot)

    def log_lines(self, bot: BotRow) -> tuple[str, ...]:
        """Return the newest lines of the log file of one bot, oldest first.

        Raises:
            StoreError: the database cannot be read.
        """
        return log_in(self._connection, bot)

    def series(self, bot: BotRow) -> TimeSeriesStore:
        """Return the past of one bot for reading; it uses the connection of this reader, and is not to be closed."""
        return PostgresTimeSeries(self._connection, bot.account)

    def request_box(self, bot: BotRow) -> RequestBox:
        """Return where requests to one bot are left; to be released after use."""
        return PostgresMailbox(connection_to(self._database, writes=True), bot.account)

    def close(self) -> None:
        """Close the connection; may be called twice."""
        self._connection.close()
