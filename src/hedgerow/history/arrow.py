"""pyarrow, which only commands that read or write market history need: the extra ``research``."""

import os
from pathlib import Path
from types import ModuleType
from typing import Any

from hedgerow.domain.errors import HistoryError
from hedgerow.durability import sync_folder

__all__ = ["load_arrow", "put_in_place", "read_whole", "write_whole"]


def load_arrow() -> tuple[ModuleType, ModuleType]:
    """Return ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        HistoryError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - heavy, and an extra
        from pyarrow import parquet  # noqa: PLC0415 - as above
    except ImportError as error:
        raise HistoryError(
            "market history needs pyarrow, which is not installed: pip install '.[research]' in the checkout"
        ) from error
    return pa, parquet


def read_whole(path: Path, **options: Any) -> Any:
    """Return a table.

    Raises:
        HistoryError: the file cannot be read, or is no whole Parquet file.
    """
    _, parquet = load_arrow()
    try:
        return parquet.read_table(path, **options)
    except (OSError, ValueError) as error:
        raise HistoryError(f"{path}: not a readable Parquet file ({' '.join(str(error).split())})") from error


def write_whole(path: Path, table: Any) -> None:
    """Write a table so that the file is there as a whole or not at all, also after a power cut.

    Raises:
        OSError: it cannot be written.
    """
    _, parquet = load_arrow()
    draft = path.with_name(f".{path.name}.tmp")
    parquet.write_table(table, draft)
    put_in_place(draft, path)


def put_in_place(draft: Path, path: Path) -> None:
    """Let a draft that is written take the place of a file.

    Raises:
        OSError: it cannot be.
    """
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)
