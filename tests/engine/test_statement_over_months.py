"""A difference of the books that appears months after the last one, at the exchange's own limits."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from hedgerow.aster import AsterClient, AsterVenue, Credentials
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import RateLimited, VenueError
from hedgerow.domain.events import CycleCompleted, ExternalFlow, FlowKind, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.ledger.books import books_difference
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.emulator.wire.exchange.exchange import Exchange, ExchangeRules
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.engine.accounting.bookkeeping import Bookkeeper
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import BooksChecked, Notice, Warned
from hedgerow.ports import HttpRequest, HttpResponse
from hedgerow.store.memory import MemoryStore
from support.scripted_aster import KEY, SIGNER, USER

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
Result = TypeVar("Result")


class CountingTransport:
    """Counts requests by path."""

    def __init__(self, inner: MemoryTransport) -> None:
        self.inner = inner
        self.asked: Counter[str] = Counter()

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.asked[urlsplit(request.url).path.rsplit("/", 1)[1]] += 1
        return await self.inner.send(request)


class StatementHarness:
    """A bookkeeper behind the wire, and an owner who trades by hand."""

    def __init__(self, pairs: int) -> None:
        self.clock = VirtualClock(START)
        self.market_data = GeneratedMarketData(seed=1, start=START, pairs=pairs)
        exchange = Exchange(self.market_data, start=START, rules=ExchangeRules())
        self.exchange_account = exchange.open_account(USER, spot={"USDT": Decimal(10**6)}, perp=Decimal(10**6))
        exchange.permit(USER, Agent(signer=SIGNER.lower()))
        self.exchange = WireVenue(exchange, ExchangeClock(self.clock, START), seed=1)
        self.transport = CountingTransport(MemoryTransport(self.exchange, self.clock))
        credentials = Credentials(user=USER, signer=SIGNER, private_key=KEY)
        self.client = AsterClient(transport=self.transport, clock=self.clock, random=Random(1), credentials=credentials)
        self.venue = AsterVenue(self.client, self.clock)
        self.notices: list[Notice] = []
        self.journal = Journal(MemoryStore(), (self,))
        self.bookkeeper = Bookkeeper(venue=self.venue, journal=self.journal, clock=self.clock)
        self.cycles = 0

    def on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return run_virtual(self.clock, main)

    async def begin(self) -> None:
        for market in Market:
            await self.client.exchange_info(market)
        await self.journal.open()
        await self.bookkeeper.open_books(await self.venue.account())
        await self.wait(minutes=1)

    async def check(self) -> None:
        """One check, as a cycle makes it; the account and an order's look-up must have room right after it."""
        account = await self.venue.account()
        await self.bookkeeper.check(account)
        self.cycles += 1
        watermark = self.bookkeeper.statement_from()
        await self.journal.record(CycleCompleted(at=self.clock.now(), number=self.cycles, statement_from=watermark))
        await self.venue.account()
        await self.venue.open_orders(self.market_data.pairs[0].symbol)

    async def trade_every_pair(self) -> None:
        for pair in self.market_data.pairs:
            await self.wait(minutes=2)
            price = self.market_data.prices(pair.symbol, self.clock.now())
            assert price is not None
            quantity = pair.perp.ceil_quantity(Decimal(30) / price.perp)
            for side in (Side.SELL, Side.BUY):
                self.exchange_account.world.trade_by_hand(Market.PERP, pair.symbol, side, quantity)
            self.exchange_account.sync()

    async def wait(self, **duration: float) -> None:
        await self.clock.sleep(timedelta(**duration).total_seconds())
        self.exchange.tick()

    def deposit(self, amount: int = 10) -> None:
        self.exchange_account.world.deposit(Wallet.SPOT, "USDT", Decimal(amount))
        self.exchange_account.sync()

    async def book_what_nothing_explains(self, amount: Decimal) -> None:
        """Let the books have USDT of the spot wallet that no row of the exchange is about."""
        account = await self.venue.account()
        flow = ExternalFlow(
            at=account.at,
            row_id="not a row of the exchange",
            wallet=Wallet.SPOT,
            asset="USDT",
            amount=amount,
            kind=FlowKind.OTHER,
        )
        await self.journal.record(flow)

    async def differences(self) -> dict[str, Decimal]:
        return books_difference(self.journal.ledger.books, await self.venue.account())

    def texts(self) -> list[str]:
        return [notice.text for notice in self.notices if isinstance(notice, Warned)]


