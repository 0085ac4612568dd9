"""A market of today's size: hundreds of perpetuals, most without a spot market, some delisted.

Counted on Aster in 2026-09: 602 perpetuals listed, about 448 of them trading, 254 spot pairs. Funding intervals: about
6 % one hour, 1.5 % two, 67 % four, the rest eight. Which symbol is what follows from its number alone, so that any
count has about these shares.
"""

from decimal import Decimal
from enum import StrEnum
from math import floor, log10, sqrt

from msgspec.structs import replace

from hedgerow.domain.instrument import TradingStatus
from hedgerow.emulator.markets.instruments import Character, catalogue

__all__ = ["Universe", "universe"]

PERPETUALS = 602
KNOWN = 20
"""The first pairs are those of the small market: all of them trade on both markets."""
TRADING_SHARE = (448 - KNOWN) / (PERPETUALS - KNOWN)
SPOT_SHARE = (254 - KNOWN) / (448 - KNOWN)
"""Of those that trade."""
ALWAYS = -10_000
INTERVALS = ((0.06, 1), (0.075, 2), (0.745, 4), (1.0, 8))
"""Cumulative share, and hours."""
PENDING_EVERY = 200
"""One in so many is announced and does not trade yet."""
DELISTED_DAYS = 40
"""The longest time before the start at which a delisted perpetual settled for the last time."""
THINNEST = 6.0
"""How many times as wide and as thin as its model a book is at most."""
LEAST_VOLUME, VOLUME_DECADES = 20_000.0, 3.5
LEAST_PRICE, PRICE_DECADES = 0.0002, 6.0


class Universe(StrEnum):
    """Markets that are more than a few pairs."""

    SEPTEMBER_2026 = "2026-09"

    @property
    def perpetuals(self) -> int:
        """How many it lists unless another number is asked for."""
        return PERPETUALS


def universe(count: int = PERPETUALS) -> tuple[Character, ...]:
    """Return so many pairs of the market of 2026-09, the largest first; those beyond the known names are G21, G22, ...

    Raises:
        ValueError: none is asked for.
    """
    made = catalogue(count)
    return (*made[:KNOWN], *(_character(each, number) for number, each in enumerate(made[KNOWN:], start=KNOWN + 1)))


def _character(model: Character, number: int) -> Character:
    volume = LEAST_VOLUME * 10 ** (VOLUME_DECADES * _share(number, 3) ** 2)
    price = LEAST_PRICE * 10 ** (PRICE_DECADES * _share(number, 5))
    lot = Decimal(10) ** floor(-log10(price))
    thinness = min(THINNEST, max(1.0, sqrt(model.volume / 4 / volume)))
    trades = _share(number, 2) < TRADING_SHARE
    pending = trades and number % PENDING_EVERY == 0
    status = TradingStatus.PENDING if pending else TradingStatus.TRADING if trades else TradingStatus.SETTLING
    return replace(
        model,
        price=float(f"{price:.4g}"),
        spot_lot=lot / 10,
        perp_lot=lot,
        volume=volume,
        perp_half_spread_bps=round(model.perp_half_spread_bps * thinness, 1),
        spot_half_spread_bps=round(model.spot_half_spread_bps * thinness, 1),
        depth=model.depth / thinness,
        intervals=((ALWAYS, _interval(number)),),
        status=status,
        has_spot=status is TradingStatus.TRADING and _share(number, 7) < SPOT_SHARE,
        delisted_since_day=None if trades else -1 - int(DELISTED_DAYS * _share(number, 11)),
    )


def _interval(number: int) -> int:
    share = _share(number, 13)
    return next(hours for border, hours in INTERVALS if share < border)


def _share(number: int, prime: int) -> float:
    """Return a number between 0 and 1 that fills the interval evenly as ``number`` rises."""
    return number * sqrt(prime) % 1.0
