"""The tables of the database: numbered SQL files, applied forward only and checked by their hashes."""

from hashlib import sha256
from importlib.resources import files
from typing import Final

from msgspec import Struct

from hedgerow.domain.errors import NewerLog, StoreError
from hedgerow.store.postgres.connection import Connection

__all__ = ["Migration", "known_migrations", "schema_number", "upgrade", "usable"]

LOCK: Final = 0x48_44_47_57
"""Held while the schema changes, so that two programs do not change it at once."""
UPGRADE_SECONDS: Final = 600.0
"""How long a statement of a migration may take: it may rewrite a table of years."""


class Migration(Struct, frozen=True, kw_only=True):
    """One step from a schema to the next."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the statements, in hexadecimal."""
        return sha256(self.sql.encode()).hexdigest()


def known_migrations() -> tuple[Migration, ...]:
    """Return the migrations of this version, oldest first."""
    folder = files("hedgerow.store.postgres") / "migrations"
    found = sorted((entry.name, entry) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(
        Migration(number=int(name[:4]), name=name.removesuffix(".sql"), sql=entry.read_text(encoding="utf-8"))
        for name, entry in found
    )


def schema_number(connection: Connection) -> int:
    """Return the number of the newest migration in the database; 0 = there is no schema of ours.

    Raises:
        NewerLog: it is of a newer version.
        StoreError: a migration in it is not the one of this version.
    """
    if connection.rows("SELECT to_regclass('hedgerow.migrations')")[0][0] is None:
        return 0
    applied = connection.rows("SELECT number, name, sha256 FROM hedgerow.migrations ORDER BY number")
    known = known_migrations()
    if len(applied) > len(known):
        raise NewerLog(
            f"{connection.shown} was set up by a newer Hedgerow: its schema is {applied[-1][0]}, ours is {len(known)}"
        )
    for ours, (number, name, digest) in zip(known, applied, strict=False):
        if (ours.number, ours.digest) != (number, digest):
            raise StoreError(
                f"{connection.shown} was set up by a program that was changed:"
                f" its migration {number} ({name}) is not ours"
            )
    return len(applied)


def usable(connection: Connection) -> bool:
    """Return whether the tables are there, False where there are none yet.

    Raises:
        NewerLog: they are of a newer version.
        StoreError: they are of an older version, or changed.
    """
    number = schema_number(connection)
    newest = known_migrations()[-1].number
    if 0 < number < newest:
        raise StoreError(
            f"{connection.shown} has schema {number}, this version needs {newest}: stop its bots, then run"
            " hedgerow store upgrade with the role that owns the tables (docs/fleet.md)"
        )
    return number > 0


def upgrade(connection: Connection, *, to: int | None = None) -> tuple[int, int]:
    """Apply the migrations that are missing, up to ``to`` or all, as one transaction; returns the numbers around it.

    Raises:
        DatabaseAway: the database does not answer.
        StoreError: the schema is of a newer version or changed, or the role may not change it.
    """
    before = schema_number(connection)
    missing = known_migrations()[before : to if to is None else max(to, before)]
    if not missing:
        return before, before
    with connection.transaction(seconds=UPGRADE_SECONDS) as raw:
        raw.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        raw.execute("CREATE SCHEMA IF NOT EXISTS hedgerow")
        raw.execute(
            "CREATE TABLE IF NOT EXISTS hedgerow.migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        # Another program may have done it while this one waited.
        done = {row[0] for row in raw.execute("SELECT number FROM hedgerow.migrations").fetchall()}
        for migration in missing:
            if migration.number not in done:
                raw.execute(migration.sql.encode())
                raw.execute(
                    "INSERT INTO hedgerow.migrations (number, name, sha256) VALUES (%s, %s, %s)",
                    (migration.number, migration.name, migration.digest),
                )
    return before, schema_number(connection)
