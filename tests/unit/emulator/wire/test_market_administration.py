"""Markets that change over the wire: asked for under ``/admin/markets``, seen in every reply and by every account."""

from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.instrument import Market, TradingStatus
from hedgerow.emulator.core.market_changes import FilterChange
from support.wire import OTHER, WireClient, account_of, make_wired
from support.worlds import START

SYMBOL = "AAAUSDT"
D = Decimal
MINUTE = 60.0


def change(client: WireClient, kind: str, **terms: Any) -> None:
    reply = client.admin("POST", "markets", type=kind, symbol=SYMBOL, **terms)
    assert reply.status == 200, reply.text


def filters(client: WireClient) -> dict[str, Any]:
    row = next(row for row in client.perp("GET", "exchangeInfo").json["symbols"] if row["symbol"] == SYMBOL)
    return {entry["filterType"]: entry for entry in row["filters"]}


def test_a_new_filter_is_in_exchange_info_and_refuses_orders() -> None:
    client = make_wired()
    change(client, "filter", market="perp", tick="0.5", lot="2", min_notional="50", price_up="1.02")
    found = filters(client)
    assert found["PRICE_FILTER"]["tickSize"] == "0.5"
    assert found["LOT_SIZE"]["stepSize"] == "2"
    assert found["MIN_NOTIONAL"]["notional"] == "50"
    assert found["PERCENT_PRICE"]["multiplierUp"] == "1.0200"
    order = {"symbol": SYMBOL, "side": "SELL", "type": "LIMIT", "timeInForce": "IOC"}
    assert client.perp("POST", "order", **order, quantity="10", price="99.9").code == -4014
    assert client.perp("POST", "order", **order, quantity="3", price="99.5").code == -4023
    assert client.perp("POST", "order", **order, quantity="2", price="99.5").status == 200
    spot = client.spot("GET", "exchangeInfo").json["symbols"][0]["filters"]
    assert spot[0]["tickSize"] == "0.01"


def test_a_coarser_lot_hides_no_position_and_no_trade() -> None:
    client = make_wired()
    order = {"symbol": SYMBOL, "side": "SELL", "type": "LIMIT", "timeInForce": "IOC", "price": "99.5"}
    assert client.perp("POST", "order", **order, quantity="0.5").status == 200
    change(client, "filter", market="perp", lot="2", min_quantity="2")
    rows = client.perp("GET", "positionRisk", symbol=SYMBOL).json
    assert [row["positionAmt"] for row in rows] == ["-0.5"]
    assert [row["qty"] for row in client.perp("GET", "userTrades", symbol=SYMBOL).json] == ["0.5"]


def test_a_coarser_tick_changes_no_price_of_an_older_order_or_trade() -> None:
    client = make_wired()
    order = {"symbol": SYMBOL, "side": "SELL", "type": "LIMIT", "timeInForce": "IOC", "price": "99.53"}
    assert client.perp("POST", "order", **order, quantity="1").status == 200
    before = [client.perp("GET", path, symbol=SYMBOL).json[0] for path in ("userTrades", "allOrders")]
    change(client, "filter", market="perp", tick="50")
    trade, row = (client.perp("GET", path, symbol=SYMBOL).json[0] for path in ("userTrades", "allOrders"))
    assert [D(trade["price"]), D(row["price"])] == [D(each["price"]) for each in before]
    assert D(trade["price"]) * D(trade["qty"]) == D(trade["quoteQty"])


def test_a_change_through_one_account_is_listed_for_all() -> None:
    client = make_wired()
    exchange = client.venue.exchange
    account_of(client).world.change_market(FilterChange(symbol=SYMBOL, market=Market.PERP, lot=D(5)))
    account_of(client).world.set_status(SYMBOL, TradingStatus.CLOSED, (Market.SPOT,))
    exchange.settle()
    assert filters(client)["LOT_SIZE"]["stepSize"] == "5"
    assert SYMBOL not in [row["symbol"] for row in client.spot("GET", "exchangeInfo").json["symbols"]]
    other = WireClient(client.venue, user=OTHER, key=2)
    assert other.perp("POST", "order", symbol=SYMBOL, side="SELL", type="MARKET", quantity="1").code == -4023


def test_a_change_at_a_time_begins_and_ends_by_itself() -> None:
    client = make_wired()
    at = START.replace(minute=10).isoformat()
    change(client, "filter", tick="0.5", at=at, seconds=MINUTE)
    assert filters(client)["PRICE_FILTER"]["tickSize"] == "0.01"
    client.advance_time(10 * MINUTE)
    assert filters(client)["PRICE_FILTER"]["tickSize"] == "0.5"
    client.advance_time(MINUTE)
    assert filters(client)["PRICE_FILTER"]["tickSize"] == "0.01"


