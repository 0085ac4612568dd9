"""The state of a two-leg job in flight: a value, so that it survives a crash inside the log.

The transition table that moves it lives in ``hedgerow.strategy.hedging``.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.domain.commands import PlaceOrder, TransferFunds
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import Reason

__all__ = [
    "RESTING_GAP",
    "ExecutionKind",
    "ExecutionLimits",
    "ExecutionPlan",
    "ExecutionState",
    "ExecutionStyle",
    "HedgeExecution",
    "LegProgress",
    "Preparation",
]

RESTING_GAP = Decimal("0.5")
"""Fraction by which the price is assumed to run away from a resting order that fills while nobody is there."""


class ExecutionKind(StrEnum):
    """What the job is for."""

    OPEN = "open"
    CLOSE = "close"
    TRIM = "trim"
    REDUCE = "reduce"
    """A planned part of both legs is closed; the rest stays a hedge."""


class ExecutionStyle(StrEnum):
    """How the leading leg is placed; the value is the word of the configuration file."""

    TAKER = "taker"
    """Price-capped orders that fill at once or expire."""
    MAKER = "maker"
    """Post-only orders at the touch; what they do not fill in time is taken."""


class ExecutionState(StrEnum):
    """Where the job stands; ``HEDGED`` and ``FLAT`` are its only ends."""

    PREPARING = "PREPARING"
    """Margin type, leverage, transfer."""
    LEADING = "LEADING"
    """A slice of the leading leg is to be placed or at work."""
    RESTING = "RESTING"
    """A post-only slice of the leading leg waits in the book (maker style)."""
    CANCELLING = "CANCELLING"
    """The resting slice is being taken out of the book; nothing is sent until it is final and its fills are known."""
    FOLLOWING = "FOLLOWING"
    """The other leg is catching up with what the leading leg filled."""
    RESOLVING = "RESOLVING"
    """An order's outcome is unknown; nothing is sent until it is known."""
    REPAIRING = "REPAIRING"
    """The following leg fell short; it is retried with wider caps."""
    UNWINDING = "UNWINDING"
    """The unhedged part of the leading leg is being reversed."""
    NAKED = "NAKED"
    """Unwinding ran out of time: alarmed, openings halted, still trying with wider caps."""
    HEDGED = "HEDGED"
    FLAT = "FLAT"

    @property
    def ended(self) -> bool:
        """Whether the job is over."""
        return self in {ExecutionState.HEDGED, ExecutionState.FLAT}


class Preparation(StrEnum):
    """Steps before the first order, in their order."""

    MARGIN_TYPE = "margin_type"
    LEVERAGE = "leverage"
    TRANSFER = "transfer"


class ExecutionLimits(Struct, frozen=True, kw_only=True):
    """Price caps and bounds of a job; the defaults are those of the configuration's ``execution`` section."""

    price_cap_bps: Decimal = Decimal(10)
    """Worst price accepted, from the touch."""
    widen_after_2s_bps: Decimal = Decimal(5)
    """Added to the cap once a leg has been naked for 2 s."""
    widen_after_5s_bps: Decimal = Decimal(20)
    """Added to the cap once a leg has been naked for 5 s."""
    flatten_after_seconds: float = 30
    """After this the open part is unwound instead of completed."""
    max_cap_bps: Decimal = Decimal(200)
    """Widest cap ever used, reached while NAKED."""
    max_naked_seconds: float = 5
    """A leg naked for longer is reported."""
    max_naked_equity_fraction: Decimal = Decimal("0.05")
    """Largest slice, hence largest intended exposure, as a fraction of equity."""
    slice_depth_fraction: Decimal = Decimal("0.2")
    """Largest slice as a fraction of the depth within the cap."""
    book_stale_seconds: float = 3
    """A book older than this is not traded on."""
    settlement_guard_seconds: float = 60
    """No new leading slice this close to a settlement, before or after; 0 switches the rule off."""
    style: ExecutionStyle = ExecutionStyle.TAKER
    maker_timeout_seconds: float = 45
    """A leading slice that was not filled by resting for so long is taken."""
    max_order_usd: Decimal | None = None
    """Largest order in quote units, larger ones are split; None = no limit."""
    max_resting_loss_usd: Decimal = Decimal(100)
    """Most that a resting order may lose if nobody is there to hedge it: its notional x ``RESTING_GAP``."""


