"""Charts as inline SVG: plain text, styled by the page's CSS, readable without it and without a script.

Everything that comes from outside is escaped here. Colours are never the only sign of anything.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import escape
from math import floor, log10

from msgspec import Struct

from hedgerow.domain.funding import EPOCH

__all__ = ["Bar", "ChartLine", "line_chart", "thinned", "ticks", "time_ticks", "timeline"]

WIDTH = 1000.0
LEFT, RIGHT, TOP, BOTTOM = 104.0, 16.0, 14.0, 30.0
CHART_HEIGHT = 260.0
LANE_HEIGHT = 30.0
DRAWN_POINTS = 600
"""Lines are thinned to about this many points; extremes stay."""
HOVER_STOPS = 90
"""Columns that show their values under the pointer."""
MIN_BAR = 2.5
SMALLEST_SPAN = 1e-12
LETTER = 6.2
"""Width of a letter of a bar's label, about."""
LANE_LETTERS = 12
"""Longest lane name printed whole."""
TIME_STEPS = tuple(timedelta(hours=h) for h in (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 720, 1440, 2160, 4320, 8760))
MOST_TIME_TICKS = 8
DAY = timedelta(days=1)
LONG_RUN = timedelta(days=300)
"""From here on dates are printed with their year."""

Points = Sequence[tuple[datetime, Decimal]]


class ChartLine(Struct, frozen=True, kw_only=True):
    """One line of a chart."""

    name: str
    style: str
    """CSS class."""
    points: Points
    """Oldest first."""
    stepped: bool = False
    """True for sums that jump; False for samples."""
    filled: bool = False


class Bar(Struct, frozen=True, kw_only=True):
    """One bar of a timeline."""

    lane: str
    start: datetime
    end: datetime
    style: str
    """CSS class."""
    label: str
    """Printed in the bar where it fits."""
    detail: str
    """Shown under the pointer and read aloud."""


class _Scale(Struct, frozen=True, kw_only=True):
    """Maps times and values to the drawing."""

    start: datetime
    span: float
    low: float
    high: float
    height: float

    def x(self, at: datetime) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - self.start).total_seconds() / self.span

    def y(self, value: Decimal | float) -> float:
        inner = self.height - TOP - BOTTOM
        return TOP + inner * (self.high - float(value)) / (self.high - self.low)


def line_chart(
    lines: Sequence[ChartLine], *, title: str, start: datetime, end: datetime, formatted: Callable[[Decimal], str]
) -> str:
    """Return a line chart over ``[start, end]``; an empty text where no line has a point."""
    values = [float(value) for line in lines for _, value in line.points]
    if not values:
        return ""
    marks = ticks(min(values), max(values))
    scale = _scale(start, end, low=marks[0], high=marks[-1], height=CHART_HEIGHT)
    body = [
        *_value_grid(scale, marks, formatted),
        *_time_grid(scale, end),
        *(_path(scale, line) for line in lines if line.points),
        *_hover_stops(scale, lines, end, formatted),
    ]
    described = "; ".join(
        f"{line.name} from {formatted(line.points[0][1])} to {formatted(line.points[-1][1])}"
        for line in lines
        if line.points
    )
    return _drawing(title, described, CHART_HEIGHT, body)


def timeline(bars: Sequence[Bar], *, title: str, start: datetime, end: datetime) -> str:
    """Return bars in one lane per name, in order of first appearance; an empty text without bars."""
    if not bars:
        return ""
    lanes = list(dict.fromkeys(bar.lane for bar in bars))
    height = TOP + BOTTOM + LANE_HEIGHT * len(lanes)
    scale = _scale(start, end, low=0, high=1, height=height)
    tops = {lane: TOP + LANE_HEIGHT * index for index, lane in enumerate(lanes)}
    names = (
        f'<text class="lane" x="{LEFT - 10:.0f}" y="{top + LANE_HEIGHT / 2 + 4:.1f}" text-anchor="end">'
        f"{escape(_short(lane))}<title>{escape(lane)}</title></text>"
        for lane, top in tops.items()
    )
    body = [*_time_grid(scale, end), *names, *(_bar(scale, bar, tops[bar.lane]) for bar in bars)]
    return _drawing(title, f"{len(bars)} bars in {len(lanes)} lanes", height, body)


def ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """Return round values, ascending, the first not above ``low`` and the last not below ``high``."""
    span = high - low or abs(high) * 0.001
    if span < SMALLEST_SPAN:
        span = 1.0
    rough = span / count
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = floor(low / step + 1e-9)
    last = max(first + 1, -floor(-high / step + 1e-9))
    return tuple(index * step for index in range(first, last + 1))


