"""Signatures: the documented vectors, an independent oracle, and that the string signed is the string sent."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgerow.aster.credentials import Credentials
from hedgerow.aster.http.nonces import NonceSource, VenueTime
from hedgerow.aster.http.signing import AgentSigner, HmacSigner, digest_of, domain_separator, encode
from hedgerow.clock import VirtualClock
from support.drawing import examples

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "0x" + "1".zfill(64)
USER = "0x1111111111111111111111111111111111111111"
SIGNER = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
PARTIES = f"user={USER}&signer={SIGNER}"
ORDER = (
    "symbol=ETHUSDT&side=SELL&type=LIMIT&timeInForce=GTX&quantity=0.250&price=3000.10&newClientOrderId=dn-0001"
    f"&{PARTIES}&nonce=1750000000000001"
)
BATCH = (
    "batchOrders=%5B%7B%22symbol%22%3A%22ETHUSDT%22%2C%22side%22%3A%22SELL%22%2C%22type%22%3A%22MARKET%22%2C"
    f"%22quantity%22%3A%220.250%22%7D%5D&{PARTIES}&nonce=1750000000000003"
)
SIGNER_ONLY = f"symbol=ETHUSDT&nonce=1750000000000002&signer={SIGNER}"


def credentials() -> Credentials:
    return Credentials(user=USER, signer=SIGNER, private_key=KEY)


def agent(chain_id: int = 1666) -> AgentSigner:
    nonces = NonceSource(VenueTime(VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))))
    return AgentSigner(credentials(), chain_id=chain_id, nonces=nonces)


@pytest.mark.parametrize(
    ("chain_id", "separator"),
    [
        (1666, "a95d0a7a6f3f17fcebb0c2336645385ce79cde7523f71ab147fdb7f15e9f37f9"),
        (714, "fad01b07bed5729a04dbb977fd86da612eba71d668660bf12cf10b3d65b74d94"),
    ],
)
def test_the_domain_separator_is_the_documented_one(chain_id: int, separator: str) -> None:
    assert domain_separator(chain_id).hex() == separator


@pytest.mark.parametrize(
    ("message", "chain_id", "digest", "signature"),
    [
        (
            ORDER,
            1666,
            "c31eb81a07cdbf47167d1e7ecdc1d7ffa3b1fb7fb166580435a3f548207c58a4",
            (
                "95257de936707b5d5becebb31b4b14cfb1b246fc4940f39e56a4210d2bfe10010117d4f1c39774b77fafbc475d2886b5fae0d60eaf16"
                "2dff7db87c8bb0717a3a1b"
            ),
        ),
        (
            ORDER,
            714,
            "30f13e2fc248913e469cfc7173d912bb36682a9af0729d4c2e3f5659b6378cf4",
            (
                "cb0b80d0d9fb7d2fad1b17c881c831a64faf473d808e933d0e4f0ab78242bf263a98a07265afc1a0be07717a483cd585d74e6efdbf80"
                "e2d657f37a6198a64a891c"
            ),
        ),
        (
            SIGNER_ONLY,
            1666,
            "d86ff97eac8fade492bc20a63283a6cd4e5e58e664ff240624a197003c0fd55c",
            (
                "db45e13b3aa6fd5d8af6f36f1c74c278d82e24689c5d47fa60c3fabec0729d8a6d193e3c83fb00fe9983871968fdb29639162d87f1f6"
                "e887849bee2642e014d11b"
            ),
        ),
        (
            BATCH,
            1666,
            "61ef9b98bfa80c71b6e244ad2cd23e38f4ef4385ae748b216b87dc262de76a1a",
            (
                "3382861ea81cf44c3492d25189caac661bd2b5188ad9583b26cb987d441790de5bbb3448f2cf95b19fd3c739c3a53dfc96ee5fa19b43"
                "fb348f4a0003f188d8551b"
            ),
        ),
    ],
)
def test_digest_and_signature_are_the_documented_bytes(
    message: str, chain_id: int, digest: str, signature: str
) -> None:
    made = digest_of(message, domain_separator(chain_id))
    assert made.hex() == digest
    assert credentials().sign_digest(made).hex() == signature


def test_a_request_carries_user_signer_nonce_and_last_the_signature_over_all_of_it() -> None:
    query = ORDER.partition("&user=")[0]
    signed = agent().sign(query, nonce=1750000000000001)
    assert signed.query == (
        f"{ORDER}&signature=0x95257de936707b5d5becebb31b4b14cfb1b246fc4940f39e56a4210d2bfe1001"
        "0117d4f1c39774b77fafbc475d2886b5fae0d60eaf162dff7db87c8bb0717a3a1b"
    )
    assert signed.nonce == 1750000000000001
    assert not signed.headers


def test_a_request_without_parameters_begins_with_the_user() -> None:
    assert agent().sign("").query.startswith("user=0x1111")


def typed_data(message: str, chain_id: int) -> dict[str, Any]:
    domain = ["name:string", "version:string", "chainId:uint256", "verifyingContract:address"]
    return {
        "types": {
            "EIP712Domain": [dict(zip(("name", "type"), field.split(":"), strict=True)) for field in domain],
            "Message": [{"name": "msg", "type": "string"}],
        },
        "primaryType": "Message",
        "domain": {
            "name": "AsterSignTransaction",
            "version": "1",
            "chainId": chain_id,
            "verifyingContract": "0x" + "0" * 40,
        },
        "message": {"msg": message},
    }


@pytest.fixture(scope="module")
def signed() -> Callable[[str, str, int], bytes]:
    """Return how another library signs; it is imported only here because that takes long."""
    from eth_account import Account  # noqa: PLC0415
    from eth_account.messages import encode_typed_data  # noqa: PLC0415

    def sign(message: str, key: str, chain_id: int) -> bytes:
        typed = encode_typed_data(full_message=typed_data(message, chain_id))
        return bytes(Account.sign_message(typed, private_key=key).signature)

    return sign


@settings(max_examples=examples(25), deadline=None)
@given(
    message=st.text(max_size=300),
    key=st.integers(1, 2**128).map(lambda number: f"{number:064x}"),
    chain_id=st.sampled_from([1666, 714, 56]),
)
def test_an_independent_implementation_makes_the_same_signature(
    signed: Callable[[str, str, int], bytes], message: str, key: str, chain_id: int
) -> None:
    try:
        message.encode()
    except UnicodeEncodeError:
        return
    signature = Credentials(private_key=key).sign_digest(digest_of(message, domain_separator(chain_id)))
    assert signature == signed(message, key, chain_id)


def test_values_are_plain_and_nothing_is_sent_for_none() -> None:
    text = encode({"a": Decimal("1.9E+2"), "b": Decimal("1E-8"), "c": None, "d": True, "e": 7, "f": "a b&c"})
    assert text == "a=190&b=0.00000001&d=true&e=7&f=a+b%26c"


def test_the_legacy_signature_is_the_documented_one() -> None:
    message = "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.25&recvWindow=5000&timestamp=1750000000000"
    assert (
        Credentials(api_key="k", secret="testsecret").sign_text(message)  # noqa: S106 - of the documents
        == "fe54fb5b30d10193b5fdbf02d6033122c7a6fdae3ccb35edee907c3734a2ad55"
    )


def test_a_legacy_request_carries_window_time_signature_and_the_key_in_a_header() -> None:
    clock = VirtualClock(datetime.fromtimestamp(1_750_000_000, UTC))
    signer = HmacSigner(Credentials(api_key="public", secret="testsecret"), time=VenueTime(clock))  # noqa: S106 - above
    signed = signer.sign("symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.25")
    assert signed.query.endswith(
        "&recvWindow=5000&timestamp=1750000000000"
        "&signature=fe54fb5b30d10193b5fdbf02d6033122c7a6fdae3ccb35edee907c3734a2ad55"
    )
    assert signed.headers == {"X-MBX-APIKEY": "public"}


@pytest.mark.parametrize(
    ("path", "legacy"),
    [
        ("/fapi/v3/order", "/fapi/v1/order"),
        ("/api/v3/account", "/api/v1/account"),
        ("/fapi/v3/balance", "/fapi/v2/balance"),
        ("/fapi/v3/positionRisk", "/fapi/v2/positionRisk"),
        ("/fapi/v3/accountWithJoinMargin", "/fapi/v4/account"),
    ],
)
def test_legacy_credentials_use_the_legacy_paths(path: str, legacy: str) -> None:
    signer = HmacSigner(Credentials(api_key="k", secret="s"), time=VenueTime(VirtualClock(START)))  # noqa: S106 - no secret
    assert signer.path(path) == legacy
    assert agent().path(path) == path
