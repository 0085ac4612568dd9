"""Killed, hanging, stopped in order and never started are four different things."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import gethostname

import msgspec
import pytest

from hedgerow.app.heartbeat import Beat, process_of
from hedgerow.dashboard.bot_state import ProcessState

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def beaten(folder: Path, *, pid: int, seconds_ago: float = 1.0, host: str | None = None) -> Path:
    path = folder / "heartbeat"
    beat = Beat(pid=pid, number=1, host=gethostname() if host is None else host)
    path.write_bytes(msgspec.json.encode(beat))
    at = (NOW - timedelta(seconds=seconds_ago)).timestamp()
    os.utime(path, (at, at))
    return path


@pytest.fixture(scope="module")
def dead() -> int:
    """Return the number of a process that is gone."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_process_that_beats_runs(tmp_path: Path) -> None:
    found = process_of(beaten(tmp_path, pid=os.getpid()), NOW, ran=True)
    assert (found.state, found.pid) == (ProcessState.RUNNING, os.getpid())
    assert found.last_beat == NOW - timedelta(seconds=1)


def test_a_process_that_is_gone_is_known_before_its_heartbeat_is_old(tmp_path: Path, dead: int) -> None:
    assert process_of(beaten(tmp_path, pid=dead), NOW, ran=True).state is ProcessState.GONE


def test_a_process_that_is_there_and_does_not_beat_is_silent(tmp_path: Path) -> None:
    path = beaten(tmp_path, pid=os.getpid(), seconds_ago=16)
    assert process_of(path, NOW, ran=True).state is ProcessState.SILENT


def test_a_process_of_another_machine_is_judged_by_its_age_alone(tmp_path: Path, dead: int) -> None:
    path = beaten(tmp_path, pid=dead, host="elsewhere")
    assert process_of(path, NOW, ran=True).state is ProcessState.RUNNING
    path = beaten(tmp_path, pid=dead, host="elsewhere", seconds_ago=16)
    assert process_of(path, NOW, ran=True).state is ProcessState.SILENT


def test_without_a_heartbeat_it_was_stopped_or_never_started(tmp_path: Path) -> None:
    assert process_of(tmp_path / "heartbeat", NOW, ran=True).state is ProcessState.STOPPED
    assert process_of(tmp_path / "heartbeat", NOW, ran=False).state is ProcessState.NEVER


def test_a_torn_heartbeat_is_judged_by_its_age(tmp_path: Path) -> None:
    path = beaten(tmp_path, pid=1)
    path.write_bytes(b"{")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    found = process_of(path, NOW, ran=True)
    assert (found.state, found.pid) == (ProcessState.RUNNING, None)


def test_a_process_of_another_user_is_there(tmp_path: Path) -> None:
    assert process_of(beaten(tmp_path, pid=1), NOW, ran=True).state is ProcessState.RUNNING


def test_a_heartbeat_of_the_future_hides_no_process_that_hangs(tmp_path: Path) -> None:
    path = beaten(tmp_path, pid=os.getpid(), seconds_ago=-3600)
    assert process_of(path, NOW, ran=True).state is ProcessState.SILENT


def test_a_pipe_in_place_of_the_heartbeat_makes_nobody_wait(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    os.mkfifo(path)
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    found = process_of(path, NOW, ran=True)
    assert (found.state, found.pid) == (ProcessState.RUNNING, None)
