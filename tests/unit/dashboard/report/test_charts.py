"""Charts: round ticks, thinning that keeps extremes, and geometry."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.dashboard.report.charts import Bar, ChartLine, line_chart, thinned, ticks, time_ticks, timeline

START = datetime(2025, 5, 1, tzinfo=UTC)
FINITE = st.floats(-1e9, 1e9, allow_nan=False)


@given(FINITE, FINITE)
def test_ticks_enclose_the_values_in_even_steps(first: float, second: float) -> None:
    low, high = min(first, second), max(first, second)
    marks = ticks(low, high)
    slack = max(abs(low), abs(high), 1) * 1e-6
    assert marks[0] <= low + slack
    assert marks[-1] >= high - slack
    assert 2 <= len(marks) <= 9
    assert all(b > a for a, b in pairwise(marks))


def test_ticks_are_round() -> None:
    assert ticks(0.0, 5e-324) == (0.0, 0.2)
    assert ticks(0, 100) == (0, 20, 40, 60, 80, 100)
    assert ticks(9_996.2, 10_030.1) == (9_990, 10_000, 10_010, 10_020, 10_030, 10_040)


@pytest.mark.parametrize("hours", [0, 1, 5, 24, 100, 24 * 30, 24 * 365, 24 * 365 * 40])
def test_time_ticks_are_few_round_and_inside(hours: int) -> None:
    start = START + timedelta(minutes=7)
    end = start + timedelta(hours=hours)
    stamps = time_ticks(start, end)
    assert len(stamps) <= 10
    assert all(start <= stamp <= end and stamp.minute == 0 for stamp in stamps)
    if hours >= 24:
        assert len(stamps) >= 3


def test_thinning_keeps_first_last_and_extremes() -> None:
    points = [(START + timedelta(minutes=n), Decimal(n % 97)) for n in range(50_000)]
    points[31_234] = (points[31_234][0], Decimal(-1000))
    points[7] = (points[7][0], Decimal(1000))
    thin = thinned(points, 600)
    assert len(thin) <= 602
    assert {points[0], points[-1], points[7], points[31_234]} <= set(thin)
    assert [at for at, _ in thin] == sorted(at for at, _ in thin)
    assert thinned(points[:600], 600) == points[:600]


def test_a_line_runs_from_edge_to_edge_and_up_is_more() -> None:
    end = START + timedelta(hours=10)
    line = ChartLine(name="a", style="a", points=((START, Decimal(0)), (end, Decimal(100))))
    chart = line_chart([line], title="t", start=START, end=end, formatted=str)
    (path,) = re.findall(r'class="line a" d="M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)"', chart)
    x0, y0, x1, y1 = map(float, path)
    assert (x0, x1) == (104, 984)
    assert y0 > y1


def test_a_stepped_line_holds_its_value_until_the_next() -> None:
    end = START + timedelta(hours=10)
    line = ChartLine(name="a", style="a", points=((START, Decimal(0)), (end, Decimal(100))), stepped=True)
    assert re.search(
        r'd="M[\d.]+,[\d.]+H[\d.]+V[\d.]+"', line_chart([line], title="t", start=START, end=end, formatted=str)
    )


def test_a_line_without_points_is_left_out() -> None:
    assert (
        line_chart([ChartLine(name="a", style="a", points=())], title="t", start=START, end=START, formatted=str) == ""
    )
    assert timeline([], title="t", start=START, end=START) == ""


def test_a_bar_is_labelled_only_where_the_label_fits() -> None:
    end = START + timedelta(hours=100)

    def bar(hours: int) -> str:
        stop = START + timedelta(hours=hours)
        each = Bar(lane="X", start=START, end=stop, style="gain", label="maximum age", detail="why")
        return timeline([each], title="t", start=START, end=end)

    assert 'class="label"' in bar(50)
    assert 'class="label"' not in bar(5)
    assert "<title>why</title>" in bar(5)
    widths = [float(found) for found in re.findall(r'width="([\d.]+)"', bar(0))]
    assert min(widths) >= 2.5
