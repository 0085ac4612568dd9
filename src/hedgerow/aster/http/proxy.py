"""The proxy between this machine and the exchange: an address that may hold a password, which is never shown."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from hedgerow.domain.errors import ConfigError

__all__ = ["PROXY_VARIABLES", "Proxy", "proxy_of"]

OWN: Final = "HEDGEROW_PROXY"
COMMON: Final = ("https_proxy", "HTTPS_PROXY")
"""What most HTTP clients read, in this order."""
EXCLUDED: Final = ("no_proxy", "NO_PROXY")
PROXY_VARIABLES: Final = (OWN, *COMMON, *EXCLUDED)
DIRECT: Final = "none"
ALLOWED: Final = "an http:// or https:// address with host and port, user and password if needed, or none"


class Proxy:
    """An HTTP proxy that requests and streams pass through."""

    __slots__ = ("_excluded", "_https_only", "_password", "address", "user")

    def __init__(
        self,
        address: str,
        *,
        user: str = "",
        password: str = "",
        https_only: bool = False,
        excluded: tuple[str, ...] = (),
    ) -> None:
        self.address = address
        """Scheme, host and port, without user and password."""
        self.user = user
        self._password = password
        self._https_only = https_only
        self._excluded = excluded

    def covers(self, url: str) -> bool:
        """Return whether a request to this address passes through the proxy."""
        parts = urlsplit(url)
        if self._https_only and parts.scheme not in {"https", "wss"}:
            return False
        host = (parts.hostname or "").lower()
        return not any(name in {"*", host} or host.endswith(f".{name}") for name in self._excluded)

    def authorization(self) -> str:
        """Return the value of ``Proxy-Authorization``, which holds the password; for the connection alone."""
        return f"Basic {b64encode(f'{self.user}:{self._password}'.encode()).decode()}"

    def __repr__(self) -> str:
        return f"Proxy({self.address!r})"


def proxy_of(variables: Mapping[str, str]) -> Proxy | None:
    """Return the proxy that the variables name, None where requests go out directly.

    ``HEDGEROW_PROXY`` is for every address, and ``none`` there means no proxy at all. Without it ``HTTPS_PROXY`` is for
    encrypted addresses that ``NO_PROXY`` does not name, as for other programs.

    Raises:
        ConfigError: an address cannot be used; names the variable, and not what it holds.
    """
    own = variables.get(OWN, "").strip()
    if own:
        return None if own.lower() == DIRECT else _parsed(OWN, own)
    for name in COMMON:
        common = variables.get(name, "").strip()
        if common:
            excluded = next((variables[name] for name in EXCLUDED if variables.get(name)), "")
            names = tuple(part.strip().lower().lstrip(".") for part in excluded.split(",") if part.strip())
            return _parsed(name, common, https_only=True, excluded=names)
    return None


def _parsed(name: str, text: str, *, https_only: bool = False, excluded: tuple[str, ...] = ()) -> Proxy:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ConfigError(f"{name} cannot be read: allowed is {ALLOWED}") from None
    if parts.scheme.startswith("socks"):
        raise ConfigError(f"{name} is a SOCKS proxy, which is not supported: allowed is {ALLOWED}")
    if parts.scheme not in {"http", "https"} or not parts.hostname or port is None or parts.path not in {"", "/"}:
        raise ConfigError(f"{name} is no proxy address: allowed is {ALLOWED}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Proxy(
        f"{parts.scheme}://{host}:{port}",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        https_only=https_only,
        excluded=excluded,
    )
