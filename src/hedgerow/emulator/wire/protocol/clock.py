"""The clock of the exchange: real time, faster, or advanced by commands."""

from datetime import datetime, timedelta

from hedgerow.ports import Clock

__all__ = ["FASTEST", "ExchangeClock", "checked_speed"]

FASTEST = 10**6
"""Seconds of the exchange in one of the clock it follows: the last day of the calendar is days away."""


class ExchangeClock:
    """Time of an exchange: ``speed`` of its seconds pass in one second of the clock it follows; 0 = by commands."""

    def __init__(self, follows: Clock, start: datetime, *, speed: float = 1.0) -> None:
        self._follows = follows
        self._speed = checked_speed(speed)
        self._at = start
        self._since = follows.monotonic()

    @property
    def speed(self) -> float:
        """Seconds of the exchange per second of the clock it follows."""
        return self._speed

    def now(self) -> datetime:
        """Return the exchange's time."""
        return self._at + timedelta(seconds=(self._follows.monotonic() - self._since) * self._speed)

    def jump(self, seconds: float) -> datetime:
        """Move the time forward and return it."""
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._settle()
        self._at += timedelta(seconds=seconds)
        return self._at

    def set_speed(self, speed: float) -> None:
        """Change the pace from now on."""
        checked = checked_speed(speed)
        self._settle()
        self._speed = checked

    def seconds_until(self, at: datetime) -> float | None:
        """Return how long the followed clock takes to get there; None when it never will by itself."""
        left = (at - self.now()).total_seconds()
        return max(0.0, left / self._speed) if self._speed else None

    def _settle(self) -> None:
        self._at, self._since = self.now(), self._follows.monotonic()


def checked_speed(speed: float) -> float:
    """Return a speed that the exchange can keep.

    Raises:
        ValueError: it is out of range, or no number.
    """
    if not 0 <= speed <= FASTEST:
        raise ValueError(f"speed: allowed is 0 to {FASTEST:,}, not {speed}")
    return speed
