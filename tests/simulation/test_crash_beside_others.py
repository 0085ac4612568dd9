"""The bot crashes at points of a trade while another hedge is held; both come back whole, and nothing is owed."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.instrument import Market, Side
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.crash_sites import Checkpoint, CrashPoint, CrashSite
from support.worlds import START, Listing, ScriptedMarketData, make_world

WALLET = Decimal(800)
CRASHES = 30
"""At how many points of a scenario the bot crashes, spread evenly."""


def parameters(*, coverage: float = 1000.0) -> StrategyParameters:
    return StrategyParameters(
        funding_rate_strategy=FundingRateStrategy(funding_ma_periods=1),
        position_management=PositionManagement(
            fee_coverage_multiplier=coverage,
            max_position_age_hours=1000.0,
            better_opportunity_apr=90.0,
            max_positions=3,
        ),
    )


def flat() -> Checkpoint:
    listings = [
        Listing("AAAUSDT", rate="0.0006"),
        Listing("BBBUSDT", spot=20, rate="0.0005"),
        Listing("CCCUSDT", spot=50, rate="0.0004"),
    ]
    market = ScriptedMarketData(listings)
    world = make_world(market, usdt=WALLET, perp=WALLET, start=START + timedelta(hours=1))
    return Checkpoint(market_data=market, world=world.dump())


def three_held() -> CrashSite:
    crash_site = CrashSite(flat(), parameters())
    assert len(crash_site.run(0.2).open_hedges) == 3
    return crash_site


def a_short_is_gone() -> Checkpoint:
    crash_site = three_held()
    hedge = crash_site.ledger.held("BBBUSDT")
    assert hedge is not None
    crash_site.world.trade_by_hand(Market.PERP, "BBBUSDT", Side.BUY, hedge.short)
    return crash_site.checkpoint()


def two_are_closed_elsewhere() -> Checkpoint:
    crash_site = three_held()
    for symbol in ("AAAUSDT", "CCCUSDT"):
        hedge = crash_site.ledger.held(symbol)
        assert hedge is not None
        crash_site.world.trade_by_hand(Market.PERP, symbol, Side.BUY, hedge.short)
        coins = hedge.pair.spot.floor_quantity(hedge.spot_quantity)
        crash_site.world.trade_by_hand(Market.SPOT, symbol, Side.SELL, coins)
    return crash_site.checkpoint()


def a_settlement_covers_the_fees() -> Checkpoint:
    crash_site = three_held()
    crash_site.run(6.75)
    return crash_site.checkpoint()


SCENARIOS: dict[str, tuple[Callable[[], Checkpoint], float, float]] = {
    "three openings": (flat, 1000.0, 0.2),
    "one loses its short": (a_short_is_gone, 1000.0, 0.2),
    "two are closed elsewhere": (two_are_closed_elsewhere, 1000.0, 0.2),
    "all are closed for profit and opened again": (a_settlement_covers_the_fees, 0.05, 0.3),
}
"""Where it begins, the fee coverage that is wanted, and how many hours it is watched."""


def play(begin: Checkpoint, coverage: float, hours: float, at: int | None) -> tuple[CrashSite, CrashPoint]:
    crash_site, crash_point = CrashSite(begin, parameters(coverage=coverage)), CrashPoint(at)
    end = crash_site.world.now + timedelta(hours=hours)
    if not crash_site.live(end, crash_point):
        assert crash_site.live(end)
    return crash_site, crash_point


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_bot_that_dies_in_a_trade_comes_back_with_every_hedge_whole(name: str) -> None:
    begin, coverage, hours = SCENARIOS[name]
    start = begin()
    crash_site, undisturbed = play(start, coverage, hours, None)
    assert crash_site.wrongs(start_equity=2 * WALLET, coins={}) == []
    assert len(undisturbed.passed) > 40, "too few points: nothing was traded"
    points = len(undisturbed.passed)
    for at in range(0, points, -(-points // CRASHES)):
        crash_site, crash_point = play(start, coverage, hours, at)
        assert crash_point.dead
        assert crash_site.wrongs(start_equity=2 * WALLET, coins={}) == [], f"{at} {undisturbed.passed[at]}"
