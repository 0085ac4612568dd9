"""One connection to PostgreSQL: every wait is bounded, and no text holds a password.

Blocking on purpose, like the SQLite log: an intent must be in the log before anything else happens, and asynchronous
drivers wait on the event loop, whose time may be simulated.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hedgerow.domain.errors import ConfigError, LogUnavailable, StoreError

__all__ = ["ANSWER_SECONDS", "Connection", "DatabaseAway", "Row"]

Row = tuple[Any, ...]

CONNECT_SECONDS: Final = 3
"""How long the opening of a connection may take."""
ANSWER_SECONDS: Final = 5.0
"""How long the answer to one statement is waited for; the connection is closed after that."""
SESSION: Final[Mapping[str, str]] = {
    # A commit is on the disk of the server before it returns, whatever the database's default is.
    "synchronous_commit": "on",
    # The server gives up before we do, so that little is committed after a time-out was taken for a failure.
    "statement_timeout": "4s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
    # A bot whose machine is gone releases its lock after about a quarter of a minute.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "3",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "14s",
    "timezone": "UTC",
}
"""Settings of a session at the server."""
NETWORK: Final[Mapping[str, str | int]] = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": 3000,
    "keepalives_idle": 5,
    "keepalives_interval": 1,
    "keepalives_count": 3,
}
"""Bounds of a connection that has gone silent; milliseconds and seconds as libpq has them."""
LASTING: Final = ("password authentication failed", "no password supplied", "pg_hba.conf", "does not exist")
"""Refusals of a connection that another attempt does not change (libpq has no code for them)."""
HIDDEN: Final = "***"


class DatabaseAway(LogUnavailable):
    """The database does not answer now, or takes no writes; what was sent last may have been done."""


class _Bounded(psycopg.Connection[Row]):
    """A connection that waits for no answer for ever: a server that is stopped acknowledges what it is sent."""

    seconds = ANSWER_SECONDS

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        return super().wait(gen, interval, self.seconds if timeout is None else timeout)


class Connection:
    """A connection that is opened when it is needed and closed by every failure of the way."""

    def __init__(
        self,
        address: str,
        shown: str,
        *,
        name: str = "hedgerow",
        writes: bool = False,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """``address`` is a URL or connection string of libpq; ``shown`` is what errors name it by.

        ``writes``: of several hosts one that takes writes is wanted. ``answer_seconds``: longest wait for a statement.

        Raises:
            ConfigError: the address cannot be read.
        """
        self._address = address
        self.shown = shown
        self._name = name
        self._writes = writes
        self._answer_seconds = answer_seconds
        self._open: _Bounded | None = None
        try:
            found = conninfo_to_dict(address)
        except psycopg.ProgrammingError:
            raise ConfigError(
                f"{shown}: not an address of a database; allowed is postgresql://user@host:5432/name"
            ) from None
        self._secrets = [str(value) for key, value in found.items() if "password" in key and value]

    @property
    def is_open(self) -> bool:
        """Whether the connection was opened and nothing has closed it since."""
        return self._open is not None

    def open(self) -> None:
        """Open the connection, once.

        Raises:
            DatabaseAway: it cannot be opened now.
            StoreError: the server refuses it.
        """
        wanted = {"target_session_attrs": "read-write"} if self._writes else {}
        with self.guarded("reached"):
            terms = {**NETWORK, **wanted, "application_name": self._name, "client_encoding": "UTF8"}
            opened = _Bounded.connect(make_conninfo(self._address, **terms), autocommit=True, prepare_threshold=None)
            opened.seconds = self._answer_seconds
            self._open = opened
            settings = {**SESSION, "default_transaction_read_only": "off" if self._writes else "on"}
            opened.execute(
                "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS setting (name, value)",
                (list(settings), list(settings.values())),
            )

    def close(self) -> None:
        """Close the connection; may be called twice."""
        opened, self._open = self._open, None
        if opened is not None:
            with suppress(psycopg.Error, OSError):
                opened.close()

    @property
    def raw(self) -> psycopg.Connection[Row]:
        """The open connection, for what has no method here; to be used within ``guarded``."""
        return self._opened()

    def _opened(self) -> _Bounded:
        if self._open is None:
            self.open()
        assert self._open is not None  # noqa: S101 - for the type checker
        return self._open

    def rows(self, query: LiteralString, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """Return the rows of a statement."""
        with self.guarded("read"):
            return self.raw.execute(query, arguments or None, binary=True).fetchall()

    def row(self, query: LiteralString, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> Row | None:
        """Return the first row of a statement; None when there is none."""
        found = self.rows(query, arguments)
        return found[0] if found else None

    def write(self, query: LiteralString, arguments: Sequence[Any] | Mapping[str, Any] = ()) -> int:
        """Carry out a statement as a transaction of its own; returns the number of rows that it changed."""
        with self.guarded("written"):
            return self.raw.execute(query, arguments or None).rowcount

    @contextmanager
    def transaction(self, *, seconds: float = ANSWER_SECONDS) -> Generator[psycopg.Connection[Row]]:
        """Open a transaction of which each statement may take ``seconds``."""
        with self.guarded("written"):
            opened = self._opened()
            opened.seconds = seconds
            try:
                with opened.transaction():
                    opened.execute("SELECT set_config('statement_timeout', %s, true)", (f"{seconds * 0.8:.0f}s",))
                    yield opened
            finally:
                opened.seconds = self._answer_seconds

    @contextmanager
    def guarded(self, doing: str) -> Generator[None]:
        """Turn what the driver raises into one line: which database cannot be reached, read, written.

        Raises:
            DatabaseAway: the database does not answer now, or takes no writes now.
            StoreError: it refuses.
        """
        try:
            yield
        except errors.UniqueViolation:
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction, OSError) as error:
            self.close()
            text = self._line(error)
            lasting = doing == "reached" and any(words in text for words in LASTING)
            raise (StoreError if lasting else DatabaseAway)(f"{self.shown} cannot be {doing}: {text}") from None
        except psycopg.Error as error:
            raise StoreError(f"{self.shown} cannot be {doing}: {self._line(error)}") from None

    def _line(self, error: Exception) -> str:
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text
