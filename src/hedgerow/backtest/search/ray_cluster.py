"""Plays chunks on a Ray cluster: one actor per worker, each with a player of its own."""

import os
import socket
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from hedgerow.backtest.search.pools import AHEAD, Chunk, Player, PlayerFactory
from hedgerow.domain.errors import ConfigError, HedgerowError

__all__ = ["LOCAL", "RayCluster"]

LOCAL: Final = "local"
"""Address of a cluster that is started here for this search."""
RUNNING: Final = "auto"
"""Ray's own word for a cluster that runs on this machine."""
ANSWER_SECONDS: Final = 10.0
"""How long a cluster may take to accept a connection; Ray itself tries for minutes."""


def _refuse_silent(address: str) -> None:
    """Find out whether anything listens where a cluster is said to be.

    Raises:
        ConfigError: nothing does, or the address is none.
    """
    if address in {LOCAL, RUNNING}:
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise ConfigError(f"--ray {address or repr(address)}: allowed are local, auto, HOST:PORT and ray://HOST:PORT")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(f"--ray {address}: no cluster answers there ({error})") from error


class _Worker:
    """An actor."""

    def __init__(self, factory: PlayerFactory) -> None:
        self._player: Player = factory()

    def play(self, chunk: Chunk) -> bytes:
        """Play the sets of a chunk."""
        return self._player(chunk)


class RayCluster:
    """Plays in processes of a cluster; every node needs the same Hedgerow, and the history at the same path."""

    def __init__(self, factory: PlayerFactory, address: str, workers: int) -> None:
        """Join the cluster.

        Raises:
            ConfigError: there is none at the address.
        """
        _refuse_silent(address)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray  # noqa: PLC0415 - an extra

        library: Any = ray
        self._ray, self._workers = library, workers
        quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address == LOCAL:
                library.init(address="local", num_cpus=workers, **quiet)
            else:
                library.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"--ray {address}: no cluster answers there ({reason})") from error
        actor = library.remote(num_cpus=1)(_Worker)
        self._actors: list[Any] = [actor.remote(factory) for _ in range(workers)]

    def play(self, chunks: Iterable[Chunk]) -> Iterator[bytes]:
        """Play chunks at once.

        Raises:
            HedgerowError: an actor ended.
        """
        waiting: deque[Any] = deque()
        try:
            for number, chunk in enumerate(chunks):
                waiting.append(self._actors[number % self._workers].play.remote(list(chunk)))
                if len(waiting) > AHEAD * self._workers:
                    yield self._ray.get(waiting.popleft())
            while waiting:
                yield self._ray.get(waiting.popleft())
        except self._ray.exceptions.RayError as error:
            reason = str(error).strip().splitlines()[-1]
            raise HedgerowError(
                f"a worker of the Ray cluster failed ({reason}); the same command continues where it stopped"
            ) from error

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()
