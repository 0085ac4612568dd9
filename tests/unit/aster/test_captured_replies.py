"""Captured replies of the venue are read: excerpts in this repository, whole ones where HEDGEROW_DATA has them."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hedgerow.aster.schema.account_rows import BalanceRow, OrderRow, perp_account_of
from hedgerow.aster.schema.convert import (
    DOCUMENTED_FEES,
    depth_of,
    doubts_in,
    instrument_of,
    order_report,
    perp_wallet_of,
    positions_in,
    predicted_of,
)
from hedgerow.aster.schema.market_rows import (
    DepthReply,
    ExchangeInfo,
    FundingInfoRow,
    PremiumRow,
    SymbolRow,
    decode,
    decode_rows,
    readable_rows,
)
from hedgerow.domain.events import OrderProgressed
from hedgerow.domain.instrument import Instrument, Market, TradingStatus
from support.real_history import REAL_HISTORY
from support.scripted_aster import NOW

EXCERPTS = Path(__file__).parents[2] / "captures" / "aster"
WHOLE = REAL_HISTORY / "aster"
FOLDERS = [folder for folder in (EXCERPTS, WHOLE) if folder.is_dir()]


@pytest.fixture(params=FOLDERS, ids=lambda folder: "excerpts" if folder == EXCERPTS else "whole")
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def raw(folder: Path, name: str) -> bytes:
    path = next(folder.glob(f"{name}*"))
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def excerpt(folder: Path, name: str, key: str) -> bytes:
    return json.dumps(json.loads(raw(folder, name))[key]).encode()


def symbols(folder: Path, name: str) -> tuple[SymbolRow, ...]:
    info = decode(raw(folder, name), ExchangeInfo)
    assert info.rate_limits
    rows = readable_rows(info.symbols, SymbolRow)
    assert len(rows) == len(info.symbols)
    return rows


def instruments(folder: Path, market: Market, name: str) -> dict[str, Instrument]:
    made = [instrument_of(market, row, DOCUMENTED_FEES[market]) for row in symbols(folder, name)]
    return {instrument.symbol: instrument for instrument in made if instrument}


def test_every_listed_symbol_becomes_an_instrument(folder: Path) -> None:
    perps = instruments(folder, Market.PERP, "futures_exchangeInfo_2026-01")
    spots = instruments(folder, Market.SPOT, "spot_exchangeInfo_2026-01")
    listed, trading = (5, 4) if folder == EXCERPTS else (289, 221)
    assert len(perps) == listed, "all but one that is not open yet and has no tick"
    assert {"BTCUSDT", "ETHUSDT", "BNBUSDT", "ASTERUSDT"} <= perps.keys() & spots.keys()
    assert sum(perp.status is TradingStatus.TRADING for perp in perps.values()) == trading
    assert (perps["BTCUSDT"].tick, perps["BTCUSDT"].lot) == (Decimal("0.1"), Decimal("0.001"))
    assert (spots["ETHUSDT"].tick, spots["ETHUSDT"].lot) == (Decimal("0.01"), Decimal("0.0001"))
    assert (perps["ASTERUSDT"].min_notional, spots["ASTERUSDT"].min_notional) == (Decimal(5), Decimal(5))
    assert str(perps["ASTERUSDT"].price_up) == "1.0500"


def test_premium_rows_and_intervals_without_caps_are_read(folder: Path) -> None:
    name = "aster_premiumIndex_fundingInfo_excerpt"
    premiums = decode_rows(excerpt(folder, name, "GET /fapi/v1/premiumIndex"), PremiumRow)
    hours = {
        row.symbol: row.funding_interval_hours
        for row in decode_rows(excerpt(folder, name, "GET /fapi/v1/fundingInfo"), FundingInfoRow)
    }
    predicted = [predicted_of(row, hours[row.symbol]) for row in premiums]
    assert len(predicted) == len(hours) == 3
    assert all(rate is not None and rate.interval_hours == 8 for rate in predicted)


def test_books_are_read(folder: Path) -> None:
    books: dict[str, Any] = json.loads(raw(folder, "depth_snapshots"))
    for symbol, book in books.items():
        depth = depth_of(Market.PERP, symbol, decode(msgspec.json.encode(book), DepthReply), NOW)
        assert len(depth.bids) == len(book["bids"])
        assert not depth.two_sided or depth.bids[0].price < depth.asks[0].price


def test_an_account_of_every_symbol_is_read(folder: Path) -> None:
    account = perp_account_of(raw(folder, "futures_account_sample"))
    assert not account.unreadable_positions | account.unreadable_assets
    assert len(account.positions) == len(positions_in(account)) > 0
    assert perp_wallet_of(account).balance >= 0
    assert doubts_in(account, multi_assets=False, complete=True) == ()


def test_balances_and_orders_with_numbers_as_text_are_read(folder: Path) -> None:
    rows = decode_rows(excerpt(folder, "aster_replies_subset", "futures_balance_reply"), BalanceRow)
    assert (str(rows[0].balance), str(rows[0].max_withdraw_amount)) == ("1.11341089", "0.81341089")
    for order in json.loads(excerpt(folder, "aster_replies_subset", "spot_orders")):
        row = decode(json.dumps(order["httpResponse"]).encode(), OrderRow)
        event = order_report(row, row.client_order_id, NOW)
        assert isinstance(event, OrderProgressed)
        assert event.filled_quantity == 0
