"""Runs a bot in the foreground: console, log file, signals. Shared by ``run`` and the one-shot commands."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from hedgerow.app.bot import Bot
from hedgerow.app.session import Session
from hedgerow.app.signals import on_stop_signals
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.config import Home
from hedgerow.dashboard.console import LogListener, close_logging, configure_logging
from hedgerow.engine.runner import RunOptions

__all__ = ["on_its_clock", "run_bot", "spoken"]

Result = TypeVar("Result")


@contextmanager
def spoken(home: Home, *, console: bool) -> Generator[tuple[LogListener, ...]]:
    """Send the bot's words to its log file, and to the console."""
    configure_logging(home.log, console=console)
    try:
        yield (LogListener(),)
    finally:
        close_logging()


def on_its_clock(session: Session, main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run ``main`` on the session's clock: the wall clock, or a virtual one."""
    if isinstance(session.clock, VirtualClock):
        return run_virtual(session.clock, main())
    return asyncio.run(main())


def run_bot(session: Session, options: RunOptions, listeners: tuple[LogListener, ...]) -> Bot:
    """Run until the first SIGINT, SIGTERM or SIGHUP has been obeyed; the second one stops at once.

    SIGHUP is what a terminal sends that closes: the trade at work ends hedged or flat first, as after SIGTERM.
    """

    async def main() -> Bot:
        async with session.awake(listeners, options, stay=True) as bot:
            task = asyncio.current_task()

            def stop() -> None:
                if bot.stop() and task is not None:
                    task.cancel()
                bot.stop.set()

            on_stop_signals(stop)
            await bot.runner.run()
            return bot

    return on_its_clock(session, main)
