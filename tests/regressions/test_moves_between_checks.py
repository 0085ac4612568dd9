"""What the guide's own bot missed between two checks, reproduced; each test fails for a bot that only polls."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.commands import PlaceOrder, TransferFunds
from hedgerow.domain.events import CommandIssued, ExternalFills
from hedgerow.domain.instrument import Market
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import CycleFailed, GuardAlarmed
from hedgerow.strategy.observation import Close, Reduce, TopUpMargin
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL, ScriptedMarketData

BETWEEN = OPENED + timedelta(minutes=31)
"""A minute after a cycle, four before the next one."""


def settings(**capital: Decimal) -> StrategyParameters:
    return StrategyParameters(
        capital_management=CapitalManagement(**capital),
        position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=10_000),
    )


def jumps(to: int) -> ScriptedMarketData:
    """Return a market that jumps between two cycles and stays there."""
    market_data = ScriptedMarketData(step=timedelta(minutes=1))
    market_data.set_prices(BETWEEN, to)
    return market_data


def rising(per_minute: int, minutes: int) -> ScriptedMarketData:
    """Return a market that rises from 100 by so much a minute."""
    market_data = ScriptedMarketData(step=timedelta(minutes=1))
    for minute in range(1, minutes + 1):
        market_data.set_prices(BETWEEN + timedelta(minutes=minute), 100 + per_minute * minute)
    return market_data


def first_order(harness: BotHarness, market: Market, since: datetime) -> datetime:
    issued = [event for event in harness.logged(CommandIssued) if event.at >= since]
    return next(e.at for e in issued if isinstance(e.command, PlaceOrder) and e.command.order.market is market)


def liquidation_prices(harness: BotHarness) -> tuple[Decimal, Decimal]:
    """Return the venue's liquidation price of the short, and its mark."""
    position = harness.world.account().positions[SYMBOL]
    assert position.liquidation_price is not None
    return position.liquidation_price, position.mark_price


@pytest.mark.parametrize(("news", "within"), [(True, 5.0), (False, 35.0)])
def test_a_liquidation_between_two_checks_leaves_no_forgotten_spot(news: bool, within: float) -> None:  # noqa: FBT001 - parametrized
    harness = BotHarness(jumps(225), parameters=settings(), notifications=news, poll_seconds=30)
    harness.run(0.2)
    harness.parameters = settings(min_capital_usd=Decimal(5000))
    harness.run(0.5)
    assert any(fill.forced for event in harness.logged(ExternalFills) for fill in event.fills)
    assert (first_order(harness, Market.SPOT, BETWEEN) - BETWEEN).total_seconds() < within
    assert harness.reasons == [Reason.LIQUIDATED]
    assert harness.notices_of(CycleFailed) == []
    harness.check_flat()


def test_the_stop_is_not_polled_but_awaited() -> None:
    harness = BotHarness(jumps(190), parameters=settings(), notifications=True)
    harness.run(0.53)
    assert next((notice.at - BETWEEN).total_seconds() for notice in harness.notices_of(GuardAlarmed)) < 1
    assert (first_order(harness, Market.SPOT, BETWEEN) - BETWEEN).total_seconds() < 1
    assert harness.decisions(Close)[0].reason is Reason.HEALTH
    assert not any(event.fills for event in harness.logged(ExternalFills)), "closed before it was liquidated"


def test_margin_is_topped_up_from_idle_usdt() -> None:
    harness = BotHarness(
        rising(3, 31), parameters=settings(max_capital_usd=Decimal(600)), usdt=500, perp=320, notifications=True
    )
    harness.run(1.5)
    moved = [e for e in harness.logged(CommandIssued) if isinstance(e.command, TransferFunds) and e.at > BETWEEN]
    assert harness.decisions(TopUpMargin)
    assert moved
    assert harness.decisions(Reduce) == []
    assert harness.reasons == []
    harness.check_whole()


def test_the_venues_own_liquidation_price_decides_and_no_fixed_maintenance_rate() -> None:
    """A venue that asks for ten times the maintenance margin liquidates earlier, and is left earlier."""
    reduced: list[Decimal] = []
    for rate in ("0.005", "0.05"):
        harness = BotHarness(
            rising(1, 90), parameters=settings(), notifications=True, world_options={"maintenance_rate": Decimal(rate)}
        )
        harness.run(2)
        assert harness.reasons == []
        limit, mark = liquidation_prices(harness)
        assert limit > mark * Decimal("1.19")
        reduced.append(harness.hedge.short)
        harness.check_whole()
    assert reduced[1] < reduced[0]


def test_a_short_that_comes_near_liquidation_is_reduced_in_proportion_before_it_is_closed() -> None:
    harness = BotHarness(rising(1, 100), parameters=settings(), notifications=True)
    harness.run(2.3)
    assert len(harness.decisions(TopUpMargin)) >= 1
    assert len(harness.decisions(Reduce)) >= 1
    assert harness.decisions(Close) == []
    limit, mark = liquidation_prices(harness)
    assert mark == 200, "where the short of a bot that does nothing is liquidated"
    assert limit > mark * Decimal("1.19")
    harness.check_whole()
