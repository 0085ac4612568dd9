"""Coins left over at the end of a hedge are worth their price at that time, however the hedge ended."""

from datetime import timedelta
from decimal import Decimal

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.events import DustKept, HedgeClosed, HedgeLost
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL

PATIENT = StrategyParameters(position_management=PositionManagement(max_position_age_hours=100))
LATER = OPENED + timedelta(hours=1)


def _close_by_hand(harness: BotHarness, held: HedgedPosition, *markets: Market) -> None:
    if Market.SPOT in markets:
        lots = held.pair.spot.floor_quantity(held.spot_quantity)
        harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, lots)
    if Market.PERP in markets:
        harness.world.trade_by_hand(Market.PERP, SYMBOL, Side.BUY, held.short)


def _worth(harness: BotHarness) -> tuple[Decimal, Decimal]:
    """Return the dust's quantity and what it was kept at per coin."""
    (lot,) = harness.ledger.dust.values()
    return lot.quantity, lot.cost / lot.quantity


def test_dust_of_a_hedge_ended_outside_is_not_worthless() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.market_data.set_prices(LATER, 120)
    harness.run(2, at={1.01: lambda harness: _close_by_hand(harness, harness.hedge, *Market)})
    (lost,) = harness.logged(HedgeLost)
    quantity, each = _worth(harness)
    assert abs(each - 120) < Decimal("0.1")
    assert lost.residue_value == quantity * each
    closed = next(closed for closed in harness.ledger.closed if closed.hedge_id == lost.hedge_id)
    assert closed.residue_value == lost.residue_value
    said = [line.text for notice in harness.notices for line in narrate(notice) if "Dust kept" in line.text]
    assert f"(${lost.residue_value:.4f})" in said[0]
    harness.check()


def test_dust_of_a_leg_that_was_gone_is_worth_its_price_of_today_and_not_of_the_opening() -> None:
    harness = BotHarness(parameters=PATIENT)
    harness.market_data.set_prices(LATER, 120)
    harness.run(1.2, at={1.01: lambda harness: _close_by_hand(harness, harness.hedge, Market.SPOT)})
    assert harness.logged(HedgeClosed)
    assert harness.logged(DustKept)
    _, each = _worth(harness)
    assert abs(each - 120) < Decimal("0.1")
    harness.check()
