"""What makes a change of a folder survive a power cut: a file that is synced itself may still lose its name."""

import os
from pathlib import Path

__all__ = ["sync_folder"]


def sync_folder(folder: Path) -> None:
    """Return once the names in a folder, new ones and replaced ones, are on the disk.

    Raises:
        OSError: they cannot be written.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
