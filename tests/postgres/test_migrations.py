"""The tables of the database: set up, upgraded from every older number, refused where they are not ours."""

import asyncio
import threading
from datetime import UTC, datetime

import psycopg
import pytest

from hedgerow.domain.errors import NewerLog, StoreError
from hedgerow.domain.events import CycleCompleted
from hedgerow.domain.ledger.reducers import fold
from hedgerow.store.postgres.connection import Connection
from hedgerow.store.postgres.log import PostgresReader, PostgresStore
from hedgerow.store.postgres.migrations import known_migrations, schema_number, upgrade, usable
from support.postgres import PostgresServer, new_bot

NEWEST = len(known_migrations())
EVENTS = (CycleCompleted(at=datetime(2026, 1, 5, tzinfo=UTC), number=1),)


@pytest.fixture
def address(postgres_server: PostgresServer) -> str:
    return postgres_server.new_database()


def connected(address: str) -> Connection:
    return Connection(address, "the database", writes=True)


def test_the_migrations_are_numbered_without_a_gap() -> None:
    assert [each.number for each in known_migrations()] == list(range(1, NEWEST + 1))


@pytest.mark.parametrize("old", range(NEWEST))
def test_each_older_schema_is_upgraded_and_keeps_its_log(address: str, old: int) -> None:
    connection, bot = connected(address), new_bot()
    assert upgrade(connection, to=old) == (0, old)
    if old:
        connection.write(
            "INSERT INTO hedgerow.bots (account, name, mode, shown_account, epoch, format, host, pid, opened_at)"
            " VALUES (%s, 'a', 'PAPER', '', 1, 1, 'here', 1, now())",
            (bot.account,),
        )
        with pytest.raises(StoreError, match=f"has schema {old}, this version needs {NEWEST}.*hedgerow store upgrade"):
            PostgresStore(address, "the database", bot)
        with pytest.raises(StoreError, match=f"has schema {old}"):
            PostgresReader(connected(address), bot)
    assert upgrade(connection) == (old, NEWEST)
    assert upgrade(connection) == (NEWEST, NEWEST)
    store = PostgresStore(address, "the database", bot)
    asyncio.run(store.append(EVENTS, durable=True))
    assert asyncio.run(store.load()) == fold(EVENTS)
    store.release()
    connection.close()


def test_a_newer_schema_is_refused_in_one_line(address: str) -> None:
    connection = connected(address)
    upgrade(connection)
    connection.write("INSERT INTO hedgerow.migrations VALUES (%s, 'of the future', '')", (NEWEST + 1,))
    for attempt in (
        lambda: usable(connection),
        lambda: upgrade(connection),
        lambda: PostgresStore(address, "the database", new_bot()),
        lambda: PostgresReader(connected(address), new_bot()),
    ):
        with pytest.raises(NewerLog) as refused:
            attempt()
        assert str(refused.value) == (
            f"the database was set up by a newer Hedgerow: its schema is {NEWEST + 1}, ours is {NEWEST}"
        )
    connection.close()


def test_a_migration_that_is_not_ours_is_refused(address: str) -> None:
    connection = connected(address)
    upgrade(connection)
    connection.write("UPDATE hedgerow.migrations SET sha256 = repeat('0', 64) WHERE number = 1")
    with pytest.raises(StoreError, match=r"its migration 1 \(0001_event_log\) is not ours"):
        PostgresStore(address, "the database", new_bot())
    connection.close()


def test_two_programs_that_set_up_one_database_at_once_do_it_once(address: str) -> None:
    failures: list[Exception] = []

    def set_up() -> None:
        connection = connected(address)
        try:
            PostgresStore(address, "the database", new_bot()).release()
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=set_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    connection = connected(address)
    assert schema_number(connection) == NEWEST
    connection.close()


def test_a_role_that_may_not_create_reads_how(postgres_server: PostgresServer, address: str) -> None:
    name = address.rpartition("/")[2]
    role = f"role_of_{name}"
    postgres_server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    with pytest.raises(StoreError, match="hedgerow store upgrade"):
        PostgresStore(postgres_server.url(name, user=role, password="x"), "the database", new_bot())  # noqa: S106
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT to_regnamespace('hedgerow')").fetchone() == (None,)
