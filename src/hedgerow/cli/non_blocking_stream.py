"""A text stream that never makes its writer wait, for a reader that may stop reading: a terminal, a pipe.

A terminal that is held (Ctrl-S), or a pipe without a reader, takes a few thousand characters and then blocks who
writes. A bot that trades must not wait for it.
"""

import io
import os
from collections import deque
from contextlib import suppress
from threading import Condition, Thread
from typing import TextIO

__all__ = ["NonBlockingStream"]

WAITING_CHARACTERS = 1024 * 1024
"""What waits to be read at most; lines beyond it are left out and counted."""
CLOSE_SECONDS = 2.0
"""Real time for which ``close`` waits for the reader."""


class NonBlockingStream(io.TextIOBase):
    """Writes to ``target`` in a thread of its own, in order; one ``write`` is written whole or left out.

    The thread has a copy of the file descriptor: what else writes to ``target``, and the end of the process, wait
    for no lock that a blocked write holds.
    """

    def __init__(self, target: TextIO, waiting: int = WAITING_CHARACTERS) -> None:
        copy = _copied(target)
        self._target, self._is_copy = copy or target, copy is not None
        self._texts: deque[str] = deque()
        self._room = self._most = waiting
        self._left_out = 0
        self._error: Exception | None = None
        self._ending = False
        self._changed = Condition()
        self._thread = Thread(target=self._write_all, name="console", daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str:  # type: ignore[override] # a constant in the stubs
        """The encoding of the target."""
        return self._target.encoding or "utf-8"

    def isatty(self) -> bool:
        """Whether a terminal reads it."""
        return self._target.isatty()

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Take a text; it is left out while too much waits.

        Raises:
            OSError: an earlier text could not be written.
        """
        with self._changed:
            if self._error is not None:
                raise self._error
            if len(text) > self._room:
                self._left_out += 1
            else:
                self._room -= len(text)
                self._texts += (*self._note(), text)
                self._changed.notify_all()
        return len(text)

    def close(self) -> None:
        """Write what waits, for as long as the reader takes it within ``CLOSE_SECONDS``; the rest is lost here."""
        if self.closed:
            return
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(CLOSE_SECONDS)
        super().close()

    def _write_all(self) -> None:
        try:
            while (text := self._next()) is not None:
                self._target.write(text)
                self._target.flush()
        except Exception as error:  # noqa: BLE001 - it is raised at the next write, to who can report it
            self._error = error
        if self._is_copy:
            with suppress(OSError):
                self._target.close()

    def _next(self) -> str | None:
        """Wait for the next text; None = no other one comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._texts or self._left_out or self._ending)
            self._texts += () if self._texts else self._note()
            if not self._texts:
                return None
            text = self._texts.popleft()
            self._room = min(self._most, self._room + len(text))
            return text

    def _note(self) -> tuple[str, ...]:
        """Return what is said of the lines that were left out, if any, and forget them."""
        count, self._left_out = self._left_out, 0
        return (f"hedgerow: {count} lines are left out here, they were not read\n",) if count else ()


def _copied(stream: TextIO) -> TextIO | None:
    """Return a stream of its own on the same file; None where there is no file descriptor."""
    try:
        stream.flush()
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return None
    return os.fdopen(descriptor, "w", encoding=stream.encoding, errors=stream.errors, newline="")
