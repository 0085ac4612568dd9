"""An exchange in a file: everything comes back, little is written at a time."""

import sqlite3
from pathlib import Path

import pytest

from hedgerow.clock import VirtualClock
from hedgerow.domain.errors import StoreError
from hedgerow.emulator.wire.exchange.exchange import Exchange, ExchangeRules
from hedgerow.emulator.wire.exchange.state_file import CHUNK, ExchangeStateFile
from hedgerow.emulator.wire.protocol.clock import ExchangeClock
from hedgerow.emulator.wire.venue import WireVenue
from support.wire import WireClient, make_wired
from support.worlds import START, ScriptedMarketData


def kept(path: Path) -> WireClient:
    """An exchange that is written to a file before each answer."""
    client = make_wired()
    file = ExchangeStateFile(path)
    file.begin(b"terms")
    exchange = client.venue.exchange
    client.venue = WireVenue(exchange, ExchangeClock(VirtualClock(START), START, speed=0), save=file.save)
    return client


def reopened(path: Path, last_nonce: int) -> WireClient:
    saved = ExchangeStateFile(path).load()
    assert saved is not None
    assert saved.terms == b"terms"
    exchange = Exchange(ScriptedMarketData(), start=START, rules=ExchangeRules(), state=saved.exchange)
    for exchange_account in saved.exchange_accounts:
        exchange.restore(exchange_account)
    client = make_wired(state=exchange)
    client._nonce = last_nonce
    return client


def everything(client: WireClient) -> list[object]:
    exchange = client.venue.exchange
    return [exchange.state(), *(exchange_account.state() for exchange_account in exchange.exchange_accounts.values())]


def test_everything_comes_back_as_it_was(tmp_path: Path) -> None:
    client = kept(tmp_path / "state")
    client.order(quantity="2")
    client.buy_spot()
    client.order(type="LIMIT", price="104", timeInForce="GTC", newClientOrderId="rests")
    client.order("BUY", type="STOP_MARKET", stopPrice="104", newClientOrderId="armed")
    client.perp("POST", "leverage", symbol="AAAUSDT", leverage=3)
    asked = {"amount": "5", "asset": "USDT", "clientTranId": "t", "kindType": "SPOT_FUTURE"}
    client.perp("POST", "asset/wallet/transfer", **asked)
    client.perp("POST", "listenKey")
    client.perp("POST", "countdownCancelAll", symbol="AAAUSDT", countdownTime=10_000)
    client.admin("POST", "price", symbol="AAAUSDT", factor="1.01")
    again = reopened(tmp_path / "state", client._nonce)
    assert everything(again) == everything(client)
    assert again.perp("POST", "asset/wallet/transfer", **asked).code == -4115
    assert len(again.perp("GET", "openOrders").json) == 2
    again.advance_time(10)
    assert again.perp("GET", "openOrders").json == []


def test_an_answer_that_was_given_is_in_the_file(tmp_path: Path) -> None:
    client = kept(tmp_path / "state")
    for number in range(5):
        made = client.order(quantity="0.1").json
        again = reopened(tmp_path / "state", client._nonce + 1000 * number)
        assert again.perp("GET", "order", symbol="AAAUSDT", orderId=made["orderId"]).json["status"] == "FILLED"


def test_a_used_nonce_stays_used(tmp_path: Path) -> None:
    client = kept(tmp_path / "state")
    query = client.query({})
    assert client.send("GET", "/fapi/v3/balance", query).status == 200
    again = reopened(tmp_path / "state", client._nonce)
    assert again.send("GET", "/fapi/v3/balance", query).code == -4225


def test_a_long_history_is_written_in_parts(tmp_path: Path) -> None:
    client = kept(tmp_path / "state")
    client.venue.exchange.limits.clear()
    client.venue.exchange.limits.update(make_wired().venue.exchange.limits)
    for _ in range(CHUNK + 5):
        client.advance_time(1)
        client.order(quantity="0.06")
    base = sqlite3.connect(tmp_path / "state")
    names = [name for (name,) in base.execute("SELECT name FROM parts WHERE name LIKE '%/fills/%'")]
    base.close()
    assert len(names) == 2
    assert everything(reopened(tmp_path / "state", client._nonce)) == everything(client)


def test_an_old_order_that_ends_late_is_written_as_ended(tmp_path: Path) -> None:
    client = kept(tmp_path / "state")
    client.order(type="LIMIT", price="104", timeInForce="GTC", newClientOrderId="rests")
    client.order("BUY", type="STOP_MARKET", stopPrice="104", newClientOrderId="armed")
    client.venue.exchange.limits.update(make_wired().venue.exchange.limits)
    for _ in range(CHUNK + 5):
        client.advance_time(1)
        client.order(quantity="0.06")
    for name in ("rests", "armed"):
        client.perp("DELETE", "order", symbol="AAAUSDT", origClientOrderId=name)
    again = reopened(tmp_path / "state", client._nonce)
    assert everything(again) == everything(client)
    assert again.perp("GET", "openOrders").json == []


def test_a_file_that_was_opened_again_is_written_on_from_where_it_was(tmp_path: Path) -> None:
    client = kept(tmp_path / "state")
    client.order(quantity="2")
    again = reopened(tmp_path / "state", client._nonce)
    file = ExchangeStateFile(tmp_path / "state")
    exchange = again.venue.exchange
    again.venue = WireVenue(exchange, ExchangeClock(VirtualClock(START), START, speed=0), save=file.save)
    again.order(quantity="3")
    assert everything(reopened(tmp_path / "state", again._nonce)) == everything(again)


def test_a_new_file_holds_nothing_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    assert ExchangeStateFile(tmp_path / "new").load() is None
    (tmp_path / "text").write_text("no database, but long enough to be looked at " * 10)
    with pytest.raises(StoreError, match="cannot be used"):
        ExchangeStateFile(tmp_path / "text")
    with pytest.raises(StoreError, match="cannot be used"):
        ExchangeStateFile(tmp_path / "missing" / "file")


def test_a_damaged_part_is_told_not_guessed(tmp_path: Path) -> None:
    kept(tmp_path / "state").order()
    base = sqlite3.connect(tmp_path / "state", isolation_level=None)
    base.execute("UPDATE parts SET value = '{}' WHERE name = 'exchange'")
    base.close()
    with pytest.raises(StoreError, match="damaged"):
        ExchangeStateFile(tmp_path / "state").load()
