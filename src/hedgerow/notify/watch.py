"""Alerts that follow from no event of the log: what is seen of a bot from outside, from one look to the next. Pure.

``Watch`` is what was seen last and is kept on disk, so that nothing is reported twice after a restart of the companion.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import ProcessState
from hedgerow.dashboard.formats import clock_time, date_time, duration, percent, price, quantity
from hedgerow.dashboard.view import HedgeView, View
from hedgerow.notify.alerts import Alert, AlertKind, AlertLevel, alert_of

__all__ = ["Watch", "watched"]

BLIND_FOR: Final = timedelta(minutes=5)
"""A venue that cannot be read for so long is reported; a single reply that was lost is not."""
EXPIRES_SOON: Final = timedelta(days=7)
EXPIRES_NOW: Final = timedelta(days=1)
DEAD: Final = frozenset({ProcessState.GONE, ProcessState.SILENT})
SHOWN_CHANGES: Final = 8
_GRADES: Final = ("", AlertLevel.WARN, AlertLevel.PAGE)


class Watch(Struct, frozen=True, kw_only=True):
    """What was seen last of one bot."""

    process: ProcessState | None = None
    """None = nothing was seen yet: what is found first is reported to no one."""
    pid: int | None = None
    started_at: datetime | None = None
    awaits_start: bool = False
    """Whether a start was reported, and the time of it is not known yet."""
    silent: bool = False
    """Whether it did not answer at the last look: a machine that wakes up looks so once."""
    dead_reported: bool = False
    blind_since: datetime | None = None
    """Of the time that was reported."""
    margins: Mapping[str, str] = field(default_factory=dict[str, str])
    """Level of the low margin that was reported, by pair, until it is well again."""
    intervals: Mapping[str, int] = field(default_factory=dict[str, int])
    """Funding interval of the held pairs, hours."""
    foreign: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()
    """``wallet:asset`` of the books' differences that were reported, until they are explained."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """In force."""
    announced: Mapping[str, str] = field(default_factory=dict[str, str])
    """Settings that an event of the log has reported as changed, until they are seen in force."""
    key_reported: str = ""
    """Expiry that was reported, and how near it was."""


_Step = tuple[Watch, list[Alert]]


def watched(watch: Watch, view: View) -> tuple[Watch, tuple[Alert, ...]]:
    """Return what is seen now, and the alerts that follow from the difference."""
    seen, alerts = watch, list[Alert]()
    for step in (_process, _venue, _margins, _intervals, _foreign, _books, _settings, _key):
        seen, found = step(seen, view)
        alerts += found
    return seen, tuple(alerts)


def _held(view: View) -> str:
    symbols = ", ".join(hedge.symbol for hedge in view.hedges)
    return f"{symbols} stays on the exchange, unwatched" if symbols else "nothing is held"


# --- the process -----------------------------------------------------------------------------------------------------


def _process(watch: Watch, view: View) -> _Step:
    process, started = view.process, view.times.started_at
    seen = replace(watch, process=process.state, pid=process.pid or watch.pid, started_at=started)
    if process.state is ProcessState.RUNNING:
        return _running(watch, replace(seen, silent=False, dead_reported=False), view)
    if process.state is ProcessState.SILENT and not watch.silent:
        return replace(seen, process=watch.process, silent=True), []
    if process.state in DEAD and not watch.dead_reported:
        return replace(seen, dead_reported=True), [_dead(view)]
    if process.state is ProcessState.STOPPED and watch.process is ProcessState.RUNNING:
        return replace(seen, dead_reported=False), [_stopped(view)]
    return seen, []


def _running(watch: Watch, seen: Watch, view: View) -> _Step:
    """Report a process that did not run at the last look; in a container each one has the same number."""
    dated = seen.started_at != watch.started_at
    if watch.process is None:
        return seen, []
    resumed = watch.process in {ProcessState.RUNNING, ProcessState.SILENT}
    if resumed and view.process.pid == watch.pid and (not dated or watch.awaits_start):
        back = [_answers_again(view)] if watch.dead_reported else []
        return (replace(seen, awaits_start=False) if dated else seen), back
    return replace(seen, awaits_start=not dated), [_restarted(watch, view)]


