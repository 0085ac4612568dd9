"""Credentials: one clear line per mistake, and secrets that nothing ever shows."""

import copy
import json
import logging
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedgerow.aster import MAINNET, TESTNET, AsterClient, Credentials, Hosts
from hedgerow.clock import VirtualClock, run_virtual
from hedgerow.domain.errors import ConfigError, VenueError
from hedgerow.domain.instrument import Market
from support.scripted_aster import HTML_500, KEY, NOW, SIGNER, USER, ScriptedAster, error, make_client

GOOD = {"API_USER": USER, "API_SIGNER": SIGNER, "API_PRIVATE_KEY": KEY}
SECRET = "5ec4e7" * 10 + "5ec4"


def test_the_agents_credentials_are_taken_from_the_environment() -> None:
    found = Credentials.from_environment({**GOOD, "API_USER": f" {USER}\n", "OTHER": "x"})
    assert (found.user, found.signer, found.account, found.legacy) == (USER, SIGNER, USER, False)


def test_a_key_needs_no_prefix() -> None:
    assert not Credentials.from_environment({**GOOD, "API_PRIVATE_KEY": KEY.removeprefix("0x")}).legacy


def test_a_key_may_begin_with_an_upper_case_prefix() -> None:
    assert not Credentials.from_environment({**GOOD, "API_PRIVATE_KEY": KEY.replace("0x", "0X")}).legacy


SOLANA = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"


def test_an_account_may_be_a_wallet_on_solana() -> None:
    found = Credentials.from_environment({**GOOD, "API_USER": SOLANA})
    assert (found.user, found.signer, found.account) == (SOLANA, SIGNER, SOLANA)


def test_a_legacy_pair_alone_is_enough() -> None:
    found = Credentials.from_environment({"APIV1_PUBLIC_KEY": "public", "APIV1_PRIVATE_KEY": SECRET})
    assert (found.legacy, found.account) == (True, "public")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"API_USER": ""}, "API_USER is missing: it is 40 hexadecimal digits after an optional 0x"),
        ({"API_USER": "your-user"}, "API_USER is neither hexadecimal nor base58: it is 40 hexadecimal digits after"),
        ({"API_USER": SOLANA[:-4]}, "API_USER is no address of a Solana wallet: it does not decode to 32 bytes"),
        ({"API_USER": SOLANA + "aa"}, "API_USER is no address of a Solana wallet: it does not decode to 32 bytes"),
        ({"API_USER": "0x" + "1" * 39}, "API_USER has 39 digits: it is 40 hexadecimal digits after an optional 0x"),
        ({"API_SIGNER": SOLANA}, "API_SIGNER is not hexadecimal: it is 40"),
        ({"API_SIGNER": "your_signer"}, "API_SIGNER is not hexadecimal: it is 40"),
        ({"API_PRIVATE_KEY": "0x" + "ab" * 31}, "API_PRIVATE_KEY has 62 digits: it is 64"),
        ({"API_PRIVATE_KEY": "0x" + "f" * 64}, "API_PRIVATE_KEY is no private key"),
        ({"API_PRIVATE_KEY": "0x" + "0" * 64}, "API_PRIVATE_KEY is no private key"),
        ({"API_SIGNER": USER}, f"API_SIGNER does not belong to API_PRIVATE_KEY: the key's address is {SIGNER}"),
    ],
)
def test_each_mistake_is_one_line_that_names_the_variable(changes: dict[str, str], line: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Credentials.from_environment({**GOOD, **changes})
    assert str(refused.value).startswith(line)
    assert "\n" not in str(refused.value)


def test_all_mistakes_are_named_at_once() -> None:
    assert [line.split()[0] for line in Credentials.mistakes({})] == ["API_USER", "API_SIGNER", "API_PRIVATE_KEY"]
    assert Credentials.mistakes({"APIV1_PUBLIC_KEY": "x"}) == ("APIV1_PRIVATE_KEY is missing",)
    assert Credentials.mistakes(GOOD) == ()


@given(st.text(max_size=80))
def test_no_mistake_prints_the_value(value: str) -> None:
    for name in GOOD:
        lines = " ".join(Credentials.mistakes({**GOOD, name: f"{SECRET}{value}zz"}))
        assert SECRET not in lines


def test_no_text_of_credentials_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    for held in (
        Credentials(user=USER, signer=SIGNER, private_key=SECRET),
        Credentials(api_key="public", secret=SECRET),
    ):
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("test").warning("%s %r", held, held)
        shown = f"{held} {held!r} {held!s:>20} {[held]} {caplog.text}"
        assert SECRET not in shown
        assert str(int(SECRET, 16)) not in shown
        assert not hasattr(held, "__dict__")


def test_credentials_cannot_be_copied_pickled_or_encoded() -> None:
    held = Credentials(user=USER, signer=SIGNER, private_key=KEY)
    for write in (copy.copy, copy.deepcopy, pickle.dumps, msgspec.json.encode, msgspec.to_builtins, json.dumps):
        with pytest.raises(TypeError):
            write(held)


def test_no_error_of_a_request_shows_what_was_signed() -> None:
    aster = ScriptedAster()
    client = make_client(aster)
    for answer in (error(-1022, "Signature for this request is not valid."), HTML_500, error(-1102)):
        aster.on("GET /fapi/v3/balance", answer)
        with pytest.raises(VenueError) as failed:
            run_virtual(VirtualClock(NOW), client.balances())
        text = f"{failed.value!r} {failed.value.__cause__!r}"
        assert "signature=" not in text
        assert KEY.removeprefix("0x") not in text


def test_a_client_without_credentials_reads_public_data_and_nothing_else() -> None:
    aster = ScriptedAster()
    client: AsterClient = make_client(aster, credentials=None)
    assert run_virtual(VirtualClock(NOW), client.depth(Market.SPOT, "AAAUSDT")).bids
    with pytest.raises(VenueError, match="needs credentials"):
        run_virtual(VirtualClock(NOW), client.balances())
    assert aster.routes == ["GET /api/v3/depth"]


def test_hosts_are_overridden_one_by_one_from_the_environment() -> None:
    hosts = MAINNET.overridden({"HEDGEROW_FUTURES_REST": "http://127.0.0.1:9000/", "HEDGEROW_CHAIN_ID": "714"})
    assert (hosts.futures_rest, hosts.chain_id, hosts.spot_rest) == ("http://127.0.0.1:9000", 714, MAINNET.spot_rest)
    assert TESTNET.overridden({}) == TESTNET


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HEDGEROW_CHAIN_ID", "mainnet", "HEDGEROW_CHAIN_ID is a positive number, not 'mainnet'"),
        ("HEDGEROW_CHAIN_ID", "0", "chain_id is a positive number"),
        ("HEDGEROW_SPOT_REST", "ftp://x", "spot_rest begins with https:// or http://"),
        ("HEDGEROW_SPOT_USER_WS", "https://x", "spot_user_ws begins with wss:// or ws://"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Hosts.overridden(MAINNET, {name: value})
