"""The paper exchange of a home: an emulated account that survives the process, on a generated market."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from hedgerow.domain.errors import StoreError
from hedgerow.domain.schedule import EPOCH
from hedgerow.emulator.markets import GeneratedTape
from hedgerow.emulator.state import WorldState
from hedgerow.emulator.world import World

__all__ = ["PaperExchange", "PaperTerms"]

DEFAULT_USDT = Decimal(1000)


class PaperTerms(Struct, frozen=True, kw_only=True):
    """What a new paper exchange is made from; an existing one keeps its own."""

    seed: int = 1
    usdt: Decimal = DEFAULT_USDT
    """Split over both wallets."""


class _PaperFile(Struct, frozen=True, kw_only=True):
    """The exchange on disk."""

    seed: int
    market_start: datetime
    """Where the generated market begins; with the seed it decides every price."""
    state: WorldState


class PaperExchange:
    """An emulated account kept in one file, replaced as a whole after every change."""

    def __init__(self, path: Path, terms: PaperTerms, now: Callable[[], datetime]) -> None:
        self._path = path
        found = _read(path)
        begun = _midnight(now()) if found is None else found.market_start
        self._seed = terms.seed if found is None else found.seed
        self._market_start = begun
        tape = GeneratedTape(seed=self._seed, start=begun)
        if found is None:
            half = terms.usdt / 2
            self.world = World(tape, start=now(), spot={"USDT": half}, perp=half)
        else:
            self.world = World.load(tape, found.state)

    @property
    def created(self) -> bool:
        """Whether the exchange is kept on disk yet."""
        return self._path.exists()

    def save(self, world: World) -> None:
        """Keep the account; called after every change of it.

        Raises:
            StoreError: the file cannot be written.
        """
        content = _PaperFile(seed=self._seed, market_start=self._market_start, state=world.dump())
        draft = self._path.with_name(f".{self._path.name}.tmp")
        try:
            with draft.open("wb") as file:
                file.write(msgspec.json.encode(content))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror or error}") from error


def _read(path: Path) -> _PaperFile | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return msgspec.json.decode(content, type=_PaperFile)
    except (msgspec.DecodeError, ValueError) as error:
        raise StoreError(
            f"{path} is not a paper exchange of this version: {error}; move it away to begin anew"
        ) from error


def _midnight(at: datetime) -> datetime:
    return at - (at - EPOCH) % timedelta(days=1)
