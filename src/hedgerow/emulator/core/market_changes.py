"""Changes of a market while a client holds a position in it: filters, fees, brackets, status, distorted books.

Each change is a value: a symbol, the time from which it is in force, and for how long. Several may be in force at once;
they are applied in the order in which they were made. They change matching, filters and everything that the exchange
reports: nothing here is a false reading (those are in ``faults``).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.account import MarginTier
from hedgerow.domain.instrument import Market, Side, TradingStatus
from hedgerow.domain.money import ONE, ZERO

__all__ = [
    "BookDistortion",
    "Bracket",
    "BracketChange",
    "ContractMultiplier",
    "FeeChange",
    "FilterChange",
    "LeverageTier",
    "MarkDistortion",
    "MarketChange",
    "PositionTreatment",
    "Redenomination",
    "StatusChange",
    "TickerCollision",
    "boundaries",
    "ended",
    "in_force",
    "margin_tiers",
]

HIGHEST_LEVERAGE = 125
LOWEST_BPS = Decimal(-10_000)
"""A shift of this much would leave a price of zero."""

LONGEST_SECONDS = 10**9
"""Some 30 years: the end of a change is still a date."""
LAST_YEAR = 9000
"""The latest year in which a change begins, for the same reason."""

LARGEST_NUMBER = Decimal(10) ** 15
"""Of a filter, a bracket or a book; the smallest one is its reciprocal."""
LARGEST_FACTOR = Decimal(10) ** 9
"""Of prices and quantities, and of a price itself: what an account holds is still worth a number of 28 digits."""
LARGEST_BPS = LARGEST_FACTOR


class _Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all changes share."""

    symbol: str
    at: datetime | None = None
    """From when on; None = at once, when it is given to a world or an exchange."""
    seconds: float | None = None
    """For how long; None = for good."""

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 <= self.seconds <= LONGEST_SECONDS:
            raise ValueError(f"seconds: allowed is 0 to {LONGEST_SECONDS:,}, not {self.seconds}")
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError(f"at: allowed is a time with its zone, as in {self.at.isoformat()}Z")
        if self.at is not None and self.at.year > LAST_YEAR:
            raise ValueError(f"at: allowed is a year up to {LAST_YEAR}, not {self.at.year}")

    @property
    def until(self) -> datetime | None:
        """Time at which it ends; None = never."""
        return None if self.at is None or self.seconds is None else self.at + timedelta(seconds=self.seconds)


class FilterChange(_Change, frozen=True, kw_only=True, tag="filter"):
    """Other filters of one market of a symbol, or of both; what is None stays as it is.

    Orders that rest keep their price and quantity, as on a real venue; only new ones must satisfy the new filters.
    """

    market: Market | None = None
    tick: Decimal | None = None
    """Price step in quote units."""
    lot: Decimal | None = None
    """Quantity step in base units."""
    min_quantity: Decimal | None = None
    max_quantity: Decimal | None = None
    min_notional: Decimal | None = None
    price_down: Decimal | None = None
    """PERCENT_PRICE: lowest price of a sell as a factor of the mark; 0 = no limit."""
    price_up: Decimal | None = None
    """PERCENT_PRICE: highest price of a buy as a factor of the mark; 0 = no limit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("tick", "lot", "max_quantity"):
            _check(name, getattr(self, name), above=ZERO)
        for name in ("min_quantity", "min_notional", "price_down", "price_up"):
            _check(name, getattr(self, name), least=ZERO)
        self.check_quantities(None, None)

    def check_quantities(self, least: Decimal | None, most: Decimal | None) -> None:
        """Refuse limits that no quantity satisfies; ``least`` and ``most`` are those in force, which None leaves.

        Raises:
            ValueError: the smallest quantity would be larger than the largest one.
        """
        least = least if self.min_quantity is None else self.min_quantity
        most = most if self.max_quantity is None else self.max_quantity
        if least is not None and most is not None and least > most:
            raise ValueError(f"min_quantity: allowed is at most max_quantity, which is {most:f}, not {least:f}")


class StatusChange(_Change, frozen=True, kw_only=True, tag="status"):
    """Another trading status of one market of a symbol, or of both; what rests on one that stops trading expires."""

    status: TradingStatus
    market: Market | None = None


class FeeChange(_Change, frozen=True, kw_only=True, tag="fee"):
    """Other commissions, as fractions of notional; what is None stays as it is."""

    market: Market | None = None
    maker: Decimal | None = None
    taker: Decimal | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("maker", "taker"):
            _check(name, getattr(self, name), above=-ONE, below=ONE)


class LeverageTier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of the maintenance margin; what makes it grow without a jump follows from the steps before it."""

    floor: Decimal
    """Smallest notional at mark that it is for, quote units."""
    rate: Decimal
    """Maintenance margin as a fraction of the part of the notional above ``floor``."""