def time_ticks(start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Return round UTC times in ``[start, end]``, at most about eight."""
    step = next((s for s in TIME_STEPS if (end - start) / s <= MOST_TIME_TICKS), None)
    if step is None:
        step = TIME_STEPS[-1] * (1 + (end - start) // TIME_STEPS[-1] // MOST_TIME_TICKS)
    first = EPOCH - ((EPOCH - start) // step) * step
    return tuple(first + index * step for index in range(int((end - first) / step) + 1 if first <= end else 0))


def thinned(points: Points, most: int = DRAWN_POINTS) -> Points:
    """Return about ``most`` of the points: the first, the last, and each stretch's extremes."""
    if len(points) <= most:
        return points
    stretch = -(-len(points) // (most // 2))
    kept = {0, len(points) - 1}
    for begin in range(0, len(points), stretch):
        indices = range(begin, min(begin + stretch, len(points)))
        kept |= {min(indices, key=lambda i: points[i][1]), max(indices, key=lambda i: points[i][1])}
    return [points[index] for index in sorted(kept)]


def _scale(start: datetime, end: datetime, *, low: float, high: float, height: float) -> _Scale:
    return _Scale(start=start, span=(end - start).total_seconds() or 1.0, low=low, high=high, height=height)


def _drawing(title: str, described: str, height: float, body: Sequence[str]) -> str:
    name = escape(f"{title}: {described}")
    box = f"0 0 {WIDTH:.0f} {height:.0f}"
    drawing = f'<svg class="chart" role="img" viewBox="{box}" aria-label="{name}">{"".join(body)}</svg>'
    return f'<div class="wide">{drawing}</div>'


def _value_grid(scale: _Scale, marks: Sequence[float], formatted: Callable[[Decimal], str]) -> Iterator[str]:
    for mark in marks:
        y = scale.y(mark)
        zero = " zero" if abs(mark) < abs(scale.high - scale.low) * 1e-9 else ""
        label = escape(formatted(Decimal(f"{mark:.10g}")))
        yield f'<line class="grid{zero}" x1="{LEFT:.0f}" x2="{WIDTH - RIGHT:.0f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="tick" x="{LEFT - 10:.0f}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'


def _time_grid(scale: _Scale, end: datetime) -> Iterator[str]:
    days = "%d %b %y" if end - scale.start > LONG_RUN else "%d %b"
    for stamp in time_ticks(scale.start, end):
        x = scale.x(stamp)
        label = stamp.astimezone(UTC).strftime("%H:%M" if (stamp - EPOCH) % DAY else days)
        anchor = "end" if x > WIDTH - RIGHT - 10 else "middle"
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP:.0f}" y2="{scale.height - BOTTOM:.1f}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{scale.height - 10:.1f}" text-anchor="{anchor}">{label}</text>'


def _path(scale: _Scale, line: ChartLine) -> str:
    points = thinned(line.points)
    x, y = scale.x(points[0][0]), scale.y(points[0][1])
    if len(points) == 1:
        return f'<circle class="dot {line.style}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    parts = [f"M{x:.1f},{y:.1f}"]
    for at, value in points[1:]:
        x, y = scale.x(at), scale.y(value)
        parts.append(f"H{x:.1f}V{y:.1f}" if line.stepped else f"L{x:.1f},{y:.1f}")
    drawn = f'<path class="line {line.style}" d="{"".join(parts)}"/>'
    if not line.filled:
        return drawn
    floor_y = scale.y(scale.low)
    area = f"{''.join(parts)}V{floor_y:.1f}H{scale.x(points[0][0]):.1f}Z"
    return f'<path class="area {line.style}" d="{area}"/>{drawn}'


def _hover_stops(
    scale: _Scale, lines: Sequence[ChartLine], end: datetime, formatted: Callable[[Decimal], str]
) -> Iterator[str]:
    """Yield columns that show time and values under the pointer, by CSS alone."""
    width = (WIDTH - LEFT - RIGHT) / HOVER_STOPS
    step = (end - scale.start) / HOVER_STOPS
    for index in range(HOVER_STOPS):
        at = scale.start + step * (index + 0.5)
        found = [(line, value) for line in lines if (value := _value_at(line.points, at)) is not None]
        if not found:
            continue
        x = LEFT + width * (index + 0.5)
        names = ", ".join(f"{line.name} {formatted(value)}" for line, value in found)
        anchor = "start" if index < HOVER_STOPS / 2 else "end"
        shift = 8 if anchor == "start" else -8
        dots = "".join(
            f'<circle class="dot {line.style}" cx="{x:.1f}" cy="{scale.y(value):.1f}" r="4"/>' for line, value in found
        )
        yield (
            f'<g class="stop"><rect x="{x - width / 2:.2f}" y="{TOP:.0f}" width="{width:.2f}" '
            f'height="{scale.height - TOP - BOTTOM:.0f}"/><line class="cursor" x1="{x:.1f}" x2="{x:.1f}" '
            f'y1="{TOP:.0f}" y2="{scale.height - BOTTOM:.0f}"/>{dots}'
            f'<text class="reading" x="{x + shift:.1f}" y="{TOP + 12:.0f}" text-anchor="{anchor}">'
            f"{at.astimezone(UTC):%d %b %H:%M} · {escape(names)}</text></g>"
        )


def _value_at(points: Points, at: datetime) -> Decimal | None:
    """Return the newest value at ``at``; None before the first."""
    low, high = 0, len(points)
    while low < high:
        middle = (low + high) // 2
        if points[middle][0] <= at:
            low = middle + 1
        else:
            high = middle
    return points[low - 1][1] if low else None


def _bar(scale: _Scale, bar: Bar, top: float) -> str:
    x = scale.x(bar.start)
    width = max(MIN_BAR, scale.x(bar.end) - x - 1)
    label = ""
    if len(bar.label) * LETTER + 12 < width:
        label = f'<text class="label" x="{x + 6:.1f}" y="{top + LANE_HEIGHT / 2 + 4:.1f}">{escape(bar.label)}</text>'
    return (
        f'<g class="bar {bar.style}"><title>{escape(bar.detail)}</title>'
        f'<rect x="{x:.1f}" y="{top + 4:.1f}" width="{width:.1f}" height="{LANE_HEIGHT - 8:.0f}" rx="3"/>{label}</g>'
    )


def _short(name: str) -> str:
    return name if len(name) <= LANE_LETTERS else f"{name[: LANE_LETTERS - 1]}…"
