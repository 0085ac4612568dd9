"""Request signatures: EIP-712 by an agent (V3) and HMAC (V1), over the exact string that is sent.

Algorithm and vectors: docs/aster-api.md 2 and 3.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol, TypeAlias
from urllib.parse import urlencode

from Crypto.Hash import keccak
from msgspec import Struct, field

from hedgerow.aster.credentials import Credentials
from hedgerow.aster.http.nonces import NonceSource, VenueTime
from hedgerow.domain.money import plain

__all__ = ["AgentSigner", "HmacSigner", "Param", "RequestSigner", "Signed", "digest_of", "domain_separator", "encode"]

Param: TypeAlias = str | int | Decimal | bool | None

DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
MESSAGE_TYPE = b"Message(string msg)"
DOMAIN_NAME, DOMAIN_VERSION = b"AsterSignTransaction", b"1"

NONCE_WINDOW_SECONDS = 60
"""The venue refuses a nonce that is further from its time (docs/aster-api.md 2)."""
RECEIVE_WINDOW_MS = 5_000
V1_PATHS = {
    "/fapi/v3/balance": "/fapi/v2/balance",
    "/fapi/v3/accountWithJoinMargin": "/fapi/v4/account",
    "/fapi/v3/positionRisk": "/fapi/v2/positionRisk",
}
"""V1 credentials use these paths (docs/aster-api.md 3); all others differ in the version alone, which is v1."""


class Signed(Struct, frozen=True, kw_only=True):
    """A query string with its signature."""

    query: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    nonce: int | None = None


class RequestSigner(Protocol):
    """Signs requests in one of the venue's two ways."""

    @property
    def lifetime_seconds(self) -> float:
        """How long after its signing a request may still be executed."""
        ...

    def path(self, path: str) -> str:
        """Return the path that this way of signing uses for a V3 path."""
        ...

    def reserve(self) -> int | None:
        """Return a nonce for a request that will be signed later; None where requests have none.

        Raises:
            NotSent: nonces cannot be kept.
        """
        ...

    def sign(self, query: str, nonce: int | None = None) -> Signed:
        """Sign a query, with a nonce that was reserved for it, or with one that was used before, to burn it."""
        ...


class AgentSigner:
    """Signs as the agent of an account (V3)."""

    def __init__(self, credentials: Credentials, *, chain_id: int, nonces: NonceSource) -> None:
        self._credentials = credentials
        self._separator = domain_separator(chain_id)
        self._nonces = nonces
        self._parties = f"user={credentials.user}&signer={credentials.signer}"

    @property
    def lifetime_seconds(self) -> float:
        """A request expires with the window of its nonce."""
        return NONCE_WINDOW_SECONDS

    def path(self, path: str) -> str:
        """Return the path as it is."""
        return path

    def reserve(self) -> int:
        """Take a new nonce."""
        return self._nonces.next()

    def sign(self, query: str, nonce: int | None = None) -> Signed:
        """Append user, signer, nonce and the signature over all before it."""
        used = self._nonces.next() if nonce is None else nonce
        message = f"{query}{'&' if query else ''}{self._parties}&nonce={used}"
        signature = self._credentials.sign_digest(digest_of(message, self._separator))
        return Signed(query=f"{message}&signature=0x{signature.hex()}", nonce=used)


class HmacSigner:
    """Signs with a legacy key pair (V1)."""

    def __init__(self, credentials: Credentials, *, time: VenueTime) -> None:
        self._credentials = credentials
        self._time = time
        self._headers = {"X-MBX-APIKEY": credentials.api_key}

    @property
    def lifetime_seconds(self) -> float:
        """A request expires with its receive window."""
        return RECEIVE_WINDOW_MS / 1000

    def path(self, path: str) -> str:
        """Return the V1 path."""
        return V1_PATHS.get(path) or path.replace("/v3/", "/v1/", 1)

    def reserve(self) -> None:
        """Reserve nothing: V1 has no nonces."""

    def sign(self, query: str, nonce: int | None = None) -> Signed:  # noqa: ARG002 - V1 has no nonces
        """Append window, timestamp and the HMAC over all before it."""
        message = f"{query}{'&' if query else ''}recvWindow={RECEIVE_WINDOW_MS}&timestamp={self._time.millis()}"
        return Signed(query=f"{message}&signature={self._credentials.sign_text(message)}", headers=self._headers)


def encode(params: Mapping[str, Param]) -> str:
    """Return the query string of the parameters in their order; None is left out, decimals are plain."""
    return urlencode([(name, _text(value)) for name, value in params.items() if value is not None])


def domain_separator(chain_id: int) -> bytes:
    """Return the EIP-712 domain separator of a chain id."""
    contract = bytes(32)
    return _keccak(
        _keccak(DOMAIN_TYPE) + _keccak(DOMAIN_NAME) + _keccak(DOMAIN_VERSION) + chain_id.to_bytes(32, "big") + contract,
    )


def digest_of(message: str, separator: bytes) -> bytes:
    """Return the EIP-712 digest of ``Message(msg)``."""
    return _keccak(b"\x19\x01" + separator + _keccak(_MESSAGE_HASH + _keccak(message.encode())))


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


_MESSAGE_HASH = _keccak(MESSAGE_TYPE)


def _text(value: Param) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, Decimal) else str(value)
