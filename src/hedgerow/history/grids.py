"""Instruments and order books for history that has neither: from captures of the venue, else derived from price.

Derived grids: the tick is the power of ten at or below 1e-5 of the price, the perpetual's lot the power of ten worth
$1 to $10, the spot lot a tenth of it (spot steps are finer, docs/aster-api.md 7). Spreads and depths
are declared constants of three tiers, set from book captures of the venue's perpetuals; its spot books were never
captured and are taken as several times thinner.
"""

import gzip
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from hedgerow.domain.errors import HistoryError
from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market
from hedgerow.domain.money import BPS, ZERO, plain
from hedgerow.ports import Liquidity

__all__ = ["PERP_FEES", "SPOT_FEES", "Captures", "basis_pair", "declared_liquidity", "declared_volume", "load_captures"]

QUOTE = "USDT"
SPOT_FEES = FeeRates(maker=Decimal("0.00005"), taker=Decimal("0.0004"))
"""Spot base tier (docs/aster-api.md 12)."""
PERP_FEES = FeeRates(maker=Decimal("0.0001"), taker=Decimal("0.00035"))
"""Perpetual base tier (docs/aster-api.md 12)."""
FEES = {Market.SPOT: SPOT_FEES, Market.PERP: PERP_FEES}
MIN_NOTIONAL = Decimal(5)
"""Quote units, both markets (docs/aster-api.md 7)."""
DERIVED_MAX_LOTS = 1_000_000
COARSEST_TICK = 10 * BPS
"""A captured tick above this fraction of the price belongs to another price level: the grid is derived instead."""
LARGEST_LOT = Decimal(200)
"""A captured lot worth more quote units than this belongs to another price level."""

Captures = Mapping[tuple[Market, str], Instrument]


class _Tier(Struct, frozen=True, kw_only=True):
    spot: Liquidity
    perp: Liquidity
    volume: Decimal


def _tier(spot: tuple[str, int], perp: tuple[str, int], volume: int) -> _Tier:
    return _Tier(
        spot=Liquidity(half_spread_bps=Decimal(spot[0]), depth_notional=Decimal(spot[1])),
        perp=Liquidity(half_spread_bps=Decimal(perp[0]), depth_notional=Decimal(perp[1])),
        volume=Decimal(volume),
    )


DEEP = _tier(("0.5", 1_000_000), ("0.1", 8_000_000), 1_000_000_000)
MIDDLE = _tier(("1.5", 200_000), ("0.4", 1_200_000), 150_000_000)
THIN = _tier(("3", 40_000), ("1.5", 80_000), 15_000_000)
TIERS = {"BTC": DEEP, "ETH": DEEP, "SOL": MIDDLE, "XRP": MIDDLE, "BNB": MIDDLE, "DOGE": MIDDLE}


class _Filter(Struct, rename="camel"):
    filter_type: str
    tick_size: Decimal = ZERO
    step_size: Decimal = ZERO
    min_qty: Decimal = ZERO
    max_qty: Decimal = ZERO
    notional: Decimal = ZERO
    min_notional: Decimal = ZERO
    multiplier_up: Decimal = ZERO
    multiplier_down: Decimal = ZERO


class _Symbol(Struct, rename="camel"):
    symbol: str
    base_asset: str
    quote_asset: str
    filters: list[_Filter]


class _ExchangeInfo(Struct):
    symbols: list[_Symbol]


def basis_pair(symbol: str, price: Decimal, captures: Captures) -> BasisPair:
    """Return the pair's instruments at a price of ``price`` quote units.

    Raises:
        HistoryError: the symbol is not quoted in USDT.
    """
    base = symbol.removesuffix(QUOTE)
    if base in {symbol, ""}:
        raise HistoryError(f"not quoted in {QUOTE}")
    perp = _fitting(captures, Market.PERP, symbol, price) or _derived(
        Market.PERP, symbol, price, _power_of_ten_below(10 / price)
    )
    spot = _fitting(captures, Market.SPOT, symbol, price) or _derived(
        Market.SPOT, symbol, price, min(_power_of_ten_below(1 / price), perp.lot)
    )
    return BasisPair(spot=spot, perp=perp)


def declared_liquidity(market: Market, base: str) -> Liquidity:
    """Return the declared shape of a coin's book; the same at all times."""
    tier = TIERS.get(base, THIN)
    return tier.spot if market is Market.SPOT else tier.perp


def declared_volume(base: str) -> Decimal:
    """Return the declared 24 h quote volume of a coin's perpetual; the same at all times."""
    return TIERS.get(base, THIN).volume


def load_captures(directory: Path) -> Captures:
    """Return the instruments of the newest captured ``exchangeInfo`` replies below ``directory``, if there are any.

    Raises:
        HistoryError: a capture is there but cannot be read.
    """
    found: dict[tuple[Market, str], Instrument] = {}
    for market, name in ((Market.PERP, "futures"), (Market.SPOT, "spot")):
        files = sorted((directory / "aster").glob(f"{name}_exchangeInfo*.json.gz"))
        for listed in _listed(files[-1]) if files else ():
            instrument = _captured(market, listed)
            if instrument is not None:
                found[market, listed.symbol] = instrument
    return found


def _listed(path: Path) -> list[_Symbol]:
    try:
        return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=_ExchangeInfo).symbols
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise HistoryError(f"{path}: not a readable exchangeInfo capture ({error})") from error


def _captured(market: Market, listed: _Symbol) -> Instrument | None:
    """Return the captured instrument; None where it is not USDT or lacks a grid."""
    filters = {each.filter_type: each for each in listed.filters}
    price, lot, bound = (filters.get(name) for name in ("PRICE_FILTER", "LOT_SIZE", "PERCENT_PRICE"))
    if listed.quote_asset != QUOTE or listed.symbol != listed.base_asset + QUOTE or price is None or lot is None:
        return None
    if min(price.tick_size, lot.step_size, lot.max_qty) <= 0:
        return None
    least = filters.get("MIN_NOTIONAL")
    return Instrument(
        market=market,
        symbol=listed.symbol,
        base=listed.base_asset,
        quote=QUOTE,
        tick=Decimal(plain(price.tick_size)),
        lot=Decimal(plain(lot.step_size)),
        min_quantity=lot.min_qty,
        max_quantity=lot.max_qty,
        min_notional=max(least.notional, least.min_notional) if least else MIN_NOTIONAL,
        fees=FEES[market],
        price_down=bound.multiplier_down if bound else ZERO,
        price_up=bound.multiplier_up if bound else ZERO,
    )


def _fitting(captures: Captures, market: Market, symbol: str, price: Decimal) -> Instrument | None:
    """Return the captured instrument if its grid suits ``price``: a capture is of one day, history of years."""
    captured = captures.get((market, symbol))
    if captured is None or captured.tick > price * COARSEST_TICK or captured.lot * price > LARGEST_LOT:
        return None
    return captured


def _derived(market: Market, symbol: str, price: Decimal, lot: Decimal) -> Instrument:
    return Instrument(
        market=market,
        symbol=symbol,
        base=symbol.removesuffix(QUOTE),
        quote=QUOTE,
        tick=_power_of_ten_below(price * BPS / 10),
        lot=lot,
        min_quantity=lot,
        max_quantity=Decimal(plain(lot * DERIVED_MAX_LOTS)),
        min_notional=MIN_NOTIONAL,
        fees=FEES[market],
    )


def _power_of_ten_below(value: Decimal) -> Decimal:
    """Return the largest power of ten that is not above ``value``, in plain digits."""
    return Decimal(plain(Decimal(1).scaleb(value.adjusted())))
