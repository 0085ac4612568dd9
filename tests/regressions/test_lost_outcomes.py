"""Lost answers, kills and torn files: no leg is doubled, stranded or forgotten."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.app.state_file import StateFile
from hedgerow.domain.events import (
    HaltReason,
    HedgeClosed,
    HedgeOpened,
    OrderOutcomeUnknown,
)
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.operator_requests import ResumeRequested
from hedgerow.domain.position import Reason
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import (
    FaultPlan,
    SubmitFault,
)
from hedgerow.store import guide_state
from hedgerow.store.sqlite import SqliteStore
from support.bot_harness import OPENED, BotHarness
from support.crash_sites import Checkpoint, CrashPoint, CrashSite
from support.regressions import SPOT, assert_sound, settings, two_pairs
from support.worlds import SYMBOL, Listing, ScriptedMarketData, make_world

OWN = {"AAA": Decimal("1.5")}
HOUR = timedelta(hours=1)


def killed_opening(nth: int) -> CrashSite:
    """Return a site whose bot crashed when the ``nth`` order had been executed, before its answer arrived."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006"), Listing("BBBUSDT", spot=20, rate="0.0003")])
    world = make_world(market_data, usdt=500, perp=500, coins=OWN, start=OPENED)
    begin = Checkpoint(market_data=market_data, world=world.dump())
    undisturbed = CrashPoint()
    assert CrashSite(begin, settings()).live(OPENED + timedelta(minutes=5), undisturbed)
    points = [n for n, passed in enumerate(undisturbed.passed) if passed == "after submit PlaceOrder"]
    crash_site = CrashSite(begin, settings())
    assert not crash_site.live(OPENED + timedelta(minutes=5), CrashPoint(points[nth]))
    return crash_site


def opened(market_data: ScriptedMarketData, **sections: dict[str, int]) -> bool:
    harness = BotHarness(market_data, parameters=settings(**sections), latency_seconds=0.05)
    harness.run(0.5)
    assert_sound(harness)
    return harness.ledger.largest is not None


def test_a_restart_on_a_broken_hedge_deals_with_what_is_left() -> None:
    """Did: saw legs that differ by more than 2 %, concluded "closed externally", and wiped its state."""
    harness = BotHarness(parameters=settings())
    harness.run(0.5)
    harness.world.trade_by_hand(
        SPOT, SYMBOL, Side.SELL, harness.hedge.pair.spot.floor_quantity(harness.hedge.spot_quantity)
    )
    broken = harness.hedge.hedge_id
    harness.run(0.05)
    assert_sound(harness)
    assert [(end.hedge_id, end.reason) for end in harness.logged(HedgeClosed)] == [(broken, Reason.LEG_GONE)]
    harness.check_flat()
    assert harness.ledger.halt is not None
    assert harness.ledger.halt.reason is HaltReason.LEG_GONE
    harness.ask(ResumeRequested())
    harness.run(1.1)
    harness.check_whole()
    assert harness.hedge.hedge_id != broken


@pytest.mark.parametrize("outcome", [FaultKind.SILENT_AFTER, FaultKind.SILENT_BEFORE, FaultKind.LATE])
@pytest.mark.parametrize("market", list(Market))
def test_an_order_without_an_answer_is_looked_up_and_doubles_no_leg(market: Market, outcome: FaultKind) -> None:
    """Did: took a time-out for a refusal, and the next cycle sent the leg again; a late order doubled it, too."""
    lost = SubmitFault(fault=outcome, command="place_order", market=market, times=2, seconds=3.0)
    harness = BotHarness(
        parameters=settings(),
        coins=OWN,
        faults=FaultPlan(submits=(lost,)),
        latency_seconds=0.05,
        certain_after_seconds=8.0,
    )
    harness.run(0.5)
    assert_sound(harness)
    assert harness.logged(OrderOutcomeUnknown)
    harness.check_whole()
    assert len(harness.logged(HedgeOpened)) == 1
    assert harness.coins() - OWN["AAA"] == harness.hedge.spot_quantity
    assert len({placed.order.client_id for placed in harness.venue.orders}) == len(harness.venue.orders)


