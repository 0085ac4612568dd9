"""`record`: reads premium index and order books at intervals and keeps them, one file for each day, until stopped."""

import asyncio
import errno
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from hedgerow.app.commands.market_download import listed_symbols, writable_folder
from hedgerow.app.signals import on_stop_signals
from hedgerow.app.venues.environment import Environment
from hedgerow.app.venues.live import live_exchange
from hedgerow.aster import AsterClient
from hedgerow.aster.client import DEPTH_WEIGHTS
from hedgerow.aster.http.rate_limits import LimitKind, Priority
from hedgerow.aster.schema.market_rows import DepthReply, PremiumRow, to_millis
from hedgerow.domain.errors import ConfigError, VenueError
from hedgerow.domain.instrument import Market
from hedgerow.engine.runner import StopSignal
from hedgerow.history.arrow import load_arrow
from hedgerow.history.recording import BookReading, DailyFiles, PremiumReading, day_of
from hedgerow.ports import Clock
from hedgerow.store.account_lock import FolderLock
from hedgerow.tasks import all_of

__all__ = ["DEPTHS", "RecordPlan", "RecordResult", "record_market"]

DEPTHS: Final = tuple(DEPTH_WEIGHTS)
"""Levels that the exchange offers (docs/aster-api.md 5.1)."""
AT_ONCE: Final = 8
"""Books that are asked for at the same time."""
MINUTE_SECONDS: Final = 60
COMMON_WEIGHT: Final = 2
"""Of one reading beside its books: the time and the premium index."""
FINISH_AGAIN_ROUNDS: Final = 60
"""Readings after which a day that could not be finished is tried again."""
Book: TypeAlias = tuple[Market, str]


class RecordPlan(Struct, frozen=True, kw_only=True):
    """What to record."""

    folder: Path
    symbols: tuple[str, ...] | None = None
    """None = every pair that trades on both markets at the start."""
    every_seconds: float
    depth: int
    """Levels of each side."""
    rounds: int = 0
    """Readings after which it ends; 0 = when stopped."""


class RecordResult(Struct, frozen=True, kw_only=True):
    """What was recorded."""

    rounds: int
    """Readings that were kept."""
    lost: int
    """Readings that could not be read or kept."""


async def record_market(plan: RecordPlan, environment: Environment, show: Callable[[str], None]) -> RecordResult:
    """Record until SIGINT, SIGTERM or SIGHUP.

    Raises:
        ConfigError: symbols, interval, folder or hosts cannot be used.
        HistoryError: pyarrow is missing.
        VenueError: the exchange cannot be read at the start.
    """
    load_arrow()
    with FolderLock(writable_folder("--data", plan.folder)):
        exchange = live_exchange(environment, None)
        async with exchange.connected(stay=False):
            return await _Recorder(plan, exchange.client.giving_way(), exchange.clock, show).run()


