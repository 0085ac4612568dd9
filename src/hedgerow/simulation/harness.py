"""The exchange of a simulated run: what the bot trades through, and what the monitor checks against."""

from collections.abc import AsyncGenerator, MutableSequence, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from msgspec import Struct

from hedgerow.clock import VirtualClock
from hedgerow.domain.order import Fill
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.faults import LaggingBalances, LateReports, StaleBooks, VenueFault
from hedgerow.emulator.inprocess.readings import LateFunding, LateRates
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.latency import LatencyModel
from hedgerow.engine.notices import Observer
from hedgerow.ports import NotificationSource, Store, Venue
from hedgerow.simulation.causes import Cause, CauseSpan
from hedgerow.simulation.faults.alterations import BRIEF, Alteration
from hedgerow.simulation.faults.crashes import CrashPoint
from hedgerow.simulation.faults.incidents import (
    Deleveraging,
    HandCover,
    HandSale,
    Incident,
    PriceJump,
    apply_incident,
)
from hedgerow.simulation.scenario import Act, FalseReading, RunPlan, venue_faults

__all__ = [
    "ROUND_TRIPS",
    "BotSession",
    "ExchangeHarness",
    "InProcessHarness",
    "NotifyingVenue",
    "span_from",
    "spans_of",
]

ROUND_TRIPS = 20
"""One-way delays that a step may take, each drawn: several requests after one another, there and back."""
TAKES_A_LEG = (HandSale, HandCover, Deleveraging, PriceJump)
"""What others do to a leg: a bot to which nothing is reported cannot know of it before the account shows it."""
LONGEST_LAG_SECONDS = 6.0
"""What an account that lags may add to a step: a bot that an older account keeps waiting has to know by other means."""


class NotifyingVenue(Venue, NotificationSource, Protocol):
    """A venue that reports what happens, too."""


class BotSession(Struct, frozen=True, kw_only=True):
    """What one session of the bot has of the exchange."""

    venue: NotifyingVenue
    notifications: bool
    """Whether the bot listens."""
    poll_seconds: float = 0.0
    """How often it polls the account while nothing is reported."""
    observers: Sequence[Observer] = ()


class ExchangeHarness(Protocol):
    """An exchange with one account."""

    @property
    def now(self) -> datetime:
        """The time of the run; that of the exchange is the time when it was asked last."""
        ...

    @property
    def world(self) -> World:
        """The account and its market, brought to the present time."""
        ...

    @property
    def faulted(self) -> int:
        """How often something went wrong with what the bot asked."""
        ...

    @property
    def injected(self) -> int:
        """The same, and what went wrong with what was reported to it."""
        ...

    @property
    def spans(self) -> MutableSequence[CauseSpan]:
        """When the exchange cannot do what it is asked, or shows what is no longer so."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether the account is still shown as it was before a command or a trade."""
        ...

    @property
    def patience_seconds(self) -> float:
        """How many seconds more than usual a step may take over this transport."""
        ...

    @property
    def wakes(self) -> bool:
        """Whether the bot is woken after an incident on the account, because nothing reports it."""
        ...

    def client_id_of(self, fill: Fill) -> str:
        """Return the client id of the order behind a trade in the world; empty where it has none."""
        ...

    def advance(self) -> None:
        """Bring the exchange to the present time."""
        ...

    def calm(self) -> None:
        """Let nothing go wrong any more; what is under way still arrives."""
        ...

    def inject(self, act: Act) -> Act | None:
        """Let something happen now; returns what follows from it later."""
        ...

    def session(self, store: Store, crash_point: CrashPoint) -> AbstractAsyncContextManager[BotSession]:
        """Return the connection of a new session to the exchange, open while it is held.

        Raises:
            ConfigError: the exchange does not let it in.
            SimulatedCrash: the process crashed while it was opened.
        """
        ...


