"""One REST call, and the table of its handlers."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from hedgerow.domain.instrument import Instrument, Market
from hedgerow.emulator.wire.exchange.account import ExchangeAccount
from hedgerow.emulator.wire.exchange.exchange import Exchange
from hedgerow.emulator.wire.protocol.params import Params

__all__ = ["Handler", "RestCall", "Route", "Security", "WireRequest", "account_data"]


class WireRequest(Struct, frozen=True, kw_only=True):
    """An HTTP request as it arrived."""

    method: str
    path: str
    query: str = ""
    """Exactly as sent, without the question mark."""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names in lower case."""
    ip: str = "127.0.0.1"


class Security(StrEnum):
    """Who may call."""

    NONE = "none"
    STREAM = "stream"
    """Signed; an old key needs its header only."""
    DATA = "data"
    TRADE = "trade"


class RestCall(Struct, frozen=True, kw_only=True):
    """One admitted request."""

    exchange: Exchange
    market: Market
    params: Params
    request: WireRequest
    caller: ExchangeAccount | None = None
    signer: str = ""
    fill_share: Decimal | None = None
    """Part of an order's quantity that matching may give: a fault; None = all."""

    @property
    def exchange_account(self) -> ExchangeAccount:
        """The account that signed; only asked for where a signature is demanded."""
        if self.caller is None:
            raise LookupError(f"{self.request.path} is not signed")
        return self.caller

    @property
    def now(self) -> datetime:
        """The exchange's time."""
        return self.exchange.now

    def symbol(self, name: str = "symbol") -> str:
        """Return a listed symbol.

        Raises:
            WireError: it was not sent (-1102).
            Rejected: it is not listed (-1121).
        """
        symbol = self.params.text(name)
        self.exchange.market.instrument(self.market, symbol)
        return symbol

    def instrument(self) -> Instrument:
        """Return the instrument that the request names."""
        return self.exchange.market.instrument(self.market, self.params.text("symbol"))

    def symbols(self) -> tuple[str, ...]:
        """Return the symbol named, or all of them."""
        if self.params.has("symbol"):
            return (self.symbol(),)
        market = self.exchange.market
        return tuple(pair.symbol for pair in (market.on_both if self.market is Market.SPOT else market.pairs))


Handler = Callable[[RestCall], Any]


class Route(Struct, frozen=True, kw_only=True):
    """One endpoint."""

    method: str
    name: str
    """Path behind the version."""
    handler: Handler
    weight: int | Callable[[Params], int] = 1
    security: Security = Security.NONE
    orders: int = 0
    """How many orders it counts for."""
    versions: tuple[int, ...] = (1, 3)
    guarded: bool = False
    """Whether it is signed with the nonce of the order it is about, used or not."""

    def weight_of(self, params: Params) -> int:
        """Return the weight of one call."""
        return self.weight if isinstance(self.weight, int) else self.weight(params)


def account_data(name: str, handler: Handler, weight: int, versions: tuple[int, ...] = (1, 3)) -> Route:
    """Return the endpoint of a signed read of the account."""
    return Route(method="GET", name=name, handler=handler, weight=weight, security=Security.DATA, versions=versions)
