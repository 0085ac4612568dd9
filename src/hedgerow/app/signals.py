"""Signals that end a process regularly: SIGINT, SIGTERM, and the SIGHUP of a terminal that closes."""

import asyncio
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

from hedgerow.app.bot import Bot
from hedgerow.engine.notices import StoppedAtOnce, StopRequested
from hedgerow.ports import Clock

__all__ = ["on_stop_signals", "stop_between_trades", "stop_in_order", "wait_for_stop"]


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Call ``stop`` at each such signal from now on, inside the running event loop.

    A SIGHUP that is ignored already stays ignored: that is how ``nohup`` keeps a process alive.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop)


def wait_for_stop() -> None:
    """Wait, outside of an event loop, for the first such signal."""

    async def main() -> None:
        stop = asyncio.Event()
        on_stop_signals(stop.set)
        await stop.wait()

    asyncio.run(main())


@contextmanager
def stop_in_order(bot: Bot, clock: Clock) -> Generator[None]:
    """Let the first signal stop the bot regularly, and the second one end what the body does at once.

    Both are logged at once: what is finished first, and what an immediate stop leaves unfinished.

    Raises:
        KeyboardInterrupt: the second one ended it.
    """
    with _stopping(bot, clock, waits=True):
        yield


@contextmanager
def stop_between_trades(bot: Bot, clock: Clock) -> Generator[None]:
    """Let a signal end what the body does at once, or after the trade in flight has ended hedged or flat.

    A second signal ends it at once in any case; the log takes the trade up again.

    Raises:
        KeyboardInterrupt: it was ended.
    """
    with _stopping(bot, clock, waits=False):
        yield


@contextmanager
def _stopping(bot: Bot, clock: Clock, *, waits: bool) -> Generator[None]:
    """``waits``: the body ends by itself once the bot is stopped, also when no trade is in flight."""
    task = asyncio.current_task()

    def stop() -> None:
        now, ledger = clock.now(), bot.journal.known
        if bot.stop():
            bot.journal.say(StoppedAtOnce(at=now, ledger=ledger))
        elif waits or ledger.shown_job is not None:
            bot.journal.say(StopRequested(at=now, ledger=ledger))
            bot.stop.set()
            return
        bot.stop.set()
        if task is not None:
            task.cancel()

    on_stop_signals(stop)
    try:
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
