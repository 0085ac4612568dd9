"""Funding: predicted and settled rates, payments, and the averaged signal that decisions use."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec import Struct, field

__all__ = [
    "EPOCH",
    "HOURS_PER_YEAR",
    "FundingPayment",
    "FundingRate",
    "FundingSignal",
    "RateBoard",
    "last_settlement",
    "next_settlement",
    "seconds_to_settlement",
    "settlements",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOURS_PER_YEAR = 8760


class FundingRate(Struct, frozen=True, kw_only=True):
    """One funding rate of one symbol."""

    symbol: str
    rate: Decimal
    """Fraction of notional per interval; positive = longs pay, so a short receives."""
    interval_hours: int
    """Length of the interval this rate covers; a property of the print, not of the symbol."""
    at: datetime
    """Settlement time: past for a settled rate, next for a predicted one."""
    settled: bool = True

    def __post_init__(self) -> None:
        if self.interval_hours <= 0:
            raise ValueError(f"{self.symbol}: a funding interval is positive, not {self.interval_hours}")


class FundingPayment(Struct, frozen=True, kw_only=True):
    """One FUNDING_FEE row of the venue's income ledger."""

    symbol: str
    amount: Decimal
    """Quote units; positive = received."""
    tran_id: int
    """The venue's number of the payment, unique among funding payments."""
    at: datetime


class FundingSignal(Struct, frozen=True, kw_only=True):
    """Funding of one symbol over a window; estimates, hence floats."""

    symbol: str
    mean: float
    """Mean rate per interval, as a fraction; hours-weighted across an interval change."""
    stdev: float
    """Population standard deviation of the window's rates, as a fraction."""
    apr: float
    """Sum of rates / sum of their hours x 8760, a fraction of one leg's notional per year."""
    periods: int
    """How many prints the window holds."""
    interval_hours: int
    """Interval of the newest print."""
    moving_average: bool = True
    """False when the signal is the predicted rate alone."""


class RateBoard(Struct, frozen=True, kw_only=True, eq=False, weakref=True):
    """Settled rates of every symbol, oldest first; a new object exists only when something of it changed.

    Compared and hashed by identity, so that a ranking computed from it can be kept until it changes.
    """

    settled: Mapping[str, tuple[FundingRate, ...]]
    overdue: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """Settlements that should be listed by now and are not, by symbol: its newest rate is one settlement old."""

    def newest(self, symbol: str, count: int) -> tuple[FundingRate, ...]:
        """Return at most ``count`` newest settled rates, oldest first."""
        return self.settled.get(symbol, ())[-count:]


def last_settlement(at: datetime, interval_hours: int) -> datetime:
    """Return the newest settlement that is not after ``at``."""
    interval = timedelta(hours=interval_hours)
    return at - (at - EPOCH) % interval


def next_settlement(at: datetime, interval_hours: int) -> datetime:
    """Return the first settlement strictly after ``at``."""
    return last_settlement(at, interval_hours) + timedelta(hours=interval_hours)


def settlements(after: datetime, until: datetime, interval_hours: int) -> tuple[datetime, ...]:
    """Return the settlement times in ``(after, until]``, oldest first."""
    interval = timedelta(hours=interval_hours)
    found: list[datetime] = []
    stamp = next_settlement(after, interval_hours)
    while stamp <= until:
        found.append(stamp)
        stamp += interval
    return tuple(found)


def seconds_to_settlement(at: datetime, interval_hours: int) -> float:
    """Return the distance in seconds to the nearest settlement, before or after ``at``."""
    since = (at - last_settlement(at, interval_hours)).total_seconds()
    until = (next_settlement(at, interval_hours) - at).total_seconds()
    return min(since, until)
