"""Verifies signatures: EIP-712 over the text sent (V3) and HMAC (V1); written from the venue's documents.

The V3 digest is keccak256(0x1901 || domain separator || keccak256(type hash || keccak256(text))) with the domain
``AsterSignTransaction``, version 1, chain 1666 or 714 and the zero address (docs/aster-api.md 2).
"""

import hmac
from functools import lru_cache
from hashlib import sha256
from urllib.parse import unquote_plus

from coincurve import PublicKey
from Crypto.Hash import keccak

__all__ = [
    "MAINNET",
    "TESTNET",
    "address_of",
    "digest_of",
    "domain_separator",
    "hmac_of",
    "is_address",
    "keccak256",
    "signed_by",
]

MAINNET = 1666
TESTNET = 714
SIGNATURE_BYTES = 65
ADDRESS_DIGITS = 40
FIRST_V = 27
"""Recovery ids travel as 27 and 28."""


def keccak256(data: bytes) -> bytes:
    """Return the Keccak-256 hash (not SHA3-256, which pads differently)."""
    return keccak.new(digest_bits=256, data=data).digest()


MESSAGE_TYPE = keccak256(b"Message(string msg)")
DOMAIN_TYPE = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")


@lru_cache(maxsize=8)
def domain_separator(chain_id: int) -> bytes:
    """Return the domain hash of one chain."""
    name, version = keccak256(b"AsterSignTransaction"), keccak256(b"1")
    return keccak256(DOMAIN_TYPE + name + version + chain_id.to_bytes(32, "big") + bytes(32))


def digest_of(text: str, chain_id: int) -> bytes:
    """Return what a signature over ``text`` signs."""
    message = keccak256(MESSAGE_TYPE + keccak256(text.encode()))
    return keccak256(b"\x19\x01" + domain_separator(chain_id) + message)


def address_of(key: PublicKey) -> str:
    """Return the lower-case address of a public key."""
    return "0x" + keccak256(key.format(compressed=False)[1:])[-20:].hex()


def is_address(text: str) -> bool:
    """Return whether a text has the form of an address."""
    digits = text[2:] if text[:2] in {"0x", "0X"} else ""
    return len(digits) == ADDRESS_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def signed_by(text: str, signature: str, signer: str, chain_id: int) -> bool:
    """Return whether ``signer`` signed ``text``, as it was sent or with its percent escapes undone."""
    wanted = signer.lower()
    forms = dict.fromkeys((text, unquote_plus(text)))
    return any(_recovered(digest_of(form, chain_id), signature) == wanted for form in forms)


def hmac_of(secret: str, text: str) -> str:
    """Return the V1 signature of ``text`` in hexadecimal digits."""
    return hmac.new(secret.encode(), text.encode(), sha256).hexdigest()


def _recovered(digest: bytes, signature: str) -> str | None:
    """Return the address that made a signature; None for one that cannot be."""
    try:
        raw = bytes.fromhex(signature.removeprefix("0x").removeprefix("0X"))
    except ValueError:
        return None
    if len(raw) != SIGNATURE_BYTES:
        return None
    recovery = raw[-1] - FIRST_V if raw[-1] >= FIRST_V else raw[-1]
    if recovery not in {0, 1}:
        return None
    try:
        return address_of(PublicKey.from_signature_and_message(raw[:-1] + bytes([recovery]), digest, hasher=None))
    except Exception:  # noqa: BLE001 - the library raises a bare Exception for an impossible signature
        return None
