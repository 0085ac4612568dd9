"""A hedge whose fills were reported without their price: nothing that can be decided without it is lost."""

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from hedgerow.domain.events import Event, OrderEnded
from hedgerow.domain.position import Reason
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.engine.notices import CycleFailed, Evaluated
from hedgerow.strategy.observation import Close
from hedgerow.strategy.parameters import DailyLossAction, PositionManagement, RiskManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.worlds import SYMBOL

UNREAD = ReadFault(read=Read.FILLS, after=OPENED, until=OPENED + timedelta(hours=1))


def without_price(event: Event) -> Event:
    return replace(event, filled_notional=Decimal(0)) if isinstance(event, OrderEnded) else event


def opened(parameters: StrategyParameters | None = None) -> BotHarness:
    """Return a farm whose hedge was opened by orders without a price, and whose trades cannot be read for an hour."""
    harness = BotHarness(parameters=parameters, faults=FaultPlan(reads=(UNREAD,)))
    harness.venue.reported = without_price
    harness.run(0.5)
    assert harness.hedge.short > 0
    assert harness.hedge.entry_notional == 0
    assert not harness.hedge.valued
    assert harness.notices_of(CycleFailed) == []
    return harness


def test_an_entry_value_is_derived_when_the_trades_are_booked() -> None:
    harness = opened()
    harness.venue.reported = None
    harness.run(1)
    assert harness.hedge.entry_notional == harness.hedge.tally.spot_bought > 470
    assert harness.hedge.entry_fees > 0
    assert harness.notices_of(Evaluated)[-1].evaluation.pnl_fraction is not None
    assert harness.notices_of(CycleFailed) == []
    harness.check_whole()


def test_without_a_price_of_its_fills_no_profit_is_reported_and_no_loss_counted() -> None:
    risk = RiskManagement(daily_loss_limit_usd=Decimal(1), daily_loss_action=DailyLossAction.CLOSE)
    harness = opened(StrategyParameters(risk_management=risk))
    evaluation = harness.notices_of(Evaluated)[-1].evaluation
    assert (evaluation.unrealized_pnl, evaluation.pnl_fraction, evaluation.stop_pnl) == (None, None, None)
    assert "profit unknown" in evaluation.unseen[-1]
    harness.venue.reported = None
    harness.run(1)
    assert harness.ledger.halt is None
    assert harness.decisions(Close) == []


def test_safety_exits_act_while_the_entry_value_is_unknown() -> None:
    harness = opened()
    harness.world.shock(SYMBOL, Decimal("1.8"))
    harness.run(0.1)
    assert harness.reasons[0] is Reason.HEALTH
    assert "liquidation" in harness.decisions(Close)[0].detail


def test_the_age_limit_acts_while_the_entry_value_is_unknown() -> None:
    harness = opened(StrategyParameters(position_management=PositionManagement(max_position_age_hours=0.6)))
    harness.run(0.2)
    assert harness.reasons[0] is Reason.MAX_AGE
