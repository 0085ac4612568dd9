"""Events: immutable facts in the past tense, the only input of the ledger."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from hedgerow.domain.account import QUOTE_ASSET
from hedgerow.domain.commands import Command, TransferDirection
from hedgerow.domain.execution import ExecutionChange, HedgeExecution
from hedgerow.domain.execution_quality import ExecutionQuality
from hedgerow.domain.funding import FundingPayment
from hedgerow.domain.money import ZERO
from hedgerow.domain.operator_requests import OperatorRequest, RequestOutcome
from hedgerow.domain.order import Fill, OrderStatus, RejectKind
from hedgerow.domain.position import DustLot, HedgedPosition, Reason

__all__ = [
    "HEDGE_CHANGES",
    "CommandIssued",
    "CommandRefused",
    "CycleCompleted",
    "DayOpened",
    "DeadManArmed",
    "DustKept",
    "DustSwept",
    "Event",
    "ExecutionStarted",
    "ExecutionStepped",
    "ExecutionSuspended",
    "ExecutionTakenUp",
    "ExitDeferralEnded",
    "ExitDeferred",
    "ExternalFills",
    "ExternalFlow",
    "FeeBooked",
    "FlowKind",
    "FundingReceived",
    "FundsTransferred",
    "HaltReason",
    "Halted",
    "HedgeAborted",
    "HedgeAdopted",
    "HedgeClosed",
    "HedgeLost",
    "HedgeOpened",
    "HedgeRedenominated",
    "HedgeRepaired",
    "HedgeRolled",
    "LeverageSet",
    "Lifted",
    "MarginTypeSet",
    "NakedAlarmed",
    "OrderAccepted",
    "OrderEnded",
    "OrderOutcomeUnknown",
    "OrderProgressed",
    "RequestHandled",
    "SettingChange",
    "SettingsChanged",
    "StateImported",
    "TargetDecided",
    "TransferOutcomeUnknown",
    "Wallet",
]


class Wallet(StrEnum):
    """The venue's two wallets."""

    SPOT = "spot"
    PERP = "perp"


class FlowKind(StrEnum):
    """Class of a venue row that is not an order, fee, funding or transfer of ours."""

    OPENING = "opening"
    """The balance found when the books were opened."""
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    USER_TRADE = "user_trade"
    """A trade on the account that the bot did not make."""
    USER_TRANSFER = "user_transfer"
    """A transfer between the wallets that the bot did not make."""
    LIQUIDATION_FEE = "liquidation_fee"
    REBATE = "rebate"
    AUTO_EXCHANGE = "auto_exchange"
    OTHER = "other"


class HaltReason(StrEnum):
    """Why openings are halted."""

    NAKED = "a leg is naked"
    SEVERAL_POSITIONS = "several positions that could be adopted"
    FOREIGN_SHORT = "a short that is not the bot's and has no spot against it"
    BOOKS = "the books differ from the exchange"
    USER = "asked by the user"
    INVARIANT = "an internal rule was broken"
    DAILY_LOSS = "the daily loss limit was reached"
    EMERGENCY = "the emergency stop closed a position"
    LIQUIDATION = "the exchange closed the short by force"
    LEG_GONE = "a leg of the position was gone"
    REPEATED_HEALTH_EXITS = "position after position was closed for bad health"
    ACCOUNT_IN_DOUBT = "the account's replies contradict each other"
    ANOTHER_BOT = "another bot trades on this account"
    UNEXPLAINED_LOSS = "a loss that cannot be explained"
    LEGS_DIFFER = "the two legs do not follow one price"
    UNFIT_POSITION = "a position that may not be adopted as it is"


class CommandIssued(Struct, frozen=True, kw_only=True, tag="command_issued"):
    """An intent, logged and synced before it is sent."""

    at: datetime
    command: Command
    nonce: int | None = None
    """Number that the request is signed with, as the venue reserved it; with it the request can be made worthless."""


class CommandRefused(Struct, frozen=True, kw_only=True, tag="command_refused"):
    """The venue refused a command that is not an order; nothing changed there."""

    at: datetime
    command: Command
    code: int
    """The venue's error code."""
    detail: str
    before_execution: bool | UnsetType = UNSET
    """True where the venue refused the request itself (too many, too late, not readable) and did not look at what it
    asks for: an earlier request with the same id may still have been executed. Not written otherwise."""


