"""The exchange that ``hedgerow emulator`` serves: its market, its accounts, its file."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedgerow.app.commands.emulator_server import DEFAULT_ACCOUNTS, EmulatorPlan, WiredAccount, build_venue
from hedgerow.clock import SystemClock
from hedgerow.domain.errors import ConfigError, StoreError
from support.wire import AGENT, OTHER, USER, WireClient

DAY = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


def client_of(plan: EmulatorPlan) -> WireClient:
    return WireClient(build_venue(plan, SystemClock())[0])


@contextmanager
def kept(plan: EmulatorPlan) -> Iterator[WireClient]:
    """Serve an exchange that is in a file."""
    venue, file = build_venue(plan, SystemClock())
    assert file is not None
    with closing(file):
        yield WireClient(venue)


def test_two_accounts_are_open_with_their_money_in_both_wallets() -> None:
    plan = EmulatorPlan(pairs=2)
    client = client_of(plan)
    assert [account.user for account in plan.accounts] == [USER, OTHER]
    assert plan.accounts[0].signer == AGENT
    for user, key in ((USER, 1), (OTHER, 2)):
        own = WireClient(client.venue, user=user, key=key)
        assert own.perp("GET", "balance").json[0]["balance"] == "500.00000000"
        assert own.spot("GET", "account").json["balances"] == [{"asset": "USDT", "free": "500.00000000", "locked": "0"}]


def test_the_exchange_runs_at_the_present_with_a_month_behind_it() -> None:
    client = client_of(EmulatorPlan(pairs=1))
    assert abs(client.venue.clock.now() - SystemClock().now()) < timedelta(seconds=5)
    rows = client.public("/fapi/v3/klines", symbol="BTCUSDT", interval="1d", limit=25).json
    assert len(rows) == 25


def test_a_start_moves_the_exchange_there_and_lets_any_nonce_pass() -> None:
    client = client_of(EmulatorPlan(pairs=1, start=DAY, speed=0))
    assert client.venue.clock.now() == DAY
    client._nonce = 5
    assert client.perp("GET", "balance").status == 200
    assert client.venue.exchange.rules.nonce_window_seconds is None


def test_a_file_keeps_the_exchange_and_its_market_whatever_is_asked_later(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with kept(EmulatorPlan(pairs=2, seed=3, start=DAY, speed=0, state=state)) as first:
        order = first.order(symbol="BTCUSDT", quantity="0.001").json
        prices = first.public("/fapi/v3/ticker/price").json
    with kept(EmulatorPlan(pairs=5, seed=9, speed=0, state=state, balance=Decimal(7))) as again:
        again._nonce = first._nonce
        assert again.perp("GET", "order", symbol="BTCUSDT", orderId=order["orderId"]).json["status"] == "FILLED"
        assert again.public("/fapi/v3/ticker/price").json == prices
        assert again.venue.clock.now() == DAY


def test_a_file_keeps_prices_that_stand_still_and_funding_that_was_changed(tmp_path: Path) -> None:
    with kept(EmulatorPlan(pairs=1, start=DAY, speed=0, state=tmp_path / "state", still=True)) as first:
        first.admin("POST", "funding", symbol="BTCUSDT", rate="0.002", interval_hours=4)
        first.admin("POST", "price", symbol="BTCUSDT", price="50000")
        first.admin("POST", "advance", seconds=86_400)
        reported = first.public("/fapi/v3/premiumIndex", symbol="BTCUSDT").json
        assert reported["lastFundingRate"] == "0.00200000"
        assert float(first.public("/fapi/v3/ticker/price", symbol="BTCUSDT").json["price"]) == 50_000
    with kept(EmulatorPlan(speed=0, state=tmp_path / "state")) as again:
        assert again.public("/fapi/v3/premiumIndex", symbol="BTCUSDT").json == reported
        again.advance_time(86_400)
        later = again.public("/fapi/v3/premiumIndex", symbol="BTCUSDT").json
    assert (later["markPrice"], later["lastFundingRate"]) == (reported["markPrice"], "0.00200000")


def test_nonces_of_any_time_are_taken_when_asked_for() -> None:
    assert client_of(EmulatorPlan(pairs=1)).venue.exchange.rules.nonce_window_seconds == 60
    assert client_of(EmulatorPlan(pairs=1, any_nonce=True)).venue.exchange.rules.nonce_window_seconds is None


def test_captured_listings_are_used(tmp_path: Path) -> None:
    filters = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.5"},
        {"filterType": "LOT_SIZE", "stepSize": "0.2", "minQty": "0.4", "maxQty": "90"},
        {"filterType": "MIN_NOTIONAL", "notional": "7"},
        {"filterType": "PERCENT_PRICE", "multiplierUp": "1.1", "multiplierDown": "0.9"},
    ]
    content = {"symbols": [{"symbol": "BTCUSDT", "name": "Bitcoin", "filters": filters}]}
    (tmp_path / "futures_exchangeInfo_1.json").write_text(json.dumps(content))
    row = client_of(EmulatorPlan(pairs=1, data=tmp_path)).public("/fapi/v3/exchangeInfo").json["symbols"][0]
    assert (row["name"], row["filters"][0]["tickSize"]) == ("Bitcoin", "0.5")


def test_what_cannot_be_served_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither captured"):
        build_venue(EmulatorPlan(data=tmp_path), SystemClock())
    with pytest.raises(ConfigError, match="--pairs 0"):
        build_venue(EmulatorPlan(pairs=0), SystemClock())
    with pytest.raises(StoreError, match="--state"):
        build_venue(EmulatorPlan(state=tmp_path), SystemClock())
    with pytest.raises(ConfigError, match="--account"):
        EmulatorPlan(accounts=(WiredAccount(user="me", signer=AGENT),))
    for chain_id in (0, -4, 2**256):
        with pytest.raises(ConfigError, match=f"--chain-id {chain_id}: allowed is"):
            EmulatorPlan(chain_id=chain_id)


def test_old_keys_come_with_the_accounts() -> None:
    key = DEFAULT_ACCOUNTS[0]
    client = client_of(EmulatorPlan(pairs=1))
    reply = client.send("POST", "/fapi/v1/listenKey", **{"x-mbx-apikey": key.api_key})
    assert len(reply.json["listenKey"]) == 64


def test_the_file_is_released_when_the_exchange_in_it_cannot_be_served(tmp_path: Path) -> None:
    with kept(EmulatorPlan(pairs=1, start=DAY, speed=0, state=tmp_path / "state")):
        pass
    with closing(sqlite3.connect(tmp_path / "state")) as base:
        base.execute("DELETE FROM parts WHERE name = 'format'")
        base.commit()
    # That no database stays open is checked after every test (tests/conftest.py).
    with pytest.raises(StoreError, match="another version"):
        build_venue(EmulatorPlan(state=tmp_path / "state"), SystemClock())
