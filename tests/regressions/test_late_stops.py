"""Stops that come too late or are measured on the wrong price."""

from datetime import timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.events import (
    ExecutionStarted,
    ExternalFlow,
    FlowKind,
)
from hedgerow.domain.execution import ExecutionKind
from hedgerow.domain.position import Reason
from hedgerow.engine.notices import Evaluated
from support.bot_harness import OPENED, BotHarness
from support.regressions import assert_sound, settings
from support.worlds import SYMBOL, Listing, ScriptedMarketData


@pytest.mark.parametrize(("percent", "hours"), [(4, 24), (8, 12), (12, 9)])
def test_a_rising_price_is_answered_before_the_short_is_liquidated(percent: int, hours: int) -> None:
    """Did: at 1x its health check failed from +50 % on and skipped the stop: frozen until liquidated at +99 %."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    price = Decimal(100)
    for hour in range(1, hours):
        price = (price * (100 + percent) / 100).quantize(Decimal("0.01"))
        market_data.set_prices(OPENED + timedelta(hours=hour), price)
    harness = BotHarness(market_data, parameters=settings())
    harness.run(hours)
    assert_sound(harness)
    assert FlowKind.LIQUIDATION_FEE not in {flow.kind for flow in harness.logged(ExternalFlow)}
    jobs = [event.execution for event in harness.logged(ExecutionStarted)]
    answers = [job for job in jobs if job.kind in {ExecutionKind.REDUCE, ExecutionKind.CLOSE}]
    assert answers, "both legs are reduced, or closed"
    assert {job.reason for job in answers} <= {Reason.LIQUIDATION_NEAR, Reason.HEALTH}
    position = harness.world.account().positions.get(SYMBOL)
    if position is not None and position.quantity:
        assert position.liquidation_price is not None
        assert position.liquidation_price / position.mark_price - 1 > Decimal("0.1")


def test_the_stop_works_at_one_times_leverage() -> None:
    """Did: as above; its stop at -70 % lay beyond the point where it stopped looking."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    market_data.set_prices(OPENED + timedelta(hours=2), 112)
    harness = BotHarness(
        market_data, parameters=settings(risk_management={"stop_on": "perp_leg", "emergency_stop_loss_pct": -10})
    )
    harness.run(2.2)
    assert_sound(harness)
    assert harness.reasons == [Reason.EMERGENCY_STOP]


def test_the_stop_is_measured_on_the_entry_also_after_a_restart() -> None:
    """Did: divided by the present value after a restart, which put its stop beyond the liquidation."""
    market_data = ScriptedMarketData([Listing(SYMBOL, rate="0.0006")])
    market_data.set_prices(OPENED + timedelta(hours=1), 130)
    harness = BotHarness(market_data, parameters=settings())
    harness.run(0.5)
    entry = harness.hedge.entry_notional
    for _ in range(3):
        harness.run(0.5)
        assert harness.hedge.entry_notional == entry
    assert {seen.evaluation.entry_notional for seen in harness.notices_of(Evaluated)} == {entry}
    newest = harness.notices_of(Evaluated)[-1].evaluation
    assert newest.unrealized_pnl is not None
    assert newest.pnl_fraction == pytest.approx(float(newest.unrealized_pnl / entry))


def test_the_guides_stop_is_obeyed() -> None:
    """Did: as above."""
    assert settings(risk_management={"emergency_stop_loss_pct": -25}).risk_management.emergency_stop_loss == -0.25