@pytest.mark.parametrize("nth", [0, 1, 2, 3])
def test_a_bot_killed_between_order_and_record_knows_its_legs_when_it_comes_back(nth: int) -> None:
    """Did: saved only after both orders; one leg was ignored for ever, and a new position opened beside it."""
    crash_site = killed_opening(nth)
    assert crash_site.live(crash_site.world.now + timedelta(minutes=10))
    assert crash_site.wrongs(start_equity=Decimal(1000), coins=OWN) == []
    hedge = crash_site.ledger.largest
    assert hedge is not None
    assert crash_site.world.account().short(SYMBOL) == hedge.short
    assert crash_site.world.account().coin("AAA").total - OWN["AAA"] == hedge.spot_quantity
    assert len(crash_site.logged(HedgeOpened)) == 1


@pytest.mark.parametrize("point", ["after submit PlaceOrder", "before submit PlaceOrder"])
def test_coins_bought_before_a_crash_are_the_bots_and_not_taken_for_the_users(point: str) -> None:
    """Does: looks at perpetuals only when it starts; bought coins are stranded, and a new position is opened."""
    own = {"AAA": Decimal("0.7")}
    market_data = two_pairs()
    begin = Checkpoint(
        market_data=market_data, world=make_world(market_data, usdt=500, perp=500, coins=own, start=OPENED).dump()
    )
    undisturbed = CrashPoint()
    assert CrashSite(begin, settings()).live(OPENED + HOUR / 12, undisturbed)
    orders = [number for number, passed in enumerate(undisturbed.passed) if passed == point]
    crash_site = CrashSite(begin, settings())
    # The first order has bought coins; the second one, of the short, has not left.
    assert not crash_site.live(OPENED + HOUR / 12, CrashPoint(orders[0 if point.startswith("after") else 1]))
    assert crash_site.world.account().coin("AAA").total > own["AAA"]
    assert crash_site.world.account().short(SYMBOL) == 0
    assert crash_site.live(crash_site.world.now + HOUR / 6)
    assert crash_site.wrongs(start_equity=Decimal(1000), coins=own) == []
    assert crash_site.world.account().coin("AAA").total - own["AAA"] == crash_site.ledger.owned("AAA")
    assert crash_site.ledger.largest is not None
    assert len(crash_site.logged(HedgeOpened)) == 1


def test_a_torn_state_file_costs_neither_position_nor_profit(tmp_path: Path) -> None:
    """Did: met half a file after a power cut, began anew, and wrote the emptiness over it."""
    state, log = tmp_path / "volume_farming_state.json", tmp_path / "hedgerow.db"
    harness = BotHarness(
        parameters=settings(position_management={"max_position_age_hours": 9}), open_store=lambda: SqliteStore(log)
    )
    harness.run(12, observers=[StateFile(state)])
    hedge, earned, whole = harness.hedge, harness.ledger.total_profit_loss, state.read_bytes()
    assert earned
    state.write_bytes(whole[: len(whole) // 2])
    found = guide_state.read(state, at=harness.clock.now())
    assert isinstance(found, guide_state.CorruptState)
    assert found.set_aside is not None
    assert found.set_aside.read_bytes() == whole[: len(whole) // 2]
    harness.run(0.5, observers=[StateFile(state)])
    assert (harness.hedge.hedge_id, harness.hedge.opened_at) == (hedge.hedge_id, hedge.opened_at)
    rebuilt = guide_state.read(state, at=harness.clock.now())
    assert isinstance(rebuilt, guide_state.GuideState)
    assert float(rebuilt.total_profit_loss) == pytest.approx(float(earned))
    assert_sound(harness)
