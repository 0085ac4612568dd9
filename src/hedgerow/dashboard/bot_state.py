"""What a bot is doing, as one of twelve states: a title, what the bot does about it, what its user can do. Pure.

Total over its inputs: every ledger, process and outlook give exactly one state. The ledger decides what is held, the
process whether it is watched, the outlook what was read last.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from msgspec import Struct

from hedgerow.dashboard.outlook import HeldOutlook, Outlook
from hedgerow.domain.execution import ExecutionKind, ExecutionLimits, ExecutionState, HedgeExecution
from hedgerow.domain.formats import amount, duration
from hedgerow.domain.ledger.state import Ledger, StandingHalt
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition
from hedgerow.strategy.evaluation.health import Legs, leg_difference, leg_grade
from hedgerow.strategy.grades import FindingKind

__all__ = ["BotState", "Naked", "Process", "ProcessState", "Severity", "StateReport", "bot_state", "naked_now"]

OVERDUE = timedelta(minutes=10)
"""A check that begins so long after it was due, or lasts so long without a trade, is taken to hang."""
UNHEDGED = frozenset({FindingKind.IMBALANCE, FindingKind.LEG_GONE})


class BotState(StrEnum):
    """What a bot is doing."""

    STARTING = "starting"
    """A process runs, and no check of it has ended."""
    FLAT = "flat"
    OPENING = "opening"
    HEDGED = "hedged"
    CLOSING = "closing"
    """The hedge, or a part of both legs, is being closed."""
    REPAIRING = "repairing"
    """Half open: the legs differ, and the bot is about to make them match."""
    NAKED = "naked"
    """The same for longer than the settings allow."""
    HALTED_FLAT = "halted, flat"
    HALTED_HEDGED = "halted, hedged"
    BLIND = "blind"
    """Market or account cannot be read."""
    STOPPED = "stopped"
    """No process runs, and none is missing."""
    DOWN = "down"
    """A process should run, and does not respond."""


class Severity(StrEnum):
    """How urgently the user should look."""

    OK = "ok"
    BUSY = "busy"
    """A trade is in flight; it ends by itself."""
    WARNING = "warning"
    ALARM = "alarm"


class ProcessState(StrEnum):
    """State of the process by its heartbeat file."""

    RUNNING = "running"
    SILENT = "silent"
    """It exists, and its heartbeat is too old."""
    GONE = "gone"
    """It ended without a regular shutdown."""
    STOPPED = "stopped"
    NEVER = "never started"


class Process(Struct, frozen=True, kw_only=True):
    """The process of a bot, by its heartbeat."""

    state: ProcessState
    pid: int | None = None
    last_beat: datetime | None = None
    """None when there is no heartbeat file."""


class Naked(Struct, frozen=True, kw_only=True):
    """Legs that differ now."""

    since: datetime
    notional: Decimal | None
    """Quote units; None = the difference is not known."""


class StateReport(Struct, frozen=True, kw_only=True):
    """One state, and what the user is shown about it."""

    state: BotState
    title: str
    does: str
    """What the bot does about it."""
    can_do: str
    """What the user can do."""
    since: datetime | None
    severity: Severity
    symbol: str | None = None
    naked: Naked | None = None
    """Not None: the legs differ now, in any state."""
    longest_naked_seconds: float = 0.0
    """Of the whole log, the present period included."""


class _View(Struct, frozen=True, kw_only=True):
    """The inputs, and what follows from several of them."""

    ledger: Ledger
    process: Process
    outlook: Outlook | None
    now: datetime
    naked: Naked | None

    @property
    def hedge(self) -> HedgedPosition | None:
        return self.ledger.foremost

    @property
    def what(self) -> str:
        """What is held, in the middle of a sentence."""
        return ", ".join(hedge.symbol for hedge in self.ledger.live_hedges) or "nothing"

    @property
    def holds_several(self) -> bool:
        """Whether a command must say which position it means."""
        return len(self.ledger.live_hedges) > 1

    @property
    def naked_seconds(self) -> float:
        """How long the legs have differed; 0 while they match."""
        return max(0.0, (self.now - self.naked.since).total_seconds()) if self.naked else 0.0

    @property
    def own(self) -> Outlook | None:
        """The outlook of the process that runs now."""
        outlook = self.outlook
        ended = outlook is None or outlook.stopped_at is not None
        return None if ended or (self.process.pid and outlook and outlook.pid != self.process.pid) else outlook


def bot_state(ledger: Ledger, process: Process, outlook: Outlook | None, now: datetime) -> StateReport:
    """Return the state of a bot; ``now`` is the time of the bot's own clock."""
    view = _View(ledger=ledger, process=process, outlook=outlook, now=now, naked=naked_now(ledger, outlook, now))
    state = _state(view)
    title, does, can_do, since, severity = _texts(view, state)
    return StateReport(
        state=state,
        title=title,
        does=does,
        can_do=can_do,
        since=since,
        severity=severity,
        symbol=view.hedge.symbol if view.hedge else None,
        naked=view.naked,
        longest_naked_seconds=max(ledger.max_naked_seconds, view.naked_seconds),
    )


