"""Runs a bot in the foreground: console, log file, signals. Shared by ``run`` and the one-shot commands."""

import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import TextIO, cast

from hedgerow.app.bot import Bot
from hedgerow.app.session import Session
from hedgerow.app.signals import stop_in_order
from hedgerow.cli.non_blocking_stream import NonBlockingStream
from hedgerow.clock import run_on
from hedgerow.config import Home
from hedgerow.dashboard.console import LogObserver, close_logging, configure_logging
from hedgerow.dashboard.narration.wording import LineLevel, narrate
from hedgerow.domain.events import Halted, HaltReason
from hedgerow.engine.notices import Notice, Observer, Recorded, StoppedAtOnce, StopRequested
from hedgerow.engine.runner import RunOptions

__all__ = ["logged", "run_bot"]


class Findings:
    """Prints errors of a one-shot command on a stream, and what a signal leaves unfinished."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def on_notice(self, notice: Notice) -> None:
        """Print errors and alarms; a halt that the command itself requested is not an error."""
        event = notice.event if isinstance(notice, Recorded) else None
        if isinstance(event, Halted) and event.reason is HaltReason.USER:
            return
        asked = isinstance(notice, StopRequested | StoppedAtOnce)
        for line in narrate(notice):
            if asked or line.level in {LineLevel.ERROR, LineLevel.ALARM}:
                self._stream.write(f"{line.text}\n")


@contextmanager
def logged(home: Home, *, console: bool, json: bool = False) -> Generator[tuple[Observer, ...]]:
    """Send the bot's log lines to its log file, and to the console: all of them, or only errors, on standard error.

    The bot never waits for the reader of the console.
    ``json``: the console gets an object a line; the file keeps the guide's lines.
    """
    with closing(NonBlockingStream(sys.stdout if console else sys.stderr)) as non_blocking:
        stream = cast("TextIO", non_blocking)
        configure_logging(home.log, console=console, json=json, stream=stream)
        try:
            yield (LogObserver(),) if console else (LogObserver(), Findings(stream))
        finally:
            close_logging()


def run_bot(session: Session, options: RunOptions, observers: tuple[Observer, ...]) -> Bot:
    """Run until the first SIGINT, SIGTERM or SIGHUP has stopped the bot; the second one stops it at once.

    A closing terminal sends SIGHUP: the trade in flight ends hedged or flat first, as after SIGTERM.

    Raises:
        KeyboardInterrupt: a second one ended it.
    """

    async def main() -> Bot:
        async with session.awake(observers, options, stay=True) as bot:
            with stop_in_order(bot, session.clock):
                await bot.runner.run()
            return bot

    return run_on(session.clock, main)
