"""Many bots: a table, the worst state first; each row leads to the same page as that of a single bot."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hedgerow.dashboard import formats
from hedgerow.dashboard.bot_state import BotState, Severity
from hedgerow.dashboard.view import View
from hedgerow.web.html import Html, element, join, void
from hedgerow.web.page import whole_page
from hedgerow.web.pages.parts import Cell, Panel, figure, gain, panel, table, time_of
from hedgerow.web.pages.state import state_kind

__all__ = ["BotRow", "fleet_page", "fleet_panel", "worst_first"]

_SEVERITY: Final = (Severity.ALARM, Severity.WARNING, Severity.BUSY, Severity.OK)
_STATES: Final = (BotState.NAKED, BotState.DOWN, BotState.REPAIRING, BotState.BLIND)
_HEADS: Final = (
    ("Bot", "l"),
    ("State", "why"),
    ("Mode", "l"),
    ("Net if closed", ""),
    ("Equity", ""),
    ("Next payment", ""),
    ("Read", ""),
)


class BotRow(Struct, frozen=True, kw_only=True):
    """One bot of several; without a view where it cannot be read."""

    slug: str
    view: View | None
    problem: str = ""


def worst_first(rows: Sequence[BotRow]) -> list[BotRow]:
    """Return the bots that need a look before the others; one that cannot be read comes first."""
    return sorted(rows, key=_rank)


def _rank(row: BotRow) -> tuple[int, int, str]:
    if row.view is None:
        return (-1, 0, row.slug)
    report = row.view.report
    state = _STATES.index(report.state) if report.state in _STATES else len(_STATES)
    return (_SEVERITY.index(report.severity), state, row.slug)


def fleet_panel(rows: Sequence[BotRow]) -> Panel:
    """Return the table of all bots."""
    cells = [_cells(row, index) for index, row in enumerate(worst_first(rows))]
    return panel("fleet", "Bots, the worst state first", table("Bots", _HEADS, cells, "fleet"), kind="c12")


def _cells(row: BotRow, index: int) -> list[Html | str | Cell]:
    link = element("a", row.slug, href=f"/bots/{row.slug}")
    view = row.view
    if view is None:
        return [link, element("span", row.problem or "cannot be read", class_="tag alarm"), *([formats.UNKNOWN] * 5)]
    key, sums, times = f"bots.{index}.view", view.together, view.times
    due = sums.next_payment_at if sums else None
    state = element("span", view.report.title, class_=f"tag {state_kind(view.report)}")
    return [
        link,
        state,
        view.identity.mode.value if view.identity.mode else formats.UNKNOWN,
        join(
            (
                gain(f"{key}.totals.net_if_closed", view.totals.net_if_closed),
                formats.without_dust(view.totals.unpriced_dust),
            )
        ),
        figure(f"{key}.totals.equity", formats.money(view.totals.equity)),
        time_of(due, formats.countdown(due, times.now)) if sums else "",
        time_of(times.read_at, formats.ago(times.read_at, times.now)),
    ]


def fleet_page(rows: Sequence[BotRow], csrf: str) -> str:
    """Return the page of all bots."""
    logout = element(
        "form",
        void("input", type="hidden", name="csrf", value=csrf),
        element("button", "Sign out", type="submit"),
        method="post",
        action="/logout",
    )
    header = element(
        "header",
        element("a", "Hedgerow", href="/", class_="brand"),
        element("span", f"{len(rows)} bots", class_="where"),
        Html('<span class="grow"></span>'),
        Html('<span class="pulse"><b></b>live</span>'),
        logout,
        id="bar",
        class_="bar",
    )
    heading = element("h1", "Bots", class_="hidden")
    main = element("main", heading, fleet_panel(rows).html, id="main")
    return whole_page("Bots", join((header, main)), data_tab="now", data_stream="/events")
