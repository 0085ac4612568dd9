"""``hedgerow status`` as lines: hedged or not, the result of closing now, whether a bot runs, what comes next. Pure.

Five lines, and one more for each halt, trade in flight, dust, or position that is not the bot's. A line is a label and
a text that may be wrapped at blanks; a figure contains no blank at which a break would make it unreadable.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from math import inf

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.dashboard.bot_state import BotState, Process, ProcessState, Severity, StateReport
from hedgerow.dashboard.outlook import HeldOutlook, Outlook
from hedgerow.domain.execution import ExecutionState, HedgeExecution
from hedgerow.domain.formats import (
    amount,
    duration,
    legs_differ,
    percent,
    quantity,
    signed_amount,
    signed_percent,
    utc_minute,
    utc_second,
)
from hedgerow.domain.instrument import Market
from hedgerow.domain.ledger.state import Ledger, StandingHalt
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.domain.run_identity import EMULATED_ACCOUNT, GENERATED_MARKET, RunIdentity, RunMode
from hedgerow.strategy.decisions.distances import ExitDistance, ExitUnit
from hedgerow.strategy.hedge_result import StrategyResult, strategy_result

__all__ = ["BotView", "StatusLine", "exit_text", "halt_remedy", "since_the_start", "status_lines"]

OLD = timedelta(minutes=15)
"""Figures of a reading that is older than this and its interval say when they were read."""

TRADING = frozenset({BotState.OPENING, BotState.CLOSING, BotState.REPAIRING, BotState.NAKED})
"""While these last, what the last check found of the hedge contradicts what is being traded."""
OPTIONS = {RunMode.PAPER: " --paper", RunMode.DRY_RUN: " --dry-run"}
"""What makes a command mean the bot of a mode; without it the command means the live bot of the same home."""
COMMAND = re.compile(r"`hedgerow (?!doctor)\w+")
"""A command that a line names; ``hedgerow doctor`` checks the live bot only."""


class BotView(Struct, frozen=True, kw_only=True):
    """Everything that a screen shows of one bot."""

    ledger: Ledger
    process: Process
    outlook: Outlook | None
    report: StateReport
    now: datetime
    """By the bot's own clock."""

    @property
    def held(self) -> HeldOutlook | None:
        """The last reading of the hedge that is held now."""
        held, hedge = (self.outlook.held if self.outlook else None), self.ledger.largest
        return held if held and hedge and held.hedge_id == hedge.hedge_id else None

    @property
    def several(self) -> tuple[HeldOutlook, ...]:
        """The last readings of the open hedges where several are held, the most endangered first; else none."""
        outlook, live = self.outlook, self.ledger.live_hedges
        known = () if outlook is None else (outlook.held, *outlook.others)
        ids = {hedge.hedge_id for hedge in live}
        found = [each for each in known if each is not None and each.hedge_id in ids]
        return tuple(sorted(found, key=_danger)) if len(live) > 1 else ()

    def reading_of(self, hedge: HedgedPosition) -> HeldOutlook | None:
        """Return the last reading of a hedge."""
        known = () if self.outlook is None else (self.outlook.held, *self.outlook.others)
        return next((each for each in known if each is not None and each.hedge_id == hedge.hedge_id), None)

    @property
    def is_old(self) -> bool:
        """Whether the last reading is older than a check's interval allows, or no bot reads any more."""
        held, outlook = self.held, self.outlook
        if held is None or outlook is None:
            return False
        late = OLD + timedelta(seconds=outlook.interval_seconds)
        watched = self.process.state is ProcessState.RUNNING and outlook.blind_since is None
        return not watched or self.now - held.at > late


class StatusLine(Struct, frozen=True, kw_only=True):
    """A label and a text."""

    label: str
    text: str
    severity: Severity = Severity.OK


def status_lines(view: BotView, identity: RunIdentity) -> tuple[StatusLine, ...]:
    """Return the lines, the most important first; each command that they name has the options of this bot."""
    option = OPTIONS.get(identity.mode, "")
    named = (replace(line, text=COMMAND.sub(rf"\g<0>{option}", line.text)) for line in _lines(view, identity))
    return tuple(named)


