"""What a start reads of the log: no more after years than after a week."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from random import Random

from hedgerow.app.venues.live import LiveExchange
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.events import CycleCompleted, Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import CycleEnded
from hedgerow.ports import HttpRequest, HttpResponse, StreamConnection
from hedgerow.store.memory import MemoryStore
from support.scripted_aster import NOW, ScriptedAster, make_client
from support.scripted_streams import MemoryStreams

DAY = timedelta(days=1)


class Sockets:
    """Requests and streams in memory."""

    def __init__(self) -> None:
        self.aster = ScriptedAster()
        self.aster.on("GET /fapi/v3/agent", [])
        self.streams = MemoryStreams()

    async def send(self, request: HttpRequest) -> HttpResponse:
        return await self.aster.send(request)

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        return self.streams.connect(url)

    async def close(self) -> None:
        pass


class CountingStore(MemoryStore):
    """Counts the events that are read one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    async def events(self, *, after: int = 0) -> tuple[Event, ...]:
        found = await super().events(after=after)
        self.read += len(found)
        return found


def log_of(days: int, *, agreed: bool = True) -> CountingStore:
    """Return a log of so many days that ends now, with a check an hour."""
    store = CountingStore()

    async def write() -> None:
        journal = Journal(store)
        await journal.open()
        for hour in range(24 * days):
            at = NOW - days * DAY + timedelta(hours=hour)
            await journal.record(CycleCompleted(at=at, number=hour + 1, statement_from=at if agreed else None))

    asyncio.run(write())
    return store


def live_exchange() -> LiveExchange:
    clock, sockets = VirtualClock(NOW), Sockets()
    return LiveExchange(sockets, make_client(sockets.aster, clock), clock, Random(1))


def read_by_a_start(store: CountingStore) -> int:
    live = live_exchange()

    async def start() -> None:
        async with live.open_connection(store, stay=False):
            pass

    run_virtual(VirtualClock(NOW), start())
    return store.read


def test_a_start_after_a_year_reads_the_days_before_the_books_last_agreed() -> None:
    assert read_by_a_start(log_of(30)) == read_by_a_start(log_of(365)) <= 24 * 7


def test_a_log_whose_books_never_agreed_is_read_whole() -> None:
    assert read_by_a_start(log_of(30, agreed=False)) == 24 * 30


def test_a_running_bot_lets_go_of_orders_from_before_that() -> None:
    live, asked = live_exchange(), list[datetime]()

    def noted(before: datetime) -> None:
        asked.append(before)

    live.venue.forget = noted  # type: ignore[method-assign] # what it is asked for
    ledger = asyncio.run(log_of(30).load())
    live.on_notice(CycleEnded(at=NOW, ledger=ledger, evaluation=None, equity=None))
    live.on_notice(CycleEnded(at=NOW, ledger=Ledger(), evaluation=None, equity=None))
    (before,) = asked
    assert NOW - 7 * DAY <= before <= NOW - 5 * DAY
