"""A simulated bot finds what others took as a live one does: by notifications, or by polling the account."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from hedgerow.app.simulation.run import play
from hedgerow.domain.execution import ExecutionStyle
from hedgerow.domain.instrument import Market
from hedgerow.emulator.inprocess.readings import AccountMutation, AccountReading
from hedgerow.engine.guard import Guard
from hedgerow.simulation.faults.alterations import Alteration, AlterationKind
from hedgerow.simulation.faults.incidents import HandSale, PriceJump
from hedgerow.simulation.generators.scenarios import draw_plan
from hedgerow.simulation.scenario import RunPlan

FALSE_SECONDS = 40.0


def sold_behind_old_replies() -> RunPlan:
    """Return a run in which the account is shown as before for a while after its owner sold coins."""
    plan = replace(draw_plan(1, 0.5), notifications=False, coins=Decimal(0))
    limits = replace(plan.parameters.execution, style=ExecutionStyle.TAKER)
    at = plan.begin + timedelta(hours=9.5)
    old = AccountReading(
        mutation=AccountMutation.STALE,
        noticed=False,
        after=at - timedelta(seconds=1),
        until=at + timedelta(seconds=FALSE_SECONDS),
    )
    sale = HandSale(at=at, fraction=Decimal("0.1"))
    return replace(plan, drawn_faults=(sale, old), parameters=replace(plan.parameters, execution=limits))


def liquidated_between_two_checks(*, notifications: bool) -> RunPlan:
    """Return a run in which a price that had risen shows again 52 minutes before a check, and liquidates the short."""
    plan = replace(draw_plan(400_035, 2.2), notifications=notifications, coins=Decimal(0))
    begin = plan.start + timedelta(hours=26)
    other = Alteration(at=begin, kind=AlterationKind.COLLISION_DOWN, market=Market.PERP, seconds=76_204)
    jump = PriceJump(at=begin + timedelta(hours=5), factor=Decimal("2.4"))
    return replace(plan, drawn_faults=(other, jump))


@pytest.mark.parametrize("notifications", [True, False])
def test_a_short_that_is_liquidated_between_two_changes_of_prices_is_answered_within_a_minute(
    notifications: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    result = play(liquidated_between_two_checks(notifications=notifications))
    assert result.violation is None
    assert 0 < result.max_taken_seconds < 60


def test_coins_that_were_sold_behind_old_replies_are_found_within_half_a_minute_of_their_end() -> None:
    result = play(sold_behind_old_replies())
    assert result.violation is None
    assert FALSE_SECONDS < result.max_taken_seconds < FALSE_SECONDS + 40


def test_a_bot_that_does_not_poll_finds_them_minutes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "poll", lambda _: None)
    assert play(sold_behind_old_replies()).max_taken_seconds > FALSE_SECONDS + 60
