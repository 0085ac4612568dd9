"""What the event log does not hold and screens show of the past: values of a time series that may be lost without harm.

Amounts are in quote units, to eight decimals: they are drawn, and nothing is decided on them.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

__all__ = [
    "DecisionCount",
    "MarkKind",
    "PairCost",
    "PairRate",
    "PaymentMade",
    "SeriesBatch",
    "SeriesPoint",
]


class MarkKind(StrEnum):
    """What a piece of time was; the later ones are worse."""

    NOT_SEEN = "not seen"
    """No check was made."""
    FLAT = "flat"
    HEDGED = "hedged"
    TRADING = "trading"
    HALTED = "halted"
    BLIND = "blind"
    HALF_OPEN = "half open"
    """Repairing."""
    NAKED = "naked"


class SeriesPoint(Struct, frozen=True, kw_only=True):
    """What a bot was worth at the end of a check; None = not known."""

    at: datetime
    kind: MarkKind
    """The worst state since the point before."""
    covered_seconds: float
    """For how long before ``at`` the bot has watched without a break since the point before."""
    equity: Decimal | None
    net: Decimal | None
    """Funding + basis - fees of all hedges since the log began, before the costs of closing."""
    funding: Decimal
    fees: Decimal
    basis: Decimal | None
    notional: Decimal
    """One leg of the live hedges at entry."""
    symbols: str
    """The pairs held, with commas between them."""


class PairRate(Struct, frozen=True, kw_only=True):
    """One settled funding rate of a held or compared pair."""

    symbol: str
    at: datetime
    rate: float
    """Fraction of notional; positive = received by the short."""
    interval_hours: int


class PairCost(Struct, frozen=True, kw_only=True):
    """What opening a pair and closing it again costs at taker commissions and the spreads seen last."""

    symbol: str
    fraction: Decimal
    """Of one leg."""


class DecisionCount(Struct, frozen=True, kw_only=True):
    """One decision, and how often in a row it was made about the same pair."""

    at: datetime
    """The first time."""
    until: datetime
    """The last time."""
    action: str
    """hold, open, close, trim, reduce, roll, top up margin, or halt."""
    reason: str
    detail: str = ""
    """Of the last time."""
    symbol: str = ""
    """The pair that it is about; empty = openings."""
    count: int = 1


class PaymentMade(Struct, frozen=True, kw_only=True):
    """One booked funding payment."""

    at: datetime
    """Settlement time."""
    symbol: str
    amount: Decimal
    """Quote units; positive = received."""
    tran_id: int


class SeriesBatch(Struct, frozen=True, kw_only=True):
    """What is added to a time series at one time."""

    points: tuple[SeriesPoint, ...] = ()
    decisions: tuple[DecisionCount, ...] = ()
    """Each made once; the same one again about a pair is counted."""
    payments: tuple[PaymentMade, ...] = ()
    rates: tuple[PairRate, ...] = ()
    costs: tuple[PairCost, ...] = ()
