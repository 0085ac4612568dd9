"""The tabs below the cards: pairs, hedges, payments, decisions, health, log."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from hedgerow.dashboard import formats
from hedgerow.dashboard.view import HedgeView, PairRow, View
from hedgerow.domain.money import ZERO
from hedgerow.web.html import Html, element, join
from hedgerow.web.pages.parts import Cell, Panel, facts, figure, gain, nothing, panel, remark, table, time_of
from hedgerow.web.pages.state import Shown, as_of

__all__ = ["TABS", "decisions", "health", "hedges", "log", "pairs", "payments", "tabs"]

TABS: Final = ("pairs", "hedges", "payments", "decisions", "health", "log", "settings")
"""In the order of the tabs; each is the id of its panel."""
MOST_HEDGES: Final = 50
MOST_PAYMENTS: Final = 40
MOST_DECISIONS: Final = 30
_PAIRS: Final = (
    ("Pair", "l"),
    ("APR, mean", "apr"),
    ("Announced", ""),
    ("Every", ""),
    ("Entry basis", ""),
    ("24 h volume", ""),
    ("Entry", "l"),
    ("Why", "why"),
)
_HEDGES: Final = (
    ("Pair", "l"),
    ("Opened, UTC", ""),
    ("Held", ""),
    ("One leg", ""),
    ("APR then", ""),
    ("Funding", ""),
    ("Basis", ""),
    ("Fees", ""),
    ("Net", "net"),
    ("Ended because", "why"),
)
_PAYMENTS: Final = (("Settled, UTC", "l"), ("Pair", "l"), ("Amount", ""))
_DECISIONS: Final = (("Last, UTC", "l"), ("Decision", "l"), ("Pair", "l"), ("Reason", "why"), ("Times", ""))


def tabs() -> Panel:
    """Return the row of tabs: links to the panels, which stand below each other without a script."""
    links = (element("a", name.capitalize(), href=f"#{name}", data_tab=name) for name in TABS)
    return Panel(name="tabs", html=element("nav", *links, id="tabs", class_="tabs c12", aria_label="Tables"))


def pairs(shown: Shown) -> Panel:
    """Return every pair, the most attractive first, and why it may not be entered."""
    view = shown.view
    rows = [_pair(view, pair, f"pairs.{index}.seen") for index, pair in enumerate(view.pairs)]
    body = table("Pairs", _PAIRS, rows, "pairs") if rows else nothing("No pair was read yet.")
    return panel("pairs", f"Pairs{as_of(view)}", body, kind="c12 tab t-pairs")


def _pair(view: View, pair: PairRow, key: str) -> list[Html | str | Cell]:
    seen = pair.seen
    kind, word = ("held", "held") if pair.held else ("ok", "passes") if pair.may_enter else ("no", "no")
    why = "; ".join(pair.why_not)
    if not why:
        why = (
            "it is held"
            if pair.held
            else "openings are halted"
            if view.halts
            else "it passes every filter but depth, which is read before an opening"
        )
    return [
        seen.symbol,
        figure(f"{key}.apr", formats.apr(seen.apr)),
        figure(f"{key}.predicted", formats.rate(seen.predicted)),
        formats.UNKNOWN if seen.interval_hours is None else f"{seen.interval_hours} h",
        figure(f"{key}.basis", formats.signed_bps(seen.basis)),
        figure(f"{key}.volume", formats.volume(seen.volume)),
        element("span", word, class_=f"tag {kind}"),
        why,
    ]


def hedges(shown: Shown) -> Panel:
    """Return every hedge, newest first, with the parts of what it made."""
    view = shown.view
    rows = [_live(view, hedge, f"hedges.{index}") for index, hedge in enumerate(view.hedges)]
    for index, row in enumerate(view.closed[:MOST_HEDGES]):
        key = f"closed.{index}"
        rows.append(
            [
                row.symbol,
                formats.date_time(row.opened_at),
                formats.duration(row.closed_at - row.opened_at),
                figure(f"{key}.notional", formats.whole_money(row.notional)),
                figure(f"{key}.entry_apr", formats.apr(row.entry_apr)),
                gain(f"{key}.funding", row.funding),
                gain(f"{key}.basis", row.basis),
                gain(f"{key}.fees", -row.fees if row.fees else ZERO),
                gain(f"{key}.net", row.net),
                row.reason,
            ]
        )
    more = len(view.closed) - MOST_HEDGES
    body = table("Hedges, newest first", _HEDGES, rows) if rows else nothing("No hedge was opened yet.")
    note = f"and {more} earlier ones: hedgerow books" if more > 0 else ""
    return panel("hedges", f"Hedges, newest first{as_of(view)}", body, remark(note), kind="c12 tab t-money")


def _live(view: View, hedge: HedgeView, key: str) -> list[Html | str | Cell]:
    result = hedge.result
    return [
        hedge.symbol,
        formats.date_time(hedge.opened_at),
        formats.duration(max(view.times.now - hedge.opened_at, timedelta())),
        figure(f"{key}.entry_notional", formats.whole_money(hedge.entry_notional)),
        figure(f"{key}.entry_apr", formats.apr(hedge.entry_apr)),
        gain(f"{key}.funding_received", hedge.funding_received),
        gain(f"{key}.result.basis", result.basis if result else None),
        gain(f"{key}.fees_paid", -hedge.fees_paid if hedge.fees_paid else ZERO),
        gain(f"{key}.result.net_so_far", result.net_so_far if result else None),
        "being opened" if hedge.is_opening else "still open",
    ]


def payments(shown: Shown) -> Panel:
    """Return the booked funding payments, newest first, with their sums by day, week and month."""
    view = shown.view
    rows: list[list[Html | str | Cell]] = [
        [formats.date_time(each.at), each.symbol, gain(f"payments.{index}.amount", each.amount)]
        for index, each in enumerate(view.payments[:MOST_PAYMENTS])
    ]
    now = view.times.now
    oldest = view.payments[-1].at if view.payments else now
    sums = [
        (name, formats.signed_money(_since(view, now - timedelta(days=days))))
        for name, days in (("24 hours", 1), ("7 days", 7), ("30 days", 30))
        if oldest <= now - timedelta(days=days) or len(view.payments) < MOST_PAYMENTS
    ]
    body = table("Payments, newest first", _PAYMENTS, rows) if rows else nothing("No payment was booked yet.")
    note = "All of them: hedgerow books --csv" if len(view.payments) >= MOST_PAYMENTS else ""
    return panel(
        "payments", f"Payments, newest first{as_of(view)}", facts(*sums), body, remark(note), kind="c12 tab t-money"
    )


def _since(view: View, at: datetime) -> Decimal:
    return sum((each.amount for each in view.payments if each.at > at), ZERO)


def decisions(shown: Shown) -> Panel:
    """Return the decisions, newest first; one that was made again in a row is one line with its count."""
    view = shown.view
    newest = sorted(enumerate(view.decisions), key=lambda each: each[1].until, reverse=True)[:MOST_DECISIONS]
    rows: list[list[Html | str | Cell]] = [
        [
            time_of(each.until, formats.date_time(each.until)),
            element("b", each.action.capitalize()),
            each.symbol or "openings",
            f"{each.reason}: {each.detail}" if each.detail and each.reason else each.reason or each.detail,
            figure(f"decisions.{index}.count", f"{formats.count(each.count)}\N{MULTIPLICATION SIGN}"),
        ]
        for index, each in newest
    ]
    body = table("Decisions, newest first", _DECISIONS, rows) if rows else nothing("No decision was made yet.")
    return panel("decisions", f"Decisions, newest first{as_of(view)}", body, kind="c12 tab t-log")


def health(shown: Shown) -> Panel:
    """Return how well the bot sees: what is unread, streams, clock, request budget, books."""
    view, found = shown.view, shown.view.health
    times = view.times
    streams = formats.UNKNOWN if found.streams is None else f"{formats.count(found.streams_up)} of {found.streams}"
    differences = ", ".join(f"{name} {formats.quantity(value)}" for name, value in sorted(found.differences.items()))
    listeners = ", ".join(f"{name} {number}" for name, number in sorted(found.listener_failures.items()))
    left = facts(
        ("Process", f"{view.process.state.value}{f', number {view.process.pid}' if view.process.pid else ''}"),
        ("Last heartbeat", time_of(times.last_beat, formats.ago(times.last_beat, times.now))),
        ("Started", time_of(times.started_at, f"{formats.date_time(times.started_at)} UTC")),
        ("Last check ended", time_of(times.checked_at, formats.ago(times.checked_at, times.now))),
        ("Exchange read", time_of(times.read_at, formats.ago(times.read_at, times.now))),
        ("Not read at the last check", ", ".join(found.unread) or "nothing"),
        ("Why the last check failed", found.failure or "it did not"),
    )
    right = facts(
        ("Streams up", streams),
        ("Request budget left", figure("health.request_budget", formats.percent(found.request_budget, 0))),
        ("Key expires", time_of(found.key_expires_at, f"{formats.date_time(found.key_expires_at)} UTC")),
        ("Exchange's clock ahead by", figure("health.clock_skew_seconds", formats.seconds(found.clock_skew_seconds))),
        ("Exchange less books", differences or "no difference is known"),
        ("Orders of unknown outcome", figure("health.doubtful_orders", formats.count(found.doubtful_orders))),
        ("What contradicts itself", "; ".join(found.doubts) or "nothing"),
        ("Views that failed", listeners or "none"),
    )
    halts = [
        remark(f"Openings halted since {formats.date_time(halt.since)} UTC: {halt.reason}: {halt.detail}")
        for halt in view.halts
    ]
    dust = [
        remark(f"Dust: {formats.quantity(each.quantity, each.asset)}, kept at {formats.money(each.cost)}")
        for each in view.dust
    ]
    foreign = [remark(f"Not the bot's: {text}") for text in view.foreign]
    body = element("div", left, right, class_="halves")
    return panel("health", f"Health{as_of(view)}", body, *halts, *dust, *foreign, kind="c12 tab t-log")


def log(lines: Sequence[str]) -> Panel:
    """Return the newest lines of the log file, with a filter by level that needs no script."""
    if not lines:
        return panel("log", "Log", nothing("There is no log file yet."), kind="c12 tab t-log")
    shown_lines = join(element("span", f"{line}\n", class_=_level(line)) for line in lines)
    listed = element("pre", shown_lines, class_="log", tabindex="0", role="group", aria_label="Log, newest last")
    choice = element(
        "label",
        Html('<input type="checkbox" class="only-warnings" id="only-warnings">'),
        " only warnings and errors",
        class_="filter",
    )
    return panel("log", f"Log, the newest {len(lines)} lines", choice, listed, kind="c12 tab t-log")


def _level(line: str) -> str:
    upper = line.upper()
    if "ERROR" in upper or "ALARM" in upper:
        return "error"
    return "warning" if "WARN" in upper else "info"
