"""Defects that can lose a large part of the account: A9, A10 and A12; the others are in ``test_predecessor``.

| defect | why it has no test here |
|---|---|
| A7 a stop that is only polled | the guard has tests of its own: news, distance to liquidation, margin |
| A10 SIGTERM unhandled | ``tests/cli/test_processes.py``: a real process is told to stop, and killed |
"""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.domain.errors import AccountBusy
from hedgerow.domain.events import Halted, HedgeOpened, OrderOutcomeUnknown
from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator.faults import FaultPlan, Outcome, SubmitFault
from hedgerow.store.account_lock import AccountLock
from support.bots import OPENED, Farm
from support.crashes import Checkpoint, Plug, Site
from support.defects import PERP, SPOT, assert_sound, settings
from support.worlds import SYMBOL, Listing, ScriptedTape, make_world

OWN = {"AAA": Decimal("1.5")}


@pytest.mark.parametrize("outcome", [Outcome.LOST_AFTER, Outcome.LOST_BEFORE, Outcome.LATE])
@pytest.mark.parametrize("market", list(Market))
def test_a9_an_order_without_an_answer_is_looked_up_and_doubles_no_leg(market: Market, outcome: Outcome) -> None:
    """Did: took a time-out for a refusal, and the next cycle sent the leg again; a late order doubled it, too."""
    lost = SubmitFault(outcome=outcome, command="place_order", market=market, times=2, delay_seconds=3.0)
    farm = Farm(
        parameters=settings(),
        coins=OWN,
        faults=FaultPlan(submits=(lost,)),
        latency_seconds=0.05,
        certain_after_seconds=8.0,
    )
    farm.run(0.5)
    assert_sound(farm)
    assert farm.logged(OrderOutcomeUnknown)
    farm.check_whole()
    assert len(farm.logged(HedgeOpened)) == 1
    assert farm.coins() - OWN["AAA"] == farm.hedge.spot_quantity
    assert len({placed.order.client_id for placed in farm.venue.orders}) == len(farm.venue.orders)


def killed_opening(nth: int) -> Site:
    """Return a site whose bot lost its power when the ``nth`` order had been executed and it could not hear of it."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])
    world = make_world(tape, usdt=500, perp=500, coins=OWN, start=OPENED)
    begin = Checkpoint(tape=tape, world=world.dump())
    undisturbed = Plug()
    assert Site(begin, settings()).live(OPENED + timedelta(minutes=5), undisturbed)
    moments = [n for n, moment in enumerate(undisturbed.passed) if moment == "after submit PlaceOrder"]
    site = Site(begin, settings())
    assert not site.live(OPENED + timedelta(minutes=5), Plug(moments[nth]))
    return site


@pytest.mark.parametrize("nth", [0, 1, 2, 3])
def test_a10_a_bot_killed_between_order_and_record_knows_its_legs_when_it_comes_back(nth: int) -> None:
    """Did: saved only after both orders; one leg was ignored for ever, and a new position opened beside it."""
    site = killed_opening(nth)
    assert site.live(site.world.now + timedelta(minutes=10))
    assert site.wrongs(start_equity=Decimal(1000), coins=OWN) == []
    hedge = site.ledger.hedge
    assert hedge is not None
    assert site.world.account().short(SYMBOL) == hedge.short
    assert site.world.account().coin("AAA").total - OWN["AAA"] == hedge.spot_quantity
    assert len(site.logged(HedgeOpened)) == 1


def test_a12_a_second_bot_on_the_same_account_is_refused(tmp_path: Path) -> None:
    """Did: nothing kept two processes from trading one account."""
    with AccountLock("0xAbC", tmp_path), pytest.raises(AccountBusy, match="already trades this account"):
        AccountLock("0xabc", tmp_path).__enter__()
    with AccountLock("0xabc", tmp_path):
        pass


def test_a12_a_position_of_the_users_own_is_left_as_it_is_and_stops_openings() -> None:
    """Did: ignored positions on other symbols, moved the margin that they needed, changed their leverage."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])
    world = make_world(tape, usdt=100, perp=900, start=OPENED)
    world.set_leverage(SYMBOL, 5)
    world.trade_by_hand(PERP, SYMBOL, Side.SELL, Decimal(10))
    farm = Farm(tape, world=world, parameters=settings())
    farm.run(3)
    assert_sound(farm)
    assert farm.venue.sent == [], "no order, no transfer, no setting"
    assert farm.world.account().positions[SYMBOL].leverage == 5
    assert len(farm.logged(Halted)) == 1


def test_a12_coins_without_a_short_are_the_users() -> None:
    """Did: see A5; a second pair held by hand was hedged along."""
    farm = Farm(coins={"BBB": Decimal(50)}, parameters=settings(), tape=two())
    farm.run(1)
    assert_sound(farm)
    assert farm.hedge.symbol == SYMBOL
    assert farm.coins("BBB") == 50
    assert farm.short("BBBUSDT") == 0
    assert {placed.order.market for placed in farm.venue.orders} == {SPOT, PERP}


def two() -> ScriptedTape:
    return ScriptedTape([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])
