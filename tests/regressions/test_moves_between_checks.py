"""What the guide's own bot missed between two checks, reproduced; each test fails for a bot that only polls."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.commands import PlaceOrder, TransferFunds
from hedgerow.domain.events import CommandIssued, FillsElsewhere
from hedgerow.domain.instrument import Market
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import CycleFailed, GuardAlarmed
from hedgerow.strategy.observation import Close, Reduce, TopUpMargin
from hedgerow.strategy.parameters import CapitalManagement, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, Farm
from support.worlds import SYMBOL, ScriptedTape

BETWEEN = OPENED + timedelta(minutes=31)
"""A minute after a cycle, four before the next one."""


def settings(**capital: Decimal) -> StrategyParameters:
    return StrategyParameters(
        capital_management=CapitalManagement(**capital),
        position_management=PositionManagement(fee_coverage_multiplier=1000, max_position_age_hours=10_000),
    )


def jumps(to: int) -> ScriptedTape:
    """Return a market that jumps between two cycles and stays there."""
    tape = ScriptedTape(step=timedelta(minutes=1))
    tape.set_prices(BETWEEN, to)
    return tape


def rising(per_minute: int, minutes: int) -> ScriptedTape:
    """Return a market that rises from 100 by so much a minute."""
    tape = ScriptedTape(step=timedelta(minutes=1))
    for minute in range(1, minutes + 1):
        tape.set_prices(BETWEEN + timedelta(minutes=minute), 100 + per_minute * minute)
    return tape


def first_order(farm: Farm, market: Market, since: datetime) -> datetime:
    issued = [event for event in farm.logged(CommandIssued) if event.at >= since]
    return next(e.at for e in issued if isinstance(e.command, PlaceOrder) and e.command.order.market is market)


def liquidation_prices(farm: Farm) -> tuple[Decimal, Decimal]:
    """Return the venue's liquidation price of the short, and its mark."""
    position = farm.world.account().positions[SYMBOL]
    assert position.liquidation_price is not None
    return position.liquidation_price, position.mark_price


@pytest.mark.parametrize(("news", "within"), [(True, 5.0), (False, 35.0)])
def test_a_liquidation_between_two_checks_leaves_no_forgotten_spot(news: bool, within: float) -> None:  # noqa: FBT001 - parametrized
    farm = Farm(jumps(225), parameters=settings(), news=news, poll_seconds=30)
    farm.run(0.2)
    farm.parameters = settings(min_capital_usd=Decimal(5000))
    farm.run(0.5)
    assert any(fill.forced for event in farm.logged(FillsElsewhere) for fill in event.fills)
    assert (first_order(farm, Market.SPOT, BETWEEN) - BETWEEN).total_seconds() < within
    assert farm.reasons == [Reason.LIQUIDATED]
    assert farm.heard(CycleFailed) == []
    farm.check_flat()


def test_the_stop_is_not_polled_it_is_heard() -> None:
    farm = Farm(jumps(190), parameters=settings(), news=True)
    farm.run(0.53)
    assert next((moment.at - BETWEEN).total_seconds() for moment in farm.heard(GuardAlarmed)) < 1
    assert (first_order(farm, Market.SPOT, BETWEEN) - BETWEEN).total_seconds() < 1
    assert farm.decisions(Close)[0].reason is Reason.HEALTH
    assert not any(event.fills for event in farm.logged(FillsElsewhere)), "closed before it was liquidated"


def test_margin_is_topped_up_from_idle_usdt() -> None:
    farm = Farm(rising(3, 31), parameters=settings(max_capital_usd=Decimal(600)), usdt=500, perp=320, news=True)
    farm.run(1.5)
    moved = [e for e in farm.logged(CommandIssued) if isinstance(e.command, TransferFunds) and e.at > BETWEEN]
    assert farm.decisions(TopUpMargin)
    assert moved
    assert farm.decisions(Reduce) == []
    assert farm.reasons == []
    farm.check_whole()


def test_the_venues_own_liquidation_price_decides_and_no_fixed_maintenance_rate() -> None:
    """A venue that asks for ten times the maintenance margin liquidates earlier, and is left earlier."""
    reduced: list[Decimal] = []
    for rate in ("0.005", "0.05"):
        farm = Farm(rising(1, 90), parameters=settings(), news=True, world_options={"maintenance_rate": Decimal(rate)})
        farm.run(2)
        assert farm.reasons == []
        limit, mark = liquidation_prices(farm)
        assert limit > mark * Decimal("1.19")
        reduced.append(farm.hedge.short)
        farm.check_whole()
    assert reduced[1] < reduced[0]


def test_a_short_that_comes_near_liquidation_is_reduced_in_proportion_before_it_is_closed() -> None:
    farm = Farm(rising(1, 100), parameters=settings(), news=True)
    farm.run(2.3)
    assert len(farm.decisions(TopUpMargin)) >= 1
    assert len(farm.decisions(Reduce)) >= 1
    assert farm.decisions(Close) == []
    limit, mark = liquidation_prices(farm)
    assert mark == 200, "where the short of a bot that does nothing is liquidated"
    assert limit > mark * Decimal("1.19")
    farm.check_whole()
