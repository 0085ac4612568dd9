"""The demo is repeatable to the byte, and its report adds up to the last digit."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hedgerow.app.commands.demo import DemoPlan, demo_market_data, play_demo
from hedgerow.config import Home
from hedgerow.config.home import HomeMode
from hedgerow.dashboard.report.report import RunReport

ROUNDING = Decimal("1e-12")
"""Average prices are quotients, cut at 28 digits."""
START = datetime(2026, 3, 2, tzinfo=UTC)


def played(*, seed: int = 1, market: int = 1, by_hand: bool = True) -> RunReport:
    """Play two days on eight pairs, in a folder of its own."""
    market_data = demo_market_data(None, seed=market, pairs=8, start=START, days=2)
    with TemporaryDirectory() as folder:
        home = Home(folder=Path(folder), mode=HomeMode.DEMO)
        plan = DemoPlan(market_data=market_data, days=2, seed=seed, home=home, by_hand=by_hand)
        return play_demo(plan, [])


@cache
def first() -> RunReport:
    return played()


def test_the_same_seed_gives_the_same_log_to_the_byte() -> None:
    again = played()
    assert again.events_sha256 == first().events_sha256
    assert (again.cycles, again.equity, again.hedges) == (first().cycles, first().equity, first().hedges)


def test_the_portable_event_loop_gives_the_same_log_to_the_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hedgerow.clock._is_fast_loop_usable", lambda: False)
    assert played().events_sha256 == first().events_sha256


@pytest.mark.parametrize(("seed", "market"), [(2, 1), (1, 2)], ids=["latencies and ids", "market"])
def test_a_different_seed_gives_a_different_log(seed: int, market: int) -> None:
    assert played(seed=seed, market=market).events_sha256 != first().events_sha256


@pytest.mark.parametrize("by_hand", [True, False], ids=["found a hedge", "found nothing"])
def test_the_report_agrees_with_the_exchange_and_with_itself(by_hand: bool) -> None:  # noqa: FBT001 - a parameter
    report = played(by_hand=by_hand)
    assert report.books_difference == 0
    assert report.books_lines == {}
    # Coins that a hand-made hedge bought beyond its short stay the user's: less than one lot of spot.
    assert Decimal(1999) < report.equity_start <= Decimal(2000)
    assert by_hand or report.equity_start == Decimal(2000)
    assert report.net_profit is not None
    assert report.basis_pnl is not None
    assert abs(report.equity_end - report.equity_start - report.net_profit) < ROUNDING
    assert report.funding_received + report.basis_pnl - report.fees_paid == report.net_profit
    assert report.max_naked_seconds < 5
    assert report.positions_opened >= 2
    assert report.positions_closed >= 1
