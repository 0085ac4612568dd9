"""Transfers, funding and other rows of the venue, folded."""

from datetime import timedelta

from support.diary import Diary


def test_a_late_row_of_an_older_settlement_does_not_set_the_newest_stamp_back() -> None:
    diary = Diary().open_hedge().wait(hours=16)
    newest = diary.now
    diary.paid(1, 2, newest).paid(1, 1, newest - timedelta(hours=8))
    assert diary.ledger.funding_until == newest
    assert set(diary.ledger.funding_seen) == {"1", "2"}
