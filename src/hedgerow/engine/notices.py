"""Notices: what a bot reports beside the events of its log; narration turns them into log lines.

Events are facts of the log; notices are what lies between them: readings, judgements, decisions.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeAlias

from msgspec import Struct, field

from hedgerow.domain.events import Event
from hedgerow.domain.execution import HedgeExecution
from hedgerow.domain.ledger.books import Books
from hedgerow.domain.ledger.state import Ledger
from hedgerow.domain.position import HedgedPosition
from hedgerow.domain.run_identity import RunIdentity
from hedgerow.strategy.decisions.verdicts import Verdict
from hedgerow.strategy.observation import Decision, Evaluation, HealthReport, Observation, Opportunity, Rebalance
from hedgerow.strategy.parameters import StrategyParameters
from hedgerow.strategy.policy import Policy

__all__ = [
    "Adopted",
    "BalancesRead",
    "BooksChecked",
    "CycleBegan",
    "CycleEnded",
    "CycleFailed",
    "Decided",
    "EquityRead",
    "Evaluated",
    "GuardAlarmed",
    "HealthJudged",
    "HedgeUnseen",
    "NoOpportunity",
    "NothingRead",
    "Notice",
    "Observed",
    "Observer",
    "ObserverFailed",
    "OpeningRefused",
    "OpportunityFound",
    "OrderRests",
    "ReadFailed",
    "RebalanceStarted",
    "ReconcileStarted",
    "Reconciled",
    "Recorded",
    "ScanStarted",
    "SettingsInForce",
    "Started",
    "StopRequested",
    "Stopped",
    "StoppedAtOnce",
    "StoppedByUser",
    "Warned",
]


class Started(Struct, frozen=True, kw_only=True):
    """The bot is wired and about to look at the account."""

    at: datetime
    parameters: StrategyParameters
    dry_run: bool
    venue: str
    ledger: Ledger
    identity: RunIdentity | None = None
    """Whose money it is; None where a bot is built without a home."""


class SettingsInForce(Struct, frozen=True, kw_only=True):
    """The check that begins is the first one with settings that a person changed."""

    at: datetime
    policy: Policy
    """Built from them."""


class Warned(Struct, frozen=True, kw_only=True):
    """Something a user should know: a setting, a corrupt state file that was set aside, a lagging venue."""

    at: datetime
    text: str


class ReconcileStarted(Struct, frozen=True, kw_only=True):
    """The ledger is about to be compared with the account; said aloud at start only."""

    at: datetime
    tracked: str | None
    """Symbol the ledger holds."""


class Reconciled(Struct, frozen=True, kw_only=True):
    """Ledger and account were compared."""

    at: datetime
    verdict: Verdict
    at_start: bool
    hedge_before: HedgedPosition | None
    """The tracked hedge as the state file last showed it."""
    funding_before: Decimal
    value_before: Decimal | None
    """Position value when last seen, quote units."""
    hedge: HedgedPosition | None
    """The tracked hedge now."""
    value: Decimal | None


class Adopted(Struct, frozen=True, kw_only=True):
    """A position found on the venue became ours."""

    at: datetime
    at_start: bool
    hedge: HedgedPosition
    value: Decimal
    """One leg now, quote units."""
    rate: float | None
    """Present signal, fraction per interval; None when unreadable."""
    apr: float | None
    moving_average: bool


class CycleBegan(Struct, frozen=True, kw_only=True):
    """A cycle starts; ``number`` counts since the start of the process."""

    at: datetime
    number: int


class BalancesRead(Struct, frozen=True, kw_only=True):
    """Free USDT of both wallets."""

    at: datetime
    spot_usdt: Decimal
    perp_usdt: Decimal


class HealthJudged(Struct, frozen=True, kw_only=True):
    """The health check's result; without a report the ledger holds nothing."""

    at: datetime
    hedges: int
    """Delta-neutral positions on the account, the ledger's and others."""
    report: HealthReport | None
    symbol: str = ""
    """Of the hedge that was judged, where several are held."""
    foreign: tuple[str, ...] = ()
    """Shorts that are not the ledger's, one line each."""


class Observed(Struct, frozen=True, kw_only=True):
    """Market and account were read; said of every reading that decisions of a cycle are made on."""

    at: datetime
    observation: Observation


class ReadFailed(Struct, frozen=True, kw_only=True):
    """Part of the observation could not be read; nothing is opened or closed for profit without it."""

    at: datetime
    missing: tuple[str, ...]


class Evaluated(Struct, frozen=True, kw_only=True):
    """The held hedge was judged."""

    at: datetime
    evaluation: Evaluation
    multiplier: float
    """Fee coverage the policy wants."""


class ScanStarted(Struct, frozen=True, kw_only=True):
    """The market is about to be searched for the best pair."""

    at: datetime
    periods: int
    moving_average: bool


class OpportunityFound(Struct, frozen=True, kw_only=True):
    """The best pair that passed every entry filter."""

    at: datetime
    opportunity: Opportunity


class NoOpportunity(Struct, frozen=True, kw_only=True):
    """No pair may be opened now; ``why`` says what the nearest one lacked."""

    at: datetime
    why: str


