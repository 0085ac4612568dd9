"""What every ``ports.Venue`` promises, checked on each adapter against the same emulated world behind it.

In the process, the world is the venue; in memory and over sockets, the live client meets it on the wire.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from hedgerow.domain.account import MarginTier, MarginType
from hedgerow.domain.commands import (
    CancelOrder,
    SetLeverage,
    SetMarginType,
    TransferDirection,
    TransferFunds,
)
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import (
    CommandRefused,
    FlowKind,
    FundsTransferred,
    LeverageSet,
    MarginTypeSet,
    OrderAccepted,
    OrderEnded,
    OrderProgressed,
    Wallet,
)
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.money import ZERO
from hedgerow.domain.order import OrderStatus, RejectKind, TimeInForce
from hedgerow.emulator.core.market_changes import BracketChange, LeverageTier, margin_tiers
from support.orders import ended, order, place
from support.settings import InMemory, InProcess, OverSockets, Setting
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData

Result = TypeVar("Result")
Factory = Callable[[ScriptedMarketData], Setting]

PERP, SPOT, BUY, SELL = Market.PERP, Market.SPOT, Side.BUY, Side.SELL
FACTORIES: dict[str, Factory] = {"in process": InProcess, "in memory": InMemory, "over sockets": OverSockets}


class VenueFixture:
    """A venue, the world behind it, and the clock of both."""

    def __init__(self, factory: Factory) -> None:
        self.market_data = ScriptedMarketData([SYMBOL, Listing("BBBUSDT", rate="-0.0001", interval_hours=4)])
        self.setting = factory(self.market_data)
        self.world, self.clock, self.venue = self.setting.world, self.setting.clock, self.setting.venue

    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return self.setting.run(main)

    async def open_hedge(self) -> None:
        await self.venue.submit(SetLeverage(symbol=SYMBOL, leverage=1))
        await self.venue.submit(place(order(SPOT, BUY, "10.004", "100.1")))
        await self.venue.submit(place(order(PERP, SELL, "10", "99.9")))


@pytest.fixture(params=list(FACTORIES.values()), ids=list(FACTORIES))
def fixture(request: pytest.FixtureRequest) -> Iterator[VenueFixture]:
    made = VenueFixture(request.param)
    yield made
    made.setting.close()


def test_the_market_lists_every_pair_with_books_marks_and_rates(fixture: VenueFixture) -> None:
    view = fixture.run(fixture.venue.market(10))
    assert [pair.symbol for pair in view.pairs] == [SYMBOL, "BBBUSDT"]
    spot, perp = view.quote(SPOT, SYMBOL), view.quote(PERP, SYMBOL)
    assert spot is not None
    assert perp is not None
    assert spot.two_sided
    assert spot.bid == Decimal("99.99")
    assert perp.ask == Decimal("100.01")
    mark, volume, predicted = view.mark(SYMBOL), view.volume(SYMBOL), view.predicted("BBBUSDT")
    assert mark is not None
    assert mark.mark == 100
    assert volume == 50_000_000
    assert predicted is not None
    assert (predicted.rate, predicted.at, predicted.settled) == (Decimal("-0.0001"), START + timedelta(hours=4), False)


def test_the_rates_are_settled_ones_oldest_first(fixture: VenueFixture) -> None:
    rates = fixture.run(fixture.venue.market(10)).rates.newest("BBBUSDT", 10)
    assert len(rates) == 10
    assert [rate.at for rate in rates] == [START - timedelta(hours=4 * age) for age in reversed(range(10))]
    assert all(rate.settled and rate.interval_hours == 4 for rate in rates)


def test_one_position_is_read_alone_and_a_flat_one_has_quantity_zero(fixture: VenueFixture) -> None:
    async def main() -> None:
        await fixture.open_hedge()
        held, flat = await fixture.venue.position(SYMBOL), await fixture.venue.position("BBBUSDT")
        known = (await fixture.venue.account()).positions[SYMBOL]
        assert held.quantity == -10
        assert (held.leverage, held.entry_price) == (1, known.entry_price)
        assert flat.symbol == "BBBUSDT"
        assert flat.quantity == 0
        with pytest.raises(VenueError):
            await fixture.venue.position("ZZZUSDT")

    fixture.run(main())


def test_an_unknown_symbol_is_unreadable_rather_than_zero(fixture: VenueFixture) -> None:
    view = fixture.run(fixture.venue.market(10))
    assert view.pair("ZZZUSDT") is None
    assert view.quote(SPOT, "ZZZUSDT") is None
    assert view.mark("ZZZUSDT") is None
    assert view.predicted("ZZZUSDT") is None
    assert view.volume("ZZZUSDT") is None
    with pytest.raises(VenueError):
        fixture.run(fixture.venue.depth(SPOT, "ZZZUSDT"))


def test_a_pair_has_the_grids_fees_and_status_that_the_market_lists(fixture: VenueFixture) -> None:
    listed = fixture.run(fixture.venue.market(1)).pair(SYMBOL)
    assert fixture.run(fixture.venue.pair(SYMBOL)) == fixture.run(fixture.venue.pair(SYMBOL, fresh=True)) == listed
    fixture.world.set_status(SYMBOL, TradingStatus.SETTLING)
    assert fixture.run(fixture.venue.pair(SYMBOL, fresh=True)).perp.status is TradingStatus.SETTLING
    assert fixture.run(fixture.venue.pair(SYMBOL)).perp.status is TradingStatus.SETTLING
    with pytest.raises(VenueError):
        fixture.run(fixture.venue.pair("ZZZUSDT"))
    assert fixture.venue.blocked_seconds(PERP) == 0


def test_open_interest_is_in_base_units(fixture: VenueFixture) -> None:
    held = fixture.run(fixture.venue.open_interest(SYMBOL))
    market = fixture.run(fixture.venue.market(1))
    volume, mark = market.volume(SYMBOL), market.mark(SYMBOL)
    assert volume is not None
    assert mark is not None
    assert abs(held * mark.mark / volume - Decimal("0.3")) < Decimal("0.001")


def test_open_interest_of_a_pair_that_is_not_listed_is_unreadable(fixture: VenueFixture) -> None:
    with pytest.raises(VenueError):
        fixture.run(fixture.venue.open_interest("ZZZUSDT"))


def test_shorts_that_share_margin_show_the_tiers_of_their_perpetuals(fixture: VenueFixture) -> None:
    steps = (LeverageTier(floor=ZERO, rate=Decimal("0.01")), LeverageTier(floor=Decimal(1000), rate=Decimal("0.05")))
    fixture.world.change_market(BracketChange(symbol=SYMBOL, tiers=steps))
    for symbol in (SYMBOL, "BBBUSDT"):
        fixture.world.trade_by_hand(PERP, symbol, SELL, Decimal(5))
    rows = fixture.run(fixture.venue.account()).positions
    assert rows[SYMBOL].tiers == margin_tiers(steps)
    assert rows[SYMBOL].maintenance == Decimal(5)
    rest = rows["BBBUSDT"].tiers
    assert rest in {(), (MarginTier(floor=ZERO, rate=Decimal("0.01")),)}


def test_depth_is_best_first_and_begins_at_the_quote(fixture: VenueFixture) -> None:
    depth = fixture.run(fixture.venue.depth(SPOT, SYMBOL))
    quote = fixture.run(fixture.venue.market(1)).quote(SPOT, SYMBOL)
    assert quote is not None
    assert (depth.bids[0].price, depth.asks[0].price) == (quote.bid, quote.ask)
    assert [level.price for level in depth.bids] == sorted((lv.price for lv in depth.bids), reverse=True)
    assert [level.price for level in depth.asks] == sorted(lv.price for lv in depth.asks)
    assert all(level.quantity > 0 for level in (*depth.bids, *depth.asks))


def test_a_hedge_opens_and_closes_through_submit(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.open_hedge()
        account = await fixture.venue.account()
        assert account.coin("AAA").free == Decimal("10.004") * (1 - Decimal("0.0004"))
        assert account.short(SYMBOL) == 10
        assert account.positions[SYMBOL].leverage == 1
        sold = ended(await fixture.venue.submit(place(order(SPOT, SELL, "9.999", "99.9"))))
        bought = ended(await fixture.venue.submit(place(order(PERP, BUY, "10", "100.1", reduce_only=True))))
        assert sold.status is bought.status is OrderStatus.FILLED
        closed = await fixture.venue.account()
        assert closed.short(SYMBOL) == 0
        assert closed.coin("AAA").free < Decimal("0.002")

    fixture.run(script())


def test_an_order_is_accepted_before_it_ends_and_reports_cumulative_fills(fixture: VenueFixture) -> None:
    accepted, end = fixture.run(fixture.venue.submit(place(order(SPOT, BUY, "10", "100.1", client_id="first"))))
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(end, OrderEnded)
    assert accepted.client_id == end.client_id == "first"
    assert accepted.order_id == end.order_id
    assert end.filled_quantity == 10
    assert end.filled_notional == Decimal("1000.10")


def test_an_ioc_order_takes_what_its_price_reaches_and_expires_with_the_rest(fixture: VenueFixture) -> None:
    end = ended(fixture.run(fixture.venue.submit(place(order(SPOT, BUY, "90", "100.01")))))
    touch = fixture.run(fixture.venue.fills(SPOT, SYMBOL, START))
    assert end.status is OrderStatus.EXPIRED
    assert 0 < end.filled_quantity < 90
    assert end.filled_quantity == sum(fill.quantity for fill in touch)


def test_a_post_only_order_that_would_take_expires_with_nothing(fixture: VenueFixture) -> None:
    request = order(SPOT, BUY, "1", "100.05", time_in_force=TimeInForce.GTX)
    end = ended(fixture.run(fixture.venue.submit(place(request))))
    assert (end.status, end.filled_quantity, end.reject) == (OrderStatus.EXPIRED, ZERO, None)


def test_a_resting_order_is_listed_resolved_as_working_and_cancelled(fixture: VenueFixture) -> None:
    async def script() -> None:
        request = order(SPOT, BUY, "1", "99", client_id="rest", time_in_force=TimeInForce.GTX)
        events = await fixture.venue.submit(place(request))
        assert [type(event) for event in events] == [OrderAccepted]
        assert [o.client_id for o in await fixture.venue.open_orders(SYMBOL)] == ["rest"]
        (working,) = await fixture.venue.resolve(request)
        assert isinstance(working, OrderProgressed)
        gone = ended(await fixture.venue.submit(CancelOrder(market=SPOT, symbol=SYMBOL, client_id="rest")))
        assert gone.status is OrderStatus.CANCELED
        assert await fixture.venue.open_orders(SYMBOL) == ()
        assert ended(await fixture.venue.resolve(request)).status is OrderStatus.CANCELED
        again = await fixture.venue.submit(CancelOrder(market=SPOT, symbol=SYMBOL, client_id="rest"))
        assert [event.code for event in again if isinstance(event, CommandRefused)] == [-2011]

    fixture.run(script())


def test_a_resting_order_fills_when_the_price_trades_through_it(fixture: VenueFixture) -> None:
    fixture.market_data.set_prices(START + timedelta(minutes=5), "98")

    async def script() -> None:
        request = order(SPOT, BUY, "1", "99", time_in_force=TimeInForce.GTX)
        await fixture.venue.submit(place(request))
        await fixture.clock.sleep(600)
        assert ended(await fixture.venue.resolve(request)).filled_quantity == 1
        (fill,) = await fixture.venue.fills(SPOT, SYMBOL, START)
        assert (fill.price, fill.maker, fill.fee) == (Decimal(99), True, Decimal("0.00005"))

    fixture.run(script())


@pytest.mark.parametrize(
    ("request_", "code", "kind"),
    [
        (order(SPOT, BUY, "0.01", "100"), -4164, RejectKind.FILTER),
        (order(SPOT, BUY, "1.0001", "100"), -1111, RejectKind.FILTER),
        (order(PERP, BUY, "1", "110"), -4016, RejectKind.PRICE),
        (order(PERP, SELL, "1", "90"), -4024, RejectKind.PRICE),
        (order(SPOT, BUY, "200", "100"), -2018, RejectKind.MARGIN),
        (order(SPOT, SELL, "1", "100"), -2018, RejectKind.MARGIN),
        (order(PERP, SELL, "5000", "100"), -2019, RejectKind.MARGIN),
        (order(PERP, BUY, "1", "100", reduce_only=True), -2022, RejectKind.REDUCE_ONLY),
        (order(SPOT, BUY, "1", "100", symbol="ZZZUSDT"), -1121, RejectKind.PERMISSION),
    ],
)
def test_a_refusal_says_its_code_and_what_it_asks_of_us(
    fixture: VenueFixture, request_: Any, code: int, kind: RejectKind
) -> None:
    (end,) = fixture.run(fixture.venue.submit(place(request_)))
    assert isinstance(end, OrderEnded)
    assert (end.status, end.order_id, end.filled_quantity) == (OrderStatus.REJECTED, None, ZERO)
    assert (end.code, end.reject) == (code, kind)
    assert end.detail


def test_a_market_that_is_settling_opens_nothing_but_lets_go(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.open_hedge()
        fixture.world.set_status(SYMBOL, TradingStatus.SETTLING)
        pair = (await fixture.venue.market(1)).pair(SYMBOL)
        assert pair is not None
        assert not pair.tradable
        refused = ended(await fixture.venue.submit(place(order(PERP, SELL, "1", "99.9"))))
        assert refused.reject is RejectKind.PERMISSION
        reduced = ended(await fixture.venue.submit(place(order(PERP, BUY, "10", "100.1", reduce_only=True))))
        assert reduced.status is OrderStatus.FILLED

    fixture.run(script())


def test_a_number_reserved_for_a_command_is_new_each_time_and_the_command_is_carried_out_with_it(
    fixture: VenueFixture,
) -> None:
    async def script() -> None:
        commands = [place(order(SPOT, BUY, "1", "100.1", client_id=name)) for name in ("one", "two")]
        numbers = [fixture.venue.reserve(command) for command in commands]
        assert numbers == [None, None] or len(set(numbers)) == 2
        for command in reversed(commands):
            assert ended(await fixture.venue.submit(command)).filled_quantity == 1
        assert fixture.venue.reserve(SetLeverage(symbol=SYMBOL, leverage=1)) is None

    fixture.run(script())


def test_an_order_that_never_arrived_resolves_as_ended_with_nothing(fixture: VenueFixture) -> None:
    end = ended(fixture.run(fixture.venue.resolve(order(SPOT, BUY, "1", "100", client_id="never"))))
    assert (end.client_id, end.order_id, end.filled_quantity) == ("never", None, ZERO)


def test_an_order_that_ended_resolves_to_the_same_sums(fixture: VenueFixture) -> None:
    async def script() -> None:
        request = order(SPOT, BUY, "10", "100.1")
        end = ended(await fixture.venue.submit(place(request)))
        await fixture.clock.sleep(60)
        resolved = ended(await fixture.venue.resolve(request))
        assert (resolved.status, resolved.order_id) == (end.status, end.order_id)
        assert (resolved.filled_quantity, resolved.filled_notional) == (end.filled_quantity, end.filled_notional)

    fixture.run(script())


def test_a_transfer_repeated_under_its_id_moves_the_money_once(fixture: VenueFixture) -> None:
    command = TransferFunds(transfer_id="move-1", amount=Decimal(250), direction=TransferDirection.SPOT_TO_PERP)

    async def script() -> None:
        for _ in range(2):
            (event,) = await fixture.venue.submit(command)
            assert isinstance(event, FundsTransferred)
            assert (event.transfer_id, event.amount) == ("move-1", Decimal(250))
        account = await fixture.venue.account()
        assert (account.spot_usdt, account.perp.balance) == (Decimal(9_750), Decimal(10_250))

    fixture.run(script())


@pytest.mark.parametrize("direction", list(TransferDirection))
def test_a_transfer_of_more_than_there_is_is_refused_and_moves_nothing(
    fixture: VenueFixture, direction: TransferDirection
) -> None:
    command = TransferFunds(transfer_id="move-2", amount=Decimal(10_001), direction=direction)
    (event,) = fixture.run(fixture.venue.submit(command))
    assert isinstance(event, CommandRefused)
    assert event.code in {-2018, -4050}
    account = fixture.run(fixture.venue.account())
    assert (account.spot_usdt, account.perp.balance) == (Decimal(10_000), Decimal(10_000))


def test_margin_that_a_position_needs_cannot_be_taken_out(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.open_hedge()
        wallet = (await fixture.venue.account()).perp
        assert wallet.transferable <= Decimal(9_000)
        command = TransferFunds(
            transfer_id="move-3", amount=wallet.transferable + 1, direction=TransferDirection.PERP_TO_SPOT
        )
        (event,) = await fixture.venue.submit(command)
        assert isinstance(event, CommandRefused)

    fixture.run(script())


def test_leverage_and_margin_type_are_confirmed_and_a_repeat_is_a_success(fixture: VenueFixture) -> None:
    async def script() -> None:
        fixture.world.set_margin_type(SYMBOL, MarginType.ISOLATED)
        for _ in range(2):
            assert isinstance((await fixture.venue.submit(SetMarginType(symbol=SYMBOL)))[0], MarginTypeSet)
            (event,) = await fixture.venue.submit(SetLeverage(symbol=SYMBOL, leverage=1))
            assert isinstance(event, LeverageSet)
            assert event.leverage == 1
        (refused,) = await fixture.venue.submit(SetLeverage(symbol=SYMBOL, leverage=500))
        assert isinstance(refused, CommandRefused)
        assert refused.code == -4028

    fixture.run(script())


def test_funding_is_booked_once_per_settlement_to_the_position_held_there(fixture: VenueFixture) -> None:
    async def script() -> None:
        before = (await fixture.venue.account()).perp.balance
        await fixture.open_hedge()
        opened = (await fixture.venue.account()).perp.balance
        assert opened < before
        await fixture.clock.sleep(16 * 3600 + 60)
        payments = await fixture.venue.funding_payments(START)
        assert payments == await fixture.venue.funding_payments(START)
        assert [payment.at for payment in payments] == [START + timedelta(hours=8), START + timedelta(hours=16)]
        assert [payment.amount for payment in payments] == [Decimal("0.3")] * 2
        assert len({payment.tran_id for payment in payments}) == 2
        assert (await fixture.venue.account()).perp.balance == opened + Decimal("0.6")
        assert len(await fixture.venue.funding_payments(START + timedelta(hours=12))) == 1

    fixture.run(script())


def test_a_short_pays_when_the_rate_is_negative(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.venue.submit(place(order(PERP, SELL, "10", "99.9", symbol="BBBUSDT")))
        await fixture.clock.sleep(4 * 3600 + 60)
        (payment,) = await fixture.venue.funding_payments(START)
        assert (payment.symbol, payment.amount) == ("BBBUSDT", Decimal("-0.1"))

    fixture.run(script())


def test_the_rate_board_is_a_new_one_only_after_a_settlement(fixture: VenueFixture) -> None:
    async def script() -> None:
        first = (await fixture.venue.market(5)).rates
        await fixture.clock.sleep(3 * 3600)
        assert (await fixture.venue.market(5)).rates is first
        await fixture.clock.sleep(3600 + 60)
        second = (await fixture.venue.market(5)).rates
        assert second is not first
        assert second.newest("BBBUSDT", 1)[0].at == START + timedelta(hours=4)

    fixture.run(script())


def test_fills_are_read_from_a_time_on_oldest_first_with_the_real_fee(fixture: VenueFixture) -> None:
    async def script() -> None:
        for _ in range(3):
            await fixture.venue.submit(place(order(SPOT, BUY, "1", "100.1")))
            await fixture.clock.sleep(9 * 86_400)
        fills = await fixture.venue.fills(SPOT, SYMBOL, START)
        assert [fill.at for fill in fills] == [START + timedelta(days=9 * number) for number in range(3)]
        assert {(fill.fee, fill.fee_asset) for fill in fills} == {(Decimal("0.0004"), "AAA")}
        assert len({fill.trade_id for fill in fills}) == 3
        assert await fixture.venue.fills(SPOT, SYMBOL, START + timedelta(days=9)) == fills[1:]
        assert await fixture.venue.fills(PERP, SYMBOL, START) == ()

    fixture.run(script())


def test_a_sale_pays_its_fee_in_usdt_and_a_closing_reports_its_profit(fixture: VenueFixture) -> None:
    fixture.market_data.set_prices(START + timedelta(hours=1), "90")

    async def script() -> None:
        await fixture.open_hedge()
        await fixture.clock.sleep(3600)
        await fixture.venue.submit(place(order(SPOT, SELL, "1", "89.9")))
        await fixture.venue.submit(place(order(PERP, BUY, "10", "90.1", reduce_only=True)))
        sold = (await fixture.venue.fills(SPOT, SYMBOL, START))[-1]
        closed = await fixture.venue.fills(PERP, SYMBOL, START + timedelta(hours=1))
        assert (sold.fee, sold.fee_asset) == (sold.notional * Decimal("0.0004"), "USDT")
        assert sum(fill.realized_pnl for fill in closed) == 10 * Decimal("99.99") - sum(f.notional for f in closed)

    fixture.run(script())


def test_a_reduce_only_order_never_turns_the_position_around(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.open_hedge()
        end = ended(await fixture.venue.submit(place(order(PERP, BUY, "12", "100.1", reduce_only=True))))
        assert end.filled_quantity == 10
        assert (await fixture.venue.account()).position_quantity(SYMBOL) == 0

    fixture.run(script())


def test_a_reduce_only_order_may_be_smaller_than_the_minimum_notional(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.open_hedge()
        end = ended(await fixture.venue.submit(place(order(PERP, BUY, "0.01", "100.1", reduce_only=True))))
        assert end.filled_quantity == Decimal("0.01")

    fixture.run(script())


def test_the_statement_reports_what_the_bot_did_not_do_and_nothing_else(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.open_hedge()
        own = {fill.client_id for fill in await fixture.venue.fills(SPOT, SYMBOL, START)}
        assert await fixture.venue.statement(START) == ()
        fixture.world.deposit(Wallet.SPOT, "USDT", Decimal(100))
        fixture.world.trade_by_hand(SPOT, SYMBOL, BUY, Decimal(1))
        rows = await fixture.venue.statement(START)
        assert [(row.kind, row.asset) for row in rows] == [
            (FlowKind.DEPOSIT, "USDT"),
            (FlowKind.USER_TRADE, "AAA"),
            (FlowKind.USER_TRADE, "USDT"),
            (FlowKind.USER_TRADE, "AAA"),
        ]
        assert len({row.row_id for row in rows}) == 4
        by_hand = (await fixture.venue.fills(SPOT, SYMBOL, START))[-1]
        assert by_hand.client_id not in own

    fixture.run(script())


def test_reads_at_once_agree_with_each_other(fixture: VenueFixture) -> None:
    async def script() -> None:
        await fixture.open_hedge()
        view, account = await asyncio.gather(fixture.venue.market(1), fixture.venue.account())
        mark = view.mark(SYMBOL)
        assert mark is not None
        assert account.positions[SYMBOL].mark_price == mark.mark
        assert view.at == account.at

    fixture.run(script())
