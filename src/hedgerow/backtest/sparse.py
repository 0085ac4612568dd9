"""Arrays of which only the used part takes memory."""

from math import prod
from mmap import mmap
from typing import Any

import numpy as np

__all__ = ["sparse_zeros"]


def sparse_zeros(kind: Any, *shape: int) -> Any:
    """Return an array of zeros whose elements may be touched here and there.

    For a large array numpy asks for pages of 2 MB, and the first touch of one fills all of it with zeros.
    """
    count = prod(shape)
    size = max(1, count) * np.dtype(kind).itemsize
    return np.frombuffer(mmap(-1, size), dtype=kind, count=count).reshape(shape)
