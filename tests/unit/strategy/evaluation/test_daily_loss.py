"""What a day lost, and how much it may."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.domain import events as ev
from hedgerow.domain.ledger.reducers import fold
from hedgerow.domain.ledger.state import Ledger, Totals, TradingDay
from hedgerow.strategy.evaluation.daily_loss import day_is_over, loss_limit, loss_of, result_of
from hedgerow.strategy.observation import Observation
from hedgerow.strategy.parameters import RiskManagement
from support.views import NOW, hedge, ledger_of, listing, market_of, pair_of

START = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
MONEY = st.decimals(min_value=-10_000, max_value=10_000, places=2)


def day(result: Decimal | int = 0, equity: Decimal | int = 1000) -> TradingDay:
    return TradingDay(begun_at=START, result=Decimal(result), equity=Decimal(equity))


@given(MONEY, MONEY)
def test_a_loss_is_what_the_result_fell_by_and_never_negative(before: Decimal, now: Decimal) -> None:
    lost = loss_of(day(before), now)
    assert lost >= 0
    assert lost == 0 or before - lost == now


@pytest.mark.parametrize(
    ("usd", "share", "limit"),
    [(None, None, None), (5, None, 5), (None, "0.01", 10), (5, "0.01", 5), (50, "0.01", 10)],
)
def test_the_lower_one_of_two_limits_counts(usd: int | None, share: str | None, limit: int | None) -> None:
    risk = RiskManagement(
        daily_loss_limit_usd=None if usd is None else Decimal(usd),
        daily_loss_limit=None if share is None else Decimal(share),
    )
    assert loss_limit(day(), risk) == limit


def test_an_account_below_nothing_may_lose_nothing() -> None:
    assert loss_limit(day(equity=-5), RiskManagement(daily_loss_limit=Decimal("0.01"))) == 0


@pytest.mark.parametrize("limit", ["daily_loss_limit_usd", "daily_loss_limit"])
def test_a_limit_is_positive(limit: str) -> None:
    with pytest.raises(ValueError, match=f"^{limit} is 0; allowed in the file: a number above 0"):
        RiskManagement(**{limit: Decimal(0)})  # type: ignore[arg-type]


@pytest.mark.parametrize(("hours", "over"), [(0, False), (22.99, False), (23, True), (48, True)])
def test_a_day_ends_at_midnight_utc(hours: float, over: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert day_is_over(day(), START + timedelta(hours=hours)) is over


@pytest.mark.parametrize("days", [31, 365], ids=["the same day of the next month", "the same date of the next year"])
def test_a_day_with_the_same_number_is_another_day(days: int) -> None:
    assert day_is_over(day(), START + timedelta(days=days))


def test_a_clock_set_back_begins_no_new_day() -> None:
    assert not day_is_over(day(), START - timedelta(days=1))


def test_with_nothing_held_the_result_is_what_was_realised() -> None:
    ledger = Ledger(totals=Totals(funding=Decimal(3), basis_pnl=Decimal(-1), fees=Decimal(4)))
    assert result_of(ledger, Observation(at=START, market=None, account=None)) == -2


def test_an_open_hedge_counts_with_what_it_is_worth_and_not_at_all_without_prices() -> None:
    ledger = ledger_of(hedge("10"), totals=Totals(funding=Decimal(3)))
    seen = Observation(at=NOW, market=market_of(listing(pair=pair_of())), account=None)
    result = result_of(ledger, seen)
    assert result is not None
    assert result != ledger.totals.net_profit
    assert result_of(ledger, Observation(at=NOW, market=None, account=None)) is None


def test_the_count_begins_anew_when_its_own_halt_is_lifted_and_with_no_other() -> None:
    opened = ev.DayOpened(at=START, result=Decimal(-3), equity=Decimal(500))
    lifted = ev.Lifted(at=START, detail="by hand")
    for reason, counted in ((ev.HaltReason.DAILY_LOSS, None), (ev.HaltReason.USER, TradingDay)):
        halted = ev.Halted(at=START, reason=reason, detail="")
        after = fold((opened, halted)).day
        assert after == TradingDay(begun_at=START, result=Decimal(-3), equity=Decimal(500))
        assert type(fold((opened, halted, lifted)).day) is (counted or type(None))
    assert fold((opened, lifted)).day is not None
