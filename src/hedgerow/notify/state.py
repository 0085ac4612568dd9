"""What the companion keeps on disk: how far it has read, what it saw last, and what is still to be sent. Pure.

An alert is in ``outbox`` from when the events that it follows from count as read, until each target has
it: both are one value that is replaced as a whole, so that neither a crash nor a target that is down loses one.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from hedgerow.dashboard.formats import date_time, signed_money
from hedgerow.domain import events as ev
from hedgerow.domain.events import Event
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.money import ZERO
from hedgerow.notify.alerts import Alert, AlertKind, AlertLevel, alert_of
from hedgerow.notify.event_alerts import event_alerts
from hedgerow.notify.watch import Watch

__all__ = [
    "Digest",
    "Message",
    "NotifyState",
    "Paid",
    "Repeats",
    "Rules",
    "admitted",
    "consumed",
    "due_for",
    "flushed",
    "retargeted",
    "sent",
    "undecided",
]

REPEATS: Final = timedelta(minutes=15)
"""A second alert of one kind and pair within this is counted, not sent."""
PAGE_REPEATS: Final = timedelta(minutes=3)
NEVER_REPEATS: Final = frozenset(
    {
        AlertKind.OPENED,
        AlertKind.CLOSED,
        AlertKind.ROLLED,
        AlertKind.FUNDING,
        AlertKind.NAKED,
        AlertKind.LIQUIDATED,
        AlertKind.DAILY_LOSS,
        AlertKind.REQUEST,
        AlertKind.SETTINGS_CHANGED,
    }
)
"""Kinds of which each one is something new."""
KEPT_MESSAGES: Final = 5_000
"""Unsent messages that are kept at most; of more, the oldest that are no pages give way."""


class Rules(Struct, frozen=True, kw_only=True):
    """How alerts are sent."""

    zone: str = "UTC"
    """Name of the time zone of the hours below."""
    quiet_from: time | None = None
    quiet_until: time | None = None
    digest_at: time = time(8)

    @property
    def _zone(self) -> tzinfo:
        return UTC if self.zone == "UTC" else ZoneInfo(self.zone)  # a small image has no other zones

    def quiet_end(self, now: datetime) -> datetime | None:
        """Return when the quiet hours of ``now`` end; None outside of them."""
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return None
        local = now.astimezone(self._zone)
        clock = local.time()
        over_midnight = self.quiet_from > self.quiet_until
        begun, ends = clock >= self.quiet_from, clock < self.quiet_until
        if not (begun or ends if over_midnight else begun and ends):
            return None
        end = local.replace(hour=self.quiet_until.hour, minute=self.quiet_until.minute, second=0, microsecond=0, fold=0)
        end = end if end > local else end + timedelta(days=1)
        return end.astimezone(now.tzinfo)

    def next_digest(self, at: datetime) -> datetime:
        """Return the first time of a digest after ``at``."""
        local = at.astimezone(self._zone)
        due = local.replace(hour=self.digest_at.hour, minute=self.digest_at.minute, second=0, microsecond=0, fold=0)
        due = due if due > local else due + timedelta(days=1)
        return due.astimezone(at.tzinfo)


class Paid(Struct, frozen=True, kw_only=True):
    """Funding payments of one pair."""

    count: int = 0
    amount: Decimal = ZERO
    """Quote units; negative = paid by the short."""


class Digest(Struct, frozen=True, kw_only=True):
    """Funding since the last digest."""

    since: datetime | None = None
    due: datetime | None = None
    paid: Mapping[str, Paid] = field(default_factory=dict[str, Paid])


class Repeats(Struct, frozen=True, kw_only=True):
    """Alerts of one subject since one of them was sent."""

    sent_at: datetime
    """By the bot's clock."""
    count: int = 0
    last: Alert | None = None


class Message(Struct, frozen=True, kw_only=True):
    """An alert on its way."""

    number: int
    alert: Alert
    targets: tuple[str, ...]
    """Those that do not have it yet."""
    maybe: tuple[str, ...] = ()
    """Those of them that may have it: an attempt was begun, and its answer is not known."""
    held_until: datetime | None = None
    """By the machine's clock; None = it is sent at once."""


