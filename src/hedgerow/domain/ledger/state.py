"""The ledger: everything that the bot knows of itself, as one value, computed from events by ``reducers``."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from msgspec import Struct, field

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.commands import TransferFunds
from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import ExecutionKind, ExecutionState, HedgeExecution
from hedgerow.domain.ledger.booked import BookedIds
from hedgerow.domain.ledger.books import Books
from hedgerow.domain.money import ZERO
from hedgerow.domain.operator_requests import HandledRequest
from hedgerow.domain.position import ClosedHedge, DustLot, HedgedPosition, OrderRecord, Reason

__all__ = [
    "Apart",
    "Cooldown",
    "Deferral",
    "ImportedState",
    "Incident",
    "Ledger",
    "LogMark",
    "StandingHalt",
    "Target",
    "Totals",
    "TradingDay",
]


SELF_LIFTING = frozenset(
    {
        HaltReason.SEVERAL_POSITIONS,
        HaltReason.FOREIGN_SHORT,
        HaltReason.ACCOUNT_IN_DOUBT,
        HaltReason.UNFIT_POSITION,
        HaltReason.LEGS_DIFFER,
    }
)


class Totals(Struct, frozen=True, kw_only=True):
    """Figures over the life of the log; imported guide-format figures are kept apart."""

    cycles: int = 0
    opened: int = 0
    closed: int = 0
    aborted: int = 0
    funding: Decimal = ZERO
    """Funding of closed hedges and of hedges lost, quote units."""
    basis_pnl: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def net_profit(self) -> Decimal:
        """Cumulative P/L: funding + basis - fees of everything that ended."""
        return self.funding + self.basis_pnl - self.fees


class StandingHalt(Struct, frozen=True, kw_only=True):
    """Openings are blocked."""

    since: datetime
    reason: HaltReason
    detail: str
    symbols: tuple[str, ...] = ()
    """The perpetuals that it is about."""
    amount: Decimal = ZERO
    """Money that is missing from the exchange, quote units."""

    @property
    def lifts_itself(self) -> bool:
        """Whether it ends when its cause is seen to be gone: it gives way to a halt that only a person lifts."""
        return self.reason in SELF_LIFTING


class Incident(Struct, frozen=True, kw_only=True):
    """Something happened after which nothing may be opened until a person has looked at it."""

    at: datetime
    symbol: str
    reason: HaltReason
    detail: str


class Cooldown(Struct, frozen=True, kw_only=True):
    """A pair that ended badly; how long it is left alone follows from ``reason`` and ``count``."""

    since: datetime
    """When it ended badly last."""
    reason: Reason
    """Why, the last time."""
    count: int
    """How many times in a row."""
    detail: str = ""


class Deferral(Struct, frozen=True, kw_only=True):
    """A closing that is not urgent waits until it costs less."""

    hedge_id: str
    since: datetime
    until: datetime
    """When it is carried out whatever it costs."""


class Apart(Struct, frozen=True, kw_only=True):
    """The legs of the open hedge differ because of trades that no order of the bot made."""

    hedge_id: str
    since: datetime
    """Time of the trade with which they began to differ; of a change without a trade, when it was found."""
    price: Decimal
    """Of that trade, quote units."""


class TradingDay(Struct, frozen=True, kw_only=True):
    """Where the count of a UTC day's loss begins."""

    begun_at: datetime
    result: Decimal
    """What the strategy had made until then, quote units."""
    equity: Decimal


class Target(Struct, frozen=True, kw_only=True):
    """A pair decided for while closing another one."""

    symbol: str
    expires_at: datetime


class ImportedState(Struct, frozen=True, kw_only=True):
    """Figures taken over from a guide-format state file."""

    cycle_count: int = 0
    total_profit_loss: Decimal = ZERO
    positions_opened: int = 0
    positions_closed: int = 0
    symbol: str | None = None
    position_opened_at: datetime | None = None


class LogMark(Struct, frozen=True, kw_only=True):
    """A place in the event log."""

    at: datetime
    events: int
    """How many events come before it."""


