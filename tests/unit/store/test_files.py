"""Files replaced as a whole."""

import os
from pathlib import Path

import pytest

from hedgerow.store.files import replace_file


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what is synced to the disk, and in which order files are renamed."""
    acts: list[str] = []
    sync, rename = os.fsync, Path.replace

    def fsync(handle: int) -> None:
        acts.append("sync")
        sync(handle)

    def replace(self: Path, target: Path) -> Path:
        acts.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    return acts


def test_a_durable_file_is_on_the_disk_before_it_takes_the_place_of_the_old_one(
    tmp_path: Path, synced: list[str]
) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert synced == ["sync", "rename", "sync"], "the file, its name, the folder that holds the name"


def test_a_file_that_can_be_rebuilt_is_not_waited_for(tmp_path: Path, synced: list[str]) -> None:
    replace_file(tmp_path / "state.json", b"new", durable=False)
    assert synced == ["rename"]


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_a_file_has_its_access_rights_before_it_takes_the_place_of_the_old_one(
    tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rename, seen = tmp_path / "config.json", Path.replace, list[int]()

    def replace(self: Path, target: Path) -> Path:
        seen.append(self.stat().st_mode & 0o777)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    replace_file(path, b"new", mode=mode)
    assert seen == [path.stat().st_mode & 0o777] == [mode]