class NotifyState(Struct, frozen=True, kw_only=True):
    """Everything that outlives the companion's process."""

    version: int = 1
    log_from: datetime | None = None
    """Time of the first event of the log that ``seq`` counts in: another one is another log."""
    seq: int | None = None
    """Number of the last event that was read; None = no log was seen yet."""
    watch: Watch = Watch()
    digest: Digest = Digest()
    repeats: Mapping[str, Repeats] = field(default_factory=dict[str, Repeats])
    """By subject."""
    outbox: tuple[Message, ...] = ()
    """Oldest first."""
    next_number: int = 1
    muted_until: datetime | None = None
    """By the machine's clock."""
    offset: int = 0
    """Number of the first update of Telegram that was not handled yet."""


# --- what was read ---------------------------------------------------------------------------------------------------


def consumed(
    state: NotifyState, event: Event, before: Ledger, after: Ledger, rules: Rules
) -> tuple[NotifyState, tuple[Alert, ...]]:
    """Return the state after one more event, and its alerts."""
    seq = (state.seq or 0) + 1
    alerts = event_alerts(seq, event, before, after)
    digest, due = _digested(state.digest, event, before, seq, rules)
    if isinstance(event, ev.SettingsChanged):
        announced = {**state.watch.announced, **{each.name: each.after for each in event.changes}}
        state = replace(state, watch=replace(state.watch, announced=announced))
    return replace(state, seq=seq, digest=digest), (*alerts, *due)


def _digested(digest: Digest, event: Event, before: Ledger, seq: int, rules: Rules) -> tuple[Digest, tuple[Alert, ...]]:
    if isinstance(event, ev.FundingReceived):
        payment = event.payment
        if before.funding_seen.knows(payment.tran_id, payment.at):
            return digest, ()
        old = digest.paid.get(payment.symbol, Paid())
        new = Paid(count=old.count + 1, amount=old.amount + payment.amount)
        since = digest.since or payment.at
        return replace(digest, paid={**digest.paid, payment.symbol: new}, since=since), ()
    if not isinstance(event, ev.CycleCompleted):
        return digest, ()
    if digest.due is None or event.at < digest.due:
        return replace(digest, due=digest.due or rules.next_digest(event.at)), ()
    following = Digest(since=event.at, due=rules.next_digest(event.at))
    return following, (_digest_alert(digest, event.at, seq),) if digest.paid else ()


def _digest_alert(digest: Digest, at: datetime, seq: int) -> Alert:
    total = sum((paid.amount for paid in digest.paid.values()), ZERO)
    count = sum(paid.count for paid in digest.paid.values())
    parts = (
        f"{symbol} {signed_money(paid.amount)} in {_payments(paid.count)}"
        for symbol, paid in sorted(digest.paid.items())
    )
    what = f"Funding {signed_money(total)} in {_payments(count)} since {date_time(digest.since)} UTC"
    return alert_of(AlertKind.FUNDING, at, what, "; ".join(parts), seq=seq)


def _payments(count: int) -> str:
    return f"{count} payment{'' if count == 1 else 's'}"


# --- what is to be sent ----------------------------------------------------------------------------------------------


def admitted(
    state: NotifyState, alerts: Sequence[Alert], targets: Sequence[str], rules: Rules, now: datetime
) -> NotifyState:
    """Put alerts into the outbox, but for repeats, which are counted; ``now`` is the machine's time."""
    for alert in alerts:
        earlier = state.repeats.get(alert.subject)
        if alert.kind not in NEVER_REPEATS and earlier and alert.at - earlier.sent_at < _window(alert):
            counted = replace(earlier, count=earlier.count + 1, last=alert)
            state = replace(state, repeats={**state.repeats, alert.subject: counted})
            continue
        if earlier and earlier.count and earlier.last:
            state = _posted(state, _summary(earlier, earlier.last), targets, rules, now)
        if alert.kind not in NEVER_REPEATS:
            state = replace(state, repeats={**state.repeats, alert.subject: Repeats(sent_at=alert.at)})
        state = _posted(state, alert, targets, rules, now)
    return state


