"""The dry run's exchange: another venue's market, an account of its own."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.commands import SetLeverage
from hedgerow.domain.errors import NotSent, VenueError
from hedgerow.domain.funding import FundingRate, RateBoard
from hedgerow.domain.instrument import BasisPair, Market, Side
from hedgerow.domain.market import Depth, Level, MarkPrice, Quote
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.sandbox import SandboxVenue
from hedgerow.emulator.markets.live_feed import LiveMarketData
from hedgerow.ports import MarketData
from support.orders import ended, order, place
from support.worlds import START, SYMBOL, make_pair

HOUR = timedelta(hours=1)
PERP, SPOT, BUY, SELL = Market.PERP, Market.SPOT, Side.BUY, Side.SELL


class LiveMarketView:
    """What was read at one time."""

    def __init__(self, live: "LiveVenue") -> None:
        self.at = live.clock.now()
        self.pairs = tuple(live.pairs)
        self.rates = RateBoard(settled={SYMBOL: tuple(live.settled)})
        self._live = live
        self._price = live.price
        self._estimate = live.estimate

    def pair(self, symbol: str) -> BasisPair | None:
        return next((pair for pair in self.pairs if pair.symbol == symbol), None)

    def quote(self, market: Market, symbol: str) -> Quote | None:
        if self._price is None:
            return None
        bid, ask = self._price - Decimal("0.01"), self._price + Decimal("0.01")
        return Quote(
            market=market,
            symbol=symbol,
            bid=bid,
            bid_quantity=Decimal(50),
            ask=None if self._live.no_offers else ask,
            ask_quantity=Decimal(50),
            at=self.at,
        )

    def mark(self, symbol: str) -> MarkPrice | None:
        if self._price is None:
            return None
        return MarkPrice(symbol=symbol, mark=self._price, index=self._price, at=self.at)

    def predicted(self, symbol: str) -> FundingRate | None:
        del symbol
        return self._estimate

    def volume(self, symbol: str) -> Decimal | None:
        return Decimal(50_000_000) if symbol == SYMBOL else None


class LiveVenue:
    """The market half of a live venue, set by the test."""

    name = "live"

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.pairs = [make_pair()]
        self.price: Decimal | None = Decimal(100)
        self.settled: list[FundingRate] = []
        self.estimate: FundingRate | None = rate(START + 8 * HOUR, "0.0003", settled=False)
        self.no_offers = False
        self.down = False
        self.slow = False
        self.reads = 0

    async def market(self, periods: int) -> LiveMarketView:
        del periods
        self.reads += 1
        if self.slow:
            await self.clock.sleep(1)
        if self.down:
            raise NotSent("the exchange cannot be reached")
        return LiveMarketView(self)

    async def depth(self, market: Market, symbol: str) -> Depth:
        price = self.price or Decimal(0)
        levels = [Decimal("0.01") * step for step in (1, 3, 5, 50)]
        return Depth(
            market=market,
            symbol=symbol,
            bids=tuple(Level(price - step, Decimal(200)) for step in levels),
            asks=tuple(Level(price + step, Decimal(200)) for step in levels),
            at=self.clock.now(),
        )


def rate(at: datetime, value: str, *, settled: bool = True) -> FundingRate:
    return FundingRate(symbol=SYMBOL, rate=Decimal(value), interval_hours=8, at=at, settled=settled)


class SandboxHarness:
    def __init__(self) -> None:
        self.clock = VirtualClock(START)
        self.live = LiveVenue(self.clock)
        self.worlds: list[World] = []
        self.saved = 0
        self.venue = SandboxVenue(
            self.live,  # type: ignore[arg-type] # only the market half is ever asked
            self.clock,
            self.opened,
            on_change=self.kept,
        )

    async def opened(self, market_data: MarketData) -> World:
        world = World(market_data, start=self.clock.now(), spot={"USDT": Decimal(5000)}, perp=Decimal(5000))
        self.worlds.append(world)
        return world

    def kept(self, world: World) -> None:
        del world
        self.saved += 1

    async def hedge(self) -> None:
        await self.venue.market(1)
        await self.venue.submit(SetLeverage(symbol=SYMBOL, leverage=1))
        for market in Market:
            await self.venue.depth(market, SYMBOL)
        bought = await self.venue.submit(place(order(SPOT, BUY, "10", "100.1")))
        sold = await self.venue.submit(place(order(PERP, SELL, "10", "99.9")))
        assert ended(bought).filled_quantity == ended(sold).filled_quantity == 10


@pytest.fixture
def harness() -> SandboxHarness:
    return SandboxHarness()


def test_the_market_and_the_books_are_the_live_ones(harness: SandboxHarness) -> None:
    async def main() -> None:
        view = await harness.venue.market(10)
        assert isinstance(view, LiveMarketView)
        depth = await harness.venue.depth(SPOT, SYMBOL)
        assert depth.asks[0] == Level(Decimal("100.01"), Decimal(200))

    run_virtual(harness.clock, main())


def test_orders_fill_at_the_live_books_prices_and_live_receives_none(harness: SandboxHarness) -> None:
    async def main() -> None:
        await harness.hedge()
        fills = await harness.venue.fills(SPOT, SYMBOL, START)
        assert {fill.price for fill in fills} == {Decimal("100.01")}
        account = await harness.venue.account()
        assert account.short(SYMBOL) == 10
        assert await harness.venue.open_orders(SYMBOL) == ()
        assert harness.saved > 0

    run_virtual(harness.clock, main())
    assert not hasattr(harness.live, "submit")


def test_an_order_beyond_the_live_books_depth_is_filled_in_part(harness: SandboxHarness) -> None:
    async def main() -> None:
        await harness.venue.market(1)
        await harness.venue.depth(SPOT, SYMBOL)
        events = await harness.venue.submit(place(order(SPOT, BUY, "49", "100.02")))
        assert 0 < ended(events).filled_quantity < 49

    run_virtual(harness.clock, main())


def test_a_settlement_is_paid_at_the_last_estimate_until_its_rate_is_reported_and_only_once(
    harness: SandboxHarness,
) -> None:
    async def main() -> None:
        await harness.hedge()
        await harness.clock.sleep(8 * 3600 + 5)
        harness.live.estimate = rate(START + 16 * HOUR, "0.0001", settled=False)
        await harness.venue.market(1)
        paid = await harness.venue.funding_payments(START)
        assert [(payment.amount, payment.at) for payment in paid] == [(Decimal("0.3"), START + 8 * HOUR)]
        harness.live.settled = [rate(START + 8 * HOUR, "0.00029")]
        await harness.clock.sleep(60)
        await harness.venue.market(1)
        assert await harness.venue.funding_payments(START) == paid

    run_virtual(harness.clock, main())


def test_settlements_missed_while_nobody_looked_are_paid_at_their_own_rates(harness: SandboxHarness) -> None:
    async def main() -> None:
        await harness.hedge()
        await harness.clock.sleep(24 * 3600 + 5)
        harness.live.settled = [rate(START + 8 * n * HOUR, f"0.000{n}") for n in (1, 2, 3)]
        await harness.venue.market(1)
        paid = await harness.venue.funding_payments(START)
        assert [payment.amount for payment in paid] == [Decimal("0.1"), Decimal("0.2"), Decimal("0.3")]

    run_virtual(harness.clock, main())


def test_the_account_waits_for_a_reading_under_way(harness: SandboxHarness) -> None:
    async def main() -> None:
        await harness.hedge()
        harness.live.slow, harness.live.price = True, Decimal(110)
        _, account = await asyncio.gather(harness.venue.market(1), harness.venue.account())
        assert account.positions[SYMBOL].mark_price == 110

    run_virtual(harness.clock, main())


def test_the_first_question_about_the_account_reads_the_market(harness: SandboxHarness) -> None:
    assert run_virtual(harness.clock, harness.venue.account()).spot_usdt == 5000
    assert harness.live.reads == 1


def test_a_market_that_cannot_be_read_is_unread_and_the_account_still_answers(harness: SandboxHarness) -> None:
    async def main() -> None:
        harness.live.down = True
        with pytest.raises(VenueError):
            await harness.venue.account()
        harness.live.down = False
        await harness.hedge()
        harness.live.down = True
        with pytest.raises(VenueError):
            await harness.venue.market(1)
        assert (await harness.venue.account()).short(SYMBOL) == 10

    run_virtual(harness.clock, main())


def test_a_new_listing_can_be_traded_and_what_was_held_stays(harness: SandboxHarness) -> None:
    async def main() -> None:
        await harness.hedge()
        harness.live.pairs = [replace_fees(harness.live.pairs[0]), make_pair("NEWUSDT")]
        await harness.venue.market(1)
        await harness.venue.depth(SPOT, "NEWUSDT")
        events = await harness.venue.submit(place(order(SPOT, BUY, "1", "100.1", symbol="NEWUSDT")))
        assert ended(events).filled_quantity == 1
        assert (await harness.venue.account()).short(SYMBOL) == 10

    run_virtual(harness.clock, main())
    assert len(harness.worlds) == 1


def replace_fees(pair: BasisPair) -> BasisPair:
    fees = replace(pair.spot.fees, taker=Decimal("0.0005"))
    return replace(pair, spot=replace(pair.spot, fees=fees))


def test_a_tape_knows_a_missing_side_and_a_missing_price(harness: SandboxHarness) -> None:
    market_data = LiveMarketData(LiveMarketView(harness.live))
    assert market_data.missing_side(SPOT, SYMBOL, START) is None
    assert market_data.liquidity(SPOT, SYMBOL, START).depth_notional == Decimal("4999.5")
    harness.live.no_offers = True
    market_data.take(LiveMarketView(harness.live))
    assert market_data.missing_side(SPOT, SYMBOL, START) is BUY
    assert market_data.liquidity(SPOT, SYMBOL, START).depth_notional == 0
    harness.live.price = None
    market_data.take(LiveMarketView(harness.live))
    assert market_data.prices(SYMBOL, START) is None
    assert market_data.volume("NEWUSDT", START) == 0
    assert market_data.sources == {SYMBOL: "read live"}
    assert market_data.start == START < market_data.end
