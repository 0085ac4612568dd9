"""What every venue that tells by itself promises, checked on each one against the same emulated account."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Protocol

import pytest

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import SetLeverage
from hedgerow.domain.events import Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.sandbox import SandboxVenue
from hedgerow.ports import MarketData, NotificationSource, Venue
from support.orders import order, place
from support.settings import InMemory
from support.worlds import START, SYMBOL, ScriptedMarketData, make_venue, make_world

PERP, SPOT, BUY, SELL = Market.PERP, Market.SPOT, Side.BUY, Side.SELL
OWN_ID = "test-"


class NotifyingVenue(Venue, NotificationSource, Protocol):
    """A venue that tells by itself."""


class Setting(Protocol):
    """A venue that tells, and the account behind it."""

    clock: VirtualClock

    @property
    def venue(self) -> NotifyingVenue: ...

    @property
    def world(self) -> Any: ...

    def listening(self) -> Any:
        """Return a context in which the venue tells."""
        ...


class InProcess:
    """The emulated venue itself."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.world: Any = make_world(ScriptedMarketData())
        self.venue: NotifyingVenue = make_venue(self.world, self.clock)

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        yield


class OverStreams:
    """The live client with its streams, in front of the wire."""

    def __init__(self) -> None:
        self._setting = InMemory(ScriptedMarketData())
        self.clock, self.world = self._setting.clock, self._setting.world
        venue: Any = self._setting.venue
        self.venue: NotifyingVenue = venue

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        streams = asyncio.create_task(self._setting.streams.run())
        await self.clock.sleep(3)
        yield
        streams.cancel()
        await asyncio.gather(streams, return_exceptions=True)


class Sandboxed:
    """An emulated account on the market of another venue, which tells its own."""

    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        market_data = ScriptedMarketData()
        other = make_venue(make_world(market_data), self.clock)
        self.world: Any = None
        self.venue: NotifyingVenue = SandboxVenue(other, self.clock, self._opening, notifications=other)

    async def _opening(self, market_data: MarketData) -> World:
        world = World(market_data, start=self.clock.now(), spot={"USDT": Decimal(10_000)}, perp=Decimal(10_000))
        self.world = world
        return world

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        yield


FACTORIES: dict[str, Callable[[], Setting]] = {
    "in process": InProcess,
    "on streams": OverStreams,
    "mirrored": Sandboxed,
}


class HeldHedgeFixture:
    """A held hedge on a venue that notifies, and its notifications since."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.received: list[Notification] = []

    @property
    def world(self) -> Any:
        return self.setting.world

    def play(self, script: Callable[["HeldHedgeFixture"], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            venue = self.setting.venue
            await venue.market(1)
            await venue.submit(SetLeverage(symbol=SYMBOL, leverage=1))
            await venue.submit(place(order(SPOT, BUY, "10.004", "100.1")))
            await venue.submit(place(order(PERP, SELL, "10", "99.9")))
            async with self.setting.listening():
                venue.follow(SYMBOL)
                end = venue.subscribe(self.received.append)
                await script(self)
                end()
                venue.follow()

        run_virtual(self.setting.clock, main())

    async def settle(self, seconds: float = 1.5) -> None:
        """Let what was done be notified."""
        await self.setting.clock.sleep(seconds)

    def reported(self, *kinds: NotificationKind) -> list[Notification]:
        return [notifications for notifications in self.received if notifications.kind in kinds]


@pytest.fixture(params=list(FACTORIES.values()), ids=list(FACTORIES))
def fixture(request: pytest.FixtureRequest) -> HeldHedgeFixture:
    return HeldHedgeFixture(request.param())


def test_it_is_reporting_while_all_is_well_and_quiet(fixture: HeldHedgeFixture) -> None:
    async def script(fixture: HeldHedgeFixture) -> None:
        await fixture.settle(60)
        assert fixture.setting.venue.streaming
        assert {notifications.kind for notifications in fixture.received} <= {NotificationKind.MARK}

    fixture.play(script)


def test_a_deleveraging_is_reported_at_once_with_its_symbol(fixture: HeldHedgeFixture) -> None:
    async def script(fixture: HeldHedgeFixture) -> None:
        fixture.world.deleverage(SYMBOL, Decimal(4))
        await fixture.settle()
        (forced,) = fixture.reported(NotificationKind.FORCED)
        assert (forced.symbol, forced.market) == (SYMBOL, PERP)
        assert (fixture.setting.clock.now() - forced.at).total_seconds() <= 1.5

    fixture.play(script)


def test_coins_sold_by_hand_are_reported_as_an_order_and_a_balance_that_are_not_ours(fixture: HeldHedgeFixture) -> None:
    async def script(fixture: HeldHedgeFixture) -> None:
        fixture.world.trade_by_hand(SPOT, SYMBOL, SELL, Decimal(3))
        await fixture.settle()
        assert fixture.reported(NotificationKind.BALANCE)
        assert fixture.reported(NotificationKind.ORDER)
        assert not any(
            notifications.client_id.startswith(OWN_ID) for notifications in fixture.reported(NotificationKind.ORDER)
        )

    fixture.play(script)


def test_an_order_of_ours_is_reported_under_its_own_id(fixture: HeldHedgeFixture) -> None:
    async def script(fixture: HeldHedgeFixture) -> None:
        mine = order(SPOT, SELL, "1", "99", client_id="h1-s-9")
        await fixture.setting.venue.submit(place(mine))
        await fixture.settle()
        assert {notifications.client_id for notifications in fixture.reported(NotificationKind.ORDER)} == {"h1-s-9"}

    fixture.play(script)


def test_deposits_and_leverage_are_reported(fixture: HeldHedgeFixture) -> None:
    async def script(fixture: HeldHedgeFixture) -> None:
        fixture.world.deposit(Wallet.SPOT, "USDT", Decimal(5))
        await fixture.settle()
        assert fixture.reported(NotificationKind.BALANCE)
        await fixture.setting.venue.submit(SetLeverage(symbol=SYMBOL, leverage=2))
        await fixture.settle()
        assert [notifications.symbol for notifications in fixture.reported(NotificationKind.LEVERAGE)] == [SYMBOL]

    fixture.play(script)


def test_who_left_receives_no_more(fixture: HeldHedgeFixture) -> None:
    async def script(fixture: HeldHedgeFixture) -> None:
        received: list[Notification] = []
        fixture.setting.venue.subscribe(received.append)()
        fixture.world.deleverage(SYMBOL, Decimal(1))
        await fixture.settle()
        assert received == []
        assert fixture.reported(NotificationKind.FORCED)

    fixture.play(script)
