"""Instruments, books and volumes for history, which carries none of them."""

import gzip
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hedgerow.domain.errors import HistoryError
from hedgerow.domain.instrument import Market
from hedgerow.history.grids import basis_pair, declared_liquidity, declared_volume, load_captures

PRICES = [Decimal(text) for text in ("0.00001234", "0.05464", "0.999", "1", "83.48", "1793.61", "94172.01", "250000")]


def capture(directory: Path, name: str, *symbols: dict[str, Any]) -> Path:
    (directory / "aster").mkdir(exist_ok=True)
    (directory / "aster" / name).write_bytes(gzip.compress(msgspec.json.encode({"symbols": symbols})))
    return directory


def listed(symbol: str, *, tick: str, lot: str, quote: str = "USDT") -> dict[str, Any]:
    return {
        "symbol": symbol,
        "baseAsset": symbol.removesuffix("USDT"),
        "quoteAsset": quote,
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": tick, "minPrice": "1"},
            {"filterType": "LOT_SIZE", "stepSize": lot, "minQty": lot, "maxQty": "1000"},
            {"filterType": "MIN_NOTIONAL", "notional": "7"},
            {"filterType": "PERCENT_PRICE", "multiplierUp": "1.02", "multiplierDown": "0.98"},
        ],
    }


@pytest.mark.parametrize("price", PRICES)
def test_a_derived_grid_suits_the_price(price: Decimal) -> None:
    pair = basis_pair("XUSDT", price, {})
    for instrument in (pair.spot, pair.perp):
        assert Decimal("0.000001") < instrument.tick / price <= Decimal("0.00001")
        assert instrument.min_notional == 5
    assert 1 <= pair.perp.lot * price <= 10
    assert pair.spot.lot * 10 == pair.perp.lot
    assert pair.lot_step == pair.perp.lot


def test_derived_grids_are_written_in_plain_digits() -> None:
    pair = basis_pair("PEPEUSDT", Decimal("0.00001234"), {})
    assert (str(pair.perp.lot), str(pair.spot.lot)) == ("100000", "10000")
    assert "E" not in format(pair.spot.max_quantity) + format(pair.perp.lot)


def test_fees_are_the_base_tier_of_each_market() -> None:
    pair = basis_pair("XUSDT", Decimal(10), {})
    assert (pair.spot.fees.maker, pair.spot.fees.taker) == (Decimal("0.00005"), Decimal("0.0004"))
    assert (pair.perp.fees.maker, pair.perp.fees.taker) == (Decimal("0.0001"), Decimal("0.00035"))


def test_a_capture_gives_the_venues_own_filters(tmp_path: Path) -> None:
    capture(tmp_path, "futures_exchangeInfo_2026-01.json.gz", listed("BTCUSDT", tick="0.10", lot="0.001"))
    pair = basis_pair("BTCUSDT", Decimal(90000), load_captures(tmp_path))
    assert (str(pair.perp.tick), str(pair.perp.lot)) == ("0.1", "0.001")
    assert (pair.perp.min_notional, pair.perp.price_up, pair.perp.price_down) == (
        Decimal(7),
        Decimal("1.02"),
        Decimal("0.98"),
    )
    assert pair.spot.lot == Decimal("0.00001")


def test_a_derived_spot_lot_is_never_coarser_than_a_captured_perpetual_lot(tmp_path: Path) -> None:
    capture(tmp_path, "futures_exchangeInfo_2026-01.json.gz", listed("LTCUSDT", tick="0.01", lot="0.001"))
    pair = basis_pair("LTCUSDT", Decimal(80), load_captures(tmp_path))
    assert pair.spot.lot == pair.perp.lot == Decimal("0.001")


@pytest.mark.parametrize(("tick", "lot"), [("0.0001", "1000"), ("0.01", "1")])
def test_a_capture_of_another_price_level_is_not_used(tmp_path: Path, tick: str, lot: str) -> None:
    capture(tmp_path, "futures_exchangeInfo_2026-01.json.gz", listed("ADAUSDT", tick=tick, lot=lot))
    pair = basis_pair("ADAUSDT", Decimal("0.5"), load_captures(tmp_path))
    assert (pair.perp.tick, pair.perp.lot) == (Decimal("0.000001"), Decimal(10))


def test_the_newest_capture_counts_and_other_quotes_are_left_out(tmp_path: Path) -> None:
    capture(tmp_path, "spot_exchangeInfo_2025-01.json.gz", listed("BTCUSDT", tick="5", lot="0.1"))
    capture(
        tmp_path,
        "spot_exchangeInfo_2026-01.json.gz",
        listed("BTCUSDT", tick="0.01", lot="0.00001"),
        listed("ETHUSDT", tick="0.01", lot="0.0001", quote="USDC"),
    )
    captures = load_captures(tmp_path)
    assert captures[Market.SPOT, "BTCUSDT"].tick == Decimal("0.01")
    assert (Market.SPOT, "ETHUSDT") not in captures


def test_no_captures_is_no_error(tmp_path: Path) -> None:
    assert load_captures(tmp_path) == {}


def test_only_usdt_pairs_have_instruments() -> None:
    for symbol in ("ETHBTC", "USDT", "BTCUSDC"):
        with pytest.raises(HistoryError, match="not quoted in USDT"):
            basis_pair(symbol, Decimal(1), {})


def test_majors_are_tighter_deeper_and_busier_and_every_spot_book_is_thinner_than_its_perpetual() -> None:
    for richer, poorer in (("BTC", "SOL"), ("SOL", "XTZ")):
        for market in Market:
            rich, poor = declared_liquidity(market, richer), declared_liquidity(market, poorer)
            assert rich.half_spread_bps < poor.half_spread_bps
            assert rich.depth_notional > poor.depth_notional
        assert declared_volume(richer) > declared_volume(poorer) > 5_000_000
    for base in ("BTC", "SOL", "XTZ"):
        spot, perp = declared_liquidity(Market.SPOT, base), declared_liquidity(Market.PERP, base)
        assert spot.half_spread_bps > perp.half_spread_bps
        assert spot.depth_notional < perp.depth_notional
