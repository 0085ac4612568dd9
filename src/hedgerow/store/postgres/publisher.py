"""A thread of the bot's process that writes what the bot shows and reads what is asked of it, on its own connection.

The bot puts values and takes lists, and never waits for the database here: a screen or a request that is late costs
nothing, a trade that is late does.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct

from hedgerow.domain.errors import HedgerowError
from hedgerow.ports import Clock
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.migrations import usable

__all__ = ["Posted", "Published", "Publisher", "published", "waiting_requests"]

ROUND_SECONDS: Final = 1.0
"""How often what has changed is written, at most; a request is read at once, because the database announces it."""
END_SECONDS: Final = 10.0
"""How long the end of the thread is waited for."""

PUBLISH: Final = """
    INSERT INTO hedgerow.published (account, kind, payload, published_at)
    SELECT %(account)s, %(kind)s, %(payload)s, clock_timestamp()
    WHERE EXISTS (SELECT FROM hedgerow.bots WHERE account = %(account)s AND epoch = %(epoch)s)
    ON CONFLICT (account, kind) DO UPDATE SET payload = excluded.payload, published_at = excluded.published_at
"""
REMOVE: Final = """
    DELETE FROM hedgerow.published WHERE account = %(account)s AND kind = %(kind)s
    AND EXISTS (SELECT FROM hedgerow.bots WHERE account = %(account)s AND epoch = %(epoch)s)
"""


class Posted(Struct, frozen=True, kw_only=True):
    """A request as it stands in the database."""

    request_id: str
    request: bytes
    valid: timedelta
    begun: bool


class Published(Struct, frozen=True, kw_only=True):
    """What a bot published last of one kind."""

    payload: bytes
    age_seconds: float
    """By the clock of the database."""


def published(connection: Connection, account: str, kinds: Sequence[str]) -> dict[str, Published]:
    """Return what a bot shows of these kinds; nothing where the database has no tables yet."""
    if not usable(connection):
        return {}
    rows = connection.rows(
        "SELECT kind, payload, extract(epoch FROM clock_timestamp() - published_at)::float8"
        " FROM hedgerow.published WHERE account = %s AND kind = ANY(%s)",
        (account, list(kinds)),
    )
    return {row[0]: Published(payload=row[1], age_seconds=row[2]) for row in rows}


def waiting_requests(connection: Connection, account: str) -> list[Posted]:
    """Return the requests of an account that have no answer, in the order in which they were posted."""
    rows = connection.rows(
        "SELECT request_id, request, valid, begun_at IS NOT NULL FROM hedgerow.requests"
        " WHERE account = %s AND answered_at IS NULL AND withdrawn_at IS NULL ORDER BY position",
        (account,),
    )
    return [Posted(request_id=row[0], request=row[1], valid=row[2], begun=row[3]) for row in rows]


class Publisher:
    """Publishes the newest value of each kind, and keeps the list of requests that wait."""

    def __init__(self, connection: Connection, account: str, epoch: int, clock: Clock) -> None:
        """``clock`` is real time."""
        self._connection = connection
        self._account = account
        self._epoch = epoch
        self._clock = clock
        self._values: dict[str, bytes | None] = {}
        self._sources: dict[str, Callable[[], bytes | None]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._read_at = clock.monotonic()
        self.waiting: list[Posted] = []
        """Requests without an answer, as last read."""
        self.replaced = False
        """Whether another bot has raised the fence."""

    @property
    def silent_seconds(self) -> float:
        """For how long the database has not answered."""
        return self._clock.monotonic() - self._read_at

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def sink(self, kind: str) -> Callable[[bytes | None], None]:
        """Return what takes the values of one kind; None removes what is there."""

        def put(payload: bytes | None) -> None:
            with self._lock:
                self._values[kind] = payload

        return put

    def follow(self, kind: str, read: Callable[[], bytes | None]) -> None:
        """Publish what ``read`` returns on this object's thread, once a round; None = nothing new.

        Called before ``start``.
        """
        self._sources[kind] = read

    def close(self) -> None:
        """Write what is left, end the thread, close the connection; may be called twice."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    self._round()
                    self._wait_for_requests()
                except HedgerowError:
                    self._connection.close()
                    self._stopped.wait(ROUND_SECONDS)
            try:
                self._publish()
            except HedgerowError:
                return
        finally:
            self._connection.close()

    def _round(self) -> None:
        if not self._connection.is_open:
            self._connection.write("LISTEN hedgerow_request")
        self._publish()
        epoch = self._connection.row("SELECT epoch FROM hedgerow.bots WHERE account = %s", (self._account,))
        self.replaced = epoch is None or epoch[0] != self._epoch
        self.waiting = waiting_requests(self._connection, self._account)
        self._read_at = self._clock.monotonic()

    def _publish(self) -> None:
        for kind, read in self._sources.items():
            if (payload := read()) is not None:
                self.sink(kind)(payload)
        with self._lock:
            values, self._values = self._values, {}
        terms = {"account": self._account, "epoch": self._epoch}
        try:
            for kind, payload in tuple(values.items()):
                if payload is None:
                    self._connection.write(REMOVE, {**terms, "kind": kind})
                else:
                    self._connection.write(PUBLISH, {**terms, "kind": kind, "payload": payload})
                del values[kind]
        finally:
            with self._lock:
                self._values = {**values, **self._values}

    def _wait_for_requests(self) -> None:
        """Wait until a request to this bot is announced, or the round is over."""
        with self._connection.guarded("read"):
            for notice in self._connection.raw.notifies(timeout=ROUND_SECONDS):
                if notice.payload == self._account:
                    return
