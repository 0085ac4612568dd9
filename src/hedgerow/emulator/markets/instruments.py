"""Pairs of the generated market: names, grids and characters.

Names are those listed on both markets in January 2026 (docs/aster-api.md 5.1); lots of BTC, ETH, BNB and ASTER
are like the captured ones (section 7); ticks follow from the price: about a basis point or less on the perpetual, a
tenth of it on spot. Spot lots are finer than the perpetual's. Fees: section 12. Spreads and depths: STATS 6.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import floor, log10
from typing import TypeAlias

from msgspec import Struct

from hedgerow.domain.instrument import BasisPair, FeeRates, Instrument, Market, TradingStatus
from hedgerow.ports import Liquidity

__all__ = ["Character", "books_of", "catalogue", "pair_of"]

PERP_FEES = FeeRates(maker=Decimal("0.0001"), taker=Decimal("0.00035"))
SPOT_FEES = FeeRates(maker=Decimal("0.00005"), taker=Decimal("0.0004"))
MIN_NOTIONAL = Decimal(5)
MAX_QUANTITY_NOTIONAL = 50_000_000


class Character(Struct, frozen=True, kw_only=True):
    """What makes one pair of the generated market differ from another."""

    base: str
    price: float
    spot_lot: Decimal
    perp_lot: Decimal
    volume: float
    """Typical 24 h quote volume of the perpetual."""
    perp_half_spread_bps: float
    spot_half_spread_bps: float
    depth: float
    """Quote units within 10 bp of the perpetual's touch, per side; spot shows half of it."""
    beta: float
    """Share of the market's return."""
    volatility: float
    """Annual, of the pair's own part."""
    basis_noise_bps: float
    intervals: tuple[tuple[int, int], ...] = ((-10_000, 8),)
    """(day from the start, hours): the funding interval from that day on."""
    one_sided: bool = False
    """Whether its spot book loses its offers for an hour now and then."""
    status: TradingStatus = TradingStatus.TRADING
    """Of the perpetual."""
    has_spot: bool = True
    """Whether its coin is traded on spot; a spot market that is listed as closed from the beginning never was."""
    delisted_since_day: int | None = None
    """Day from the start since which it has neither prices nor settlements; None = it is still there."""

    @property
    def symbol(self) -> str:
        """The symbol of both markets."""
        return f"{self.base}USDT"


Intervals: TypeAlias = tuple[tuple[int, int], ...]
Row: TypeAlias = tuple[str, float, str, str, float, float, float, float, float, float, float, Intervals]

_ALWAYS = -10_000
_H8, _H4, _H1 = ((_ALWAYS, 8),), ((_ALWAYS, 4),), ((_ALWAYS, 1),)
_ROWS: Sequence[Row] = (
    # base, price, spot lot, perp lot, volume M, half spreads perp and spot, depth k, beta, volatility, noise, intervals
    ("BTC", 95_000, "0.00001", "0.001", 2_400, 0.1, 0.2, 12_000, 1.0, 0.12, 0.8, _H8),
    ("ETH", 3_300, "0.0001", "0.001", 1_300, 0.15, 0.3, 8_000, 1.25, 0.30, 1.0, _H8),
    ("BNB", 880, "0.001", "0.01", 160, 0.6, 1.0, 600, 0.9, 0.35, 1.2, _H8),
    ("ASTER", 1.05, "0.01", "0.1", 310, 0.8, 1.5, 450, 1.1, 0.80, 2.0, _H4),
    ("FORM", 0.42, "0.1", "1", 24, 2.5, 4.0, 90, 1.2, 0.90, 3.0, ((_ALWAYS, 8), (5, 4))),
    ("GIGGLE", 74.0, "0.001", "0.01", 38, 2.0, 3.5, 120, 1.3, 1.10, 3.5, _H4),
    ("BIO", 0.061, "1", "10", 17, 3.0, 4.5, 80, 1.3, 1.00, 3.5, _H8),
    ("AT", 0.19, "0.1", "1", 12, 3.5, 5.0, 70, 1.2, 1.10, 4.0, _H4),
    ("AVL", 0.11, "0.1", "1", 8.5, 3.5, 5.5, 60, 1.2, 1.00, 4.0, _H8),
    ("B2", 0.66, "0.01", "0.1", 9.2, 4.0, 11.0, 60, 1.1, 0.95, 4.5, _H8),
    ("BREV", 0.35, "0.1", "1", 21, 3.0, 4.5, 85, 1.2, 1.20, 4.0, _H4),
    ("CYS", 0.28, "0.1", "1", 6.4, 4.5, 14.0, 50, 1.1, 1.05, 5.0, _H8),
    ("DEXE", 5.4, "0.01", "0.1", 7.8, 3.5, 5.0, 65, 0.9, 0.80, 3.5, _H8),
    ("GUA", 0.13, "0.1", "1", 4.2, 4.5, 6.0, 45, 1.1, 1.10, 5.0, _H8),
    ("HEMI", 0.016, "1", "10", 11, 4.0, 5.5, 60, 1.2, 1.15, 4.5, _H4),
    ("SENTIS", 0.053, "1", "10", 6.9, 4.0, 6.0, 55, 1.2, 1.10, 4.5, _H8),
    ("SKYAI", 0.044, "1", "10", 28, 3.0, 4.5, 90, 1.3, 1.30, 4.0, ((_ALWAYS, 4), (9, 1))),
    ("SOON", 0.31, "0.1", "1", 14, 3.0, 4.5, 75, 1.2, 1.10, 3.5, _H4),
    ("TAG", 0.00052, "10", "100", 3.4, 5.0, 6.5, 40, 1.1, 1.00, 5.0, _H8),
    ("NB", 0.0071, "1", "10", 2.1, 5.0, 6.5, 40, 1.0, 1.00, 5.0, _H1),
)
ONE_SIDED = "HEMI"


