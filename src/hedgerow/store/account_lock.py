"""One bot per account, one per event log, one writer per folder: locks that the kernel releases with their process."""

import fcntl
import os
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from hedgerow.domain.errors import AccountBusy, ConfigError

__all__ = ["AccountLock", "CompanionLock", "FolderLock", "LogLock", "default_lock_folder"]


class _FileLock:
    """Holds a file for one process."""

    subject = "the account"

    def __init__(self, path: Path, use: str) -> None:
        """``use`` says what only one process may do, after its name: "process 7 <use>"."""
        self._path = path
        self._use = use
        self._handle: int | None = None

    @property
    def path(self) -> Path:
        """The file that is locked."""
        return self._path

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot lock {self.subject}: {self._path}: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(handle)
            os.close(handle)
            raise AccountBusy(f"{holder} {self._use} ({self._path})") from error
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)  # the file stays: removing it would let two processes lock two files of one name
            self._handle = None


class AccountLock(_FileLock):
    """Hold the sole right to trade ``account`` while the context is entered.

    ``account`` is an address or an API key; only its hash is ever written. ``folder`` defaults to a folder of the
    user's own, so that two homes cannot trade one account.

    Raises:
        AccountBusy: on entering, when another process holds the account.
        ConfigError: on entering, when the folder cannot be used.
    """

    def __init__(self, account: str, folder: Path | None = None) -> None:
        digest = sha256(account.strip().lower().encode()).hexdigest()[:32]
        path = (folder or default_lock_folder()) / f"{digest}.lock"
        super().__init__(path, "already trades this account: stop it first, or use another account")


class LogLock(_FileLock):
    """Hold the sole right to write the event log ``events``, whichever user or lock folder its other users have.

    The lock is a file beside the log: a second descriptor of the log itself would end SQLite's own locks when it is
    closed.

    Raises:
        AccountBusy: on entering, when another process has the log open for trading.
        ConfigError: on entering, when the file beside it cannot be used.
    """

    def __init__(self, events: Path) -> None:
        super().__init__(events.with_name(f"{events.name}.lock"), "already trades with this event log: stop it first")


class CompanionLock(_FileLock):
    """Hold the sole right to send the alerts of one bot: two companions would send each of them twice.

    Raises:
        AccountBusy: on entering, when another process sends them.
        ConfigError: on entering, when the file beside the state cannot be used.
    """

    subject = "the alerts"

    def __init__(self, state: Path) -> None:
        super().__init__(state.with_name(f"{state.name}.lock"), "already sends the alerts of this bot: stop it first")


class FolderLock(_FileLock):
    """Hold the sole right to write market history to a folder, which must be there.

    Raises:
        AccountBusy: on entering, when another process writes to it.
        ConfigError: on entering, when the lock in it cannot be used.
    """

    subject = "the folder"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / ".lock", "already writes to this folder: stop it first")


def default_lock_folder() -> Path:
    """Return the folder for locks under ``XDG_STATE_HOME``, or ``~/.local/state`` without it."""
    state = os.environ.get("XDG_STATE_HOME")
    base = Path(state) if state else Path.home() / ".local" / "state"
    return base / "hedgerow" / "locks"


def _holder(handle: int) -> str:
    pid = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
    return f"process {pid}" if pid.isdigit() else "another process"
