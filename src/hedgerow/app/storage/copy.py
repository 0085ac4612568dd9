"""Copies an event log between a file and a database, and compares what arrived: every event, and their fold."""

import asyncio
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from hedgerow.app.storage.database import DatabaseStorage, bot_row, connection_to
from hedgerow.app.storage.parts import LogReader
from hedgerow.config import Database, Home
from hedgerow.domain.errors import ConfigError, StoreError
from hedgerow.durability import sync_folder
from hedgerow.store.account_lock import LogLock
from hedgerow.store.postgres.log import PostgresReader, PostgresStore
from hedgerow.store.sqlite import SqliteStore
from hedgerow.store.sqlite_reader import SqliteReader

__all__ = ["copy_log", "place_of"]


class _Filled(Protocol):
    def fill(self, rows: Iterator[tuple[int, str, bytes]]) -> int: ...


def place_of(text: str) -> Path | Database:
    """Return where a log is: a database by its URL, anything else is a file.

    Raises:
        ConfigError: it is a URL, and of no database.
    """
    return Database(text) if "://" in text else Path(text)


def copy_log(home: Home, source: Path | Database, target: Path | Database) -> int:
    """Copy the log of the home's bot, which must not run; returns the number of events.

    The target gets all of it or nothing.

    Raises:
        AccountBusy: a bot trades with one of the two logs.
        ConfigError: both are files, or there is nothing to copy.
        StoreError: the target holds events already, one of the two cannot be used, or what arrived differs.
    """
    if isinstance(source, Path) and isinstance(target, Path):
        raise ConfigError(f"{source} and {target} are two files: hedgerow backup copies a log to a file")
    if isinstance(source, Path) and not source.exists():
        raise ConfigError(f"{source} is not there")
    with ExitStack() as held:
        held.enter_context(_kept_still(home, source))
        with closing(_Released(_reader(home, source))) as log:
            count = _written(home, log.reader, target)
    _compare(home, source, target)
    _note(home, source, target)
    return count


class _Released:
    def __init__(self, reader: LogReader) -> None:
        self.reader = reader

    def close(self) -> None:
        self.reader.release()


@contextmanager
def _kept_still(home: Home, place: Path | Database) -> Generator[None]:
    """Let no bot write to the source."""
    if isinstance(place, Path):
        with LogLock(place):
            yield
        return
    store = PostgresStore(place.address, place.shown, bot_row(home, place))
    try:
        yield
    finally:
        store.release()


def _reader(home: Home, place: Path | Database) -> LogReader:
    if isinstance(place, Path):
        return SqliteReader(place)
    return PostgresReader(connection_to(place), bot_row(home, place))


def _written(home: Home, log: LogReader, target: Path | Database) -> int:
    if isinstance(target, Database):
        store = PostgresStore(target.address, target.shown, bot_row(home, target))
        try:
            return _filled(store, log)
        finally:
            store.release()
    if target.exists():
        raise StoreError(f"{target} is there already; a log is copied to a new file only")
    draft = target.with_name(f".{target.name}.tmp")
    files = [draft.with_name(f"{draft.name}{ending}") for ending in ("", "-wal", "-shm")]
    for file in files:
        file.unlink(missing_ok=True)
    new = SqliteStore(draft)
    try:
        count = _filled(new, log)
        new.release()
        draft.chmod(0o600)
        draft.rename(target)
        sync_folder(target.parent)
    except BaseException:
        new.release()
        for file in files:
            file.unlink(missing_ok=True)
        raise
    return count


def _filled(store: _Filled, log: LogReader) -> int:
    count = store.fill(log.rows())
    if not count:
        raise ConfigError("the log holds no event: there is nothing to copy")
    return count


def _compare(home: Home, source: Path | Database, target: Path | Database) -> None:
    """Compare two logs event by event, and their folds.

    Raises:
        StoreError: they differ.
    """
    with closing(_Released(_reader(home, source))) as one, closing(_Released(_reader(home, target))) as other:
        for number, (ours, theirs) in enumerate(zip_longest(one.reader.stream(), other.reader.stream()), 1):
            if ours != theirs:
                raise StoreError(f"event {number} of the copy is not that of the source: do not use the copy")
        if asyncio.run(one.reader.load()) != asyncio.run(other.reader.load()):
            raise StoreError("the fold of the copy is not that of the source: do not use the copy")


def _note(home: Home, source: Path | Database, target: Path | Database) -> None:
    """Remember in the home which of its logs is the one in force."""
    if isinstance(target, Database) and source == home.events:
        DatabaseStorage(home, target).note()
    if target == home.events:
        home.database_note.unlink(missing_ok=True)
