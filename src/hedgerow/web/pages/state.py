"""The bar and the state strip: which bot it is, what it is doing, and the buttons of its operator."""

import re
from typing import Final

from msgspec import Struct

from hedgerow.dashboard import formats
from hedgerow.dashboard.bot_state import BotState, ProcessState, Severity, StateReport
from hedgerow.dashboard.status_lines import COMMAND, OPTIONS
from hedgerow.dashboard.view import HedgeView, View
from hedgerow.domain.run_identity import RunMode
from hedgerow.web.access import Role
from hedgerow.web.html import Html, element, join
from hedgerow.web.pages.parts import Panel, time_of

__all__ = ["TRADING", "Shown", "as_of", "bar", "commands", "state_kind", "strip"]

TRADING: Final = frozenset({BotState.OPENING, BotState.CLOSING, BotState.REPAIRING, BotState.NAKED})
UNSEEN: Final = frozenset({BotState.BLIND, BotState.DOWN, BotState.STOPPED})
"""In these, figures are those of an earlier reading."""
_KINDS: Final = {Severity.OK: "ok", Severity.BUSY: "busy", Severity.WARNING: "warn", Severity.ALARM: "alarm"}
_DOT: Final = " \N{MIDDLE DOT} "
_CODE: Final = re.compile(r"`([^`]+)`")
BUTTONS: Final = frozenset({Role.OPERATOR})


class Shown(Struct, frozen=True, kw_only=True):
    """What a page is made for: a bot, a session, and what was chosen on it."""

    view: View
    base: str
    """Address of the bot's pages, without the slash at its end."""
    role: Role
    csrf: str
    several_bots: bool = False
    chosen: str = ""
    """Id of the hedge that is shown of several; empty = all together."""
    notice: str = ""
    """How the request that led here ended."""

    @property
    def trading(self) -> bool:
        """Whether a trade is in flight: what the last check found contradicts it."""
        return self.view.report.state in TRADING

    @property
    def hedge(self) -> tuple[int, HedgeView] | None:
        """The hedge that has the screen, and its place in the view; None = there is none, or all of several."""
        hedges = self.view.hedges
        found = next(((i, each) for i, each in enumerate(hedges) if each.hedge_id == self.chosen), None)
        return found or ((0, hedges[0]) if len(hedges) == 1 else None)

    @property
    def may_act(self) -> bool:
        """Whether buttons are shown."""
        return self.role is Role.OPERATOR


def as_of(view: View) -> str:
    """Return what stands behind headings while figures are old; empty while they are not."""
    old = view.times.is_old or view.report.state in UNSEEN
    if not old:
        return ""
    at = view.times.read_at or view.times.last_beat
    return "" if at is None else f"{_DOT}as of {formats.clock_time(at, view.times.now)}"


def state_kind(report: StateReport) -> str:
    """Return the class of a state's colour."""
    calm = report.severity is Severity.OK and report.state not in {BotState.HEDGED, BotState.HALTED_HEDGED}
    return "idle" if calm else _KINDS[report.severity]


def bar(shown: Shown) -> Panel:
    """Return the bar: name, mode, bot, venue, policy, account, and whether figures are live."""
    view, who = shown.view, shown.view.identity
    mode = who.mode
    kind = "live" if mode is RunMode.LIVE else "paper"
    names = [part for part in (who.name, who.venue, who.policy, who.account) if part]
    stale = bool(as_of(view))
    home = element("a", "Hedgerow", href="/", class_="brand")
    logout = element(
        "form",
        Html(f'<input type="hidden" name="csrf" value="{shown.csrf}">'),
        element("button", "Sign out", type="submit"),
        method="post",
        action="/logout",
    )
    pulse = element("span", Html("<b></b>"), "stale" if stale else "live", class_="pulse stale" if stale else "pulse")
    mini = element("span", view.report.title, class_=f"mini {state_kind(view.report)}", aria_hidden="true")
    parts = (
        home,
        mini,
        element("span", mode.value if mode else formats.UNKNOWN, class_=f"mode {kind}"),
        element("span", _DOT.join(names), class_="where"),
        Html('<span class="grow"></span>'),
        pulse,
        element("span", "look only", class_="role") if not shown.may_act else "",
        logout,
    )
    return Panel(name="bar", html=element("header", *parts, id="bar", class_="bar"))


def strip(shown: Shown) -> Panel:
    """Return the state strip: title, what the bot does about it, what the user can do, since when."""
    view, report = shown.view, shown.view.report
    kind = state_kind(report)
    said = element(
        "div",
        element("div", element("h1", report.title), role="status"),
        element("p", commands(report.does, view), class_="does"),
        element("p", commands(report.can_do, view), class_="can") if report.can_do else "",
        element("p", join(_when(view)), class_="when"),
        element("p", shown.notice, class_="notice", role="alert") if shown.notice else "",
        class_="say",
    )
    section = element("section", said, _buttons(shown), id="strip", class_=f"c12 state {kind} t-now t-act")
    return Panel(name="strip", html=section)


def commands(text: str, view: View) -> Html:
    """Return a sentence with its commands as code, each with the options that mean this bot."""
    option = OPTIONS.get(view.identity.mode, "") if view.identity.mode else ""
    named = COMMAND.sub(rf"\g<0>{option}", text)
    parts = _CODE.split(named)
    return join(element("code", part) if index % 2 else part for index, part in enumerate(parts))


def _when(view: View) -> list[Html]:
    times = view.times
    found: list[Html] = []
    if times.since is not None:
        found.append(
            time_of(times.since, f"for {formats.duration(max(times.now - times.since, times.now - times.now))}")
        )
    if times.read_at is not None:
        found.append(time_of(times.read_at, f"read {formats.ago(times.read_at, times.now)}"))
    if times.checking_since is not None and view.process.state is ProcessState.RUNNING:
        found.append(time_of(times.checking_since, "checking now"))
    elif times.next_check_at is not None and view.process.state is ProcessState.RUNNING:
        found.append(time_of(times.next_check_at, f"next check in {formats.countdown(times.next_check_at, times.now)}"))
    separated: list[Html] = []
    for part in found:
        separated += [Html(_DOT), part] if separated else [part]
    return separated


def _buttons(shown: Shown) -> Html:
    """Return the buttons of an operator while a bot runs: links to pages that ask again, also without a script."""
    if not shown.may_act or shown.view.process.state is not ProcessState.RUNNING:
        return Html("")
    view, base = shown.view, shown.base
    halted = bool(view.halts)
    first = (
        _link("Resume openings\N{HORIZONTAL ELLIPSIS}", f"{base}/resume")
        if halted
        else _link("Halt openings", f"{base}/halt")
    )
    buttons = [first]
    if view.hedges:
        buttons.append(_link("On exit\N{HORIZONTAL ELLIPSIS}", f"{base}/on-exit"))
    if view.hedges or view.jobs:
        buttons.append(_link("Close\N{HORIZONTAL ELLIPSIS}", _close_address(shown), kind="hard"))
    return element("nav", *buttons, class_="acts", aria_label="Controls")


def _close_address(shown: Shown) -> str:
    hedge = shown.hedge
    return f"{shown.base}/close" if hedge is None else f"{shown.base}/close?hedge={hedge[1].hedge_id}"


def _link(text: str, address: str, *, kind: str = "") -> Html:
    return element("a", text, href=address, class_=f"button {kind}".strip(), data_dialog="")
