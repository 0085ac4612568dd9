"""Logs of two bots that a person has put together in one file."""

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from hedgerow.domain.errors import StoreError
from hedgerow.domain.events import CommandIssued
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import CloseAllRequested, CloseRequested
from hedgerow.store.memory import MemoryStore
from hedgerow.store.sqlite import SqliteStore
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import Listing, ScriptedMarketData, make_world

A, B = "AAAUSDT", "BBBUSDT"


def calm(slots: int = 2) -> StrategyParameters:
    return StrategyParameters(
        position_management=PositionManagement(
            fee_coverage_multiplier=1000,
            max_position_age_hours=87_600,
            better_opportunity_apr=90.0,
            max_positions=slots,
        )
    )


def market(first: str = A) -> ScriptedMarketData:
    """Return a market in which one of the pairs pays more."""
    return ScriptedMarketData([Listing(each, rate="0.0006" if each == first else "0.0005") for each in (A, B)])


def one_held(symbol: str, seed: int = 1) -> BotHarness:
    bot = BotHarness(market(symbol), parameters=calm(1), seed=seed)
    bot.run(0.1)
    assert [hedge.symbol for hedge in bot.ledger.open_hedges] == [symbol]
    return bot


def test_two_bots_on_two_pairs_go_on_as_one_that_holds_both() -> None:
    first, second = one_held(A), one_held(B, seed=2)
    data = market()
    world = make_world(data, usdt=3000, perp=2000, start=OPENED + timedelta(hours=1))
    for bot, symbol in ((first, A), (second, B)):
        hedge = bot.ledger.held(symbol)
        assert hedge is not None
        world.trade_by_hand(Market.SPOT, symbol, Side.BUY, hedge.pair.spot.floor_quantity(hedge.spot_quantity) + 1)
        world.trade_by_hand(Market.PERP, symbol, Side.SELL, hedge.short)
        world.set_leverage(symbol, 1)
    merged = MemoryStore((*first.log, *second.log))
    bot = BotHarness(data, world=world, open_store=lambda: merged, parameters=calm())
    before = len(first.log) + len(second.log)
    bot.run(0.5)
    assert {hedge.symbol for hedge in bot.ledger.open_hedges} == {A, B}
    assert not [event for event in bot.log[before:] if isinstance(event, CommandIssued)]
    assert bot.ask(CloseRequested(symbol=A)).done
    assert [hedge.symbol for hedge in bot.ledger.open_hedges] == [B]
    assert bot.ask(CloseAllRequested()).done
    assert not bot.ledger.hedges
    assert not world.account().short(A)
    assert not world.account().short(B)


def merged_file(folder: Path, first: BotHarness, second: BotHarness) -> Path:
    """Return a log into which a person has copied the events of another one."""
    into = folder / "merged.sqlite"
    for path, bot in ((into, first), (folder / "other.sqlite", second)):
        store = SqliteStore(path)
        asyncio.run(store.append(tuple(bot.log), durable=True))
        asyncio.run(store.close())
    with closing(connect(into)) as log, log:
        log.execute("ATTACH ? AS other", (str(folder / "other.sqlite"),))
        log.execute("INSERT INTO events SELECT seq + ?, kind, payload FROM other.events", (len(first.log),))
    return into


def test_a_position_that_the_second_bot_adopted_from_the_first_is_one(tmp_path: Path) -> None:
    first = one_held(A)
    second = BotHarness(first.market_data, world=first.world, parameters=calm(1), seed=2)
    second.run(0.1)
    assert second.ledger.held(A) is not None
    path = merged_file(tmp_path, first, second)
    bot = BotHarness(first.market_data, world=first.world, parameters=calm(1), open_store=lambda: SqliteStore(path))
    bot.run(0.2)
    assert [hedge.hedge_id for hedge in bot.ledger.hedges.values()] == list(second.ledger.hedges)
    assert bot.ask(CloseRequested(symbol=A)).done
    assert not bot.world.account().short(A)


def test_two_positions_of_one_pair_are_refused_in_one_line(tmp_path: Path) -> None:
    first, second = one_held(A), one_held(A, seed=2)
    path = merged_file(tmp_path, first, second)
    bot = BotHarness(first.market_data, world=first.world, parameters=calm(), open_store=lambda: SqliteStore(path))
    with pytest.raises(StoreError, match="the log holds two positions of AAAUSDT") as refusal:
        bot.run(0.1)
    assert "\n" not in str(refusal.value)
    assert not bot.venue.orders
