"""What a cycle observed, and what follows from it: values."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import AccountView
from hedgerow.domain.commands import TransferDirection, TransferFunds
from hedgerow.domain.events import HaltReason
from hedgerow.domain.execution import ExecutionPlan
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.ledger.state import Target
from hedgerow.domain.market import Depth, MarketView
from hedgerow.domain.money import ZERO
from hedgerow.domain.position import HedgedPosition, Reason
from hedgerow.strategy.evidence.prices import Prices, prices_of
from hedgerow.strategy.grades import FindingKind, HealthFinding, HealthLevel, HealthReport
from hedgerow.strategy.hedge_result import HedgeResult

__all__ = [
    "Close",
    "Decision",
    "Evaluation",
    "FindingKind",
    "HaltOpenings",
    "HealthFinding",
    "HealthLevel",
    "HealthReport",
    "Hold",
    "HoldReason",
    "Observation",
    "Open",
    "Opportunity",
    "Rebalance",
    "Reduce",
    "Refusal",
    "RefusalKind",
    "Roll",
    "TopUpMargin",
    "Trim",
    "prices_with",
]


class Observation(Struct, frozen=True, kw_only=True, dict=True):
    """One read of market and account; None = unreadable, never zero, flat or healthy."""

    at: datetime
    market: MarketView | None
    account: AccountView | None
    unread: tuple[str, ...] = ()
    """What could not be read, in words for people."""
    listing_doubts: dict[str, str] = {}
    """Why the trading status of a held pair is not known although the market shows one, by symbol."""
    fill_doubts: dict[str, str] = {}
    """Own orders that may have filled further than the log has it, by symbol: openings wait for their trades."""
    relisted: tuple[BasisPair, ...] = ()
    """Pairs read again after the market was: their coins were redenominated, and with them tick and lot."""

    @property
    def missing(self) -> tuple[str, ...]:
        """Everything that could not be seen, named."""
        if self.complete:
            return ()
        gone = [name for name, part in (("market", self.market), ("account", self.account)) if part is None]
        named = {text.partition(":")[0] for text in self.unread}
        return (*self.unread, *(name for name in gone if name not in named))

    @property
    def complete(self) -> bool:
        """Whether nothing is missing: only then may anything be opened, or closed for profit."""
        return self.market is not None and self.account is not None and not self.unread

    def prices(self, symbol: str) -> Prices:
        """Return what each source shows of a pair."""
        asked: dict[str, Prices] = vars(self)  # by symbol, beside the fields: what was read does not change
        known = asked.get(symbol)
        if known is None:
            known = asked[symbol] = prices_of(symbol, self.market, self.account)
        return known

    def as_listed(self, hedge: HedgedPosition) -> HedgedPosition:
        """Return the hedge with its pair as the market lists it now: filters, status and fees change while it is held.

        An unreadable market, and one that does not list the pair, leave it as the ledger has it.
        """
        symbol = hedge.symbol
        again = next((pair for pair in self.relisted if pair.symbol == symbol), None) if self.relisted else None
        pair = again or (self.market.pair(symbol) if self.market else None)
        if pair is None or pair is hedge.pair or pair.base != hedge.pair.base:
            return hedge
        return replace(hedge, pair=pair)


def prices_with(observation: Observation, symbol: str, books: tuple[Depth | None, Depth | None] | None) -> Prices:
    """Return what was seen of a pair; ``books`` (spot, perpetual), where given, take the place of the quotes."""
    if books is None:
        return observation.prices(symbol)
    return prices_of(symbol, observation.market, observation.account, books)


class RefusalKind(StrEnum):
    """Which entry filter a pair did not pass."""

    NOT_TRADING = "not trading"
    QUOTE_ASSET = "quote asset"
    TEST_SYMBOL = "test symbol"
    BOOK = "book"
    SIGNAL = "signal"
    PREDICTED = "predicted rate"
    APR = "funding APR"
    VOLUME = "volume"
    SPREAD = "spread"
    BASIS = "basis"
    UNDERLYING = "underlying"
    """The two legs may not be one coin."""
    DEPTH = "depth"
    POSITION = "foreign position"
    CAPITAL = "capital"
    FILTER = "filter"
    BLOCKED = "openings blocked"
    COOLDOWN = "cooldown"
    """It ended badly lately."""
    POLICY = "policy"
    """A filter of a user's own policy."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a pair may not be entered now."""

    kind: RefusalKind
    detail: str


class Opportunity(Struct, frozen=True, kw_only=True):
    """A pair that passed every entry filter but depth, which is read when it is about to be opened."""

    pair: BasisPair
    signal: FundingSignal
    next_funding: datetime | None = None
    basis: Decimal | None = None
    """(perp bid - spot ask) / spot ask."""
    targeted: bool = False
    """Whether it was decided while the hedge before it was closed."""

    @property
    def symbol(self) -> str:
        """The pair's symbol."""
        return self.pair.symbol


class Rebalance(Struct, frozen=True, kw_only=True):
    """USDT to move so that both wallets hold the same."""

    direction: TransferDirection
    amount: Decimal

    @property
    def to_perp(self) -> Decimal:
        """Change of the perpetual wallet; the spot wallet changes by its opposite."""
        return self.amount if self.direction is TransferDirection.SPOT_TO_PERP else -self.amount

    def command(self, transfer_id: str) -> TransferFunds:
        """Return the transfer under the id that makes a repeat harmless."""
        return TransferFunds(transfer_id=transfer_id, amount=self.amount, direction=self.direction)