def since_the_start(view: BotView) -> StrategyResult:
    """Return the result of the whole log: by the prices that the bot has read last, else without."""
    known = view.outlook.strategy if view.outlook else None
    if known is not None and known.ended == view.ledger.totals:
        return known
    others = [each.result for each in view.several if each is not view.held]
    prices: Mapping[str, Decimal] = view.outlook.coin_prices if view.outlook else {}
    return strategy_result(view.ledger, view.held.result if view.held else None, prices, others)


def halt_remedy(halt: StandingHalt) -> str:
    """Return how a halt ends."""
    return "ends by itself once its cause is gone" if halt.lifts_itself else "ended by `hedgerow resume`"


# --- the lines -------------------------------------------------------------------------------------------------------


def _lines(view: BotView, identity: RunIdentity) -> tuple[StatusLine, ...]:
    return (
        StatusLine(label="Position", text=_position(view), severity=view.report.severity),
        *_halts(view),
        *_in_flight(view),
        StatusLine(label="Result", text=_result(view)),
        StatusLine(label="Bot", text=_bot(view, identity)),
        StatusLine(label="Next", text=_next(view)),
        StatusLine(label="To do", text=f"{view.report.can_do}"),
        *_beside(view),
    )


def _position(view: BotView) -> str:
    title, hedge = view.report.title, view.ledger.foremost
    if hedge is None or view.report.state in {BotState.NAKED, BotState.REPAIRING}:
        return title
    if len(view.ledger.live_hedges) > 1:
        return f"{title}: {_balances(view)}"
    named = hedge.symbol in title
    return f"{title}{',' if named else f'; {hedge.symbol}'} {_balance(view, hedge, view.held)}"


def _danger(held: HeldOutlook) -> tuple[bool, float]:
    """Return the smaller, the more endangered: what the health check finds wrong, then how near liquidation is."""
    distance = held.health.liquidation_distance
    return not held.health.findings, inf if distance is None else distance


def _balances(view: BotView) -> str:
    """Return the balance of each of several hedges, the most endangered first, and what they are worth together."""
    order = {held.hedge_id: rank for rank, held in enumerate(view.several)}
    hedges = sorted(view.ledger.live_hedges, key=lambda hedge: order.get(hedge.hedge_id, -1))
    each = (f"{hedge.symbol} {_balance(view, hedge, view.reading_of(hedge))}" for hedge in hedges)
    together = sum((hedge.entry_notional for hedge in hedges), ZERO)
    return f"{'; '.join(each)}; together {amount(together)} a leg"


def _balance(view: BotView, hedge: HedgedPosition, held: HeldOutlook | None) -> str:
    """Return by how much the coins exceed the short, by the last reading, or by the log without one."""
    spot, short = (held.spot_quantity, held.short) if held else (hedge.spot_quantity, hedge.short)
    difference, larger = spot - short, max(spot, short)
    if not larger:
        return _nothing_filled(view)
    price = (held.prices.spot if held else None) or hedge.entry_price
    return legs_differ(signed_percent(float(difference / larger), 3), signed_amount(difference * price))


def _nothing_filled(view: BotView) -> str:
    """Return that nothing is filled, as far as it is known: an order may have filled since it was last read."""
    job = view.ledger.shown_job
    unknown = job is not None and job.state is ExecutionState.RESOLVING
    if unknown or view.process.state is not ProcessState.RUNNING:
        return "nothing filled that the log knows of; an order may have been filled since"
    return "nothing filled yet"


def _halts(view: BotView) -> Iterator[StatusLine]:
    halt = view.ledger.halt
    if halt is not None:
        since = f"since {utc_second(halt.since)} UTC"
        text = f"{halt.reason.value}: {halt.detail} ({since}; {halt_remedy(halt)})"
        yield StatusLine(label="Halted", text=text, severity=Severity.WARNING)


