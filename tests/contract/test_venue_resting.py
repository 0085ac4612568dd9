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


class Stage:
    """A venue, the prices behind it, and the clock of both."""

    def __init__(self, factory: Any) -> None:
        self.market_data = ScriptedMarketData([SYMBOL])
        self.setting: Setting = factory(self.market_data)
        self.clock, self.venue, self.run = self.setting.clock, self.setting.venue, self.setting.run


@pytest.fixture(params=[InProcess, InMemory, OverSockets], ids=["in process", "in memory", "over sockets"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    made = Stage(request.param)
    yield made
    made.setting.close()


@pytest.mark.parametrize(("market", "side", "price", "later"), [(SPOT, BUY, "99", "98"), (PERP, SELL, "101", "102")])
def test_a_watch_tells_of_a_fill_when_it_happens_and_of_silence_when_its_time_is_over(
    stage: Stage, market: Market, side: Side, price: str, later: str
) -> None:
    stage.market_data.set_prices(START + timedelta(minutes=5), later)

    async def story() -> None:
        request = order(market, side, "1", price, time_in_force=TimeInForce.GTX)
        await stage.venue.submit(place(request))
        began = stage.clock.now()
        assert await stage.venue.watch(request, ZERO, 5.0) == ()
        assert stage.clock.now() >= began + timedelta(seconds=5)
        heard = ended(await stage.venue.watch(request, ZERO, 600.0))
        assert heard.status is OrderStatus.FILLED
        assert heard.filled_quantity == 1
        assert stage.clock.now() < began + timedelta(minutes=5, seconds=15)

    stage.run(story())


def test_a_watch_ends_at_once_when_the_order_has_already_moved(stage: Stage) -> None:
    async def story() -> None:
        request = order(SPOT, BUY, "1", "99", time_in_force=TimeInForce.GTX)
        await stage.venue.submit(place(request))
        await stage.venue.submit(CancelOrder(market=SPOT, symbol=SYMBOL, client_id=request.client_id))
        began = stage.clock.now()
        assert ended(await stage.venue.watch(request, ZERO, 60.0)).status is OrderStatus.CANCELED
        assert stage.clock.now() < began + timedelta(seconds=5)

    stage.run(story())


def test_the_dead_mans_switch_cancels_what_rests_on_the_perpetual_unless_it_is_set_again(stage: Stage) -> None:
    async def story() -> None:
        kept = order(PERP, BUY, "1", "98", client_id="kept", time_in_force=TimeInForce.GTX)
        await stage.venue.submit(place(kept))
        for _ in range(3):
            (armed,) = await stage.venue.submit(ArmDeadMan(symbol=SYMBOL, seconds=120))
            assert isinstance(armed, DeadManArmed)
            await stage.clock.sleep(90)
        (still,) = await stage.venue.resolve(kept)
        assert isinstance(still, OrderProgressed)
        await stage.clock.sleep(60)
        assert ended(await stage.venue.resolve(kept)).status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}

    stage.run(story())


def test_a_switch_that_was_stopped_cancels_nothing_and_spot_has_none(stage: Stage) -> None:
    async def story() -> None:
        perp = order(PERP, BUY, "1", "98", client_id="perp", time_in_force=TimeInForce.GTX)
        spot = order(SPOT, BUY, "1", "98", client_id="spot", time_in_force=TimeInForce.GTX)
        for request in (perp, spot):
            await stage.venue.submit(place(request))
        await stage.venue.submit(ArmDeadMan(symbol=SYMBOL, seconds=20))
        await stage.venue.submit(ArmDeadMan(symbol=SYMBOL, seconds=0))
        await stage.clock.sleep(60)
        assert isinstance((await stage.venue.resolve(perp))[0], OrderProgressed)
        await stage.venue.submit(ArmDeadMan(symbol=SYMBOL, seconds=20))
        await stage.clock.sleep(60)
        assert isinstance((await stage.venue.resolve(spot))[0], OrderProgressed)
        assert not isinstance((await stage.venue.resolve(perp))[0], OrderProgressed)

    stage.run(story())
