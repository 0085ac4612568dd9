"""A bot as ``hedgerow run`` wires it, before an exchange on the wire, with every request counted where it arrives.

The wire is in memory and time is virtual: a round trip takes exactly as long as declared, so that a duration divided by
it is the number of sequential round trips. Requests weigh what the exchange charges for them.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

from msgspec import Struct

from hedgerow.app.bot import Bot, build_bot
from hedgerow.app.venues.live import LiveExchange
from hedgerow.aster import AsterClient, Credentials
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import NotSent
from hedgerow.domain.events import CommandIssued, Event
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.notifications import Notification
from hedgerow.emulator.latency import LatencyModel
from hedgerow.emulator.markets.generated import GeneratedMarketData
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.memory_transport import MemoryTransport, wire_request
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.rest.call import WireRequest
from hedgerow.emulator.wire.rest.router import RestReply
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.engine.notices import CycleBegan, CycleEnded, Notice, Observer
from hedgerow.engine.runner import RunOptions
from hedgerow.ports import HttpRequest, HttpResponse, MarketPrices, Store, StreamConnection
from hedgerow.store.memory import MemoryStore
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policies import load_policy

__all__ = ["START", "USER", "Arrival", "Check", "CountedVenue", "Departure", "LivelyMarketData", "Way", "Wiring"]

START = datetime(2026, 1, 5, 7, 35, tzinfo=UTC)
"""Away from every settlement, and 25 minutes before one of every interval."""
USER, AGENT = "0x1111111111111111111111111111111111111111", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
KEY = "0x" + "1".zfill(64)
IP = "127.0.0.1"
SECOND = timedelta(seconds=1)
MOVES = (Decimal(1), Decimal("1.0001"))


class LivelyMarketData(GeneratedMarketData):
    """A generated market that moves every second, as a real one does: a third of its books, by one basis point."""

    @property
    def step(self) -> timedelta:
        """Prices change at every full second."""
        return SECOND

    def prices(self, symbol: str, at: datetime) -> MarketPrices | None:
        """Return the prices of the five minutes, moved a little by the second."""
        found = super().prices(symbol, at)
        if found is None:
            return None
        turn = (int(at.timestamp()) + sum(symbol.encode())) // 3 % 2
        return MarketPrices(spot=found.spot * MOVES[turn], perp=found.perp * MOVES[turn], mark=found.mark)


class Arrival(Struct, frozen=True, kw_only=True):
    """One request as the exchange counted it."""

    number: int
    at: float
    """Seconds of the clock."""
    method: str
    path: str
    weight: int
    status: int | None
    """None = no answer."""


class Departure(Struct, frozen=True, kw_only=True):
    """One request as it left the bot."""

    at: float
    """Seconds of the clock."""
    method: str
    path: str
    after_heard: float
    """Seconds of the clock since the bot last received something of the exchange."""
    worked: float
    """Real seconds since then; where no time of the clock passed, what the bot did in between."""


class Check(Struct, frozen=True, kw_only=True):
    """One cycle of the bot, and what it asked of the exchange."""

    began_at: datetime
    seconds: float
    arrivals: tuple[Arrival, ...]
    issued: int
    """Commands it sent."""
    held: str | None
    """The pair held at its end."""

    @property
    def requests(self) -> int:
        """How many requests arrived."""
        return len(self.arrivals)

    @property
    def weight(self) -> int:
        """What they weighed together."""
        return sum(arrival.weight for arrival in self.arrivals)

    def round_trips(self, seconds: float) -> int:
        """Return how many round trips of so many seconds followed one another."""
        return round(self.seconds / seconds)


class CountedVenue(WireVenue):
    """An exchange that notes what arrives and what it charges for it."""

    def __init__(self, exchange: Exchange, clock: ExchangeClock) -> None:
        super().__init__(exchange, clock)
        self.arrivals: list[Arrival] = []

    def handle(self, request: WireRequest) -> RestReply:
        """Answer a request, and note it."""
        limits = self.exchange.limits[Market.SPOT if request.path.startswith("/api/") else Market.PERP]
        now = self.clock.now()
        self.exchange.advance(now)
        before = limits.used(request.ip, now)
        answer = super().handle(request)
        self.arrivals.append(
            Arrival(
                number=len(self.arrivals),
                at=(now - START).total_seconds(),
                method=request.method,
                path=request.path,
                weight=limits.used(request.ip, now) - before,
                status=answer.response.status if answer.response else None,
            )
        )
        return answer


class Way(MemoryTransport):
    """The client's way to the exchange; tells when each request left."""

    def __init__(self, venue: WireVenue, clock: VirtualClock, round_trip_seconds: float) -> None:
        latency = LatencyModel(median_seconds=round_trip_seconds / 2, spread=1.0) if round_trip_seconds else None
        super().__init__(venue, clock, latency=latency, random=Random(1), ip=IP)
        self._seconds = clock
        self.left: list[Departure] = []
        self._heard = (0.0, 0.0)
        self.streams = True
        """Whether the hosts of the streams can be reached."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send one request."""
        arrives, (heard, real) = wire_request(request), self._heard
        self.left.append(
            Departure(
                at=self._seconds.monotonic(),
                method=arrives.method,
                path=arrives.path,
                after_heard=self._seconds.monotonic() - heard,
                worked=time.perf_counter() - real,
            )
        )
        try:
            return await super().send(request)
        finally:
            self._hear()

    def on_notification(self, news: Notification) -> None:
        """Note that a stream reported something of the account."""
        del news
        self._hear()

    def _hear(self) -> None:
        self._heard = (self._seconds.monotonic(), time.perf_counter())

    def connect(self, url: str) -> AbstractAsyncContextManager[StreamConnection]:
        """Open a stream.

        Raises:
            NotSent: the host cannot be reached.
        """
        if not self.streams:
            raise NotSent("the host of the streams cannot be reached")
        return super().connect(url)

    async def close(self) -> None:
        """Nothing is open."""


