"""The vectors of the venue's documents (docs/aster-api.md 2.1 and 3), and what they must not accept."""

import pytest

from hedgerow.emulator.wire.protocol.signing import (
    MAINNET,
    TESTNET,
    digest_of,
    domain_separator,
    hmac_of,
    is_address,
    signed_by,
)
from support.wire import AGENT, OTHER, signature_of

NAMED = f"user=0x1111111111111111111111111111111111111111&signer={AGENT}"
ORDER = (
    "symbol=ETHUSDT&side=SELL&type=LIMIT&timeInForce=GTX&quantity=0.250&price=3000.10&newClientOrderId=dn-0001"
    f"&{NAMED}&nonce=1750000000000001"
)
SIGNER_ONLY = f"symbol=ETHUSDT&nonce=1750000000000002&signer={AGENT}"
ENCODED = (
    "batchOrders=%5B%7B%22symbol%22%3A%22ETHUSDT%22%2C%22side%22%3A%22SELL%22%2C%22type%22%3A%22MARKET%22%2C"
    f"%22quantity%22%3A%220.250%22%7D%5D&{NAMED}&nonce=1750000000000003"
)
VECTORS = [
    (
        ORDER,
        MAINNET,
        "c31eb81a07cdbf47167d1e7ecdc1d7ffa3b1fb7fb166580435a3f548207c58a4",
        (
            "95257de936707b5d5becebb31b4b14cfb1b246fc4940f39e56a4210d2bfe1001"
            "0117d4f1c39774b77fafbc475d2886b5fae0d60eaf162dff7db87c8bb0717a3a1b"
        ),
    ),
    (
        ORDER,
        TESTNET,
        "30f13e2fc248913e469cfc7173d912bb36682a9af0729d4c2e3f5659b6378cf4",
        (
            "cb0b80d0d9fb7d2fad1b17c881c831a64faf473d808e933d0e4f0ab78242bf26"
            "3a98a07265afc1a0be07717a483cd585d74e6efdbf80e2d657f37a6198a64a891c"
        ),
    ),
    (
        SIGNER_ONLY,
        MAINNET,
        "d86ff97eac8fade492bc20a63283a6cd4e5e58e664ff240624a197003c0fd55c",
        (
            "db45e13b3aa6fd5d8af6f36f1c74c278d82e24689c5d47fa60c3fabec0729d8a"
            "6d193e3c83fb00fe9983871968fdb29639162d87f1f6e887849bee2642e014d11b"
        ),
    ),
    (
        ENCODED,
        MAINNET,
        "61ef9b98bfa80c71b6e244ad2cd23e38f4ef4385ae748b216b87dc262de76a1a",
        (
            "3382861ea81cf44c3492d25189caac661bd2b5188ad9583b26cb987d441790de"
            "5bbb3448f2cf95b19fd3c739c3a53dfc96ee5fa19b43fb348f4a0003f188d8551b"
        ),
    ),
]


def test_the_domains_are_those_of_the_documents() -> None:
    assert domain_separator(MAINNET).hex() == "a95d0a7a6f3f17fcebb0c2336645385ce79cde7523f71ab147fdb7f15e9f37f9"
    assert domain_separator(TESTNET).hex() == "fad01b07bed5729a04dbb977fd86da612eba71d668660bf12cf10b3d65b74d94"


@pytest.mark.parametrize(("text", "chain", "digest", "signature"), VECTORS)
def test_the_documents_examples_are_accepted(text: str, chain: int, digest: str, signature: str) -> None:
    assert digest_of(text, chain).hex() == digest
    assert signed_by(text, "0x" + signature, AGENT, chain)
    assert signed_by(text, signature, AGENT.lower(), chain)
    assert signature_of(1, text, chain) == "0x" + signature


@pytest.mark.parametrize(("text", "chain", "digest", "signature"), VECTORS)
def test_anything_altered_is_refused(text: str, chain: int, digest: str, signature: str) -> None:
    assert not signed_by(text.replace("ETHUSDT", "BTCUSDT"), signature, AGENT, chain), digest
    assert not signed_by(text, signature, OTHER, chain)
    assert not signed_by(text, signature, AGENT, MAINNET + TESTNET - chain)


def test_a_signature_over_the_decoded_text_is_accepted() -> None:
    decoded = 'batchOrders=[{"a":1}]&nonce=1'
    assert signed_by("batchOrders=%5B%7B%22a%22%3A1%7D%5D&nonce=1", signature_of(1, decoded), AGENT, MAINNET)


@pytest.mark.parametrize("signature", ["", "0x", "zz", "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "11" * 64, "ff" * 66])
def test_what_is_no_signature_is_refused(signature: str) -> None:
    assert not signed_by(ORDER, signature, AGENT, MAINNET)


def test_the_old_signature_is_that_of_the_documents() -> None:
    text = "symbol=ETHUSDT&side=BUY&type=MARKET&quantity=0.25&recvWindow=5000&timestamp=1750000000000"
    assert hmac_of("testsecret", text) == "fe54fb5b30d10193b5fdbf02d6033122c7a6fdae3ccb35edee907c3734a2ad55"


@pytest.mark.parametrize(
    ("text", "good"), [(AGENT, True), (AGENT[2:], False), ("0x12", False), ("0x" + "g" * 40, False)]
)
def test_addresses_have_forty_digits(text: str, good: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_address(text) is good