def _in_flight(view: BotView) -> Iterator[StatusLine]:
    job = view.ledger.shown_job
    if job is not None:
        legs = ", ".join(_leg(job, market) for market in Market)
        lasts = duration(max(view.now - job.started_at, timedelta()))
        text = f"{job.kind.value} {job.symbol} for {lasts}: {job.state.value}; {legs}"
        yield StatusLine(label="In flight", text=text, severity=Severity.BUSY)


def _leg(job: HedgeExecution, market: Market) -> str:
    planned = job.plan.spot_quantity if market is Market.SPOT else job.plan.perp_quantity
    return f"{market} {quantity(job.leg(market).filled)} of {quantity(planned)}"


def _result(view: BotView) -> str:
    held, hedge, whole = view.held, view.ledger.foremost, since_the_start(view)
    ended = f"{signed_amount(whole.ended.net_profit)} by ended hedges"
    start = ended if whole.net_if_closed is None else f"{signed_amount(whole.net_if_closed)} since the start"
    if view.report.state in TRADING:
        return f"known when the trade has ended; {ended} before it"
    if hedge is None:
        return f"{start}, {whole.ended.closed} hedge{'' if whole.ended.closed == 1 else 's'} closed"
    if len(view.ledger.live_hedges) > 1:
        return f"{_together(view)}, {start}{_as_of(view)}"
    net = held.result.net_if_closed if held else None
    if held is None or net is None:
        known = f"funding {signed_amount(hedge.funding_received)}, fees {amount(hedge.tally.fees)}"
        return f"not known without prices ({known}); {ended}"
    as_of = _as_of(view)
    part = signed_percent(held.result.net_on_notional)
    closed = f"if closed ({part})" if as_of else f"if closed now ({part} of a leg)"
    return f"{signed_amount(net)} {closed}, {start}{as_of}"


def _as_of(view: BotView) -> str:
    return f", as of {_clock_time(view.held.at, view.now)}" if view.held and view.is_old else ""


def _together(view: BotView) -> str:
    """Return what closing all of several hedges would bring, and the one that brings least."""
    nets = [(each.result.net_if_closed, each.symbol) for each in view.several]
    known = [(net, symbol) for net, symbol in nets if net is not None]
    if not known or len(known) < len(view.ledger.live_hedges):
        return "not known without prices of every hedge"
    least, symbol = min(known)
    total = sum((net for net, _ in known), ZERO)
    return f"{signed_amount(total)} if all were closed{'' if view.is_old else ' now'} ({symbol} {signed_amount(least)})"


def _bot(view: BotView, identity: RunIdentity) -> str:
    process, outlook = view.process, view.outlook
    who = f"{_who(identity)}{f' (pid {process.pid})' if process.pid else ''}"
    checked = outlook.checked_at if outlook else None
    last = f"checked {_ago(checked, view.now)}" if checked else "no check yet"
    beat = f"last heartbeat {_ago(process.last_beat, view.now)}" if process.last_beat else "no heartbeat"
    match process.state:
        case ProcessState.RUNNING:
            own = outlook is not None and outlook.pid == process.pid
            return f"{who}: {last if own else 'no check yet'}{_next_check(view) if own else ''}"
        case ProcessState.NEVER:
            return f"{who}: never started"
        case ProcessState.STOPPED:
            at = outlook.stopped_at if outlook else None
            return f"{who}: stopped{f' at {_clock_time(at, view.now)}' if at else ''}, {last}"
        case ProcessState.GONE:
            return f"{who}: gone, {beat}"
        case ProcessState.SILENT:
            return f"{who}: does not answer, {beat}"


def _who(identity: RunIdentity) -> str:
    """Return mode, network and account; a generated market has nothing of the last two."""
    network = None if identity.network == GENERATED_MARKET else identity.network or "network unknown"
    account = None if identity.account == EMULATED_ACCOUNT else identity.account
    return " ".join(part for part in (identity.mode.value, network, account) if part)


