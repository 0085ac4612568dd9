"""Files replaced as a whole: a reader, or a crash at any moment, sees the old one or the new one."""

import os
from pathlib import Path

__all__ = ["replace_file"]


def replace_file(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file; ``durable`` returns only once the new one would survive a power cut.

    Raises:
        OSError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    draft.replace(path)