_BEFORE: Final = {
    ProcessState.STOPPED: "it had been stopped",
    ProcessState.GONE: "the process before it had died",
    ProcessState.SILENT: "the process before it did not answer",
    ProcessState.NEVER: "it runs here for the first time",
    ProcessState.RUNNING: "the process before it has ended since the last look",
}


def _restarted(watch: Watch, view: View) -> Alert:
    first = watch.process is ProcessState.NEVER
    name = f" (process {view.process.pid})" if view.process.pid else ""
    what = f"The bot was {'' if first else 're'}started{name}"
    return alert_of(AlertKind.RESTARTED, view.times.now, what, _BEFORE[watch.process or ProcessState.NEVER])


def _answers_again(view: View) -> Alert:
    what = f"The bot answers again (process {view.process.pid})"
    return alert_of(
        AlertKind.RESTARTED, view.times.now, what, "it is the process that did not answer", does="It goes on."
    )


def _dead(view: View) -> Alert:
    process, now = view.process, view.times.now
    half = ", a trade is half done" if view.job else ""
    beat = f"last heartbeat {clock_time(process.last_beat, now)}" if process.last_beat else "no heartbeat"
    how = "does not answer" if process.state is ProcessState.SILENT else "is gone without a regular end"
    name = f"process {process.pid}" if process.pid else "its process"
    return alert_of(AlertKind.DEAD, now, f"The bot is dead: {name} {how}", f"{beat}; {_held(view)}{half}")


def _stopped(view: View) -> Alert:
    level = AlertLevel.WARN if view.hedges else None
    return alert_of(
        AlertKind.STOPPED, view.times.now, "The bot has stopped", f"a regular end; {_held(view)}", level=level
    )


# --- what it reads ---------------------------------------------------------------------------------------------------


def _venue(watch: Watch, view: View) -> _Step:
    times = view.times
    since, now = times.blind_since, times.now
    if view.process.state is not ProcessState.RUNNING:
        return watch, []
    if since is None:
        if watch.blind_since is None:
            return watch, []
        lasted = duration(max(now - watch.blind_since, timedelta()))
        back = alert_of(AlertKind.VENUE_BACK, now, "The exchange can be read again", f"after {lasted}")
        return replace(watch, blind_since=None), [back]
    if watch.blind_since is not None or now - since < BLIND_FOR:
        return watch, []
    missing = ", ".join(view.health.unread) or view.health.failure or "market and account"
    down = alert_of(
        AlertKind.VENUE_DOWN,
        now,
        f"The exchange cannot be read since {clock_time(since, now)}",
        f"not read: {missing}",
        level=None if view.hedges else AlertLevel.WARN,
    )
    return replace(watch, blind_since=since), [down]


def _margins(watch: Watch, view: View) -> _Step:
    reported: dict[str, str] = {}
    alerts: list[Alert] = []
    for hedge in view.hedges:
        grade = _margin_grade(hedge)
        if grade is None:
            reported |= {hedge.symbol: watch.margins[hedge.symbol]} if hedge.symbol in watch.margins else {}
            continue
        before = watch.margins.get(hedge.symbol, "")
        if grade:
            reported[hedge.symbol] = grade
        if grade and _GRADES.index(grade) > _GRADES.index(before):
            alerts.append(_margin_low(hedge, AlertLevel(grade), view.times.now))
    return replace(watch, margins=reported), alerts


def _margin_grade(hedge: HedgeView) -> str | None:
    """Return the level of a low margin, empty where it is well; None where it is not known."""
    distance, bounds = hedge.liquidation_distance, hedge.bounds
    if hedge.level is None or distance is None:
        return None if hedge.level is None else ""
    if distance < bounds.reduce:
        return AlertLevel.PAGE
    return AlertLevel.WARN if distance < bounds.top_up else ""