def naked_now(ledger: Ledger, outlook: Outlook | None, now: datetime) -> Naked | None:
    """Return since when the legs differ by more than is tolerated, for any cause; None = they match.

    By the trade in flight, by booked trades of others, and by the last reading of the account.
    """
    job = ledger.shown_job
    begun = [job.naked_since] if job and job.naked_since else []
    begun += [apart.since for apart in ledger.apart.values()]
    apart: list[HedgedPosition] = []
    for hedge in ledger.live_hedges if job is None else ():
        held = _reading(hedge, ledger, outlook)
        if _differs(hedge, held):
            apart.append(hedge)
            if not ledger.apart:
                begun.append(held.at if held is not None and _finds_unhedged(held) else now)
    if not begun:
        return None
    apart += [hedge for hedge in ledger.open_hedges if hedge.hedge_id in ledger.apart and hedge not in apart]
    traded = ledger.hedges.get(job.hedge_id) if job else None
    meant = [*apart, *([traded] if traded and traded not in apart else [])] or list(ledger.live_hedges[:1])
    parts = [_open_notional(hedge, ledger, job, _reading(hedge, ledger, outlook)) for hedge in meant]
    known = [part for part in parts if part is not None]
    return Naked(since=min(begun), notional=sum(known, ZERO) if known else None)


def _reading(hedge: HedgedPosition, ledger: Ledger, outlook: Outlook | None) -> HeldOutlook | None:
    """Return the last reading of an open hedge, unless something was traded after it."""
    readings = () if outlook is None else (outlook.held, *outlook.others)
    held = next((each for each in readings if each is not None and each.hedge_id == hedge.hedge_id), None)
    if held is None or hedge is ledger.opening:
        return None
    return None if ledger.traded_at is not None and held.at < ledger.traded_at else held


def _differs(hedge: HedgedPosition, held: HeldOutlook | None) -> bool:
    """Whether the legs differ by more than the health check tolerates, by the log or by the account."""
    price = (held.prices.spot if held else None) or hedge.entry_price or None
    owned = Legs(spot=hedge.spot_quantity, short=hedge.short)
    gone = owned.spot < hedge.pair.spot.lot or owned.short <= 0
    return gone or leg_grade(leg_difference(hedge, owned, price)) > 0 or (held is not None and _finds_unhedged(held))


def _finds_unhedged(held: HeldOutlook) -> bool:
    return any(finding.kind in UNHEDGED for finding in held.health.findings)


def _open_notional(
    hedge: HedgedPosition, ledger: Ledger, job: HedgeExecution | None, held: HeldOutlook | None
) -> Decimal | None:
    """Return what one leg has more than the other, quote units."""
    quantity = abs(hedge.spot_quantity - hedge.short)
    if held is not None and job is None:
        quantity = max(quantity, abs(held.spot_quantity - held.short))
    seen = (held.prices.spot or held.prices.mark) if held else None
    apart = ledger.apart.get(hedge.hedge_id)
    if apart is not None:
        seen = max(seen or ZERO, apart.price)
    price = seen or (job.spot_arrival if job else None) or hedge.entry_price
    return quantity * price if price else None


def _state(view: _View) -> BotState:
    """Return the state, judged in this order: process, trade, reading, position."""
    running, job = view.process.state, view.ledger.shown_job
    if running in {ProcessState.GONE, ProcessState.SILENT}:
        return BotState.DOWN
    if running is not ProcessState.RUNNING:
        return BotState.DOWN if job is not None and not job.state.ended else BotState.STOPPED
    if job is not None or view.naked is not None or view.ledger.opening is not None:
        return _trading(view, job)
    if view.own is None or (view.own.checked_at is None and not view.own.failure):
        return BotState.STARTING
    if view.own.blind_since is not None or _overdue(view.own, view.now):
        return BotState.BLIND
    if view.ledger.halt is not None:
        return BotState.HALTED_HEDGED if view.hedge else BotState.HALTED_FLAT
    return BotState.HEDGED if view.hedge else BotState.FLAT


