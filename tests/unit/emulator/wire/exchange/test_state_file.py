"""An exchange in a file: everything comes back, little is written at a time."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
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


@pytest.fixture
def client(tmp_path: Path) -> Iterator[WireClient]:
    """An exchange that is written to a file before each answer."""
    made = make_wired()
    with closing(ExchangeStateFile(tmp_path / "state")) as file:
        file.begin(b"terms")
        save_to(file, made)
        yield made


def save_to(file: ExchangeStateFile, client: WireClient) -> None:
    exchange = client.venue.exchange
    client.venue = WireVenue(exchange, ExchangeClock(VirtualClock(START), START, speed=0), save=file.save)


def reopened(path: Path, last_nonce: int) -> WireClient:
    with closing(ExchangeStateFile(path)) as file:
        saved = file.load()
    assert saved is not None
    assert saved.terms == b"terms"
    exchange = Exchange(ScriptedMarketData(), start=START, rules=ExchangeRules(), state=saved.exchange)
    for exchange_account in saved.exchange_accounts:
        exchange.restore(exchange_account)
    again = make_wired(state=exchange)
    again._nonce = last_nonce
    return again


def everything(client: WireClient) -> list[object]:
    exchange = client.venue.exchange
    return [exchange.state(), *(exchange_account.state() for exchange_account in exchange.exchange_accounts.values())]


def test_everything_comes_back_as_it_was(client: WireClient, tmp_path: Path) -> None:
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


def test_an_answer_that_was_given_is_in_the_file(client: WireClient, tmp_path: Path) -> None:
    for number in range(5):
        made = client.order(quantity="0.1").json
        again = reopened(tmp_path / "state", client._nonce + 1000 * number)
        assert again.perp("GET", "order", symbol="AAAUSDT", orderId=made["orderId"]).json["status"] == "FILLED"


def test_a_used_nonce_stays_used(client: WireClient, tmp_path: Path) -> None:
    query = client.query({})
    assert client.send("GET", "/fapi/v3/balance", query).status == 200
    again = reopened(tmp_path / "state", client._nonce)
    assert again.send("GET", "/fapi/v3/balance", query).code == -4225


def test_a_long_history_is_written_in_parts(client: WireClient, tmp_path: Path) -> None:
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


def test_an_old_order_that_ends_late_is_written_as_ended(client: WireClient, tmp_path: Path) -> None:
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


def test_a_file_that_was_opened_again_is_written_on_from_where_it_was(client: WireClient, tmp_path: Path) -> None:
    client.order(quantity="2")
    again = reopened(tmp_path / "state", client._nonce)
    with closing(ExchangeStateFile(tmp_path / "state")) as file:
        save_to(file, again)
        again.order(quantity="3")
    assert everything(reopened(tmp_path / "state", again._nonce)) == everything(again)


def test_a_new_file_holds_nothing_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    with closing(ExchangeStateFile(tmp_path / "new")) as file:
        assert file.load() is None
    (tmp_path / "text").write_text("no database, but long enough to be looked at " * 10)
    with pytest.raises(StoreError, match="cannot be used"):
        ExchangeStateFile(tmp_path / "text")
    with pytest.raises(StoreError, match="cannot be used"):
        ExchangeStateFile(tmp_path / "missing" / "file")


def test_a_damaged_part_is_reported_and_not_guessed(client: WireClient, tmp_path: Path) -> None:
    client.order()
    base = sqlite3.connect(tmp_path / "state", isolation_level=None)
    base.execute("UPDATE parts SET value = '{}' WHERE name = 'exchange'")
    base.close()
    with closing(ExchangeStateFile(tmp_path / "state")) as file, pytest.raises(StoreError, match="damaged"):
        file.load()