class Ledger(Struct, frozen=True, kw_only=True, dict=True):
    """What the bot knows of itself."""

    started_at: datetime | None = None
    """Time of the first event."""
    books_since: datetime | None = None
    """Time of the reading that the books were opened with: what happened up to it is in the opening balances."""
    events: int = 0
    """How many events were folded."""
    hedges: Mapping[str, HedgedPosition] = field(default_factory=dict[str, HedgedPosition])
    """By id: the open hedges, those being closed too, and the one being opened. No two are of one pair."""
    execution: HedgeExecution | None = None
    """The one job at work; what an opening opens is in ``hedges`` already, and owns its fills."""
    suspended: Mapping[str, HedgeExecution] = field(default_factory=dict[str, HedgeExecution])
    """By hedge id: jobs that wait and were set aside for a hedge that could not; each is taken up again."""
    displaced: tuple[str, ...] = ()
    """Ids of hedges whose job was at work when another one began. No bot begins one then: logs were put together."""
    orders: Mapping[str, OrderRecord] = field(default_factory=dict[str, OrderRecord])
    """Orders of the job in flight, by client id."""
    transfer: TransferFunds | None = None
    """A transfer sent whose outcome is not logged yet."""
    transfer_doubtful: bool = False
    """True from an unknown outcome of it on: a refusal of the same id sent again may say nothing about the first."""
    dust: Mapping[str, DustLot] = field(default_factory=dict[str, DustLot])
    """By asset."""
    target: Target | None = None
    halt: StandingHalt | None = None
    incident: Incident | None = None
    """The first one since openings were last allowed by a person, or made."""
    health_exits: tuple[datetime, ...] = ()
    """When positions were closed for bad health within the last day, since a person resumed last; oldest first."""
    accepted_loss: Decimal = ZERO
    """Missing money that a person has seen: it halts nothing again, quote units."""
    cooldowns: Mapping[str, Cooldown] = field(default_factory=dict[str, Cooldown])
    """By symbol."""
    deferrals: Mapping[str, Deferral] = field(default_factory=dict[str, Deferral])
    """By hedge id."""
    requests: tuple[HandledRequest, ...] = ()
    """The newest requests of persons that were answered, oldest first: none is carried out twice."""
    settings_request: str = ""
    """Id of the request whose changed settings were logged last: they are not logged twice."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """Settings that were ever logged as changed, by full name, as they were logged last."""
    day: TradingDay | None = None
    """None until a daily loss limit asks for it, and after its halt was lifted: then the count starts again."""
    totals: Totals = Totals()
    imported: ImportedState = ImportedState()
    closed: tuple[ClosedHedge, ...] = ()
    """The newest closed hedges, oldest first."""
    books: Books = Books()
    funding_seen: BookedIds = BookedIds()
    """Transaction ids of the funding booked within ``FUNDING_HORIZON`` of the newest."""
    trades_seen: BookedIds = BookedIds()
    """``market:symbol:trade_id`` of booked trades since the oldest hedge that is kept began."""
    rows_seen: BookedIds = BookedIds()
    """Ids of the venue's other rows, from a little before ``statement_from`` on."""
    statement_from: datetime | None = None
    """Watermark: a difference of the books is explained by rows after it; None before the books first agreed."""
    log_marks: tuple[LogMark, ...] = ()
    """Places in the log, about a day apart, the first of them before ``statement_from``."""
    funding_until: datetime | None = None
    """Newest booked funding stamp."""
    unattributed_funding: Decimal = ZERO
    """Funding paid on positions that were never the bot's."""
    traded_at: datetime | None = None
    """When an order or a transfer of ours last ended: balances may lag behind it for some seconds."""
    max_naked_seconds: float = 0.0
    """Longest time that the legs differed, for any cause."""
    max_naked_notional: Decimal = ZERO
    apart: Mapping[str, Apart] = field(default_factory=dict[str, Apart])
    """By hedge id."""

    @property
    def standing_halt(self) -> StandingHalt | None:
        """The halt that only a person lifts; None without one."""
        return None if self.halt is None or self.halt.lifts_itself else self.halt

    @property
    def awaited_import(self) -> str | None:
        """Symbol of the position in the guide's state file that was neither found on the exchange nor missed there."""
        untouched = not self.open_hedges and self.totals.opened == self.totals.closed == 0
        return self.imported.symbol if untouched else None

    @property
    def recent_from(self) -> int:
        """How many of the oldest events need not be read again to recognise the bot's own orders in a statement."""
        return self.log_marks[0].events if self.log_marks else 0

    @property
    def kept_orders(self) -> tuple[OrderRecord, ...]:
        """The orders of the open hedges, of the one being opened and of the closed ones that still have theirs."""
        return tuple(record for hedge in self.known_hedges for record in hedge.orders)

    @property
    def opening(self) -> HedgedPosition | None:
        """The hedge that a job opens: owns its fills already, is no hedge yet."""
        if self.execution is None and not self.suspended:
            return None  # at most checks; this is asked often
        opening = next((job for job in self.jobs if job.kind is ExecutionKind.OPEN), None)
        return self.hedges.get(opening.hedge_id) if opening is not None else None

    @property
    def jobs(self) -> tuple[HedgeExecution, ...]:
        """The job at work, then those that are set aside, in the order of their setting aside."""
        at_work = () if self.execution is None else (self.execution,)
        return (*at_work, *self.suspended.values()) if self.suspended else at_work

    @property
    def shown_job(self) -> HedgeExecution | None:
        """What is shown where there is room for one job: one whose legs differ, else the one at work."""
        naked = (job for job in self.jobs if job.state is ExecutionState.NAKED)
        return next(naked, next(iter(self.jobs), None))

    def job_of(self, symbol: str) -> HedgeExecution | None:
        """Return the job that is about a pair, at work or set aside."""
        return next((job for job in self.jobs if job.symbol == symbol), None)

    @property
    def judged_hedges(self) -> tuple[HedgedPosition, ...]:
        """The open hedges that are judged on their own, oldest first: no job that is set aside is about them."""
        if not self.suspended:
            return self.open_hedges
        return tuple(hedge for hedge in self.open_hedges if hedge.hedge_id not in self.suspended)

    @cached_property
    def open_hedges(self) -> tuple[HedgedPosition, ...]:
        """The open hedges, those being closed too, oldest first. Computed once: a check asks for them many times."""
        hedges = tuple(self.hedges.values())
        if self.execution is not None or self.suspended:
            opening = self.opening
            hedges = tuple(hedge for hedge in hedges if hedge is not opening)
        if len(hedges) < 2:  # noqa: PLR2004 - nothing to order
            return hedges
        return tuple(sorted(hedges, key=lambda hedge: hedge.opened_at))

    @property
    def live_hedges(self) -> tuple[HedgedPosition, ...]:
        """Every hedge that owns coins or a short now: the open ones, oldest first, then the one being opened."""
        opening = self.opening
        return self.open_hedges if opening is None else (*self.open_hedges, opening)

    @cached_property
    def orders_in_doubt(self) -> tuple[tuple[HedgedPosition, OrderRecord], ...]:
        """Orders that may have filled further than the log has it, each with its open or closed hedge."""
        hedges = (*self.open_hedges, *(closed.hedge for closed in self.closed))
        return tuple((hedge, record) for hedge in hedges for record in hedge.in_doubt)

    @property
    def known_hedges(self) -> tuple[HedgedPosition, ...]:
        """The live hedges, and the closed ones that are kept."""
        return (*self.live_hedges, *(closed.hedge for closed in self.closed))

    @property
    def largest(self) -> HedgedPosition | None:
        """The open hedge with the largest entry; the oldest one of several."""
        return max(self.open_hedges, key=lambda hedge: hedge.entry_notional, default=None)

    @property
    def foremost(self) -> HedgedPosition | None:
        """What is shown where there is room for one hedge: the largest open one, else the one being opened."""
        return self.largest or self.opening

    def take_over(self, before: "Ledger") -> None:
        """Keep what was computed of another ledger where it is of the same hedges and jobs: most events change none."""
        same = self.hedges is before.hedges and self.closed is before.closed
        if same and self.execution is before.execution and self.suspended is before.suspended:
            vars(self).update(vars(before))

    def open_hedge(self, hedge_id: str) -> HedgedPosition | None:
        """Return an open hedge by its id; None for one that is being opened, or has ended."""
        hedge = self.hedges.get(hedge_id)
        return None if hedge is self.opening else hedge

    def open_hedge_of(self, symbol: str) -> HedgedPosition | None:
        """Return the open hedge of a pair; None for one that is being opened."""
        hedge = self.held(symbol)
        return None if hedge is self.opening else hedge

    def held(self, symbol: str) -> HedgedPosition | None:
        """Return the live hedge of a pair."""
        for hedge in self.hedges.values():
            if hedge.symbol == symbol:
                return hedge
        return None

    @property
    def doubtful_orders(self) -> tuple[str, ...]:
        """Client ids of orders whose outcome is not certain: unknown, or absent and able to land until a known time.

        They belong to jobs, which do not end before each of them is certain.
        """
        return tuple(client_id for job in self.jobs for client_id in _doubtful_of(job))

    @property
    def total_profit_loss(self) -> Decimal:
        """Cumulative P/L including imported figures, quote units."""
        return self.totals.net_profit + self.imported.total_profit_loss

    def dust_of(self, hedge: HedgedPosition) -> Decimal:
        """Return the coins of earlier hedges of the same coin that are sold with a hedge."""
        lot = self.dust.get(hedge.pair.base)
        return lot.quantity if lot else ZERO

    def owned(self, asset: str) -> Decimal:
        """Return the coins of ``asset`` that the ledger owns: those of live hedges, and dust."""
        if asset == QUOTE_ASSET:
            return ZERO
        hedged = sum((each.spot_quantity for each in self.hedges.values() if each.pair.base == asset), ZERO)
        lot = self.dust.get(asset)
        return hedged + (lot.quantity if lot else ZERO)


def _doubtful_of(job: HedgeExecution) -> tuple[str, ...]:
    """Return the client ids of a job's orders whose outcome is not certain."""
    resolving = job.working is not None and job.state is ExecutionState.RESOLVING
    unknown = (job.working.order.client_id,) if job.working and resolving else ()
    return (*(doubt.command.order.client_id for doubt in job.doubtful), *unknown)
