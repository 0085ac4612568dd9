"""The parts of a view: values that screens show; ``hedgerow.dashboard.view`` makes them.

Money is in quote units, ratios are fractions, times are aware UTC; None = not known, never zero.
"""

from datetime import datetime
from decimal import Decimal

from msgspec import Struct, field

from hedgerow.dashboard.job_view import JobView
from hedgerow.dashboard.outlook import PairOutlook, PairPrices, SettledRate
from hedgerow.domain.funding import FundingSignal
from hedgerow.domain.instrument import Market
from hedgerow.domain.records.time_series import DecisionCount, MarkKind, PaymentMade
from hedgerow.domain.run_identity import RunMode
from hedgerow.strategy.decisions.consequences import ForeseenExit
from hedgerow.strategy.evaluation.health import (
    CLOSE_DISTANCE,
    CLOSE_IMBALANCE,
    REDUCE_DISTANCE,
    REPAIR_IMBALANCE,
    TOP_UP_DISTANCE,
)
from hedgerow.strategy.grades import HealthLevel
from hedgerow.strategy.hedge_result import HedgeResult
from hedgerow.strategy.next_payment import NextPayment

__all__ = [
    "BotIdentity",
    "Bounds",
    "ClosedRow",
    "DayMark",
    "Difference",
    "DustRow",
    "HaltView",
    "HealthView",
    "HedgeView",
    "LegView",
    "MarketFunding",
    "PairRow",
    "Series",
    "Times",
    "Together",
    "Totals",
    "Worth",
]


class BotIdentity(Struct, frozen=True, kw_only=True):
    """Which bot it is, and whose money it trades."""

    name: str
    """Name of its home folder, or of its account's log; empty = not known."""
    mode: RunMode | None
    venue: str
    """Name of the exchange; empty = not known."""
    network: str
    policy: str
    account: str
    """Shortened; empty = not known."""
    version: str
    home: str


class Times(Struct, frozen=True, kw_only=True):
    """When what was done, by the bot's own clock."""

    now: datetime
    since: datetime | None
    """Since when the state lasts."""
    started_at: datetime | None
    stopped_at: datetime | None
    read_at: datetime | None
    """When market and account were read last."""
    checked_at: datetime | None
    checking_since: datetime | None
    """When the check that runs now began."""
    next_check_at: datetime | None
    interval_seconds: float | None
    blind_since: datetime | None
    last_beat: datetime | None
    log_began_at: datetime | None
    is_old: bool
    """Whether the figures are shown as of ``read_at``: no bot reads any more, or the reading is overdue."""


class HaltView(Struct, frozen=True, kw_only=True):
    """Openings are halted."""

    since: datetime
    reason: str
    detail: str
    symbols: tuple[str, ...]
    lifts_itself: bool
    """Whether it ends when its cause is gone; others end by ``hedgerow resume``."""
    amount: Decimal
    """Money that is missing, quote units."""


class LegView(Struct, frozen=True, kw_only=True):
    """One leg of a hedge."""

    market: Market
    quantity: Decimal
    """Base units, negative = short."""
    step: Decimal
    """Grid of the quantity, base units."""
    price: Decimal | None
    """Middle of the book now, or the nearest price seen."""
    value: Decimal | None
    """Quote units, negative = short."""
    entry_price: Decimal | None
    """Average price of the opening."""
    pnl: Decimal | None
    """Before fees and funding."""


class Difference(Struct, frozen=True, kw_only=True):
    """By how much the coins exceed the short; negative = they are fewer."""

    quantity: Decimal
    """Base units."""
    fraction: float
    """Of the larger leg."""
    value: Decimal | None
    """Quote units."""


