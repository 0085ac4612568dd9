"""A row or field that is absent or senseless is unknown: never zero, flat or a default, and only for its symbol."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from hedgerow.aster.schema.account_rows import OrderRow
from hedgerow.aster.schema.market_rows import decode
from hedgerow.domain.commands import PlaceOrder
from hedgerow.domain.errors import OutcomeUnknown, VenueError
from hedgerow.domain.instrument import Market, Side
from hedgerow.domain.order import OrderRequest
from hedgerow.ports import HttpResponse
from support.account_harness import AccountHarness
from support.scripted_aster import (
    HTML_500,
    NOW,
    SYMBOL,
    futures_symbol,
    millis,
    order_row,
    perp_account,
    spot_symbol,
)

SPOT, PERP = Market.SPOT, Market.PERP
ACCOUNT, SPOT_ACCOUNT, POSITIONS = (
    "GET /fapi/v3/accountWithJoinMargin",
    "GET /api/v3/account",
    "GET /fapi/v3/positionRisk",
)
HELD = {"positionAmt": "-2", "entryPrice": "100", "unrealizedProfit": "-2", "maintMargin": "1", "leverage": "1"}
OTHER = {"symbol": "BBBUSDT"}
SENSELESS: list[Any] = [None, "", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", {}, [], "x"]


@pytest.fixture
def harness() -> AccountHarness:
    return AccountHarness()


def row_risk(**changes: Any) -> dict[str, Any]:
    row = {
        "symbol": SYMBOL,
        "positionAmt": "-2",
        "entryPrice": "100",
        "markPrice": "101",
        "unRealizedProfit": "-2",
        "liquidationPrice": "180",
        "leverage": "1",
        "marginType": "cross",
        "positionSide": "BOTH",
    }
    return {**row, **changes}


def without(row: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != field}


def both(**changes: Any) -> dict[str, Any]:
    return perp_account({**HELD, **changes}, OTHER, totalMaintMargin="1")


# --- positions -------------------------------------------------------------------------------------------------------

FIELDS = [
    "positionAmt",
    "entryPrice",
    "unrealizedProfit",
    "maintMargin",
    "leverage",
    "isolated",
    "positionSide",
]


@pytest.mark.parametrize("field", FIELDS)
def test_a_position_without_a_field_is_unreadable_and_no_other_is(harness: AccountHarness, field: str) -> None:
    whole = both()
    harness.aster.on(ACCOUNT, {**whole, "positions": [without(whole["positions"][0], field), whole["positions"][1]]})
    view = harness.run(harness.venue.account())
    assert view.unreadable_positions == {SYMBOL}
    assert set(view.positions) == {"BBBUSDT"}


@pytest.mark.parametrize("value", SENSELESS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_position_with_a_senseless_field_is_unreadable(harness: AccountHarness, field: str, value: Any) -> None:
    harness.aster.on(ACCOUNT, both(**{field: value}))
    view = harness.run(harness.venue.account())
    assert view.unreadable_positions == {SYMBOL}
    assert set(view.positions) == {"BBBUSDT"}


@pytest.mark.parametrize(
    "changes",
    [{"entryPrice": "0"}, {"entryPrice": "-1"}, {"leverage": "0"}, {"positionSide": "?"}, {"maintMargin": "-1"}],
)
def test_a_position_that_cannot_be_is_unreadable(harness: AccountHarness, changes: dict[str, Any]) -> None:
    harness.aster.on(ACCOUNT, both(**changes))
    view = harness.run(harness.venue.account())
    assert (set(view.unreadable_positions), set(view.positions)) == ({SYMBOL}, {"BBBUSDT"})


def test_a_leverage_that_is_left_out_of_every_row_is_not_0x(harness: AccountHarness) -> None:
    whole = both()
    harness.aster.on(ACCOUNT, {**whole, "positions": [without(row, "leverage") for row in whole["positions"]]})
    view = harness.run(harness.venue.account())
    assert view.unreadable_positions == {SYMBOL, "BBBUSDT"}
    assert view.positions == {}


def test_a_position_that_is_left_out_is_unreadable_and_not_flat(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, both(), perp_account(OTHER, totalMaintMargin="1"), both())
    assert harness.run(harness.venue.account()).unreadable_positions == frozenset()
    view = harness.run(harness.venue.account())
    assert view.unreadable_positions == {SYMBOL}
    assert SYMBOL not in view.positions
    assert view.doubts == (), "what is known to be hidden is no contradiction"
    again = harness.run(harness.venue.account())
    assert not again.unreadable_positions
    assert not again.doubts
    assert again.short(SYMBOL) == 2


def test_a_position_that_is_left_out_of_the_first_reply_is_a_contradiction(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, perp_account(OTHER, totalMaintMargin="18.75"))
    assert harness.run(harness.venue.account()).doubts == (
        "the account's maintenance margin is 18.75, and its positions account for 0",
    )


# --- rows that contradict one another --------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", ["-1", "-4", "0", "2"])
def test_a_position_that_a_second_row_contradicts_is_unreadable(harness: AccountHarness, amount: str) -> None:
    again = {**HELD, "positionAmt": amount}
    harness.aster.on(ACCOUNT, perp_account(HELD, OTHER, again, totalMaintMargin="1"))
    view = harness.run(harness.venue.account())
    assert view.unreadable_positions == {SYMBOL}
    assert set(view.positions) == {"BBBUSDT"}
    harness.aster.on(POSITIONS, [row_risk(), row_risk(positionAmt=amount)])
    with pytest.raises(VenueError, match="without a readable position row"):
        harness.run(harness.venue.position(SYMBOL))


def test_a_row_that_is_repeated_counts_once(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, perp_account(HELD, HELD, OTHER, totalMaintMargin="1"))
    coins = {"asset": "AAA", "free": "2", "locked": "0"}
    usdt = {"asset": "USDT", "free": "900", "locked": "1"}
    harness.aster.on(SPOT_ACCOUNT, {"balances": [coins, usdt, {**coins, "free": "2.0"}]})
    view = harness.run(harness.venue.account())
    assert view.short(SYMBOL) == view.coin("AAA").total == Decimal(2)
    assert not view.unreadable_positions | view.unreadable_balances
    assert view.doubts == ()


def test_both_sides_of_hedge_mode_are_no_contradiction(harness: AccountHarness) -> None:
    sides = [{**HELD, "positionSide": "SHORT"}, {**HELD, "positionSide": "LONG", "positionAmt": "0"}]
    harness.aster.on(POSITIONS, [row_risk(positionSide="SHORT"), row_risk(positionSide="LONG", positionAmt="0")])
    harness.aster.on(ACCOUNT, perp_account(*sides, totalMaintMargin="2"))
    view = harness.run(harness.venue.account())
    assert view.unreadable_positions == frozenset()
    assert not view.one_way


@pytest.mark.parametrize("free", ["1", "0", "3"])
def test_a_balance_that_a_second_row_contradicts_is_unreadable(harness: AccountHarness, free: str) -> None:
    coins = {"asset": "AAA", "free": "2", "locked": "0"}
    usdt = {"asset": "USDT", "free": "900", "locked": "1"}
    harness.aster.on(SPOT_ACCOUNT, {"balances": [coins, usdt, {**coins, "free": free}]})
    view = harness.run(harness.venue.account())
    assert view.unreadable_balances == {"AAA"}
    assert "AAA" not in view.spot
    harness.aster.on(SPOT_ACCOUNT, {"balances": [coins, usdt, {**usdt, "free": free}]})
    with pytest.raises(VenueError, match="USDT of the spot wallet cannot be read"):
        harness.run(harness.venue.account())


def test_two_rows_of_the_perpetual_wallets_usdt_are_no_balance(harness: AccountHarness) -> None:
    account = perp_account(OTHER)
    (usdt,) = (row for row in account["assets"] if row["asset"] == "USDT")
    harness.aster.on(ACCOUNT, {**account, "assets": [*account["assets"], {**usdt, "walletBalance": "3"}]})
    with pytest.raises(VenueError, match="row of USDT that cannot be read"):
        harness.run(harness.venue.account())


@pytest.mark.parametrize("market", [SPOT, PERP])
@pytest.mark.parametrize("changes", [{"status": "BREAK"}, {"filters": spot_symbol()["filters"][:3]}])
def test_a_listed_symbol_that_a_second_row_contradicts_is_neither_closed_nor_traded(
    harness: AccountHarness, market: Market, changes: dict[str, Any]
) -> None:
    before = harness.run(harness.venue.market(1)).pair(SYMBOL)
    make = futures_symbol if market is PERP else spot_symbol
    route = f"GET /{'fapi' if market is PERP else 'api'}/v3/exchangeInfo"
    harness.aster.on(route, {"symbols": [make(), make(**changes), make("BBBUSDT")]})
    harness.clock.advance_time(601)
    assert harness.run(harness.venue.market(1)).pair(SYMBOL) == before
    with pytest.raises(VenueError, match="no row of it that can be read"):
        harness.run(harness.venue.pair(SYMBOL, fresh=True))


def test_prices_that_a_second_row_contradicts_are_none(harness: AccountHarness) -> None:
    ticker = {"bidPrice": "99.99", "bidQty": "5", "askPrice": "100.01", "askQty": "6"}
    rows = [{"symbol": SYMBOL, **ticker}, {"symbol": "BBBUSDT", **ticker}]
    harness.aster.on("GET /api/v3/ticker/bookTicker", [*rows, {**rows[0], "askPrice": "109"}])
    marks = [{"symbol": symbol, "markPrice": "100", "indexPrice": "100"} for symbol in (SYMBOL, "BBBUSDT")]
    harness.aster.on("GET /fapi/v3/premiumIndex", [*marks, {**marks[0], "markPrice": "50"}])
    volume = {"symbol": SYMBOL, "quoteVolume": "1"}
    harness.aster.on("GET /fapi/v3/ticker/24hr", [volume, {**volume, "quoteVolume": "9"}])
    view = harness.run(harness.venue.market(1))
    assert (view.quote(SPOT, SYMBOL), view.mark(SYMBOL), view.volume(SYMBOL)) == (None, None, None)
    assert view.quote(SPOT, "BBBUSDT") is not None
    assert view.mark("BBBUSDT") is not None


# --- lists that are empty --------------------------------------------------------------------------------------------


def test_an_empty_position_list_is_unreadable(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, both(), perp_account())
    harness.run(harness.venue.account())
    with pytest.raises(VenueError, match="lists no position, and before it listed 2"):
        harness.run(harness.venue.account())


def test_a_symbol_that_the_listing_dropped_is_expected_no_more(harness: AccountHarness) -> None:
    names = [SYMBOL, "BBBUSDT"]
    harness.aster.on("GET /fapi/v3/exchangeInfo", {"symbols": [futures_symbol(name) for name in names]})
    harness.aster.on(ACCOUNT, both())
    harness.run(harness.venue.market(1))
    harness.run(harness.venue.account())
    harness.aster.on(ACCOUNT, perp_account(OTHER))
    assert harness.run(harness.venue.account()).unreadable_positions == {SYMBOL}
    harness.aster.on("GET /fapi/v3/exchangeInfo", {"symbols": [futures_symbol("BBBUSDT")]})
    for _ in range(2):
        harness.clock.advance_time(601)
        harness.run(harness.venue.market(1))
    assert harness.run(harness.venue.account()).unreadable_positions == frozenset()


def test_a_position_without_a_name_hides_the_one_that_is_missing(harness: AccountHarness) -> None:
    whole = both()
    harness.aster.on(ACCOUNT, whole, {**whole, "positions": [{**whole["positions"][0], "symbol": None}, OTHER]})
    harness.run(harness.venue.account())
    view = harness.run(harness.venue.account())
    assert view.unreadable_positions == {SYMBOL, "BBBUSDT"}


def test_positions_without_names_are_unreadable_before_anything_is_known(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, perp_account({**HELD, "symbol": None}))
    with pytest.raises(VenueError, match="name no symbol"):
        harness.run(harness.venue.account())


def test_a_flat_position_with_margin_contradicts_itself(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, perp_account({"maintMargin": "3"}, totalMaintMargin="3"))
    assert harness.run(harness.venue.account()).doubts == (f"{SYMBOL} is shown flat with a maintenance margin of 3",)


@pytest.mark.parametrize(("total", "count"), [("1000.5", 0), ("990", 1), ("0", 1), ("20000", 0), (None, 0)])
def test_a_wallet_total_below_its_usdt_is_a_contradiction(
    harness: AccountHarness, total: str | None, count: int
) -> None:
    harness.aster.on(ACCOUNT, perp_account(totalWalletBalance=total))
    assert len(harness.run(harness.venue.account()).doubts) == count


def test_a_wallet_of_usdt_alone_is_worth_its_total(harness: AccountHarness) -> None:
    account = perp_account(totalWalletBalance="2000")
    harness.aster.on(ACCOUNT, {**account, "assets": account["assets"][1:]})
    assert harness.run(harness.venue.account()).doubts == (
        "the perpetual wallet's total is 2000, and its USDT is 1000.5",
    )


def test_totals_of_multi_assets_mode_are_not_compared(harness: AccountHarness) -> None:
    harness.aster.on("GET /fapi/v3/multiAssetsMargin", {"multiAssetsMargin": True})
    harness.aster.on(ACCOUNT, perp_account(totalMaintMargin="9", totalWalletBalance="0"))
    assert harness.run(harness.venue.account()).doubts == ()


# --- a liquidation price that only the exchange knows ----------------------------------------------------------------


@pytest.mark.parametrize("answer", [HTML_500, [], [row_risk(leverage="")], [row_risk(symbol="BBBUSDT")]])
def test_an_isolated_position_that_the_exchange_does_not_report_is_unreadable(
    harness: AccountHarness, answer: Any
) -> None:
    harness.aster.on(ACCOUNT, both(isolated=True))
    harness.aster.on(POSITIONS, answer)
    view = harness.run(harness.venue.account())
    assert (set(view.unreadable_positions), set(view.positions)) == ({SYMBOL}, {"BBBUSDT"})


def test_a_liquidation_that_is_near_is_known_without_the_exchanges_list(harness: AccountHarness) -> None:
    harness.aster.on(ACCOUNT, perp_account({**HELD, "maintMargin": "950"}, OTHER, totalMaintMargin="950"))
    harness.aster.on(POSITIONS, HTML_500)
    view = harness.run(harness.venue.account())
    assert view.unreadable_positions == frozenset()
    liquidation = view.positions[SYMBOL].liquidation_price
    assert liquidation is not None
    assert liquidation < 150


@pytest.mark.parametrize("field", sorted(row_risk()))
def test_one_position_without_a_field_cannot_be_read(harness: AccountHarness, field: str) -> None:
    harness.aster.on(POSITIONS, [without(row_risk(), field), row_risk(symbol="BBBUSDT")])
    with pytest.raises(VenueError):
        harness.run(harness.venue.position(SYMBOL))
    if field != "symbol":
        assert harness.run(harness.venue.position("BBBUSDT")).quantity == -2


def test_a_side_that_cannot_be_read_makes_the_position_unreadable(harness: AccountHarness) -> None:
    long, short = row_risk(positionSide="LONG", positionAmt="0"), row_risk(positionSide="SHORT", leverage=None)
    harness.aster.on(POSITIONS, [long, short])
    with pytest.raises(VenueError):
        harness.run(harness.venue.position(SYMBOL))


# --- wallets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", SENSELESS)
@pytest.mark.parametrize("field", ["walletBalance", "crossUnPnl", "availableBalance", "maxWithdrawAmount"])
def test_a_perpetual_wallet_with_senseless_usdt_is_unreadable(harness: AccountHarness, field: str, value: Any) -> None:
    account = perp_account(HELD)
    account["assets"][1][field] = value
    harness.aster.on(ACCOUNT, account)
    with pytest.raises(VenueError, match="a row of USDT that cannot be read"):
        harness.run(harness.venue.account())


def test_another_margin_asset_that_cannot_be_read_hides_only_itself(harness: AccountHarness) -> None:
    account = perp_account(HELD)
    account["assets"][0]["walletBalance"] = ""
    harness.aster.on(ACCOUNT, account)
    view = harness.run(harness.venue.account())
    assert (view.perp.balance, view.perp_assets) == (Decimal("1000.5"), {})


@pytest.mark.parametrize("total", [None, "", "NaN"])
def test_an_account_without_its_margin_total_is_unreadable(harness: AccountHarness, total: Any) -> None:
    harness.aster.on(ACCOUNT, perp_account(HELD, totalMaintMargin=total))
    with pytest.raises(VenueError):
        harness.run(harness.venue.account())


@pytest.mark.parametrize(
    ("route", "answer"),
    [
        ("GET /fapi/v3/positionSide/dual", {}),
        ("GET /fapi/v3/positionSide/dual", {"dualSidePosition": None}),
        ("GET /fapi/v3/multiAssetsMargin", {"multiAssetsMargin": ""}),
        ("GET /fapi/v3/multiAssetsMargin", []),
    ],
)
def test_a_mode_that_is_absent_is_not_the_safe_one(harness: AccountHarness, route: str, answer: Any) -> None:
    harness.aster.on(route, answer)
    with pytest.raises(VenueError):
        harness.run(harness.venue.account())


def spot(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"balances": [{"asset": "USDT", "free": "900", "locked": "1"}, *rows]}


COIN = {"asset": "AAA", "free": "2.5", "locked": "0"}


@pytest.mark.parametrize("value", [*SENSELESS, "-1"])
@pytest.mark.parametrize("field", ["free", "locked"])
def test_a_spot_balance_with_a_senseless_field_hides_only_itself(
    harness: AccountHarness, field: str, value: Any
) -> None:
    harness.aster.on(SPOT_ACCOUNT, spot({**COIN, field: value}, {**COIN, "asset": "CCC"}))
    view = harness.run(harness.venue.account())
    assert view.unreadable_balances == {"AAA"}
    assert (set(view.spot), view.spot_usdt) == ({"USDT", "CCC"}, Decimal(900))


@pytest.mark.parametrize("field", ["free", "locked"])
def test_a_spot_wallet_whose_usdt_is_unreadable_is_unreadable(harness: AccountHarness, field: str) -> None:
    harness.aster.on(SPOT_ACCOUNT, {"balances": [without(spot()["balances"][0], field), COIN]})
    with pytest.raises(VenueError, match="USDT of the spot wallet"):
        harness.run(harness.venue.account())


def gone(amount: str, after: timedelta = timedelta(seconds=5)) -> Callable[[dict[str, str]], Any]:
    at = millis(NOW + after)
    row = {"tranId": 1, "asset": "AAA", "balanceDelta": amount, "type": "TRADE_SOURCE", "time": at}
    return lambda params: [row] if int(params["startTime"]) <= at else []


TRANSACTIONS = "GET /api/v3/transactionHistory"


def test_coins_that_are_left_out_are_unreadable_and_not_gone(harness: AccountHarness) -> None:
    harness.aster.on(SPOT_ACCOUNT, spot(COIN), spot(), spot(COIN))
    harness.aster.on(TRANSACTIONS, [])
    harness.run(harness.venue.account())
    assert harness.run(harness.venue.account()).unreadable_balances == {"AAA"}
    assert harness.run(harness.venue.account()).unreadable_balances == frozenset()


@pytest.mark.parametrize(("answer", "unknown"), [(gone("-2.5"), set()), (gone("-2.4"), {"AAA"}), (HTML_500, {"AAA"})])
def test_coins_that_left_the_wallet_are_gone_when_transactions_say_so(
    harness: AccountHarness, answer: Any, unknown: set[str]
) -> None:
    harness.aster.on(SPOT_ACCOUNT, spot(COIN), spot())
    harness.aster.on(TRANSACTIONS, answer)
    harness.run(harness.venue.account())
    harness.clock.advance_time(10)
    view = harness.run(harness.venue.account())
    assert view.unreadable_balances == unknown
    assert view.coin("AAA").total == 0


def test_coins_that_the_bot_sold_are_gone_without_a_question(harness: AccountHarness) -> None:
    harness.aster.on(SPOT_ACCOUNT, spot(COIN), spot())
    harness.aster.on("POST /api/v3/order", order_row("h-1", quantity="2.5"))
    harness.run(harness.venue.account())
    sale = OrderRequest(
        client_id="h-1", market=SPOT, symbol=SYMBOL, side=Side.SELL, quantity=Decimal("2.5"), price=Decimal(100)
    )
    harness.run(harness.venue.submit(PlaceOrder(hedge_id="h", order=sale)))
    assert harness.run(harness.venue.account()).unreadable_balances == frozenset()
    assert TRANSACTIONS not in harness.aster.routes


def test_an_empty_spot_wallet_that_was_not_empty_is_unreadable(harness: AccountHarness) -> None:
    harness.aster.on(SPOT_ACCOUNT, spot(COIN), {"balances": []})
    harness.aster.on(TRANSACTIONS, [])
    harness.run(harness.venue.account())
    with pytest.raises(VenueError, match="lists no spot balance"):
        harness.run(harness.venue.account())


def test_a_balance_without_a_name_is_the_one_that_is_missing(harness: AccountHarness) -> None:
    harness.aster.on(SPOT_ACCOUNT, spot(COIN), spot({**COIN, "asset": None}))
    harness.run(harness.venue.account())
    assert harness.run(harness.venue.account()).unreadable_balances == {"AAA"}


def test_balances_without_names_are_unreadable_before_anything_is_known(harness: AccountHarness) -> None:
    harness.aster.on(SPOT_ACCOUNT, spot({**COIN, "asset": None}))
    with pytest.raises(VenueError, match="name no asset"):
        harness.run(harness.venue.account())


# --- the market ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [*SENSELESS, "-1", "0"])
@pytest.mark.parametrize("field", ["markPrice", "indexPrice"])
def test_a_mark_or_index_price_that_is_none_is_unknown(harness: AccountHarness, field: str, value: Any) -> None:
    good = {"symbol": "BBBUSDT", "markPrice": "5", "indexPrice": "5", "lastFundingRate": "", "nextFundingTime": 0}
    row = {**good, "symbol": SYMBOL, field: value}
    harness.aster.on("GET /fapi/v3/premiumIndex", [row, good])
    view = harness.run(harness.venue.market(1))
    assert view.mark(SYMBOL) is None
    mark = view.mark("BBBUSDT")
    assert mark is not None, "a rate or a time that is absent hides no price"
    assert mark.mark == 5
    assert view.predicted("BBBUSDT") is None


@pytest.mark.parametrize(
    "stamp", [0, -1, "", None, millis(NOW) // 1000, millis(NOW) * 1000, millis(NOW) * 10**6, 10**30, "soon"]
)
def test_a_funding_time_in_another_unit_gives_no_estimate(harness: AccountHarness, stamp: Any) -> None:
    row = {"symbol": SYMBOL, "markPrice": "100", "indexPrice": "100", "lastFundingRate": "0.0001"}
    harness.aster.on("GET /fapi/v3/premiumIndex", [{**row, "nextFundingTime": stamp}])
    view = harness.run(harness.venue.market(1))
    assert view.predicted(SYMBOL) is None
    assert view.mark(SYMBOL) is not None


@pytest.mark.parametrize("market", [SPOT, PERP])
@pytest.mark.parametrize("side", ["bids", "asks"])
@pytest.mark.parametrize("level", [["NaN", "1"], ["0", "1"], ["-1", "1"], ["1", "-1"], ["1", "NaN"], ["1"], None])
def test_a_book_with_a_senseless_level_is_unreadable(
    harness: AccountHarness, market: Market, side: str, level: Any
) -> None:
    path = "fapi" if market is PERP else "api"
    book = {"bids": [["99", "1"]], "asks": [["101", "1"]]}
    harness.aster.on(f"GET /{path}/v3/depth", {**book, side: [*book[side], level]})
    with pytest.raises(VenueError):
        harness.run(harness.venue.depth(market, SYMBOL))


def changed_filter(row: dict[str, Any], kind: str, **changes: Any) -> dict[str, Any]:
    filters = [{**f, **changes} if f["filterType"] == kind else f for f in row["filters"]]
    return {**row, "filters": filters}


BAD_LISTINGS: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
    lambda row: {**row, "status": ""},
    lambda row: {**row, "status": "SOMETHING_NEW"},
    lambda row: without(row, "status"),
    lambda row: without(row, "filters"),
    lambda row: {**row, "filters": []},
    lambda row: {**row, "filters": row["filters"][:-1]},
    lambda row: changed_filter(row, "PRICE_FILTER", tickSize="0"),
    lambda row: changed_filter(row, "PRICE_FILTER", tickSize="NaN"),
    lambda row: changed_filter(row, "LOT_SIZE", stepSize=None),
    lambda row: changed_filter(row, "LOT_SIZE", minQty=""),
    lambda row: changed_filter(row, "LOT_SIZE", maxQty="0"),
    lambda row: changed_filter(row, "LOT_SIZE", minQty="2000"),
    lambda row: changed_filter(row, "PERCENT_PRICE", multiplierUp=None),
    lambda row: changed_filter(row, "PERCENT_PRICE", multiplierDown="7"),
    lambda row: {**row, "baseAsset": None},
]


@pytest.mark.parametrize("market", [SPOT, PERP])
@pytest.mark.parametrize("number", range(len(BAD_LISTINGS)))
def test_a_listed_symbol_that_cannot_be_read_is_neither_closed_nor_traded(
    harness: AccountHarness, market: Market, number: int
) -> None:
    before = harness.run(harness.venue.market(1)).pair(SYMBOL)
    route = f"GET /{'fapi' if market is PERP else 'api'}/v3/exchangeInfo"
    make = futures_symbol if market is PERP else spot_symbol
    harness.aster.on(route, {"symbols": [BAD_LISTINGS[number](make()), make("BBBUSDT")]})
    harness.clock.advance_time(601)
    assert harness.run(harness.venue.market(1)).pair(SYMBOL) == before
    harness.clock.advance_time(601)
    assert harness.run(harness.venue.market(1)).pair(SYMBOL) == before, "however long it lasts"
    with pytest.raises(VenueError, match="no row of it that can be read"):
        harness.run(harness.venue.pair(SYMBOL, fresh=True))


def test_a_minimum_that_cannot_be_read_in_one_of_two_filters_is_unreadable(harness: AccountHarness) -> None:
    row = spot_symbol()
    row["filters"].append({"filterType": "MIN_NOTIONAL", "minNotional": ""})
    harness.aster.on("GET /api/v3/exchangeInfo", {"symbols": [row, spot_symbol("BBBUSDT")]})
    assert harness.run(harness.venue.market(1)).pair(SYMBOL) is None


def test_an_empty_listing_closes_nothing(harness: AccountHarness) -> None:
    before = harness.run(harness.venue.market(1)).pair(SYMBOL)
    harness.aster.on("GET /fapi/v3/exchangeInfo", {"symbols": []})
    harness.clock.advance_time(601)
    assert harness.run(harness.venue.market(1)).pair(SYMBOL) == before
    with pytest.raises(VenueError, match="lists no symbol"):
        harness.run(harness.venue.pair(SYMBOL, fresh=True))


@pytest.mark.parametrize("limits", [None, [{"rateLimitType": "ORDERS"}], [{}], "x"])
def test_limits_that_cannot_be_read_leave_the_listing_readable(harness: AccountHarness, limits: Any) -> None:
    harness.aster.on("GET /fapi/v3/exchangeInfo", {"rateLimits": limits, "symbols": [futures_symbol()]})
    assert harness.run(harness.venue.market(1)).pair(SYMBOL) is not None


# --- orders, trades and history --------------------------------------------------------------------------------------

TRADE = {
    "symbol": SYMBOL,
    "id": 1,
    "orderId": 7,
    "side": "BUY",
    "price": "100",
    "qty": "2",
    "commission": "0.0008",
    "commissionAsset": "AAA",
    "realizedPnl": "0",
    "time": millis(NOW),
    "maker": False,
}


@pytest.mark.parametrize("field", sorted(TRADE.keys() - {"realizedPnl"}))
def test_a_trade_without_a_field_is_not_left_out_of_the_books(harness: AccountHarness, field: str) -> None:
    harness.aster.on("GET /fapi/v3/userTrades", [without(TRADE, field), {**TRADE, "id": 2}])
    with pytest.raises(VenueError):
        harness.run(harness.venue.fills(PERP, SYMBOL, NOW - timedelta(hours=1)))


def test_a_perpetual_trade_without_its_profit_did_not_make_zero(harness: AccountHarness) -> None:
    harness.aster.on("GET /fapi/v3/userTrades", [without(TRADE, "realizedPnl")])
    harness.aster.on("GET /fapi/v3/order", order_row())
    with pytest.raises(VenueError, match="without its realised profit"):
        harness.run(harness.venue.fills(PERP, SYMBOL, NOW - timedelta(hours=1)))


@pytest.mark.parametrize("field", ["incomeType", "income", "asset", "time", "tranId"])
def test_an_income_row_without_a_field_hides_only_itself(harness: AccountHarness, field: str) -> None:
    row = {
        "symbol": SYMBOL,
        "incomeType": "FUNDING_FEE",
        "income": "0.5",
        "asset": "USDT",
        "time": millis(NOW),
        "tranId": 1,
    }
    harness.aster.on("GET /fapi/v3/income", [without(row, field), {**row, "tranId": 2}])
    (payment,) = harness.run(harness.venue.funding_payments(NOW - timedelta(hours=1)))
    assert payment.tran_id == 2


@pytest.mark.parametrize("field", ["orderId", "symbol", "status", "clientOrderId", "executedQty"])
def test_an_order_without_a_field_has_an_unknown_outcome(harness: AccountHarness, field: str) -> None:
    request = OrderRequest(
        client_id="o-1", market=PERP, symbol=SYMBOL, side=Side.BUY, quantity=Decimal(1), price=Decimal(100)
    )
    harness.aster.on("POST /fapi/v3/order", without(order_row(), field))
    (event,) = harness.run(harness.venue.submit(PlaceOrder(hedge_id="h", order=request)))
    assert type(event).__name__ == "OrderOutcomeUnknown"


def test_an_open_order_that_cannot_be_read_is_not_absent(harness: AccountHarness) -> None:
    harness.aster.on("GET /fapi/v3/openOrders", [order_row(), {**order_row(), "status": None}])
    harness.aster.on("GET /api/v3/openOrders", [])
    with pytest.raises(VenueError, match="open orders of AAAUSDT that cannot be read"):
        harness.run(harness.venue.open_orders(SYMBOL))


# --- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b'{"\xff":1}', b"\xff\xfe", b"[" * 10_000, b"", b"1e999999999", b'{"serverTime": 1e400}', b"<html>"]
)
def test_bytes_that_are_no_such_json_are_one_clear_line(harness: AccountHarness, body: bytes) -> None:
    harness.aster.on("GET /fapi/v3/time", HttpResponse(status=200, body=body))
    with pytest.raises(OutcomeUnknown) as caught:
        harness.run(harness.venue.client.synchronise())
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 320


@pytest.mark.parametrize("stamp", [0, -5, millis(NOW) // 1000, millis(NOW) * 1000, millis(NOW) * 10**6, 10**40])
def test_a_server_time_in_another_unit_is_no_time(harness: AccountHarness, stamp: int) -> None:
    harness.aster.on("GET /fapi/v3/time", {"serverTime": stamp} if stamp < 2**63 else f'{{"serverTime": {stamp}}}')
    with pytest.raises(VenueError):
        harness.run(harness.venue.client.synchronise())


def test_an_asset_that_the_log_holds_and_the_first_reply_leaves_out_is_unreadable(harness: AccountHarness) -> None:
    harness.venue.expect({"USDT": Decimal(500), "AAA": Decimal(2)}, NOW - timedelta(hours=1))
    harness.aster.on(TRANSACTIONS, [])
    harness.aster.on(SPOT_ACCOUNT, {"balances": []})
    with pytest.raises(OutcomeUnknown, match="lists no spot balance"):
        harness.run(harness.venue.account())
    harness.aster.on(SPOT_ACCOUNT, {"balances": [{"asset": "USDT", "free": "500", "locked": "0"}]})
    assert harness.run(harness.venue.account()).unreadable_balances == {"AAA"}


FILLED = {
    "orderId": 1,
    "symbol": SYMBOL,
    "status": "FILLED",
    "clientOrderId": "h-s-1",
    "executedQty": "2",
    "origQty": "2",
    "price": "101",
    "avgPrice": "100",
    "cumQuote": "200",
}


@pytest.mark.parametrize(
    ("side", "changes", "worth"),
    [
        ("BUY", {}, "200"),
        ("BUY", {"cumQuote": "1e30"}, "200"),
        ("BUY", {"cumQuote": "203"}, "200"),
        ("BUY", {"cumQuote": "90"}, "200"),
        ("BUY", {"cumQuote": "1e30", "avgPrice": "1e30"}, "0"),
        ("BUY", {"cumQuote": None, "avgPrice": None}, "0"),
        ("BUY", {"cumQuote": "203", "price": "0"}, "203"),
        ("SELL", {"price": "99"}, "200"),
        ("SELL", {"price": "99", "cumQuote": "197"}, "200"),
        ("SELL", {"price": "99", "cumQuote": "397"}, "200"),
        ("OTHER", {"cumQuote": "397"}, "397"),
    ],
)
def test_the_worth_of_fills_is_believed_within_the_orders_limit(side: str, changes: dict[str, Any], worth: str) -> None:
    row = {**FILLED, "side": side, **changes}
    assert decode(msgspec.json.encode(row), OrderRow).filled_notional == Decimal(worth)


def test_an_order_that_filled_more_than_its_quantity_is_unreadable() -> None:
    with pytest.raises(OutcomeUnknown, match="it filled 3 of 2"):
        decode(msgspec.json.encode({**FILLED, "executedQty": "3"}), OrderRow)


@pytest.mark.parametrize(
    "changes", [{"orderId": 0}, {"orderId": -1}, {"id": -1}, {"symbol": ""}, {"symbol": "BBBUSDT"}]
)
def test_a_trade_of_no_order_or_of_another_symbol_makes_the_trades_unreadable(
    harness: AccountHarness, changes: dict[str, Any]
) -> None:
    harness.aster.on("GET /fapi/v3/userTrades", [{**TRADE, **changes}])
    with pytest.raises(VenueError):
        harness.run(harness.venue.fills(PERP, SYMBOL, NOW - timedelta(hours=1)))


def test_two_readings_of_one_trade_make_the_trades_unreadable(harness: AccountHarness) -> None:
    harness.aster.on("GET /fapi/v3/userTrades", [TRADE, {**TRADE, "qty": "3"}])
    with pytest.raises(VenueError, match="two readings of one trade"):
        harness.run(harness.venue.fills(PERP, SYMBOL, NOW - timedelta(hours=1)))


def test_a_trade_between_two_orders_of_the_account_is_one_of_each(harness: AccountHarness) -> None:
    harness.aster.on("GET /fapi/v3/userTrades", [TRADE, TRADE, {**TRADE, "orderId": 8, "side": "SELL"}])
    harness.aster.on("GET /fapi/v3/order", order_row())
    fills = harness.run(harness.venue.fills(PERP, SYMBOL, NOW - timedelta(hours=1)))
    assert [(fill.order_id, fill.side) for fill in fills] == [(7, Side.BUY), (8, Side.SELL)]


@pytest.mark.parametrize("value", ["1e18", "1e30", "1e-41"])
def test_a_decimal_beyond_what_sums_keep_exact_is_unreadable(harness: AccountHarness, value: str) -> None:
    harness.aster.on("GET /fapi/v3/userTrades", [{**TRADE, "price": value}])
    with pytest.raises(VenueError):
        harness.run(harness.venue.fills(PERP, SYMBOL, NOW - timedelta(hours=1)))
