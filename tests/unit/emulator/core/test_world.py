"""The world through time: funding, liquidation, acts of the owner, and restarts."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from hedgerow.domain.account import MarginType
from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.errors import InsufficientBalance, Rejected
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.order import OrderStatus, TimeInForce
from hedgerow.emulator import World, WorldState
from hedgerow.proxies import MarketDataProxy
from support.orders import order
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData, make_world

SPOT, PERP, BUY, SELL = Market.SPOT, Market.PERP, Side.BUY, Side.SELL
D = Decimal
HOUR = timedelta(hours=1)


def hedged(world: World, quantity: str = "10") -> World:
    world.set_leverage(SYMBOL, 1)
    world.place(order(SPOT, BUY, quantity, "100.5", client_id="hedge-spot"))
    world.place(order(PERP, SELL, quantity, "99.5", client_id="hedge-perp"))
    return world


class CountingMarketData(ScriptedMarketData):
    """Counts how often a symbol's prices were asked for."""

    def __init__(self) -> None:
        super().__init__([SYMBOL, "BBBUSDT"])
        self.asked: dict[str, int] = {}

    def prices(self, symbol: str, at: datetime):  # type: ignore[no-untyped-def]  # noqa: ANN201 - as the tape's
        self.asked[symbol] = self.asked.get(symbol, 0) + 1
        return super().prices(symbol, at)


def test_time_costs_nothing_while_nothing_is_held() -> None:
    market_data = CountingMarketData()
    world = make_world(market_data)
    world.advance(START + timedelta(days=365))
    assert market_data.asked == {}
    assert world.now == START + timedelta(days=365)


def test_only_the_symbol_that_is_held_is_looked_at() -> None:
    market_data = CountingMarketData()
    world = hedged(make_world(market_data))
    market_data.asked.clear()
    world.advance(START + HOUR)
    assert market_data.asked.keys() == {SYMBOL}
    assert market_data.asked[SYMBOL] <= 3 * 12


def test_time_never_runs_backwards() -> None:
    world = make_world()
    world.advance(START + HOUR)
    world.advance(START)
    assert world.now == START + HOUR


def test_funding_is_position_times_mark_times_rate_at_the_stamp() -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(START + 8 * HOUR, "110", "111", mark="112.3456789")
    market_data.set_rate(START + 8 * HOUR, "0.00012345")
    world = hedged(make_world(market_data), "9.99")
    world.advance(START + 9 * HOUR)
    (payment,) = world.funding_payments(START)
    assert payment.at == START + 8 * HOUR
    assert payment.amount == (D("9.99") * D("112.3456789") * D("0.00012345")).quantize(D("1e-8"))


def test_a_position_opened_after_the_stamp_gets_nothing_for_it() -> None:
    world = make_world()
    world.advance(START + 8 * HOUR)
    hedged(world)
    world.advance(START + 15 * HOUR)
    assert world.funding_payments(START) == ()


def test_a_late_charge_meets_the_position_of_its_own_time() -> None:
    world = make_world(settlement_delay_seconds=15.0)
    world.advance(START + HOUR)
    hedged(world).advance(START + 8 * HOUR)
    assert world.funding_payments(START) == ()
    world.advance(START + 8 * HOUR + timedelta(seconds=16))
    (payment,) = world.funding_payments(START)
    assert START + 8 * HOUR < payment.at <= START + 8 * HOUR + timedelta(seconds=15)


def test_an_interval_that_changes_while_held_pays_at_its_new_times() -> None:
    market_data = ScriptedMarketData()
    market_data.set_interval(START + 8 * HOUR, 4)
    world = hedged(make_world(market_data))
    world.advance(START + 20 * HOUR)
    assert [payment.at for payment in world.funding_payments(START)] == [START + h * HOUR for h in (8, 12, 16, 20)]