class Bounds(Struct, frozen=True, kw_only=True):
    """Limits of the health check, fractions."""

    trim: float = REPAIR_IMBALANCE
    """Legs that differ by more are made to match."""
    close: float = CLOSE_IMBALANCE
    """Legs that differ by more end the hedge."""
    top_up: float = TOP_UP_DISTANCE
    """Liquidation that is nearer to the mark gets idle USDT as margin."""
    reduce: float = REDUCE_DISTANCE
    """The same: a part of both legs is closed."""
    close_distance: float = CLOSE_DISTANCE
    """The same: the hedge is closed."""
    lot: Decimal
    """Common grid of both legs, base units: a smaller difference cannot be traded."""
    least: Decimal
    """Coins too few to be sold by themselves, base units: so many more than the short are left alone."""
    naked_seconds: float | None
    """Legs that differ for longer are an alarm; None = not known."""


class MarketFunding(Struct, frozen=True, kw_only=True):
    """Funding of a held pair."""

    next: NextPayment | None
    rates: tuple[SettledRate, ...]
    """Newest settled rates, oldest first, at most 30."""
    mean: float | None
    """Of ``rates``, per interval of each."""
    deviation: float | None
    """Population standard deviation of ``rates``."""
    signal: FundingSignal | None
    """What decisions use."""
    apr_on_leg: float | None
    """Of the signal, a fraction of one leg a year."""
    apr_on_capital: float | None
    """The same on both legs."""


class HedgeView(Struct, frozen=True, kw_only=True):
    """One live hedge: open, being closed, or being opened."""

    hedge_id: str
    symbol: str
    base: str
    is_opening: bool
    adopted: bool
    opened_at: datetime
    read_at: datetime | None
    """When its figures were read; None = only the log is known."""
    entry_notional: Decimal
    """One leg at entry."""
    entry_apr: float
    spot: LegView
    perp: LegView
    difference: Difference | None
    """None = nothing is held yet."""
    bounds: Bounds
    prices: PairPrices | None
    basis: float | None
    """(perpetual - spot) / spot by the middles of the books now."""
    entry_basis: float | None
    """The same of the opening's average prices."""
    liquidation_price: Decimal | None
    liquidation_distance: float | None
    """Fraction of the mark; None = not known, or out of reach."""
    leverage: int | None
    margin_type: str | None
    maintenance: Decimal | None
    adl_rank: int | None
    level: HealthLevel | None
    findings: tuple[str, ...]
    unknown: tuple[str, ...]
    """What the health check could not judge."""
    result: HedgeResult | None
    """None without prices."""
    funding: MarketFunding
    funding_received: Decimal
    """By the log."""
    funding_payments: int
    fees_paid: Decimal
    """By the log."""
    exits: tuple[ForeseenExit, ...]
    """The nearest first."""
    profit_rules_known: bool
    """Whether the policy's own rules are among ``exits``."""
    deferred_until: datetime | None
    """Until when a closing waits because it costs too much now."""
    job: JobView | None
    """The trade about it."""


class Together(Struct, frozen=True, kw_only=True):
    """Sums over the live hedges; None where one of them is not known."""

    hedges: int
    notional: Decimal
    """One leg of all at entry."""
    difference_value: Decimal | None
    """Sum of what is unhedged of each, positive."""
    funding: Decimal
    fees_paid: Decimal
    basis: Decimal | None
    exit_cost: Decimal | None
    net_so_far: Decimal | None
    net_if_closed: Decimal | None
    net_on_notional: float | None
    break_even_at: datetime | None
    """When the last of them is paid back; None when one has none and is not."""
    next_payment_at: datetime | None
    """Earliest next settlement."""
    next_payment: Decimal | None
    """Sum of what is due then."""
    apr_on_leg: float | None
    """Mean of the signals, by notional."""
    apr_on_capital: float | None
    liquidation_distance: float | None
    """The nearest."""
    level: HealthLevel | None
    """The worst."""


