"""What every endpoint answers, as the venue's documents sample it (docs/aster-api.md 5, 6 and 13)."""

from typing import Any

__all__ = ["DONE", "MORE", "ORDERS", "SAMPLES", "SIGNED", "shape"]

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

DONE = '{"code":200,"msg":""}'
ORDERS = {
    "/fapi": """{"orderId":1,"symbol":"","status":"","clientOrderId":"","price":"","avgPrice":"","origQty":"",
        "executedQty":"","cumQty":"","cumQuote":"","timeInForce":"","type":"","reduceOnly":false,
        "closePosition":false,"side":"","positionSide":"","stopPrice":"","workingType":"","priceProtect":false,
        "origType":"","updateTime":1,"pegPriceType":"","stpMode":"",CHAIN}""",
    "/api": """{"orderId":1,"symbol":"","status":"","clientOrderId":"","price":"","avgPrice":"","origQty":"",
        "executedQty":"","cumQty":"","cumQuote":"","timeInForce":"","type":"","side":"","stopPrice":"","origType":"",
        "updateTime":1,"orderListId":-1}""",
}
"""An order as placing answers it; ``CHAIN`` stands for what becomes of it on the chain."""
NEW, CANCELLED = '"newChainData":{"hash":""}', '"cancelChainData":{"hash":""}'
IN_BATCH = '"cancelChainData":""'
"""In a batch's answer the venue puts that object into a string."""


def _order(prefix: str, chain: str = NEW, *, looked_up: bool = False) -> str:
    row = ORDERS[prefix].replace("CHAIN", chain)
    return row.replace('"updateTime":1', '"updateTime":1,"time":1') if looked_up else row