class OrderAccepted(Struct, frozen=True, kw_only=True, tag="order_accepted"):
    """The venue knows the order; it may still fill."""

    at: datetime
    client_id: str
    order_id: int


class OrderProgressed(Struct, frozen=True, kw_only=True, tag="order_progressed"):
    """Cumulative fills of an order that is still at work; applied as a maximum."""

    at: datetime
    client_id: str
    order_id: int
    filled_quantity: Decimal
    filled_notional: Decimal


class OrderEnded(Struct, frozen=True, kw_only=True, tag="order_ended"):
    """The order can no longer fill; carries its final cumulative fills."""

    at: datetime
    client_id: str
    order_id: int | None
    """None when it never reached the book."""
    status: OrderStatus
    filled_quantity: Decimal = ZERO
    filled_notional: Decimal = ZERO
    reject: RejectKind | None = None
    code: int | None = None
    detail: str = ""
    retry_after_seconds: float | None = None
    """How long the host refuses every request from ``at`` on; None where it said nothing of the kind."""
    unconfirmed: bool = False
    """Whether more may be filled: the book showed enough for it, and the order's trades could not be read."""


class OrderOutcomeUnknown(Struct, frozen=True, kw_only=True, tag="order_outcome_unknown"):
    """The order may or may not have been executed; to be resolved, never resent."""

    at: datetime
    client_id: str
    detail: str
    may_land_until: datetime | None = None
    """Set where the venue was asked for it and readably does not have it: it can still land until then, and an attempt
    to make its request worthless is no proof. None where not even that much is known."""


class FeeBooked(Struct, frozen=True, kw_only=True, tag="fee_booked"):
    """A trade report of ours arrived: the real fee, once per (market, trade id)."""

    at: datetime
    client_id: str
    fill: Fill
    fee_quote: Decimal
    """The fee valued in quote units."""


class ExternalFills(Struct, frozen=True, kw_only=True, tag="fills_elsewhere"):
    """Trades that changed a leg of our hedge without an order of ours: liquidation, ADL, a sale by hand."""

    at: datetime
    hedge_id: str
    fills: tuple[Fill, ...]
    cause: str
    late: bool = False
    """Whether these trades replace placeholder fills that were booked while no trades could be read."""
    own: bool = False
    """Whether they are fills of the bot's own orders, found after those counted as ended: no statement row has them."""


class FundsTransferred(Struct, frozen=True, kw_only=True, tag="funds_transferred"):
    """USDT moved between the wallets."""

    at: datetime
    transfer_id: str
    amount: Decimal
    direction: TransferDirection
    asset: str = QUOTE_ASSET


class TransferOutcomeUnknown(Struct, frozen=True, kw_only=True, tag="transfer_outcome_unknown"):
    """A transfer may or may not have happened; sending it again under the same id is safe."""

    at: datetime
    transfer_id: str
    detail: str


class LeverageSet(Struct, frozen=True, kw_only=True, tag="leverage_set"):
    """The venue confirmed a symbol's leverage."""

    at: datetime
    symbol: str
    leverage: int


class MarginTypeSet(Struct, frozen=True, kw_only=True, tag="margin_type_set"):
    """The venue confirmed CROSSED margin for a symbol."""

    at: datetime
    symbol: str


class DeadManArmed(Struct, frozen=True, kw_only=True, tag="dead_man_armed"):
    """The venue confirmed the dead man's switch of a perpetual; 0 seconds: that it is off."""

    at: datetime
    symbol: str
    seconds: int


class FundingReceived(Struct, frozen=True, kw_only=True, tag="funding_received"):
    """A funding payment was booked, once per transaction id; it belongs to the hedge held at its stamp."""

    at: datetime
    payment: FundingPayment


class ExecutionStarted(Struct, frozen=True, kw_only=True, tag="execution_started"):
    """A two-leg job began."""

    at: datetime
    execution: HedgeExecution


class ExecutionStepped(Struct, frozen=True, kw_only=True, tag="execution_stepped"):
    """The job moved to another state, or changed what it works on: what differs from the job as it was before.

    Older logs hold the whole job in ``execution`` at every step instead.
    """

    at: datetime
    execution: HedgeExecution | None = None
    hedge_id: str = ""
    change: ExecutionChange | None = None


class HedgeOpened(Struct, frozen=True, kw_only=True, tag="hedge_opened"):
    """An opening ended with both legs in place."""

    at: datetime
    hedge_id: str
    quality: ExecutionQuality | None = None
    """How well the job was carried out; None in logs from before it was measured."""


