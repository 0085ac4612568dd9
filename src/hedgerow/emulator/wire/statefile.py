"""A wired exchange in one file: what changed is written before each answer, so that a killed process loses nothing.

An SQLite file of named parts. Long histories are kept in chunks, so that a change writes little however long they are.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.errors import StoreError
from hedgerow.emulator.journal import JournalState
from hedgerow.emulator.wire.exchange import Exchange
from hedgerow.emulator.wire.state import ExchangeState, MemberState

__all__ = ["SavedExchange", "StateFile"]

CHUNK = 200
"""Rows per part."""
FORMAT = "1"
CREATE = "CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, value BLOB NOT NULL)"
UPSERT = "INSERT INTO parts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class SavedExchange(Struct, frozen=True, kw_only=True):
    """What a file holds."""

    terms: bytes
    """What the market was made from, as its maker wrote it."""
    exchange: ExchangeState
    members: tuple[MemberState, ...]


class StateFile:
    """The file of one exchange."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            StoreError: it cannot be used.
        """
        self._path = path
        self._saved: dict[str, Any] = {}
        self._revisions: tuple[int, ...] | None = None
        try:
            self._base = sqlite3.connect(path, isolation_level=None)
            # A killed process loses nothing that was committed; only a power cut could take the last moments.
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = NORMAL")
            self._base.execute(CREATE)
        except sqlite3.Error as error:
            raise StoreError(f"--state {path} cannot be used: {error}") from error

    def load(self) -> SavedExchange | None:
        """Return what the file holds; None for a new one.

        Raises:
            StoreError: it holds something else, or is damaged.
        """
        try:
            parts: dict[str, bytes] = dict(self._base.execute("SELECT name, value FROM parts ORDER BY name"))
            if "exchange" not in parts:
                return None
            if parts.get("format") != FORMAT.encode():
                raise StoreError(f"{self._path} was written by another version; move it away to begin anew")
            users = sorted(name.partition("/")[2] for name in parts if name.startswith("member/"))
            return SavedExchange(
                terms=parts["terms"],
                exchange=msgspec.json.decode(parts["exchange"], type=ExchangeState),
                members=tuple(_joined(parts, user) for user in users),
            )
        except (sqlite3.Error, msgspec.DecodeError, KeyError, ValueError) as error:
            raise StoreError(f"{self._path} is damaged: {error}; move it away to begin anew") from error

    def begin(self, terms: bytes) -> None:
        """Note what the market is made from."""
        self._write({"format": FORMAT.encode(), "terms": terms})

    def save(self, exchange: Exchange) -> None:
        """Write what changed since the last time."""
        revisions = exchange.revisions
        if revisions == self._revisions:
            return
        parts: dict[str, Any] = {"exchange": exchange.state()}
        for member in exchange.members.values():
            parts |= _parts(member.state())
        # Tuples compare by identity first, so that a chunk that did not change costs next to nothing.
        changed = {name: value for name, value in parts.items() if self._saved.get(name) != value}
        self._write({name: msgspec.json.encode(value) for name, value in changed.items()})
        self._saved, self._revisions = parts, revisions

    def close(self) -> None:
        """Release the file."""
        self._base.close()

    def _write(self, values: dict[str, bytes]) -> None:
        try:
            self._base.execute("BEGIN")
            self._base.executemany(UPSERT, values.items())
            self._base.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be written: {error}") from error


def _parts(state: MemberState) -> dict[str, Any]:
    """Return an account as named parts."""
    journal = state.world.journal
    rows: dict[str, Sequence[Any]] = {
        "tickets": state.tickets,
        "transfers": state.transfers,
        "orders": state.world.orders,
        "fills": journal.fills,
        "payments": journal.payments,
        "rows": journal.rows,
        "own": journal.transfers,
        "entries": tuple(state.entries.items()),
        "transfer_ids": state.world.transfer_ids,
    }
    bare = replace(state.world, orders=(), journal=JournalState(last_id=journal.last_id), transfer_ids=())
    parts: dict[str, Any] = {
        f"member/{state.user}": replace(state, world=bare, tickets=(), transfers=(), entries={}),
    }
    for kind, each in rows.items():
        for start in range(0, len(each), CHUNK):
            parts[f"chunk/{state.user}/{kind}/{start // CHUNK:08d}"] = tuple(each[start : start + CHUNK])
    return parts


def _joined(parts: dict[str, bytes], user: str) -> MemberState:
    """Return an account from its parts."""
    state = msgspec.json.decode(parts[f"member/{user}"], type=MemberState)

    def rows(kind: str) -> list[Any]:
        names = sorted(name for name in parts if name.startswith(f"chunk/{user}/{kind}/"))
        return [row for name in names for row in msgspec.json.decode(parts[name])]

    journal = {"fills": rows("fills"), "payments": rows("payments"), "rows": rows("rows"), "transfers": rows("own")}
    world = msgspec.to_builtins(state.world) | {"orders": rows("orders"), "transfer_ids": rows("transfer_ids")}
    world["journal"] = journal | {"last_id": state.world.journal.last_id}
    whole = msgspec.to_builtins(state) | {"tickets": rows("tickets"), "transfers": rows("transfers"), "world": world}
    whole["entries"] = {str(world_id): order_id for world_id, order_id in rows("entries")}
    return msgspec.convert(whole, type=MemberState, str_keys=True, strict=False)
