"""Rewrites replies and stream messages, bytes to bytes.

``rewrites_of`` enumerates every field of a decoded reply with every mutation that changes it, for a test to play each.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from hedgerow.emulator.wire.rest.mutations import (
    ABSENT,
    BODY_MUTATIONS,
    FIELD_MUTATIONS,
    NUMBER,
    Mutation,
    Rewrite,
    applies,
    mutated,
    others_of,
)
from hedgerow.ports import HttpResponse

__all__ = ["mentions", "rewrite_body", "rewrite_message", "rewrite_response", "rewrites_of", "without_newest"]

EACH = "*"
IDENTITIES = ("symbol", "s", "asset", "a")
"""Fields that say which symbol or asset a row is about; ``a`` is an asset in balances, and a price elsewhere."""
TIMES = ("time", "fundingTime", "transactTime")
PAGE = b"<html><head><title>Access</title></head><body><h1>This page is not what was asked for</h1></body></html>"
CHUNK = bytes(b" " * 2**20)
GZIP_WINDOW_BITS = 31


def rewrites_of(reply: Any, symbols: Iterable[str] = ("",)) -> Iterator[Rewrite]:
    """Yield every rewrite that changes a decoded reply: each field with each mutation, then those of the whole body.

    All rows of a list count as one. Fields of rows are yielded for each symbol that has such rows, the others once.
    """
    yield from (each for each in _rewrites(reply, "") if EACH not in each.field.split("."))
    for symbol in symbols:
        yield from (each for each in _rewrites(reply, symbol) if EACH in each.field.split("."))
    yield from (Rewrite(mutation=mutation) for mutation in sorted(BODY_MUTATIONS))


def rewrite_response(response: HttpResponse, rewrite: Rewrite) -> HttpResponse:
    """Return a response with a rewritten body, and the headers that belong to it."""
    headers = dict(response.headers)
    if rewrite.mutation is Mutation.WEB_PAGE:
        headers["content-type"] = "text/html"
    if rewrite.mutation is Mutation.GZIP_BOMB:
        headers["content-encoding"] = "gzip"
        return HttpResponse(status=response.status, headers=headers, body=_packed(response.body, rewrite.size))
    return HttpResponse(status=response.status, headers=headers, body=rewrite_body(response.body, rewrite))


def rewrite_body(body: bytes, rewrite: Rewrite) -> bytes:
    """Return a JSON body with one mutation; a body that is not JSON is changed as a whole or not at all."""
    match rewrite.mutation:
        case Mutation.TRUNCATED:
            return body[: len(body) // 2]
        case Mutation.PADDED | Mutation.GZIP_BOMB:
            return body + b" " * rewrite.size
        case Mutation.WEB_PAGE:
            return PAGE
        case Mutation.INVALID_UTF8 if not rewrite.field:
            return body.replace(b'"', b'"\xff\xfe', 1) if b'"' in body else b"\xff\xfe" + body
        case _:
            try:
                reply = json.loads(body)
            except ValueError:
                return body
            return _encoded(_rewritten(reply, rewrite))


def rewrite_message(data: Any, frame: Callable[[Any], Any], rewrites: Iterable[Rewrite]) -> bytes:
    """Return a stream's message: fields are found in ``data``, and ``frame`` puts the result into its envelope."""
    chosen = tuple(rewrites)
    for rewrite in chosen:
        if not _is_of_body(rewrite):
            data = _rewritten(data, rewrite)
    body = _encoded(frame(data))
    for rewrite in chosen:
        if _is_of_body(rewrite):
            body = rewrite_body(body, rewrite)
    return body


def without_newest(body: bytes, after_ms: int, symbol: str = "") -> bytes:
    """Return a list of rows without those whose time is later than ``after_ms``, of one symbol or of all."""
    try:
        rows = json.loads(body)
    except ValueError:
        return body
    if not isinstance(rows, list):
        return body
    kept = [row for row in _listed(rows) if not (_belongs(row, symbol) and _time_of(row) > after_ms)]
    return _encoded(kept)


