"""What the regression tests have in common: a user's settings, a market, a hedge by hand."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hedgerow.config import decode_config
from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator import World
from hedgerow.emulator.core.error_codes import Code
from hedgerow.emulator.fault_kinds import FaultKind
from hedgerow.emulator.inprocess.faults import FaultPlan, SubmitFault
from hedgerow.engine.notices import CycleFailed
from hedgerow.strategy.parameters import StrategyParameters
from support.bot_harness import BotHarness
from support.worlds import SYMBOL, Listing, ScriptedMarketData, make_world

__all__ = ["ALWAYS", "PERP", "SPOT", "assert_sound", "by_hand", "refused", "settings", "two_pairs"]

PERP, SPOT = Market.PERP, Market.SPOT
ALWAYS = 10**6
CALM: Mapping[str, Mapping[str, Any]] = {
    "funding_rate_strategy": {"funding_ma_periods": 1},
    "position_management": {"fee_coverage_multiplier": 1000, "max_position_age_hours": 10000},
}


def settings(**sections: Mapping[str, Any]) -> StrategyParameters:
    """Return what a user's file with these sections asks for; the rest keeps a hedge for long."""
    names = {*CALM, *sections}
    document = {name: {**CALM.get(name, {}), **sections.get(name, {})} for name in names}
    return decode_config(json.dumps(document).encode(), name="config.json")


def refused(market: Market, *, times: int = ALWAYS, **filters: Any) -> FaultPlan:
    """Return a plan that lets every order of one market be refused."""
    code = Code.SYMBOL_NOT_OPEN
    fault = SubmitFault(fault=FaultKind.REJECT, command="place_order", market=market, code=code, times=times, **filters)
    return FaultPlan(submits=(fault,))


def two_pairs(**first: Any) -> ScriptedMarketData:
    """Return a market whose first pair pays twice as much as the second."""
    return ScriptedMarketData([Listing(SYMBOL, rate="0.0006", **first), Listing("BBBUSDT", spot=20, rate="0.0003")])


def by_hand(
    market_data: ScriptedMarketData, *, spot: str, short: str, coins: Mapping[str, Decimal] | None = None
) -> World:
    """Return a world whose owner has opened a hedge on the venue's page."""
    world = make_world(market_data, usdt=3000, perp=3000, coins=coins)
    world.set_leverage(SYMBOL, 1)
    world.trade_by_hand(SPOT, SYMBOL, Side.BUY, Decimal(spot))
    world.trade_by_hand(PERP, SYMBOL, Side.SELL, Decimal(short))
    return world


def assert_sound(harness: BotHarness) -> None:
    """Check that the books agree with the exchange and no cycle failed."""
    harness.check()
    assert [notice.error for notice in harness.notices_of(CycleFailed)] == []
