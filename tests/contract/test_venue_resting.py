"""What every ``ports.Venue`` promises of orders that rest: they can be watched, and a switch cancels them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hedgerow.domain.commands import ArmDeadMan, CancelOrder
from hedgerow.domain.events import DeadManArmed, OrderProgressed
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus, TimeInForce
from support.orders import ended, order, place
from support.settings import InMemory, InProcess, OverSockets, Setting
from support.worlds import START, SYMBOL, ScriptedMarketData

PERP, SPOT, BUY, SELL = Market.PERP, Market.SPOT, Side.BUY, Side.SELL


class VenueFixture:
    """A venue, the prices behind it, and the clock of both."""

    def __init__(self, factory: Any) -> None:
        self.market_data = ScriptedMarketData([SYMBOL])
        self.setting: Setting = factory(self.market_data)
        self.clock, self.venue, self.run = self.setting.clock, self.setting.venue, self.setting.run


@pytest.fixture(params=[InProcess, InMemory, OverSockets], ids=["in process", "in memory", "over sockets"])
def fixture(request: pytest.FixtureRequest) -> Iterator[VenueFixture]:
    made = VenueFixture(request.param)
    yield made
    made.setting.close()


@pytest.mark.parametrize(("market", "side", "price", "later"), [(SPOT, BUY, "99", "98"), (PERP, SELL, "101", "102")])
def test_a_watch_reports_of_a_fill_when_it_happens_and_of_silence_when_its_time_is_over(
    fixture: VenueFixture, market: Market, side: Side, price: str, later: str
) -> None:
    fixture.market_data.set_prices(START + timedelta(minutes=5), later)

    async def script() -> None:
        request = order(market, side, "1", price, time_in_force=TimeInForce.GTX)
        await fixture.venue.submit(place(request))
        began = fixture.clock.now()
        assert await fixture.venue.watch(request, ZERO, 5.0) == ()
        assert fixture.clock.now() >= began + timedelta(seconds=5)
        received = ended(await fixture.venue.watch(request, ZERO, 600.0))
        assert received.status is OrderStatus.FILLED
        assert received.filled_quantity == 1
        assert fixture.clock.now() < began + timedelta(minutes=5, seconds=15)

    fixture.run(script())


def test_a_watch_ends_at_once_when_the_order_has_already_moved(fixture: VenueFixture) -> None:
    async def script() -> None:
        request = order(SPOT, BUY, "1", "99", time_in_force=TimeInForce.GTX)
        await fixture.venue.submit(place(request))
        await fixture.venue.submit(CancelOrder(market=SPOT, symbol=SYMBOL, client_id=request.client_id))
        began = fixture.clock.now()
        assert ended(await fixture.venue.watch(request, ZERO, 60.0)).status is OrderStatus.CANCELED
        assert fixture.clock.now() < began + timedelta(seconds=5)

    fixture.run(script())


def test_the_dead_mans_switch_cancels_what_rests_on_the_perpetual_unless_it_is_set_again(fixture: VenueFixture) -> None:
    async def script() -> None:
        kept = order(PERP, BUY, "1", "98", client_id="kept", time_in_force=TimeInForce.GTX)
        await fixture.venue.submit(place(kept))
        for _ in range(3):
            (armed,) = await fixture.venue.submit(ArmDeadMan(symbol=SYMBOL, seconds=120))
            assert isinstance(armed, DeadManArmed)
            await fixture.clock.sleep(90)
        (still,) = await fixture.venue.resolve(kept)
        assert isinstance(still, OrderProgressed)
        await fixture.clock.sleep(60)
        assert ended(await fixture.venue.resolve(kept)).status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}

    fixture.run(script())


def test_a_switch_that_was_stopped_cancels_nothing_and_spot_has_none(fixture: VenueFixture) -> None:
    async def script() -> None:
        perp = order(PERP, BUY, "1", "98", client_id="perp", time_in_force=TimeInForce.GTX)
        spot = order(SPOT, BUY, "1", "98", client_id="spot", time_in_force=TimeInForce.GTX)
        for request in (perp, spot):
            await fixture.venue.submit(place(request))
        await fixture.venue.submit(ArmDeadMan(symbol=SYMBOL, seconds=20))
        await fixture.venue.submit(ArmDeadMan(symbol=SYMBOL, seconds=0))
        await fixture.clock.sleep(60)
        assert isinstance((await fixture.venue.resolve(perp))[0], OrderProgressed)
        await fixture.venue.submit(ArmDeadMan(symbol=SYMBOL, seconds=20))
        await fixture.clock.sleep(60)
        assert isinstance((await fixture.venue.resolve(spot))[0], OrderProgressed)
        assert not isinstance((await fixture.venue.resolve(perp))[0], OrderProgressed)

    fixture.run(script())
