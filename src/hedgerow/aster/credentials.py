"""Who we are to Aster: the account, its agent, and secrets that sign but are never shown."""

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


class Credentials:
    """An account with what signs for it: an agent key (V3), or a legacy HMAC key pair (V1).

    The secrets can be used and not read: no text, copy, pickle or JSON of this value holds them.
    """

    __slots__ = ("_key", "_secret", "api_key", "signer", "user")

    def __init__(
        self, *, user: str = "", signer: str = "", private_key: str = "", api_key: str = "", secret: str = ""
    ) -> None:
        self.user, self.signer, self.api_key = user, signer, api_key
        self._key = PrivateKey(bytes.fromhex(private_key.removeprefix("0x"))) if private_key else None
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
            *_not_hex(USER, given[USER], ADDRESS_DIGITS),
            *_not_hex(SIGNER, given[SIGNER], ADDRESS_DIGITS),
            *_not_hex(KEY, given[KEY], KEY_DIGITS),
        )
        return found or _mismatch(given[SIGNER], given[KEY])

    @property
    def account(self) -> str:
        """What tells this account from others: its address, or the public part of a legacy key."""
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


def _not_hex(name: str, text: str, digits: int) -> tuple[str, ...]:
    shape = f"{digits} hexadecimal digits after an optional 0x"
    if not text:
        return (f"{name} is missing: it is {shape}",)
    bare = text.removeprefix("0x").removeprefix("0X")
    if any(char not in "0123456789abcdefABCDEF" for char in bare):
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
