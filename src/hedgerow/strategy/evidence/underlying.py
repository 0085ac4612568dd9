"""Whether both legs of a pair are one underlying: names and values must agree."""

import re
from decimal import Decimal
from functools import lru_cache
from math import log10
from typing import Final

from hedgerow.domain.instrument import BasisPair, Market
from hedgerow.domain.market import MarketView
from hedgerow.strategy import rules
from hedgerow.strategy.evidence.prices import Prices, index_of, prices_of

__all__ = [
    "ENTRY_BOUND",
    "HELD_BOUND",
    "contract_multiplier",
    "divergence",
    "divergence_of",
    "is_one_price",
    "mismatch",
]

ENTRY_BOUND: Final = 0.02
"""Largest difference of spot and index at which a pair is opened, as a fraction."""
HELD_BOUND: Final = 0.05
"""Largest difference of spot, perpetual and index of a hedge that is adopted or held, as a fraction."""
SHIFT_BOUND: Final = 0.2
"""How near a price ratio must be to a power of ten to be named a contract multiplier."""
_DIGITS: Final = re.compile(r"(10{2,})(?=[A-Za-z])")
_LETTERS: Final = (("1M", 1_000_000), ("k", 1_000))


@lru_cache(maxsize=4096)  # every listed pair is asked for its own at each check, symbol and coin
def contract_multiplier(ticker: str) -> int:
    """Return how many coins one unit of ``ticker`` stands for by its name: 1000PEPE, 1MBABYDOGE, kPEPE; else 1."""
    digits = _DIGITS.match(ticker)
    if digits:
        return int(digits[1])
    for prefix, multiplier in _LETTERS:
        rest = ticker.removeprefix(prefix)
        if rest != ticker and len(rest) > 1 and rest[:2].isalpha() and rest[:2].isupper():
            return multiplier
    return 1


def mismatch(pair: BasisPair, market: MarketView, bound: float = ENTRY_BOUND) -> str | None:
    """Return why the coin of the spot market may not be the perpetual's underlying; None = they agree.

    A spot book without a price is no mismatch: other filters refuse it.
    """
    named = _named_differently(pair)
    if named is not None:
        return named
    index = index_of(pair.symbol, market)
    if index is None:
        return "index price unreadable"
    quote = market.quote(Market.SPOT, pair.symbol)
    spot = quote.mid if quote else None
    if spot is None or rules.agrees(float(spot), float(index), bound):
        return None
    return _apart("index", index, spot, bound)


def divergence(symbol: str, market: MarketView | None) -> str | None:
    """Return how the prices of a hedge's legs have come apart; None while they agree, or cannot be compared."""
    return divergence_of(prices_of(symbol, market, None))


def divergence_of(prices: Prices) -> str | None:
    """Return the same of the prices that a market shows of a pair."""
    if prices.spot is None:
        return None
    spot, index, perp = float(prices.spot), prices.index, prices.perp
    if index is not None and not rules.agrees(float(index), spot, HELD_BOUND):
        return _apart("index", index, prices.spot, HELD_BOUND)
    if perp is not None and not rules.agrees(float(perp), spot, HELD_BOUND):
        return _apart("perpetual", perp, prices.spot, HELD_BOUND)
    return None


def is_one_price(symbol: str, market: MarketView | None) -> bool:
    """Return whether spot, perpetual and index of a hedge can all be read and agree."""
    prices = prices_of(symbol, market, None)
    readable = prices.spot is not None and prices.index is not None and prices.perp is not None
    return readable and divergence_of(prices) is None


def _named_differently(pair: BasisPair) -> str | None:
    by_symbol, by_base = contract_multiplier(pair.symbol), contract_multiplier(pair.base)
    if by_symbol == by_base:
        return None
    return f"{pair.symbol} is named after {by_symbol} coins a unit, {pair.base} after {by_base}"


def _apart(name: str, price: Decimal, spot: Decimal, bound: float) -> str:
    shift = _decimal_shift(float(price / spot))
    if shift:
        many, few = ("perpetual", "spot") if shift > 0 else ("spot", "perpetual")
        text = f"{name} {price.normalize():f} beside spot {spot.normalize():f}"
        return f"{text}: one unit of the {many} is about {10 ** abs(shift)} of the {few}"
    gap = float(price / spot - 1)
    return f"{name} {price.normalize():f} is {gap:+.1%} from spot {spot.normalize():f}, at most {bound:.0%}"


def _decimal_shift(ratio: float) -> int:
    """Return the power of ten that a positive ratio is near; 0 when it is near none, or near one."""
    power = round(log10(ratio))
    return power if abs(ratio / 10.0**power - 1.0) <= SHIFT_BOUND else 0