def _trading(view: _View, job: HedgeExecution | None) -> BotState:
    allowed = (job.limits if job else ExecutionLimits()).max_naked_seconds
    if (job is not None and job.state is ExecutionState.NAKED) or view.naked_seconds > allowed:
        return BotState.NAKED
    if job is None or job.state in _REPAIRS or job.kind is ExecutionKind.TRIM:
        return BotState.REPAIRING
    return BotState.OPENING if job.kind is ExecutionKind.OPEN else BotState.CLOSING


_REPAIRS = frozenset({ExecutionState.REPAIRING, ExecutionState.UNWINDING, ExecutionState.IN_DOUBT})


def _overdue(outlook: Outlook, now: datetime) -> bool:
    due = outlook.checking_since or outlook.next_check_at
    return due is not None and now - due > OVERDUE


# --- texts -----------------------------------------------------------------------------------------------------------

_Texts = tuple[str, str, str, datetime | None, Severity]
"""Title, what the bot does, what the user can do, since when, how urgent."""


def _texts(view: _View, state: BotState) -> _Texts:  # noqa: C901, PLR0911, PLR0912 - one case per state
    match state:
        case BotState.STARTING:
            return _starting(view)
        case BotState.FLAT:
            return _flat(view)
        case BotState.OPENING:
            return _opening(view)
        case BotState.HEDGED:
            return _hedged(view)
        case BotState.CLOSING:
            return _closing(view)
        case BotState.REPAIRING:
            return _repairing(view)
        case BotState.NAKED:
            return _naked(view)
        case BotState.HALTED_FLAT | BotState.HALTED_HEDGED:
            return _halted(view)
        case BotState.BLIND:
            return _blind(view)
        case BotState.STOPPED:
            return _stopped(view)
        case BotState.DOWN:
            return _down(view)
    assert_never(state)


def _starting(view: _View) -> _Texts:
    return (
        "Starting",
        "It compares its log with the exchange before it does anything else.",
        "Nothing needs to be done; the first check takes some seconds.",
        view.own.started_at if view.own else view.process.last_beat,
        Severity.BUSY,
    )


def _flat(view: _View) -> _Texts:
    closed = view.ledger.closed
    reason = view.outlook.reason if view.outlook else ""
    return (
        "Flat, waiting for a pair",
        f"It scans at every check. Nothing is opened now: {reason}." if reason else "It scans at every check.",
        "`hedgerow scan` names the filter that refuses each pair.",
        closed[-1].closed_at if closed else view.ledger.started_at,
        Severity.OK,
    )


def _opening(view: _View) -> _Texts:
    job = view.ledger.shown_job
    symbol = job.symbol if job else view.what
    return (
        f"Opening {symbol}",
        "It trades one leg in slices, and the other leg follows each fill.",
        "`hedgerow halt` lets no further slice begin; what is filled ends hedged or flat.",
        job.started_at if job else None,
        Severity.BUSY,
    )


def _hedged(view: _View) -> _Texts:
    reason, ended = view.outlook.reason if view.outlook else "", "a hedge" if view.holds_several else "the hedge"
    return (
        f"Hedged on {view.what}",
        f"It holds ({reason})." if reason else f"It holds, and checks every rule that would end {ended}.",
        f"Nothing; {_closing_words(view)} leaves {_positions(view)}.",
        view.hedge.opened_at if view.hedge else None,
        Severity.OK,
    )


def _closing_words(view: _View) -> str:
    """Return the command that closes: with a name where several are held, for without one it is refused."""
    return "`hedgerow close SYMBOL` or `hedgerow close --all`" if view.holds_several else "`hedgerow close`"


def _closing(view: _View) -> _Texts:
    job = view.ledger.shown_job
    symbol, reason = (job.symbol, job.reason.value) if job else (view.what, "")
    part = job is not None and job.kind is ExecutionKind.REDUCE
    return (
        f"{'Reducing' if part else 'Closing'} {symbol}: {reason}",
        "It sells coins and buys the short back in slices, one after the other.",
        "Nothing; `hedgerow halt` keeps it from opening another pair afterwards.",
        job.started_at if job else None,
        Severity.BUSY,
    )


def _repairing(view: _View) -> _Texts:
    return (
        _apart_title(view, "Half open"),
        "It makes both legs match again, at wider price limits the longer it takes.",
        "Do not trade the pair manually until it has finished; `hedgerow status --watch` shows the progress.",
        _naked_since(view),
        Severity.WARNING,
    )


def _naked(view: _View) -> _Texts:
    halted = "Openings are halted; it" if view.ledger.halt else "It"
    return (
        _apart_title(view, "Naked"),
        f"{halted} keeps trying to make both legs match, at the widest price limits.",
        f"See on the exchange whether it takes orders for both legs; {_closing_words(view)} closes what is left.",
        _naked_since(view),
        Severity.ALARM,
    )