def catalogue(count: int) -> tuple[Character, ...]:
    """Return the first ``count`` pairs; beyond the known names they are called G21, G22, ... and resemble FORM."""
    if count < 1:
        raise ValueError(f"a market has at least one pair, not {count}")
    rows = [*_ROWS[:count]]
    rows += [(f"G{number}", *_ROWS[4][1:-1], _H8) for number in range(len(rows) + 1, count + 1)]
    return tuple(_character(row) for row in rows)


def pair_of(character: Character) -> BasisPair:
    """Return the pair's instruments."""
    perp_tick = Decimal(10) ** (floor(log10(character.price)) - 4)
    largest = Decimal(10) ** floor(log10(MAX_QUANTITY_NOTIONAL / character.price))

    def instrument(market: Market, tick: Decimal, lot: Decimal, fees: FeeRates, band: tuple[str, str]) -> Instrument:
        alone = market is Market.SPOT and not character.has_spot
        return Instrument(
            market=market,
            status=TradingStatus.CLOSED if alone else character.status,
            symbol=character.symbol,
            base=character.base,
            quote="USDT",
            tick=tick,
            lot=lot,
            min_quantity=lot,
            max_quantity=max(largest, lot),
            min_notional=MIN_NOTIONAL,
            fees=fees,
            price_down=Decimal(band[0]),
            price_up=Decimal(band[1]),
        )

    return BasisPair(
        spot=instrument(Market.SPOT, perp_tick / 10, character.spot_lot, SPOT_FEES, ("0.2", "5")),
        perp=instrument(Market.PERP, perp_tick, character.perp_lot, PERP_FEES, ("0.95", "1.05")),
    )


def _character(row: Row) -> Character:
    base, price, spot_lot, perp_lot, volume, perp_spread, spot_spread, depth, beta, volatility, noise, intervals = row
    return Character(
        base=base,
        price=price,
        spot_lot=Decimal(spot_lot),
        perp_lot=Decimal(perp_lot),
        volume=volume * 1e6,
        perp_half_spread_bps=perp_spread,
        spot_half_spread_bps=spot_spread,
        depth=depth * 1e3,
        beta=beta,
        volatility=volatility,
        basis_noise_bps=noise,
        intervals=intervals,
        one_sided=base == ONE_SIDED,
    )


def books_of(character: Character) -> dict[Market, Liquidity]:
    """Return the books of both markets of a pair."""
    return {
        Market.PERP: _book(character.perp_half_spread_bps, character.depth),
        Market.SPOT: _book(character.spot_half_spread_bps, character.depth / 2),
    }


def _book(half_spread_bps: float, depth: float) -> Liquidity:
    return Liquidity(half_spread_bps=Decimal(str(half_spread_bps)), depth_notional=Decimal(int(depth)))
