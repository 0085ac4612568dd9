"""Atomic replacement of files."""

import os
import stat
from collections.abc import Collection
from pathlib import Path

from hedgerow.durability import sync_folder

__all__ = ["read_small_file", "replace_file"]


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


def replace_file(
    path: Path, content: bytes, *, durable: bool = True, private: bool = False, mode: int | None = None
) -> None:
    """Replace a file; ``durable`` returns only once the new one would survive a power cut.

    Only its owner can read or write a ``private`` one. With ``mode`` it has those access rights from the beginning.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.tmp")
    if private:
        draft.unlink(missing_ok=True)  # the mode of one that is there already would stay
    with open(draft, "wb", opener=_private if private else None) as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    draft.replace(path)
    if durable:
        sync_folder(path.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)
