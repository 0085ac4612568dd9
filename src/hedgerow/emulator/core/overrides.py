"""Applies market changes: instruments, brackets, prices and the shape of order books."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from math import log10
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.instrument import BasisPair, Instrument, Market, Side
from hedgerow.domain.money import BPS, ONE
from hedgerow.emulator.core.market_changes import (
    BookDistortion,
    Bracket,
    BracketChange,
    ContractMultiplier,
    FeeChange,
    FilterChange,
    MarkDistortion,
    MarketChange,
    Redenomination,
    StatusChange,
    TickerCollision,
    in_force,
)
from hedgerow.emulator.core.wallets import to_row
from hedgerow.ports import Liquidity, MarketData, MarketPrices

__all__ = [
    "bracket_under",
    "index_of",
    "liquidity_under",
    "pair_under",
    "prices_under",
    "shift_under",
    "side_missing_under",
]

BRACKET = ("max_leverage", "max_notional", "maintenance_rate", "tiers")
FILTERS = ("tick", "lot", "min_quantity", "max_quantity", "min_notional", "price_down", "price_up")
QUANTITIES = ("lot", "min_quantity", "max_quantity")
Value = TypeVar("Value", bound=Struct)


def index_of(prices: MarketPrices) -> Decimal:
    """Return the index price: the spot price of the same coin, unless the tape has one of its own."""
    return prices.spot if prices.index is None else prices.index


def pair_under(pair: BasisPair, changes: Iterable[MarketChange], at: datetime, market_data: MarketData) -> BasisPair:
    """Return a pair as it is listed at ``at``."""
    spot, perp = pair.spot, pair.perp
    for change in changes:
        if in_force(change, at):
            spot, perp = _changed(spot, change, market_data), _changed(perp, change, market_data)
    return BasisPair(spot=spot, perp=perp)


def bracket_under(changes: Iterable[MarketChange], at: datetime) -> Bracket | None:
    """Return a symbol's bracket at ``at``; None = the venue's common one."""
    bracket: Bracket | None = None
    for change in changes:
        if isinstance(change, BracketChange) and in_force(change, at):
            bracket = _given(bracket or Bracket(), change, BRACKET)
    return bracket


def prices_under(
    prices: MarketPrices, changes: Iterable[MarketChange], at: datetime, market_data: MarketData
) -> MarketPrices:
    """Return the prices of both markets, mark and index at ``at``; a distorted book does not move them."""
    for change in changes:
        if in_force(change, at):
            prices = _repriced(prices, change, at, market_data)
    return prices


def shift_under(changes: Iterable[MarketChange], market: Market, at: datetime) -> Decimal:
    """Return the factor by which the middle of one book is off."""
    factor = ONE
    for distortion in _distortions(changes, market, at):
        factor *= ONE + distortion.shift_bps * BPS
    return factor


def liquidity_under(liquidity: Liquidity, changes: Iterable[MarketChange], market: Market, at: datetime) -> Liquidity:
    """Return the shape of one book."""
    half, depth = liquidity.half_spread_bps, liquidity.depth_notional
    for distortion in _distortions(changes, market, at):
        half = half if distortion.spread_bps is None else distortion.spread_bps / 2
        depth *= distortion.depth_share
    return Liquidity(half_spread_bps=half, depth_notional=depth)


def side_missing_under(changes: Iterable[MarketChange], market: Market, side: Side, at: datetime) -> bool:
    """Return whether one side of a book is empty."""
    return any(distortion.missing is side for distortion in _distortions(changes, market, at))


def _distortions(changes: Iterable[MarketChange], market: Market, at: datetime) -> Iterator[BookDistortion]:
    for change in changes:
        if isinstance(change, BookDistortion) and change.market in {None, market} and in_force(change, at):
            yield change


def _changed(instrument: Instrument, change: MarketChange, market_data: MarketData) -> Instrument:
    """Return one instrument under one change."""
    match change:
        case FilterChange() if change.market in {None, instrument.market}:
            return _given(instrument, change, FILTERS)
        case StatusChange() if change.market in {None, instrument.market}:
            return replace(instrument, status=change.status)
        case FeeChange() if change.market in {None, instrument.market}:
            return replace(instrument, fees=_given(instrument.fees, change, ("maker", "taker")))
        case Redenomination():
            return _scaled(instrument, change.factor)
        case TickerCollision() if instrument.market is Market.PERP:
            before = None if change.at is None else market_data.prices(change.symbol, change.at)
            return instrument if before is None else _scaled(instrument, change.price / before.perp)
        case ContractMultiplier() if instrument.market is Market.PERP:
            return _scaled(instrument, change.multiplier)
        case _:
            return instrument


def _scaled(instrument: Instrument, factor: Decimal) -> Instrument:
    """Return an instrument whose prices are about ``factor`` times what they were, on grids that fit them."""
    power = Decimal(10) ** round(log10(factor))
    quantities = {name: getattr(instrument, name) / power for name in QUANTITIES}
    return replace(instrument, tick=instrument.tick * power, **quantities)


def _given(value: Value, change: MarketChange, names: Iterable[str]) -> Value:
    """Return a struct with those fields of a change that it gives."""
    given = {name: getattr(change, name) for name in names if getattr(change, name) is not None}
    return replace(value, **given)


def _repriced(prices: MarketPrices, change: MarketChange, at: datetime, market_data: MarketData) -> MarketPrices:
    index = index_of(prices)
    match change:
        case Redenomination():
            factor = change.factor
            return MarketPrices(
                spot=prices.spot * factor, perp=prices.perp * factor, mark=prices.mark * factor, index=index * factor
            )
        case ContractMultiplier():
            factor = change.multiplier
            return replace(prices, perp=prices.perp * factor, mark=prices.mark * factor, index=index * factor)
        case TickerCollision():
            return _collided(prices, change, at, market_data)
        case MarkDistortion():
            mark = prices.mark * (ONE + change.mark_bps * BPS)
            return replace(prices, mark=mark, index=index * (ONE + change.index_bps * BPS))
        case _:
            return prices


def _collided(prices: MarketPrices, change: TickerCollision, at: datetime, market_data: MarketData) -> MarketPrices:
    """Return the prices with those of another underlying in the perpetual."""
    perp = mark = index = change.price
    if change.underlying is not None and change.at is not None:
        first, now = market_data.prices(change.underlying, change.at), market_data.prices(change.underlying, at)
        if first is not None and now is not None:
            perp, mark, index = (change.price * price / first.spot for price in (now.perp, now.mark, index_of(now)))
    return replace(prices, perp=to_row(perp), mark=to_row(mark), index=to_row(index))