def _margin_low(hedge: HedgeView, level: AlertLevel, now: datetime) -> Alert:
    bounds = hedge.bounds
    reduces, closes = percent(bounds.reduce), percent(bounds.close_distance)
    does = {
        AlertLevel.WARN: f"It moves idle USDT to the margin; below {reduces} it closes a part of both legs.",
        AlertLevel.PAGE: f"It closes a part of both legs; below {closes} all of them.",
    }[level]
    return alert_of(
        AlertKind.MARGIN_LOW,
        now,
        f"Margin low on {hedge.symbol}: liquidation is {percent(hedge.liquidation_distance)} away",
        f"the price rose towards the liquidation price {price(hedge.liquidation_price)}",
        symbol=hedge.symbol,
        level=level,
        does=does,
    )


def _intervals(watch: Watch, view: View) -> _Step:
    now = {hedge.symbol: hedge.funding.next.interval_hours for hedge in view.hedges if hedge.funding.next}
    held = {hedge.symbol for hedge in view.hedges}
    kept = {symbol: hours for symbol, hours in watch.intervals.items() if symbol in held}
    alerts = [
        alert_of(
            AlertKind.INTERVAL_CHANGED,
            view.times.now,
            f"{symbol} is paid every {hours} h now, not every {kept[symbol]} h",
            "the exchange changed the funding interval",
            symbol=symbol,
        )
        for symbol, hours in now.items()
        if kept.get(symbol, hours) != hours
    ]
    return replace(watch, intervals={**kept, **now}), alerts


def _foreign(watch: Watch, view: View) -> _Step:
    if view.times.read_at is None or view.times.blind_since is not None:
        return watch, []
    # A line names quantities, which move: the pair is what makes it the same one.
    reported = set(map(_pair, watch.foreign))
    alerts = [
        alert_of(
            AlertKind.FOREIGN_POSITION,
            view.times.now,
            "A position on the account is not the bot's",
            line,
            symbol=_pair(line),
        )
        for line in view.foreign
        if _pair(line) not in reported
    ]
    return replace(watch, foreign=view.foreign), alerts


def _books(watch: Watch, view: View) -> _Step:
    found = view.health.differences
    seen = replace(watch, differences=tuple(sorted(found)))
    if set(found) <= set(watch.differences) or any(halt.amount for halt in view.halts):
        return seen, []  # a halt about missing money was reported by its event
    parts = (f"{place} {quantity(each)}" for place, each in sorted(found.items()))
    what, why = "The books differ from the exchange", f"the exchange shows more by: {', '.join(parts)}"
    return seen, [alert_of(AlertKind.BOOKS_DIFFER, view.times.now, what, why, level=AlertLevel.WARN)]


def _pair(line: str) -> str:
    """Return the pair that a line about a position names."""
    words = (word.strip(",.:;") for word in line.split())
    return next((word for word in words if word.endswith("USDT") and word != "USDT"), line)


def _key(watch: Watch, view: View) -> _Step:
    until, now = view.health.key_expires_at, view.times.now
    left = None if until is None else until - now
    near = "" if left is None or left > EXPIRES_SOON else "now" if left <= EXPIRES_NOW else "soon"
    reported = f"{until} {near}"
    if until is None or left is None or not near or watch.key_reported == reported:
        return watch, []
    what = f"The agent key {'has expired' if left <= timedelta() else f'expires in {duration(left)}'}"
    level = AlertLevel.PAGE if near == "now" else None
    why = f"it is valid until {date_time(until)} UTC"
    return replace(watch, key_reported=reported), [alert_of(AlertKind.KEY_EXPIRING, now, what, why, level=level)]


# --- settings --------------------------------------------------------------------------------------------------------


def _settings(watch: Watch, view: View) -> _Step:
    now = view.settings
    if not now or now == watch.settings:
        return watch, []
    reported = {name: value for name, value in watch.announced.items() if now.get(name) == value}
    seen = replace(watch, settings=dict(now), announced={n: v for n, v in watch.announced.items() if n not in reported})
    changes = list(_changes({**watch.settings, **reported}, now)) if watch.settings else []
    if not changes:
        return seen, []
    more = len(changes) - SHOWN_CHANGES
    why = "; ".join(changes[:SHOWN_CHANGES]) + (f"; and {more} more" if more > 0 else "")
    return seen, [alert_of(AlertKind.SETTINGS_CHANGED, view.times.now, "The bot runs with other settings", why)]


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        old, new = before.get(name, "not set"), now.get(name, "not set")
        if old != new:
            yield f"{name}: {old} -> {new}"
