"""``books``: reads the event log and the exchange's statement; takes no lock and changes nothing."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from hedgerow.app.storage.parts import LogReader
from hedgerow.app.storage.select import log_name, open_log
from hedgerow.app.venues.dry_run import kept_account
from hedgerow.app.venues.live import credentials_of, live_exchange
from hedgerow.app.venues.paper import PaperExchange, PaperTerms, paper_clock
from hedgerow.app.venues.select import environment_of
from hedgerow.clock import SystemClock
from hedgerow.config import Home, HomeMode
from hedgerow.dashboard.books.entries import LATE
from hedgerow.dashboard.books.matching import audit
from hedgerow.dashboard.books.report import BooksReport, VenueSide, wallet_lines
from hedgerow.dashboard.books.statement import HedgeStatement, Statement, read_statement
from hedgerow.domain.account import QUOTE_ASSET, AccountView
from hedgerow.domain.errors import ConfigError, StoreError, VenueError
from hedgerow.domain.events import CommandIssued, Event, ExternalFills, FeeBooked, FundsTransferred, OrderAccepted
from hedgerow.domain.instrument import Market
from hedgerow.domain.market import Depth
from hedgerow.emulator.inprocess.sandbox import SandboxVenue
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.ports import AccountHistory, AccountHistoryReader, Clock, Venue
from hedgerow.strategy.evidence.prices import prices_of
from hedgerow.strategy.hedge_result import ExitPrices, exit_prices

__all__ = ["Archive", "BooksQuestion", "NoLogError", "archive", "read_books_report", "read_events"]

LOOKS = 5
"""How often the log is read again while a running bot writes to it between our readings."""
PAUSE_SECONDS = 1.0
COMPARED = (CommandIssued, OrderAccepted, FeeBooked, ExternalFills, FundsTransferred)
"""The events that are compared with the venue's record; all others matter to the fold alone."""


class NoLogError(StoreError):
    """There is no log to read: the bot has not run here yet."""


class BooksQuestion(Struct, frozen=True, kw_only=True):
    """What ``hedgerow books`` is asked for."""

    since: datetime | None = None
    """Hedges that ended before it, and lines older than it, are left out; wallets always cover all of the log."""
    hedge_id: str | None = None
    offline: bool = False
    """The log alone."""


class _Reading(Struct, frozen=True, kw_only=True):
    """One reading of the venue."""

    name: str
    at: datetime
    account: AccountView
    record: AccountHistory
    prices: dict[str, ExitPrices]


async def read_books_report(home: Home, question: BooksQuestion) -> BooksReport:
    """Return the books of a home.

    Raises:
        ConfigError: the credentials or the hosts cannot be used.
        NoLogError: the bot has not run here yet.
        StoreError: the log is corrupt or newer than this version.
        VenueError: a part of the venue's record cannot be read.
    """
    log = await _read_log(home)
    if question.offline:
        return _report(log.statement, None, question)
    clock = SystemClock()
    async with archive(home, log.events, clock, patient=True) as venue:
        for _ in range(LOOKS - 1):
            report, again = await _look(home, venue, question)
            if not again:
                return report
            await clock.sleep(PAUSE_SECONDS)
        report, _ = await _look(home, venue, question)
        return report


async def read_events(home: Home, *, recent: bool = False) -> tuple[Event, ...]:
    """Return the log of a home, or its newest part, which holds all orders that may still be working.

    Raises:
        NoLogError: there is none.
        StoreError: it is corrupt or newer than this version.
    """
    log = _opened(home)
    try:
        return await log.events(after=(await log.load()).recent_from if recent else 0)
    finally:
        log.release()


class _Log(Struct, frozen=True, kw_only=True):
    """A log as the comparison needs it."""

    statement: Statement
    events: tuple[Event, ...]
    """Those that are compared with the venue's record."""
    count: int
    """How many there are in all."""


async def _read_log(home: Home, prices: Mapping[str, ExitPrices] | None = None) -> _Log:
    """Read the whole log once, and keep of it what is compared.

    Raises:
        NoLogError: there is none.
        StoreError: it is corrupt or newer than this version.
    """
    kept: list[Event] = []
    log = _opened(home)

    def each() -> Iterator[Event]:
        for event in log.stream():
            if isinstance(event, COMPARED):
                kept.append(event)
            yield event

    try:
        statement = read_statement(each(), prices)
    finally:
        log.release()
    return _Log(statement=statement, events=tuple(kept), count=statement.ledger.events)


def _opened(home: Home) -> LogReader:
    log = open_log(home)
    if log is None:
        raise NoLogError(f"No log at {log_name(home)}: the bot has not run here yet")
    return log


