"""Temporary changes of the held pair's market: filters, fees, brackets, books, mark prices."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.emulator.core.market_changes import (
    BookDistortion,
    BracketChange,
    ContractMultiplier,
    FeeChange,
    FilterChange,
    MarkDistortion,
    MarketChange,
    PositionTreatment,
    Redenomination,
    TickerCollision,
)
from hedgerow.emulator.core.wallets import ROW

__all__ = [
    "ANOTHER_COIN",
    "BRIEF",
    "NEW_UNITS",
    "REDENOMINATED",
    "RELABELLED",
    "Alteration",
    "AlterationKind",
    "change_of",
    "is_divisible",
]

WICK_BPS = Decimal(2000)
WIDE_BPS, CROSSED_BPS = Decimal(500), Decimal(-40)
THIN_SHARE = Decimal("0.02")
MARK_BPS = Decimal(1200)
TAKER = Decimal("0.001")
MINIMUM_FACTOR = Decimal(4)
LARGEST_POSITION = Decimal(100)
STEP_FACTOR = Decimal(10)
PRICIER, CHEAPER = Decimal(6), Decimal(20)
"""What the price of another thing with the same ticker is multiplied or divided by."""


class AlterationKind(StrEnum):
    """What is changed."""

    FINER_TICK = "finer_tick"
    COARSER_TICK = "coarser_tick"
    COARSER_LOT = "coarser_lot"
    HIGHER_MINIMUM = "higher_minimum"
    HIGHER_FEE = "higher_fee"
    SMALLER_BRACKET = "smaller_bracket"
    WICK_DOWN = "wick_down"
    WICK_UP = "wick_up"
    WIDE_BOOK = "wide_book"
    CROSSED_BOOK = "crossed_book"
    THIN_BOOK = "thin_book"
    MARK_UP = "mark_up"
    MARK_DOWN = "mark_down"
    COLLISION_UP = "collision_up"
    COLLISION_DOWN = "collision_down"
    MULTIPLIER = "multiplier"
    REDENOMINATED = "redenominated"
    REDENOMINATED_SETTLED = "redenominated_settled"


BRIEF = frozenset(
    {
        AlterationKind.SMALLER_BRACKET,
        AlterationKind.WICK_DOWN,
        AlterationKind.WICK_UP,
        AlterationKind.WIDE_BOOK,
        AlterationKind.CROSSED_BOOK,
        AlterationKind.THIN_BOOK,
        AlterationKind.MARK_UP,
        AlterationKind.MARK_DOWN,
    }
)
"""Kinds that last for minutes, and keep a bot from trading meanwhile; the others last for hours, and do not."""


REDENOMINATED = (AlterationKind.REDENOMINATED, AlterationKind.REDENOMINATED_SETTLED)
"""Kinds in which one new coin stands for a thousand old ones, from then on for good."""
ANOTHER_COIN = (AlterationKind.COLLISION_UP, AlterationKind.COLLISION_DOWN, AlterationKind.MULTIPLIER)
"""Kinds in which the perpetual has prices of something else for a while; the spot market does not change."""
RELABELLED = (
    *ANOTHER_COIN,
    *REDENOMINATED,
)
"""Kinds in which the perpetual is not, or not one to one, the coin that is traded on spot, or both are in new units."""
NEW_UNITS = Decimal(1000)
MOST_WORTH = Decimal(1)
"""USDT: what the smallest balance of a new coin may be worth. Exchanges redenominate cheap coins; where a position is
ten of the smallest balances, rounding alone makes legs differ."""


class Alteration(Struct, frozen=True, kw_only=True, tag="alteration"):
    """One market of a pair is changed from ``at`` on for ``seconds``."""

    at: datetime
    kind: AlterationKind
    market: Market
    seconds: float
    pair: int | None = None
    """Number of the pair in the market's order; None = the held one."""


def is_divisible(price: Decimal) -> bool:
    """Return whether balances of eight decimals still count a coin of this price once it is redenominated."""
    return price * NEW_UNITS * ROW <= MOST_WORTH


def change_of(alteration: Alteration, pair: BasisPair, price: Decimal) -> MarketChange:
    """Return the change of an exchange's market that an alteration of a pair is; ``price`` is its perpetual's now."""
    symbol, market, seconds = pair.symbol, alteration.market, alteration.seconds
    leg = pair.instrument(market)
    match alteration.kind:
        case AlterationKind.FINER_TICK:
            return FilterChange(symbol=symbol, seconds=seconds, market=market, tick=leg.tick / STEP_FACTOR)
        case AlterationKind.COARSER_TICK:
            return FilterChange(symbol=symbol, seconds=seconds, market=market, tick=leg.tick * STEP_FACTOR)
        case AlterationKind.COARSER_LOT:
            lot = leg.lot * STEP_FACTOR
            return FilterChange(symbol=symbol, seconds=seconds, market=market, lot=lot, min_quantity=lot)
        case AlterationKind.HIGHER_MINIMUM:
            least = leg.min_notional * MINIMUM_FACTOR
            return FilterChange(symbol=symbol, seconds=seconds, market=market, min_notional=least)
        case AlterationKind.HIGHER_FEE:
            return FeeChange(symbol=symbol, seconds=seconds, market=market, taker=TAKER)
        case AlterationKind.SMALLER_BRACKET:
            return BracketChange(symbol=symbol, seconds=seconds, max_notional=LARGEST_POSITION)
        case _:
            return _relabelled(alteration, symbol, price) or _distortion(alteration, symbol)


def _relabelled(alteration: Alteration, symbol: str, price: Decimal) -> MarketChange | None:
    seconds = alteration.seconds
    match alteration.kind:
        case AlterationKind.COLLISION_UP:
            return TickerCollision(symbol=symbol, seconds=seconds, price=price * PRICIER)
        case AlterationKind.COLLISION_DOWN:
            return TickerCollision(symbol=symbol, seconds=seconds, price=price / CHEAPER)
        case AlterationKind.MULTIPLIER:
            return ContractMultiplier(symbol=symbol, seconds=seconds)
        case AlterationKind.REDENOMINATED:
            return Redenomination(symbol=symbol, factor=NEW_UNITS)
        case AlterationKind.REDENOMINATED_SETTLED:
            return Redenomination(symbol=symbol, factor=NEW_UNITS, positions=PositionTreatment.SETTLED)
        case _:
            return None


def _distortion(alteration: Alteration, symbol: str) -> MarketChange:
    market, seconds = alteration.market, alteration.seconds
    match alteration.kind:
        case AlterationKind.WICK_DOWN:
            return BookDistortion(symbol=symbol, seconds=seconds, market=market, shift_bps=-WICK_BPS)
        case AlterationKind.WICK_UP:
            return BookDistortion(symbol=symbol, seconds=seconds, market=market, shift_bps=WICK_BPS)
        case AlterationKind.WIDE_BOOK:
            return BookDistortion(symbol=symbol, seconds=seconds, market=market, spread_bps=WIDE_BPS)
        case AlterationKind.CROSSED_BOOK:
            return BookDistortion(symbol=symbol, seconds=seconds, market=market, spread_bps=CROSSED_BPS)
        case AlterationKind.THIN_BOOK:
            return BookDistortion(symbol=symbol, seconds=seconds, market=market, depth_share=THIN_SHARE)
        case AlterationKind.MARK_UP:
            return MarkDistortion(symbol=symbol, seconds=seconds, mark_bps=MARK_BPS)
        case _:
            return MarkDistortion(symbol=symbol, seconds=seconds, mark_bps=-MARK_BPS)
