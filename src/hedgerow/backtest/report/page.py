"""The report of a backtest or a search as one HTML page: every figure beside *hold*, cash and hindsight."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from html import escape
from itertools import combinations, pairwise
from math import isclose
from typing import Final

import numpy as np

from hedgerow.backtest.figures import DEFINITIONS, Figures, Trade
from hedgerow.backtest.report.curves import Curves, Payment, curves_of, payments_of
from hedgerow.backtest.report.drawing import Cell, heat_map, sticks
from hedgerow.backtest.search.scoring import WEEK_MS, Records
from hedgerow.backtest.search.space import Axis, Space
from hedgerow.backtest.study import Result, Study
from hedgerow.backtest.tables import Floats, Ints
from hedgerow.dashboard.report.charts import Bar, ChartLine, line_chart, ticks, timeline
from hedgerow.dashboard.report.parts import card, legend, nothing, page_of, panel
from hedgerow.domain.formats import duration, percent, signed_percent, utc_minute
from hedgerow.history.series import at_ms, to_ms

__all__ = [
    "STYLE",
    "backtest_page",
    "backtest_sections",
    "cells_of",
    "definitions",
    "facts",
    "heading",
    "heat_sections",
    "origin",
]

STYLE: Final = """
.scroll { overflow-x: auto; margin-top: 10px; }
.chart .net { color: var(--line); }
.chart .hold { color: var(--open); }
.chart .cash { color: var(--soft); }
.chart .bound { color: var(--fees); }
.chart .line.hold { stroke-dasharray: 7 4; }
.chart .line.cash { stroke-dasharray: 2 4; }
.chart .line.bound { stroke-dasharray: 1 3; }
.chart .fall { color: var(--loss); }
.chart rect.gain { fill: var(--gain); }
.chart rect.loss { fill: var(--loss); }
.cell.gain rect { fill: var(--gain); }
.cell.loss rect { fill: var(--loss); }
.chart .cell .value { fill: var(--ink); font-weight: 600; }
.chart .cell .small { fill: var(--ink); font-size: 10px; }
.swatch.net, .swatch.hold, .swatch.cash, .swatch.bound { height: 0; border-width: 2px 0 0; border-radius: 0; }
.swatch.net { color: var(--line); }
.swatch.hold { color: var(--open); border-top-style: dashed; }
.swatch.cash { color: var(--soft); border-top-style: dotted; }
.swatch.bound { color: var(--fees); border-top-style: dotted; }
"""
MOST_ROWS: Final = 200
"""Positions in the table; all are in the JSON output."""
STICKS: Final = 300
MOST_DIGITS: Final = 6
"""Of a percentage at an axis."""
MOST_CELLS: Final = 20
"""Values of a setting in a heat map; more are put together with their neighbours."""


def backtest_page(study: Study, result: Result, *, title: str, about: str) -> str:
    """Return the page of one backtest."""
    return page_of(title, _page(study, result, title, about), style=STYLE)


def _page(study: Study, result: Result, title: str, about: str) -> Iterator[str]:
    yield heading(title, about)
    yield from backtest_sections(study, result)
    yield definitions()
    yield origin(study)


def heading(title: str, about: str) -> str:
    """Return the top of the page."""
    return f'<header><p class="brand">Hedgerow</p><h1>{escape(title)}</h1><p>{escape(about)}</p></header>'


def backtest_sections(study: Study, result: Result) -> Iterator[str]:
    """Yield what a result is, from its sum to its positions."""
    figures, curves = result.figures, curves_of(study, result)
    yield _sum(study, figures)
    yield _cards(study, figures)
    yield _worth(study, curves)
    yield _falls(study, curves)
    yield _settlements(study, payments_of(study, result))
    yield _positions(study, result.trades)
    yield _table(result.trades)
    yield _gap(figures)


def _sum(study: Study, figures: Figures) -> str:
    years, money = study.grid.years, study.plan.money
    received = figures.net_apr_on_notional + figures.costs / years
    parts = (
        ("Funding, on notional", received),
        ("Costs, on notional", -figures.costs / years),
        ("Basis, not part of it", figures.basis_apr),
    )
    terms = "".join(f"<div><dt>{name}</dt><dd>{_signed(value)}</dd></div>" for name, value in parts)
    remark = (
        f"a year on capital at {money.leverage:g}x, idle capital at {percent(money.cash_apr)} · "
        f"{signed_percent(figures.net_apr_on_notional)} on notional · nothing compounded"
    )
    return (
        '<section class="result" aria-label="Result"><div class="net"><h2>Net</h2>'
        f'<p class="figure">{_signed(figures.net_apr_on_capital)}</p><p class="remark">{remark}</p></div>'
        f'<dl class="sum">{terms}</dl></section>'
    )


def _cards(study: Study, figures: Figures) -> str:
    money = study.plan.money
    hold = None if figures.hold_apr is None else money.share * figures.hold_apr
    held = f"{percent(figures.hold_apr)} on notional" if figures.hold_apr is not None else "no price to open it at"
    excess = figures.excess_capture
    captured = (
        f"{percent(excess)} of what hindsight makes over cash"
        if excess is not None
        else "hindsight makes hardly more than cash: the gap is what counts"
    )
    shown = (
        ("If held instead", percent(hold), held),
        ("Cash instead", percent(money.cash_apr), "a year"),
        ("Best in hindsight", percent(figures.bound_apr_on_capital), f"{percent(figures.bound_apr)} on notional"),
        ("Gap to hindsight", f"{figures.gap_to_bound * 100:.2f} points", captured),
        ("Openings", f"{figures.entries:,}", f"{figures.rolls:,} rolled, {figures.turnover:,.0f} legs traded"),
        ("Largest drawdown", percent(figures.max_drawdown), "of the summed net, on notional"),
        ("Time in market", percent(figures.time_in_market, 1), "of the window a hedge was held"),
        ("Costs", percent(figures.costs), "of notional, over the whole window"),
    )
    cards = "".join(card(name, escape(value), escape(remark)) for name, value, remark in shown)
    return f'<section class="cards" aria-label="Figures">{cards}</section>'


def _worth(study: Study, curves: Curves) -> str:
    lines = [
        _line("Hindsight", "bound", curves, curves.bound),
        _line("Cash", "cash", curves, curves.cash),
        *([] if curves.hold is None else [_line("Hold", "hold", curves, curves.hold)]),
        _line("Net", "net", curves, curves.net),
    ]
    chart = _chart(study, lines, "Earned on capital")
    first = study.plan.symbols[0] if study.plan.symbols else study.symbols[0]
    styles = legend(
        ("net", "this policy, idle capital at the cash rate"),
        ("hold", f"{escape(first)} held throughout"),
        ("cash", "cash"),
        ("bound", "the best in hindsight"),
    )
    return panel("Earned on capital", "Sums since the start, a fraction of capital.", styles + chart)


def _falls(study: Study, curves: Curves) -> str:
    line = _line("Drawdown", "fall", curves, curves.drawdown)
    chart = _chart(study, [line], "Drawdown")
    lead = "What the summed net on notional is below its highest value so far, at the ends of days."
    return panel("Drawdown", lead, chart)


def _line(name: str, style: str, curves: Curves, values: Floats) -> ChartLine:
    points = [(at, Decimal(f"{value:.8f}")) for at, value in zip(curves.at, values.tolist(), strict=True)]
    return ChartLine(name=name, style=style, points=points)


def _chart(study: Study, lines: Sequence[ChartLine], title: str) -> str:
    data, values = study.market_data, [float(value) for line in lines for _, value in line.points]
    digits = _percent_digits(ticks(min(values), max(values))) if values else 1
    return line_chart(
        lines, title=title, start=data.start, end=data.end, formatted=lambda value: percent(float(value), digits)
    )


def _percent_digits(marks: Sequence[float]) -> int:
    """Return the digits behind the point, one at least, with which no mark of an axis is rounded."""
    exact = (
        digits
        for digits in range(1, MOST_DIGITS)
        if all(isclose(round(100 * mark, digits), 100 * mark, abs_tol=1e-9) for mark in marks)
    )
    return next(exact, MOST_DIGITS)


def _settlements(study: Study, payments: Sequence[Payment]) -> str:
    grid, sums = study.grid, [0.0] * STICKS
    for each in payments:
        place = (to_ms(each.at) - grid.start_ms) * STICKS // (grid.end_ms - grid.start_ms)
        sums[min(place, STICKS - 1)] += each.rate
    span = duration((at_ms(grid.end_ms) - at_ms(grid.start_ms)) / STICKS)
    drawn = sticks(sums, title="Funding per settlement", shown=lambda value: f"{value * 1e4:.1f} bp")
    lead = f"{len(payments):,} settlements, in basis points of notional; each column is the sum of {span}."
    return panel("Funding per settlement", lead, drawn or nothing("Nothing was paid."))


def _positions(study: Study, trades: Sequence[Trade]) -> str:
    bars = [
        Bar(
            lane=each.symbol,
            start=each.opened_at,
            end=each.closed_at,
            style="gain" if each.rates > each.cost else "loss",
            label=each.reason,
            detail=f"{each.symbol}, {utc_minute(each.opened_at)}, {duration(each.closed_at - each.opened_at)}, "
            f"net {signed_percent(each.rates - each.cost)}, {each.reason}",
        )
        for each in trades
    ]
    data = study.market_data
    chart = timeline(bars, title="Positions", start=data.start, end=data.end)
    styles = legend(("gain", "net gain"), ("loss", "net loss (outlined)"))
    return panel("Positions over time", "", styles + chart if chart else nothing("No hedge was opened."))


def _table(trades: Sequence[Trade]) -> str:
    if not trades:
        return ""
    heads = ("Pair", "Opened (UTC)", "Held", "Funding", "Cost", "Basis", "Net", "Ended because")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    rows = "\n".join(
        f'<tr><th scope="row">{escape(each.symbol)}</th><td>{utc_minute(each.opened_at)}</td>'
        f"<td>{duration(each.closed_at - each.opened_at)}</td><td>{signed_percent(each.rates)}</td>"
        f"<td>{percent(each.cost)}</td><td>{signed_percent(each.basis)}</td>"
        f"<td><b>{_signed(each.rates - each.cost)}</b></td><td>{escape(each.reason)}</td></tr>"
        for each in trades[:MOST_ROWS]
    )
    left = len(trades) - MOST_ROWS
    lead = "Fractions of notional."
    lead += f" The first {MOST_ROWS:,} of {len(trades):,}; --json has all." if left > 0 else ""
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table>"
    return panel(
        "Positions", lead, f'<div class="scroll" tabindex="0" role="region" aria-label="Positions">{table}</div>'
    )


def _gap(figures: Figures) -> str:
    ends = {reason: f"{count:,}" for reason, count in sorted(figures.exits.items(), key=lambda each: -each[1])}
    parts = {name.replace("_", " "): signed_percent(value) for name, value in figures.attribution.items()}
    lead = f"Hindsight made {signed_percent(figures.bound_apr - figures.net_apr_on_notional)} a year more on notional."
    return panel("What hindsight made more", lead, facts(parts)) + panel("Why positions ended", "", facts(ends))


def definitions() -> str:
    """Return what each figure is."""
    return panel("Definitions", "", facts(DEFINITIONS))


def origin(study: Study) -> str:
    """Return where the data came from, and what was left out."""
    notes = "".join(f"<li>{escape(note)}</li>" for note in study.notes)
    return panel("Origin", "", (f"<ul>{notes}</ul>" if notes else "") + facts(study.market_data.sources))


def facts(rows: Mapping[str, str]) -> str:
    """Return names and values."""
    body = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in rows.items())
    return f'<dl class="facts">{body}</dl>' if rows else nothing("None.")


def _signed(value: float) -> str:
    style = "even" if not value else "gain" if value > 0 else "loss"
    return f'<span class="{style}">{signed_percent(value)}</span>'


# --- heat maps -------------------------------------------------------------------------------------------------------


def heat_sections(
    space: Space, records: Records, scores: Floats, years: float, *, over: float, what: str
) -> Iterator[str]:
    """Yield a heat map for each two settings, the median over all others with its uncertainty."""
    errors = 2.0 * records["deviation"].astype(np.float64) * np.sqrt(years * YEAR_WEEKS) / years
    if what == "weekly_sharpe":
        errors = np.full(len(scores), np.nan)
    chosen = [axis for axis in range(len(space.axes)) if space.shape[axis] > 1]
    pairs = list(combinations(chosen, 2)) or [(place, place) for place in chosen]
    for first, second in pairs:
        cells, rows, columns = cells_of(space, records, scores, errors, first, second)
        one, other = _title(space.axes[first]), _title(space.axes[second])
        name = one if first == second else f"{one} (rows) and {other} (columns)"
        drawn = heat_map(
            cells,
            rows=rows,
            columns=columns,
            title=name,
            over=over,
            shown=_as_number if what == "weekly_sharpe" else _as_percent,
        )
        lead = (
            "Each cell is the median of all sets with these two values; ± is two standard errors from how the weeks of "
            "the median set differ, without regard to how alike neighbouring weeks are. Under the pointer: where half "
            "of the sets are. Green is above "
            + ("cash" if over else "zero")
            + ". A good cell among bad neighbours is luck."
        )
        yield panel(escape(name), lead, drawn)


YEAR_WEEKS: Final = 8760.0 * 3_600_000.0 / WEEK_MS


def _as_number(value: float) -> str:
    return f"{value:.2f}"


def _as_percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def _title(axis: Axis) -> str:
    return axis.name.rpartition(".")[2]


def cells_of(
    space: Space, records: Records, scores: Floats, errors: Floats, first: int, second: int
) -> tuple[list[list[Cell]], list[str], list[str]]:
    """Return the cells of two settings, with the names of rows and columns."""
    index = records["index"].astype(np.int64)
    row, rows = _grouped(space, index, first)
    column, columns = (np.zeros_like(row), [""]) if first == second else _grouped(space, index, second)
    place = row * len(columns) + column
    order = np.argsort(place, kind="stable")
    edges = np.searchsorted(place[order], np.arange(len(rows) * len(columns) + 1))
    cells = [_summary(scores, errors, order[a:b]) for a, b in pairwise(edges.tolist())]
    return [cells[at : at + len(columns)] for at in range(0, len(cells), len(columns))], rows, columns


def _grouped(space: Space, index: Ints, axis: int) -> tuple[Ints, list[str]]:
    """Return the group of each set's value, and what the groups are called."""
    length, stride = space.shape[axis], int(np.prod(space.shape[axis + 1 :], dtype=np.int64))
    groups = np.array_split(np.arange(length), min(length, MOST_CELLS))
    shown = space.axes[axis].shown
    names = [str(shown[each[0]]) if len(each) == 1 else f"{shown[each[0]]} to {shown[each[-1]]}" for each in groups]
    of_digit = np.concatenate([np.full(len(each), place) for place, each in enumerate(groups)])
    return of_digit[index // stride % length].astype(np.int64), names


def _summary(scores: Floats, errors: Floats, places: Ints) -> Cell:
    known = places[np.isfinite(scores[places])]
    if not len(known):
        return Cell(value=float("nan"), low=float("nan"), high=float("nan"), error=float("nan"), sets=0)
    ordered = known[np.argsort(scores[known], kind="stable")]
    low, high = np.percentile(scores[known], [25, 75]).tolist()
    middle = int(ordered[(len(ordered) - 1) // 2])
    value, error = float(np.median(scores[known])), float(errors[middle])
    return Cell(value=value, low=low, high=high, error=error, sets=len(known))
