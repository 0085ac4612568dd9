"""Numbers, times and rules are written one way on every screen, and what is not known is never zero."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.dashboard import formats
from hedgerow.dashboard.bot_state import BotState
from hedgerow.dashboard.job_view import Fallback, FallbackKind
from hedgerow.dashboard.view_parts import Worth
from hedgerow.domain.instrument import Market
from hedgerow.domain.position import Reason
from hedgerow.strategy.decisions.consequences import Consequence, ForeseenExit, NextStep, Stage, StageAction
from hedgerow.strategy.decisions.distances import ExitDistance, ExitUnit

MINUS = formats.MINUS
NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
HOURS = ExitDistance(rule=Reason.MAX_AGE, unit=ExitUnit.HOURS, value=184.8, threshold=1440.0, left=0.5)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.money(Decimal("-1234.5")), f"{MINUS}$1,234.50"),
        (formats.money(Decimal("0.0041")), "$0.0041"),
        (formats.signed_money(Decimal("1.956")), "+$1.96"),
        (formats.signed_money(Decimal("-6.99")), f"{MINUS}$6.99"),
        (formats.signed_money(Decimal(0)), "$0.00"),
        (formats.without_dust(()), ""),
        (formats.without_dust(("AAA1", "BBB2")), ", without dust of AAA1, BBB2"),
        (formats.whole_money(Decimal("-9745.7")), f"{MINUS}$9,746"),
        (formats.volume(Decimal(1_250_000_000)), "$1.25 B"),
        (formats.volume(Decimal(150_000_000)), "$150 M"),
        (formats.volume(Decimal(15_500)), "$15.5 k"),
        (formats.volume(Decimal(12)), "$12"),
        (formats.price(Decimal("3472.05")), "3,472.05"),
        (formats.quantity(Decimal("-2.685"), "ETH"), f"{MINUS}2.685 ETH"),
        (formats.quantity(Decimal("2.5"), "ETH", Decimal("0.001")), "2.500 ETH"),
        (formats.quantity(Decimal("2.68502556"), "ETH", Decimal("0.001")), "2.68502556 ETH"),
        (formats.quantity(Decimal(12)), "12"),
        (formats.percent(-0.1234), f"{MINUS}12.34 %"),
        (formats.signed_percent(0.00001, 3), "+0.001 %"),
        (formats.rate(-0.000223), f"{MINUS}0.0223 %"),
        (formats.apr(0.9631), "96.3 %"),
        (formats.bps(-0.00046), f"{MINUS}4.6 bp"),
        (formats.signed_bps(0.00046), "+4.6 bp"),
        (formats.ratio(7.591), "7.59"),
        (formats.count(1234), "1,234"),
        (formats.seconds(5.16), "5.2 s"),
        (formats.duration(timedelta(days=9, hours=20)), "9 d 20 h"),
        (formats.ago(NOW - timedelta(seconds=4), NOW), "4 s ago"),
        (formats.ago(NOW + timedelta(seconds=4), NOW), "0 s ago"),
        (formats.countdown(NOW + timedelta(hours=3, minutes=12, seconds=48), NOW), "3:12:48"),
        (formats.countdown(NOW + timedelta(minutes=2, seconds=8), NOW), "2:08"),
        (formats.countdown(NOW + timedelta(days=2, hours=3), NOW), "2 d 3 h"),
        (formats.countdown(NOW, NOW), "due"),
        (formats.clock_time(NOW, NOW), "12:00:00 UTC"),
        (formats.clock_time(NOW - timedelta(days=1), NOW), "2026-01-09 12:00:00 UTC"),
        (formats.date_time(NOW), "2026-01-10 12:00"),
        (formats.iso(NOW), "2026-01-10T12:00:00Z"),
        (formats.iso(None), ""),
        (formats.leg_name(Market.PERP), "Perpetual"),
        (formats.state_name(BotState.HALTED_FLAT), "HALTED, FLAT"),
    ],
)
def test_a_value_is_written_one_way(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize(
    "written",
    [
        formats.money(None),
        formats.signed_money(None),
        formats.whole_money(None),
        formats.volume(None),
        formats.price(None),
        formats.quantity(None, "ETH"),
        formats.percent(None),
        formats.signed_percent(None),
        formats.rate(None),
        formats.apr(None),
        formats.bps(None),
        formats.signed_bps(None),
        formats.ratio(None),
        formats.count(None),
        formats.seconds(None),
        formats.duration(None),
        formats.ago(None, NOW),
        formats.countdown(None, NOW),
        formats.clock_time(None, NOW),
        formats.date_time(None),
        formats.consequence_text(ForeseenExit(distance=HOURS)),
    ],
)
def test_what_is_not_known_is_never_a_number(written: str) -> None:
    assert written == "?"


def test_a_rule_is_written_with_its_unit() -> None:
    assert (formats.exit_name(HOURS), formats.exit_value(HOURS), formats.exit_limit(HOURS)) == (
        "Age",
        "7.7 d",
        "60.0 d",
    )
    young = ExitDistance(rule=Reason.MAX_AGE, unit=ExitUnit.HOURS, value=12.0, threshold=24.0, left=0.5)
    assert (formats.exit_value(young), formats.exit_limit(young)) == ("12.0 h", "24.0 h")
    fees = ExitDistance(
        rule=Reason.FEES_COVERED,
        unit=ExitUnit.TIMES,
        value=7.59,
        threshold=8.0,
        left=0.05,
        due_at=NOW + timedelta(hours=5, minutes=44),
    )
    assert (formats.exit_value(fees), formats.exit_limit(fees)) == (
        "7.59\N{MULTIPLICATION SIGN}",
        "8.00\N{MULTIPLICATION SIGN}",
    )
    assert formats.exit_when(fees, NOW) == "in about 5 h 44 min"
    assert formats.share_done(fees) == pytest.approx(0.95)
    assert formats.exit_when(young, NOW) == ""
    other = ExitDistance(
        rule=Reason.BETTER_PAIR, unit=ExitUnit.FRACTION, value=None, threshold=1.213, left=None, pair="SOLUSDT"
    )
    assert formats.exit_name(other) == "Better pair: SOLUSDT"
    assert (formats.exit_value(other), formats.exit_limit(other)) == ("?", "121.30 %")
    assert formats.share_done(other) is None
    own = ExitDistance(rule=Reason.CLOSED_EXTERNALLY, unit=ExitUnit.TIMES, value=None, threshold=1.0, left=None)
    assert formats.exit_name(own) == "Closed elsewhere"


@pytest.mark.parametrize(
    ("consequence", "text"),
    [
        ({"step": NextStep.ROLL}, "Rolled: the counters restart, no orders (still the best pair)"),
        ({"step": NextStep.ROTATE, "pair": "SOLUSDT"}, "Closed, then SOLUSDT is opened"),
        ({"step": NextStep.REOPEN}, "Closed; it is still the best pair and may be opened again"),
        ({"step": NextStep.CLOSE}, "Closed; no pair passes the filters now"),
        ({"step": NextStep.CLOSE, "halts": True}, "Closed; then openings are halted"),
    ],
)
def test_what_would_follow_is_a_sentence(consequence: dict[str, Any], text: str) -> None:
    assert formats.consequence_text(ForeseenExit(distance=HOURS, consequence=Consequence(**consequence))) == text


def test_stages_and_what_follows_of_a_leg_that_does_not_fill_are_written_with_their_limits() -> None:
    assert formats.stage_text(Stage(threshold=0.25, action=StageAction.TOP_UP)) == "at 25.00 % idle USDT becomes margin"
    widen = Fallback(kind=FallbackKind.WIDEN, after_seconds=2.0, price_limit_bps=Decimal(15))
    alarm = Fallback(kind=FallbackKind.ALARM, after_seconds=5.0, price_limit_bps=None)
    undo = Fallback(kind=FallbackKind.UNWIND, after_seconds=30.0, price_limit_bps=Decimal(200))
    assert [formats.fallback_text(each) for each in (widen, alarm, undo)] == [
        "after 2.0 s price limit 15 bp",
        "after 5.0 s an alarm, openings halted",
        "after 30.0 s what has no other leg is undone, price limit up to 200 bp",
    ]


def test_what_the_same_money_would_have_made_is_compared_in_one_order_with_one_scale() -> None:
    since = datetime(2026, 1, 5, 8, tzinfo=UTC)
    worth = Worth(
        since=since,
        until=since + timedelta(days=12, hours=5),
        capital=Decimal(1000),
        bot=Decimal("3.5"),
        same_pair_held=Decimal("-8.25"),
        btc_held=None,
        cash=Decimal("1.31"),
        cash_rate=0.04,
        hindsight=Decimal("6.5"),
        same_pair="ABCUSDT",
    )
    rows = formats.worth_rows(worth, "ABCUSDT held")
    assert [(row.label, row.value) for row in rows] == [
        ("This bot", Decimal("3.5")),
        ("ABCUSDT held", Decimal("-8.25")),
        ("BTC held hedged", None),
        ("Cash at 4.0 % a year", Decimal("1.31")),
        ("Best possible, in hindsight", Decimal("6.5")),
    ]
    assert formats.longest_bar(rows) == Decimal("8.25")
    assert formats.longest_bar(rows[2:3]) == 1
    assert formats.worth_since(worth) == "Since 2026-01-05 08:00 UTC (12 d: no forecast), after fees"
