"""A limit on the real time of one run: virtual time stands still while a run hangs, so nothing else ends it."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

__all__ = ["TimeLimitExceeded", "time_limit"]

AGAIN_SECONDS = 5.0
"""Code that catches the first interruption is interrupted again after so long."""
PACKAGE = Path(__file__).parents[1]


class TimeLimitExceeded(KeyboardInterrupt):
    """A run took longer than it may.

    asyncio hands this exception on from any task, as it does with every ``KeyboardInterrupt``; others it would keep.
    """


@contextmanager
def time_limit(seconds: float | None) -> Generator[None]:
    """Stop the body after ``seconds`` of real time; None = never.

    Raises:
        TimeLimitExceeded: names the limit and the line of this package that was running.
        ValueError: this is not the main thread, where the limit cannot be enforced.
    """
    if seconds is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise ValueError("a time limit of a run needs the main thread")
    limit = seconds

    def exceeded(_: int, frame: FrameType | None) -> NoReturn:
        raise TimeLimitExceeded(f"no end after {limit:g} s of real time{_place(frame)}")

    previous = signal.signal(signal.SIGALRM, exceeded)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def _place(frame: FrameType | None) -> str:
    """Return where in this package the program is; empty where it is not in it."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            return f", in {path.relative_to(PACKAGE)} line {frame.f_lineno}"
        frame = frame.f_back
    return ""