def margin_tiers(tiers: Sequence[LeverageTier]) -> tuple[MarginTier, ...]:
    """Return tiers with their cumulative amounts, as the venue lists them (docs/aster-api.md 5.3).

    Raises:
        ValueError: the first one does not begin at zero, or floors or rates do not grow.
    """
    found: list[MarginTier] = []
    for tier in tiers:
        _check("floor", tier.floor, least=ZERO)
        _check("rate", tier.rate, above=ZERO, below=ONE)
        before = found[-1] if found else MarginTier(floor=-ONE, rate=ZERO)
        if (not found and tier.floor) or tier.floor <= before.floor or tier.rate <= before.rate:
            raise ValueError("tiers: the first floor is 0, and floors and rates grow from tier to tier")
        added = max(ZERO, tier.floor) * (tier.rate - before.rate)
        found.append(MarginTier(floor=tier.floor, rate=tier.rate, cumulative=before.cumulative + added))
    return tuple(found)


class BracketChange(_Change, frozen=True, kw_only=True, tag="bracket"):
    """Another leverage bracket of a perpetual; what is None stays as it is.

    A higher leverage that was set before counts as the new maximum from then on, and a larger position stays; only
    orders that would add to it are refused (-2027).
    """

    max_leverage: int | None = None
    max_notional: Decimal | None = None
    """Largest position in quote units."""
    maintenance_rate: Decimal | None = None
    """Maintenance margin as a fraction of notional at mark."""
    tiers: tuple[LeverageTier, ...] | None = None
    """Maintenance margin that grows with the notional; in the place of ``maintenance_rate``."""

    def __post_init__(self) -> None:
        super().__post_init__()
        margin_tiers(self.tiers or ())
        if self.max_leverage is not None and not 1 <= self.max_leverage <= HIGHEST_LEVERAGE:
            raise ValueError(f"max_leverage: allowed is 1 to {HIGHEST_LEVERAGE}, not {self.max_leverage}")
        _check("max_notional", self.max_notional, above=ZERO)
        _check("maintenance_rate", self.maintenance_rate, above=ZERO, below=ONE)


class Bracket(Struct, frozen=True, kw_only=True):
    """The leverage bracket of a perpetual where it is not the venue's common one; None = as the common one."""

    max_leverage: int | None = None
    max_notional: Decimal | None = None
    maintenance_rate: Decimal | None = None
    tiers: tuple[LeverageTier, ...] = ()


class PositionTreatment(StrEnum):
    """What a redenomination does to an open perpetual position."""

    CONVERTED = "converted"
    """Its quantity is divided and its entry price multiplied; no trade, no fee, no profit."""
    SETTLED = "settled"
    """It is closed at the mark by the venue's own order (``settlement_autoclose-...``), at the taker fee."""


class Redenomination(_Change, frozen=True, kw_only=True, tag="redenomination"):
    """One new coin stands for ``factor`` old ones: all prices are multiplied by it, and quantities are divided.

    As venues do it: orders that rest on either market expire; the coins of the spot wallet are exchanged at once (a
    row of the statement takes the difference out, no trade); an open perpetual position is converted likewise, without
    a row, or settled at the mark, as ``positions`` says. Ticks are multiplied, and lots and quantity limits divided, by
    the power of ten nearest to the factor, so that what was on the grids still is. It never ends.
    """

    factor: Decimal = Decimal(1000)
    positions: PositionTreatment = PositionTreatment.CONVERTED

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("factor", self.factor, above=ZERO, largest=LARGEST_FACTOR)
        if self.seconds is not None:
            raise ValueError("seconds: a redenomination never ends")


