"""The cards of a terminal screen: state, both legs, result, what would make it act, the last 24 hours. Pure.

Every number comes from a ``View`` and every word about numbers from ``hedgerow.dashboard.formats``. Figures that are
old are dim, and say as of when they are; nothing of them is green.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from rich.align import Align
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hedgerow.dashboard import formats
from hedgerow.dashboard.bot_state import BotState, Severity
from hedgerow.dashboard.job_view import JobLeg, JobView
from hedgerow.dashboard.view import DayMark, HedgeView, MarkKind, Totals, View
from hedgerow.domain.instrument import Side
from hedgerow.strategy.decisions.consequences import ForeseenExit

__all__ = [
    "day_card",
    "decisions_table",
    "exits_card",
    "hedged_card",
    "made_card",
    "pairs_table",
    "state_lines",
    "trading_cards",
    "worth_card",
]

STYLES: Final = {
    Severity.OK: "bold white on green4",
    Severity.BUSY: "bold white on dodger_blue3",
    Severity.WARNING: "bold black on gold3",
    Severity.ALARM: "bold white on red3",
}
MARKS: Final = {
    MarkKind.HEDGED: "green4",
    MarkKind.FLAT: "grey58",
    MarkKind.TRADING: "dodger_blue3",
    MarkKind.HALF_OPEN: "dark_orange3",
    MarkKind.HALTED: "dark_orange3",
    MarkKind.BLIND: "grey30",
    MarkKind.NAKED: "red3",
    MarkKind.NOT_SEEN: "grey15",
}
UNWATCHED: Final = frozenset({BotState.STOPPED, BotState.DOWN})
METER_CELLS: Final = 10
LEAST_BAR_CELLS: Final = 18
EXITS_SHOWN: Final = 4
ROWS_SHOWN: Final = 200
WORTH_TEXT_CELLS: Final = 54
"""Of a line of *Was it worth it?* for everything but the bar."""
DOT: Final = " \N{MIDDLE DOT} "
NEAR: Final = 0.9
"""From this share of the way on a rule is marked."""


def state_lines(view: View, which: int = 0) -> Group:
    """Return two lines: the state, what the bot does about it, which bot it is; since when, read when, what is next."""
    report, times, identity = view.report, view.times, view.identity
    first = Text()
    first.append(f" {report.title} ", STYLES[report.severity])
    mode = identity.mode.value if identity.mode else ""
    who = DOT.join(part for part in (f"{mode} {identity.name}".strip(), identity.venue) if part)
    first.append(f"  {who}", "dim")
    parts = [f"for {formats.duration(max(times.now - times.since, timedelta()))}"] if times.since else []
    if times.is_old:
        parts.append(f"as of {formats.clock_time(times.read_at, times.now)}")
    elif times.read_at is not None:
        parts.append(f"read {formats.ago(times.read_at, times.now)}")
    if view.report.state not in UNWATCHED and times.next_check_at is not None:
        parts.append(f"next check {formats.countdown(times.next_check_at, times.now)}")
    if len(view.hedges) > 1:
        parts.append(f"hedge {which + 1} of {len(view.hedges)} (Tab)")
    return Group(first, Text(report.does, "bold"), Text(DOT.join(parts), "dim"))


def hedged_card(view: View, which: int = 0) -> RenderableType:
    """Return the card *Am I hedged?* of one hedge."""
    hedge = _hedge(view, which)
    if hedge is None:
        rows = [("Nothing is held", ""), ("Longest naked", formats.seconds(view.totals.longest_naked_seconds))]
        return _card(f"Am I hedged?{DOT}nothing held", rows, view)
    difference, unit = hedge.difference, hedge.base
    net = "?" if difference is None else formats.signed_percent(difference.fraction, 3)
    worth = "?" if difference is None else formats.signed_money(difference.value)
    rows = [
        ("Legs differ by", f"{net}  {worth}"),
        ("Spot", formats.quantity(hedge.spot.quantity, unit, hedge.spot.step)),
        ("Perpetual", formats.quantity(hedge.perp.quantity, unit, hedge.perp.step)),
        ("Worth", f"{formats.money(hedge.spot.value)}  {formats.money(hedge.perp.value)}"),
        ("Liquidation", f"{formats.percent(hedge.liquidation_distance, 0)} away"),
        ("Basis (at entry)", f"{formats.signed_bps(hedge.basis)} ({formats.signed_bps(hedge.entry_basis)})"),
        ("Longest naked", formats.seconds(view.totals.longest_naked_seconds)),
    ]
    return _card(f"Am I hedged?{DOT}{hedge.symbol}", rows, view)


def _with_closed(totals: Totals) -> str:
    """Return the label of the whole result, short enough for a card of half a terminal."""
    missing = totals.unpriced_dust
    if not missing:
        return f"With {totals.closed} closed"
    return f"With {totals.closed}, without {missing[0] if len(missing) == 1 else f'{len(missing)} coins of'} dust"


def made_card(view: View, which: int = 0) -> RenderableType:
    """Return the card *What did this hedge make?* of one hedge, and the total."""
    hedge, totals = _hedge(view, which), view.totals
    if hedge is None:
        rows = [
            ("Funding", formats.signed_money(totals.funding)),
            ("Basis P/L", formats.signed_money(totals.basis)),
            ("Fees paid", formats.signed_money(-totals.fees)),
            (f"{totals.closed} closed hedges", formats.signed_money(totals.net_closed)),
        ]
        return _card("What did it make?", rows, view)
    result, payment = hedge.result, hedge.funding.next
    cost = None if result is None or result.exit_cost is None else -result.exit_cost
    rows = [
        (f"Funding, {hedge.funding_payments} payments", formats.signed_money(hedge.funding_received)),
        ("Basis P/L", formats.signed_money(result.basis if result else None)),
        ("Fees paid", formats.signed_money(-hedge.fees_paid)),
        ("Fees, spread to close", formats.signed_money(cost)),
        ("If closed now", formats.signed_money(result.net_if_closed if result else None)),
        (_with_closed(totals), formats.signed_money(totals.net_if_closed)),
        (
            f"Next {formats.countdown(payment.at if payment else None, view.times.now)}",
            formats.signed_money(payment.amount if payment else None),
        ),
    ]
    return _card("What did it make?", rows, view)


def trading_cards(view: View, job: JobView) -> tuple[RenderableType, RenderableType]:
    """Return what stands in place of the two cards while a trade is in flight: what is open, and the trade's steps."""
    orders = [
        (
            f"{each.side.value.lower()} {each.market}",
            f"{formats.quantity(each.filled)} at {formats.price(each.average_price)}",
        )
        for each in job.orders[:2]
    ]
    open_rows = [
        ("Open", formats.money(job.open_notional)),
        ("Naked, of allowed", f"{formats.seconds(job.naked_seconds)} of {formats.seconds(job.allowed_seconds)}"),
        (_leg_name(job.spot), _progress(job.spot, job.base)),
        (_leg_name(job.perp), _progress(job.perp, job.base)),
        ("Price limit", f"{formats.quantity(job.price_limit_bps)} bp"),
        *orders,
    ]
    steps = [(step.name.value, step.status.value) for step in job.steps]
    steps += [("Undoing costs at most", formats.money(job.undo_cost))]
    title = f"{job.kind.value} {job.symbol}, {formats.seconds(job.seconds)}"
    return _card("What is open?", open_rows, view), _card(title, steps, view)