def test_fees_and_brackets_change_in_their_own_replies() -> None:
    client = make_wired()
    change(client, "fee", market="perp", taker="0.002")
    change(client, "bracket", max_leverage=10, max_notional="5000", maintenance_rate="0.05")
    assert client.perp("GET", "commissionRate", symbol=SYMBOL).json["takerCommissionRate"] == "0.002000"
    assert client.spot("GET", "commissionRate", symbol=SYMBOL).json["takerCommissionRate"] == "0.000400"
    (bracket,) = client.perp("GET", "leverageBracket", symbol=SYMBOL).json["brackets"]
    assert (bracket["initialLeverage"], bracket["notionalCap"], bracket["maintMarginRatio"]) == (10, 5000, 0.05)
    assert client.perp("POST", "leverage", symbol=SYMBOL, leverage=11).code == -4028
    assert client.perp("POST", "leverage", symbol=SYMBOL, leverage=10).json["maxNotionalValue"] == "5000"
    order = {"symbol": SYMBOL, "side": "SELL", "type": "LIMIT", "timeInForce": "IOC", "price": "99"}
    assert client.perp("POST", "order", **order, quantity="60").code == -2027


def test_brackets_in_steps_are_listed_with_caps_and_deductions() -> None:
    client = make_wired()
    steps = [{"floor": "0", "rate": "0.01"}, {"floor": "1000", "rate": "0.05"}]
    change(client, "bracket", max_notional="5000", tiers=steps)
    listed = client.perp("GET", "leverageBracket", symbol=SYMBOL).json["brackets"]
    names = ("bracket", "notionalFloor", "notionalCap", "maintMarginRatio", "cum")
    assert [tuple(row[name] for name in names) for row in listed] == [(1, 0, 1000, 0.01, 0), (2, 1000, 5000, 0.05, 40)]


def test_a_scheduled_closure_ends_orders_of_every_stage() -> None:
    client = make_wired()
    client.order("SELL", type="LIMIT", price="102", timeInForce="GTC", newClientOrderId="rests")
    client.perp(
        "POST",
        "order",
        symbol=SYMBOL,
        side="BUY",
        type="STOP_MARKET",
        quantity="1",
        stopPrice="120",
        newClientOrderId="s",
    )
    change(client, "status", status="SETTLING", at=START.replace(minute=1).isoformat())
    assert len(client.perp("GET", "openOrders").json) == 2
    client.advance_time(2 * MINUTE)
    assert client.perp("GET", "openOrders").json == []


def test_a_redenomination_reaches_every_account() -> None:
    client = make_wired()
    client.order("SELL")
    other = WireClient(client.venue, user=OTHER, key=2)
    other.order("SELL", quantity="2")
    change(client, "redenomination", factor="1000")
    assert account_of(client).world.parts.perp.quantity(SYMBOL) == D("-0.001")
    assert account_of(other).world.parts.perp.quantity(SYMBOL) == D("-0.002")
    (row,) = client.perp("GET", "positionRisk", symbol=SYMBOL).json
    assert D(row["positionAmt"]) == D("-0.001")
    assert D(row["markPrice"]) == 100_000
    assert D(client.perp("GET", "ticker/bookTicker", symbol=SYMBOL).json["bidPrice"]) > 99_000


def test_a_position_that_the_exchange_settles_is_listed_among_the_forced_orders() -> None:
    client = make_wired()
    client.order("SELL")
    change(client, "redenomination", factor="1000", positions="settled")
    (row,) = client.perp("GET", "forceOrders").json
    assert row["clientOrderId"].startswith("settlement_autoclose-")
    assert client.perp("GET", "forceOrders", autoCloseType="LIQUIDATION").json == []
    assert client.perp("GET", "forceOrders", autoCloseType="ADL").json == []


def test_books_mark_and_index_leave_each_other_in_every_reply() -> None:
    client = make_wired()
    change(client, "book_distortion", market="spot", shift_bps="-2000", seconds=3)
    change(client, "mark_distortion", index_bps="500")
    assert D(client.spot("GET", "ticker/bookTicker", symbol=SYMBOL).json["askPrice"]) < 81
    assert D(client.spot("GET", "depth", symbol=SYMBOL).json["bids"][0][0]) < 80
    assert D(client.perp("GET", "ticker/bookTicker", symbol=SYMBOL).json["askPrice"]) > 100
    row = client.perp("GET", "premiumIndex", symbol=SYMBOL).json
    assert (D(row["markPrice"]), D(row["indexPrice"])) == (D(100), D(105))
    client.advance_time(3)
    assert D(client.spot("GET", "ticker/bookTicker", symbol=SYMBOL).json["askPrice"]) > 100


def test_changes_are_listed_and_can_be_called_off() -> None:
    client = make_wired()
    change(client, "ticker_collision", price="5000")
    (listed,) = client.admin("GET", "markets").json["changes"]
    assert (listed["type"], listed["symbol"], listed["price"]) == ("ticker_collision", SYMBOL, "5000")
    client.advance_time(1)
    client.admin("DELETE", "markets")
    assert D(client.perp("GET", "premiumIndex", symbol=SYMBOL).json["markPrice"]) == 100


