"""Faults of the in-process venue, declared as values, each by count or by time.

A plan is a script; ``drawn_plan`` draws one from a seeded source. A new kind of fault is one more struct here and one
more place in the venue that asks for it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import TypeVar

from msgspec import Struct

from hedgerow.domain.commands import CancelOrder, Command, PlaceOrder, SetLeverage, SetMarginType
from hedgerow.domain.errors import RateLimited, Unauthorized, VenueError
from hedgerow.domain.instrument import Market, Side
from hedgerow.emulator.core.error_codes import Code
from hedgerow.emulator.fault_kinds import OF_COMMANDS, OF_READS, OF_THE_VENUE, FaultKind
from hedgerow.emulator.inprocess.readings import (
    AccountEndpoint,
    AccountReading,
    LateFunding,
    LateRates,
    MarketEndpoint,
    MarketReading,
    Occasion,
)

__all__ = [
    "FaultPlan",
    "Faults",
    "LaggingBalances",
    "LateReports",
    "PairRefusal",
    "Read",
    "ReadFault",
    "Refused",
    "StaleBooks",
    "SubmitFault",
    "VenueFault",
    "drawn_plan",
]


class Read(StrEnum):
    """The reads of a venue."""

    MARKET = "market"
    ACCOUNT = "account"
    DEPTH = "depth"
    OPEN_ORDERS = "open_orders"
    RESOLVE = "resolve"
    FILLS = "fills"
    FUNDING_PAYMENTS = "funding_payments"
    STATEMENT = "statement"
    POSITION = "position"


Readings = TypeVar("Readings", tuple[AccountReading, ...], tuple[MarketReading, ...])
SIGNED = frozenset(Read) - {Read.MARKET, Read.DEPTH}
"""Reads of the account."""
OF_ORDERS_ONLY = {FaultKind.PARTIAL, FaultKind.ABSORB, FaultKind.LATE}
OVERLOAD = (FaultKind.SILENT_BEFORE, FaultKind.NOT_SENT, FaultKind.SILENT_AFTER)


class SubmitFault(Struct, frozen=True, kw_only=True, tag="submit"):
    """Strikes ``times`` commands in a row, from the ``nth`` one on that matches every filter given."""

    fault: FaultKind
    """One of ``OF_COMMANDS``."""
    nth: int = 1
    times: int = 1
    command: str | None = None
    """Tag of the command's type, e.g. ``place_order``."""
    market: Market | None = None
    side: Side | None = None
    reduce_only: bool | None = None
    symbol: str | None = None
    code: int = Code.UNKNOWN
    message: str = ""
    fraction: Decimal = Decimal("0.5")
    seconds: float = 0.0
    """How late: see the fault."""
    denied: bool = False
    """Of ``LATE``: a look-up says meanwhile that the order never arrived, as after a ``noop`` that killed nothing."""

    def __post_init__(self) -> None:
        """Refuse what cannot become of a command."""
        _check(self.fault, OF_COMMANDS)

    def matches(self, command: Command) -> bool:
        """Return whether the filters let this command count."""
        if self.command is not None and self.command != type(command).__struct_config__.tag:
            return False
        asked = (self.market, self.side, self.reduce_only, self.symbol)
        if isinstance(command, PlaceOrder):
            order = command.order
            given = (order.market, order.side, order.reduce_only, order.symbol)
            return all(want is None or want == have for want, have in zip(asked, given, strict=True))
        return self.fault not in OF_ORDERS_ONLY and asked == (None,) * 4


class ReadFault(Occasion, frozen=True, kw_only=True, tag="read"):
    """Fails reads of one kind: a number of them, or all of a time."""

    read: Read
    fault: FaultKind = FaultKind.SILENT_BEFORE
    """One of ``OF_READS``."""

    def __post_init__(self) -> None:
        """Refuse what cannot become of a read."""
        _check(self.fault, OF_READS)


class Refused(StrEnum):
    """Which commands about a pair are refused."""

    ALL = "all"
    ORDERS = "orders"
    OPENINGS = "openings"
    """Orders that may add to a position: not sales of coins, nor reduce-only ones."""
    PREPARATION = "preparation"
    """Margin type and leverage."""


class PairRefusal(Struct, frozen=True, kw_only=True, tag="pair_refusal"):
    """The venue refuses commands about a pair, always the same way, whatever is tried."""

    code: int
    symbol: str | None = None
    """None = every pair."""
    market: Market | None = None
    """Of orders; None = both."""
    refused: Refused = Refused.ALL
    message: str = ""
    after: datetime | None = None
    until: datetime | None = None
    """None = for ever."""

    def applies(self, command: Command, now: datetime) -> bool:
        """Return whether this command is refused at ``now``."""
        if (self.after is not None and now < self.after) or (self.until is not None and now >= self.until):
            return False
        match command:
            case PlaceOrder():
                order = command.order
                closing = order.reduce_only or (order.market is Market.SPOT and order.side is Side.SELL)
                kind = self.refused in {Refused.ALL, Refused.ORDERS} or (
                    self.refused is Refused.OPENINGS and not closing
                )
                return kind and self.symbol in {None, order.symbol} and self.market in {None, order.market}
            case SetLeverage() | SetMarginType():
                kind = self.refused in {Refused.ALL, Refused.PREPARATION}
                return kind and self.symbol in {None, command.symbol}
            case _:
                return False


