"""Atomic replacement of files."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hedgerow.durability import sync_folder

__all__ = ["PRIVATE", "replace_file"]

PRIVATE: Final = 0o600
"""Access rights of a file that its owner alone can read or write."""


def replace_file(path: Path, content: bytes, *, durable: bool = True, mode: int | None = None) -> None:
    """Replace a file; ``durable`` returns only once the new one would survive a power cut.

    It has the access rights ``mode`` from the beginning; None = those of any new file.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.tmp")
    if mode is not None:
        draft.unlink(missing_ok=True)  # the mode of one that is there already would stay
    with open(draft, "wb", opener=None if mode is None else _opener(mode)) as file:
        file.write(content)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    draft.replace(path)
    if durable:
        sync_folder(path.parent)


def _opener(mode: int) -> Callable[[str, int], int]:
    def opened(path: str, flags: int) -> int:
        handle = os.open(path, flags | os.O_EXCL, mode)
        os.fchmod(handle, mode)  # the process may mask rights that are wanted
        return handle

    return opened
