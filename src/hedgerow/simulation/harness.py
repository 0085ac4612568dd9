"""The exchange as one run's door: what a life of the bot trades through, and what its witness judges by."""

from collections.abc import AsyncGenerator, MutableSequence, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from random import Random
from typing import Protocol

from msgspec import Struct

from hedgerow.clock import VirtualClock
from hedgerow.domain.order import Fill
from hedgerow.emulator.core.world import World
from hedgerow.emulator.inprocess.faults import Disorder, LaggingBalances, LateReports, StaleBooks
from hedgerow.emulator.inprocess.readings import LateFunding, LateRates
from hedgerow.emulator.inprocess.venue import EmulatedVenue
from hedgerow.emulator.latency import LatencyModel
from hedgerow.engine.notices import Listener
from hedgerow.ports import NewsSource, Store, Venue
from hedgerow.simulation.causes import Cause, Span
from hedgerow.simulation.faults.alterations import BRIEF, Alteration
from hedgerow.simulation.faults.crashes import Plug
from hedgerow.simulation.faults.incidents import Fate, befall
from hedgerow.simulation.scenario import Act, FalseReading, RunPlan, venue_faults

__all__ = ["ROUND_TRIPS", "Life", "ProcessDoor", "RunDoor", "ToldVenue", "spans_of"]

ROUND_TRIPS = 20
"""One-way delays that a step may take, each drawn: several requests after one another, there and back."""


class ToldVenue(Venue, NewsSource, Protocol):
    """A venue that tells what happens, too."""


class Life(Struct, frozen=True, kw_only=True):
    """What one life of the bot has of the exchange."""

    venue: ToldVenue
    news: bool
    """Whether the bot listens."""
    poll_seconds: float = 0.0
    """How often it glances at the account while nothing is told."""
    listeners: Sequence[Listener] = ()


class RunDoor(Protocol):
    """An exchange with one account."""

    @property
    def world(self) -> World:
        """The account and its market, brought to the present time."""
        ...

    @property
    def struck(self) -> int:
        """How often something went wrong with what the bot asked."""
        ...

    @property
    def injected(self) -> int:
        """The same, and what went wrong with what it was told."""
        ...

    @property
    def spans(self) -> MutableSequence[Span]:
        """When the exchange cannot do what it is asked, or shows what is no longer so."""
        ...

    @property
    def patience_seconds(self) -> float:
        """How many seconds more than usual a step may take through this door."""
        ...

    @property
    def wakes(self) -> bool:
        """Whether the bot is woken when something befell the account, for nobody tells it."""
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

    def strike(self, act: Act) -> Act | None:
        """Let something happen now; returns what follows from it later."""
        ...

    def life(self, store: Store, plug: Plug) -> AbstractAsyncContextManager[Life]:
        """Return the way of a new life to the exchange, open while it is held.

        Raises:
            ConfigError: the exchange does not let it in.
            PowerCut: the power failed while it was opened.
        """
        ...


class ProcessDoor:
    """Calls within the process."""

    def __init__(self, world: World, clock: VirtualClock, plan: RunPlan, random: Random) -> None:
        self._plan = plan
        self._clock = clock
        self._venue = EmulatedVenue(
            world,
            clock,
            latency=LatencyModel(median_seconds=plan.latency_seconds),
            random=random,
            faults=venue_faults(plan.troubles),
            delayed_spot_ack=plan.delayed_spot_ack,
            certain_after_seconds=plan.certain_after_seconds,
        )
        self.spans = spans_of(plan)
        self.patience_seconds = _patience(plan)
        """Lost orders may still land, balances lag, requests travel."""
        self.wakes = not plan.news

    @property
    def world(self) -> World:
        """The account and its market, as the last call left them."""
        return self._venue.world

    @property
    def struck(self) -> int:
        """How often a fault has kept a command or a read from being answered."""
        return self._venue.struck - self._venue.shown_false

    @property
    def injected(self) -> int:
        """The same, and how often what was shown was not so."""
        return self._venue.struck

    def client_id_of(self, fill: Fill) -> str:
        """Return the client id of the order behind a trade."""
        return fill.client_id

    def advance(self) -> None:
        """Bring the exchange to the present time."""
        self.world.advance(self._clock.now())

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self._venue.calm()

    def strike(self, act: Act) -> Act | None:
        """Let something happen to the account or its market."""
        return befall(act, self.world) if isinstance(act, Fate) else None

    @asynccontextmanager
    async def life(self, store: Store, plug: Plug) -> AsyncGenerator[Life]:  # noqa: ARG002 - nothing is opened
        """Lend the venue: it is the same one for every life."""
        yield Life(venue=self._venue, news=self._plan.news)


def _patience(plan: RunPlan) -> float:
    lag = max((t.seconds for t in plan.troubles if isinstance(t, LaggingBalances | LateReports)), default=0.0)
    return plan.certain_after_seconds + lag + ROUND_TRIPS * plan.latency_seconds


def spans_of(plan: RunPlan) -> list[Span]:
    """Return when a plan lets the exchange not do what it is asked, or show what is no longer so.

    Markets that are closed and books that are empty are not here: they are looked at on the exchange itself.
    """
    found: list[Span] = []
    for trouble in plan.troubles:
        if isinstance(trouble, StaleBooks):
            found.append(Span(begin=trouble.after, end=trouble.until, cause=Cause.STALE))
        elif isinstance(trouble, Disorder):
            found.append(Span(begin=trouble.after, end=trouble.until, cause=Cause.OUTAGE))
        elif isinstance(trouble, Alteration) and trouble.kind in BRIEF:
            end = trouble.at + timedelta(seconds=trouble.seconds)
            found.append(Span(begin=trouble.at, end=end, cause=Cause.MISLEADING))
        elif isinstance(trouble, FalseReading):
            found.append(_false_span(trouble))
    return found


def _false_span(reading: FalseReading) -> Span:
    """Return when a reading is false; what is listed late, until the last of it is."""
    begin, end = reading.after, reading.until
    if begin is None or end is None:
        raise ValueError(f"a drawn reading is false for a span of time: {reading}")
    if isinstance(reading, LateFunding | LateRates):
        return Span(begin=begin, end=end + timedelta(seconds=reading.seconds), cause=Cause.FALSE, explains=False)
    return Span(begin=begin, end=end, cause=Cause.FALSE)
