"""A log is read without writing anything to its folder, from a read-only file system too, and while a bot writes."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hedgerow.domain.errors import NewerLog, StoreError
from hedgerow.domain.events import CycleCompleted
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.store.sqlite import SqliteStore
from hedgerow.store.sqlite_reader import SqliteReader

AT = datetime(2026, 1, 5, tzinfo=UTC)
READING = """
import asyncio, sys
from pathlib import Path
from hedgerow.store.sqlite_reader import SqliteReader
print(asyncio.run(SqliteReader(Path(sys.argv[1])).load()).events)
"""


def cycles(first: int, last: int) -> list[CycleCompleted]:
    return [CycleCompleted(at=AT + timedelta(seconds=n), number=n) for n in range(first, last + 1)]


def written(path: Path, count: int) -> SqliteStore:
    """Write a log and leave it open."""
    store = SqliteStore(path)
    asyncio.run(store.append(cycles(1, count), durable=True))
    return store


def read(path: Path) -> Ledger:
    async def load() -> Ledger:
        reader = SqliteReader(path)
        try:
            ledger = await reader.load()
            assert fold(reader.stream()) == fold(await reader.events()) == ledger
            return ledger
        finally:
            await reader.close()
            await reader.close()

    return asyncio.run(load())


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and times of everything that a reader could change; ``-shm`` is what readers share."""
    return {
        each.name: (each.read_bytes(), each.stat().st_mtime_ns)
        for each in folder.iterdir()
        if not each.name.endswith("-shm")
    }


def test_a_closed_log_is_read_and_no_file_appears_beside_it(tmp_path: Path) -> None:
    asyncio.run(written(tmp_path / "log.db", 5).close())
    before = contents(tmp_path)
    assert read(tmp_path / "log.db") == fold(cycles(1, 5))
    assert contents(tmp_path) == before
    assert [each.name for each in tmp_path.iterdir()] == ["log.db"]


def test_what_a_bot_has_just_written_is_read_while_it_writes_on(tmp_path: Path) -> None:
    store = written(tmp_path / "log.db", 5)
    before = contents(tmp_path)
    assert read(tmp_path / "log.db").totals.cycles == 5
    assert contents(tmp_path) == before
    asyncio.run(store.append(cycles(6, 7), durable=True))
    assert read(tmp_path / "log.db").totals.cycles == 7
    asyncio.run(store.close())


def test_a_copy_without_the_file_that_readers_share_loses_no_event(tmp_path: Path) -> None:
    store = written(tmp_path / "log.db", 5)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("log.db", "log.db-wal"):
        shutil.copyfile(tmp_path / name, copy / name)
    asyncio.run(store.close())
    before = contents(copy)
    assert read(copy / "log.db").totals.cycles == 5
    assert contents(copy) == before
    assert sorted(each.name for each in copy.iterdir()) == ["log.db", "log.db-wal"]


@pytest.mark.parametrize("is_open", [True, False], ids=["a bot has it open", "no bot runs"])
def test_a_log_on_a_read_only_file_system_is_read(tmp_path: Path, *, is_open: bool) -> None:
    home = tmp_path / "home"
    store = written(home / "log.db", 5)
    if not is_open:
        asyncio.run(store.close())
    script = f'mount --bind -o ro {home} {home} && mount -o remount,ro,bind {home} && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", script, "sh"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:  # noqa: S603 - our own script
        pytest.skip("this system lets no user mount a folder read-only")
    probe = [sys.executable, "-c", READING, str(home / "log.db")]
    said = subprocess.run([*command, *probe], capture_output=True, text=True, check=False)  # noqa: S603 - our own script
    assert (said.stdout.strip(), said.returncode) == ("5", 0), said.stderr
    if is_open:
        asyncio.run(store.close())


def test_an_empty_file_is_an_empty_log(tmp_path: Path) -> None:
    (tmp_path / "log.db").touch()
    assert read(tmp_path / "log.db") == Ledger()


def test_files_of_something_else_and_of_newer_versions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_bytes(b"x" * 4096)
    with pytest.raises(StoreError, match="cannot open"):
        SqliteReader(tmp_path / "text.db")
    with pytest.raises(StoreError, match="cannot open"):
        SqliteReader(tmp_path / "missing.db")
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE things (name)")
    other.close()
    with pytest.raises(StoreError, match="something else"):
        SqliteReader(tmp_path / "other.db")
    asyncio.run(written(tmp_path / "log.db", 1).close())
    newer = sqlite3.connect(tmp_path / "log.db")
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    with pytest.raises(NewerLog):
        SqliteReader(tmp_path / "log.db")
