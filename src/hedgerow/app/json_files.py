"""Values stored as JSON files, each replaced atomically."""

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from hedgerow.domain.errors import StoreError
from hedgerow.store.files import replace_file

__all__ = ["keep", "kept"]

Kept = TypeVar("Kept")


def keep(path: Path, content: Struct) -> None:
    """Replace a file as a whole, synced to disk.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        replace_file(path, msgspec.json.encode(content))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def kept(path: Path, kind: type[Kept], name: str) -> Kept | None:
    """Return what a file holds; None when it is not there. ``name`` is what it should be, for messages.

    Raises:
        StoreError: it cannot be read, or holds something else.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError(
            f"{path} is not {name} of this version: {error}; move it away to start with a new one"
        ) from error