@pytest.mark.parametrize("days", [60, 120, 300])
def test_a_deposit_months_after_the_last_check_is_booked_and_leaves_room_for_the_account(days: int) -> None:
    desk = StatementHarness(pairs=30)

    async def script() -> int:
        await desk.begin()
        await desk.trade_every_pair()
        await desk.wait(days=2)
        await desk.check()
        assert await desk.differences() == {}
        await desk.wait(days=days)
        desk.deposit()
        checks = 0
        while await desk.differences():
            desk.transport.asked.clear()
            await desk.check()
            checks += 1
            assert checks <= 5
            assert desk.transport.asked["userTrades"] <= 20
            assert sum(desk.transport.asked.values()) <= 90
            await desk.wait(minutes=5)
        return checks

    checks = desk.run(script())
    assert checks <= days / 84 + 2
    assert desk.texts() == []
    assert not [notice for notice in desk.notices if isinstance(notice, BooksChecked)]


def test_a_deposit_while_the_bot_runs_takes_a_handful_of_requests_however_old_the_log_is() -> None:
    desk = StatementHarness(pairs=30)

    async def script() -> None:
        await desk.begin()
        await desk.trade_every_pair()
        await desk.wait(days=2)
        for _ in range(120):
            await desk.check()
            await desk.wait(days=1)
        desk.deposit()
        desk.transport.asked.clear()
        await desk.check()
        assert await desk.differences() == {}
        assert desk.transport.asked["income"] <= 3
        assert desk.transport.asked["transactionHistory"] == 1
        assert desk.transport.asked["userTrades"] <= 2, "no perpetual was traded since the books agreed"

    desk.run(script())


def test_a_log_without_a_watermark_is_read_from_its_beginning_in_steps_over_several_checks() -> None:
    desk = StatementHarness(pairs=10)

    async def script() -> list[int]:
        await desk.begin()
        asked: list[int] = []
        for _ in range(6):
            await desk.trade_every_pair()
            await desk.wait(days=50)
        for _ in range(10):
            desk.transport.asked.clear()
            await desk.check()
            asked.append(desk.transport.asked["income"])
            await desk.wait(minutes=5)
        assert await desk.differences() == {}
        return asked

    asked = desk.run(script())
    assert max(asked) <= 60
    assert sum(asked) <= 4 * 45
    assert all("no answer within" in text for text in desk.texts()), "a step that takes too long is halved"


def test_a_difference_that_nothing_explains_is_not_looked_into_in_each_check() -> None:
    desk = StatementHarness(pairs=5)

    async def script() -> int:
        await desk.begin()
        await desk.check()
        lost = ExternalFlow(
            at=desk.clock.now(),
            row_id="not a row of the exchange",
            wallet=Wallet.SPOT,
            asset="USDT",
            amount=Decimal("0.01"),
            kind=FlowKind.OTHER,
        )
        await desk.journal.record(lost)
        desk.transport.asked.clear()
        for _ in range(12 * 24):
            await desk.check()
            await desk.wait(minutes=5)
        return desk.transport.asked["transactionHistory"]

    assert desk.run(script()) <= 12
    alarms = [notice for notice in desk.notices if isinstance(notice, BooksChecked)]
    assert len(alarms) == 12 * 24 - 1


def test_a_row_listed_hours_after_its_change_is_booked_by_a_later_reading() -> None:
    desk = StatementHarness(pairs=5)

    async def script() -> None:
        await desk.begin()
        await desk.check()
        deposited = desk.clock.now()
        desk.deposit()
        statement = desk.venue.statement

        async def late(since: datetime, until: datetime | None = None) -> Any:
            rows = await statement(since, until)
            return rows if desk.clock.now() - deposited >= timedelta(hours=3) else ()

        desk.venue.statement = late  # type: ignore[method-assign]
        for _ in range(12 * 12):
            await desk.check()
            await desk.wait(minutes=5)
        assert await desk.differences() == {}

    desk.run(script())


