"""Every endpoint's reply, key by key and type by type, against the documents' samples (API reference, 5, 6, 13)."""

import json
from typing import Any

import pytest

from support.wire import WireClient, make_wired
from support.worlds import ScriptedTape

SAMPLES: dict[str, str] = {
    "GET /fapi ping": "{}",
    "GET /fapi time": '{"serverTime":1}',
    "GET /fapi depth symbol": '{"lastUpdateId":1,"E":1,"T":1,"bids":[["p","q"]],"asks":[["p","q"]]}',
    "GET /fapi klines symbol interval": '[[1,"o","h","l","c","v",1,"q",1,"b","q","0"]]',
    "GET /fapi markPriceKlines symbol interval": '[[1,"o","h","l","c","0",1,"0",1,"0","0","0"]]',
    "GET /fapi indexPriceKlines pair interval": '[[1,"o","h","l","c","0",1,"0",1,"0","0","0"]]',
    "GET /fapi trades symbol": '[{"id":1,"price":"","qty":"","quoteQty":"","time":1,"isBuyerMaker":true}]',
    "GET /fapi aggTrades symbol": '[{"a":1,"p":"","q":"","f":1,"l":1,"T":1,"m":true}]',
    "GET /fapi premiumIndex symbol": """{"symbol":"","markPrice":"","indexPrice":"","estimatedSettlePrice":"",
        "lastFundingRate":"","interestRate":"","nextFundingTime":1,"time":1}""",
    "GET /fapi fundingRate": '[{"symbol":"","fundingTime":1,"fundingRate":""}]',
    "GET /fapi fundingInfo symbol": """[{"symbol":"","interestRate":"","time":1,"fundingIntervalHours":8,
        "fundingFeeCap":0.03,"fundingFeeFloor":-0.03}]""",
    "GET /fapi ticker/24hr symbol": """{"symbol":"","priceChange":"","priceChangePercent":"","weightedAvgPrice":"",
        "lastPrice":"","lastQty":"","openPrice":"","highPrice":"","lowPrice":"","volume":"","quoteVolume":"",
        "openTime":1,"closeTime":1,"firstId":1,"lastId":1,"count":1}""",
    "GET /fapi ticker/price symbol": '{"symbol":"","price":"","time":1}',
    "GET /fapi ticker/bookTicker symbol": """{"symbol":"","bidPrice":"","bidQty":"","askPrice":"","askQty":"",
        "time":1,"lastUpdateId":1}""",
    "GET /fapi indexreferences symbol": '{"symbol":"","time":1,"references":[{"exchange":"","symbol":"","weight":""}]}',
    "GET /fapi openInterest symbol": '{"symbol":"","openInterest":"","time":1}',
    "GET /api depth symbol": '{"lastUpdateId":1,"symbol":"","E":1,"T":1,"bids":[["",""]],"asks":[["",""]]}',
    "GET /api trades symbol": '[{"id":1,"price":"","qty":"","baseQty":"","time":1,"isBuyerMaker":true}]',
    "GET /api ticker/24hr symbol": """{"symbol":"","priceChange":"","priceChangePercent":"","weightedAvgPrice":"",
        "lastPrice":"","lastQty":"","openPrice":"","highPrice":"","lowPrice":"","volume":"","quoteVolume":"",
        "openTime":1,"closeTime":1,"firstId":1,"lastId":1,"count":1,"bidPrice":"","bidQty":"","askPrice":"",
        "askQty":"","baseAsset":"","quoteAsset":""}""",
}
SIGNED: dict[str, str] = {
    "GET /fapi balance": """[{"accountAlias":"","asset":"","balance":"","crossWalletBalance":"","crossUnPnl":"",
        "availableBalance":"","maxWithdrawAmount":"","marginAvailable":true,"updateTime":1}]""",
    "GET /fapi positionRisk symbol": """[{"symbol":"","positionAmt":"","entryPrice":"","markPrice":"",
        "unRealizedProfit":"","liquidationPrice":"","leverage":"5","maxNotionalValue":"","marginType":"cross",
        "isolatedMargin":"","isAutoAddMargin":"false","positionSide":"BOTH","notional":"","isolatedWallet":"",
        "updateTime":1}]""",
    "GET /fapi accountWithJoinMargin": """{"feeTier":0,"canTrade":true,"canDeposit":true,"canWithdraw":true,
        "updateTime":0,"totalInitialMargin":"","totalMaintMargin":"","totalWalletBalance":"",
        "totalUnrealizedProfit":"","totalMarginBalance":"","totalPositionInitialMargin":"",
        "totalOpenOrderInitialMargin":"","totalCrossWalletBalance":"","totalCrossUnPnl":"","availableBalance":"",
        "maxWithdrawAmount":"","assets":[{"asset":"","walletBalance":"","unrealizedProfit":"","marginBalance":"",
        "maintMargin":"","initialMargin":"","positionInitialMargin":"","openOrderInitialMargin":"",
        "maxWithdrawAmount":"","crossWalletBalance":"","crossUnPnl":"","availableBalance":"","marginAvailable":true,
        "updateTime":0}],"positions":[{"symbol":"","initialMargin":"","maintMargin":"","unrealizedProfit":"",
        "positionInitialMargin":"","openOrderInitialMargin":"","leverage":"5","isolated":false,"entryPrice":"",
        "maxNotional":"","positionSide":"","positionAmt":"","notional":"","isolatedWallet":"","updateTime":0}]}""",
    "GET /fapi userTrades symbol": """[{"symbol":"","id":1,"orderId":1,"side":"","price":"","qty":"",
        "realizedPnl":"","marginAsset":"","quoteQty":"","commission":"","commissionAsset":"","time":1,
        "positionSide":"","maker":false,"buyer":false}]""",
    "GET /fapi income": """[{"symbol":"","incomeType":"","income":"","asset":"","info":"","time":1,"tranId":1,
        "tradeId":""}]""",
    "GET /fapi leverageBracket symbol": """{"symbol":"","brackets":[{"bracket":1,"initialLeverage":75,
        "notionalCap":1,"notionalFloor":0,"maintMarginRatio":0.0065,"cum":0}]}""",
    "GET /fapi leverageBrackets symbol": """[{"symbol":"","brackets":[{"bracket":1,"initialLeverage":75,
        "notionalCap":1,"notionalFloor":0,"maintMarginRatio":0.0065,"cum":0}]}]""",
    "GET /fapi commissionRate symbol": '{"symbol":"","makerCommissionRate":"","takerCommissionRate":""}',
    "GET /fapi adlQuantile": '[{"symbol":"","adlQuantile":{"LONG":0,"SHORT":0,"BOTH":0}}]',
    "GET /fapi positionSide/dual": '{"dualSidePosition":false}',
    "GET /fapi multiAssetsMargin": '{"multiAssetsMargin":false}',
    "GET /fapi allOrders symbol": """[{"orderId":1,"symbol":"","status":"","clientOrderId":"","price":"",
        "avgPrice":"","origQty":"","executedQty":"","cumQty":"","cumQuote":"","timeInForce":"","type":"",
        "reduceOnly":false,"closePosition":false,"side":"","positionSide":"","stopPrice":"","workingType":"",
        "priceProtect":false,"origType":"","updateTime":1,"time":1,"pegPriceType":"","stpMode":"",
        "newChainData":{"hash":""}}]""",
    "GET /fapi agent": """[{"agentAddress":"","agentName":"","ipWhitelist":"","expired":1,"source":"",
        "canRead":true,"canSpotTrade":true,"canPerpTrade":true,"canWithdraw":false}]""",
    "POST /fapi leverage symbol leverage": '{"leverage":5,"maxNotionalValue":"","symbol":""}',
    "POST /fapi listenKey": '{"listenKey":""}',
    "GET /api account": """{"feeTier":0,"canTrade":true,"canDeposit":true,"canWithdraw":true,"canBurnAsset":true,
        "updateTime":0,"balances":[{"asset":"","free":"","locked":""}]}""",
    "GET /api userTrades": """[{"symbol":"","id":1,"orderId":1,"side":"","price":"","qty":"","quoteQty":"",
        "commission":"","commissionAsset":"","time":1,"counterpartyId":19,"createUpdateId":null,"maker":false,
        "buyer":true}]""",
    "GET /api transactionHistory": """[{"tranId":1,"tradeId":null,"asset":"","symbol":"","balanceDelta":"",
        "balanceInfo":"","time":1,"type":""}]""",
    "GET /api allOrders symbol": """[{"orderId":1,"symbol":"","status":"","clientOrderId":"","price":"",
        "avgPrice":"","origQty":"","executedQty":"","cumQty":"","cumQuote":"","timeInForce":"","type":"","side":"",
        "stopPrice":"","origType":"","updateTime":1,"time":1,"orderListId":-1}]""",
    "GET /api commissionRate symbol": '{"symbol":"","makerCommissionRate":"","takerCommissionRate":""}',
}
GIVEN = {"symbol": "AAAUSDT", "pair": "AAAUSDT", "interval": "1h", "leverage": "5"}


