"""Every endpoint's reply, key by key and type by type, against the samples (docs/aster-api.md 5, 6 and 13)."""

import json

import pytest

from support.samples import SAMPLES, SIGNED, shape
from support.wire import WireClient, make_wired
from support.worlds import ScriptedMarketData

GIVEN = {"symbol": "AAAUSDT", "pair": "AAAUSDT", "interval": "1h", "leverage": "5"}


@pytest.fixture(scope="module")
def client() -> WireClient:
    made = make_wired(ScriptedMarketData(["AAAUSDT", "BBBUSDT"]))
    made.order()
    made.buy_spot()
    made.advance_time(60)
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
    client.advance_time(3600)
    every = client.public("/fapi/v3/aggTrades", symbol="AAAUSDT", limit=20).json
    page = client.public("/fapi/v3/aggTrades", symbol="AAAUSDT", startTime=every[3]["T"], limit=5).json
    assert page == every[3:8]
