"""``hedgerow backup``: what a copy of the log holds, and what is refused."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hedgerow.domain.events import CycleCompleted
from hedgerow.store.sqlite import SqliteStore
from support.command_runner import EAGER, Shell, write_config

LOG = "hedgerow-paper.db"
MANY = 300
AT = datetime(2026, 11, 29, tzinfo=UTC)


def events_in(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as log:
        return int(log.execute("SELECT count(*) FROM events").fetchone()[0])


@pytest.fixture
def running(place: Path) -> Iterator[SqliteStore]:
    """A log that a process has open, whose newest events are in its write-ahead file."""
    store = SqliteStore(place / LOG)
    cycles = [CycleCompleted(at=AT, number=number) for number in range(1, MANY + 1)]
    asyncio.run(store.append(cycles, durable=True))
    yield store
    asyncio.run(store.close())


def test_a_copy_of_the_main_file_alone_loses_events_and_a_backup_does_not(
    running: SqliteStore, shell: Shell, place: Path
) -> None:
    shutil.copyfile(place / LOG, place / "plain.db")
    assert events_in(place / "plain.db") == 0
    said = shell("backup", place / "safe.db", "--paper")
    assert (said.code, said.out) == (0, f"{LOG}: {MANY} events copied to {place / 'safe.db'}\n")
    assert events_in(place / "safe.db") == MANY
    assert (place / "safe.db").stat().st_mode & 0o777 == 0o600
    assert list(place.glob("safe.db-*")) == [], "all of it is in one file"
    asyncio.run(running.append([CycleCompleted(at=AT, number=MANY + 1)], durable=True))


def test_a_bot_goes_on_from_a_backup(shell: Shell, place: Path) -> None:
    write_config(place / "config_volume_farming_strategy.json", EAGER)
    assert shell("run", "--paper", "--once").code == 0
    before = shell("status", "--paper", "--json", "-").document["position"]
    assert before is not None
    assert shell("backup", "safe.db", "--paper").code == 0
    for path in place.glob(f"{LOG}*"):
        path.unlink()
    shutil.copyfile("safe.db", LOG)
    said = shell("run", "--paper", "--once")
    assert said.code == 0
    assert f"Position {before['symbol']} confirmed on exchange" in said.out
    assert shell("books", "--paper").code == 0


def test_a_position_opened_after_the_backup_halts_openings_until_a_person_resumes(shell: Shell, place: Path) -> None:
    write_config(place / "config_volume_farming_strategy.json", {"funding_rate_strategy": {"min_funding_apr": 9000}})
    assert shell("run", "--paper", "--once").code == 0
    assert shell("backup", "safe.db", "--paper").code == 0
    write_config(place / "config_volume_farming_strategy.json", EAGER)
    assert shell("run", "--paper", "--once").code == 0
    symbol = shell("status", "--paper", "--json", "-").document["position"]["symbol"]
    for path in place.glob(f"{LOG}*"):
        path.unlink()
    shutil.copyfile("safe.db", LOG)
    said = shell("run", "--paper", "--once")
    assert said.code == 3
    assert "OPENINGS HALTED: another bot trades on this account" in said.out
    assert shell("resume", "--paper").code == 0
    assert shell("run", "--paper", "--once").code == 0
    assert shell("status", "--paper", "--json", "-").document["position"]["symbol"] == symbol


def test_a_backup_overwrites_nothing(running: SqliteStore, shell: Shell, place: Path) -> None:
    del running
    (place / "safe.db").write_text("mine")
    assert shell.refused("backup", "safe.db", "--paper") == "safe.db cannot be written: File exists"
    assert (place / "safe.db").read_text() == "mine"


def test_a_home_in_which_nothing_has_run_has_no_backup(shell: Shell, place: Path) -> None:
    assert shell.refused("backup", "safe.db") == "hedgerow.db is not there: nothing has run in this home"
    assert not (place / "safe.db").exists()


def test_a_backup_into_a_folder_that_is_not_there_is_refused(running: SqliteStore, shell: Shell) -> None:
    del running
    line = shell.refused("backup", "nowhere/safe.db", "--paper")
    assert line == "nowhere/safe.db cannot be written: No such file or directory"


def test_a_damaged_log_is_not_copied(running: SqliteStore, shell: Shell, place: Path) -> None:
    asyncio.run(running.close())
    content = bytearray((place / LOG).read_bytes())
    content[8192:12288] = b"\xa5" * 4096
    (place / LOG).write_bytes(content)
    line = shell.refused("backup", "safe.db", "--paper")
    assert "restore a backup" in line
    assert not (place / "safe.db").exists()