def shape(value: Any) -> Any:
    """Return a value with everything but keys and JSON types taken out; of an array its first element."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value] if value and not isinstance(value[0], dict | list) else [shape(value[0])]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


@pytest.fixture(scope="module")
def client() -> WireClient:
    made = make_wired(ScriptedTape(["AAAUSDT", "BBBUSDT"]))
    made.order()
    made.buy_spot()
    made.pass_time(60)
    return made


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_public_replies_have_the_sampled_shape(client: WireClient, endpoint: str) -> None:
    _, prefix, name, *names = endpoint.split()
    reply = client.public(f"{prefix}/v3/{name}", **{each: GIVEN[each] for each in names})
    assert reply.status == 200, reply.json
    assert shape(reply.json) == shape(json.loads(SAMPLES[endpoint])) if reply.json else reply.text == "{}"
    assert client.public(f"{prefix}/v1/{name}", **{each: GIVEN[each] for each in names}).json == reply.json


@pytest.mark.parametrize("endpoint", SIGNED)
def test_signed_replies_have_the_sampled_shape(client: WireClient, endpoint: str) -> None:
    method, prefix, name, *names = endpoint.split()
    call = client.perp if prefix == "/fapi" else client.spot
    reply = call(method, name, **{each: GIVEN[each] for each in names})
    assert reply.status == 200, reply.json
    assert shape(reply.json) == shape(json.loads(SIGNED[endpoint]))


@pytest.mark.parametrize("name", ["premiumIndex", "ticker/24hr", "ticker/price", "ticker/bookTicker", "fundingInfo"])
def test_without_a_symbol_all_symbols_come_as_an_array(client: WireClient, name: str) -> None:
    rows = client.public(f"/fapi/v3/{name}").json
    assert [row["symbol"] for row in rows] == ["AAAUSDT", "BBBUSDT"]


def test_times_and_numbers_are_those_of_the_market(client: WireClient) -> None:
    row = client.public("/fapi/v3/premiumIndex", symbol="AAAUSDT").json
    assert (row["markPrice"], row["lastFundingRate"]) == ("100.00000000", "0.00030000")
    assert row["nextFundingTime"] % (8 * 3_600_000) == 0
    book = client.public("/fapi/v3/ticker/bookTicker", symbol="AAAUSDT").json
    assert float(book["bidPrice"]) < 100 < float(book["askPrice"])


def test_exchange_info_says_what_is_enforced(client: WireClient) -> None:
    perp = client.public("/fapi/v3/exchangeInfo").json
    spot = client.public("/api/v3/exchangeInfo").json
    row = perp["symbols"][0]
    filters = {each["filterType"]: each for each in row["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01"
    assert filters["LOT_SIZE"]["stepSize"] == "0.01"
    assert filters["MIN_NOTIONAL"]["notional"] == "5"
    assert (row["status"], row["contractType"], row["orderTypes"][0]) == ("TRADING", "PERPETUAL", "LIMIT")
    assert perp["rateLimits"][0]["limit"] == 2400
    assert spot["rateLimits"][0]["limit"] == 6000
    assert {f["filterType"]: f for f in spot["symbols"][0]["filters"]}["MIN_NOTIONAL"]["minNotional"] == "5"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/fapi/v3/nothing", -1020),
        ("/fapi/v9/time", -1020),
        ("/fapi/v1/accountWithJoinMargin", -1020),
        ("/api/v3/premiumIndex", -1020),
        ("/elsewhere", -1020),
    ],
)
def test_a_path_that_is_not_there_is_said_so(client: WireClient, path: str, code: int) -> None:
    reply = client.send("GET", path)
    assert (reply.status, reply.code) == (404, code)


def test_funding_history_gives_the_newest_rows_or_pages_from_a_start(client: WireClient) -> None:
    newest = client.public("/fapi/v3/fundingRate", symbol="AAAUSDT", limit=3).json
    times = [row["fundingTime"] for row in newest]
    assert times == sorted(times)
    first = client.public("/fapi/v3/fundingRate", symbol="AAAUSDT", startTime=times[0], limit=2).json
    assert [row["fundingTime"] for row in first] == times[:2]
    exact = client.public("/fapi/v3/fundingRate", symbol="AAAUSDT", startTime=times[1], endTime=times[1]).json
    assert [row["fundingTime"] for row in exact] == [times[1]]


def test_candles_end_with_the_running_one_and_page_forward(client: WireClient) -> None:
    rows = client.public("/fapi/v3/klines", symbol="AAAUSDT", interval="15m", limit=4).json
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert rows[-1][6] - rows[-1][0] == 15 * 60_000 - 1
    again = client.public("/fapi/v3/klines", symbol="AAAUSDT", interval="15m", startTime=rows[1][0], limit=2).json
    assert [row[0] for row in again] == [rows[1][0], rows[2][0]]


@pytest.mark.parametrize(
    ("name", "parameters", "code"),
    [
        ("depth", {"symbol": "AAAUSDT", "limit": "7"}, -4021),
        ("depth", {}, -1102),
        ("depth", {"symbol": ""}, -1105),
        ("depth", {"symbol": "aaausdt"}, -1121),
        ("depth", {"symbol": "AAAUSDT", "limit": "1e2"}, -1102),
        ("klines", {"symbol": "AAAUSDT", "interval": "7m"}, -1120),
        ("klines", {"symbol": "AAAUSDT", "interval": "1h", "limit": "1501"}, -1130),
        ("klines", {"symbol": "AAAUSDT", "interval": "1h", "startTime": "2", "endTime": "1"}, -1023),
        ("indexPriceKlines", {"symbol": "AAAUSDT", "interval": "1h"}, -1102),
        ("fundingRate", {"limit": "1001"}, -1130),
        ("fundingRate", {"startTime": "2", "endTime": "1"}, -1023),
        ("indexreferences", {"symbol": "NOSUCH"}, -1000),
        ("premiumIndex", {"symbol": "NOSUCH"}, -1121),
    ],
)
def test_public_parameters_are_checked(client: WireClient, name: str, parameters: dict[str, str], code: int) -> None:
    reply = client.public(f"/fapi/v3/{name}", **parameters)
    assert (reply.status, reply.code) == (400, code)


def test_public_trades_page_forward_from_a_start() -> None:
    client = make_wired()
    client.pass_time(3600)
    every = client.public("/fapi/v3/aggTrades", symbol="AAAUSDT", limit=20).json
    page = client.public("/fapi/v3/aggTrades", symbol="AAAUSDT", startTime=every[3]["T"], limit=5).json
    assert page == every[3:8]