async def _look(home: Home, venue: "Archive", question: BooksQuestion) -> tuple[BooksReport, bool]:
    """Read log, venue, and the log once more; also return whether the bot traded in between."""
    before = await _read_log(home)
    opened = before.statement.ledger.books_since
    if opened is None:
        return _report(before.statement, None, question), False
    reading = await _read_venue(venue, before.statement, opened)
    log = await _read_log(home, reading.prices)
    moved, statement = log.count != before.count, log.statement
    busy = moved or statement.ledger.shown_job is not None or statement.ledger.transfer is not None
    lines = audit(statement, log.events, reading.record, question.since)
    side = VenueSide(
        name=reading.name,
        at=reading.at,
        account=reading.account,
        lines=lines,
        prices=reading.prices,
        quiet=not busy,
    )
    return _report(statement, side, question), busy


def _report(statement: Statement, side: VenueSide | None, question: BooksQuestion) -> BooksReport:
    hedges = tuple(each for each in statement.hedges if _wanted(each, question))
    wallets = wallet_lines(statement, side.account if side else None, side.lines if side else ())
    if side is not None and question.hedge_id is not None:
        side = VenueSide(
            name=side.name,
            at=side.at,
            account=side.account,
            lines=tuple(line for line in side.lines if line.hedge_id == question.hedge_id),
            prices=side.prices,
            quiet=side.quiet,
        )
    return BooksReport(
        statement=statement,
        hedges=hedges,
        wallets=wallets,
        venue=side,
        since=question.since,
        hedge_id=question.hedge_id,
    )


def _wanted(statement: HedgeStatement, question: BooksQuestion) -> bool:
    if question.hedge_id is not None:
        return statement.hedge.hedge_id == question.hedge_id
    return question.since is None or statement.ended_at is None or statement.ended_at >= question.since


# --- the venue -------------------------------------------------------------------------------------------------------


class Archive(Venue, AccountHistoryReader, Protocol):
    """The venue's readers that the comparison uses."""


async def _read_venue(venue: Archive, statement: Statement, opened: datetime) -> _Reading:
    account, record = await asyncio.gather(venue.account(), venue.record(opened - LATE))
    return _Reading(
        name=venue.name,
        at=account.at,
        account=account,
        record=record,
        prices=await _prices(venue, account, statement),
    )


async def _prices(venue: Archive, account: AccountView, statement: Statement) -> dict[str, ExitPrices]:
    """Return what is needed to value the account and the open hedge; what has no market in USDT is missing."""
    live = {hedge.symbol: hedge for hedge in statement.ledger.live_hedges}
    coins = {f"{asset}{QUOTE_ASSET}" for asset, held in account.spot.items() if held.total and asset != QUOTE_ASSET}
    found: dict[str, ExitPrices] = {}
    for symbol in sorted(coins | live.keys()):
        shorted = bool(account.position_quantity(symbol)) or symbol in live
        perp = await _book(venue, Market.PERP, symbol) if shorted else None
        books = (await _book(venue, Market.SPOT, symbol), perp)
        seen = prices_of(symbol, None, account, books)
        if symbol in live:
            found[symbol] = exit_prices(live[symbol], seen, None, books)
        else:
            found[symbol] = ExitPrices(spot=seen.spot, perp=seen.perp)
    return found


async def _book(venue: Archive, market: Market, symbol: str) -> Depth | None:
    try:
        return await venue.depth(market, symbol)
    except VenueError:
        return None


@asynccontextmanager
async def archive(
    home: Home, events: Sequence[Event], clock: Clock, *, patient: bool = False
) -> AsyncGenerator[Archive]:
    """Open the home's venue next to a running bot: nothing emulated is saved; ``patient`` gives the bot priority.

    Raises:
        ConfigError: the credentials, the hosts or the account's file cannot be used.
        VenueError: the venue does not answer.
    """
    if home.mode is HomeMode.PAPER:
        exchange = PaperExchange(home.exchange, PaperTerms(), clock.now)
        if not exchange.created:
            raise ConfigError(f"{home.exchange} is not there: the account of this paper bot is gone")
        yield EmulatedVenue(exchange.world, paper_clock(home, exchange), name="paper exchange")
        return
    environment = environment_of(home)
    if home.mode is HomeMode.DRY_RUN:
        live = live_exchange(environment, environment.credentials())
        async with live.connected(stay=False):
            yield SandboxVenue(live.venue, live.clock, kept_account(home.exchange), name="dry run")
        return
    live = live_exchange(environment, credentials_of(home, environment))
    async with live.connected(stay=False):
        live.client.gives_way = patient
        live.venue.remember(events)
        await live.client.synchronise()
        yield live.venue
