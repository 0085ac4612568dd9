"""Numbers and times as people read them."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from hedgerow.domain import formats as fm

AT = datetime(2025, 5, 1, 2, 30, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))


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
def test_amounts_show_cents_and_more_only_where_cents_would_hide_it(value: str, plain: str, with_sign: str) -> None:
    assert fm.amount(Decimal(value)) == plain
    assert fm.signed_amount(Decimal(value)) == with_sign


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("499.83371175", "$499.83371175"),
        ("499.5", "$499.50"),
        ("-1234567.10", "-$1,234,567.10"),
        ("0", "$0.00"),
        ("0.00000001", "$0.00000001"),
        ("1E+3", "$1,000.00"),
    ],
)
def test_a_full_amount_loses_no_digit(value: str, text: str) -> None:
    assert fm.full_amount(Decimal(value)) == text


def test_a_gain_in_full_has_its_plus() -> None:
    assert fm.signed_full(Decimal("0.12345678")) == "+$0.12345678"
    assert fm.signed_full(Decimal(-1)) == "-$1.00"
    assert fm.signed_full(Decimal(0)) == "$0.00"


def test_a_figure_of_the_market_is_whole() -> None:
    assert fm.whole_amount(Decimal("170155642.4")) == "$170,155,642"


def test_a_price_has_the_digits_of_the_venue_and_an_average_has_no_more() -> None:
    assert fm.price(Decimal("0.111239")) == "$0.111239"
    assert fm.price(Decimal(96_123)) == "$96,123.00"
    assert fm.price(Decimal(1) / 3) == "$0.33333333"


def test_a_quantity_is_never_cut() -> None:
    assert fm.quantity(Decimal("-2564.073960"), "FORM") == "-2564.07396 FORM"
    assert fm.quantity(Decimal("0.00000088")) == "0.00000088"
    assert fm.quantity(Decimal("1E+6"), "PEPE") == "1000000 PEPE"


def test_fractions_are_percent_or_basis_points() -> None:
    assert fm.percent(0.1234) == "12.34 %"
    assert fm.percent(-0.00001) == "0.00 %"
    assert fm.percent(0.000123, 4) == "0.0123 %"
    assert fm.signed_percent(0.0123) == "+1.23 %"
    assert fm.signed_percent(-0.0123) == "-1.23 %"
    assert fm.bps(0.00045) == "4.5 bp"


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
        (-61, "-1 min 1 s"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: int, text: str) -> None:
    assert fm.duration(timedelta(seconds=seconds)) == text


def test_times_are_utc_and_cut_not_rounded() -> None:
    assert fm.seconds(0.08) == "0.1 s"
    assert fm.utc_minute(AT) == "2025-05-01 00:30"
    assert fm.utc_second(AT) == "2025-05-01 00:30:59"
    assert fm.log_iso(AT) == "2025-05-01T00:30:59"
    assert fm.utc_minute(datetime(2025, 5, 1, tzinfo=UTC)) == "2025-05-01 00:00"


@pytest.mark.parametrize(
    "write",
    [
        fm.amount,
        fm.signed_amount,
        fm.full_amount,
        fm.price,
        fm.whole_amount,
        fm.signed_full,
        fm.quantity,
        fm.percent,
        fm.signed_percent,
        fm.bps,
        fm.seconds,
        fm.duration,
        fm.utc_minute,
        fm.utc_second,
        fm.log_money,
        fm.log_funding,
        fm.log_apr,
    ],
)
def test_what_is_not_known_is_not_zero(write: object) -> None:
    assert callable(write)
    assert write(None) == "unknown"


def test_log_lines_keep_the_decimals_of_the_guide() -> None:
    assert fm.log_money(Decimal("-0.784")) == "$-0.78"
    assert fm.log_money(Decimal("-0.001")) == "$0.00"
    assert fm.log_funding(Decimal("1.23456")) == "$1.2346"
    assert fm.log_quantity(Decimal("0.00362")) == "0.003620"
    assert fm.log_price(Decimal("69123.456")) == "$69123.46"
    assert fm.log_price(Decimal("0.111239")) == "$0.111239"
    assert fm.log_number(4.2467) == "4.25"
    assert fm.log_percent(0.0094) == "0.94%"
    assert fm.log_apr(0.4532) == "45.32%"
    assert fm.log_rate(0.000123) == "0.0123%"
    assert fm.log_setting(Decimal(50)) == "50.0"
    assert fm.log_setting(1.5) == "1.5"
