"""Waits for a log that cannot be written now: everything else of the bot goes on meanwhile."""

from collections.abc import Callable
from typing import Final, TypeVar

from hedgerow.domain.errors import LogUnavailable
from hedgerow.ports import Clock

__all__ = ["LOG_PATIENCE_SECONDS", "Patience"]

Result = TypeVar("Result")

LOG_PATIENCE_SECONDS: Final = 300.0
"""How long a log that is unavailable is tried again: a backup, a database browser or a fail-over may take minutes."""
REPORT_SECONDS: Final = 5.0
"""How long an attempt waits before that is reported."""
RETRY_SECONDS: Final = 0.1


class Patience:
    """Repeats what a log refuses, until it is done or a time is over."""

    def __init__(self, clock: Clock | None, seconds: float, *, again: type[LogUnavailable], text: str) -> None:
        """``again`` is what is worth another attempt; ``text`` says what is waited for. No clock: one attempt."""
        self._clock = clock
        self._seconds = seconds
        self._again = again
        self._text = text
        self._report: Callable[[str], None] | None = None

    def report_to(self, report: Callable[[str], None]) -> None:
        """Report by ``report``, once for each wait, that it is waited."""
        self._report = report

    async def attempt(self, work: Callable[[], Result]) -> Result:
        """Do ``work``, again and again while it raises what is worth it, until the time is over.

        An attempt may block; between two of them passes at least as much time as the attempt took.
        """
        clock, report = self._clock, self._report
        began = clock.monotonic() if clock else 0.0
        while True:
            tried_at = clock.monotonic() if clock else 0.0
            try:
                return work()
            except self._again:
                if clock is None or clock.monotonic() >= began + self._seconds:
                    raise
            if report is not None and clock.monotonic() >= began + REPORT_SECONDS:
                report(f"{self._text} (waiting for {self._seconds:.0f} s at most)")
                report = None
            await clock.sleep(max(RETRY_SECONDS, clock.monotonic() - tried_at))
