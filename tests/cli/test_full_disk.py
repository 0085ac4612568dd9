"""A disk without room is no mistake of arguments or configuration: exit code 1, and what to do."""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from hedgerow.cli.main import _is_disk_full
from hedgerow.domain.errors import LogUnavailable, StoreError
from hedgerow.domain.events import CycleCompleted
from hedgerow.store.sqlite import SqliteStore
from support.command_runner import Shell

FULL = Path("/dev/full")
HINT = "free disk space and try again"


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_result_that_finds_no_room_is_a_failure_and_no_wrong_argument(shell: Shell) -> None:
    said = shell("config", "--json", FULL)
    assert said.code == 1
    assert "/dev/full cannot be written: No space left on device" in said.err
    assert HINT in said.err
    assert said.err.count("\n") == 1


def test_a_full_disk_is_recognised_by_what_sqlite_says(tmp_path: Path) -> None:
    """What ``hedgerow run`` ends with: the hint depends on the cause that is kept with the error."""
    store = SqliteStore(tmp_path / "hedgerow.db")
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    cycles = [CycleCompleted(at=datetime(2026, 11, 29, tzinfo=UTC), number=number) for number in range(1, 400)]
    with pytest.raises(LogUnavailable) as refused:
        asyncio.run(store.append(cycles, durable=True))
    asyncio.run(store.close())
    assert _is_disk_full(refused.value)


def test_an_error_of_input_on_a_disk_without_room_is_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hedgerow.db").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=4096))
    with pytest.raises(LogUnavailable, match="no space is left on its disk: free some and try again"):
        SqliteStore(tmp_path / "hedgerow.db")
    monkeypatch.undo()
    with pytest.raises(StoreError) as refused:
        SqliteStore(tmp_path / "hedgerow.db")
    assert "no space" not in str(refused.value)
