"""Coins, positions and accounts that are the user's own or another bot's: never hedged, never sold."""

from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.domain.errors import AccountBusy
from hedgerow.domain.events import (
    Halted,
)
from hedgerow.domain.instrument import Side
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.store.account_lock import AccountLock
from support.bot_harness import OPENED, BotHarness
from support.regressions import PERP, SPOT, assert_sound, settings
from support.worlds import SYMBOL, Listing, ScriptedMarketData, make_world


def two() -> ScriptedMarketData:
    return ScriptedMarketData([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])


def test_coins_that_the_user_owned_are_neither_hedged_nor_sold() -> None:
    """Did: shorted $4,000 against the user's own coins where $130 were meant, and sold all of them at the close."""
    own = Decimal(40)
    harness = BotHarness(
        usdt=65, perp=65, coins={"AAA": own}, parameters=settings(capital_management={"max_capital_usd": 130})
    )
    harness.run(0.5)
    harness.check_whole()
    assert harness.hedge.short * 100 < 65
    assert harness.ask(CloseRequested()).done
    assert_sound(harness)
    assert harness.coins() - own == harness.ledger.owned("AAA") < Decimal("0.06")


def test_a_second_bot_on_the_same_account_is_refused(tmp_path: Path) -> None:
    """Did: nothing kept two processes from trading one account."""
    with AccountLock("0xAbC", tmp_path), pytest.raises(AccountBusy, match="already trades this account"):
        AccountLock("0xabc", tmp_path).__enter__()
    with AccountLock("0xabc", tmp_path):
        pass


def test_a_position_of_the_users_own_is_left_as_it_is_and_stops_openings() -> None:
    """Did: ignored positions on other symbols, moved the margin that they needed, changed their leverage."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])
    world = make_world(market_data, usdt=100, perp=900, start=OPENED)
    world.set_leverage(SYMBOL, 5)
    world.trade_by_hand(PERP, SYMBOL, Side.SELL, Decimal(10))
    harness = BotHarness(market_data, world=world, parameters=settings())
    harness.run(3)
    assert_sound(harness)
    assert harness.venue.sent == [], "no order, no transfer, no setting"
    assert harness.world.account().positions[SYMBOL].leverage == 5
    assert len(harness.logged(Halted)) == 1


def test_coins_without_a_short_are_the_users() -> None:
    """Did: took what the user held for its own; a second pair held by hand was hedged along."""
    harness = BotHarness(coins={"BBB": Decimal(50)}, parameters=settings(), market_data=two())
    harness.run(1)
    assert_sound(harness)
    assert harness.hedge.symbol == SYMBOL
    assert harness.coins("BBB") == 50
    assert harness.short("BBBUSDT") == 0
    assert {placed.order.market for placed in harness.venue.orders} == {SPOT, PERP}
