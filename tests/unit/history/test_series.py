"""The funding formula and the gaps of a series."""

import pytest

from hedgerow.history.quality import Gap, gaps_between
from hedgerow.history.series import funding_from_premium


@pytest.mark.parametrize(
    ("premium", "hours", "rate"),
    [
        (0.0, 8, 0.0001),
        (0.0006, 8, 0.0001),
        (-0.0004, 8, 0.0001),
        (0.0010, 8, 0.0005),
        (-0.0010, 8, -0.0005),
        (0.0010, 4, 0.00025),
        (0.0, 1, 0.0000125),
        (0.5, 8, 0.02),
        (-0.5, 8, -0.02),
    ],
)
def test_the_rate_follows_the_premium_outside_the_damped_zone(premium: float, hours: int, rate: float) -> None:
    assert funding_from_premium("BTCUSDT", premium, hours) == pytest.approx(rate, abs=1e-12)


def test_bnb_has_no_interest_part() -> None:
    assert funding_from_premium("BNBUSDT", 0.0, 8) == 0.0


def test_gaps_are_where_the_newest_close_is_too_old() -> None:
    gaps = gaps_between([5, 6, 20], start_ms=0, end_ms=40, longest_ms=4)
    assert gaps == [Gap(from_ms=0, until_ms=5), Gap(from_ms=10, until_ms=20), Gap(from_ms=24, until_ms=40)]


def test_closes_before_the_window_cover_its_start() -> None:
    assert gaps_between([-3, 1, 4], start_ms=0, end_ms=8, longest_ms=4) == []
