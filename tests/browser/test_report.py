"""The report of a run in a browser: no value is covered by the name beside it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, ViewportSize

from hedgerow.config.table import SETTINGS
from hedgerow.dashboard.report.page import html_page
from hedgerow.dashboard.report.report import RunReport
from hedgerow.strategy.parameters import StrategyParameters
from support.browsers import DESK, PHONE

START = datetime(2026, 1, 1, tzinfo=UTC)
COVERED = """() => [...document.querySelectorAll('.facts > div')].filter(row => {
  const name = document.createRange();
  name.selectNodeContents(row.querySelector('dt'));
  const left = name.getBoundingClientRect(), right = row.querySelector('dd').getBoundingClientRect();
  return left.right > right.left + 0.5 && left.bottom > right.top + 0.5 && right.bottom > left.top + 0.5;
}).map(row => row.innerText)"""


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
def test_no_value_of_a_setting_is_covered_by_its_name(browser: Browser, window: ViewportSize) -> None:
    nothing = Decimal(0)
    report = RunReport(
        title="A day",
        started_at=START,
        ended_at=START + timedelta(days=1),
        cycles=288,
        positions_opened=0,
        positions_closed=0,
        funding_received=nothing,
        fees_paid=nothing,
        basis_pnl=nothing,
        net_profit=nothing,
        equity_start=Decimal(1000),
        equity_end=Decimal(1000),
        books_difference=nothing,
        max_naked_seconds=0.0,
        max_naked_usd=nothing,
        events_sha256="ab" * 32,
        elapsed_seconds=1.0,
        settings={row.name: str(row.shown(StrategyParameters())) for row in SETTINGS},
    )
    page = browser.new_page(viewport=window)
    page.set_content(html_page(report))
    assert page.locator(".facts dt").count() > len(SETTINGS)
    assert page.evaluate(COVERED) == []
    page.close()