class HedgeClosed(Struct, frozen=True, kw_only=True, tag="hedge_closed"):
    """A closing ended flat."""

    at: datetime
    hedge_id: str
    reason: Reason
    residue_value: Decimal = ZERO
    """What was left unsold, valued in quote units; a ``DustKept`` of the same coins follows."""
    quality: ExecutionQuality | None = None
    """How well the job was carried out; None in logs from before it was measured."""


class HedgeAborted(Struct, frozen=True, kw_only=True, tag="hedge_aborted"):
    """An opening ended flat: nothing filled, or what filled was unwound."""

    at: datetime
    hedge_id: str
    reason: Reason
    detail: str
    residue_value: Decimal = ZERO
    quality: ExecutionQuality | None = None
    """How well the job was carried out; None in logs from before it was measured."""


class HedgeRepaired(Struct, frozen=True, kw_only=True, tag="hedge_repaired"):
    """A trim, or a closing that could not go on, ended with the legs balanced."""

    at: datetime
    hedge_id: str
    quality: ExecutionQuality | None = None
    """How well the job was carried out; None in logs from before it was measured."""


class HedgeAdopted(Struct, frozen=True, kw_only=True, tag="hedge_adopted"):
    """A balanced position found on the venue became ours; also sent again when its history became readable."""

    at: datetime
    hedge: HedgedPosition
    payments: tuple[FundingPayment, ...] = ()
    """The payments that ``hedge.funding_received`` is the sum of."""
    spot_price: Decimal | None = None
    """The coin's price at the adoption; None where only the history is sent again, and in older logs."""


class HedgeLost(Struct, frozen=True, kw_only=True, tag="hedge_lost"):
    """The hedge is no longer on the venue and no order of ours closed it."""

    at: datetime
    hedge_id: str
    reason: Reason
    residue_value: Decimal = ZERO
    """What is left of the coins, at their price then; a ``DustKept`` of the same coins follows."""


class HedgeRolled(Struct, frozen=True, kw_only=True, tag="hedge_rolled"):
    """Fees were covered and the pair is still the best: no orders, the counters restart."""

    at: datetime
    hedge_id: str


class DustKept(Struct, frozen=True, kw_only=True, tag="dust_kept"):
    """Coins that could be neither hedged nor sold stay in the ledger."""

    at: datetime
    lot: DustLot


class DustSwept(Struct, frozen=True, kw_only=True, tag="dust_swept"):
    """Kept dust joined a hedge of the same coin, to be sold with it."""

    at: datetime
    hedge_id: str
    lot: DustLot


class HedgeRedenominated(Struct, frozen=True, kw_only=True, tag="hedge_redenominated"):
    """The exchange exchanged the coins of a hedge: one new coin, and its price, stand for ``factor`` old ones."""

    at: datetime
    hedge_id: str
    factor: Decimal
    since: datetime | None = None
    """When the exchange did it: earlier trades are in old coins; None in logs from before it was recorded."""


class ExternalFlow(Struct, frozen=True, kw_only=True, tag="external_flow"):
    """A venue row that is not ours, booked once per row id and kept out of profit (but for fees and rebates)."""

    at: datetime
    row_id: str
    wallet: Wallet
    asset: str
    amount: Decimal
    kind: FlowKind


class StateImported(Struct, frozen=True, kw_only=True, tag="state_imported"):
    """A guide-format state file was taken over at first start; its figures stay outside equity."""

    at: datetime
    cycle_count: int
    total_profit_loss: Decimal
    positions_opened: int
    positions_closed: int
    symbol: str | None = None
    position_opened_at: datetime | None = None


class TargetDecided(Struct, frozen=True, kw_only=True, tag="target_decided"):
    """A closing was decided in favour of another pair; honoured until it expires."""

    at: datetime
    symbol: str
    expires_at: datetime


class ExitDeferred(Struct, frozen=True, kw_only=True, tag="exit_deferred"):
    """A closing that is not urgent began to wait: it costs too much now."""

    at: datetime
    hedge_id: str
    reason: Reason
    detail: str
    until: datetime
    """When it is closed whatever it costs."""


class ExitDeferralEnded(Struct, frozen=True, kw_only=True, tag="exit_deferral_ended"):
    """The reason to close went away while the closing waited."""

    at: datetime
    hedge_id: str