class Meter:
    """Cuts what arrived into cycles."""

    def __init__(self, venue: CountedVenue, clock: VirtualClock) -> None:
        self._venue = venue
        self._clock = clock
        self._began: tuple[datetime, float, int] | None = None
        self._issued = 0
        self.checks: list[Check] = []

    def on_notice(self, notice: Notice) -> None:
        """Note where a cycle begins and ends."""
        event = getattr(notice, "event", None)
        self._issued += isinstance(event, CommandIssued)
        if isinstance(notice, CycleBegan):
            self._began = (notice.at, self._clock.monotonic(), len(self._venue.arrivals))
            self._issued = 0
        elif isinstance(notice, CycleEnded) and self._began is not None:
            at, since, first = self._began
            hedge = notice.ledger.largest
            self.checks.append(
                Check(
                    began_at=at,
                    seconds=self._clock.monotonic() - since,
                    arrivals=tuple(self._venue.arrivals[first:]),
                    issued=self._issued,
                    held=hedge.symbol if hedge else None,
                )
            )


class Wiring:
    """One exchange, one account, one log, and the lives of the bot between them."""

    def __init__(
        self,
        *,
        pairs: int = 45,
        seed: int = 1,
        round_trip_seconds: float = 0.0,
        parameters: StrategyParameters | None = None,
        way: type[Way] = Way,
        venue: type[CountedVenue] = CountedVenue,
    ) -> None:
        self.market_data = LivelyMarketData(seed=seed, start=START, pairs=pairs)
        self.clock = VirtualClock(START)
        self.exchange = Exchange(self.market_data, start=START)
        self.exchange.open_account(USER, spot={"USDT": Decimal(500)}, perp=Decimal(500))
        self.exchange.permit(USER, Agent(signer=AGENT.lower()))
        self.venue = venue(self.exchange, ExchangeClock(self.clock, START))
        self.way = way(self.venue, self.clock, round_trip_seconds)
        self.store = MemoryStore()
        self.meter = Meter(self.venue, self.clock)
        self._parameters = parameters or StrategyParameters()
        self._seeds = itertools.count(seed)

    @property
    def checks(self) -> list[Check]:
        """Every cycle so far."""
        return self.meter.checks

    @property
    def ledger(self) -> Ledger:
        """What the log says."""
        return fold(self.events)

    def seconds_of(self, check: Check) -> float:
        """Return how long after the exchange began a check began."""
        return (check.began_at - START).total_seconds()

    @property
    def events(self) -> tuple[Event, ...]:
        """The log."""
        return self.read(self.store)

    def read(self, store: Store) -> tuple[Event, ...]:
        """Return a log's events, and let go of it."""

        async def read() -> tuple[Event, ...]:
            try:
                return await store.events()
            finally:
                await store.close()

        return asyncio.run(read())

    @asynccontextmanager
    async def session(
        self, observers: Sequence[Observer] = (), store: Store | None = None, *, stay: bool = True
    ) -> AsyncGenerator[Bot]:
        """Wire a bot, connect it as ``hedgerow run`` does, and let it go at the end."""
        chance = Random(next(self._seeds))
        client = AsterClient(
            transport=self.way,
            clock=self.clock,
            random=chance,
            credentials=Credentials(user=USER, signer=AGENT, private_key=KEY),
        )
        exchange = LiveExchange(self.way, client, self.clock, chance)
        log = store or self.store
        seconds = self._parameters.position_management.loop_interval_seconds
        bot = build_bot(
            venue=exchange.venue,
            store=log,
            clock=self.clock,
            policy=load_policy(self._parameters.policy, self._parameters),
            randomness=chance,
            options=RunOptions(interval_seconds=seconds),
            observers=(*observers, exchange, self.meter),
        )
        exchange.venue.account_cache.subscribe(self.way.on_notification)
        async with exchange.open_connection(log, stay):
            yield bot

    def run(self, minutes: float, *, streams: bool = True, store: Store | None = None) -> list[Check]:
        """Let a bot live for so long; returns its checks."""
        self.way.streams = streams
        first = len(self.checks)

        async def main() -> None:
            async with self.session(store=store) as bot:
                running = asyncio.ensure_future(bot.runner.run())
                await asyncio.wait({running}, timeout=minutes * 60)
                bot.stop.set()
                await running

        run_virtual(self.clock, main())
        return self.checks[first:]