def _next_check(view: BotView) -> str:
    outlook = view.outlook
    if outlook is None or outlook.checking_since is not None:
        return ", checking now"
    if outlook.next_check_at is None:
        return ""
    left = outlook.next_check_at - view.now
    return f", next in {_brief(left)}" if left > timedelta() else ", next is due"


def _next(view: BotView) -> str:
    held, outlook = view.held, view.outlook
    if view.report.state in TRADING:
        return "the trade in flight ends first"
    if held is None and view.ledger.halt is not None:
        return "nothing is opened while openings are halted"
    if view.ledger.foremost is None and view.report.state in {BotState.STOPPED, BotState.DOWN}:
        return "nothing, as no bot runs"
    if held is None:
        reason = outlook.reason if outlook else ""
        return f"nothing is opened now: {reason}" if reason and view.ledger.foremost is None else "not known"
    if view.several:
        return _next_of_several(view)
    payment = held.next_payment
    parts: list[str] = []
    if payment is not None:
        left = max(payment.at - view.now, timedelta())
        parts.append(f"{signed_amount(payment.amount)} at {payment.at:%H:%M} UTC ({_brief(left)})")
    nearest = next((each for each in held.exits if each.left is not None), None)
    if nearest is not None:
        parts.append(f"exit: {exit_text(nearest, view.now)}")
    return "; ".join(parts) or "not known"


def _next_of_several(view: BotView) -> str:
    """Return the next payments together, and the nearest exit of the most endangered hedge that has one."""
    payments = [each.next_payment for each in view.several if each.next_payment is not None]
    parts: list[str] = []
    if payments:
        at = min(payment.at for payment in payments)
        due = [payment.amount for payment in payments if payment.at == at]
        total = None if None in due else sum((part for part in due if part is not None), ZERO)
        parts.append(f"{signed_amount(total)} at {at:%H:%M} UTC ({_brief(max(at - view.now, timedelta()))})")
    exits = ((held.symbol, each) for held in view.several for each in held.exits if each.left is not None)
    nearest = next(exits, None)
    if nearest is not None:
        parts.append(f"exit of {nearest[0]}: {exit_text(nearest[1], view.now)}")
    return "; ".join(parts) or "not known"


def exit_text(distance: ExitDistance, now: datetime) -> str:
    """Return one rule with its distance: what it is now, at what it acts, and when that is due."""
    value, bound = distance.value, distance.threshold
    due = "" if distance.due_at is None else f" ({_brief(max(distance.due_at - now, timedelta()))})"
    name = f"{distance.rule.value}{f' {distance.pair}' if distance.pair else ''}"
    if value is None:
        return f"{name} not known"
    if distance.unit is ExitUnit.TIMES:
        return f"{name} {value:.2f}x of {bound:.2f}x{due}"
    if distance.unit is ExitUnit.HOURS:
        return f"{name} {value:.1f} of {bound:g} h{due}"
    return f"{name} {percent(value)}, acts at {percent(bound)}{due}"


def _ago(at: datetime, now: datetime) -> str:
    return f"{_brief(max(now - at, timedelta()))} ago"


def _brief(value: timedelta) -> str:
    """Return a duration in its largest unit, rounded down."""
    number, unit, *_ = duration(value).split(" ")
    return f"{number} {unit}"


def _clock_time(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M} UTC" if at.date() == now.date() else f"{utc_minute(at)} UTC"


def _beside(view: BotView) -> Iterator[StatusLine]:
    for text in (*view.outlook.foreign, *view.outlook.longs) if view.outlook else ():
        yield StatusLine(label="Not ours", text=text, severity=Severity.WARNING)
    lots = view.ledger.dust.values()
    if lots:
        gain = since_the_start(view).dust_gain
        cost = sum((lot.cost for lot in lots), ZERO)
        worth = f"{amount(cost)} when kept" if gain is None else f"worth {amount(cost + gain)}"
        only, *others = lots
        kept = f"{len(lots)} different coins" if others else quantity(only.quantity, only.asset)
        yield StatusLine(label="Dust", text=f"{kept}, {worth}")
