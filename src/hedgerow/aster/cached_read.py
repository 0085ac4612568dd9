"""A cached read: refreshed when it is too old, kept a little longer while it cannot be refreshed."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from hedgerow.domain.errors import VenueError
from hedgerow.ports import Clock

__all__ = ["CachedRead", "is_recent"]

Value = TypeVar("Value")
RETRY_SECONDS = 30.0


def is_recent(at: datetime, now: datetime, within: timedelta) -> bool:
    """Return whether a stamp is at most ``within`` old; one from the future, by a clock that was set, is not."""
    return timedelta(0) <= now - at <= within


class CachedRead(Generic[Value]):
    """Renew a reading every ``seconds``; one older than ``keep`` times that is not given any more."""

    def __init__(
        self, clock: Clock, read: Callable[[], Awaitable[Value]], *, seconds: float, keep: float = 3.0
    ) -> None:
        self._clock = clock
        self._read = read
        self._seconds = seconds
        self._longest = seconds * keep
        self._value: tuple[Value, float] | None = None
        self._due = 0.0

    async def get(self) -> Value:
        """Return the reading.

        Raises:
            VenueError: there is none, or only one that is too old, and it cannot be read now.
        """
        if self._value is not None and self._clock.monotonic() < self._due:
            return self._value[0]
        return await self._renewed()

    async def read_now(self) -> Value:
        """Read again whatever is known.

        Raises:
            VenueError: it cannot be read now; what was known stays known.
        """
        self._value, self._due = (value := await self._read(), now := self._clock.monotonic()), now + self._seconds
        return value

    async def renew(self, ahead_seconds: float) -> None:
        """Read again what falls due within so many seconds, so that ``get`` need not; a failure is left to it."""
        if self._value is None or self._clock.monotonic() + ahead_seconds < self._due:
            return
        try:
            await self._renewed()
        except VenueError:
            return

    async def _renewed(self) -> Value:
        now = self._clock.monotonic()
        try:
            value = await self._read()
        except VenueError:
            if self._value is None or now > self._value[1] + self._longest:
                raise
            self._due = now + min(RETRY_SECONDS, self._seconds)
            return self._value[0]
        self._value, self._due = (value, now), now + self._seconds
        return value

    def expire(self) -> None:
        """Read again when asked next; the old value does not count any more."""
        self._value = None

    def hasten(self, seconds: float = 0.0) -> None:
        """Read again when asked so many seconds from now or later; the old value counts while that fails."""
        self._due = min(self._due, self._clock.monotonic() + seconds)

    @property
    def known(self) -> Value | None:
        """The last reading, however old; None before the first."""
        return self._value[0] if self._value else None