class Evaluation(Struct, frozen=True, kw_only=True):
    """The held hedge in numbers at one time; None = could not be computed, see ``unseen``."""

    at: datetime
    symbol: str
    spot_price: Decimal | None
    """Middle of the spot book, or the nearest thing seen."""
    perp_price: Decimal | None
    """Middle of the perpetual's book, or its mark."""
    position_value: Decimal | None
    """One leg now, quote units."""
    entry_notional: Decimal
    unrealized_pnl: Decimal | None
    """Both legs + funding - fees paid, quote units."""
    pnl_fraction: float | None
    """``unrealized_pnl`` / ``entry_notional``."""
    stop_pnl: Decimal | None
    """The number the emergency stop watches: the pair's, or the short's alone."""
    age_hours: float
    """Since the real opening."""
    counted_hours: float
    """Since the counters started: the opening, or the last roll."""
    funding_periods: float
    """Age / the pair's own interval."""
    interval_hours: int
    funding_received: Decimal
    """Payments booked since the counters started."""
    funding_payments: int
    entry_fees: Decimal
    exit_fees: Decimal | None
    """Expected: both legs at the present prices x the account's commission."""
    coverage: float | None
    """Funding received / fees of the round trip."""
    history_known: bool
    signal: FundingSignal | None
    """Of the held pair, now."""
    unseen: tuple[str, ...] = ()
    """What was missing, or replaced by a second-best reading."""
    cautious_pnl: Decimal | None = None
    """``stop_pnl`` at the less bad of two sources where a book is not confirmed; None where there is only one."""
    unsupported: tuple[str, ...] = ()
    """Which prices no other source confirms."""
    result: HedgeResult
    """What the hedge made and what closing it now makes."""

    @property
    def total_fees(self) -> Decimal | None:
        """Entry plus expected exit, quote units."""
        return None if self.exit_fees is None else self.entry_fees + self.exit_fees


class HoldReason(StrEnum):
    """Why nothing is done."""

    HEALTHY = "position healthy"
    INCOMPLETE = "the observation is incomplete"
    EXECUTING = "a job is in flight"
    NOTHING_HELD = "no position is held"
    HALTED = "openings are halted"
    HELD = "a position is held"
    ACCOUNT_MODE = "the account's mode does not fit"
    CLOCK = "the clock differs from the exchange's"
    CAPITAL = "too little capital"
    NOTHING_LEFT = "nothing is left to trade"
    CANNOT_TRADE = "the exchange takes no orders for a leg"
    UNCONFIRMED = "a second reading did not agree"
    UNSUPPORTED = "the emergency stop's figures are not confirmed by another source"
    DIVERGED = "the legs do not follow one price: nothing is closed for profit"
    DEFERRED = "closing waits until it costs less"
    JUST_ADOPTED = "adopted just now, and a rule would close it"


class Hold(Struct, frozen=True, kw_only=True, tag="hold"):
    """Do nothing."""

    reason: HoldReason
    detail: str = ""
    evaluation: Evaluation | None = None
    health: HealthReport | None = None


class Open(Struct, frozen=True, kw_only=True, tag="open"):
    """Open a hedge."""

    opportunity: Opportunity
    plan: ExecutionPlan
    rebalance: Rebalance | None = None
    reason: Reason = Reason.BEST_OPPORTUNITY

    def plan_for(self, hedge_id: str) -> ExecutionPlan:
        """Return the plan with its transfer named after the hedge."""
        transfer = self.rebalance.command(f"{hedge_id}-t") if self.rebalance else None
        return replace(self.plan, transfer=transfer)


class Close(Struct, frozen=True, kw_only=True, tag="close"):
    """Close the hedge."""

    reason: Reason
    plan: ExecutionPlan
    detail: str = ""
    target: Target | None = None
    """The pair decided for instead."""
    confirm: bool = False
    """Derived from balances or listings, which lag: act only when a second read agrees."""
    probe: ExecutionPlan | None = None
    """One small order that is to fill first: the listing says that the perpetual takes none."""
    reopening_cost: Decimal | None = None
    """Fees of opening the same pair again, when it is still the best; quote units."""
    evaluation: Evaluation | None = None
    health: HealthReport | None = None


class Trim(Struct, frozen=True, kw_only=True, tag="trim"):
    """Reduce the larger leg so that both match again."""

    market: Market
    quantity: Decimal
    plan: ExecutionPlan
    reason: Reason = Reason.IMBALANCE
    detail: str = ""
    confirm: bool = True
    evaluation: Evaluation | None = None
    health: HealthReport | None = None


class Reduce(Struct, frozen=True, kw_only=True, tag="reduce"):
    """Close a part of both legs: liquidation is near, and no idle USDT is left to keep it away."""

    quantity: Decimal
    """Base units of each leg."""
    plan: ExecutionPlan
    reason: Reason = Reason.LIQUIDATION_NEAR
    detail: str = ""
    evaluation: Evaluation | None = None
    health: HealthReport | None = None


class Roll(Struct, frozen=True, kw_only=True, tag="roll"):
    """Fees are covered and the pair is still the best: restart the counters, send no orders."""

    reason: Reason = Reason.FEES_COVERED
    detail: str = ""
    evaluation: Evaluation | None = None
    health: HealthReport | None = None


class TopUpMargin(Struct, frozen=True, kw_only=True, tag="top_up_margin"):
    """Move idle USDT to the perpetual wallet: liquidation comes nearer."""

    rebalance: Rebalance
    detail: str = ""
    evaluation: Evaluation | None = None
    health: HealthReport | None = None


class HaltOpenings(Struct, frozen=True, kw_only=True, tag="halt"):
    """Block openings."""

    reason: HaltReason
    detail: str
    amount: Decimal = ZERO
    """Money that is missing, quote units."""
    symbols: tuple[str, ...] = ()
    """The perpetuals that it is about."""


Decision: TypeAlias = Hold | Open | Close | Trim | Reduce | Roll | TopUpMargin | HaltOpenings