def flushed(state: NotifyState, at: datetime, targets: Sequence[str], rules: Rules, now: datetime) -> NotifyState:
    """Send what was counted and not sent, once its time is over by the bot's clock, ``at``; forget old subjects."""
    kept: dict[str, Repeats] = {}
    for subject, repeats in state.repeats.items():
        if at - repeats.sent_at < (_window(repeats.last) if repeats.last else REPEATS):
            kept[subject] = repeats
        elif repeats.count and repeats.last:
            state = _posted(state, _summary(repeats, repeats.last), targets, rules, now)
            kept[subject] = Repeats(sent_at=at)
    return state if kept == state.repeats else replace(state, repeats=kept)


def _window(alert: Alert) -> timedelta:
    return PAGE_REPEATS if alert.level is AlertLevel.PAGE else REPEATS


def _summary(repeats: Repeats, last: Alert) -> Alert:
    times = "once more" if repeats.count == 1 else f"{repeats.count} times more"
    return replace(last, why=f"{last.why} (this kind came {times} since {date_time(repeats.sent_at)} UTC)")


def _posted(state: NotifyState, alert: Alert, targets: Sequence[str], rules: Rules, now: datetime) -> NotifyState:
    if not targets:
        return state
    held = None
    if alert.level is not AlertLevel.PAGE:
        muted = state.muted_until if state.muted_until and state.muted_until > now else None
        held = max((end for end in (muted, rules.quiet_end(now)) if end), default=None)
    message = Message(number=state.next_number, alert=alert, targets=tuple(targets), held_until=held)
    outbox = (*state.outbox, message)
    if len(outbox) > KEPT_MESSAGES:
        oldest = next((each for each in outbox if each.alert.level is not AlertLevel.PAGE), outbox[0])
        outbox = tuple(each for each in outbox if each is not oldest)
    return replace(state, outbox=outbox, next_number=state.next_number + 1)


def due_for(state: NotifyState, target: str, now: datetime) -> Message | None:
    """Return what a target gets next: pages first, each in the order of the alerts; None = nothing is due."""
    waiting = [each for each in state.outbox if target in each.targets and _is_due(state, each, now)]
    return min(waiting, key=lambda each: (each.alert.level is not AlertLevel.PAGE, each.number), default=None)


def _is_due(state: NotifyState, message: Message, now: datetime) -> bool:
    if message.alert.level is AlertLevel.PAGE:
        return True
    muted = state.muted_until is not None and state.muted_until > now
    return not muted and (message.held_until is None or message.held_until <= now)


def undecided(state: NotifyState, number: int, target: str, *, begun: bool) -> NotifyState:
    """Note that an attempt to send a message is ``begun``, or that it certainly did not arrive."""
    return _changed(state, number, lambda message: _with_maybe(message, target, begun=begun))


def _with_maybe(message: Message, target: str, *, begun: bool) -> Message:
    others = tuple(each for each in message.maybe if each != target)
    return replace(message, maybe=(*others, target) if begun else others)


def sent(state: NotifyState, number: int, target: str) -> NotifyState:
    """Note that a target has a message."""
    return _changed(state, number, lambda message: _without(message, target))


def _without(message: Message, target: str) -> Message:
    targets = tuple(each for each in message.targets if each != target)
    return replace(message, targets=targets, maybe=tuple(each for each in message.maybe if each != target))


def retargeted(state: NotifyState, targets: Sequence[str]) -> NotifyState:
    """Drop what waits for targets that are no longer configured."""
    kept = [
        replace(
            message,
            targets=tuple(each for each in message.targets if each in targets),
            maybe=tuple(each for each in message.maybe if each in targets),
        )
        for message in state.outbox
    ]
    outbox = tuple(message for message in kept if message.targets)
    return state if outbox == state.outbox else replace(state, outbox=outbox)


def _changed(state: NotifyState, number: int, change: Callable[[Message], Message]) -> NotifyState:
    changed = (change(each) if each.number == number else each for each in state.outbox)
    return replace(state, outbox=tuple(each for each in changed if each.targets))
