"""A scenario: account, market, settings and faults of one run."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.emulator.core.market_changes import LeverageTier
from hedgerow.emulator.inprocess.faults import (
    FaultPlan,
    LaggingBalances,
    LateReports,
    PairRefusal,
    ReadFault,
    StaleBooks,
    SubmitFault,
    VenueFault,
)
from hedgerow.emulator.inprocess.readings import AccountReading, LateFunding, LateRates, MarketReading
from hedgerow.simulation.faults.incidents import Incident
from hedgerow.simulation.faults.interruptions import Interruption
from hedgerow.simulation.faults.market import MarketFault
from hedgerow.simulation.faults.wire import Cut, WireAct
from hedgerow.strategy.parameters import StrategyParameters

__all__ = [
    "Act",
    "Crash",
    "FalseReading",
    "Fault",
    "Hearing",
    "RunPlan",
    "Suspension",
    "Transport",
    "VenueFaultAct",
    "acts",
    "network_cuts",
    "settling",
    "transports",
    "venue_faults",
]

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday, 00:00: a settlement of every interval."""


class Transport(StrEnum):
    """How the bot reaches the exchange."""

    PROCESS = "process"
    """By calls in the same process."""
    WIRE = "wire"
    """By signed requests and streams: the client that trades live, over a network in memory."""


class Hearing(StrEnum):
    """Which streams a bot on the wire can open."""

    ALL = "all"
    ACCOUNT = "account"
    """Those of the account alone; the market is read by REST."""
    NOTHING = "nothing"


class Crash(Struct, frozen=True, kw_only=True, tag="crash"):
    """From ``at`` on, the bot crashes after so many further points, and is started again later."""

    at: datetime
    points: int
    """Appends and venue calls, before and after each."""
    trading: bool
    """Whether they are counted from the beginning of the next job of two legs."""
    down_seconds: float


class Suspension(Struct, frozen=True, kw_only=True, tag="suspension"):
    """The machine sleeps: the bot's clock jumps, whatever it was doing."""

    at: datetime
    seconds: float


Act: TypeAlias = Incident | Crash | Suspension | WireAct
"""What happens at a time of its own."""
FalseReading: TypeAlias = AccountReading | MarketReading | LateFunding | LateRates
"""What the exchange shows that is not so, or not yet."""
VenueFaultAct: TypeAlias = (
    PairRefusal | SubmitFault | ReadFault | StaleBooks | LaggingBalances | LateReports | VenueFault | FalseReading
)
"""What the venue in process does."""
Fault: TypeAlias = VenueFaultAct | MarketFault | Act | Cut | Interruption
"""Everything that a run may meet, whatever its transport; ``transports`` says where each applies."""


class RunPlan(Struct, frozen=True, kw_only=True):
    """One run; the same plan gives the same log, byte for byte."""

    seed: int
    days: float
    start: datetime = START
    pairs: int
    usdt: Decimal
    """Of each wallet."""
    coins: Decimal
    """Quote units of every coin that the owner holds beside the bot."""
    parameters: StrategyParameters
    latency_seconds: float
    """Median of one way."""
    delayed_spot_ack: bool
    certain_after_seconds: float
    jitter_seconds: float
    """How far a settlement may be charged before or after its stamp."""
    resume_after_hours: float = 12.0
    """How long openings stay halted before the owner allows them again."""
    maintenance_tiers: tuple[LeverageTier, ...] = ()
    """Maintenance margin that grows with a position; empty = the same fraction of every size."""
    interference: float = 0.0
    """Part of the jobs during which the owner asks for a halt or a closing."""
    notifications: bool = True
    """Whether the exchange reports what happens; without, the bot finds out by itself."""
    transport: Transport = Transport.PROCESS
    hearing: Hearing = Hearing.ALL
    """Of a bot on the wire."""
    spot_delay_seconds: float = 0.02
    """Between the acknowledgement of a spot order and its matching, on the wire."""
    hide_orders_seconds: float = 0.0
    """How long a look-up on the wire does not find a new order."""
    drawn_faults: tuple[Fault, ...]

    def __post_init__(self) -> None:
        """Refuse faults of another transport.

        Raises:
            ValueError: there is one; says which, and what applies to it.
        """
        for fault in self.drawn_faults:
            known = transports(fault)
            if self.transport not in known:
                where = " and ".join(sorted(known))
                raise ValueError(f"{type(fault).__name__} applies to transport {where}, not to {self.transport}")

    @property
    def begin(self) -> datetime:
        """When the bot starts."""
        return self.start + timedelta(hours=1)

    @property
    def end(self) -> datetime:
        """When everything is in order again, and the bot is killed a last time."""
        return self.begin + timedelta(days=self.days)


def transports(fault: Fault) -> frozenset[Transport]:
    """Return on which transports a fault applies: one of the in-process venue, of the wire, or of both worlds."""
    if isinstance(fault, VenueFaultAct):
        return frozenset({Transport.PROCESS})
    if isinstance(fault, Cut | WireAct):
        return frozenset({Transport.WIRE})
    return frozenset(Transport)


def acts(drawn_faults: Sequence[Fault]) -> list[Act]:
    """Return what happens at its own time, and is left to the run."""
    return [t for t in drawn_faults if not isinstance(t, VenueFaultAct | MarketFault | Cut | Interruption)]


def network_cuts(drawn_faults: Sequence[Fault]) -> list[Cut]:
    """Return the part that the network applies."""
    return [fault for fault in drawn_faults if isinstance(fault, Cut)]


def settling(plan: RunPlan) -> StrategyParameters:
    """Return the settings of the last session; on the wire it keeps its hedge, or its end would fall into a trade."""
    if plan.transport is Transport.PROCESS:
        return plan.parameters
    management = replace(plan.parameters.position_management, max_position_age_hours=24.0)
    return replace(plan.parameters, position_management=management)


def venue_faults(drawn_faults: Sequence[Fault]) -> FaultPlan:
    """Return the part that the venue in process applies."""
    lags = [fault for fault in drawn_faults if isinstance(fault, LaggingBalances)]
    return FaultPlan(
        submits=tuple(fault for fault in drawn_faults if isinstance(fault, SubmitFault)),
        reads=tuple(fault for fault in drawn_faults if isinstance(fault, ReadFault)),
        stale_books=tuple(fault for fault in drawn_faults if isinstance(fault, StaleBooks)),
        lagging=lags[-1] if lags else None,
        late=tuple(fault for fault in drawn_faults if isinstance(fault, LateReports)),
        venue_faults=tuple(fault for fault in drawn_faults if isinstance(fault, VenueFault)),
        refusals=tuple(fault for fault in drawn_faults if isinstance(fault, PairRefusal)),
        account_readings=tuple(fault for fault in drawn_faults if isinstance(fault, AccountReading)),
        market_readings=tuple(fault for fault in drawn_faults if isinstance(fault, MarketReading)),
        late_funding=tuple(fault for fault in drawn_faults if isinstance(fault, LateFunding)),
        late_rates=tuple(fault for fault in drawn_faults if isinstance(fault, LateRates)),
    )
