"""The state of a two-leg execution in flight: a value, so that it survives a crash in the event log.

The transition table that moves it lives in ``hedgerow.strategy.hedging.machine``.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from hedgerow.domain.commands import PlaceOrder, TransferFunds
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import Reason
from hedgerow.domain.settings.declaration import Setting, Unit

__all__ = [
    "RESTING_GAP",
    "DoubtfulOrder",
    "ExecutionChange",
    "ExecutionKind",
    "ExecutionLimits",
    "ExecutionPlan",
    "ExecutionState",
    "ExecutionStyle",
    "HedgeExecution",
    "LegProgress",
    "Preparation",
    "change_between",
    "changed",
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
    IN_DOUBT = "IN_DOUBT"
    """Nothing is sent until an order that the venue does not know, and that may land all the same, is certain."""
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

    price_cap_bps: Annotated[
        Decimal,
        Setting(text="worst price accepted, {unit} from the best one", gt=0, le=1000, unit=Unit.BASIS_POINTS),
    ] = Decimal(10)
    widen_after_2s_bps: Annotated[
        Decimal,
        Setting(text="added to the cap once a leg was naked for 2 s", ge=0, le=1000, unit=Unit.BASIS_POINTS),
    ] = Decimal(5)
    widen_after_5s_bps: Annotated[
        Decimal,
        Setting(text="added to the cap once a leg was naked for 5 s", ge=0, le=1000, unit=Unit.BASIS_POINTS),
    ] = Decimal(20)
    flatten_after_seconds: Annotated[
        float,
        Setting(text="then the open part is undone, not completed, {unit}", gt=0, le=600, unit=Unit.SECONDS),
    ] = 30
    max_cap_bps: Annotated[
        Decimal, Setting(text="widest cap ever used, {unit}", gt=0, le=2000, unit=Unit.BASIS_POINTS)
    ] = Decimal(200)
    """Reached while NAKED."""
    max_naked_seconds: Annotated[
        float, Setting(text="a leg naked for longer is reported, {unit}", gt=0, le=600, unit=Unit.SECONDS)
    ] = 5
    max_naked_equity_fraction: Annotated[
        Decimal,
        Setting(
            text="most that may be unhedged, as a part of equity; twice the exchange's minimum always may",
            gt=0,
            le=1,
        ),
    ] = Decimal("0.05")
    """Hence the largest slice. A pair of which two lots are worth more than both is not opened."""
    slice_depth_fraction: Annotated[
        Decimal, Setting(text="largest slice, as a part of the depth within the cap", gt=0, le=1)
    ] = Decimal("0.2")
    book_stale_seconds: Annotated[
        float,
        Setting(
            text="an older book is not traded on, {unit}; legs that differ for 3 s: on one up to 60 s old",
            gt=0,
            le=60,
            unit=Unit.SECONDS,
        ),
    ] = 3
    settlement_guard_seconds: Annotated[
        float,
        Setting(text="no new slice this close to a settlement, {unit}; 0 = off", ge=0, le=3600, unit=Unit.SECONDS),
    ] = 60
    """Before or after it; of the leading leg."""
    style: Annotated[
        ExecutionStyle,
        Setting(
            text="how the first leg is placed: taker = capped orders that fill or expire; maker = they rest first",
            is_choice=True,
        ),
    ] = ExecutionStyle.TAKER
    maker_timeout_seconds: Annotated[
        float,
        Setting(
            text="maker: a slice that rested for longer is taken, {unit}",
            ge=1,
            le=600,
            unit=Unit.SECONDS,
            is_choice=True,
        ),
    ] = 45
    max_order_usd: Annotated[
        Decimal | None,
        Setting(text="largest order, {unit}; larger ones are split", ge=20, le=10**9, unit=Unit.USDT, is_choice=True),
    ] = None
    """None = no limit."""
    max_resting_loss_usd: Annotated[
        Decimal,
        Setting(
            text="maker: most that a resting spot order may lose while nobody is there, {unit}; twice that may rest",
            gt=0,
            le=10**9,
            unit=Unit.USDT,
            is_choice=True,
        ),
    ] = Decimal(100)
    """Its notional x ``RESTING_GAP``."""


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
    whole_short: bool = False
    """Whether the account's whole short of the symbol is to be bought back: nobody else's is part of it."""
    urgent: bool = False
    """Safety exits: exempt from the settlement guard, caps widen without end to ``max_cap_bps``."""
    spot_floor: Decimal | None = None
    """Lowest price at which coins are sold (close, trim, reduce), quote units; None = only the caps count."""
    perp_ceiling: Decimal | None = None
    """Above this price of the perpetual no further coins are sold; what was sold is bought back at any price."""
    entry_discount: Decimal | None = None
    """How far the perpetual's bid was below the spot ask when an opening was planned, as a fraction of the bid;
    negative = above. None in other plans, and in logs from before it was kept."""


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

    @property
    def average_price(self) -> Decimal | None:
        """Quote units per base unit of what filled; None when nothing did."""
        return self.notional / self.filled if self.filled else None


class DoubtfulOrder(Struct, frozen=True, kw_only=True):
    """An order that every look-up lacks and whose nonce is not dead yet: it may still land."""

    command: PlaceOrder
    until: datetime
    """When its nonce is dead; a look-up after that is proof."""


class HedgeExecution(Struct, frozen=True, kw_only=True):
    """A two-leg job in flight."""

    hedge_id: str
    kind: ExecutionKind
    pair: BasisPair
    """As the venue listed it at the newest step; what was traded under older grids stands in the legs."""
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
    doubtful: tuple[DoubtfulOrder, ...] = ()
    """Orders that may still land, oldest first; their fills join a leg when they are known."""
    follower_unwound: Decimal = ZERO
    """Base units of the following leg reversed because a doubtful order of it filled as well (open only)."""
    follower_unwound_notional: Decimal = ZERO
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
    """Base units of the leading leg reversed so far: of an opening what found no hedge, of a closing the coins bought
    again whose short could not be bought back."""
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
    coin_fee: Decimal | None = None
    """Base units that the fees of this job's spot buys are expected to take, each at the rate it was sent with; None
    in jobs of logs from before it was counted, whose fees follow the pair's rates."""
    refusals: int = 0
    """Orders in a row that ended with nothing filled: drives the pause before the next one."""
    retry_at: datetime | None = None
    """While ``NAKED``: when the next order is due; None = now."""
    detail: str = ""
    """Last refusal or reason, in words."""
    given_up: Reason | None = None
    """Why an opening led no further though it could have: a person asked for that, or the bot was stopped."""

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
        """Base units of spot this job added (open) or sold, net of the fee in coin and of what was unwound."""
        if self.kind is not ExecutionKind.OPEN:
            return self.spot.filled - (self.unwound - (self.coin_fee or ZERO))
        received = self.spot.filled - (self._coin_fee_by_rates() if self.coin_fee is None else self.coin_fee)
        return received - (self.unwound if self.lead is Market.SPOT else self.follower_unwound)

    @property
    def net_perp(self) -> Decimal:
        """Base units this job sold short (open, net of what was unwound) or bought back."""
        return self.perp.filled - (self.unwound if self.lead is Market.PERP else self.follower_unwound)

    @property
    def exposure(self) -> Decimal:
        """Base units by which the two legs of this job differ; positive = more spot moved than perpetual."""
        return self.net_spot - self.net_perp

    def _coin_fee_by_rates(self) -> Decimal:
        fees, rested = self.pair.spot.fees, self.spot.maker_filled
        return self.spot.filled * fees.taker - rested * (fees.taker - fees.maker)

    @property
    def traded_price(self) -> Decimal | None:
        """Average price of the coin in this job's fills: those of spot, or else of the perpetual."""
        return (self.spot if self.spot.filled else self.perp).average_price

    def leg(self, market: Market) -> LegProgress:
        """Return the progress of one leg."""
        return self.spot if market is Market.SPOT else self.perp


