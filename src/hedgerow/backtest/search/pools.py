"""The seam between a search and what computes it: chunks of set numbers go out, their records come back in order.

A player is made where it plays, from a factory that can be pickled. Whatever plays, and however many do, the records
are the same bytes in the same order.
"""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import Final, Protocol, TypeAlias

from hedgerow.domain.errors import HedgerowError

__all__ = ["Chunk", "Here", "Player", "PlayerFactory", "Pool", "Processes"]

Chunk: TypeAlias = Sequence[int]
AHEAD: Final = 2
"""Chunks handed out for each worker: one is played, one waits."""


class Player(Protocol):
    """Plays parameter sets."""

    def __call__(self, chunk: Chunk) -> bytes:
        """Return the sealed records of the sets, in their order."""
        ...


PlayerFactory: TypeAlias = Callable[[], Player]


class Pool(Protocol):
    """Plays chunks somewhere."""

    def play(self, chunks: Iterable[Chunk]) -> Iterator[bytes]:
        """Yield the records of each chunk, in order; few chunks are ahead of what was yielded."""
        ...

    def close(self) -> None:
        """Stop; what is being played is not waited for longer than its chunk."""
        ...


class Here:
    """Plays in this process."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def play(self, chunks: Iterable[Chunk]) -> Iterator[bytes]:
        """Play one chunk after the other."""
        yield from map(self._player, chunks)

    def close(self) -> None:
        """Nothing is open."""


class Processes:
    """Plays in processes of this machine."""

    def __init__(self, factory: PlayerFactory, workers: int) -> None:
        self._workers = workers
        context = get_context("spawn")
        self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(factory,))

    def play(self, chunks: Iterable[Chunk]) -> Iterator[bytes]:
        """Play chunks at once.

        Raises:
            HedgerowError: a process ended.
        """
        waiting: deque[Future[bytes]] = deque()
        try:
            for chunk in chunks:
                waiting.append(self._pool.submit(_play, chunk))
                if len(waiting) > AHEAD * self._workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise HedgerowError(
                "a worker process ended (killed, out of memory, or it could not load the window); the same command "
                "continues where it stopped"
            ) from error

    def close(self) -> None:
        """Let the processes end."""
        self._pool.shutdown(wait=True, cancel_futures=True)


_players: list[Player] = []


def _prepare(factory: PlayerFactory) -> None:
    """Make the process's player; Ctrl-C is the parent's business, and without a parent there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    _players[:] = [factory()]


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _play(chunk: Chunk) -> bytes:
    return _players[0](chunk)