def test_how_time_is_cut_does_not_change_what_happens() -> None:
    def outcome(minutes: int) -> WorldState:
        market_data = ScriptedMarketData()
        for hour in range(24):
            market_data.set_prices(START + hour * HOUR, 100 + hour % 5, 100 + hour % 7)
        world = hedged(make_world(market_data))
        while world.now < START + 24 * HOUR:
            world.advance(min(world.now + timedelta(minutes=minutes), START + 24 * HOUR))
        return world.dump()

    assert outcome(1440) == outcome(60) == outcome(7) == outcome(1)


def test_a_short_is_liquidated_at_its_price_and_the_spot_leg_stays() -> None:
    world = hedged(make_world(perp=1_100))
    limit = world.account().positions[SYMBOL].liquidation_price
    assert limit is not None
    world.shock(SYMBOL, (limit - 1) / 100, START + HOUR)
    world.advance(START + 2 * HOUR)
    assert world.account().short(SYMBOL) == 10
    world.shock(SYMBOL, (limit + 1) / (limit - 1), START + 3 * HOUR)
    world.advance(START + 4 * HOUR)
    account = world.account()
    assert account.short(SYMBOL) == 0
    assert account.coin("AAA").free > 9.9
    closing = world.fills(PERP, SYMBOL, START)[-1]
    assert closing.client_id.startswith("autoclose-")
    assert (closing.side, closing.quantity, closing.at) == (BUY, D(10), START + 3 * HOUR)
    assert closing.realized_pnl < 0
    fee, *rest = world.statement(START)
    assert fee.kind is FlowKind.LIQUIDATION_FEE
    assert fee.amount < 0
    assert account.perp.balance >= 0
    assert all(row.kind is FlowKind.OTHER for row in rest)


def test_a_jump_far_beyond_leaves_an_empty_wallet_and_no_debt() -> None:
    world = hedged(make_world(perp=1_100))
    world.shock(SYMBOL, D(5))
    assert world.account().perp.balance == 0
    assert [row.kind for row in world.statement(START)] == [FlowKind.OTHER]


def test_liquidation_cancels_resting_orders_first() -> None:
    world = hedged(make_world(ScriptedMarketData([Listing(volume=1)]), perp=1_100))
    world.place(order(PERP, BUY, "1", "98", time_in_force=TimeInForce.GTX))
    world.shock(SYMBOL, D("2.5"))
    assert world.open_orders(SYMBOL) == ()


def test_deleveraging_takes_a_part_under_its_own_name() -> None:
    world = hedged(make_world())
    done = world.deleverage(SYMBOL, D(4))
    assert done.status is OrderStatus.FILLED
    assert world.account().short(SYMBOL) == 6
    assert world.fills(PERP, SYMBOL, START)[-1].client_id == "adl_autoclose"
    assert world.statement(START) == ()


def test_a_shock_moves_prices_from_its_time_on() -> None:
    world = make_world()
    world.shock(SYMBOL, D("0.8"), START + HOUR)
    before = world.market(1)
    world.advance(START + HOUR)
    after = world.market(1)
    old, new = before.mark(SYMBOL), after.mark(SYMBOL)
    assert old is not None
    assert new is not None
    assert (old.mark, new.mark) == (D(100), D(80))


def test_a_view_keeps_what_was_true_when_it_was_read() -> None:
    world = make_world()
    view = world.market(1)
    quote = view.quote(SPOT, SYMBOL)
    world.place(order(SPOT, BUY, "45", "105"))
    world.shock(SYMBOL, D("0.5"))
    world.set_status(SYMBOL, TradingStatus.SETTLING)
    pair = view.pair(SYMBOL)
    assert view.quote(SPOT, SYMBOL) == quote
    assert pair is not None
    assert pair.tradable


def test_a_stop_of_trading_sweeps_resting_orders_away() -> None:
    world = make_world(ScriptedMarketData([Listing(volume=1)]))
    world.place(order(SPOT, BUY, "1", "99", time_in_force=TimeInForce.GTX))
    world.set_status(SYMBOL, TradingStatus.SETTLING)
    assert world.open_orders(SYMBOL) == ()
    assert world.account().spot_usdt == 10_000


