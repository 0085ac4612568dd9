"""Hedges that were there before the bot: adopted with their age and funding, and no second one is opened."""

from datetime import timedelta

import pytest

from hedgerow.domain.events import (
    HedgeAdopted,
    HedgeOpened,
)
from hedgerow.domain.position import Reason
from support.bot_harness import BotHarness
from support.regressions import assert_sound, by_hand, settings, two_pairs
from support.worlds import START, SYMBOL, Listing, ScriptedMarketData

HOUR = timedelta(hours=1)


def opened(market_data: ScriptedMarketData, **sections: dict[str, int]) -> bool:
    harness = BotHarness(market_data, parameters=settings(**sections), latency_seconds=0.05)
    harness.run(0.5)
    assert_sound(harness)
    return harness.ledger.largest is not None


@pytest.mark.parametrize("days", [8, 20])
def test_a_position_older_than_a_week_is_adopted_and_no_second_one_opened(days: int) -> None:
    """Did: asked for trades without a time, got seven days of them, and opened a second position beside it."""
    market_data = two_pairs()
    world = by_hand(market_data, spot="20.01", short="20")
    opened = world.now
    world.advance(START + timedelta(days=days))
    harness = BotHarness(market_data, world=world, parameters=settings())
    harness.run(1)
    assert len(harness.logged(HedgeAdopted)) == 1
    assert not harness.logged(HedgeOpened)
    assert harness.hedge.opened_at == opened
    assert harness.hedge.funding_payments == days * 3
    assert_sound(harness)


def test_funding_is_what_was_paid_however_long_it_lasts() -> None:
    """Did: booked +$4.16 of estimated funding while $61.60 were really paid, and closed as "fees covered"."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006", interval_hours=4)])
    market_data.set_rate(START + timedelta(hours=8), "-0.001")
    harness = BotHarness(market_data, parameters=settings(funding_rate_strategy={"exit_funding_apr": -10000}))
    harness.run(24 * 9)
    assert_sound(harness)
    real = sum(payment.amount for payment in harness.world.funding_payments(START))
    assert real < -20
    assert harness.hedge.funding_received == real
    assert harness.reasons == []


def test_an_adopted_hedge_keeps_its_age_and_its_funding() -> None:
    """Does: starts both anew at adoption, so that neither the age nor the coverage of fees is ever right."""
    market_data = two_pairs()
    world = by_hand(market_data, spot="20.01", short="20")
    world.advance(START + 23.5 * HOUR)
    paid = sum(payment.amount for payment in world.funding_payments(START))
    parameters = settings(position_management={"max_position_age_hours": 24})
    harness = BotHarness(market_data, world=world, parameters=parameters)
    harness.run(0.3)
    assert harness.logged(HedgeAdopted)
    assert harness.hedge.funding_received == paid > 0
    harness.run(0.5)
    assert_sound(harness)
    assert harness.reasons == [Reason.MAX_AGE]
