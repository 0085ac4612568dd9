"""Time for durations: the wall clock at the start of a job, continued by the monotonic clock.

A wall clock that is set by hours in the middle of a trade makes no time-out due, hides no naked second and makes no
book fresh: what the job measures goes on from its beginning. Across a restart only the wall clock is left.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from hedgerow.domain.market import Depth
from hedgerow.ports import Clock

__all__ = ["SteadyTime"]

JUMP = timedelta(seconds=1)
"""A smaller difference between the two clocks is drift: stamps are compared as they are."""
NO_JUMP = timedelta(0)


class SteadyTime:
    """Gives the present time of a job."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> datetime:
        """Take the wall clock's time as it is now; returns it."""
        self._wall, self._monotonic = self._clock.now(), self._clock.monotonic()
        return self._wall

    @property
    def jump(self) -> timedelta:
        """By how much the wall clock was set since the job began; zero but for a jump."""
        carried = self._wall + timedelta(seconds=self._clock.monotonic() - self._monotonic)
        jump = self._clock.now() - carried
        return jump if abs(jump) > JUMP else NO_JUMP

    def now(self) -> datetime:
        """Return the present time, without the jumps of the wall clock."""
        return self._clock.now() - self.jump

    def stamped(self, depth: Depth | None) -> Depth | None:
        """Return a book that was just read with its stamp on this time."""
        return depth if depth is None or not self.jump else replace(depth, at=depth.at - self.jump)
