"""Progress of a simulated run or of a download: a bar on a terminal, else a plain line now and then."""

import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hedgerow.dashboard.wrapping import wrapped
from hedgerow.domain.formats import amount, utc_minute
from hedgerow.engine.notices import CycleEnded, Notice

__all__ = ["ProgressObserver", "SeriesProgress"]

STEPS = 500
"""Most redraws asked for over a whole run: a fast replay must not spend its time drawing."""


class ProgressObserver:
    """Shows simulated time, cycles, equity and position of a run from ``start`` to ``end``; a context manager."""

    def __init__(
        self,
        *,
        start: datetime,
        end: datetime,
        every_days: float = 10,
        stream: TextIO | None = None,
        terminal: bool | None = None,
    ) -> None:
        self._start, self._span = start, max(end - start, timedelta(seconds=1))
        self._stream = stream or sys.stderr
        console = Console(file=self._stream, force_terminal=terminal)
        self._bar = _bar(console) if console.is_terminal else None
        self._task: TaskID | None = None
        self._step = self._span / STEPS if self._bar else timedelta(days=every_days)
        self._next = start + self._step
        self._cycles = 0

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._task = self._bar.add_task(f"{self._start.astimezone(UTC):%Y-%m-%d}", total=1.0, figures="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def on_notice(self, notice: Notice) -> None:
        """Count cycles and show how far the run is; never raises for a broken terminal."""
        if not isinstance(notice, CycleEnded):
            return
        self._cycles += 1
        if notice.at < self._next:
            return
        self._next = notice.at + self._step
        with suppress(OSError, ValueError):  # the terminal is closed: the run continues
            self._show(notice)

    def _show(self, notice: CycleEnded) -> None:
        done = min(1.0, (notice.at - self._start) / self._span)
        day, figures = utc_minute(notice.at), self._figures(notice)
        if self._bar is None:
            text = f"{day} ({done:4.0%}) {figures}"
            lines = wrapped(text, Console(file=self._stream).width) if self._stream.isatty() else [text]
            self._stream.write("".join(f"{line}\n" for line in lines))
            self._stream.flush()
        elif self._task is not None:
            self._bar.update(self._task, completed=done, description=day, figures=figures)

    def _figures(self, notice: CycleEnded) -> str:
        equity = amount(notice.equity)
        position = ", ".join(hedge.symbol for hedge in notice.ledger.open_hedges) or "none"
        return f"cycles {self._cycles}, equity {equity}, position {position}"


class SeriesProgress:
    """Shows how many series of how many are read, on standard error; a context manager."""

    LINES = 10
    """Plain lines over a whole download."""

    def __init__(self, *, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        console = Console(file=self._stream, highlight=False, soft_wrap=True)
        self._bar = _bar(console) if console.is_terminal else None
        self._task: TaskID | None = None
        self._shown = 0

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._task = self._bar.add_task("", total=1.0, figures="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, name: str, done: int, total: int) -> None:
        """Show that ``name`` is read now, after ``done`` of ``total``; never raises for a broken terminal."""
        with suppress(OSError, ValueError):
            if self._bar is not None and self._task is not None:
                figures = f"{done} of {total} series"
                self._bar.update(self._task, completed=done / max(total, 1), description=name, figures=figures)
            elif done * self.LINES // max(total, 1) > self._shown:
                self._shown = done * self.LINES // max(total, 1)
                self._stream.write(f"{done} of {total} series\n")
                self._stream.flush()

    def say(self, text: str) -> None:
        """Show a line, above the bar where there is one."""
        with suppress(OSError, ValueError):
            if self._bar is not None:
                self._bar.console.print(text, markup=False)
            else:
                self._stream.write(f"{text}\n")
                self._stream.flush()


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%", markup=False),
        TextColumn("{task.fields[figures]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        redirect_stdout=False,  # the bar is on standard error: what is printed beside it stays where it belongs
        redirect_stderr=False,
    )
