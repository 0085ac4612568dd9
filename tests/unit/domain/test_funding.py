from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hedgerow.domain.funding import FundingRate, RateBoard

AT = datetime(2026, 1, 5, tzinfo=UTC)


def rate(number: int, interval_hours: int = 8) -> FundingRate:
    return FundingRate(
        symbol="ABCUSDT", rate=Decimal(number), interval_hours=interval_hours, at=AT + timedelta(hours=number)
    )


@pytest.mark.parametrize("hours", [0, -8])
def test_b7_a_rate_without_a_positive_interval_cannot_exist(hours: int) -> None:
    with pytest.raises(ValueError, match="ABCUSDT: a funding interval is positive"):
        rate(1, hours)


def test_b7_prints_of_one_symbol_may_cover_different_intervals() -> None:
    board = RateBoard(settled={"ABCUSDT": (rate(1, 1), rate(2, 4))})
    assert [r.interval_hours for r in board.newest("ABCUSDT", 2)] == [1, 4]


def test_the_newest_rates_come_oldest_first_and_as_many_as_there_are() -> None:
    board = RateBoard(settled={"ABCUSDT": tuple(rate(n) for n in range(5))})
    assert [int(r.rate) for r in board.newest("ABCUSDT", 2)] == [3, 4]
    assert len(board.newest("ABCUSDT", 50)) == 5
    assert board.newest("NONE", 2) == ()


def test_boards_are_compared_by_identity_so_that_a_ranking_can_be_kept() -> None:
    rates = {"ABCUSDT": (rate(1),)}
    first, second = RateBoard(settled=rates), RateBoard(settled=rates)
    assert first != second
    assert len({first, second, first}) == 2
