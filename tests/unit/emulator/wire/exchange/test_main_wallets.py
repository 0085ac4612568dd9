"""Accounts whose main wallet is on Solana trade like those of EVM wallets: their agent signs."""

from urllib.parse import urlencode

import pytest

from hedgerow.app.commands.emulator_server import EmulatorPlan, WiredAccount
from hedgerow.domain.errors import ConfigError
from hedgerow.emulator.wire.exchange.main_wallets import account_name, is_main_wallet
from support.wire import AGENT, USER, WireClient, make_wired

SOLANA = "So11111111111111111111111111111111111111112"
ORDER = {"symbol": "AAAUSDT", "side": "SELL", "type": "MARKET", "quantity": "1", "newClientOrderId": "f"}
KEY_THREE = "0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69"
"""Signer of the key 3."""


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (USER, True),
        (SOLANA, True),
        ("1" * 32, True),
        ("1" * 31, False),
        ("1" * 45, False),
        ("0" * 32, False),
        (SOLANA[:-1], False),
        ("O" + SOLANA[1:], False),
        ("", False),
        ("0x12", False),
    ],
)
def test_a_main_wallet_is_an_evm_or_a_solana_address(text: str, is_one: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_main_wallet(text) is is_one


def test_the_case_of_a_solana_address_counts_and_that_of_an_evm_address_does_not() -> None:
    assert account_name(SOLANA) == SOLANA
    assert account_name(USER.upper().replace("X", "x")) == USER


def opened(user: str = SOLANA) -> WireClient:
    client = make_wired()
    reply = client.admin("POST", "account", user=user, spot={"USDT": "500"}, perp="500", agents=[{"signer": KEY_THREE}])
    assert reply.status == 200, reply.text
    return WireClient(client.venue, user=user, key=3)


def test_an_agent_of_a_solana_wallet_trades_for_it() -> None:
    client = opened()
    assert client.perp("POST", "order", **ORDER).status == 200
    assert client.perp("GET", "positionRisk", symbol="AAAUSDT").json[0]["positionAmt"] == "-1.00"
    assert client.spot("GET", "account").json["balances"][0]["free"] == "500.00000000"
    assert client.perp("GET", "agent").json[0]["agentAddress"] == KEY_THREE.lower()


def test_another_case_of_a_solana_address_is_another_account() -> None:
    client = opened()
    client.user = SOLANA.lower()
    assert client.perp("GET", "balance").code == -1000


def test_a_solana_wallet_approves_an_agent() -> None:
    client = opened()
    path, agent = "/fapi/v3/approveAgent", "0x" + "9" * 40
    assert client.send("POST", path, urlencode({"user": SOLANA, "agentAddress": agent})).status == 200
    assert len(client.perp("GET", "agent").json) == 2
    assert client.send("POST", path, urlencode({"user": "nobody", "agentAddress": agent})).code == -1102


def test_an_account_of_no_wallet_is_refused_with_what_is_allowed() -> None:
    reply = make_wired().admin("POST", "account", user="nobody")
    assert (reply.status, "base58" in reply.json["error"]) == (400, True)
    with pytest.raises(ConfigError, match="base58"):
        EmulatorPlan(accounts=(WiredAccount(user="nobody", signer=AGENT),))
    with pytest.raises(ConfigError, match="agent"):
        EmulatorPlan(accounts=(WiredAccount(user=SOLANA, signer=SOLANA),))
    assert EmulatorPlan(accounts=(WiredAccount(user=SOLANA, signer=AGENT),)).accounts[0].user == SOLANA