def test_a_row_listed_late_is_read_soon_however_often_other_differences_were_looked_into() -> None:
    desk = StatementHarness(pairs=5)
    unexplained = Decimal("0.01")

    async def script() -> None:
        await desk.begin()
        await desk.check()
        await desk.book_what_nothing_explains(unexplained)
        for _ in range(10):
            desk.deposit()
            await desk.check()
            await desk.wait(minutes=5)
        deposited = desk.clock.now()
        desk.deposit()
        statement = desk.venue.statement

        async def late(since: datetime, until: datetime | None = None) -> Any:
            rows = await statement(since, until)
            return rows if desk.clock.now() - deposited >= timedelta(minutes=1) else ()

        desk.venue.statement = late  # type: ignore[method-assign]
        await desk.check()
        assert await desk.differences() == {"spot:USDT": 10 - unexplained}
        await desk.wait(minutes=5)
        await desk.check()
        assert await desk.differences() == {"spot:USDT": -unexplained}

    desk.run(script())


def test_a_difference_that_stands_for_weeks_does_not_keep_the_watermark_back() -> None:
    desk = StatementHarness(pairs=5)

    async def script() -> None:
        await desk.begin()
        await desk.check()
        await desk.book_what_nothing_explains(Decimal("0.01"))
        for _ in range(30):
            await desk.check()
            await desk.wait(days=1)
        watermark = desk.journal.ledger.statement_from
        assert watermark is not None
        assert desk.clock.now() - watermark <= 9 * DAY
        desk.deposit()
        await desk.check()
        assert await desk.differences() == {"spot:USDT": Decimal("-0.01")}

    desk.run(script())


def test_a_statement_that_failed_once_is_read_again_a_minute_later() -> None:
    desk = StatementHarness(pairs=5)

    async def script() -> None:
        await desk.begin()
        await desk.check()
        desk.deposit()
        statement = desk.venue.statement

        async def refused(since: datetime, until: datetime | None = None) -> Any:
            raise VenueError(f"no answer about what came between {since} and {until}")

        desk.venue.statement = refused  # type: ignore[method-assign]
        await desk.check()
        assert await desk.differences() != {}
        desk.venue.statement = statement  # type: ignore[method-assign]
        await desk.wait(minutes=1)
        await desk.check()
        assert await desk.differences() == {}

    desk.run(script())


def test_a_statement_that_cannot_be_read_is_tried_again_with_growing_pauses() -> None:
    desk = StatementHarness(pairs=5)

    async def script() -> list[int]:
        await desk.begin()
        await desk.check()
        desk.deposit()
        statement = desk.venue.statement

        async def refused(since: datetime, until: datetime | None = None) -> Any:
            del since, until
            tries.append(1)
            raise RateLimited("not sent: the exchange's limits leave no room for 60 s", 60.0)

        tries: list[int] = []
        desk.venue.statement = refused  # type: ignore[method-assign]
        for _ in range(36):
            await desk.check()
            await desk.wait(minutes=5)
        desk.venue.statement = statement  # type: ignore[method-assign]
        for _ in range(40):
            await desk.check()
            await desk.wait(minutes=5)
        assert await desk.differences() == {}
        return tries

    assert len(desk.run(script())) <= 20, "five within 20 minutes, then one in ten"
    assert all("Could not fetch the statement: not sent" in text for text in desk.texts())


@pytest.mark.parametrize("reading", ["statement", "funding"])
def test_a_reading_over_months_leaves_room_for_the_account(reading: str) -> None:
    """Both take more requests than a minute allows."""
    desk = StatementHarness(pairs=30)

    async def script() -> None:
        await desk.begin()
        for _ in range(20):
            await desk.trade_every_pair()
            await desk.wait(days=30)
        read = desk.venue.statement if reading == "statement" else desk.venue.funding_payments
        long = asyncio.ensure_future(read(START))
        await desk.clock.sleep(5)
        began = desk.clock.monotonic()
        await desk.venue.account()
        assert desk.clock.monotonic() - began < 1
        assert not long.done(), "it has to wait for room"
        long.cancel()
        await asyncio.wait({long})

    desk.run(script())
