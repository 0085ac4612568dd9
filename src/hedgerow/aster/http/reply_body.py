"""Reads the body of an HTTP reply up to a limit of unpacked bytes."""

import zlib
from collections.abc import AsyncIterable
from typing import Final

from hedgerow.domain.errors import OutcomeUnknown
from hedgerow.ports import LARGEST_REPLY

__all__ = ["ACCEPTED_ENCODINGS", "read_body"]

ACCEPTED_ENCODINGS: Final = "gzip, deflate"
_PACKED = {"gzip", "x-gzip", "deflate"}
_WINDOW_BITS = 47
"""zlib's way to say: gzip or zlib, whichever the header shows."""


async def read_body(chunks: AsyncIterable[bytes], encoding: str) -> bytes:
    """Return the whole body; ``encoding`` is the answer's Content-Encoding, empty for none.

    Raises:
        OutcomeUnknown: it is larger than ``LARGEST_REPLY``, packed in an unknown way, or not whole.
    """
    packed = encoding.strip().lower()
    if packed in {"", "identity"}:
        return await _plain(chunks)
    if packed not in _PACKED:
        raise OutcomeUnknown(f"the exchange packed its answer as {encoding[:20]!r}, which cannot be read")
    return await _unpacked(chunks)


async def _plain(chunks: AsyncIterable[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        _check(len(body))
    return bytes(body)


async def _unpacked(chunks: AsyncIterable[bytes]) -> bytes:
    body, unpacker = bytearray(), zlib.decompressobj(_WINDOW_BITS)
    try:
        async for chunk in chunks:
            body += unpacker.decompress(chunk, LARGEST_REPLY + 1 - len(body))
            _check(len(body))
    except zlib.error as error:
        raise OutcomeUnknown("the exchange's answer cannot be unpacked") from error
    if body and not unpacker.eof:
        raise OutcomeUnknown("the exchange's answer ends before its end")
    return bytes(body)


def _check(size: int) -> None:
    if size > LARGEST_REPLY:
        raise OutcomeUnknown(f"the exchange's answer is larger than {LARGEST_REPLY // 2**20} MiB")
