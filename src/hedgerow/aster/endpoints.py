"""Base addresses of Aster's REST and WebSocket endpoints, each of which can be replaced by an emulator."""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from hedgerow.domain.errors import ConfigError
from hedgerow.domain.instrument import Market

__all__ = ["MAINNET", "TESTNET", "Hosts"]


class Hosts(Struct, frozen=True, kw_only=True):
    """Addresses of one Aster, without a path, and the chain id that signatures are bound to."""

    futures_rest: str
    spot_rest: str
    futures_market_ws: str
    spot_market_ws: str
    futures_user_ws: str
    spot_user_ws: str
    chain_id: int

    def __post_init__(self) -> None:
        for name in ("futures_rest", "spot_rest"):
            _check(name, getattr(self, name), ("https://", "http://"))
        for name in ("futures_market_ws", "spot_market_ws", "futures_user_ws", "spot_user_ws"):
            _check(name, getattr(self, name), ("wss://", "ws://"))
        if self.chain_id <= 0:
            raise ValueError(f"chain_id is a positive number, not {self.chain_id}")

    def rest(self, market: Market) -> str:
        """Return the REST address of a market."""
        return self.spot_rest if market is Market.SPOT else self.futures_rest

    def market_ws(self, market: Market) -> str:
        """Return the address of a market's public streams."""
        return self.spot_market_ws if market is Market.SPOT else self.futures_market_ws

    def user_ws(self, market: Market) -> str:
        """Return the address of a market's user data streams."""
        return self.spot_user_ws if market is Market.SPOT else self.futures_user_ws

    def overridden(self, environment: Mapping[str, str]) -> "Hosts":
        """Return these hosts with ``HEDGEROW_FUTURES_REST``, ``HEDGEROW_CHAIN_ID`` and so on put in their places.

        Raises:
            ConfigError: a value is no address, or no chain id.
        """
        given = {name: environment.get(f"HEDGEROW_{name.upper()}", "").strip() for name in self.__struct_fields__}
        changes = {name: _value(name, text) for name, text in given.items() if text}
        try:
            return replace(self, **changes)
        except ValueError as wrong:
            raise ConfigError(f"environment: {wrong}") from wrong


def _value(name: str, text: str) -> str | int:
    if name != "chain_id":
        return text.rstrip("/")
    if not text.isdecimal():
        raise ConfigError(f"HEDGEROW_CHAIN_ID is a positive number, not {text!r}")
    return int(text)


def _check(name: str, address: str, schemes: tuple[str, ...]) -> None:
    if not address.startswith(schemes) or address.endswith("/"):
        raise ValueError(f"{name} begins with {' or '.join(schemes)} and has no trailing slash: {address!r}")


MAINNET = Hosts(
    futures_rest="https://fapi.asterdex.com",
    spot_rest="https://sapi.asterdex.com",
    futures_market_ws="wss://fstream.asterdex.com",
    spot_market_ws="wss://sstream.asterdex.com",
    futures_user_ws="wss://fstream.asterdex.com",
    spot_user_ws="wss://sstream.asterdex.com",
    chain_id=1666,
)
TESTNET = Hosts(
    futures_rest="https://fapi.asterdex-testnet.com",
    spot_rest="https://sapi.asterdex-testnet.com",
    futures_market_ws="wss://fstream.asterdex-testnet.com",
    spot_market_ws="wss://sstream.asterdex-testnet.com",
    futures_user_ws="wss://fstream.asterdex-testnet.com",
    spot_user_ws="wss://sstream.asterdex-testnet.com",
    chain_id=714,
)
