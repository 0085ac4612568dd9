"""Funding, settlement by settlement: rows listed minutes to days late, and rows that never come."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from hedgerow.domain.events import FundingReceived
from hedgerow.domain.funding import FundingPayment, RateBoard
from hedgerow.domain.market import MarketView
from hedgerow.domain.operator_requests import CloseRequested
from hedgerow.emulator.inprocess.faults import FaultPlan, Read, ReadFault
from hedgerow.emulator.inprocess.readings import LateFunding
from hedgerow.engine.notices import BooksChecked, Warned
from hedgerow.strategy.parameters import PositionManagement, StrategyParameters
from support.bot_harness import OPENED, BotHarness
from support.mail import asked, mailbox_in
from support.worlds import SYMBOL, Listing, ScriptedMarketData

PATIENT = StrategyParameters(
    position_management=PositionManagement(max_position_age_hours=2000, fee_coverage_multiplier=1000)
)
MISSING = "No funding payment of"


def harness_with(*late: LateFunding, interval: int = 8, parameters: StrategyParameters = PATIENT) -> BotHarness:
    market_data = ScriptedMarketData([Listing(SYMBOL, interval_hours=interval, rate="0.0003")])
    return BotHarness(market_data, parameters=parameters, faults=FaultPlan(late_funding=late))


def late(*, hours: float, after: float, until: float) -> LateFunding:
    """Return payments charged between two hours after the start, listed so many hours later."""
    return LateFunding(
        seconds=hours * 3600, after=OPENED + timedelta(hours=after), until=OPENED + timedelta(hours=until)
    )


def booked(harness: BotHarness) -> list[int]:
    return [event.payment.tran_id for event in harness.logged(FundingReceived)]


def check_paid(harness: BotHarness) -> None:
    """Check that each payment was booked once, to the hedge that was held, and that the books agree."""
    paid = {payment.tran_id: payment for payment in harness.world.funding_payments(OPENED)}
    assert sorted(booked(harness)) == sorted(paid)
    assert harness.hedge.funding_payments == len(paid)
    assert harness.hedge.funding_received == sum(payment.amount for payment in paid.values())
    assert harness.ledger.unattributed_funding == 0
    harness.check()


@pytest.mark.parametrize("hours", [0.2, 3, 20, 100], ids=["minutes", "hours", "after newer ones", "days"])
@pytest.mark.parametrize("interval", [1, 8])
def test_a_row_listed_late_is_booked_when_it_appears_though_newer_ones_are_booked(hours: float, interval: int) -> None:
    harness = harness_with(late(hours=hours, after=7, until=9), interval=interval)
    harness.run(9 + hours + 3)
    check_paid(harness)


def test_a_row_listed_while_no_bot_ran_is_booked_at_the_next_start() -> None:
    harness = harness_with(late(hours=40, after=7, until=9))
    harness.run(30)
    harness.wait(30)
    harness.run(1)
    check_paid(harness)


def test_a_row_listed_after_the_closing_belongs_to_the_hedge_that_was_held(tmp_path: Path) -> None:
    harness, mailbox = harness_with(late(hours=6, after=7, until=9)), mailbox_in(tmp_path)
    harness.run(10)
    mailbox.post(asked("1", CloseRequested()))
    harness.run(0.5, mailbox=mailbox)
    (closed,) = harness.ledger.closed
    assert closed.funding == 0
    harness.run(8)
    closed = harness.ledger.closed[0]
    (payment,) = [p for p in harness.world.funding_payments(OPENED) if p.at < closed.closed_at]
    assert closed.funding == payment.amount
    harness.check()


def test_a_payment_that_is_missing_for_long_is_said_once() -> None:
    harness = harness_with(late(hours=10_000, after=7, until=9))
    harness.run(60)
    said = [warned.text for warned in harness.notices_of(Warned) if MISSING in warned.text]
    assert said == [f"{MISSING} {SYMBOL} is listed for the settlement of 2026-01-05 08:00 UTC; booked when it is"]
    assert harness.notices_of(BooksChecked), "the balance has it, the rows do not"


def test_rows_in_time_are_no_reason_for_a_word_or_a_second_reading() -> None:
    harness = harness_with(interval=1)
    harness.run(48)
    check_paid(harness)
    assert [warned.text for warned in harness.notices_of(Warned) if MISSING in warned.text] == []


def test_two_months_offline_leave_no_payment_out_and_none_is_booked_twice() -> None:
    harness = harness_with()
    harness.run(2)
    harness.wait(60 * 24)
    harness.run(1)
    harness.run(1)
    check_paid(harness)
    assert len(booked(harness)) == 60 * 3


class OverdueView:
    """A market whose board says that a rate is not listed."""

    def __init__(self, view: MarketView, stamp: datetime) -> None:
        self._view = view
        self.rates = RateBoard(settled=view.rates.settled, overdue={SYMBOL: stamp})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)


def test_a_held_pair_whose_newest_rate_is_missing_is_named_once_per_settlement() -> None:
    harness = harness_with()
    read, stamp = harness.venue.market, OPENED + timedelta(hours=4)

    async def overdue(periods: int) -> Any:
        return OverdueView(await read(periods), stamp)

    harness.run(1)
    harness.venue.market = overdue  # type: ignore[method-assign] # the live venue marks it
    harness.run(3)
    said = [warned.text for warned in harness.notices_of(Warned) if "is not listed yet" in warned.text]
    (line,) = said
    assert line.startswith(f"The funding rate of {SYMBOL} settled at {stamp:%Y-%m-%d %H:%M} UTC is not listed yet")
    assert harness.hedge.symbol == SYMBOL


# --- rows that cannot be so ----------------------------------------------------------------------------------------


def times(factor: int) -> Callable[[FundingPayment], tuple[FundingPayment, ...]]:
    return lambda row: (replace(row, amount=row.amount * factor),)


def twice(row: FundingPayment) -> tuple[FundingPayment, ...]:
    return row, replace(row, tran_id=row.tran_id + 1)


def an_hour_late(row: FundingPayment) -> tuple[FundingPayment, ...]:
    return (replace(row, at=row.at + timedelta(hours=1)),)


@pytest.mark.parametrize("change", [times(-1), times(0), times(1000), times(-5000), twice, an_hour_late])
def test_a_false_row_is_neither_booked_nor_traded_on(change: Callable[[FundingPayment], Any]) -> None:
    """Twelve minutes around a settlement: a row like that would cover the fees, or call for the emergency stop."""
    harness = BotHarness(
        ScriptedMarketData([Listing(SYMBOL, interval_hours=8, rate="0.0003")]),
        parameters=StrategyParameters(
            position_management=PositionManagement(max_position_age_hours=2000, loop_interval_seconds=300)
        ),
    )
    harness.run(6.9)
    harness.venue.paid = change
    harness.run(0.2)
    orders = len(harness.venue.orders)
    harness.venue.paid = None
    harness.run(1.5)
    assert len(harness.venue.orders) == orders
    assert harness.ledger.closed == ()
    assert harness.ledger.halt is None
    check_paid(harness)
    assert sum("not booked until that is read again" in each.text for each in harness.notices_of(Warned)) <= 1


def test_a_row_that_readings_go_on_showing_is_booked() -> None:
    harness = harness_with()
    harness.run(6.5)
    harness.venue.paid = times(-1)
    harness.run(3)
    (payment,) = harness.world.funding_payments(OPENED)
    assert [event.payment.amount for event in harness.logged(FundingReceived)] == [-payment.amount]
    (said,) = [each.text for each in harness.notices_of(Warned) if "settled rate" in each.text]
    assert said.endswith("not booked until that is read again")


def test_rows_that_cannot_be_read_for_an_hour_are_said_so_a_few_times() -> None:
    settled = OPENED + timedelta(hours=7)
    unread = [
        ReadFault(read=read, after=settled - timedelta(minutes=1), until=settled + timedelta(hours=1))
        for read in (Read.FUNDING_PAYMENTS, Read.STATEMENT)
    ]
    harness = BotHarness(parameters=PATIENT, faults=FaultPlan(reads=tuple(unread)), poll_seconds=30)
    harness.run(7.99)
    said = [notice.text for notice in harness.notices_of(Warned)]
    for text in ("Could not fetch funding history", "Could not fetch the statement"):
        assert 2 <= sum(text in line for line in said) <= 7
    harness.run(1)
    check_paid(harness)
