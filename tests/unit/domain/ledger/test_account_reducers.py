"""Transfers, funding and other rows of the venue, folded."""

from datetime import timedelta

from hedgerow.domain import events as ev
from support.ledger_builder import LedgerBuilder


def test_a_late_row_of_an_older_settlement_does_not_set_the_newest_stamp_back() -> None:
    diary = LedgerBuilder().open_hedge().wait(hours=16)
    newest = diary.now
    diary.paid(1, 2, newest).paid(1, 1, newest - timedelta(hours=8))
    assert diary.ledger.funding_until == newest
    assert set(diary.ledger.funding_seen) == {"1", "2"}


def test_a_log_without_an_agreement_is_read_from_its_beginning_and_one_with_from_days_before_it() -> None:
    diary = LedgerBuilder().open_hedge()
    assert diary.ledger.recent_from == 0
    for number in range(9):
        diary.wait(days=1).tell(ev.CycleCompleted(at=diary.now, number=number, statement_from=diary.now))
    ledger = diary.ledger
    (first, *_), newest = ledger.log_marks, ledger.statement_from
    assert newest is not None
    assert timedelta(days=5) <= newest - first.at <= timedelta(days=7)
    assert ledger.recent_from == first.events > 0


def test_the_watermark_never_goes_back() -> None:
    diary = LedgerBuilder().open_hedge()
    early = diary.now
    diary.wait(days=2).tell(ev.CycleCompleted(at=diary.now, number=1, statement_from=diary.now))
    newest = diary.ledger.statement_from
    diary.tell(ev.CycleCompleted(at=diary.now, number=2, statement_from=early))
    diary.tell(ev.CycleCompleted(at=diary.now, number=3))
    assert diary.ledger.statement_from == newest


def test_the_orders_that_are_kept_are_those_of_every_hedge_that_still_has_them() -> None:
    open_now = LedgerBuilder().open_hedge()
    closed = LedgerBuilder().open_hedge().close_hedge()
    assert len(open_now.ledger.kept_orders) == 2
    assert len(closed.ledger.kept_orders) == 4
    assert LedgerBuilder().ledger.kept_orders == ()