class Decided(Struct, frozen=True, kw_only=True):
    """The decision of this cycle."""

    at: datetime
    decision: Decision
    symbol: str = ""
    """Of the hedge that it is about, where several are held."""
    evaluation: Evaluation | None = None
    """Of the hedge that it is about; None where it is about an opening."""
    health: HealthReport | None = None
    """Of the same hedge."""


class OrderRests(Struct, frozen=True, kw_only=True):
    """An order of a trade has been resting in the book, and nothing was filled for a while."""

    at: datetime
    execution: HedgeExecution


class RebalanceStarted(Struct, frozen=True, kw_only=True):
    """USDT is about to be levelled between the wallets; ``needed`` of None means that they are level already."""

    at: datetime
    before_opening: bool
    needed: Rebalance | None


class Recorded(Struct, frozen=True, kw_only=True):
    """An event was appended to the log."""

    event: Event
    before: Ledger
    after: Ledger


class EquityRead(Struct, frozen=True, kw_only=True):
    """Strategy equity at start, before the first cycle, in quote units."""

    at: datetime
    equity: Decimal


class OpeningRefused(Struct, frozen=True, kw_only=True):
    """A pair could not be opened in place of a hedge: for ``seconds`` no hedge is closed for it."""

    at: datetime
    held: str
    """Symbol of the hedge."""
    symbol: str
    why: str
    seconds: float

    @property
    def text(self) -> str:
        """One line for the user."""
        return f"{self.held} is not closed for {self.symbol}, which could not be opened: {self.why}"


class BooksChecked(Struct, frozen=True, kw_only=True):
    """The books differ from the venue in two readings: per ``wallet:asset``, venue minus booked."""

    at: datetime
    differences: dict[str, Decimal]
    books: Books


class CycleEnded(Struct, frozen=True, kw_only=True):
    """A cycle is over and logged."""

    at: datetime
    ledger: Ledger
    evaluation: Evaluation | None
    """Of the largest hedge that ``ledger`` holds, as it was seen last; None when it holds none."""
    equity: Decimal | None
    """Strategy equity in quote units; None when it could not be computed."""
    observation: Observation | None = None
    """The newest reading, from after the last trade of the cycle."""
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict[str, Evaluation])
    """Of every open hedge, by its id."""


class GuardAlarmed(Struct, frozen=True, kw_only=True):
    """Between two cycles something was seen that cannot wait: the next cycle begins at once."""

    at: datetime
    text: str


class HedgeUnseen(Struct, frozen=True, kw_only=True):
    """A hedge is held, and the account cannot be read for long; repeated once an hour while that lasts."""

    at: datetime
    symbol: str
    seconds: float
    """Since the account was read last."""
    why: str


class CycleFailed(Struct, frozen=True, kw_only=True):
    """A cycle raised; nothing more was traded in it."""

    at: datetime
    error: str
    retry_seconds: float


class NothingRead(Struct, frozen=True, kw_only=True):
    """A cycle could read neither market nor account; the next one begins sooner than usual."""

    at: datetime
    retry_seconds: float


class ObserverFailed(Struct, frozen=True, kw_only=True):
    """Something that only displays or keeps what happens raised an error, for the first time; trading goes on."""

    at: datetime
    observer: str
    """Name of its class."""
    error: str


class StopRequested(Struct, frozen=True, kw_only=True):
    """The first signal to stop arrived; said at once, while a trade is still brought to its end."""

    at: datetime
    ledger: Ledger


class StoppedAtOnce(Struct, frozen=True, kw_only=True):
    """A second signal ends the process now, whatever is in flight."""

    at: datetime
    ledger: Ledger


class StoppedByUser(Struct, frozen=True, kw_only=True):
    """SIGINT, SIGTERM or SIGHUP was received."""

    at: datetime
    closing: bool
    """Whether the position is to be closed before the exit."""


class Stopped(Struct, frozen=True, kw_only=True):
    """The bot is about to exit."""

    at: datetime
    ledger: Ledger
    cycles: int
    """Since the start of the process."""
    account_read: bool = True
    """Whether the account could be read when it was asked for last; if not, only the log says what is held."""
    listener_failures: Mapping[str, int] = field(default_factory=dict[str, int])
    """How often each listener failed, by the name of its class."""
    unsaved: str = ""
    """Why the state file could not be written; empty when it was."""
    foreign: tuple[str, ...] = ()
    """Positions that are not the bot's, by the last account that was read, one line each."""


Notice: TypeAlias = (
    Started
    | Warned
    | ReconcileStarted
    | Reconciled
    | Adopted
    | CycleBegan
    | SettingsInForce
    | BalancesRead
    | HealthJudged
    | Observed
    | ReadFailed
    | HedgeUnseen
    | Evaluated
    | ScanStarted
    | OpeningRefused
    | OpportunityFound
    | NoOpportunity
    | Decided
    | OrderRests
    | RebalanceStarted
    | Recorded
    | BooksChecked
    | EquityRead
    | CycleEnded
    | GuardAlarmed
    | CycleFailed
    | NothingRead
    | ObserverFailed
    | StopRequested
    | StoppedAtOnce
    | StoppedByUser
    | Stopped
)


class Observer(Protocol):
    """Receives every notice, in order. It must not wait; what it raises is counted, and interrupts nothing."""

    def on_notice(self, notice: Notice) -> None:
        """Receive one notice."""
        ...
