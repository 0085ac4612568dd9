"""Keeps who may come into a dashboard: one file that only its owner can read, changed under a lock."""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from hedgerow.domain.errors import StoreError
from hedgerow.small_files import read_small_file
from hedgerow.store.files import PRIVATE, replace_file
from hedgerow.web.access import AccessState

__all__ = ["AccessFile"]

LARGEST_BYTES: Final = 262_144
_READER: Final = msgspec.json.Decoder(AccessState)
Result = TypeVar("Result")


class AccessFile:
    """The access state in a file (0600); several processes may change it.

    A file that cannot be read, that another user owns or that others can change admits no session.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: tuple[tuple[int, int, int], AccessState] | None = None

    def read(self) -> AccessState:
        """Return the present state; an empty one where there is no file, or none that may be trusted."""
        try:
            stamp = self._stamp()
            if self._known is not None and self._known[0] == stamp:
                return self._known[1]
            state = self._decoded()
        except (OSError, ValueError):
            return AccessState()
        self._known = (stamp, state)
        return state

    def change(self, change: Callable[[AccessState], tuple[AccessState, Result]]) -> Result:
        """Replace the state by what ``change`` makes of it.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            with self._locked():
                state, result = change(self.read())
                replace_file(self._path, msgspec.json.encode(state), mode=PRIVATE)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror or error}") from error
        return result

    def _stamp(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _decoded(self) -> AccessState:
        return _READER.decode(read_small_file(self._path, largest=LARGEST_BYTES, owners={os.geteuid()}))

    @contextmanager
    def _locked(self) -> Generator[None]:
        handle = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
