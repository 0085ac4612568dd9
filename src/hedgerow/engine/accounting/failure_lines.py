"""Lines that say that something cannot be read: one at once, and further ones less and less often while it goes on."""

from hedgerow.engine.backoff import backoff_seconds
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import Warned
from hedgerow.ports import Clock

__all__ = ["FailureLines"]

FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 60.0, 3600.0
"""Pause before the next line: doubled each time."""


class FailureLines:
    """Reports the failures of one kind of reading; every attempt fails again, and few of them are worth a line."""

    def __init__(self, *, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._lines = 0
        self._again_at = 0.0

    def warn(self, *, text: str) -> None:
        """Report a failure, unless one was reported just before."""
        now = self._clock.monotonic()
        if self._lines and now < self._again_at:
            return
        self._lines += 1
        self._again_at = now + backoff_seconds(FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS, self._lines)
        self._journal.say(Warned(at=self._clock.now(), text=text))

    def over(self) -> None:
        """Report the next failure at once: it can be read."""
        self._lines = 0
