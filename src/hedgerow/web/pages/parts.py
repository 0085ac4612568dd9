"""The smallest parts of pages: figures with the place of their value in the view, labelled rows, meters, panels."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from hedgerow.dashboard import formats
from hedgerow.domain.money import ZERO
from hedgerow.web.html import Html, attributes, element, join

__all__ = [
    "Cell",
    "Panel",
    "cost",
    "facts",
    "figure",
    "gain",
    "meter",
    "nothing",
    "panel",
    "remark",
    "share",
    "svg",
    "table",
    "time_of",
]

Part = Html | str


class Panel(Struct, frozen=True, kw_only=True):
    """One part of a page that is sent again when it has changed."""

    name: str
    """Its id."""
    html: Html


def figure(key: str, text: str, kind: str = "") -> Html:
    """Return a figure; ``key`` is the place of its value in the view's document: ``hedges.0.result.funding``."""
    return element("span", text, class_=kind or None, data_key=key)


def gain(key: str, value: Decimal | None, text: str = "") -> Html:
    """Return money that was gained or lost, in its colour; the sign says it without the colour."""
    kind = "" if not value else "gain" if value > 0 else "loss"
    return figure(key, text or formats.signed_money(value), kind)


def cost(key: str, value: Decimal | None) -> Html:
    """Return a cost as the loss that it is."""
    return gain(key, None if value is None else -value if value else ZERO)


def time_of(at: datetime | None, text: str) -> Html:
    """Return a time in relative words, with the UTC time behind it."""
    if at is None:
        return element("span", text)
    return element("time", text, datetime=formats.iso(at), title=f"{formats.date_time(at)} UTC")


def facts(*rows: tuple[Part, Part] | tuple[Part, Part, str]) -> Html:
    """Return labelled values below each other; a third part is the class of the row."""
    cells: list[Html] = []
    for label, value, *kind in rows:
        style = kind[0] if kind else None
        cells += [element("dt", label, class_=style), element("dd", value, class_=style)]
    return element("dl", *cells, class_="sum")


def remark(*parts: Part) -> Html:
    """Return a line of small text; nothing for no text."""
    found = [part for part in parts if part]
    return element("p", *found, class_="rem") if found else Html("")


def meter(share: float | None, *, name: str, kind: str = "") -> Html:
    """Return a bar of a share from 0 to 1; its figures stand beside it as text."""
    filled = 0.0 if share is None else min(1.0, max(0.0, share))
    shown = f"{filled:.3f}"
    text = formats.UNKNOWN if share is None else formats.percent(filled, 0)
    return element("meter", text, min="0", max="1", value=shown, class_=kind or None, aria_label=f"{name}: {text}")


def svg(drawn: str, box: str, name: str, kind: str) -> Html:
    """Return a drawing that fills its place; ``drawn`` is markup made of numbers and our own words."""
    named = attributes(class_=kind, viewBox=box, preserveAspectRatio="none", role="img", aria_label=name)
    return Html(f"<svg{named}>{drawn}</svg>")


def share(value: float) -> str:
    """Return a part of a whole in percent."""
    return formats.percent(value, 1)


def nothing(text: str) -> Html:
    """Return what stands where there is nothing to show."""
    return element("p", text, class_="nothing")


def panel(name: str, title: Part, *parts: Part, kind: str = "", head: Part = "") -> Panel:
    """Return a panel with its heading; ``head`` stands beside the heading, ``kind`` is its classes."""
    heading = element("h2", title, id=f"{name}-title")
    top = element("div", heading, head, class_="head") if head else heading
    body = element("section", top, *parts, id=name, class_=kind or None, aria_labelledby=f"{name}-title")
    return Panel(name=name, html=body)


class Cell(Struct, frozen=True, kw_only=True):
    """One cell of a table."""

    part: Part
    kind: str = ""


def table(name: str, heads: Sequence[tuple[str, str]], rows: Iterable[Sequence[Part | Cell]], kind: str = "") -> Html:
    """Return a table in a frame that scrolls by itself; heads are (title, class), the first cell heads its row."""
    top = element("tr", *(element("th", title, scope="col", class_=style or None) for title, style in heads))
    body = join(_row(cells, heads) for cells in rows)
    caption = element("caption", name, class_="hidden")
    whole = element("table", caption, element("thead", top), element("tbody", body), class_=kind or None)
    return element("div", whole, class_="wide", tabindex="0", role="group", aria_label=name)


def _row(cells: Sequence[Part | Cell], heads: Sequence[tuple[str, str]]) -> Html:
    done: list[Html] = []
    for index, (cell, (_, style)) in enumerate(zip(cells, heads, strict=True)):
        part, kind = (cell.part, cell.kind or style) if isinstance(cell, Cell) else (cell, style)
        scope = {"scope": "row"} if index == 0 else {}
        done.append(element("th" if index == 0 else "td", part, class_=kind or None, **scope))
    return element("tr", *done)
