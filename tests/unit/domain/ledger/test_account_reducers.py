"""Transfers, funding and other rows of the venue, folded."""

from datetime import timedelta

from hedgerow.domain import events as ev
from support.ledger_builder import LedgerBuilder


def test_a_late_row_of_an_older_settlement_does_not_set_the_newest_stamp_back() -> None:
    builder = LedgerBuilder().open_hedge().wait(hours=16)
    newest = builder.now
    builder.paid(1, 2, newest).paid(1, 1, newest - timedelta(hours=8))
    assert builder.ledger.funding_until == newest
    assert set(builder.ledger.funding_seen) == {"1", "2"}


def test_a_log_without_an_agreement_is_read_from_its_beginning_and_one_with_from_days_before_it() -> None:
    builder = LedgerBuilder().open_hedge()
    assert builder.ledger.recent_from == 0
    for number in range(9):
        builder.wait(days=1).record(ev.CycleCompleted(at=builder.now, number=number, statement_from=builder.now))
    ledger = builder.ledger
    (first, *_), newest = ledger.log_marks, ledger.statement_from
    assert newest is not None
    assert timedelta(days=5) <= newest - first.at <= timedelta(days=7)
    assert ledger.recent_from == first.events > 0


def test_the_watermark_never_goes_back() -> None:
    builder = LedgerBuilder().open_hedge()
    early = builder.now
    builder.wait(days=2).record(ev.CycleCompleted(at=builder.now, number=1, statement_from=builder.now))
    newest = builder.ledger.statement_from
    builder.record(ev.CycleCompleted(at=builder.now, number=2, statement_from=early))
    builder.record(ev.CycleCompleted(at=builder.now, number=3))
    assert builder.ledger.statement_from == newest


def test_the_orders_that_are_kept_are_those_of_every_hedge_that_still_has_them() -> None:
    open_now = LedgerBuilder().open_hedge()
    closed = LedgerBuilder().open_hedge().close_hedge()
    assert len(open_now.ledger.kept_orders) == 2
    assert len(closed.ledger.kept_orders) == 4
    assert LedgerBuilder().ledger.kept_orders == ()
