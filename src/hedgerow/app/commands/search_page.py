"""The report of `sweep` as one HTML page: what was found, how far it can be luck, and the best set in full."""

from collections.abc import Iterator

from hedgerow.app.commands.backtest import window_text
from hedgerow.app.commands.search import Search
from hedgerow.app.commands.search_text import scored, settings_text, verdict_facts
from hedgerow.backtest.report.page import (
    STYLE,
    backtest_sections,
    definitions,
    facts,
    heading,
    heat_sections,
    origin,
)
from hedgerow.backtest.search.judge import Judgement
from hedgerow.backtest.search.scoring import Records
from hedgerow.backtest.search.sweep import scores_of
from hedgerow.dashboard.report.parts import page_of, panel

__all__ = ["sweep_page"]


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
