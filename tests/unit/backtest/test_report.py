"""The report of a backtest and of a search: curves that end at the figures, pages that load nothing and escape all."""

import re
from datetime import timedelta
from decimal import Decimal
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from msgspec.structs import replace

from hedgerow.backtest.report.curves import Curves, curves_of, days_of, payments_of
from hedgerow.backtest.report.drawing import Cell, heat_map, sticks
from hedgerow.backtest.report.page import backtest_page, cells_of
from hedgerow.backtest.search.players import KernelPlayer
from hedgerow.backtest.search.scoring import unsealed
from hedgerow.backtest.search.space import Axis, Space
from hedgerow.backtest.study import Result, Study, StudyPlan
from hedgerow.strategy.parameters import StrategyParameters
from support.backtest_markets import FIRST, Coin, write_market

pytestmark = pytest.mark.slow
DAYS = 30


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = write_market(
        tmp_path_factory.mktemp("market"), 3, [Coin(level=8e-4), Coin(level=7e-4, gap=(100, 120))], days=DAYS
    )
    plan = StudyPlan(data=folder, start=FIRST, end=FIRST + timedelta(days=DAYS), cost_bps=Decimal(4))
    return Study.load(plan)


@pytest.fixture(scope="module")
def result(study: Study) -> Result:
    base = StrategyParameters()
    return study.run(replace(base, funding_rate_strategy=replace(base.funding_rate_strategy, funding_ma_periods=3)))


@pytest.fixture(scope="module")
def curves(study: Study, result: Result) -> Curves:
    return curves_of(study, result)


def test_the_curves_end_at_the_figures(study: Study, result: Result, curves: Curves) -> None:
    figures, years = result.figures, study.grid.years
    assert figures.entries > 2
    assert curves.on_notional[-1] == pytest.approx(figures.net_apr_on_notional * years, abs=1e-12)
    assert curves.net[-1] == pytest.approx(figures.net_apr_on_capital * years, abs=1e-12)
    assert curves.cash[-1] == pytest.approx(study.plan.money.cash_apr * years)
    assert curves.bound[-1] == pytest.approx(
        figures.bound_apr_on_capital * years, abs=5e-4
    )  # times of trades are those of settlements
    assert -figures.max_drawdown <= curves.drawdown.min() <= 0.0
    assert len(list(days_of(curves))) == DAYS + 1
    assert curves.net[0] == 0.0


def test_every_settlement_that_was_paid_is_listed(study: Study, result: Result) -> None:
    paid = payments_of(study, result)
    rates = sum(trade.rates for trade in result.trades)
    assert sum(each.rate for each in paid) == pytest.approx(rates)
    assert [each.at for each in paid] == sorted(each.at for each in paid)


class Page(HTMLParser):
    """What a browser would load or run, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "link", "img", "iframe"} or any(name in {"src", "href"} for name, _ in attrs):
            self.loads.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_every_part_and_loads_nothing(study: Study, result: Result) -> None:
    page = backtest_page(study, result, title="A <b>title</b>", about="about & more")
    seen = Page(page)
    assert seen.loads == []
    assert "A <b>title</b>" in seen.text
    assert "about & more" in seen.text
    for part in (
        "Earned on capital",
        "Drawdown",
        "Funding per settlement",
        "Positions over time",
        "Why positions ended",
        "If held instead",
        "Cash instead",
        "Best in hindsight",
        "What hindsight made more",
        "no readable price",
    ):
        assert part in seen.text, part
    for trade in result.trades[:5]:
        assert trade.reason in seen.text
    for start in page.split("<svg")[1:]:
        ET.fromstring(f"<svg{start.split('</svg>')[0]}</svg>")  # noqa: S314 - our own


def test_the_marks_of_a_small_drawdown_differ(
    study: Study, result: Result, curves: Curves, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(curves, drawdown=np.linspace(0.0, -0.0011, len(curves.at)))
    monkeypatch.setattr("hedgerow.backtest.report.page.curves_of", lambda *_: small)
    page = backtest_page(study, result, title="Backtest", about="a window")
    drawing = page[page.index("Drawdown: ") :]
    marks = re.findall(r'class="tick"[^>]*text-anchor="end">([^<]+)<', drawing[: drawing.index("</svg>")])
    assert len(marks) > 2
    assert len(set(marks)) == len(marks)


def test_a_backtest_that_opened_nothing_has_a_page(study: Study) -> None:
    base = StrategyParameters()
    never = replace(base, funding_rate_strategy=replace(base.funding_rate_strategy, min_funding_apr=99.0))
    page = backtest_page(study, study.run(never), title="nothing", about="")
    assert "No hedge was opened." in page
    assert "Nothing was paid." in page


def axis(name: str, *values: float) -> Axis:
    section, _, field = name.rpartition(".")
    return Axis(section=section, field=field, name=name, shown=values, accepted=values)


def test_the_cells_of_a_heat_map_are_medians_over_all_other_settings(study: Study) -> None:
    space = Space(
        base=StrategyParameters(),
        axes=(
            axis("position_management.fee_coverage_multiplier", 0.5, 1.5),
            axis("position_management.max_position_age_hours", 12.0, 24.0, 48.0),
            axis("position_management.better_opportunity_min_hours", 0.0, 4.0, 8.0),
        ),
    )
    records = unsealed(KernelPlayer(study, space)(range(space.size)))
    scores, errors = np.arange(18.0), np.full(18, 0.5)
    cells, rows, columns = cells_of(space, records, scores, errors, 0, 2)
    assert (rows, columns) == (["0.5", "1.5"], ["0.0", "4.0", "8.0"])
    table = scores.reshape(2, 3, 3)
    for row in range(2):
        for column in range(3):
            cell = cells[row][column]
            assert cell.value == np.median(table[row, :, column])
            assert cell.sets == 3
            assert cell.low <= cell.value <= cell.high
    drawn = cells_of(space, records[[0, 5, 17]], scores[[0, 5, 17]], errors[[0, 5, 17]], 0, 1)[0]
    assert sum(cell.sets for line in drawn for cell in line) == 3


def test_many_values_share_a_cell_with_their_neighbours(study: Study) -> None:
    ages = axis("position_management.max_position_age_hours", *(float(n) for n in range(10, 60)))
    space = Space(base=StrategyParameters(), axes=(ages,))
    records = unsealed(KernelPlayer(study, space)(range(space.size)))
    cells, rows, _ = cells_of(space, records, np.arange(50.0), np.zeros(50), 0, 0)
    assert len(rows) == 20
    assert sum(line[0].sets for line in cells) == 50
    assert rows[0] == "10.0 to 12.0"


def test_a_heat_map_names_its_values_and_leaves_out_what_was_not_played() -> None:
    none = float("nan")
    cell = Cell(value=0.05, low=0.04, high=0.06, error=0.01, sets=4)
    empty = Cell(value=none, low=none, high=none, error=none, sets=0)
    drawn = heat_map(
        [[cell, empty]], rows=["<a>"], columns=["x", "y"], title="t", over=0.04, shown=lambda v: f"{v:.2f}"
    )
    assert drawn.count('class="cell') == 1
    assert "0.05 ±0.01, 4 sets, half of them 0.04 to 0.06" in drawn
    assert "<a>" not in drawn
    assert sticks([0.0, 0.0], title="t", shown=str) == ""
