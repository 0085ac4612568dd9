"""What a stranger cannot do without end: try to sign in, and fill a log with refusals."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from hedgerow.ports import Clock

__all__ = ["LoginAttempts", "Refusals"]

MOST_FAILURES: Final = 10
WAIT_SECONDS: Final = 900.0
MOST_PEERS: Final = 1_000
EVERY_SECONDS: Final = 60.0


class _Peer(Struct, kw_only=True):
    """Failed logins from one address."""

    failures: int = 0
    changed_at: float


class LoginAttempts:
    """Ten failed logins from an address, then a wait of fifteen minutes in which no secret is even looked at."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._peers: dict[str, _Peer] = {}

    def wait_seconds(self, peer: str) -> float:
        """Return how long an address must wait; 0 = it may try."""
        found = self._peers.get(peer)
        if found is None or found.failures < MOST_FAILURES:
            return 0.0
        return max(0.0, found.changed_at + WAIT_SECONDS - self._clock.monotonic())

    def failed(self, peer: str) -> None:
        """Count one failed login."""
        now = self._clock.monotonic()
        found = self._peers.pop(peer, None)
        if found is None or now - found.changed_at >= WAIT_SECONDS:
            found = _Peer(changed_at=now)
        found.failures += 1
        found.changed_at = now
        self._peers[peer] = found
        while len(self._peers) > MOST_PEERS:
            del self._peers[next(iter(self._peers))]

    def succeeded(self, peer: str) -> None:
        """Forget the failures of an address."""
        self._peers.pop(peer, None)


class _Kind(Struct, kw_only=True):
    """Refusals of one kind since the last line about it."""

    next_at: float = 0.0
    unwritten: int = 0


class Refusals:
    """Writes at most one line a minute about each kind of refusal, with how many there were.

    Nothing that a request contains is written: a stranger does not choose what stands in the log.
    """

    def __init__(self, write: Callable[[str], None], clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}

    def refused(self, status: int, why: str) -> None:
        """Report one refusal; ``why`` is one of our own texts."""
        name, now = f"{status} {why}", self._clock.monotonic()
        kind = self._kinds.setdefault(name, _Kind())
        if now < kind.next_at:
            kind.unwritten += 1
            return
        more = f" ({kind.unwritten} more of these since the last line)" if kind.unwritten else ""
        kind.next_at, kind.unwritten = now + EVERY_SECONDS, 0
        self._write(f"refused: {name}{more}")
