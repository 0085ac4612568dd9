"""Credentials: the account, its agent, and secrets that sign and are never shown."""

import hmac
from collections.abc import Mapping
from typing import NoReturn

from coincurve import PrivateKey
from Crypto.Hash import keccak

from hedgerow.domain.errors import ConfigError

__all__ = ["Credentials", "address_of"]

USER, SIGNER, KEY = "API_USER", "API_SIGNER", "API_PRIVATE_KEY"
V1_KEY, V1_SECRET = "APIV1_PUBLIC_KEY", "APIV1_PRIVATE_KEY"
ADDRESS_DIGITS, KEY_DIGITS = 40, 64
HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
BASE58_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BASE58 = frozenset(BASE58_DIGITS)
SOLANA_BYTES = 32


class Credentials:
    """An account with what signs for it: an agent key (V3), or a legacy HMAC key pair (V1).

    The secrets can be used and not read: no text, copy, pickle or JSON of this value holds them.
    """

    __slots__ = ("_key", "_secret", "api_key", "signer", "user")

    def __init__(
        self, *, user: str = "", signer: str = "", private_key: str = "", api_key: str = "", secret: str = ""
    ) -> None:
        self.user, self.signer, self.api_key = user, signer, api_key
        self._key = PrivateKey(bytes.fromhex(_bare(private_key))) if private_key else None
        self._secret = secret.encode()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Credentials":
        """Take the credentials from variables; the agent's are preferred to a legacy pair.

        Raises:
            ConfigError: something is missing or malformed; names each mistake, never a value.
        """
        wrong = cls.mistakes(environment)
        if wrong:
            raise ConfigError("; ".join(wrong))
        given = {name: environment.get(name, "").strip() for name in (USER, SIGNER, KEY, V1_KEY, V1_SECRET)}
        if given[USER]:
            return cls(user=given[USER], signer=given[SIGNER], private_key=given[KEY])
        return cls(api_key=given[V1_KEY], secret=given[V1_SECRET])

    @staticmethod
    def mistakes(environment: Mapping[str, str]) -> tuple[str, ...]:
        """Return one line per mistake in the variables, without any value; empty = they can be used."""
        given = {name: environment.get(name, "").strip() for name in (USER, SIGNER, KEY, V1_KEY, V1_SECRET)}
        if not any(given[name] for name in (USER, SIGNER, KEY)) and (given[V1_KEY] or given[V1_SECRET]):
            return tuple(f"{name} is missing" for name in (V1_KEY, V1_SECRET) if not given[name])
        found = (
            *_not_an_account(given[USER]),
            *_not_hex(SIGNER, given[SIGNER], ADDRESS_DIGITS),
            *_not_hex(KEY, given[KEY], KEY_DIGITS),
        )
        return found or _mismatch(given[SIGNER], given[KEY])

    @property
    def account(self) -> str:
        """What identifies this account: its address, or the public part of a legacy key."""
        return self.user or self.api_key

    @property
    def legacy(self) -> bool:
        """Whether requests are signed by HMAC (V1) instead of the agent (V3)."""
        return self._key is None

    def sign_digest(self, digest: bytes) -> bytes:
        """Return r, s and v (27 or 28) of the agent's signature of a 32-byte digest.

        Raises:
            ConfigError: these are legacy credentials.
        """
        if self._key is None:
            raise ConfigError(f"{KEY} is missing")
        signature = _sign(self._key, digest)
        return signature[:64] + bytes((signature[64] + 27,))

    def sign_text(self, text: str) -> str:
        """Return the HMAC-SHA256 of a text in hex (V1)."""
        return hmac.digest(self._secret, text.encode(), "sha256").hex()

    def __repr__(self) -> str:
        return f"Credentials(account={self.account!r}, signer={self.signer!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("credentials are not copied, pickled or sent anywhere")


def address_of(key: PrivateKey) -> str:
    """Return the checksummed (EIP-55) address that belongs to a private key."""
    public = key.public_key.format(compressed=False)[1:]
    digits = keccak.new(digest_bits=256, data=public).hexdigest()[-ADDRESS_DIGITS:]
    mask = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    upper_from = 8
    cased = (d.upper() if int(m, 16) >= upper_from else d for d, m in zip(digits, mask, strict=False))
    return "0x" + "".join(cased)


def _sign(key: PrivateKey, digest: bytes) -> bytes:
    return key.sign_recoverable(digest, hasher=None)  # pyright: ignore[reportUnknownMemberType] - coincurve leaves a C pointer untyped


def _bare(text: str) -> str:
    return text.removeprefix("0x").removeprefix("0X")


def _not_an_account(text: str) -> tuple[str, ...]:
    """Return what is wrong with the account: an EVM address, or the base58 address of a wallet on Solana."""
    if not text or text[:2].lower() == "0x" or set(text) <= HEXADECIMAL:
        return _not_hex(USER, text, ADDRESS_DIGITS)
    if not set(text) <= BASE58:
        shape = f"{ADDRESS_DIGITS} hexadecimal digits after an optional 0x, or a base58 address of a Solana wallet"
        return (f"{USER} is neither hexadecimal nor base58: it is {shape}",)
    if _base58_bytes(text) != SOLANA_BYTES:
        return (f"{USER} is no address of a Solana wallet: it does not decode to {SOLANA_BYTES} bytes",)
    return ()


def _base58_bytes(text: str) -> int:
    """Return the length of what a base58 text encodes: each leading 1 is a zero byte."""
    number = 0
    for char in text:
        number = number * len(BASE58_DIGITS) + BASE58_DIGITS.index(char)
    return len(text) - len(text.lstrip("1")) + (number.bit_length() + 7) // 8


def _not_hex(name: str, text: str, digits: int) -> tuple[str, ...]:
    shape = f"{digits} hexadecimal digits after an optional 0x"
    if not text:
        return (f"{name} is missing: it is {shape}",)
    bare = _bare(text)
    if not set(bare) <= HEXADECIMAL:
        return (f"{name} is not hexadecimal: it is {shape}",)
    if len(bare) != digits:
        return (f"{name} has {len(bare)} digits: it is {shape}",)
    return ()


def _mismatch(signer: str, private_key: str) -> tuple[str, ...]:
    try:
        derived = address_of(PrivateKey(bytes.fromhex(private_key[-KEY_DIGITS:])))
    except ValueError:
        return (f"{KEY} is no private key: it lies outside the curve",)
    if derived.lower()[-ADDRESS_DIGITS:] != signer.lower()[-ADDRESS_DIGITS:]:
        return (f"{SIGNER} does not belong to {KEY}: the key's address is {derived}",)
    return ()
