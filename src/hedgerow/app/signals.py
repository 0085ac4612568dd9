"""What ends a process in order: Ctrl-C, SIGTERM, and the SIGHUP of a terminal that closes."""

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

from hedgerow.app.bot import Bot

__all__ = ["on_stop_signals", "stop_between_trades"]


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Call ``stop`` at each such signal from now on, inside the running event loop.

    A SIGHUP that is ignored already stays ignored: that is how ``nohup`` keeps a process alive.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)


@contextmanager
def stop_between_trades(bot: Bot) -> Generator[None]:
    """Let a signal end what the body does at once, or after the trade at work has ended hedged or flat.

    A second signal ends it at once in any case; the log takes the trade up again.

    Raises:
        KeyboardInterrupt: it was ended.
    """
    task = asyncio.current_task()

    def stop() -> None:
        at_work = bot.journal.ledger.execution is not None and not bot.stop()
        bot.stop.set()
        if not at_work and task is not None:
            task.cancel()

    on_stop_signals(stop)
    try:
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
