"""Drawings of a backtest's report beside the charts of every report: settlements as sticks, and heat maps."""

from collections.abc import Callable, Sequence
from html import escape
from math import isfinite

from msgspec import Struct

__all__ = ["Cell", "heat_map", "sticks"]

WIDTH = 1000.0
LEFT, TOP, BOTTOM = 104.0, 14.0, 30.0
STICKS_HEIGHT = 160.0
CELL_HEIGHT, MOST_CELL, HEAD = 46.0, 150.0, 30.0
FAINTEST, STRONGEST = 0.06, 0.72
SHORT = 16
NARROW = 64.0
"""Cells that are narrower show their value only."""


class Cell(Struct, frozen=True, kw_only=True):
    """One combination of two settings' values."""

    value: float
    """Median of the sets in it; NaN = none was played."""
    low: float
    """A quarter of them is below it, ..."""
    high: float
    """... and a quarter above this."""
    error: float
    """Two standard errors of the median set, from how its weeks differ."""
    sets: int


def sticks(values: Sequence[float], *, title: str, shown: Callable[[float], str]) -> str:
    """Return one stick for each value, in equal columns; an empty text where there is none."""
    if not any(values):
        return ""
    high, low = max(0.0, *values), min(0.0, *values)
    inner = STICKS_HEIGHT - TOP - BOTTOM
    zero = TOP + inner * high / (high - low)
    width = (WIDTH - LEFT) / len(values)
    bars: list[str] = []
    for place, value in enumerate(values):
        if not value:
            continue
        length = inner * abs(value) / (high - low)
        top = zero - length if value > 0 else zero
        style = "gain" if value > 0 else "loss"
        x, wide = LEFT + width * place, max(width * 0.8, 0.6)
        bars.append(f'<rect class="{style}" x="{x:.2f}" y="{top:.2f}" width="{wide:.2f}" height="{length:.2f}"/>')
    marks = "".join(
        f'<text class="tick" x="{LEFT - 10:.0f}" y="{y:.1f}" text-anchor="end">{escape(shown(value))}</text>'
        for value, y in ((high, TOP + 4), (low, TOP + inner + 4))
        if value
    )
    axis = f'<line class="grid zero" x1="{LEFT:.0f}" x2="{WIDTH:.0f}" y1="{zero:.2f}" y2="{zero:.2f}"/>'
    return _svg(title, f"between {shown(low)} and {shown(high)}", STICKS_HEIGHT, marks + axis + "".join(bars))


def heat_map(
    cells: Sequence[Sequence[Cell]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    over: float,
    shown: Callable[[float], str],
) -> str:
    """Return a table of cells, one row per value of the first setting; colour says how far from ``over`` it is."""
    known = [cell.value for line in cells for cell in line if isfinite(cell.value)]
    widest = max((abs(value - over) for value in known), default=0.0) or 1.0
    width = min(MOST_CELL, (WIDTH - LEFT) / max(len(columns), 1))
    height = HEAD + CELL_HEIGHT * len(rows) + 4
    parts = [
        f'<text class="tick" x="{LEFT + width * (place + 0.5):.1f}" y="{HEAD - 10:.0f}" text-anchor="middle">'
        f"{escape(_short(name))}</text>"
        for place, name in enumerate(columns)
    ]
    for line, name in enumerate(rows):
        y = HEAD + CELL_HEIGHT * line
        parts.append(
            f'<text class="lane" x="{LEFT - 10:.0f}" y="{y + CELL_HEIGHT / 2 + 4:.1f}" text-anchor="end">'
            f"{escape(_short(name))}</text>"
        )
        for place, cell in enumerate(cells[line]):
            parts.append(_cell(cell, LEFT + width * place, y, width, over, widest, shown))
    low, high = (shown(each(known)) if known else "none" for each in (min, max))
    return _svg(title, f"{len(known)} cells from {low} to {high}", height, "".join(parts))


def _cell(  # noqa: PLR0913, PLR0917 - one place in a drawing
    cell: Cell, x: float, y: float, width: float, over: float, widest: float, shown: Callable[[float], str]
) -> str:
    if not isfinite(cell.value):
        return ""
    style = "gain" if cell.value >= over else "loss"
    depth = FAINTEST + (STRONGEST - FAINTEST) * abs(cell.value - over) / widest
    middle = x + width / 2
    spread = f"{shown(cell.low)} to {shown(cell.high)}" if cell.sets > 1 else ""
    error = f"±{shown(cell.error)}" if isfinite(cell.error) else ""
    detail = f"{shown(cell.value)} {error}, {cell.sets:,} sets" + (f", half of them {spread}" if spread else "")
    below = ""
    if width >= NARROW:
        second = f'<text class="small" x="{middle:.1f}" y="{y + 37:.1f}" text-anchor="middle">{escape(error)}</text>'
        below = second if error else ""
    return (
        f'<g class="cell {style}"><title>{escape(detail)}</title>'
        f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{width - 2:.1f}" height="{CELL_HEIGHT - 2:.1f}" rx="3" '
        f'fill-opacity="{depth:.3f}"/>'
        f'<text class="value" x="{middle:.1f}" y="{y + 22:.1f}" text-anchor="middle">{escape(shown(cell.value))}</text>'
        f"{below}</g>"
    )


def _svg(title: str, described: str, height: float, body: str) -> str:
    name = escape(f"{title}: {described}")
    box = f"0 0 {WIDTH:.0f} {height:.0f}"
    return f'<div class="scroll"><svg class="chart" role="img" viewBox="{box}" aria-label="{name}">{body}</svg></div>'


def _short(name: str) -> str:
    return name if len(name) <= SHORT else f"{name[: SHORT - 1]}…"