class StaleBooks(Struct, frozen=True, kw_only=True, tag="stale_books"):
    """Books stand still from ``after`` until ``until``."""

    after: datetime
    until: datetime


class LaggingBalances(Struct, frozen=True, kw_only=True, tag="lagging_balances"):
    """The account is shown as it was this long ago, as far as the bot's own commands go."""

    seconds: float


class LateReports(Struct, frozen=True, kw_only=True, tag="late_reports"):
    """What happens in ``[after, until)`` to orders, and trades, are reported only ``seconds`` later."""

    seconds: float
    after: datetime
    until: datetime


class VenueFault(Struct, frozen=True, kw_only=True, tag="disorder"):
    """The venue is out of order in ``[after, until)``."""

    fault: FaultKind
    """One of ``OF_THE_VENUE``."""
    after: datetime
    until: datetime

    def __post_init__(self) -> None:
        """Refuse what is no fault of a whole venue."""
        _check(self.fault, OF_THE_VENUE)

    def applies_to_read(self, read: Read, count: int) -> bool:
        """Return whether the ``count``-th request of the disorder (from 1), a read, fails."""
        if self.fault is FaultKind.OVERLOADED:
            return count % 2 == 1
        return self.fault is FaultKind.BANNED or (self.fault is FaultKind.SIGNED_READS and read in SIGNED)

    def on_submit(self, command: Command, count: int) -> SubmitFault | None:
        """Return what becomes of the ``count``-th request of the disorder (from 1), a command."""
        match self.fault:
            case FaultKind.BANNED:
                return SubmitFault(fault=FaultKind.NOT_SENT)
            case FaultKind.ORDER_LIMIT if isinstance(command, PlaceOrder | CancelOrder):
                return SubmitFault(fault=FaultKind.NOT_SENT)
            case FaultKind.NONCE_EXPIRED:
                return SubmitFault(fault=FaultKind.REJECT, code=Code.KEY_PERMISSION)
            case FaultKind.OVERLOADED if count % 2:
                return SubmitFault(fault=OVERLOAD[count // 2 % len(OVERLOAD)])
            case _:
                return None


class FaultPlan(Struct, frozen=True, kw_only=True):
    """All faults of one run."""

    submits: tuple[SubmitFault, ...] = ()
    reads: tuple[ReadFault, ...] = ()
    stale_books: tuple[StaleBooks, ...] = ()
    lagging: LaggingBalances | None = None
    late: tuple[LateReports, ...] = ()
    venue_faults: tuple[VenueFault, ...] = ()
    refusals: tuple[PairRefusal, ...] = ()
    account_readings: tuple[AccountReading, ...] = ()
    market_readings: tuple[MarketReading, ...] = ()
    late_funding: tuple[LateFunding, ...] = ()
    late_rates: tuple[LateRates, ...] = ()

    def __add__(self, other: "FaultPlan") -> "FaultPlan":
        """Return both plans at once; of two lags the other's wins."""
        return FaultPlan(
            submits=(*self.submits, *other.submits),
            reads=(*self.reads, *other.reads),
            stale_books=(*self.stale_books, *other.stale_books),
            lagging=other.lagging or self.lagging,
            late=(*self.late, *other.late),
            venue_faults=(*self.venue_faults, *other.venue_faults),
            refusals=(*self.refusals, *other.refusals),
            account_readings=(*self.account_readings, *other.account_readings),
            market_readings=(*self.market_readings, *other.market_readings),
            late_funding=(*self.late_funding, *other.late_funding),
            late_rates=(*self.late_rates, *other.late_rates),
        )


class Faults:
    """A plan at work: counts requests and returns the faults they meet."""

    def __init__(self, plan: FaultPlan) -> None:
        self.plan = plan
        self.faulted = 0
        """How often a command or a read was struck so far."""
        self.shown_false = 0
        """How often of these a read was answered with what is not so, or not yet."""
        self._matched = [0] * len(plan.submits)
        self._read = dict.fromkeys(Read, 0)
        self._met = [0] * len(plan.venue_faults)
        self._account_reads = dict.fromkeys(AccountEndpoint, 0)
        self._market_reads = dict.fromkeys(MarketEndpoint, 0)

    def on_submit(self, command: Command, now: datetime) -> SubmitFault | None:
        """Return the first fault that strikes this command; None = it goes well."""
        faulted = None
        for venue_fault, count in self._venue_faults(now):
            faulted = faulted or venue_fault.on_submit(command, count)
        for refusal in self.plan.refusals:
            if faulted is None and refusal.applies(command, now):
                faulted = SubmitFault(fault=FaultKind.REJECT, code=refusal.code, message=refusal.message)
        for number, fault in enumerate(self.plan.submits):
            if fault.matches(command):
                self._matched[number] += 1
                if faulted is None and fault.nth <= self._matched[number] < fault.nth + fault.times:
                    faulted = fault
        self.faulted += faulted is not None
        return faulted

    def on_read(self, read: Read, now: datetime) -> None:
        """Count a read.

        Raises:
            VenueError: the plan lets it fail.
        """
        for venue_fault, count in self._venue_faults(now) if self.plan.venue_faults else ():
            if venue_fault.applies_to_read(read, count):
                self.faulted += 1
                raise _disordered(venue_fault, read, now)
        if not self.plan.reads:
            return
        self._read[read] += 1
        for fault in self.plan.reads:
            if fault.read is read and fault.applies(self._read[read], now):
                self.faulted += 1
                raise _error(fault)

    def account_readings(self, endpoint: AccountEndpoint, now: datetime) -> tuple[AccountReading, ...]:
        """Count a read of the account; return what is false about its reply."""
        self._account_reads[endpoint] += 1
        count = self._account_reads[endpoint]
        found = (each for each in self.plan.account_readings if endpoint in each.endpoints)
        return self._noted(tuple(each for each in found if each.applies(count, now)))

    def market_readings(self, endpoint: MarketEndpoint, now: datetime) -> tuple[MarketReading, ...]:
        """Count a read of the market; return what is false about its reply."""
        self._market_reads[endpoint] += 1
        count = self._market_reads[endpoint]
        found = (each for each in self.plan.market_readings if endpoint in each.endpoints)
        return self._noted(tuple(each for each in found if each.applies(count, now)))

    def _noted(self, readings: Readings) -> Readings:
        self.faulted += bool(readings)
        self.shown_false += bool(readings)
        return readings

    def lists_payment(self, at: datetime, now: datetime) -> bool:
        """Return whether a funding payment of ``at`` is listed at ``now``."""
        listed = all(late.lists(at, now) for late in self.plan.late_funding)
        self.faulted += not listed
        self.shown_false += not listed
        return listed

    def _venue_faults(self, now: datetime) -> Iterator[tuple[VenueFault, int]]:
        """Yield the disorders that reign now, each with the number of requests that have met it, this one included."""
        for number, venue_fault in enumerate(self.plan.venue_faults):
            if venue_fault.after <= now < venue_fault.until:
                self._met[number] += 1
                yield venue_fault, self._met[number]

    def is_visible(self, at: datetime, now: datetime) -> bool:
        """Return whether ``now`` is late enough for a report of what happened ``at``."""
        waits = (late.seconds for late in self.plan.late if late.after <= at < late.until)
        is_listed = at + timedelta(seconds=max(waits, default=0.0)) <= now
        self.faulted += not is_listed
        return is_listed

    def books_at(self, now: datetime) -> datetime:
        """Return the time whose books are shown at ``now``."""
        if not self.plan.stale_books:
            return now
        return min((fault.after for fault in self.plan.stale_books if fault.after <= now < fault.until), default=now)


def drawn_plan(random: Random, *, start: datetime, span: timedelta, count: int) -> FaultPlan:
    """Return ``count`` faults drawn over a run of ``span``: about two in three strike commands, the others reads."""
    submits: list[SubmitFault] = []
    reads: list[ReadFault] = []
    kinds, subjects = OF_COMMANDS, list(Read)
    for _ in range(count):
        if random.random() < 2 / 3:
            kind = random.choice(kinds)
            code = random.choice((Code.PRICE_TOO_HIGH, Code.MARGIN_INSUFFICIENT, Code.SYMBOL_NOT_OPEN))
            market = random.choice((None, Market.SPOT, Market.PERP))
            submits.append(SubmitFault(fault=kind, nth=random.randint(1, 12), code=code, market=market))
        else:
            after = start + span * random.random()
            until = after + timedelta(seconds=random.uniform(1, 600))
            reads.append(ReadFault(read=random.choice(subjects), after=after, until=until))
    return FaultPlan(submits=tuple(submits), reads=tuple(reads))


def _check(fault: FaultKind, allowed: tuple[FaultKind, ...]) -> None:
    if fault not in allowed:
        raise ValueError(f"fault {fault}: allowed here is {', '.join(allowed)}")


def _error(fault: ReadFault) -> VenueError:
    what = f"{fault.read}: the exchange does not answer"
    if fault.fault is FaultKind.RATE_LIMITED:
        return RateLimited(f"{fault.read}: too many requests", retry_after_seconds=60.0)
    return (
        Unauthorized(f"{fault.read}: key not permitted") if fault.fault is FaultKind.UNAUTHORIZED else VenueError(what)
    )


def _disordered(venue_fault: VenueFault, read: Read, now: datetime) -> VenueError:
    if venue_fault.fault is FaultKind.BANNED:
        return RateLimited(f"{read}: banned", retry_after_seconds=(venue_fault.until - now).total_seconds())
    return VenueError(f"{read}: the exchange failed (HTTP 500, a web page)")