def test_changes_are_kept_with_the_exchange() -> None:
    client = make_wired()
    change(client, "filter", tick="0.5")
    state = client.venue.exchange.state()
    assert [each.symbol for each in state.conditions.changes] == [SYMBOL]


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ({}, "allowed as type are filter, status, fee"),
        ({"type": "unknown", "symbol": SYMBOL}, "allowed as type are filter"),
        ({"type": "filter", "symbol": SYMBOL, "step": "1"}, "allowed are symbol, at, seconds, market, tick, lot"),
        ({"type": "filter", "symbol": SYMBOL, "tick": "-1"}, "tick: allowed is more than 0"),
        ({"type": "filter", "symbol": "NONEUSDT"}, "Invalid symbol"),
        ({"type": "filter", "symbol": SYMBOL, "at": "2026-01-05T00:00:00"}, "at: allowed is a time with its zone"),
        ({"type": "filter", "symbol": SYMBOL, "seconds": 1e300}, "seconds: allowed is 0 to 1,000,000,000"),
        ({"type": "filter", "symbol": SYMBOL, "lot": "1e-5000"}, "lot: allowed is a size of 1E-15 to"),
        ({"type": "filter", "symbol": SYMBOL, "min_notional": "1e5000"}, "min_notional: allowed is a size of 1E-15 to"),
        (
            {"type": "bracket", "symbol": SYMBOL, "tiers": [{"floor": "1e5000", "rate": "0.1"}]},
            "floor: allowed is a size",
        ),
        ({"type": "contract_multiplier", "symbol": SYMBOL, "multiplier": "1e40"}, "size of 1E-9 to 1,000,000,000, not"),
        (
            {"type": "filter", "symbol": SYMBOL, "min_quantity": "5", "max_quantity": "2"},
            "min_quantity: allowed is at most max_quantity, which is 2, not 5",
        ),
        (
            {"type": "filter", "symbol": SYMBOL, "min_quantity": "1000000000"},
            "min_quantity: allowed is at most max_quantity, which is",
        ),
        (
            {"type": "filter", "symbol": SYMBOL, "market": "spot", "max_quantity": "0.00001"},
            "min_quantity: allowed is at most max_quantity, which is 0.00001",
        ),
        ({"type": "redenomination", "symbol": SYMBOL, "factor": "1e40"}, "size of 1E-9 to 1,000,000,000, not"),
        ({"type": "ticker_collision", "symbol": SYMBOL, "price": "1e-40"}, "size of 1E-9 to 1,000,000,000, not"),
        ({"type": "book_distortion", "symbol": SYMBOL, "shift_bps": "1e30"}, "size of 1E-9 to 1,000,000,000, not"),
        ({"type": "mark_distortion", "symbol": SYMBOL, "index_bps": "1e30"}, "size of 1E-9 to 1,000,000,000, not"),
        (
            {"type": "filter", "symbol": SYMBOL, "at": "9999-12-31T23:59:59Z", "seconds": 60},
            "at: allowed is a year up to 9000, not 9999",
        ),
        ({"type": "status", "symbol": SYMBOL, "status": "BREAK"}, "allowed are TRADING, PENDING_TRADING, SETTLING"),
        ({"type": "ticker_collision", "symbol": SYMBOL, "price": "3", "underlying": "NONEUSDT"}, "Invalid symbol"),
    ],
)
def test_a_change_that_cannot_be_says_what_is_allowed(body: dict[str, Any], allowed: str) -> None:
    reply = make_wired().admin("POST", "markets", **body)
    assert reply.status == 400
    assert allowed in reply.json["error"]


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        ("contract_multiplier", {"multiplier": "1000000000"}),
        ("redenomination", {"factor": "0.000000001"}),
        ("ticker_collision", {"price": "0.000000001"}),
        ("book_distortion", {"shift_bps": "1000000000"}),
        ("mark_distortion", {"mark_bps": "1000000000"}),
        ("filter", {"lot": "0.000000000000001", "tick": "0.000000000000001"}),
    ],
)
def test_an_exchange_lives_on_under_the_largest_change(kind: str, terms: dict[str, Any]) -> None:
    client = make_wired()
    client.order("SELL")
    change(client, kind, **terms)
    client.advance_time(MINUTE)
    for path in ("premiumIndex", "depth", "ticker/bookTicker", "positionRisk"):
        assert client.perp("GET", path, symbol=SYMBOL).status == 200
    client.admin("DELETE", "markets")
    assert client.perp("GET", "premiumIndex", symbol=SYMBOL).status == 200


def test_what_is_wrong_with_a_value_is_all_that_is_said() -> None:
    reply = make_wired().admin("POST", "markets", type="filter", symbol=SYMBOL, tick="-1")
    assert reply.json["error"] == "tick: allowed is more than 0, not -1"