def mentions(value: Any, symbol: str) -> bool:
    """Return whether a message, or a row anywhere in it, is about a symbol or an asset."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return symbol in _names(fields) or any(mentions(each, symbol) for each in fields.values())
    return isinstance(value, list) and any(mentions(each, symbol) for each in _listed(value))


def _is_of_body(rewrite: Rewrite) -> bool:
    return rewrite.mutation in BODY_MUTATIONS or (rewrite.mutation is Mutation.INVALID_UTF8 and not rewrite.field)


def _rewrites(reply: Any, symbol: str) -> Iterator[Rewrite]:
    for field, values in _fields(reply, symbol).items():
        for mutation in FIELD_MUTATIONS:
            if (field or mutation is not Mutation.ABSENT) and any(applies(mutation, value) for value in values):
                yield Rewrite(mutation=mutation, field=field, symbol=symbol)
        name = field.rpartition(".")[2]
        for other in dict.fromkeys(other for value in values for other in others_of(name, value)):
            yield Rewrite(mutation=Mutation.OTHER, field=field, symbol=symbol, value=other)


def _fields(reply: Any, symbol: str) -> dict[str, list[Any]]:
    """Return the values of a reply by the path of their field, without the rows of other symbols."""
    found: dict[str, list[Any]] = {}

    def walk(value: Any, path: tuple[str, ...], *, in_row: bool) -> None:
        if not _belongs(value, symbol):
            return
        found.setdefault(".".join(path), []).append(value)
        if isinstance(value, dict):
            for name, each in cast("dict[str, Any]", value).items():
                walk(each, (*path, name), in_row=False)
        elif isinstance(value, list):
            # A list within a list is a row of columns, such as a candle or a price level.
            for position, each in enumerate(_listed(value)):
                walk(each, (*path, str(position) if in_row else EACH), in_row=True)

    walk(reply, (), in_row=False)
    return found


def _rewritten(reply: Any, rewrite: Rewrite) -> Any:
    segments = tuple(rewrite.field.split(".")) if rewrite.field else ()
    changed = _at(reply, segments, rewrite) if _belongs(reply, rewrite.symbol) else reply
    return None if changed is ABSENT else changed


def _at(value: Any, segments: tuple[str, ...], rewrite: Rewrite) -> Any:
    if not segments:
        return mutated(rewrite.mutation, value, rewrite.value)
    first, rest = segments[0], segments[1:]
    if isinstance(value, dict):
        fields = {
            name: _at(each, rest, rewrite) if first in {EACH, name} and _belongs(each, rewrite.symbol) else each
            for name, each in cast("dict[str, Any]", value).items()
        }
        return {name: each for name, each in fields.items() if each is not ABSENT}
    if isinstance(value, list):
        rows = [
            _at(row, rest, rewrite) if first in {EACH, str(position)} and _belongs(row, rewrite.symbol) else row
            for position, row in enumerate(_listed(value))
        ]
        return [row for row in rows if row is not ABSENT]
    return value


def _belongs(row: Any, symbol: str) -> bool:
    """Return whether a row is about a symbol, or says of none that it is about it."""
    if not symbol or not isinstance(row, dict):
        return True
    names = _names(cast("dict[str, Any]", row))
    return not names or symbol in names


def _names(row: dict[str, Any]) -> list[str]:
    found = [value for name, value in row.items() if name in IDENTITIES and isinstance(value, str)]
    return [value for value in found if NUMBER.fullmatch(value) is None]


def _listed(value: Any) -> list[Any]:
    return [*value]


def _time_of(row: Any) -> int:
    fields = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    return max((int(fields[name]) for name in TIMES if name in fields), default=0)


def _encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")


def _packed(body: bytes, size: int) -> bytes:
    """Return a body with so many blanks behind it, packed by gzip, without ever holding it unpacked."""
    packer = zlib.compressobj(level=6, wbits=GZIP_WINDOW_BITS)
    parts = [packer.compress(body)]
    whole, rest = divmod(size, len(CHUNK))
    parts += [packer.compress(CHUNK) for _ in range(whole)]
    parts += [packer.compress(CHUNK[:rest]), packer.flush()]
    return b"".join(parts)
