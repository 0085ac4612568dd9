"""Real replies of the venue beside ours: the same keys, the same types."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.captured_market import CapturedMarketData, has_captures, load_captures
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.protocol.exchange_info import Profile
from support.wire import USER, WireClient, make_wired
from support.worlds import ScriptedMarketData

CAPTURES = Path(__file__).parents[3] / "captures" / "aster"
"""Excerpts of replies of the venue."""


def captured(name: str) -> Any:
    return json.loads(next(CAPTURES.glob(f"{name}*")).read_bytes())


def types_of(row: dict[str, Any]) -> dict[str, str]:
    return {key: type(value).__name__ for key, value in row.items()}


def pick(rows: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    return next(row for row in rows if all(row[key] == value for key, value in wanted.items()))


@pytest.fixture(scope="module")
def plain() -> WireClient:
    return make_wired(ScriptedMarketData(["ETHUSDT"]))


@pytest.mark.parametrize(
    ("market", "name", "path"),
    [("perp", "futures_exchangeInfo", "/fapi/v3/exchangeInfo"), ("spot", "spot_exchangeInfo", "/api/v3/exchangeInfo")],
)
def test_our_own_listing_has_the_captured_keys_and_types(plain: WireClient, market: str, name: str, path: str) -> None:
    real, ours = captured(name), plain.public(path).json
    assert types_of(ours) == types_of(real)
    ours_row, real_row = ours["symbols"][0], pick(real["symbols"], symbol="ETHUSDT")
    assert types_of(ours_row) == types_of(real_row), market
    for ours_filter in ours_row["filters"]:
        assert types_of(ours_filter) == types_of(pick(real_row["filters"], filterType=ours_filter["filterType"]))
    assert ours["rateLimits"] == real["rateLimits"]


def test_our_account_has_the_captured_keys_and_types(plain: WireClient) -> None:
    real, ours = captured("futures_account_sample"), plain.perp("GET", "accountWithJoinMargin").json
    assert types_of(ours) == types_of(real)
    assert types_of(ours["assets"][0]) == types_of(real["assets"][0])
    assert types_of(ours["positions"][0]) == types_of(real["positions"][0])


def test_premiums_and_funding_have_the_captured_keys_and_types(plain: WireClient) -> None:
    real = captured("aster_premiumIndex_fundingInfo_excerpt")
    for name in ("premiumIndex", "fundingInfo"):
        row = pick(real[f"GET /fapi/v1/{name}"], symbol="INJUSDT")
        assert types_of(plain.public(f"/fapi/v1/{name}").json[0]) == types_of(row)


def test_depth_balances_and_orders_have_the_captured_keys(plain: WireClient) -> None:
    depth = next(iter(captured("depth_snapshots").values()))
    assert types_of(plain.public("/fapi/v3/depth", symbol="ETHUSDT").json) == types_of(depth)
    replies = captured("aster_replies_subset")
    assert set(plain.perp("GET", "balance").json[0]) == set(replies["futures_balance_reply"][0])
    order = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    ours = plain.spot("POST", "order", **order).json
    assert set(ours) == set(replies["spot_orders"][0]["httpResponse"])


def test_trades_and_conditional_orders_have_the_captured_keys(plain: WireClient) -> None:
    rows = csv.DictReader(next(CAPTURES.glob("recent_trades*")).read_text(encoding="utf-8").splitlines())
    assert {*plain.public("/fapi/v3/trades", symbol="ETHUSDT").json[0], "symbol"} == set(rows.fieldnames or ())
    stop = pick([each["httpResponse"] for each in captured("aster_replies_subset")["spot_orders"]], type="STOP_MARKET")
    asked = {"symbol": "ETHUSDT", "side": "BUY", "type": "STOP_MARKET", "quantity": "1", "stopPrice": "110"}
    ours = plain.spot("POST", "order", **asked).json
    assert set(ours) == set(stop)
    names = ("status", "type", "origType", "executedQty", "price")
    assert {name: ours[name] for name in names} == {name: stop[name] for name in names}


@pytest.mark.parametrize(("market", "name"), [("perp", "futures_exchangeInfo"), ("spot", "spot_exchangeInfo")])
def test_every_captured_symbol_has_the_keys_that_ours_have(plain: WireClient, market: str, name: str) -> None:
    prefix = "fapi" if market == "perp" else "api"
    ours = plain.public(f"/{prefix}/v3/exchangeInfo").json["symbols"][0]
    for row in captured(name)["symbols"]:
        assert set(ours) <= set(row), row["symbol"]
        odd = {key for key, value in ours.items() if row[key] is not None and type(row[key]) is not type(value)}
        assert odd == set(), row["symbol"]


def test_captured_grids_are_served_and_enforced() -> None:
    captures = load_captures(CAPTURES)
    market_data = CapturedMarketData(ScriptedMarketData(["ETHUSDT"]), captures)
    exchange = Exchange(market_data, start=market_data.start, profile=Profile(market_data.pairs, captures))
    exchange.open_account(USER, perp=Decimal(10_000))
    client = WireClient(make_wired(state=exchange).venue, user=USER)
    client.user = USER
    info = client.public("/fapi/v3/exchangeInfo").json
    rows = {row["symbol"]: row for row in info["symbols"]}
    assert (rows["ETHUSDT"]["status"], rows["ETHUSDT"]["name"]) == ("TRADING", "Ethereum")
    assert rows["BTCUSDT"]["status"] == "SETTLING"
    assert len(rows) == len(captures.perp)
    assert exchange.market.instrument(Market.PERP, "ETHUSDT").tick == Decimal("0.10")
    assert pick(rows["ETHUSDT"]["filters"], filterType="MARKET_LOT_SIZE")["maxQty"] == "2000"
    assert [row["symbol"] for row in client.public("/api/v3/exchangeInfo").json["symbols"]] == ["ETHUSDT"]


def test_a_folder_without_captures_or_with_broken_ones_is_reported(tmp_path: Path) -> None:
    assert not has_captures(tmp_path)
    assert load_captures(tmp_path).perp == {}
    (tmp_path / "futures_exchangeInfo_2020.json").write_text("[]")
    assert has_captures(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_captures(tmp_path)


def test_a_captured_listing_changes_a_tape_s_grids_and_nothing_else(tmp_path: Path) -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.5"},
        {"filterType": "LOT_SIZE", "stepSize": "0.2", "minQty": "0.4", "maxQty": "90"},
        {"filterType": "MIN_NOTIONAL", "notional": "7"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.1", "multiplierDown": "0.9"},
    ]
    row = {"symbol": "AAAUSDT", "filters": filters}
    (tmp_path / "futures_exchangeInfo_1.json").write_text(json.dumps({"symbols": [row]}))
    market_data = ScriptedMarketData()
    made = CapturedMarketData(market_data, load_captures(tmp_path))
    perp, spot = made.pairs[0].perp, made.pairs[0].spot
    assert (str(perp.tick), str(perp.lot), str(perp.min_notional)) == ("0.5", "0.2", "7")
    assert spot == market_data.pairs[0].spot
    assert (made.start, made.end, made.step) == (market_data.start, market_data.end, market_data.step)
    assert made.prices("AAAUSDT", made.start) == market_data.prices("AAAUSDT", market_data.start)
