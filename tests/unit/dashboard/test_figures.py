"""Figures as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from hedgerow.dashboard.figures import duration, fraction, moment, money, signed


@pytest.mark.parametrize(
    ("value", "plain", "with_sign"),
    [
        ("0", "$0.00", "$0.00"),
        ("12345.678", "$12,345.68", "+$12,345.68"),
        ("-0.5", "-$0.50", "-$0.50"),
        ("0.00123", "$0.0012", "+$0.0012"),
        ("-0.000004", "-$0.0000040", "-$0.0000040"),
    ],
)
def test_money_shows_cents_and_more_only_where_cents_would_hide_it(value: str, plain: str, with_sign: str) -> None:
    assert money(Decimal(value)) == plain
    assert signed(Decimal(value)) == with_sign


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (86_400 + 4 * 3600, "1 d 4 h"),
        (86_400 * 30 + 59, "30 d"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text


def test_fractions_are_percent_and_times_are_utc() -> None:
    assert fraction(0.0123) == "+1.23 %"
    assert moment(datetime(2025, 5, 1, 2, 30, tzinfo=timezone(timedelta(hours=2)))) == "2025-05-01 00:30"
    assert moment(datetime(2025, 5, 1, tzinfo=UTC)) == "2025-05-01 00:00"
