"""Atomic replacement of files."""

import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from hedgerow.durability import sync_folder

__all__ = ["PRIVATE", "read_small_file", "replace_file"]

PRIVATE: Final = 0o600
"""Access rights of a file that its owner alone can read or write."""


def read_small_file(path: Path, *, largest: int, owners: Collection[int] | None = None) -> bytes:
    """Return the content of a file of at most ``largest`` bytes; never waits, whatever stands at ``path``.

    With ``owners`` (user ids) a link is refused, and a file that another user owns or can change.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger.
        ValueError: another user owns it or can change it.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(path, flags if owners is None else flags | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is no regular file")
        if found.st_size > largest:
            raise OSError(f"{path} is larger than {largest} bytes")
        if owners is not None and found.st_uid not in owners:
            raise ValueError(f"it belongs to another user (uid {found.st_uid})")
        if owners is not None and found.st_mode & 0o022:
            raise ValueError("other users can change it")
        return file.read(largest)


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
