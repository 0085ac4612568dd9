"""The ``exchangeInfo`` reply, made from the instruments.

With captured replies, what they say beside the filters is served too, and their other symbols as no longer trading.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from hedgerow.domain.instrument import BasisPair, Instrument, Market, TradingStatus
from hedgerow.domain.money import ONE, ZERO, plain
from hedgerow.emulator.wire.protocol.number_format import decimals_of, to_ms
from hedgerow.emulator.wire.protocol.rate_limits import LimitRules, rate_limit_rows

__all__ = ["Captures", "Profile"]

PERPETUAL_DELIVERY = 4_133_404_800_000
LISTED_AT = 1_757_490_012_427
MAX_PRICE = "1000000"
MARGIN_ASSETS = ("USDT", "USDF", "USDC", "BTC", "ETH", "BNB", "ASTER")
PERP_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
SPOT_TYPES = PERP_TYPES[:-1]
TERMS = ["GTC", "IOC", "GTX", "HIDDEN"]

Row = dict[str, Any]


class Captures(Struct, frozen=True, kw_only=True):
    """Symbol rows and assets of real replies."""

    perp: Mapping[str, Row] = field(default_factory=dict[str, Row])
    spot: Mapping[str, Row] = field(default_factory=dict[str, Row])
    perp_assets: Sequence[Row] = ()
    spot_assets: Sequence[Row] = ()

    def rows(self, market: Market) -> Mapping[str, Row]:
        """Return the captured symbols of one market."""
        return self.spot if market is Market.SPOT else self.perp


class Profile:
    """The listings of one exchange as ``exchangeInfo`` shows them."""

    def __init__(self, pairs: Sequence[BasisPair], captures: Captures | None = None) -> None:
        self._symbols = [pair.symbol for pair in pairs]
        self._bases = [pair.base for pair in pairs]
        self._captures = captures or Captures()

    @property
    def margin_assets(self) -> Sequence[str]:
        """What the perpetual wallet can hold, USDT first."""
        captured = [row["asset"] for row in self._captures.perp_assets]
        return ["USDT", *(asset for asset in captured if asset != "USDT")] if captured else MARGIN_ASSETS

    def market_maximum(self, instrument: Instrument) -> Decimal:
        """Return the largest quantity of one market order."""
        captured = self._captures.rows(instrument.market).get(instrument.symbol, {})
        limits = (f["maxQty"] for f in captured.get("filters", ()) if f["filterType"] == "MARKET_LOT_SIZE")
        return min(instrument.max_quantity, *(Decimal(limit) for limit in limits), instrument.max_quantity)

    def perp_info(
        self, pairs: Sequence[BasisPair], rules: LimitRules, now: datetime, *, take_bound: Decimal, fee: Decimal
    ) -> Row:
        """Return the futures reply."""
        rows = [self._perp_row(pair.perp, number, take_bound, fee) for number, pair in enumerate(pairs, start=1)]
        others = [row for name, row in self._captures.perp.items() if name not in self._symbols]
        assets = self._captures.perp_assets or [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000" if asset == "USDT" else "0"}
            for asset in MARGIN_ASSETS
        ]
        return {
            "timezone": "UTC",
            "serverTime": to_ms(now),
            "futuresType": "U_MARGINED",
            "rateLimits": rate_limit_rows(rules),
            "exchangeFilters": [],
            "assets": list(assets),
            "symbols": [*rows, *({**row, "status": _delisted(row)} for row in others)],
        }

    def spot_info(self, pairs: Sequence[BasisPair], rules: LimitRules, now: datetime) -> Row:
        """Return the spot reply: only what trades."""
        trading = [pair.spot for pair in pairs if pair.spot.status is TradingStatus.TRADING]
        assets = self._captures.spot_assets or [{"asset": asset} for asset in ("USDT", *self._bases)]
        return {
            "timezone": "UTC",
            "serverTime": to_ms(now),
            "rateLimits": rate_limit_rows(rules),
            "exchangeFilters": [],
            "assets": list(assets),
            "symbols": [self._spot_row(instrument) for instrument in trading],
        }

    def _perp_row(self, instrument: Instrument, number: int, take_bound: Decimal, fee: Decimal) -> Row:
        row: Row = {
            "symbol": instrument.symbol,
            "pair": instrument.symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": PERPETUAL_DELIVERY,
            "onboardDate": LISTED_AT,
            "status": instrument.status.value,
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            **_assets_of(instrument),
            "marginAsset": instrument.quote,
            "underlyingType": "COIN",
            "underlyingSubType": [],
            "symbolType": 0,
            "tradingMode": 0,
            "name": instrument.base,
            "channel": "",
            "sequenceNo": number,
            "twapMinNotional": "1000",
            "settlePlan": 0,
            "triggerProtect": "0.0200",
            "createTime": LISTED_AT,
            "orderTypes": PERP_TYPES,
            "timeInForce": TERMS,
            **self._captures.perp.get(instrument.symbol, {}),
        }
        return {
            **row,
            "status": instrument.status.value,
            "liquidationFee": f"{fee:.6f}",
            "marketTakeBound": plain(take_bound),
            "filters": [
                *self._common_filters(instrument),
                {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": 10},
                {"filterType": "MIN_NOTIONAL", "notional": plain(instrument.min_notional)},
                {**_band(instrument), "ltMultiplierUp": "0", "ltMultiplierDown": "0"},
            ],
        }

    def _spot_row(self, instrument: Instrument) -> Row:
        row: Row = {
            **_assets_of(instrument),
            "listingTime": LISTED_AT,
            "baseAssetAddress": "",
            "orderTypes": SPOT_TYPES,
            "timeInForce": TERMS,
            "symbol": instrument.symbol,
            "ocoAllowed": False,
            **self._captures.spot.get(instrument.symbol, {}),
        }
        least, up, down = plain(instrument.min_notional), plain(instrument.price_up), plain(instrument.price_down)
        sides = {
            f"{side}Multiplier{end}": up if end == "Up" else down for side in ("bid", "ask") for end in ("Up", "Down")
        }
        filters: list[Row] = [
            *self._common_filters(instrument),
            {"filterType": "MIN_NOTIONAL", "minNotional": least},
            _band(instrument),
            {"filterType": "PERCENT_PRICE_BY_SIDE", **sides, "avgPriceMins": 5, "multiplierDecimal": "1"},
        ]
        return {**row, "status": instrument.status.value, "filters": filters}

    def _common_filters(self, instrument: Instrument) -> list[Row]:
        lot = {"minQty": plain(instrument.min_quantity), "stepSize": plain(instrument.lot)}
        market_maximum = plain(self.market_maximum(instrument))
        tick = plain(instrument.tick)
        return [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": MAX_PRICE, "tickSize": tick},
            {"filterType": "LOT_SIZE", **lot, "maxQty": plain(instrument.max_quantity)},
            {"filterType": "MARKET_LOT_SIZE", **lot, "maxQty": market_maximum},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        ]


def _assets_of(instrument: Instrument) -> Row:
    return {
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "pricePrecision": decimals_of(instrument.tick),
        "quantityPrecision": decimals_of(instrument.lot),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
    }


def _band(instrument: Instrument) -> Row:
    up = instrument.price_up if instrument.price_up > ZERO else ONE * 100
    return {
        "filterType": "PERCENT_PRICE",
        "multiplierUp": f"{up:.4f}",
        "multiplierDown": f"{instrument.price_down:.4f}",
        "multiplierDecimal": "4",
    }


def _delisted(row: Row) -> str:
    status = str(row.get("status", ""))
    return "SETTLING" if status == "TRADING" else status
