"""The report of `sweep` as one HTML page: what was found, how far it can be luck, and the best set in full."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from html import escape
from itertools import accumulate

from hedgerow.app.commands.backtest import window_text
from hedgerow.app.commands.search import Search, Tested, Walked
from hedgerow.app.commands.search_text import scored, settings_text, verdict_facts, walkforward_facts
from hedgerow.backtest.report.page import (
    STYLE,
    backtest_sections,
    definitions,
    facts,
    heading,
    heat_sections,
    origin,
)
from hedgerow.backtest.search.judge import DAYS_A_YEAR, Judgement
from hedgerow.backtest.search.scoring import Records
from hedgerow.backtest.search.sweep import scores_of
from hedgerow.dashboard.report.charts import ChartLine, Points, line_chart
from hedgerow.dashboard.report.parts import legend, nothing, page_of, panel
from hedgerow.domain.formats import percent, signed_percent

__all__ = ["sweep_page", "walkforward_page"]


def sweep_page(search: Search, judgement: Judgement, records: Records) -> str:
    """Return the page."""
    title = f"Sweep of {search.asked.policy}"
    return page_of(title, _sections(search, judgement, records, title), style=STYLE)


def _sections(search: Search, judgement: Judgement, records: Records, title: str) -> Iterator[str]:
    spread, by, best, plateau = judgement.spread, judgement.by, judgement.best, judgement.plateau
    yield heading(title, window_text(search.study))
    rows = {
        "sets": f"{judgement.played:,} of {judgement.sets:,}, {judgement.distinct:,} with decisions of their own",
        "decided by": by,
        "best": scored(by, spread.most),
        "median of all": scored(by, spread.median),
        "half of them between": f"{scored(by, spread.quarter)} and {scored(by, spread.three_quarters)}",
        "without any effect": ", ".join(judgement.dead_parameters or ()) or "none known",
    }
    lead = "Chosen and measured on one history, the best is too good; hedgerow walkforward uses another to measure."
    yield panel("What was found", lead, facts(rows))
    yield panel(f"Best set: {settings_text(best.parameters)}", "", facts(verdict_facts(best, judgement.distinct)))
    if plateau is not None and plateau.place != best.place and judgement.plateau_median is not None:
        around = f"Median of the set and those one step away: {scored(by, judgement.plateau_median)}."
        name = f"Best neighbourhood: {settings_text(plateau.parameters)}"
        yield panel(name, around, facts(verdict_facts(plateau, judgement.distinct)))
    scores = scores_of(search.scorer, records, by)
    yield from heat_sections(search.asked.space, records, scores, search.study.grid.years, over=spread.over, what=by)
    yield heading("The best set", settings_text(best.parameters))
    yield from backtest_sections(search.study, judgement.result)
    yield definitions()
    yield origin(search.study)


def walkforward_page(search: Search, walk: Walked, tested: Sequence[Tested]) -> str:
    """Return the page of a walk-forward; ``tested`` are its folds."""
    title = f"Walk-forward of {search.asked.policy}"
    return page_of(title, _walked(search, walk, tested, title), style=STYLE)


def _walked(search: Search, walk: Walked, tested: Sequence[Tested], title: str) -> Iterator[str]:
    yield heading(title, window_text(search.study))
    lead = (
        "Settings were chosen on the train stretch of each fold, and measured on its test, which the choice did not "
        f"see. Decided by {walk.by}; a year on capital, each test counted by its length."
    )
    yield panel("All tests together", lead, facts(walkforward_facts(walk)))
    yield _sums(tested)
    yield _folds(walk)
    yield origin(search.study)


def _sums(tested: Sequence[Tested]) -> str:
    lines = [
        _sum_of(tested, "Over cash", "net", [each.daily_over_cash for each in tested]),
        _sum_of(tested, "Over hold", "hold", [each.daily_over_hold for each in tested]),
    ]
    chart = line_chart(
        [line for line in lines if line.points],
        title="Earned in the tests",
        start=tested[0].found.fold.test_start,
        end=tested[-1].found.fold.test_end,
        formatted=lambda value: percent(float(value), 1),
    )
    styles = legend(("net", "over cash"), ("hold", "over holding the first symbol"))
    lead = "What the chosen settings made more, day by day, summed over all tests; a fraction of capital."
    return panel("Earned in the tests", lead, styles + chart if chart else nothing("No test has a whole day."))


def _sum_of(tested: Sequence[Tested], name: str, style: str, daily: Sequence[Sequence[float]]) -> ChartLine:
    """Return the running sum of daily results, which are yearly figures, at the ends of the tests' days."""
    at = [
        each.found.fold.test_start + timedelta(days=day)
        for each, days in zip(tested, daily, strict=True)
        for day in range(1, len(days) + 1)
    ]
    sums = accumulate(result / DAYS_A_YEAR for days in daily for result in days)
    points: Points = [(when, Decimal(f"{value:.8f}")) for when, value in zip(at, sums, strict=True)]
    return ChartLine(name=name, style=style, points=points)


def _folds(walk: Walked) -> str:
    heads = ("Tested (UTC)", "Settings", "Train", "Test", "Unchanged", "Hold", "Cash", "Hindsight", "Openings")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    rows: list[str] = []
    for each in walk.folds:
        figures = (each.train, each.test, each.unchanged, each.hold, each.cash, each.bound)
        cells = "".join(f"<td>{'-' if value is None else signed_percent(value)}</td>" for value in figures)
        tested = f"{each.fold.test_start:%Y-%m-%d} to {each.fold.test_end:%Y-%m-%d}"
        chosen = escape(settings_text(each.parameters))
        rows.append(f'<tr><th scope="row">{tested}</th><td>{chosen}</td>{cells}<td>{each.entries:,}</td></tr>')
    body = "\n".join(rows)
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    lead = "A year on capital. Unchanged: the settings that were not searched, on the same test."
    return panel("Folds", lead, f'<div class="scroll" tabindex="0" role="region" aria-label="Folds">{table}</div>')