def exits_card(view: View, which: int = 0, shown: int = EXITS_SHOWN) -> RenderableType:
    """Return the card *What would make it act, nearest first* of one hedge."""
    hedge, title = _hedge(view, which), "What would make it act, nearest first"
    if hedge is None or view.job is not None:
        text = "The trade in flight ends first." if view.job else view.why_waiting or "Nothing is held."
        return Panel(Text(text), title=title, title_align="left", style="dim" if view.times.is_old else "")
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(width=METER_CELLS, no_wrap=True)
    grid.add_column(ratio=2, overflow="fold", justify="right")
    for found in hedge.exits[:shown]:
        grid.add_row(formats.exit_name(found.distance), _meter(found, old=view.times.is_old), _way(found, view))
    nearest = hedge.exits[0] if hedge.exits else None
    lines: list[RenderableType] = [grid]
    if nearest is not None:
        lines.append(Text(f"Then: {formats.consequence_text(nearest)}", "dim", overflow="ellipsis", no_wrap=True))
    if not hedge.profit_rules_known:
        lines.append(Text("The rules of this policy are not known here: safety rules only.", "dim"))
    return Panel(Group(*lines), title=title, title_align="left", style="dim" if view.times.is_old else "")


def day_card(view: View, width: int = 80) -> RenderableType:
    """Return the last 24 hours, one cell for a part of them; of several marks in a cell the worst."""
    title = f"Last 24 h{_shares(view)}"
    series = view.series
    if series is None or not series.day:
        return Panel(Text("no time series yet", "dim"), title=title, title_align="left")
    cells = max(8, min(len(series.day), width - 6))
    strip = Text(no_wrap=True)
    for mark in _packed(series.day, cells):
        strip.append("\N{FULL BLOCK}" if mark is not MarkKind.NOT_SEEN else "\N{MIDDLE DOT}", MARKS[mark])
    return Panel(Align.center(strip), title=title, title_align="left")


