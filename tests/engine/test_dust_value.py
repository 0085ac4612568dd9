"""Coins left over at the end of a hedge are worth their price at that time, however the hedge ended."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.dashboard.narration.wording import narrate
from hedgerow.domain.events import DustKept, ExternalFills, HedgeClosed, HedgeLost, Wallet
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.position import HedgedPosition
from hedgerow.emulator.core.market_changes import FilterChange
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.strategy.parameters import FundingRateStrategy, PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL

PATIENT = StrategyParameters(position_management=PositionManagement(max_position_age_hours=100))
BRIEF = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=0.4),
    funding_rate_strategy=FundingRateStrategy(min_funding_apr=5.0),
)
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


def _coarser_lot(harness: BotHarness) -> None:
    lot = Decimal("0.1")
    harness.world.change_market(
        FilterChange(symbol=SYMBOL, seconds=3600.0, market=Market.SPOT, lot=lot, min_quantity=lot)
    )


def _sell_dust(harness: BotHarness) -> None:
    harness.world.trade_by_hand(Market.SPOT, SYMBOL, Side.SELL, Decimal("0.04"))


def _move_dust(harness: BotHarness) -> None:
    harness.world.deposit(Wallet.SPOT, "AAA", Decimal("-0.04"))


@pytest.mark.parametrize(
    ("takes", "at"),
    [pytest.param(_sell_dust, Decimal("199.98"), id="sold"), pytest.param(_move_dust, None, id="moved away")],
)
@pytest.mark.parametrize("readable", [True, False], ids=["seen at once", "trades unreadable for a while"])
def test_kept_coins_that_the_owner_takes_are_none_of_the_bots_any_more(
    takes: Callable[[BotHarness], None], at: Decimal | None, *, readable: bool
) -> None:
    unread = ReadFault(read=Read.FILLS, after=LATER + timedelta(hours=1), until=LATER + timedelta(hours=3))
    harness = BotHarness(parameters=PATIENT, faults=FaultPlan(reads=() if readable else (unread,)))
    harness.market_data.set_prices(LATER + timedelta(hours=1), 200)
    harness.run(0.5)
    harness.parameters = BRIEF
    _coarser_lot(harness)
    harness.run(1)
    quantity, each = _worth(harness)
    assert quantity > Decimal("0.04")
    result = harness.ledger.totals.net_profit
    harness.run(2, at={1.0: takes})
    assert (harness.logged(ExternalFills) == []) is not readable
    harness.run(2)
    assert harness.ledger.dust["AAA"].quantity == quantity - Decimal("0.04")
    proceeds = Decimal("0.04") * (at - each) - harness.ledger.closed[-1].hedge.orders[-1].booked_fee if at else 0
    assert harness.ledger.totals.net_profit - result == pytest.approx(proceeds)
    harness.check()
