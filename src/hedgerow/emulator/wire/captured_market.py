"""Captured replies of the venue: symbol rows, and their grids applied to market data."""

import gzip
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.instrument import BasisPair, Instrument, Market
from hedgerow.emulator.core.order_book import BookGapsProxy
from hedgerow.emulator.wire.protocol.exchange_info import Captures
from hedgerow.ports import MarketData

__all__ = ["CapturedMarketData", "has_captures", "load_captures"]

PATTERNS = {Market.PERP: "futures_exchangeInfo*", Market.SPOT: "spot_exchangeInfo*"}


def has_captures(directory: Path) -> bool:
    """Return whether a directory, or its folder ``aster``, holds captured ``exchangeInfo`` replies."""
    return any(_newest(directory, market) is not None for market in Market)


def load_captures(directory: Path) -> Captures:
    """Read the newest captured ``exchangeInfo`` replies of both markets; a market without one is left empty.

    Raises:
        ConfigError: a file cannot be read.
    """
    perp, spot = (_read(directory, market) for market in (Market.PERP, Market.SPOT))
    return Captures(
        perp={row["symbol"]: row for row in perp.get("symbols", ())},
        spot={row["symbol"]: row for row in spot.get("symbols", ())},
        perp_assets=perp.get("assets", ()),
        spot_assets=spot.get("assets", ()),
    )


class CapturedMarketData(BookGapsProxy):
    """A tape whose instruments have the captured grids; everything else is the tape's own."""

    def __init__(self, market_data: MarketData, captures: Captures) -> None:
        super().__init__(market_data)
        self._pairs = tuple(_with_grids(pair, captures) for pair in market_data.pairs)

    @property
    def pairs(self) -> Sequence[BasisPair]:
        """The tape's pairs with captured grids where there are any."""
        return self._pairs


def _with_grids(pair: BasisPair, captures: Captures) -> BasisPair:
    spot, perp = (
        _gridded(instrument, captures.rows(instrument.market).get(pair.symbol)) for instrument in (pair.spot, pair.perp)
    )
    return BasisPair(spot=spot, perp=perp)


def _gridded(instrument: Instrument, row: Mapping[str, Any] | None) -> Instrument:
    if row is None:
        return instrument
    filters = {each["filterType"]: each for each in row["filters"]}
    lot, band, least = filters["LOT_SIZE"], filters["PERCENT_PRICE"], filters["MIN_NOTIONAL"]
    return replace(
        instrument,
        tick=Decimal(filters["PRICE_FILTER"]["tickSize"]),
        lot=Decimal(lot["stepSize"]),
        min_quantity=Decimal(lot["minQty"]),
        max_quantity=Decimal(lot["maxQty"]),
        min_notional=Decimal(least.get("notional", least.get("minNotional"))),
        price_up=Decimal(band["multiplierUp"]),
        price_down=Decimal(band["multiplierDown"]),
    )


def _newest(directory: Path, market: Market) -> Path | None:
    found = [path for folder in (directory, directory / "aster") for path in folder.glob(PATTERNS[market])]
    return max(found, key=lambda path: path.name, default=None)


def _read(directory: Path, market: Market) -> dict[str, Any]:
    path = _newest(directory, market)
    if path is None:
        return {}
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        return msgspec.json.decode(text, type=dict[str, Any])
    except (OSError, EOFError, ValueError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{path} cannot be read as a captured exchangeInfo: {error}") from error