def worth_card(view: View, width: int = 80) -> RenderableType:
    """Return *Was it worth it?*: what the same money would have made otherwise, a bar each, those of losses red."""
    found, title = view.series.worth if view.series else None, "Was it worth it?"
    if found is None:
        return Panel(Text("Nothing is recorded to compare with yet.", "dim"), title=title, title_align="left")
    rows = formats.worth_rows(found, f"{found.same_pair or 'First pair'}, opened once and held")
    old, longest = view.times.is_old, formats.longest_bar(rows)
    most = max(LEAST_BAR_CELLS, width - WORTH_TEXT_CELLS)
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(width=most, no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    for row in rows:
        shown = formats.signed_money(row.value)
        grid.add_row(row.label, _bar(row.value, longest, most, old=old), Text(shown, _tint(shown, old=old)))
    said = Text(f"{formats.worth_since(found)}, on {formats.money(found.capital)}", "dim")
    return Panel(Group(grid, said), title=title, title_align="left", style="dim" if old else "")


def pairs_table(view: View) -> RenderableType:
    """Return every pair: APR, announced rate, interval, basis, volume, and whether it may be entered or why not."""
    table = _table("Pair", "APR", "Announced", "Every", "Basis", "24 h volume", "Entry", "Why not")
    for row in view.pairs[:ROWS_SHOWN]:
        seen = row.seen
        table.add_row(
            seen.symbol,
            formats.apr(seen.apr),
            formats.rate(seen.predicted),
            "?" if seen.interval_hours is None else f"{seen.interval_hours} h",
            formats.signed_bps(seen.basis),
            formats.volume(seen.volume),
            "held" if row.held else "yes" if row.may_enter else "no",
            "; ".join(row.why_not),
        )
    return table if view.pairs else Text("No check has read the market yet.")


def decisions_table(view: View) -> RenderableType:
    """Return the decisions, newest first, each with how often it was made in a row."""
    table = _table("Since", "Times", "Decision", "Pair", "Why")
    for each in view.decisions[:ROWS_SHOWN]:
        why = f"{each.reason}: {each.detail}" if each.detail else each.reason
        table.add_row(formats.date_time(each.at), formats.count(each.count), each.action, each.symbol, why)
    return table if view.decisions else Text("No decision is known yet.")


# --- parts -----------------------------------------------------------------------------------------------------------


def _hedge(view: View, which: int) -> HedgeView | None:
    return view.hedges[which % len(view.hedges)] if view.hedges else None


def _card(title: str, rows: Iterable[tuple[str, str]], view: View) -> Panel:
    grid = Table.grid(padding=(0, 1), expand=True)
    # A label is shortened before a number is broken at blanks, and no number is cut.
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", overflow="fold")
    for label, value in rows:
        grid.add_row(label, Text(value, _tint(value, old=view.times.is_old)))
    return Panel(grid, title=title, title_align="left", style="dim" if view.times.is_old else "")


def _tint(value: str, *, old: bool) -> str:
    if old or "$" not in value:
        return ""
    return "green" if value.startswith("+$") else "red" if value.startswith(f"{formats.MINUS}$") else ""


def _meter(found: ForeseenExit, *, old: bool) -> Text:
    done = formats.share_done(found.distance)
    if done is None:
        return Text("?".center(METER_CELLS), "dim")
    filled = round(done * METER_CELLS)
    style = "" if old else "gold3" if done >= NEAR else "steel_blue"
    line = "\N{BOX DRAWINGS HEAVY HORIZONTAL}"
    return Text.assemble((line * filled, style), (line * (METER_CELLS - filled), "grey30"))


def _bar(value: Decimal | None, longest: Decimal, most: int, *, old: bool) -> Text:
    if value is None:
        return Text("?", "dim")
    cells = max(1, round(abs(value) / longest * most))
    style = "" if old else "red3" if value < 0 else "steel_blue"
    return Text("\N{BOX DRAWINGS HEAVY HORIZONTAL}" * cells, style)


def _way(found: ForeseenExit, view: View) -> str:
    distance = found.distance
    when = formats.exit_when(distance, view.times.now).replace("in about ", "~")
    text = f"{formats.exit_value(distance)}, acts at {formats.exit_limit(distance)}"
    return f"{text}, {when}" if when else text


def _shares(view: View) -> str:
    shares = view.series.shares if view.series else {}
    named = [f"{kind} {formats.percent(part, 1)}" for kind, part in shares.items()]
    return f": {', '.join(named)}" if named and cell_len(", ".join(named)) < 60 else ""  # noqa: PLR2004 - of 80 columns


def _packed(day: Sequence[DayMark], cells: int) -> Iterable[MarkKind]:
    order = list(MarkKind)
    for cell in range(cells):
        part = day[cell * len(day) // cells : max((cell + 1) * len(day) // cells, cell * len(day) // cells + 1)]
        yield max((mark.kind for mark in part), key=order.index)


def _leg_name(leg: JobLeg) -> str:
    return f"{formats.leg_name(leg.market)} {'bought' if leg.side is Side.BUY else 'sold'}"


def _progress(leg: JobLeg, base: str) -> str:
    return f"{formats.quantity(leg.filled, step=leg.step)} of {formats.quantity(leg.planned, base, leg.step)}"


def _table(*names: str) -> Table:
    table = Table(box=None, expand=True, pad_edge=False, header_style="bold")
    last = len(names) - 1
    for place, name in enumerate(names):
        numeric = name in {"APR", "Announced", "Every", "Basis", "24 h volume", "Times"}
        table.add_column(name, justify="right" if numeric else "left", no_wrap=place != last, overflow="fold")
    return table