class TickerCollision(_Change, frozen=True, kw_only=True, tag="ticker_collision"):
    """The perpetual is that of something else which has the same ticker: it shares nothing with the coin but the name.

    The perpetual's book, mark and index stand at ``price`` when it begins and then move as ``underlying`` does.
    Grids and quantity limits of the perpetual are scaled by the power of ten nearest to the change of its price.
    """

    price: Decimal
    underlying: str | None = None
    """Symbol whose prices it moves with; None = it stands still."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("price", self.price, above=ZERO, largest=LARGEST_FACTOR)


class ContractMultiplier(_Change, frozen=True, kw_only=True, tag="contract_multiplier"):
    """One contract of the perpetual is ``multiplier`` coins (as 1000PEPE), though its symbol does not say so.

    Its book, mark and index are those of so many coins; its grids and quantity limits are scaled as by a
    ``TickerCollision``.
    """

    multiplier: Decimal = Decimal(1000)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("multiplier", self.multiplier, above=ZERO, largest=LARGEST_FACTOR)


class BookDistortion(_Change, frozen=True, kw_only=True, tag="book_distortion"):
    """A book that is not where the market is: a wick, a wide, crossed, thin or one-sided book, or several at once.

    Orders trade at its prices; the mark, the index and the other market's book do not move with it.
    """

    market: Market | None = None
    """Which book; None = both."""
    shift_bps: Decimal = ZERO
    """Distance of its middle from the market's in basis points: -2000 is 20 % low."""
    spread_bps: Decimal | None = None
    """Distance of best ask from best bid in basis points of the middle: 500 is wide, a negative one crossed."""
    depth_share: Decimal = ONE
    """Part of its quantities that is left."""
    missing: Side | None = None
    """The side that an order could not take (``BUY`` = no asks)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check("shift_bps", self.shift_bps, above=LOWEST_BPS, largest=LARGEST_BPS)
        _check("spread_bps", self.spread_bps, above=2 * LOWEST_BPS, below=-2 * LOWEST_BPS)
        _check("depth_share", self.depth_share, above=ZERO)


class MarkDistortion(_Change, frozen=True, kw_only=True, tag="mark_distortion"):
    """Mark and index of a perpetual, each shifted against the books, which do not move; positions are valued at it."""

    mark_bps: Decimal = ZERO
    index_bps: Decimal = ZERO

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("mark_bps", "index_bps"):
            _check(name, getattr(self, name), above=LOWEST_BPS, largest=LARGEST_BPS)


MarketChange: TypeAlias = (
    FilterChange
    | StatusChange
    | FeeChange
    | BracketChange
    | Redenomination
    | TickerCollision
    | ContractMultiplier
    | BookDistortion
    | MarkDistortion
)


def in_force(change: MarketChange, at: datetime) -> bool:
    """Return whether a change holds at ``at``."""
    until = change.until
    return change.at is not None and change.at <= at and (until is None or at < until)


def boundaries(change: MarketChange) -> Iterator[datetime]:
    """Yield the times at which a change begins and ends."""
    return (at for at in (change.at, change.until) if at is not None)


def ended(change: MarketChange, at: datetime) -> MarketChange | None:
    """Return a change as it stands when it is called off at ``at``; None for one that has not begun yet.

    A redenomination that has begun stays.
    """
    if change.at is None or change.at > at:
        return None
    if isinstance(change, Redenomination) or not in_force(change, at):
        return change
    return replace(change, seconds=(at - change.at).total_seconds())


def _check(
    name: str,
    value: Decimal | None,
    *,
    least: Decimal | None = None,
    above: Decimal | None = None,
    below: Decimal | None = None,
    largest: Decimal = LARGEST_NUMBER,
) -> None:
    """Refuse a number that is no number or outside of its bounds; ``1 / largest`` is the smallest but zero.

    Raises:
        ValueError: names the field and what is allowed.
    """
    if value is None:
        return
    if not value.is_finite():
        raise ValueError(f"{name}: allowed is a number, not {value}")
    if least is not None and value < least:
        raise ValueError(f"{name}: allowed is {least} or more, not {value}")
    if above is not None and value <= above:
        raise ValueError(f"{name}: allowed is more than {above}, not {value}")
    if below is not None and value >= below:
        raise ValueError(f"{name}: allowed is less than {below}, not {value}")
    if value and not 1 / largest <= abs(value) <= largest:
        raise ValueError(f"{name}: allowed is a size of {1 / largest} to {largest:,}, not {value}")