class ExecutionPlan(Struct, frozen=True, kw_only=True):
    """What the job is to bring about."""

    spot_quantity: Decimal
    """Base units to buy gross (open) or to sell (close, trim, reduce)."""
    perp_quantity: Decimal
    """Base units to sell short (open) or to buy back (close, trim, reduce)."""
    slice_notional: Decimal
    """Largest unhedged slice in quote units."""
    lead: Market = Market.SPOT
    """The leg that goes first: of an opening the one with the thinner book, of every other job spot."""
    leverage: int = 1
    transfer: TransferFunds | None = None
    entry_rate: float = 0.0
    entry_apr: float = 0.0
    interval_hours: int = 8
    """The symbol's funding interval, for the settlement guard."""
    urgent: bool = False
    """Safety exits: exempt from the settlement guard, caps widen without end to ``max_cap_bps``."""
    spot_floor: Decimal | None = None
    """Lowest price at which coins are sold (close, trim, reduce), quote units; None = only the caps count."""
    perp_ceiling: Decimal | None = None
    """Above this price of the perpetual no further coins are sold; what was sold is bought back at any price."""


class LegProgress(Struct, frozen=True, kw_only=True):
    """What one leg of the job has done so far."""

    filled: Decimal = ZERO
    """Base units over ended orders of this job."""
    notional: Decimal = ZERO
    """Quote units over ended orders of this job."""
    attempts: int = 0
    """Orders of this leg over the whole life of the hedge: the next client id's number."""
    maker_filled: Decimal = ZERO
    """The part of ``filled`` that rested in the book."""
    maker_notional: Decimal = ZERO
    """The part of ``notional`` that rested in the book."""


class HedgeExecution(Struct, frozen=True, kw_only=True):
    """A two-leg job in flight."""

    hedge_id: str
    kind: ExecutionKind
    pair: BasisPair
    reason: Reason
    plan: ExecutionPlan
    limits: ExecutionLimits
    state: ExecutionState
    started_at: datetime
    resume: ExecutionState | None = None
    """While RESOLVING: the state whose order is being resolved."""
    spot: LegProgress = LegProgress()
    perp: LegProgress = LegProgress()
    pending: tuple[Preparation, ...] = ()
    """Preparations still to do, first one at work."""
    working: PlaceOrder | None = None
    """The order at work; at most one."""
    working_filled: Decimal = ZERO
    """Base units that the order at work is known to have filled so far; they join its leg when it ends."""
    resting_since: datetime | None = None
    """When the present leading slice was first put into the book; None while none is to rest."""
    maker_over: bool = False
    """Whether the present slice has rested long enough, or may not rest: it is taken."""
    stage_since: datetime
    """When the present attempt at the present leg began: drives caps and time-outs."""
    naked_since: datetime | None = None
    """Since when the legs differ by more than the tolerance."""
    naked_alarmed: bool = False
    worst_naked_seconds: float = 0.0
    """Longest stretch during which the legs differed by more than the tolerance."""
    worst_naked_notional: Decimal = ZERO
    """Largest difference between the legs, in quote units."""
    naked_seconds: float = 0.0
    """Sum of the stretches that are over during which the legs differed by more than the tolerance."""
    margin_topped_up: bool = False
    lead_done: bool = False
    """No further leading slice: planned size reached, or given up."""
    unwound: Decimal = ZERO
    """Base units of the leading leg reversed so far (open only)."""
    unwound_notional: Decimal = ZERO
    """Quote units received for them, or paid where the perpetual led."""
    spot_arrival: Decimal | None = None
    """Middle of the spot book when the job first saw it; None before."""
    perp_arrival: Decimal | None = None
    """The same of the perpetual's book."""
    dead_man_at: datetime | None = None
    """When the dead man's switch was last asked for; None while it is not needed."""
    orders: int = 0
    """Orders of this job so far."""
    detail: str = ""
    """Last refusal or reason, for people."""

    @property
    def symbol(self) -> str:
        """The pair's symbol."""
        return self.pair.symbol

    @property
    def lead(self) -> Market:
        """The leg that goes first."""
        return self.plan.lead

    @property
    def follower(self) -> Market:
        """The leg that catches up with the leading one."""
        return Market.PERP if self.lead is Market.SPOT else Market.SPOT

    @property
    def net_spot(self) -> Decimal:
        """Base units of spot this job added (open, net of the fee in coin and of what was unwound) or sold."""
        if self.kind is not ExecutionKind.OPEN:
            return self.spot.filled
        fees, rested = self.pair.spot.fees, self.spot.maker_filled
        received = self.spot.filled * (1 - fees.taker) + rested * (fees.taker - fees.maker)
        return received - (self.unwound if self.lead is Market.SPOT else ZERO)

    @property
    def net_perp(self) -> Decimal:
        """Base units this job sold short (open, net of what was unwound) or bought back."""
        return self.perp.filled - (self.unwound if self.lead is Market.PERP else ZERO)

    @property
    def exposure(self) -> Decimal:
        """Base units by which the two legs of this job differ; positive = more spot moved than perpetual."""
        return self.net_spot - self.net_perp

    def leg(self, market: Market) -> LegProgress:
        """Return the progress of one leg."""
        return self.spot if market is Market.SPOT else self.perp