class Halted(Struct, frozen=True, kw_only=True, tag="halted"):
    """Openings are blocked until lifted; exits and the guard go on."""

    at: datetime
    reason: HaltReason
    detail: str
    symbols: tuple[str, ...] = ()
    """The perpetuals that it is about: it lifts itself only when two endpoints agree on each of them."""
    amount: Decimal = ZERO
    """Money that is missing from the exchange, quote units; a person who resumes accepts it."""


class Lifted(Struct, frozen=True, kw_only=True, tag="lifted"):
    """Openings are allowed again."""

    at: datetime
    detail: str


class RequestHandled(Struct, frozen=True, kw_only=True, tag="request_handled"):
    """A person's request was answered; what it changed is in the events before this one."""

    at: datetime
    request: OperatorRequest
    outcome: RequestOutcome
    text: str
    """The answer."""


class SettingChange(Struct, frozen=True, kw_only=True):
    """One setting that changed, with its values as the configuration file spells them."""

    name: str
    """Section and key, ``position_management.max_position_age_hours``."""
    before: str
    after: str


class SettingsChanged(Struct, frozen=True, kw_only=True, tag="settings_changed"):
    """Settings changed: a person changed those of the running bot, or a bot started with others than the one before.

    The configuration file has them. Those that a person changed are in force at the next check; what was in flight
    keeps those it began with. What a bot finds at its start is compared with what was logged, and otherwise with what
    the bot before it had published.
    """

    at: datetime
    user: str
    """Name of the person, as the place where they asked knows them; empty = found at a start."""
    changes: tuple[SettingChange, ...]
    request_id: str = ""
    """Request that asked for it; empty in logs of earlier versions."""


class NakedAlarmed(Struct, frozen=True, kw_only=True, tag="naked_alarmed"):
    """The legs differed for longer than allowed; said once per job and again when unwinding ran out of time."""

    at: datetime
    hedge_id: str
    exposure: Decimal
    """Base units, those in doubt included."""
    notional: Decimal
    """What ``exposure`` is worth, quote units."""
    seconds: float
    in_doubt: Decimal = Decimal(0)
    """The part of ``exposure`` that is unhedged only if an order of unknown outcome was filled."""


class CycleCompleted(Struct, frozen=True, kw_only=True, tag="cycle_completed"):
    """One cycle ended; ``number`` counts over the life of the log."""

    at: datetime
    number: int
    statement_from: datetime | None = None
    """Venue's time at which the books agreed with it; None when they did not, or were not compared."""


class DayOpened(Struct, frozen=True, kw_only=True, tag="day_opened"):
    """The loss of a UTC day is counted from here; logged only where a daily loss limit is set."""

    at: datetime
    result: Decimal
    """What the strategy had made until then, ended and open hedges together, quote units."""
    equity: Decimal
    """What a limit in percent is a part of, quote units."""


class ExecutionSuspended(Struct, frozen=True, kw_only=True, tag="execution_suspended"):
    """The job at work is set aside for a hedge that cannot wait; logged only where several are held."""

    at: datetime
    hedge_id: str
    detail: str
    """What it is set aside for."""


class ExecutionTakenUp(Struct, frozen=True, kw_only=True, tag="execution_taken_up"):
    """A job that was set aside is at work again."""

    at: datetime
    hedge_id: str


HEDGE_CHANGES: Final = (HedgeOpened, HedgeClosed, HedgeAborted, HedgeAdopted, HedgeLost, HedgeRepaired)
"""Events after which another hedge, or another quantity of it, is held."""
Event: TypeAlias = (
    CommandIssued
    | CommandRefused
    | OrderAccepted
    | OrderProgressed
    | OrderEnded
    | OrderOutcomeUnknown
    | FeeBooked
    | ExternalFills
    | FundsTransferred
    | TransferOutcomeUnknown
    | LeverageSet
    | MarginTypeSet
    | DeadManArmed
    | FundingReceived
    | ExecutionStarted
    | ExecutionStepped
    | HedgeOpened
    | HedgeClosed
    | HedgeAborted
    | HedgeRepaired
    | HedgeAdopted
    | HedgeLost
    | HedgeRolled
    | DustKept
    | DustSwept
    | HedgeRedenominated
    | ExternalFlow
    | StateImported
    | TargetDecided
    | ExitDeferred
    | ExitDeferralEnded
    | Halted
    | Lifted
    | RequestHandled
    | SettingsChanged
    | NakedAlarmed
    | CycleCompleted
    | DayOpened
    | ExecutionSuspended
    | ExecutionTakenUp
)