def test_trades_by_hand_make_a_history_that_sums_to_the_wallets() -> None:
    world = make_world()
    world.trade_by_hand(SPOT, SYMBOL, BUY, D(3))
    world.trade_by_hand(PERP, SYMBOL, SELL, D(3))
    world.advance(START + timedelta(days=8))
    world.trade_by_hand(PERP, SYMBOL, BUY, D(1), reduce_only=True)
    account = world.account()
    rows = world.statement(START)
    spot = sum(row.amount for row in rows if row.wallet is Wallet.SPOT and row.asset == "USDT")
    coin = sum(row.amount for row in rows if row.asset == "AAA")
    perp = sum(row.amount for row in rows if row.wallet is Wallet.PERP)
    funding = sum(payment.amount for payment in world.funding_payments(START))
    assert account.spot_usdt == 10_000 + spot
    assert account.coin("AAA").free == coin
    assert account.perp.balance == 10_000 + perp + funding
    assert {fill.client_id for fill in world.fills(PERP, SYMBOL, START)} == {""}
    assert len(world.funding_payments(START)) == 24


def test_deposits_withdrawals_and_transfers_by_hand_are_rows_of_the_statement() -> None:
    world = make_world()
    world.deposit(Wallet.SPOT, "AAA", D(2))
    world.deposit(Wallet.PERP, "USDT", D(-100))
    world.transfer_by_hand(D(50), TransferDirection.PERP_TO_SPOT)
    assert [(row.wallet, row.asset, row.amount, row.kind) for row in world.statement(START)] == [
        (Wallet.SPOT, "AAA", D(2), FlowKind.DEPOSIT),
        (Wallet.PERP, "USDT", D(-100), FlowKind.WITHDRAWAL),
        (Wallet.PERP, "USDT", D(-50), FlowKind.USER_TRANSFER),
        (Wallet.SPOT, "USDT", D(50), FlowKind.USER_TRANSFER),
    ]
    with pytest.raises(InsufficientBalance):
        world.deposit(Wallet.SPOT, "AAA", D(-3))


def test_a_transfer_needs_an_id_and_a_real_amount() -> None:
    world = make_world()
    for transfer_id, amount, code in (
        ("", "1", -4114),
        ("x" * 64, "1", -4114),
        ("a", "0", -4055),
        ("a", "1e-9", -4055),
    ):
        with pytest.raises(Rejected) as refusal:
            world.transfer(transfer_id, D(amount), TransferDirection.SPOT_TO_PERP, "USDT")
        assert refusal.value.code == code


def test_leverage_cannot_fall_below_what_the_margin_carries() -> None:
    world = make_world(perp=600)
    world.place(order(PERP, SELL, "10", "99.5"))
    with pytest.raises(Rejected) as refusal:
        world.set_leverage(SYMBOL, 1)
    assert refusal.value.code == -2028
    world.set_leverage(SYMBOL, 2)


def test_the_margin_type_changes_only_on_a_symbol_with_nothing_on_it() -> None:
    world = make_world(ScriptedMarketData([Listing(volume=1)]))
    world.place(order(PERP, SELL, "1", "101", client_id="rest", time_in_force=TimeInForce.GTX))
    codes = []
    for _ in range(2):
        with pytest.raises(Rejected) as refusal:
            world.set_margin_type(SYMBOL, MarginType.ISOLATED)
        codes.append(refusal.value.code)
        if world.open_orders(SYMBOL):
            world.cancel(PERP, SYMBOL, "rest")
            world.trade_by_hand(PERP, SYMBOL, SELL, D(1))
    assert codes == [-4047, -4048]
    world.trade_by_hand(PERP, SYMBOL, BUY, D(1), reduce_only=True)
    world.set_margin_type(SYMBOL, MarginType.ISOLATED)
    world.place(order(PERP, SELL, "1", "99.9"))
    assert world.account().positions[SYMBOL].margin_type is MarginType.ISOLATED


