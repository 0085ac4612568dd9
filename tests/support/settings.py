"""One account of one emulated market, reached in three ways: as an object, over the wire in memory, over sockets."""

from collections.abc import Callable, Coroutine
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from hedgerow.app.venues.lockstep import AttendedTransport
from hedgerow.aster import AsterClient, AsterVenue, Credentials
from hedgerow.aster.endpoints import MAINNET, Hosts
from hedgerow.aster.http.transport import HttpTransport
from hedgerow.aster.streams import AsterStreams
from hedgerow.clock import FollowedClock, SystemClock, VirtualClock, run_virtual
from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.emulator import EmulatedVenue
from hedgerow.emulator.wire.exchange.exchange import Exchange, ExchangeRules
from hedgerow.emulator.wire.memory_transport import MemoryTransport
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.protocol.credentials import Agent
from hedgerow.emulator.wire.venue import WireVenue
from hedgerow.ports import Clock, HttpRequest, HttpResponse, Transport, Venue
from support.scripted_aster import KEY, SIGNER, USER
from support.served import ServedExchange
from support.worlds import START, ScriptedMarketData, make_world

__all__ = ["InMemory", "InProcess", "OverSockets", "Setting"]

Result = TypeVar("Result")
FUNDS = Decimal(10_000)
"""USDT in each wallet."""


class Setting(Protocol):
    """A venue, and what stands behind it."""

    venue: Venue
    clock: VirtualClock
    world: Any
    """The account's world: what happens outside of the venue's own door."""

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        """Run ``main`` under the clock."""
        ...

    def close(self) -> None:
        """End what runs."""
        ...


class InProcess:
    """The emulated venue itself."""

    def __init__(self, market_data: ScriptedMarketData) -> None:
        self.clock = VirtualClock(START)
        self.world: Any = make_world(market_data)
        self.venue: Venue = EmulatedVenue(self.world, self.clock)

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return run_virtual(self.clock, main)

    def close(self) -> None:
        """Nothing runs."""


class InMemory:
    """The live client in front of the wire, without sockets."""

    def __init__(self, market_data: ScriptedMarketData) -> None:
        self.clock = VirtualClock(START)
        exchange = _exchange(market_data)
        wire = WireVenue(exchange, ExchangeClock(self.clock, START))
        self.world: Any = _World(exchange, lambda act: act())
        transport = MemoryTransport(wire, self.clock)
        self.venue: Venue = _live(transport, self.clock, MAINNET)
        self.streams = AsterStreams(_as_live(self.venue), transport=transport, clock=self.clock, random=Random(1))

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return run_virtual(self.clock, main)

    def close(self) -> None:
        """Nothing runs."""


class OverSockets:
    """The live client in front of a served exchange, whose time passes only when the client waits."""

    def __init__(self, market_data: ScriptedMarketData) -> None:
        exchange = _exchange(market_data)
        self._served = ServedExchange(WireVenue(exchange, ExchangeClock(SystemClock(), START, speed=0)))
        followed = FollowedClock(START, self._advance)
        self.clock: VirtualClock = followed
        self._transport = UnpooledTransport()
        self.world: Any = _World(exchange, self._served.ask)
        self.venue: Venue = _live(AttendedTransport(self._transport, followed), followed, self._served.hosts)

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        async def closing() -> Result:
            try:
                return await main
            finally:
                # The next run has an event loop of its own, which cannot use this one's connections.
                await self._transport.close()

        return run_virtual(self.clock, closing())

    def close(self) -> None:
        self._served.close()

    def _advance(self, seconds: float) -> datetime:
        self._served.advance_time(seconds)
        return self._served.ask(self._served.venue.clock.now)


class UnpooledTransport(HttpTransport):
    """Keeps no connection: aiohttp measures their idleness in real time, and would wake a virtual clock each minute."""

    async def send(self, request: HttpRequest) -> HttpResponse:
        return await super().send(replace(request, headers={**request.headers, "Connection": "close"}))


class _World:
    """The world of the account behind a wire; ``via`` is how one gets there."""

    def __init__(self, exchange: Exchange, via: Callable[[Callable[[], Any]], Any]) -> None:
        self._exchange = exchange
        self._via = via

    def __getattr__(self, name: str) -> Any:
        act = getattr(self._exchange.exchange_accounts[USER].world, name)
        return lambda *arguments, **named: self._via(lambda: act(*arguments, **named))

    def set_status(self, symbol: str, status: TradingStatus) -> None:
        """Change a symbol's status for everybody."""
        self._via(lambda: self._exchange.set_status(symbol, status, tuple(Market)))


def _exchange(market_data: ScriptedMarketData) -> Exchange:
    # A spot order is matched at once, as the suite expects of every venue; its delay has tests of its own.
    exchange = Exchange(market_data, start=START, rules=ExchangeRules(spot_delay_seconds=0.0))
    exchange.open_account(USER, spot={"USDT": FUNDS}, perp=FUNDS)
    exchange.permit(USER, Agent(signer=SIGNER.lower()))
    return exchange


def _as_live(venue: Venue) -> AsterVenue:
    assert isinstance(venue, AsterVenue)
    return venue


def _live(transport: Transport, clock: Clock, hosts: Hosts) -> AsterVenue:
    credentials = Credentials(user=USER, signer=SIGNER, private_key=KEY)
    client = AsterClient(transport=transport, clock=clock, random=Random(1), credentials=credentials, hosts=hosts)
    venue = AsterVenue(client, clock)
    venue.remember(())
    return venue
