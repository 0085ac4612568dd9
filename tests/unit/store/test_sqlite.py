"""What only the SQLite log promises: it survives, and says clearly when it did not."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

import hedgerow
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import DamagedLog, LogUnavailable, StoreError
from hedgerow.domain.events import CycleCompleted
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.store.codec import FORMAT_VERSION
from hedgerow.store.sqlite import SqliteStore

AT = datetime(2026, 1, 5, tzinfo=UTC)
APPENDING = """
import asyncio, sys
from datetime import datetime, timedelta
from pathlib import Path
from hedgerow.domain.events import CycleCompleted
from hedgerow.domain.ledger.reducers import fold
from hedgerow.store.sqlite import SqliteStore

async def main():
    store, at = SqliteStore(Path(sys.argv[1])), datetime.fromisoformat("2026-01-05T00:00:00+00:00")
    for number in range(1, 1_000_000):
        pair = [CycleCompleted(at=at + timedelta(seconds=n), number=n) for n in (2 * number - 1, 2 * number)]
        await store.append(pair, durable=number % 2 == 0)
        if number % 10 == 0:
            await store.snapshot(await store.load())
        print(2 * number, flush=True)

asyncio.run(main())
"""


def _cycles(first: int, last: int) -> list[CycleCompleted]:
    return [CycleCompleted(at=AT + timedelta(seconds=n), number=n) for n in range(first, last + 1)]


def _filled(path: Path, count: int = 4, *, snapshot_of: int | None = None) -> None:
    async def fill() -> None:
        store = SqliteStore(path)
        await store.append(_cycles(1, count), durable=True)
        if snapshot_of is not None:
            await store.snapshot(fold(_cycles(1, snapshot_of)))
        await store.close()

    asyncio.run(fill())


def _load(path: Path) -> Ledger:
    async def load() -> Ledger:
        store = SqliteStore(path)
        try:
            return await store.load()
        finally:
            await store.close()

    return asyncio.run(load())


def _alter(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def _refusal(path: Path, kind: type[StoreError] = StoreError) -> str:
    with pytest.raises(kind) as refused:
        _load(path)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_log_is_there_after_a_restart_in_a_folder_made_for_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "home" / "hedgerow.db"
    _filled(path, 5)
    assert _load(path) == fold(_cycles(1, 5))


@pytest.mark.parametrize("kill_after", [1, 7, 24, 61])
def test_a_process_killed_between_appends_leaves_every_finished_one_and_no_half_one(
    tmp_path: Path, kill_after: int
) -> None:
    path = tmp_path / "hedgerow.db"
    source = str(Path(hedgerow.__file__).parents[1])
    with subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", APPENDING, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": source},
    ) as process:
        assert process.stdout is not None
        finished = [int(process.stdout.readline()) for _ in range(kill_after)]
        process.send_signal(signal.SIGKILL)
        finished += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    ledger = _load(path)
    assert ledger.events >= finished[-1] >= 2 * kill_after
    assert ledger.events % 2 == 0
    assert ledger == fold(_cycles(1, ledger.events))
    _append_one_more(path, ledger.events)


def _append_one_more(path: Path, count: int) -> None:
    async def append() -> None:
        store = SqliteStore(path)
        await store.append(_cycles(count + 1, count + 1), durable=True)
        await store.close()

    asyncio.run(append())
    assert _load(path).totals.cycles == count + 1


def test_a_durable_append_is_synced_and_another_one_is_not(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "hedgerow.db")

    def synchronous() -> int:
        return int(store._connection.execute("PRAGMA synchronous").fetchone()[0])

    asyncio.run(store.append(_cycles(1, 1), durable=False))
    assert synchronous() == 1
    asyncio.run(store.append(_cycles(2, 2), durable=True))
    assert synchronous() == 2
    asyncio.run(store.snapshot(fold(_cycles(1, 2))))
    assert synchronous() == 1
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    asyncio.run(store.close())


def test_a_second_writer_is_detected_and_nothing_of_its_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    first, second = SqliteStore(path), SqliteStore(path)
    asyncio.run(first.append(_cycles(1, 2), durable=True))
    with pytest.raises(StoreError, match="another process wrote to this event log"):
        asyncio.run(second.append(_cycles(1, 3), durable=True))
    assert asyncio.run(first.events()) == tuple(_cycles(1, 2))
    asyncio.run(first.append(_cycles(3, 3), durable=True))
    asyncio.run(first.close())
    asyncio.run(second.close())


def test_a_reader_beside_the_writer_sees_what_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    writer, reader = SqliteStore(path), SqliteStore(path)
    asyncio.run(writer.append(_cycles(1, 3), durable=False))
    assert asyncio.run(reader.load()) == fold(_cycles(1, 3))
    asyncio.run(writer.append(_cycles(4, 4), durable=False))
    assert asyncio.run(reader.events(after=3)) == tuple(_cycles(4, 4))
    asyncio.run(writer.close())
    asyncio.run(reader.close())


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshot SET payload = x'7b'",
        "UPDATE snapshot SET payload = 3",
        "UPDATE snapshot SET version = 'older'",
        "UPDATE snapshot SET seq = 2",
        "UPDATE snapshot SET seq = 99",
        "DELETE FROM snapshot",
    ],
)
def test_a_snapshot_that_cannot_be_trusted_is_rebuilt_from_the_events(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "hedgerow.db"
    _filled(path, 4, snapshot_of=3)
    _alter(path, damage)
    assert _load(path) == fold(_cycles(1, 4))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE events SET payload = x'7b' WHERE seq = 3", "event 3 cannot be read"),
        ("UPDATE events SET payload = 12 WHERE seq = 3", "event 3 cannot be read"),
        ("UPDATE events SET kind = 'halted' WHERE seq = 2", "event 2 cannot be read: filed as 'halted'"),
        ("DELETE FROM events WHERE seq = 2", "events are missing: number 3 follows 1"),
        ("DELETE FROM events WHERE seq = 1", "events are missing: the first is number 2"),
        ("DROP TABLE events", "no such table: events"),
    ],
)
def test_a_damaged_log_is_refused_in_one_line_that_says_where(tmp_path: Path, damage: str, said: str) -> None:
    path = tmp_path / "hedgerow.db"
    _filled(path, 4)
    _alter(path, damage)
    refusal = _refusal(path, DamagedLog)
    assert said in refusal
    assert str(path) in refusal


def test_a_log_of_a_newer_version_is_refused_naming_both_versions(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    _filled(path)
    _alter(path, f"PRAGMA user_version = {FORMAT_VERSION + 1}")
    assert _refusal(path) == (
        f"{path} was written by a newer Hedgerow: its format is {FORMAT_VERSION + 1}, ours is {FORMAT_VERSION}"
    )


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    _alter(path, "CREATE TABLE events (a)", "INSERT INTO events VALUES (1)")
    before = path.read_bytes()
    assert "a database of something else" in _refusal(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    path.write_bytes(b"this is not a database, whatever its name says\n" * 50)
    assert "file is not a database" in _refusal(path, DamagedLog)


def test_pages_overwritten_with_noise_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    _filled(path, 400)
    content = bytearray(path.read_bytes())
    content[8192:16384] = b"\xa5" * 8192
    path.write_bytes(content)
    assert str(path) in _refusal(path, DamagedLog)


def test_a_path_that_cannot_hold_a_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot open the event log" in _refusal(tmp_path / "file" / "hedgerow.db")
    assert "cannot open the event log" in _refusal(tmp_path)


def test_a_closed_log_takes_no_more_events(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "hedgerow.db")
    asyncio.run(store.close())
    with pytest.raises(StoreError, match="cannot write the event log"):
        asyncio.run(store.append(_cycles(1, 1), durable=True))
    with pytest.raises(StoreError, match="cannot read the event log"):
        asyncio.run(store.load())


def test_a_full_disk_loses_nothing_and_the_log_goes_on_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    store = SqliteStore(path)
    asyncio.run(store.append(_cycles(1, 2), durable=True))
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full"):
        asyncio.run(store.append(_cycles(3, 400), durable=True))
    store._connection.execute("PRAGMA max_page_count = 100000")
    asyncio.run(store.append(_cycles(3, 400), durable=True))
    assert asyncio.run(store.load()) == fold(_cycles(1, 400))
    asyncio.run(store.close())


def test_the_same_events_give_the_same_rows(tmp_path: Path) -> None:
    rows: list[list[tuple[int, str, bytes]]] = []
    for name in ("a.db", "b.db"):
        _filled(tmp_path / name, 6)
        connection = sqlite3.connect(tmp_path / name)
        rows.append(connection.execute("SELECT seq, kind, payload FROM events ORDER BY seq").fetchall())
        connection.close()
    assert rows[0] == rows[1]
    assert len(rows[0]) == 6


def test_a_log_can_be_read_event_by_event_and_a_gap_in_it_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    _filled(path, 4)
    store = SqliteStore(path)
    assert list(store.stream()) == _cycles(1, 4)
    asyncio.run(store.close())
    _alter(path, "DELETE FROM events WHERE seq = 3")
    store = SqliteStore(path)
    with pytest.raises(StoreError, match="events are missing: number 4 follows 2"):
        list(store.stream())
    asyncio.run(store.close())


def test_a_start_does_not_count_the_events_of_a_log_with_a_snapshot(tmp_path: Path) -> None:
    path = tmp_path / "hedgerow.db"
    _filled(path, 4, snapshot_of=4)
    _alter(path, "UPDATE events SET payload = x'7b' WHERE seq = 2")
    assert _load(path) == fold(_cycles(1, 4)), "what the snapshot covers is not read"


# --- a file that another process holds -------------------------------------------------------------------------------


class Held(NamedTuple):
    """A log that another connection holds, as a backup or a database browser does."""

    path: Path
    clock: VirtualClock
    store: SqliteStore
    other: sqlite3.Connection


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    clock, path = VirtualClock(datetime(2026, 1, 5, tzinfo=UTC)), tmp_path / "hedgerow.db"
    store = SqliteStore(path, clock)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield Held(path, clock, store, other)
    store.release()


def test_a_log_that_another_process_holds_is_waited_for_while_other_tasks_go_on(held: Held) -> None:
    path, clock, store, other = held
    ticks: list[float] = []

    async def guard() -> None:
        while clock.monotonic() < 60:
            await clock.sleep(1)
            ticks.append(clock.monotonic())
        other.execute("ROLLBACK")

    async def both() -> None:
        watching = asyncio.ensure_future(guard())
        await store.append(_cycles(1, 2), durable=True)
        await watching

    run_virtual(clock, both())
    assert len(ticks) >= 60
    assert 60 <= clock.monotonic() < 63
    assert _load(path).events == 2


@pytest.mark.parametrize(("seconds", "reports"), [(3, 0), (60, 1)])
def test_a_wait_for_a_held_log_is_reported_once_and_a_short_one_never(held: Held, seconds: float, reports: int) -> None:
    path, clock, store, other = held
    said: list[str] = []
    store.report_to(said.append)

    async def release() -> None:
        await clock.sleep(seconds)
        other.execute("ROLLBACK")

    async def both() -> None:
        releasing = asyncio.ensure_future(release())
        await store.append(_cycles(1, 2), durable=True)
        await releasing

    run_virtual(clock, both())
    assert len(said) == reports
    assert all(text.startswith(f"Another program holds {path}: nothing is sent") for text in said)
    assert _load(path).events == 2


def test_a_log_that_is_never_released_is_unavailable_and_not_damaged(held: Held) -> None:
    path, clock, store, other = held
    with pytest.raises(LogUnavailable, match="locked"):
        run_virtual(clock, store.append(_cycles(1, 1), durable=True))
    assert clock.monotonic() >= 300
    with pytest.raises(LogUnavailable):
        run_virtual(clock, store.snapshot(fold([])))
    other.execute("ROLLBACK")
    run_virtual(clock, store.append(_cycles(1, 1), durable=True))
    assert _load(path).events == 1


def test_appends_that_wait_for_the_file_keep_their_order(held: Held) -> None:
    async def both() -> None:
        first = asyncio.ensure_future(held.store.append(_cycles(1, 1), durable=True))
        second = asyncio.ensure_future(held.store.append(_cycles(2, 3), durable=True))
        await held.clock.sleep(5)
        held.other.execute("ROLLBACK")
        await asyncio.gather(first, second)

    run_virtual(held.clock, both())
    assert asyncio.run(held.store.events()) == tuple(_cycles(1, 3))


def test_a_file_system_without_a_write_ahead_journal_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hedgerow.db"
    connect = sqlite3.connect

    class NoWal(sqlite3.Connection):
        def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
            return super().execute("SELECT 'delete'" if "journal_mode" in sql else sql, *arguments)  # type: ignore[arg-type] # as above

    monkeypatch.setattr(sqlite3, "connect", lambda *a, **options: connect(*a, factory=NoWal, **options))
    with pytest.raises(StoreError, match="keep the home folder on a local disk"):
        SqliteStore(path)
