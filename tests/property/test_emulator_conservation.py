"""Money in the emulated exchange is neither made nor lost: every unit is in a trade, a fee, funding or a row."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.domain.commands import TransferDirection
from hedgerow.domain.errors import Rejected
from hedgerow.domain.events import FlowKind, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import Fill, TimeInForce
from hedgerow.emulator import World, WorldState
from support.orders import order
from support.worlds import START, Listing, ScriptedMarketData, make_world

SYMBOLS = ("AAAUSDT", "BBBUSDT")
OPENING = {"spot:USDT": Decimal(10_000), "perp:USDT": Decimal(3_000), "spot:AAA": Decimal(20)}

trades = st.tuples(
    st.just("trade"),
    st.sampled_from(Market),
    st.sampled_from(Side),
    st.sampled_from(SYMBOLS),
    st.integers(1, 4_000),
    st.integers(-80, 80),
    st.sampled_from(TimeInForce),
    st.booleans(),
    st.booleans(),
)
waits = st.tuples(st.just("wait"), st.integers(1, 40_000))
shocks = st.tuples(st.just("shock"), st.sampled_from(SYMBOLS), st.integers(60, 170))
moves = st.tuples(st.just("move"), st.sampled_from(TransferDirection), st.integers(1, 300_000))
leverages = st.tuples(st.just("leverage"), st.sampled_from(SYMBOLS), st.integers(1, 30))
sequences = st.lists(st.one_of(trades, trades, waits, shocks, moves, leverages), max_size=25)


def market_data() -> ScriptedMarketData:
    return ScriptedMarketData(
        [
            Listing(SYMBOLS[0], spot="100", perp="100.3"),
            Listing(SYMBOLS[1], spot="7.77", rate="-0.0007", interval_hours=4),
        ]
    )


def act(world: World, number: int, step: tuple[object, ...]) -> None:
    """Do one step; a refusal is part of the sequence."""
    try:
        match step:
            case ("trade", Market() as market, Side() as side, str() as symbol, int() as size, int() as cap, *rest):
                tif, reduce_only, by_hand = rest
                middle = Decimal(100) if symbol == SYMBOLS[0] else Decimal("7.77")
                price = (middle * (1 + Decimal(cap) / 10_000)).quantize(Decimal("0.01"))
                quantity = Decimal(size) / 100
                if by_hand:
                    world.trade_by_hand(market, symbol, side, quantity)
                else:
                    world.place(
                        order(
                            market,
                            side,
                            str(quantity),
                            str(price),
                            client_id=f"c{number}",
                            time_in_force=TimeInForce(str(tif)),
                            reduce_only=bool(reduce_only) and market is Market.PERP,
                            symbol=symbol,
                        )
                    )
            case ("wait", int() as seconds):
                world.advance(world.now + timedelta(seconds=seconds))
            case ("shock", str() as symbol, int() as percent):
                world.shock(symbol, Decimal(percent) / 100)
            case ("move", TransferDirection() as direction, int() as cents):
                world.transfer(f"t{number}", Decimal(cents) / 100, direction, "USDT")
            case ("leverage", str() as symbol, int() as leverage):
                world.set_leverage(symbol, leverage)
    except Rejected:
        pass


def all_fills(world: World) -> list[Fill]:
    return [fill for market in Market for symbol in SYMBOLS for fill in world.fills(market, symbol, START)]


def booked(world: World, moved: Decimal) -> dict[str, Decimal]:
    """Return what the account's own rows say each balance must be; hand trades only through their fills."""
    sums: dict[str, Decimal] = defaultdict(Decimal, OPENING)
    for fill in all_fills(world):
        if fill.market is Market.SPOT:
            sums[f"spot:{fill.symbol.removesuffix('USDT')}"] += fill.side.sign * fill.quantity
            sums["spot:USDT"] -= fill.side.sign * fill.notional
            sums[f"spot:{fill.fee_asset}"] -= fill.fee
        else:
            sums["perp:USDT"] += fill.realized_pnl - fill.fee
    sums["perp:USDT"] += sum(payment.amount for payment in world.funding_payments(START)) + moved
    sums["spot:USDT"] -= moved
    for row in world.statement(START):
        if row.kind is not FlowKind.USER_TRADE:
            sums[f"{row.wallet}:{row.asset}"] += row.amount
    return sums


