"""Whether trades are delayed while ten readers look at the dashboard in the bot's own process.

    python benchmarks/trades_beside_screens.py [--rounds N] [--readers N] [--port P]

A whole process on the real clock: a paper bot that hosts its dashboard. It closes and opens again, on request, in
turn without a reader and with ten, each of which has a page open by WebSocket that is sent what changes. Both figures
are of one run on one machine in the same minutes, so that their ratio says what the readers cost. The emulated exchange
answers at once: nothing but the bot's own work, its syncs to the disk included, is in a trade.
"""

import argparse
import asyncio
import contextlib
import json
import re
import statistics
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import aiohttp

from _processes import COMMAND, PATIENCE_SECONDS, started
from _report import Budgets
from hedgerow.app.companion.asking import new_request
from hedgerow.app.companion.request_answers import answer_of
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.events import (
    CommandIssued,
    Event,
    ExecutionStarted,
    HedgeClosed,
    HedgeOpened,
    OrderEnded,
)
from hedgerow.domain.operator_requests import CloseRequested, Request, ResumeRequested
from hedgerow.store.mailbox import FolderMailbox
from hedgerow.store.sqlite_reader import SqliteReader
from screens import opened, signed_in

CONFIG = {
    "funding_rate_strategy": {
        "min_funding_apr": 0,
        "min_volume_usd": 0,
        "max_spread_bps": 10_000,
        "max_entry_discount_bps": 10_000,
    },
    "execution": {"settlement_guard_seconds": 0},
}
"""Opens at any hour."""
CLOCK = SystemClock()
RATIO = 1.5
EXTRA_MS = 10.0
"""A trade in the wire waits 20 ms or more for each answer: of a few milliseconds of work the ratio says little."""


class Trades:
    """What the log says of how long trades took, milliseconds."""

    def __init__(self) -> None:
        self.orders: list[float] = []
        """From the end of an order to the next order of the same trade."""
        self.whole: list[float] = []
        """From the beginning of a trade to its end."""

    def add(self, events: Sequence[Event]) -> None:
        """Add the trades of a part of the log."""
        begun: datetime | None = None
        ended: datetime | None = None
        for event in events:
            if isinstance(event, ExecutionStarted):
                begun, ended = event.at, None
            elif isinstance(event, OrderEnded):
                ended = event.at
            elif isinstance(event, CommandIssued) and isinstance(event.command, PlaceOrder):
                if ended is not None:
                    self.orders.append(_milliseconds(ended, event.at))
                ended = None
            elif isinstance(event, HedgeOpened | HedgeClosed):
                if begun is not None:
                    self.whole.append(_milliseconds(begun, event.at))
                begun = None


def _milliseconds(since: datetime, until: datetime) -> float:
    return 1e3 * (until - since).total_seconds()


class PaperBot:
    """A bot that runs, asked through its request folder and read from its log."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._mailbox = FolderMailbox(home.requests, CLOCK)

    def read(self, after: int = 0) -> tuple[Event, ...]:
        """Return the events after the first ``after`` ones."""
        if not self._home.events.exists():
            return ()
        reader = SqliteReader(self._home.events)
        try:
            return reader.part(after=after, limit=1_000_000)
        finally:
            reader.release()

    async def ask(self, action: Request) -> None:
        """Have a request carried out."""
        request = new_request(action, CLOCK, user="benchmark")
        self._mailbox.post(request)
        answer = await answer_of(self._mailbox, request, CLOCK, "the bot")
        if not answer.done:
            raise SystemExit(answer.text)

    async def holds(self, after: int) -> None:
        """Wait until a hedge was opened after the first ``after`` events, and nothing more comes."""
        await until(lambda: any(isinstance(event, HedgeOpened) for event in self.read(after)), "an opening")


async def until(found: Callable[[], object], what: str) -> None:
    """Wait until something is there."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not found():
        if time.monotonic() > end:
            raise SystemExit(f"not in time: {what}")
        await asyncio.sleep(0.1)


@asynccontextmanager
async def reading(session: aiohttp.ClientSession, base: str, slug: str, readers: int) -> AsyncGenerator[None]:
    """Keep so many readers at the dashboard."""
    tasks = [asyncio.ensure_future(opened(session, base, slug)) for _ in range(readers)]
    try:
        await asyncio.sleep(1)
        yield
    finally:
        failed = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if failed:
            raise SystemExit("a reader ended while the trades were timed")


async def traded(bot: PaperBot, trades: Trades) -> None:
    """Have the bot close what it holds and open again, and add how long that took."""
    before = len(bot.read())
    await bot.ask(CloseRequested())
    await bot.ask(ResumeRequested())
    await bot.holds(before)
    trades.add(bot.read(before))


async def measured(asked: argparse.Namespace) -> bool:
    """Print every figure; tell whether each budget holds."""
    budgets, base = Budgets(), f"http://127.0.0.1:{asked.port}"
    alone, beside = Trades(), Trades()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder=Path(folder), mode=HomeMode.PAPER)
        home.config.write_text(json.dumps(CONFIG), encoding="utf-8")
        words = ("run", "--paper", "--home", folder, "--dashboard", "--port", str(asked.port))
        with started(COMMAND, *words) as program:
            # What it says is read, or it would wait for room in the pipe.
            threading.Thread(target=lambda: deque(program.stdout or (), maxlen=0), daemon=True).start()
            async with signed_in(base, folder) as session:
                bot = PaperBot(home)
                await bot.holds(0)
                body = await (await session.get(base)).text()
                found = re.search(r"/bots/([\w-]+)", body)
                for _ in range(asked.rounds):
                    await traded(bot, alone)
                    async with reading(session, base, found[1] if found else "", asked.readers):
                        await traded(bot, beside)
    for name, without, there in (
        ("from one order's end to the next order", alone.orders, beside.orders),
        ("a whole trade", alone.whole, beside.whole),
    ):
        show(budgets, f"{name} ({len(without)} and {len(there)})", without, there, asked.readers)
    return budgets.held


def show(budgets: Budgets, title: str, alone: Sequence[float], beside: Sequence[float], readers: int) -> None:
    """Print both figures and their ratio."""
    without, there = statistics.median(alone), statistics.median(beside)
    budgets.title(title)
    budgets.line("without a reader", f"{without:.1f}, at most {max(alone):.1f} ms")
    budgets.line(f"with {readers} readers", f"{there:.1f}, at most {max(beside):.1f} ms")
    holds = there <= RATIO * without or there - without <= EXTRA_MS
    budgets.line("ratio", f"{there / without:.2f}", budget=f"<= {RATIO:g}, or {EXTRA_MS:g} ms more", holds=holds)


def main() -> int:
    """Print the figures; fails when a budget does not hold."""
    parser = argparse.ArgumentParser(description="Trades beside a dashboard with readers.")
    parser.add_argument("--rounds", type=int, default=8, help="closings and openings without readers, and as many with")
    parser.add_argument("--readers", type=int, default=10)
    parser.add_argument("--port", type=int, default=18_955, help="a free port of this machine")
    return 0 if asyncio.run(measured(parser.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