class InProcessHarness:
    """Calls within the process."""

    def __init__(self, world: World, clock: VirtualClock, plan: RunPlan, random: Random) -> None:
        self._plan = plan
        self._clock = clock
        self._venue = EmulatedVenue(
            world,
            clock,
            latency=LatencyModel(median_seconds=plan.latency_seconds),
            random=random,
            faults=venue_faults(plan.drawn_faults),
            delayed_spot_ack=plan.delayed_spot_ack,
            certain_after_seconds=plan.certain_after_seconds,
        )
        self.spans = spans_of(plan)
        self.patience_seconds = _patience(plan)
        """Lost orders may still land, balances lag, requests travel."""
        self.wakes = not plan.notifications

    @property
    def now(self) -> datetime:
        """The time of the run."""
        return self._clock.now()

    @property
    def world(self) -> World:
        """The account and its market, as the last call left them."""
        return self._venue.world

    @property
    def faulted(self) -> int:
        """How often a fault has kept a command or a read from being answered."""
        return self._venue.faulted - self._venue.shown_false

    @property
    def injected(self) -> int:
        """The same, and how often what was shown was not so."""
        return self._venue.faulted

    @property
    def is_behind(self) -> bool:
        """Whether the account is still shown as it was before a command."""
        return self._venue.behind_until is not None

    def client_id_of(self, fill: Fill) -> str:
        """Return the client id of the order behind a trade."""
        return fill.client_id

    def advance(self) -> None:
        """Bring the exchange to the present time."""
        self.world.advance(self._clock.now())

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self._venue.calm()

    def inject(self, act: Act) -> Act | None:
        """Let something happen to the account or its market."""
        span = span_from(act, self.now)
        self.spans += [span] if span else []
        unseen_until = self._venue.behind_until
        if unseen_until is not None and not self._plan.notifications and isinstance(act, TAKES_A_LEG):
            self.spans.append(CauseSpan(begin=self.now, end=unseen_until, cause=Cause.STALE))
        return apply_incident(act, self.world) if isinstance(act, Incident) else None

    @asynccontextmanager
    async def session(self, store: Store, crash_point: CrashPoint) -> AsyncGenerator[BotSession]:  # noqa: ARG002 - nothing is opened
        """Lend the venue: it is the same one for every session."""
        yield BotSession(venue=self._venue, notifications=self._plan.notifications)


def _patience(plan: RunPlan) -> float:
    """Return how much longer everything may take; an account that lags for longer is no cause of anything."""
    lag = max((t.seconds for t in plan.drawn_faults if isinstance(t, LaggingBalances | LateReports)), default=0.0)
    lag = min(lag, LONGEST_LAG_SECONDS)
    return plan.certain_after_seconds + lag + ROUND_TRIPS * plan.latency_seconds


def spans_of(plan: RunPlan) -> list[CauseSpan]:
    """Return when a plan lets the exchange not do what it is asked, or show what is no longer so.

    Markets that are closed and books that are empty are not here: they are looked at on the exchange itself. Nor is
    what begins when it is injected, late while the machine sleeps: see ``span_from``.
    """
    found: list[CauseSpan] = []
    for fault in plan.drawn_faults:
        if isinstance(fault, StaleBooks):
            found.append(CauseSpan(begin=fault.after, end=fault.until, cause=Cause.STALE))
        elif isinstance(fault, VenueFault):
            found.append(CauseSpan(begin=fault.after, end=fault.until, cause=Cause.OUTAGE))
        elif isinstance(fault, FalseReading):
            found.append(_false_span(fault))
    return found


def span_from(act: Act, now: datetime) -> CauseSpan | None:
    """Return until when a market that is altered from ``now`` on keeps a bot from trading; None = it does not."""
    if not isinstance(act, Alteration) or act.kind not in BRIEF:
        return None
    return CauseSpan(begin=now, end=now + timedelta(seconds=act.seconds), cause=Cause.MISLEADING)


def _false_span(reading: FalseReading) -> CauseSpan:
    """Return when a reading is false; what is listed late, until the last of it is."""
    begin, end = reading.after, reading.until
    if begin is None or end is None:
        raise ValueError(f"a drawn reading is false for a span of time: {reading}")
    if isinstance(reading, LateFunding | LateRates):
        return CauseSpan(begin=begin, end=end + timedelta(seconds=reading.seconds), cause=Cause.FALSE, explains=False)
    return CauseSpan(begin=begin, end=end, cause=Cause.FALSE)
