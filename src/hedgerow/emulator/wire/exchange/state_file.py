"""The exchange in one file: a change is written before its reply, so that a killed process loses nothing.

An SQLite file of named parts. Long histories are kept in chunks, so that a change writes little however long they are.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.errors import StoreError
from hedgerow.emulator.core.account_records import JournalState
from hedgerow.emulator.core.order_rules import WorkingOrder
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.exchange.state import ExchangeAccountState, ExchangeState
from hedgerow.emulator.wire.protocol.order_records import ExchangeOrder

__all__ = ["ExchangeStateFile", "SavedExchange"]

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
    exchange_accounts: tuple[ExchangeAccountState, ...]


class ExchangeStateFile:
    """The file of one exchange."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            StoreError: it cannot be used.
        """
        self._path = path
        self._saved: dict[str, Any] = {}
        self._histories: dict[str, _Histories] = {}
        """By account."""
        self._revisions: tuple[int, ...] | None = None
        try:
            self._base = _opened(path)
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
                raise StoreError(f"{self._path} was written by another version; move it away to start again")
            users = sorted(name.partition("/")[2] for name in parts if name.startswith("member/"))
            return SavedExchange(
                terms=parts["terms"],
                exchange=msgspec.json.decode(parts["exchange"], type=ExchangeState),
                exchange_accounts=tuple(_joined(parts, user) for user in users),
            )
        except (sqlite3.Error, msgspec.DecodeError, KeyError, ValueError) as error:
            raise StoreError(f"{self._path} is damaged: {error}; move it away to start again") from error

    def begin(self, terms: bytes) -> None:
        """Note what the market is made from."""
        self._write({"format": FORMAT.encode(), "terms": terms})

    def save(self, exchange: Exchange) -> None:
        """Write what changed since the last time."""
        revisions = exchange.revisions
        if revisions == self._revisions:
            return
        parts: dict[str, Any] = {"exchange": exchange.state()}
        chunks: dict[str, Any] = {}
        for exchange_account in exchange.exchange_accounts.values():
            state = exchange_account.state()
            parts[f"member/{state.user}"] = _bare(state)
            chunks |= self._histories.setdefault(state.user, _Histories()).changed(state)
        changed = {name: value for name, value in parts.items() if self._saved.get(name) != value} | chunks
        try:
            self._write({name: msgspec.json.encode(value) for name, value in changed.items()})
        except StoreError:
            self._histories.clear()  # nothing of this is on the disk
            raise
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


def _opened(path: Path) -> sqlite3.Connection:
    base = sqlite3.connect(path, isolation_level=None)
    try:
        # A killed process loses nothing that was committed; only a power cut could take the last changes.
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")
        base.execute(CREATE)
    except BaseException:
        base.close()
        raise
    return base


class _Histories:
    """The long histories of one account: which rows are in the file, and which of them may still change.

    Rows are only added, and only orders that are open change: what else was written is never looked at again.
    """

    def __init__(self) -> None:
        self._written: dict[str, int] = {}
        self._open: dict[str, set[int]] = {}

    def changed(self, state: ExchangeAccountState) -> dict[str, Any]:
        """Return the chunks with rows that are new or may have changed since the last time."""
        journal, entries = state.world.journal, state.entries
        found: dict[str, Any] = {}
        for kind, rows in (
            ("tickets", state.exchange_orders),
            ("transfers", state.transfers),
            ("orders", state.world.orders),
            ("fills", journal.fills),
            ("payments", journal.payments),
            ("rows", journal.rows),
            ("own", journal.transfers),
            ("transfer_ids", state.world.transfer_ids),
        ):
            for number, chunk in self._chunks(kind, len(rows), partial(_tail, rows)):
                found[f"chunk/{state.user}/{kind}/{number:08d}"] = chunk
        for number, chunk in self._chunks(
            "entries", len(entries), lambda first: tuple(islice(entries.items(), first, None))
        ):
            found[f"chunk/{state.user}/entries/{number:08d}"] = chunk
        return found

    def _chunks(
        self, kind: str, count: int, tail: Callable[[int], Sequence[Any]]
    ) -> Iterator[tuple[int, Sequence[Any]]]:
        places = self._open.get(kind, set()) | set(range(self._written.get(kind, 0), count))
        self._written[kind] = count
        if not places:
            return
        first = min(places) // CHUNK * CHUNK
        rows = tail(first)
        self._open[kind] = {place for place in places if _may_change(rows[place - first])}
        for number in sorted({place // CHUNK for place in places}):
            begin = number * CHUNK - first
            yield number, rows[begin : begin + CHUNK]


def _tail(rows: Sequence[Any], first: int) -> Sequence[Any]:
    return rows[first:]


def _may_change(row: object) -> bool:
    """Return whether a row may be another one the next time."""
    match row:
        case ExchangeOrder():
            return row.open
        case WorkingOrder():
            return not row.order.status.done
        case _:
            return False


def _bare(state: ExchangeAccountState) -> ExchangeAccountState:
    """Return an account without its histories."""
    journal = JournalState(last_id=state.world.journal.last_id)
    world = replace(state.world, orders=(), journal=journal, transfer_ids=())
    return replace(state, world=world, exchange_orders=(), transfers=(), entries={})


def _joined(parts: dict[str, bytes], user: str) -> ExchangeAccountState:
    """Return an account from its parts."""
    state = msgspec.json.decode(parts[f"member/{user}"], type=ExchangeAccountState)

    def rows(kind: str) -> list[Any]:
        names = sorted(name for name in parts if name.startswith(f"chunk/{user}/{kind}/"))
        return [row for name in names for row in msgspec.json.decode(parts[name])]

    journal = {"fills": rows("fills"), "payments": rows("payments"), "rows": rows("rows"), "transfers": rows("own")}
    world = msgspec.to_builtins(state.world) | {"orders": rows("orders"), "transfer_ids": rows("transfer_ids")}
    world["journal"] = journal | {"last_id": state.world.journal.last_id}
    whole = msgspec.to_builtins(state) | {"tickets": rows("tickets"), "transfers": rows("transfers"), "world": world}
    whole["entries"] = {str(world_id): order_id for world_id, order_id in rows("entries")}
    return msgspec.convert(whole, type=ExchangeAccountState, str_keys=True, strict=False)