@pytest.mark.parametrize(("asset", "amount"), [("AAA", D(-1)), ("USDT", D(-10_001))])
def test_the_perpetual_wallet_gives_no_more_than_it_has(asset: str, amount: Decimal) -> None:
    world = make_world()
    with pytest.raises(InsufficientBalance):
        world.deposit(Wallet.PERP, asset, amount)
    assert world.statement(START) == ()


def test_another_coin_in_the_perpetual_wallet_is_no_collateral_and_survives_a_restart() -> None:
    world = make_world()
    before = world.account().perp
    world.deposit(Wallet.PERP, "AAA", D(3))
    world.deposit(Wallet.PERP, "AAA", D(-1))
    assert world.account().perp_assets == {"AAA": D(2)}
    assert world.account().perp == before
    assert World.load(world.market_data, world.dump()).account().perp_assets == {"AAA": D(2)}


def test_a_gap_of_the_tape_keeps_the_last_mark_of_what_is_held() -> None:
    market_data = ScriptedMarketData()
    market_data.set_gap(START + HOUR)
    world = hedged(make_world(market_data))
    world.advance(START + 9 * HOUR)
    assert world.account().positions[SYMBOL].mark_price == 100
    assert world.funding_payments(START)[0].amount == D("0.3")
    again = World.load(market_data, world.dump())
    assert again.account() == world.account()


def test_a_world_goes_on_after_a_restart_as_if_nothing_had_happened() -> None:
    market_data = ScriptedMarketData()
    market_data.set_prices(START + 5 * HOUR, "97", "97.5")
    straight = hedged(make_world(market_data))
    straight.place(order(SPOT, BUY, "1", "98", client_id="rest", time_in_force=TimeInForce.GTX))
    straight.shock(SYMBOL, D("1.01"), START + 12 * HOUR)
    straight.transfer("once", D(5), TransferDirection.SPOT_TO_PERP, "USDT")
    encoded = msgspec.json.encode(straight.dump())
    restarted = World.load(market_data, msgspec.json.decode(encoded, type=WorldState))
    assert msgspec.json.encode(restarted.dump()) == encoded
    for world in (straight, restarted):
        world.advance(START + 30 * HOUR)
        world.place(order(PERP, BUY, "4", "102", client_id="closing", reduce_only=True))
    assert msgspec.json.encode(restarted.dump()) == msgspec.json.encode(straight.dump())
    with pytest.raises(Rejected) as refusal:
        restarted.transfer("once", D(5), TransferDirection.SPOT_TO_PERP, "USDT")
    assert refusal.value.code == -4115


def test_every_change_of_state_raises_the_revision() -> None:
    world = make_world()
    seen = [world.revision]
    for act in (
        lambda: world.set_leverage(SYMBOL, 1),
        lambda: world.place(order(PERP, SELL, "1", "99.5")),
        lambda: world.deposit(Wallet.SPOT, "USDT", D(1)),
        lambda: world.set_modes(single_asset=False),
        lambda: world.advance(START + 8 * HOUR),
    ):
        act()
        seen.append(world.revision)
    assert seen == sorted(set(seen))
    quiet = world.revision
    world.account(), world.market(5)
    assert world.revision == quiet


def test_quotes_of_a_world_that_was_asked_before_are_those_of_one_loaded_now() -> None:
    scripted = ScriptedMarketData()
    scripted.set_prices(START + HOUR, "101", "102")
    tape = MarketDataProxy(scripted)  # one that knows no empty sides of books
    world = make_world(tape)
    shown = set[tuple[Decimal | None, Decimal]]()
    for minute in range(100):
        world.advance(START + minute * timedelta(minutes=1))
        if minute == 20:
            hedged(world, "40")
        if minute == 40:
            world.shock(SYMBOL, D("1.1"))
        if minute == 80:
            scripted.set_liquidity(half_spread_bps=7, depth_notional=50_000)
        seen, fresh = world.market(1), World.load(tape, world.dump()).market(1)
        for market in Market:
            quote = seen.quote(market, SYMBOL)
            assert quote == fresh.quote(market, SYMBOL)
            assert quote is not None
            assert quote.at == world.now
            shown.add((quote.ask, quote.ask_quantity))
    assert len(shown) > 6
