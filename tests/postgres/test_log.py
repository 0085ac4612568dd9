"""The event log in PostgreSQL: one writer an account, appends that may be repeated, a database that goes away."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from hedgerow.clock import SystemClock, VirtualClock, run_virtual
from hedgerow.domain.errors import AccountBusy, ConfigError, DamagedLog, LogUnavailable, NewerLog, StoreError
from hedgerow.domain.events import CycleCompleted, Event
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.store.postgres.connection import Connection, DatabaseAway
from hedgerow.store.postgres.log import BotRow, PostgresReader, PostgresStore
from support.cut_tcp import Cut, CutTcp
from support.postgres import PASSWORD, PostgresServer, new_bot, new_log, require_postgres, serve_postgres

AT = datetime(2026, 1, 5, tzinfo=UTC)
Opened = Callable[..., PostgresStore]


def events_of(count: int, first: int = 1) -> tuple[Event, ...]:
    return tuple(CycleCompleted(at=AT + timedelta(hours=n), number=n) for n in range(first, first + count))


def append(store: PostgresStore, events: tuple[Event, ...]) -> None:
    asyncio.run(store.append(events, durable=True))


def read(server: PostgresServer, bot: BotRow) -> tuple[Event, ...]:
    with closing_reader(server, bot) as reader:
        return asyncio.run(reader.events())


@contextmanager
def closing_reader(server: PostgresServer, bot: BotRow) -> Iterator[PostgresReader]:
    reader = PostgresReader(Connection(server.url(), "the database"), bot)
    try:
        yield reader
    finally:
        reader.release()


@contextmanager
def opened(
    server: PostgresServer, bot: BotRow, *, port: int | None = None, patience: float = 30.0, answer: float = 5.0
) -> Iterator[PostgresStore]:
    address = server.url().replace(f":{server.port}/", f":{port or server.port}/")
    store = PostgresStore(address, "the database", bot, SystemClock(), patience_seconds=patience, answer_seconds=answer)
    with closing(_Releasing(store)):
        yield store


class _Releasing:
    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    def close(self) -> None:
        self._store.release()


# --- appends that may be repeated ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [Cut.REQUEST, Cut.ANSWER])
def test_an_append_that_was_cut_off_is_written_once(postgres_server: PostgresServer, cut: Cut) -> None:
    bot = new_bot()
    with CutTcp(postgres_server.port) as way, opened(postgres_server, bot, port=way.port) as store:
        append(store, events_of(2))
        way.cut = cut
        append(store, events_of(3, first=3))
        append(store, events_of(1, first=6))
        assert read(postgres_server, bot) == events_of(6)
        assert asyncio.run(store.load()) == fold(events_of(6))


def test_a_session_that_the_server_ended_is_opened_again(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot) as store:
        append(store, events_of(1))
        end_session(postgres_server, store)
        append(store, events_of(1, first=2))
        end_session(postgres_server, store)
        assert asyncio.run(store.events(after=1)) == events_of(1, first=2)
    assert read(postgres_server, bot) == events_of(2)


def end_session(server: PostgresServer, store: PostgresStore) -> None:
    server.execute(
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = '{store._session}'"
    )


def test_the_lock_is_held_again_after_the_session_was_lost(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with CutTcp(postgres_server.port) as way, opened(postgres_server, bot, port=way.port) as store:
        way.cut = Cut.ANSWER  # the server's side of the session lives on, with the lock
        append(store, events_of(1))
        with pytest.raises(AccountBusy), opened(postgres_server, bot):
            pass


def test_events_that_the_database_had_confirmed_and_lost_stop_the_bot(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot) as store:
        append(store, events_of(5))
        postgres_server.execute("ALTER TABLE hedgerow.events DISABLE TRIGGER append_only")
        postgres_server.execute(f"DELETE FROM hedgerow.events WHERE account = '{bot.account}' AND seq > 3")
        postgres_server.execute("ALTER TABLE hedgerow.events ENABLE TRIGGER append_only")
        end_session(postgres_server, store)
        with pytest.raises(DamagedLog, match="lost events 4 to 5, which it had confirmed"):
            append(store, events_of(1, first=6))
    assert read(postgres_server, bot) == events_of(3)


def test_rows_of_another_writer_stop_the_bot(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot) as store:
        append(store, events_of(1))
        postgres_server.execute(
            f"INSERT INTO hedgerow.events VALUES ('{bot.account}', 2, 'cycle_completed', '{{}}'::bytea)"
        )
        with pytest.raises(StoreError, match="another process wrote to this event log"):
            append(store, events_of(1, first=2))


def test_the_log_cannot_be_changed_by_mistake(postgres_server: PostgresServer) -> None:
    store = new_log(postgres_server)
    append(store, events_of(1))
    store.release()
    for statement in (
        "UPDATE hedgerow.events SET kind = ''",
        "DELETE FROM hedgerow.events",
        "TRUNCATE hedgerow.events",
    ):
        with pytest.raises(psycopg.Error, match="append-only"):
            postgres_server.execute(statement)


# --- one writer an account -------------------------------------------------------------------------------------------


def test_a_second_bot_of_an_account_is_refused_and_the_first_is_named(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot) as store:
        with pytest.raises(AccountBusy, match=f"process {os.getpid()} on .* already trades this account"):
            PostgresStore(postgres_server.url(), "the database", bot)
        append(store, events_of(1))
        with opened(postgres_server, new_bot()) as other:
            append(other, events_of(2))
    assert read(postgres_server, bot) == events_of(1)


def test_a_bot_whose_fence_was_raised_writes_nothing_more(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot) as store:
        append(store, events_of(1))
        postgres_server.execute(f"UPDATE hedgerow.bots SET epoch = epoch + 1 WHERE account = '{bot.account}'")
        with pytest.raises(StoreError, match="another bot has taken over this account") as refused:
            append(store, events_of(1, first=2))
        assert not isinstance(refused.value, LogUnavailable), "it must not be started again"
        with pytest.raises(StoreError, match="another bot has taken over this account"):
            asyncio.run(store.snapshot(fold(events_of(1))))
    assert read(postgres_server, bot) == events_of(1)


def test_a_bot_that_was_cut_off_and_replaced_writes_nothing_more(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot) as old:
        append(old, events_of(1))
        end_session(postgres_server, old)
        with opened(postgres_server, bot) as new:
            append(new, events_of(1, first=2))
            with pytest.raises(StoreError, match="another bot has taken over this account"):
                append(old, events_of(1, first=2))
            append(new, events_of(1, first=3))
    assert read(postgres_server, bot) == events_of(3)


def test_a_takeover_waits_for_an_append_at_work(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot) as old:
        append(old, events_of(1))
        with psycopg.connect(postgres_server.url()) as by_hand:
            by_hand.execute("SELECT FROM hedgerow.bots WHERE account = %s FOR SHARE", (bot.account,))
            end_session(postgres_server, old)
            with pytest.raises(DatabaseAway, match="lock timeout"):
                PostgresStore(postgres_server.url(), "the database", bot)


# --- a database that goes away ---------------------------------------------------------------------------------------


def test_a_server_that_is_killed_and_comes_back_costs_a_wait_and_nothing_else() -> None:
    with serve_postgres(require_postgres(), fsync="off") as server:
        bot = new_bot()
        reports: list[str] = []

        async def main(store: PostgresStore, clock: VirtualClock) -> None:
            store.report_to(reports.append)
            await store.append(events_of(1), durable=True)
            server.kill()
            appending = asyncio.ensure_future(store.append(events_of(1, first=2), durable=True))
            await clock.sleep(20)
            assert not appending.done()
            server.start()
            await appending

        clock = VirtualClock(AT)
        store = PostgresStore(server.url(), "the database", bot, clock)
        run_virtual(clock, main(store, clock))
        store.release()
        assert read(server, bot) == events_of(2)
        assert len(reports) == 1
        assert reports[0].startswith("the database does not answer or takes no writes: nothing is sent until it does")

        async def too_long(store: PostgresStore) -> None:
            server.kill()
            await store.append(events_of(1, first=3), durable=True)

        store = PostgresStore(server.url(), "the database", bot, clock, patience_seconds=60)
        began = clock.monotonic()
        with pytest.raises(DatabaseAway, match="the database cannot be reached") as gone:
            run_virtual(clock, too_long(store))
        assert 60 <= clock.monotonic() - began < 62
        assert PASSWORD not in str(gone.value)
        with pytest.raises(DatabaseAway):
            PostgresStore(server.url(), "the database", bot)


def test_a_server_that_is_silent_is_not_waited_for_without_end(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with (
        CutTcp(postgres_server.port) as way,
        opened(postgres_server, bot, port=way.port, patience=0.0, answer=2.0) as store,
    ):
        append(store, events_of(1))
        way.cut = Cut.SILENCE
        began = SystemClock().monotonic()
        with pytest.raises(DatabaseAway, match="timeout"):
            append(store, events_of(1, first=2))
        assert SystemClock().monotonic() - began < 12, "two time-outs, and what a busy machine adds"
        way.cut = Cut.NOTHING
        append(store, events_of(1, first=2))
    assert read(postgres_server, bot) == events_of(2)


def test_a_server_whose_processes_are_stopped_is_not_waited_for_without_end() -> None:
    with serve_postgres(require_postgres(), fsync="off") as server:
        os.kill(server.pid, signal.SIGSTOP)
        began = SystemClock().monotonic()
        with pytest.raises(DatabaseAway):
            PostgresStore(server.url(), "the database", new_bot())
        assert SystemClock().monotonic() - began < 6
        os.kill(server.pid, signal.SIGCONT)


# --- reading ---------------------------------------------------------------------------------------------------------


def test_a_reader_takes_no_lock_and_writes_nothing(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with closing_reader(postgres_server, bot) as reader:
        assert not reader.exists
        assert asyncio.run(reader.load()) == Ledger()
        assert list(reader.stream()) == []
    with opened(postgres_server, bot) as store, closing_reader(postgres_server, bot) as reader:
        append(store, events_of(3))
        assert asyncio.run(reader.load()) == fold(events_of(3))
        append(store, events_of(1, first=4))
        assert tuple(reader.stream()) == events_of(4)
        with pytest.raises(DatabaseAway, match="read-only"):
            reader._connection.write("DELETE FROM hedgerow.snapshots")


def test_a_database_without_tables_is_an_empty_log(postgres_server: PostgresServer) -> None:
    reader = PostgresReader(Connection(postgres_server.new_database(), "the database"), new_bot())
    assert not reader.exists
    reader.release()


def test_a_log_longer_than_one_answer_is_read_whole(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hedgerow.store.postgres.log.ROWS_PER_READ", 4)
    for count in (3, 4, 9):
        bot = new_bot()
        with opened(postgres_server, bot) as store:
            append(store, events_of(count))
            assert asyncio.run(store.events()) == events_of(count)
            assert asyncio.run(store.load()) == fold(events_of(count))


def test_a_gap_in_the_log_is_damage(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot) as store:
        append(store, events_of(1))
    postgres_server.execute(
        f"INSERT INTO hedgerow.events SELECT account, 3, kind, payload FROM hedgerow.events"
        f" WHERE account = '{bot.account}'"
    )
    with pytest.raises(DamagedLog, match="events are missing: number 3 follows 1"):
        read(postgres_server, bot)


def test_a_log_of_a_newer_version_is_refused_by_readers_and_writers(postgres_server: PostgresServer) -> None:
    bot = new_bot()
    with opened(postgres_server, bot):
        pass
    postgres_server.execute(f"UPDATE hedgerow.bots SET format = 99 WHERE account = '{bot.account}'")
    with pytest.raises(NewerLog, match="its format is 99"):
        read(postgres_server, bot)
    with pytest.raises(NewerLog, match="its format is 99"), opened(postgres_server, bot):
        pass


# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("postgresql://hedgerow:wrong-secret@127.0.0.1:{port}/postgres", StoreError),
        ("postgresql://nobody:wrong-secret@127.0.0.1:{port}/postgres", StoreError),
        ("postgresql://hedgerow:wrong-secret@127.0.0.1:1/postgres", DatabaseAway),
        ("postgresql://hedgerow:wrong-secret@no.such.host.invalid/postgres", DatabaseAway),
        ("host=127.0.0.1 wrong-secret", ConfigError),
        ("postgresql://hedgerow:wrong-secret@127.0.0.1:{port}/postgres?nonsense=1", ConfigError),
    ],
)
def test_no_error_holds_the_password(postgres_server: PostgresServer, address: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as refused:
        PostgresStore(address.format(port=postgres_server.port), "the database", new_bot())
    shown = refused.value
    while shown is not None:
        assert "wrong-secret" not in f"{shown!r}"
        shown = shown.__cause__  # type: ignore[assignment]
