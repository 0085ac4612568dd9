"""One reading is not enough to believe that a leg is gone."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.domain.account import AccountView, Balance
from hedgerow.domain.events import ExternalFills, Halted, HedgeAdopted, HedgeLost
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.views import short_of
from support.worlds import SYMBOL

HOLD = StrategyParameters(
    position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=87_600)
)
BASE = SYMBOL.removesuffix("USDT")


@pytest.mark.parametrize("gone", [("short",), ("short", "coins")], ids=" and ".join)
def test_legs_that_one_reading_lacks_are_neither_booked_as_gone_nor_traded(gone: tuple[str, ...]) -> None:
    harness = BotHarness(parameters=HOLD)
    harness.run(0.5)
    read, orders = harness.venue.account, len(harness.venue.orders)
    wrong: list[AccountView] = []

    async def lacking() -> AccountView:
        view = await read()
        if wrong or view.at < OPENED + timedelta(hours=0.55):
            return view
        spot = {asset: held for asset, held in view.spot.items() if asset != BASE or "coins" not in gone}
        wrong.append(replace(view, spot=spot, positions={}))
        return wrong[0]

    harness.venue.account = lacking  # type: ignore[method-assign] # one reply that lacks rows
    harness.run(0.5)
    assert len(wrong) == 1
    assert harness.logged(ExternalFills) == []
    assert harness.logged(HedgeLost) == []
    assert harness.venue.orders[orders:] == []
    harness.check_whole()


def test_a_position_that_one_reading_shows_is_neither_adopted_nor_a_reason_to_halt() -> None:
    flat = StrategyParameters(funding_rate_strategy=FundingRateStrategy(min_funding_apr=100.0))
    harness = BotHarness(parameters=flat)
    harness.run(0.5)
    read = harness.venue.account
    wrong: list[AccountView] = []

    async def inventing() -> AccountView:
        view = await read()
        if wrong or view.at < OPENED + timedelta(hours=0.55):
            return view
        coins = Balance(asset=BASE, free=Decimal(2))
        short = short_of(SYMBOL, "2")
        wrong.append(replace(view, spot={**view.spot, BASE: coins}, positions={SYMBOL: short}))
        return wrong[0]

    harness.venue.account = inventing  # type: ignore[method-assign] # one reply of another account
    harness.run(0.5)
    assert len(wrong) == 1
    assert harness.logged(HedgeAdopted) == []
    assert harness.logged(Halted) == []
    assert harness.venue.orders == []