def _orders(prefix: str) -> dict[str, tuple[dict[str, str], str]]:
    named = {"symbol": "AAAUSDT", "origClientOrderId": "r"}
    found = _order(prefix, looked_up=True)
    limit = {"symbol": "AAAUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "97"}
    batch = '[{"symbol":"AAAUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"1","price":"97"}]'
    return {
        f"POST {prefix} order": (limit, _order(prefix)),
        f"POST {prefix} order/test": (limit, "{}"),
        f"POST {prefix} batchOrders": ({"batchOrders": batch}, f"[{_order(prefix)}]"),
        f"GET {prefix} order": (named, found),
        f"GET {prefix} openOrder": (named, found),
        f"GET {prefix} openOrders": ({"symbol": "AAAUSDT"}, f"[{found}]"),
        f"DELETE {prefix} order": (named, _order(prefix, CANCELLED)),
        f"DELETE {prefix} batchOrders": (
            {"symbol": "AAAUSDT", "origClientOrderIdList": '["r"]'},
            f"[{_order(prefix, IN_BATCH)}]",
        ),
        f"DELETE {prefix} allOpenOrders": ({"symbol": "AAAUSDT"}, DONE),
        f"POST {prefix} asset/wallet/transfer": (
            {"amount": "5", "asset": "USDT", "clientTranId": "t", "kindType": "SPOT_FUTURE"},
            '{"tranId":21841,"status":"SUCCESS"}',
        ),
        f"POST {prefix} listenKey": ({}, '{"listenKey":""}'),
        f"PUT {prefix} listenKey": ({}, "{}"),
        f"DELETE {prefix} listenKey": ({}, "{}"),
        f"POST {prefix} noop": ({}, DONE),
        f"GET {prefix} agent": ({}, SIGNED["GET /fapi agent"]),
    }


_PRICE = '{"symbol":"","price":"","time":1}'
_CHANGED = {"symbol": "AAAUSDT", "origClientOrderId": "r", "quantity": "2", "price": "98"}
_AGENT = {"agentAddress": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", "agentName": "two"}
_BUILDER = {"builder": "0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF", "maxFeeRate": "0.001"}
_TRADES = {"symbol": "AAAUSDT", "limit": "3"}
MORE: dict[str, tuple[dict[str, str], str]] = {
    **_orders("/fapi"),
    **_orders("/api"),
    "GET /fapi account": ({}, SIGNED["GET /fapi accountWithJoinMargin"]),
    "GET /fapi openInterest": ({"symbol": "AAAUSDT"}, SAMPLES["GET /fapi openInterest symbol"]),
    "GET /fapi historicalTrades": (_TRADES, SAMPLES["GET /fapi trades symbol"]),
    "GET /fapi forceOrders": ({}, f"[{_order('/fapi', looked_up=True)}]"),
    "GET /fapi stpMode": ({}, '{"stpMode":""}'),
    "GET /fapi positionMargin/history": ({"symbol": "AAAUSDT"}, "[]"),
    "GET /fapi remainingOpenableNotionalValue": (
        {"symbol": "AAAUSDT", "leverage": "5"},
        '{"remainingOpenableNotionalValue":-1}',
    ),
    "GET /fapi builder": ({}, '[{"userAddress":"","builderAddress":"","maxFeeRate":0.1,"builderName":""}]'),
    "PUT /fapi order": (_CHANGED, _order("/fapi")),
    "PUT /fapi batchOrders": (
        {"batchOrders": '[{"symbol":"AAAUSDT","origClientOrderId":"r","quantity":"2","price":"98"}]'},
        f"[{_order('/fapi')}]",
    ),
    "DELETE /fapi guardedCancelOrder": (
        {"symbol": "AAAUSDT", "origClientOrderId": "r"},
        _order("/fapi", CANCELLED),
    ),
    "DELETE /fapi guardedBatchOrders": (
        {"symbol": "AAAUSDT", "origClientOrderIdList": '["r"]'},
        f"[{_order('/fapi', IN_BATCH)}]",
    ),
    "POST /fapi countdownCancelAll": (
        {"symbol": "AAAUSDT", "countdownTime": "100000"},
        '{"symbol":"ETHUSDT","countdownTime":"100000"}',
    ),
    "POST /fapi marginType": ({"symbol": "CCCUSDT", "marginType": "ISOLATED"}, DONE),
    "POST /fapi positionMargin": (
        {"symbol": "BBBUSDT", "amount": "1", "type": "1"},
        '{"amount":100.0,"code":200,"msg":"","type":1}',
    ),
    "POST /fapi multiAssetsMargin": ({"multiAssetsMargin": "false"}, DONE),
    "POST /fapi positionSide/dual": ({"dualSidePosition": "false"}, DONE),
    "POST /fapi stpMode": ({"stpMode": "EXPIRE_BOTH"}, DONE),
    "POST /fapi approveAgent": (_AGENT, DONE),
    "POST /fapi updateAgent": (_AGENT, DONE),
    "POST /fapi registerAndApproveAgent": (_AGENT, DONE),
    "DELETE /fapi agent": (_AGENT, DONE),
    "POST /fapi approveBuilder": (_BUILDER, DONE),
    "POST /fapi updateBuilder": (_BUILDER, DONE),
    "DELETE /fapi builder": (_BUILDER, DONE),
    "GET /api ping": ({}, "{}"),
    "GET /api time": ({}, '{"serverTime":1}'),
    "GET /api ticker/price": ({"symbol": "AAAUSDT"}, _PRICE),
    "GET /api ticker/bookTicker": ({"symbol": "AAAUSDT"}, SAMPLES["GET /fapi ticker/bookTicker symbol"]),
    "GET /api klines": ({"symbol": "AAAUSDT", "interval": "1h"}, SAMPLES["GET /fapi klines symbol interval"]),
    "GET /api aggTrades": (_TRADES, SAMPLES["GET /fapi aggTrades symbol"]),
    "GET /api historicalTrades": (_TRADES, SAMPLES["GET /api trades symbol"]),
}
"""Endpoints whose answer depends on what was done before, and the others: parameters and sample."""


def shape(value: Any) -> Any:
    """Return a value with everything but keys and JSON types taken out; of an array its first element."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value] if value and not isinstance(value[0], dict | list) else [shape(value[0])]
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
