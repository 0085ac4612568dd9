"""The guard: between two cycles it reacts to notifications, polls the account, and starts the next cycle early.

It only wakes the runner. What is to be done is decided in the cycle that follows, on readings of its own, and carried
out by the one executor. Without notifications, or while their streams are silent, it polls instead.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from math import inf

from msgspec import Struct

from hedgerow.domain.account import AccountView
from hedgerow.domain.errors import VenueError
from hedgerow.domain.events import HaltReason
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.notifications import Notification, NotificationKind
from hedgerow.engine.backoff import backoff_seconds
from hedgerow.engine.journal import Journal
from hedgerow.engine.notices import GuardAlarmed, HedgeUnseen
from hedgerow.ports import Clock, NotificationSource, Venue
from hedgerow.strategy.decisions.alarms import (
    DEBOUNCE,
    GRACE,
    Alarm,
    AlarmKind,
    account_alarms,
    ended_in_doubt,
    look_at,
    may_change_legs,
    notification_alarm,
    price_alarm,
)

__all__ = ["Guard"]

LEAST_DISTANCE_SECONDS = 5.0
"""Between two wake-ups, however many alarms there are."""
REPEAT_SECONDS = 60.0
"""The same alarm wakes again after so long, when its cause is still there."""
AGAIN_SECONDS = 10.0
"""After a cycle that left something unsettled, or could not read the account."""
LONGEST_BLIND_SECONDS = 60.0
"""Longest pause between two polls of an exchange that cannot be read."""
SOON_SECONDS = 1.0
STRAYS_SECONDS = 120.0
"""How long the account is looked at after a trade that left an order in doubt: twice the lifetime of a nonce."""
LAGGING_SECONDS = 900.0
"""How long after a notification about a leg, which the account does not show, its replies may be those of before."""
LAG_SECONDS = 30.0
"""So often it is looked at meanwhile."""
UNSEEN_SECONDS = 3600.0
"""A held hedge that cannot be seen for so long is an error, reported again each time it has lasted as long again."""


_Legs = tuple[tuple[str, Decimal, Decimal], ...]


class _Lagging(Struct, frozen=True, kw_only=True):
    """A notification about a leg that no reading has shown yet."""

    until: float
    """By the monotonic clock."""
    legs: _Legs
    """As the log had them when it came."""


class Guard:
    """Watches the held hedge while the runner waits; everything it knows may be lost without harm."""

    def __init__(  # noqa: PLR0913 - keyword-only, and each is one thing it needs
        self,
        *,
        clock: Clock,
        journal: Journal,
        venue: Venue,
        seen: Callable[[], AccountView | None],
        nudge: Callable[[], None],
        source: NotificationSource | None = None,
        poll_seconds: float = 0.0,
    ) -> None:
        """``seen`` returns the account as the last cycle read it; ``nudge`` lets the waiting runner ask what is due.

        ``poll_seconds`` is how often the account is polled while no notifications come; 0 = never.
        """
        self._clock = clock
        self._journal = journal
        self._venue = venue
        self._seen = seen
        self._nudge = nudge
        self._source = source
        self._poll_seconds = poll_seconds
        self._account: AccountView | None = None
        self._pending: Alarm | None = None
        self._raised: dict[Alarm, float] = {}
        self._may_wake_at = 0.0
        self._look_at = inf
        self._poll_at = inf
        self._blind = 0
        self._seen_at = 0.0
        self._unseen_due = inf
        self._stray_of, self._strays_until = "", 0.0
        self._lagging: dict[str, _Lagging] = {}
        """What notifications said of a leg and no reading has shown yet, by symbol; empty = of the whole account."""
        self._end: Callable[[], None] = _nothing

    # --- a run -------------------------------------------------------------------------------------------------------

    def listen(self) -> None:
        """Receive notifications from now on, in the first cycle as well.

        The account is looked at soon after that cycle: its reply may be older than what happened before.
        """
        if self._source is not None:
            self._end = self._source.subscribe(self.on_notification)
            self._follow(self._source)
            self._look_within(GRACE.total_seconds())

    def leave(self) -> None:
        """Receive no more notifications."""
        self._end()
        self._end = _nothing
        if self._source is not None:
            self._source.follow()

    def begin(self) -> None:
        """Watch on after a cycle: what it left unsettled is looked at again soon."""
        ledger = self._journal.ledger
        hedges = ledger.open_hedges
        if self._source is not None:
            self._follow(self._source)
        if not hedges:
            self._pending, self._look_at, self._poll_at, self._blind, self._account = None, inf, inf, 0, None
            self._unseen_due = inf
            self._lagging.clear()
            self._raised.clear()
            self._watch_for_strays(ledger)
            return
        account = self._account = self._seen()
        if account is not None or self._unseen_due == inf:
            self._noted()
        self._poll_later()
        if account is None:
            self._blind = max(1, self._blind)
        if account is None or any(account_alarms(ledger, account)) or self._in_doubt():
            self._look_within(AGAIN_SECONDS)
        self._watch_for_lag(ledger)

    def _watch_for_lag(self, ledger: Ledger) -> None:
        """Look again while notifications about a leg are newer than what the log has of it.

        What is traded of other hedges meanwhile says nothing about it.
        """
        if not self._lagging:
            return
        now = self._clock.monotonic()
        self._lagging = {
            symbol: each
            for symbol, each in self._lagging.items()
            if now < each.until and _legs(ledger, symbol) == each.legs
        }
        if self._lagging:
            self._look_within(LAG_SECONDS)

    def _watch_for_strays(self, ledger: Ledger) -> None:
        """Look again while an order that counts as dead may still be executed: a nonce is valid for a minute."""
        newest = ledger.closed[-1].hedge_id if ledger.closed else ""
        if not ended_in_doubt(ledger):
            return
        if newest != self._stray_of:
            self._stray_of, self._strays_until = newest, self._clock.monotonic() + STRAYS_SECONDS
        if self._clock.monotonic() < self._strays_until:
            self._look_within(AGAIN_SECONDS)

    # --- what the runner asks ----------------------------------------------------------------------------------------

    def look_due(self) -> bool:
        """Return whether the account is to be polled now; while notifications come, it is not."""
        now = self._clock.monotonic()
        if now >= self._poll_at and self._source is not None and self._source.streaming:
            self._poll_later()
        return now >= min(self._look_at, self._poll_at)

    def due_seconds(self) -> float:
        """Return after how many seconds the runner has to ask again; infinity = only when nudged."""
        wake_at = inf if self._pending is None else self._may_wake_at
        return max(0.0, min(self._look_at, self._poll_at, wake_at) - self._clock.monotonic())

    def take(self) -> bool:
        """Return whether the next cycle is to begin now, and say why."""
        now, alarm = self._clock.monotonic(), self._pending
        if alarm is None or now < self._may_wake_at:
            return False
        self._pending = None
        self._may_wake_at = now + LEAST_DISTANCE_SECONDS
        self._journal.say(GuardAlarmed(at=self._clock.now(), text=alarm.text))
        return True

    def poll(self) -> None:
        """Poll the account as soon as the runner waits, if a hedge is held."""
        if self._journal.ledger.open_hedges:
            self._look_within(0.0)
            self._nudge()

    async def look(self) -> None:
        """Glance at the account: one reading, judged against the log; one that fails is tried again, more seldom."""
        self._look_at = inf
        self._poll_later()
        try:
            account = await self._venue.account()
        except VenueError as unreadable:
            self._blind, self._poll_at = self._blind + 1, inf
            self._report_unseen(str(unreadable))
            self._look_within(backoff_seconds(AGAIN_SECONDS, LONGEST_BLIND_SECONDS, self._blind))
            return
        self._account, was_blind, self._blind = account, self._blind > 0, 0
        self._noted()
        alarms = list(account_alarms(self._journal.ledger, account))
        if not alarms and was_blind:
            alarms = [Alarm(kind=AlarmKind.READABLE, text="the exchange can be read again")]
        if not alarms and self._in_doubt():
            alarms = [Alarm(kind=AlarmKind.READABLE, text="the account's reply is whole again")]
        # One that was raised lately must not keep that of another hedge back.
        raised = [self._raise(alarm) for alarm in reversed(alarms)]
        if alarms and not any(raised):
            self._look_within(REPEAT_SECONDS)
        if not self._journal.ledger.open_hedges:
            self._watch_for_strays(self._journal.ledger)
        self._watch_for_lag(self._journal.ledger)

    # --- notifications -----------------------------------------------------------------------------------------------

    def on_notification(self, notification: Notification) -> None:
        """Judge one notification; never waits."""
        ledger = self._journal.ledger
        if may_change_legs(notification, ledger):
            until, symbol = self._clock.monotonic() + LAGGING_SECONDS, notification.symbol
            self._lagging[symbol] = _Lagging(until=until, legs=_legs(ledger, symbol))
            if self._in_doubt():  # what the account did not show before may be gone now
                self._raised.clear()
        alarm = (
            self._mark_alarm(notification)
            if notification.kind is NotificationKind.MARK
            else notification_alarm(notification, ledger)
        )
        if alarm is not None:
            if not self._raise(alarm) and alarm.kind is not AlarmKind.DISTANCE:
                self._look_within(SOON_SECONDS)
        elif (due := look_at(notification, ledger)) is not None:
            # Whatever the wall clock was set to meanwhile, an echo has passed after that long.
            wait = min(max(timedelta(), due - self._clock.now()), GRACE + DEBOUNCE)
            self._look_within(wait.total_seconds())
        else:
            return
        self._nudge()

    def _mark_alarm(self, notification: Notification) -> Alarm | None:
        """Return the alarm of a mark price, against the account as it was last read."""
        ledger = self._journal.ledger
        hedge = ledger.open_hedge_of(notification.symbol)
        if hedge is None or self._account is None or notification.mark is None or ledger.execution is not None:
            return None
        return price_alarm(ledger, self._account, notification.mark, hedge)

    # --- a hedge that cannot be seen ---------------------------------------------------------------------------------

    def _noted(self) -> None:
        """Note that the account was read, or that a hedge is watched from now on."""
        self._seen_at = self._clock.monotonic()
        self._unseen_due = self._seen_at + UNSEEN_SECONDS

    def _report_unseen(self, why: str) -> None:
        hedges, now = self._journal.ledger.open_hedges, self._clock.monotonic()
        if not hedges or now < self._unseen_due:
            return
        self._unseen_due = now + UNSEEN_SECONDS
        seconds = now - self._seen_at
        symbols = ", ".join(hedge.symbol for hedge in hedges)
        self._journal.say(HedgeUnseen(at=self._clock.now(), symbol=symbols, seconds=seconds, why=why))

    # --- shared ------------------------------------------------------------------------------------------------------

    def _follow(self, source: NotificationSource) -> None:
        """Let the source report what is held."""
        source.follow(*(hedge.symbol for hedge in self._journal.ledger.open_hedges))

    def _in_doubt(self) -> bool:
        """Return whether openings are halted because the account's replies contradict each other."""
        halt = self._journal.ledger.halt
        return halt is not None and halt.reason is HaltReason.ACCOUNT_IN_DOUBT

    def _raise(self, alarm: Alarm) -> bool:
        """Let an alarm wake the runner, unless the same one did so lately."""
        now = self._clock.monotonic()
        self._raised = {known: at for known, at in self._raised.items() if now - at < REPEAT_SECONDS}
        if alarm in self._raised:
            return False
        self._raised[alarm] = now
        self._pending = alarm
        return True

    def _look_within(self, seconds: float) -> None:
        self._look_at = min(self._look_at, self._clock.monotonic() + seconds)

    def _poll_later(self) -> None:
        """Poll the account after a while without notifications, if there is no reason to do so earlier."""
        self._poll_at = self._clock.monotonic() + self._poll_seconds if self._poll_seconds > 0 else inf


def _legs(ledger: Ledger, symbol: str) -> _Legs:
    """Return coins and short of each open hedge of a symbol, empty = of any, as the log has them."""
    hedges = ledger.open_hedges
    return tuple((h.hedge_id, h.spot_quantity, h.short) for h in hedges if symbol in {"", h.symbol})


def _nothing() -> None:
    pass
