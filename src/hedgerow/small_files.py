"""Reads files that people name or that other processes write: only regular ones, and never more than is allowed."""

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path

__all__ = ["read_small_file"]


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
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        if found.st_size > largest:
            raise OSError(errno.EFBIG, f"it is larger than {largest:,} bytes", str(path))
        if owners is not None and found.st_uid not in owners:
            raise ValueError(f"it belongs to another user (uid {found.st_uid})")
        if owners is not None and found.st_mode & 0o022:
            raise ValueError("other users can change it")
        return file.read(largest)
