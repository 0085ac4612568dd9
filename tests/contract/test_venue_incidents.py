"""What befalls an account and its market looks the same through every ``ports.Venue``."""

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from hedgerow.domain.commands import SetLeverage
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.money import ZERO
from support.orders import order, place
from support.settings import InMemory, InProcess, OverSockets, Setting
from support.worlds import START, SYMBOL, ScriptedMarketData

Result = TypeVar("Result")
FACTORIES: dict[str, Callable[[ScriptedMarketData], Setting]] = {
    "in process": InProcess,
    "in memory": InMemory,
    "over sockets": OverSockets,
}
HOUR = 3600.0


class VenueFixture:
    """A venue, the world behind it, the tape it plays, and its clock."""

    def __init__(self, factory: Callable[[ScriptedMarketData], Setting]) -> None:
        self.market_data = ScriptedMarketData()
        self.setting = factory(self.market_data)
        self.world, self.clock, self.venue = self.setting.world, self.setting.clock, self.setting.venue

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return self.setting.run(main)

    async def short(self, quantity: str, leverage: int = 1) -> None:
        await self.venue.submit(SetLeverage(symbol=SYMBOL, leverage=leverage))
        await self.venue.submit(place(order(Market.PERP, Side.SELL, quantity, "99")))


@pytest.fixture(params=list(FACTORIES.values()), ids=list(FACTORIES))
def fixture(request: pytest.FixtureRequest) -> Iterator[VenueFixture]:
    made = VenueFixture(request.param)
    yield made
    made.setting.close()


def test_an_interval_that_changes_while_a_position_is_held_pays_at_its_own_hours(fixture: VenueFixture) -> None:
    async def script() -> None:
        fixture.market_data.set_interval(START + timedelta(hours=8), 2)
        await fixture.short("10")
        await fixture.clock.sleep(12 * HOUR + 60)
        paid = await fixture.venue.funding_payments(START)
        assert [payment.at - START for payment in paid] == [timedelta(hours=hours) for hours in (8, 10, 12)]
        view = await fixture.venue.market(3)
        newest = view.rates.newest(SYMBOL, 3)
        assert [rate.at - START for rate in newest] == [timedelta(hours=hours) for hours in (8, 10, 12)]
        predicted = view.predicted(SYMBOL)
        assert predicted is not None
        assert (predicted.interval_hours, predicted.at - START) == (2, timedelta(hours=14))

    fixture.run(script())


def test_a_short_that_is_deleveraged_is_smaller_and_its_trade_is_known(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.short("10")
        fixture.world.deleverage(SYMBOL, Decimal(4))
        account = await fixture.venue.account()
        assert account.position_quantity(SYMBOL) == -6
        sold, bought = await fixture.venue.fills(Market.PERP, SYMBOL, START)
        assert (sold.side, bought.side, bought.quantity) == (Side.SELL, Side.BUY, Decimal(4))
        assert await fixture.venue.open_orders(SYMBOL) == ()

    fixture.run(script())


def test_a_liquidated_short_is_gone_and_its_fee_is_in_the_statement(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.short("900", leverage=20)
        before = await fixture.venue.account()
        fixture.world.shock(SYMBOL, Decimal("1.105"))
        account = await fixture.venue.account()
        assert account.position_quantity(SYMBOL) == 0
        rows = [row for row in await fixture.venue.statement(START) if row.wallet is Wallet.PERP]
        (fee,) = (row for row in rows if row.kind is FlowKind.LIQUIDATION_FEE)
        assert (fee.asset, fee.amount < 0) == ("USDT", True)
        fills = await fixture.venue.fills(Market.PERP, SYMBOL, START)
        assert fills[-1].side is Side.BUY
        assert sum((fill.quantity for fill in fills if fill.side is Side.BUY), ZERO) == 900
        closing = sum((fill.realized_pnl - fill.fee for fill in fills if fill.side is Side.BUY), ZERO)
        rest = sum((row.amount for row in rows), ZERO)
        assert account.perp.balance == before.perp.balance + closing + rest

    fixture.run(script())


@pytest.mark.parametrize(("one_way", "single_asset"), [(False, True), (True, False)])
def test_modes_of_the_account_are_reported(fixture: VenueFixture, *, one_way: bool, single_asset: bool) -> None:
    async def script() -> None:
        fixture.world.set_modes(one_way=one_way, single_asset=single_asset)
        account = await fixture.venue.account()
        assert (account.one_way, account.single_asset) == (one_way, single_asset)

    fixture.run(script())


def test_a_book_without_one_side_has_no_price_there(fixture: VenueFixture) -> None:
    async def script() -> None:
        fixture.market_data.set_missing_sides(START, {Market.SPOT: Side.BUY})
        quote = (await fixture.venue.market(1)).quote(Market.SPOT, SYMBOL)
        assert quote is not None
        assert (quote.ask, quote.bid is None) == (None, False)
        depth = await fixture.venue.depth(Market.SPOT, SYMBOL)
        assert (depth.asks, depth.two_sided) == ((), False)
        assert len(depth.bids) > 1

    fixture.run(script())


def test_a_market_without_a_price_is_unknown_and_not_zero(fixture: VenueFixture) -> None:
    async def script() -> None:
        fixture.market_data.set_gap(START)
        view = await fixture.venue.market(1)
        assert view.mark(SYMBOL) is None
        quote = view.quote(Market.PERP, SYMBOL)
        assert quote is None or (quote.bid, quote.ask) == (None, None)

    fixture.run(script())
