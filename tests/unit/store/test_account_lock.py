"""One bot per account, for as long as its process lives."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import hedgerow
from hedgerow.domain.errors import AccountBusy, ConfigError
from hedgerow.store.account_lock import AccountLock, LogLock, default_lock_folder

ACCOUNT = "0xAbC0000000000000000000000000000000000001"
HOLDING = """
import sys
from pathlib import Path
from hedgerow.store.account_lock import AccountLock
with AccountLock(sys.argv[1], Path(sys.argv[2])):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", HOLDING, ACCOUNT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(hedgerow.__file__).parents[1])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    with _holder(tmp_path) as process:
        with pytest.raises(ConfigError) as refused, AccountLock(ACCOUNT, tmp_path):
            pass
        assert f"process {process.pid} already trades this account" in str(refused.value)
        assert "\n" not in str(refused.value)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with AccountLock(ACCOUNT, tmp_path) as lock:
            assert lock.path.read_text() == str(os.getpid())


def test_a_second_lock_of_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with (
        AccountLock(ACCOUNT, tmp_path),
        pytest.raises(ConfigError, match=f"process {os.getpid()} already trades"),
        AccountLock(ACCOUNT.upper().replace("X", "x"), tmp_path),
    ):
        pass


def test_leaving_releases_the_account_and_entering_again_is_allowed(tmp_path: Path) -> None:
    lock = AccountLock(ACCOUNT, tmp_path)
    with lock:
        pass
    with lock, pytest.raises(ConfigError), AccountLock(ACCOUNT, tmp_path):
        pass


def test_other_accounts_do_not_disturb_each_other(tmp_path: Path) -> None:
    with AccountLock(ACCOUNT, tmp_path) as first, AccountLock("other", tmp_path) as second:
        assert first.path != second.path


def test_neither_name_nor_content_of_the_lock_reveals_the_account(tmp_path: Path) -> None:
    with AccountLock("secret-key", tmp_path) as lock:
        assert "secret" not in str(lock.path.relative_to(tmp_path))
        assert "secret" not in lock.path.read_text()
        assert lock.path.stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigError, match=r"cannot lock the account: .*Not a directory"),
        AccountLock(ACCOUNT, tmp_path / "file" / "locks"),
    ):
        pass


@pytest.mark.parametrize(
    ("state", "expected"), [("/somewhere", "/somewhere/hedgerow/locks"), ("", "/home/me/.local/state/hedgerow/locks")]
)
def test_locks_live_in_the_users_own_state_folder(monkeypatch: pytest.MonkeyPatch, state: str, expected: str) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", state)
    monkeypatch.setenv("HOME", "/home/me")
    assert default_lock_folder() == Path(expected)


def test_a_log_is_held_by_one_process_whatever_its_lock_folder_is(tmp_path: Path) -> None:
    events = tmp_path / "hedgerow-paper.db"
    with AccountLock(ACCOUNT, tmp_path / "one"), LogLock(events):
        with AccountLock(ACCOUNT, tmp_path / "two"), pytest.raises(AccountBusy) as refused, LogLock(events):
            pass
        assert f"process {os.getpid()} already trades with this event log" in str(refused.value)
        assert not events.exists()
    with LogLock(events) as lock:
        assert lock.path == tmp_path / "hedgerow-paper.db.lock"
