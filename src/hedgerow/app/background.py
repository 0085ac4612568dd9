"""Does what must not delay a trade on a thread of its own: at most once a second, and nothing waits for it."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

__all__ = ["Background"]

SECONDS: Final = 1.0
"""Real time between two rounds."""
LONGEST_END_SECONDS: Final = 3.0
"""How long the end of a run waits for the last round."""


class Background:
    """Calls every job after ``wake``, at most once a second; what a job raises is counted and ends nothing."""

    def __init__(
        self, jobs: Sequence[Callable[[], None]], ended: Callable[[], None] | None = None, *, seconds: float = SECONDS
    ) -> None:
        """``ended`` is called on the thread after the last round."""
        self._jobs = tuple(jobs)
        self._ended = ended
        self._seconds = seconds
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures = 0
        """How often a job raised."""

    def wake(self) -> None:
        """Have the jobs called soon; returns at once."""
        self._wanted.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="hedgerow-background", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Call the jobs a last time and end; a job that hangs is left behind. May be called twice."""
        self._ending.set()
        self._wanted.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(LONGEST_END_SECONDS)

    def _work(self) -> None:
        while not self._ending.is_set():
            self._wanted.wait()
            self._wanted.clear()
            self._call()
            self._ending.wait(self._seconds)
        self._call()
        if self._ended is not None:
            self._ended()

    def _call(self) -> None:
        for job in self._jobs:
            try:
                job()
            except Exception:  # noqa: BLE001 - it only displays and keeps what happened
                self.failures += 1