class Totals(Struct, frozen=True, kw_only=True):
    """What all hedges of the log made."""

    funding: Decimal
    """Of ended hedges."""
    basis: Decimal
    fees: Decimal
    net_closed: Decimal
    """Of ended hedges: funding + basis - fees."""
    held: Decimal | None
    """Net of the live hedges if they were closed now; None without prices."""
    net_so_far: Decimal | None
    """Ended and live hedges, and the gain of kept dust; dust without a price is left out, and named below."""
    net_if_closed: Decimal | None
    unpriced_dust: tuple[str, ...]
    """Coins of kept dust whose gain is in no figure, as they have no price."""
    imported: Decimal
    """Taken over from the guide's state file, in no other figure."""
    opened: int
    closed: int
    aborted: int
    cycles: int
    equity: Decimal | None
    """Of the strategy, quote units."""
    free_spot: Decimal | None
    free_perp: Decimal | None
    unattributed_funding: Decimal
    longest_naked_seconds: float
    largest_naked: Decimal
    """Quote units."""


class ClosedRow(Struct, frozen=True, kw_only=True):
    """One hedge that ended."""

    hedge_id: str
    symbol: str
    opened_at: datetime
    closed_at: datetime
    notional: Decimal
    """One leg at entry."""
    entry_apr: float
    funding: Decimal
    payments: int
    basis: Decimal
    fees: Decimal
    net: Decimal
    reason: str
    naked_seconds: float | None
    """Longest time that its closing left the legs apart; None when no trade of the bot closed it."""


class PairRow(Struct, frozen=True, kw_only=True):
    """One pair of the market as the policy sees it."""

    seen: PairOutlook
    held: bool
    may_enter: bool
    """Whether it passes every entry filter but depth, and is not held."""
    why_not: tuple[str, ...]


class HealthView(Struct, frozen=True, kw_only=True):
    """How well the bot sees; None = not known."""

    unread: tuple[str, ...]
    """What could not be read at the last check."""
    failure: str
    """Why the last check failed."""
    differences: dict[str, Decimal]
    """Exchange less books, by ``wallet:asset``."""
    differences_at: datetime | None
    doubts: tuple[str, ...]
    clock_skew_seconds: float | None
    doubtful_orders: int
    """Orders whose outcome is not certain."""
    request_budget: float | None = None
    """Part of the exchange's request limit that is left."""
    streams_up: int | None = None
    streams: int | None = None
    listener_failures: dict[str, int] = field(default_factory=dict[str, int])
    key_expires_at: datetime | None = None


class DustRow(Struct, frozen=True, kw_only=True):
    """Coins that could be neither hedged nor sold."""

    asset: str
    quantity: Decimal
    cost: Decimal
    """Quote units at which it was kept."""


class DayMark(Struct, frozen=True, kw_only=True):
    """15 minutes: the worst state that was seen in them."""

    at: datetime
    """Their beginning."""
    kind: MarkKind


class Worth(Struct, frozen=True, kw_only=True):
    """Was it worth it: gains since ``since`` after fees, on ``capital``, quote units; None = not known."""

    since: datetime
    until: datetime
    capital: Decimal
    """Equity at ``since``."""
    bot: Decimal | None
    """What this bot made, if what it holds were closed now."""
    same_pair: str
    """The first pair that was held."""
    same_pair_held: Decimal | None
    """The first hedge, had it been held until now."""
    btc_held: Decimal | None
    """BTCUSDT hedged all the time."""
    cash: Decimal
    """At ``cash_rate``."""
    cash_rate: float
    """A fraction a year, set by the user."""
    hindsight: Decimal | None
    """The best that moving between the compared pairs could have made."""


class Series(Struct, frozen=True, kw_only=True):
    """What is known of the past: from the time series of the bot."""

    day: tuple[DayMark, ...] = ()
    """The last 24 hours, oldest first, 96 marks."""
    shares: dict[str, float] = field(default_factory=dict[str, float])
    """Part of the last 24 hours by kind of mark."""
    worth: Worth | None = None
    decisions: tuple[DecisionCount, ...] = ()
    """Newest first; of earlier processes as well."""
    payments: tuple[PaymentMade, ...] = ()
    rates: dict[str, tuple[SettledRate, ...]] = field(default_factory=dict[str, tuple[SettledRate, ...]])
    """Newest settled rates of held pairs, oldest first, by symbol."""