class _Problem:
    """One thing that may fail again and again: shown once when it begins, and once when it is over."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._count = 0

    def begins(self, text: str) -> None:
        """Take note of a failure."""
        if not self._count:
            self._show(text)
        self._count += 1

    def is_over(self, text: str) -> None:
        """Take note of a success; ``text`` says what is well again, if anything was not."""
        if self._count:
            self._show(f"{text}; {self._count} reading{' was' if self._count == 1 else 's were'} lost")
        self._count = 0


class _Recorder:
    """One recording."""

    def __init__(self, plan: RecordPlan, client: AsterClient, clock: Clock, show: Callable[[str], None]) -> None:
        self._plan = plan
        self._client = client
        self._clock = clock
        self._show = show
        self._premiums = DailyFiles(plan.folder, PremiumReading)
        self._books = DailyFiles(plan.folder, BookReading)
        self._reading, self._reading_books, self._writing = (_Problem(show) for _ in range(3))
        self._finish_from = 0
        """The reading from which on finished days are turned into files, after this could not be done."""

    async def run(self) -> RecordResult:
        stop, task = StopSignal(), asyncio.current_task()

        def on_signal() -> None:
            """End after the present reading; the second signal ends it at once."""
            if stop() and task is not None:
                task.cancel()
            stop.set()

        on_stop_signals(on_signal)
        listed = await listed_symbols(self._client)
        symbols = listed.chosen(self._plan.symbols)
        for symbol in symbols:
            if symbol not in listed.spots:
                self._show(f"{symbol} has no spot market at the exchange: only the perpetual's book is recorded")
        books = [(market, s) for s in symbols for market in Market if market is Market.PERP or s in listed.spots]
        self._refuse_beyond_budget(books)
        self._show(
            f"recording {len(symbols)} symbols and {len(books)} books every {self._plan.every_seconds:g} s into"
            f" {self._plan.folder}; Ctrl-C ends it"
        )
        try:
            return await self._rounds(stop, frozenset(symbols), books)
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        finally:
            self._finish(None)

    def _refuse_beyond_budget(self, books: Sequence[Book]) -> None:
        """Refuse an interval that needs more than such reads may use of the exchange's limits.

        Raises:
            ConfigError: it does; says which one would not.
        """
        for market in Market:
            weight = sum(DEPTH_WEIGHTS[self._plan.depth] for each, _ in books if each is market)
            weight += COMMON_WEIGHT if market is Market.PERP else 0
            allowed = self._client.rest.limiters[market].allowed(LimitKind.WEIGHT, MINUTE_SECONDS, Priority.BULK)
            if allowed and weight * MINUTE_SECONDS / self._plan.every_seconds > allowed:
                least = ceil(weight * MINUTE_SECONDS / allowed)
                raise ConfigError(
                    f"--every {self._plan.every_seconds:g}: {len(books)} books of {self._plan.depth} levels need at"
                    f" least {least} s within the exchange's limits; or fewer --symbols"
                )

    async def _rounds(self, stop: StopSignal, symbols: frozenset[str], books: Sequence[Book]) -> RecordResult:
        began, slot = self._clock.monotonic(), 0
        kept = lost = 0
        while not stop():
            if await self._round(symbols, books, kept + lost):
                kept += 1
            else:
                lost += 1
            if kept + lost == self._plan.rounds:
                break
            # Slots are counted on a clock that is never set; those that a slow reading missed are left out.
            elapsed = self._clock.monotonic() - began
            slot = max(slot, int(elapsed / self._plan.every_seconds)) + 1
            await stop.wait(self._clock, slot * self._plan.every_seconds - elapsed)
        return RecordResult(rounds=kept, lost=lost)

    async def _round(self, symbols: frozenset[str], books: Sequence[Book], number: int) -> bool:
        """Read and keep everything once; return whether it was kept."""
        try:
            at = to_millis(await self._client.server_time())
            premiums = [_premium(at, row) for row in await self._client.premium_index() if row.symbol in symbols]
            depths = await self._depths(books, at)
        except VenueError as error:
            self._reading.begins(f"the exchange cannot be read: {error}")
            return False
        self._reading.is_over("the exchange can be read again")
        try:
            self._premiums.append(premiums)
            self._books.append(depths)
        except OSError as error:
            is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            problem = "the disk is full" if is_full else f"cannot be written ({error.strerror or error})"
            self._writing.begins(f"{self._plan.folder}: {problem}; readings are lost until that is over")
            return False
        self._writing.is_over("recording again")
        if number >= self._finish_from and not self._finish(day_of(at)):
            self._finish_from = number + FINISH_AGAIN_ROUNDS
        return True

    async def _depths(self, books: Sequence[Book], at: int) -> list[BookReading]:
        """Read the books; one that cannot be read is left out, and does not stop the others."""
        limit = asyncio.Semaphore(AT_ONCE)

        async def read(market: Market, symbol: str) -> DepthReply | VenueError:
            async with limit:
                try:
                    return await self._client.depth(market, symbol, self._plan.depth)
                except VenueError as error:
                    return error

        replies = await all_of(*(read(market, symbol) for market, symbol in books))
        failed = [(book, reply) for book, reply in zip(books, replies, strict=True) if isinstance(reply, VenueError)]
        if failed:
            (market, symbol), error = failed[0]
            self._reading_books.begins(
                f"{len(failed)} of {len(books)} books cannot be read: {symbol} {market}: {error}"
            )
        else:
            self._reading_books.is_over("all books can be read again")
        return [
            _book(at, market, symbol, reply)
            for (market, symbol), reply in zip(books, replies, strict=True)
            if not isinstance(reply, VenueError)
        ]

    def _finish(self, today: str | None) -> bool:
        """Turn the journals of all days but ``today`` into files; return whether that could be done."""
        for files in (self._premiums, self._books):
            for day in files.waiting:
                if day == today:
                    continue
                try:
                    notes = files.finish(day)
                except OSError as error:
                    self._show(
                        f"the file of {day} cannot be written yet ({error.strerror or error}); its readings are kept"
                    )
                    return False
                for note in notes:
                    self._show(note)
        return True


def _premium(at: int, row: PremiumRow) -> PremiumReading:
    return PremiumReading(
        time=at,
        symbol=row.symbol,
        mark_price=float(row.mark_price),
        index_price=None if row.index_price is None else float(row.index_price),
        funding_rate=None if row.last_funding_rate is None else float(row.last_funding_rate),
        next_funding_time=row.next_funding_time,
    )


def _book(at: int, market: Market, symbol: str, reply: DepthReply) -> BookReading:
    return BookReading(
        time=at,
        book_time=reply.event_time,
        market=market.value,
        symbol=symbol,
        bid_prices=tuple(float(level.price) for level in reply.bids),
        bid_quantities=tuple(float(level.quantity) for level in reply.bids),
        ask_prices=tuple(float(level.price) for level in reply.asks),
        ask_quantities=tuple(float(level.quantity) for level in reply.asks),
    )
