"""Settings, transfers, histories and several accounts (docs/aster-api.md 5.3, 5.4 and 6.2)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedgerow.domain.instrument import Market
from hedgerow.emulator.wire.protocol.number_format import to_ms
from support.wire import OTHER, WireClient, account_of, make_wired, messages
from support.worlds import START, ScriptedMarketData

DAY = 86_400_000


@pytest.mark.parametrize(
    ("name", "parameters", "code"),
    [
        ("leverage", {"symbol": "AAAUSDT", "leverage": "126"}, -4028),
        ("leverage", {"symbol": "AAAUSDT", "leverage": "x"}, -1102),
        ("leverage", {"symbol": "AAAUSDT", "leverage": "1"}, 0),
        ("marginType", {"symbol": "AAAUSDT", "marginType": "CROSSED"}, -4046),
        ("marginType", {"symbol": "AAAUSDT", "marginType": "ISOLATED"}, 200),
        ("marginType", {"symbol": "AAAUSDT", "marginType": "BOTH"}, -1130),
        ("positionSide/dual", {"dualSidePosition": "false"}, -4059),
        ("positionSide/dual", {"dualSidePosition": "true"}, 200),
        ("multiAssetsMargin", {"multiAssetsMargin": "true"}, 200),
        ("stpMode", {"stpMode": "EXPIRE_BOTH"}, 200),
        ("stpMode", {"stpMode": "NONE"}, -1130),
        ("positionMargin", {"symbol": "AAAUSDT", "amount": "0", "type": "1"}, -4055),
        ("positionMargin", {"symbol": "AAAUSDT", "amount": "5", "type": "1"}, -4051),
        ("positionMargin", {"symbol": "AAAUSDT", "amount": "5", "type": "3"}, -1130),
    ],
)
def test_settings_answer_as_the_venue_does(name: str, parameters: dict[str, str], code: int) -> None:
    assert make_wired().perp("POST", name, **parameters).code == code


def test_modes_cannot_change_under_a_position_or_an_order() -> None:
    client = make_wired()
    client.order()
    assert client.perp("POST", "positionSide/dual", dualSidePosition="true").code == -4068
    assert client.perp("POST", "marginType", symbol="AAAUSDT", marginType="ISOLATED").code == -4048
    client.order("BUY", reduceOnly="true")
    client.order(type="LIMIT", price="104", timeInForce="GTC")
    assert client.perp("POST", "positionSide/dual", dualSidePosition="true").code == -4067
    assert client.perp("POST", "marginType", symbol="AAAUSDT", marginType="ISOLATED").code == -4047


def test_in_hedge_mode_a_position_side_is_demanded() -> None:
    client = make_wired()
    client.perp("POST", "positionSide/dual", dualSidePosition="true")
    assert client.order().code == -4061
    assert client.perp("GET", "positionSide/dual").json == {"dualSidePosition": True}


def test_multi_assets_mode_shows_the_shared_collateral_and_forbids_isolated_margin() -> None:
    client = make_wired()
    client.perp("POST", "multiAssetsMargin", multiAssetsMargin="true")
    assert client.perp("POST", "marginType", symbol="AAAUSDT", marginType="ISOLATED").code == -4168
    rows = {row["asset"]: row for row in client.perp("GET", "balance").json}
    assert (rows["BTC"]["balance"], rows["BTC"]["availableBalance"]) == ("0.00000000", "10000.00000000")


def transfer(client: WireClient, **changes: str) -> Any:
    asked = {"amount": "100", "asset": "USDT", "clientTranId": "t-1", "kindType": "SPOT_FUTURE"}
    return client.perp("POST", "asset/wallet/transfer", **(asked | changes))


def test_a_transfer_moves_money_once_and_is_found_on_both_sides() -> None:
    client = make_wired()
    done = transfer(client)
    assert (done.json["status"], len(str(done.json["tranId"]))) == ("SUCCESS", 19)
    assert transfer(client).code == -4115
    back = {"clientTranId": "t-2", "kindType": "FUTURE_SPOT", "amount": "30"}
    spot = client.spot("POST", "asset/wallet/transfer", asset="USDT", **back)
    assert spot.json["status"] == "SUCCESS"
    income = client.perp("GET", "income", incomeType="TRANSFER").json
    history = client.spot("GET", "transactionHistory").json
    assert [row["income"] for row in income] == ["100.00000000", "-30.00000000"]
    assert [(row["type"], row["balanceDelta"]) for row in history] == [
        ("TRANSFER_SPOT_TO_FUTURE", "-100"),
        ("TRANSFER_FUTURE_TO_SPOT", "30"),
    ]
    assert [row["tranId"] for row in income] == [row["tranId"] for row in history]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": "0"}, -4055),
        ({"amount": "-5"}, -4055),
        ({"amount": "1e2"}, -1102),
        ({"amount": "20000"}, -2018),
        ({"amount": "20000", "kindType": "FUTURE_SPOT"}, -4050),
        ({"clientTranId": "x" * 64}, -4114),
        ({"clientTranId": ""}, -1105),
        ({"kindType": "SPOT_SPOT"}, -1130),
        ({"asset": "BTC"}, -2018),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(changes: dict[str, str], code: int) -> None:
    client = make_wired()
    assert transfer(client, **changes).code == code
    assert account_of(client).world.parts.perp.balance == 10_000


def test_income_adds_up_to_the_change_of_the_wallet() -> None:
    client = make_wired()
    client.order(quantity="3")
    client.advance_time(9 * 3600)
    client.order("BUY", quantity="1", reduceOnly="true")
    transfer(client)
    client.admin("POST", "fund", user=client.user, wallet="perp", amount="7")
    rows = client.perp("GET", "income").json
    assert {row["incomeType"] for row in rows} == {"COMMISSION", "FUNDING_FEE", "TRANSFER", "REALIZED_PNL"}
    total = sum((Decimal(row["income"]) for row in rows), Decimal(0))
    assert total == account_of(client).world.parts.perp.balance - 10_000
    assert len({(row["incomeType"], row["tranId"]) for row in rows}) == len(rows)
    funding = [row for row in rows if row["incomeType"] == "FUNDING_FEE"]
    assert [(row["symbol"], row["income"], row["tradeId"]) for row in funding] == [("AAAUSDT", "0.09000000", "")]
    assert funding[0]["time"] == to_ms(START + timedelta(hours=8))


def test_spot_transactions_add_up_to_the_change_of_the_wallet() -> None:
    client = make_wired(spot_delay_seconds=0.0)
    client.buy_spot(quantity="3")
    client.buy_spot(side="SELL", quantity="1")
    rows = client.spot("GET", "transactionHistory").json
    spot = account_of(client).world.parts.spot
    for asset, opening in (("USDT", 10_000), ("AAA", 0)):
        change = sum((Decimal(row["balanceDelta"]) for row in rows if row["asset"] == asset), Decimal(0))
        assert change == spot.of(asset).total - opening
    assert [row["type"] for row in client.spot("GET", "transactionHistory", type="TRADE_SOURCE").json] == [
        "TRADE_SOURCE",
        "TRADE_SOURCE",
    ]


def test_trades_are_paged_in_windows_of_a_week() -> None:
    client = make_wired()
    client.order()
    client.advance_time(10 * 86_400)
    client.order()
    first, now = to_ms(START), to_ms(START) + 10 * DAY

    def trades(**window: int) -> Any:
        return client.perp("GET", "userTrades", symbol="AAAUSDT", **window)

    assert len(trades().json) == 1
    assert [row["time"] for row in trades(startTime=first).json] == [first]
    assert len(trades(startTime=first, endTime=first + 7 * DAY).json) == 1
    assert trades(startTime=first, endTime=first + 7 * DAY + 1).code == -4165
    assert trades(startTime=now + 1000).code == -4181
    assert trades(startTime=now, endTime=first).code == -1023
    every = trades(fromId=1).json
    assert [row["time"] for row in every] == [first, now]
    assert trades(fromId=every[1]["id"]).json == every[1:]
    assert trades(orderId=every[0]["orderId"]).json == every[:1]
    assert trades(fromId=1, startTime=first).code == -1130
    assert trades(limit=1001).code == -1130


def test_a_liquidation_leaves_its_traces() -> None:
    client = make_wired()
    stream = client.listen(Market.PERP)
    public = client.stream("/ws/aaausdt@forceOrder")
    client.order(quantity="900")
    client.admin("POST", "price", symbol="AAAUSDT", factor="1.12")
    row = client.perp("GET", "forceOrders").json[0]
    assert row["clientOrderId"].startswith("autoclose-")
    assert client.perp("GET", "forceOrders", autoCloseType="ADL").json == []
    assert "INSURANCE_CLEAR" in {each["incomeType"] for each in client.perp("GET", "income").json}
    kinds = [event["e"] for event in messages(stream)]
    assert kinds[-1] in {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"}
    assert [event["e"] for event in messages(public)] == ["forceOrder"]


def test_deleveraging_is_reported_by_its_client_id() -> None:
    client = make_wired()
    client.order(quantity="2")
    client.admin("POST", "deleverage", user=client.user, symbol="AAAUSDT", quantity="1")
    assert client.perp("GET", "forceOrders", autoCloseType="ADL").json[0]["clientOrderId"] == "adl_autoclose"
    assert client.perp("GET", "positionRisk", symbol="AAAUSDT").json[0]["positionAmt"] == "-1.00"


def test_accounts_share_the_market_and_nothing_else() -> None:
    client = make_wired()
    other = WireClient(client.venue, user=OTHER, key=2)
    before = client.public("/fapi/v3/depth", symbol="AAAUSDT", limit=5).json["bids"]
    made = client.order(quantity="20").json
    after = other.public("/fapi/v3/depth", symbol="AAAUSDT", limit=5).json["bids"]
    assert after[0] != before[0]
    assert other.perp("GET", "order", symbol="AAAUSDT", orderId=made["orderId"]).code == -2013
    assert other.perp("GET", "userTrades", symbol="AAAUSDT").json == []
    assert other.perp("GET", "positionRisk", symbol="AAAUSDT").json[0]["positionAmt"] == "0"
    assert other.perp("GET", "balance").json[0]["balance"] == "500.00000000"
    second = other.order(quantity="1").json
    assert Decimal(second["avgPrice"]) < Decimal(made["avgPrice"]) or second["avgPrice"] == made["avgPrice"]
    assert second["orderId"] != made["orderId"]
    client.admin("POST", "price", symbol="AAAUSDT", factor="1.01")
    assert other.perp("GET", "positionRisk", symbol="AAAUSDT").json[0]["markPrice"] == "101.00000000"


def test_what_one_account_takes_from_the_book_another_does_not_find() -> None:
    client = make_wired(ScriptedMarketData())
    other = WireClient(client.venue, user=OTHER, key=2)
    alone = WireClient(make_wired().venue, user=OTHER, key=2)
    client.order(quantity="100")
    assert Decimal(other.order().json["avgPrice"]) < Decimal(alone.order().json["avgPrice"])


def test_a_trade_by_hand_shows_up_like_any_other() -> None:
    client = make_wired()
    stream = client.listen(Market.PERP)
    reply = client.admin("POST", "trade", user=client.user, market="perp", symbol="AAAUSDT", side="SELL", quantity="1")
    assert reply.status == 200
    assert client.perp("GET", "userTrades", symbol="AAAUSDT").json[0]["qty"] == "1.00"
    assert [event["e"] for event in messages(stream)] == ["ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
