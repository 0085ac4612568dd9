"""Rows of replies under random changes: one changed row changes no other one, and nothing but VenueError is raised."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.aster.schema.account_rows import (
    IncomeRow,
    OrderRow,
    PositionRow,
    TradeRow,
    TransactionRow,
    perp_account_of,
    spot_account_of,
)
from hedgerow.aster.schema.convert import (
    DOCUMENTED_FEES,
    doubts_in,
    fill_of,
    instrument_of,
    order_report,
    perp_wallet_of,
    position_of,
    positions_in,
    predicted_of,
    quote_of,
    spot_balances_of,
)
from hedgerow.aster.schema.market_rows import (
    BookTicker,
    ExchangeInfo,
    FundingInfoRow,
    FundingRateRow,
    PremiumRow,
    SymbolRow,
    TickerRow,
    decode,
    decode_rows,
    from_millis,
    listed_rows,
    read_rows,
)
from hedgerow.domain.errors import VenueError
from hedgerow.domain.instrument import Market
from support.scripted_aster import NOW, futures_symbol, millis, order_row, perp_account, spot_symbol

Values: TypeAlias = Mapping[str, Any]
NAMES = ("AAAUSDT", "BBBUSDT", "CCCUSDT")
SPOT, PERP = Market.SPOT, Market.PERP

AMOUNTS = [
    "",
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "1e-400",
    "0",
    "-0",
    "-1",
    "0E-8",
    "1e30",
    "9" * 60,
    "x",
]
TIMES = [0, -1, millis(NOW), millis(NOW) // 1000, millis(NOW) * 1000, millis(NOW) * 10**6, 2**63, 10**30]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(AMOUNTS),
    st.sampled_from(TIMES),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner)),
    max_leaves=6,
)


def held(symbol: str) -> dict[str, Any]:
    row = {"symbol": symbol, "positionAmt": "-2", "entryPrice": "100", "unrealizedProfit": "-2", "maintMargin": "1"}
    return {**row, "leverage": "1", "isolated": False, "positionSide": "BOTH"}


def account(body: bytes) -> Values:
    found = perp_account_of(body)
    doubts_in(found, multi_assets=False, complete=True)
    return {each.symbol: each.position.quantity for each in positions_in(found)}


def wallet(body: bytes) -> Values:
    found = perp_account_of(body)
    try:
        perp_wallet_of(found)
    except VenueError:
        assert all(row.asset != "USDT" for row in found.assets)
    return {row.asset: row for row in found.assets}


def listing(market: Market) -> Callable[[bytes], Values]:
    def read(body: bytes) -> Values:
        rows = read_rows(decode(body, ExchangeInfo).symbols, SymbolRow).rows
        return {row.symbol: instrument_of(market, row, DOCUMENTED_FEES[market]) for row in rows}

    return read


def asset(name: str) -> dict[str, Any]:
    amounts = {"walletBalance": "5", "crossUnPnl": "0", "availableBalance": "5", "maxWithdrawAmount": "5"}
    return {"asset": name, **amounts}


def risk(symbol: str) -> dict[str, Any]:
    prices = {"entryPrice": "100", "markPrice": "101", "liquidationPrice": "180", "unRealizedProfit": "-2"}
    kind = {"leverage": "1", "marginType": "cross", "positionSide": "BOTH"}
    return {"symbol": symbol, "positionAmt": "-2", **prices, **kind}


def trade(symbol: str) -> dict[str, Any]:
    row = {"symbol": symbol, "id": 1, "orderId": 7, "side": "BUY", "price": "100", "qty": "2", "commission": "0.1"}
    return {**row, "commissionAsset": "USDT", "realizedPnl": "0", "time": millis(NOW), "maker": False}


def fill(row: TradeRow) -> Any:
    try:
        return fill_of(PERP, row, "")
    except VenueError:
        return None


def state(row: OrderRow) -> Any:
    try:
        return order_report(row, row.client_order_id, NOW)
    except VenueError:
        return None


class Schema:
    """One kind of list: a good row by name, how it is wrapped, and how it is read by name."""

    def __init__(
        self, row: Callable[[str], dict[str, Any]], read: Callable[[bytes], Values], wrap: Callable[[list[Any]], Any]
    ) -> None:
        self.row = row
        self.read = read
        self.wrap = wrap


def plain_list(rows: list[Any]) -> Any:
    return rows


def simple(shape: Any, value: Callable[[Any], Any] = lambda row: row) -> Callable[[bytes], Values]:
    return lambda body: {row.symbol: value(row) for row in decode_rows(body, shape)}


SCHEMAS = {
    "account positions": Schema(held, account, lambda rows: {**perp_account(), "positions": rows}),
    "account assets": Schema(asset, wallet, lambda rows: {**perp_account(), "assets": [*rows, asset("USDT")]}),
    "positionRisk": Schema(
        risk, lambda body: {r.symbol: position_of(r) for r in listed_rows(body, PositionRow).rows}, plain_list
    ),
    "spot balances": Schema(
        lambda name: {"asset": name, "free": "2", "locked": "1"},
        lambda body: spot_balances_of(spot_account_of(body)),
        lambda rows: {"updateTime": 1, "balances": rows},
    ),
    "futures listing": Schema(futures_symbol, listing(PERP), lambda rows: {"symbols": rows}),
    "spot listing": Schema(spot_symbol, listing(SPOT), lambda rows: {"symbols": rows}),
    "premiumIndex": Schema(
        lambda name: {
            "symbol": name,
            "markPrice": "5",
            "indexPrice": "5",
            "lastFundingRate": "0.1",
            "nextFundingTime": millis(NOW),
        },
        simple(PremiumRow, lambda row: (row.mark_price, predicted_of(row, 8))),
        plain_list,
    ),
    "bookTicker": Schema(
        lambda name: {"symbol": name, "bidPrice": "5", "bidQty": "5", "askPrice": "6", "askQty": "5"},
        simple(BookTicker, lambda row: quote_of(SPOT, row, NOW).spread_bps),
        plain_list,
    ),
    "fundingInfo": Schema(lambda name: {"symbol": name, "fundingIntervalHours": 8}, simple(FundingInfoRow), plain_list),
    "fundingRate": Schema(
        lambda name: {"symbol": name, "fundingTime": millis(NOW), "fundingRate": "0.1"},
        simple(FundingRateRow, lambda row: (from_millis(row.funding_time), row.funding_rate + 1)),
        plain_list,
    ),
    "ticker": Schema(lambda name: {"symbol": name, "quoteVolume": "5"}, simple(TickerRow), plain_list),
    "userTrades": Schema(trade, simple(TradeRow, fill), plain_list),
    "orders": Schema(lambda name: order_row(symbol=name), simple(OrderRow, state), plain_list),
    "income": Schema(
        lambda name: {
            "symbol": name,
            "incomeType": "FUNDING_FEE",
            "income": "1",
            "asset": "USDT",
            "time": millis(NOW),
            "tranId": 1,
        },
        simple(IncomeRow, lambda row: (from_millis(row.time), row.income + 1)),
        plain_list,
    ),
    "transactionHistory": Schema(
        lambda name: {"tranId": 1, "asset": name, "balanceDelta": "1", "type": "X", "time": millis(NOW)},
        lambda body: {row.asset: from_millis(row.time) for row in decode_rows(body, TransactionRow)},
        plain_list,
    ),
}


def read_or_refused(schema: Schema, body: bytes) -> Values | None:
    """Return what is read, or None for a VenueError, whose text is one line."""
    try:
        return schema.read(body)
    except VenueError as unreadable:
        text = str(unreadable)
    assert "\n" not in text
    assert len(text) < 400
    return None


@pytest.mark.parametrize("name", sorted(SCHEMAS))
@given(data=st.data())
def test_a_changed_row_changes_no_other_row_and_raises_nothing_else(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    rows: list[Any] = [schema.row(symbol) for symbol in NAMES]
    before = schema.read(json.dumps(schema.wrap(rows)).encode())
    assert set(NAMES) <= set(before)
    number = data.draw(st.integers(0, len(rows) - 1))
    row = dict(rows[number])
    kind = data.draw(st.sampled_from(["field", "absent", "row"]))
    field = data.draw(st.sampled_from(sorted(row)))
    if kind == "absent":
        del row[field]
    else:
        row[field] = data.draw(JSON)
    changed: Any = data.draw(JSON) if kind == "row" else row
    wrapped = schema.wrap([*rows[:number], changed, *rows[number + 1 :]])
    after = read_or_refused(schema, json.dumps(wrapped).encode())
    taken = [changed.get("symbol"), changed.get("asset")] if isinstance(changed, dict) else []
    for other in NAMES:
        if after is not None and other != NAMES[number] and other not in taken:
            assert repr(after[other]) == repr(before[other])


@pytest.mark.parametrize("name", sorted(SCHEMAS))
@given(data=st.data())
def test_bytes_that_were_damaged_raise_nothing_but_a_venue_error(name: str, data: st.DataObject) -> None:
    schema = SCHEMAS[name]
    body = bytearray(json.dumps(schema.wrap([schema.row(symbol) for symbol in NAMES])).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    for damaged in (bytes(body), bytes(body[:cut])):
        read_or_refused(schema, damaged)
