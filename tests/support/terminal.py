"""Commands on a real terminal (a pty) of a given size, and what a person sees on it: without colours, cell by cell."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec import Struct
from rich.cells import cell_len

from hedgerow.clock import SystemClock
from support.command_runner import COMMAND

__all__ = ["Screen", "Terminal", "TerminalOutput", "on_terminal", "plain_lines"]

CLOCK = SystemClock()
PATIENCE_SECONDS = 60.0
ESCAPE = re.compile(r"\x1b(?:\[([0-9;?]*)([ -/]*[@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78])")


def plain_lines(written: str) -> list[str]:
    """Return the lines as they were written, without colours and other escapes: a line is not wrapped by anything."""
    return [line.rstrip("\r").split("\r")[-1].rstrip() for line in ESCAPE.sub("", written).split("\n")]


class TerminalOutput(Struct, frozen=True):
    """What a command left on the terminal."""

    code: int
    written: str
    """Everything it wrote, escapes included."""
    columns: int
    rows: int

    @property
    def lines(self) -> list[str]:
        """Its lines without escapes, blanks at the ends removed."""
        return plain_lines(self.written)

    @property
    def text(self) -> str:
        """Its lines as one text."""
        return "\n".join(self.lines)

    @property
    def flat_text(self) -> str:
        """The text with all white space made one blank: for sentences that may have been wrapped."""
        return " ".join(self.text.split())

    @property
    def too_long(self) -> list[str]:
        """The lines that need more cells than the terminal has columns."""
        return [line for line in self.lines if cell_len(line) > self.columns]

    @property
    def screen(self) -> "Screen":
        """What stands on the screen at the end."""
        screen = Screen(self.columns, self.rows)
        screen.feed(self.written)
        return screen


class Terminal:
    """A command on a pty of its own, which is its controlling terminal: ``interrupt`` is the Ctrl+C of a keyboard."""

    def __init__(
        self,
        *words: object,
        home: Path,
        columns: int = 80,
        rows: int = 40,
        env: dict[str, str] | None = None,
    ) -> None:
        self.columns, self.rows = columns, rows
        self._written = bytearray()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES", "NO_COLOR", "CI"}}
        environment |= {"TERM": "xterm-256color", "XDG_STATE_HOME": str(home / "locks"), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [str(word) for word in (words if words and str(words[0]).startswith("/") else (COMMAND, *words))],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=home,
            env=environment | (env or {}),
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one call to the kernel
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._master)

    @property
    def written(self) -> str:
        """Everything it wrote so far."""
        return self._written.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def screen(self) -> "Screen":
        """What stands on the screen now."""
        screen = Screen(self.columns, self.rows)
        screen.feed(self.written)
        return screen

    def press(self, keys: str) -> None:
        """Type something."""
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl+C."""
        self.press("\x03")

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window."""
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, text: str, seconds: float = PATIENCE_SECONDS, *, times: int = 1) -> str:
        """Read until ``text`` was written so often (escapes removed); returns everything written so far."""
        until = CLOCK.monotonic() + seconds
        while ESCAPE.sub("", self.written).count(text) < times:
            left = until - CLOCK.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"{text!r} did not come within {seconds} s:\n{ESCAPE.sub('', self.written)}")
        return self.written

    def wait_until(self, done: Callable[["Screen"], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Read until what stands on the screen is as ``done`` wants it."""
        until = CLOCK.monotonic() + seconds
        while not done(self.screen):
            left = until - CLOCK.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"the screen stayed otherwise for {seconds} s:\n{self.screen.text}")

    def end(self, seconds: float = PATIENCE_SECONDS) -> TerminalOutput:
        """Wait for the command to end and return what it showed."""
        until = CLOCK.monotonic() + seconds
        while self._read(max(0.0, until - CLOCK.monotonic())):
            if CLOCK.monotonic() > until:
                raise AssertionError(f"still running after {seconds} s:\n{ESCAPE.sub('', self.written)}")
        return TerminalOutput(
            self.process.wait(max(1.0, until - CLOCK.monotonic())), self.written, self.columns, self.rows
        )

    def _read(self, seconds: float) -> bool:
        """Read what is there within ``seconds``; False once the other side is closed."""
        if not select.select([self._master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux reports the end of a pty as an I/O error
            return False
        self._written += data
        return bool(data)


def on_terminal(
    *words: object, home: Path, columns: int = 80, rows: int = 40, env: dict[str, str] | None = None
) -> TerminalOutput:
    """Run a command to its end on a terminal of this size, in the folder ``home``."""
    with Terminal(*words, home=home, columns=columns, rows=rows, env=env) as terminal:
        return terminal.end()


class Screen:
    """The cells of a terminal: enough of a VT100 for lines, wrapping, moving the cursor and erasing."""

    def __init__(self, columns: int, rows: int) -> None:
        self._columns, self._rows = columns, rows
        self._cells = [self._blank() for _ in range(rows)]
        self._x = self._y = 0

    @property
    def lines(self) -> list[str]:
        """The rows of the screen, blanks at the ends removed."""
        return ["".join(row).rstrip() for row in self._cells]

    @property
    def text(self) -> str:
        """The rows as one text, without the empty ones at the end."""
        return "\n".join(self.lines).rstrip()

    def feed(self, written: str) -> None:
        """Show what was written; line feeds return the carriage too, as terminals do for programs."""
        at = 0
        for found in ESCAPE.finditer(written):
            self._type(written[at : found.start()])
            if found[2]:
                self._control(found[1], found[2])
            at = found.end()
        self._type(written[at:])

    def _type(self, text: str) -> None:
        for character in text:
            if character == "\n":
                self._x = 0
                self._down()
            elif character == "\r":
                self._x = 0
            elif character.isprintable():
                self._put(character)

    def _put(self, character: str) -> None:
        width = cell_len(character)
        if self._x + width > self._columns:
            self._x = 0
            self._down()
        self._cells[self._y][self._x] = character
        for beside in range(self._x + 1, min(self._x + width, self._columns)):
            self._cells[self._y][beside] = ""
        self._x += width

    def _down(self) -> None:
        self._y += 1
        if self._y == self._rows:
            self._cells = [*self._cells[1:], self._blank()]
            self._y -= 1

    def _control(self, arguments: str, end: str) -> None:
        if arguments.startswith("?"):
            if end == "h" and arguments == "?1049":
                self._cells = [self._blank() for _ in range(self._rows)]
            return
        numbers = [int(part or 0) for part in arguments.split(";")]
        count = max(1, numbers[0])
        if end in "ABCD":
            self._x += {"C": count, "D": -count}.get(end, 0)
            self._y += {"A": -count, "B": count}.get(end, 0)
        elif end in "EF":
            self._x, self._y = 0, self._y + (count if end == "E" else -count)
        elif end == "G":
            self._x = count - 1
        elif end in "Hf":
            self._y, self._x = count - 1, max(1, numbers[1] if len(numbers) > 1 else 1) - 1
        elif end in "JK":
            self._erase(end, numbers[0])
        self._x = min(max(self._x, 0), self._columns - 1)
        self._y = min(max(self._y, 0), self._rows - 1)

    def _erase(self, what: str, part: int) -> None:
        row = self._cells[self._y]
        first, last = {0: (self._x, self._columns), 1: (0, self._x + 1)}.get(part, (0, self._columns))
        row[first:last] = [" "] * (last - first)
        if what == "J":
            rows: Sequence[int] = {0: range(self._y + 1, self._rows), 1: range(self._y)}.get(part, range(self._rows))
            for index in rows:
                self._cells[index] = self._blank()

    def _blank(self) -> list[str]:
        return [" "] * self._columns
