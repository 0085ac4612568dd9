"""What an exchange changes about the held pair's market for a while: grids, minimums, fees, brackets, books, marks."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.emulator.market_changes import (
    BookDistortion,
    BracketChange,
    FeeChange,
    FilterChange,
    MarkDistortion,
    MarketChange,
)

__all__ = ["BRIEF", "Alteration", "AlterationKind", "change_of"]

WICK_BPS = Decimal(2000)
WIDE_BPS, CROSSED_BPS = Decimal(500), Decimal(-40)
THIN_SHARE = Decimal("0.02")
MARK_BPS = Decimal(1200)
TAKER = Decimal("0.001")
MINIMUM_FACTOR = Decimal(4)
LARGEST_POSITION = Decimal(100)
STEP_FACTOR = Decimal(10)


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


class Alteration(Struct, frozen=True, kw_only=True, tag="alteration"):
    """One market of the held pair is changed from ``at`` on for ``seconds``."""

    at: datetime
    kind: AlterationKind
    market: Market
    seconds: float


def change_of(alteration: Alteration, pair: BasisPair) -> MarketChange:
    """Return the change of an exchange's market that an alteration of a pair is."""
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
            return _distortion(alteration, symbol)


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