class ExecutionChange(Struct, frozen=True, kw_only=True):
    """What one step changed of a job: fields of ``HedgeExecution`` that are not named here are constant."""

    pair: BasisPair | UnsetType = UNSET
    plan: ExecutionPlan | UnsetType = UNSET
    state: ExecutionState | UnsetType = UNSET
    resume: ExecutionState | UnsetType | None = UNSET
    spot: LegProgress | UnsetType = UNSET
    perp: LegProgress | UnsetType = UNSET
    pending: tuple[Preparation, ...] | UnsetType = UNSET
    working: PlaceOrder | UnsetType | None = UNSET
    working_filled: Decimal | UnsetType = UNSET
    doubtful: tuple[DoubtfulOrder, ...] | UnsetType = UNSET
    follower_unwound: Decimal | UnsetType = UNSET
    follower_unwound_notional: Decimal | UnsetType = UNSET
    resting_since: datetime | UnsetType | None = UNSET
    maker_over: bool | UnsetType = UNSET
    stage_since: datetime | UnsetType = UNSET
    naked_since: datetime | UnsetType | None = UNSET
    naked_alarmed: bool | UnsetType = UNSET
    worst_naked_seconds: float | UnsetType = UNSET
    worst_naked_notional: Decimal | UnsetType = UNSET
    naked_seconds: float | UnsetType = UNSET
    margin_topped_up: bool | UnsetType = UNSET
    lead_done: bool | UnsetType = UNSET
    unwound: Decimal | UnsetType = UNSET
    unwound_notional: Decimal | UnsetType = UNSET
    spot_arrival: Decimal | UnsetType | None = UNSET
    perp_arrival: Decimal | UnsetType | None = UNSET
    dead_man_at: datetime | UnsetType | None = UNSET
    orders: int | UnsetType = UNSET
    coin_fee: Decimal | UnsetType | None = UNSET
    refusals: int | UnsetType = UNSET
    retry_at: datetime | UnsetType | None = UNSET
    detail: str | UnsetType = UNSET
    given_up: Reason | UnsetType | None = UNSET


def change_between(before: HedgeExecution, after: HedgeExecution) -> ExecutionChange:
    """Return the change that makes ``after`` of ``before``, two states of one job."""
    names = ExecutionChange.__struct_fields__
    return ExecutionChange(
        **{name: getattr(after, name) for name in names if getattr(after, name) != getattr(before, name)}
    )


def changed(job: HedgeExecution, change: ExecutionChange) -> HedgeExecution:
    """Return the job after a change."""
    given = {name: getattr(change, name) for name in ExecutionChange.__struct_fields__}
    return replace(job, **{name: value for name, value in given.items() if value is not UNSET})