def _halted(view: _View) -> _Texts:
    halt = view.ledger.halt
    held, does = "nothing is held", "It keeps checking."
    if view.holds_several:
        held, does = f"{view.what} stay hedged", "The positions are watched and closed by their rules."
    elif view.hedge:
        held, does = f"{view.what} stays hedged", "The position is watched and closed by its rules."
    return (
        f"Openings halted; {held}",
        f"It opens nothing. {does}",
        _remedy(halt) if halt else "",
        halt.since if halt else None,
        Severity.WARNING,
    )


def _blind(view: _View) -> _Texts:
    outlook = view.outlook
    since = (outlook.blind_since or outlook.checked_at) if outlook else None
    lasts = f" for {duration(max(view.now - since, timedelta()))}" if since else ""
    overdue = outlook is not None and outlook.blind_since is None
    what = "No check has ended" if overdue else "Exchange not read"
    why = (outlook.failure or "; ".join(outlook.unread)) if outlook else ""
    return (
        f"{what}{lasts}",
        f"It tries again{f' ({why})' if why else ''}; nothing is opened or closed for profit.",
        f"`hedgerow doctor` says what is wrong; check {view.what} on the exchange."
        if view.hedge
        else "`hedgerow doctor` says what is wrong.",
        since,
        Severity.ALARM if view.hedge else Severity.WARNING,
    )


def _stopped(view: _View) -> _Texts:
    never = view.process.state is ProcessState.NEVER
    held = (
        f"; {view.what} {'are' if view.holds_several else 'is'} held unwatched{_unhedged(view)}" if view.hedge else ""
    )
    stopped_at = view.outlook.stopped_at if view.outlook else None
    return (
        f"{'Never started here' if never else 'Stopped'}{held}",
        "No bot runs: nothing is watched, opened or closed.",
        "`hedgerow run` starts it." if not view.hedge else f"`hedgerow run` resumes watching {_positions(view)}.",
        stopped_at,
        Severity.ALARM if view.naked else Severity.WARNING if view.hedge else Severity.OK,
    )


def _down(view: _View) -> _Texts:
    process = view.process
    pid = f"process {process.pid}" if process.pid else "the bot"
    if process.state is ProcessState.SILENT:
        lasts = f" for {duration(max(view.now - process.last_beat, timedelta()))}" if process.last_beat else ""
        title, remedy = f"The bot does not answer{lasts}", f"See whether {pid} hangs, end it, then `hedgerow run`."
    elif process.state is ProcessState.GONE:
        title, remedy = (
            f"Bot crashed: {pid} is gone",
            f"`hedgerow run` restarts it{_then(view)}.",
        )
    else:
        title, remedy = "No bot runs and a trade is half done", "`hedgerow run` finishes it."
    held = (
        f"{view.what} {'stay' if view.holds_several else 'stays'} on the exchange" if view.hedge else "nothing is held"
    )
    return (
        f"{title}{_unhedged(view)}",
        f"Nothing is watched or traded; {held}{_unhedged(view)}.",
        remedy,
        process.last_beat,
        Severity.ALARM if view.hedge or view.ledger.shown_job else Severity.WARNING,
    )


def _then(view: _View) -> str:
    """Return what a bot that is started again does first, behind a clause."""
    job = view.ledger.shown_job
    if job is not None and not job.state.ended:
        return "; it finishes the open trade"
    return f"; it resumes watching {_positions(view)}" if view.hedge else ""


def _positions(view: _View) -> str:
    return "the positions" if view.holds_several else "the position"


def _unhedged(view: _View) -> str:
    """Return what of the position is not hedged, behind a sentence; empty when the legs match."""
    return f", {amount(view.naked.notional)} of it unhedged" if view.naked else ""


def _remedy(halt: StandingHalt) -> str:
    if halt.lifts_itself:
        return "It ends by itself once its cause is gone; `hedgerow close` closes a position before that."
    return "`hedgerow resume` allows openings again, once its cause is dealt with."


def _apart_title(view: _View, head: str) -> str:
    hedge, naked = view.hedge, view.naked
    if naked is None or hedge is None:
        return f"{head} on {view.what}"
    coins = hedge.spot_quantity > hedge.short
    what = f"{amount(naked.notional)} without a {'short' if coins else 'coin against it'}"
    lasts = duration(max(view.now - naked.since, timedelta()))
    if hedge.closed_by_force and coins:
        return f"{head}: the short of {hedge.symbol} was liquidated or auto-deleveraged, {what} for {lasts}"
    return f"{head} on {hedge.symbol}: {what} for {lasts}"


def _naked_since(view: _View) -> datetime | None:
    job = view.ledger.shown_job
    return view.naked.since if view.naked else job.stage_since if job else None