def actual(world: World) -> dict[str, Decimal]:
    account = world.account()
    return {
        "perp:USDT": account.perp.balance,
        **{f"spot:{asset}": balance.total for asset, balance in account.spot.items()},
    }


def play(script: list[tuple[object, ...]]) -> tuple[World, Decimal]:
    """Return the world after a sequence of actions, and how much moved to the perpetual wallet."""
    world = make_world(
        market_data(), usdt=OPENING["spot:USDT"], perp=OPENING["perp:USDT"], coins={"AAA": OPENING["spot:AAA"]}
    )
    moved = Decimal(0)
    for number, step in enumerate(script):
        before = set(world.dump().transfer_ids)
        act(world, number, step)
        if set(world.dump().transfer_ids) - before:
            amount = Decimal(str(step[2])) / 100
            moved += amount if step[1] is TransferDirection.SPOT_TO_PERP else -amount
    return world, moved


@given(sequences)
def test_each_balance_is_the_sum_of_its_rows(script: list[tuple[object, ...]]) -> None:
    world, moved = play(script)
    sums = booked(world, moved)
    balances = actual(world)
    assert {key: sums[key] - value for key, value in balances.items() if sums[key] != value} == {}


@given(sequences)
def test_realised_and_unrealised_profit_together_are_what_trades_paid(script: list[tuple[object, ...]]) -> None:
    world, _ = play(script)
    for symbol in SYMBOLS:
        fills = world.fills(Market.PERP, symbol, START)
        cash = -sum((fill.side.sign * fill.notional for fill in fills), Decimal(0))
        realized = sum((fill.realized_pnl for fill in fills), Decimal(0))
        held = world.dump().holdings.get(symbol)
        assert cash == realized - (held.cost if held else 0)
        assert sum(fill.side.sign * fill.quantity for fill in fills) == (held.quantity if held else 0)


@given(sequences)
def test_nothing_is_ever_owed_and_nothing_stays_locked_without_an_order(script: list[tuple[object, ...]]) -> None:
    world, _ = play(script)
    account = world.account()
    assert all(balance.free >= 0 and balance.locked >= 0 for balance in account.spot.values())
    assert account.perp.available >= 0
    assert account.perp.transferable >= 0
    for symbol in SYMBOLS:
        for open_order in world.open_orders(symbol):
            for market in Market:
                if world.order(market, symbol, open_order.client_id):
                    world.cancel(market, symbol, open_order.client_id)
    assert all(balance.locked == 0 for balance in world.account().spot.values())


@given(sequences)
def test_statement_rows_of_hand_trades_say_what_their_fills_say(script: list[tuple[object, ...]]) -> None:
    world, _ = play(script)
    rows: dict[str, Decimal] = defaultdict(Decimal)
    for row in world.statement(START):
        if row.kind is FlowKind.USER_TRADE:
            rows[f"{row.wallet}:{row.asset}"] += row.amount
    fills: dict[str, Decimal] = defaultdict(Decimal)
    for fill in all_fills(world):
        if fill.client_id:
            continue
        if fill.market is Market.PERP:
            fills[f"{Wallet.PERP}:USDT"] += fill.realized_pnl - fill.fee
        else:
            fills[f"{Wallet.SPOT}:{fill.symbol.removesuffix('USDT')}"] += fill.side.sign * fill.quantity
            fills[f"{Wallet.SPOT}:USDT"] -= fill.side.sign * fill.notional
            fills[f"{Wallet.SPOT}:{fill.fee_asset}"] -= fill.fee
    assert {key: value for key, value in rows.items() if value} == {key: v for key, v in fills.items() if v}


@given(sequences)
def test_a_restart_at_the_end_of_any_sequence_changes_nothing(script: list[tuple[object, ...]]) -> None:
    world, _ = play(script)
    encoded = msgspec.json.encode(world.dump())
    again = World.load(market_data(), msgspec.json.decode(encoded, type=WorldState))
    assert msgspec.json.encode(again.dump()) == encoded
    assert again.account() == world.account()


@given(sequences)
def test_ids_are_never_given_twice(script: list[tuple[object, ...]]) -> None:
    world, _ = play(script)
    trades_ = [fill.trade_id for fill in all_fills(world)]
    payments = [payment.tran_id for payment in world.funding_payments(START)]
    rows = [row.row_id for row in world.statement(START)]
    for ids in (trades_, payments, rows):
        assert len(set(ids)) == len(ids)
