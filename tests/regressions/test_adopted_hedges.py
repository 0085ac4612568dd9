"""Hedges that were there before the bot: adopted with their age and funding, and no second one is opened."""

from datetime import timedelta

import pytest

from hedgerow.domain.events import (
    HedgeAdopted,
    HedgeOpened,
)
from hedgerow.domain.position import Reason
from support.bot_harness import Farm
from support.regressions import assert_sound, by_hand, settings, two_pairs
from support.worlds import START, SYMBOL, Listing, ScriptedTape

HOUR = timedelta(hours=1)


def opened(tape: ScriptedTape, **sections: dict[str, int]) -> bool:
    farm = Farm(tape, parameters=settings(**sections), latency_seconds=0.05)
    farm.run(0.5)
    assert_sound(farm)
    return farm.ledger.hedge is not None


@pytest.mark.parametrize("days", [8, 20])
def test_a_position_older_than_a_week_is_adopted_and_no_second_one_opened(days: int) -> None:
    """Did: asked for trades without a time, got seven days of them, and opened a second position beside it."""
    tape = two_pairs()
    world = by_hand(tape, spot="20.01", short="20")
    opened = world.now
    world.advance(START + timedelta(days=days))
    farm = Farm(tape, world=world, parameters=settings())
    farm.run(1)
    assert len(farm.logged(HedgeAdopted)) == 1
    assert not farm.logged(HedgeOpened)
    assert farm.hedge.opened_at == opened
    assert farm.hedge.funding_payments == days * 3
    assert_sound(farm)


def test_funding_is_what_was_paid_however_long_it_lasts() -> None:
    """Did: booked +$4.16 of estimated funding while $61.60 were really paid, and closed as "fees covered"."""
    tape = ScriptedTape([Listing(SYMBOL, rate="0.0006", interval_hours=4)])
    tape.set_rate(START + timedelta(hours=8), "-0.001")
    farm = Farm(tape, parameters=settings(funding_rate_strategy={"exit_funding_apr": -10000}))
    farm.run(24 * 9)
    assert_sound(farm)
    real = sum(payment.amount for payment in farm.world.funding_payments(START))
    assert real < -20
    assert farm.hedge.funding_received == real
    assert farm.reasons == []


def test_an_adopted_hedge_keeps_its_age_and_its_funding() -> None:
    """Does: starts both anew at adoption, so that neither the age nor the coverage of fees is ever right."""
    tape = two_pairs()
    world = by_hand(tape, spot="20.01", short="20")
    world.advance(START + 23.5 * HOUR)
    paid = sum(payment.amount for payment in world.funding_payments(START))
    parameters = settings(position_management={"max_position_age_hours": 24})
    farm = Farm(tape, world=world, parameters=parameters)
    farm.run(0.3)
    assert farm.logged(HedgeAdopted)
    assert farm.hedge.funding_received == paid > 0
    farm.run(0.5)
    assert_sound(farm)
    assert farm.reasons == [Reason.MAX_AGE]
