"""What has been: the curves with a table behind them, was it worth it, and the last 24 hours."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from hedgerow.dashboard import formats
from hedgerow.dashboard.report.charts import ChartLine, line_chart
from hedgerow.dashboard.view import DayMark, MarkKind, View
from hedgerow.web.html import Html, element, join
from hedgerow.web.pages.parts import Panel, figure, gain, nothing, panel, remark, share, svg, table
from hedgerow.web.pages.state import Shown, as_of
from hedgerow.web.sources import Curve, CurvePoint

__all__ = ["RANGES", "curve_panel", "day", "worth"]

RANGES: Final = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30), "all": None}
"""What a curve can show, by its name in addresses."""
_NAMES: Final = {"24h": "24 h", "7d": "7 d", "30d": "30 d", "all": "All"}
_LINES: Final = ("net", "funding", "fees", "basis")
ROWS_BEHIND: Final = 24
_HEADS: Final = (("UTC", "l"), ("Net", ""), ("Funding", ""), ("Fees", ""), ("Basis", ""))
_CODES: Final = {
    MarkKind.HEDGED: "h",
    MarkKind.FLAT: "f",
    MarkKind.TRADING: "b",
    MarkKind.HALF_OPEN: "w",
    MarkKind.HALTED: "w",
    MarkKind.NAKED: "a",
    MarkKind.BLIND: "x",
    MarkKind.NOT_SEEN: "x",
}
_LEGEND: Final = (
    ("h", "hedged"),
    ("f", "flat"),
    ("b", "trading"),
    ("w", "half open or halted"),
    ("a", "naked"),
    ("x", "not seen"),
)
_ORDER: Final = "xfhbwa"
"""From the mark that says least to the one that says most: of two on a phone the later is shown."""
MARK_WIDTH: Final = 10


def curve_panel(shown: Shown, curve: Curve, chosen: str) -> Panel:
    """Return the curves of one range: drawn by a script, else as an image, with a table behind them."""
    view, base = shown.view, shown.base
    links = (
        element(
            "a",
            text,
            href=f"{base}?range={name}#curve",
            data_range=name,
            class_="chip",
            aria_current="true" if name == chosen else None,
        )
        for name, text in _NAMES.items()
    )
    chips = element("div", *links, class_="chips", role="group", aria_label="Range")
    legend = element("ul", *(element("li", Html(f'<i class="{n}"></i>'), n) for n in _LINES), class_="legend")
    drawn = element("noscript", Html(_image(curve)))
    plot = element("div", id="plot", data_src=f"{base}/curve", data_range=chosen)
    empty = "" if curve.points else nothing("No point was recorded in this range yet.")
    marks = element(
        "ul", *(element("li", f"{m.at:%Y-%m-%d %H:%M} {m.text}") for m in curve.marks[-6:]), class_="plain marks"
    )
    behind = element(
        "details",
        element("summary", "The figures as a table"),
        table("Curve", _HEADS, (_row(point) for point in reversed(_thinned(curve.points)))),
        marks if curve.marks else "",
    )
    return panel(
        "curve",
        f"Where the money came from, USDT{as_of(view)}",
        empty,
        plot,
        drawn,
        legend,
        behind,
        kind="c7 t-money",
        head=chips,
    )


def _thinned(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    """Return at most so many points as the table has rows, evenly, with the last one."""
    if len(points) <= ROWS_BEHIND:
        return list(points)
    step = (len(points) - 1) / (ROWS_BEHIND - 1)
    return [points[round(index * step)] for index in range(ROWS_BEHIND)]


def _row(point: CurvePoint) -> list[Html | str]:
    values = (point.net, point.funding, point.fees, point.basis)
    return [formats.date_time(point.at), *(formats.signed_money(value) for value in values)]


def _image(curve: Curve) -> str:
    """Return the curves as an image, for browsers without a script."""
    if not curve.points:
        return ""
    lines = tuple(
        ChartLine(
            name=name,
            style=name,
            points=[(p.at, value) for p in curve.points if (value := getattr(p, name)) is not None],
            stepped=name in {"funding", "fees"},
        )
        for name in _LINES
    )
    return line_chart(
        lines, title="Curve", start=curve.points[0].at, end=curve.points[-1].at, formatted=formats.whole_money
    )


# --- was it worth it -------------------------------------------------------------------------------------------------


def worth(shown: Shown) -> Panel:
    """Return what the same money would have made otherwise."""
    view = shown.view
    found = view.series.worth if view.series else None
    if found is None:
        return panel(
            "worth", "Was it worth it?", nothing("Nothing is recorded to compare with yet."), kind="c5 t-money"
        )
    rows = formats.worth_rows(found, f"First pair, opened once and held ({found.same_pair or formats.UNKNOWN})")
    longest = formats.longest_bar(rows)
    parts: list[Html] = []
    for row in rows:
        parts += [
            element("span", row.label, class_="label"),
            _bar(row.value, longest, "me" if row.name == "bot" else ""),
            element("span", gain(f"series.worth.{row.name}", row.value), class_="value"),
        ]
    capital = join(("on ", figure("series.worth.capital", formats.money(found.capital)), " of capital"))
    said = join((f"{formats.worth_since(found)}, ", capital))
    title = f"Was it worth it?{as_of(view)}"
    return panel("worth", title, element("div", *parts, class_="bars"), remark(said), kind="c5 t-money")


def _bar(value: Decimal | None, longest: Decimal, kind: str) -> Html:
    if value is None:
        return Html('<span class="b"></span>')
    width = max(0.5, float(abs(value) / longest) * 100)
    sign = "down" if value < 0 else kind
    return Html(
        '<svg class="b" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{sign}" width="{width:.1f}" height="10"/></svg>'
    )


# --- the last 24 hours -----------------------------------------------------------------------------------------------


def day(shown: Shown) -> Panel:
    """Return one mark for each 15 minutes; on a phone one for each 30, the worse of two."""
    view = shown.view
    marks = view.series.day if view.series else ()
    title = f"Last 24 hours, 15 minutes a mark{as_of(view)}"
    if not marks:
        return panel("day", title, nothing("Nothing is recorded yet."), kind="c12 o6 t-now")
    wide = _strip(marks, "strip wide-only")
    halves = [
        max(pair, key=lambda mark: _ORDER.index(_CODES[mark.kind]))
        for pair in zip(marks[::2], marks[1::2], strict=False)
    ]
    narrow = _strip(halves, "strip narrow-only")
    legend = element("ul", *(element("li", Html(f'<i class="{c}"></i>'), name) for c, name in _LEGEND), class_="legend")
    head = element("p", _shares(view), class_="rem")
    return panel("day", title, wide, narrow, legend, kind="c12 o6 t-now", head=head)


def _strip(marks: Sequence[DayMark], kind: str) -> Html:
    width = len(marks) * MARK_WIDTH
    drawn = "".join(
        f'<rect class="{_CODES[mark.kind]}" x="{i * MARK_WIDTH + 1}" y="1" width="{MARK_WIDTH - 2}" height="24" rx="1">'
        f"<title>{formats.date_time(mark.at)} UTC {mark.kind.value}</title></rect>"
        for i, mark in enumerate(marks)
    )
    name = f"{len(marks)} marks from {formats.date_time(marks[0].at)} UTC"
    return svg(drawn, f"0 0 {width} 26", name, kind)


def _shares(view: View) -> Html:
    shares = view.series.shares if view.series else {}
    known = sorted(((name, part) for name, part in shares.items() if part > 0), key=lambda each: -each[1])
    parts: list[Html | str] = []
    for name, part in known:
        parts += [" \N{MIDDLE DOT} " if parts else "", f"{name} ", figure(f"series.shares.{name}", share(part))]
    return join(parts)
