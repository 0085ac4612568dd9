"""The results of a search on disk: a header that says which search it is, then records of fixed size in order.

A record is complete or it is not there: after a kill in the middle of a write the file is cut to the last whole,
undamaged record, and the search goes on from it. What is read back is mapped, so that memory does not grow with it.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, cast

import numpy as np

from hedgerow.backtest.search.scoring import RECORD, Records, unsealed
from hedgerow.domain.errors import ConfigError

__all__ = ["ResultsFile"]

HEADER: Final = 65_536
"""Bytes before the first record."""
CHECKED: Final = 1 << 22
"""Bytes read at a time."""


class ResultsFile:
    """A results file that is open for one search; a context manager."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        """Open or create the file of the search that ``about`` describes.

        Raises:
            ConfigError: it cannot be written, another process writes it, or it is that of another search.
        """
        self.path = path
        try:
            self._file = path.open("r+b" if path.exists() else "w+b")
        except OSError as error:
            raise ConfigError(f"--results {path} cannot be written: {error.strerror or error}") from error
        try:
            self._claim()
            self.count = self._resumed(about)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, sealed: bytes) -> None:
        """Add records; they are on the disk when this returns."""
        self._file.write(sealed)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.count += len(sealed) // RECORD.itemsize

    def records(self) -> Records:
        """Return everything so far, mapped."""
        if not self.count:
            return np.zeros(0, dtype=RECORD)
        return np.memmap(self.path, dtype=RECORD, mode="r", offset=HEADER, shape=(self.count,))

    def _claim(self) -> None:
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"--results {self.path}: another process writes this file") from error

    def _resumed(self, about: Mapping[str, Any]) -> int:
        """Return how many records there are, and be ready to add more."""
        text = json.dumps(about, sort_keys=True, default=str)
        header = text.encode().ljust(HEADER - 1) + b"\n"
        if len(header) > HEADER:
            raise ConfigError(f"--grid: its description has {len(text):,} bytes; allowed are {HEADER - 1:,}")
        self._file.seek(0)
        found = self._file.read(HEADER)
        if found and not header.startswith(found) and found != header:
            raise ConfigError(f"--results {self.path}: {_difference(found, about)}; delete it or name another file")
        if found != header:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(header)
            return 0
        count = 0
        while content := self._file.read(CHECKED // RECORD.itemsize * RECORD.itemsize):
            whole = len(unsealed(content))
            count += whole
            if whole * RECORD.itemsize < len(content):
                break
        self._file.seek(HEADER + count * RECORD.itemsize)
        self._file.truncate()
        return count


def _difference(header: bytes, about: Mapping[str, Any]) -> str:
    """Return what is different about the search that wrote a file."""
    try:
        before: Any = json.loads(header)
    except ValueError:
        before = None
    if not isinstance(before, dict):
        return "is no results file"
    then = cast("dict[str, object]", before)
    now: dict[str, object] = json.loads(json.dumps(about, sort_keys=True, default=str))
    names = sorted(key for key in {*then, *now} if then.get(key) != now.get(key))
    return f"holds results of another search (different: {', '.join(names)})"
