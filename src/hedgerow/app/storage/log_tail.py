"""The newest lines of the log file of a bot, for screens."""

import os
from pathlib import Path
from typing import Final

__all__ = ["LogTail", "newest_lines"]

TAIL_BYTES: Final = 32_768


def newest_lines(path: Path, most: int) -> tuple[str, ...]:
    """Return the newest whole lines of a file, oldest first; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return tuple(lines[1:] if size > TAIL_BYTES else lines)[-most:]


class LogTail:
    """The newest lines of a file that another thread writes, whenever they have changed."""

    MOST_LINES: Final = 120

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = (0, 0)

    def changed(self) -> bytes | None:
        """Return the lines as a text; None where nothing was written since the last call."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        if (found.st_ino, found.st_size) == self._known:
            return None
        self._known = (found.st_ino, found.st_size)
        return "\n".join(newest_lines(self._path, self.MOST_LINES)).encode()
